#include "world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    mu__heap_init(&w->events, &mu__malloc_allocator);
    mu__prng_seed(&w->net_prng, seed ^ 0x6e6574);
    mu__prng_seed(&w->disk_prng, seed ^ 0x6469736b);
    mu__prng_seed(&w->fault_prng, seed ^ 0x6661756c74);
    mu__prng_seed(&w->client_prng, seed ^ 0x636c69656e74);
    w->hash = UINT64_C(0xcbf29ce484222325);
}

static void event_free(struct world_event *e)
{
    free(e->data);
    free(e);
}

void world_fini(struct world *w)
{
    for (struct mu__heap_item *i; (i = mu__heap_min(&w->events)) != NULL;) {
        mu__heap_remove(&w->events, i);
        event_free((struct world_event *)i);
    }
    mu__heap_fini(&w->events);
}

_Static_assert(offsetof(struct world_event, item) == 0, "an event is its heap item");

void world_again(struct world *w, struct world_event *e, uint64_t delay_ns)
{
    if (!mu__heap_set(&w->events, &e->item, w->now + delay_ns)) {
        abort();
    }
}

struct world_event *world_after_data(struct world *w, uint64_t delay_ns, world_fn fn, unsigned node,
                                     const void *data, size_t len)
{
    struct world_event *e = must(calloc(1, sizeof *e));
    e->item.slot = MU_HEAP_NONE;
    e->fn = fn;
    e->node = node;
    e->len = len;
    if (len > 0) {
        e->data = must(malloc(len));
        memcpy(e->data, data, len);
    }
    world_again(w, e, delay_ns);
    return e;
}

struct world_event *world_after(struct world *w, uint64_t delay_ns, world_fn fn, unsigned node)
{
    return world_after_data(w, delay_ns, fn, node, NULL, 0);
}

bool world_step(struct world *w, uint64_t until)
{
    struct mu__heap_item *i = mu__heap_min(&w->events);
    if (!i || i->at > until) {
        w->now = until;
        return false;
    }
    struct world_event *e = (struct world_event *)i;
    assert(i->at >= w->now);
    w->now = i->at;
    w->steps++;
    mu__heap_remove(&w->events, i);
    e->fn(w, e);
    if (e->item.slot == MU_HEAP_NONE) {
        event_free(e);
    }
    return true;
}

bool world_chance(struct mu__prng *p, uint32_t per_million)
{
    return mu__prng_below(p, 1000000) < per_million;
}

static void send_once(struct world *w, unsigned from, unsigned to, world_fn deliver,
                      const void *data, size_t len)
{
    struct world_net *n = &w->net;
    uint64_t at = w->now + mu__prng_between(&w->net_prng, n->delay_min_ns, n->delay_max_ns);
    uint64_t clogged = n->clogged_until[from][to];
    if (world_chance(&w->net_prng, n->reorder)) {
        at += mu__prng_below(&w->net_prng, n->reorder_ns + 1);
        at = at > clogged ? at : clogged;
    } else { /* in order, as on a connection */
        at = at > n->last[from][to] ? at : n->last[from][to];
        at = at > clogged ? at : clogged;
        n->last[from][to] = at;
    }
    struct world_event *e = world_after_data(w, at - w->now, deliver, to, data, len);
    e->from = from;
    e->b = n->flip && world_chance(&w->net_prng, n->flip);
}

void world_send(struct world *w, unsigned from, unsigned to, world_fn deliver, const void *data,
                size_t len)
{
    struct world_net *n = &w->net;
    assert(from < WORLD_NODES_MAX && to < WORLD_NODES_MAX);
    if (n->cut[from][to] || world_chance(&w->net_prng, n->loss)) {
        return;
    }
    send_once(w, from, to, deliver, data, len);
    if (world_chance(&w->net_prng, n->duplicate)) {
        send_once(w, from, to, deliver, data, len);
    }
}

void world_heal(struct world *w)
{
    struct world_net *n = &w->net;
    n->loss = n->duplicate = n->reorder = n->flip = 0;
    n->delay_min_ns = 200 * MU_USEC;
    n->delay_max_ns = 2 * MU_MSEC;
    world_join(w);
}

void world_join(struct world *w)
{
    memset(w->net.cut, 0, sizeof w->net.cut);
    memset(w->net.clogged_until, 0, sizeof w->net.clogged_until);
}

void world_trace(struct world *w, const char *format, ...)
{
    char *line = w->lines[w->n_lines++ % WORLD_TRACE_LINES];
    uint64_t us = (w->now + 500) / 1000;
    int n = snprintf(line, WORLD_LINE_BYTES, "[%3" PRIu64 ".%06u] ", us / 1000000,
                     (unsigned)(us % 1000000));
    va_list args;
    va_start(args, format);
    vsnprintf(line + n, WORLD_LINE_BYTES - (size_t)n, format, args);
    va_end(args);
    for (const char *p = line; *p; p++) { /* FNV-1a */
        w->hash = (w->hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    }
    if (w->verbose) {
        puts(line);
    }
    if (w->on_line) {
        w->on_line(w->user, line);
    }
}

void world_dump(const struct world *w, FILE *to)
{
    uint64_t first = w->n_lines > WORLD_TRACE_LINES ? w->n_lines - WORLD_TRACE_LINES : 0;
    for (uint64_t i = first; i < w->n_lines; i++) {
        fprintf(to, "%s\n", w->lines[i % WORLD_TRACE_LINES]);
    }
}

void world_disk_write(struct world_disk *d, const void *p, size_t len)
{
    void *bytes = d->bytes;
    if (!mu__reserve(&mu__malloc_allocator, &bytes, &d->cap, d->len + len, 1)) {
        abort();
    }
    d->bytes = bytes;
    memcpy(d->bytes + d->len, p, len);
    d->len += len;
}

void world_disk_crash(struct world *w, struct world_disk *d)
{
    size_t unsynced = d->len - d->synced;
    size_t kept = (size_t)mu__prng_below(&w->disk_prng, unsynced + 1);
    if (kept > 0 && world_chance(&w->disk_prng, 300000)) { /* a sector of it was never written */
        size_t at = (size_t)mu__prng_below(&w->disk_prng, kept);
        size_t lost = world_chance(&w->disk_prng, 500000)
                          ? kept - at
                          : (size_t)mu__prng_below(&w->disk_prng, kept - at) + 1;
        memset(d->bytes + d->synced + at, 0, lost);
    }
    d->len = d->synced + kept;
    d->synced = d->len;
}

void world_disk_fini(struct world_disk *d)
{
    free(d->bytes);
    *d = (struct world_disk){.len = 0};
}
