/* The tables of agent_endpoints.h: what the API prints, and the sizes of what stays inside the
 * process. */
#include "agent/agent_endpoints.h"

#include <stddef.h>

#define FIELD(of, text, kind_, member, ...)                                                        \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct of, member), __VA_ARGS__     \
    }
#define SCHEMA(table, go, of)                                                                      \
    {                                                                                              \
        .name = (go), .fields = (table), .nfields = sizeof(table) / sizeof *(table),               \
        .size = sizeof(struct of)                                                                  \
    }

#define OMIT MU_F_OMIT_EMPTY

/* ---- api.AgentService ---- */

static const struct mu__field weights_fields[] = {
    FIELD(catalog_weights, "Passing", INT, passing, .flags = 0),
    FIELD(catalog_weights, "Warning", INT, warning, .flags = 0),
};
const struct mu__schema agent_weights_schema = SCHEMA(weights_fields, "Weights", catalog_weights);

static const struct mu__field address_fields[] = {
    FIELD(catalog_service_address, "Address", STR, address, .flags = 0),
    FIELD(catalog_service_address, "Port", INT, port, .flags = 0),
};
const struct mu__schema agent_address_schema =
    SCHEMA(address_fields, "ServiceAddress", catalog_service_address);

static const struct mu__field mesh_gateway_fields[] = {
    FIELD(catalog_mesh_gateway, "Mode", STR, mode, .flags = OMIT),
};
static const struct mu__schema mesh_gateway_schema =
    SCHEMA(mesh_gateway_fields, "MeshGatewayConfig", catalog_mesh_gateway);

static const struct mu__field expose_path_fields[] = {
    FIELD(catalog_expose_path, "ListenerPort", INT, listener_port, .flags = OMIT),
    FIELD(catalog_expose_path, "Path", STR, path, .flags = OMIT),
    FIELD(catalog_expose_path, "LocalPathPort", INT, local_path_port, .flags = OMIT),
    FIELD(catalog_expose_path, "Protocol", STR, protocol, .flags = OMIT),
    FIELD(catalog_expose_path, "ParsedFromCheck", BOOL, parsed_from_check, .flags = 0),
};
static const struct mu__schema expose_path_schema =
    SCHEMA(expose_path_fields, "ExposePath", catalog_expose_path);

static const struct mu__field expose_fields[] = {
    FIELD(catalog_expose, "Checks", BOOL, checks, .flags = OMIT),
    FIELD(catalog_expose, "Paths", LIST, paths, .flags = OMIT, .sub = &expose_path_schema),
};
static const struct mu__schema expose_schema =
    SCHEMA(expose_fields, "ExposeConfig", catalog_expose);

static const struct mu__field upstream_fields[] = {
    FIELD(catalog_upstream, "DestinationType", STR, destination_type, .flags = OMIT),
    FIELD(catalog_upstream, "DestinationNamespace", STR, destination_namespace, .flags = OMIT),
    FIELD(catalog_upstream, "DestinationName", STR, destination_name, .flags = 0),
    FIELD(catalog_upstream, "Datacenter", STR, datacenter, .flags = OMIT),
    FIELD(catalog_upstream, "LocalBindAddress", STR, local_bind_address, .flags = OMIT),
    FIELD(catalog_upstream, "LocalBindPort", INT, local_bind_port, .flags = OMIT),
    FIELD(catalog_upstream, "Config", ANY, config, .flags = OMIT),
    FIELD(catalog_upstream, "MeshGateway", STRUCT, mesh_gateway, .sub = &mesh_gateway_schema),
};
static const struct mu__schema upstream_schema =
    SCHEMA(upstream_fields, "Upstream", catalog_upstream);

static const struct mu__field proxy_fields[] = {
    FIELD(catalog_proxy, "DestinationServiceName", STR, destination_service_name, .flags = OMIT),
    FIELD(catalog_proxy, "DestinationServiceID", STR, destination_service_id, .flags = OMIT),
    FIELD(catalog_proxy, "LocalServiceAddress", STR, local_service_address, .flags = OMIT),
    FIELD(catalog_proxy, "LocalServicePort", INT, local_service_port, .flags = OMIT),
    FIELD(catalog_proxy, "Config", ANY, config, .flags = OMIT),
    FIELD(catalog_proxy, "Upstreams", LIST, upstreams, .flags = OMIT, .sub = &upstream_schema),
    FIELD(catalog_proxy, "MeshGateway", STRUCT, mesh_gateway, .sub = &mesh_gateway_schema),
    FIELD(catalog_proxy, "Expose", STRUCT, expose, .sub = &expose_schema),
};
const struct mu__schema agent_proxy_schema =
    SCHEMA(proxy_fields, "AgentServiceConnectProxyConfig", catalog_proxy);

