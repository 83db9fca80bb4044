#include "lookup.h"

#include "prng.h"
#include "schema.h"

static struct mu_str service_tag(const struct catalog_node_service *s, const char *name)
{
    for (size_t i = 0; i < s->tagged_addresses.len; i++) {
        if (mu__str_eq(s->tagged_addresses.items[i].key, mu__cstr(name))) {
            return ((const struct catalog_service_address *)s->tagged_addresses.items[i].value)
                ->address;
        }
    }
    return (struct mu_str){NULL, 0};
}

static struct mu_str node_tag(const struct catalog_node *n, const char *name)
{
    return mu__strmap_get(&n->tagged_addresses, name);
}

static void fill_node(const struct catalog_node *n, struct mu__arena *a,
                      struct dnsfront_instance *out)
{
    *out = (struct dnsfront_instance){.node = n->node,
                                      .datacenter = n->datacenter,
                                      .node_address = n->address,
                                      .node_ipv4 = node_tag(n, "lan_ipv4"),
                                      .node_ipv6 = node_tag(n, "lan_ipv6")};
    struct mu_str *meta = n->meta.len ? mu__arena_alloc(a, 2 * n->meta.len * sizeof *meta) : NULL;
    for (size_t i = 0; meta && i < n->meta.len; i++) {
        meta[2 * i] = n->meta.items[i].key;
        meta[2 * i + 1] = n->meta.items[i].value;
    }
    out->meta = meta;
    out->meta_count = meta ? n->meta.len : 0;
}

/* The worst of all checks; a status that we do not know counts as critical. */
static enum dnsfront_health health_of(const struct mu_list *checks)
{
    enum dnsfront_health worst = DNSFRONT_PASSING;
    for (size_t i = 0; i < checks->len; i++) {
        const struct catalog_check *c = checks->items[i];
        if (mu__str_eq(c->status, mu__cstr("passing"))) {
            continue;
        }
        if (!mu__str_eq(c->status, mu__cstr("warning"))) {
            return DNSFRONT_CRITICAL;
        }
        worst = DNSFRONT_WARNING;
    }
    return worst;
}

static uint16_t clamp(int64_t v)
{
    return v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

static void fill_instance(const struct catalog_check_service_node *n, struct mu__arena *a,
                          struct dnsfront_instance *out)
{
    fill_node(n->node, a, out);
    const struct catalog_node_service *s = n->service;
    out->service_address = s->address;
    out->service_ipv4 = service_tag(s, "lan_ipv4");
    out->service_ipv6 = service_tag(s, "lan_ipv6");
    out->port = clamp(s->port);
    out->weight_passing = s->weights ? clamp(s->weights->passing) : 1;
    out->weight_warning = s->weights ? clamp(s->weights->warning) : 1;
    out->health = health_of(&n->checks);
}

struct dnsfront_instance *lookup_service(const struct catalog_indexed_check_service_nodes *reply,
                                         struct mu__arena *a, size_t *count)
{
    struct dnsfront_instance *out = mu__arena_alloc(a, (reply->nodes.len + 1) * sizeof *out);
    *count = 0;
    for (size_t i = 0; out && i < reply->nodes.len; i++) {
        const struct catalog_check_service_node *n = reply->nodes.items[i];
        if (n && n->node && n->service) {
            fill_instance(n, a, &out[(*count)++]);
        }
    }
    return out;
}

struct dnsfront_instance *lookup_servers(const struct catalog_indexed_check_service_nodes *reply,
                                         size_t max, uint64_t random, struct mu__arena *a,
                                         size_t *count)
{
    struct mu__prng prng;
    size_t n, healthy = 0;
    struct dnsfront_instance *all = lookup_service(reply, a, &n);
    mu__prng_seed(&prng, random);
    for (size_t i = 0; all && i < n; i++) {
        if (all[i].health != DNSFRONT_CRITICAL) {
            all[healthy++] = all[i];
        }
    }
    for (size_t i = 0; i < healthy && i < max; i++) { /* the first steps of a shuffle */
        size_t k = i + (size_t)mu__prng_below(&prng, healthy - i);
        struct dnsfront_instance t = all[i];
        all[i] = all[k];
        all[k] = t;
    }
    *count = healthy < max ? healthy : max;
    return all;
}

struct dnsfront_instance *lookup_node(const struct catalog_node *node, struct mu__arena *a)
{
    struct dnsfront_instance *out = mu__arena_alloc(a, sizeof *out);
    if (out) {
        fill_node(node, a, out);
    }
    return out;
}
