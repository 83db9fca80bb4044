/* Mirrors daemons/agent/definitions.c. The texts were taken from a running Consul 1.8.7. */
#include "mu_test.h"

#include "agent/definitions.h"
#include "base/json.h"

static struct mu__arena arena;
static char err[DEFINITION_ERROR_MAX];

static int setup(void **state)
{
    (void)state;
    mu__arena_init(&arena, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mu__arena_fini(&arena);
    return 0;
}

static struct catalog_service_definition service(const char *text)
{
    struct catalog_service_definition d = {.port = 0};
    char why[JSON_ERROR_MAX];
    if (!json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), text, strlen(text), &arena, &d,
                     why, sizeof why)) {
        fail_msg("%s", why);
    }
    return d;
}

static struct agent_check_definition check(const char *text)
{
    struct agent_check_definition d = {.token = {NULL, 0}};
    char why[JSON_ERROR_MAX];
    if (!json_decode(&definition_check_schema, text, strlen(text), &arena, &d, why, sizeof why)) {
        fail_msg("%s", why);
    }
    return d;
}

static void assert_text(struct mu_str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.p, expected, s.len);
}

static void test_wrong_services_are_refused_in_consuls_words(void **state)
{
    (void)state;
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"{}", "Missing service name"},
        {"{\"Name\":\"a\",\"Address\":\"0.0.0.0\"}", "Invalid service address"},
        {"{\"Name\":\"a\",\"Address\":\"[::]\"}", "Invalid service address"},
        {"{\"Name\":\"a\",\"Weights\":{\"Warning\":1}}",
         "Invalid Weights: Passing must be greater than 0"},
        {"{\"Name\":\"a\",\"Weights\":{\"Passing\":1,\"Warning\":-1}}",
         "Invalid Weights: Warning must be greater or equal than 0"},
        {"{\"Name\":\"a\",\"Weights\":{\"Passing\":65536}}",
         "Invalid Weights: DNS Weight must be between 0 and 65535"},
        {"{\"Name\":\"a\",\"Meta\":{\"consul-k\":\"v\"}}",
         "Invalid Service Meta: Couldn't load metadata pair ('consul-k', 'v'): Key prefix "
         "'consul-' is reserved for "
         "internal use"},
        {"{\"Name\":\"a\",\"Meta\":{\"\":\"x\"}}",
         "Invalid Service Meta: Couldn't load metadata pair ('', 'x'): Key cannot be blank"},
        {"{\"Name\":\"a\",\"Meta\":{\"a b\":\"x\"}}",
         "Invalid Service Meta: Couldn't load metadata pair ('a b', 'x'): Key contains invalid "
         "characters"},
        {"{\"Name\":\"a\",\"Checks\":[{}]}", "Invalid check: TTL must be > 0 for TTL checks"},
        {"{\"Name\":\"a\",\"Check\":{\"CheckID\":\"x\"}}",
         "Invalid check: TTL must be > 0 for TTL checks"},
        {"{\"Name\":\"a\",\"Check\":{\"Status\":\"foo\",\"TTL\":\"1s\"}}",
         "Status for checks must 'passing', 'warning', 'critical'"},
        {"{\"Name\":\"x\",\"Kind\":\"connect-proxy\"}",
         "2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy "
         "services\n\t* Port must be "
         "set for a Connect proxy\n\n"},
        {"{\"Name\":\"x\",\"Kind\":\"mesh-gateway\"}",
         "1 error occurred:\n\t* Port must be non-zero for a mesh-gateway\n\n"},
        {"{\"Name\":\"x\",\"Kind\":\"ingress-gateway\",\"Proxy\":{\"DestinationServiceName\":\"a\"}"
         "}",
         "1 error occurred:\n\t* The Proxy.DestinationServiceName configuration is invalid for a "
         "ingress-gateway\n\n"},
        {"{\"Name\":\"x\",\"Kind\":\"connect-proxy\",\"Port\":1,\"Proxy\":{\"destination_service_"
         "name\":\"d\",\"Upstreams\":["
         "{\"DestinationName\":\"a\",\"LocalBindPort\":1},{\"DestinationName\":\"b\",\"local_bind_"
         "port\":1}]}}",
         "1 error occurred:\n\t* upstreams cannot contain duplicates by local bind address and "
         "port; \"127.0.0.1:1\" is "
         "specified twice\n\n"},
        {"{\"Name\":\"x\",\"Kind\":\"connect-proxy\",\"Port\":1,\"Proxy\":{"
         "\"DestinationServiceName\":\"d\",\"Upstreams\":["
         "{\"DestinationType\":\"zz\"}]}}",
         "1 error occurred:\n\t* unknown upstream destination type: \"zz\"\n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct catalog_service_definition d = service(cases[i].json);
        assert_false(definition_check_service(&d, &arena, err, sizeof err));
        assert_string_equal(err, cases[i].expected);
    }
}

