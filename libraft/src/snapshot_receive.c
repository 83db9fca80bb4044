/* snapshot_receive.c - a snapshot on its way to this follower. Chunks go to the host one by one;
 * the answer names the offset that is wanted next, so a transfer goes on where it was, after losses
 * or a change of terms, as long as it is the same leader's file. While the last chunk is being
 * installed the log rests. */
#include "core.h"

#include <assert.h>
#include <string.h>

bool raft__is_installing(const struct raft *r)
{
    return r->receiving.write_id != 0 && r->receiving.last;
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
    *in = (struct raft__receiving){.data = in->data, .cap = in->cap};
}

void raft__receiving_fini(struct raft *r)
{
    forget(r);
    mu__free(&r->allocator, r->receiving.data);
    r->receiving.data = NULL;
}

static bool is_current(const struct raft__receiving *in, const struct raft_message *m)
{
    return in->meta.index == m->snapshot.index && in->meta.term == m->snapshot.term &&
           strcmp(in->leader, m->from) == 0;
}

static int begin(struct raft *r, const struct raft_message *m, const struct raft_configuration *c)
{
    struct raft__receiving *in = &r->receiving;
    void *copy =
        mu__memdup(&r->allocator, m->snapshot.configuration, m->snapshot.configuration_len);
    if (!copy) {
        return RAFT_ENOMEM;
    }
    forget(r);
    in->meta = m->snapshot;
    in->meta.configuration = copy;
    in->configuration = *c;
    raft__copy_id(in->leader, m->from);
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

static int take_chunk(struct raft *r, const struct raft_message *m)
{
    struct raft__receiving *in = &r->receiving;
    void *data = in->data;
    bool ok = mu__reserve(&r->allocator, &data, &in->cap, mu__max(m->len, 1), 1);
    in->data = data;
    if (!ok) {
        return RAFT_ENOMEM;
    }
    if (m->len > 0) {
        memcpy(in->data, m->data, m->len);
    }
    in->len = m->len;
    in->last = m->last;
    in->is_given = false;
    in->write_id = ++r->next_load_id;
    return RAFT_OK;
}

static int check(const struct raft_message *m, struct raft_configuration *c)
{
    const struct raft_snapshot_meta *s = &m->snapshot;
    if (s->index == 0 || s->index > INT64_MAX || s->term == 0 || s->term > m->term ||
        s->configuration_index > s->index || m->len > RAFT_CHUNK_BYTES_MAX ||
        (m->len > 0 && !m->data) || (m->len == 0 && !m->last)) {
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
        return RAFT_OK;
    }
    if (in->write_id != 0) {
        return RAFT_OK; /* the disk is busy; the leader repeats itself */
    }
    if (!is_current(in, m)) {
        rc = begin(r, m, &c);
    }
    if (rc == RAFT_OK && m->offset != in->received) {
        reply_to(r, m->from, m->from_address, m->stamp, &in->meta, in->received, true, false);
        return RAFT_OK;
    }
    return rc == RAFT_OK ? take_chunk(r, m) : rc;
}

bool raft__snapshot_write_next(struct raft *r)
{
    struct raft__receiving *in = &r->receiving;
    if (in->write_id == 0 || in->is_given) {
        return false;
    }
    in->is_given = true;
    r->snapshot_write = (struct raft_snapshot_write){.id = in->write_id,
                                                     .meta = in->meta,
                                                     .offset = in->received,
                                                     .data = in->data,
                                                     .len = in->len,
                                                     .last = in->last};
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

void raft_snapshot_written(struct raft *r, uint64_t now_ns, uint64_t id, bool ok)
{
    struct raft__receiving *in = &r->receiving;
    raft__set_now(r, now_ns);
    if (id == 0 || id != in->write_id) {
        return;
    }
    bool installed = ok && in->last;
    if (ok) {
        in->received += in->len;
    } else {
        in->received = 0;
    }
    if (installed) {
        install(r);
    }
    in->write_id = 0;
    if (r->role == RAFT_FOLLOWER && strcmp(r->leader, in->leader) == 0) {
        reply_to(r, r->leader, r->leader_address, 0, &in->meta, in->received, !ok, installed);
    }
    in->last = false;
    if (installed) {
        forget(r);
    }
}
