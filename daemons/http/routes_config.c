/* routes_config.c - config entries and discovery chains (http-api 8). */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "weak.h"

#include <muster/catalog.h>

#include <string.h>

#define DECODING_FAILED "Bad request: Request decoding failed: "

/* ---- Reading ---- */

static struct mu_str before_slash(struct mu_str path, struct mu_str *behind)
{
    const char *slash = path.len ? memchr(path.p, '/', path.len) : NULL;
    size_t len = slash ? (size_t)(slash - path.p) : path.len;
    *behind = slash ? (struct mu_str){slash + 1, path.len - len - 1} : (struct mu_str){NULL, 0};
    return (struct mu_str){path.p, len};
}

static void put_entry(struct mu__json *j, const struct catalog_config_entry *e)
{
    const struct mu__schema *schema = catalog_config_schema(e->kind);
    if (schema) {
        mu__json_value(j, schema, e);
    } else {
        mu__json_null(j);
    }
}

static void encode_entry(struct http_request *r, struct call *c)
{
    const struct catalog_config_query *q = c->request;
    const struct catalog_config_reply *reply = c->reply;
    http_meta(r, &reply->meta);
    if (!reply->entry) {
        http_reply_text(r, 404, "Config entry not found for \"%s\" / \"%s\"", http_cstr(r, q->kind),
                        http_cstr(r, q->name));
        return;
    }
    struct mu__json j = http_json(r);
    put_entry(&j, reply->entry);
    http_reply_json(r, &j, 200);
}

static void encode_entries(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_config_entries *reply = c->reply;
    http_meta(r, &reply->meta);
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t i = 0; i < reply->entries.len; i++) {
        mu__json_item(&j);
        put_entry(&j, reply->entries.items[i]);
    }
    mu__json_list_end(&j);
    http_reply_json(r, &j, 200);
}

static void get(struct http_request *r)
{
    struct mu_str name, kind = before_slash(r->rest, &name);
    enum endpoint_id id = name.p ? ENDPOINT_CONFIG_ENTRY_GET : ENDPOINT_CONFIG_ENTRY_LIST;
    struct catalog_config_query *q =
        read_call_ns(r, &endpoints[id], name.p ? encode_entry : encode_entries);
    if (q) {
        r->meta = false; /* an error has none */
        q->kind = kind;
        q->name = name;
        http_call_start(r);
    }
}

/* ---- Writing. Entries are those of all datacenters: ?dc has no say. ---- */

static bool encode_record(struct mu__arena *a, const struct mu__schema *schema, const void *entry,
                          struct mu_str *out)
{
    struct mu__writer w = mu__writer_growing(&a->allocator);
    mu__schema_encode(schema, entry, &w);
    out->p = w.failed ? NULL : mu__arena_memdup(a, w.data, w.len);
    out->len = out->p ? w.len : 0;
    mu__writer_fini(&w);
    return out->p != NULL;
}

static struct catalog_config_request *write_call(struct http_request *r, enum endpoint_id id,
                                                 http_encode_fn encode)
{
    struct call *c = options_check_namespace(r) ? http_call(r, &endpoints[id], encode) : NULL;
    struct catalog_config_request *q = c ? c->request : NULL;
    if (q) {
        q->datacenter = mu__cstr(r->server->datacenter);
        q->token = options_token(r);
    }
    return q;
}

