/* types_node.c - schema tables of nodes, services and checks. */
#include "table.h"

static const struct mu__field node_fields[] = {
    FIELD(node, STR, id, "ID"),
    FIELD(node, STR, node, "Node"),
    FIELD(node, STR, address, "Address"),
    FIELD(node, STR, datacenter, "Datacenter"),
    FIELD(node, STRMAP, tagged_addresses, "TaggedAddresses"),
    FIELD(node, STRMAP, meta, "Meta"),
    RAFT_INDEX(node),
};
static const uint8_t node_wire[] = {2, 6, 3, 0, 5, 7, 1, 4};
SCHEMA(node, "Node");

static const struct mu__field service_address_fields[] = {
    FIELD(service_address, STR, address, "Address"),
    FIELD(service_address, INT, port, "Port"),
};
static const uint8_t service_address_wire[] = {0, 1};
SCHEMA(service_address, "ServiceAddress");

static const struct mu__field weights_fields[] = {
    FIELD(weights, INT, passing, "Passing"),
    FIELD(weights, INT, warning, "Warning"),
};
static const uint8_t weights_wire[] = {0, 1};
SCHEMA(weights, "Weights");

static const struct mu__field mesh_gateway_fields[] = {
    FLAGGED(mesh_gateway, STR, mode, "Mode", OMIT),
};
static const uint8_t mesh_gateway_wire[] = {0};
SCHEMA(mesh_gateway, "MeshGatewayConfig");

static const struct mu__field expose_path_fields[] = {
    ALIASED(expose_path, INT, listener_port, "ListenerPort", OMIT, "listener_port"),
    FLAGGED(expose_path, STR, path, "Path", OMIT),
    ALIASED(expose_path, INT, local_path_port, "LocalPathPort", OMIT, "local_path_port"),
    FLAGGED(expose_path, STR, protocol, "Protocol", OMIT),
    ALIASED(expose_path, BOOL, parsed_from_check, "ParsedFromCheck", 0, "parsed_from_check"),
};
static const uint8_t expose_path_wire[] = {0, 2, 4, 1, 3};
SCHEMA(expose_path, "ExposePath");

static const struct mu__field expose_fields[] = {
    FLAGGED(expose, BOOL, checks, "Checks", OMIT),
    SUB(expose, LIST, paths, "Paths", OMIT, expose_path),
};
static const uint8_t expose_wire[] = {0, 1};
SCHEMA(expose, "ExposeConfig");

static const struct mu__field upstream_fields[] = {
    ALIASED(upstream, STR, destination_type, "DestinationType", 0, "destination_type"),
    ALIASED(upstream, STR, destination_namespace, "DestinationNamespace", OMIT,
            "destination_namespace"),
    ALIASED(upstream, STR, destination_name, "DestinationName", 0, "destination_name"),
    FIELD(upstream, STR, datacenter, "Datacenter"),
    ALIASED(upstream, STR, local_bind_address, "LocalBindAddress", OMIT, "local_bind_address"),
    ALIASED(upstream, INT, local_bind_port, "LocalBindPort", 0, "local_bind_port"),
    FIELD(upstream, ANY, config, "Config"),
    ALIASED_SUB(upstream, STRUCT, mesh_gateway, "MeshGateway", 0, "mesh_gateway", mesh_gateway),
    FLAGGED(upstream, STRS, ingress_hosts, "IngressHosts", NO_JSON),
};
static const uint8_t upstream_wire[] = {6, 3, 2, 1, 0, 8, 4, 5, 7};
SCHEMA(upstream, "Upstream");

static const struct mu__field proxy_fields[] = {
    ALIASED(proxy, STR, destination_service_name, "DestinationServiceName", OMIT,
            "destination_service_name"),
    ALIASED(proxy, STR, destination_service_id, "DestinationServiceID", OMIT,
            "destination_service_id"),
    ALIASED(proxy, STR, local_service_address, "LocalServiceAddress", OMIT,
            "local_service_address"),
    ALIASED(proxy, INT, local_service_port, "LocalServicePort", OMIT, "local_service_port"),
    FLAGGED(proxy, ANY, config, "Config", OMIT),
    SUB(proxy, LIST, upstreams, "Upstreams", OMIT, upstream),
    ALIASED_SUB(proxy, STRUCT, mesh_gateway, "MeshGateway", 0, "mesh_gateway", mesh_gateway),
    SUB(proxy, STRUCT, expose, "Expose", 0, expose),
};
static const uint8_t proxy_wire[] = {4, 1, 0, 7, 2, 3, 6, 5};
SCHEMA(proxy, "ConnectProxyConfig");

static const struct mu__field connect_fields[] = {
    FLAGGED(connect, BOOL, native, "Native", OMIT),
    ALIASED_SUB(connect, PTR, sidecar_service, "SidecarService", OMIT, "sidecar_service",
                service_definition),
};
static const uint8_t connect_wire[] = {0, 1};
SCHEMA(connect, "ServiceConnect");

static const struct mu__field node_service_fields[] = {
    FLAGGED(node_service, STR, kind, "Kind", OMIT),
    FIELD(node_service, STR, id, "ID"),
    FIELD(node_service, STR, service, "Service"),
    FLAGGED(node_service, STRS, tags, "Tags", NO_NULL),
    FIELD(node_service, STR, address, "Address"),
    ALIASED_SUB(node_service, STRUCTMAP, tagged_addresses, "TaggedAddresses", OMIT,
                "tagged_addresses", service_address),
    FIELD(node_service, STRMAP, meta, "Meta"),
    FIELD(node_service, INT, port, "Port"),
    SUB(node_service, PTR, weights, "Weights", 0, weights),
    ALIASED(node_service, BOOL, enable_tag_override, "EnableTagOverride", 0, "enable_tag_override"),
    SUB(node_service, STRUCT, proxy, "Proxy", 0, proxy),
    SUB(node_service, STRUCT, connect, "Connect", 0, connect),
    FLAGGED(node_service, BOOL, locally_registered_as_sidecar, "LocallyRegisteredAsSidecar",
            NO_JSON),
    RAFT_INDEX(node_service),
};
static const uint8_t node_service_wire[] = {4, 11, 13, 9, 1, 0, 12, 6, 14, 7, 10, 2, 5, 3, 8};
SCHEMA(node_service, "NodeService");

