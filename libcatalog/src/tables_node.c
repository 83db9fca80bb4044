/* tables_node.c - nodes, their services and checks. */
#include "key.h"
#include "msgpack.h"
#include "planted.h"
#include "tables.h"
#include "tables_gateway.h"
#include "tables_virtual.h"
#include "touched.h"
#include "types.h"

/* A list of names; the node stands for itself in most of them. */
#define NAMES(...) ((const struct mu_str[]){__VA_ARGS__})

static void count_change(struct catalog *c, enum catalog__table t, bool is_new)
{
    if (is_new && !c->is_void) {
        c->draft->count[t]++;
    }
    catalog__table_changed(c, t);
}

static void count_removal(struct catalog *c, enum catalog__table t)
{
    if (!c->is_void) {
        c->draft->count[t]--;
    }
    catalog__table_changed(c, t);
}

/* ---- Nodes ---- */

static void touch_address(struct catalog *c, char kind, struct mu_str address)
{
    if (address.len) {
        catalog__touch_name(c, kind, catalog__key_part(address));
    }
}

static void touch_node(struct catalog *c, const struct catalog_node *node)
{
    catalog__touch_name(c, CATALOG__WATCH_NODE, node->node);
    touch_address(c, CATALOG__WATCH_ADDRESS, node->address);
    if (node->id.len) {
        catalog__touch_name(c, CATALOG__WATCH_NODE_ID, node->id);
    }
}

/* Takes a node out of the trees that lend it. */
static void unlink_node(struct catalog *c, const struct catalog_node *n)
{
    if (n->id.len) {
        catalog__tree_remove(c, CATALOG__NODES_BY_ID, &n->id, 1);
    }
    if (n->address.len) {
        catalog__tree_remove(c, CATALOG__NODES_BY_ADDRESS,
                             NAMES(catalog__key_part(n->address), n->node), 2);
    }
}

static void link_node(struct catalog *c, struct catalog_node *n)
{
    if (n->id.len) {
        catalog__tree_put(c, CATALOG__NODES_BY_ID, &n->id, 1, n);
    }
    if (n->address.len) {
        catalog__tree_put(c, CATALOG__NODES_BY_ADDRESS,
                          NAMES(catalog__key_part(n->address), n->node), 2, n);
    }
}

void catalog__put_node(struct catalog *c, const struct catalog_node *node)
{
    struct catalog_node *record = catalog__clone(c, &catalog__node_schema, node);
    const struct catalog_node *old =
        catalog__tree_put(c, CATALOG__NODES, NAMES(node->node), 1, record);
    if (c->is_void) {
        catalog__discard(c, old);
        return;
    }
    if (old) {
        unlink_node(c, old);
    }
    if (old && !CATALOG__PLANTED(WAKE_MISSED_ADDRESS)) {
        touch_node(c, old);
    }
    link_node(c, record);
    touch_node(c, record);
    count_change(c, CATALOG__TABLE_NODES, !old);
    catalog__services_of_node_changed(c, record->node, true);
    catalog__discard(c, old);
}

void catalog__remove_node(struct catalog *c, struct mu_str given)
{
    const struct catalog_node *node = catalog__get_node(c->draft, given);
    if (!node) {
        return;
    }
    struct catalog__found services = catalog__gather(c, CATALOG__SERVICES, &node->node, 1);
    for (size_t i = 0; i < services.len; i++) {
        const struct catalog__instance *instance = services.items[i];
        catalog__remove_instance(c, node->node, instance->service.id);
    }
    struct catalog__found checks = catalog__gather(c, CATALOG__CHECKS, &node->node, 1);
    for (size_t i = 0; i < checks.len; i++) {
        const struct catalog_check *check = checks.items[i];
        catalog__remove_check(c, node->node, check->check_id);
    }
    catalog__remove_coordinates(c, node->node);
    if (!CATALOG__PLANTED(CASCADE_SESSIONS)) {
        catalog__end_sessions_of_node(c, node->node);
    }
    unlink_node(c, node);
    touch_node(c, node);
    count_removal(c, CATALOG__TABLE_NODES);
    catalog__discard(c, catalog__tree_remove(c, CATALOG__NODES, &node->node, 1));
}

/* ---- Services ---- */

