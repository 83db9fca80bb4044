#include "chain.h"

#include "config_entry.h"

#include <string.h>

#define NAMESPACE "default"                /* there is no other */
#define MAP_SEED  UINT64_C(0x6d7573746572) /* nothing depends on it */

struct catalog__pending {
    struct catalog__chain_node *node;
    const struct catalog_service_splitter *entry;
    struct mu_str service;
    size_t at; /* splits that have been looked at */
    struct catalog__pending *next;
};

/* ---- Tools ---- */

bool catalog__chain_refuse(struct catalog__compiler *c, const char *before, struct mu_str quoted,
                           const char *after)
{
    c->why->len = 0;
    catalog__say(c->why, before);
    catalog__say_quoted(c->why, quoted);
    catalog__say(c->why, after);
    return false;
}

void *catalog__chain_room(struct catalog__compiler *c, size_t n, size_t size)
{
    void *p = mu__arena_calloc(c->arena, n ? n : 1, size);
    c->no_memory = c->no_memory || !p;
    return p;
}

/* Parts that are not empty, with the separator between them. */
struct mu_str catalog__chain_join(struct catalog__compiler *c, const struct mu_str *parts, size_t n,
                                  char separator)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        len += parts[i].len ? parts[i].len + 1 : 0;
    }
    char *text = catalog__chain_room(c, len + 1, 1);
    size_t at = 0;
    for (size_t i = 0; text && i < n; i++) {
        if (parts[i].len == 0) {
            continue;
        }
        if (at > 0) {
            text[at++] = separator;
        }
        memcpy(text + at, parts[i].p, parts[i].len);
        at += parts[i].len;
    }
    return (struct mu_str){text, text ? at : 0};
}
static const struct catalog_service_splitter *find_splitter(const struct catalog__compiler *c,
                                                            struct mu_str service)
{
    return c->no_routing ? NULL : catalog__chain_find(c, CATALOG_KIND_SERVICE_SPLITTER, service);
}

/* ---- Nodes ---- */

struct catalog__chain_node *catalog__chain_add_node(struct catalog__compiler *c, const char *type,
                                                    struct mu_str name)
{
    struct catalog__chain_node *n = catalog__chain_room(c, 1, sizeof *n);
    if (!n) {
        return NULL;
    }
    n->node.type = mu__cstr(type);
    n->node.name = name;
    n->key = CATALOG__CHAIN_JOIN(c, ':', n->node.type, name);
    if (c->no_memory || !mu__map_set(&c->nodes, n->key.p, n->key.len, n, NULL)) {
        c->no_memory = true;
        return NULL;
    }
    return n;
}

struct catalog__chain_node *catalog__chain_node_of(struct catalog__compiler *c, const char *type,
                                                   struct mu_str name)
{
    return catalog__chain_node(c, CATALOG__CHAIN_JOIN(c, ':', mu__cstr(type), name));
}

static bool catalog__chain_is_like_http(struct mu_str protocol)
{
    return mu__str_eq(protocol, mu__cstr("http")) || mu__str_eq(protocol, mu__cstr("http2")) ||
           mu__str_eq(protocol, mu__cstr("grpc"));
}

/* ---- Splitters ---- */

static struct catalog__chain_target *plain(struct catalog__compiler *c, struct mu_str service,
                                           struct mu_str name_space)
{
    struct mu_str none = {NULL, 0};
    return catalog__chain_target(c, service, none, name_space, none);
}

/* The splitter of a service, if it has one: *next then. What it leads to is looked at later. */
static bool split(struct catalog__compiler *c, struct mu_str service, struct mu_str *next)
{
    struct mu_str name = CATALOG__CHAIN_JOIN(c, '.', service, mu__cstr(NAMESPACE));
    struct catalog__chain_node *n = catalog__chain_node_of(c, CATALOG__CHAIN_SPLITTER, name);
    const struct catalog_service_splitter *entry = n ? NULL : find_splitter(c, service);
    if (n) {
        *next = n->key;
        return true;
    }
    if (!entry || c->no_memory) {
        return false;
    }
    struct catalog__pending *p = catalog__chain_room(c, 1, sizeof *p);
    void **items = catalog__chain_room(c, entry->splits.len, sizeof *items);
    n = catalog__chain_add_node(c, CATALOG__CHAIN_SPLITTER, name);
    if (!p || !items || !n) {
        return false;
    }
    n->node.splits.items = items;
    *p = (struct catalog__pending){n, entry, service, 0, c->pending};
    c->pending = p;
    c->is_advanced = true;
    *next = n->key;
    return true;
}

static bool next_split(struct catalog__compiler *c, struct catalog__pending *p)
{
    const struct catalog_service_split *s = p->entry->splits.items[p->at++];
    struct catalog_chain_split *compiled = catalog__chain_room(c, 1, sizeof *compiled);
    struct mu_str service = catalog__chain_or(s->service, p->service), none = {NULL, 0};
    if (!compiled) {
        return false;
    }
    compiled->weight = s->weight;
    p->node->node.splits.items[p->node->node.splits.len++] = compiled;
    if (!mu__str_eq(service, p->service) && s->service_subset.len == 0 &&
        split(c, service, &compiled->next_node)) {
        return true;
    }
    return !c->no_memory && catalog__chain_resolve(
                                c, catalog__chain_target(c, service, s->service_subset, none, none),
                                &compiled->next_node);
}

