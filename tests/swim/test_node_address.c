/* Mirrors node/address.c. */
#include "mu_test.h"

#include "node.h"

static void test_addresses_parse_or_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {"10.0.0.1", "10.0.0.1:8301"},
        {"10.0.0.1:99", "10.0.0.1:99"},
        {"fe80::1", "[fe80::1]:8301"},
        {"[fe80::1]", "[fe80::1]:8301"},
        {"[fe80::1]:65535", "[fe80::1]:65535"},
        {"[::ffff:10.0.0.1]:7", "10.0.0.1:7"},
        {"10.0.0.1:", NULL},
        {"10.0.0.1:0", NULL},
        {"10.0.0.1:65536", NULL},
        {"10.0.0.1:123456", NULL},
        {"10.0.0.1:8x", NULL},
        {"10.0.0.256", NULL},
        {"[fe80::1", NULL},
        {"[fe80::1]x", NULL},
        {"[]:1", NULL},
        {"", NULL},
        {":1", NULL},
        {"localhost", NULL},
        {"a/10.0.0.1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct swim_addr a;
        char text[SWIM_ADDR_TEXT];
        bool ok = swim_node_parse_addr(cases[i].text, 8301, &a);
        assert_int_equal(ok, cases[i].want != NULL);
        if (ok) {
            assert_string_equal(swim_addr_text(&a, text), cases[i].want);
        }
    }
}

static void test_hosts_split_from_names_and_ports(void **state)
{
    (void)state;
    char host[8];
    uint16_t port;
    assert_true(swim_node__split_host("n.1/x/web:80", 7, host, sizeof host, &port));
    assert_string_equal(host, "web");
    assert_int_equal(port, 80);
    assert_true(swim_node__split_host("web", 7, host, sizeof host, &port));
    assert_int_equal(port, 7);
    assert_false(swim_node__split_host("too-long", 7, host, sizeof host, &port));
}

static void test_sockaddrs_round_trip_also_when_mapped(void **state)
{
    (void)state;
    const char *const texts[] = {"10.0.0.1:8301", "[fe80::1]:8301"};
    for (size_t i = 0; i < 2; i++) {
        struct swim_addr a, b;
        struct sockaddr_storage sa;
        assert_true(swim_node_parse_addr(texts[i], 1, &a));
        assert_true(swim_node__to_sockaddr(&a, AF_INET6, &sa) > 0);
        assert_true(swim_node__from_sockaddr(&sa, &b));
        assert_true(swim_addr_equal(&a, &b));
        assert_int_equal(swim_node__to_sockaddr(&a, AF_INET, &sa) > 0, i == 0);
    }
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    struct swim_addr a;
    assert_false(swim_node__from_sockaddr(&local, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_parse_or_are_refused),
        cmocka_unit_test(test_hosts_split_from_names_and_ports),
        cmocka_unit_test(test_sockaddrs_round_trip_also_when_mapped),
    };
    return cmocka_run_group_tests_name("node_address", tests, NULL, NULL);
}
