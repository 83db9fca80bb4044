/* check.c - the whole structure of a catalog, asserted. Tests and fuzzers call it; it costs a walk
 * over everything. */
#include <assert.h>

#include "records.h"

static size_t keys_in(const struct catalog *c, enum catalog__tree t)
{
    return catalog__radix_check(atomic_load(&c->current)->root[t], &c->allocator);
}

/* Every record of a primary tree is found by each of its other names; that the trees have as many
 * keys shows that nothing else is in them. */
struct expected {
    size_t with_id, with_target, with_service;
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
        e->with_id += n->id.len > 0;
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
        e->with_target += target.len > 0;
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

void catalog__check(const struct catalog *c)
{
    const struct catalog__version *v = atomic_load(&c->current);
    struct expected e = {0, 0, 0};
    check_nodes(c, &e);
    check_services(c, &e);
    check_checks(c, &e);
    check_coordinates(c);
    assert(keys_in(c, CATALOG__NODES) == v->count[CATALOG__TABLE_NODES]);
    assert(keys_in(c, CATALOG__NODES_BY_ID) == e.with_id);
    assert(keys_in(c, CATALOG__SERVICES) == v->count[CATALOG__TABLE_SERVICES]);
    assert(keys_in(c, CATALOG__SERVICES_BY_NAME) == v->count[CATALOG__TABLE_SERVICES]);
    assert(keys_in(c, CATALOG__SERVICES_BY_TARGET) == e.with_target);
    assert(keys_in(c, CATALOG__CHECKS) == v->count[CATALOG__TABLE_CHECKS]);
    assert(keys_in(c, CATALOG__CHECKS_BY_INSTANCE) == v->count[CATALOG__TABLE_CHECKS]);
    assert(keys_in(c, CATALOG__CHECKS_BY_STATUS) == v->count[CATALOG__TABLE_CHECKS]);
    assert(keys_in(c, CATALOG__CHECKS_BY_SERVICE) == e.with_service);
    assert(keys_in(c, CATALOG__KEYS) == v->count[CATALOG__TABLE_KEYS]);
    assert(keys_in(c, CATALOG__TOMBSTONES) == v->count[CATALOG__TABLE_TOMBSTONES]);
    keys_in(c, CATALOG__SERVICE_INDEXES);
    assert(keys_in(c, CATALOG__AUTOPILOT) == v->count[CATALOG__TABLE_AUTOPILOT]);
    assert(keys_in(c, CATALOG__COORDINATES) == v->count[CATALOG__TABLE_COORDINATES]);
}
