/* query_config.c - config entries, what a proxy is told, and discovery chains. */
#include <muster/catalog.h>

#include "chain.h"
#include "key.h"
#include "query.h"
#include "tables_config.h"

static bool watch_entry(struct catalog_reader *r, struct catalog_watch_keys *keys,
                        struct mu_str kind, struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, (const struct mu_str[]){kind, name}, 2, false);
    return catalog__keys_add(r, keys, CATALOG__WATCH_CONFIG, catalog__key_str(&key), false);
}

static bool watch_kind(struct catalog_reader *r, struct catalog_watch_keys *keys,
                       struct mu_str kind)
{
    struct catalog__key key;
    if (kind.len == 0) {
        return catalog__keys_add_all(r, keys, CATALOG__WATCH_CONFIG);
    }
    catalog__key_join(&key, &kind, 1, true);
    return catalog__keys_add(r, keys, CATALOG__WATCH_CONFIG, catalog__key_str(&key), true);
}

static uint64_t table_index(const struct catalog_reader *r)
{
    return catalog__reported(r->version->table[CATALOG__TABLE_CONFIG]);
}

int catalog_query_config_entry(struct catalog_reader *r, const struct catalog_config_query *request,
                               struct catalog_config_reply *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    *out = (struct catalog_config_reply){
        .entry = catalog__lend(catalog__get_config(r->version, request->kind, request->name)),
        .meta.index = table_index(r)};
    return watch_entry(r, keys, request->kind, request->name) ? 0 : CATALOG_ENOMEM;
}

int catalog_query_config_entries(struct catalog_reader *r,
                                 const struct catalog_config_query *request,
                                 struct catalog_indexed_config_entries *out,
                                 struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    struct catalog__list list = catalog__list(r);
    struct catalog__radix_iter it;
    bool failed = !watch_kind(r, keys, request->kind);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__CONFIG_ENTRIES, &request->kind,
                   request->kind.len ? 1 : 0);
    catalog__list_walk(&list, &it, r->version, NULL, NULL);
    *out = (struct catalog_indexed_config_entries){.kind = request->kind,
                                                   .entries = catalog__list_end(&list, &failed),
                                                   .meta.index = table_index(r)};
    return failed ? CATALOG_ENOMEM : 0;
}

/* ---- Chains ---- */

#define SEED                                                                                       \
    UINT64_C(0x636861696e) /* the keys of a request's own entries: nothing depends on it           \
                            */

void catalog__asked_begin(struct catalog__asked *a, struct catalog_reader *r,
                          struct catalog_watch_keys *keys)
{
    *a = (struct catalog__asked){.r = r, .keys = keys};
    mu__map_init(&a->seen, &r->catalog->allocator, SEED);
}

bool catalog__asked_end(struct catalog__asked *a)
{
    mu__map_fini(&a->seen);
    return !a->failed;
}

static bool is_new(struct catalog__asked *a, const struct catalog__key *key)
{
    if (mu__map_get(&a->seen, key->bytes, key->len)) {
        return false;
    }
    void *copy = mu__arena_memdup(catalog__scratch(a->r), key->bytes, key->len);
    a->failed = a->failed || !copy || !mu__map_set(&a->seen, copy, key->len, copy, NULL);
    return true;
}

static const struct catalog_config_entry *find(void *user, const char *kind, struct mu_str name)
{
    struct catalog__asked *a = user;
    struct catalog__key key;
    catalog__key_join(&key, (const struct mu_str[]){mu__cstr(kind), name}, 2, false);
    if (a->keys && is_new(a, &key)) {
        a->failed = !catalog__keys_add(a->r, a->keys, CATALOG__WATCH_CONFIG, catalog__key_str(&key),
                                       false) ||
                    a->failed;
    }
    return catalog__radix_get(a->r->version->root[CATALOG__CONFIG_ENTRIES], catalog__key_str(&key));
}

/* Also when a chain is asked for many services, nothing but texts depends on where it is. */
#define AS_IF_DATACENTER   "dc1"
#define AS_IF_TRUST_DOMAIN "b6fc9da3-03d4-4b5a-9134-c045e9b20152.consul"

bool catalog__asked_protocol(struct catalog__asked *a, struct mu_str service,
                             struct mu_str *protocol)
{
    char text[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(text, sizeof text);
    struct catalog_chain *chain;
    const struct catalog__chain_input in = {.service = service,
                                            .datacenter = mu__cstr(AS_IF_DATACENTER),
                                            .own_datacenter = mu__cstr(AS_IF_DATACENTER),
                                            .trust_domain = mu__cstr(AS_IF_TRUST_DOMAIN),
                                            .find = find,
                                            .user = a};
    enum catalog__chain_result rc =
        catalog__chain_compile(&in, catalog__scratch(a->r), &chain, &why);
    a->failed |= rc == CATALOG__CHAIN_NO_MEMORY;
    if (rc == CATALOG__CHAIN_OK) {
        *protocol = chain->protocol;
    }
    return rc == CATALOG__CHAIN_OK;
}

int catalog_query_chain(struct catalog_reader *r, const struct catalog_chain_request *request,
                        struct mu_str trust_domain, struct catalog_chain_reply *out,
                        struct catalog_watch_keys *keys, char *text, size_t size)
{
    catalog__keys_begin(r, keys);
    struct catalog__asked asked;
    struct catalog__text why = catalog__text(text, size);
    const struct catalog__chain_input in = {
        .service = request->name,
        .datacenter = request->evaluate_in_datacenter.len ? request->evaluate_in_datacenter
                                                          : request->datacenter,
        .own_datacenter = request->datacenter,
        .trust_domain = trust_domain,
        .override_mesh_gateway = request->override_mesh_gateway.mode,
        .override_protocol = request->override_protocol,
        .override_connect_timeout_ns = request->override_connect_timeout_ns,
        .find = find,
        .user = &asked};
    *out = (struct catalog_chain_reply){.meta.index = table_index(r)};
    catalog__asked_begin(&asked, r, keys);
    enum catalog__chain_result rc =
        catalog__chain_compile(&in, catalog__scratch(r), &out->chain, &why);
    if (!catalog__asked_end(&asked) || rc == CATALOG__CHAIN_NO_MEMORY) {
        return CATALOG_ENOMEM;
    }
    return rc == CATALOG__CHAIN_OK ? 0 : CATALOG_EINVAL;
}
