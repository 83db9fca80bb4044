#include "txn.h"

#include "msgpack.h"

#define REASONS_MAX 4096u /* bytes of the reasons that preparing may say in words of its own */

struct catalog__txn catalog__txn(struct mu__arena *arena, const struct mu_allocator *allocator,
                                 const struct catalog__version *v)
{
    return (struct catalog__txn){.arena = arena,
                                 .allocator = allocator,
                                 .v = v,
                                 .results = {.arena = arena},
                                 .errors = {.arena = arena}};
}

bool catalog__txn_failed(const struct catalog__txn *t)
{
    return t->results.failed || t->errors.failed;
}

struct mu_list catalog__txn_results(const struct catalog__txn *t)
{
    struct mu_list l = t->results.list;
    if (!l.items) {
        l.items = mu__arena_calloc(t->arena, 1, sizeof *l.items);
    }
    return l;
}

bool catalog__txn_prepare(struct catalog__txn *t, const struct mu_list *ops)
{
    struct catalog_txn_error *errors = mu__arena_calloc(t->arena, ops->len + 1, sizeof *errors);
    char *reasons = mu__arena_alloc(t->arena, REASONS_MAX);
    if (!errors || !reasons) {
        t->errors.failed = true;
        return false;
    }
    size_t n = catalog_txn_prepare(ops, errors, reasons, REASONS_MAX);
    for (size_t i = 0; i < n; i++) {
        catalog__list_add(&t->errors, &errors[i]);
    }
    return n == 0;
}

/* ---- Errors ---- */

void catalog__txn_error(struct catalog__txn *t, const struct catalog__text *what)
{
    struct catalog_txn_error *e = mu__arena_calloc(t->arena, 1, sizeof *e);
    char *copy = mu__arena_strndup(t->arena, what->p, what->len);
    if (!e || !copy) {
        t->errors.failed = true;
        return;
    }
    *e = (struct catalog_txn_error){(int64_t)t->at, {copy, what->len}};
    catalog__list_add(&t->errors, e);
}

void catalog__txn_unknown_verb(struct catalog__txn *t, const char *kind, struct mu_str verb)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    catalog__say(&what, "unknown ");
    catalog__say(&what, kind);
    catalog__say(&what, " verb ");
    catalog__say_quoted(&what, verb);
    catalog__txn_error(t, &what);
}

/* <before>"<name>"<after> */
static void key_error(struct catalog__txn *t, const char *before, struct mu_str name,
                      const char *after)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    catalog__say(&what, before);
    catalog__say_quoted(&what, name);
    catalog__say(&what, after);
    catalog__txn_error(t, &what);
}

static void on_node_error(struct catalog__txn *t, const char *kind, struct mu_str name,
                          struct mu_str node)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    catalog__say(&what, kind);
    catalog__say_quoted(&what, name);
    catalog__say(&what, " on node ");
    catalog__say_quoted(&what, node);
    catalog__say(&what, " doesn't exist");
    catalog__txn_error(t, &what);
}

/* ---- Results ---- */

static struct catalog_txn_result *new_result(struct catalog__txn *t)
{
    struct catalog_txn_result *r = mu__arena_calloc(t->arena, 1, sizeof *r);
    if (r) {
        catalog__list_add(&t->results, r);
    } else {
        t->results.failed = true;
    }
    return r;
}

/* Only a get shows the value: the others leave it out of the answer. */
void catalog__txn_add_key(struct catalog__txn *t, const struct catalog_dir_entry *entry,
                          bool with_value)
{
    struct catalog_txn_result *r = entry ? new_result(t) : NULL;
    if (!r) {
        return;
    }
    r->kv = catalog__lend(entry);
    if (!with_value) {
        r->kv = mu__arena_memdup(t->arena, entry, sizeof *entry);
        if (r->kv) {
            r->kv->value = (struct mu_str){NULL, 0};
        } else {
            t->results.failed = true;
        }
    }
}

