/* query_gateway.c - what is behind a gateway, and which gateways a service is behind. */
#include <muster/catalog_gateway.h>

#include "query.h"
#include "tables_gateway.h"

/* ---- Behind a gateway ---- */

/* An ingress gateway passes only what speaks its listener's protocol: that can only fail for what
 * "*" stands for, and until a config entry changes. */
static bool is_spoken(struct catalog__asked *asked, const struct catalog_gateway_service *s)
{
    struct mu_str protocol;
    return s->protocol.len == 0 || (catalog__asked_protocol(asked, s->service.name, &protocol) &&
                                    mu__str_eq(protocol, s->protocol));
}

/* Gives their index, 0 when out of memory. That of the table moves with everything that comes or
 * goes; that of the config entries bears on what is shown of it. */
static uint64_t list_behind(struct catalog_reader *r, struct mu_str gateway,
                            struct catalog__list *l, struct catalog_watch_keys *keys)
{
    const struct catalog__version *v = r->version;
    struct catalog__asked asked;
    struct catalog__radix_iter it;
    uint64_t index = v->table[CATALOG__TABLE_GATEWAYS];
    l->failed |= !catalog__keys_add_name(r, keys, CATALOG__WATCH_GATEWAY, gateway, false);
    catalog__asked_begin(&asked, r, keys);
    catalog__below(&it, &r->catalog->allocator, v, CATALOG__GATEWAY_SERVICES, &gateway, 1);
    for (const struct catalog_gateway_service *s; (s = catalog__radix_next(&it)) != NULL;) {
        if (s->protocol.len) {
            index = catalog__max_index(v, CATALOG__TABLE_GATEWAYS, CATALOG__TABLE_CONFIG);
        }
        if (!catalog__is_wildcard(s->service.name) && is_spoken(&asked, s)) {
            catalog__list_add(l, s);
        }
    }
    l->failed |= it.failed;
    catalog__radix_end(&it);
    l->failed |= !catalog__asked_end(&asked);
    return index;
}

int catalog_query_gateway_services(struct catalog_reader *r,
                                   const struct catalog_service_request *request,
                                   struct catalog_indexed_gateway_services *out,
                                   struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct catalog__list l = catalog__list(r);
    uint64_t index = list_behind(r, request->service_name, &l, keys);
    *out = (struct catalog_indexed_gateway_services){.services = l.list,
                                                     .meta.index = catalog__reported(index)};
    return l.failed ? CATALOG_ENOMEM : 0;
}

/* ---- Their instances ---- */

static struct catalog_service_info *new_info(struct catalog_reader *r, struct catalog__list *dump,
                                             struct catalog_gateway_service *s)
{
    struct catalog_service_info *info = mu__arena_calloc(catalog__scratch(r), 1, sizeof *info);
    if (!info) {
        dump->failed = true;
        return NULL;
    }
    info->gateway_service = s;
    catalog__list_add(dump, info);
    return info;
}

static void dump_instance(struct catalog_reader *r, struct catalog__list *dump,
                          struct catalog_gateway_service *s, const struct catalog__instance *i)
{
    const struct catalog_check_service_node *whole = catalog__with_checks(r, i);
    struct catalog_service_info *info = whole ? new_info(r, dump, s) : NULL;
    dump->failed |= !whole;
    if (info) {
        info->node = whole->node;
        info->service = whole->service;
        info->checks = whole->checks;
    }
}

static void dump_service(struct catalog_reader *r, struct catalog__list *dump,
                         struct catalog_gateway_service *s)
{
    struct catalog__radix_iter it;
    bool has_any = false;
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__SERVICES_BY_NAME,
                   &s->service.name, 1);
    for (const struct catalog__instance *i; (i = catalog__radix_next(&it)) != NULL;) {
        dump_instance(r, dump, s, i);
        has_any = true;
    }
    dump->failed |= it.failed;
    catalog__radix_end(&it);
    if (!has_any) {
        new_info(r, dump, s);
    }
}

int catalog_query_gateway_service_dump(struct catalog_reader *r,
                                       const struct catalog_service_request *request,
                                       struct catalog_indexed_service_dump *out,
                                       struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct catalog__list services = catalog__list(r), dump = catalog__list(r);
    uint64_t index = list_behind(r, request->service_name, &services, keys);
    bool failed = services.failed;
    for (size_t i = 0; i < services.list.len && !failed; i++) {
        struct catalog_gateway_service *s = services.list.items[i];
        uint64_t own = catalog__service_index(r->version, s->service.name, true);
        failed = !catalog__keys_add_name(r, keys, CATALOG__WATCH_HEALTH, s->service.name, false);
        index = own > index ? own : index;
        dump_service(r, &dump, s);
    }
    *out = (struct catalog_indexed_service_dump){.dump = catalog__list_end(&dump, &failed),
                                                 .meta.index = catalog__reported(index)};
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- The gateways of a service ---- */

bool catalog__list_gateways(struct catalog_reader *r, struct catalog__list *l,
                            struct mu_str service, const char *kind, catalog__filter_fn filter,
                            const void *arg, struct catalog_watch_keys *keys, char watch,
                            uint64_t *index)
{
    const struct catalog__version *v = r->version;
    struct catalog__radix_iter it, instances;
    struct mu_str last = {NULL, 0}; /* one gateway stands here once for each port */
    bool ok = catalog__keys_add_name(r, keys, CATALOG__WATCH_BEHIND, service, false);
    *index = v->table[CATALOG__TABLE_GATEWAYS];
    catalog__below(&it, &r->catalog->allocator, v, CATALOG__GATEWAYS_BY_SERVICE, &service, 1);
    for (const struct catalog_gateway_service *s; ok && (s = catalog__radix_next(&it)) != NULL;) {
        if (!mu__str_eq(s->gateway_kind, mu__cstr(kind)) || mu__str_ieq(s->gateway.name, last)) {
            continue;
        }
        last = s->gateway.name;
        uint64_t own = catalog__service_index(v, last, watch == CATALOG__WATCH_HEALTH);
        *index = own > *index ? own : *index;
        ok = catalog__keys_add_name(r, keys, watch, last, false);
        catalog__below(&instances, &r->catalog->allocator, v, CATALOG__SERVICES_BY_NAME, &last, 1);
        catalog__list_walk(l, &instances, v, filter, arg);
    }
    ok = ok && !it.failed;
    catalog__radix_end(&it);
    return ok;
}
