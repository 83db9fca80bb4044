/* Mirrors daemons/base/config*.c. Texts are those of Consul 1.8.7 where it has one. */
#include "mu_test.h"

#include "base/config.h"
#include "schema.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE "\"data_dir\":\"/tmp\",\"bind_addr\":\"127.0.0.1\",\"node_name\":\"n1\""

static char err[CONFIG_ERROR_MAX];

static struct config *parse(const char *name, const char *text)
{
    return config_from_text(name, text, strlen(text), err, sizeof err);
}

static struct config *load(const char *const args[])
{
    bool help;
    int n = 0;
    char *argv[32] = {NULL};
    while (args[n]) {
        argv[n] = strdup(args[n]);
        n++;
    }
    struct config *c = config_load(n, argv, &help, err, sizeof err);
    while (n > 0) {
        free(argv[--n]);
    }
    return c;
}
#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

static void assert_text(struct mu_str s, const char *expected)
{
    assert_string_equal(s.p, expected);
    assert_int_equal(s.len, strlen(expected));
}

static void test_defaults_are_consuls(void **state)
{
    (void)state;
    struct config *c = parse("x.json", "{" BASE "}");
    assert_non_null(c);
    assert_text(c->datacenter, "dc1");
    assert_text(c->domain, "consul");
    assert_text(c->advertise_addr, "127.0.0.1");
    assert_text(mu__strmap_get(&c->tagged_addresses, "lan_ipv4"), "127.0.0.1");
    assert_int_equal(c->ports.http, 8500);
    assert_int_equal(c->ports.https, CONFIG_PORT_DISABLED);
    assert_int_equal(c->check_update_interval_ns, 300 * MU_SEC);
    assert_int_equal(c->raft_election_ns, 5 * MU_SEC);
    assert_int_equal(c->limits.kv_max_value_size, 524288);
    assert_int_equal(c->dns.udp_answer_limit, 3);
    assert_true(c->leave_on_terminate);
    assert_false(c->skip_leave_on_interrupt);
    assert_false(c->server);
    assert_int_equal(c->http_listen.len, 1);
    assert_text(c->http_listen.items[0].text, "127.0.0.1:8500");
    assert_text(c->dns_listen.items[0].text, "127.0.0.1:8600");
    assert_int_equal(c->warnings.len, 0);
    config_destroy(c);
}

static void test_a_server_does_not_leave_when_told_to_stop(void **state)
{
    (void)state;
    struct config *c = parse("x.json", "{" BASE ",\"server\":true}");
    assert_non_null(c);
    assert_false(c->leave_on_terminate);
    assert_true(c->skip_leave_on_interrupt);
    config_destroy(c);
    c = parse("x.json", "{" BASE ",\"server\":true,\"leave_on_terminate\":true}");
    assert_true(c->leave_on_terminate);
    config_destroy(c);
}

