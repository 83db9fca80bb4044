/* snapshot_receive.c - a snapshot on its way to this follower.
 *
 *      0 ......... received ......... accepted
 *        written             in the queue, the first of it with the host
 *
 * A chunk is accepted when it begins where the last one ended, when what precedes it has the hash
 * of what was accepted here, and when it has itself the hash that its leader gave it. So damage on
 * the way does not pass, nor does the continuation of another file: servers' snapshots of one index
 * may differ in their bytes. Any leader of the same snapshot may go on where another was cut off;
 * if its file differs, the transfer begins again. Once the last chunk is accepted the log rests
 * until it is installed. */
#include "core.h"

#include <assert.h>
#include <string.h>

static struct raft__arrived *chunk_at(const struct raft *r, size_t i)
{
    const struct raft__receiving *in = &r->receiving;
    return &in->chunks[(in->head + i) % r->cfg.snapshot_inflight_max];
}

bool raft__is_installing(const struct raft *r)
{
    return r->receiving.n > 0 && chunk_at(r, r->receiving.n - 1)->last;
}

static void forget(struct raft *r)
{
    struct raft__receiving *in = &r->receiving;
    union {
        const void *in;
        void *out;
    } configuration = {
        .in = in->meta.configuration}; /* owned here, though the public struct lends it */
    mu__free(&r->allocator, configuration.out);
    for (size_t i = 0; in->chunks && i < r->cfg.snapshot_inflight_max; i++) {
        mu__free(&r->allocator, in->chunks[i].data);
    }
    mu__free(&r->allocator, in->chunks);
    *in = (struct raft__receiving){.n = 0};
}

void raft__receiving_fini(struct raft *r)
{
    forget(r);
}

static bool is_current(const struct raft__receiving *in, const struct raft_message *m)
{
    return in->meta.index == m->snapshot.index && in->meta.term == m->snapshot.term;
}

/* Before its first byte. */
static void start_over(struct raft *r)
{
    struct raft__receiving *in = &r->receiving;
    assert(in->write_id == 0);
    in->received = in->accepted = 0;
    in->head = in->n = in->bytes = 0;
    raft__hash_begin(&in->hash, &in->meta);
}

static int begin(struct raft *r, const struct raft_message *m, const struct raft_configuration *c)
{
    struct raft__receiving *in = &r->receiving;
    void *copy =
        mu__memdup(&r->allocator, m->snapshot.configuration, m->snapshot.configuration_len);
    void *chunks =
        mu__calloc(&r->allocator, r->cfg.snapshot_inflight_max, sizeof(struct raft__arrived));
    if (!copy || !chunks) {
        mu__free(&r->allocator, copy);
        mu__free(&r->allocator, chunks);
        return RAFT_ENOMEM;
    }
    forget(r);
    in->chunks = chunks;
    in->meta = m->snapshot;
    in->meta.configuration = copy;
    in->configuration = *c;
    start_over(r);
    return RAFT_OK;
}

static void reply_to(struct raft *r, const char *to, const char *address, uint64_t stamp,
                     const struct raft_snapshot_meta *meta, uint64_t wanted, bool reject, bool last)
{
    struct raft_message reply = {
        .type = RAFT_MSG_SNAPSHOT_REPLY,
        .term = r->hard.term,
        .stamp = stamp,
        .snapshot = {.index = meta->index, .term = meta->term},
        .offset = wanted,
        .reject = reject,
        .last = last,
    };
    raft__send(r, &reply, to, address, raft__gate_hard(r));
}

/* Says what is wanted instead. */
static void answer(struct raft *r, const struct raft_message *m, bool reject)
{
    const struct raft__receiving *in = &r->receiving;
    reply_to(r, m->from, m->from_address, m->stamp, &in->meta, in->accepted, reject, false);
}

static bool has_room(const struct raft *r, size_t len)
{
    const struct raft__receiving *in = &r->receiving;
    size_t max = r->cfg.snapshot_inflight_max; /* the product is 1 GiB at the most */
    return in->n == 0 || (in->n < max && in->bytes + len <= max * r->cfg.snapshot_chunk_bytes);
}

static int accept_chunk(struct raft *r, const struct raft_message *m, const struct raft__hash *hash)
{
    struct raft__receiving *in = &r->receiving;
    struct raft__arrived *c = &in->chunks[(in->head + in->n) % r->cfg.snapshot_inflight_max];
    void *data = c->data;
    bool ok = mu__reserve(&r->allocator, &data, &c->cap, mu__max(m->len, 1), 1);
    c->data = data;
    if (!ok) {
        return RAFT_ENOMEM;
    }
    if (m->len > 0) {
        memcpy(c->data, m->data, m->len);
    }
    c->len = m->len;
    c->last = m->last;
    in->n++;
    in->bytes += m->len;
    in->accepted += m->len;
    in->hash = *hash;
    return RAFT_OK;
}

static void note_refusal(struct raft *r, const struct raft_message *m, const char *why,
                         const char *line)
{
    r->stats.chunks_refused++;
    raft__trace(r, RAFT_TRACE_SNAPSHOT_REFUSE, m->from, why, m->snapshot.index, m->offset);
    raft__log_line(r, MU_WARN, line);
}

static void refuse_other_file(struct raft *r, const struct raft_message *m)
{
    if (r->receiving.write_id != 0) {
        return; /* the disk is busy with the other file; the leader repeats itself */
    }
    note_refusal(r, m, "another file than the one begun",
                 "the leader's snapshot is another file than the one begun: it starts again");
    start_over(r);
    answer(r, m, true);
}

