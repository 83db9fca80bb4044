/* chain_resolve.c - protocols, targets and resolvers: where a chain leads in the end. */
#include "chain.h"

#include "config_entry.h"
#include "msgpack.h"

#define DEFAULT_TIMEOUT_NS (INT64_C(5) * 1000000000)
#define NAMESPACE          "default" /* there is no other */

static const struct catalog_service_defaults *find_defaults(const struct catalog__compiler *c,
                                                            struct mu_str service)
{
    return catalog__chain_find(c, CATALOG_KIND_SERVICE_DEFAULTS, service);
}

static const struct catalog_proxy_defaults *find_proxies(const struct catalog__compiler *c)
{
    return catalog__chain_find(c, CATALOG_KIND_PROXY_DEFAULTS,
                               mu__cstr(CATALOG_PROXY_DEFAULTS_NAME));
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

bool catalog__chain_agree(struct catalog__compiler *c, struct mu_str service)
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

/* ---- Targets ---- */

struct catalog__chain_target *catalog__chain_target(struct catalog__compiler *c,
                                                    struct mu_str service, struct mu_str subset,
                                                    struct mu_str name_space,
                                                    struct mu_str datacenter)
{
    name_space = catalog__chain_or(name_space, mu__cstr(NAMESPACE));
    datacenter = catalog__chain_or(datacenter, c->in->datacenter);
    struct mu_str id = CATALOG__CHAIN_JOIN(c, '.', subset, service, name_space, datacenter);
    struct catalog__chain_target *t = mu__map_get(&c->targets, id.p, id.len);
    if (t || c->no_memory) {
        return t;
    }
    struct mu_str name = CATALOG__CHAIN_JOIN(c, '.', id, mu__cstr("internal"), c->in->trust_domain);
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
    return catalog__chain_target(
        c, catalog__chain_or(service, t->service), catalog__chain_or(subset, kept),
        catalog__chain_or(name_space, t->name_space), catalog__chain_or(datacenter, t->datacenter));
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

#define REDIRECTS_MAX                                                                              \
    64u /* one after the other, before a chain is refused for its length alone                     \
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
        *known = catalog__chain_node_of(c, CATALOG__CHAIN_RESOLVER, at->id);
        if (*known || c->no_memory) {
            return !c->no_memory;
        }
        if (!catalog__chain_agree(c, at->service)) {
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
        *resolver = catalog__chain_find(c, CATALOG_KIND_SERVICE_RESOLVER, at->service);
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
bool catalog__chain_resolve(struct catalog__compiler *c, struct catalog__chain_target *t,
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
    n = catalog__chain_add_node(c, CATALOG__CHAIN_RESOLVER, t->target.id);
    if (!n) {
        return false;
    }
    n->node.resolver = resolver;
    *next = n->key;
    const struct catalog_resolver_failover *f = failover_of(r, t->target.service_subset);
    return !f || set_failover(c, n, &t->target, f);
}
