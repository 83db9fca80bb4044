/* query_nodes.c - nodes, what runs on one, and the names of all services. */
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "query.h"

static bool node_passes(const struct catalog__version *v, const void *record, const void *arg)
{
    (void)v;
    return catalog__has_meta(record, arg);
}

static struct mu_str name_of(const void *record)
{
    return ((const struct catalog_node *)record)->node;
}

/* The nodes of a walk that have what the request asks for. */
static int list_nodes(struct catalog_reader *r, const struct catalog_dc_request *request,
                      struct catalog__radix_iter *it, catalog__filter_fn filter, const void *arg,
                      struct catalog_indexed_nodes *out)
{
    const struct catalog__version *v = r->version;
    struct catalog__list nodes = catalog__list(r);
    bool failed = false;
    catalog__list_walk(&nodes, it, v, filter, arg);
    *out = (struct catalog_indexed_nodes){.nodes = catalog__list_end(&nodes, &failed)};
    out->meta.index = catalog__reported(v->table[CATALOG__TABLE_NODES]);
    return failed
               ? CATALOG_ENOMEM
               : catalog__sort_from(r, &request->source, request->datacenter, &out->nodes, name_of);
}

int catalog_query_nodes(struct catalog_reader *r, const struct catalog_dc_request *request,
                        struct catalog_indexed_nodes *out, struct catalog_watch_keys *keys)
{
    struct catalog__radix_iter it;
    catalog__keys_begin(r, keys);
    bool failed = !catalog__keys_add_all(r, keys, CATALOG__WATCH_NODE);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__NODES, NULL, 0);
    int rc = list_nodes(r, request, &it, node_passes, &request->node_meta_filters, out);
    return failed ? CATALOG_ENOMEM : rc;
}

struct at {
    struct mu_str address;
    const struct mu_strmap *meta;
};

static bool is_at(const struct catalog__version *v, const void *record, const void *arg)
{
    const struct at *at = arg;
    return mu__str_eq(((const struct catalog_node *)record)->address, at->address) &&
           node_passes(v, record, at->meta);
}

int catalog_query_nodes_at(struct catalog_reader *r, const struct catalog_dc_request *request,
                           struct mu_str address, struct catalog_indexed_nodes *out,
                           struct catalog_watch_keys *keys)
{
    struct catalog__radix_iter it;
    struct at at = {address, &request->node_meta_filters};
    catalog__keys_begin(r, keys);
    bool failed =
        !catalog__keys_add_name(r, keys, CATALOG__WATCH_ADDRESS, catalog__key_part(address), false);
    catalog__below_address(&it, &r->catalog->allocator, r->version, CATALOG__NODES_BY_ADDRESS,
                           address);
    int rc = list_nodes(r, request, &it, is_at, &at, out);
    return failed ? CATALOG_ENOMEM : rc;
}

/* ---- The names of all services ---- */

static int compare_strs(const void *a, const void *b)
{
    return mu__str_cmp(*(const struct mu_str *)a, *(const struct mu_str *)b);
}

static int compare_named(const void *a, const void *b)
{
    return mu__str_cmp(((const struct mu_strs_named *)a)->key,
                       ((const struct mu_strs_named *)b)->key);
}

/* The sorted union of the tags of instances[0..n). */
static bool unite_tags(struct mu__arena *a, void **instances, size_t n, struct mu_strs *out)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += ((struct catalog__instance *)instances[i])->service.tags.len;
    }
    struct mu_str *tags = mu__arena_calloc(a, total + 1, sizeof *tags);
    if (!tags) {
        return false;
    }
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const struct mu_strs *more = &((struct catalog__instance *)instances[i])->service.tags;
        if (more->len) {
            memcpy(tags + len, more->items, more->len * sizeof *tags);
        }
        len += more->len;
    }
    qsort(tags, len, sizeof *tags, compare_strs);
    size_t kept = 0;
    for (size_t i = 0; i < len; i++) {
        if (kept == 0 || !mu__str_eq(tags[kept - 1], tags[i])) {
            tags[kept++] = tags[i];
        }
    }
    *out = (struct mu_strs){tags, kept};
    return true;
}

