/* catalog_federation.h - what a datacenter tells others of itself: its mesh gateways.
 *
 * With one datacenter there is nobody to tell, so the state is not kept beside what it follows
 * from: it is looked up when it is asked for, and as new as the answer. Queries as in catalog.h. */
#ifndef MUSTER_CATALOG_FEDERATION_H
#define MUSTER_CATALOG_FEDERATION_H

#include <muster/catalog.h>

#ifdef __cplusplus
extern "C" {
#endif

struct catalog_federation_state { /* Go: FederationState */
    struct mu_str datacenter;
    struct mu_list mesh_gateways; /* of struct catalog_check_service_node; nil: none */
    struct mu_time updated_at;
    uint64_t primary_modify_index, create_index, modify_index;
};

struct catalog_federation_query {
    struct mu_str datacenter, target_datacenter;
    struct catalog_query_options options;
};

struct catalog_federation_reply {           /* Go: FederationStateResponse */
    struct catalog_federation_state *state; /* or NULL */
    struct catalog_query_meta meta;
};

struct catalog_indexed_federation_states {
    struct mu_list states; /* of struct catalog_federation_state */
    struct catalog_query_meta meta;
};

struct catalog_datacenter_nodes { /* Go: DatacenterIndexedCheckServiceNodes */
    /* datacenter -> struct mu_list of struct catalog_check_service_node, none of them empty */
    struct mu_structmap datacenters;
    struct catalog_query_meta meta;
};

/* The schema of struct catalog_federation_state, for JSON. */
MU_API const struct mu__schema *catalog_federation_state_schema(void);

/* FederationState.List: the one of the request's datacenter, as it is `now`. FederationState.Get:
 * that one, or none if another is asked for. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int
catalog_query_federation_states(struct catalog_reader *r, const struct catalog_dc_request *request,
                                struct mu_time now, struct catalog_indexed_federation_states *out,
                                struct catalog_watch_keys *keys);
MU_API MU_MUST_USE int catalog_query_federation_state(
    struct catalog_reader *r, const struct catalog_federation_query *request, struct mu_time now,
    struct catalog_federation_reply *out, struct catalog_watch_keys *keys);
/* FederationState.ListMeshGateways. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_query_mesh_gateways(struct catalog_reader *r,
                                                   const struct catalog_dc_request *request,
                                                   struct catalog_datacenter_nodes *out,
                                                   struct catalog_watch_keys *keys);

#ifdef __cplusplus
}
#endif
#endif
