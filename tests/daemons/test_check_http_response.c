/* Mirrors daemons/agent/check_http_response.c and the tail of check_util.c. */
#include "mu_test.h"

#include "agent/check_http_response.h"

static struct check__tail body;

/* Feeds the text in pieces of n bytes; then, if it is not done, the end of the connection. */
static enum http_step feed(struct http_response *r, const char *text, size_t n, bool head)
{
    enum http_step step = HTTP_MORE;
    size_t len = strlen(text);
    check__tail_reset(&body);
    http_response_init(r, head, &body);
    for (size_t at = 0; at < len && step == HTTP_MORE; at += n) {
        step = http_response_feed(r, text + at, mu__min(n, len - at));
    }
    return step == HTTP_MORE ? http_response_end(r) : step;
}

static void assert_body(const char *expected)
{
    struct mu_str text = check__tail_text(&body);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.p, expected, text.len);
}

static void test_responses_are_read_however_they_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *status, *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, not this", 200, "200 OK", "hello"},
        {"HTTP/1.0 404 Not Found\r\n\r\nuntil the end", 404, "404 Not Found", "until the end"},
        {"HTTP/1.1 429 Too Many Requests\r\ntransfer-encoding: "
         "Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
         429, "429 Too Many Requests", "abc0123456789"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, "204 No Content", ""},
        {"HTTP/1.1 200\nContent-Length:0\n\n", 200, "200", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t n = 1; n < 20; n++) {
            struct http_response r;
            assert_int_equal(feed(&r, cases[i].text, n, false), HTTP_DONE);
            assert_int_equal(r.code, cases[i].code);
            assert_string_equal(r.status, cases[i].status);
            assert_body(cases[i].body);
        }
    }
}

static void test_a_head_response_has_no_body(void **state)
{
    (void)state;
    struct http_response r;
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 100, true),
                     HTTP_DONE);
    assert_int_equal(r.code, 200);
}

static void test_malformed_responses_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response r;
        assert_int_equal(feed(&r, cases[i], 7, false), HTTP_MALFORMED);
    }
}

static void test_headers_without_end_are_refused(void **state)
{
    (void)state;
    struct http_response r;
    char line[101];
    enum http_step step = HTTP_MORE;
    memset(line, 'x', sizeof line);
    line[99] = '\n';
    http_response_init(&r, false, &body);
    assert_int_equal(http_response_feed(&r, "HTTP/1.1 200 OK\r\n", 17), HTTP_MORE);
    for (int i = 0; i < 1000 && step == HTTP_MORE; i++) {
        step = http_response_feed(&r, line, 100);
    }
    assert_int_equal(step, HTTP_MALFORMED);
}

static void test_a_tail_keeps_the_last_bytes(void **state)
{
    (void)state;
    struct check__tail t;
    assert_true(check__tail_init(&t, 5));
    check__tail_write(&t, "ab", 2);
    assert_memory_equal(check__tail_text(&t).p, "ab", 2);
    for (size_t piece = 1; piece < 9; piece++) {
        static const char text[] = "0123456789abcdefghij";
        check__tail_reset(&t);
        for (size_t at = 0; at < 20; at += piece) {
            check__tail_write(&t, text + at, mu__min(piece, 20 - at));
        }
        struct mu_str s = check__tail_text(&t);
        assert_int_equal(s.len, 5);
        assert_memory_equal(s.p, "fghij", 5);
        assert_int_equal(t.total, 20);
        check__tail_write(&t, "KL", 2); /* after the text was put in order */
        assert_memory_equal(check__tail_text(&t).p, "hijKL", 5);
    }
    check__tail_fini(&t);
}

static void test_host_and_port_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {{"127.0.0.1:80", "127.0.0.1", 80},
                {"[::1]:8080", "::1", 8080},
                {"h.example:65535", "h.example", 65535},
                {"h:", "h", 0}, /* refuses, as port 0 does */
                {"h:0", "h", 0}};
    static const char *const bad[] = {"",       "h",        ":80",   "h:65536", "h:8x",
                                      "::1:80", "h:000080", "[::1]", "[]:80x"};
    char host[64];
    uint16_t port;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(check__split_host_port(mu__cstr(good[i].text), host, sizeof host, &port));
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(check__split_host_port(mu__cstr(bad[i]), host, sizeof host, &port));
    }
}

static int setup(void **state)
{
    (void)state;
    return check__tail_init(&body, 100) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    check__tail_fini(&body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses_are_read_however_they_are_cut),
        cmocka_unit_test(test_a_head_response_has_no_body),
        cmocka_unit_test(test_malformed_responses_are_refused),
        cmocka_unit_test(test_headers_without_end_are_refused),
        cmocka_unit_test(test_a_tail_keeps_the_last_bytes),
        cmocka_unit_test(test_host_and_port_are_told_apart),
    };
    return cmocka_run_group_tests_name("check_http_response", tests, setup, teardown);
}
