/* apply_register.c - registrations: a node with what comes along, all of it or nothing. */
#include "apply.h"
#include "msgpack.h"
#include "tables.h"
#include "types.h"

/* ---- The node ---- */

/* Is the name taken by another node that is alive? A node without id gives way to one that brings
 * an id, and one whose gossip check is critical, or that has none (an external one), gives way to
 * anybody. */
static const struct catalog_node *
name_holder(const struct catalog *c, const struct catalog_node *node, bool may_take_nameless)
{
    const struct catalog_node *holder = catalog__get_node(c->draft, node->node);
    if (!holder || mu__str_ieq(holder->id, node->id) ||
        (holder->id.len == 0 && may_take_nameless)) {
        return NULL;
    }
    const struct catalog_check *serf =
        catalog__get_check(c->draft, holder->node, mu__cstr("serfHealth"));
    return serf && !mu__str_is(serf->status, "critical") ? holder : NULL;
}

static void say_name_is_taken(struct catalog__text *why, const struct catalog_node *node,
                              const struct catalog_node *holder, bool say_address)
{
    catalog__say(why, "Error while renaming Node ID: ");
    catalog__say_quoted(why, node->id);
    if (say_address) {
        catalog__say(why, " (");
        catalog__say_str(why, node->address);
        catalog__say(why, ")");
    }
    catalog__say(why, ": Node name ");
    catalog__say_str(why, node->node);
    catalog__say(why, " is reserved by node ");
    catalog__say_str(why, holder->id);
    catalog__say(why, " with name ");
    catalog__say_str(why, holder->node);
    catalog__say(why, " (");
    catalog__say_str(why, holder->address);
    catalog__say(why, ")");
}

/* A node that keeps its id may change its name: the old name goes with all that was on it, since
 * the agent registers its services again. An id that is new takes over the name if it may. */
bool catalog__ensure_node(struct catalog *c, struct catalog_node *node, struct catalog__text *why)
{
    const struct catalog_node *before = NULL;
    if (node->id.len) {
        before = catalog__get_node_by_id(c->draft, node->id);
        bool is_rename = before && !mu__str_eq(before->node, node->node);
        const struct catalog_node *holder =
            before && !is_rename ? NULL : name_holder(c, node, !before);
        if (holder) {
            say_name_is_taken(why, node, holder, before != NULL);
            return false;
        }
        if (is_rename) {
            node->create_index = before->create_index;
            node->modify_index = c->index;
            catalog__remove_node(c, before->node);
            catalog__put_node(c, node);
            return true;
        }
    }
    before = before ? before : catalog__get_node(c->draft, node->node);
    node->create_index = before ? before->create_index : c->index;
    node->modify_index = before ? before->modify_index : c->index;
    if (!before || !mu__schema_equal(&catalog__node_schema, before, node)) {
        node->modify_index = c->index;
        catalog__put_node(c, node);
    }
    return true;
}

static void register_node(struct catalog *c, const struct catalog_register_request *r,
                          struct catalog_result *result)
{
    if (r->skip_node_update && catalog__get_node(c->draft, r->node)) {
        return;
    }
    struct catalog_node node = {
        .id = r->id,
        .node = r->node,
        .address = r->address,
        .datacenter = r->datacenter,
        .tagged_addresses = r->tagged_addresses,
        .meta = r->node_meta,
    };
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    catalog__say(&why, "failed inserting node: ");
    if (!catalog__ensure_node(c, &node, &why)) {
        catalog__refuse(c, result, &why);
    }
}

/* ---- The service ---- */

#define META_PAIRS_MAX 64u
#define META_KEY_MAX   128u
#define META_VALUE_MAX 512u
#define WEIGHT_MAX     65535

static bool is_meta_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Why a pair of metadata is not taken; NULL: it is. Mesh gateways may say that they serve
 * federation. */
static const char *check_pair(const struct mu_pair *p, struct mu_str kind)
{
    static const char reserved[] = "consul-";
    if (p->key.len == 0) {
        return "Key cannot be blank";
    }
    for (size_t i = 0; i < p->key.len; i++) {
        if (!is_meta_key_char(p->key.p[i])) {
            return "Key contains invalid characters";
        }
    }
    if (p->key.len > META_KEY_MAX) {
        return "Key is too long (limit: 128 characters)";
    }
    struct mu_str head = {p->key.p, mu__min(p->key.len, sizeof reserved - 1)};
    bool is_allowed =
        mu__str_is(kind, "mesh-gateway") && mu__str_is(p->key, "consul-wan-federation");
    if (mu__str_is(head, reserved) && !is_allowed) {
        return "Key prefix 'consul-' is reserved for internal use";
    }
    return p->value.len > META_VALUE_MAX ? "Value is too long (limit: 512 characters)" : NULL;
}

static void say_bad_meta(struct catalog__text *why, const struct catalog__instance *i)
{
    catalog__say(why, "Invalid Service Meta for node ");
    catalog__say_str(why, i->node);
    catalog__say(why, " and serviceID ");
    catalog__say_str(why, i->service.id);
    catalog__say(why, ": ");
}

static bool check_meta(const struct catalog__instance *i, struct catalog__text *why)
{
    const struct mu_strmap *meta = &i->service.meta;
    if (meta->len > META_PAIRS_MAX) {
        say_bad_meta(why, i);
        catalog__say(why, "Node metadata cannot contain more than 64 key/value pairs");
        return false;
    }
    for (size_t n = 0; n < meta->len; n++) {
        const char *bad = check_pair(&meta->items[n], i->service.kind);
        if (bad) {
            say_bad_meta(why, i);
            catalog__say(why, "Couldn't load metadata pair ('");
            catalog__say_str(why, meta->items[n].key);
            catalog__say(why, "', '");
            catalog__say_str(why, meta->items[n].value);
            catalog__say(why, "'): ");
            catalog__say(why, bad);
            return false;
        }
    }
    return true;
}

