/* types_ca_state.c - schema tables of muster/catalog_ca.h. */
#include <muster/catalog_ca.h>

#include "table.h"

static const struct mu__field ca_config_fields[] = {
    FLAGGED(ca_config, STR, cluster_id, "ClusterID", NO_JSON),
    FIELD(ca_config, STR, provider, "Provider"),
    FIELD(ca_config, ANY, config, "Config"),
    FIELD(ca_config, STRMAP, state, "State"),
    ALIASED(ca_config, BOOL, force_without_cross_signing, "ForceWithoutCrossSigning", 0,
            "force_without_cross_signing"),
    RAFT_INDEX(ca_config),
};
static const uint8_t ca_config_wire[] = {0, 2, 5, 4, 6, 1, 3};
SCHEMA(ca_config, "CAConfiguration");

static const struct mu__field ca_provider_state_fields[] = {
    FIELD(ca_provider_state, STR, id, "ID"),
    FLAGGED(ca_provider_state, STR, private_key, "PrivateKey", NO_JSON),
    FIELD(ca_provider_state, STR, root_cert, "RootCert"),
    FIELD(ca_provider_state, STR, intermediate_cert, "IntermediateCert"),
    RAFT_INDEX(ca_provider_state),
};
static const uint8_t ca_provider_state_wire[] = {4, 0, 3, 5, 1, 2};
SCHEMA(ca_provider_state, "CAConsulProviderState");

static const struct mu__field ca_request_fields[] = {
    FIELD(ca_request, STR, op, "Op"),
    FIELD(ca_request, STR, datacenter, "Datacenter"),
    FIELD(ca_request, UINT, index, "Index"),
    SUB(ca_request, LIST, roots, "Roots", 0, ca_root),
    SUB(ca_request, PTR, config, "Config", 0, ca_config),
    SUB(ca_request, PTR, provider_state, "ProviderState", 0, ca_provider_state),
    FIELD(ca_request, STR, token, "Token"),
};
static const uint8_t ca_request_wire[] = {4, 1, 2, 0, 5, 3, 6};
SCHEMA(ca_request, "CARequest");

static const struct mu__field ca_leaf_request_fields[] = {
    FIELD(ca_leaf_request, STR, op, "Op"),
    FIELD(ca_leaf_request, STR, datacenter, "Datacenter"),
    FIELD(ca_leaf_request, STR, token, "Token"),
};
static const uint8_t ca_leaf_request_wire[] = {1, 0, 2};
SCHEMA(ca_leaf_request, "CALeafRequest");
