/* graph.c - a config entry is written or goes only if all chains that it bears on stay whole.
 *
 * Those are the chain of its own service and those of the entries that refer to that service; for
 * the defaults of all proxies, every chain. An ingress gateway listens with the protocol that its
 * services speak. */
#include "tables_config.h"

#include <string.h>

#include "chain.h"

/* Chains are compiled as if from here, in Consul's words; nothing depends on it but texts. */
#define AS_IF_DATACENTER   "dc1"
#define AS_IF_TRUST_DOMAIN "b6fc9da3-03d4-4b5a-9134-c045e9b20152.consul"

struct graph {
    struct catalog *c;
    struct mu_str kind, name;
    const struct catalog_config_entry *next;
    struct catalog__text *why;
};

static bool is_kind(const struct catalog_config_entry *e, const char *kind)
{
    return mu__str_eq(e->kind, mu__cstr(kind));
}

static const struct catalog_config_entry *find(void *user, const char *kind, struct mu_str name)
{
    const struct graph *g = user;
    if (mu__str_eq(g->kind, mu__cstr(kind)) && mu__str_ieq(g->name, name)) {
        return g->next;
    }
    return catalog__get_config(g->c->draft, mu__cstr(kind), name);
}

static bool compile(struct graph *g, struct mu_str service, struct mu_str *protocol)
{
    const struct catalog__chain_input in = {.service = service,
                                            .datacenter = mu__cstr(AS_IF_DATACENTER),
                                            .own_datacenter = mu__cstr(AS_IF_DATACENTER),
                                            .trust_domain = mu__cstr(AS_IF_TRUST_DOMAIN),
                                            .find = find,
                                            .user = g};
    struct catalog_chain *chain;
    enum catalog__chain_result rc = catalog__chain_compile(&in, &g->c->scratch, &chain, g->why);
    g->c->is_void = g->c->is_void || rc == CATALOG__CHAIN_NO_MEMORY;
    if (rc != CATALOG__CHAIN_OK) {
        return false;
    }
    *protocol = chain->protocol;
    return true;
}

static bool check_chain(struct graph *g, struct mu_str service)
{
    struct mu_str unused;
    return compile(g, service, &unused);
}

/* ---- Ingress gateways ---- */

static bool check_listener(struct graph *g, const struct catalog_ingress_listener *l)
{
    for (size_t i = 0; i < l->services.len; i++) {
        const struct catalog_ingress_service *s = l->services.items[i];
        struct mu_str protocol;
        if (mu__str_eq(s->name, mu__cstr("*"))) {
            continue;
        }
        if (!compile(g, s->name, &protocol)) {
            return false;
        }
        if (!mu__str_eq(protocol, l->protocol)) {
            g->why->len = 0;
            catalog__say(g->why, "service ");
            catalog__say_quoted(g->why, s->name);
            catalog__say(g->why, " has protocol ");
            catalog__say_quoted(g->why, protocol);
            catalog__say(g->why, ", which does not match defined listener protocol ");
            catalog__say_quoted(g->why, l->protocol);
            return false;
        }
    }
    return true;
}

static bool check_ingress(struct graph *g, const struct catalog_ingress_gateway *e)
{
    for (size_t i = 0; i < e->listeners.len; i++) {
        if (!check_listener(g, e->listeners.items[i])) {
            return false;
        }
    }
    return true;
}

/* A name is that of one gateway. */
static bool check_clash(struct graph *g, const char *other)
{
    if (!g->next || !catalog__get_config(g->c->draft, mu__cstr(other), g->name)) {
        return true;
    }
    g->why->len = 0;
    catalog__say(g->why, "cannot create a ");
    catalog__say_quoted(g->why, g->kind);
    catalog__say(g->why, " config entry with name ");
    catalog__say_quoted(g->why, g->name);
    catalog__say(g->why, ", a ");
    catalog__say_quoted(g->why, mu__cstr(other));
    catalog__say(g->why, " config entry with that name already exists");
    return false;
}

/* ---- Which chains ---- */

static bool check_entry(struct graph *g, const struct catalog_config_entry *e)
{
    if (is_kind(e, CATALOG_KIND_INGRESS_GATEWAY)) {
        return check_ingress(g, (const void *)e);
    }
    return check_chain(g, e->name);
}

/* The chain of a service, and what refers to it. */
static bool check_around(struct graph *g, struct mu_str service)
{
    struct catalog__found links = {NULL, 0};
    if (!check_chain(g, service)) {
        return false;
    }
    links = catalog__gather(g->c, CATALOG__CONFIG_LINKS, &service, 1);
    for (size_t i = 0; i < links.len; i++) {
        const struct catalog_config_entry *e = links.items[i];
        bool is_itself = mu__str_eq(e->kind, g->kind) && mu__str_ieq(e->name, g->name);
        if (!is_itself && !check_entry(g, e)) {
            return false;
        }
    }
    return !g->c->is_void;
}

static bool check_all(struct graph *g)
{
    static const char *const kinds[] = {
        CATALOG_KIND_SERVICE_ROUTER, CATALOG_KIND_SERVICE_SPLITTER, CATALOG_KIND_SERVICE_RESOLVER,
        CATALOG_KIND_SERVICE_DEFAULTS, CATALOG_KIND_INGRESS_GATEWAY};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct mu_str kind = mu__cstr(kinds[k]);
        struct catalog__found found = catalog__gather(g->c, CATALOG__CONFIG_ENTRIES, &kind, 1);
        for (size_t i = 0; i < found.len; i++) {
            if (!check_entry(g, found.items[i])) {
                return false;
            }
        }
    }
    return !g->c->is_void;
}

bool catalog__config_fits(struct catalog *c, struct mu_str kind, struct mu_str name,
                          const struct catalog_config_entry *next, struct catalog__text *why)
{
    struct graph g = {c, kind, name, next, why};
    if (mu__str_eq(kind, mu__cstr(CATALOG_KIND_PROXY_DEFAULTS))) {
        return check_all(&g);
    }
    if (mu__str_eq(kind, mu__cstr(CATALOG_KIND_INGRESS_GATEWAY))) {
        return check_clash(&g, CATALOG_KIND_TERMINATING_GATEWAY) &&
               (!next || check_ingress(&g, (const void *)next));
    }
    if (mu__str_eq(kind, mu__cstr(CATALOG_KIND_TERMINATING_GATEWAY)) &&
        !check_clash(&g, CATALOG_KIND_INGRESS_GATEWAY)) {
        return false;
    }
    return check_around(&g, name);
}