/* Weights that make no sense count as none. */
static bool are_weights(const struct catalog_weights *w)
{
    return w && w->passing >= 1 && w->passing <= WEIGHT_MAX && w->warning >= 0 &&
           w->warning <= WEIGHT_MAX;
}

bool catalog__ensure_service(struct catalog *c, struct mu_str node,
                             const struct catalog_node_service *service, struct catalog__text *why)
{
    struct catalog_weights even = {1, 1};
    struct catalog__instance i = {.service = *service, .node = node};
    i.service.weights = are_weights(i.service.weights) ? i.service.weights : &even;
    i.service.connect.sidecar_service = NULL;
    i.service.locally_registered_as_sidecar = false;
    const struct catalog__instance *before = catalog__get_instance(c->draft, i.node, i.service.id);
    i.service.create_index = before ? before->service.create_index : c->index;
    i.service.modify_index = before ? before->service.modify_index : c->index;
    if (before && mu__schema_equal(&catalog__instance_schema, before, &i)) {
        return true;
    }
    if (!check_meta(&i, why)) {
        return false;
    }
    if (!catalog__get_node(c->draft, node)) {
        catalog__say(why, "Missing node registration");
        return false;
    }
    if (i.service.id.len == 0) {
        catalog__say(why, "failed inserting service: object missing primary index");
        return false;
    }
    i.service.modify_index = c->index;
    catalog__put_instance(c, &i);
    return true;
}

static void register_service(struct catalog *c, const struct catalog_register_request *r,
                             struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    catalog__say(&why, "failed inserting service: ");
    if (!catalog__ensure_service(c, r->node, r->service, &why)) {
        catalog__refuse(c, result, &why);
    }
}

/* ---- Checks ---- */

static void refuse_check_node(struct catalog *c, struct mu_str given, struct mu_str node,
                              struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text t = catalog__text(buf, sizeof buf);
    catalog__say(&t, "check node ");
    catalog__say_quoted(&t, given);
    catalog__say(&t, " does not match node ");
    catalog__say_quoted(&t, node);
    catalog__refuse(c, result, &t);
}

/* A check that says what is known moves the index of the table alone, as in Consul, and wakes
 * nobody. */
bool catalog__ensure_check(struct catalog *c, const struct catalog_check *given,
                           struct catalog__text *why)
{
    struct catalog_check check = *given;
    if (!catalog__get_node(c->draft, check.node)) {
        catalog__say(why, "Missing node registration");
        return false;
    }
    if (check.service_id.len) {
        const struct catalog__instance *i =
            catalog__get_instance(c->draft, check.node, check.service_id);
        if (!i) {
            catalog__say(why, "Missing service registration");
            return false;
        }
        check.service_name = i->service.service;
        check.service_tags = i->service.tags;
    }
    if (check.check_id.len == 0) {
        catalog__say(why, "failed inserting check: object missing primary index");
        return false;
    }
    const struct catalog_check *before = catalog__get_check(c->draft, check.node, check.check_id);
    check.create_index = before ? before->create_index : c->index;
    check.modify_index = before ? before->modify_index : c->index;
    if (before && mu__schema_equal(&catalog__check_schema, before, &check)) {
        catalog__table_changed(c, CATALOG__TABLE_CHECKS);
        return true;
    }
    check.modify_index = c->index;
    catalog__put_check(c, &check);
    return true;
}

static void register_check(struct catalog *c, const struct catalog_register_request *r,
                           const struct catalog_check *check, struct catalog_result *result)
{
    if (!mu__str_eq(check->node, r->node)) {
        refuse_check_node(c, check->node, r->node, result);
        return;
    }
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    catalog__say(&why, "failed inserting check: ");
    if (!catalog__ensure_check(c, check, &why)) {
        catalog__say(&why, " on node ");
        catalog__say_quoted(&why, r->node);
        catalog__refuse(c, result, &why);
    }
}

/* ---- The entry ---- */

static void register_all(struct catalog *c, const struct catalog_register_request *r,
                         struct catalog_result *result)
{
    register_node(c, r, result);
    if (r->service && !catalog__is_refused(result)) {
        register_service(c, r, result);
    }
    for (size_t i = 0; i < r->checks.len && !catalog__is_refused(result); i++) {
        register_check(c, r, r->checks.items[i], result);
    }
}

void catalog__apply_register(struct catalog *c, struct catalog_register_request *r,
                             struct catalog_result *result)
{
    char buf[CATALOG__TEXT_MAX];
    void **room = mu__arena_calloc(&c->scratch, r->checks.len + 1, sizeof *room);
    if (!room) {
        return;
    }
    const char *why = catalog_register_prepare(r, room, buf, sizeof buf);
    if (why) {
        catalog__refuse_cstr(c, result, why);
        return;
    }
    struct catalog__savepoint sp;
    catalog__savepoint(c, &sp);
    register_all(c, r, result);
    if (catalog__is_refused(result) || c->is_void) {
        catalog__savepoint_rollback(c, &sp);
    } else {
        catalog__savepoint_release(c, &sp);
    }
}

void catalog__apply_deregister(struct catalog *c, const struct catalog_deregister_request *r,
                               struct catalog_result *result)
{
    const char *why = catalog_deregister_check(r);
    if (why) {
        catalog__refuse_cstr(c, result, why);
    } else if (r->service_id.len) {
        catalog__remove_instance(c, r->node, r->service_id);
    } else if (r->check_id.len) {
        catalog__remove_check(c, r->node, r->check_id);
    } else {
        catalog__remove_node(c, r->node);
    }
}
