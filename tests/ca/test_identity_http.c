/* Mirrors libca/node/http_read.c, the address part of http.c, and how replies.c treats a key. */
#include "mu_test.h"

#include "identity.h"

static void test_answers_are_read_as_they_are_framed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *body;
        int status;
        uint64_t index;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}", 200, 0},
        {"HTTP/1.1 200 OK\r\ncontent-length:2\r\nX-Consul-Index: 77\r\n\r\n{}more", "{}", 200, 77},
        {"HTTP/1.0 403 Forbidden\r\n\r\nno", "no", 403, 0},
        {"HTTP/1.1 500 x\n\nno", "no", 500, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
         "chunked\r\n\r\n2\r\n{\"\r\n3;x=y\r\na\":\r\nA\r\n1234567890\r\n0\r\n\r\n",
         "{\"a\":1234567890", 200, 0},
        {"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", 204, 0},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        char text[256];
        struct identity__reply r;
        strcpy(text, cases[n].text);
        assert_null(identity__http_read(text, strlen(text), &r));
        assert_int_equal(r.status, cases[n].status);
        assert_int_equal(r.index, cases[n].index);
        assert_string_equal(r.body, cases[n].body);
        assert_int_equal(r.len, strlen(cases[n].body));
    }
}

static void test_what_is_cut_off_or_contradicts_itself_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "\r\n\r\n",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 xx OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX-Consul-Index: many\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        size_t len = strlen(cases[n]);
        char *text = malloc(len + 1); /* its end is watched */
        struct identity__reply r;
        memcpy(text, cases[n], len + 1);
        assert_non_null(identity__http_read(text, len, &r));
        free(text);
    }
}

static void test_agent_is_named_by_address_or_socket(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:8500", "[::1]:8500", "localhost:80",
                                       "unix:///run/agent.sock"};
    char path[300] = "unix://";
    struct identity__agent agent = {0};
    for (size_t n = 0; n < sizeof good / sizeof *good; n++) {
        assert_true(identity__agent_parse(&agent, good[n]));
        assert_true(agent.address_len > 0 && agent.host[0]);
    }
    memset(path + 7, 'x', 200);
    assert_false(identity__agent_parse(&agent, path));
    assert_false(identity__agent_parse(&agent, "example.com:8500"));
}

static void test_private_key_does_not_reach_the_json_parser(void **state)
{
    (void)state;
    char text[] =
        "{\"PrivateKeyPEM\": \"secret\\nsecret\\n\", \"CertPEM\":\"x\", \"Service\":\"web\"}";
    struct identity__reply r = {.status = 200, .body = text, .len = strlen(text)};
    struct identity__leaf leaf;
    struct ca_diag diag = {{0}};
    assert_non_null(identity__read_leaf(&mu__malloc_allocator, &r, "web", &leaf, &diag));
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "CertPEM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_read_as_they_are_framed),
        cmocka_unit_test(test_what_is_cut_off_or_contradicts_itself_is_refused),
        cmocka_unit_test(test_agent_is_named_by_address_or_socket),
        cmocka_unit_test(test_private_key_does_not_reach_the_json_parser),
    };
    return cmocka_run_group_tests_name("identity_http", tests, NULL, NULL);
}
