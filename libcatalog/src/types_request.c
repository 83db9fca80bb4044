/* types_request.c - schema tables of requests, which are log entries too. */
#include "table.h"

static const struct mu__field query_source_fields[] = {
    FIELD(query_source, STR, datacenter, "Datacenter"),
    FIELD(query_source, STR, segment, "Segment"),
    FIELD(query_source, STR, node, "Node"),
    FIELD(query_source, STR, ip, "Ip"),
};
static const uint8_t query_source_wire[] = {0, 3, 2, 1};
SCHEMA(query_source, "QuerySource");

static const struct mu__field register_request_fields[] = {
    FIELD(register_request, STR, datacenter, "Datacenter"),
    FIELD(register_request, STR, id, "ID"),
    FIELD(register_request, STR, node, "Node"),
    FIELD(register_request, STR, address, "Address"),
    FIELD(register_request, STRMAP, tagged_addresses, "TaggedAddresses"),
    FIELD(register_request, STRMAP, node_meta, "NodeMeta"),
    SUB(register_request, PTR, service, "Service", 0, node_service),
    SUB(register_request, PTR, check, "Check", 0, check),
    SUB(register_request, LIST, checks, "Checks", 0, check),
    FIELD(register_request, BOOL, skip_node_update, "SkipNodeUpdate"),
    RAFT_INDEX(register_request),
    FIELD(register_request, STR, token, "Token"),
};
static const uint8_t register_request_wire[] = {3, 7, 8, 10, 0, 1, 11, 2, 5, 6, 9, 4, 12};
SCHEMA(register_request, "RegisterRequest");

static const struct mu__field deregister_request_fields[] = {
    FIELD(deregister_request, STR, datacenter, "Datacenter"),
    FIELD(deregister_request, STR, node, "Node"),
    FIELD(deregister_request, STR, service_id, "ServiceID"),
    FIELD(deregister_request, STR, check_id, "CheckID"),
    FIELD(deregister_request, STR, token, "Token"),
};
static const uint8_t deregister_request_wire[] = {3, 0, 1, 2, 4};
SCHEMA(deregister_request, "DeregisterRequest");

static const struct mu__field kvs_request_fields[] = {
    FIELD(kvs_request, STR, datacenter, "Datacenter"),
    FIELD(kvs_request, STR, op, "Op"),
    SUB(kvs_request, STRUCT, dir_ent, "DirEnt", 0, dir_entry),
    FIELD(kvs_request, STR, token, "Token"),
};
static const uint8_t kvs_request_wire[] = {0, 2, 1, 3};
SCHEMA(kvs_request, "KVSRequest");

static const struct mu__field tombstone_request_fields[] = {
    FIELD(tombstone_request, STR, datacenter, "Datacenter"),
    FIELD(tombstone_request, STR, op, "Op"),
    FIELD(tombstone_request, UINT, reap_index, "ReapIndex"),
    FIELD(tombstone_request, STR, token, "Token"),
};
static const uint8_t tombstone_request_wire[] = {0, 1, 2, 3};
SCHEMA(tombstone_request, "TombstoneRequest");

static const struct mu__field datacenters_request_fields[] = {
    QUERY_OPTIONS(datacenters_request),
};
static const uint8_t datacenters_request_wire[] = {3, 10, 7, 2, 6, 1, 8, 4, 9, 0, 5};
SCHEMA(datacenters_request, "DatacentersRequest");

static const struct mu__field dc_request_fields[] = {
    FIELD(dc_request, STR, datacenter, "Datacenter"),
    FIELD(dc_request, STRMAP, node_meta_filters, "NodeMetaFilters"),
    SUB(dc_request, STRUCT, source, "Source", 0, query_source),
    QUERY_OPTIONS(dc_request),
};
static const uint8_t dc_request_wire[] = {6, 0, 13, 10, 5, 9, 4, 11, 1, 7, 2, 12, 3, 8};
SCHEMA(dc_request, "DCSpecificRequest");

