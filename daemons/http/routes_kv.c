/* routes_kv.c - the key-value store (http-api 5.1). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "rpc/endpoints.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

static bool has_key(struct http_request *r)
{
    if (r->rest.len) {
        return true;
    }
    http_reply_text(r, 400, "Missing key name");
    return false;
}

/* ---- GET ---- */

static void encode_entries(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_dir_entries *reply = c->reply;
    if (reply->entries.len == 0) {
        http_reply_empty(r, 404);
    } else {
        encode_list(r, &reply->entries, catalog_schema(CATALOG_DIR_ENTRY));
    }
}

/* The bare value. What it is, only its writer knows: browsers are told not to guess, nor to run
 * it. */
static void encode_raw(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_dir_entries *reply = c->reply;
    if (reply->entries.len == 0) {
        http_reply_empty(r, 404);
        return;
    }
    const struct catalog_dir_entry *e = reply->entries.items[0];
    http_header(r, "X-Content-Type-Options", "nosniff");
    http_header(r, "Content-Security-Policy", "sandbox");
    http_reply_bytes(r, 200, "text/plain", e->value);
}

static void encode_keys(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_key_list *reply = c->reply;
    if (reply->keys.len == 0 && r->rest.len > 0) {
        http_reply_empty(r, 404);
        return;
    }
    struct mu__json j = http_json(r);
    encode_strs(&j, &reply->keys);
    http_reply_json(r, &j, 200);
}

static void get_keys(struct http_request *r)
{
    struct catalog_key_list_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_KVS_LIST_KEYS], encode_keys);
    if (q) {
        r->no_error_meta = true;
        struct mu_str separator = http_param(r, "separator"), misspelt = http_param(r, "seperator");
        q->prefix = r->rest;
        q->separator = separator.len ? separator : misspelt;
        http_call_start(r);
    }
}

static void get(struct http_request *r)
{
    bool recurse = http_has_param(r, "recurse"), raw = !recurse && http_has_param(r, "raw");
    const struct endpoint *e =
        recurse ? &endpoints[ENDPOINT_KVS_LIST] : &endpoints[ENDPOINT_KVS_GET];
    struct catalog_key_request *q = read_call_ns(r, e, raw ? encode_raw : encode_entries);
    if (q && (recurse || has_key(r))) {
        r->no_error_meta = true;
        q->key = r->rest;
        http_call_start(r);
    }
}

/* ---- PUT and DELETE ---- */

/* An unsigned parameter, if given. False: malformed, answered 500 in the words of Go's strconv. */
static bool number(struct http_request *r, const char *key, uint64_t *out)
{
    struct mu_str text = http_param(r, key);
    const char *err = text.p ? options_parse_uint(r, text, out) : NULL;
    if (err) {
        http_reply_text(r, 500, "%s", err);
    }
    return !err;
}

static void encode_applied(struct http_request *r, struct call *c)
{
    /* Plain puts and deletes succeed whatever the reply: only conditions can fail. */
    const struct catalog_kvs_request *q = c->request;
    bool plain = mu__str_eq(q->op, mu__cstr("set")) || mu__str_eq(q->op, mu__cstr("delete")) ||
                 mu__str_eq(q->op, mu__cstr("delete-tree"));
    struct mu__json j = http_json(r);
    mu__json_bool(&j, plain || *(const bool *)c->reply);
    http_reply_json(r, &j, 200);
}

static struct catalog_kvs_request *apply_call(struct http_request *r, const char *op)
{
    struct call *c = options_check_namespace(r)
                         ? http_call(r, &endpoints[ENDPOINT_KVS_APPLY], encode_applied)
                         : NULL;
    struct catalog_kvs_request *q = c ? c->request : NULL;
    struct catalog_query_options unused = {.token = {NULL, 0}};
    if (!q || !options_read(r, &q->datacenter, &unused)) {
        return NULL;
    }
    r->blocking = false;
    q->token = unused.token;
    q->op = mu__cstr(op);
    q->dir_ent.key = r->rest;
    return q;
}

static void put(struct http_request *r)
{
    static const char *const conditions[] = {"cas", "acquire", "release"};
    struct catalog_kvs_request *q = apply_call(r, "set");
    if (!q || !has_key(r) || !read_exclusive(r, conditions, ARRAY_LEN(conditions)) ||
        !number(r, "flags", &q->dir_ent.flags) || !number(r, "cas", &q->dir_ent.modify_index)) {
        return;
    }
    struct mu_str acquire = http_param(r, "acquire"), release = http_param(r, "release");
    if (http_has_param(r, "cas")) {
        q->op = mu__cstr("cas");
    } else if (acquire.p) {
        q->op = mu__cstr("lock");
        q->dir_ent.session = acquire;
    } else if (release.p) {
        q->op = mu__cstr("unlock");
        q->dir_ent.session = release;
    }
    if (r->body.len) {
        q->dir_ent.value = r->body;
    }
    http_call_start(r);
}

static void delete_key(struct http_request *r)
{
    static const char *const conditions[] = {"recurse", "cas"};
    struct catalog_kvs_request *q = apply_call(r, "delete");
    if (!q || !read_exclusive(r, conditions, ARRAY_LEN(conditions))) {
        return;
    }
    if (http_has_param(r, "recurse")) {
        q->op = mu__cstr("delete-tree");
    } else if (!has_key(r) || !number(r, "cas", &q->dir_ent.modify_index)) {
        return;
    } else if (http_has_param(r, "cas")) {
        q->op = mu__cstr("delete-cas");
    }
    http_call_start(r);
}

void route_kv(struct http_request *r)
{
    if (r->method == HTTP_PUT) {
        put(r);
    } else if (r->method == HTTP_DELETE) {
        delete_key(r);
    } else if (http_has_param(r, "keys")) {
        get_keys(r);
    } else {
        get(r);
    }
}
