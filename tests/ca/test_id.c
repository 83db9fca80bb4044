/* Mirrors src/id.c. */
#include "ca_kit.h"

static void expect(const char *uri, enum ca_id_kind kind, const char *ns, const char *dc,
                   const char *name)
{
    char text[CA_URI_MAX], back[CA_URI_MAX + 1];
    struct ca_id id;
    size_t len;
    assert_int_equal(ca_id_parse(str(uri), text, &id), CA_OK);
    assert_int_equal(id.kind, kind);
    assert_true(same_str(id.trust_domain, str(TD)));
    assert_true(same_str(id.ns, str(ns)));
    assert_true(same_str(id.datacenter, str(dc)));
    assert_true(same_str(id.name, str(name)));
    assert_int_equal(ca_id_write(&id, back, sizeof back, &len), CA_OK);
    assert_string_equal(back, uri);
    assert_int_equal(len, strlen(uri));
}

static void test_ids_of_each_kind_are_read_and_written_back(void **state)
{
    (void)state;
    expect("spiffe://" TD, CA_ID_TRUST_DOMAIN, "", "", "");
    expect(WEB, CA_ID_SERVICE, "default", "dc1", "web");
    expect("spiffe://" TD "/agent/client/dc/dc1/id/Node_9.x", CA_ID_AGENT, "", "dc1", "Node_9.x");
}

/* The spellings that Consul 1.8.7 gave these names. */
static void test_names_are_escaped_as_consul_does(void **state)
{
    (void)state;
    const char *const base = "spiffe://" TD "/ns/default/dc/dc1/svc/";
    const char *const pairs[][2] = {{"a%20b", "a b"},
                                    {"Web_%C3%9Cnder", "Web_\xc3\x9cnder"},
                                    {"a%21b%2Ac;d,e%28f%29~", "a!b*c;d,e(f)~"},
                                    {"-a.b-", "-a.b-"},
                                    {"a:b@c=d+e$f&g", "a:b@c=d+e$f&g"},
                                    {"50%25", "50%"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char uri[256];
        snprintf(uri, sizeof uri, "%s%s", base, pairs[i][0]);
        expect(uri, CA_ID_SERVICE, "default", "dc1", pairs[i][1]);
    }
}

static void test_what_is_no_id_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "spiffe://",
                               "spiffe:///ns/default/dc/dc1/svc/web",
                               ("spiffe://" TD "/"),
                               ("spiffe://" TD "//"),
                               ("spiffe://" TD "/ns/default/dc/dc1/svc"),
                               ("spiffe://" TD "/ns/default/dc/dc1/svc/"),
                               (WEB "/"),
                               (WEB "/x"),
                               (WEB "?q"),
                               (WEB "#f"),
                               (WEB "%2F"),
                               (WEB "%2f"),
                               (WEB "%"),
                               (WEB "%4"),
                               (WEB "%41"),
                               (WEB "%zz"),
                               (WEB "%00"),
                               (WEB "%7F"),
                               (WEB "%C2%85"),
                               (WEB "%FF"),
                               (WEB " "),
                               ("spiffe://" TD "/ns/default/dc/dc1/svc/."),
                               ("spiffe://" TD "/ns/default/dc/dc1/svc/.."),
                               ("spiffe://" TD "/ns/../dc/dc1/svc/web"),
                               ("spiffe://" TD "/ns//dc/dc1/svc/web"),
                               ("spiffe://" TD "/agent/client/dc/dc1/id"),
                               ("spiffe://" TD "/agent/server/dc/dc1/id/n"),
                               "SPIFFE://" TD,
                               "spiffe://UPPER.consul",
                               "spiffe://a..b",
                               "spiffe://.a",
                               "spiffe://a.",
                               "spiffe://a:80",
                               "spiffe://u@a",
                               "spiffe:/a"};
    char text[CA_URI_MAX];
    struct ca_id id;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ca_id_parse(str(bad[i]), text, &id), CA_EID);
    }
    struct mu_str zero = {WEB "\0x", sizeof WEB + 1};
    assert_int_equal(ca_id_parse(zero, text, &id), CA_EID);
}

static void test_lengths_are_limited(void **state)
{
    (void)state;
    char uri[CA_URI_MAX + 2], text[CA_URI_MAX + 2], back[CA_URI_MAX + 1];
    struct ca_id id;
    size_t len;
    memset(uri, 'x', sizeof uri);
    memcpy(uri, WEB, sizeof WEB - 1);
    struct mu_str longest = {uri, CA_URI_MAX}, longer = {uri, CA_URI_MAX + 1};
    assert_int_equal(ca_id_parse(longest, text, &id), CA_OK);
    assert_int_equal(ca_id_write(&id, back, sizeof back, &len), CA_OK);
    assert_int_equal(ca_id_write(&id, back, sizeof back - 1, &len), CA_ENOBUFS);
    assert_int_equal(len, CA_URI_MAX);
    assert_int_equal(ca_id_parse(longer, text, &id), CA_EID);
    id.name.len++;
    assert_int_equal(ca_id_write(&id, back, sizeof back, &len), CA_EID);
}

static void test_bad_parts_are_not_written(void **state)
{
    (void)state;
    const char *const bad[] = {"",     ".",    "..",       "a/b",     "a\nb",
                               "\x7f", "\xff", "\xc2\x80", "\xc0\xaf"};
    char buf[CA_URI_MAX + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ca_id id = {CA_ID_SERVICE, str(TD), str("default"), str("dc1"), str(bad[i])};
        assert_int_equal(ca_id_write(&id, buf, sizeof buf, NULL), CA_EID);
        id.kind = CA_ID_AGENT;
        assert_int_equal(ca_id_write(&id, buf, sizeof buf, NULL), CA_EID);
    }
    struct ca_id id = {.kind = CA_ID_TRUST_DOMAIN, .trust_domain = {"Upper", 5}};
    assert_int_equal(ca_id_write(&id, buf, sizeof buf, NULL), CA_EID);
}

/* The subjects that Consul 1.8.7 gave these names. */
static void test_common_names_are_consuls(void **state)
{
    (void)state;
    char cn[CA_CN_MAX + 1];
    struct ca_id id = {CA_ID_SERVICE, str(TD), str("default"), str("dc1"), str("web")};
    ca_id_common_name(&id, cn);
    assert_string_equal(cn, "web.svc.default.11111111.consul");
    id.name = str("Web_\xc3\x9cnder");
    ca_id_common_name(&id, cn);
    assert_string_equal(cn, "webnder.svc.default.11111111.consul");
    id.name = str("a-very-long-service-name.a-very-long-service-name.a-very-long-service-name.");
    ca_id_common_name(&id, cn);
    assert_string_equal(cn, "averylongservicenameaverylongservice.svc.default.11111111.consul");
    id.kind = CA_ID_AGENT;
    id.name = str("Node_9.x");
    ca_id_common_name(&id, cn);
    assert_string_equal(cn, "node9x.agnt.11111111.consul");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_each_kind_are_read_and_written_back),
        cmocka_unit_test(test_names_are_escaped_as_consul_does),
        cmocka_unit_test(test_what_is_no_id_is_refused),
        cmocka_unit_test(test_lengths_are_limited),
        cmocka_unit_test(test_bad_parts_are_not_written),
        cmocka_unit_test(test_common_names_are_consuls),
    };
    return cmocka_run_group_tests_name("ca id", tests, NULL, NULL);
}