/* A chunk that begins where the last one ended. */
static int next_chunk(struct raft *r, const struct raft_message *m)
{
    struct raft__hash hash = r->receiving.hash;
    bool checked = !RAFT__PLANTED(CHUNK_HASH_UNCHECKED);
    if (m->prefix_hash != raft__hash_value(&hash) && checked) {
        refuse_other_file(r, m);
        return RAFT_OK;
    }
    if (!has_room(r, m->len)) {
        return RAFT_OK; /* as if it were lost */
    }
    raft__hash_add(&hash, m->data, m->len);
    if (m->hash != raft__hash_value(&hash) && checked) {
        note_refusal(r, m, "damaged",
                     "a chunk of the leader's snapshot was damaged on the way: it is sent again");
        answer(r, m, true);
        return RAFT_OK;
    }
    return accept_chunk(r, m, &hash);
}

static int take_chunk(struct raft *r, const struct raft_message *m)
{
    uint64_t accepted = r->receiving.accepted;
    if (m->offset == accepted) {
        return next_chunk(r, m);
    }
    if (m->offset < accepted && m->last && m->len <= accepted - m->offset) {
        refuse_other_file(r, m); /* it ends before what is here */
    } else {
        answer(r, m, m->offset > accepted); /* a gap; or it begins, or repeats itself */
    }
    return RAFT_OK;
}

static int check(const struct raft_message *m, struct raft_configuration *c)
{
    const struct raft_snapshot_meta *s = &m->snapshot;
    if (s->index == 0 || s->index > INT64_MAX || s->term == 0 || s->term > m->term ||
        s->configuration_index > s->index || m->len > RAFT_CHUNK_BYTES_MAX ||
        (m->len > 0 && !m->data) || (m->len == 0 && !m->last) || m->offset > INT64_MAX) {
        return RAFT_EPROTO;
    }
    return raft_configuration_decode(s->configuration, s->configuration_len, s->configuration_index,
                                     c);
}

int raft__recv_snapshot(struct raft *r, const struct raft_message *m)
{
    struct raft_configuration c;
    struct raft__receiving *in = &r->receiving;
    int rc = check(m, &c);
    if (rc != RAFT_OK) {
        return rc;
    }
    raft__follow(r, m);
    if (raft__is_installing(r)) {
        return RAFT_OK;
    }
    if (m->snapshot.index <= r->commit) { /* what it holds is here already */
        bool durable = m->snapshot.index <= r->durable;
        if (durable) {
            reply_to(r, m->from, m->from_address, m->stamp, &m->snapshot, 0, false, true);
        }
        if (in->write_id == 0 && in->meta.index <= r->commit) {
            forget(r); /* the log has overtaken it */
        }
        return RAFT_OK;
    }
    if (!is_current(in, m)) {
        if (in->write_id != 0) {
            return RAFT_OK; /* the disk is busy with another; the leader repeats itself */
        }
        rc = begin(r, m, &c);
    }
    return rc == RAFT_OK ? take_chunk(r, m) : rc;
}

bool raft__snapshot_write_next(struct raft *r)
{
    struct raft__receiving *in = &r->receiving;
    if (in->write_id != 0 || in->n == 0) {
        return false;
    }
    const struct raft__arrived *c = chunk_at(r, 0);
    in->write_id = ++r->next_load_id;
    r->snapshot_write = (struct raft_snapshot_write){.id = in->write_id,
                                                     .meta = in->meta,
                                                     .offset = in->received,
                                                     .data = c->data,
                                                     .len = c->len,
                                                     .last = c->last};
    return true;
}

/* Figure 13, 6 to 8: what follows the snapshot in a log that contains it stays; any other log
 * goes. */
static void install(struct raft *r)
{
    const struct raft_snapshot_meta *s = &r->receiving.meta;
    assert(s->index > r->commit);
    if (s->index <= r->log.last &&
        (raft__log_matches(&r->log, s->index, s->term) || RAFT__PLANTED(SNAPSHOT_KEEPS_LOG))) {
        raft__set_snapshot(r, s->index, s->term);
    } else {
        raft__reset_log(r, s->index, s->term);
        raft__configs_reset(&r->configs, &r->receiving.configuration);
        raft__configuration_changed(r);
    }
    raft__set_commit(r, s->index);
    r->handed = r->applied = s->index;
    r->matched = r->matched > s->index ? r->matched : s->index;
    r->apply_load_id = 0;
    r->apply_loaded.n = 0;
    r->stats.snapshots_installed++;
    raft__trace(r, RAFT_TRACE_SNAPSHOT_INSTALL, NULL, NULL, s->index, 0);
    raft__compact(r);
}

/* The oldest chunk is on the disk. Gives whether it was the snapshot's last. */
static bool written(struct raft *r)
{
    struct raft__receiving *in = &r->receiving;
    const struct raft__arrived c = *chunk_at(r, 0);
    in->received += c.len;
    if (c.last) {
        install(r);
    }
    in->bytes -= c.len;
    in->head = (in->head + 1) % r->cfg.snapshot_inflight_max;
    in->n--;
    return c.last;
}

void raft_snapshot_written(struct raft *r, uint64_t now_ns, uint64_t id, bool ok)
{
    struct raft__receiving *in = &r->receiving;
    raft__set_now(r, now_ns);
    if (id == 0 || id != in->write_id) {
        return;
    }
    in->write_id = 0;
    bool installed = false;
    if (ok) {
        installed = written(r);
    } else {
        start_over(r);
    }
    if (r->role == RAFT_FOLLOWER && r->leader[0]) {
        reply_to(r, r->leader, r->leader_address, 0, &in->meta, in->received, !ok, installed);
    }
    if (installed) {
        forget(r);
    }
}