static int compare_instances(const void *a, const void *b)
{
    const struct catalog__instance *const *x = a, *const *y = b;
    return mu__str_cmp((*x)->service.service, (*y)->service.service);
}

/* Groups the instances by their name, as it is spelled. */
static bool group_services(struct mu__arena *a, struct mu_list instances, struct mu_strsmap *out)
{
    qsort(instances.items, instances.len, sizeof *instances.items, compare_instances);
    struct mu_strs_named *groups = mu__arena_calloc(a, instances.len + 1, sizeof *groups);
    if (!groups) {
        return false;
    }
    size_t len = 0;
    for (size_t i = 0, next; i < instances.len; i = next) {
        struct mu_str name = ((struct catalog__instance *)instances.items[i])->service.service;
        next = i + 1;
        while (next < instances.len &&
               mu__str_eq(((struct catalog__instance *)instances.items[next])->service.service,
                          name)) {
            next++;
        }
        groups[len].key = name;
        if (!unite_tags(a, instances.items + i, next - i, &groups[len++].value)) {
            return false;
        }
    }
    qsort(groups, len, sizeof *groups, compare_named);
    *out = (struct mu_strsmap){groups, len};
    return true;
}

static bool instance_passes(const struct catalog__version *v, const void *record, const void *arg)
{
    const struct catalog__instance *i = record;
    return catalog__node_has_meta(v, i->node, arg);
}

int catalog_query_services(struct catalog_reader *r, const struct catalog_dc_request *request,
                           struct catalog_indexed_services *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    const struct catalog__version *v = r->version;
    struct catalog__list instances = catalog__list(r);
    struct catalog__radix_iter it;
    bool by_meta = request->node_meta_filters.len > 0;
    bool failed = !catalog__keys_add_all(r, keys, CATALOG__WATCH_INSTANCES) ||
                  (by_meta && !catalog__keys_add_all(r, keys, CATALOG__WATCH_NODE));
    catalog__below(&it, &r->catalog->allocator, v, CATALOG__SERVICES_BY_NAME, NULL, 0);
    catalog__list_walk(&instances, &it, v, instance_passes, &request->node_meta_filters);
    *out = (struct catalog_indexed_services){.meta.index = 0};
    struct mu_list all = catalog__list_end(&instances, &failed);
    if (failed || !group_services(catalog__scratch(r), all, &out->services)) {
        return CATALOG_ENOMEM;
    }
    out->meta.index = catalog__reported(
        by_meta ? catalog__max_index(v, CATALOG__TABLE_SERVICES, CATALOG__TABLE_NODES)
                : v->table[CATALOG__TABLE_SERVICES]);
    return 0;
}

/* ---- What runs on one node ---- */

#define ID_PREFIX_MIN 2u /* characters of a node id that count as one */

/* The only node whose id starts with prefix, or NULL. */
static const struct catalog_node *by_id_prefix(struct catalog_reader *r, struct mu_str prefix,
                                               bool *failed)
{
    if (prefix.len < ID_PREFIX_MIN) {
        return NULL;
    }
    struct catalog__key key;
    struct catalog__radix_iter it;
    catalog__key_join(&key, &prefix, 1, false);
    catalog__radix_prefix(&it, &r->catalog->allocator, r->version->root[CATALOG__NODES_BY_ID],
                          catalog__key_str(&key));
    const struct catalog_node *node = catalog__radix_next(&it);
    if (node && catalog__radix_next(&it)) {
        node = NULL;
    }
    *failed |= it.failed;
    catalog__radix_end(&it);
    return node;
}

struct on_node {
    const struct catalog_node *node;
    struct mu_list instances;
    uint64_t index;
};

