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

static const char *bad_hex(char c, char *text, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t b = (uint8_t)c;
    char code[] = {hex[b >> 4], hex[b & 15], ' ', '\'', c, '\'', '\0'};
    struct catalog__text t = catalog__text(text, size);
    catalog__say(&t, "Bad node ID: encoding/hex: invalid byte: U+00");
    catalog__say(&t, code);
    return text;
}

/* 8-4-4-4-12 hexadecimal digits. */
static const char *check_node_id(struct mu_str id, char *text, size_t size)
{
    if (id.len == 0) {
        return NULL;
    }
    if (id.len != 36) {
        return "Bad node ID: uuid string is wrong length";
    }
    if (id.p[8] != '-' || id.p[13] != '-' || id.p[18] != '-' || id.p[23] != '-') {
        return "Bad node ID: uuid is improperly formatted";
    }
    for (size_t i = 0; i < id.len; i++) {
        if (i != 8 && i != 13 && i != 18 && i != 23 && !is_hex(id.p[i])) {
            return bad_hex(id.p[i], text, size);
        }
    }
    return NULL;
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
    if (s->id.len == 0) {
        return "failed inserting service: failed inserting service: object missing primary index";
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

static void prepare_check(struct catalog_check *k, struct mu_str node)
{
    if (k->check_id.len == 0) {
        k->check_id = k->name;
    }
    if (k->node.len == 0) {
        k->node = node;
    }
    if (k->status.len == 0) {
        k->status = mu__cstr("critical");
    }
    if (k->type.len == 0) {
        k->type = mu__cstr(type_of(&k->definition));
    }
}

static bool names_fit(const struct catalog_register_request *r)
{
    bool fit = catalog__is_name(r->node);
    if (r->service) {
        fit = fit && catalog__is_name(r->service->id) && catalog__is_name(r->service->service) &&
              catalog__is_name(r->service->proxy.destination_service_name);
    }
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct catalog_check *k = r->checks.items[i];
        fit = fit && catalog__is_name(k->check_id) && catalog__is_name(k->service_id) &&
              catalog__is_name(k->service_name) && catalog__is_name(k->status);
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
        prepare_check(r->checks.items[i], r->node);
    }
    if (r->node.len == 0) {
        return "Must provide node";
    }
    if (r->address.len == 0 && !r->skip_node_update) {
        return "Must provide address if SkipNodeUpdate is not set";
    }
    const char *why = check_node_id(r->id, text, size);
    if (!why && r->service) {
        why = prepare_service(r->service);
    }
    if (!why && !names_fit(r)) {
        why = "Names and IDs of nodes, services and checks must not contain a zero byte or be "
              "longer than 512 bytes";
    }
    return why;
}

const char *catalog_deregister_check(const struct catalog_deregister_request *r)
{
    return r->node.len == 0 ? "Must provide node" : NULL;
}

const char *catalog_kvs_check(const struct catalog_kvs_request *r)
{
    return r->dir_ent.key.len == 0 && !is(r->op, "delete-tree") ? "Must provide key" : NULL;
}