static const struct mu__field connect_fields[] = {
    FIELD(catalog_connect, "Native", BOOL, native, .flags = OMIT),
};
const struct mu__schema agent_connect_schema =
    SCHEMA(connect_fields, "AgentServiceConnect", catalog_connect);

static const struct mu__field service_fields[] = {
    FIELD(agent_service, "Kind", STR, kind, .flags = OMIT),
    FIELD(agent_service, "ID", STR, id, .flags = 0),
    FIELD(agent_service, "Service", STR, service, .flags = 0),
    FIELD(agent_service, "Tags", STRS, tags, .flags = MU_F_EMPTY_NOT_NULL),
    FIELD(agent_service, "Meta", STRMAP, meta, .flags = MU_F_EMPTY_NOT_NULL),
    FIELD(agent_service, "Port", INT, port, .flags = 0),
    FIELD(agent_service, "Address", STR, address, .flags = 0),
    FIELD(agent_service, "TaggedAddresses", STRUCTMAP, tagged_addresses, .flags = OMIT,
          .sub = &agent_address_schema),
    FIELD(agent_service, "Weights", STRUCT, weights, .sub = &agent_weights_schema),
    FIELD(agent_service, "EnableTagOverride", BOOL, enable_tag_override, .flags = 0),
    FIELD(agent_service, "ContentHash", STR, content_hash, .flags = OMIT),
    FIELD(agent_service, "Proxy", PTR, proxy, .flags = OMIT, .sub = &agent_proxy_schema),
    FIELD(agent_service, "Connect", PTR, connect, .flags = OMIT, .sub = &agent_connect_schema),
};
const struct mu__schema agent_service_schema =
    SCHEMA(service_fields, "AgentService", agent_service);

/* ---- Members and self ---- */

static const struct mu__field member_fields[] = {
    FIELD(agent_member, "Name", STR, name, .flags = 0),
    FIELD(agent_member, "Addr", STR, addr, .flags = 0),
    FIELD(agent_member, "Port", UINT, port, .flags = 0),
    FIELD(agent_member, "Tags", STRMAP, tags, .flags = 0),
    FIELD(agent_member, "Status", UINT, status, .flags = 0),
    FIELD(agent_member, "ProtocolMin", UINT, protocol_min, .flags = 0),
    FIELD(agent_member, "ProtocolMax", UINT, protocol_max, .flags = 0),
    FIELD(agent_member, "ProtocolCur", UINT, protocol_cur, .flags = 0),
    FIELD(agent_member, "DelegateMin", UINT, delegate_min, .flags = 0),
    FIELD(agent_member, "DelegateMax", UINT, delegate_max, .flags = 0),
    FIELD(agent_member, "DelegateCur", UINT, delegate_cur, .flags = 0),
};
const struct mu__schema agent_member_schema = SCHEMA(member_fields, "Member", agent_member);

static const struct mu__field self_config_fields[] = {
    FIELD(agent_self_config, "Datacenter", STR, datacenter, .flags = 0),
    FIELD(agent_self_config, "NodeName", STR, node_name, .flags = 0),
    FIELD(agent_self_config, "NodeID", STR, node_id, .flags = 0),
    FIELD(agent_self_config, "Revision", STR, revision, .flags = 0),
    FIELD(agent_self_config, "Server", BOOL, server, .flags = 0),
    FIELD(agent_self_config, "Version", STR, version, .flags = 0),
};
static const struct mu__schema self_config_schema =
    SCHEMA(self_config_fields, "Config", agent_self_config);