static void test_wrong_checks_are_refused_in_consuls_words(void **state)
{
    (void)state;
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"{}", "Missing check name"},
        {"{\"Name\":\"a\",\"TTL\":\"1s\",\"Status\":\"good\"}", "Bad check status"},
        {"{\"Name\":\"a\",\"TTL\":\"1s\",\"Interval\":\"1s\"}",
         "Invalid check: Interval and TTL cannot both be specified"},
        {"{\"Name\":\"a\",\"TCP\":\"h:1\"}",
         "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks"},
        {"{\"Name\":\"a\",\"AliasService\":\"x\",\"TTL\":\"1s\"}",
         "Invalid check: TTL must be not be set for Alias checks"},
        {"{\"Name\":\"a\",\"alias_service\":\"x\",\"TCP\":\"h:1\",\"Interval\":1000000000}",
         "Invalid check: Interval cannot be set for Alias checks"},
        {"{\"Name\":\"a\"}", "Invalid check: TTL must be > 0 for TTL checks"},
        {"{\"Name\":\"a\",\"TTL\":\"1s\",\"OutputMaxSize\":-1}",
         "Invalid check: MaxOutputMaxSize must be positive"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_check_definition d = check(cases[i].json);
        assert_false(definition_check_check(&d, err, sizeof err));
        assert_string_equal(err, cases[i].expected);
    }
}

static void test_defaults_of_a_service(void **state)
{
    (void)state;
    struct catalog_service_definition d = service("{\"name\":\"web\",\"Check\":{}}");
    const struct catalog_check_type *none[1];
    assert_true(definition_check_service(&d, &arena, err, sizeof err));
    assert_text(d.id, "web");
    assert_int_equal(d.weights->passing, 1);
    assert_int_equal(d.weights->warning, 1);
    assert_int_equal(definition_checks(&d, none, 1), 0);
}

static void test_every_spelling_of_a_check_is_read(void **state)
{
    (void)state;
    struct agent_check_definition d =
        check("{\"id\":\"c\",\"NAME\":\"n\",\"args\":[\"a\",\"b\"],\"interval\":\"10s\",\"service_"
              "id\":\"s\","
              "\"deregister_critical_service_after\":\"2m\",\"success_before_passing\":3,"
              "\"FailuresBeforeCritical\":4}");
    assert_true(definition_check_check(&d, err, sizeof err));
    assert_text(d.type.check_id, "c");
    assert_text(d.type.name, "n");
    assert_text(d.service_id, "s");
    assert_int_equal(d.type.script_args.len, 2);
    assert_int_equal(d.type.interval_ns, 10 * MU_SEC);
    assert_int_equal(d.type.deregister_critical_service_after_ns, 120 * MU_SEC);
    assert_int_equal(d.type.success_before_passing, 3);
    assert_int_equal(d.type.failures_before_critical, 4);

    d = check("{\"Name\":\"n\",\"ScriptArgs\":[\"x\"],\"Interval\":1000000000}");
    assert_true(definition_check_check(&d, err, sizeof err));
    assert_text(d.type.check_id, "n");
    assert_text(d.type.script_args.items[0], "x");
}

static void test_an_ip_address_tags_itself(void **state)
{
    (void)state;
    struct catalog_service_definition d =
        service("{\"Name\":\"a\",\"Port\":5,\"Address\":\"1.2.3.4\",\"TaggedAddresses\":"
                "{\"lan\":{\"Address\":\"x\",\"Port\":1}}}");
    assert_true(definition_tag_addresses(&d, &arena, err, sizeof err));
    assert_int_equal(d.tagged_addresses.len, 3);
    assert_text(d.tagged_addresses.items[1].key, "lan_ipv4");
    assert_text(d.tagged_addresses.items[2].key, "wan_ipv4");
    const struct catalog_service_address *a = d.tagged_addresses.items[1].value;
    assert_text(a->address, "1.2.3.4");
    assert_int_equal(a->port, 5);

    d = service("{\"Name\":\"a\",\"Address\":\"host\"}");
    assert_true(definition_tag_addresses(&d, &arena, err, sizeof err));
    assert_int_equal(d.tagged_addresses.len, 0);

    d = service("{\"Name\":\"a\",\"TaggedAddresses\":{\"lan_ipv4\":{\"Address\":\"::1\"}}}");
    assert_false(definition_tag_addresses(&d, &arena, err, sizeof err));
    assert_string_equal(err, "Service tagged address \"lan_ipv4\" must be a valid ipv4 address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_services_are_refused_in_consuls_words, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_wrong_checks_are_refused_in_consuls_words, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_defaults_of_a_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_spelling_of_a_check_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_ip_address_tags_itself, setup, teardown),
    };
    return cmocka_run_group_tests_name("definitions", tests, NULL, NULL);
}
