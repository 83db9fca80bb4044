/* records.h - the records that only the store knows, and where they stand. */
#pragma once

#include <muster/catalog_types.h>

#include "schema.h"
#include "store.h"

/* A service as the catalog keeps it. */
struct catalog__instance {
    struct catalog_node_service service; /* first, so that a record is also one of these */
    struct mu_str node;
};

/* What stands in for something else: a deleted key (or prefix), or the index of a service. */
struct catalog__mark {
    struct mu_str name;
    uint64_t index;
    /* Tombstones: of the last deletion of all that starts with name; 0: there was none */
    uint64_t tree_index;
};

extern const struct mu__schema catalog__instance_schema;
extern const struct mu__schema catalog__mark_schema;

/* The service that an instance speaks mTLS for: its own if native, that behind it if a proxy.
 * Empty: none. */
struct mu_str catalog__instance_target(const struct catalog__instance *i);

/* Lookups in a version, by names as they come. NULL: absent. */
const struct catalog_node *catalog__get_node(const struct catalog__version *v, struct mu_str name);
const struct catalog_node *catalog__get_node_by_id(const struct catalog__version *v,
                                                   struct mu_str id);
/* A walk over the nodes at an address, or over the instances that have it as their own: a tree that
 * is sorted by it has them, and perhaps others with it. */
void catalog__below_address(struct catalog__radix_iter *it, const struct mu_allocator *a,
                            const struct catalog__version *v, enum catalog__tree tree,
                            struct mu_str address);
const struct catalog__instance *catalog__get_instance(const struct catalog__version *v,
                                                      struct mu_str node, struct mu_str id);
const struct catalog_check *catalog__get_check(const struct catalog__version *v, struct mu_str node,
                                               struct mu_str id);
const struct catalog_dir_entry *catalog__get_key(const struct catalog__version *v,
                                                 struct mu_str key);
const struct catalog__mark *catalog__get_service_index(const struct catalog__version *v,
                                                       struct mu_str name);

/* A session stands under its id in lower case and without hyphens, as the original compares it. An
 * id that is none gives a key that stands in no tree. */
struct catalog__session_key {
    size_t len;
    char bytes[36];
};
struct mu_str catalog__session_key(struct catalog__session_key *k, struct mu_str id);
bool catalog__is_session_id(struct mu_str id);
const struct catalog_session *catalog__get_session(const struct catalog__version *v,
                                                   struct mu_str id);

const struct catalog_autopilot_config *catalog__get_autopilot(const struct catalog__version *v);

/* A walk over the records below joined names, in a tree whose keys begin with them. */
void catalog__below(struct catalog__radix_iter *it, const struct mu_allocator *a,
                    const struct catalog__version *v, enum catalog__tree tree,
                    const struct mu_str *names, size_t n);

/* A record as the members of replies want it. What it points at stays the store's. */
static inline void *catalog__lend(const void *record)
{
    const union {
        const void *stored;
        void *lent;
    } p = {.stored = record};
    return p.lent;
}
