/* query_services.c - the instances of a service, flattened with their node or together with their
 * checks. */
#include <muster/catalog_config.h>

#include "key.h"
#include "query.h"

struct wanted {
    const struct mu_strmap *node_meta;
    struct mu_strs tags;
    struct mu_str address; /* of the service itself; empty: any */
    bool by_address;
};

static bool has_tag(const struct mu_strs *tags, struct mu_str tag)
{
    for (size_t i = 0; i < tags->len; i++) {
        if (mu__str_ieq(tags->items[i], tag)) {
            return true;
        }
    }
    return false;
}

static bool passes(const struct catalog__version *v, const void *record, const void *arg)
{
    const struct catalog__instance *i = record;
    const struct wanted *w = arg;
    if (w->by_address && !mu__str_eq(i->service.address, w->address)) {
        return false;
    }
    for (size_t t = 0; t < w->tags.len; t++) {
        if (!has_tag(&i->service.tags, w->tags.items[t])) {
            return false;
        }
    }
    return catalog__node_has_meta(v, i->node, w->node_meta);
}

/* The index of a service: its own while it exists. Then that of the last time when any service
 * disappeared, which is at least as new; and if none ever did, that of the tables. */
uint64_t catalog__service_index(const struct catalog__version *v, struct mu_str name, bool health)
{
    const struct catalog__mark *mark = catalog__get_service_index(v, name);
    if (mark) {
        return mark->index;
    }
    if (v->table[CATALOG__TABLE_EXTINCTION]) {
        return v->table[CATALOG__TABLE_EXTINCTION];
    }
    uint64_t index = catalog__max_index(v, CATALOG__TABLE_NODES, CATALOG__TABLE_SERVICES);
    uint64_t checks = health ? v->table[CATALOG__TABLE_CHECKS] : 0;
    return index > checks ? index : checks;
}

/* Instances of several services answer for one target, and they come and go: only the tables are
 * sure not to go back. */
static uint64_t target_index(const struct catalog__version *v, bool health)
{
    uint64_t index = catalog__max_index(v, CATALOG__TABLE_NODES, CATALOG__TABLE_SERVICES);
    uint64_t checks = health ? v->table[CATALOG__TABLE_CHECKS] : 0;
    return index > checks ? index : checks;
}

struct instances {
    struct mu_list list; /* of struct catalog__instance */
    uint64_t index;
};

/* The tags that count; `one` is where the old single form can stand as a list. */
static struct mu_strs tags_of(const struct catalog_service_request *q, struct mu_str *one)
{
    if (!q->tag_filter || q->connect) {
        return (struct mu_strs){NULL, 0};
    }
    if (q->service_tag.len) {
        *one = q->service_tag;
        return (struct mu_strs){one, 1};
    }
    return q->service_tags;
}

static struct mu_str node_of(const void *record)
{
    return ((const struct catalog__instance *)record)->node;
}

/* In the catalog or its health, a gateway's instances are watched as any service's. */
static char watch_kind(bool health)
{
    return health ? CATALOG__WATCH_HEALTH : CATALOG__WATCH_CATALOG;
}

/* Ingress gateways that the service is behind. */
static bool find_ingress(struct catalog_reader *r, const struct catalog_service_request *q,
                         const struct wanted *wanted, struct catalog__list *l,
                         struct catalog_watch_keys *keys, uint64_t *index)
{
    return catalog__list_gateways(r, l, q->service_name, CATALOG_KIND_INGRESS_GATEWAY, passes,
                                  wanted, keys, CATALOG__WATCH_HEALTH, index);
}

/* What speaks mTLS for the service: proxies, natives, and terminating gateways that it is behind.
 */
static bool find_target(struct catalog_reader *r, const struct catalog_service_request *q,
                        bool health, const struct wanted *wanted, struct catalog__list *l,
                        struct catalog_watch_keys *keys, uint64_t *index)
{
    struct catalog__radix_iter it;
    uint64_t gateways = 0;
    bool ok = catalog__keys_add_name(r, keys, CATALOG__WATCH_TARGET, q->service_name, false);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__SERVICES_BY_TARGET,
                   &q->service_name, 1);
    catalog__list_walk(l, &it, r->version, passes, wanted);
    ok = catalog__list_gateways(r, l, q->service_name, CATALOG_KIND_TERMINATING_GATEWAY, passes,
                                wanted, keys, watch_kind(health), &gateways) &&
         ok;
    *index = target_index(r->version, health);
    *index = gateways > *index ? gateways : *index;
    return ok;
}

static bool find_named(struct catalog_reader *r, const struct catalog_service_request *q,
                       bool health, const struct wanted *wanted, struct catalog__list *l,
                       struct catalog_watch_keys *keys, uint64_t *index)
{
    const struct catalog__version *v = r->version;
    struct catalog__radix_iter it;
    bool ok;
    if (wanted->by_address) {
        ok = catalog__keys_add_name(r, keys, CATALOG__WATCH_AT, catalog__key_part(wanted->address),
                                    false) &&
             (!health || catalog__keys_add_all(r, keys, CATALOG__WATCH_HEALTH));
        catalog__below_address(&it, &r->catalog->allocator, v, CATALOG__SERVICES_BY_ADDRESS,
                               wanted->address);
    } else {
        ok = catalog__keys_add_name(r, keys, watch_kind(health), q->service_name, false);
        catalog__below(&it, &r->catalog->allocator, v, CATALOG__SERVICES_BY_NAME, &q->service_name,
                       1);
    }
    catalog__list_walk(l, &it, v, passes, wanted);
    *index = wanted->by_address ? target_index(v, health)
                                : catalog__service_index(v, q->service_name, health);
    return ok;
}

