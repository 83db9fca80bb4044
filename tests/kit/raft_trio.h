/* raft_trio.h - three raft cores in one process, on one thread: every message is encoded and
 * decoded as on a network, disks are durable at once, snapshots cost nothing. Allocations are
 * counted. What must not happen ends the process with a word on stderr. */
#pragma once

#include <muster/raft.h>

enum { TRIO = 3 };

struct trio_server {
    struct raft *r;
    uint8_t *in; /* packets for it, one after another, each with its length in front */
    size_t from, to;
    raft_index snapshot_at; /* takes the next one when this is applied */
};

struct trio {
    struct trio_server servers[TRIO]; /* "a", "b", "c" */
    struct raft *leader;
    raft_index snapshot_every; /* the caller's; 0: never */
    uint64_t now;              /* ns */
    uint64_t messages, reads;  /* sent; answered */
    size_t allocations;
    struct raft_entry decoded[RAFT_MESSAGE_ENTRIES_MAX];
};

/* rc must be RAFT_OK. */
void trio_must(int rc);

/* Creates all three and lets them elect a leader. cfg gives what is the same for all, but for id,
 * seed and allocator; t is zero but for snapshot_every. */
void trio_create(struct trio *t, const struct raft_config *cfg);
void trio_destroy(struct trio *t);

/* Each server takes what has arrived and acts on it, until nothing is under way. */
void trio_run(struct trio *t);
/* A millisecond passes. */
void trio_tick(struct trio *t);
