/* snapshot_send.c - a snapshot on its way to a follower (Raft 7, figure 13).
 *
 *      0 ........ skip_to ......... first ............ next ....... end
 *        hashed only      written there   in the ring      not loaded
 *
 * The host loads chunks ahead of one another; they leave in order, and stay in the ring until the
 * follower has written them. It answers with the offset that it wants next. Beyond what was sent:
 * it has a part of this snapshot already, perhaps from another leader, and that part is read here
 * for its hash alone, so that the follower can tell whether it goes on with the same file. Refused
 * within the ring: that chunk was lost or damaged, and it is sent again with all after it. Until
 * the follower has answered, and whenever it falls silent, a single chunk is on the way. */
#include "core.h"

#include <assert.h>
#include <string.h>

static struct raft__chunk *chunk_at(const struct raft *r, const struct raft__sending *s, size_t i)
{
    assert(i < r->cfg.snapshot_inflight_max);
    return &s->chunks[(s->head + i) % r->cfg.snapshot_inflight_max];
}

static void drop_from(const struct raft *r, struct raft__sending *s, size_t i)
{
    for (; s->n > i; s->n--) {
        chunk_at(r, s, s->n - 1)->load_id = 0;
    }
    s->at_end = false;
}

static void drop_first(const struct raft *r, struct raft__sending *s)
{
    s->head = (s->head + 1) % r->cfg.snapshot_inflight_max;
    s->n--;
}

void raft__snapshot_end(struct raft *r, struct raft__peer *p)
{
    struct raft__sending *s = &p->sending;
    union {
        const void *in;
        void *out;
    } configuration = {
        .in = s->meta.configuration}; /* owned here, though the public struct lends it */
    mu__free(&r->allocator, configuration.out);
    for (size_t i = 0; s->chunks && i < r->cfg.snapshot_inflight_max; i++) {
        mu__free(&r->allocator, s->chunks[i].data);
    }
    mu__free(&r->allocator, s->chunks);
    *s = (struct raft__sending){.n = 0};
}

/* The follower has the first `offset` bytes, if it began with the same file. */
static void go_to(const struct raft *r, struct raft__sending *s, uint64_t offset)
{
    drop_from(r, s, 0);
    if (offset < s->hashed) {
        raft__hash_begin(&s->hash, &s->meta);
        s->hashed = 0;
    }
    s->next = s->hashed;
    s->skip_to = offset;
}

void raft__snapshot_begin(struct raft *r, struct raft__peer *p)
{
    const struct raft_configuration *c = raft__configs_at(&r->configs, r->log.snapshot_index);
    struct mu__writer w = mu__writer_growing(&r->allocator);
    if (r->log.snapshot_index == 0) {
        raft__log_line(r, MU_ERROR, "entries for a follower are gone, and there is no snapshot");
        return;
    }
    raft__configuration_encode(c, &w);
    struct raft__chunk *chunks =
        mu__calloc(&r->allocator, r->cfg.snapshot_inflight_max, sizeof *chunks);
    if (w.failed || !chunks) {
        mu__free(&r->allocator, chunks);
        mu__writer_fini(&w);
        return;
    }
    raft__peer_snapshot(r, p);
    struct raft__sending *s = &p->sending;
    s->chunks = chunks;
    s->meta = (struct raft_snapshot_meta){.index = r->log.snapshot_index,
                                          .term = r->log.snapshot_term,
                                          .configuration_index = c->index,
                                          .configuration = w.data,
                                          .configuration_len = w.len};
    raft__hash_begin(&s->hash, &s->meta);
    r->stats.snapshots_sent++;
}

/* --- Loading --- */

static bool ask_chunk(struct raft *r, struct raft__sending *s)
{
    size_t len = r->cfg.snapshot_chunk_bytes;
    if (s->next < s->skip_to && s->skip_to - s->next < len) {
        len = (size_t)(s->skip_to - s->next);
    }
    const struct raft_load load = {
        .kind = RAFT_LOAD_SNAPSHOT, .bytes_max = len, .snapshot = s->meta.index, .offset = s->next};
    uint64_t id = raft__ask_load(r, &load);
    if (id == 0) {
        return false;
    }
    struct raft__chunk *c = chunk_at(r, s, s->n++);
    *c = (struct raft__chunk){.offset = s->next, .len = len, .load_id = id, .data = c->data};
    s->next += len;
    return true;
}