void catalog__txn_add_node(struct catalog__txn *t, const struct catalog_node *node)
{
    struct catalog_txn_result *r = node ? new_result(t) : NULL;
    if (r) {
        r->node = catalog__lend(node);
    }
}

void catalog__txn_add_service(struct catalog__txn *t, const struct catalog__instance *i)
{
    struct catalog_txn_result *r = i ? new_result(t) : NULL;
    if (r) {
        r->service = catalog__lend(&i->service);
    }
}

void catalog__txn_add_check(struct catalog__txn *t, const struct catalog_check *check)
{
    struct catalog_txn_result *r = check ? new_result(t) : NULL;
    if (r) {
        r->check = catalog__lend(check);
    }
}

/* ---- Keys ---- */

static void get_key(struct catalog__txn *t, struct mu_str key)
{
    const struct catalog_dir_entry *entry = catalog__get_key(t->v, key);
    if (!entry) {
        key_error(t, "key ", key, " doesn't exist");
    }
    catalog__txn_add_key(t, entry, true);
}

static void get_tree(struct catalog__txn *t, struct mu_str prefix)
{
    struct catalog__radix_iter it;
    catalog__radix_prefix(&it, t->allocator, t->v->root[CATALOG__KEYS], prefix);
    for (const struct catalog_dir_entry *entry; (entry = catalog__radix_next(&it)) != NULL;) {
        catalog__txn_add_key(t, entry, true);
    }
    t->results.failed |= it.failed;
    catalog__radix_end(&it);
}

static void check_index(struct catalog__txn *t, const struct catalog_dir_entry *wanted)
{
    const struct catalog_dir_entry *entry = catalog__get_key(t->v, wanted->key);
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    if (!entry) {
        key_error(t, "failed to check index, key ", wanted->key, " doesn't exist");
    } else if (entry->modify_index == wanted->modify_index) {
        catalog__txn_add_key(t, entry, false);
    } else {
        catalog__say(&what, "failed index check for key ");
        catalog__say_quoted(&what, wanted->key);
        catalog__say(&what, ", current modify index ");
        catalog__say_uint(&what, entry->modify_index);
        catalog__say(&what, " != ");
        catalog__say_uint(&what, wanted->modify_index);
        catalog__txn_error(t, &what);
    }
}

static void check_session(struct catalog__txn *t, const struct catalog_dir_entry *wanted)
{
    const struct catalog_dir_entry *entry = catalog__get_key(t->v, wanted->key);
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    if (!entry) {
        key_error(t, "failed to check session, key ", wanted->key, " doesn't exist");
    } else if (mu__str_eq(entry->session, wanted->session)) {
        catalog__txn_add_key(t, entry, false);
    } else {
        catalog__say(&what, "failed session check for key ");
        catalog__say_quoted(&what, wanted->key);
        catalog__say(&what, ", current session ");
        catalog__say_quoted(&what, entry->session);
        catalog__say(&what, " != ");
        catalog__say_quoted(&what, wanted->session);
        catalog__txn_error(t, &what);
    }
}

static bool look_at_key(struct catalog__txn *t, const struct catalog_txn_kv_op *op)
{
    const struct catalog_dir_entry *wanted = &op->dir_ent;
    if (mu__str_is(op->verb, "get")) {
        get_key(t, wanted->key);
    } else if (mu__str_is(op->verb, "get-tree")) {
        get_tree(t, wanted->key);
    } else if (mu__str_is(op->verb, "check-index")) {
        check_index(t, wanted);
    } else if (mu__str_is(op->verb, "check-session")) {
        check_session(t, wanted);
    } else if (mu__str_is(op->verb, "check-not-exists")) {
        if (catalog__get_key(t->v, wanted->key)) {
            key_error(t, "key ", wanted->key, " exists");
        }
    } else {
        return false;
    }
    return true;
}

/* ---- Nodes, services, checks ---- */

