/* catalog_types.h - the records of the catalog and the requests and replies that carry them.
 *
 * One struct per Go struct of Consul 1.8.7's wire and HTTP API, members in the order in which JSON
 * prints them. A struct holds plain values and borrowed memory (muster/mu.h); what it points at
 * belongs to whoever made it: an arena that it was decoded into, one block that it was cloned into,
 * or a store version that lends it. Treat what you are lent as read-only. The zero value of every
 * struct is a valid empty record.
 * Durations are int64_t nanoseconds, as on the wire. */
#ifndef MUSTER_CATALOG_TYPES_H
#define MUSTER_CATALOG_TYPES_H

#include <muster/mu.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every read carries (Go: QueryOptions, embedded). */
struct catalog_query_options {
    struct mu_str token;
    uint64_t min_query_index; /* block until the result is newer; 0: answer at once */
    /* Longest wait of a blocking read; 0: the server's default, 5 minutes */
    int64_t max_query_time_ns;
    bool allow_stale;        /* any server may answer from what it has */
    bool require_consistent; /* the leader makes sure that it still is one */
    bool use_cache;          /* the agent's own: the rest below is sent, and servers ignore it */
    int64_t max_stale_duration_ns;
    int64_t max_age_ns;
    bool must_revalidate;
    int64_t stale_if_error_ns;
    struct mu_str filter; /* expression over the result's records */
};

/* What every reply to a read carries (Go: QueryMeta, embedded). */
struct catalog_query_meta {
    uint64_t index;          /* to be sent as min_query_index next; never 0 in a successful reply */
    int64_t last_contact_ns; /* age of a stale answer */
    bool known_leader;
    struct mu_str consistency_level; /* filled by the HTTP layer, empty on the wire */
};

/* Where a query comes from, for sorting by distance. */
struct catalog_query_source {
    struct mu_str datacenter, segment, node, ip;
};

/* ---- Records ---- */

struct catalog_node {
    struct mu_str id; /* a UUID, or empty */
    struct mu_str node, address, datacenter;
    struct mu_strmap tagged_addresses, meta;
    uint64_t create_index, modify_index;
};

struct catalog_service_address {
    struct mu_str address;
    int64_t port;
};

struct catalog_weights {
    int64_t passing, warning;
};

struct catalog_mesh_gateway {
    struct mu_str mode; /* "", none, local, remote */
};

struct catalog_expose_path {
    int64_t listener_port;
    struct mu_str path;
    int64_t local_path_port;
    struct mu_str protocol;
    bool parsed_from_check;
};

struct catalog_expose {
    bool checks;
    struct mu_list paths; /* of struct catalog_expose_path */
};

struct catalog_upstream {
    struct mu_str destination_type, destination_namespace, destination_name, datacenter,
        local_bind_address;
    int64_t local_bind_port;
    struct mu_str config; /* one encoded msgpack map, or empty */
    struct catalog_mesh_gateway mesh_gateway;
    struct mu_strs ingress_hosts;
};

struct catalog_proxy { /* Go: ConnectProxyConfig */
    struct mu_str destination_service_name, destination_service_id, local_service_address;
    int64_t local_service_port;
    struct mu_str config;     /* one encoded msgpack map, or empty */
    struct mu_list upstreams; /* of struct catalog_upstream */
    struct catalog_mesh_gateway mesh_gateway;
    struct catalog_expose expose;
};

struct catalog_service_definition;
struct catalog_connect { /* Go: ServiceConnect */
    bool native;
    /* Only in what is sent to an agent; NULL in the catalog */
    struct catalog_service_definition *sidecar_service;
};

struct catalog_node_service {
    struct mu_str kind; /* "", connect-proxy, mesh-gateway, terminating-gateway, ingress-gateway */
    struct mu_str id, service;
    struct mu_strs tags;
    struct mu_str address;
    struct mu_structmap tagged_addresses; /* of struct catalog_service_address */
    struct mu_strmap meta;
    int64_t port;
    struct catalog_weights *weights; /* NULL: not given, which means 1 and 1 */
    bool enable_tag_override;
    struct catalog_proxy proxy;
    struct catalog_connect connect;
    bool locally_registered_as_sidecar; /* the agent's own; not in JSON */
    uint64_t create_index, modify_index;
};

