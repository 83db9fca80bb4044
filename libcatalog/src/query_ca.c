/* query_ca.c - what may be known of the certificate authority. */
#include <string.h>

#include "query.h"
#include "tables_ca.h"

#define TRUST_SUFFIX ".consul"

const struct catalog_ca_config *catalog_find_ca_config(const struct catalog_reader *r)
{
    return catalog__get_ca_config(r->version);
}

const struct catalog_ca_provider_state *catalog_find_ca_state(const struct catalog_reader *r,
                                                              struct mu_str id)
{
    return catalog__get_ca_state(r->version, id);
}

uint64_t catalog_ca_roots_index(const struct catalog_reader *r)
{
    return r->version->table[CATALOG__TABLE_CA_ROOTS];
}

int catalog_list_ca_roots(struct catalog_reader *r, struct mu_list *out)
{
    bool failed = false;
    struct catalog__radix_iter it;
    struct catalog__list l = catalog__list(r);
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__CA_ROOTS, NULL, 0);
    catalog__list_walk(&l, &it, r->version, NULL, NULL);
    *out = catalog__list_end(&l, &failed);
    return failed ? CATALOG_ENOMEM : 0;
}

static bool is_active(const struct catalog__version *v, const void *record, const void *arg)
{
    (void)v, (void)arg;
    return ((const struct catalog_ca_root *)record)->active;
}

const struct catalog_ca_root *catalog_find_ca_active_root(const struct catalog_reader *r)
{
    struct catalog__radix_iter it;
    const struct catalog_ca_root *root;
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__CA_ROOTS, NULL, 0);
    do {
        root = catalog__radix_next(&it);
    } while (root && !is_active(r->version, root, NULL));
    catalog__radix_end(&it);
    return root;
}

static struct mu_str trust_domain(struct catalog_reader *r, struct mu_str cluster_id)
{
    size_t len = cluster_id.len + sizeof TRUST_SUFFIX - 1;
    char *text = mu__arena_alloc(catalog__scratch(r), len);
    if (!text) {
        return (struct mu_str){NULL, 0};
    }
    if (cluster_id.len) {
        memcpy(text, cluster_id.p, cluster_id.len);
    }
    memcpy(text + cluster_id.len, TRUST_SUFFIX, sizeof TRUST_SUFFIX - 1);
    return (struct mu_str){text, len};
}

/* A root as anybody may see it. */
static struct catalog_ca_root *shown(struct catalog_reader *r, const struct catalog_ca_root *root)
{
    struct catalog_ca_root *copy = mu__arena_calloc(catalog__scratch(r), 1, sizeof *copy);
    if (copy) {
        *copy = *root;
        copy->signing_cert = copy->signing_key = (struct mu_str){NULL, 0};
        copy->rotated_out_at = (struct mu_time){0, 0};
    }
    return copy;
}

int catalog_query_ca_roots(struct catalog_reader *r, const struct catalog_dc_request *request,
                           struct catalog_indexed_ca_roots *out, struct catalog_watch_keys *keys)
{
    const struct catalog__version *v = r->version;
    const struct catalog_ca_config *config = catalog__get_ca_config(v);
    (void)request;
    catalog__keys_begin(r, keys);
    bool failed = !catalog__keys_add_all(r, keys, CATALOG__WATCH_CA);
    *out = (struct catalog_indexed_ca_roots){
        .meta.index = catalog__reported(
            catalog__max_index(v, CATALOG__TABLE_CA_CONFIG, CATALOG__TABLE_CA_ROOTS))};
    if (catalog_list_ca_roots(r, &out->roots) != 0) {
        return CATALOG_ENOMEM;
    }
    for (size_t i = 0; i < out->roots.len; i++) {
        struct catalog_ca_root *root = shown(r, out->roots.items[i]);
        if (!root) {
            return CATALOG_ENOMEM;
        }
        out->roots.items[i] = root;
        out->active_root_id = root->active ? root->id : out->active_root_id;
    }
    if (config) {
        out->trust_domain = trust_domain(r, config->cluster_id);
        failed = failed || !out->trust_domain.p;
    }
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog_query_ca_config(struct catalog_reader *r, const struct catalog_dc_request *request,
                            struct catalog_ca_config *out, struct catalog_watch_keys *keys)
{
    const struct catalog_ca_config *config = catalog__get_ca_config(r->version);
    (void)request;
    catalog__keys_begin(r, keys);
    *out = config ? *config : (struct catalog_ca_config){.create_index = 0};
    return catalog__keys_add(r, keys, CATALOG__WATCH_CA, mu__cstr(CATALOG__CA_CONFIG_KEY), false)
               ? 0
               : CATALOG_ENOMEM;
}
