/* What a proxy is to do, from flags and from the agent's answers. */
#include "mu_test.h"

#include "proxy/discover.h"
#include "proxy/settings.h"

static char why[SETTINGS_WHY_MAX];
static struct proxy_settings s;

static bool read_text(const char *json)
{
    settings_init(&s);
    why[0] = '\0';
    return settings_read(&s, json, strlen(json), why);
}

static const char *shown(const struct proxy_address *a)
{
    static char text[PROXY_ADDRESS_MAX];
    proxy_address_format(a, text);
    return text;
}

static void test_addresses_are_ip_and_port(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1:80"},
        {":8443", "0.0.0.0:8443"},
        {"[::1]:1", "[::1]:1"},
        {"localhost:9", "127.0.0.1:9"},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"127.0.0.1:65536", NULL},
        {"1.2.3:80", NULL},
        {"x:80", NULL},
        {":-1", NULL},
        {"", NULL},
        {"127.0.0.1:80x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proxy_address a;
        assert_int_equal(proxy_address_parse(rows[i].text, &a), rows[i].shown != NULL);
        if (rows[i].shown) {
            assert_string_equal(shown(&a), rows[i].shown);
        }
    }
}

static void test_a_sidecar_is_read_as_registered(void **state)
{
    (void)state;
    assert_true(read_text(
        "{\"Kind\":\"connect-proxy\",\"ID\":\"p\",\"Port\":21000,\"Proxy\":{"
        "\"DestinationServiceName\":\"web\",\"LocalServiceAddress\":\"127.0.0.2\","
        "\"LocalServicePort\":9900,\"Config\":{\"local_connect_timeout_ms\":500},\"Upstreams\":["
        "{\"DestinationType\":\"service\",\"DestinationName\":\"db\",\"Datacenter\":\"dc2\","
        "\"LocalBindPort\":9191,\"Config\":{\"connect_timeout_ms\":70}},"
        "{\"DestinationName\":\"kv\",\"LocalBindAddress\":\"127.0.0.3\",\"LocalBindPort\":1}]}}"));
    assert_string_equal(s.service, "web");
    assert_true(s.has_inbound);
    assert_string_equal(shown(&s.listen), "0.0.0.0:21000");
    assert_string_equal(shown(&s.local), "127.0.0.2:9900");
    assert_int_equal(s.local_timeout_ns, 500000000);
    assert_int_equal(s.handshake_timeout_ns, 10000000000);
    assert_int_equal(s.upstream_count, 2);
    assert_string_equal(s.upstreams[0].service, "db");
    assert_string_equal(s.upstreams[0].datacenter, "dc2");
    assert_string_equal(shown(&s.upstreams[0].listen), "127.0.0.1:9191");
    assert_int_equal(s.upstreams[0].connect_timeout_ns, 70000000);
    assert_string_equal(shown(&s.upstreams[1].listen), "127.0.0.3:1");
    assert_int_equal(s.upstreams[1].connect_timeout_ns, 10000000000);
}

static void test_the_config_of_a_proxy_counts_more(void **state)
{
    (void)state;
    assert_true(read_text("{\"Kind\":\"connect-proxy\",\"Port\":1,\"Proxy\":{"
                          "\"DestinationServiceName\":\"w\",\"LocalServicePort\":2,\"Config\":{"
                          "\"bind_address\":\"::1\",\"bind_port\":7,"
                          "\"local_service_address\":\"127.0.0.9:8\"}}}"));
    assert_string_equal(shown(&s.listen), "[::1]:7");
    assert_string_equal(shown(&s.local), "127.0.0.9:8");
}

