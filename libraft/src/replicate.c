/* replicate.c - the leader's side of AppendEntries (Raft 5.3) and the commit rule (5.4.2).
 *
 * A peer is probed with one append until it shows where the logs meet; from there appends are sent
 * ahead of their acknowledgements, up to a window. What was lost on the way shows in the answers to
 * heartbeats (heartbeat.c). */
#include "core.h"

#include <assert.h>

/* Entries from p->next on: of memory, or as the disk brought them. Returns false when the disk has
 * been asked. */
static bool entries_for(struct raft *r, struct raft__peer *p, const struct raft_entry **e,
                        size_t *n)
{
    *n = 0;
    if (p->next > r->log.last) {
        return true;
    }
    if (p->next >= r->log.cache_first) {
        *e = raft__log_slice(&r->log, p->next, r->log.last, r->cfg.message_bytes_max,
                             RAFT_MESSAGE_ENTRIES_MAX, n);
        return true;
    }
    if (p->loaded.n > 0 && p->loaded.entries[0].index == p->next) {
        *e = p->loaded.entries;
        *n = p->loaded.n;
        p->loaded.n = 0;
        return true;
    }
    if (p->load_id == 0) {
        raft_index last = r->log.cache_first - 1;
        if (last - p->next >= RAFT_MESSAGE_ENTRIES_MAX) {
            last = p->next + RAFT_MESSAGE_ENTRIES_MAX - 1;
        }
        const struct raft_load load = {.kind = RAFT_LOAD_ENTRIES,
                                       .first = p->next,
                                       .last = last,
                                       .bytes_max = r->cfg.message_bytes_max};
        p->load_id = raft__ask_load(r, &load);
    }
    return false;
}

static size_t bytes_of(const struct raft_entry *e, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += e[i].len;
    }
    return bytes;
}

/* Sends entries from p->next on, or none if there are none. False when nothing was sent. */
static bool send_append(struct raft *r, struct raft__peer *p)
{
    struct raft_message m = {
        .type = RAFT_MSG_APPEND,
        .term = r->hard.term,
        .log_index = p->next - 1,
        .commit = r->commit,
        .transferring = r->transfer_stamp != 0,
    };
    if (p->next < r->log.first || !raft__log_term(&r->log, m.log_index, &m.log_term)) {
        raft__snapshot_begin(r, p);
        return false;
    }
    if (!entries_for(r, p, &m.entries, &m.n_entries)) {
        return false;
    }
    m.stamp = raft__stamp(r);
    if (!raft__send_peer(r, &m, p, 0)) {
        return false;
    }
    p->commit_sent = r->commit;
    if (m.n_entries > 0 || p->state == RAFT__PROBE) {
        const struct raft__sent sent = {.last = m.log_index + m.n_entries,
                                        .bytes = bytes_of(m.entries, m.n_entries),
                                        .stamp = m.stamp};
        raft__window_add(r, &p->window, &sent);
    }
    if (p->state == RAFT__REPLICATE) {
        p->next += m.n_entries;
    }
    return true;
}

static raft_index min_index(raft_index a, raft_index b)
{
    return a < b ? a : b;
}

static void fill_window(struct raft *r, struct raft__peer *p)
{
    while (p->next <= r->log.last && raft__window_has_room(r, &p->window) && send_append(r, p)) {
    }
    /* Followers should learn of commits soon; when entries went out, they carried the news. */
    if (p->state == RAFT__REPLICATE && p->next > r->log.last &&
        p->commit_sent < min_index(r->commit, p->next - 1)) {
        send_append(r, p);
    }
}

void raft__replicate(struct raft *r, struct raft__peer *p)
{
    if (!raft__window_init(r, p)) {
        return;
    }
    if (p->state == RAFT__PROBE && p->window.len == 0) {
        send_append(r, p);
    } else if (p->state == RAFT__REPLICATE) {
        fill_window(r, p);
    }
    if (p->state == RAFT__SNAPSHOT) {
        raft__snapshot_flush(r, p);
    }
}

