/* routes_event.c - user events: fired by a server, listed by the agent that received them (http-api
 * 5.5). */
#include "routes.h"

#include "agent/agent_endpoints.h"
#include "agent/user_event.h"
#include "options.h"
#include "rpc/endpoints.h"

#include <stdio.h>
#include <sys/random.h>

/* ---- Firing ---- */

static struct mu_str make_id(struct http_request *r)
{
    uint8_t b[16];
    char text[37];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        return (struct mu_str){NULL, 0};
    }
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += (size_t)snprintf(text + at, sizeof text - at, dash ? "-%02x" : "%02x", b[i]);
    }
    return (struct mu_str){mu__arena_strndup(&r->arena, text, at), at};
}

static void encode_fired(struct http_request *r, struct call *c)
{
    struct mu__json j = http_json(r);
    (void)c;
    mu__json_value(&j, &user_event_schema, r->user);
    http_reply_json(r, &j, 200);
}

/* The event in the arena; NULL: it is wrong, and the request has been answered. */
static struct user_event *read_event(struct http_request *r)
{
    struct user_event *ev = mu__arena_calloc(&r->arena, 1, sizeof *ev);
    char err[512];
    if (!r->rest.len) {
        http_reply_text(r, 400, "Missing name");
        return NULL;
    }
    if (!ev || !(ev->id = make_id(r)).p) {
        http_reply_empty(r, 500);
        return NULL;
    }
    ev->name = r->rest;
    ev->payload = r->body;
    ev->node_filter = http_param(r, "node");
    ev->service_filter = http_param(r, "service");
    ev->tag_filter = http_param(r, "tag");
    ev->version = USER_EVENT_VERSION;
    if (!user_event_check(ev, err, sizeof err)) {
        http_reply_text(r, 500, "%s", err);
        return NULL;
    }
    return ev;
}

void route_event_fire(struct http_request *r)
{
    struct user_event *ev = read_event(r);
    struct call *c =
        ev ? http_call(r, &endpoints[ENDPOINT_INTERNAL_EVENT_FIRE], encode_fired) : NULL;
    if (!c) {
        return;
    }
    struct catalog_event_fire_request *q = c->request;
    struct mu__writer w = mu__writer_growing(&r->arena.allocator);
    user_event_encode(&w, ev);
    q->datacenter = options_datacenter(r);
    q->name = ev->name;
    q->payload = (struct mu_str){mu__arena_memdup(&r->arena, w.data, w.len), w.len};
    mu__writer_fini(&w);
    if (!q->payload.p) {
        http_reply_empty(r, 500);
        return;
    }
    q->options.token = options_token(r);
    q->options.allow_stale = true; /* any server can do it: gossip spreads it */
    r->user = ev;
    http_call_start(r);
}

/* ---- Listing ---- */

static void encode_events(struct http_request *r, struct call *c)
{
    const struct agent_events_reply *reply = c->reply;
    http_header(r, "X-Consul-Index", "%llu", (unsigned long long)reply->index);
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t i = 0; i < reply->events.len; i++) {
        mu__json_item(&j);
        mu__json_value(&j, &user_event_schema, reply->events.items[i]);
    }
    mu__json_list_end(&j);
    http_reply_json(r, &j, 200);
}

void route_event_list(struct http_request *r)
{
    struct call *c = http_call(r, &endpoint_agent_events, encode_events);
    struct mu_str wait = http_param(r, "wait"), index = http_param(r, "index");
    struct agent_events_request *q = c ? c->request : NULL;
    if (!q) {
        return;
    }
    if (wait.len && !mu__duration_parse(wait.p, wait.len, &q->wait_ns)) {
        http_reply_text(r, 400, "Invalid wait time");
        return;
    }
    if (index.len && options_parse_uint(r, index, &q->min_index)) {
        http_reply_text(r, 400, "Invalid index");
        return;
    }
    q->name = http_param(r, "name");
    r->blocking = q->min_index > 0;
    http_call_start(r);
}
