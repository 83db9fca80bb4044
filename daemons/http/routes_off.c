/* routes_off.c - what ACLs and Connect answer where they are off (http-api 6, 7). */
#include "routes.h"

#include "options.h"
#include "strconv.h"

#define CONNECT_OFF "Connect must be enabled in order to use this endpoint"

void route_acl_off(struct http_request *r)
{
    http_reply_text(r, 401, "ACL support disabled");
}

/* Profiles of a running program are Go's; who may not see them is told so, whatever the name. */
void route_debug_off(struct http_request *r)
{
    route_acl_off(r);
}

void route_connect_roots(struct http_request *r)
{
    bool pem;
    struct mu_str text = http_param(r, "pem");
    if (text.len && !strconv_bool(text, &pem)) {
        http_reply_text(r, 400, "Bad request: The 'pem' query parameter must be a boolean value");
        return;
    }
    http_meta(r, NULL);
    http_reply_refusal(r, CONNECT_OFF);
}

/* Its body is looked at before Connect is. */
void route_connect_configuration(struct http_request *r)
{
    if (r->method == HTTP_PUT && r->body.len == 0) {
        http_reply_text(r, 400, "Bad request: Request decode failed: EOF");
        return;
    }
    http_reply_refusal(r, CONNECT_OFF);
}