/* Takes an instance out of the trees that lend it. */
static void unlink_instance(struct catalog *c, const struct catalog__instance *i)
{
    struct mu_str target = catalog__instance_target(i);
    catalog__tree_remove(c, CATALOG__SERVICES_BY_NAME,
                         NAMES(i->service.service, i->node, i->service.id), 3);
    if (target.len) {
        catalog__tree_remove(c, CATALOG__SERVICES_BY_TARGET, NAMES(target, i->node, i->service.id),
                             3);
    }
    if (i->service.address.len) {
        struct mu_str address = catalog__key_part(i->service.address);
        catalog__tree_remove(c, CATALOG__SERVICES_BY_ADDRESS,
                             NAMES(address, i->node, i->service.id), 3);
    }
}

static void link_instance(struct catalog *c, struct catalog__instance *i)
{
    struct mu_str target = catalog__instance_target(i);
    catalog__tree_put(c, CATALOG__SERVICES_BY_NAME,
                      NAMES(i->service.service, i->node, i->service.id), 3, i);
    if (target.len) {
        catalog__tree_put(c, CATALOG__SERVICES_BY_TARGET, NAMES(target, i->node, i->service.id), 3,
                          i);
    }
    if (i->service.address.len) {
        struct mu_str address = catalog__key_part(i->service.address);
        catalog__tree_put(c, CATALOG__SERVICES_BY_ADDRESS, NAMES(address, i->node, i->service.id),
                          3, i);
    }
}

static void touch_instance(struct catalog *c, const struct catalog__instance *i)
{
    struct mu_str target = catalog__instance_target(i);
    catalog__touch_name(c, CATALOG__WATCH_INSTANCES, i->service.service);
    catalog__touch_name(c, CATALOG__WATCH_CATALOG, i->service.service);
    catalog__touch_name(c, CATALOG__WATCH_OF_NODE, i->node);
    touch_address(c, CATALOG__WATCH_AT, i->service.address);
    if (target.len) {
        catalog__touch_name(c, CATALOG__WATCH_TARGET, target);
    }
}

static bool has_instances(struct catalog *c, struct mu_str name)
{
    struct catalog__radix_iter it;
    catalog__below(&it, &c->allocator, c->draft, CATALOG__SERVICES_BY_NAME, &name, 1);
    bool has = catalog__radix_next(&it) != NULL;
    c->is_void |= it.failed;
    catalog__radix_end(&it);
    return has;
}

/* An instance of the service went: the index of the service moves, or goes if that was the last
 * one. From then on who asks for a service that is not there is told when one last disappeared, so
 * that no index goes back. */
static void service_lost_instance(struct catalog *c, struct mu_str name)
{
    if (has_instances(c, name)) {
        catalog__service_changed(c, name);
        return;
    }
    catalog__discard(c, catalog__tree_remove(c, CATALOG__SERVICE_INDEXES, &name, 1));
    catalog__touch_name(c, CATALOG__WATCH_HEALTH, name);
    if (!CATALOG__PLANTED(INDEX_FORGETS_SERVICE) || !c->draft->table[CATALOG__TABLE_EXTINCTION]) {
        catalog__table_changed(c, CATALOG__TABLE_EXTINCTION);
    }
}

void catalog__put_instance(struct catalog *c, const struct catalog__instance *instance)
{
    struct catalog__instance *record = catalog__clone(c, &catalog__instance_schema, instance);
    const struct catalog__instance *old = catalog__tree_put(
        c, CATALOG__SERVICES, NAMES(instance->node, instance->service.id), 2, record);
    if (c->is_void) {
        catalog__discard(c, old);
        return;
    }
    if (old) {
        unlink_instance(c, old);
        touch_instance(c, old);
    }
    link_instance(c, record);
    touch_instance(c, record);
    count_change(c, CATALOG__TABLE_SERVICES, !old);
    if (!old || !CATALOG__PLANTED(INDEX_FORGETS_UPDATE)) {
        catalog__service_changed(c, record->service.service);
    }
    if (old && !mu__str_ieq(old->service.service, record->service.service)) {
        service_lost_instance(c, old->service.service);
        catalog__gateways_follow(c, old->service.service);
    }
    catalog__gateways_follow(c, record->service.service);
    catalog__virtual_follow(c, catalog__instance_target(record));
    if (old) {
        catalog__virtual_follow(c, catalog__instance_target(old));
    }
    catalog__discard(c, old);
}

