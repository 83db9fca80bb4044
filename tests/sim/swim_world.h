/* swim_world.h - a pool of swims in virtual time: a clock that is a number, one heap of events, and
 * a network that delays, loses, repeats, reorders and cuts.
 *
 * Everything is drawn from the seed; the same options give the same run, and the hash of its trace
 * shows that. World and nodes draw from streams of their own, so that a change in one does not
 * shift the other. */
#pragma once

#include "core.h"

#include <stdio.h>

struct world_options {
    uint64_t seed;
    size_t nodes; /* 2 to WORLD_NODES_MAX */
    enum swim_profile profile;
    uint64_t delay_min_ns, delay_max_ns;
    uint32_t loss_ppm, repeat_ppm; /* of datagrams, per million */
    bool encrypt;
    bool verbose;         /* print the trace as it happens */
    bool check_each_step; /* swim__check after each step: slow in large pools */
    bool lean;            /* large pools: no tags, no trace of events, a hash without packets */
    void (*tune)(struct swim_config *cfg, size_t node); /* last word on the config; may be NULL */
};
enum { WORLD_NODES_MAX = 16384 };

struct world;
struct world *world_create(const struct world_options *o);
void world_destroy(struct world *w);

uint64_t world_now(const struct world *w);
struct mu__prng *world_prng(struct world *w);          /* for the scenario's own choices */
uint64_t world_hash(const struct world *w);            /* of all that happened so far */
struct swim *world_swim(struct world *w, size_t node); /* NULL while it is down */
void world_trace(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_dump(const struct world *w, FILE *out); /* the last lines of the trace */

/* Starts all nodes, and each knows all the others already, with nothing left to say: the pool as it
 * stands long after it formed, without the time that takes. */
void world_start_formed(struct world *w);

/* Runs all that happens up to that time. */
void world_run(struct world *w, uint64_t until_ns);
void world_run_for(struct world *w, uint64_t ns);

/* After a call on a world_swim that may have made output: drain it. */
void world_drain(struct world *w, size_t node);
void world_join(struct world *w, size_t node, size_t peer);

/* ---- faults ---- */
void world_start(struct world *w, size_t node); /* all start down */
void world_crash(struct world *w, size_t node);
/* As SIGSTOP does: packets wait in its buffer. */
void world_pause(struct world *w, size_t node, uint64_t ns);
/* Its messages wait, those that come and those that go, while its timers run: what a starved
 * process looks like. */
void world_block(struct world *w, size_t node, uint64_t ns);
void world_cut(struct world *w, size_t from, size_t to, bool cut); /* one way */
/* Streams still pass. */
void world_cut_datagrams(struct world *w, size_t from, size_t to, bool cut);
/* nodes below first and the others no longer hear each other */
void world_split(struct world *w, size_t first);
void world_heal(struct world *w); /* no cut, no loss, no repeats, nobody paused */
void world_set_loss(struct world *w, uint32_t loss_ppm);
bool world_is_up(const struct world *w, size_t node);
/* A datagram that no node sent; from is what it seems to come from. Not in encrypted worlds. */
void world_forge(struct world *w, size_t from, size_t to, const struct swim__msg *msg);

/* ---- what was sent, and what nodes were told ---- */
struct world_traffic {
    uint64_t datagrams, datagram_bytes; /* sent, whether they arrived or not */
    uint64_t streams, stream_bytes;     /* both directions */
};
const struct world_traffic *world_traffic(const struct world *w);
struct world_counts {
    size_t joins, updates, leaves, failures, reaps, users, conflicts, lefts, join_ok, join_failed;
};
const struct world_counts *world_counts(const struct world *w, size_t node);
/* Called for each event a node is given; for the checks of a scenario. */
typedef void (*world_event_fn)(struct world *w, void *user, size_t node,
                               const struct swim_event *ev);
void world_on_event(struct world *w, world_event_fn fn, void *user);

/* What `node` thinks of `other`; SWIM_STATUS_NONE if it is not on its record. */
enum swim_status world_status(struct world *w, size_t node, size_t other);
const char *world_name(size_t node); /* "n7"; valid until the fourth call from now */
size_t world_index(struct mu_str name);
