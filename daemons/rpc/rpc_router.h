/* rpc_router.h - an agent's backend for calls that servers answer: knows the servers, chooses one,
 * tries again.
 *
 * Calls go to the first server of a list; after any failure it moves to the end. What can be asked
 * again without harm is: any call that was not sent or that found no leader, and reads whose
 * connection broke; the next server at once, and when none is left after a pause, for as long as
 * rpc_hold_timeout. Now and then the list is shuffled, and the first that answers a ping leads it,
 * so that agents spread evenly. Runs on one front's loop, as the rpc_client that it uses. */
#pragma once

#include "rpc_client.h"

struct rpc_router_config {
    struct event_base *base;
    struct rpc_client *client;
    uint64_t hold_timeout_ns; /* 0: 7 s */
    double rate;              /* calls a second; further ones fail. 0 or less: any */
    double burst;
    uint64_t seed; /* of the shuffling and the delays */
};

struct rpc_router;
/* NULL when out of memory. */
struct rpc_router *rpc_router_create(const struct rpc_router_config *cfg);
/* Before its client; fails what is under way, which must not start new calls. */
void rpc_router_destroy(struct rpc_router *r);
struct call_backend *rpc_router_backend(struct rpc_router *r);

/* What gossip says. A known name gets the new address. */
void rpc_router_add(struct rpc_router *r, const char *name, const char *host, uint16_t port);
void rpc_router_remove(struct rpc_router *r, const char *name); /* calls under way to it go on */
/* The server that calls go to now, lent until the list changes. False: none is known. */
bool rpc_router_first(const struct rpc_router *r, struct rpc_target *out);
size_t rpc_router_count(const struct rpc_router *r);
/* Another rate, and a full burst (rpc_router_config) */
void rpc_router_set_rate(struct rpc_router *r, double rate, double burst);
/* How many nodes the pool has: connections are moved more rarely in a large one. */
void rpc_router_set_pool_size(struct rpc_router *r, size_t nodes);
