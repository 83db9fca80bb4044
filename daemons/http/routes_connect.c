/* routes_connect.c - what proxies ask their agent for: roots and the certificate of a service
 * (http-api 2.20). Both are kept by the agent. */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"

#include "agent/agent_endpoints.h"

/* ---- Roots ---- */

void route_agent_connect_roots(struct http_request *r)
{
    struct catalog_dc_request *q =
        read_call(r, &endpoints[ENDPOINT_CONNECT_CA_ROOTS], encode_ca_roots);
    if (q) {
        q->options.use_cache = true;
        r->shows_cache = true;
        r->no_error_meta = true;
        http_call_start(r);
    }
}

/* ---- A leaf ---- */

static void encode_leaf(struct http_request *r, struct call *c)
{
    const struct agent_connect_leaf_reply *reply = c->reply;
    struct mu_str key = reply->cert->private_key_pem;
    struct mu__json j = http_json(r);
    http_header_uint(r, "X-Consul-Index", reply->cert->modify_index);
    mu__json_value(&j, catalog_schema(CATALOG_ISSUED_CERT), reply->cert);
    mu__wipe((void *)(uintptr_t)key.p, key.len); /* this copy is the call's own */
    http_reply_secret_json(r, &j, 200);
}

/* Of another datacenter there are no leafs here; its roots would be asked for first. */
static void ask_elsewhere(struct http_request *r, struct mu_str datacenter)
{
    struct call *c = http_call(r, &endpoints[ENDPOINT_CONNECT_CA_ROOTS], encode_ca_roots);
    if (c) {
        ((struct catalog_dc_request *)c->request)->datacenter = datacenter;
        http_call_start(r);
    }
}

void route_agent_connect_leaf(struct http_request *r)
{
    struct catalog_query_options o = {.token = {NULL, 0}};
    struct mu_str datacenter;
    if (!options_check_namespace(r) || !options_read(r, &datacenter, &o)) {
        return;
    }
    if (!options_is_here(r)) {
        ask_elsewhere(r, datacenter);
        return;
    }
    struct call *c = http_call(r, &endpoint_agent_connect_leaf, encode_leaf);
    if (!c) {
        return;
    }
    struct agent_connect_leaf_request *q = c->request;
    *q = (struct agent_connect_leaf_request){.service = r->rest,
                                             .token = o.token,
                                             .min_index = o.min_query_index,
                                             .wait_ns = o.max_query_time_ns};
    r->blocking = true; /* it may have to be made */
    http_call_start(r);
}
