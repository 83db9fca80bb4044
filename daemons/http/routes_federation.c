/* routes_federation.c - what datacenters tell each other (http-api 9.5). */
#include "routes.h"

#include "encode.h"
#include "options.h"
#include "routes_ui.h"
#include "rpc/endpoints.h"

#include <muster/catalog_federation.h>

/* Here, as in the lists of the web UI, tags that were never given are null. */
static const struct mu__schema *gateway_schema(struct http_request *r)
{
    const struct mu__schema *plain = catalog_schema(CATALOG_CHECK_SERVICE_NODE);
    const struct mu__schema *service =
        ui_vary_schema(r, catalog_schema(CATALOG_NODE_SERVICE), "Tags", NULL);
    const struct mu__schema *check =
        ui_vary_schema(r, catalog_schema(CATALOG_CHECK), "ServiceTags", NULL);
    const struct mu__schema *s =
        service && check ? ui_vary_schema(r, plain, "Service", service) : NULL;
    s = s ? ui_vary_schema(r, s, "Checks", check) : NULL;
    s = s ? ui_vary_schema(r, s, "Checks", NULL) : NULL;
    return s ? s : plain;
}

static const struct mu__schema *state_schema(struct http_request *r)
{
    const struct mu__schema *plain = catalog_federation_state_schema();
    const struct mu__schema *s = ui_vary_schema(r, plain, "MeshGateways", gateway_schema(r));
    return s ? s : plain;
}

static void encode_states(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_federation_states *reply = c->reply;
    encode_list(r, &reply->states, state_schema(r));
}

void route_federation_states(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_FEDERATION_STATE_LIST], encode_states)) {
        http_call_start(r);
    }
}

static void encode_state(struct http_request *r, struct call *c)
{
    const struct catalog_federation_reply *reply = c->reply;
    if (!reply->state) {
        http_drop_headers(r);
        http_reply_empty(r, 404);
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    mu__json_ckey(&j, "State");
    mu__json_value(&j, state_schema(r), reply->state);
    encode_meta(&j, &reply->meta);
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

void route_federation_state(struct http_request *r)
{
    if (r->rest.len == 0) { /* looked at before the options, unlike other names */
        http_reply_text(r, 400, "Bad request: Missing datacenter name");
        return;
    }
    struct catalog_federation_query *q =
        read_call(r, &endpoints[ENDPOINT_FEDERATION_STATE_GET], encode_state);
    if (q) {
        q->target_datacenter = r->rest;
        http_call_start(r);
    }
}

static void encode_gateways(struct http_request *r, struct call *c)
{
    const struct catalog_datacenter_nodes *reply = c->reply;
    const struct mu__schema *s = gateway_schema(r);
    struct mu__json j = http_json(r);
    mu__json_object(&j);
    for (size_t i = 0; i < reply->datacenters.len; i++) {
        const struct mu_list *nodes = reply->datacenters.items[i].value;
        mu__json_key(&j, reply->datacenters.items[i].key);
        mu__json_list(&j);
        for (size_t k = 0; k < nodes->len; k++) {
            mu__json_item(&j);
            mu__json_value(&j, s, nodes->items[k]);
        }
        mu__json_list_end(&j);
    }
    mu__json_object_end(&j);
    http_reply_json(r, &j, 200);
}

void route_federation_gateways(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_FEDERATION_STATE_LIST_MESH_GATEWAYS], encode_gateways)) {
        http_call_start(r);
    }
}