/* A service together with its node, flattened: what /v1/catalog/service prints. */
struct catalog_service_node {
    struct mu_str id, node, address, datacenter;
    struct mu_strmap tagged_addresses, node_meta;
    struct mu_str service_kind, service_id, service_name;
    struct mu_strs service_tags;
    struct mu_str service_address;
    struct mu_structmap service_tagged_addresses; /* of struct catalog_service_address */
    struct catalog_weights service_weights;
    struct mu_strmap service_meta;
    int64_t service_port;
    bool service_enable_tag_override;
    struct catalog_proxy service_proxy;
    struct catalog_connect service_connect;
    uint64_t create_index, modify_index;
};

struct catalog_check_definition { /* Go: HealthCheckDefinition */
    int64_t interval_ns;
    uint64_t output_max_size;
    int64_t timeout_ns, deregister_critical_service_after_ns;
    struct mu_str http;
    bool tls_skip_verify;
    struct mu_strsmap header;
    struct mu_str method, body, tcp;
    struct mu_strs script_args;
    struct mu_str docker_container_id, shell, grpc;
    bool grpc_use_tls;
    struct mu_str alias_node, alias_service;
    int64_t ttl_ns;
};

struct catalog_check { /* Go: HealthCheck */
    struct mu_str node, check_id, name;
    struct mu_str status; /* passing, warning, critical */
    struct mu_str notes, output;
    struct mu_str service_id, service_name; /* empty: a check of the node */
    struct mu_strs service_tags;
    struct mu_str type;
    struct catalog_check_definition definition;
    uint64_t create_index, modify_index;
};

/* One instance with its node and all checks that bear on it. */
struct catalog_check_service_node {
    struct catalog_node *node;
    struct catalog_node_service *service;
    struct mu_list checks; /* of struct catalog_check */
};

struct catalog_dir_entry { /* a key of the KV store */
    uint64_t lock_index;
    struct mu_str key;
    uint64_t flags;
    struct mu_str value;   /* bytes; p NULL: nil */
    struct mu_str session; /* holder of the lock, or empty */
    uint64_t create_index, modify_index;
};

struct catalog_service_check { /* a check of a service, in a session */
    struct mu_str id, check_namespace;
};

/* Holds locks on keys, and ends with its node or its checks, by its TTL, or when it is destroyed.
 */
struct catalog_session {
    struct mu_str id; /* a UUID */
    struct mu_str name, node;
    int64_t lock_delay_ns;  /* how long what it held cannot be locked when it ends */
    struct mu_str behavior; /* what becomes of its keys: release or delete */
    struct mu_str ttl;      /* a Go duration; empty or zero: it does not expire */
    struct mu_strs node_checks;
    struct mu_list service_checks; /* of struct catalog_service_check */
    struct mu_strs checks;         /* the old form of the two */
    uint64_t create_index, modify_index;
};

struct catalog_vivaldi { /* Go: coordinate.Coordinate */
    struct mu_floats vec;
    double error, adjustment, height;
};

struct catalog_coordinate {
    struct mu_str node, segment;
    struct catalog_vivaldi *coord;
};

/* Newer coordinates of several nodes, as the leader writes them. */
struct catalog_coordinate_batch {
    struct mu_list updates; /* of struct catalog_coordinate */
};

/* How the leader looks after the servers (Go: autopilot.Config). There is one. */
struct catalog_autopilot_config {
    bool cleanup_dead_servers;            /* failed servers are taken out of Raft */
    int64_t last_contact_threshold_ns;    /* silent for longer: not healthy */
    uint64_t max_trailing_logs;           /* further behind: not healthy */
    uint64_t min_quorum;                  /* the clean-up leaves as many voters at least */
    int64_t server_stabilization_time_ns; /* a new server votes when healthy for so long */
    /* Kept and shown; they change nothing, as in the original without its enterprise features */
    struct mu_str redundancy_zone_tag;
    bool disable_upgrade_migration;
    struct mu_str upgrade_version_tag;
    uint64_t create_index, modify_index;
};

/* ---- Definitions that an agent is given ---- */