static void test_wrong_configurations_are_refused_in_consuls_words(void **state)
{
    (void)state;
    static const struct {
        const char *extra, *expected;
    } cases[] = {
        {"\"foo\":1", "failed to parse x.json: 1 error occurred:\n\t* invalid config key foo\n\n"},
        {"\"foo\":1,\"bar\":{\"x\":1}", "failed to parse x.json: 2 errors occurred:\n\t* invalid "
                                        "config key foo\n\t* invalid config key bar\n\n"},
        {"\"ports\":{\"Foo\":3}",
         "failed to parse x.json: 1 error occurred:\n\t* invalid config key ports.Foo\n\n"},
        {"\"node_name\":12", "failed to parse x.json: 1 error(s) decoding:\n\n* 'node_name' "
                             "expected type 'string', got "
                             "unconvertible type 'float64'"},
        {"\"bootstrap\":\"true\"",
         "failed to parse x.json: 1 error(s) decoding:\n\n* 'bootstrap' expected type 'bool', "
         "got unconvertible type 'string'"},
        {"\"ports\":{\"dns\":\"x\"}",
         "failed to parse x.json: 1 error(s) decoding:\n\n* 'ports.dns' expected type 'int', "
         "got unconvertible type 'string'"},
        {"\"ports\":3",
         "failed to parse x.json: 1 error(s) decoding:\n\n* 'ports' expected a map, got 'float64'"},
        {"\"retry_join\":\"a\"",
         "failed to parse x.json: 1 error(s) decoding:\n\n* 'retry_join': source data must be an "
         "array or slice, got string"},
        {"\"node_meta\":{\"a\":1}",
         "failed to parse x.json: 1 error(s) decoding:\n\n* 'node_meta[a]' expected type "
         "'string', got unconvertible type 'float64'"},
        {"\"check_update_interval\":\"10\"",
         "1 error occurred:\n\t* check_update_interval: invalid duration: \"10\": "
         "time: missing unit in duration \"10\"\n\n"},
        {"\"ports\":{\"http\":99999}",
         "1 error occurred:\n\t* ports.http: invalid port: 99999\n\n"},
        {"\"datacenter\":\"a b\"", "datacenter cannot be \"a b\". Please use only [a-z0-9-_]"},
        {"\"datacenter\":\"\"", "datacenter cannot be empty"},
        {"\"bootstrap\":true", "'bootstrap = true' requires 'server = true'"},
        {"\"bootstrap_expect\":3", "'bootstrap_expect > 0' requires 'server = true'"},
        {"\"bootstrap\":true,\"server\":true,\"bootstrap_expect\":3",
         "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive"},
        {"\"encrypt\":\"abc\"",
         "encrypt has invalid key: illegal base64 data, or more than 32 bytes"},
        {"\"encrypt\":\"YWJj\"", "encrypt has invalid key: key size must be 16, 24 or 32 bytes"},
        {"\"bind_addr\":\"\"", "bind_addr cannot be empty"},
        {"\"bind_addr\":\"1.2.3.4 1.2.3.5\"",
         "bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead."},
        {"\"advertise_addr\":\"0.0.0.0\"", "Advertise address cannot be 0.0.0.0, :: or [::]"},
        {"\"client_addr\":\"foo\"",
         "1 error occurred:\n\t* client_addr: invalid ip address: foo\n\n"},
        {"\"ports\":{\"http\":8600}", "HTTP address 127.0.0.1:8600 already configured for DNS"},
        {"\"addresses\":{\"dns\":\"unix:///x\"}", "DNS address cannot be a unix socket"},
        {"\"node_meta\":{\"consul-x\":\"1\"}",
         "node_meta invalid: Couldn't load metadata pair ('consul-x', '1'): Key prefix "
         "'consul-' is reserved for internal use"},
        {"\"performance\":{\"raft_multiplier\":11}",
         "1 error occurred:\n\t* performance.raft_multiplier cannot be 11. Must be between 1 and "
         "10\n\n"},
        {"\"dns_config\":{\"udp_answer_limit\":-1}",
         "1 error occurred:\n\t* dns_config.udp_answer_limit cannot be -1. Must be greater than or "
         "equal to zero\n\n"},
        {"\"dns_config\":{\"udp_size_max\":511}", "1 error occurred:\n\t* dns_config.udp_size_max "
                                                  "cannot be 511. Must be 0, or between 512 and "
                                                  "65535\n\n"},
        {"\"dns_config\":{\"udp_size_max\":65536}",
         "1 error occurred:\n\t* dns_config.udp_size_max cannot be 65536. Must be between 0 and "
         "65535\n\n"},
        {"\"alt_domain\":\"service.foo\"",
         "alt_domain cannot start with {service,connect,node,query,addr,dc1}"},
        {"\"recursors\":[\"192.0.2.1\",\"unix:///x\"]",
         "DNS Recursors cannot be unix sockets: unix:///x"},
        {"\"recursors\":[\"dns.example.org\"]",
         "Invalid recursor address: dns.example.org: expected an IP address, maybe with a port"},
        {"\"recursors\":[\"127.0.0.1:99999\"]",
         "Invalid recursor address: 127.0.0.1:99999: expected an IP address, maybe with a port"},
        {"\"dns_config\":{\"recursor_strategy\":\"best\"}",
         "1 error occurred:\n\t* dns_config.recursor_strategy: invalid strategy: \"best\"\n\n"},
        {"\"check_output_max_size\":0", "check_output_max_size must be positive, to discard check "
                                        "output use the discard_check_output flag"},
        {"\"ui_content_path\":\"a b\"",
         "ui-content-path can only contain alphanumeric, -, _, or /. received: /a b/"},
        {"\"data_dir\":\"/dev/null\"", "data_dir \"/dev/null\" is not a directory"},
        {"\"data_dir\":\"\"", "data_dir cannot be empty"},
        {"\"log_level\":\"loud\"",
         "Invalid log level: loud. Valid log levels are: [TRACE DEBUG INFO WARN ERR]"},
        {"\"verify_incoming\":true",
         "1 error occurred:\n\t* verify_incoming is not supported by muster\n\n"},
        {"\"cert_file\":\"x\"",
         "cert_file is not supported by muster, unless enable_agent_tls_for_checks is set"},
        {"\"enable_agent_tls_for_checks\":true,\"key_file\":\"x\"",
         "cert_file and key_file must be given together"},
        {"\"acl\":{\"enabled\":true}",
         "1 error occurred:\n\t* acl.enabled is not supported by muster\n\n"},
        {"\"acl\":{\"default_policy\":\"deny\"}",
         "1 error occurred:\n\t* acl.default_policy is not supported by muster\n\n"},
        {"\"connect\":{\"enable_mesh_gateway_wan_federation\":true}",
         "1 error occurred:\n\t* connect.enable_mesh_gateway_wan_federation is not supported by "
         "muster\n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "{" BASE ",%s}", cases[i].extra);
        assert_null(parse("x.json", text));
        assert_string_equal(err, cases[i].expected);
    }
}

static void test_odd_configurations_are_accepted_with_a_warning(void **state)
{
    (void)state;
    static const struct {
        const char *extra, *expected;
    } cases[] = {
        {"\"telemetry\":{\"circonus_check_id\":\"x\"}",
         "x.json: telemetry.circonus_check_id has no effect in muster"},
        {"\"server\":true,\"bootstrap\":true", "bootstrap = true: do not enable unless necessary"},
        {"\"server\":true,\"bootstrap_expect\":3", "bootstrap_expect > 0: expecting 3 servers"},
        {"\"node_name\":\"a.b\"",
         "Node name \"a.b\" will not be discoverable via DNS due to invalid characters. Valid "
         "characters include all alpha-numerics and dashes."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "{" BASE ",%s}", cases[i].extra);
        struct config *c = parse("x.json", text);
        assert_non_null(c);
        assert_int_equal(c->warnings.len, 1);
        assert_text(c->warnings.items[0], cases[i].expected);
        config_destroy(c);
    }
}

static void test_autopilot_is_read_and_defaults_to_consuls(void **state)
{
    (void)state;
    struct config *c = parse("x.json", "{" BASE "}");
    assert_non_null(c);
    assert_true(c->autopilot.cleanup_dead_servers);
    assert_int_equal(c->autopilot.last_contact_threshold_ns, 200 * MU_MSEC);
    assert_int_equal(c->autopilot.max_trailing_logs, 250);
    assert_int_equal(c->autopilot.min_quorum, 0);
    assert_int_equal(c->autopilot.server_stabilization_time_ns, 10 * MU_SEC);
    config_destroy(c);
    c = parse("x.json", "{" BASE ",\"autopilot\":{\"cleanup_dead_servers\":false,"
                        "\"last_contact_threshold\":\"1s\",\"max_trailing_logs\":7,"
                        "\"min_quorum\":3,\"server_stabilization_time\":\"1m\"}}");
    assert_non_null(c);
    assert_false(c->autopilot.cleanup_dead_servers);
    assert_int_equal(c->autopilot.last_contact_threshold_ns, MU_SEC);
    assert_int_equal(c->autopilot.max_trailing_logs, 7);
    assert_int_equal(c->autopilot.min_quorum, 3);
    assert_int_equal(c->autopilot.server_stabilization_time_ns, 60 * MU_SEC);
    assert_int_equal(c->warnings.len, 0);
    config_destroy(c);
    assert_null(parse("x.json", "{" BASE ",\"autopilot\":{\"max_trailing_logs\":-1}}"));
}

static void test_a_protection_that_is_off_is_not_refused(void **state)
{
    (void)state;
    struct config *c = parse(
        "x.json", "{" BASE ",\"verify_incoming\":false,\"ca_file\":\"\",\"acl\":{\"enabled\":false,"
                  "\"default_policy\":\"allow\"},\"connect\":{\"enabled\":false}}");
    assert_non_null(c);
    config_destroy(c);
}

static void test_keys_match_in_any_case(void **state)
{
    (void)state;
    struct config *c = parse(
        "x.json", "{\"Data_Dir\":\"/tmp\",\"BIND_ADDR\":\"127.0.0.1\",\"Ports\":{\"HTTP\":7500}}");
    assert_non_null(c);
    assert_int_equal(c->ports.http, 7500);
    config_destroy(c);
}

static void test_yaml_says_the_same_as_json(void **state)
{
    (void)state;
    struct config *j = parse(
        "x.json",
        "{" BASE ",\"ports\":{\"http\":-1},\"retry_join\":[\"a\",\"b\"],\"rejoin_after_leave\":"
        "true,\"node_meta\":{\"k\":\"5\"},\"limits\":{\"rpc_rate\":2.5},\"services\":"
        "[{\"name\":\"web\",\"port\":80,\"tags\":[\"x\"]}],\"dns_config\":{\"service_ttl\":"
        "{\"*\":\"5s\"}}}");
    struct config *y = parse(
        "x.yaml",
        "# a comment\ndata_dir: /tmp\nbind_addr: 127.0.0.1\nnode_name: n1\nports:\n  http: -1\n"
        "retry_join: [a, b]\nrejoin_after_leave: true\nnode_meta: {k: \"5\"}\nlimits:\n"
        "  rpc_rate: 2.5\nservices:\n- name: web\n  port: 80\n  tags:\n  - x\n"
        "dns_config: {service_ttl: {\"*\": 5s}}\n");
    assert_non_null(j);
    assert_non_null(y);
    struct config *both[] = {j, y};
    for (int i = 0; i < 2; i++) {
        struct config *c = both[i];
        assert_int_equal(c->ports.http, CONFIG_PORT_DISABLED);
        assert_int_equal(c->http_listen.len, 0);
        assert_int_equal(c->retry_join.len, 2);
        assert_text(c->retry_join.items[1], "b");
        assert_true(c->rejoin_after_leave);
        assert_text(mu__strmap_get(&c->node_meta, "k"), "5");
        assert_true(c->limits.rpc_rate > 2.4 && c->limits.rpc_rate < 2.6);
        assert_int_equal(c->definitions.len, 1);
        assert_text(c->definitions.items[0].json,
                    "{\"name\":\"web\",\"port\":80,\"tags\":[\"x\"]}");
        assert_int_equal(c->dns.service_ttl.len, 1);
        assert_int_equal(c->dns.service_ttl.items[0].ttl_ns, 5 * MU_SEC);
        config_destroy(c);
    }
}

static void test_hostile_yaml_is_refused(void **state)
{
    (void)state;
    char deep[400];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    const char *const cases[] = {deep,
                                 "a: &x 1\nb: *x\n",
                                 "? [a]\n: b\n",
                                 "a: 1\n---\nb: 2\n",
                                 "a: [1\n",
                                 "{\"a\": \"b\n",
                                 "\xff\xfe:",
                                 "- a\n",
                                 "a: !!str\n b: c"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(parse("x.yaml", cases[i]));
    }
    assert_null(config_from_text("x.yaml", "data_dir: \"a\\0b\"", 16, err, sizeof err));
}

static void test_truncated_json_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_null(parse("x.json", "{\"data_dir\":\"/tmp\",\n"));
    assert_non_null(strstr(err, "failed to parse x.json: line 2, column 0: "));
}

