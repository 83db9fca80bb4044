/* types.c - finds the table of a type. The tables stand in types_node.c (nodes, services, checks),
 * types_kv.c, types_coordinate.c, types_definition.c (what an agent is given), types_operator.c,
 * types_request.c and types_reply.c. */
#include <muster/catalog_types.h>

#include "types.h"

#include <assert.h>

static const struct mu__schema *const schemas[CATALOG_TYPE_COUNT] = {
    [CATALOG_NODE] = &catalog__node_schema,
    [CATALOG_SERVICE_ADDRESS] = &catalog__service_address_schema,
    [CATALOG_WEIGHTS] = &catalog__weights_schema,
    [CATALOG_MESH_GATEWAY] = &catalog__mesh_gateway_schema,
    [CATALOG_EXPOSE_PATH] = &catalog__expose_path_schema,
    [CATALOG_EXPOSE] = &catalog__expose_schema,
    [CATALOG_UPSTREAM] = &catalog__upstream_schema,
    [CATALOG_PROXY] = &catalog__proxy_schema,
    [CATALOG_CONNECT] = &catalog__connect_schema,
    [CATALOG_NODE_SERVICE] = &catalog__node_service_schema,
    [CATALOG_SERVICE_NODE] = &catalog__service_node_schema,
    [CATALOG_CHECK_DEFINITION] = &catalog__check_definition_schema,
    [CATALOG_CHECK] = &catalog__check_schema,
    [CATALOG_CHECK_SERVICE_NODE] = &catalog__check_service_node_schema,
    [CATALOG_DIR_ENTRY] = &catalog__dir_entry_schema,
    [CATALOG_VIVALDI] = &catalog__vivaldi_schema,
    [CATALOG_COORDINATE] = &catalog__coordinate_schema,
    [CATALOG_CHECK_TYPE] = &catalog__check_type_schema,
    [CATALOG_SERVICE_DEFINITION] = &catalog__service_definition_schema,
    [CATALOG_QUERY_SOURCE] = &catalog__query_source_schema,
    [CATALOG_REGISTER_REQUEST] = &catalog__register_request_schema,
    [CATALOG_DEREGISTER_REQUEST] = &catalog__deregister_request_schema,
    [CATALOG_KVS_REQUEST] = &catalog__kvs_request_schema,
    [CATALOG_TOMBSTONE_REQUEST] = &catalog__tombstone_request_schema,
    [CATALOG_DATACENTERS_REQUEST] = &catalog__datacenters_request_schema,
    [CATALOG_DC_REQUEST] = &catalog__dc_request_schema,
    [CATALOG_NODE_REQUEST] = &catalog__node_request_schema,
    [CATALOG_SERVICE_REQUEST] = &catalog__service_request_schema,
    [CATALOG_CHECKS_IN_STATE_REQUEST] = &catalog__checks_in_state_request_schema,
    [CATALOG_KEY_REQUEST] = &catalog__key_request_schema,
    [CATALOG_KEY_LIST_REQUEST] = &catalog__key_list_request_schema,
    [CATALOG_COORDINATE_UPDATE_REQUEST] = &catalog__coordinate_update_request_schema,
    [CATALOG_EVENT_FIRE_REQUEST] = &catalog__event_fire_request_schema,
    [CATALOG_INDEXED_NODES] = &catalog__indexed_nodes_schema,
    [CATALOG_INDEXED_SERVICES] = &catalog__indexed_services_schema,
    [CATALOG_INDEXED_SERVICE_NODES] = &catalog__indexed_service_nodes_schema,
    [CATALOG_NODE_SERVICES] = &catalog__node_services_schema,
    [CATALOG_INDEXED_NODE_SERVICES] = &catalog__indexed_node_services_schema,
    [CATALOG_NODE_SERVICE_LIST] = &catalog__node_service_list_schema,
    [CATALOG_INDEXED_NODE_SERVICE_LIST] = &catalog__indexed_node_service_list_schema,
    [CATALOG_INDEXED_CHECKS] = &catalog__indexed_checks_schema,
    [CATALOG_INDEXED_CHECK_SERVICE_NODES] = &catalog__indexed_check_service_nodes_schema,
    [CATALOG_INDEXED_DIR_ENTRIES] = &catalog__indexed_dir_entries_schema,
    [CATALOG_INDEXED_KEY_LIST] = &catalog__indexed_key_list_schema,
    [CATALOG_EVENT_FIRE_RESPONSE] = &catalog__event_fire_response_schema,
    [CATALOG_RAFT_STATS] = &catalog__raft_stats_schema,
    [CATALOG_AUTOPILOT_CONFIG] = &catalog__autopilot_config_schema,
    [CATALOG_AUTOPILOT_SET_REQUEST] = &catalog__autopilot_set_request_schema,
    [CATALOG_RAFT_REMOVE_REQUEST] = &catalog__raft_remove_request_schema,
    [CATALOG_RAFT_SERVER] = &catalog__raft_server_schema,
    [CATALOG_RAFT_CONFIGURATION] = &catalog__raft_configuration_schema,
    [CATALOG_SERVER_HEALTH] = &catalog__server_health_schema,
    [CATALOG_OPERATOR_HEALTH] = &catalog__operator_health_schema,
    [CATALOG_KEYRING_REQUEST] = &catalog__keyring_request_schema,
    [CATALOG_KEYRING_RESPONSE] = &catalog__keyring_response_schema,
    [CATALOG_KEYRING_RESPONSES] = &catalog__keyring_responses_schema,
    [CATALOG_COORDINATE_BATCH] = &catalog__coordinate_batch_schema,
    [CATALOG_INDEXED_COORDINATES] = &catalog__indexed_coordinates_schema,
    [CATALOG_DATACENTER_MAP] = &catalog__datacenter_map_schema,
};

const struct mu__schema *catalog_schema(enum catalog_type type)
{
    assert((unsigned)type < CATALOG_TYPE_COUNT);
    return schemas[type];
}
