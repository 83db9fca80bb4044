/* routes_operator.c - Raft's servers and autopilot, for operators (http-api 9.2). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "rpc/endpoints.h"

/* ---- Raft ---- */

static void encode_raft(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_value(&j, catalog_schema(CATALOG_RAFT_CONFIGURATION), c->reply);
    http_reply_json(r, &j, 200);
}

void route_operator_raft_configuration(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION], encode_raft)) {
        http_call_start(r);
    }
}

void route_operator_raft_peer(struct http_request *r)
{
    bool by_id = http_has_param(r, "id"), by_address = http_has_param(r, "address");
    if (!by_id && !by_address) {
        http_reply_text(r, 400,
                        "Bad request: Must specify either ?id with the server's ID or ?address "
                        "with IP:port of peer to remove");
        return;
    }
    if (by_id && by_address) {
        http_reply_text(r, 400, "Bad request: Must specify only one of ?id or ?address");
        return;
    }
    const struct endpoint *e = &endpoints[by_id ? ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID
                                                : ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS];
    struct call *c = http_call(r, e, http_encode_empty);
    if (!c) {
        return;
    }
    struct catalog_raft_remove_request *q = c->request;
    q->datacenter = options_datacenter(r);
    q->token = options_token(r);
    q->id = http_param(r, "id");
    q->address = http_param(r, "address");
    http_call_start(r);
}

/* ---- Autopilot ---- */

static void encode_config(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_value(&j, catalog_schema(CATALOG_AUTOPILOT_CONFIG), c->reply);
    http_reply_json(r, &j, 200);
}

/* A plain change succeeds whatever the reply: only a condition can fail. */
static void encode_set(struct http_request *r, struct call *c)
{
    const struct catalog_autopilot_set_request *q = c->request;
    struct mu__json j = http_json(r);
    mu__json_bool(&j, !q->cas || *(const bool *)c->reply);
    http_reply_json(r, &j, 200);
}

static void set_config(struct http_request *r)
{
    struct call *c =
        http_call(r, &endpoints[ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION], encode_set);
    struct catalog_autopilot_set_request *q = c ? c->request : NULL;
    if (!q || !http_decode_body(r, catalog_schema(CATALOG_AUTOPILOT_CONFIG), &q->config,
                                "Bad request: Error parsing autopilot config: ")) {
        return;
    }
    q->datacenter = options_datacenter(r);
    q->token = options_token(r);
    q->cas = http_has_param(r, "cas");
    q->config.create_index = q->config.modify_index = 0;
    const char *err =
        q->cas ? options_parse_uint(r, http_param(r, "cas"), &q->config.modify_index) : NULL;
    if (err) {
        http_reply_text(r, 400, "Bad request: Error parsing cas value: %s", err);
        return;
    }
    http_call_start(r);
}

void route_operator_autopilot_configuration(struct http_request *r)
{
    if (r->method == HTTP_PUT) {
        set_config(r);
    } else if (read_call(r, &endpoints[ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION],
                         encode_config)) {
        http_call_start(r);
    }
}

static const char *serf_status(int64_t status)
{
    static const char *const names[] = {"none", "alive", "leaving", "left", "failed"};
    return status >= 0 && (size_t)status < sizeof names / sizeof *names ? names[status] : "none";
}

static void field(struct mu__json *j, const char *key, const struct catalog_server_health *s)
{
    struct mu_str name = mu__cstr(key);
    const struct mu__field *f = mu__schema_field(catalog_schema(CATALOG_SERVER_HEALTH), name);
    mu__json_key(j, name);
    mu__json_field(j, f, (const char *)s + f->offset);
}

/* As on the wire, but for what people read: words, durations, and times to the second. */
static void encode_server(struct mu__json *j, const struct catalog_server_health *s)
{
    static const char *const plain_before[] = {"ID", "Name", "Address"};
    static const char *const plain_after[] = {"LastTerm", "LastIndex", "Healthy", "Voter"};
    char contact[32];
    struct mu_time since = {s->stable_since.since_year1_s + (s->stable_since.ns >= 500000000), 0};
    mu__duration_format(s->last_contact_ns, contact);
    mu__json_object(j);
    for (size_t i = 0; i < 3; i++) {
        field(j, plain_before[i], s);
    }
    mu__json_ckey(j, "SerfStatus");
    mu__json_cstr(j, serf_status(s->serf_status));
    field(j, "Version", s);
    field(j, "Leader", s);
    mu__json_ckey(j, "LastContact");
    mu__json_cstr(j, contact);
    for (size_t i = 0; i < 4; i++) {
        field(j, plain_after[i], s);
    }
    mu__json_ckey(j, "StableSince");
    mu__json_time(j, since);
    mu__json_object_end(j);
}

static void encode_health(struct http_request *r, struct call *c)
{
    const struct catalog_operator_health *reply = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Healthy");
    mu__json_bool(&j, reply->healthy);
    mu__json_ckey(&j, "FailureTolerance");
    mu__json_int(&j, reply->failure_tolerance);
    mu__json_ckey(&j, "Servers");
    mu__json_list(&j);
    for (size_t i = 0; i < reply->servers.len; i++) {
        mu__json_item(&j);
        encode_server(&j, reply->servers.items[i]);
    }
    mu__json_list_end(&j);
    mu__json_object_end(&j);
    http_reply_json(r, &j, reply->healthy ? 200 : 429);
}

void route_operator_autopilot_health(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_OPERATOR_SERVER_HEALTH], encode_health)) {
        http_call_start(r);
    }
}
