/* types_chain.c - schema tables of discovery chains, and of the requests about config entries. */
#include "table.h"

static const struct mu__field config_request_fields[] = {
    FIELD(config_request, STR, datacenter, "Datacenter"),
    FIELD(config_request, STR, kind, "Kind"),
    FIELD(config_request, STR, op, "Op"),
    FIELD(config_request, ANY, entry, "Entry"),
    FIELD(config_request, STR, token, "Token"),
};
static const uint8_t config_request_wire[] = {0, 3, 1, 2, 4};
SCHEMA(config_request, "ConfigEntryRequest");

static const struct mu__field config_query_fields[] = {
    FIELD(config_query, STR, datacenter, "Datacenter"),
    FIELD(config_query, STR, kind, "Kind"),
    FIELD(config_query, STR, name, "Name"),
    QUERY_OPTIONS(config_query),
};
static const uint8_t config_query_wire[] = {6, 0, 13, 1, 10, 5, 9, 4, 11, 2, 7, 12, 3, 8};
SCHEMA(config_query, "ConfigEntryQuery");

static const struct mu__field service_id_fields[] = {
    FIELD(service_id, STR, id, "ID"),
};
static const uint8_t service_id_wire[] = {0};
SCHEMA(service_id, "ServiceID");

static const struct mu__field service_config_request_fields[] = {
    FIELD(service_config_request, STR, datacenter, "Datacenter"),
    FIELD(service_config_request, STR, name, "Name"),
    FIELD(service_config_request, STRS, upstreams, "Upstreams"),
    SUB(service_config_request, LIST, upstream_ids, "UpstreamIDs", 0, service_id),
    QUERY_OPTIONS(service_config_request),
};
static const uint8_t service_config_request_wire[] = {7, 0, 14, 11, 6, 10, 5, 12,
                                                      1, 8, 13, 4,  3, 2,  9};
SCHEMA(service_config_request, "ServiceConfigRequest");

static const struct mu__field upstream_config_fields[] = {
    SUB(upstream_config, STRUCT, upstream, "Upstream", 0, service_id),
    FIELD(upstream_config, ANY, config, "Config"),
};
static const uint8_t upstream_config_wire[] = {1, 0};
SCHEMA(upstream_config, "UpstreamConfig");

static const struct mu__field service_config_fields[] = {
    FIELD(service_config, ANY, proxy_config, "ProxyConfig"),
    FIELD(service_config, ANY, upstream_configs, "UpstreamConfigs"),
    SUB(service_config, LIST, upstream_id_configs, "UpstreamIDConfigs", 0, upstream_config),
    SUB(service_config, STRUCT, mesh_gateway, "MeshGateway", 0, mesh_gateway),
    SUB(service_config, STRUCT, expose, "Expose", 0, expose),
    QUERY_META(service_config),
};
static const uint8_t service_config_wire[] = {8, 4, 5, 7, 6, 3, 0, 1, 2};
SCHEMA(service_config, "ServiceConfigResponse");

static const struct mu__field chain_request_fields[] = {
    FIELD(chain_request, STR, name, "Name"),
    FIELD(chain_request, STR, evaluate_in_datacenter, "EvaluateInDatacenter"),
    FIELD(chain_request, STR, evaluate_in_namespace, "EvaluateInNamespace"),
    ALIASED_SUB(chain_request, STRUCT, override_mesh_gateway, "OverrideMeshGateway", 0,
                "override_mesh_gateway", mesh_gateway),
    ALIASED(chain_request, STR, override_protocol, "OverrideProtocol", 0, "override_protocol"),
    ALIASED(chain_request, DURATION, override_connect_timeout_ns, "OverrideConnectTimeout", 0,
            "override_connect_timeout"),
    FIELD(chain_request, STR, datacenter, "Datacenter"),
    QUERY_OPTIONS(chain_request),
};
static const uint8_t chain_request_wire[] = {10, 6, 1, 2, 17, 14, 9,  13, 8,
                                             15, 0, 5, 3, 4,  11, 16, 7,  12};
SCHEMA(chain_request, "DiscoveryChainRequest");

static const struct mu__field chain_route_fields[] = {
    SUB(chain_route, PTR, definition, "Definition", OMIT, service_route),
    FLAGGED(chain_route, STR, next_node, "NextNode", OMIT),
};
static const uint8_t chain_route_wire[] = {0, 1};
SCHEMA(chain_route, "DiscoveryRoute");

