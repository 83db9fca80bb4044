/* config.h - the configuration of an agent or server: built-in defaults, files, flags, one struct
 * at the end.
 *
 * Keys, flags, merging and messages are Consul's (its 1.8 documentation of agent options); files
 * are HCL, JSON or YAML. Merged in this order: defaults, -dev, files in command-line order (those
 * of a folder alphabetically), -hcl fragments, flags. A later scalar wins, lists are appended, maps
 * are merged by key.
 *
 * All text ends with a zero that is not counted, so that .p can be used as a C string, and is ""
 * when not set. Everything lives in the struct's arena. Nothing changes after config_load: every
 * thread may read. */
#pragma once

#include "arena.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#define CONFIG_ERROR_MAX     4096u
#define CONFIG_FILE_MAX      (16u << 20) /* bytes of one file */
#define CONFIG_PORT_DISABLED (-1)

struct config_address { /* where to listen: an address and port, or the path of a socket */
    struct sockaddr_storage addr;
    socklen_t len;
    struct mu_str text; /* "127.0.0.1:8500", "[::1]:8500", "unix:///path" */
};
struct config_addresses {
    struct config_address *items;
    size_t len;
};

struct config_network { /* 10.0.0.0/8 */
    uint8_t bytes[16];
    size_t len; /* of the address: 4 or 16 */
    unsigned bits;
};
struct config_networks {
    struct config_network *items;
    size_t len;
};

struct config_ttl { /* dns_config.service_ttl: a service name, `prefix*` or `*` */
    struct mu_str name;
    uint64_t ttl_ns;
};
struct config_ttls { /* in the order of their names */
    struct config_ttl *items;
    size_t len;
};

/* A service or check from a file, as compact JSON text; agent/file_definitions.h decodes it. */
struct config_definition {
    struct mu_str key;    /* "service", "services", "check" or "checks": for messages */
    struct mu_str source; /* the file */
    struct mu_str json;
    bool is_check;
};
struct config_definitions {
    struct config_definition *items;
    size_t len;
};

struct config_gossip { /* gossip_lan, gossip_wan */
    uint64_t gossip_interval_ns, probe_interval_ns, probe_timeout_ns;
    int64_t gossip_nodes, suspicion_mult, suspicion_max_mult, retransmit_mult;
};

struct config_dns {
    bool allow_stale;
    uint64_t max_stale_ns;
    uint64_t node_ttl_ns;
    struct mu_strmap service_ttl_text; /* as written; service_ttl is what it means */
    struct config_ttls service_ttl;
    bool enable_truncate, only_passing, disable_compression, enable_additional_node_meta_txt,
        use_cache;
    struct mu_str recursor_strategy; /* as written; recursors_random is what it means */
    bool recursors_random;
    uint64_t recursor_timeout_ns, cache_max_age_ns;
    uint64_t
        serve_stale_ns; /* muster's own: how long an agent without servers answers (RFC 8767) */
    int64_t udp_answer_limit, a_record_limit;
    int64_t udp_size_max; /* muster's own: bytes of a UDP answer; 0: as the client says */
    int64_t soa_refresh_s, soa_retry_s, soa_expire_s, soa_min_ttl_s;
};

