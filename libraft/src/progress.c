/* progress.c - what the leader knows about each peer, and the window of appends under way to it. */
#include "core.h"

#include <assert.h>
#include <string.h>

struct raft__peer *raft__find_peer(struct raft *r, const char *id)
{
    for (size_t i = 0; i < r->n_peers; i++) {
        if (strcmp(r->peers[i].server.id, id) == 0) {
            return &r->peers[i];
        }
    }
    return NULL;
}

void raft__peer_fini(struct raft *r, struct raft__peer *p)
{
    raft__snapshot_end(r, p);
    mu__free(&r->allocator, p->window.items);
    raft__loaded_fini(r, &p->loaded);
}

void raft__peer_reset(struct raft *r, struct raft__peer *p)
{
    raft__snapshot_end(r, p);
    raft__window_clear(&p->window);
    p->state = RAFT__PROBE;
    p->ballot = RAFT__NO_BALLOT;
    p->match = p->commit_sent = 0;
    p->next = r->log.last + 1;
    p->stamp = p->matched_stamp = p->heard_ns = 0;
    p->load_id = 0;
    p->loaded.n = 0;
}

static void trace_peer(const struct raft *r, const struct raft__peer *p)
{
    raft__trace(r, RAFT_TRACE_PEER, p->server.id, NULL, p->state, p->next);
}

static void enter(struct raft *r, struct raft__peer *p, enum raft__peer_state state)
{
    raft__snapshot_end(r, p);
    raft__window_clear(&p->window);
    p->state = state;
    p->load_id = 0;
    p->loaded.n = 0;
}

void raft__peer_probe(struct raft *r, struct raft__peer *p, raft_index next)
{
    enter(r, p, RAFT__PROBE);
    p->next = next > p->match ? next : p->match + 1;
    trace_peer(r, p);
}

void raft__peer_snapshot(struct raft *r, struct raft__peer *p)
{
    enter(r, p, RAFT__SNAPSHOT);
    trace_peer(r, p);
}

void raft__peer_replicate(struct raft *r, struct raft__peer *p, raft_index next)
{
    assert(p->state == RAFT__PROBE && next > p->match);
    p->state = RAFT__REPLICATE;
    p->next = next;
    raft__window_ack(r, &p->window, p->match); /* a probe without entries is answered by this */
    trace_peer(r, p);
}

bool raft__window_init(struct raft *r, struct raft__peer *p)
{
    if (!p->window.items) {
        p->window.items = mu__calloc(&r->allocator, r->cfg.inflight_max, sizeof *p->window.items);
    }
    return p->window.items != NULL;
}

bool raft__window_has_room(const struct raft *r, const struct raft__window *w)
{
    size_t max = r->cfg.inflight_max + RAFT__PLANTED(WINDOW_OFF_BY_ONE);
    return w->len == 0 || (w->len < max && w->bytes < r->cfg.inflight_bytes_max);
}

void raft__window_add(const struct raft *r, struct raft__window *w, const struct raft__sent *sent)
{
    assert(w->len < r->cfg.inflight_max);
    w->items[(w->head + w->len) % r->cfg.inflight_max] = *sent;
    w->len++;
    w->bytes += sent->bytes;
}

void raft__window_ack(const struct raft *r, struct raft__window *w, raft_index match)
{
    while (w->len > 0 && w->items[w->head].last <= match) {
        w->bytes -= w->items[w->head].bytes;
        w->head = (w->head + 1) % r->cfg.inflight_max;
        w->len--;
    }
}

const struct raft__sent *
raft__window_first_beyond(const struct raft *r, const struct raft__window *w, raft_index accepted)
{
    for (size_t i = 0; i < w->len; i++) {
        const struct raft__sent *s = &w->items[(w->head + i) % r->cfg.inflight_max];
        if (s->last > accepted) {
            return s;
        }
    }
    return NULL;
}

void raft__window_clear(struct raft__window *w)
{
    w->head = w->len = w->bytes = 0;
}