static void test_what_is_no_proxy_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"Kind\":\"\",\"Proxy\":{\"DestinationServiceName\":\"w\"}}",
        "{\"Kind\":\"connect-proxy\",\"Proxy\":{}}",
        "{\"Kind\":\"connect-proxy\",\"Proxy\":[]}",
        "{\"Kind\":\"connect-proxy\",\"Proxy\":{\"DestinationServiceName\":\"w\",\"Upstreams\":["
        "{\"DestinationType\":\"prepared_query\",\"DestinationName\":\"q\"}]}}",
        "{\"Kind\":\"connect-proxy\",\"Proxy\":{\"DestinationServiceName\":\"w\",\"Upstreams\":["
        "{\"DestinationName\":\"db\",\"LocalBindAddress\":\"nowhere\",\"LocalBindPort\":1}]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_false(read_text(rows[i]));
        assert_true(why[0] != '\0');
    }
}

static void test_upstreams_are_name_and_port(void **state)
{
    static const char *const bad[] = {"db", "db:", "db:x", "db:0", "db:70000", ":80"};
    (void)state;
    settings_init(&s);
    assert_true(settings_upstream(&s, "db:81", why));
    assert_string_equal(shown(&s.upstreams[0].listen), "127.0.0.1:81");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(settings_upstream(&s, bad[i], why));
    }
    assert_int_equal(s.upstream_count, 1);
    while (s.upstream_count < PROXY_UPSTREAMS_MAX) {
        assert_true(settings_upstream(&s, "db:81", why));
    }
    assert_false(settings_upstream(&s, "db:81", why));
}

static char *sidecar(const char *json)
{
    return settings_sidecar_id(json, strlen(json), "web", why);
}

static void test_a_sidecar_is_found_if_it_is_the_only_one(void **state)
{
    (void)state;
    char *id =
        sidecar("{\"web\":{\"ID\":\"web\"},\"a\":{\"Kind\":\"connect-proxy\",\"ID\":\"a\","
                "\"Proxy\":{\"DestinationServiceID\":\"web\"}},\"b\":{\"Kind\":"
                "\"connect-proxy\",\"ID\":\"b\",\"Proxy\":{\"DestinationServiceID\":\"x\"}}}");
    assert_string_equal(id, "a");
    free(id);
    assert_null(sidecar("{\"web\":{\"ID\":\"web\"}}"));
    assert_string_equal(why, "No sidecar proxy registered for web");
    assert_null(sidecar("{\"a\":{\"Kind\":\"connect-proxy\",\"ID\":\"a\",\"Proxy\":{"
                        "\"DestinationServiceID\":\"web\"}},\"b\":{\"Kind\":\"connect-proxy\","
                        "\"ID\":\"b\",\"Proxy\":{\"DestinationServiceID\":\"web\"}}}"));
    assert_true(strstr(why, "More than one") != NULL);
    assert_null(sidecar("nonsense"));
}

static void test_instances_are_read_and_what_has_no_ip_is_passed_over(void **state)
{
    static const char text[] =
        "[{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Address\":\"\",\"Port\":1}},"
        "{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Address\":\"::2\",\"Port\":2}},"
        "{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Address\":\"a.b\",\"Port\":2}},"
        "{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":0}},"
        "{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":70000}},{},null,7]";
    struct proxy_address *list = NULL;
    size_t count = 9;
    (void)state;
    assert_true(discovery_read(text, sizeof text - 1, &list, &count));
    assert_int_equal(count, 2);
    assert_string_equal(shown(&list[0]), "10.0.0.1:1");
    assert_string_equal(shown(&list[1]), "[::2]:2");
    free(list);
    assert_true(discovery_read("[]", 2, &list, &count));
    assert_int_equal(count, 0);
    free(list);
    assert_false(discovery_read("{}", 2, &list, &count));
    assert_false(discovery_read(text, sizeof text - 2, &list, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_ip_and_port),
        cmocka_unit_test(test_a_sidecar_is_read_as_registered),
        cmocka_unit_test(test_the_config_of_a_proxy_counts_more),
        cmocka_unit_test(test_what_is_no_proxy_is_refused),
        cmocka_unit_test(test_upstreams_are_name_and_port),
        cmocka_unit_test(test_a_sidecar_is_found_if_it_is_the_only_one),
        cmocka_unit_test(test_instances_are_read_and_what_has_no_ip_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
