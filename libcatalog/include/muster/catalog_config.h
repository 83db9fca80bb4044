/* catalog_config.h - config entries: what services, proxies and gateways are told centrally, and
 * the discovery chains that follow from it.
 *
 * Each kind has a struct of its own that begins with struct catalog_config_entry; which one a
 * record is, its kind says. catalog_config_schema gives the table of a kind. What is said in
 * catalog_types.h about ownership holds here, too. */
#ifndef MUSTER_CATALOG_CONFIG_H
#define MUSTER_CATALOG_CONFIG_H

#include <muster/catalog_types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CATALOG_KIND_SERVICE_DEFAULTS    "service-defaults"
#define CATALOG_KIND_PROXY_DEFAULTS      "proxy-defaults"
#define CATALOG_KIND_SERVICE_ROUTER      "service-router"
#define CATALOG_KIND_SERVICE_SPLITTER    "service-splitter"
#define CATALOG_KIND_SERVICE_RESOLVER    "service-resolver"
#define CATALOG_KIND_INGRESS_GATEWAY     "ingress-gateway"
#define CATALOG_KIND_TERMINATING_GATEWAY "terminating-gateway"
#define CATALOG_PROXY_DEFAULTS_NAME      "global" /* of the only one */

/* ---- Entries ---- */

/* What every entry begins with. */
struct catalog_config_entry {
    struct mu_str kind, name;
    struct mu_strmap meta;
    uint64_t create_index, modify_index;
};

struct catalog_service_defaults { /* Go: ServiceConfigEntry */
    struct catalog_config_entry head;
    struct mu_str protocol; /* lower case; empty: tcp, unless the proxies' default says otherwise */
    struct catalog_mesh_gateway mesh_gateway;
    struct catalog_expose expose;
    struct mu_str external_sni;
};

struct catalog_proxy_defaults { /* Go: ProxyConfigEntry */
    struct catalog_config_entry head;
    struct mu_str config; /* one encoded msgpack map, or empty */
    struct catalog_mesh_gateway mesh_gateway;
    struct catalog_expose expose;
};

struct catalog_route_header {
    struct mu_str name;
    bool present;
    struct mu_str exact, prefix, suffix, regex;
    bool invert;
};

struct catalog_route_query_param {
    struct mu_str name;
    bool present;
    struct mu_str exact, regex;
};

struct catalog_route_http {
    struct mu_str path_exact, path_prefix, path_regex;
    struct mu_list header;      /* of struct catalog_route_header */
    struct mu_list query_param; /* of struct catalog_route_query_param */
    struct mu_strs methods;     /* upper case */
};

struct catalog_route_match {
    struct catalog_route_http *http; /* or NULL */
};

struct catalog_route_destination {
    int64_t request_timeout_ns;
    struct mu_str service, service_subset, name_space, prefix_rewrite;
    uint64_t num_retries; /* 32 bits */
    bool retry_on_connect_failure;
    struct mu_uints retry_on_status_codes; /* 32 bits each */
};

struct catalog_service_route {
    struct catalog_route_match *match;             /* NULL: everything */
    struct catalog_route_destination *destination; /* NULL: the service itself */
};

struct catalog_service_router {
    struct catalog_config_entry head;
    struct mu_list routes; /* of struct catalog_service_route */
};

struct catalog_service_split {
    double weight; /* per cent, in steps of a hundredth */
    struct mu_str service, service_subset, name_space;
};

struct catalog_service_splitter {
    struct catalog_config_entry head;
    struct mu_list splits; /* of struct catalog_service_split */
};

struct catalog_resolver_subset {
    struct mu_str filter; /* over the service's instances */
    bool only_passing;
};

struct catalog_resolver_redirect {
    struct mu_str service, service_subset, name_space, datacenter;
};

struct catalog_resolver_failover {
    struct mu_str service, service_subset, name_space;
    struct mu_strs datacenters;
};

struct catalog_service_resolver {
    struct catalog_config_entry head;
    int64_t connect_timeout_ns; /* 0: the default, 5 s */
    struct mu_str default_subset;
    struct mu_structmap subsets;                /* of struct catalog_resolver_subset */
    struct catalog_resolver_redirect *redirect; /* or NULL */
    struct mu_structmap failover; /* of struct catalog_resolver_failover; "*": other subsets */
};

struct catalog_gateway_tls {
    bool enabled;
};

struct catalog_ingress_service {
    struct mu_str name; /* "*": all */
    struct mu_strs hosts;
    struct mu_strmap meta;
};

