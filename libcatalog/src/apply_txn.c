/* apply_txn.c - transactions: all operations one after the other on the draft, and all of them or
 * none (http-api 5.3). */
#include "apply.h"
#include "msgpack.h"
#include "tables.h"
#include "txn.h"

/* ---- Errors ---- */

/* failed to <set|delete|...> <kind> "<name>"[ on node "<node>"]<after> */
static void failed_to(struct catalog__txn *t, const char *what, struct mu_str name,
                      const struct mu_str *node, const char *after)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text text = catalog__text(buf, sizeof buf);
    catalog__say(&text, "failed to ");
    catalog__say(&text, what);
    catalog__say_quoted(&text, name);
    if (node) {
        catalog__say(&text, " on node ");
        catalog__say_quoted(&text, *node);
    }
    catalog__say(&text, after);
    catalog__txn_error(t, &text);
}

static const char stale[] = ", index is stale";

/* ---- Keys ---- */

static void condition_failed(struct catalog__txn *t, const struct catalog_txn_kv_op *op)
{
    struct mu_str key = op->dir_ent.key;
    if (mu__str_is(op->verb, "cas")) {
        failed_to(t, "set key ", key, NULL, stale);
    } else if (mu__str_is(op->verb, "delete-cas")) {
        failed_to(t, "delete key ", key, NULL, stale);
    } else if (mu__str_is(op->verb, "lock")) {
        failed_to(t, "lock key ", key, NULL, ", lock is already held");
    } else {
        failed_to(t, "unlock key ", key, NULL, ", lock isn't held, or is held by another session");
    }
}

static bool is_kvs_operation(struct mu_str verb)
{
    static const char *const verbs[] = {"set",    "cas",         "lock",      "unlock",
                                        "delete", "delete-tree", "delete-cas"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (mu__str_is(verb, verbs[i])) {
            return true;
        }
    }
    return false;
}

/* What writes to a key is what KVS.Apply does, with its refusals. */
static void write_key(struct catalog *c, struct catalog__txn *t, const struct catalog_txn_kv_op *op)
{
    if (!is_kvs_operation(op->verb)) {
        catalog__txn_unknown_verb(t, "KV", op->verb);
        return;
    }
    struct catalog_kvs_request alone = {.op = op->verb, .dir_ent = op->dir_ent};
    struct catalog_result result = {.kind = CATALOG_RESULT_NONE};
    catalog__apply_kvs(c, &alone, &result);
    if (catalog__is_refused(&result)) {
        char buf[CATALOG__TEXT_MAX];
        struct catalog__text what = catalog__text(buf, sizeof buf);
        catalog__say_str(&what, result.error);
        catalog__txn_error(t, &what);
    } else if (result.kind == CATALOG_RESULT_BOOL && !result.value) {
        condition_failed(t, op);
    } else if (mu__str_is(op->verb, "set") || mu__str_is(op->verb, "cas") ||
               mu__str_is(op->verb, "lock") || mu__str_is(op->verb, "unlock")) {
        catalog__txn_add_key(t, catalog__get_key(c->draft, op->dir_ent.key), false);
    }
}

/* ---- Nodes, services, checks ---- */

enum verb { VERB_SET, VERB_CAS, VERB_DELETE, VERB_DELETE_CAS, VERB_UNKNOWN };

static enum verb verb_of(struct mu_str s)
{
    static const char *const names[] = {"set", "cas", "delete", "delete-cas"};
    for (size_t i = 0; i < VERB_UNKNOWN; i++) {
        if (mu__str_is(s, names[i])) {
            return (enum verb)i;
        }
    }
    return VERB_UNKNOWN;
}

/* Is what is there (NULL: nothing) what the operation wants to replace or to delete? For cas, index
 * 0 asks for a record that is not there yet. */
static bool condition_holds(enum verb verb, const uint64_t *modify_index, uint64_t wanted)
{
    switch (verb) {
    case VERB_CAS:
        return modify_index ? *modify_index == wanted && wanted : wanted == 0;
    case VERB_DELETE_CAS:
        return modify_index && *modify_index == wanted;
    default:
        return true;
    }
}

/* The condition of the operation, if it has one; what fails it is an error. */
static bool may_go_on(struct catalog__txn *t, enum verb verb, bool holds, const char *kind,
                      struct mu_str name, const struct mu_str *node)
{
    if (!holds) {
        char what[32];
        struct catalog__text text = catalog__text(what, sizeof what);
        catalog__say(&text, verb == VERB_CAS ? "set " : "delete ");
        catalog__say(&text, kind);
        failed_to(t, what, name, node, stale);
    }
    return holds;
}