/* Depth first, as if each splitter were looked at where it is met. */
static bool go_on_splitting(struct catalog__compiler *c)
{
    while (c->pending) {
        struct catalog__pending *p = c->pending;
        if (p->at == p->entry->splits.len) {
            c->pending = p->next;
        } else if (!next_split(c, p)) {
            return false;
        }
    }
    return true;
}

static bool split_or_resolve(struct catalog__compiler *c, struct mu_str service,
                             struct mu_str name_space, struct mu_str *next)
{
    if (split(c, service, next)) {
        return go_on_splitting(c);
    }
    return !c->no_memory && catalog__chain_resolve(c, plain(c, service, name_space), next);
}

/* ---- The router at the top ---- */

static bool add_route(struct catalog__compiler *c, struct catalog__chain_node *n,
                      struct catalog_service_route *definition)
{
    const struct catalog_route_destination *d = definition->destination;
    struct catalog_chain_route *route = catalog__chain_room(c, 1, sizeof *route);
    struct mu_str none = {NULL, 0};
    if (!route) {
        return false;
    }
    route->definition = definition;
    n->node.routes.items[n->node.routes.len++] = route;
    struct mu_str service = catalog__chain_or(d ? d->service : none, c->in->service);
    if (d && d->service_subset.len) {
        return catalog__chain_resolve(
            c, catalog__chain_target(c, service, d->service_subset, d->name_space, none),
            &route->next_node);
    }
    return split_or_resolve(c, service, d ? d->name_space : none, &route->next_node);
}

/* What no route matches goes to the service itself. */
static struct catalog_service_route *catch_all(struct catalog__compiler *c, struct mu_str service)
{
    struct everything {
        struct catalog_service_route route;
        struct catalog_route_match match;
        struct catalog_route_http http;
        struct catalog_route_destination destination;
    } *all = catalog__chain_room(c, 1, sizeof *all);
    if (!all) {
        return NULL;
    }
    all->http.path_prefix = mu__cstr("/");
    all->match.http = &all->http;
    all->destination.service = service;
    all->destination.name_space = mu__cstr(NAMESPACE);
    all->route = (struct catalog_service_route){&all->match, &all->destination};
    return &all->route;
}

static bool assemble_router(struct catalog__compiler *c, const struct catalog_service_router *r)
{
    struct mu_str name = CATALOG__CHAIN_JOIN(c, '.', r->head.name, mu__cstr(NAMESPACE));
    struct catalog__chain_node *n = catalog__chain_add_node(c, CATALOG__CHAIN_ROUTER, name);
    void **items = catalog__chain_room(c, r->routes.len + 1, sizeof *items);
    struct catalog_service_route *last = catch_all(c, r->head.name);
    if (!n || !items || !last) {
        return false;
    }
    n->node.routes.items = items;
    c->start = n->key;
    c->is_advanced = true;
    if (!catalog__chain_agree(c, r->head.name)) {
        return false;
    }
    for (size_t i = 0; i < r->routes.len; i++) {
        if (!add_route(c, n, r->routes.items[i])) {
            return false;
        }
    }
    return add_route(c, n, last);
}

static bool assemble(struct catalog__compiler *c)
{
    const struct catalog_service_router *router =
        c->no_routing ? NULL : catalog__chain_find(c, CATALOG_KIND_SERVICE_ROUTER, c->in->service);
    struct mu_str none = {NULL, 0};
    return router ? assemble_router(c, router)
                  : split_or_resolve(c, c->in->service, none, &c->start);
}

/* ---- All of it ---- */

static bool check_routing(struct catalog__compiler *c)
{
    if (!c->is_advanced || catalog__chain_is_like_http(c->protocol)) {
        return true;
    }
    catalog__chain_refuse(c, "discovery chain ", c->in->service, " uses a protocol ");
    catalog__say_quoted(c->why, c->protocol);
    catalog__say(c->why, " that does not permit advanced routing or splitting behavior");
    return false;
}

static bool compile(struct catalog__compiler *c, struct catalog_chain *out)
{
    if (c->in->service.len == 0) {
        c->why->len = 0;
        catalog__say(c->why, "serviceName is required");
        return false;
    }
    c->no_routing =
        c->in->override_protocol.len > 0 && !catalog__chain_is_like_http(c->in->override_protocol);
    if (!assemble(c) || !catalog__chain_check_circles(c) || !catalog__chain_flatten(c) ||
        !check_routing(c)) {
        return false;
    }
    if (c->in->override_protocol.len && !mu__str_eq(c->in->override_protocol, c->protocol)) {
        c->protocol = c->in->override_protocol;
        c->by_protocol = true;
    }
    return catalog__chain_finish(c, out);
}

enum catalog__chain_result catalog__chain_compile(const struct catalog__chain_input *in,
                                                  struct mu__arena *arena,
                                                  struct catalog_chain **out,
                                                  struct catalog__text *why)
{
    struct catalog__compiler c = {.in = in, .arena = arena, .why = why};
    struct catalog_chain *chain = catalog__chain_room(&c, 1, sizeof *chain);
    mu__map_init(&c.nodes, &arena->allocator, MAP_SEED);
    mu__map_init(&c.targets, &arena->allocator, MAP_SEED);
    bool ok = chain && compile(&c, chain);
    mu__map_fini(&c.nodes);
    mu__map_fini(&c.targets);
    if (c.no_memory) {
        return CATALOG__CHAIN_NO_MEMORY;
    }
    *out = chain;
    return ok ? CATALOG__CHAIN_OK : CATALOG__CHAIN_REFUSED;
}
