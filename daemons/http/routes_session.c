/* routes_session.c - sessions, which hold locks on keys (http-api 5.2). */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"

#define LOCK_DELAY_NS (15 * (int64_t)MU_SEC)
#define SERF_HEALTH   "serfHealth"

/* ---- Making and ending ---- */

static struct catalog_session_request *apply_call(struct http_request *r, const char *op,
                                                  http_encode_fn encode)
{
    struct call *c = options_check_namespace(r)
                         ? http_call(r, &endpoints[ENDPOINT_SESSION_APPLY], encode)
                         : NULL;
    struct catalog_session_request *q = c ? c->request : NULL;
    if (q) {
        q->datacenter = options_datacenter(r);
        q->token = options_token(r);
        q->op = mu__cstr(op);
    }
    return q;
}

static void encode_id(struct http_request *r, struct call *c)
{
    const struct mu_str *id = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "ID");
    mu__json_str(&j, *id);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

/* Both lists of checks begin as the gossip check of the node. Either, if it is given and empty,
 * empties the other; the old one says nothing when it names that check alone. */
static void merge_checks(struct catalog_session *s)
{
    static struct mu_str none[1];
    if (s->checks.len == 0) {
        s->node_checks = (struct mu_strs){none, 0};
    }
    if (s->node_checks.len == 0 ||
        (s->checks.len == 1 && mu__str_eq(s->checks.items[0], mu__cstr(SERF_HEALTH)))) {
        s->checks = (struct mu_strs){NULL, 0};
    }
}

void route_session_create(struct http_request *r)
{
    struct catalog_session_request *q = apply_call(r, "create", encode_id);
    struct mu_str *serf = q ? mu__arena_calloc(&r->arena, 1, sizeof *serf) : NULL;
    if (!q) {
        return;
    }
    if (!serf) {
        http_reply_empty(r, 500);
        return;
    }
    *serf = mu__cstr(SERF_HEALTH);
    q->session = (struct catalog_session){.node = mu__cstr(r->server->node),
                                          .lock_delay_ns = LOCK_DELAY_NS,
                                          .behavior = mu__cstr("release"),
                                          .node_checks = {serf, 1},
                                          .checks = {serf, 1}};
    if (r->body.len && !http_decode_body(r, catalog_schema(CATALOG_SESSION), &q->session,
                                         "Request decode failed: ")) {
        return;
    }
    merge_checks(&q->session);
    q->session.create_index = q->session.modify_index = 0;
    http_call_start(r);
}

static void encode_true(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    (void)c;
    mu__json_bool(&j, true);
    http_reply_json(r, &j, 200);
}

void route_session_destroy(struct http_request *r)
{
    struct catalog_session_request *q = apply_call(r, "destroy", encode_true);
    if (q && read_name(r, &q->session.id, "Missing session")) {
        http_call_start(r);
    }
}

static void encode_renewed(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_sessions *reply = c->reply;
    const struct catalog_session_get_request *q = c->request;
    if (reply->sessions.len == 0) {
        http_reply_text(r, 404, "Session id '%.*s' not found", (int)q->session_id.len,
                        q->session_id.p);
        return;
    }
    encode_list(r, &reply->sessions, catalog_schema(CATALOG_SESSION));
}

/* What it reads is not what it is for: it has no index, and no options but its datacenter. */
void route_session_renew(struct http_request *r)
{
    struct call *c = options_check_namespace(r)
                         ? http_call(r, &endpoints[ENDPOINT_SESSION_RENEW], encode_renewed)
                         : NULL;
    struct catalog_session_get_request *q = c ? c->request : NULL;
    if (q && read_name(r, &q->session_id, "Missing session")) {
        q->datacenter = options_datacenter(r);
        q->options.token = options_token(r);
        q->session = q->session_id;
        http_call_start(r);
    }
}

/* ---- Reading ---- */

static void encode_sessions(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_sessions *reply = c->reply;
    encode_list(r, &reply->sessions, catalog_schema(CATALOG_SESSION));
}

void route_session_info(struct http_request *r)
{
    struct catalog_session_get_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_SESSION_GET], encode_sessions);
    if (q && read_name(r, &q->session_id, "Missing session")) {
        q->session = q->session_id;
        http_call_start(r);
    }
}

void route_session_list(struct http_request *r)
{
    if (read_call_ns(r, &endpoints[ENDPOINT_SESSION_LIST], encode_sessions)) {
        http_call_start(r);
    }
}

void route_session_node(struct http_request *r)
{
    struct catalog_node_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_SESSION_NODE_SESSIONS], encode_sessions);
    if (q && read_name(r, &q->node, "Missing node name")) {
        http_call_start(r);
    }
}
