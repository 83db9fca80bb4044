/* check.c - the whole structure of a catalog, asserted. Tests and fuzzers call it; it costs a walk
 * over everything. */
#include <assert.h>

#include "key.h"
#include "records.h"
#include "tables.h"
#include "tables_config.h"
#include "tables_gateway.h"
#include "tables_intention.h"
#include "tables_virtual.h"

static size_t keys_in(const struct catalog *c, enum catalog__tree t)
{
    return catalog__radix_check(atomic_load(&c->current)->root[t], &c->allocator);
}

/* Every record of a primary tree is found by each of its other names; that the trees have as many
 * keys shows that nothing else is in them. */
struct expected {
    size_t with_id, with_target, with_service, nodes_at, services_at;
};

static void start(struct catalog__radix_iter *it, const struct catalog *c, enum catalog__tree t)
{
    catalog__radix_prefix(it, &c->allocator, atomic_load(&c->current)->root[t],
                          (struct mu_str){NULL, 0});
}

static bool stands_below(const struct catalog *c, enum catalog__tree t, const struct mu_str *names,
                         size_t n, const void *record)
{
    struct catalog__radix_iter it;
    bool found = false;
    catalog__below(&it, &c->allocator, atomic_load(&c->current), t, names, n);
    for (const void *r; !found && (r = catalog__radix_next(&it)) != NULL;) {
        found = r == record;
    }
    catalog__radix_end(&it);
    return found;
}

static void check_nodes(const struct catalog *c, struct expected *e)
{
    struct catalog__radix_iter it;
    start(&it, c, CATALOG__NODES);
    for (const struct catalog_node *n; (n = catalog__radix_next(&it)) != NULL;) {
        const struct catalog__version *v = atomic_load(&c->current);
        assert(catalog__get_node(v, n->node) == n);
        assert(n->id.len == 0 || catalog__get_node_by_id(v, n->id) == n);
        assert(n->create_index <= n->modify_index);
        assert(n->modify_index <= v->index);
        const struct mu_str at[] = {catalog__key_part(n->address), n->node};
        assert(n->address.len == 0 || stands_below(c, CATALOG__NODES_BY_ADDRESS, at, 1, n));
        e->with_id += n->id.len > 0;
        e->nodes_at += n->address.len > 0;
    }
    catalog__radix_end(&it);
}

static void check_services(const struct catalog *c, struct expected *e)
{
    struct catalog__radix_iter it;
    start(&it, c, CATALOG__SERVICES);
    for (const struct catalog__instance *i; (i = catalog__radix_next(&it)) != NULL;) {
        const struct catalog__version *v = atomic_load(&c->current);
        struct mu_str target = catalog__instance_target(i);
        assert(catalog__get_instance(v, i->node, i->service.id) == i);
        assert(catalog__get_node(v, i->node));
        assert(catalog__get_service_index(v, i->service.service));
        assert(stands_below(c, CATALOG__SERVICES_BY_NAME,
                            (const struct mu_str[]){i->service.service, i->node}, 2, i));
        assert(target.len == 0 || stands_below(c, CATALOG__SERVICES_BY_TARGET,
                                               (const struct mu_str[]){target, i->node}, 2, i));
        const struct mu_str at[] = {catalog__key_part(i->service.address), i->node};
        assert(i->service.address.len == 0 ||
               stands_below(c, CATALOG__SERVICES_BY_ADDRESS, at, 2, i));
        e->with_target += target.len > 0;
        e->services_at += i->service.address.len > 0;
    }
    catalog__radix_end(&it);
}