static struct raft__chunk *find_loading(struct raft *r, uint64_t id, struct raft__sending **sending,
                                        size_t *at)
{
    for (size_t k = 0; id != 0 && k < r->n_peers; k++) {
        struct raft__sending *s = &r->peers[k].sending;
        for (size_t i = 0; i < s->n; i++) {
            if (chunk_at(r, s, i)->load_id == id) {
                *sending = s;
                *at = i;
                return chunk_at(r, s, i);
            }
        }
    }
    return NULL;
}

/* Those after it were asked for in the belief that it would be as long as it may be. */
static void trim_after(const struct raft *r, struct raft__sending *s, size_t i)
{
    const struct raft__chunk *c = chunk_at(r, s, i);
    drop_from(r, s, i + 1);
    s->next = c->offset + c->len;
    s->at_end = c->last;
}

int raft_loaded_snapshot(struct raft *r, uint64_t now_ns, uint64_t id, const void *data, size_t len,
                         bool last)
{
    raft__set_now(r, now_ns);
    struct raft__sending *s;
    size_t at;
    struct raft__chunk *c = find_loading(r, id, &s, &at);
    if (!c) {
        return RAFT_OK;
    }
    if (data && (len > c->len || (len == 0 && !last))) {
        return RAFT_EINVAL;
    }
    if (!data) {
        c->load_id = 0;
        c->state = RAFT__CHUNK_GONE;
        return RAFT_OK;
    }
    if (!c->data) {
        c->data = mu__alloc(&r->allocator, r->cfg.snapshot_chunk_bytes);
        if (!c->data) {
            return RAFT_ENOMEM;
        }
    }
    if (len > 0) {
        memcpy(c->data, data, len);
    }
    bool is_short = len < c->len || last;
    c->len = len;
    c->last = last;
    c->load_id = 0;
    c->state = RAFT__CHUNK_READY;
    if (is_short) {
        trim_after(r, s, at);
    }
    return RAFT_OK;
}

/* --- Sending --- */

static void hash_chunk(struct raft__sending *s, struct raft__chunk *c)
{
    if (c->is_hashed) {
        return;
    }
    assert(s->hashed == c->offset);
    c->prefix_hash = raft__hash_value(&s->hash);
    raft__hash_add(&s->hash, c->data, c->len);
    c->hash = raft__hash_value(&s->hash);
    c->is_hashed = true;
    s->hashed += c->len;
}

static void send_chunk(struct raft *r, struct raft__peer *p, struct raft__chunk *c)
{
    const struct raft__sending *s = &p->sending;
    bool again = c->was_sent;
    c->stamp = again ? raft__new_stamp(r) : raft__stamp(r);
    struct raft_message m = {
        .type = RAFT_MSG_SNAPSHOT,
        .term = r->hard.term,
        .stamp = raft__stamp(r),
        .transferring = r->transfer_stamp != 0,
        .snapshot = s->meta,
        .offset = c->offset,
        .data = c->data,
        .len = c->len,
        .last = c->last,
        .prefix_hash = c->prefix_hash,
        .hash = c->hash,
    };
    raft__send_peer(r, &m, p, 0); /* if it is lost, the time runs out */
    raft__trace(r, RAFT_TRACE_SNAPSHOT_SEND, p->server.id, NULL, s->meta.index, c->offset);
    r->stats.chunks_resent += again;
    c->state = RAFT__CHUNK_SENT;
    c->was_sent = true;
    c->sent_ns = r->now;
}

/* Hashes what has been loaded, in order, and sends what may leave. */
static void send_ready(struct raft *r, struct raft__peer *p)
{
    struct raft__sending *s = &p->sending;
    for (size_t i = 0; i < s->n;) {
        struct raft__chunk *c = chunk_at(r, s, i);
        if (c->state == RAFT__CHUNK_LOADING) {
            return;
        }
        if (c->state == RAFT__CHUNK_GONE) {
            s->is_gone = true;
            s->gone_ns = r->now;
            return;
        }
        hash_chunk(s, c);
        if (c->offset < s->skip_to && !c->last) {
            assert(i == 0);
            drop_first(r, s);
            continue;
        }
        if (c->state == RAFT__CHUNK_READY) {
            if (i > 0 && !s->is_open) {
                return;
            }
            send_chunk(r, p, c);
        }
        i++;
    }
}

static void send_again_from(const struct raft *r, struct raft__sending *s, size_t i)
{
    for (; i < s->n; i++) {
        struct raft__chunk *c = chunk_at(r, s, i);
        c->state = c->state == RAFT__CHUNK_SENT ? RAFT__CHUNK_READY : c->state;
    }
}

