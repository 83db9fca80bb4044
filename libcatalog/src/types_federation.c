#include "types_federation.h"

#include "table.h"

static const struct mu__field federation_state_fields[] = {
    FIELD(federation_state, STR, datacenter, "Datacenter"),
    SUB(federation_state, LIST, mesh_gateways, "MeshGateways", OMIT, check_service_node),
    FIELD(federation_state, TIME, updated_at, "UpdatedAt"),
    FIELD(federation_state, UINT, primary_modify_index, "PrimaryModifyIndex"),
    RAFT_INDEX(federation_state),
};
static const uint8_t federation_state_wire[] = {4, 0, 1, 5, 3, 2};
SCHEMA(federation_state, "FederationState");

static const struct mu__field federation_query_fields[] = {
    FIELD(federation_query, STR, datacenter, "Datacenter"),
    FIELD(federation_query, STR, target_datacenter, "TargetDatacenter"),
    QUERY_OPTIONS(federation_query),
};
/* AllowStale, Datacenter, Filter, MaxAge, MaxQueryTime, MaxStaleDuration, MinQueryIndex,
 * MustRevalidate, RequireConsistent, StaleIfError, TargetDatacenter, Token, UseCache */
static const uint8_t federation_query_wire[] = {5, 0, 12, 9, 4, 8, 3, 10, 6, 11, 1, 2, 7};
SCHEMA(federation_query, "FederationStateQuery");

static const struct mu__field federation_reply_fields[] = {
    SUB(federation_reply, PTR, state, "State", 0, federation_state),
    QUERY_META(federation_reply),
};
static const uint8_t federation_reply_wire[] = {4, 1, 3, 2, 0};
SCHEMA(federation_reply, "FederationStateResponse");

static const struct mu__field indexed_federation_states_fields[] = {
    SUB(indexed_federation_states, LIST, states, "States", 0, federation_state),
    QUERY_META(indexed_federation_states),
};
static const uint8_t indexed_federation_states_wire[] = {4, 1, 3, 2, 0};
SCHEMA(indexed_federation_states, "IndexedFederationStates");

static const struct mu__field datacenter_nodes_fields[] = {
    QUERY_META(datacenter_nodes),
};
static const uint8_t datacenter_nodes_wire[] = {3, 0, 2, 1};
SCHEMA(datacenter_nodes, "DatacenterIndexedCheckServiceNodes");

const struct mu__schema *catalog_federation_state_schema(void)
{
    return &catalog__federation_state_schema;
}
