/* catalog_gateway.h - which services are reached through which ingress and terminating gateways.
 *
 * A gateway's config entry names services, or all of them ("*"); from the entries and from what is
 * registered follows a table of pairs, which the catalog keeps with each entry of the log. A
 * service that an entry names is linked as it says there, registered or not. "*" links each service
 * that has an instance without a kind, but for "consul" and for those that the entry names for the
 * same port.
 *
 * Queries as in catalog.h: they fill all of *out but what only a server knows, and what they lend
 * is valid until catalog_read_end. */
#ifndef MUSTER_CATALOG_GATEWAY_H
#define MUSTER_CATALOG_GATEWAY_H

#include <muster/catalog.h>

#ifdef __cplusplus
extern "C" {
#endif

struct catalog_service_name { /* Go: ServiceName */
    struct mu_str name;
};

struct catalog_gateway_service { /* one service behind one gateway */
    struct catalog_service_name gateway, service;
    struct mu_str
        gateway_kind; /* CATALOG_KIND_INGRESS_GATEWAY or CATALOG_KIND_TERMINATING_GATEWAY */
    int64_t port;     /* ingress: of the listener, and what it speaks */
    struct mu_str protocol;
    struct mu_strs hosts;                            /* ingress: those that the listener expects */
    struct mu_str ca_file, cert_file, key_file, sni; /* terminating: TLS to the service */
    bool from_wildcard;                              /* the entry does not name the service */
    uint64_t create_index, modify_index;
};

struct catalog_indexed_gateway_services {
    struct mu_list services; /* of struct catalog_gateway_service; nil: none */
    struct catalog_query_meta meta;
};

/* An instance of a service behind a gateway, or the pair alone if the service has none. */
struct catalog_service_info {
    struct catalog_node *node;            /* or NULL, */
    struct catalog_node_service *service; /* with this */
    struct mu_list checks;                /* of struct catalog_check */
    struct catalog_gateway_service *gateway_service;
};

struct catalog_indexed_service_dump {
    struct mu_list dump; /* of struct catalog_service_info */
    struct catalog_query_meta meta;
};

/* The schema of struct catalog_gateway_service, for JSON. */
MU_API const struct mu__schema *catalog_gateway_service_schema(void);

/* Catalog.GatewayServices: what is behind the gateway that is the request's service_name, by name.
 * Of an ingress gateway only what speaks its listener's protocol. Errors: CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_query_gateway_services(struct catalog_reader *r,
                                                      const struct catalog_service_request *request,
                                                      struct catalog_indexed_gateway_services *out,
                                                      struct catalog_watch_keys *keys);
/* Internal.GatewayServiceDump: the same with all instances and their checks. Errors:
 * CATALOG_ENOMEM. */
MU_API MU_MUST_USE int catalog_query_gateway_service_dump(
    struct catalog_reader *r, const struct catalog_service_request *request,
    struct catalog_indexed_service_dump *out, struct catalog_watch_keys *keys);

#ifdef __cplusplus
}
#endif
#endif