/* The peer answers heartbeats again that left well after the chunk did: that is lost. */
void raft__snapshot_heard(const struct raft *r, struct raft__peer *p, uint64_t stamp)
{
    struct raft__sending *s = &p->sending;
    const struct raft__chunk *first = s->n > 0 ? chunk_at(r, s, 0) : NULL;
    if (first && !s->is_open && first->state == RAFT__CHUNK_SENT &&
        first->stamp + r->cfg.heartbeat_ns <= stamp) {
        send_again_from(r, s, 0);
    }
}

void raft__snapshot_flush(struct raft *r, struct raft__peer *p)
{
    struct raft__sending *s = &p->sending;
    if (s->is_gone) {
        if (r->now - s->gone_ns >= r->cfg.election_timeout_ns) {
            raft__peer_probe(r, p, p->next); /* finds out again what the peer needs */
        }
        return;
    }
    if (s->n > 0 && chunk_at(r, s, 0)->state == RAFT__CHUNK_SENT &&
        r->now - chunk_at(r, s, 0)->sent_ns >= r->cfg.election_timeout_ns) {
        s->is_open = false;
        send_again_from(r, s, 0);
    }
    send_ready(r, p); /* which makes room, if bytes are skipped */
    bool is_open = s->is_open || s->next < s->skip_to;
    size_t room = is_open ? r->cfg.snapshot_inflight_max : 1;
    while (s->n < room && !s->at_end && !s->is_gone && ask_chunk(r, s)) {
    }
}

/* --- Answers --- */

/* The chunk that begins there, if it was sent; s->n if there is none. */
static size_t find_sent(const struct raft *r, const struct raft__sending *s, uint64_t offset)
{
    size_t i = 0;
    while (i < s->n && (chunk_at(r, s, i)->offset != offset || !chunk_at(r, s, i)->was_sent)) {
        i++;
    }
    return i;
}

/* Everything before `wanted` is written there. */
static void accepted(const struct raft *r, struct raft__sending *s, uint64_t wanted)
{
    uint64_t first = chunk_at(r, s, 0)->offset;
    if (wanted <= first) {
        return; /* known */
    }
    while (s->n > 0 && chunk_at(r, s, 0)->was_sent &&
           chunk_at(r, s, 0)->offset + chunk_at(r, s, 0)->len <= wanted) {
        first = chunk_at(r, s, 0)->offset + chunk_at(r, s, 0)->len;
        drop_first(r, s);
    }
    if (first != wanted) {
        go_to(r, s, wanted);
    }
}

static void refused(const struct raft *r, struct raft__sending *s, const struct raft_message *m)
{
    if (m->stamp == 0) { /* its host could not use what it was given: it is read again here, too */
        go_to(r, s, m->offset);
        return;
    }
    size_t i = find_sent(r, s, m->offset), sent = 0;
    while (sent < s->n && chunk_at(r, s, sent)->was_sent) {
        sent++;
    }
    const struct raft__chunk *last = chunk_at(r, s, sent - 1);
    if (i == s->n && m->offset != last->offset + last->len) {
        go_to(r, s, m->offset);
    } else if (i < s->n && m->stamp >= chunk_at(r, s, i)->stamp) {
        send_again_from(r, s, i); /* it does not answer an earlier copy */
    }
}

void raft__recv_snapshot_reply(struct raft *r, const struct raft_message *m)
{
    struct raft__peer *p = raft__find_peer(r, m->from);
    if (!p || p->is_self) {
        return;
    }
    raft__peer_heard(r, p, m);
    struct raft__sending *s = &p->sending;
    if (p->state != RAFT__SNAPSHOT || m->snapshot.index != s->meta.index ||
        m->snapshot.term != s->meta.term || s->is_gone) {
        return;
    }
    if (m->last) {
        raft__peer_matches(r, p, s->meta.index);
        return;
    }
    bool is_late = m->stamp != 0 && m->stamp < s->answered;
    bool has_sent = s->n > 0 && chunk_at(r, s, 0)->was_sent;
    if (is_late || !has_sent) { /* it speaks of what is over */
        return;
    }
    s->answered = m->stamp > s->answered ? m->stamp : s->answered;
    s->is_open = true;
    if (m->reject) {
        refused(r, s, m);
    } else {
        accepted(r, s, m->offset);
    }
}
