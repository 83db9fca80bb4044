/* query_dump.c - whole nodes, and all instances with their checks. */
#include <muster/catalog_dump.h>

#include "key.h"
#include "query.h"

static uint64_t dump_index(const struct catalog__version *v)
{
    uint64_t nodes = catalog__max_index(v, CATALOG__TABLE_NODES, CATALOG__TABLE_SERVICES);
    uint64_t checks = v->table[CATALOG__TABLE_CHECKS];
    return catalog__reported(nodes > checks ? nodes : checks);
}

/* The records below names in a tree. */
static struct mu_list below(struct catalog_reader *r, enum catalog__tree tree,
                            const struct mu_str *names, size_t n, bool *failed)
{
    struct catalog__list list = catalog__list(r);
    struct catalog__radix_iter it;
    catalog__below(&it, &r->catalog->allocator, r->version, tree, names, n);
    catalog__list_walk(&list, &it, r->version, NULL, NULL);
    return catalog__list_end(&list, failed);
}

/* The service is the first member of an instance, so a list of these is one of services, too. */
static struct catalog_node_info *look_at(struct catalog_reader *r, const struct catalog_node *n,
                                         bool *failed)
{
    struct catalog_node_info *info = mu__arena_calloc(catalog__scratch(r), 1, sizeof *info);
    if (!info) {
        *failed = true;
        return NULL;
    }
    *info = (struct catalog_node_info){
        .id = n->id,
        .node = n->node,
        .address = n->address,
        .tagged_addresses = n->tagged_addresses,
        .meta = n->meta,
        .services = below(r, CATALOG__SERVICES, &n->node, 1, failed),
        .checks = below(r, CATALOG__CHECKS, &n->node, 1, failed),
    };
    return info;
}

/* Nodes, services and checks of all, or of one node. */
static bool watch_nodes(struct catalog_reader *r, struct catalog_watch_keys *keys,
                        const struct mu_str *node)
{
    static const char kinds[] = {CATALOG__WATCH_NODE, CATALOG__WATCH_OF_NODE,
                                 CATALOG__WATCH_CHECKS};
    bool ok = true;
    for (size_t i = 0; i < sizeof kinds; i++) {
        ok = ok && (node ? catalog__keys_add_name(r, keys, kinds[i], *node, false)
                         : catalog__keys_add_all(r, keys, kinds[i]));
    }
    return ok;
}

int catalog_query_node_dump(struct catalog_reader *r, const struct catalog_dc_request *request,
                            struct catalog_indexed_node_dump *out, struct catalog_watch_keys *keys)
{
    (void)request;
    catalog__keys_begin(r, keys);
    bool failed = !watch_nodes(r, keys, NULL);
    *out = (struct catalog_indexed_node_dump){
        .dump = below(r, CATALOG__NODES, NULL, 0, &failed),
        .meta.index = dump_index(r->version),
    };
    for (size_t i = 0; i < out->dump.len && !failed; i++) {
        out->dump.items[i] = look_at(r, out->dump.items[i], &failed);
    }
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_node_info(struct catalog_reader *r, const struct catalog_node_request *request,
                            struct catalog_indexed_node_dump *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    bool failed = !watch_nodes(r, keys, &request->node);
    const struct catalog_node *n = catalog__get_node(r->version, request->node);
    struct catalog__list list = catalog__list(r);
    if (n && !failed) {
        catalog__list_add(&list, look_at(r, n, &failed));
    }
    *out = (struct catalog_indexed_node_dump){
        .dump = catalog__list_end(&list, &failed),
        .meta.index = dump_index(r->version),
    };
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- Instances ---- */

static bool is_of_kind(const struct catalog__version *v, const void *record, const void *arg)
{
    const struct catalog_service_dump_request *q = arg;
    (void)v;
    return !q->use_service_kind ||
           mu__str_eq(((const struct catalog__instance *)record)->service.kind, q->service_kind);
}

int catalog_query_service_dump(struct catalog_reader *r,
                               const struct catalog_service_dump_request *request,
                               struct catalog_indexed_check_service_nodes *out,
                               struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct catalog__list list = catalog__list(r);
    struct catalog__radix_iter it;
    bool failed = !catalog__keys_add_all(r, keys, CATALOG__WATCH_HEALTH);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__SERVICES_BY_NAME, NULL, 0);
    catalog__list_walk(&list, &it, r->version, is_of_kind, request);
    *out = (struct catalog_indexed_check_service_nodes){
        .nodes = catalog__list_end(&list, &failed),
        .meta.index = dump_index(r->version),
    };
    for (size_t i = 0; i < out->nodes.len && !failed; i++) {
        out->nodes.items[i] = catalog__with_checks(r, out->nodes.items[i]);
        failed = !out->nodes.items[i];
    }
    return failed ? CATALOG_ENOMEM : 0;
}