static const struct mu__field service_node_fields[] = {
    FIELD(service_node, STR, id, "ID"),
    FIELD(service_node, STR, node, "Node"),
    FIELD(service_node, STR, address, "Address"),
    FIELD(service_node, STR, datacenter, "Datacenter"),
    FIELD(service_node, STRMAP, tagged_addresses, "TaggedAddresses"),
    FIELD(service_node, STRMAP, node_meta, "NodeMeta"),
    FIELD(service_node, STR, service_kind, "ServiceKind"),
    FIELD(service_node, STR, service_id, "ServiceID"),
    FIELD(service_node, STR, service_name, "ServiceName"),
    FLAGGED(service_node, STRS, service_tags, "ServiceTags", NO_NULL),
    FIELD(service_node, STR, service_address, "ServiceAddress"),
    SUB(service_node, STRUCTMAP, service_tagged_addresses, "ServiceTaggedAddresses", OMIT,
        service_address),
    SUB(service_node, STRUCT, service_weights, "ServiceWeights", 0, weights),
    FLAGGED(service_node, STRMAP, service_meta, "ServiceMeta", NO_NULL),
    FIELD(service_node, INT, service_port, "ServicePort"),
    FIELD(service_node, BOOL, service_enable_tag_override, "ServiceEnableTagOverride"),
    SUB(service_node, STRUCT, service_proxy, "ServiceProxy", 0, proxy),
    SUB(service_node, STRUCT, service_connect, "ServiceConnect", 0, connect),
    RAFT_INDEX(service_node),
};
static const uint8_t service_node_wire[] = {
    2, 18, 3, 0, 19, 1, 5, 10, 17, 15, 7, 6, 13, 8, 14, 16, 11, 9, 12, 4,
};
SCHEMA(service_node, "ServiceNode");

#define TEXT_DURATION (OMIT | MU_F_DURATION_STRING)
static const struct mu__field check_definition_fields[] = {
    FLAGGED(check_definition, DURATION, interval_ns, "Interval", TEXT_DURATION),
    FLAGGED(check_definition, UINT, output_max_size, "OutputMaxSize", OMIT),
    FLAGGED(check_definition, DURATION, timeout_ns, "Timeout", TEXT_DURATION),
    ALIASED(check_definition, DURATION, deregister_critical_service_after_ns,
            "DeregisterCriticalServiceAfter", TEXT_DURATION, "deregister_critical_service_after"),
    FLAGGED(check_definition, STR, http, "HTTP", OMIT),
    ALIASED(check_definition, BOOL, tls_skip_verify, "TLSSkipVerify", OMIT, "tls_skip_verify"),
    FLAGGED(check_definition, STRSMAP, header, "Header", OMIT),
    FLAGGED(check_definition, STR, method, "Method", OMIT),
    FLAGGED(check_definition, STR, body, "Body", OMIT),
    FLAGGED(check_definition, STR, tcp, "TCP", OMIT),
    FLAGGED(check_definition, STRS, script_args, "ScriptArgs", OMIT),
    FLAGGED(check_definition, STR, docker_container_id, "DockerContainerID", OMIT),
    FLAGGED(check_definition, STR, shell, "Shell", OMIT),
    FLAGGED(check_definition, STR, grpc, "GRPC", OMIT),
    FLAGGED(check_definition, BOOL, grpc_use_tls, "GRPCUseTLS", OMIT),
    FLAGGED(check_definition, STR, alias_node, "AliasNode", OMIT),
    FLAGGED(check_definition, STR, alias_service, "AliasService", OMIT),
    FLAGGED(check_definition, DURATION, ttl_ns, "TTL", OMIT), /* a number, unlike its neighbours */
};
static const uint8_t check_definition_wire[] = {
    15, 16, 8, 3, 11, 13, 14, 4, 6, 0, 7, 1, 10, 12, 9, 5, 17, 2,
};
SCHEMA(check_definition, "HealthCheckDefinition");

static const struct mu__field check_fields[] = {
    FIELD(check, STR, node, "Node"),
    FIELD(check, STR, check_id, "CheckID"),
    FIELD(check, STR, name, "Name"),
    FIELD(check, STR, status, "Status"),
    FIELD(check, STR, notes, "Notes"),
    FIELD(check, STR, output, "Output"),
    FIELD(check, STR, service_id, "ServiceID"),
    FIELD(check, STR, service_name, "ServiceName"),
    FLAGGED(check, STRS, service_tags, "ServiceTags", NO_NULL),
    FIELD(check, STR, type, "Type"),
    SUB(check, STRUCT, definition, "Definition", 0, check_definition),
    RAFT_INDEX(check),
};
static const uint8_t check_wire[] = {1, 11, 10, 12, 2, 0, 4, 5, 6, 7, 8, 3, 9};
SCHEMA(check, "HealthCheck");

static const struct mu__field check_service_node_fields[] = {
    SUB(check_service_node, PTR, node, "Node", 0, node),
    SUB(check_service_node, PTR, service, "Service", 0, node_service),
    SUB(check_service_node, LIST, checks, "Checks", NO_NULL, check),
};
static const uint8_t check_service_node_wire[] = {2, 0, 1};
SCHEMA(check_service_node, "CheckServiceNode");