struct catalog_ingress_listener {
    int64_t port;
    struct mu_str protocol;
    struct mu_list services; /* of struct catalog_ingress_service */
};

struct catalog_ingress_gateway {
    struct catalog_config_entry head;
    struct catalog_gateway_tls tls;
    struct mu_list listeners; /* of struct catalog_ingress_listener */
};

struct catalog_linked_service {
    struct mu_str name, ca_file, cert_file, key_file, sni;
};

struct catalog_terminating_gateway {
    struct catalog_config_entry head;
    struct mu_list services; /* of struct catalog_linked_service */
};

/* ---- Requests and replies ---- */

#define CATALOG_CONFIG_UPSERT "upsert"
#define CATALOG_CONFIG_UPSERT_CAS                                                                  \
    "upsert-cas" /* if the entry's modify_index is the stored one's                                \
                  */
#define CATALOG_CONFIG_DELETE "delete"

struct catalog_config_request { /* Go: ConfigEntryRequest */
    struct mu_str datacenter, kind, op;
    struct mu_str entry; /* encoded msgpack, by the kind's table */
    struct mu_str token;
};

struct catalog_config_query { /* kind empty: all kinds */
    struct mu_str datacenter, kind, name;
    struct catalog_query_options options;
};

struct catalog_config_reply {           /* Go: ConfigEntryResponse */
    struct catalog_config_entry *entry; /* or NULL */
    struct catalog_query_meta meta;
};

struct catalog_indexed_config_entries {
    struct mu_str kind;
    struct mu_list entries; /* of what begins with struct catalog_config_entry */
    struct catalog_query_meta meta;
};

struct catalog_service_config_request { /* what the proxy of a service is to be configured with */
    struct mu_str datacenter, name;
    struct mu_strs upstreams;
    struct mu_list upstream_ids; /* of struct catalog_service_id */
    struct catalog_query_options options;
};

struct catalog_service_id {
    struct mu_str id;
};

struct catalog_upstream_config {
    struct catalog_service_id upstream;
    struct mu_str config; /* one encoded msgpack map */
};

struct catalog_service_config {
    struct mu_str proxy_config;         /* one encoded msgpack map */
    struct mu_str upstream_configs;     /* likewise: service -> map */
    struct mu_list upstream_id_configs; /* of struct catalog_upstream_config */
    struct catalog_mesh_gateway mesh_gateway;
    struct catalog_expose expose;
    struct catalog_query_meta meta;
};

/* ---- Discovery chains ---- */

struct catalog_chain_request { /* Go: DiscoveryChainRequest */
    struct mu_str name;
    struct mu_str evaluate_in_datacenter, evaluate_in_namespace; /* empty: the own ones */
    struct catalog_mesh_gateway override_mesh_gateway;
    struct mu_str override_protocol;
    int64_t override_connect_timeout_ns;
    struct mu_str datacenter;
    struct catalog_query_options options;
};

struct catalog_chain_route {
    struct catalog_service_route *definition;
    struct mu_str next_node;
};

struct catalog_chain_split {
    double weight;
    struct mu_str next_node;
};

struct catalog_chain_failover {
    struct mu_strs targets;
};

struct catalog_chain_resolver {
    int64_t connect_timeout_ns;
    bool is_default;
    struct mu_str target;
    struct catalog_chain_failover *failover; /* or NULL */
};

struct catalog_chain_node { /* Go: DiscoveryGraphNode */
    struct mu_str type;     /* "router", "splitter", "resolver" */
    struct mu_str name;
    struct mu_list routes; /* of struct catalog_chain_route */
    struct mu_list splits; /* of struct catalog_chain_split */
    struct catalog_chain_resolver *resolver;
};

struct catalog_chain_target { /* Go: DiscoveryTarget */
    struct mu_str id, service, service_subset, name_space, datacenter;
    struct catalog_mesh_gateway mesh_gateway;
    struct catalog_resolver_subset subset;
    bool external;
    struct mu_str sni, name;
};

struct catalog_chain { /* Go: CompiledDiscoveryChain */
    struct mu_str service_name, name_space, datacenter;
    struct mu_str customization_hash; /* 8 hexadecimal digits; empty: no override had an effect */
    struct mu_str protocol, start_node;
    struct mu_structmap nodes;   /* "type:name" -> struct catalog_chain_node */
    struct mu_structmap targets; /* id -> struct catalog_chain_target */
};

struct catalog_chain_reply {
    struct catalog_chain *chain;
    struct catalog_query_meta meta;
};

#ifdef __cplusplus
}
#endif
#endif
