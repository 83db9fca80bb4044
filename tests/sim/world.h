/* world.h - a world for simulations: a clock that is a number, one heap of events, a network,
 * disks.
 *
 * Everything follows from one seed. Each part draws from a PRNG stream of its own, so that a change
 * in how one part draws does not shift all the others. Events of the same time happen in the order
 * in which they were scheduled. */
#pragma once

#include "heap.h"
#include "prng.h"

#include <stdio.h>

#define WORLD_NODES_MAX   16
#define WORLD_TRACE_LINES 200
#define WORLD_LINE_BYTES  160

struct world;
struct world_event;
typedef void (*world_fn)(struct world *w, struct world_event *e);

struct world_event {
    struct mu__heap_item item;
    world_fn fn;
    unsigned node, from; /* node: whom it concerns */
    /* Of the node when it was scheduled; the handler ignores events of an earlier life */
    uint64_t generation;
    uint64_t a, b;
    uint8_t *data; /* owned by the event */
    size_t len;
};

struct world_net { /* chances are in parts per million */
    uint64_t delay_min_ns, delay_max_ns;
    uint32_t loss, duplicate, reorder;
    uint32_t flip;                                   /* packets damaged on the way: e->b is set */
    uint64_t reorder_ns;                             /* what a reordered packet is late at most */
    bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX];      /* [from][to]: nothing passes */
    uint64_t last[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* when the newest packet in order arrives */
    /* What is sent before this time piles up, and arrives then */
    uint64_t clogged_until[WORLD_NODES_MAX][WORLD_NODES_MAX];
};

struct world {
    uint64_t seed, now;
    uint64_t steps;
    struct mu__heap events;
    struct mu__prng net_prng, disk_prng, fault_prng, client_prng;
    struct world_net net;
    void *user;
    uint64_t hash; /* of all trace lines */
    uint64_t n_lines;
    char lines[WORLD_TRACE_LINES][WORLD_LINE_BYTES];
    bool verbose;                                  /* prints each trace line */
    void (*on_line)(void *user, const char *line); /* sees each trace line; may be NULL */
};

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);
/* Schedules fn at w->now + delay; data (may be NULL) is copied. */
struct world_event *world_after(struct world *w, uint64_t delay_ns, world_fn fn, unsigned node);
struct world_event *world_after_data(struct world *w, uint64_t delay_ns, world_fn fn, unsigned node,
                                     const void *data, size_t len);
/* Schedules the event again instead of letting it be freed; called by its handler. */
void world_again(struct world *w, struct world_event *e, uint64_t delay_ns);
/* The next event, if it is not later than until. False when there is none, and the clock is at
 * until. */
bool world_step(struct world *w, uint64_t until);

/* A packet from one node to another, or to nobody if the network loses it; deliver sees it in
 * e->data. */
void world_send(struct world *w, unsigned from, unsigned to, world_fn deliver, const void *data,
                size_t len);
void world_heal(struct world *w); /* no cuts, no losses, ordinary delays */
void world_join(struct world *w); /* no cuts, and nothing is clogged */

void world_trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_dump(const struct world *w, FILE *to); /* the last trace lines */
bool world_chance(struct mu__prng *p, uint32_t per_million);

/* A file that is only appended to. What was not synced when the machine stops may be there, in
 * part, or not. */
struct world_disk {
    uint8_t *bytes;
    size_t len, cap, synced;
};
void world_disk_write(struct world_disk *d, const void *p, size_t len);
void world_disk_crash(struct world *w, struct world_disk *d);
void world_disk_fini(struct world_disk *d);
