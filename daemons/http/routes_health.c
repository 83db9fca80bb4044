/* routes_health.c - checks, and instances together with their checks (http-api 4). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "tags.h"

static void encode_checks(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_checks *reply = c->reply;
    encode_list(r, &reply->health_checks, catalog_schema(CATALOG_CHECK));
}

static void start(struct http_request *r)
{
    if (read_filter(r, catalog_schema(CATALOG_CHECK))) {
        r->shows_consistency = true;
        http_call_start(r);
    }
}

void route_health_node(struct http_request *r)
{
    struct catalog_node_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_HEALTH_NODE_CHECKS], encode_checks);
    if (q && read_name(r, &q->node, "Missing node name")) {
        start(r);
    }
}

void route_health_checks(struct http_request *r)
{
    struct catalog_service_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_HEALTH_SERVICE_CHECKS], encode_checks);
    if (q && options_node_meta(r, &q->node_meta_filters) &&
        read_name(r, &q->service_name, "Missing service name")) {
        options_source(r, &q->source);
        start(r);
    }
}

void route_health_state(struct http_request *r)
{
    struct catalog_checks_in_state_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_HEALTH_CHECKS_IN_STATE], encode_checks);
    if (q && options_node_meta(r, &q->node_meta_filters) &&
        read_name(r, &q->state, "Missing check state")) {
        options_source(r, &q->source);
        start(r);
    }
}

/* ---- Instances ---- */

static bool all_passing(const struct catalog_check_service_node *n)
{
    for (size_t i = 0; i < n->checks.len; i++) {
        const struct catalog_check *check = n->checks.items[i];
        if (!mu__str_eq(check->status, mu__cstr("passing"))) {
            return false;
        }
    }
    return true;
}

static void encode_instances(struct http_request *r, struct call *c)
{
    const struct mu_list *nodes =
        &((const struct catalog_indexed_check_service_nodes *)c->reply)->nodes;
    bool passing = *(const bool *)r->user;
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t i = 0; i < nodes->len; i++) {
        if ((!passing || all_passing(nodes->items[i])) &&
            filter_match(r->filter, nodes->items[i])) {
            mu__json_item(&j);
            mu__json_value(&j, catalog_schema(CATALOG_CHECK_SERVICE_NODE), nodes->items[i]);
        }
    }
    mu__json_list_end(&j);
    http_reply_json(r, &j, 200);
}

static void instances(struct http_request *r, bool connect, bool ingress)
{
    bool *passing = mu__arena_calloc(&r->arena, 1, sizeof *passing);
    if (!passing) {
        http_reply_empty(r, 500);
        return;
    }
    r->user = passing;
    struct catalog_service_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_HEALTH_SERVICE_NODES], encode_instances);
    if (q && read_service(r, q) && read_flag(r, "passing", passing) &&
        read_filter(r, catalog_schema(CATALOG_CHECK_SERVICE_NODE))) {
        q->connect = connect;
        q->ingress = ingress;
        r->shows_consistency = r->shows_cache = true;
        http_call_start(r);
    }
}

void route_health_service(struct http_request *r)
{
    instances(r, false, false);
}

void route_health_connect(struct http_request *r)
{
    instances(r, true, false);
}

void route_health_ingress(struct http_request *r)
{
    instances(r, false, true);
}

bool read_service(struct http_request *r, struct catalog_service_request *q)
{
    struct mu_str *tags = mu__arena_calloc(&r->arena, r->query.len + 1, sizeof *tags);
    size_t n = 0;
    if (!tags) {
        http_reply_empty(r, 500);
        return false;
    }
    for (size_t i = 0; i < r->query.len; i++) {
        if (mu__str_eq(r->query.items[i].key, mu__cstr("tag"))) {
            tags[n++] = r->query.items[i].value;
        }
    }
    if (n > 0) {
        q->service_tags = (struct mu_strs){tags, n};
        q->tag_filter = true;
    }
    options_source(r, &q->source);
    return options_node_meta(r, &q->node_meta_filters) &&
           read_name(r, &q->service_name, "Missing service name");
}