struct catalog_check_type { /* Go: CheckType */
    struct mu_str check_id, name, status, notes;
    struct mu_strs script_args;
    struct mu_str http;
    struct mu_strsmap header;
    struct mu_str method, body, tcp;
    int64_t interval_ns;
    struct mu_str alias_node, alias_service, docker_container_id, shell, grpc;
    bool grpc_use_tls, tls_skip_verify;
    int64_t timeout_ns, ttl_ns;
    int64_t success_before_passing, failures_before_critical;
    struct mu_str proxy_http, proxy_grpc;
    int64_t deregister_critical_service_after_ns;
    int64_t output_max_size;
};

struct catalog_service_definition {
    struct mu_str kind, id, name;
    struct mu_strs tags;
    struct mu_str address;
    struct mu_structmap tagged_addresses; /* of struct catalog_service_address */
    struct mu_strmap meta;
    int64_t port;
    struct catalog_check_type check; /* all zero: none */
    struct mu_list checks;           /* of struct catalog_check_type */
    struct catalog_weights *weights;
    struct mu_str token;
    bool enable_tag_override;
    struct catalog_proxy *proxy;
    struct catalog_connect *connect;
};

/* ---- Requests ---- */

struct catalog_register_request {
    struct mu_str datacenter, id, node, address;
    struct mu_strmap tagged_addresses, node_meta;
    struct catalog_node_service *service; /* NULL: none */
    struct catalog_check *check;          /* NULL: none; both check and checks may be used */
    struct mu_list checks;                /* of struct catalog_check */
    bool skip_node_update;                /* leave the node's record as it is */
    uint64_t create_index, modify_index;
    struct mu_str token;
};

struct catalog_deregister_request {
    struct mu_str datacenter, node, service_id, check_id, token;
};

struct catalog_kvs_request {
    struct mu_str datacenter;
    struct mu_str op; /* set, delete, delete-cas, delete-tree, cas, lock, unlock */
    struct catalog_dir_entry dir_ent;
    struct mu_str token;
};

struct catalog_session_request {
    struct mu_str datacenter;
    struct mu_str op; /* create, destroy */
    struct catalog_session session;
    struct mu_str token;
};

/* Log entries only: drops the tombstones of deletions up to an index. */
struct catalog_tombstone_request {
    struct mu_str datacenter;
    struct mu_str op; /* reap */
    uint64_t reap_index;
    struct mu_str token;
};

struct catalog_autopilot_set_request { /* Go: AutopilotSetConfigRequest */
    struct mu_str datacenter;
    struct catalog_autopilot_config config;
    bool cas; /* only if config.modify_index is that of the configuration in force */
    struct mu_str token;
};

/* ---- Prepared queries ---- */

struct catalog_query_failover { /* Go: QueryDatacenterOptions */
    int64_t nearest_n;          /* so many other datacenters are tried first, the nearest ones */
    struct mu_strs datacenters; /* and then these */
};

struct catalog_service_query { /* Go: ServiceQuery */
    struct mu_str service;
    struct catalog_query_failover failover;
    bool only_passing;
    struct mu_strs ignore_check_ids;
    struct mu_str near;  /* a node, _agent, _ip, or empty */
    struct mu_strs tags; /* all of them; one that begins with '!' must not be there */
    struct mu_strmap node_meta, service_meta;
    bool connect;
};

struct catalog_query_template { /* Go: QueryTemplateOptions */
    struct mu_str type;         /* empty: it is none; or name_prefix_match */
    struct mu_str regexp;
    bool remove_empty_tags;
};

struct catalog_query_dns { /* Go: QueryDNSOptions */
    struct mu_str ttl;     /* a Go duration, or empty */
};

struct catalog_prepared_query { /* Go: PreparedQuery */
    struct mu_str id, name, session, token;
    struct catalog_query_template template_;
    struct catalog_service_query service;
    struct catalog_query_dns dns;
    uint64_t create_index, modify_index;
};

struct catalog_prepared_query_request { /* Go: PreparedQueryRequest */
    struct mu_str datacenter;
    struct mu_str op; /* create, update, delete */
    struct catalog_prepared_query *query;
    struct mu_str token;
};

struct catalog_prepared_query_get_request { /* Go: PreparedQuerySpecificRequest */
    struct mu_str datacenter, query_id;
    struct catalog_query_options options;
};