static char folder[] = "/tmp/muster-test-config-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/muster-test-config-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[160];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void test_later_sources_win_lists_append_and_maps_merge(void **state)
{
    (void)state;
    write_file(
        "b.json",
        "{\"node_name\":\"b\",\"retry_join\":[\"b\"],\"node_meta\":{\"x\":\"b\",\"y\":\"b\"}}");
    write_file("a.yaml",
               "node_name: a\nretry_join: [a]\nnode_meta: {x: a, z: a}\nports: {http: 1}\n");
    write_file("c.txt", "not read");
    struct config *c =
        LOAD("-config-dir", folder, "-data-dir=/tmp", "--bind=127.0.0.1", "-retry-join", "flag",
             "-hcl", "{\"ports\":{\"dns\":2}}", "-node-meta=w:f:1");
    assert_non_null(c);
    assert_text(c->node_name, "b");
    assert_int_equal(c->retry_join.len, 3);
    assert_text(c->retry_join.items[0], "a");
    assert_text(c->retry_join.items[1], "b");
    assert_text(c->retry_join.items[2], "flag");
    assert_text(mu__strmap_get(&c->node_meta, "x"), "b");
    assert_text(mu__strmap_get(&c->node_meta, "z"), "a");
    assert_text(mu__strmap_get(&c->node_meta, "w"), "f:1");
    assert_int_equal(c->ports.http, 1);
    assert_int_equal(c->ports.dns, 2);
    assert_int_equal(c->warnings.len, 1);
    assert_non_null(strstr(c->warnings.items[0].p, "c.txt, extension must be"));
    config_destroy(c);
}

