/* routes_host.c - the machine that the agent runs on (http-api 2.2). */
#include "routes.h"

#include "base/host.h"
#include "base/loop.h"

void route_agent_host(struct http_request *r)
{
    struct mu__json j = http_json(r);
    host_write_json(&j, loop_now_unix_ns());
    http_reply_json(r, &j, 200);
}