static void check_checks(const struct catalog *c, struct expected *e)
{
    struct catalog__radix_iter it;
    start(&it, c, CATALOG__CHECKS);
    for (const struct catalog_check *k; (k = catalog__radix_next(&it)) != NULL;) {
        const struct catalog__version *v = atomic_load(&c->current);
        assert(catalog__get_check(v, k->node, k->check_id) == k);
        assert(catalog__get_node(v, k->node));
        assert(k->service_id.len == 0 || catalog__get_instance(v, k->node, k->service_id));
        assert(stands_below(c, CATALOG__CHECKS_BY_INSTANCE,
                            (const struct mu_str[]){k->node, k->service_id}, 2, k));
        assert(stands_below(c, CATALOG__CHECKS_BY_STATUS,
                            (const struct mu_str[]){k->status, k->node}, 2, k));
        assert(k->service_name.len == 0 ||
               stands_below(c, CATALOG__CHECKS_BY_SERVICE,
                            (const struct mu_str[]){k->service_name, k->node}, 2, k));
        e->with_service += k->service_name.len > 0;
    }
    catalog__radix_end(&it);
}

static void check_coordinates(const struct catalog *c)
{
    struct catalog__radix_iter it;
    start(&it, c, CATALOG__COORDINATES);
    for (const struct catalog_coordinate *x; (x = catalog__radix_next(&it)) != NULL;) {
        assert(x->coord && catalog__get_node(atomic_load(&c->current), x->node));
    }
    catalog__radix_end(&it);
}

static bool names_check(const struct catalog_session *s, const struct catalog_check *k)
{
    bool found = false;
    for (size_t i = 0; i < s->checks.len; i++) {
        found |= mu__str_ieq(s->checks.items[i], k->check_id);
    }
    for (size_t i = 0; i < s->node_checks.len; i++) {
        found |= mu__str_ieq(s->node_checks.items[i], k->check_id);
    }
    for (size_t i = 0; i < s->service_checks.len; i++) {
        const struct catalog_service_check *named = s->service_checks.items[i];
        found |= mu__str_ieq(named->id, k->check_id);
    }
    return found;
}

/* The checks of its node that a session names, each of which must lead to it. */
static size_t links_of(const struct catalog *c, const struct catalog_session *s)
{
    struct catalog__radix_iter it;
    size_t n = 0;
    catalog__below(&it, &c->allocator, atomic_load(&c->current), CATALOG__CHECKS, &s->node, 1);
    for (const struct catalog_check *k; (k = catalog__radix_next(&it)) != NULL;) {
        if (names_check(s, k)) {
            assert(!mu__str_eq(k->status, mu__cstr("critical")));
            assert(stands_below(c, CATALOG__SESSIONS_BY_CHECK,
                                (const struct mu_str[]){k->node, k->check_id}, 2, s));
            n++;
        }
    }
    catalog__radix_end(&it);
    return n;
}

static void check_sessions(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    size_t links = 0;
    start(&it, c, CATALOG__SESSIONS);
    for (const struct catalog_session *s; (s = catalog__radix_next(&it)) != NULL;) {
        assert(catalog__get_session(v, s->id) == s);
        assert(catalog__get_node(v, s->node));
        assert(stands_below(c, CATALOG__SESSIONS_BY_NODE, &s->node, 1, s));
        links += links_of(c, s);
    }
    catalog__radix_end(&it);
    assert(keys_in(c, CATALOG__SESSIONS) == v->count[CATALOG__TABLE_SESSIONS]);
    assert(keys_in(c, CATALOG__SESSIONS_BY_NODE) == v->count[CATALOG__TABLE_SESSIONS]);
    assert(keys_in(c, CATALOG__SESSIONS_BY_CHECK) == links);
}

/* Who holds a key exists, and knows of it. */
static void check_locks(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    size_t held = 0;
    start(&it, c, CATALOG__KEYS);
    for (const struct catalog_dir_entry *e; (e = catalog__radix_next(&it)) != NULL;) {
        struct catalog__session_key key;
        struct mu_str session = catalog__session_key(&key, e->session);
        assert(e->session.len == 0 || catalog__get_session(v, e->session));
        assert(e->session.len == 0 || stands_below(c, CATALOG__KEYS_BY_SESSION, &session, 1, e));
        held += e->session.len > 0;
    }
    catalog__radix_end(&it);
    assert(keys_in(c, CATALOG__KEYS_BY_SESSION) == held);
}

struct linked {
    const struct catalog *c;
    const struct catalog_config_entry *entry;
};

