/* query.h - what the queries share: results that grow in the reader's scratch, and the keys to wait
 * on. */
#pragma once

#include "map.h"
#include "records.h"
#include "touched.h"

static inline struct mu__arena *catalog__scratch(struct catalog_reader *r)
{
    return &r->scratch;
}

/* A list that grows, and remembers if it could not. */
struct catalog__list {
    struct mu__arena *arena;
    struct mu_list list;
    size_t cap;
    bool failed;
};
struct catalog__list catalog__list(struct catalog_reader *r);
void catalog__list_add(struct catalog__list *l, const void *item);
/* Its items; empty rather than nil. Counts what failed in *failed. */
struct mu_list catalog__list_end(struct catalog__list *l, bool *failed);

/* Adds the records of a walk that pass a filter, and ends the walk. */
typedef bool (*catalog__filter_fn)(const struct catalog__version *v, const void *record,
                                   const void *arg);
void catalog__list_walk(struct catalog__list *l, struct catalog__radix_iter *it,
                        const struct catalog__version *v, catalog__filter_fn filter,
                        const void *arg);

/* Does the node have all the pairs? No pairs: always. */
bool catalog__has_meta(const struct catalog_node *node, const struct mu_strmap *wanted);
bool catalog__node_has_meta(const struct catalog__version *v, struct mu_str node,
                            const struct mu_strmap *wanted);

/* near.c: sorts by distance from the source of a request, if it has one in its own datacenter.
 * A record's node is what node_of says. */
int catalog__sort_from(struct catalog_reader *r, const struct catalog_query_source *source,
                       struct mu_str datacenter, const struct mu_list *list,
                       catalog_node_of_fn node_of);

/* Starts the keys of an answer. out may be NULL, and then the others do nothing. */
void catalog__keys_begin(struct catalog_reader *r, struct catalog_watch_keys *out);
/* False when out of memory. Names are folded; a prefix with an empty name stands for the whole
 * kind. */
bool catalog__keys_add_name(struct catalog_reader *r, struct catalog_watch_keys *out, char kind,
                            struct mu_str name, bool prefix);
bool catalog__keys_add(struct catalog_reader *r, struct catalog_watch_keys *out, char kind,
                       struct mu_str key, bool prefix);
static inline bool catalog__keys_add_all(struct catalog_reader *r, struct catalog_watch_keys *out,
                                         char kind)
{
    return catalog__keys_add(r, out, kind, (struct mu_str){NULL, 0}, true);
}

/* query_config.c: the config entries that compilations ask for, each to be waited for once, whether
 * it is there or not. The end says whether memory sufficed. */
struct catalog__asked {
    struct catalog_reader *r;
    struct catalog_watch_keys *keys;
    struct mu__map seen;
    bool failed;
};
void catalog__asked_begin(struct catalog__asked *a, struct catalog_reader *r,
                          struct catalog_watch_keys *keys);
bool catalog__asked_end(struct catalog__asked *a);
/* What a service speaks; false: its entries make no chain. */
bool catalog__asked_protocol(struct catalog__asked *a, struct mu_str service,
                             struct mu_str *protocol);

/* query_services.c: the index of a service; an instance with its node and checks, NULL when out of
 * memory. */
uint64_t catalog__service_index(const struct catalog__version *v, struct mu_str name, bool health);
struct catalog_check_service_node *catalog__with_checks(struct catalog_reader *r,
                                                        const struct catalog__instance *i);

/* query_gateway.c: adds the instances of the gateways of a kind that a service is behind, those
 * that pass the filter. Waits for the gateways with watch keys of `watch` each. Gives the largest
 * index of theirs; false when out of memory. */
bool catalog__list_gateways(struct catalog_reader *r, struct catalog__list *l,
                            struct mu_str service, const char *kind, catalog__filter_fn filter,
                            const void *arg, struct catalog_watch_keys *keys, char watch,
                            uint64_t *index);

/* The larger of the indexes of two tables. */
uint64_t catalog__max_index(const struct catalog__version *v, enum catalog__table a,
                            enum catalog__table b);
/* An index to report is never 0: nobody could wait for it. */
static inline uint64_t catalog__reported(uint64_t index)
{
    return index ? index : 1;
}
