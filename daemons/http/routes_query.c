/* routes_query.c - prepared queries (http-api 5.4). */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "strconv.h"

#include <arpa/inet.h>
#include <string.h>

static const char not_found[] = "Query not found";

/* ---- Answers ---- */

static void encode_id(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "ID");
    mu__json_str(&j, *(const struct mu_str *)c->reply);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

static void encode_queries(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_prepared_queries *reply = c->reply;
    encode_list(r, &reply->queries, catalog_schema(CATALOG_PREPARED_QUERY));
}

/* The mode is told in the body, too. */
static void encode_tail(struct mu__json *j, const struct http_request *r,
                        const struct catalog_query_meta *m)
{
    struct catalog_query_meta meta = *m;
    meta.consistency_level = mu__cstr(r->consistency);
    encode_meta(j, &meta);
    mu__json_object_end(j);
}

static void encode_explained(struct http_request *r, struct call *c)
{
    const struct catalog_query_explain_response *reply = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Query");
    mu__json_value(&j, catalog_schema(CATALOG_PREPARED_QUERY), &reply->query);
    encode_tail(&j, r, &reply->meta);
    http_reply_json(r, &j, 200);
}

static void encode_node(struct mu__json *j, const struct catalog_check_service_node *n)
{
    mu__json_object(j);
    encode_stored(j, "Node", catalog_schema(CATALOG_NODE), n->node);
    encode_stored(j, "Service", catalog_schema(CATALOG_NODE_SERVICE), n->service);
    mu__json_ckey(j, "Checks");
    if (n->checks.len == 0) {
        mu__json_null(j);
        mu__json_object_end(j);
        return;
    }
    mu__json_list(j);
    for (size_t i = 0; i < n->checks.len; i++) {
        mu__json_item(j);
        encode_stored(j, NULL, catalog_schema(CATALOG_CHECK), n->checks.items[i]);
    }
    mu__json_list_end(j);
    mu__json_object_end(j);
}

static void encode_executed(struct http_request *r, struct call *c)
{
    const struct catalog_query_execute_response *reply = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Service");
    mu__json_str(&j, reply->service);
    mu__json_ckey(&j, "Nodes");
    mu__json_list(&j);
    for (size_t i = 0; i < reply->nodes.len; i++) {
        mu__json_item(&j);
        encode_node(&j, reply->nodes.items[i]);
    }
    mu__json_list_end(&j);
    mu__json_ckey(&j, "DNS");
    mu__json_value(&j, catalog_schema(CATALOG_QUERY_DNS), &reply->dns);
    mu__json_ckey(&j, "Datacenter");
    mu__json_str(&j, reply->datacenter);
    mu__json_ckey(&j, "Failovers");
    mu__json_int(&j, reply->failovers);
    encode_tail(&j, r, &reply->meta);
    http_reply_json(r, &j, 200);
}

/* ---- Definitions ---- */

static void change(struct http_request *r, const char *op, struct mu_str id, http_encode_fn encode)
{
    struct call *c = http_call(r, &endpoints[ENDPOINT_PREPARED_QUERY_APPLY], encode);
    if (!c) {
        return;
    }
    struct catalog_prepared_query_request *q = c->request;
    q->query = mu__arena_calloc(&r->arena, 1, sizeof *q->query);
    if (!q->query) {
        http_reply_empty(r, 500);
        return;
    }
    if (!mu__str_eq(mu__cstr(op), mu__cstr("delete")) &&
        !http_decode_body(r, catalog_schema(CATALOG_PREPARED_QUERY), q->query,
                          "Request decode failed: ")) {
        return;
    }
    if (id.p) {
        q->query->id = id;
    }
    q->op = mu__cstr(op);
    q->datacenter = options_datacenter(r);
    q->token = options_token(r);
    http_call_start(r);
}

static void get(struct http_request *r, struct mu_str id)
{
    struct catalog_prepared_query_get_request *q =
        read_call(r, &endpoints[ENDPOINT_PREPARED_QUERY_GET], encode_queries);
    if (q) {
        q->query_id = id;
        r->not_found = not_found;
        r->shows_consistency = true;
        http_call_start(r);
    }
}

void route_queries(struct http_request *r)
{
    if (r->method == HTTP_POST) {
        change(r, "create", (struct mu_str){NULL, 0}, encode_id);
    } else if (read_call(r, &endpoints[ENDPOINT_PREPARED_QUERY_LIST], encode_queries)) {
        r->shows_consistency = true;
        http_call_start(r);
    }
}

