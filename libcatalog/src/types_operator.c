/* types_operator.c - schema tables of what operators see and set: Raft's servers, their health,
 * autopilot, and the keys of gossip. */
#include "table.h"

#define TEXT_DURATION MU_F_DURATION_STRING
static const struct mu__field autopilot_config_fields[] = {
    FIELD(autopilot_config, BOOL, cleanup_dead_servers, "CleanupDeadServers"),
    FLAGGED(autopilot_config, DURATION, last_contact_threshold_ns, "LastContactThreshold",
            TEXT_DURATION),
    FIELD(autopilot_config, UINT, max_trailing_logs, "MaxTrailingLogs"),
    FIELD(autopilot_config, UINT, min_quorum, "MinQuorum"),
    FLAGGED(autopilot_config, DURATION, server_stabilization_time_ns, "ServerStabilizationTime",
            TEXT_DURATION),
    FIELD(autopilot_config, STR, redundancy_zone_tag, "RedundancyZoneTag"),
    FIELD(autopilot_config, BOOL, disable_upgrade_migration, "DisableUpgradeMigration"),
    FIELD(autopilot_config, STR, upgrade_version_tag, "UpgradeVersionTag"),
    RAFT_INDEX(autopilot_config),
};
static const uint8_t autopilot_config_wire[] = {0, 8, 6, 1, 2, 3, 9, 5, 4, 7};
SCHEMA(autopilot_config, "api.AutopilotConfiguration");

static const struct mu__field autopilot_set_request_fields[] = {
    FIELD(autopilot_set_request, STR, datacenter, "Datacenter"),
    SUB(autopilot_set_request, STRUCT, config, "Config", 0, autopilot_config),
    FIELD(autopilot_set_request, BOOL, cas, "CAS"),
    FIELD(autopilot_set_request, STR, token, "Token"),
};
static const uint8_t autopilot_set_request_wire[] = {2, 1, 0, 3};
SCHEMA(autopilot_set_request, "AutopilotSetConfigRequest");

static const struct mu__field raft_remove_request_fields[] = {
    FIELD(raft_remove_request, STR, datacenter, "Datacenter"),
    FIELD(raft_remove_request, STR, address, "Address"),
    FIELD(raft_remove_request, STR, id, "ID"),
    FIELD(raft_remove_request, STR, token, "Token"),
};
static const uint8_t raft_remove_request_wire[] = {1, 0, 2, 3};
SCHEMA(raft_remove_request, "RaftRemovePeerRequest");

static const struct mu__field raft_server_fields[] = {
    FIELD(raft_server, STR, id, "ID"),
    FIELD(raft_server, STR, node, "Node"),
    FIELD(raft_server, STR, address, "Address"),
    FIELD(raft_server, BOOL, leader, "Leader"),
    FIELD(raft_server, STR, protocol_version, "ProtocolVersion"),
    FIELD(raft_server, BOOL, voter, "Voter"),
};
static const uint8_t raft_server_wire[] = {2, 0, 3, 1, 4, 5};
SCHEMA(raft_server, "RaftServer");

static const struct mu__field raft_configuration_fields[] = {
    SUB(raft_configuration, LIST, servers, "Servers", 0, raft_server),
    FIELD(raft_configuration, UINT, index, "Index"),
};
static const uint8_t raft_configuration_wire[] = {1, 0};
SCHEMA(raft_configuration, "RaftConfigurationResponse");

static const struct mu__field server_health_fields[] = {
    FIELD(server_health, STR, id, "ID"),
    FIELD(server_health, STR, name, "Name"),
    FIELD(server_health, STR, address, "Address"),
    FIELD(server_health, INT, serf_status, "SerfStatus"),
    FIELD(server_health, STR, version, "Version"),
    FIELD(server_health, BOOL, leader, "Leader"),
    FIELD(server_health, DURATION, last_contact_ns, "LastContact"),
    FIELD(server_health, UINT, last_term, "LastTerm"),
    FIELD(server_health, UINT, last_index, "LastIndex"),
    FIELD(server_health, BOOL, healthy, "Healthy"),
    FIELD(server_health, BOOL, voter, "Voter"),
    FIELD(server_health, TIME, stable_since, "StableSince"),
};
static const uint8_t server_health_wire[] = {2, 9, 0, 6, 8, 7, 5, 1, 3, 11, 4, 10};
SCHEMA(server_health, "ServerHealth");

static const struct mu__field operator_health_fields[] = {
    FIELD(operator_health, BOOL, healthy, "Healthy"),
    FIELD(operator_health, INT, failure_tolerance, "FailureTolerance"),
    SUB(operator_health, LIST, servers, "Servers", 0, server_health),
};
static const uint8_t operator_health_wire[] = {1, 0, 2};
SCHEMA(operator_health, "OperatorHealthReply");

static const struct mu__field keyring_request_fields[] = {
    FIELD(keyring_request, STR, operation, "Operation"),
    FIELD(keyring_request, STR, key, "Key"),
    FIELD(keyring_request, STR, datacenter, "Datacenter"),
    FIELD(keyring_request, BOOL, forwarded, "Forwarded"),
    FIELD(keyring_request, UINT, relay_factor, "RelayFactor"),
    FIELD(keyring_request, BOOL, local_only, "LocalOnly"),
    QUERY_OPTIONS(keyring_request),
};
static const uint8_t keyring_request_wire[] = {9, 2,  16, 3, 1,  5,  13, 8, 12,
                                               7, 14, 0,  4, 10, 15, 6,  11};
SCHEMA(keyring_request, "KeyringRequest");

static const struct mu__field keyring_response_fields[] = {
    FIELD(keyring_response, BOOL, wan, "WAN"),
    FIELD(keyring_response, STR, datacenter, "Datacenter"),
    FIELD(keyring_response, STR, segment, "Segment"),
    FLAGGED(keyring_response, STRMAP, messages, "Messages", MU_F_OMIT_EMPTY),
    FIELD(keyring_response, ANY, keys, "Keys"),
    FIELD(keyring_response, ANY, primary_keys, "PrimaryKeys"),
    FIELD(keyring_response, INT, num_nodes, "NumNodes"),
    FLAGGED(keyring_response, STR, error, "Error", MU_F_OMIT_EMPTY),
};
static const uint8_t keyring_response_wire[] = {1, 7, 4, 3, 6, 5, 2, 0};
SCHEMA(keyring_response, "KeyringResponse");

static const struct mu__field keyring_responses_fields[] = {
    SUB(keyring_responses, LIST, responses, "Responses", 0, keyring_response),
    QUERY_META(keyring_responses),
};
static const uint8_t keyring_responses_wire[] = {4, 1, 3, 2, 0};
SCHEMA(keyring_responses, "KeyringResponses");