static void write_node(struct catalog *c, struct catalog__txn *t,
                       const struct catalog_txn_node_op *op)
{
    enum verb verb = verb_of(op->verb);
    struct catalog_node node = op->node;
    if (verb == VERB_UNKNOWN) {
        catalog__txn_unknown_verb(t, "Node", op->verb);
        return;
    }
    const struct catalog_node *before = catalog__get_node(c->draft, node.node);
    bool holds = condition_holds(verb, before ? &before->modify_index : NULL, node.modify_index);
    if (!may_go_on(t, verb, holds, "node ", node.node, NULL)) {
        return;
    }
    if (verb == VERB_DELETE || verb == VERB_DELETE_CAS) {
        catalog__remove_node(c, node.node);
        return;
    }
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    if (!catalog__ensure_node(c, &node, &why)) {
        catalog__txn_error(t, &why);
    } else if (catalog__txn_find_node(t, &op->node, &before)) {
        catalog__txn_add_node(t, before);
    }
}

static void write_service(struct catalog *c, struct catalog__txn *t,
                          const struct catalog_txn_service_op *op)
{
    enum verb verb = verb_of(op->verb);
    struct mu_str id = op->service.id;
    if (verb == VERB_UNKNOWN) {
        catalog__txn_unknown_verb(t, "Service", op->verb);
        return;
    }
    const struct catalog__instance *before = catalog__get_instance(c->draft, op->node, id);
    bool holds = condition_holds(verb, before ? &before->service.modify_index : NULL,
                                 op->service.modify_index);
    if (!may_go_on(t, verb, holds, "service ", id, &op->node)) {
        return;
    }
    if (verb == VERB_DELETE || verb == VERB_DELETE_CAS) {
        catalog__remove_instance(c, op->node, id);
        return;
    }
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    if (catalog__ensure_service(c, op->node, &op->service, &why)) {
        catalog__txn_add_service(t, catalog__get_instance(c->draft, op->node, id));
    } else {
        catalog__txn_error(t, &why);
    }
}

static void write_check(struct catalog *c, struct catalog__txn *t,
                        const struct catalog_txn_check_op *op)
{
    enum verb verb = verb_of(op->verb);
    const struct catalog_check *check = &op->check;
    if (verb == VERB_UNKNOWN) {
        catalog__txn_unknown_verb(t, "Check", op->verb);
        return;
    }
    const struct catalog_check *before = catalog__get_check(c->draft, check->node, check->check_id);
    bool holds = condition_holds(verb, before ? &before->modify_index : NULL, check->modify_index);
    if (!may_go_on(t, verb, holds, "check ", check->check_id, &check->node)) {
        return;
    }
    if (verb == VERB_DELETE || verb == VERB_DELETE_CAS) {
        catalog__remove_check(c, check->node, check->check_id);
        return;
    }
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    if (catalog__ensure_check(c, check, &why)) {
        catalog__txn_add_check(t, catalog__get_check(c->draft, check->node, check->check_id));
    } else {
        catalog__txn_error(t, &why);
    }
}

/* ---- The entry ---- */

static void write_op(struct catalog *c, struct catalog__txn *t, const struct catalog_txn_op *op)
{
    char buf[64];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    if (op->kv) {
        write_key(c, t, op->kv);
    } else if (op->node) {
        write_node(c, t, op->node);
    } else if (op->service) {
        write_service(c, t, op->service);
    } else if (op->check) {
        write_check(c, t, op->check);
    } else {
        catalog__say(&what, "no operation specified");
        catalog__txn_error(t, &what);
    }
}

/* All of them, also behind one that failed: who asks is told everything that is wrong. What an
 * operation shows must outlive what a later one does to it. */
static void run(struct catalog *c, struct catalog__txn *t, const struct mu_list *ops)
{
    for (t->at = 0; t->at < ops->len && !c->is_void; t->at++) {
        size_t shown = t->results.list.len;
        if (!catalog__txn_look(t, ops->items[t->at])) {
            write_op(c, t, ops->items[t->at]);
        }
        if (t->results.list.len > shown) {
            catalog__space_step(&c->space);
        }
    }
}

static void answer(struct catalog *c, struct catalog_result *result, const struct catalog__txn *t)
{
    struct catalog_txn_response *reply = mu__arena_calloc(&c->scratch, 1, sizeof *reply);
    if (!reply) {
        return; /* the batch is void */
    }
    if (t->errors.list.len) {
        reply->errors = t->errors.list;
    } else {
        reply->results = catalog__txn_results(t);
    }
    result->kind = CATALOG_RESULT_REPLY;
    result->reply = reply;
    result->reply_type = CATALOG_TXN_RESPONSE;
}

void catalog__apply_txn(struct catalog *c, struct catalog_txn_request *r,
                        struct catalog_result *result)
{
    struct catalog__txn t = catalog__txn(&c->scratch, &c->allocator, c->draft);
    struct catalog__savepoint sp;
    catalog__savepoint(c, &sp);
    if (catalog__txn_prepare(&t, &r->ops)) {
        run(c, &t, &r->ops);
    }
    c->is_void |= catalog__txn_failed(&t);
    if (!c->is_void) {
        answer(c, result, &t);
    }
    if (c->is_void || t.errors.list.len) {
        catalog__savepoint_rollback(c, &sp);
    } else {
        catalog__savepoint_lend(c, &sp);
    }
}