struct catalog_query_execute_request { /* Go: PreparedQueryExecuteRequest */
    struct mu_str datacenter, query_id_or_name;
    int64_t limit;                      /* of nodes; 0: none */
    bool connect;                       /* what can do mTLS, whatever the query says */
    struct catalog_query_source source; /* nodes are sorted by distance from it */
    struct catalog_query_source agent;  /* who was asked: "_agent" */
    struct catalog_query_options options;
};

struct catalog_indexed_prepared_queries {
    struct mu_list queries; /* of struct catalog_prepared_query */
    struct catalog_query_meta meta;
};

struct catalog_query_execute_response { /* Go: PreparedQueryExecuteResponse */
    struct mu_str service;
    struct mu_list nodes; /* of struct catalog_check_service_node */
    struct catalog_query_dns dns;
    struct mu_str datacenter; /* that the nodes are in */
    int64_t failovers;        /* datacenters that were tried in vain */
    struct catalog_query_meta meta;
};

struct catalog_query_explain_response {  /* Go: PreparedQueryExplainResponse */
    struct catalog_prepared_query query; /* with its template filled in */
    struct catalog_query_meta meta;
};

/* ---- Transactions ---- */

struct catalog_txn_kv_op {
    /* What struct catalog_kvs_request has, and get, get-tree, check-index, check-session,
     * check-not-exists */
    struct mu_str verb;
    struct catalog_dir_entry dir_ent; /* key, value, flags, session; modify_index: to compare */
};

/* The verbs of nodes, services and checks: get, set, cas, delete, delete-cas; modify_index of the
 * record is what cas and delete-cas compare. */
struct catalog_txn_node_op {
    struct mu_str verb;
    struct catalog_node node;
};

struct catalog_txn_service_op {
    struct mu_str verb;
    struct mu_str node; /* its name */
    struct catalog_node_service service;
};

struct catalog_txn_check_op {
    struct mu_str verb;
    struct catalog_check check;
};

struct catalog_txn_op { /* the first of them that is not NULL */
    struct catalog_txn_kv_op *kv;
    struct catalog_txn_node_op *node;
    struct catalog_txn_service_op *service;
    struct catalog_txn_check_op *check;
};

struct catalog_txn_request {
    struct mu_str datacenter;
    struct mu_list ops; /* of struct catalog_txn_op */
    struct mu_str token;
};

struct catalog_txn_read_request {
    struct mu_str datacenter;
    struct mu_list ops; /* of struct catalog_txn_op; none that writes */
    struct catalog_query_options options;
};

struct catalog_txn_error {
    int64_t op_index; /* counted from 0 */
    struct mu_str what;
};

struct catalog_txn_result { /* one of them */
    struct catalog_dir_entry *kv;
    struct catalog_node *node;
    struct catalog_node_service *service;
    struct catalog_check *check;
};

struct catalog_txn_response {
    struct mu_list results; /* of struct catalog_txn_result, in the order of the operations */
    struct mu_list errors;  /* of struct catalog_txn_error: then nothing was done */
};

struct catalog_txn_read_response {
    struct mu_list results, errors; /* likewise */
    struct catalog_query_meta meta;
};

struct catalog_raft_remove_request { /* Go: RaftRemovePeerRequest */
    struct mu_str datacenter;
    struct mu_str address, id; /* one of them, as the endpoint says */
    struct mu_str token;
};

struct catalog_datacenters_request {
    struct catalog_query_options options;
};

struct catalog_dc_request { /* Go: DCSpecificRequest */
    struct mu_str datacenter;
    struct mu_strmap node_meta_filters;
    struct catalog_query_source source;
    struct catalog_query_options options;
};

struct catalog_node_request { /* Go: NodeSpecificRequest */
    struct mu_str datacenter, node;
    struct catalog_query_options options;
};

struct catalog_service_request { /* Go: ServiceSpecificRequest */
    struct mu_str datacenter;
    struct mu_strmap node_meta_filters;
    struct mu_str service_name;
    struct mu_str service_tag; /* the old single form of service_tags */
    struct mu_strs service_tags;
    struct mu_str service_address;
    bool tag_filter; /* are the tags to be applied? */
    struct catalog_query_source source;
    bool connect; /* instances that can do mTLS for service_name */
    bool ingress; /* ingress gateways for service_name */
    struct catalog_query_options options;
};

