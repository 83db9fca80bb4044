#include "chain.h"

#include "config_entry.h"
#include "msgpack.h"

#include <muster/mu.h>
#include <string.h>

#define DEFAULT_TIMEOUT_NS (INT64_C(5) * 1000000000)
#define NAMESPACE          "default"                /* there is no other */
#define MAP_SEED           UINT64_C(0x6d7573746572) /* nothing depends on it */

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
static struct mu_str join(struct catalog__compiler *c, const struct mu_str *parts, size_t n,
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
#define JOIN(c, separator, ...)                                                                    \
    join((c), (const struct mu_str[]){__VA_ARGS__},                                                \
         sizeof(const struct mu_str[]){__VA_ARGS__} / sizeof(struct mu_str), (separator))

static struct mu_str or_else(struct mu_str s, struct mu_str otherwise)
{
    return s.len ? s : otherwise;
}

static const void *find(const struct catalog__compiler *c, const char *kind, struct mu_str name)
{
    return c->in->find(c->in->user, kind, name);
}

static const struct catalog_service_splitter *find_splitter(const struct catalog__compiler *c,
                                                            struct mu_str service)
{
    return c->no_routing ? NULL : find(c, CATALOG_KIND_SERVICE_SPLITTER, service);
}

static const struct catalog_service_defaults *find_defaults(const struct catalog__compiler *c,
                                                            struct mu_str service)
{
    return find(c, CATALOG_KIND_SERVICE_DEFAULTS, service);
}

static const struct catalog_proxy_defaults *find_proxies(const struct catalog__compiler *c)
{
    return find(c, CATALOG_KIND_PROXY_DEFAULTS, mu__cstr(CATALOG_PROXY_DEFAULTS_NAME));
}

/* ---- Protocols: all that a chain leads to must speak the same ---- */

/* The text at a key of an encoded map, in any case; empty if there is none. */
static struct mu_str text_in(struct mu_str map, const char *key)
{
    struct mu__reader r = mu__reader(map.p, map.len);
    struct mu_str found = {NULL, 0};
    if (map.len == 0 || mu__mp_peek(&r) != MU_MP_MAP) {
        return found;
    }
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        bool is_it = mu__str_ieq(mu__mp_read_bytes(&r), mu__cstr(key));
        if (is_it && mu__mp_peek(&r) == MU_MP_RAW) {
            found = mu__mp_read_str(&r);
        } else {
            mu__mp_skip(&r);
        }
    }
    return r.failed ? (struct mu_str){NULL, 0} : found;
}