static const struct mu__field chain_split_fields[] = {
    FLAGGED(chain_split, FLOAT, weight, "Weight", OMIT),
    FLAGGED(chain_split, STR, next_node, "NextNode", OMIT),
};
static const uint8_t chain_split_wire[] = {1, 0};
SCHEMA(chain_split, "DiscoverySplit");

static const struct mu__field chain_failover_fields[] = {
    FLAGGED(chain_failover, STRS, targets, "Targets", OMIT),
};
static const uint8_t chain_failover_wire[] = {0};
SCHEMA(chain_failover, "DiscoveryFailover");

static const struct mu__field chain_resolver_fields[] = {
    FLAGGED(chain_resolver, DURATION, connect_timeout_ns, "ConnectTimeout",
            OMIT | MU_F_DURATION_STRING),
    FLAGGED(chain_resolver, BOOL, is_default, "Default", OMIT),
    FLAGGED(chain_resolver, STR, target, "Target", OMIT),
    SUB(chain_resolver, PTR, failover, "Failover", OMIT, chain_failover),
};
static const uint8_t chain_resolver_wire[] = {0, 1, 3, 2};
SCHEMA(chain_resolver, "DiscoveryResolver");

static const struct mu__field chain_node_fields[] = {
    FIELD(chain_node, STR, type, "Type"),
    FIELD(chain_node, STR, name, "Name"),
    SUB(chain_node, LIST, routes, "Routes", OMIT, chain_route),
    SUB(chain_node, LIST, splits, "Splits", OMIT, chain_split),
    SUB(chain_node, PTR, resolver, "Resolver", OMIT, chain_resolver),
};
static const uint8_t chain_node_wire[] = {1, 4, 2, 3, 0};
SCHEMA(chain_node, "DiscoveryGraphNode");

static const struct mu__field chain_target_fields[] = {
    FLAGGED(chain_target, STR, id, "ID", OMIT),
    FLAGGED(chain_target, STR, service, "Service", OMIT),
    FLAGGED(chain_target, STR, service_subset, "ServiceSubset", OMIT),
    FLAGGED(chain_target, STR, name_space, "Namespace", OMIT),
    FLAGGED(chain_target, STR, datacenter, "Datacenter", OMIT),
    SUB(chain_target, STRUCT, mesh_gateway, "MeshGateway", 0, mesh_gateway),
    SUB(chain_target, STRUCT, subset, "Subset", 0, resolver_subset),
    FLAGGED(chain_target, BOOL, external, "External", OMIT),
    FLAGGED(chain_target, STR, sni, "SNI", OMIT),
    FLAGGED(chain_target, STR, name, "Name", OMIT),
};
static const uint8_t chain_target_wire[] = {4, 7, 0, 5, 9, 3, 8, 1, 2, 6};
SCHEMA(chain_target, "DiscoveryTarget");

static const struct mu__field chain_fields[] = {
    FIELD(chain, STR, service_name, "ServiceName"),
    FIELD(chain, STR, name_space, "Namespace"),
    FIELD(chain, STR, datacenter, "Datacenter"),
    FLAGGED(chain, STR, customization_hash, "CustomizationHash", OMIT),
    FIELD(chain, STR, protocol, "Protocol"),
    FLAGGED(chain, STR, start_node, "StartNode", OMIT),
    SUB(chain, STRUCTMAP, nodes, "Nodes", OMIT, chain_node),
    SUB(chain, STRUCTMAP, targets, "Targets", OMIT, chain_target),
};
static const uint8_t chain_wire[] = {3, 2, 1, 6, 4, 0, 5, 7};
SCHEMA(chain, "CompiledDiscoveryChain");

static const struct mu__field chain_reply_fields[] = {
    SUB(chain_reply, PTR, chain, "Chain", 0, chain),
    QUERY_META(chain_reply),
};
static const uint8_t chain_reply_wire[] = {0, 4, 1, 3, 2};
SCHEMA(chain_reply, "DiscoveryChainResponse");

/* Entries are of any kind and stand in no table: these two are read and written by hand. */
static const struct mu__field config_reply_fields[] = {
    QUERY_META(config_reply),
};
static const uint8_t config_reply_wire[] = {3, 0, 2, 1};
SCHEMA(config_reply, "ConfigEntryResponse");

static const struct mu__field indexed_config_entries_fields[] = {
    FIELD(indexed_config_entries, STR, kind, "Kind"),
    QUERY_META(indexed_config_entries),
};
static const uint8_t indexed_config_entries_wire[] = {4, 1, 0, 3, 2};
SCHEMA(indexed_config_entries, "IndexedConfigEntries");