struct catalog_checks_in_state_request {
    struct mu_str datacenter;
    struct mu_strmap node_meta_filters;
    struct mu_str state; /* passing, warning, critical or any */
    struct catalog_query_source source;
    struct catalog_query_options options;
};

struct catalog_key_request {
    struct mu_str datacenter, key;
    struct catalog_query_options options;
};

struct catalog_key_list_request {
    struct mu_str datacenter, prefix;
    struct mu_str separator; /* "Seperator" on the wire */
    struct catalog_query_options options;
};

struct catalog_session_get_request { /* Go: SessionSpecificRequest */
    struct mu_str datacenter, session_id;
    struct mu_str session; /* the old name of session_id, which counts if that is empty */
    struct catalog_query_options options;
};

struct catalog_coordinate_update_request {
    struct mu_str datacenter, node, segment;
    struct catalog_vivaldi *coord;
    struct mu_str token;
};

struct catalog_event_fire_request {
    struct mu_str datacenter, name;
    struct mu_str payload; /* the encoded user event */
    struct catalog_query_options options;
};

struct catalog_keyring_request {
    struct mu_str operation;  /* list, install, use, remove */
    struct mu_str key;        /* in base64; empty for list */
    struct mu_str datacenter; /* of the server that asks others */
    bool forwarded;
    uint64_t relay_factor; /* through how many others members answer, 0 to 5 */
    bool local_only;       /* not the pool of all datacenters */
    struct catalog_query_options options;
};

/* ---- Replies ---- */

struct catalog_indexed_nodes {
    struct mu_list nodes; /* of struct catalog_node */
    struct catalog_query_meta meta;
};

struct catalog_indexed_services {
    struct mu_strsmap services; /* name -> sorted unique tags */
    struct catalog_query_meta meta;
};

struct catalog_indexed_service_nodes {
    struct mu_list service_nodes; /* of struct catalog_service_node */
    struct catalog_query_meta meta;
};

struct catalog_node_services {
    struct catalog_node *node;
    struct mu_structmap services; /* ID -> struct catalog_node_service */
};

struct catalog_indexed_node_services {
    struct catalog_node_services *node_services; /* NULL: no such node */
    struct catalog_query_meta meta;
};

struct catalog_node_service_list {
    struct catalog_node *node;
    struct mu_list services; /* of struct catalog_node_service */
};

struct catalog_indexed_node_service_list {
    struct catalog_node_service_list node_services;
    struct catalog_query_meta meta;
};

/* Go: IndexedHealthChecks. */
struct catalog_indexed_checks {
    struct mu_list health_checks; /* of struct catalog_check */
    struct catalog_query_meta meta;
};

struct catalog_indexed_check_service_nodes {
    struct mu_list nodes; /* of struct catalog_check_service_node */
    struct catalog_query_meta meta;
};

struct catalog_indexed_dir_entries {
    struct mu_list entries; /* of struct catalog_dir_entry */
    struct catalog_query_meta meta;
};

struct catalog_indexed_key_list {
    struct mu_strs keys;
    struct catalog_query_meta meta;
};

struct catalog_indexed_sessions {
    struct mu_list sessions; /* of struct catalog_session */
    struct catalog_query_meta meta;
};

struct catalog_event_fire_response {
    struct catalog_query_meta meta;
};

/* Go: autopilot.ServerStats. */
struct catalog_raft_stats {
    struct mu_str last_contact; /* a Go duration, "0" on the leader, or "never" */
    uint64_t last_term, last_index;
};

struct catalog_raft_server { /* Go: RaftServer */
    struct mu_str id, node, address;
    bool leader;
    struct mu_str protocol_version;
    bool voter;
};

/* Go: RaftConfigurationResponse. */
struct catalog_raft_configuration {
    struct mu_list servers; /* of struct catalog_raft_server */
    uint64_t index;
};

/* Go: autopilot.ServerHealth. */
struct catalog_server_health {
    struct mu_str id, name, address;
    int64_t serf_status; /* as in Serf: 0 none, 1 alive, 2 leaving, 3 left, 4 failed */
    struct mu_str version;
    bool leader;
    int64_t last_contact_ns; /* negative: never */
    uint64_t last_term, last_index;
    bool healthy, voter;
    struct mu_time stable_since; /* since when it has been healthy, or has not */
};