/* A tag asks for the service itself, not for its ingress gateways. */
static int find(struct catalog_reader *r, const struct catalog_service_request *q, bool health,
                struct instances *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct mu_str one;
    bool by_address = q->service_address.len > 0 && q->service_name.len == 0;
    struct wanted wanted = {&q->node_meta_filters, tags_of(q, &one), q->service_address,
                            by_address};
    struct catalog__list list = catalog__list(r);
    bool failed;
    if (q->connect && !by_address) {
        failed = !find_target(r, q, health, &wanted, &list, keys, &out->index);
    } else if (q->ingress && health && !q->tag_filter) {
        failed = !find_ingress(r, q, &wanted, &list, keys, &out->index);
    } else {
        failed = !find_named(r, q, health, &wanted, &list, keys, &out->index);
    }
    out->list = catalog__list_end(&list, &failed);
    out->index = catalog__reported(out->index);
    return failed ? CATALOG_ENOMEM
                  : catalog__sort_from(r, &q->source, q->datacenter, &out->list, node_of);
}

/* ---- Flattened ---- */

static struct catalog_service_node *flatten(struct mu__arena *a, const struct catalog__version *v,
                                            const struct catalog__instance *i)
{
    const struct catalog_node *n = catalog__get_node(v, i->node);
    const struct catalog_node_service *s = &i->service;
    struct catalog_service_node *flat = n ? mu__arena_alloc(a, sizeof *flat) : NULL;
    if (!flat) {
        return NULL;
    }
    *flat = (struct catalog_service_node){
        .id = n->id,
        .node = n->node,
        .address = n->address,
        .datacenter = n->datacenter,
        .tagged_addresses = n->tagged_addresses,
        .node_meta = n->meta,
        .service_kind = s->kind,
        .service_id = s->id,
        .service_name = s->service,
        .service_tags = s->tags,
        .service_address = s->address,
        .service_tagged_addresses = s->tagged_addresses,
        .service_weights = *s->weights,
        .service_meta = s->meta,
        .service_port = s->port,
        .service_enable_tag_override = s->enable_tag_override,
        .service_proxy = s->proxy,
        .service_connect = s->connect,
        .create_index = s->create_index,
        .modify_index = s->modify_index,
    };
    if (!flat->service_meta.items) { /* never nil here, whatever the service was registered with */
        flat->service_meta.items = mu__arena_calloc(a, 1, sizeof *flat->service_meta.items);
    }
    return flat->service_meta.items ? flat : NULL;
}

int catalog_query_service_nodes(struct catalog_reader *r,
                                const struct catalog_service_request *request,
                                struct catalog_indexed_service_nodes *out,
                                struct catalog_watch_keys *keys)
{
    struct instances found;
    int rc = find(r, request, false, &found, keys);
    *out = (struct catalog_indexed_service_nodes){.service_nodes = found.list,
                                                  .meta.index = found.index};
    for (size_t i = 0; rc == 0 && i < found.list.len; i++) {
        found.list.items[i] = flatten(catalog__scratch(r), r->version, found.list.items[i]);
        rc = found.list.items[i] ? 0 : CATALOG_ENOMEM;
    }
    return rc;
}

/* ---- With checks ---- */

struct catalog_check_service_node *catalog__with_checks(struct catalog_reader *r,
                                                        const struct catalog__instance *i)
{
    const struct catalog__version *v = r->version;
    struct catalog_check_service_node *csn = mu__arena_calloc(catalog__scratch(r), 1, sizeof *csn);
    if (!csn) {
        return NULL;
    }
    struct catalog__list checks = catalog__list(r);
    const struct mu_str owners[] = {{NULL, 0}, i->service.id}; /* the node, then the service */
    bool failed = false;
    for (size_t n = 0; n < 2; n++) {
        struct catalog__radix_iter it;
        const struct mu_str names[] = {i->node, owners[n]};
        catalog__below(&it, &r->catalog->allocator, v, CATALOG__CHECKS_BY_INSTANCE, names, 2);
        catalog__list_walk(&checks, &it, v, NULL, NULL);
    }
    csn->node = catalog__lend(catalog__get_node(v, i->node));
    csn->service = catalog__lend(&i->service);
    csn->checks = catalog__list_end(&checks, &failed);
    return failed ? NULL : csn;
}

int catalog_query_check_service_nodes(struct catalog_reader *r,
                                      const struct catalog_service_request *request,
                                      struct catalog_indexed_check_service_nodes *out,
                                      struct catalog_watch_keys *keys)
{
    struct instances found;
    int rc = find(r, request, true, &found, keys);
    *out = (struct catalog_indexed_check_service_nodes){.nodes = found.list,
                                                        .meta.index = found.index};
    for (size_t i = 0; rc == 0 && i < found.list.len; i++) {
        found.list.items[i] = catalog__with_checks(r, found.list.items[i]);
        rc = found.list.items[i] ? 0 : CATALOG_ENOMEM;
    }
    return rc;
}
