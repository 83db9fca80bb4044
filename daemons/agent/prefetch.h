/* prefetch.h - what a proxy will ask for, brought into the agent's cache before it does: the
 * intentions that bear on this agent's services, and the instances of their upstreams.
 *
 * Core loop only. For each service and each upstream one question waits in the cache
 * (call_cache.h), which keeps its answer there and fresh. Their number is bounded; one that is not
 * named any more is not asked again, and the cache lets its answer go. */
#pragma once

#include "base/loop.h"
#include "rpc/call.h"

struct prefetch;
struct prefetch_config {
    struct mu_str datacenter; /* borrowed for its life */
    struct loop *core, *front;
    struct call_backend *backend; /* on front; the cache's */
};
struct prefetch *prefetch_create(const struct prefetch_config *cfg); /* NULL: out of memory */
void prefetch_destroy(struct prefetch *p);                           /* NULL is allowed */

/* The services and upstreams in question: between begin and end each is named at least once. The
 * token is that of who will ask; an upstream's datacenter may be empty: this one. */
void prefetch_begin(struct prefetch *p);
void prefetch_service(struct prefetch *p, struct mu_str name, struct mu_str token);
void prefetch_upstream(struct prefetch *p, struct mu_str datacenter, struct mu_str name,
                       struct mu_str token);
void prefetch_end(struct prefetch *p);

size_t prefetch_count(const struct prefetch *p);
