#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"

void route_root(struct http_request *r)
{
    if (r->server->config.ui) {
        http__redirect(r, mu__cstr(r->server->ui_path), false);
    } else {
        http_reply_text(r, 200, "Consul Agent");
    }
}

static void encode_leader(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    mu__json_str(&j, *(const struct mu_str *)c->reply);
    http_reply_json(r, &j, 200);
}

static void encode_peers(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    encode_strs(&j, c->reply);
    http_reply_json(r, &j, 200);
}

/* Servers answer these for themselves, so what names another datacenter goes no further. */
static bool is_here(struct http_request *r)
{
    if (options_is_here(r)) {
        return true;
    }
    http_reply_refusal(r, "No path to datacenter");
    return false;
}

void route_status_leader(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_STATUS_LEADER], encode_leader) && is_here(r)) {
        http_call_start(r);
    }
}

void route_status_peers(struct http_request *r)
{
    if (read_call(r, &endpoints[ENDPOINT_STATUS_PEERS], encode_peers) && is_here(r)) {
        http_call_start(r);
    }
}