static void encode_deleted(struct http_request *r, struct call *c)
{
    (void)c;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

static void delete_entry(struct http_request *r)
{
    struct mu_str name, kind = before_slash(r->rest, &name);
    const struct mu__schema *schema = catalog_config_schema(kind);
    if (!name.p) {
        http_reply_text(r, 404, "Must provide both a kind and name to delete");
        return;
    }
    if (!schema) {
        http_reply_text(r, 400, "invalid config entry kind: %s", http_cstr(r, kind));
        return;
    }
    struct catalog_config_request *q = write_call(r, ENDPOINT_CONFIG_ENTRY_DELETE, encode_deleted);
    struct catalog_config_entry *entry = q ? mu__arena_calloc(&r->arena, 1, schema->size) : NULL;
    if (!entry) {
        if (q) {
            http_reply_empty(r, 500);
        }
        return;
    }
    entry->kind = q->kind = kind;
    entry->name = name;
    q->op = mu__cstr(CATALOG_CONFIG_DELETE);
    if (!encode_record(&r->arena, schema, entry, &q->entry)) {
        http_reply_empty(r, 500);
        return;
    }
    http_call_start(r);
}

void route_config(struct http_request *r)
{
    if (r->method == HTTP_DELETE) {
        delete_entry(r);
    } else {
        get(r);
    }
}

/* What the body is said to be; NULL after an answer. */
static const struct mu__schema *read_kind(struct http_request *r, const struct weak_body *b,
                                          struct mu_str *kind)
{
    int found = weak_text(b, "Kind", kind);
    found = found ? found : weak_text(b, "kind", kind);
    const struct mu__schema *schema = found > 0 ? catalog_config_schema(*kind) : NULL;
    if (!schema) {
        const char *why = found == 0  ? "Payload does not contain a kind/Kind key at the top level"
                          : found < 0 ? "Kind value in payload is not a string"
                                      : "invalid config entry kind: ";
        http_reply_text(r, 400, DECODING_FAILED "%s%s", why, found > 0 ? http_cstr(r, *kind) : "");
    }
    return schema;
}

/* Through an untyped map, what is no object is told in that map's words. */
static bool read_body(struct http_request *r, struct weak_body *out)
{
    char err[WEAK_ERROR_MAX];
    if (weak_read(r->body.p, r->body.len, &r->arena, out, err, sizeof err)) {
        return true;
    }
    const char *what = strstr(err, "cannot unmarshal ");
    if (what) {
        bool is_list = strncmp(what + 17, "array", 5) == 0;
        bool is_number = strncmp(what + 17, "number", 6) == 0;
        bool is_bool = strncmp(what + 17, "bool", 4) == 0;
        http_reply_text(r, 400, DECODING_FAILED "'' expected a map, got '%s'",
                        is_list     ? "slice"
                        : is_number ? "float64"
                        : is_bool   ? "bool"
                                    : "string");
    } else {
        http_reply_text(r, 400, DECODING_FAILED "%s", err);
    }
    return false;
}

static void encode_applied(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_bool(&j, *(const bool *)c->reply);
    http_reply_json(r, &j, 200);
}

/* ?cas=: the index that the entry must have. False: answered. */
static bool read_cas(struct http_request *r, struct catalog_config_request *q,
                     struct catalog_config_entry *entry)
{
    struct mu_str cas = http_param(r, "cas");
    const char *err = cas.len ? options_parse_uint(r, cas, &entry->modify_index) : NULL;
    q->op = mu__cstr(cas.len ? CATALOG_CONFIG_UPSERT_CAS : CATALOG_CONFIG_UPSERT);
    if (err) {
        http_reply_text(r, 500, "%s", err);
    }
    return !err;
}

void route_config_apply(struct http_request *r)
{
    char err[WEAK_ERROR_MAX];
    struct weak_body body;
    struct mu_str kind;
    struct catalog_config_request *q = write_call(r, ENDPOINT_CONFIG_ENTRY_APPLY, encode_applied);
    const struct mu__schema *schema = q && read_body(r, &body) ? read_kind(r, &body, &kind) : NULL;
    struct catalog_config_entry *entry =
        schema ? mu__arena_calloc(&r->arena, 1, schema->size) : NULL;
    if (!schema) {
        return;
    }
    if (!entry) {
        http_reply_empty(r, 500);
        return;
    }
    if (!weak_decode(&body, schema, true, &r->arena, entry, err, sizeof err)) {
        http_reply_text(r, 400, DECODING_FAILED "%s", err);
        return;
    }
    entry->kind = q->kind = kind;
    if (!read_cas(r, q, entry)) {
        return;
    }
    if (!encode_record(&r->arena, schema, entry, &q->entry)) {
        http_reply_empty(r, 500);
        return;
    }
    http_call_start(r);
}

/* ---- Discovery chains ---- */

static void encode_chain(struct http_request *r, struct call *c)
{
    const struct catalog_chain_reply *reply = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Chain");
    mu__json_value(&j, catalog_schema(CATALOG_CHAIN), reply->chain);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

static bool is_mode(struct mu_str mode)
{
    return mode.len == 0 || mu__str_eq(mode, mu__cstr("none")) ||
           mu__str_eq(mode, mu__cstr("local")) || mu__str_eq(mode, mu__cstr("remote"));
}

/* The body of a POST: what is to be overridden. False: answered. */
static bool read_overrides(struct http_request *r, struct catalog_chain_request *q)
{
    char err[WEAK_ERROR_MAX];
    struct weak_body body;
    struct catalog_chain_request given;
    if (!weak_read(r->body.p, r->body.len, &r->arena, &body, err, sizeof err) ||
        !weak_decode(&body, catalog_schema(CATALOG_CHAIN_REQUEST), false, &r->arena, &given, err,
                     sizeof err)) {
        http_reply_text(r, 400, DECODING_FAILED "%s", err);
        return false;
    }
    if (!is_mode(given.override_mesh_gateway.mode)) {
        http_reply_text(r, 400, "Invalid OverrideMeshGateway.Mode parameter");
        return false;
    }
    q->override_mesh_gateway = given.override_mesh_gateway;
    q->override_protocol = given.override_protocol;
    q->override_connect_timeout_ns = given.override_connect_timeout_ns;
    return true;
}

void route_discovery_chain(struct http_request *r)
{
    struct catalog_chain_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_DISCOVERY_CHAIN_GET], encode_chain);
    if (!q || !read_name(r, &q->name, "Bad request: Missing chain name") ||
        (r->method == HTTP_POST && !read_overrides(r, q))) {
        return;
    }
    q->evaluate_in_datacenter = http_param(r, "compile-dc");
    r->shows_consistency = true;
    http_call_start(r);
}
