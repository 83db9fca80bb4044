/* query_checks.c - checks by node, by service and by state. All report the index of the table. */
#include "msgpack.h"
#include "query.h"

static uint64_t index_of(const struct catalog__version *v, bool by_meta)
{
    return catalog__reported(
        by_meta ? catalog__max_index(v, CATALOG__TABLE_CHECKS, CATALOG__TABLE_NODES)
                : v->table[CATALOG__TABLE_CHECKS]);
}

struct wanted {
    const struct mu_strmap *node_meta;
    struct mu_str status; /* as spelled; p NULL: any */
};

static bool passes(const struct catalog__version *v, const void *record, const void *arg)
{
    const struct catalog_check *k = record;
    const struct wanted *w = arg;
    return (!w->status.p || mu__str_eq(k->status, w->status)) &&
           catalog__node_has_meta(v, k->node, w->node_meta);
}

/* Fills a reply with the checks of a tree below a name (NULL: all of it). */
static int gather(struct catalog_reader *r, enum catalog__tree tree, const struct mu_str *name,
                  const struct wanted *wanted, struct catalog_indexed_checks *out)
{
    struct catalog__list checks = catalog__list(r);
    struct catalog__radix_iter it;
    bool failed = false;
    catalog__below(&it, &r->catalog->allocator, r->version, tree, name, name ? 1 : 0);
    catalog__list_walk(&checks, &it, r->version, wanted ? passes : NULL, wanted);
    *out = (struct catalog_indexed_checks){.health_checks = catalog__list_end(&checks, &failed)};
    out->meta.index = index_of(r->version, wanted && wanted->node_meta->len > 0);
    return failed ? CATALOG_ENOMEM : 0;
}

static struct mu_str node_of(const void *record)
{
    return ((const struct catalog_check *)record)->node;
}

/* With a filter on nodes, any change of a node may change the answer. */
static bool watch_nodes(struct catalog_reader *r, struct catalog_watch_keys *keys,
                        const struct mu_strmap *node_meta)
{
    return node_meta->len == 0 || catalog__keys_add_all(r, keys, CATALOG__WATCH_NODE);
}

int catalog_query_node_checks(struct catalog_reader *r, const struct catalog_node_request *request,
                              struct catalog_indexed_checks *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    if (!catalog__keys_add_name(r, keys, CATALOG__WATCH_CHECKS, request->node, false)) {
        return CATALOG_ENOMEM;
    }
    return gather(r, CATALOG__CHECKS, &request->node, NULL, out);
}

int catalog_query_service_checks(struct catalog_reader *r,
                                 const struct catalog_service_request *request,
                                 struct catalog_indexed_checks *out,
                                 struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    const struct wanted wanted = {.node_meta = &request->node_meta_filters};
    if (!catalog__keys_add_name(r, keys, CATALOG__WATCH_SERVICE, request->service_name, false) ||
        !watch_nodes(r, keys, wanted.node_meta)) {
        return CATALOG_ENOMEM;
    }
    int rc = gather(r, CATALOG__CHECKS_BY_SERVICE, &request->service_name, &wanted, out);
    return rc ? rc
              : catalog__sort_from(r, &request->source, request->datacenter, &out->health_checks,
                                   node_of);
}

int catalog_query_checks_in_state(struct catalog_reader *r,
                                  const struct catalog_checks_in_state_request *request,
                                  struct catalog_indexed_checks *out,
                                  struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    bool is_any = mu__str_is(request->state, "any");
    struct wanted wanted = {.node_meta = &request->node_meta_filters};
    if (!is_any) {
        wanted.status = request->state;
    }
    bool watched =
        is_any ? catalog__keys_add_all(r, keys, CATALOG__WATCH_STATUS)
               : catalog__keys_add_name(r, keys, CATALOG__WATCH_STATUS, request->state, false);
    if (!watched || !watch_nodes(r, keys, wanted.node_meta)) {
        return CATALOG_ENOMEM;
    }
    int rc = gather(r, is_any ? CATALOG__CHECKS : CATALOG__CHECKS_BY_STATUS,
                    is_any ? NULL : &request->state, &wanted, out);
    return rc ? rc
              : catalog__sort_from(r, &request->source, request->datacenter, &out->health_checks,
                                   node_of);
}
