/* Every configuration key, once: defaults, files and flags all go through this table (agent options
 * of Consul 1.8). */
#include "config_internal.h"

#include <string.h>

#define AT(member) offsetof(struct config, member)

#define KEY(path_, kind_, offset_, initial_, dev_, min_, max_)                                     \
    {                                                                                              \
        .path = (path_), .kind = CONFIG_##kind_, .offset = (offset_), .initial = (initial_),       \
        .dev = (dev_), .min = (min_), .max = (max_)                                                \
    }
#define BOOL(path, member, initial)     KEY(path, BOOL, AT(member), initial, NULL, 0, 0)
#define STR(path, member, initial)      KEY(path, STR, AT(member), initial, NULL, 0, 0)
#define STRS(path, member)              KEY(path, STRS, AT(member), NULL, NULL, 0, 0)
#define STRMAP(path, member)            KEY(path, STRMAP, AT(member), NULL, NULL, 0, 0)
#define INT(path, member, initial)      KEY(path, INT, AT(member), initial, NULL, 0, INT64_MAX)
#define DURATION(path, member, initial) KEY(path, DURATION, AT(member), initial, NULL, 0, INT64_MAX)
#define PORT(path, member, initial)     KEY(path, PORT, AT(ports.member), initial, NULL, 0, 0)
#define IGNORED(path)                   KEY(path, IGNORED, CONFIG_NO_OFFSET, NULL, NULL, 0, 0)
#define QUIET(path)                     KEY(path, QUIET, CONFIG_NO_OFFSET, NULL, NULL, 0, 0)
#define REFUSED(path)                   KEY(path, REFUSED, CONFIG_NO_OFFSET, NULL, NULL, 0, 0)
#define PACE(path, member, initial)     KEY(path, DURATION, AT(member), initial, "100ms", 1, INT64_MAX)