bool catalog__txn_find_node(struct catalog__txn *t, const struct catalog_node *wanted,
                            const struct catalog_node **found)
{
    if (wanted->id.len == 0) {
        *found = catalog__get_node(t->v, wanted->node);
        return true;
    }
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    catalog__say(&what, "node lookup by ID failed, wrong UUID: ");
    if (!catalog__is_uuid(wanted->id, &what)) {
        catalog__say(&what, " for '");
        catalog__say_str(&what, wanted->id);
        catalog__say(&what, "'");
        catalog__txn_error(t, &what);
        return false;
    }
    *found = catalog__get_node_by_id(t->v, wanted->id);
    return true;
}

static void get_node(struct catalog__txn *t, const struct catalog_node *wanted)
{
    const struct catalog_node *node;
    if (!catalog__txn_find_node(t, wanted, &node)) {
        return;
    }
    if (!node) {
        key_error(t, "node ", wanted->node, " doesn't exist");
    }
    catalog__txn_add_node(t, node);
}

static void get_service(struct catalog__txn *t, const struct catalog_txn_service_op *op)
{
    const struct catalog__instance *i = catalog__get_instance(t->v, op->node, op->service.id);
    if (!i) {
        on_node_error(t, "service ", op->service.id, op->node);
    }
    catalog__txn_add_service(t, i);
}

static void get_check(struct catalog__txn *t, const struct catalog_check *wanted)
{
    const struct catalog_check *check = catalog__get_check(t->v, wanted->node, wanted->check_id);
    if (!check) {
        on_node_error(t, "check ", wanted->check_id, wanted->node);
    }
    catalog__txn_add_check(t, check);
}

bool catalog__txn_look(struct catalog__txn *t, const struct catalog_txn_op *op)
{
    if (op->kv) {
        return look_at_key(t, op->kv);
    }
    if (op->node && mu__str_is(op->node->verb, "get")) {
        get_node(t, &op->node->node);
        return true;
    }
    if (!op->node && op->service && mu__str_is(op->service->verb, "get")) {
        get_service(t, op->service);
        return true;
    }
    if (!op->node && !op->service && op->check && mu__str_is(op->check->verb, "get")) {
        get_check(t, &op->check->check);
        return true;
    }
    return false;
}

/* ---- A transaction that reads ---- */

/* One that writes has lost its way: it must be applied. */
static void refuse_write(struct catalog__txn *t, const struct catalog_txn_op *op)
{
    char buf[CATALOG__TEXT_MAX];
    struct catalog__text what = catalog__text(buf, sizeof buf);
    if (op->kv) {
        catalog__txn_unknown_verb(t, "KV", op->kv->verb);
    } else if (op->node) {
        catalog__txn_unknown_verb(t, "Node", op->node->verb);
    } else if (op->service) {
        catalog__txn_unknown_verb(t, "Service", op->service->verb);
    } else if (op->check) {
        catalog__txn_unknown_verb(t, "Check", op->check->verb);
    } else {
        catalog__say(&what, "no operation specified");
        catalog__txn_error(t, &what);
    }
}

int catalog_query_txn(struct catalog_reader *r, const struct catalog_txn_read_request *request,
                      struct catalog_txn_read_response *out, struct catalog_watch_keys *keys)
{
    catalog__keys_begin(r, keys);
    *out = (struct catalog_txn_read_response){.meta.index = 0};
    struct catalog__txn t = catalog__txn(catalog__scratch(r), &r->catalog->allocator, r->version);
    if (catalog__txn_prepare(&t, &request->ops)) {
        for (t.at = 0; t.at < request->ops.len; t.at++) {
            if (!catalog__txn_look(&t, request->ops.items[t.at])) {
                refuse_write(&t, request->ops.items[t.at]);
            }
        }
    }
    if (catalog__txn_failed(&t)) {
        return CATALOG_ENOMEM;
    }
    if (t.errors.list.len) {
        out->errors = t.errors.list;
    } else {
        out->results = catalog__txn_results(&t);
    }
    return 0;
}
