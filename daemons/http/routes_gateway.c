/* routes_gateway.c - what is behind ingress and terminating gateways (http-api 3, 9.4). */
#include "routes.h"

#include "encode.h"
#include "internal.h"
#include "options.h"
#include "routes_ui.h"
#include "rpc/endpoints.h"

#include <muster/catalog_gateway.h>
#include <stdio.h>
#include <string.h>

static void encode_gateway_services(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_gateway_services *reply = c->reply;
    if (reply->services.len) {
        encode_list(r, &reply->services, catalog_gateway_service_schema());
        return;
    }
    struct mu__json j = http_json(r);
    mu__json_null(&j);
    http_reply_json(r, &j, 200);
}

void route_catalog_gateway_services(struct http_request *r)
{
    struct catalog_service_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_CATALOG_GATEWAY_SERVICES], encode_gateway_services);
    if (q && read_name(r, &q->service_name, "Missing gateway name")) {
        r->shows_consistency = true;
        http_call_start(r);
    }
}

/* ---- A line for each service behind a gateway ---- */

/* "host:port"; p NULL: out of memory. */
static struct mu_str join_address(struct http_request *r, struct mu_str host, int64_t port)
{
    char text[24];
    size_t n = (size_t)snprintf(text, sizeof text, ":%lld", (long long)port);
    char *p = mu__arena_alloc(&r->arena, host.len + n);
    if (p) {
        if (host.len) {
            memcpy(p, host.p, host.len);
        }
        memcpy(p + host.len, text, n);
    }
    return (struct mu_str){p, p ? host.len + n : 0};
}

/* What DNS calls the gateways of a service: "web.ingress.dc1.consul." */
static struct mu_str dns_name(struct http_request *r, struct mu_str service)
{
    const struct http_server *s = r->server;
    size_t size =
        service.len + sizeof ".ingress..." + strlen(s->datacenter) + strlen(s->dns_domain);
    char *p = mu__arena_alloc(&r->arena, size);
    if (!p) {
        return (struct mu_str){NULL, 0};
    }
    int n = snprintf(p, size, "%.*s.ingress.%s.%s.", (int)service.len, service.p, s->datacenter,
                     s->dns_domain);
    return (struct mu_str){p, (size_t)n};
}

/* Each once, as they come. Room was made. */
static bool add_address(struct mu_strs *to, struct mu_str address)
{
    for (size_t i = 0; i < to->len; i++) {
        if (mu__str_eq(to->items[i], address)) {
            return true;
        }
    }
    to->items[to->len++] = address;
    return address.p != NULL;
}

static size_t count_addresses(const struct catalog_gateway_service *s)
{
    bool is_listening = s->port && mu__str_eq(s->gateway_kind, mu__cstr("ingress-gateway"));
    return is_listening ? s->hosts.len + !s->hosts.len : 0;
}

static bool add_addresses(struct http_request *r, const struct catalog_gateway_service *s,
                          struct mu_strs *to)
{
    bool ok = true;
    if (count_addresses(s) == 0) {
        return true;
    }
    for (size_t i = 0; i < s->hosts.len && ok; i++) {
        ok = add_address(to, join_address(r, s->hosts.items[i], s->port));
    }
    return s->hosts.len ? ok
                        : add_address(to, join_address(r, dns_name(r, s->service.name), s->port));
}

/* The same pair stands once for each instance, one after the other. */
static bool list_addresses(struct http_request *r, struct catalog_service_info *const *items,
                           size_t len, struct mu_strs *out)
{
    size_t total = 0;
    bool ok = true;
    for (size_t i = 0; i < len; i++) {
        total += count_addresses(items[i]->gateway_service);
    }
    *out = (struct mu_strs){mu__arena_calloc(&r->arena, total + 1, sizeof *out->items), 0};
    for (size_t i = 0; i < len && ok && out->items; i++) {
        if (i == 0 || items[i]->gateway_service != items[i - 1]->gateway_service) {
            ok = add_addresses(r, items[i]->gateway_service, out);
        }
    }
    return ok && out->items;
}

static bool say_services(struct http_request *r, struct mu__json *j,
                         struct catalog_service_info *const *items, size_t len)
{
    struct ui_service g = {.name = items[0]->gateway_service->service.name};
    struct catalog_check_service_node **found = mu__arena_calloc(&r->arena, len, sizeof *found);
    for (size_t i = 0; i < len && found; i++) {
        const struct catalog_service_info *info = items[i];
        struct catalog_check_service_node *n =
            info->node && info->service ? mu__arena_alloc(&r->arena, sizeof *n) : NULL;
        if (n) {
            *n = (struct catalog_check_service_node){info->node, info->service, info->checks};
            found[g.len++] = n;
        }
    }
    g.items = found;
    return found && list_addresses(r, items, len, &g.addresses) && ui_say_service(r, j, &g);
}

static bool same_service(const struct catalog_service_info *a, const struct catalog_service_info *b)
{
    return mu__str_ieq(a->gateway_service->service.name, b->gateway_service->service.name);
}

/* A server of another make could leave out what we cannot do without. */
static size_t keep_whole(const struct mu_list *dump, struct catalog_service_info **out)
{
    size_t n = 0;
    for (size_t i = 0; i < dump->len; i++) {
        struct catalog_service_info *info = dump->items[i];
        if (info && info->gateway_service) {
            out[n++] = info;
        }
    }
    return n;
}

static void encode_ui(struct http_request *r, struct call *c)
{
    const struct catalog_indexed_service_dump *reply = c->reply;
    struct catalog_service_info **all =
        mu__arena_calloc(&r->arena, reply->dump.len + 1, sizeof *all);
    size_t n = all ? keep_whole(&reply->dump, all) : 0;
    bool ok = all != NULL;
    struct mu__json j = http_json(r);
    mu__json_list(&j);
    for (size_t at = 0, next; at < n && ok; at = next) {
        for (next = at + 1; next < n && same_service(all[at], all[next]);) {
            next++;
        }
        ok = say_services(r, &j, all + at, next - at);
    }
    mu__json_list_end(&j);
    if (ok) {
        http_reply_json(r, &j, 200);
    } else {
        http_reply_empty(r, 500);
    }
}

void route_ui_gateway_services(struct http_request *r)
{
    struct catalog_service_request *q =
        read_call_ns(r, &endpoints[ENDPOINT_INTERNAL_GATEWAY_SERVICE_DUMP], encode_ui);
    if (q && read_name(r, &q->service_name, "Missing gateway name")) {
        http_call_start(r);
    }
}
