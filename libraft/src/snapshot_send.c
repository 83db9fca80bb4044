/* snapshot_send.c - a snapshot on its way to a follower: one chunk at a time, loaded by the host,
 * acknowledged by the follower with the offset that it wants next (Raft 7, figure 13). */
#include "core.h"

#include <assert.h>
#include <string.h>

void raft__snapshot_end(struct raft *r, struct raft__peer *p)
{
    struct raft__sending *s = &p->sending;
    union {
        const void *in;
        void *out;
    } configuration = {
        .in = s->meta.configuration}; /* owned here, though the public struct lends it */
    mu__free(&r->allocator, configuration.out);
    *s = (struct raft__sending){.data = s->data};
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
    if (w.failed) {
        mu__writer_fini(&w);
        return;
    }
    raft__peer_snapshot(r, p);
    p->sending.meta = (struct raft_snapshot_meta){.index = r->log.snapshot_index,
                                                  .term = r->log.snapshot_term,
                                                  .configuration_index = c->index,
                                                  .configuration = w.data,
                                                  .configuration_len = w.len};
    r->stats.snapshots_sent++;
}

static void ask_chunk(struct raft *r, struct raft__sending *s)
{
    const struct raft_load load = {.kind = RAFT_LOAD_SNAPSHOT,
                                   .bytes_max = r->cfg.snapshot_chunk_bytes,
                                   .snapshot = s->meta.index,
                                   .offset = s->offset};
    s->load_id = raft__ask_load(r, &load);
    s->chunk = s->load_id ? RAFT__CHUNK_LOADING : RAFT__CHUNK_WANTED;
}

static void send_chunk(struct raft *r, struct raft__peer *p)
{
    struct raft__sending *s = &p->sending;
    struct raft_message m = {
        .type = RAFT_MSG_SNAPSHOT,
        .term = r->hard.term,
        .stamp = raft__stamp(r),
        .transferring = r->transfer_stamp != 0,
        .snapshot = s->meta,
        .offset = s->offset,
        .data = s->data,
        .len = s->len,
        .last = s->last,
    };
    raft__send_peer(r, &m, p, 0); /* if it is lost, the time runs out */
    raft__trace(r, RAFT_TRACE_SNAPSHOT_SEND, p->server.id, NULL, s->meta.index, s->offset);
    s->chunk = RAFT__CHUNK_SENT;
    s->sent_ns = r->now;
}

void raft__snapshot_flush(struct raft *r, struct raft__peer *p)
{
    struct raft__sending *s = &p->sending;
    if (s->chunk == RAFT__CHUNK_SENT && r->now - s->sent_ns >= r->cfg.election_timeout_ns) {
        if (s->gone) {
            raft__peer_probe(r, p, p->next); /* finds out again what the peer needs */
            return;
        }
        s->chunk = RAFT__CHUNK_READY;
    }
    if (s->chunk == RAFT__CHUNK_WANTED) {
        ask_chunk(r, s);
    }
    if (s->chunk == RAFT__CHUNK_READY) {
        send_chunk(r, p);
    }
}

static struct raft__sending *find_sending(struct raft *r, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < r->n_peers; i++) {
        if (r->peers[i].state == RAFT__SNAPSHOT && r->peers[i].sending.load_id == id) {
            return &r->peers[i].sending;
        }
    }
    return NULL;
}

int raft_loaded_snapshot(struct raft *r, uint64_t now_ns, uint64_t id, const void *data, size_t len,
                         bool last)
{
    raft__set_now(r, now_ns);
    struct raft__sending *s = find_sending(r, id);
    if (!s) {
        return RAFT_OK;
    }
    if (len > r->cfg.snapshot_chunk_bytes || (data && len == 0 && !last)) {
        return RAFT_EINVAL;
    }
    if (!data) {
        s->gone = true;
        s->load_id = 0;
        s->chunk = RAFT__CHUNK_SENT;
        s->sent_ns = r->now;
        return RAFT_OK;
    }
    if (!s->data) {
        s->data = mu__alloc(&r->allocator, r->cfg.snapshot_chunk_bytes);
        if (!s->data) {
            return RAFT_ENOMEM;
        }
    }
    if (len > 0) {
        memcpy(s->data, data, len);
    }
    s->len = len;
    s->last = last;
    s->load_id = 0;
    s->chunk = RAFT__CHUNK_READY;
    return RAFT_OK;
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
        m->snapshot.term != s->meta.term || s->gone) {
        return;
    }
    if (m->last) {
        raft__peer_matches(r, p, s->meta.index);
        return;
    }
    bool accepted = s->chunk == RAFT__CHUNK_SENT && m->offset == s->offset + s->len && !s->last;
    if (accepted || m->reject) {
        s->offset = m->offset;
        s->load_id = 0;
        s->chunk = RAFT__CHUNK_WANTED;
    }
}