static const struct mu__field vivaldi_fields[] = {
    FIELD(catalog_vivaldi, "Vec", FLOATS, vec, .flags = 0),
    FIELD(catalog_vivaldi, "Error", FLOAT, error, .flags = 0),
    FIELD(catalog_vivaldi, "Adjustment", FLOAT, adjustment, .flags = 0),
    FIELD(catalog_vivaldi, "Height", FLOAT, height, .flags = 0),
};
static const struct mu__schema vivaldi_schema =
    SCHEMA(vivaldi_fields, "Coordinate", catalog_vivaldi);

static const struct mu__field self_fields[] = {
    FIELD(agent_self, "Config", STRUCT, config, .sub = &self_config_schema),
    FIELD(agent_self, "DebugConfig", ANY, debug_config, .flags = 0),
    FIELD(agent_self, "Coord", PTR, coord, .sub = &vivaldi_schema),
    FIELD(agent_self, "Member", PTR, member, .sub = &agent_member_schema),
    FIELD(agent_self, "Stats", ANY, stats, .flags = 0),
    FIELD(agent_self, "Meta", STRMAP, meta, .flags = MU_F_EMPTY_NOT_NULL),
};
const struct mu__schema agent_self_schema = SCHEMA(self_fields, "Self", agent_self);

/* ---- Health of an instance: its checks print a Definition in full, as api.AgentCheck does ---- */

static const struct mu__field full_definition_fields[] = {
    FIELD(catalog_check_definition, "Interval", DURATION, interval_ns,
          .flags = MU_F_DURATION_STRING),
    FIELD(catalog_check_definition, "Timeout", DURATION, timeout_ns, .flags = MU_F_DURATION_STRING),
    FIELD(catalog_check_definition, "DeregisterCriticalServiceAfter", DURATION,
          deregister_critical_service_after_ns, .flags = MU_F_DURATION_STRING),
    FIELD(catalog_check_definition, "HTTP", STR, http, .flags = 0),
    FIELD(catalog_check_definition, "Header", STRSMAP, header, .flags = 0),
    FIELD(catalog_check_definition, "Method", STR, method, .flags = 0),
    FIELD(catalog_check_definition, "Body", STR, body, .flags = 0),
    FIELD(catalog_check_definition, "TLSSkipVerify", BOOL, tls_skip_verify, .flags = 0),
    FIELD(catalog_check_definition, "TCP", STR, tcp, .flags = 0),
};
static const struct mu__schema full_definition_schema =
    SCHEMA(full_definition_fields, "HealthCheckDefinition", catalog_check_definition);

static const struct mu__field full_check_fields[] = {
    FIELD(catalog_check, "Node", STR, node, .flags = 0),
    FIELD(catalog_check, "CheckID", STR, check_id, .flags = 0),
    FIELD(catalog_check, "Name", STR, name, .flags = 0),
    FIELD(catalog_check, "Status", STR, status, .flags = 0),
    FIELD(catalog_check, "Notes", STR, notes, .flags = 0),
    FIELD(catalog_check, "Output", STR, output, .flags = 0),
    FIELD(catalog_check, "ServiceID", STR, service_id, .flags = 0),
    FIELD(catalog_check, "ServiceName", STR, service_name, .flags = 0),
    FIELD(catalog_check, "ServiceTags", STRS, service_tags, .flags = 0),
    FIELD(catalog_check, "Type", STR, type, .flags = 0),
    FIELD(catalog_check, "Definition", STRUCT, definition, .sub = &full_definition_schema),
    FIELD(catalog_check, "CreateIndex", UINT, create_index, .flags = 0),
    FIELD(catalog_check, "ModifyIndex", UINT, modify_index, .flags = 0),
};
static const struct mu__schema full_check_schema =
    SCHEMA(full_check_fields, "HealthCheck", catalog_check);

static const struct mu__field service_health_fields[] = {
    FIELD(agent_service_health, "AggregatedStatus", STR, aggregated_status, .flags = 0),
    FIELD(agent_service_health, "Service", PTR, service, .sub = &agent_service_schema),
    FIELD(agent_service_health, "Checks", LIST, checks, .flags = MU_F_EMPTY_NOT_NULL,
          .sub = &full_check_schema),
};
const struct mu__schema agent_service_health_schema =
    SCHEMA(service_health_fields, "AgentServiceChecksInfo", agent_service_health);

