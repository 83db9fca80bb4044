#include "ask.h"

#include <stdio.h>

struct dns_terms dns_terms(const struct config *c)
{
    return (struct dns_terms){.datacenter = c->datacenter,
                              .node = c->node_name,
                              .allow_stale = c->dns.allow_stale,
                              .use_cache = c->dns.use_cache,
                              .translate_wan = c->translate_wan_addrs,
                              .max_stale_ns = c->dns.max_stale_ns,
                              .cache_max_age_ns = c->dns.cache_max_age_ns,
                              .serve_stale_ns = c->dns.serve_stale_ns};
}

static struct catalog_query_options options(const struct dns_terms *t)
{
    return (struct catalog_query_options){.allow_stale = t->allow_stale,
                                          .max_stale_duration_ns = (int64_t)t->max_stale_ns};
}

static void ask_service(const struct dns_terms *t, const struct dnsfront_lookup *l,
                        struct mu_str name, struct dns_ask *out)
{
    bool tagged = l->kind == DNSFRONT_SERVICE && l->tag.len;
    out->endpoint = &endpoints[ENDPOINT_HEALTH_SERVICE_NODES];
    out->tag = l->tag;
    out->request.service = (struct catalog_service_request){
        .datacenter = l->datacenter,
        .service_name = name,
        .service_tags = {tagged ? &out->tag : NULL, tagged ? 1 : 0},
        .tag_filter = tagged,
        .connect = l->kind == DNSFRONT_CONNECT,
        .ingress = l->kind == DNSFRONT_INGRESS,
        .options = options(t)};
}

static void ask_node(const struct dns_terms *t, const struct dnsfront_lookup *l,
                     struct dns_ask *out)
{
    out->endpoint = &endpoints[ENDPOINT_CATALOG_NODE_SERVICES];
    out->request.node = (struct catalog_node_request){
        .datacenter = l->datacenter, .node = l->name, .options = options(t)};
}

static void ask_virtual(const struct dns_terms *t, const struct dnsfront_lookup *l,
                        struct dns_ask *out)
{
    out->endpoint = &endpoints[ENDPOINT_CATALOG_VIRTUAL_IP_FOR_SERVICE];
    out->request.service = (struct catalog_service_request){
        .datacenter = l->datacenter, .service_name = l->name, .options = options(t)};
}

/* Servers sort by the distance from the client or from us, where the query says so. */
static void ask_query(const struct dns_terms *t, const struct dnsfront_lookup *l,
                      struct dns_ask *out)
{
    out->endpoint = &endpoints[ENDPOINT_PREPARED_QUERY_EXECUTE];
    out->request.query = (struct catalog_query_execute_request){
        .datacenter = l->datacenter,
        .query_id_or_name = l->name,
        .source.ip = l->client,
        .agent = {.datacenter = t->datacenter, .node = t->node},
        .options = options(t)};
    out->request.query.options.max_age_ns = (int64_t)t->cache_max_age_ns;
}

/* A node with that address, else an instance. The address is text of inet_ntop's, so it needs no
 * quoting. */
static bool ask_reverse(const struct dns_terms *t, const struct dnsfront_lookup *l, unsigned step,
                        struct dns_ask *out)
{
    if (step > 0) {
        out->endpoint = &endpoints[ENDPOINT_CATALOG_SERVICE_NODES];
        out->request.service = (struct catalog_service_request){
            .datacenter = t->datacenter, .service_address = l->name, .options = options(t)};
        return true;
    }
    int n = snprintf(out->filter, sizeof out->filter, "Address == \"%.*s\"", (int)l->name.len,
                     l->name.p);
    out->endpoint = &endpoints[ENDPOINT_CATALOG_LIST_NODES];
    out->request.nodes =
        (struct catalog_dc_request){.datacenter = t->datacenter, .options = options(t)};
    out->request.nodes.options.filter = mu__cstr(out->filter);
    return n > 0 && (size_t)n < sizeof out->filter;
}

bool dns_ask(const struct dns_terms *t, const struct dnsfront_lookup *l, unsigned step,
             struct dns_ask *out)
{
    if (step > (l->kind == DNSFRONT_REVERSE ? 1u : 0u)) {
        return false;
    }
    switch (l->kind) {
    case DNSFRONT_SERVICE:
    case DNSFRONT_CONNECT:
    case DNSFRONT_INGRESS:
        ask_service(t, l, l->name, out);
        return true;
    case DNSFRONT_SERVERS:
        ask_service(t, l, mu__cstr("consul"), out);
        return true;
    case DNSFRONT_QUERY:
        ask_query(t, l, out);
        return true;
    case DNSFRONT_NODE:
        ask_node(t, l, out);
        return true;
    case DNSFRONT_REVERSE:
        return ask_reverse(t, l, step, out);
    case DNSFRONT_VIRTUAL:
        ask_virtual(t, l, out);
        return true;
    default: /* the node asks other resolvers itself */
        return false;
    }
}
