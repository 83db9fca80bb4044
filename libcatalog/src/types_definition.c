/* types_definition.c - schema tables of what an agent is given: definitions of services and
 * checks. */
#include "table.h"

static const struct mu__field check_type_fields[] = {
    ALIASED(check_type, STR, check_id, "CheckID", 0, "ID|check_id"),
    FIELD(check_type, STR, name, "Name"),
    FIELD(check_type, STR, status, "Status"),
    FIELD(check_type, STR, notes, "Notes"),
    ALIASED(check_type, STRS, script_args, "ScriptArgs", 0, "args|script_args"),
    FIELD(check_type, STR, http, "HTTP"),
    FIELD(check_type, STRSMAP, header, "Header"),
    FIELD(check_type, STR, method, "Method"),
    FIELD(check_type, STR, body, "Body"),
    FIELD(check_type, STR, tcp, "TCP"),
    FIELD(check_type, DURATION, interval_ns, "Interval"),
    ALIASED(check_type, STR, alias_node, "AliasNode", 0, "alias_node"),
    ALIASED(check_type, STR, alias_service, "AliasService", 0, "alias_service"),
    ALIASED(check_type, STR, docker_container_id, "DockerContainerID", 0, "docker_container_id"),
    FIELD(check_type, STR, shell, "Shell"),
    FIELD(check_type, STR, grpc, "GRPC"),
    ALIASED(check_type, BOOL, grpc_use_tls, "GRPCUseTLS", 0, "grpc_use_tls"),
    ALIASED(check_type, BOOL, tls_skip_verify, "TLSSkipVerify", 0, "tls_skip_verify"),
    FIELD(check_type, DURATION, timeout_ns, "Timeout"),
    FIELD(check_type, DURATION, ttl_ns, "TTL"),
    ALIASED(check_type, INT, success_before_passing, "SuccessBeforePassing", 0,
            "success_before_passing"),
    ALIASED(check_type, INT, failures_before_critical, "FailuresBeforeCritical", 0,
            "failures_before_critical"),
    FIELD(check_type, STR, proxy_http, "ProxyHTTP"),
    FIELD(check_type, STR, proxy_grpc, "ProxyGRPC"),
    ALIASED(check_type, DURATION, deregister_critical_service_after_ns,
            "DeregisterCriticalServiceAfter", 0, "deregister_critical_service_after"),
    ALIASED(check_type, INT, output_max_size, "OutputMaxSize", 0, "output_max_size"),
};
static const uint8_t check_type_wire[] = {
    11, 12, 8, 0, 24, 13, 21, 15, 16, 5, 6, 10, 7, 1, 3, 25, 23, 22, 4, 14, 2, 20, 9, 17, 19, 18,
};
SCHEMA(check_type, "CheckType");

static const struct mu__field service_definition_fields[] = {
    FLAGGED(service_definition, STR, kind, "Kind", OMIT),
    FIELD(service_definition, STR, id, "ID"),
    FIELD(service_definition, STR, name, "Name"),
    FIELD(service_definition, STRS, tags, "Tags"),
    FIELD(service_definition, STR, address, "Address"),
    ALIASED_SUB(service_definition, STRUCTMAP, tagged_addresses, "TaggedAddresses", 0,
                "tagged_addresses", service_address),
    FIELD(service_definition, STRMAP, meta, "Meta"),
    FIELD(service_definition, INT, port, "Port"),
    SUB(service_definition, STRUCT, check, "Check", 0, check_type),
    SUB(service_definition, LIST, checks, "Checks", 0, check_type),
    SUB(service_definition, PTR, weights, "Weights", 0, weights),
    FIELD(service_definition, STR, token, "Token"),
    ALIASED(service_definition, BOOL, enable_tag_override, "EnableTagOverride", 0,
            "enable_tag_override"),
    SUB(service_definition, PTR, proxy, "Proxy", 0, proxy),
    SUB(service_definition, PTR, connect, "Connect", 0, connect),
};
static const uint8_t service_definition_wire[] = {4, 8, 9, 14, 12, 1, 0, 6, 2, 7, 13, 5, 3, 11, 10};
SCHEMA(service_definition, "ServiceDefinition");