static void test_files_of_all_formats_are_read_together(void **state)
{
    (void)state;
    write_file("a.hcl", "domain = \"a.\" ports { dns = 5 }");
    write_file("b.yaml", "ports: {http: 6}");
    write_file("c.json", "{\"domain\":\"c.\"}");
    struct config *c = LOAD("-config-dir", folder, "-data-dir=/tmp", "-bind=127.0.0.1", "-hcl",
                            "ports { server = 7 }");
    assert_non_null(c);
    assert_text(c->domain, "c");
    assert_int_equal(c->ports.dns, 5);
    assert_int_equal(c->ports.http, 6);
    assert_int_equal(c->ports.server, 7);
    config_destroy(c);
}

static void test_flags_go_the_way_of_gos_flag_package(void **state)
{
    (void)state;
    struct config *c = LOAD("-server", "-bootstrap-expect=3", "--data-dir", "/tmp", "-bind",
                            "127.0.0.1", "-ui=false", "-node=x");
    assert_non_null(c);
    assert_true(c->server);
    assert_int_equal(c->bootstrap_expect, 3);
    assert_false(c->ui);
    config_destroy(c);

    assert_null(LOAD("-foo"));
    assert_string_equal(err, "flag provided but not defined: -foo");
    assert_null(LOAD("-bind"));
    assert_string_equal(err, "flag needs an argument: -bind");
    assert_null(LOAD("-dev", "-bootstrap-expect=3"));
    assert_string_equal(err, "'bootstrap_expect > 0' not allowed in dev mode");
    assert_null(LOAD("-config-file=/nope.json"));
    assert_string_equal(
        err, "config: Open failed on /nope.json. open /nope.json: no such file or directory");
    assert_null(LOAD("-retry-interval=5", "-data-dir=/tmp", "-bind=127.0.0.1"));
    assert_string_equal(err, "1 error occurred:\n\t* retry_interval: invalid duration: \"5\": "
                             "time: missing unit in duration "
                             "\"5\"\n\n");
    assert_null(LOAD("-dev", "extra"));
    assert_string_equal(err, "Unexpected extra argument: extra");
}