void raft__set_commit(struct raft *r, raft_index index)
{
    assert(index <= r->log.last);
    if (index > r->commit) {
        r->stats.entries_committed += index - r->commit;
        r->commit = index;
        raft__trace(r, RAFT_TRACE_COMMIT, NULL, NULL, index, 0);
    }
}

/* Raft 5.4.2 and figure 8: only an entry of the own term is committed by counting; what comes
 * before it is committed with it. The leader counts itself once its own write is durable (Raft
 * dissertation, 10.2.1). */
void raft__maybe_commit(struct raft *r)
{
    uint64_t match[RAFT_SERVERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        if (p->server.kind == RAFT_VOTER) {
            match[n++] = p->is_self ? r->durable : p->match;
        }
    }
    assert(n > 0);
    raft_index index = raft__quorum_value(match, n);
    bool own_term = index >= r->term_start || RAFT__PLANTED(COMMIT_OF_EARLIER_TERM);
    if (!own_term || index <= r->commit) {
        return;
    }
    raft__set_commit(r, index);
    if (raft__configs_last(&r->configs)->index <= r->commit && !raft__is_voter(r)) {
        raft__leave(r); /* Raft dissertation, 4.2.2 */
    }
}

void raft__peer_matches(struct raft *r, struct raft__peer *p, raft_index match)
{
    if (match <= p->match) {
        return;
    }
    p->match = match;
    p->matched_stamp = r->stamp > r->now ? r->stamp : r->now;
    raft__window_ack(r, &p->window, match);
    if (p->state == RAFT__SNAPSHOT && match >= p->sending.meta.index) {
        raft__peer_probe(r, p, match + 1);
    }
    if (p->next <= match) {
        p->next = match + 1;
    }
    raft__transfer_progress(r, p);
    raft__maybe_commit(r);
}

/* A refusal of what the peer has acknowledged is late, unless it answers a message that left after
 * the acknowledgement had come: then its disk has lost what was durable, and it gets it again. */
static bool has_lost(const struct raft__peer *p, const struct raft_message *m)
{
    return m->log_index <= p->match && m->stamp > p->matched_stamp;
}

/* Raft 5.3: back to where the logs may meet, a term at a time. */
static void refused(struct raft *r, struct raft__peer *p, const struct raft_message *m)
{
    if (m->stamp < r->leader_since || m->stamp > r->stamp) {
        return; /* it answers an earlier leadership of this server, or an earlier life */
    }
    bool lost = has_lost(p, m);
    bool stale = p->state == RAFT__SNAPSHOT || (m->log_index <= p->match && !lost) ||
                 (p->state == RAFT__PROBE && m->log_index != p->next - 1);
    if (stale) {
        return;
    }
    if (lost) {
        p->match = 0;
    }
    raft_index next = m->hint_index;
    if (m->hint_term > 0) { /* the newest entry that can match: ours with at most that term */
        next = raft__log_find_conflict(&r->log, m->hint_index, m->hint_term);
    }
    next = min_index(next + 1, m->log_index); /* back, in any case */
    r->stats.appends_refused++;
    raft__peer_probe(r, p, next);
}

void raft__recv_append_reply(struct raft *r, const struct raft_message *m)
{
    struct raft__peer *p = raft__find_peer(r, m->from);
    if (!p || p->is_self) {
        return;
    }
    raft__peer_heard(r, p, m);
    if (m->reject) {
        refused(r, p, m);
        return;
    }
    if (p->state == RAFT__PROBE && m->log_index + 1 >= p->next) {
        raft__window_clear(&p->window);
        raft__peer_replicate(r, p, m->log_index + 1 > p->match ? m->log_index + 1 : p->match + 1);
    }
    raft__peer_matches(r, p, m->log_index);
}
