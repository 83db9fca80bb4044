/* types_config.c - schema tables of config entries. Aliases are the spellings that files use. */
#include "table.h"

static const struct mu__field service_defaults_fields[] = {
    FIELD(service_defaults, STR, head.kind, "Kind"),
    FIELD(service_defaults, STR, head.name, "Name"),
    FIELD(service_defaults, STR, protocol, "Protocol"),
    ALIASED_SUB(service_defaults, STRUCT, mesh_gateway, "MeshGateway", 0, "mesh_gateway",
                mesh_gateway),
    SUB(service_defaults, STRUCT, expose, "Expose", 0, expose),
    ALIASED(service_defaults, STR, external_sni, "ExternalSNI", OMIT, "external_sni"),
    FLAGGED(service_defaults, STRMAP, head.meta, "Meta", OMIT),
    FIELD(service_defaults, UINT, head.create_index, "CreateIndex"),
    FIELD(service_defaults, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t service_defaults_wire[] = {7, 4, 5, 0, 3, 6, 8, 1, 2};
SCHEMA(service_defaults, "ServiceConfigEntry");

static const struct mu__field proxy_defaults_fields[] = {
    FIELD(proxy_defaults, STR, head.kind, "Kind"),
    FIELD(proxy_defaults, STR, head.name, "Name"),
    FIELD(proxy_defaults, ANY, config, "Config"),
    ALIASED_SUB(proxy_defaults, STRUCT, mesh_gateway, "MeshGateway", 0, "mesh_gateway",
                mesh_gateway),
    SUB(proxy_defaults, STRUCT, expose, "Expose", 0, expose),
    FLAGGED(proxy_defaults, STRMAP, head.meta, "Meta", OMIT),
    FIELD(proxy_defaults, UINT, head.create_index, "CreateIndex"),
    FIELD(proxy_defaults, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t proxy_defaults_wire[] = {2, 6, 4, 0, 3, 5, 7, 1};
SCHEMA(proxy_defaults, "ProxyConfigEntry");

static const struct mu__field route_header_fields[] = {
    FIELD(route_header, STR, name, "Name"),
    FLAGGED(route_header, BOOL, present, "Present", OMIT),
    FLAGGED(route_header, STR, exact, "Exact", OMIT),
    FLAGGED(route_header, STR, prefix, "Prefix", OMIT),
    FLAGGED(route_header, STR, suffix, "Suffix", OMIT),
    FLAGGED(route_header, STR, regex, "Regex", OMIT),
    FLAGGED(route_header, BOOL, invert, "Invert", OMIT),
};
static const uint8_t route_header_wire[] = {2, 6, 0, 3, 1, 5, 4};
SCHEMA(route_header, "ServiceRouteHTTPMatchHeader");

static const struct mu__field route_query_param_fields[] = {
    FIELD(route_query_param, STR, name, "Name"),
    FLAGGED(route_query_param, BOOL, present, "Present", OMIT),
    FLAGGED(route_query_param, STR, exact, "Exact", OMIT),
    FLAGGED(route_query_param, STR, regex, "Regex", OMIT),
};
static const uint8_t route_query_param_wire[] = {2, 0, 1, 3};
SCHEMA(route_query_param, "ServiceRouteHTTPMatchQueryParam");

static const struct mu__field route_http_fields[] = {
    ALIASED(route_http, STR, path_exact, "PathExact", OMIT, "path_exact"),
    ALIASED(route_http, STR, path_prefix, "PathPrefix", OMIT, "path_prefix"),
    ALIASED(route_http, STR, path_regex, "PathRegex", OMIT, "path_regex"),
    SUB(route_http, LIST, header, "Header", OMIT, route_header),
    ALIASED_SUB(route_http, LIST, query_param, "QueryParam", OMIT, "query_param",
                route_query_param),
    FLAGGED(route_http, STRS, methods, "Methods", OMIT),
};
static const uint8_t route_http_wire[] = {3, 5, 0, 1, 2, 4};
SCHEMA(route_http, "ServiceRouteHTTPMatch");

static const struct mu__field route_match_fields[] = {
    SUB(route_match, PTR, http, "HTTP", OMIT, route_http),
};
static const uint8_t route_match_wire[] = {0};
SCHEMA(route_match, "ServiceRouteMatch");

static const struct mu__field route_destination_fields[] = {
    ALIASED(route_destination, DURATION, request_timeout_ns, "RequestTimeout",
            OMIT | MU_F_DURATION_STRING, "request_timeout"),
    FLAGGED(route_destination, STR, service, "Service", OMIT),
    ALIASED(route_destination, STR, service_subset, "ServiceSubset", OMIT, "service_subset"),
    FLAGGED(route_destination, STR, name_space, "Namespace", OMIT),
    ALIASED(route_destination, STR, prefix_rewrite, "PrefixRewrite", OMIT, "prefix_rewrite"),
    ALIASED(route_destination, UINT, num_retries, "NumRetries", OMIT, "num_retries"),
    ALIASED(route_destination, BOOL, retry_on_connect_failure, "RetryOnConnectFailure", OMIT,
            "retry_on_connect_failure"),
    ALIASED(route_destination, UINTS, retry_on_status_codes, "RetryOnStatusCodes", OMIT,
            "retry_on_status_codes"),
};
static const uint8_t route_destination_wire[] = {3, 5, 4, 0, 6, 7, 1, 2};
SCHEMA(route_destination, "ServiceRouteDestination");

static const struct mu__field service_route_fields[] = {
    SUB(service_route, PTR, match, "Match", OMIT, route_match),
    SUB(service_route, PTR, destination, "Destination", OMIT, route_destination),
};
static const uint8_t service_route_wire[] = {1, 0};
SCHEMA(service_route, "ServiceRoute");

static const struct mu__field service_router_fields[] = {
    FIELD(service_router, STR, head.kind, "Kind"),
    FIELD(service_router, STR, head.name, "Name"),
    SUB(service_router, LIST, routes, "Routes", 0, service_route),
    FLAGGED(service_router, STRMAP, head.meta, "Meta", OMIT),
    FIELD(service_router, UINT, head.create_index, "CreateIndex"),
    FIELD(service_router, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t service_router_wire[] = {4, 0, 3, 5, 1, 2};
SCHEMA(service_router, "ServiceRouterConfigEntry");

static const struct mu__field service_split_fields[] = {
    FIELD(service_split, FLOAT, weight, "Weight"),
    FLAGGED(service_split, STR, service, "Service", OMIT),
    ALIASED(service_split, STR, service_subset, "ServiceSubset", OMIT, "service_subset"),
    FLAGGED(service_split, STR, name_space, "Namespace", OMIT),
};
static const uint8_t service_split_wire[] = {3, 1, 2, 0};
SCHEMA(service_split, "ServiceSplit");

static const struct mu__field service_splitter_fields[] = {
    FIELD(service_splitter, STR, head.kind, "Kind"),
    FIELD(service_splitter, STR, head.name, "Name"),
    SUB(service_splitter, LIST, splits, "Splits", 0, service_split),
    FLAGGED(service_splitter, STRMAP, head.meta, "Meta", OMIT),
    FIELD(service_splitter, UINT, head.create_index, "CreateIndex"),
    FIELD(service_splitter, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t service_splitter_wire[] = {4, 0, 3, 5, 1, 2};
SCHEMA(service_splitter, "ServiceSplitterConfigEntry");

static const struct mu__field resolver_subset_fields[] = {
    FLAGGED(resolver_subset, STR, filter, "Filter", OMIT),
    ALIASED(resolver_subset, BOOL, only_passing, "OnlyPassing", OMIT, "only_passing"),
};
static const uint8_t resolver_subset_wire[] = {0, 1};
SCHEMA(resolver_subset, "ServiceResolverSubset");

static const struct mu__field resolver_redirect_fields[] = {
    FLAGGED(resolver_redirect, STR, service, "Service", OMIT),
    ALIASED(resolver_redirect, STR, service_subset, "ServiceSubset", OMIT, "service_subset"),
    FLAGGED(resolver_redirect, STR, name_space, "Namespace", OMIT),
    FLAGGED(resolver_redirect, STR, datacenter, "Datacenter", OMIT),
};
static const uint8_t resolver_redirect_wire[] = {3, 2, 0, 1};
SCHEMA(resolver_redirect, "ServiceResolverRedirect");

static const struct mu__field resolver_failover_fields[] = {
    FLAGGED(resolver_failover, STR, service, "Service", OMIT),
    ALIASED(resolver_failover, STR, service_subset, "ServiceSubset", OMIT, "service_subset"),
    FLAGGED(resolver_failover, STR, name_space, "Namespace", OMIT),
    FLAGGED(resolver_failover, STRS, datacenters, "Datacenters", OMIT),
};
static const uint8_t resolver_failover_wire[] = {3, 2, 0, 1};
SCHEMA(resolver_failover, "ServiceResolverFailover");

static const struct mu__field service_resolver_fields[] = {
    ALIASED(service_resolver, DURATION, connect_timeout_ns, "ConnectTimeout",
            OMIT | MU_F_DURATION_STRING, "connect_timeout"),
    FIELD(service_resolver, STR, head.kind, "Kind"),
    FIELD(service_resolver, STR, head.name, "Name"),
    ALIASED(service_resolver, STR, default_subset, "DefaultSubset", OMIT, "default_subset"),
    SUB(service_resolver, STRUCTMAP, subsets, "Subsets", OMIT, resolver_subset),
    SUB(service_resolver, PTR, redirect, "Redirect", OMIT, resolver_redirect),
    SUB(service_resolver, STRUCTMAP, failover, "Failover", OMIT, resolver_failover),
    FLAGGED(service_resolver, STRMAP, head.meta, "Meta", OMIT),
    FIELD(service_resolver, UINT, head.create_index, "CreateIndex"),
    FIELD(service_resolver, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t service_resolver_wire[] = {0, 8, 3, 6, 1, 7, 9, 2, 5, 4};
SCHEMA(service_resolver, "ServiceResolverConfigEntry");

static const struct mu__field gateway_tls_fields[] = {
    FIELD(gateway_tls, BOOL, enabled, "Enabled"),
};
static const uint8_t gateway_tls_wire[] = {0};
SCHEMA(gateway_tls, "GatewayTLSConfig");

static const struct mu__field ingress_service_fields[] = {
    FIELD(ingress_service, STR, name, "Name"),
    FIELD(ingress_service, STRS, hosts, "Hosts"),
    FLAGGED(ingress_service, STRMAP, meta, "Meta", OMIT),
};
static const uint8_t ingress_service_wire[] = {1, 2, 0};
SCHEMA(ingress_service, "IngressService");

static const struct mu__field ingress_listener_fields[] = {
    FIELD(ingress_listener, INT, port, "Port"),
    FIELD(ingress_listener, STR, protocol, "Protocol"),
    SUB(ingress_listener, LIST, services, "Services", 0, ingress_service),
};
static const uint8_t ingress_listener_wire[] = {0, 1, 2};
SCHEMA(ingress_listener, "IngressListener");

static const struct mu__field ingress_gateway_fields[] = {
    FIELD(ingress_gateway, STR, head.kind, "Kind"),
    FIELD(ingress_gateway, STR, head.name, "Name"),
    SUB(ingress_gateway, STRUCT, tls, "TLS", 0, gateway_tls),
    SUB(ingress_gateway, LIST, listeners, "Listeners", 0, ingress_listener),
    FLAGGED(ingress_gateway, STRMAP, head.meta, "Meta", OMIT),
    FIELD(ingress_gateway, UINT, head.create_index, "CreateIndex"),
    FIELD(ingress_gateway, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t ingress_gateway_wire[] = {5, 0, 3, 4, 6, 1, 2};
SCHEMA(ingress_gateway, "IngressGatewayConfigEntry");

static const struct mu__field linked_service_fields[] = {
    FLAGGED(linked_service, STR, name, "Name", OMIT),
    ALIASED(linked_service, STR, ca_file, "CAFile", OMIT, "ca_file"),
    ALIASED(linked_service, STR, cert_file, "CertFile", OMIT, "cert_file"),
    ALIASED(linked_service, STR, key_file, "KeyFile", OMIT, "key_file"),
    FLAGGED(linked_service, STR, sni, "SNI", OMIT),
};
static const uint8_t linked_service_wire[] = {1, 2, 3, 0, 4};
SCHEMA(linked_service, "LinkedService");

static const struct mu__field terminating_gateway_fields[] = {
    FIELD(terminating_gateway, STR, head.kind, "Kind"),
    FIELD(terminating_gateway, STR, head.name, "Name"),
    SUB(terminating_gateway, LIST, services, "Services", 0, linked_service),
    FLAGGED(terminating_gateway, STRMAP, head.meta, "Meta", OMIT),
    FIELD(terminating_gateway, UINT, head.create_index, "CreateIndex"),
    FIELD(terminating_gateway, UINT, head.modify_index, "ModifyIndex"),
};
static const uint8_t terminating_gateway_wire[] = {4, 0, 3, 5, 1, 2};
SCHEMA(terminating_gateway, "TerminatingGatewayConfigEntry");
