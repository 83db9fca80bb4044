/* follow.c - the follower's side of AppendEntries (Raft 5.3) and of heartbeats. */
#include "core.h"

#include <assert.h>
#include <string.h>

/* Election safety (Raft figure 3) says that a term has one leader; another is not a correct
 * peer. */
int raft__check_leader(const struct raft *r, const struct raft_message *m)
{
    if (m->term == r->hard.term &&
        (r->role == RAFT_LEADER || (r->leader[0] && strcmp(r->leader, m->from) != 0))) {
        return RAFT_EPROTO;
    }
    return RAFT_OK;
}

void raft__follow(struct raft *r, const struct raft_message *m)
{
    if (m->term > r->hard.term || r->role != RAFT_FOLLOWER) {
        raft__become_follower(r, m->term, "saw the leader");
    }
    raft__set_leader(r, m->from, m->from_address);
    raft__reset_election_timer(r);
    r->heard_ns = r->now;
    r->promise_until = r->now + r->cfg.election_timeout_ns;
    if (!m->transferring && m->stamp > r->settled_stamp) {
        r->settled_stamp = m->stamp;
    }
}

/* Without a stamp: when it arrives its server may lead again, and must not take this for an answer
 * to what it sent in that term. */
void raft__refuse_old_leader(struct raft *r, const struct raft_message *m)
{
    struct raft_message reply = {.type = RAFT_MSG_APPEND_REPLY,
                                 .term = r->hard.term,
                                 .reject = true,
                                 .log_index = m->log_index};
    raft__send(r, &reply, m->from, m->from_address, raft__gate_hard(r));
}

static bool is_configuration(const struct raft_entry *e)
{
    struct raft_configuration c;
    return raft_configuration_decode(e->data, e->len, e->index, &c) == RAFT_OK;
}

static int check_entries(const struct raft *r, const struct raft_message *m)
{
    raft_term term = m->log_term;
    if (m->n_entries > RAFT_MESSAGE_ENTRIES_MAX || m->log_index > INT64_MAX) {
        return RAFT_EPROTO;
    }
    for (size_t i = 0; i < m->n_entries; i++) {
        const struct raft_entry *e = &m->entries[i];
        if (e->index != m->log_index + 1 + i || e->term < term || e->term == 0 ||
            e->term > m->term || e->len > r->cfg.entry_bytes_max || (e->len > 0 && !e->data) ||
            (e->type != RAFT_ENTRY_NORMAL && e->type != RAFT_ENTRY_CONFIG &&
             e->type != RAFT_ENTRY_NOOP) ||
            (e->type == RAFT_ENTRY_CONFIG && !is_configuration(e))) {
            return RAFT_EPROTO;
        }
        term = e->term;
    }
    return RAFT_OK;
}

static void refuse(struct raft *r, const struct raft_message *m)
{
    struct raft_message reply = {
        .type = RAFT_MSG_APPEND_REPLY,
        .term = r->hard.term,
        .reject = true,
        .log_index = m->log_index,
        .hint_index = raft__log_find_conflict(&r->log, m->log_index, m->log_term),
    };
    if (!raft__log_term(&r->log, reply.hint_index, &reply.hint_term)) {
        reply.hint_index = r->commit; /* below what is known; the commit index matches for sure */
        reply.hint_term = 0;
    }
    raft__trace(r, RAFT_TRACE_REFUSE, m->from, NULL, m->log_index, reply.hint_index);
    raft__reply(r, m, &reply, raft__gate_hard(r));
}

/* Figure 2, AppendEntries 3 and 4: entries that are there are skipped, so that a late message
 * removes nothing; the first that differs removes the rest. Committed entries match any
 * leader's. */
static int append_entries(struct raft *r, const struct raft_message *m)
{
    for (size_t i = 0; i < m->n_entries; i++) {
        const struct raft_entry *e = &m->entries[i];
        bool here = e->index <= r->commit || raft__log_matches(&r->log, e->index, e->term);
        if (here && !(RAFT__PLANTED(TRUNCATE_COMMITTED) && e->index > r->log.first)) {
            continue;
        }
        raft__truncate(r, e->index);
        int rc = raft__append(r, e);
        if (rc != RAFT_OK) {
            return rc;
        }
    }
    return RAFT_OK;
}

static size_t cost_of_new(const struct raft *r, const struct raft_message *m)
{
    size_t cost = 0;
    for (size_t i = 0; i < m->n_entries; i++) {
        cost += m->entries[i].index > r->log.last ? raft__entry_cost(&m->entries[i]) : 0;
    }
    return cost;
}

static void acknowledge(struct raft *r, const struct raft_message *m, raft_index match)
{
    struct raft_message reply = {
        .type = RAFT_MSG_APPEND_REPLY, .term = r->hard.term, .log_index = match};
    raft__reply(r, m, &reply,
                RAFT__PLANTED(ACK_BEFORE_DURABLE) ? raft__gate_hard(r)
                                                  : raft__gate_entry(r, match));
}

int raft__recv_append(struct raft *r, const struct raft_message *m)
{
    int rc = check_entries(r, m);
    if (rc != RAFT_OK) {
        return rc;
    }
    raft__follow(r, m);
    /* Entries that wait for a commit must not keep out those that will commit them, so that only a
     * disk that lags behind makes this server refuse. The leader sends it again. */
    bool has_room = r->durable == r->log.last || raft__has_backlog_room(r, cost_of_new(r, m));
    if (raft__is_installing(r) || !has_room) {
        return RAFT_OK;
    }
    bool meets = m->log_index <= r->commit ||
                 raft__log_matches(&r->log, m->log_index, m->log_term) ||
                 (RAFT__PLANTED(NO_PREV_TERM_CHECK) && m->log_index <= r->log.last);
    if (!meets) {
        refuse(r, m);
        return RAFT_OK;
    }
    raft_index before = r->log.last;
    rc = append_entries(r, m);
    if (rc != RAFT_OK) {
        return rc;
    }
    if (r->log.last > before) {
        raft__trace(r, RAFT_TRACE_APPEND, NULL, NULL, before + 1, r->log.last);
    }
    raft_index match = m->log_index + m->n_entries;
    match = match > r->commit ? match : r->commit;
    r->matched = r->matched > match ? r->matched : match;
    raft__set_commit(r, m->commit < match ? m->commit : match);
    acknowledge(r, m, match);
    return RAFT_OK;
}

void raft__recv_heartbeat(struct raft *r, const struct raft_message *m)
{
    raft__follow(r, m);
    if (!raft__is_installing(r)) {
        raft_index verified = RAFT__PLANTED(COMMIT_UNVERIFIED) ? r->log.last : r->matched;
        raft__set_commit(r, m->commit < verified ? m->commit : verified);
    }
    struct raft_message reply = {
        .type = RAFT_MSG_HEARTBEAT_REPLY,
        .term = r->hard.term,
        .log_index = r->matched,
        .hint_index = r->matched < r->durable ? r->matched : r->durable,
    };
    raft__reply(r, m, &reply, raft__gate_hard(r));
}
