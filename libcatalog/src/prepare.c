/* prepare.c - what can be said about a request without looking at the store (Consul's endpoints do
 * the same before they write a log entry). Apply repeats it, so that a log entry means the same
 * whoever wrote it. */
#include <muster/catalog.h>
#include <string.h>

#include "key.h"
#include "schema.h"
#include "text.h"

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

/* ---- Node ids ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void say_bad_hex(struct catalog__text *t, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t b = (uint8_t)c;
    char code[] = {hex[b >> 4], hex[b & 15], ' ', '\'', c, '\'', '\0'};
    catalog__say(t, "encoding/hex: invalid byte: U+00");
    catalog__say(t, code);
}

/* 8-4-4-4-12 hexadecimal digits. */
bool catalog__is_uuid(struct mu_str id, struct catalog__text *why)
{
    if (id.len != 36) {
        catalog__say(why, "uuid string is wrong length");
        return false;
    }
    if (id.p[8] != '-' || id.p[13] != '-' || id.p[18] != '-' || id.p[23] != '-') {
        catalog__say(why, "uuid is improperly formatted");
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (i != 8 && i != 13 && i != 18 && i != 23 && !is_hex(id.p[i])) {
            say_bad_hex(why, id.p[i]);
            return false;
        }
    }
    return true;
}

static const char *check_node_id(struct mu_str id, char *text, size_t size)
{
    struct catalog__text t = catalog__text(text, size);
    catalog__say(&t, "Bad node ID: ");
    return id.len == 0 || catalog__is_uuid(id, &t) ? NULL : text;
}

/* ---- Services ---- */

/* 0.0.0.0 or ::, in the spellings that occur: nobody can connect to it. */
static bool is_any_address(struct mu_str a)
{
    return is(a, "0.0.0.0") || is(a, "::") || is(a, "[::]") || is(a, "0:0:0:0:0:0:0:0");
}

static const char *prepare_service(struct catalog_node_service *s)
{
    if (s->id.len == 0 && s->service.len) {
        s->id = s->service;
    }
    if (s->id.len && s->service.len == 0) {
        return "Must provide service name with ID";
    }
    return is_any_address(s->address) ? "Invalid service address" : NULL;
}

/* ---- Checks ---- */

static const char *type_of(const struct catalog_check_definition *d)
{
    if (d->grpc.len) {
        return "grpc";
    }
    if (d->http.len) {
        return "http";
    }
    if (d->ttl_ns > 0) {
        return "ttl";
    }
    if (d->tcp.len) {
        return "tcp";
    }
    if (d->alias_node.len || d->alias_service.len) {
        return "alias";
    }
    if (d->script_args.len) {
        return d->docker_container_id.len ? "docker" : "script";
    }
    return "";
}

static void prepare_check(struct catalog_check *k)
{
    if (k->check_id.len == 0) {
        k->check_id = k->name;
    }
    if (k->status.len == 0) {
        k->status = mu__cstr("critical");
    }
}

static void prepare_registered_check(struct catalog_check *k, struct mu_str node)
{
    prepare_check(k);
    if (k->node.len == 0) {
        k->node = node;
    }
    if (k->type.len == 0) {
        k->type = mu__cstr(type_of(&k->definition));
    }
}

static const char bad_name[] =
    "Names and IDs of nodes, services and checks must not contain a zero byte or be "
    "longer than 512 bytes";

static bool service_names_fit(const struct catalog_node_service *s)
{
    return catalog__is_name(s->id) && catalog__is_name(s->service) &&
           catalog__is_name(s->proxy.destination_service_name);
}

static bool check_names_fit(const struct catalog_check *k)
{
    return catalog__is_name(k->check_id) && catalog__is_name(k->service_id) &&
           catalog__is_name(k->service_name) && catalog__is_name(k->status);
}

