/* types_reply.c - schema tables of replies. */
#include "table.h"

static const struct mu__field indexed_nodes_fields[] = {
    SUB(indexed_nodes, LIST, nodes, "Nodes", 0, node),
    QUERY_META(indexed_nodes),
};
static const uint8_t indexed_nodes_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_nodes, "IndexedNodes");

static const struct mu__field indexed_services_fields[] = {
    FIELD(indexed_services, STRSMAP, services, "Services"),
    QUERY_META(indexed_services),
};
static const uint8_t indexed_services_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_services, "IndexedServices");

static const struct mu__field indexed_service_nodes_fields[] = {
    SUB(indexed_service_nodes, LIST, service_nodes, "ServiceNodes", 0, service_node),
    QUERY_META(indexed_service_nodes),
};
static const uint8_t indexed_service_nodes_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_service_nodes, "IndexedServiceNodes");

static const struct mu__field node_services_fields[] = {
    SUB(node_services, PTR, node, "Node", 0, node),
    SUB(node_services, STRUCTMAP, services, "Services", 0, node_service),
};
static const uint8_t node_services_wire[] = {0, 1};
SCHEMA(node_services, "NodeServices");

static const struct mu__field indexed_node_services_fields[] = {
    SUB(indexed_node_services, PTR, node_services, "NodeServices", 0, node_services),
    QUERY_META(indexed_node_services),
};
static const uint8_t indexed_node_services_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_node_services, "IndexedNodeServices");

static const struct mu__field node_service_list_fields[] = {
    SUB(node_service_list, PTR, node, "Node", 0, node),
    SUB(node_service_list, LIST, services, "Services", 0, node_service),
};
static const uint8_t node_service_list_wire[] = {0, 1};
SCHEMA(node_service_list, "NodeServiceList");

static const struct mu__field indexed_node_service_list_fields[] = {
    SUB(indexed_node_service_list, STRUCT, node_services, "NodeServices", 0, node_service_list),
    QUERY_META(indexed_node_service_list),
};
static const uint8_t indexed_node_service_list_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_node_service_list, "IndexedNodeServiceList");

static const struct mu__field indexed_checks_fields[] = {
    SUB(indexed_checks, LIST, health_checks, "HealthChecks", 0, check),
    QUERY_META(indexed_checks),
};
static const uint8_t indexed_checks_wire[] = {4, 0, 1, 3, 2};
SCHEMA(indexed_checks, "IndexedHealthChecks");

static const struct mu__field indexed_check_service_nodes_fields[] = {
    SUB(indexed_check_service_nodes, LIST, nodes, "Nodes", 0, check_service_node),
    QUERY_META(indexed_check_service_nodes),
};
static const uint8_t indexed_check_service_nodes_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_check_service_nodes, "IndexedCheckServiceNodes");

static const struct mu__field indexed_dir_entries_fields[] = {
    SUB(indexed_dir_entries, LIST, entries, "Entries", 0, dir_entry),
    QUERY_META(indexed_dir_entries),
};
static const uint8_t indexed_dir_entries_wire[] = {4, 0, 1, 3, 2};
SCHEMA(indexed_dir_entries, "IndexedDirEntries");

static const struct mu__field indexed_key_list_fields[] = {
    FIELD(indexed_key_list, STRS, keys, "Keys"),
    QUERY_META(indexed_key_list),
};
static const uint8_t indexed_key_list_wire[] = {4, 1, 0, 3, 2};
SCHEMA(indexed_key_list, "IndexedKeyList");

static const struct mu__field event_fire_response_fields[] = {
    QUERY_META(event_fire_response),
};
static const uint8_t event_fire_response_wire[] = {3, 0, 2, 1};
SCHEMA(event_fire_response, "EventFireResponse");

static const struct mu__field raft_stats_fields[] = {
    FIELD(raft_stats, STR, last_contact, "LastContact"),
    FIELD(raft_stats, UINT, last_term, "LastTerm"),
    FIELD(raft_stats, UINT, last_index, "LastIndex"),
};
static const uint8_t raft_stats_wire[] = {0, 2, 1};
SCHEMA(raft_stats, "ServerStats");