static const struct mu__field node_request_fields[] = {
    FIELD(node_request, STR, datacenter, "Datacenter"),
    FIELD(node_request, STR, node, "Node"),
    QUERY_OPTIONS(node_request),
};
static const uint8_t node_request_wire[] = {5, 0, 12, 9, 4, 8, 3, 10, 1, 6, 11, 2, 7};
SCHEMA(node_request, "NodeSpecificRequest");

static const struct mu__field service_request_fields[] = {
    FIELD(service_request, STR, datacenter, "Datacenter"),
    FIELD(service_request, STRMAP, node_meta_filters, "NodeMetaFilters"),
    FIELD(service_request, STR, service_name, "ServiceName"),
    FIELD(service_request, STR, service_tag, "ServiceTag"),
    FIELD(service_request, STRS, service_tags, "ServiceTags"),
    FIELD(service_request, STR, service_address, "ServiceAddress"),
    FIELD(service_request, BOOL, tag_filter, "TagFilter"),
    SUB(service_request, STRUCT, source, "Source", 0, query_source),
    FIELD(service_request, BOOL, connect, "Connect"),
    FIELD(service_request, BOOL, ingress, "Ingress"),
    QUERY_OPTIONS(service_request),
};
static const uint8_t service_request_wire[] = {
    13, 8, 0, 20, 9, 17, 12, 16, 11, 18, 1, 14, 5, 2, 3, 4, 7, 19, 6, 10, 15,
};
SCHEMA(service_request, "ServiceSpecificRequest");

static const struct mu__field checks_in_state_request_fields[] = {
    FIELD(checks_in_state_request, STR, datacenter, "Datacenter"),
    FIELD(checks_in_state_request, STRMAP, node_meta_filters, "NodeMetaFilters"),
    FIELD(checks_in_state_request, STR, state, "State"),
    SUB(checks_in_state_request, STRUCT, source, "Source", 0, query_source),
    QUERY_OPTIONS(checks_in_state_request),
};
static const uint8_t checks_in_state_request_wire[] = {
    7, 0, 14, 11, 6, 10, 5, 12, 1, 8, 3, 13, 2, 4, 9,
};
SCHEMA(checks_in_state_request, "ChecksInStateRequest");

static const struct mu__field key_request_fields[] = {
    FIELD(key_request, STR, datacenter, "Datacenter"),
    FIELD(key_request, STR, key, "Key"),
    QUERY_OPTIONS(key_request),
};
static const uint8_t key_request_wire[] = {5, 0, 12, 1, 9, 4, 8, 3, 10, 6, 11, 2, 7};
SCHEMA(key_request, "KeyRequest");

static const struct mu__field key_list_request_fields[] = {
    FIELD(key_list_request, STR, datacenter, "Datacenter"),
    FIELD(key_list_request, STR, prefix, "Prefix"),
    FIELD(key_list_request, STR, separator, "Seperator"), /* as Consul spells it */
    QUERY_OPTIONS(key_list_request),
};
static const uint8_t key_list_request_wire[] = {6, 0, 13, 10, 5, 9, 4, 11, 1, 7, 2, 12, 3, 8};
SCHEMA(key_list_request, "KeyListRequest");

static const struct mu__field coordinate_update_request_fields[] = {
    FIELD(coordinate_update_request, STR, datacenter, "Datacenter"),
    FIELD(coordinate_update_request, STR, node, "Node"),
    FIELD(coordinate_update_request, STR, segment, "Segment"),
    SUB(coordinate_update_request, PTR, coord, "Coord", 0, vivaldi),
    FIELD(coordinate_update_request, STR, token, "Token"),
};
static const uint8_t coordinate_update_request_wire[] = {3, 0, 1, 2, 4};
SCHEMA(coordinate_update_request, "CoordinateUpdateRequest");

static const struct mu__field event_fire_request_fields[] = {
    FIELD(event_fire_request, STR, datacenter, "Datacenter"),
    FIELD(event_fire_request, STR, name, "Name"),
    FIELD(event_fire_request, BYTES, payload, "Payload"),
    QUERY_OPTIONS(event_fire_request),
};
static const uint8_t event_fire_request_wire[] = {6, 0, 13, 10, 5, 9, 4, 11, 1, 2, 7, 12, 3, 8};
SCHEMA(event_fire_request, "EventFireRequest");