static void test_dev_mode_is_a_server_of_its_own_that_keeps_nothing(void **state)
{
    (void)state;
    struct config *c = LOAD("-dev");
    assert_non_null(c);
    assert_true(c->dev && c->server && c->bootstrap && c->ui && c->pretty);
    assert_int_equal(c->bootstrap_expect, 1);
    assert_text(c->data_dir, "");
    assert_text(c->bind_addr, "127.0.0.1");
    assert_int_equal(c->raft_election_ns, 52 * MU_MSEC);
    assert_int_equal(c->gossip_lan.probe_interval_ns, 100 * MU_MSEC);
    assert_int_equal(c->gossip_lan.suspicion_max_mult, 6);
    config_destroy(c);
}

static void test_help_is_told_from_failure(void **state)
{
    (void)state;
    bool help;
    char flag[] = "-help", *argv[] = {flag};
    assert_null(config_load(1, argv, &help, err, sizeof err));
    assert_true(help);
}

static void test_an_encryption_key_is_decoded(void **state)
{
    (void)state;
    struct config *c = parse("x.json", "{" BASE ",\"encrypt\":\"AAECAwQFBgcICQoLDA0ODw==\"}");
    assert_non_null(c);
    assert_int_equal(c->encrypt_key_len, 16);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(c->encrypt_key[i], i);
    }
    config_destroy(c);
}

