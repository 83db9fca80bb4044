/* catalog_ca.h - the certificate authority of Connect in the replicated state.
 *
 * There is one configuration, a set of roots of which one is active (those that were rotated out
 * stay until nobody needs them), and what the provider keeps to itself: the private key of the
 * active root. The latter is in log entries and snapshots, as it must be to survive, but no query
 * gives it; catalog_find_ca_state lends it to the server that signs. Its records are wiped when
 * they go.
 *
 * Queries as in catalog.h: they fill all of *out but what only a server knows, and what they lend
 * is valid until catalog_read_end. */
#ifndef MUSTER_CATALOG_CA_H
#define MUSTER_CATALOG_CA_H

#include <muster/catalog.h>
#include <muster/catalog_types_ca.h>

#ifdef __cplusplus
extern "C" {
#endif

struct catalog_ca_config {    /* Go: CAConfiguration */
    struct mu_str cluster_id; /* a UUID, which the trust domain begins with; never changes */
    struct mu_str provider;   /* "consul" */
    struct mu_str config;     /* one msgpack map (or nil), as it was given but for any key */
    struct mu_strmap state;   /* of providers outside; empty */
    bool force_without_cross_signing;
    uint64_t create_index, modify_index;
};

struct catalog_ca_provider_state {              /* Go: CAConsulProviderState */
    struct mu_str id;                           /* the cluster's */
    struct mu_str private_key;                  /* secret: PEM */
    struct mu_str root_cert, intermediate_cert; /* PEM */
    uint64_t create_index, modify_index;
};

struct catalog_ca_request { /* Go: CARequest. ConnectCA.ConfigurationSet */
    /* Of log entries:
     * set-config         config; if its modify_index is not 0, it must be that of the current one
     * set-roots          roots, if index is that of the table of roots
     * set-roots-config   both, or neither; with a provider_state, all at once, and that of the
     *                    provider before it goes
     * set-provider-state, delete-provider-state */
    struct mu_str op;
    struct mu_str datacenter;
    uint64_t index;
    struct mu_list roots; /* of struct catalog_ca_root */
    struct catalog_ca_config *config;
    struct catalog_ca_provider_state *provider_state;
    struct mu_str token;
};

struct catalog_ca_leaf_request { /* Go: CALeafRequest; a leaf was signed, and gets an index */
    struct mu_str op;            /* increment-index */
    struct mu_str datacenter;
    struct mu_str token;
};

/* ConnectCA.Roots: all roots, by id, without what only the server that signs may know. No
 * configuration yet: nothing at all. */
MU_API MU_MUST_USE int catalog_query_ca_roots(struct catalog_reader *r,
                                              const struct catalog_dc_request *request,
                                              struct catalog_indexed_ca_roots *out,
                                              struct catalog_watch_keys *keys);
/* ConnectCA.ConfigurationGet; all zero as long as there is none. */
MU_API MU_MUST_USE int catalog_query_ca_config(struct catalog_reader *r,
                                               const struct catalog_dc_request *request,
                                               struct catalog_ca_config *out,
                                               struct catalog_watch_keys *keys);

/* What stands in the version that is read, lent until catalog_read_end; NULL: there is none. */
MU_API const struct catalog_ca_config *catalog_find_ca_config(const struct catalog_reader *r);
MU_API const struct catalog_ca_root *catalog_find_ca_active_root(const struct catalog_reader *r);
/* With the private key. */
MU_API const struct catalog_ca_provider_state *catalog_find_ca_state(const struct catalog_reader *r,
                                                                     struct mu_str id);
/* All roots as they are stored, in the reader's memory. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_list_ca_roots(struct catalog_reader *r, struct mu_list *out);
/* The index of the table of roots, for catalog_ca_request.index. */
MU_API uint64_t catalog_ca_roots_index(const struct catalog_reader *r);

#ifdef __cplusplus
}
#endif
#endif