static const struct mu__field check_update_fields[] = {
    FIELD(agent_check_update, "Status", STR, status, .flags = 0),
    FIELD(agent_check_update, "Output", STR, output, .flags = 0),
};
const struct mu__schema agent_check_update_schema =
    SCHEMA(check_update_fields, "agent.checkUpdate", agent_check_update);

/* ---- The endpoints ---- */

#define INSIDE(of) (&(const struct mu__schema){.name = #of, .size = sizeof(struct of)})
#define AGENT(method_, ...)                                                                        \
    {                                                                                              \
        .method = (method_), .kind = ENDPOINT_AGENT, .options_at = NO_OFFSET,                      \
        .meta_at = NO_OFFSET, .datacenter_at = NO_OFFSET, .token_at = NO_OFFSET, __VA_ARGS__       \
    }
#define REPLY(of) .reply_kind = REPLY_STRUCT, .reply = INSIDE(of)

const struct endpoint endpoint_agent_self =
    AGENT("Agent.Self", .permission = PERMIT_AGENT_READ, .reply_kind = REPLY_STRUCT,
          .reply = &agent_self_schema);
const struct endpoint endpoint_agent_members =
    AGENT("Agent.Members", .permission = PERMIT_NODE_READ, .request = INSIDE(agent_members_request),
          REPLY(agent_members_reply));
const struct endpoint endpoint_agent_services =
    AGENT("Agent.Services", .permission = PERMIT_SERVICE_READ, REPLY(agent_services_reply));
const struct endpoint endpoint_agent_service =
    AGENT("Agent.Service", .permission = PERMIT_SERVICE_READ,
          .request = INSIDE(agent_service_request), REPLY(agent_service_reply));
const struct endpoint endpoint_agent_checks =
    AGENT("Agent.Checks", .permission = PERMIT_NODE_READ, REPLY(agent_checks_reply));
const struct endpoint endpoint_agent_service_health =
    AGENT("Agent.ServiceHealth", .permission = PERMIT_SERVICE_READ,
          .request = INSIDE(agent_service_health_request), REPLY(agent_service_health_reply));
const struct endpoint endpoint_agent_register_service =
    AGENT("Agent.RegisterService", .permission = PERMIT_SERVICE_WRITE,
          .request = INSIDE(agent_register_service_request));
const struct endpoint endpoint_agent_deregister_service =
    AGENT("Agent.DeregisterService", .permission = PERMIT_SERVICE_WRITE,
          .request = INSIDE(agent_deregister_service_request));
const struct endpoint endpoint_agent_register_check =
    AGENT("Agent.RegisterCheck", .permission = PERMIT_NODE_WRITE,
          .request = INSIDE(agent_register_check_request));
const struct endpoint endpoint_agent_deregister_check =
    AGENT("Agent.DeregisterCheck", .permission = PERMIT_NODE_WRITE,
          .request = INSIDE(agent_deregister_check_request));
const struct endpoint endpoint_agent_update_check =
    AGENT("Agent.UpdateCheck", .permission = PERMIT_NODE_WRITE,
          .request = INSIDE(agent_update_check_request));
const struct endpoint endpoint_agent_maintenance =
    AGENT("Agent.Maintenance", .permission = PERMIT_NODE_WRITE,
          .request = INSIDE(agent_maintenance_request));
const struct endpoint endpoint_agent_events =
    AGENT("Agent.Events", .permission = PERMIT_EVENT_READ, .request = INSIDE(agent_events_request),
          REPLY(agent_events_reply));
const struct endpoint endpoint_agent_connect_leaf =
    AGENT("Agent.ConnectLeaf", .permission = PERMIT_SERVICE_WRITE,
          .request = INSIDE(agent_connect_leaf_request), REPLY(agent_connect_leaf_reply));
const struct endpoint endpoint_agent_join =
    AGENT("Agent.Join", .permission = PERMIT_AGENT_WRITE, .request = INSIDE(agent_join_request));
const struct endpoint endpoint_agent_leave = AGENT("Agent.Leave", .permission = PERMIT_AGENT_WRITE);
const struct endpoint endpoint_agent_force_leave =
    AGENT("Agent.ForceLeave", .permission = PERMIT_OPERATOR_WRITE,
          .request = INSIDE(agent_force_leave_request));
const struct endpoint endpoint_agent_reload =
    AGENT("Agent.Reload", .permission = PERMIT_AGENT_WRITE);