const struct config__key config__keys[] = {
    /* Who this is. */
    STR("datacenter", datacenter, "dc1"),
    STR("primary_datacenter", primary_datacenter, ""),
    STR("node_name", node_name, ""),
    STR("node_id", node_id, ""),
    BOOL("disable_host_node_id", disable_host_node_id, "true"),
    STRMAP("node_meta", node_meta),
    STR("data_dir", data_dir, ""),
    KEY("server", BOOL, AT(server), "false", "true", 0, 0),
    BOOL("bootstrap", bootstrap, "false"),
    INT("bootstrap_expect", bootstrap_expect, "0"),

    /* Where. */
    KEY("bind_addr", STR, AT(bind_addr), "0.0.0.0", "127.0.0.1", 0, 0),
    STR("client_addr", client_addr, "127.0.0.1"),
    STR("advertise_addr", advertise_addr, ""),
    STR("advertise_addr_wan", advertise_addr_wan, ""),
    STR("advertise_addr_ipv4", advertise_addr_ipv4, ""),
    STR("advertise_addr_ipv6", advertise_addr_ipv6, ""),
    STR("advertise_addr_wan_ipv4", advertise_addr_wan_ipv4, ""),
    STR("advertise_addr_wan_ipv6", advertise_addr_wan_ipv6, ""),
    STR("addresses.dns", addresses.dns, ""),
    STR("addresses.http", addresses.http, ""),
    STR("addresses.https", addresses.https, ""),
    STR("addresses.grpc", addresses.grpc, ""),
    STR("serf_lan", serf_lan, ""),
    STR("serf_wan", serf_wan, ""),
    PORT("ports.dns", dns, "8600"),
    PORT("ports.http", http, "8500"),
    PORT("ports.https", https, "-1"),
    PORT("ports.grpc", grpc, "-1"),
    PORT("ports.serf_lan", serf_lan, "8301"),
    PORT("ports.serf_wan", serf_wan, "8302"),
    PORT("ports.server", server, "8300"),
    PORT("ports.sidecar_min_port", sidecar_min, "21000"),
    PORT("ports.sidecar_max_port", sidecar_max, "21255"),
    PORT("ports.expose_min_port", expose_min, "21500"),
    PORT("ports.expose_max_port", expose_max, "21755"),
    PORT("ports.proxy_min_port", proxy_min, "20000"),
    PORT("ports.proxy_max_port", proxy_max, "20255"),
    STRMAP("tagged_addresses", tagged_addresses),
    BOOL("translate_wan_addrs", translate_wan_addrs, "false"),
    STRS("serf_lan_allowed_cidrs", serf_lan_allowed_text),
    STRS("serf_wan_allowed_cidrs", serf_wan_allowed_text),

    /* The cluster. */
    STRS("start_join", start_join),
    STRS("start_join_wan", start_join_wan),
    STRS("retry_join", retry_join),
    STRS("retry_join_wan", retry_join_wan),
    KEY("retry_interval", DURATION, AT(retry_interval_ns), "30s", NULL, (int64_t)MU_MSEC,
        INT64_MAX),
    KEY("retry_interval_wan", DURATION, AT(retry_interval_wan_ns), "30s", NULL, (int64_t)MU_MSEC,
        INT64_MAX),
    INT("retry_max", retry_max, "0"),
    INT("retry_max_wan", retry_max_wan, "0"),
    BOOL("rejoin_after_leave", rejoin_after_leave, "false"),
    KEY("leave_on_terminate", TRISTATE, AT(leave_on_terminate), "unset", NULL, 0, 0),
    KEY("skip_leave_on_interrupt", TRISTATE, AT(skip_leave_on_interrupt), "unset", NULL, 0, 0),
    DURATION("reconnect_timeout", reconnect_timeout_ns, "72h"),
    DURATION("reconnect_timeout_wan", reconnect_timeout_wan_ns, "72h"),
    KEY("protocol", INT, AT(protocol), "2", NULL, 2, 3),
    KEY("raft_protocol", INT, AT(raft_protocol), "3", NULL, 3, 3),
    KEY("raft_snapshot_threshold", INT, AT(raft_snapshot_threshold), "16384", NULL, 1, INT64_MAX),
    KEY("raft_snapshot_interval", DURATION, AT(raft_snapshot_interval_ns), "30s", NULL, 1,
        INT64_MAX),
    INT("raft_trailing_logs", raft_trailing_logs, "10240"),
    BOOL("autopilot.cleanup_dead_servers", autopilot.cleanup_dead_servers, "true"),
    DURATION("autopilot.last_contact_threshold", autopilot.last_contact_threshold_ns, "200ms"),
    INT("autopilot.max_trailing_logs", autopilot.max_trailing_logs, "250"),
    INT("autopilot.min_quorum", autopilot.min_quorum, "0"),
    DURATION("autopilot.server_stabilization_time", autopilot.server_stabilization_time_ns, "10s"),
    IGNORED("autopilot.disable_upgrade_migration"),
    IGNORED("autopilot.redundancy_zone_tag"),
    IGNORED("autopilot.upgrade_version_tag"),
    STR("encrypt", encrypt, ""),
    BOOL("encrypt_verify_incoming", encrypt_verify_incoming, "true"),
    BOOL("encrypt_verify_outgoing", encrypt_verify_outgoing, "true"),
    BOOL("disable_keyring_file", disable_keyring_file, "false"),
    BOOL("disable_coordinates", disable_coordinates, "false"),
    BOOL("disable_remote_exec", disable_remote_exec, "true"),
    PACE("gossip_lan.gossip_interval", gossip_lan.gossip_interval_ns, "200ms"),
    PACE("gossip_lan.probe_interval", gossip_lan.probe_interval_ns, "1s"),
    PACE("gossip_lan.probe_timeout", gossip_lan.probe_timeout_ns, "500ms"),
    KEY("gossip_lan.suspicion_mult", INT, AT(gossip_lan.suspicion_mult), "4", "3", 1, 1000),
    KEY("gossip_lan.suspicion_max_mult", INT, AT(gossip_lan.suspicion_max_mult), "6", NULL, 1, 100),
    KEY("gossip_lan.gossip_nodes", INT, AT(gossip_lan.gossip_nodes), "3", NULL, 0, 1000),
    KEY("gossip_lan.retransmit_mult", INT, AT(gossip_lan.retransmit_mult), "4", NULL, 1, 1000),
    PACE("gossip_wan.gossip_interval", gossip_wan.gossip_interval_ns, "500ms"),
    PACE("gossip_wan.probe_interval", gossip_wan.probe_interval_ns, "5s"),
    PACE("gossip_wan.probe_timeout", gossip_wan.probe_timeout_ns, "3s"),
    KEY("gossip_wan.suspicion_mult", INT, AT(gossip_wan.suspicion_mult), "6", "3", 1, 1000),
    KEY("gossip_wan.gossip_nodes", INT, AT(gossip_wan.gossip_nodes), "3", NULL, 0, 1000),
    KEY("gossip_wan.retransmit_mult", INT, AT(gossip_wan.retransmit_mult), "4", NULL, 1, 1000),

    /* How fast, how much. */
    KEY("performance.raft_multiplier", INT, AT(performance.raft_multiplier), "5", "1", 1, 10),
    DURATION("performance.leave_drain_time", performance.leave_drain_time_ns, "5s"),
    DURATION("performance.rpc_hold_timeout", performance.rpc_hold_timeout_ns, "7s"),
    INT("limits.http_max_conns_per_client", limits.http_max_conns_per_client, "200"),
    INT("limits.rpc_max_conns_per_client", limits.rpc_max_conns_per_client, "100"),
    INT("limits.rpc_max_burst", limits.rpc_max_burst, "1000"),
    KEY("limits.rpc_rate", FLOAT, AT(limits.rpc_rate), "-1", NULL, 0, 0),
    DURATION("limits.https_handshake_timeout", limits.https_handshake_timeout_ns, "5s"),
    DURATION("limits.rpc_handshake_timeout", limits.rpc_handshake_timeout_ns, "5s"),
    INT("limits.kv_max_value_size", limits.kv_max_value_size, "524288"),
    INT("limits.txn_max_req_len", limits.txn_max_req_len, "524288"),
    DURATION("discovery_max_stale", discovery_max_stale_ns, "0s"),
    DURATION("session_ttl_min", session_ttl_min_ns, "10s"),
    DURATION("default_query_time", default_query_time_ns, "300s"),
    DURATION("max_query_time", max_query_time_ns, "600s"),
    BOOL("enable_debug", enable_debug, "false"),
    STR("pid_file", pid_file, ""),
    KEY("cache.entry_fetch_rate", FLOAT, AT(cache.entry_fetch_rate), "-1", NULL, 0, 0),
    KEY("cache.entry_fetch_max_burst", INT, AT(cache.entry_fetch_max_burst), "2", NULL, 1, 1 << 30),

    /* HTTP and DNS. */
    KEY("ui", BOOL, AT(ui), "false", "true", 0, 0),
    STR("ui_content_path", ui_content_path, "/ui/"),
    STR("ui_dir", ui_dir, ""),
    STRMAP("http_config.response_headers", response_headers),
    BOOL("http_config.use_cache", http_use_cache, "true"),
    STRS("http_config.block_endpoints", block_endpoints),
    STRS("http_config.allow_write_http_from", allow_write_http_from_text),
    STR("unix_sockets.user", unix_sockets.user, ""),
    STR("unix_sockets.group", unix_sockets.group, ""),
    STR("unix_sockets.mode", unix_sockets.mode, ""),
    BOOL("disable_http_unprintable_char_filter", disable_http_unprintable_char_filter, "false"),
    STR("domain", domain, "consul."),
    STR("alt_domain", alt_domain, ""),
    STRS("recursors", recursors),
    BOOL("dns_config.allow_stale", dns.allow_stale, "true"),
    DURATION("dns_config.max_stale", dns.max_stale_ns, "87600h"),
    DURATION("dns_config.node_ttl", dns.node_ttl_ns, "0s"),
    STRMAP("dns_config.service_ttl", dns.service_ttl_text),
    BOOL("dns_config.enable_truncate", dns.enable_truncate, "false"),
    BOOL("dns_config.only_passing", dns.only_passing, "false"),
    STR("dns_config.recursor_strategy", dns.recursor_strategy, ""),
    DURATION("dns_config.recursor_timeout", dns.recursor_timeout_ns, "2s"),
    BOOL("dns_config.disable_compression", dns.disable_compression, "false"),
    INT("dns_config.udp_answer_limit", dns.udp_answer_limit, "3"),
    INT("dns_config.a_record_limit", dns.a_record_limit, "0"),
    KEY("dns_config.udp_size_max", INT, AT(dns.udp_size_max), "0", NULL, 0, UINT16_MAX),
    BOOL("dns_config.enable_additional_node_meta_txt", dns.enable_additional_node_meta_txt, "true"),
    KEY("dns_config.soa.refresh", INT, AT(dns.soa_refresh_s), "3600", NULL, 0, UINT32_MAX),
    KEY("dns_config.soa.retry", INT, AT(dns.soa_retry_s), "600", NULL, 0, UINT32_MAX),
    KEY("dns_config.soa.expire", INT, AT(dns.soa_expire_s), "86400", NULL, 0, UINT32_MAX),
    KEY("dns_config.soa.min_ttl", INT, AT(dns.soa_min_ttl_s), "0", NULL, 0, UINT32_MAX),
    BOOL("dns_config.use_cache", dns.use_cache, "false"),
    DURATION("dns_config.cache_max_age", dns.cache_max_age_ns, "0s"),
    DURATION("dns_config.serve_stale", dns.serve_stale_ns, "24h"),

    /* Services and checks. */
    KEY("service", DEFINITION, CONFIG_NO_OFFSET, NULL, NULL, 0, 0),
    KEY("services", DEFINITIONS, CONFIG_NO_OFFSET, NULL, NULL, 0, 0),
    KEY("check", DEFINITION, CONFIG_NO_OFFSET, NULL, NULL, 0, 0),
    KEY("checks", DEFINITIONS, CONFIG_NO_OFFSET, NULL, NULL, 0, 0),
    DURATION("check_update_interval", check_update_interval_ns, "5m"),
    KEY("check_output_max_size", INT, AT(check_output_max_size), "4096", NULL, 0, 0),
    BOOL("discard_check_output", discard_check_output, "false"),
    STR("ca_file", checks_tls.ca_file, ""),
    STR("ca_path", checks_tls.ca_path, ""),
    STR("cert_file", checks_tls.cert_file, ""),
    STR("key_file", checks_tls.key_file, ""),
    STR("server_name", checks_tls.server_name, ""),
    BOOL("enable_agent_tls_for_checks", checks_tls.enabled, "false"),
    BOOL("enable_script_checks", enable_script_checks, "false"),
    BOOL("enable_local_script_checks", enable_local_script_checks, "false"),
    KEY("watches", OBJECTS, AT(watches), NULL, NULL, 0, 0),

    /* The log, and what muster does not send anywhere. */
    KEY("log_level", STR, AT(log_level), "INFO", "DEBUG", 0, 0),
    STR("log_file", log_file, ""),
    BOOL("log_json", log_json, "false"),
    INT("log_rotate_bytes", log_rotate_bytes, "0"),
    DURATION("log_rotate_duration", log_rotate_after_ns, "24h"),
    KEY("log_rotate_max_files", INT, AT(log_rotate_max_files), "0", NULL, -1, INT64_MAX),
    BOOL("enable_syslog", enable_syslog, "false"),
    STR("syslog_facility", syslog_facility, "LOCAL0"),
    STR("telemetry.metrics_prefix", telemetry.metrics_prefix, "consul"),
    BOOL("telemetry.disable_hostname", telemetry.disable_hostname, "false"),
    BOOL("telemetry.filter_default", telemetry.filter_default, "true"),
    STRS("telemetry.prefix_filter", telemetry.prefix_filter),
    DURATION("telemetry.prometheus_retention_time", telemetry.prometheus_retention_ns, "0s"),
    IGNORED("telemetry.disable_compat_1.9"),
    STR("telemetry.statsd_address", telemetry.statsd_address, ""),
    STR("telemetry.statsite_address", telemetry.statsite_address, ""),
    STR("telemetry.dogstatsd_addr", telemetry.dogstatsd_addr, ""),
    STRS("telemetry.dogstatsd_tags", telemetry.dogstatsd_tags),
    REFUSED("telemetry.circonus_api_token"), /* either begins to send; the rest says how */
    REFUSED("telemetry.circonus_submission_url"),
    IGNORED("telemetry.circonus_api_app"),
    IGNORED("telemetry.circonus_api_url"),
    IGNORED("telemetry.circonus_submission_interval"),
    IGNORED("telemetry.circonus_check_id"),
    IGNORED("telemetry.circonus_check_force_metric_activation"),
    IGNORED("telemetry.circonus_check_instance_id"),
    IGNORED("telemetry.circonus_check_search_tag"),
    IGNORED("telemetry.circonus_check_display_name"),
    IGNORED("telemetry.circonus_check_tags"),
    IGNORED("telemetry.circonus_broker_id"),
    IGNORED("telemetry.circonus_broker_select_tag"),
    QUIET("disable_update_check"),
    QUIET("disable_anonymous_signature"),

    /* What protects, and is not there: better no agent than one that is open where its owner
       believes it closed. */
    REFUSED("acl.enabled"),
    REFUSED("acl.default_policy"),
    QUIET("acl.down_policy"),
    QUIET("acl.policy_ttl"),
    QUIET("acl.role_ttl"),
    QUIET("acl.token_ttl"),
    IGNORED("acl.enable_token_replication"),
    IGNORED("acl.enable_key_list_policy"),
    IGNORED("acl.enable_token_persistence"),
    IGNORED("acl.tokens.master"),
    IGNORED("acl.tokens.default"),
    IGNORED("acl.tokens.agent"),
    IGNORED("acl.tokens.agent_master"),
    IGNORED("acl.tokens.replication"),
    IGNORED("acl_token"),
    IGNORED("acl_agent_token"),
    IGNORED("acl_agent_master_token"),
    IGNORED("acl_master_token"),
    IGNORED("acl_replication_token"),
    REFUSED("acl_datacenter"), /* turns ACLs on */
    REFUSED("acl_default_policy"),
    QUIET("acl_down_policy"),
    QUIET("acl_ttl"),
    IGNORED("acl_enable_key_list_policy"),
    IGNORED("enable_acl_replication"),
    REFUSED("verify_incoming"),
    REFUSED("verify_incoming_rpc"),
    REFUSED("verify_incoming_https"),
    REFUSED("verify_outgoing"),
    REFUSED("verify_server_hostname"),
    QUIET("tls_min_version"),
    QUIET("tls_cipher_suites"),
    QUIET("tls_prefer_server_cipher_suites"),
    REFUSED("auto_encrypt.allow_tls"),
    REFUSED("auto_encrypt.tls"),
    QUIET("auto_encrypt.dns_san"),
    QUIET("auto_encrypt.ip_san"),
    REFUSED("auto_config.enabled"),
    QUIET("auto_config.intro_token"),
    QUIET("auto_config.intro_token_file"),
    QUIET("auto_config.server_addresses"),
    QUIET("auto_config.dns_sans"),
    QUIET("auto_config.ip_sans"),
    REFUSED("auto_config.authorization"),
    KEY("connect.enabled", BOOL, AT(connect.enabled), "false", "true", 0, 0),
    STR("connect.ca_provider", connect.ca_provider, "consul"),
    STR("connect.ca_config.private_key", connect.private_key, ""),
    STR("connect.ca_config.root_cert", connect.root_cert, ""),
    STR("connect.ca_config.rotation_period", connect.rotation_period, "2160h"),
    STR("connect.ca_config.leaf_cert_ttl", connect.leaf_cert_ttl, "72h"),
    STR("connect.ca_config.intermediate_cert_ttl", connect.intermediate_cert_ttl, "8760h"),
    STR("connect.ca_config.private_key_type", connect.private_key_type, ""),
    INT("connect.ca_config.private_key_bits", connect.private_key_bits, "0"),
    KEY("connect.ca_config.csr_max_per_second", INT, AT(connect.csr_max_per_second), "-1", NULL, -1,
        INT64_MAX),
    KEY("connect.ca_config.csr_max_concurrent", INT, AT(connect.csr_max_concurrent), "-1", NULL, -1,
        INT64_MAX),
    REFUSED("connect.enable_mesh_gateway_wan_federation"),
    REFUSED("primary_gateways"),
    QUIET("primary_gateways_interval"),
    IGNORED("enable_central_service_config"),
    KEY("config_entries.bootstrap", OBJECTS, AT(config_entries), NULL, NULL, 0, 0),
};
const size_t config__nkeys = sizeof config__keys / sizeof *config__keys;

const struct config__key *config__find(const char *path)
{
    for (size_t i = 0; i < config__nkeys; i++) {
        if (!strcmp(config__keys[i].path, path)) {
            return &config__keys[i];
        }
    }
    return NULL;
}

bool config__is_section(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < config__nkeys; i++) {
        const char *p = config__keys[i].path;
        if (!strncmp(p, path, len) && p[len] == '.') {
            return true;
        }
    }
    return false;
}