/* Go: autopilot.OperatorHealthReply. */
struct catalog_operator_health {
    bool healthy;              /* all of them */
    int64_t failure_tolerance; /* healthy voters that may fail without the quorum being lost */
    struct mu_list servers;    /* of struct catalog_server_health */
};

/* How the keys of one gossip pool stand after an operation. */
struct catalog_keyring_response {
    bool wan;
    struct mu_str datacenter, segment;
    struct mu_strmap messages; /* node -> what it complained of, or told */
    /* Encoded msgpack maps: key in base64 -> how many nodes have it, and encrypt with it */
    struct mu_str keys, primary_keys;
    int64_t num_nodes;
    struct mu_str error; /* empty: all did it */
};

struct catalog_keyring_responses {
    struct mu_list responses; /* of struct catalog_keyring_response */
    struct catalog_query_meta meta;
};

struct catalog_indexed_coordinates {
    struct mu_list coordinates; /* of struct catalog_coordinate */
    struct catalog_query_meta meta;
};

/* The servers of one datacenter, and where they are. */
struct catalog_datacenter_map {
    struct mu_str datacenter, area_id;
    struct mu_list coordinates; /* of struct catalog_coordinate */
};

/* ---- Schemas ---- */

enum catalog_type {
    CATALOG_NODE,
    CATALOG_SERVICE_ADDRESS,
    CATALOG_WEIGHTS,
    CATALOG_MESH_GATEWAY,
    CATALOG_EXPOSE_PATH,
    CATALOG_EXPOSE,
    CATALOG_UPSTREAM,
    CATALOG_PROXY,
    CATALOG_CONNECT,
    CATALOG_NODE_SERVICE,
    CATALOG_SERVICE_NODE,
    CATALOG_CHECK_DEFINITION,
    CATALOG_CHECK,
    CATALOG_CHECK_SERVICE_NODE,
    CATALOG_DIR_ENTRY,
    CATALOG_SERVICE_CHECK,
    CATALOG_SESSION,
    CATALOG_VIVALDI,
    CATALOG_COORDINATE,
    CATALOG_CHECK_TYPE,
    CATALOG_SERVICE_DEFINITION,
    CATALOG_QUERY_SOURCE,
    CATALOG_REGISTER_REQUEST,
    CATALOG_DEREGISTER_REQUEST,
    CATALOG_KVS_REQUEST,
    CATALOG_SESSION_REQUEST,
    CATALOG_TOMBSTONE_REQUEST,
    CATALOG_DATACENTERS_REQUEST,
    CATALOG_DC_REQUEST,
    CATALOG_NODE_REQUEST,
    CATALOG_SERVICE_REQUEST,
    CATALOG_CHECKS_IN_STATE_REQUEST,
    CATALOG_KEY_REQUEST,
    CATALOG_KEY_LIST_REQUEST,
    CATALOG_SESSION_GET_REQUEST,
    CATALOG_COORDINATE_UPDATE_REQUEST,
    CATALOG_EVENT_FIRE_REQUEST,
    CATALOG_INDEXED_NODES,
    CATALOG_INDEXED_SERVICES,
    CATALOG_INDEXED_SERVICE_NODES,
    CATALOG_NODE_SERVICES,
    CATALOG_INDEXED_NODE_SERVICES,
    CATALOG_NODE_SERVICE_LIST,
    CATALOG_INDEXED_NODE_SERVICE_LIST,
    CATALOG_INDEXED_CHECKS,
    CATALOG_INDEXED_CHECK_SERVICE_NODES,
    CATALOG_INDEXED_DIR_ENTRIES,
    CATALOG_INDEXED_KEY_LIST,
    CATALOG_INDEXED_SESSIONS,
    CATALOG_EVENT_FIRE_RESPONSE,
    CATALOG_RAFT_STATS,
    CATALOG_AUTOPILOT_CONFIG,
    CATALOG_AUTOPILOT_SET_REQUEST,
    CATALOG_RAFT_REMOVE_REQUEST,
    CATALOG_RAFT_SERVER,
    CATALOG_RAFT_CONFIGURATION,
    CATALOG_SERVER_HEALTH,
    CATALOG_OPERATOR_HEALTH,
    CATALOG_KEYRING_REQUEST,
    CATALOG_KEYRING_RESPONSE,
    CATALOG_KEYRING_RESPONSES,
    CATALOG_COORDINATE_BATCH,
    CATALOG_INDEXED_COORDINATES,
    CATALOG_DATACENTER_MAP,
    CATALOG_TXN_KV_OP,
    CATALOG_TXN_NODE_OP,
    CATALOG_TXN_SERVICE_OP,
    CATALOG_TXN_CHECK_OP,
    CATALOG_TXN_OP,
    CATALOG_TXN_REQUEST,
    CATALOG_TXN_READ_REQUEST,
    CATALOG_TXN_ERROR,
    CATALOG_TXN_RESULT,
    CATALOG_TXN_RESPONSE,
    CATALOG_TXN_READ_RESPONSE,
    CATALOG_SERVICE_DEFAULTS,
    CATALOG_PROXY_DEFAULTS,
    CATALOG_ROUTE_HEADER,
    CATALOG_ROUTE_QUERY_PARAM,
    CATALOG_ROUTE_HTTP,
    CATALOG_ROUTE_MATCH,
    CATALOG_ROUTE_DESTINATION,
    CATALOG_SERVICE_ROUTE,
    CATALOG_SERVICE_ROUTER,
    CATALOG_SERVICE_SPLIT,
    CATALOG_SERVICE_SPLITTER,
    CATALOG_RESOLVER_SUBSET,
    CATALOG_RESOLVER_REDIRECT,
    CATALOG_RESOLVER_FAILOVER,
    CATALOG_SERVICE_RESOLVER,
    CATALOG_GATEWAY_TLS,
    CATALOG_INGRESS_SERVICE,
    CATALOG_INGRESS_LISTENER,
    CATALOG_INGRESS_GATEWAY,
    CATALOG_LINKED_SERVICE,
    CATALOG_TERMINATING_GATEWAY,
    CATALOG_CONFIG_REQUEST,
    CATALOG_CONFIG_QUERY,
    CATALOG_SERVICE_ID,
    CATALOG_SERVICE_CONFIG_REQUEST,
    CATALOG_UPSTREAM_CONFIG,
    CATALOG_SERVICE_CONFIG,
    CATALOG_CHAIN_REQUEST,
    CATALOG_CHAIN_ROUTE,
    CATALOG_CHAIN_SPLIT,
    CATALOG_CHAIN_FAILOVER,
    CATALOG_CHAIN_RESOLVER,
    CATALOG_CHAIN_NODE,
    CATALOG_CHAIN_TARGET,
    CATALOG_CHAIN,
    CATALOG_CHAIN_REPLY,
    CATALOG_QUERY_FAILOVER,
    CATALOG_SERVICE_QUERY,
    CATALOG_QUERY_TEMPLATE,
    CATALOG_QUERY_DNS,
    CATALOG_PREPARED_QUERY,
    CATALOG_PREPARED_QUERY_REQUEST,
    CATALOG_PREPARED_QUERY_GET_REQUEST,
    CATALOG_QUERY_EXECUTE_REQUEST,
    CATALOG_INDEXED_PREPARED_QUERIES,
    CATALOG_QUERY_EXECUTE_RESPONSE,
    CATALOG_QUERY_EXPLAIN_RESPONSE,
    CATALOG_INTENTION, /* catalog_intention.h */
    CATALOG_INTENTION_REQUEST,
    CATALOG_INTENTION_QUERY,
    CATALOG_INDEXED_INTENTIONS,
    CATALOG_INTENTION_VERDICT,
    CATALOG_CA_ROOT, /* catalog_types_ca.h */
    CATALOG_INDEXED_CA_ROOTS,
    CATALOG_CA_SIGN_REQUEST,
    CATALOG_ISSUED_CERT,
    CATALOG_CA_CONFIG, /* catalog_ca.h */
    CATALOG_CA_PROVIDER_STATE,
    CATALOG_CA_REQUEST,
    CATALOG_CA_LEAF_REQUEST,
    CATALOG_TYPE_COUNT
};

struct mu__schema;
/* The table that drives encoding, decoding, copying and comparing records of a type: static, never
 * NULL for a valid type. Opaque to embedders; muster's daemons hand it to the functions of
 * base/src/schema.h. */
MU_API const struct mu__schema *catalog_schema(enum catalog_type type);

#ifdef __cplusplus
}
#endif
#endif
