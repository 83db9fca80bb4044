/* routes_coordinate.c - where nodes are in the network (http-api 9.1). */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"

static bool is_off(struct http_request *r)
{
    if (r->server->config.no_coordinates) {
        http_reply_text(r, 401, "Coordinate support disabled");
        return true;
    }
    return false;
}

static void encode_datacenters(struct http_request *r, struct call *c)
{
    encode_list(r, c->reply, catalog_schema(CATALOG_DATACENTER_MAP));
}

void route_coordinate_datacenters(struct http_request *r)
{
    const struct endpoint *e = &endpoints[ENDPOINT_COORDINATE_LIST_DATACENTERS];
    if (!is_off(r) && http_call(r, e, encode_datacenters)) {
        http_call_start(r);
    }
}

/* Leaves those of ?segment=, if that is given, even empty. */
static struct mu_list of_segment(const struct http_request *r, const struct call *c)
{
    struct mu_list all = ((const struct catalog_indexed_coordinates *)c->reply)->coordinates;
    struct mu_str segment = http_param(r, "segment");
    struct mu_list kept = {all.items, 0};
    for (size_t i = 0; i < all.len; i++) {
        const struct catalog_coordinate *x = all.items[i];
        if (!http_has_param(r, "segment") || mu__str_eq(x->segment, segment)) {
            kept.items[kept.len++] = all.items[i];
        }
    }
    return kept;
}

static void encode_nodes(struct http_request *r, struct call *c)
{
    struct mu_list list = of_segment(r, c);
    encode_list(r, &list, catalog_schema(CATALOG_COORDINATE));
}

void route_coordinate_nodes(struct http_request *r)
{
    if (!is_off(r) && read_call(r, &endpoints[ENDPOINT_COORDINATE_LIST_NODES], encode_nodes)) {
        http_call_start(r);
    }
}

static void encode_node(struct http_request *r, struct call *c)
{
    struct mu_list list = of_segment(r, c);
    if (list.len == 0) {
        http_drop_headers(r);
        http_reply_empty(r, 404);
        return;
    }
    encode_list(r, &list, catalog_schema(CATALOG_COORDINATE));
}

void route_coordinate_node(struct http_request *r)
{
    struct catalog_node_request *q =
        is_off(r) ? NULL : read_call(r, &endpoints[ENDPOINT_COORDINATE_NODE], encode_node);
    if (q) {
        q->node = r->rest;
        http_call_start(r);
    }
}

void route_coordinate_update(struct http_request *r)
{
    struct call *c =
        is_off(r) ? NULL : http_call(r, &endpoints[ENDPOINT_COORDINATE_UPDATE], http_encode_empty);
    struct catalog_coordinate_update_request *q = c ? c->request : NULL;
    if (!q || !http_decode_body(r, c->endpoint->request, q, "Request decode failed: ")) {
        return;
    }
    if (q->datacenter.len == 0 || http_param(r, "dc").len) {
        q->datacenter = options_datacenter(r);
    }
    struct mu_str token = options_token(r);
    q->token = token.len ? token : q->token;
    http_call_start(r);
}