static void test_addresses_of_both_families_become_listeners(void **state)
{
    (void)state;
    struct config *c = parse("x.json", "{" BASE ",\"addresses\":{\"http\":\"127.0.0.2 ::1\"}}");
    assert_non_null(c);
    assert_int_equal(c->http_listen.len, 2);
    assert_text(c->http_listen.items[0].text, "127.0.0.2:8500");
    assert_text(c->http_listen.items[1].text, "[::1]:8500");
    assert_int_equal(c->http_listen.items[1].addr.ss_family, AF_INET6);
    assert_text(c->dns_listen.items[0].text, "127.0.0.1:8600");
    config_destroy(c);
}

static void test_recursors_are_read_once_each_in_their_order(void **state)
{
    (void)state;
    struct config *c =
        LOAD("-data-dir=/tmp", "-bind=127.0.0.1", "-recursor", "192.0.2.1 ::1", "-recursor",
             "[::1]:5353", "-recursor={{ GetInterfaceIP \"lo\" }}:54", "-recursor", "192.0.2.1",
             "-hcl=dns_config { recursor_strategy = \"random\" recursor_timeout = \"0s\" }");
    assert_non_null(c);
    static const char *const expected[] = {"192.0.2.1", "::1", "[::1]:5353", "127.0.0.1:54"};
    assert_int_equal(c->recursors.len, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_text(c->recursors.items[i], expected[i]);
    }
    assert_true(c->dns.recursors_random);
    assert_int_equal(c->dns.recursor_timeout_ns, 2 * MU_SEC);
    config_destroy(c);
    c = parse("x.json", "{" BASE ",\"dns_config\":{\"recursor_strategy\":\"sequential\"}}");
    assert_non_null(c);
    assert_false(c->dns.recursors_random);
    assert_int_equal(c->recursors.len, 0);
    config_destroy(c);
}

static void test_an_unknown_template_is_refused(void **state)
{
    (void)state;
    assert_null(parse("x.json", "{" BASE ",\"advertise_addr\":\"{{ GetAllInterfaces }}\"}"));
    assert_string_equal(err, "advertise_addr: template {{ GetAllInterfaces }}: expected an "
                             "address, such as of attr \"address\"");
    struct config *c =
        parse("x.json", "{" BASE ",\"bind_addr\":\"{{ GetInterfaceIP \\\"lo\\\" }}\"}");
    assert_non_null(c);
    assert_text(c->bind_addr, "127.0.0.1");
    config_destroy(c);
}

static void expect_client(const char *template, const char *addresses)
{
    struct config *c = LOAD("-data-dir=/tmp", "-bind=127.0.0.1", "-client", template);
    if (!c) {
        fail_msg("%s: %s", template, err);
    }
    assert_text(c->client_addr, addresses);
    config_destroy(c);
}

static void test_templates_are_evaluated_step_by_step(void **state)
{
    (void)state;
    expect_client("{{ GetInterfaceIP \"lo\" }}", "127.0.0.1");
    expect_client("{{GetInterfaceIP `lo`}}", "127.0.0.1");
    expect_client("127.0.0.2 {{ GetInterfaceIP \"lo\" }} 127.0.0.3",
                  "127.0.0.2 127.0.0.1 127.0.0.3");
    expect_client("{{ GetAllInterfaces | include \"name\" \"^lo$\" | exclude \"type\" \"IPv6\" | "
                  "include \"flags\" \"up|loopback\" | limit 1 | attr \"address\" }}",
                  "127.0.0.1");
    expect_client("{{ GetAllInterfaces | include \"network\" \"127.0.0.0/8\" | offset 0 | join "
                  "\"address\" \" \" }}",
                  "127.0.0.1");
}

static void test_templates_that_cannot_be_evaluated_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *template, *why;
    } table[] = {
        {"{{ GetNothing }}", "GetNothing is not supported"},
        {"{{ GetAllInterfaces | sort \"name\" | attr \"address\" }}", "sort is not supported"},
        {"{{ GetAllInterfaces | include \"flags\" \"x\" | attr \"address\" }}",
         "include \"flags\" \"x\" is not known"},
        {"{{ GetAllInterfaces | include \"name\" \"nobody\" | attr \"address\" }}",
         "gives no address"},
        {"{{ GetAllInterfaces | attr \"size\" }}", "attribute \"size\" is not known"},
        {"{{ GetInterfaceIP \"lo }}", "malformed"},
        {"{{ }}", "malformed"},
        {"{{ GetPrivateIP", "expected }} behind {{"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_null(LOAD("-data-dir=/tmp", "-bind=127.0.0.1", "-client", table[i].template));
        assert_non_null(strstr(err, "client_addr: template {{"));
        assert_non_null(strstr(err, table[i].why));
    }
}

