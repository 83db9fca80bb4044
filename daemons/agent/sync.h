/* sync.h - anti-entropy: the catalog is made to hold what is registered on this agent
 * (http-semantics 11).
 *
 * Changes are sent at once, or together with others of the same milliseconds. Now and then - once a
 * minute in a small cluster, less often in a large one, sooner after a failure or when a server
 * appears - everything is compared: what the catalog lacks or holds differently is registered, what
 * it holds for this node and we do not know is removed. Core loop only. */
#pragma once

#include "agent/core_call.h"
#include "agent/local.h"

struct sync;
struct sync_config {
    struct local *local;          /* borrowed */
    const struct config *config;  /* likewise */
    struct mu_str node_id;        /* likewise */
    struct loop *core, *front;    /* likewise */
    struct call_backend *backend; /* likewise */
    uint64_t seed;
};
struct sync *sync_create(const struct sync_config *c); /* NULL when out of memory */
void sync_start(struct sync *s);                       /* compares at once */
void sync_changed(struct sync *s);                     /* something local is out of sync */
void sync_server_joined(struct sync *s);
void sync_set_cluster_size(struct sync *s, size_t members);
/* After a reload: node metadata may be others. */
void sync_set_config(struct sync *s, const struct config *config);
void sync_destroy(struct sync *s); /* NULL is allowed */

bool sync_is_idle(const struct sync *s); /* no call is under way or about to be made at once */
/* The pure part, for tests. */
uint64_t sync_scale(size_t members); /* 1 up to 128 members, one more for each doubling */
