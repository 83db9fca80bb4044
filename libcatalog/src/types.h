/* types.h - the schema tables of muster/catalog_types.h, for libcatalog's own files. */
#pragma once

#include <muster/catalog_types.h>

#include "schema.h"

extern const struct mu__schema catalog__node_schema;
extern const struct mu__schema catalog__service_address_schema;
extern const struct mu__schema catalog__weights_schema;
extern const struct mu__schema catalog__mesh_gateway_schema;
extern const struct mu__schema catalog__expose_path_schema;
extern const struct mu__schema catalog__expose_schema;
extern const struct mu__schema catalog__upstream_schema;
extern const struct mu__schema catalog__proxy_schema;
extern const struct mu__schema catalog__connect_schema;
extern const struct mu__schema catalog__node_service_schema;
extern const struct mu__schema catalog__service_node_schema;
extern const struct mu__schema catalog__check_definition_schema;
extern const struct mu__schema catalog__check_schema;
extern const struct mu__schema catalog__check_service_node_schema;
extern const struct mu__schema catalog__dir_entry_schema;
extern const struct mu__schema catalog__vivaldi_schema;
extern const struct mu__schema catalog__coordinate_schema;
extern const struct mu__schema catalog__check_type_schema;
extern const struct mu__schema catalog__service_definition_schema;
extern const struct mu__schema catalog__query_source_schema;
extern const struct mu__schema catalog__register_request_schema;
extern const struct mu__schema catalog__deregister_request_schema;
extern const struct mu__schema catalog__kvs_request_schema;
extern const struct mu__schema catalog__tombstone_request_schema;
extern const struct mu__schema catalog__datacenters_request_schema;
extern const struct mu__schema catalog__dc_request_schema;
extern const struct mu__schema catalog__node_request_schema;
extern const struct mu__schema catalog__service_request_schema;
extern const struct mu__schema catalog__checks_in_state_request_schema;
extern const struct mu__schema catalog__key_request_schema;
extern const struct mu__schema catalog__key_list_request_schema;
extern const struct mu__schema catalog__coordinate_update_request_schema;
extern const struct mu__schema catalog__event_fire_request_schema;
extern const struct mu__schema catalog__indexed_nodes_schema;
extern const struct mu__schema catalog__indexed_services_schema;
extern const struct mu__schema catalog__indexed_service_nodes_schema;
extern const struct mu__schema catalog__node_services_schema;
extern const struct mu__schema catalog__indexed_node_services_schema;
extern const struct mu__schema catalog__node_service_list_schema;
extern const struct mu__schema catalog__indexed_node_service_list_schema;
extern const struct mu__schema catalog__indexed_checks_schema;
extern const struct mu__schema catalog__indexed_check_service_nodes_schema;
extern const struct mu__schema catalog__indexed_dir_entries_schema;
extern const struct mu__schema catalog__indexed_key_list_schema;
extern const struct mu__schema catalog__event_fire_response_schema;
extern const struct mu__schema catalog__raft_stats_schema;
extern const struct mu__schema catalog__autopilot_config_schema;
extern const struct mu__schema catalog__autopilot_set_request_schema;
extern const struct mu__schema catalog__raft_remove_request_schema;
extern const struct mu__schema catalog__raft_server_schema;
extern const struct mu__schema catalog__raft_configuration_schema;
extern const struct mu__schema catalog__server_health_schema;
extern const struct mu__schema catalog__operator_health_schema;
extern const struct mu__schema catalog__keyring_request_schema;
extern const struct mu__schema catalog__keyring_response_schema;
extern const struct mu__schema catalog__keyring_responses_schema;
extern const struct mu__schema catalog__coordinate_batch_schema;
extern const struct mu__schema catalog__indexed_coordinates_schema;
extern const struct mu__schema catalog__datacenter_map_schema;
extern const struct mu__schema catalog__txn_kv_op_schema;
extern const struct mu__schema catalog__txn_node_op_schema;
extern const struct mu__schema catalog__txn_service_op_schema;
extern const struct mu__schema catalog__txn_check_op_schema;
extern const struct mu__schema catalog__txn_op_schema;
extern const struct mu__schema catalog__txn_request_schema;
extern const struct mu__schema catalog__txn_read_request_schema;
extern const struct mu__schema catalog__txn_error_schema;
extern const struct mu__schema catalog__txn_result_schema;
extern const struct mu__schema catalog__txn_response_schema;
extern const struct mu__schema catalog__txn_read_response_schema;