static void test_sockets_and_networks_are_read(void **state)
{
    (void)state;
    struct config *c =
        parse("x.json", "{" BASE ",\"addresses\":{\"http\":\"127.0.0.1 unix:///run/x.sock\"},"
                        "\"unix_sockets\":{\"mode\":\"0770\"},\"http_config\":{"
                        "\"allow_write_http_from\":[\"10.0.0.0/9\",\"fd00::/8\"]}}");
    static const uint8_t inside[] = {10, 127, 0, 1}, outside[] = {10, 128, 0, 1};
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10}, six[16] = {0xfd};
    if (!c) {
        fail_msg("%s", err);
    }
    assert_int_equal(c->http_listen.len, 2);
    assert_text(c->http_listen.items[1].text, "unix:///run/x.sock");
    assert_int_equal(c->http_listen.items[1].addr.ss_family, AF_UNIX);
    const struct config_network *n = c->allow_write_http_from.items;
    assert_true(config_network_has(&n[0], inside, 4));
    assert_false(config_network_has(&n[0], outside, 4));
    assert_true(config_network_has(&n[0], mapped, 16));
    assert_true(config_network_has(&n[1], six, 16));
    assert_false(config_network_has(&n[1], inside, 4));
    config_destroy(c);
    static const struct {
        const char *extra, *why;
    } wrong[] = {
        {"\"addresses\":{\"dns\":\"unix:///x\"}", "DNS address cannot be a unix socket"},
        {"\"client_addr\":\"unix:///x\"", "client_addr cannot be a unix socket"},
        {"\"addresses\":{\"http\":\"unix://\"}", "expected a path of 1 to 107 bytes"},
        {"\"unix_sockets\":{\"mode\":\"rwx\"}", "unix_sockets.mode: expected an octal mode"},
        {"\"http_config\":{\"allow_write_http_from\":[\"10.0.0.0\"]}",
         "allow_write_http_from: invalid cidr: 10.0.0.0"},
        {"\"serf_lan_allowed_cidrs\":[\"10.0.0.0/33\"]",
         "serf_lan_allowed_cidrs: invalid cidr: 10.0.0.0/33"},
        {"\"config_entries\":{\"bootstrap\":[{\"name\":\"x\"}]}",
         "x.json: config_entries.bootstrap[0]: Payload does not contain a kind/Kind key"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[512];
        snprintf(text, sizeof text, "{" BASE ",%s}", wrong[i].extra);
        assert_null(parse("x.json", text));
        if (!strstr(err, wrong[i].why)) {
            fail_msg("%s", err);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_consuls),
        cmocka_unit_test(test_a_server_does_not_leave_when_told_to_stop),
        cmocka_unit_test(test_wrong_configurations_are_refused_in_consuls_words),
        cmocka_unit_test(test_odd_configurations_are_accepted_with_a_warning),
        cmocka_unit_test(test_autopilot_is_read_and_defaults_to_consuls),
        cmocka_unit_test(test_a_protection_that_is_off_is_not_refused),
        cmocka_unit_test(test_keys_match_in_any_case),
        cmocka_unit_test(test_yaml_says_the_same_as_json),
        cmocka_unit_test(test_hostile_yaml_is_refused),
        cmocka_unit_test(test_truncated_json_is_refused_with_its_place),
        cmocka_unit_test_setup_teardown(test_later_sources_win_lists_append_and_maps_merge,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_files_of_all_formats_are_read_together, make_folder,
                                        remove_folder),
        cmocka_unit_test(test_flags_go_the_way_of_gos_flag_package),
        cmocka_unit_test(test_dev_mode_is_a_server_of_its_own_that_keeps_nothing),
        cmocka_unit_test(test_help_is_told_from_failure),
        cmocka_unit_test(test_an_encryption_key_is_decoded),
        cmocka_unit_test(test_addresses_of_both_families_become_listeners),
        cmocka_unit_test(test_recursors_are_read_once_each_in_their_order),
        cmocka_unit_test(test_an_unknown_template_is_refused),
        cmocka_unit_test(test_templates_are_evaluated_step_by_step),
        cmocka_unit_test(test_templates_that_cannot_be_evaluated_say_why),
        cmocka_unit_test(test_sockets_and_networks_are_read),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