static struct mu_str lower(struct catalog__compiler *c, struct mu_str s)
{
    char *text = catalog__chain_room(c, s.len, 1);
    for (size_t i = 0; text && i < s.len; i++) {
        text[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
    }
    return (struct mu_str){text, text ? s.len : 0};
}

static struct mu_str protocol_of(struct catalog__compiler *c, struct mu_str service)
{
    const struct catalog_service_defaults *d = find_defaults(c, service);
    const struct catalog_proxy_defaults *proxies = d ? NULL : find_proxies(c);
    struct mu_str protocol = {NULL, 0};
    if (d) {
        protocol = d->protocol;
    } else if (proxies) {
        protocol = text_in(proxies->config, "protocol");
    }
    return protocol.len ? lower(c, protocol) : mu__cstr("tcp");
}

static bool agree(struct catalog__compiler *c, struct mu_str service)
{
    struct mu_str protocol = protocol_of(c, service);
    if (c->protocol.len == 0) {
        c->protocol = protocol;
    }
    if (mu__str_eq(c->protocol, protocol)) {
        return !c->no_memory;
    }
    catalog__chain_refuse(c, "discovery chain ", c->in->service,
                          " uses inconsistent protocols; service ");
    catalog__say_quoted(c->why, service);
    catalog__say(c->why, " has ");
    catalog__say_quoted(c->why, protocol);
    catalog__say(c->why, " which is not ");
    catalog__say_quoted(c->why, c->protocol);
    return false;
}

static bool is_like_http(struct mu_str protocol)
{
    return mu__str_eq(protocol, mu__cstr("http")) || mu__str_eq(protocol, mu__cstr("http2")) ||
           mu__str_eq(protocol, mu__cstr("grpc"));
}

/* ---- Targets ---- */

static struct catalog__chain_target *target(struct catalog__compiler *c, struct mu_str service,
                                            struct mu_str subset, struct mu_str name_space,
                                            struct mu_str datacenter)
{
    name_space = or_else(name_space, mu__cstr(NAMESPACE));
    datacenter = or_else(datacenter, c->in->datacenter);
    struct mu_str id = JOIN(c, '.', subset, service, name_space, datacenter);
    struct catalog__chain_target *t = mu__map_get(&c->targets, id.p, id.len);
    if (t || c->no_memory) {
        return t;
    }
    struct mu_str name = JOIN(c, '.', id, mu__cstr("internal"), c->in->trust_domain);
    t = catalog__chain_room(c, 1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->target = (struct catalog_chain_target){.id = id,
                                              .service = service,
                                              .service_subset = subset,
                                              .name_space = name_space,
                                              .datacenter = datacenter,
                                              .sni = name,
                                              .name = name};
    if (c->no_memory || !mu__map_set(&c->targets, id.p, id.len, t, NULL)) {
        c->no_memory = true;
        return NULL;
    }
    return t;
}

/* The same, but for what is given; another service has other subsets. */
static struct catalog__chain_target *turn(struct catalog__compiler *c,
                                          const struct catalog_chain_target *t,
                                          struct mu_str service, struct mu_str subset,
                                          struct mu_str name_space, struct mu_str datacenter)
{
    bool is_other = service.len && !mu__str_eq(service, t->service);
    struct mu_str kept = is_other ? (struct mu_str){NULL, 0} : t->service_subset;
    return target(c, or_else(service, t->service), or_else(subset, kept),
                  or_else(name_space, t->name_space), or_else(datacenter, t->datacenter));
}

/* ---- Nodes ---- */

static struct catalog__chain_node *add_node(struct catalog__compiler *c, const char *type,
                                            struct mu_str name)
{
    struct catalog__chain_node *n = catalog__chain_room(c, 1, sizeof *n);
    if (!n) {
        return NULL;
    }
    n->node.type = mu__cstr(type);
    n->node.name = name;
    n->key = JOIN(c, ':', n->node.type, name);
    if (c->no_memory || !mu__map_set(&c->nodes, n->key.p, n->key.len, n, NULL)) {
        c->no_memory = true;
        return NULL;
    }
    return n;
}

static struct catalog__chain_node *node_of(struct catalog__compiler *c, const char *type,
                                           struct mu_str name)
{
    return catalog__chain_node(c, JOIN(c, ':', mu__cstr(type), name));
}

/* ---- Resolvers ---- */

static const struct catalog_resolver_subset *
subset_of(const struct catalog_service_resolver *resolver, struct mu_str name)
{
    for (size_t i = 0; resolver && i < resolver->subsets.len; i++) {
        if (mu__str_eq(resolver->subsets.items[i].key, name)) {
            return resolver->subsets.items[i].value;
        }
    }
    return NULL;
}

static bool is_default(const struct catalog_service_resolver *r)
{
    return !r || (r->default_subset.len == 0 && r->subsets.len == 0 && !r->redirect &&
                  r->failover.len == 0 && r->connect_timeout_ns == 0);
}

static bool refuse_circle(struct catalog__compiler *c, struct catalog__chain_target *const *way,
                          size_t n)
{
    c->why->len = 0;
    catalog__say(c->why, "detected circular resolver redirect: [");
    for (size_t i = 0; i < n; i++) {
        catalog__say(c->why, i ? " -> " : "");
        catalog__say_str(c->why, way[i]->target.id);
    }
    catalog__say(c->why, "]");
    return false;
}

#define REDIRECTS_MAX 64u /* one after the other, before a chain is refused for its length alone   \
                           */

/* Follows redirects and the default subset to where a target really leads. *known: there is a node
 * for it already, and nothing more was looked at. */
static bool follow(struct catalog__compiler *c, struct catalog__chain_target **t,
                   const struct catalog_service_resolver **resolver,
                   struct catalog__chain_node **known)
{
    struct catalog__chain_target *way[REDIRECTS_MAX + 1];
    for (size_t n = 0; *t; n++) {
        const struct catalog_chain_target *at = &(*t)->target;
        *known = node_of(c, CATALOG__CHAIN_RESOLVER, at->id);
        if (*known || c->no_memory) {
            return !c->no_memory;
        }
        if (!agree(c, at->service)) {
            return false;
        }
        way[n] = *t;
        for (size_t i = 0; i < n; i++) {
            if (way[i] == *t) {
                return refuse_circle(c, way, n + 1);
            }
        }
        if (n == REDIRECTS_MAX) {
            return catalog__chain_refuse(c, "discovery chain ", c->in->service,
                                         " has too many redirects in a row");
        }
        *resolver = find(c, CATALOG_KIND_SERVICE_RESOLVER, at->service);
        const struct catalog_service_resolver *r = *resolver;
        struct catalog__chain_target *next = *t;
        struct mu_str none = {NULL, 0};
        if (r && r->redirect) {
            next = turn(c, at, r->redirect->service, r->redirect->service_subset,
                        r->redirect->name_space, r->redirect->datacenter);
        }
        if (next == *t && r && r->default_subset.len && at->service_subset.len == 0) {
            next = turn(c, at, none, r->default_subset, none, none);
        }
        if (next == *t) {
            return true;
        }
        *t = next;
    }
    return false;
}

static bool refuse_external(struct catalog__compiler *c, struct mu_str service, const char *what)
{
    catalog__chain_refuse(c, "service ", service, " has an external SNI set; cannot define ");
    catalog__say(c->why, what);
    catalog__say(c->why, " for external services");
    return false;
}

static bool check_external(struct catalog__compiler *c, const struct catalog_chain_target *t,
                           const struct catalog_service_resolver *r)
{
    if (!t->external || !r) {
        return true;
    }
    if (r->redirect) {
        return refuse_external(c, t->service, "redirects");
    }
    if (r->subsets.len) {
        return refuse_external(c, t->service, "subsets");
    }
    return r->failover.len == 0 || refuse_external(c, t->service, "failover");
}

/* Through which gateway a target in another datacenter is reached. */
static void set_gateway(struct catalog__compiler *c, struct catalog_chain_target *t)
{
    const struct catalog_service_defaults *d = find_defaults(c, t->service);
    const struct catalog_proxy_defaults *proxies = find_proxies(c);
    t->mesh_gateway.mode = (struct mu_str){NULL, 0};
    if (t->external || mu__str_eq(t->datacenter, c->in->own_datacenter)) {
        return;
    }
    if (d) {
        t->mesh_gateway = d->mesh_gateway;
    }
    if (proxies && t->mesh_gateway.mode.len == 0) {
        t->mesh_gateway = proxies->mesh_gateway;
    }
    if (c->in->override_mesh_gateway.len &&
        !mu__str_eq(t->mesh_gateway.mode, c->in->override_mesh_gateway)) {
        t->mesh_gateway.mode = c->in->override_mesh_gateway;
        c->by_mesh_gateway = true;
    }
}

static int64_t timeout_of(struct catalog__compiler *c, const struct catalog_service_resolver *r)
{
    int64_t ns = r && r->connect_timeout_ns > 0 ? r->connect_timeout_ns : DEFAULT_TIMEOUT_NS;
    int64_t wanted = c->in->override_connect_timeout_ns;
    if (wanted > 0 && wanted != ns) {
        c->by_timeout = true;
        ns = wanted;
    }
    return ns;
}

/* Fills in what the entries say about a target that is really reached. */
static bool settle(struct catalog__compiler *c, struct catalog__chain_target *t,
                   const struct catalog_service_resolver *r)
{
    struct catalog_chain_target *at = &t->target;
    const struct catalog_resolver_subset *subset = subset_of(r, at->service_subset);
    const struct catalog_service_defaults *d = find_defaults(c, at->service);
    if (at->service_subset.len && !subset) {
        catalog__chain_refuse(c, "service ", at->service, " does not have a subset named ");
        catalog__say_quoted(c->why, at->service_subset);
        return false;
    }
    if (subset) {
        at->subset = *subset;
    }
    if (d && d->external_sni.len) {
        at->sni = d->external_sni;
        at->external = true;
    }
    if (!check_external(c, at, r)) {
        return false;
    }
    set_gateway(c, at);
    t->is_used = true;
    return true;
}

static const struct catalog_resolver_failover *failover_of(const struct catalog_service_resolver *r,
                                                           struct mu_str subset)
{
    const struct catalog_resolver_failover *any = NULL;
    for (size_t i = 0; r && i < r->failover.len; i++) {
        if (mu__str_eq(r->failover.items[i].key, subset)) {
            return r->failover.items[i].value;
        }
        if (mu__str_eq(r->failover.items[i].key, mu__cstr("*"))) {
            any = r->failover.items[i].value;
        }
    }
    return any;
}

/* Where one failover leads in the end; what that would fail over to does not count. */
static bool add_failover(struct catalog__compiler *c, const struct catalog_chain_target *from,
                         const struct catalog_resolver_failover *f, struct mu_str datacenter,
                         struct mu_strs *out)
{
    struct catalog__chain_target *t =
        turn(c, from, f->service, f->service_subset, f->name_space, datacenter);
    const struct catalog_service_resolver *r = NULL;
    struct catalog__chain_node *known = NULL;
    if (!t || &t->target == from) { /* not to itself */
        return !c->no_memory;
    }
    if (!follow(c, &t, &r, &known)) {
        return false;
    }
    if (!known) {
        timeout_of(c, r);
        if (!settle(c, t, r)) {
            return false;
        }
    }
    out->items[out->len++] = known ? known->node.resolver->target : t->target.id;
    return true;
}

static bool set_failover(struct catalog__compiler *c, struct catalog__chain_node *n,
                         const struct catalog_chain_target *t,
                         const struct catalog_resolver_failover *f)
{
    size_t places = f->datacenters.len ? f->datacenters.len : 1;
    struct catalog_chain_failover *failover = catalog__chain_room(c, 1, sizeof *failover);
    struct mu_str *ids = catalog__chain_room(c, places, sizeof *ids);
    if (!failover || !ids) {
        return false;
    }
    failover->targets.items = ids;
    for (size_t i = 0; i < places; i++) {
        struct mu_str none = {NULL, 0};
        if (!add_failover(c, t, f, f->datacenters.len ? f->datacenters.items[i] : none,
                          &failover->targets)) {
            return false;
        }
    }
    n->node.resolver->failover = failover->targets.len ? failover : NULL;
    return true;
}

/* The node that resolves a target. */
static bool resolve(struct catalog__compiler *c, struct catalog__chain_target *t,
                    struct mu_str *next)
{
    const struct catalog_service_resolver *r = NULL;
    struct catalog__chain_node *n = NULL;
    if (!t || !follow(c, &t, &r, &n)) {
        return false;
    }
    if (n) {
        *next = n->key;
        return true;
    }
    struct catalog_chain_resolver *resolver = catalog__chain_room(c, 1, sizeof *resolver);
    if (!resolver) {
        return false;
    }
    *resolver = (struct catalog_chain_resolver){.connect_timeout_ns = timeout_of(c, r),
                                                .is_default = is_default(r),
                                                .target = t->target.id};
    if (!settle(c, t, r)) {
        return false;
    }
    n = add_node(c, CATALOG__CHAIN_RESOLVER, t->target.id);
    if (!n) {
        return false;
    }
    n->node.resolver = resolver;
    *next = n->key;
    const struct catalog_resolver_failover *f = failover_of(r, t->target.service_subset);
    return !f || set_failover(c, n, &t->target, f);
}

/* ---- Splitters ---- */

static struct catalog__chain_target *plain(struct catalog__compiler *c, struct mu_str service,
                                           struct mu_str name_space)
{
    struct mu_str none = {NULL, 0};
    return target(c, service, none, name_space, none);
}

/* The splitter of a service, if it has one: *next then. What it leads to is looked at later. */
static bool split(struct catalog__compiler *c, struct mu_str service, struct mu_str *next)
{
    struct mu_str name = JOIN(c, '.', service, mu__cstr(NAMESPACE));
    struct catalog__chain_node *n = node_of(c, CATALOG__CHAIN_SPLITTER, name);
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
    n = add_node(c, CATALOG__CHAIN_SPLITTER, name);
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
    struct mu_str service = or_else(s->service, p->service), none = {NULL, 0};
    if (!compiled) {
        return false;
    }
    compiled->weight = s->weight;
    p->node->node.splits.items[p->node->node.splits.len++] = compiled;
    if (!mu__str_eq(service, p->service) && s->service_subset.len == 0 &&
        split(c, service, &compiled->next_node)) {
        return true;
    }
    return !c->no_memory &&
           resolve(c, target(c, service, s->service_subset, none, none), &compiled->next_node);
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
    return !c->no_memory && resolve(c, plain(c, service, name_space), next);
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
    struct mu_str service = or_else(d ? d->service : none, c->in->service);
    if (d && d->service_subset.len) {
        return resolve(c, target(c, service, d->service_subset, d->name_space, none),
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
    struct mu_str name = JOIN(c, '.', r->head.name, mu__cstr(NAMESPACE));
    struct catalog__chain_node *n = add_node(c, CATALOG__CHAIN_ROUTER, name);
    void **items = catalog__chain_room(c, r->routes.len + 1, sizeof *items);
    struct catalog_service_route *last = catch_all(c, r->head.name);
    if (!n || !items || !last) {
        return false;
    }
    n->node.routes.items = items;
    c->start = n->key;
    c->is_advanced = true;
    if (!agree(c, r->head.name)) {
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
        c->no_routing ? NULL : find(c, CATALOG_KIND_SERVICE_ROUTER, c->in->service);
    struct mu_str none = {NULL, 0};
    return router ? assemble_router(c, router)
                  : split_or_resolve(c, c->in->service, none, &c->start);
}

/* ---- All of it ---- */

static bool check_routing(struct catalog__compiler *c)
{
    if (!c->is_advanced || is_like_http(c->protocol)) {
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
    c->no_routing = c->in->override_protocol.len > 0 && !is_like_http(c->in->override_protocol);
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