/* Found by name, a node is waited for by its name. A prefix of an id may come to mean another node,
 * or none, with any node whose id starts so; and a name that is unknown may turn up. */
static bool watch_node(struct catalog_reader *r, struct catalog_watch_keys *keys,
                       struct mu_str given, const struct on_node *on, bool by_name)
{
    bool watched = catalog__keys_add_name(r, keys, CATALOG__WATCH_NODE, given, false);
    if (!by_name && given.len >= ID_PREFIX_MIN) {
        watched = watched && catalog__keys_add_name(r, keys, CATALOG__WATCH_NODE_ID, given, true);
    }
    return watched && (!on->node || catalog__keys_add_name(r, keys, CATALOG__WATCH_OF_NODE,
                                                           on->node->node, false));
}

/* A node that is unknown reports the index of the tables too: whoever waits for one that goes is
 * then answered. */
static int look_at_node(struct catalog_reader *r, struct mu_str given, struct on_node *out,
                        struct catalog_watch_keys *keys)
{
    const struct catalog__version *v = r->version;
    bool failed = false;
    *out = (struct on_node){.node = catalog__get_node(v, given)};
    bool by_name = out->node != NULL;
    out->node = by_name ? out->node : by_id_prefix(r, given, &failed);
    out->index =
        catalog__reported(catalog__max_index(v, CATALOG__TABLE_NODES, CATALOG__TABLE_SERVICES));
    if (out->node) {
        struct catalog__list instances = catalog__list(r);
        struct catalog__radix_iter it;
        catalog__below(&it, &r->catalog->allocator, v, CATALOG__SERVICES, &out->node->node, 1);
        catalog__list_walk(&instances, &it, v, NULL, NULL);
        out->instances = catalog__list_end(&instances, &failed);
    }
    failed |= !watch_node(r, keys, given, out, by_name);
    return failed ? CATALOG_ENOMEM : 0;
}

static int compare_structs(const void *a, const void *b)
{
    return mu__str_cmp(((const struct mu_named *)a)->key, ((const struct mu_named *)b)->key);
}

int catalog_query_node_services(struct catalog_reader *r,
                                const struct catalog_node_request *request,
                                struct catalog_indexed_node_services *out,
                                struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct on_node on;
    *out = (struct catalog_indexed_node_services){.node_services = NULL};
    int rc = look_at_node(r, request->node, &on, keys);
    out->meta.index = on.index;
    if (rc != 0 || !on.node) {
        return rc;
    }
    struct catalog_node_services *services =
        mu__arena_calloc(catalog__scratch(r), 1, sizeof *services);
    struct mu_named *items =
        mu__arena_calloc(catalog__scratch(r), on.instances.len + 1, sizeof *items);
    if (!services || !items) {
        return CATALOG_ENOMEM;
    }
    for (size_t i = 0; i < on.instances.len; i++) {
        struct catalog__instance *instance = on.instances.items[i];
        items[i] = (struct mu_named){instance->service.id, &instance->service};
    }
    qsort(items, on.instances.len, sizeof *items, compare_structs);
    services->node = catalog__lend(on.node);
    services->services = (struct mu_structmap){items, on.instances.len};
    out->node_services = services;
    return 0;
}

int catalog_query_node_service_list(struct catalog_reader *r,
                                    const struct catalog_node_request *request,
                                    struct catalog_indexed_node_service_list *out,
                                    struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct on_node on;
    *out = (struct catalog_indexed_node_service_list){.meta.index = 0};
    int rc = look_at_node(r, request->node, &on, keys);
    out->meta.index = on.index;
    if (rc == 0 && on.node) {
        out->node_services.node = catalog__lend(on.node);
        /* The service is the first member of an instance */
        if (on.instances.len > 0) { /* an empty one is nil, unlike all other lists */
            out->node_services.services = on.instances;
        }
    }
    return rc;
}