static bool check_link(void *user, struct mu_str service)
{
    const struct linked *l = user;
    const struct mu_str names[] = {service, l->entry->kind};
    assert(stands_below(l->c, CATALOG__CONFIG_LINKS, names, 2, l->entry));
    return true;
}

static void check_config(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    start(&it, c, CATALOG__CONFIG_ENTRIES);
    for (const struct catalog_config_entry *e; (e = catalog__radix_next(&it)) != NULL;) {
        struct linked l = {c, e};
        assert(catalog_config_schema(e->kind) && catalog__get_config(v, e->kind, e->name) == e);
        catalog__config_links(e, check_link, &l);
    }
    catalog__radix_end(&it);
    start(&it, c, CATALOG__CONFIG_LINKS);
    for (const struct catalog_config_entry *e; (e = catalog__radix_next(&it)) != NULL;) {
        assert(catalog__get_config(v, e->kind, e->name) == e);
    }
    catalog__radix_end(&it);
    assert(keys_in(c, CATALOG__CONFIG_ENTRIES) == v->count[CATALOG__TABLE_CONFIG]);
}

static void check_queries(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    size_t named = 0, templates = 0, bound = 0;
    start(&it, c, CATALOG__QUERIES);
    for (const struct catalog_prepared_query *q; (q = catalog__radix_next(&it)) != NULL;) {
        assert(catalog__get_query(v, q->id) == q);
        assert(q->name.len == 0 || catalog__get_query_named(v, q->name) == q);
        assert(q->template_.type.len == 0 || catalog__get_query_template(v, q->name) == q);
        assert(q->session.len == 0 || catalog__get_session(v, q->session));
        named += q->name.len > 0;
        templates += q->template_.type.len > 0;
        bound += q->session.len > 0;
    }
    catalog__radix_end(&it);
    assert(keys_in(c, CATALOG__QUERIES) == v->count[CATALOG__TABLE_QUERIES]);
    assert(keys_in(c, CATALOG__QUERIES_BY_NAME) == named);
    assert(keys_in(c, CATALOG__QUERY_TEMPLATES) == templates);
    assert(keys_in(c, CATALOG__QUERIES_BY_SESSION) == bound);
}

static void check_gateways(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    start(&it, c, CATALOG__GATEWAY_SERVICES);
    for (const struct catalog_gateway_service *s; (s = catalog__radix_next(&it)) != NULL;) {
        const struct mu_str names[] = {s->service.name, s->gateway.name};
        assert(catalog__get_config(v, s->gateway_kind, s->gateway.name));
        assert(stands_below(c, CATALOG__GATEWAYS_BY_SERVICE, names, 2, s));
        assert(s->create_index <= s->modify_index && s->modify_index <= v->index);
    }
    catalog__radix_end(&it);
    assert(keys_in(c, CATALOG__GATEWAY_SERVICES) == v->count[CATALOG__TABLE_GATEWAYS]);
    assert(keys_in(c, CATALOG__GATEWAYS_BY_SERVICE) == v->count[CATALOG__TABLE_GATEWAYS]);
}

/* Numbers go on without a gap; each is free, or its service has it and something speaks mTLS for
 * it. */
static void check_virtual(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    uint64_t number = 0, is_free = 0;
    start(&it, c, CATALOG__VIRTUAL_IPS);
    for (const struct catalog__virtual_ip *ip; (ip = catalog__radix_next(&it)) != NULL;) {
        assert(ip->number == ++number);
        assert(ip->service.len == 0 || catalog__get_virtual(v, ip->service) == ip);
        is_free += ip->service.len == 0;
    }
    catalog__radix_end(&it);
    start(&it, c, CATALOG__SERVICES_BY_TARGET);
    for (const struct catalog__instance *i; (i = catalog__radix_next(&it)) != NULL;) {
        assert(catalog__get_virtual(v, catalog__instance_target(i)));
    }
    catalog__radix_end(&it);
    assert(number == v->count[CATALOG__TABLE_VIRTUAL]);
    assert(keys_in(c, CATALOG__VIRTUAL_FREE) == is_free);
    assert(keys_in(c, CATALOG__VIRTUAL_BY_SERVICE) == number - is_free);
}

