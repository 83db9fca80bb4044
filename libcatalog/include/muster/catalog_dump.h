/* catalog_dump.h - whole nodes, and all instances at once: what a page that shows everything reads.
 *
 * Queries as in catalog.h: they fill all of *out but what only a server knows, and what they lend
 * is valid until catalog_read_end. */
#ifndef MUSTER_CATALOG_DUMP_H
#define MUSTER_CATALOG_DUMP_H

#include <muster/catalog.h>

#ifdef __cplusplus
extern "C" {
#endif

struct catalog_node_info { /* a node with all that is on it */
    struct mu_str id, node, address;
    struct mu_strmap tagged_addresses, meta;
    struct mu_list services; /* of struct catalog_node_service */
    struct mu_list checks;   /* of struct catalog_check */
};

struct catalog_indexed_node_dump {
    struct mu_list dump; /* of struct catalog_node_info */
    struct catalog_query_meta meta;
};

struct catalog_service_dump_request {
    struct mu_str datacenter;
    struct mu_str service_kind;
    bool use_service_kind; /* only instances of that kind, which may be "" */
    struct catalog_query_source source;
    struct catalog_query_options options;
};

/* The schema of struct catalog_node_info, for JSON and filters. */
MU_API const struct mu__schema *catalog_node_info_schema(void);

/* Internal.NodeDump: all nodes by name. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_query_node_dump(struct catalog_reader *r,
                                               const struct catalog_dc_request *request,
                                               struct catalog_indexed_node_dump *out,
                                               struct catalog_watch_keys *keys);
/* Internal.NodeInfo: one node by name, or an empty list. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_query_node_info(struct catalog_reader *r,
                                               const struct catalog_node_request *request,
                                               struct catalog_indexed_node_dump *out,
                                               struct catalog_watch_keys *keys);
/* Internal.ServiceDump: all instances by name, node and id, each with the checks that bear on it.
 * Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_query_service_dump(
    struct catalog_reader *r, const struct catalog_service_dump_request *request,
    struct catalog_indexed_check_service_nodes *out, struct catalog_watch_keys *keys);

#ifdef __cplusplus
}
#endif
#endif
