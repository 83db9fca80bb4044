/* routes_catalog.c - nodes, services and where they run (http-api 3). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "tags.h"

static void encode_datacenters(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    encode_strs(&j, c->reply);
    http_reply_json(r, &j, 200);
}

void route_catalog_datacenters(struct http_request *r)
{
    if (read_call_now(r, &endpoints[ENDPOINT_CATALOG_LIST_DATACENTERS], encode_datacenters)) {
        r->shows_cache = true;
        http_call_start(r);
    }
}

static void encode_nodes(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_nodes *reply = c->reply;
    encode_list(r, &reply->nodes, catalog_schema(CATALOG_NODE));
}

void route_catalog_nodes(struct http_request *r)
{
    struct catalog_dc_request *q =
        read_call(r, &endpoints[ENDPOINT_CATALOG_LIST_NODES], encode_nodes);
    if (q && options_node_meta(r, &q->node_meta_filters) &&
        read_filter(r, catalog_schema(CATALOG_NODE))) {
        options_source(r, &q->source);
        r->shows_consistency = true;
        http_call_start(r);
    }
}

static void encode_services(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_services *reply = c->reply;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    for (size_t i = 0; i < reply->services.len; i++) {
        mu__json_key(&j, reply->services.items[i].key);
        encode_strs(&j, &reply->services.items[i].value);
    }
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

void route_catalog_services(struct http_request *r)
{
    struct catalog_dc_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_CATALOG_LIST_SERVICES], encode_services);
    if (q && options_node_meta(r, &q->node_meta_filters)) {
        options_source(r, &q->source);
        r->shows_consistency = r->shows_cache = true;
        http_call_start(r);
    }
}

static void encode_service_nodes(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_service_nodes *reply = c->reply;
    encode_list(r, &reply->service_nodes, catalog_schema(CATALOG_SERVICE_NODE));
}

static void service(struct http_request *r, bool connect)
{
    struct catalog_service_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_CATALOG_SERVICE_NODES], encode_service_nodes);
    if (q && read_service(r, q) && read_filter(r, catalog_schema(CATALOG_SERVICE_NODE))) {
        q->connect = connect;
        r->shows_consistency = r->shows_cache = true;
        http_call_start(r);
    }
}

void route_catalog_service(struct http_request *r)
{
    service(r, false);
}

void route_catalog_connect(struct http_request *r)
{
    service(r, true);
}

/* The filter of these two is for the services; the node is always shown. */
static void encode_node(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_node_services *reply = c->reply;
    struct mu__json j = http_json(r);
    if (!reply->node_services || !reply->node_services->node) {
        mu__json_null(&j);
        http_reply_json(r, &j, 200);
        return;
    }
    const struct mu_structmap *services = &reply->node_services->services;
    mu__json_object(&j);
    mu__json_ckey(&j, "Node");
    mu__json_value(&j, catalog_schema(CATALOG_NODE), reply->node_services->node);
    mu__json_ckey(&j, "Services");
    mu__json_object(&j);
    for (size_t i = 0; i < services->len; i++) {
        if (filter_match(r->filter, services->items[i].value)) {
            mu__json_key(&j, services->items[i].key);
            mu__json_value(&j, catalog_schema(CATALOG_NODE_SERVICE), services->items[i].value);
        }
    }
    mu__json_object_end(&j);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

static void encode_node_service_list(struct http_request *r, struct call *c)
{
    const struct catalog_node_service_list *l =
        &((const struct catalog_indexed_node_service_list *)c->reply)->node_services;
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "Node");
    l->node ? mu__json_value(&j, catalog_schema(CATALOG_NODE), l->node) : mu__json_null(&j);
    mu__json_ckey(&j, "Services");
    if (l->node && (l->services.len || r->filter)) { /* a filter leaves an empty list, never null */
        mu__json_list(&j);
        for (size_t i = 0; i < l->services.len; i++) {
            if (filter_match(r->filter, l->services.items[i])) {
                mu__json_item(&j);
                mu__json_value(&j, catalog_schema(CATALOG_NODE_SERVICE), l->services.items[i]);
            }
        }
        mu__json_list_end(&j);
    } else {
        mu__json_null(&j);
    }
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

static void node(struct http_request *r, const struct endpoint *e, http_encode_fn encode)
{
    struct catalog_node_request *q = read_call_ns(r, e, encode);
    if (q && read_name(r, &q->node, "Missing node name") &&
        read_filter(r, catalog_schema(CATALOG_NODE_SERVICE))) {
        r->shows_consistency = true;
        http_call_start(r);
    }
}

void route_catalog_node(struct http_request *r)
{
    node(r, &endpoints[ENDPOINT_CATALOG_NODE_SERVICES], encode_node);
}

void route_catalog_node_services(struct http_request *r)
{
    node(r, &endpoints[ENDPOINT_CATALOG_NODE_SERVICE_LIST], encode_node_service_list);
}

/* ---- Writes: the body, not ?dc, says which datacenter is meant ---- */

static void encode_true(struct http_request *r, struct call *c)
{
    (void)c;
    struct mu__json j = http_json(r);
    mu__json_bool(&j, true);
    http_reply_json(r, &j, 200);
}

static void *write_call(struct http_request *r, const struct endpoint *e)
{
    struct call *c = options_check_namespace(r) ? http_call(r, e, encode_true) : NULL;
    if (!c || !http_decode_body(r, e->request, c->request, "Request decode failed: ")) {
        return NULL;
    }
    return c->request;
}

static void write_start(struct http_request *r, struct mu_str *datacenter, struct mu_str *token)
{
    struct mu_str given = options_token(r);
    *datacenter = datacenter->len ? *datacenter : options_datacenter(r);
    *token = given.len ? given : *token;
    http_call_start(r);
}

void route_catalog_register(struct http_request *r)
{
    struct catalog_register_request *q = write_call(r, &endpoints[ENDPOINT_CATALOG_REGISTER]);
    if (q) {
        write_start(r, &q->datacenter, &q->token);
    }
}

void route_catalog_deregister(struct http_request *r)
{
    struct catalog_deregister_request *q = write_call(r, &endpoints[ENDPOINT_CATALOG_DEREGISTER]);
    if (q) {
        write_start(r, &q->datacenter, &q->token);
    }
}