/* ---- Execution ---- */

static bool read_limit(struct http_request *r, int64_t *limit)
{
    struct mu_str text = http_param(r, "limit");
    char err[256];
    if (!text.len || strconv_int(text, limit, err, sizeof err)) {
        return true;
    }
    http_reply_text(r, 500, "Bad limit: %s", err);
    return false;
}

static bool read_connect(struct http_request *r, bool *connect)
{
    struct mu_str text = http_param(r, "connect");
    if (!text.len || strconv_bool(text, connect)) {
        return true;
    }
    http_reply_text(
        r, 500, "Error parsing 'connect' value: strconv.ParseBool: parsing \"%s\": invalid syntax",
        http_cstr(r, text));
    return false;
}

/* Whom the request is from: what a proxy says, or the other end of the connection. */
static struct mu_str client_ip(struct http_request *r)
{
    struct mu_str forwarded = http_field(&r->head, "X-Forwarded-For");
    const char *comma = forwarded.len ? memchr(forwarded.p, ',', forwarded.len) : NULL;
    if (forwarded.len) {
        return (struct mu_str){forwarded.p, comma ? (size_t)(comma - forwarded.p) : forwarded.len};
    }
    const struct client_address *peer = &r->connection->peer;
    char text[INET6_ADDRSTRLEN];
    if (!peer->len ||
        !inet_ntop(peer->len == 4 ? AF_INET : AF_INET6, peer->bytes, text, sizeof text)) {
        return (struct mu_str){NULL, 0};
    }
    return mu__cstr(http_cstr(r, mu__cstr(text)));
}

static void execute(struct http_request *r, struct mu_str name, enum endpoint_id id,
                    http_encode_fn encode)
{
    struct catalog_query_execute_request *q = read_call(r, &endpoints[id], encode);
    if (!q || !read_limit(r, &q->limit) || !read_connect(r, &q->connect)) {
        return;
    }
    options_source(r, &q->source);
    q->source.ip = client_ip(r);
    q->agent = (struct catalog_query_source){.datacenter = mu__cstr(r->server->datacenter),
                                             .segment = mu__cstr(r->server->segment),
                                             .node = mu__cstr(r->server->node)};
    q->query_id_or_name = name;
    q->options.min_query_index = 0; /* nobody can wait for it */
    r->blocking = false;
    r->shows_consistency = true;
    r->shows_cache = id == ENDPOINT_PREPARED_QUERY_EXECUTE;
    r->not_found = r->shows_cache && q->options.use_cache ? NULL : not_found;
    http_call_start(r);
}

/* ---- What stands behind /v1/query/ ---- */

static bool ends_in(struct mu_str s, const char *end, struct mu_str *before)
{
    size_t n = strlen(end);
    *before = (struct mu_str){s.p, s.len >= n ? s.len - n : 0};
    return s.len >= n && memcmp(s.p + s.len - n, end, n) == 0;
}

/* These answer for methods themselves, a little differently from all others. */
static bool takes(struct http_request *r, unsigned methods, const char *allow)
{
    if (r->method & methods) {
        return true;
    }
    if (r->method == HTTP_OPTIONS) {
        http_header(r, "Allow", "OPTIONS,%s", allow);
        struct mu__json j = http_json(r);
        mu__json_object(&j);
        mu__json_object_end(&j);
        http_reply_json(r, &j, 200);
        return false;
    }
    http_header(r, "Allow", "%s", allow);
    http_reply_text(r, 405, "method %.*s not allowed", (int)mu__min(r->head.method.len, 64),
                    r->head.method.p);
    return false;
}

void route_query(struct http_request *r)
{
    struct mu_str name;
    if (ends_in(r->rest, "/execute", &name)) {
        if (takes(r, HTTP_GET, "GET")) {
            execute(r, name, ENDPOINT_PREPARED_QUERY_EXECUTE, encode_executed);
        }
    } else if (ends_in(r->rest, "/explain", &name)) {
        if (takes(r, HTTP_GET, "GET")) {
            execute(r, name, ENDPOINT_PREPARED_QUERY_EXPLAIN, encode_explained);
        }
    } else if (!takes(r, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE")) {
        return;
    } else if (r->method == HTTP_GET) {
        get(r, r->rest);
    } else {
        change(r, r->method == HTTP_PUT ? "update" : "delete", r->rest, http_encode_empty);
    }
}