void catalog__remove_instance(struct catalog *c, struct mu_str node, struct mu_str id)
{
    const struct catalog__instance *i = catalog__get_instance(c->draft, node, id);
    if (!i) {
        return;
    }
    struct catalog__found checks =
        catalog__gather(c, CATALOG__CHECKS_BY_INSTANCE, NAMES(i->node, i->service.id), 2);
    for (size_t n = 0; n < checks.len && !CATALOG__PLANTED(CASCADE_CHECKS); n++) {
        const struct catalog_check *check = checks.items[n];
        catalog__remove_check(c, check->node, check->check_id);
    }
    catalog__table_changed(c, CATALOG__TABLE_CHECKS);
    unlink_instance(c, i);
    touch_instance(c, i);
    count_removal(c, CATALOG__TABLE_SERVICES);
    const struct catalog__instance *gone =
        catalog__tree_remove(c, CATALOG__SERVICES, NAMES(i->node, i->service.id), 2);
    service_lost_instance(c, i->service.service);
    catalog__gateways_follow(c, i->service.service);
    catalog__virtual_follow(c, catalog__instance_target(i));
    catalog__discard(c, gone);
}

/* ---- Checks ---- */

static void unlink_check(struct catalog *c, const struct catalog_check *k)
{
    catalog__tree_remove(c, CATALOG__CHECKS_BY_INSTANCE, NAMES(k->node, k->service_id, k->check_id),
                         3);
    catalog__tree_remove(c, CATALOG__CHECKS_BY_STATUS, NAMES(k->status, k->node, k->check_id), 3);
    if (k->service_name.len) {
        catalog__tree_remove(c, CATALOG__CHECKS_BY_SERVICE,
                             NAMES(k->service_name, k->node, k->check_id), 3);
    }
}

static void link_check(struct catalog *c, struct catalog_check *k)
{
    catalog__tree_put(c, CATALOG__CHECKS_BY_INSTANCE, NAMES(k->node, k->service_id, k->check_id), 3,
                      k);
    catalog__tree_put(c, CATALOG__CHECKS_BY_STATUS, NAMES(k->status, k->node, k->check_id), 3, k);
    if (k->service_name.len) {
        catalog__tree_put(c, CATALOG__CHECKS_BY_SERVICE,
                          NAMES(k->service_name, k->node, k->check_id), 3, k);
    }
}

/* A check came, changed or went. What it bears on: its service, or all services of its node. */
static void check_changed(struct catalog *c, const struct catalog_check *k)
{
    catalog__touch_name(c, CATALOG__WATCH_CHECKS, k->node);
    catalog__touch_name(c, CATALOG__WATCH_STATUS, k->status);
    if (k->service_name.len) {
        catalog__touch_name(c, CATALOG__WATCH_SERVICE, k->service_name);
    }
    if (k->service_id.len == 0) {
        catalog__services_of_node_changed(c, k->node, false);
        return;
    }
    const struct catalog__instance *i = catalog__get_instance(c->draft, k->node, k->service_id);
    if (!i) {
        return;
    }
    struct mu_str target = catalog__instance_target(i);
    catalog__service_changed(c, i->service.service);
    if (target.len) {
        catalog__touch_name(c, CATALOG__WATCH_TARGET, target);
    }
}

void catalog__put_check(struct catalog *c, const struct catalog_check *check)
{
    struct catalog_check *record = catalog__clone(c, &catalog__check_schema, check);
    const struct catalog_check *old =
        catalog__tree_put(c, CATALOG__CHECKS, NAMES(check->node, check->check_id), 2, record);
    if (c->is_void) {
        catalog__discard(c, old);
        return;
    }
    if (old) {
        unlink_check(c, old);
    }
    if (old && !CATALOG__PLANTED(WAKE_MISSED_STATUS)) {
        check_changed(c, old);
    }
    link_check(c, record);
    check_changed(c, record);
    count_change(c, CATALOG__TABLE_CHECKS, !old);
    if (mu__str_is(record->status, "critical") && !CATALOG__PLANTED(CASCADE_CRITICAL)) {
        catalog__end_sessions_of_check(c, record);
    }
    catalog__discard(c, old);
}

void catalog__remove_check(struct catalog *c, struct mu_str node, struct mu_str id)
{
    const struct catalog_check *k = catalog__get_check(c->draft, node, id);
    if (!k) {
        return;
    }
    catalog__end_sessions_of_check(c, k);
    unlink_check(c, k);
    check_changed(c, k);
    count_removal(c, CATALOG__TABLE_CHECKS);
    catalog__discard(c, catalog__tree_remove(c, CATALOG__CHECKS, NAMES(k->node, k->check_id), 2));
}