static void check_intentions(const struct catalog *c)
{
    struct catalog__radix_iter it;
    const struct catalog__version *v = atomic_load(&c->current);
    start(&it, c, CATALOG__INTENTIONS);
    for (const struct catalog_intention *x; (x = catalog__radix_next(&it)) != NULL;) {
        const struct mu_str to[] = {x->destination_ns, x->destination_name};
        assert(catalog__get_intention(v, x->id) == x);
        assert(catalog__get_intention_for(v, x->source_ns, x->source_name, x->destination_ns,
                                          x->destination_name) == x);
        assert(stands_below(c, CATALOG__INTENTIONS_BY_DESTINATION, to, 2, x));
        assert(x->precedence == catalog__intention_precedence(x));
    }
    catalog__radix_end(&it);
    assert(keys_in(c, CATALOG__INTENTIONS) == v->count[CATALOG__TABLE_INTENTIONS]);
    assert(keys_in(c, CATALOG__INTENTIONS_BY_PAIR) == v->count[CATALOG__TABLE_INTENTIONS]);
    assert(keys_in(c, CATALOG__INTENTIONS_BY_DESTINATION) == v->count[CATALOG__TABLE_INTENTIONS]);
}

void catalog__check(const struct catalog *c)
{
    const struct catalog__version *v = atomic_load(&c->current);
    struct expected e = {.with_id = 0};
    check_nodes(c, &e);
    check_services(c, &e);
    check_checks(c, &e);
    check_coordinates(c);
    check_config(c);
    check_sessions(c);
    check_locks(c);
    check_queries(c);
    check_gateways(c);
    check_virtual(c);
    check_intentions(c);
    assert(keys_in(c, CATALOG__NODES) == v->count[CATALOG__TABLE_NODES]);
    assert(keys_in(c, CATALOG__NODES_BY_ID) == e.with_id);
    assert(keys_in(c, CATALOG__SERVICES) == v->count[CATALOG__TABLE_SERVICES]);
    assert(keys_in(c, CATALOG__SERVICES_BY_NAME) == v->count[CATALOG__TABLE_SERVICES]);
    assert(keys_in(c, CATALOG__SERVICES_BY_TARGET) == e.with_target);
    assert(keys_in(c, CATALOG__NODES_BY_ADDRESS) == e.nodes_at);
    assert(keys_in(c, CATALOG__SERVICES_BY_ADDRESS) == e.services_at);
    assert(keys_in(c, CATALOG__CHECKS) == v->count[CATALOG__TABLE_CHECKS]);
    assert(keys_in(c, CATALOG__CHECKS_BY_INSTANCE) == v->count[CATALOG__TABLE_CHECKS]);
    assert(keys_in(c, CATALOG__CHECKS_BY_STATUS) == v->count[CATALOG__TABLE_CHECKS]);
    assert(keys_in(c, CATALOG__CHECKS_BY_SERVICE) == e.with_service);
    assert(keys_in(c, CATALOG__KEYS) == v->count[CATALOG__TABLE_KEYS]);
    assert(keys_in(c, CATALOG__TOMBSTONES) == v->count[CATALOG__TABLE_TOMBSTONES]);
    keys_in(c, CATALOG__SERVICE_INDEXES);
    assert(keys_in(c, CATALOG__AUTOPILOT) == v->count[CATALOG__TABLE_AUTOPILOT]);
    assert(keys_in(c, CATALOG__CA_CONFIG) == v->count[CATALOG__TABLE_CA_CONFIG]);
    assert(keys_in(c, CATALOG__CA_ROOTS) == v->count[CATALOG__TABLE_CA_ROOTS]);
    assert(keys_in(c, CATALOG__CA_STATES) == v->count[CATALOG__TABLE_CA_STATES]);
    assert(keys_in(c, CATALOG__COORDINATES) == v->count[CATALOG__TABLE_COORDINATES]);
}
