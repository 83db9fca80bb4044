#include "lookup.h"

#include "prng.h"
#include "schema.h"

static const struct catalog_service_address *service_tag(const struct mu_structmap *addresses,
                                                         const char *name)
{
    for (size_t i = 0; i < addresses->len; i++) {
        if (mu__str_eq(addresses->items[i].key, mu__cstr(name))) {
            return addresses->items[i].value;
        }
    }
    return NULL;
}

/* An address by its tag; otherwise what it would be without. */
static struct mu_str service_tagged(const struct mu_structmap *addresses, const char *name,
                                    struct mu_str otherwise)
{
    const struct catalog_service_address *a = service_tag(addresses, name);
    return a && a->address.len ? a->address : otherwise;
}

static struct mu_str node_tagged(const struct mu_strmap *addresses, const char *name,
                                 struct mu_str otherwise)
{
    struct mu_str a = mu__strmap_get(addresses, name);
    return a.len ? a : otherwise;
}

static void set_node_addresses(const struct catalog_node *n, bool wan,
                               struct dnsfront_instance *out)
{
    const struct mu_strmap *tagged = &n->tagged_addresses;
    const struct mu_str none = {NULL, 0};
    out->node_address = n->address;
    out->node_ipv4 = node_tagged(tagged, "lan_ipv4", none);
    out->node_ipv6 = node_tagged(tagged, "lan_ipv6", none);
    if (wan) {
        out->node_address = node_tagged(tagged, "wan", out->node_address);
        out->node_ipv4 = node_tagged(tagged, "wan_ipv4", out->node_ipv4);
        out->node_ipv6 = node_tagged(tagged, "wan_ipv6", out->node_ipv6);
    }
}

static void set_service_addresses(const struct catalog_node_service *s, bool wan,
                                  struct dnsfront_instance *out)
{
    const struct mu_structmap *tagged = &s->tagged_addresses;
    const struct mu_str none = {NULL, 0};
    out->service_address = s->address;
    out->service_ipv4 = service_tagged(tagged, "lan_ipv4", none);
    out->service_ipv6 = service_tagged(tagged, "lan_ipv6", none);
    if (wan) {
        out->service_address = service_tagged(tagged, "wan", out->service_address);
        out->service_ipv4 = service_tagged(tagged, "wan_ipv4", out->service_ipv4);
        out->service_ipv6 = service_tagged(tagged, "wan_ipv6", out->service_ipv6);
    }
}

/* The name of the node would lead to its address at home: what leads elsewhere stands as the
 * service's own (spec of the DNS interface, 4). */
static void prefer_translated(const struct catalog_node *n, struct dnsfront_instance *out)
{
    bool own = out->service_address.len || out->service_ipv4.len || out->service_ipv6.len;
    if (!own && !mu__str_eq(out->node_address, n->address)) {
        out->service_address = out->node_address;
        out->service_ipv4 = out->node_ipv4;
        out->service_ipv6 = out->node_ipv6;
    }
}

static struct mu_str datacenter_of(struct mu_str own, const struct lookup_place *place)
{
    return own.len ? own : place->datacenter;
}

static void fill_node(const struct catalog_node *n, const struct lookup_place *place,
                      struct mu__arena *a, struct dnsfront_instance *out)
{
    *out = (struct dnsfront_instance){.node = n->node,
                                      .datacenter = datacenter_of(n->datacenter, place)};
    set_node_addresses(n, place->wan, out);
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

static uint16_t port_of(const struct catalog_node_service *s, bool wan)
{
    const struct catalog_service_address *a = wan ? service_tag(&s->tagged_addresses, "wan") : NULL;
    return clamp(a && a->port > 0 ? a->port : s->port);
}

static void fill_instance(const struct catalog_check_service_node *n,
                          const struct lookup_place *place, struct mu__arena *a,
                          struct dnsfront_instance *out)
{
    fill_node(n->node, place, a, out);
    const struct catalog_node_service *s = n->service;
    set_service_addresses(s, place->wan, out);
    if (place->wan) {
        prefer_translated(n->node, out);
    }
    out->port = port_of(s, place->wan);
    out->weight_passing = s->weights ? clamp(s->weights->passing) : 1;
    out->weight_warning = s->weights ? clamp(s->weights->warning) : 1;
    out->health = health_of(&n->checks);
}

struct dnsfront_instance *lookup_service(const struct mu_list *nodes,
                                         const struct lookup_place *place, struct mu__arena *a,
                                         size_t *count)
{
    struct dnsfront_instance *out = mu__arena_alloc(a, (nodes->len + 1) * sizeof *out);
    *count = 0;
    for (size_t i = 0; out && i < nodes->len; i++) {
        const struct catalog_check_service_node *n = nodes->items[i];
        if (n && n->node && n->service) {
            fill_instance(n, place, a, &out[(*count)++]);
        }
    }
    return out;
}

struct dnsfront_instance *lookup_servers(const struct mu_list *nodes,
                                         const struct lookup_place *place, size_t max,
                                         uint64_t random, struct mu__arena *a, size_t *healthy)
{
    struct mu__prng prng;
    size_t n;
    struct dnsfront_instance *all = lookup_service(nodes, place, a, &n);
    *healthy = 0;
    mu__prng_seed(&prng, random);
    for (size_t i = 0; all && i < n; i++) {
        if (all[i].health != DNSFRONT_CRITICAL) {
            all[(*healthy)++] = all[i];
        }
    }
    for (size_t i = 0; i < *healthy && i < max; i++) { /* the first steps of a shuffle */
        size_t k = i + (size_t)mu__prng_below(&prng, *healthy - i);
        struct dnsfront_instance t = all[i];
        all[i] = all[k];
        all[k] = t;
    }
    return all;
}

struct dnsfront_instance *lookup_node(const struct catalog_node *node,
                                      const struct lookup_place *place, struct mu__arena *a)
{
    struct dnsfront_instance *out = mu__arena_alloc(a, sizeof *out);
    if (out) {
        fill_node(node, place, a, out);
    }
    return out;
}

struct dnsfront_instance *lookup_reverse_node(const struct mu_list *nodes,
                                              const struct lookup_place *place, struct mu__arena *a)
{
    return nodes->len && nodes->items[0] ? lookup_node(nodes->items[0], place, a) : NULL;
}

struct dnsfront_instance *lookup_reverse_service(const struct mu_list *instances,
                                                 const struct lookup_place *place,
                                                 struct mu__arena *a)
{
    const struct catalog_service_node *s = instances->len ? instances->items[0] : NULL;
    struct dnsfront_instance *out = s ? mu__arena_calloc(a, 1, sizeof *out) : NULL;
    if (out) {
        out->node = s->node;
        out->service_name = s->service_name;
        out->datacenter = datacenter_of(s->datacenter, place);
        out->node_address = s->address;
        out->service_address = s->service_address;
    }
    return out;
}
