/* routes_off.c - what ACLs and Connect answer where they are off (http-api 6, 7). */
#include "routes.h"

void route_acl_off(struct http_request *r)
{
    http_reply_text(r, 401, "ACL support disabled");
}

/* Profiles of a running program are Go's; who may not see them is told so, whatever the name. */
void route_debug_off(struct http_request *r)
{
    route_acl_off(r);
}
