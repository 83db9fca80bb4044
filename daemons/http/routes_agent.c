/* routes_agent.c - the agent itself: who it is, whom it knows, joining and leaving (http-api 2). */
#include "routes.h"

#include "agent/agent_endpoints.h"
#include "encode.h"
#include "options.h"
#include "strconv.h"

/* A call of the agent's own, which has no read options. NULL: it has been answered. */
static void *agent_call(struct http_request *r, const struct endpoint *e, http_encode_fn encode)
{
    struct call *c = http_call(r, e, encode);
    return c ? c->request ? c->request : c : NULL;
}

static void encode_self(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_value(&j, &agent_self_schema, c->reply);
    http_reply_json(r, &j, 200);
}

void route_agent_self(struct http_request *r)
{
    if (agent_call(r, &endpoint_agent_self, encode_self)) {
        http_call_start(r);
    }
}

static void encode_members(struct http_request *r, struct call *c)
{
    const struct agent_members_reply *reply = c->reply;
    if (reply->members.items) {
        encode_list(r, &reply->members, &agent_member_schema);
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_null(&j);
    http_reply_json(r, &j, 200);
}

void route_agent_members(struct http_request *r)
{
    struct mu_str segment = http_param(r, "segment");
    bool wan = http_param(r, "wan").len > 0;
    if (segment.len && wan && !mu__str_eq(segment, mu__cstr("_all"))) {
        http_reply_text(r, 400, "Cannot provide a segment with wan=true");
        return;
    }
    if (segment.len && !mu__str_eq(segment, mu__cstr("_all"))) {
        if (http_asks_servers(r)) {
            http_reply_text(r, 500, "segment \"%s\" not found", http_cstr(r, segment));
        } else {
            http_reply_text(r, 500, "Network segments are not supported in this version of Consul");
        }
        return;
    }
    struct agent_members_request *q = agent_call(r, &endpoint_agent_members, encode_members);
    if (q) {
        q->wan = wan;
        http_call_start(r);
    }
}

static void encode_services(struct http_request *r, struct call *c)
{
    encode_map(r, &((const struct agent_services_reply *)c->reply)->services,
               &agent_service_schema);
}

void route_agent_services(struct http_request *r)
{
    if (options_check_namespace(r) && agent_call(r, &endpoint_agent_services, encode_services) &&
        read_filter(r, &agent_service_schema)) {
        http_call_start(r);
    }
}

static void encode_checks(struct http_request *r, struct call *c)
{
    encode_map(r, &((const struct agent_checks_reply *)c->reply)->checks,
               catalog_schema(CATALOG_CHECK));
}

void route_agent_checks(struct http_request *r)
{
    if (options_check_namespace(r) && agent_call(r, &endpoint_agent_checks, encode_checks) &&
        read_filter_saying(r, catalog_schema(CATALOG_CHECK), "")) {
        http_call_start(r);
    }
}

/* ---- One service, with blocking by content hash ---- */

static void encode_service(struct http_request *r, struct call *c)
{
    const struct agent_service *s = ((const struct agent_service_reply *)c->reply)->service;
    if (!s) {
        http_reply_text(r, 404, "unknown service ID: %s", http_cstr(r, r->rest));
        return;
    }
    http_header(r, "X-Consul-Contenthash", "%.*s", (int)s->content_hash.len,
                s->content_hash.p ? s->content_hash.p : "");
    struct mu__json j = http_json(r);
    mu__json_value(&j, &agent_service_schema, s);
    http_reply_json(r, &j, 200);
}

void route_agent_service(struct http_request *r)
{
    struct agent_service_request *q =
        options_check_namespace(r) ? agent_call(r, &endpoint_agent_service, encode_service) : NULL;
    if (!q) {
        return;
    }
    struct mu_str wait = http_param(r, "wait");
    q->id = r->rest;
    q->hash = http_param(r, "hash");
    if (wait.len && !mu__duration_parse(wait.p, wait.len, &q->wait_ns)) {
        http_reply_text(r, 400, "Invalid wait time");
        return;
    }
    r->blocking = q->hash.len > 0;
    http_call_start(r);
}

/* ---- Joining and leaving ---- */

void route_agent_join(struct http_request *r)
{
    struct agent_join_request *q = agent_call(r, &endpoint_agent_join, http_encode_empty);
    if (q) {
        q->address = r->rest;
        q->wan = mu__str_eq(http_param(r, "wan"), mu__cstr("1"));
        http_call_start(r);
    }
}

void route_agent_leave(struct http_request *r)
{
    if (agent_call(r, &endpoint_agent_leave, http_encode_empty)) {
        http_call_start(r);
    }
}

void route_agent_force_leave(struct http_request *r)
{
    struct agent_force_leave_request *q =
        agent_call(r, &endpoint_agent_force_leave, http_encode_empty);
    if (q) {
        q->node = r->rest;
        q->prune = http_has_param(r, "prune");
        http_call_start(r);
    }
}

void route_agent_reload(struct http_request *r)
{
    if (agent_call(r, &endpoint_agent_reload, http_encode_empty)) {
        http_call_start(r);
    }
}

/* ---- Maintenance ---- */

static void maintain(struct http_request *r, struct mu_str service_id)
{
    struct mu_str enable = http_param(r, "enable");
    bool on = false;
    if (!enable.len) {
        http_reply_text(r, 400, "Missing value for enable");
        return;
    }
    if (!strconv_bool(enable, &on)) {
        http_reply_text(r, 400, "Invalid value for enable: \"%s\"", http_cstr(r, enable));
        return;
    }
    struct agent_maintenance_request *q =
        agent_call(r, &endpoint_agent_maintenance, http_encode_empty);
    if (q) {
        q->service_id = service_id;
        q->enable = on;
        q->reason = http_param(r, "reason");
        q->token = options_token(r);
        http_call_start(r);
    }
}

void route_agent_maintenance(struct http_request *r)
{
    maintain(r, (struct mu_str){NULL, 0});
}

void route_agent_service_maintenance(struct http_request *r)
{
    if (!r->rest.len) {
        http_reply_text(r, 400, "Missing service ID");
        return;
    }
    maintain(r, r->rest);
}
