/* coordinate.h - an agent tells the servers where it is in the network, now and then.
 *
 * All agents together send about 64 coordinates a second, and none more often than every 15 s, so
 * that what the leader has to write does not grow with the cluster. Core loop only. */
#pragma once

#include "agent/core_call.h"

#include <muster/catalog_types.h>

struct coordinate_sender;
struct coordinate_config {
    struct mu_str datacenter, node; /* borrowed */
    /* Ours, in the arena; NULL: not known */
    struct catalog_vivaldi *(*coordinate)(void *user, struct mu__arena *a);
    void *user;
    struct loop *core, *front;    /* borrowed */
    struct call_backend *backend; /* likewise */
    uint64_t seed;
};
struct coordinate_sender *coordinate_sender_create(const struct coordinate_config *c); /* or NULL */
void coordinate_sender_set_cluster_size(struct coordinate_sender *s, size_t members);
void coordinate_sender_destroy(struct coordinate_sender *s); /* NULL is allowed */

/* The pure part: the time from one to the next, to which up to as much again is added at random. */
uint64_t coordinate_interval_ns(size_t members);
