/* ask.h - what a lookup asks of the catalog: endpoints and their requests. */
#pragma once

#include "base/config.h"
#include "rpc/endpoints.h"

#include <muster/catalog_types.h>
#include <muster/dnsfront.h>

/* What the configuration says about lookups; text is borrowed. */
struct dns_terms {
    struct mu_str datacenter, node;
    bool allow_stale, use_cache, translate_wan;
    uint64_t max_stale_ns, cache_max_age_ns, serve_stale_ns;
};
struct dns_terms dns_terms(const struct config *c);

#define DNS_FILTER_MAX 80u
struct dns_ask {
    const struct endpoint *endpoint;
    union {
        struct catalog_service_request service;
        struct catalog_node_request node;
        struct catalog_query_execute_request query;
        struct catalog_dc_request nodes;
    } request;
    struct mu_str tag; /* what the request's tags point at */
    char filter[DNS_FILTER_MAX];
};

/* The request of a step of the lookup (only DNSFRONT_REVERSE has two); it borrows from the lookup,
 * the terms and *out itself. False: the catalog knows nothing of that kind, or this was the last
 * step. */
bool dns_ask(const struct dns_terms *t, const struct dnsfront_lookup *l, unsigned step,
             struct dns_ask *out);