/* Fields stand by theme. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct config {
    struct mu__arena arena;
    struct mu_strs warnings; /* to be logged once the log is open */

    /* Who this is. */
    struct mu_str datacenter, primary_datacenter, node_name;
    struct mu_str node_id; /* "": the agent keeps one in its data folder */
    bool disable_host_node_id;
    struct mu_strmap node_meta; /* with consul-network-segment, which every node has */
    struct mu_str data_dir;     /* "" in dev mode: nothing is kept */
    bool dev, server, bootstrap;
    int64_t bootstrap_expect; /* 0: join an existing cluster. bootstrap = true counts as 1 */

    /* Where. bind_addr, advertise_addr, advertise_addr_wan, serf_lan and serf_wan are one IP
     * address each in the end. */
    struct mu_str bind_addr, client_addr, advertise_addr, advertise_addr_wan, serf_lan, serf_wan;
    struct mu_str advertise_addr_ipv4, advertise_addr_ipv6, advertise_addr_wan_ipv4,
        advertise_addr_wan_ipv6;
    struct {
        struct mu_str dns, http, https, grpc;
    } addresses; /* as written: several are separated by blanks */
    struct {
        int64_t dns, http, https, grpc, serf_lan, serf_wan, server;
        int64_t sidecar_min, sidecar_max, expose_min, expose_max, proxy_min, proxy_max;
    } ports; /* CONFIG_PORT_DISABLED: no listener */
    struct config_addresses http_listen, dns_listen;
    struct mu_strmap tagged_addresses; /* lan, lan_ipv4, wan, wan_ipv4 and what was configured */
    bool translate_wan_addrs;

    /* The cluster. */
    struct mu_strs start_join, start_join_wan, retry_join, retry_join_wan;
    uint64_t retry_interval_ns, retry_interval_wan_ns;
    int64_t retry_max, retry_max_wan; /* 0: without end */
    bool rejoin_after_leave;
    int leave_on_terminate;      /* 0 or 1 */
    int skip_leave_on_interrupt; /* 0 or 1 */
    uint64_t reconnect_timeout_ns, reconnect_timeout_wan_ns;
    int64_t protocol, raft_protocol;
    int64_t raft_snapshot_threshold, raft_trailing_logs;
    uint64_t raft_snapshot_interval_ns;
    struct mu_strs serf_lan_allowed_text, serf_wan_allowed_text; /* as written */
    struct config_networks serf_lan_allowed; /* where members may be; none: anywhere */
    struct { /* of a new cluster; after that, what operators set holds */
        bool cleanup_dead_servers;
        uint64_t last_contact_threshold_ns, server_stabilization_time_ns;
        int64_t max_trailing_logs, min_quorum;
    } autopilot;
    struct mu_str encrypt; /* base64 of 16, 24 or 32 bytes, or "" */
    uint8_t encrypt_key[32];
    size_t encrypt_key_len; /* 0: gossip is in the clear */
    bool encrypt_verify_incoming, encrypt_verify_outgoing, disable_keyring_file;
    bool disable_coordinates, disable_remote_exec;
    struct config_gossip gossip_lan, gossip_wan;

    /* How fast, how much. */
    struct {
        int64_t raft_multiplier; /* 1 to 10: scales the three below, which are already multiplied */
        uint64_t leave_drain_time_ns, rpc_hold_timeout_ns;
    } performance;
    uint64_t raft_heartbeat_ns, raft_election_ns, raft_leader_lease_ns;
    struct {
        int64_t http_max_conns_per_client, rpc_max_conns_per_client, rpc_max_burst;
        double rpc_rate; /* -1: no limit */
        uint64_t https_handshake_timeout_ns, rpc_handshake_timeout_ns;
        int64_t kv_max_value_size, txn_max_req_len;
    } limits;
    struct {
        double entry_fetch_rate; /* queries a second and entry; -1: no limit */
        int64_t entry_fetch_max_burst;
    } cache;
    uint64_t discovery_max_stale_ns, session_ttl_min_ns, default_query_time_ns, max_query_time_ns;
    bool enable_debug;
    struct mu_str pid_file;

    /* HTTP and DNS. */
    bool ui;
    struct mu_str ui_content_path, ui_dir;
    struct mu_strmap response_headers;
    struct mu_strs block_endpoints;               /* beginnings of paths */
    struct mu_strs allow_write_http_from_text;    /* as written */
    struct config_networks allow_write_http_from; /* none: everybody */
    struct {
        struct mu_str user, group, mode; /* of sockets; names or numbers; "": as they come */
    } unix_sockets;
    bool http_use_cache;
    bool pretty;                      /* dev mode: JSON replies are indented */
    struct mu_str domain, alt_domain; /* without a dot at the end */
    struct mu_strs recursors;         /* "ip", "ip:port" or "[ip]:port", each once */
    struct config_dns dns;
    bool disable_http_unprintable_char_filter;

    struct config_connect { /* the rest is for a new cluster alone: see ConnectCA */
        bool enabled;
        struct mu_str ca_provider;
        struct mu_str private_key, root_cert, private_key_type; /* "": not said */
        struct mu_str leaf_cert_ttl, intermediate_cert_ttl, rotation_period;
        int64_t private_key_bits;                       /* 0: not said */
        int64_t csr_max_per_second, csr_max_concurrent; /* -1: not said */
    } connect;

    /* Services and checks. */
    struct config_definitions definitions;
    struct config_definitions config_entries; /* that the leader writes where they are not */
    struct config_definitions watches;        /* watch/plan.h reads them */
    uint64_t check_update_interval_ns;
    int64_t check_output_max_size;
    bool discard_check_output;
    struct { /* TLS of checks; ca_* and cert_file only if enabled, otherwise what Go's clients do */
        bool enabled; /* enable_agent_tls_for_checks */
        struct mu_str ca_file, ca_path, cert_file, key_file, server_name;
    } checks_tls;
    bool enable_script_checks;       /* from files and from the API */
    bool enable_local_script_checks; /* from files */

    /* The log. */
    struct mu_str log_level, log_file, syslog_facility;
    bool log_json, enable_syslog;
    int64_t log_rotate_bytes, log_rotate_max_files;
    uint64_t log_rotate_after_ns;

    struct {
        struct mu_str metrics_prefix;
        /* "host:port"; "": nowhere */
        struct mu_str statsd_address, statsite_address, dogstatsd_addr;
        struct mu_strs dogstatsd_tags; /* "key:value" */
        struct mu_strs prefix_filter;  /* "+prefix" and "-prefix" */
        bool disable_hostname, filter_default;
        uint64_t prometheus_retention_ns; /* 0: not for Prometheus */
    } telemetry;
};

/* Reads argv (flags alone, without the program's name) and all that it names. NULL on failure, with
 * Consul's text in err: what a user reads after "==> ". *help is set, and NULL returned, when -h or
 * -help was given. */
MU_MUST_USE struct config *config_load(int argc, char *const argv[], bool *help, char *err,
                                       size_t errlen);

/* For tests and `muster validate`: one text in the form of a file called name (its ending tells the
 * format), on top of the defaults, as config_load does with a file. */
MU_MUST_USE struct config *config_from_text(const char *name, const char *text, size_t len,
                                            char *err, size_t errlen);

/* Is the address of so many bytes (4 or 16, as on the wire) in the network? */
bool config_network_has(const struct config_network *n, const uint8_t *address, size_t len);

void config_destroy(struct config *c); /* NULL is allowed */

void config_print_usage(FILE *to); /* the flags of `muster agent`, one a line, for -help */
