/* chain.h - discovery chains: what a request for a service meets on its way, compiled from the
 * config entries that bear on it (http-api 8.2).
 *
 *     router -> splitters -> resolvers -> targets
 *
 * A pure function of its input: entries are asked for by kind and name. Everything that it makes is
 * in the arena; texts of entries are lent. */
#pragma once

#include <muster/catalog_config.h>

#include "map.h"
#include "schema.h"
#include "text.h"

typedef const struct catalog_config_entry *(*catalog__find_entry_fn)(void *user, const char *kind,
                                                                     struct mu_str name);

struct catalog__chain_input {
    struct mu_str service, datacenter;
    struct mu_str own_datacenter; /* of whom uses it: there mesh gateways do not count */
    struct mu_str trust_domain;
    struct mu_str override_mesh_gateway, override_protocol;
    int64_t override_connect_timeout_ns;
    catalog__find_entry_fn find;
    void *user;
};

enum catalog__chain_result {
    CATALOG__CHAIN_OK,
    CATALOG__CHAIN_REFUSED, /* the entries make no chain; the text says why */
    CATALOG__CHAIN_NO_MEMORY
};
/* What is written to out lives in the arena, or is lent by the entries. */
enum catalog__chain_result catalog__chain_compile(const struct catalog__chain_input *in,
                                                  struct mu__arena *arena,
                                                  struct catalog_chain **out,
                                                  struct catalog__text *why);

/* ---- Between chain.c, which asks routers and splitters, chain_resolve.c, which finds where they
 * lead, and chain_graph.c, which works on the graph ---- */

#define CATALOG__CHAIN_SPLITS_MAX 16384u /* that a chain may have in all */
#define CATALOG__CHAIN_ROUTER     "router"
#define CATALOG__CHAIN_SPLITTER   "splitter"
#define CATALOG__CHAIN_RESOLVER   "resolver"

struct catalog__chain_node {
    struct catalog_chain_node node;
    struct mu_str key;
    bool is_reached;
    unsigned visits; /* how often it stands on the way that is being followed */
};

struct catalog__chain_target {
    struct catalog_chain_target target;
    bool is_used;
};

struct catalog__compiler {
    const struct catalog__chain_input *in;
    struct mu__arena *arena;
    struct catalog__text *why;
    struct mu__map nodes;   /* key -> struct catalog__chain_node */
    struct mu__map targets; /* id -> struct catalog__chain_target */
    struct mu_str protocol, start;
    struct catalog__pending *pending;              /* splitters to go on with, the newest first */
    bool is_advanced;                              /* there is a router or a splitter */
    bool no_routing;                               /* the protocol that is asked for knows none */
    bool by_mesh_gateway, by_protocol, by_timeout; /* overrides that had an effect */
    bool no_memory;
};

static inline struct catalog__chain_node *catalog__chain_node(const struct catalog__compiler *c,
                                                              struct mu_str key)
{
    return mu__map_get(&c->nodes, key.p, key.len);
}
static inline const void *catalog__chain_find(const struct catalog__compiler *c, const char *kind,
                                              struct mu_str name)
{
    return c->in->find(c->in->user, kind, name);
}
static inline struct mu_str catalog__chain_or(struct mu_str s, struct mu_str otherwise)
{
    return s.len ? s : otherwise;
}
/* Parts that are not empty, with the separator between them. */
struct mu_str catalog__chain_join(struct catalog__compiler *c, const struct mu_str *parts, size_t n,
                                  char separator);
#define CATALOG__CHAIN_JOIN(c, separator, ...)                                                     \
    catalog__chain_join((c), (const struct mu_str[]){__VA_ARGS__},                                 \
                        sizeof(const struct mu_str[]){__VA_ARGS__} / sizeof(struct mu_str),        \
                        (separator))
/* NULL: out of memory. */
struct catalog__chain_node *catalog__chain_add_node(struct catalog__compiler *c, const char *type,
                                                    struct mu_str name);
/* NULL: there is none. */
struct catalog__chain_node *catalog__chain_node_of(struct catalog__compiler *c, const char *type,
                                                   struct mu_str name);
/* The target of that id, made if need be. NULL: out of memory. */
struct catalog__chain_target *catalog__chain_target(struct catalog__compiler *c,
                                                    struct mu_str service, struct mu_str subset,
                                                    struct mu_str name_space,
                                                    struct mu_str datacenter);

/* All return false when the chain is refused or memory ran out. */
bool catalog__chain_refuse(struct catalog__compiler *c, const char *before, struct mu_str quoted,
                           const char *after);
/* The service speaks what the chain speaks so far. */
bool catalog__chain_agree(struct catalog__compiler *c, struct mu_str service);
/* The node that resolves a target; NULL: out of memory. */
bool catalog__chain_resolve(struct catalog__compiler *c, struct catalog__chain_target *t,
                            struct mu_str *next);
void *catalog__chain_room(struct catalog__compiler *c, size_t n, size_t size); /* cleared */
bool catalog__chain_check_circles(struct catalog__compiler *c);
bool catalog__chain_flatten(struct catalog__compiler *c); /* no splitter leads to a splitter */
bool catalog__chain_finish(struct catalog__compiler *c, struct catalog_chain *out);