static bool names_fit(const struct catalog_register_request *r)
{
    bool fit = catalog__is_name(r->node) && (!r->service || service_names_fit(r->service));
    for (size_t i = 0; fit && i < r->checks.len; i++) {
        fit = check_names_fit(r->checks.items[i]);
    }
    return fit;
}

static void gather_checks(struct catalog_register_request *r, void **room)
{
    if (!r->check) {
        return;
    }
    for (size_t i = 0; i < r->checks.len; i++) {
        room[i] = r->checks.items[i];
    }
    room[r->checks.len] = r->check;
    r->checks = (struct mu_list){room, r->checks.len + 1};
    r->check = NULL;
}

const char *catalog_register_prepare(struct catalog_register_request *r, void **checks, char *text,
                                     size_t size)
{
    gather_checks(r, checks);
    for (size_t i = 0; i < r->checks.len; i++) {
        prepare_registered_check(r->checks.items[i], r->node);
    }
    if (r->node.len == 0) {
        return "Must provide node";
    }
    const char *why = check_node_id(r->id, text, size);
    if (!why && r->address.len == 0 && !r->skip_node_update) {
        return "Must provide address if SkipNodeUpdate is not set";
    }
    if (!why && r->service) {
        why = prepare_service(r->service);
    }
    if (!why && r->service && r->service->id.len == 0) {
        why = "failed inserting service: failed inserting service: object missing primary index";
    }
    return why || names_fit(r) ? why : bad_name;
}

const char *catalog_deregister_check(const struct catalog_deregister_request *r)
{
    return r->node.len == 0 ? "Must provide node" : NULL;
}

const char *catalog_kvs_check(const struct catalog_kvs_request *r)
{
    return r->dir_ent.key.len == 0 && !is(r->op, "delete-tree") ? "Must provide key" : NULL;
}

/* ---- Transactions ---- */

static const char *prepare_kv_op(const struct catalog_txn_kv_op *op)
{
    struct catalog_kvs_request as_alone = {.op = op->verb, .dir_ent = op->dir_ent};
    return catalog_kvs_check(&as_alone);
}

static const char *prepare_node_op(const struct catalog_txn_node_op *op, char *text, size_t size)
{
    if (is(op->verb, "get")) {
        return NULL;
    }
    if (op->node.node.len == 0) {
        return "Must provide node";
    }
    const char *why = check_node_id(op->node.id, text, size);
    return why || catalog__is_name(op->node.node) ? why : bad_name;
}

static const char *prepare_service_op(struct catalog_txn_service_op *op)
{
    if (is(op->verb, "get")) {
        return NULL;
    }
    const char *why = prepare_service(&op->service);
    bool fits = catalog__is_name(op->node) && service_names_fit(&op->service);
    return why || fits ? why : bad_name;
}

static const char *prepare_check_op(struct catalog_txn_check_op *op)
{
    if (is(op->verb, "get")) {
        return NULL;
    }
    prepare_check(&op->check);
    return catalog__is_name(op->check.node) && check_names_fit(&op->check) ? NULL : bad_name;
}

static const char *prepare_op(struct catalog_txn_op *op, char *text, size_t size)
{
    return op->kv        ? prepare_kv_op(op->kv)
           : op->node    ? prepare_node_op(op->node, text, size)
           : op->service ? prepare_service_op(op->service)
           : op->check   ? prepare_check_op(op->check)
                         : NULL;
}

size_t catalog_txn_prepare(const struct mu_list *ops, struct catalog_txn_error *errors, char *text,
                           size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < ops->len; i++) {
        const char *why = prepare_op(ops->items[i], text, size);
        if (!why) {
            continue;
        }
        errors[n++] = (struct catalog_txn_error){.op_index = (int64_t)i, .what = mu__cstr(why)};
        if (why == text) { /* the next reason goes behind it, or in the last byte if it is full */
            size_t used = mu__min(strlen(text) + 1, size - 1);
            text += used;
            size -= used;
        }
    }
    return n;
}
