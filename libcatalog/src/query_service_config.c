/* query_service_config.c - what the proxy of a service is configured with: the defaults of all
 * proxies, what the service says differently, and the protocols of its upstreams. */
#include <muster/catalog.h>

#include "key.h"
#include "msgpack.h"
#include "query.h"
#include "tables_config.h"

struct look {
    struct catalog_reader *r;
    struct catalog_watch_keys *keys;
    bool failed;
};

static const void *find(struct look *l, const char *kind, struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, (const struct mu_str[]){mu__cstr(kind), name}, 2, false);
    l->failed =
        !catalog__keys_add(l->r, l->keys, CATALOG__WATCH_CONFIG, catalog__key_str(&key), false) ||
        l->failed;
    return catalog__radix_get(l->r->version->root[CATALOG__CONFIG_ENTRIES], catalog__key_str(&key));
}

static struct mu_str take(struct look *l, struct mu__writer *w)
{
    struct mu_str s = {NULL, 0};
    if (!w->failed) {
        s.p = mu__arena_memdup(catalog__scratch(l->r), w->data, w->len);
        s.len = s.p ? w->len : 0;
    }
    l->failed = l->failed || !s.p;
    mu__writer_fini(w);
    return s;
}

/* The value at a key of an encoded map, encoded; empty if there is none. */
static struct mu_str value_at(struct mu_str map, const char *key)
{
    struct mu__reader r = mu__reader(map.p, map.len);
    struct mu_str found = {NULL, 0};
    if (map.len == 0 || mu__mp_peek(&r) != MU_MP_MAP) {
        return found;
    }
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        bool is_it = mu__str_is(mu__mp_read_bytes(&r), key);
        size_t from = r.pos;
        mu__mp_skip(&r);
        if (is_it && !r.failed) {
            found = (struct mu_str){map.p + from, r.pos - from};
        }
    }
    return found;
}

/* The same map with protocol in it; nothing given: the map as it is. */
static struct mu_str with_protocol(struct look *l, struct mu_str map, struct mu_str protocol)
{
    struct mu__writer w = mu__writer_growing(&l->r->catalog->allocator);
    struct mu__reader r = mu__reader(map.p, map.len);
    if (protocol.len == 0) {
        return map;
    }
    bool has = value_at(map, "protocol").len > 0;
    size_t n = map.len ? mu__mp_read_map(&r) : 0;
    mu__mp_write_map(&w, n + !has);
    for (; n > 0 && !r.failed; n--) {
        size_t from = r.pos;
        bool is_it = mu__str_is(mu__mp_read_bytes(&r), "protocol");
        mu__mp_skip(&r);
        if (!is_it && !r.failed) {
            mu__write_bytes(&w, map.p + from, r.pos - from);
        }
    }
    mu__mp_write_cstr(&w, "protocol");
    mu__mp_write_raw(&w, protocol.p, protocol.len);
    return take(l, &w);
}

/* {"protocol": what an upstream speaks}; empty if nobody says. */
static struct mu_str upstream_config(struct look *l, struct mu_str global, struct mu_str service)
{
    struct mu__writer w = mu__writer_growing(&l->r->catalog->allocator);
    const struct catalog_service_defaults *d = find(l, CATALOG_KIND_SERVICE_DEFAULTS, service);
    if (d && d->protocol.len) {
        mu__mp_write_map(&w, 1);
        mu__mp_write_cstr(&w, "protocol");
        mu__mp_write_raw(&w, d->protocol.p, d->protocol.len);
    } else if (global.len) {
        mu__mp_write_map(&w, 1);
        mu__mp_write_cstr(&w, "protocol");
        mu__write_bytes(&w, global.p, global.len);
    } else {
        mu__writer_fini(&w);
        return (struct mu_str){NULL, 0};
    }
    return take(l, &w);
}

static void add_ids(struct look *l, const struct mu_list *ids, struct mu_str global,
                    struct mu_list *out)
{
    struct catalog__list list = catalog__list(l->r);
    for (size_t i = 0; i < ids->len; i++) {
        const struct catalog_service_id *id = ids->items[i];
        struct mu_str config = upstream_config(l, global, id->id);
        struct catalog_upstream_config *u =
            config.len ? mu__arena_calloc(catalog__scratch(l->r), 1, sizeof *u) : NULL;
        if (u) {
            *u = (struct catalog_upstream_config){.upstream = *id, .config = config};
            catalog__list_add(&list, u);
        }
        l->failed = l->failed || (config.len && !u);
    }
    if (list.list.len) {
        *out = catalog__list_end(&list, &l->failed);
    }
}

/* The form that older agents ask for: by names alone. */
static struct mu_str by_names(struct look *l, const struct mu_strs *names, struct mu_str global)
{
    struct mu_str *configs =
        mu__arena_calloc(catalog__scratch(l->r), names->len + 1, sizeof *configs);
    struct mu__writer w = mu__writer_growing(&l->r->catalog->allocator);
    size_t n = 0;
    l->failed = l->failed || !configs;
    for (size_t i = 0; configs && i < names->len; i++) {
        configs[i] = upstream_config(l, global, names->items[i]);
        n += configs[i].len > 0;
    }
    if (n == 0) {
        mu__writer_fini(&w);
        return (struct mu_str){NULL, 0};
    }
    mu__mp_write_map(&w, n);
    for (size_t i = 0; i < names->len; i++) {
        if (configs[i].len) {
            mu__mp_write_raw(&w, names->items[i].p, names->items[i].len);
            mu__write_bytes(&w, configs[i].p, configs[i].len);
        }
    }
    return take(l, &w);
}

int catalog_query_service_config(struct catalog_reader *r,
                                 const struct catalog_service_config_request *request,
                                 struct catalog_service_config *out,
                                 struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct look l = {.r = r, .keys = keys};
    const struct catalog_proxy_defaults *proxies =
        find(&l, CATALOG_KIND_PROXY_DEFAULTS, mu__cstr(CATALOG_PROXY_DEFAULTS_NAME));
    const struct catalog_service_defaults *own =
        find(&l, CATALOG_KIND_SERVICE_DEFAULTS, request->name);
    *out = (struct catalog_service_config){
        .meta.index = catalog__reported(r->version->table[CATALOG__TABLE_CONFIG])};
    struct mu_str global = {NULL, 0};
    if (proxies) {
        out->proxy_config = proxies->config;
        out->mesh_gateway = proxies->mesh_gateway;
        out->expose = proxies->expose;
        global = value_at(proxies->config, "protocol");
    }
    if (own) {
        out->expose.checks = out->expose.checks || own->expose.checks;
        out->expose.paths = own->expose.paths.len ? own->expose.paths : out->expose.paths;
        out->mesh_gateway = own->mesh_gateway.mode.len ? own->mesh_gateway : out->mesh_gateway;
        out->proxy_config = with_protocol(&l, out->proxy_config, own->protocol);
    }
    if (request->upstream_ids.len) {
        add_ids(&l, &request->upstream_ids, global, &out->upstream_id_configs);
    } else {
        out->upstream_configs = by_names(&l, &request->upstreams, global);
    }
    return l.failed ? CATALOG_ENOMEM : 0;
}
