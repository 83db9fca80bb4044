/* The HTTP server as seen from the wire: framing, limits, time-outs, clients that hang up. */
#include "http_kit.h"

#include "base/loop.h"
#include "http/internal.h"
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define LEADER "GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n"

static struct kit k;

static int setup(void **state)
{
    (void)state;
    kit_init(&k);
    kit_start(&k);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&k);
    return 0;
}

static void say(int fd, const char *text)
{
    kit_send(&k, fd, text, strlen(text));
}

static void expect(int fd, int status, const char *body)
{
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, status);
    assert_string_equal(r.body, body);
    reply_free(&r);
}

static void sweep_after(uint64_t ns)
{
    http__server_sweep(k.server, loop_now_ns() + ns);
}

static void test_a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    for (int i = 0; i < 3; i++) {
        say(fd, LEADER);
        expect(fd, 200, "\"\"");
    }
    assert_int_equal(http_server_stats(k.server).connections_accepted, 1);
    assert_int_equal(http_server_stats(k.server).requests, 3);
    close(fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    say(fd, "GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n"
            "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, 200, "\"\"");
    expect(fd, 200, "true");
    expect(fd, 404, "");
    close(fd);
}

static void test_pipelined_requests_wait_for_the_one_before_them(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    k.hold = true;
    say(fd, LEADER "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(k.calls, 1);
    kit_turn(&k);
    kit_release(&k);
    expect(fd, 200, "\"\"");
    expect(fd, 404, "");
    close(fd);
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] =
        "\r\nPUT /v1/kv/a?flags=7 HTTP/1.1\nHost: x\r\nContent-Length: 5\n\r\nhello";
    int fd = kit_connect(&k);
    for (const char *p = text; *p; p++) {
        kit_send(&k, fd, p, 1);
    }
    expect(fd, 200, "true");
    assert_non_null(strstr(k.request, "\"Value\":\"aGVsbG8=\""));
    close(fd);
}

static void test_chunked_bodies_are_put_together(void **state)
{
    (void)state;
    static const char text[] =
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";
    int fd = kit_connect(&k);
    say(fd, text);
    expect(fd, 200, "true");
    assert_non_null(strstr(k.request, "\"Value\":\"aGVsbG8=\""));
    for (const char *p = text; *p; p++) {
        kit_send(&k, fd, p, 1);
    }
    expect(fd, 200, "true");
    assert_non_null(strstr(k.request, "\"Value\":\"aGVsbG8=\""));
    close(fd);
}

static void test_malformed_requests_are_refused_and_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.x\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /% HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n", 400},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
         400},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 400},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\na", 400},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         400},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 500},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX", 500},
        {"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
         "chunked\r\n\r\nffffffffffffffffff\r\n",
         500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = kit_connect(&k);
        say(fd, cases[i].text);
        struct reply r = kit_receive(&k, fd);
        if (r.status != cases[i].status) {
            fail_msg("%s: %d", cases[i].text, r.status);
        }
        assert_string_equal(reply_header(&r, "Connection"), "close");
        reply_free(&r);
        assert_true(kit_closed(&k, fd));
        close(fd);
    }
    assert_int_equal(k.calls, 0);
}

static void test_long_heads_are_refused(void **state)
{
    (void)state;
    size_t len = k.config.header_max + 100;
    char *text = malloc(len + 1);
    memset(text, 'a', len);
    memcpy(text, "GET /", 5);
    int fd = kit_connect(&k);
    kit_send(&k, fd, text, len);
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 431);
    reply_free(&r);
    close(fd);
    int n = snprintf(text, len, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 101; i++) {
        n += snprintf(text + n, len - (size_t)n, "A: b\r\n");
    }
    fd = kit_connect(&k);
    say(fd, strcat(text, "\r\n"));
    r = kit_receive(&k, fd);
    assert_int_equal(r.status, 431);
    reply_free(&r);
    close(fd);
    free(text);
}

static void test_a_body_that_is_too_large_is_refused_by_its_length(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    /* Not one byte of it */
    say(fd, "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 524289\r\n\r\n");
    expect(fd, 413,
           "Request body(524289 bytes) too large, max size: 524288 bytes. See "
           "https://www.consul.io/docs/agent/options.html#kv_max_value_size.");
    say(fd, "some of it, which the server throws away");
    shutdown(fd, SHUT_WR);
    assert_true(kit_closed(&k, fd));
    close(fd);
    assert_int_equal(k.calls, 0);
}

static void test_a_chunked_body_that_is_too_large_is_refused(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    say(fd, "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80001\r\n");
    char *chunk = calloc(1, 0x80001);
    kit_send(&k, fd, chunk, 0x80001);
    free(chunk);
    expect(fd, 413,
           "Request body too large, max size: 524288 bytes. See "
           "https://www.consul.io/docs/agent/options.html#kv_max_value_size.");
    close(fd);
}

static void test_the_largest_value_is_accepted(void **state)
{
    (void)state;
    static const char head[] = "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 524288\r\n\r\n";
    char *text = calloc(1, sizeof head + 524288);
    memcpy(text, head, sizeof head);
    int fd = kit_connect(&k);
    kit_send(&k, fd, text, sizeof head - 1 + 524288);
    expect(fd, 200, "true");
    free(text);
    close(fd);
}

static void test_a_client_is_told_to_continue(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    say(fd,
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 100);
    say(fd, "x");
    expect(fd, 200, "true");
    close(fd);
}

static void test_old_clients_get_one_answer_and_the_end(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    say(fd, "GET /v1/status/leader HTTP/1.0\r\n\r\n");
    expect(fd, 200, "\"\"");
    assert_true(kit_closed(&k, fd));
    close(fd);
    fd = kit_connect(&k);
    say(fd, "GET /v1/status/leader HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(fd, 200, "\"\"");
    say(fd, LEADER);
    expect(fd, 200, "\"\"");
    close(fd);
}

static void test_hanging_up_cancels_a_blocking_query(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    k.hold = true;
    say(fd, "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(k.held);
    close(fd);
    kit_turn(&k);
    assert_null(k.held);
    assert_int_equal(k.cancelled, 1);
    assert_int_equal(http_server_stats(k.server).connections_open, 0);
}

static void test_a_client_that_only_stops_sending_is_answered(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    k.hold = true;
    say(fd, LEADER);
    shutdown(fd, SHUT_WR);
    kit_turn(&k);
    kit_release(&k);
    expect(fd, 200, "\"\"");
    assert_true(kit_closed(&k, fd));
    close(fd);
}

static void test_slow_clients_are_cut_off(void **state)
{
    (void)state;
    static const char *const slow[] = {
        "", "GET / HT", "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"};
    for (size_t i = 0; i < 3; i++) {
        int fd = kit_connect(&k);
        say(fd, slow[i]);
        sweep_after(0);
        assert_int_equal(http_server_stats(k.server).connections_open, 1);
        sweep_after(61 * MU_SEC);
        assert_int_equal(http_server_stats(k.server).connections_open, 0);
        assert_true(kit_closed(&k, fd));
        close(fd);
    }
}

static void test_idle_connections_end_and_waiting_ones_do_not(void **state)
{
    (void)state;
    int fd = kit_connect(&k), waiting = kit_connect(&k);
    say(fd, LEADER);
    expect(fd, 200, "\"\"");
    k.hold = true;
    say(waiting, "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\n\r\n");
    sweep_after(119 * MU_SEC);
    assert_int_equal(http_server_stats(k.server).connections_open, 2);
    sweep_after(3600 * MU_SEC);
    assert_int_equal(http_server_stats(k.server).connections_open, 1);
    assert_non_null(k.held);
    kit_release(&k);
    expect(waiting, 404, "");
    close(fd);
    close(waiting);
}

static char *large;
static void answer_large(struct kit *kit, struct call *c)
{
    (void)kit;
    struct catalog_indexed_dir_entries *reply = c->reply;
    struct catalog_dir_entry *e = mu__arena_calloc(&c->arena, 1, sizeof *e);
    reply->entries.items = mu__arena_calloc(&c->arena, 1, sizeof(void *));
    reply->entries.items[0] = e;
    reply->entries.len = 1;
    e->value = (struct mu_str){large, 8 << 20};
}

static void test_large_answers_wait_for_slow_readers(void **state)
{
    (void)state;
    large = malloc(8 << 20);
    for (size_t i = 0; i < 8 << 20; i++) {
        large[i] = (char)(i * 31 + (i >> 8));
    }
    k.answer = answer_large;
    int fd = kit_connect(&k);
    say(fd, "GET /v1/kv/a?raw HTTP/1.1\r\nHost: x\r\n\r\n" LEADER);
    assert_int_equal(k.calls, 1); /* the second one waits until the first answer has left */
    k.answer = NULL;
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.len, 8 << 20);
    assert_memory_equal(r.body, large, r.len);
    reply_free(&r);
    expect(fd, 200, "\"\"");
    k.answer = answer_large;
    say(fd, "GET /v1/kv/a?raw HTTP/1.1\r\nHost: x\r\n\r\n");
    sweep_after(121 * MU_SEC); /* and one that never reads is cut off */
    assert_int_equal(http_server_stats(k.server).connections_open, 0);
    close(fd);
    free(large);
}

static void test_answers_are_compressed_for_those_who_ask(void **state)
{
    (void)state;
    struct reply r =
        kit_ask(&k, "GET /v1/status/leader", "Accept-Encoding: deflate, GZIP;q=0.5\r\n", NULL);
    assert_string_equal(reply_header(&r, "Content-Encoding"), "gzip");
    assert_string_equal(reply_header(&r, "Vary"), "Accept-Encoding");
    char plain[16] = "";
    z_stream z = {.next_in = (Bytef *)r.body,
                  .avail_in = (uInt)r.len,
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof plain};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    assert_string_equal(plain, "\"\"");
    reply_free(&r);
    static const char *const no[] = {"", "Accept-Encoding: gzip;q=0\r\n",
                                     "Accept-Encoding: gzip; q=0.000\r\n",
                                     "Accept-Encoding: identity\r\n", "Accept-Encoding: xgzip\r\n"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        r = kit_ask(&k, "GET /v1/status/leader", no[i], NULL);
        assert_null(reply_header(&r, "Content-Encoding"));
        reply_free(&r);
    }
    r = kit_ask(&k, "GET /v1/nothing", "Accept-Encoding: gzip\r\n", NULL);
    assert_null(reply_header(&r, "Content-Encoding"));
    reply_free(&r);
}

static void test_each_client_has_so_many_connections(void **state)
{
    (void)state;
    http_server_destroy(k.server);
    k.clients = client_limit_create(2);
    k.config.clients = k.clients;
    kit_start(&k);
    int a = kit_connect(&k), b = kit_connect(&k), c = kit_connect(&k);
    assert_true(kit_closed(&k, c)); /* at once and without a word */
    close(a);
    kit_turn(&k);
    int d = kit_connect(&k);
    say(d, LEADER);
    expect(d, 200, "\"\"");
    close(b);
    close(c);
    close(d);
}

static void test_draining_ends_connections_after_their_answers(void **state)
{
    (void)state;
    int idle = kit_connect(&k), busy = kit_connect(&k);
    k.hold = true;
    say(busy, LEADER);
    http_server_drain(k.server);
    assert_true(kit_closed(&k, idle));
    kit_release(&k);
    expect(busy, 200, "\"\"");
    assert_true(kit_closed(&k, busy));
    close(idle);
    close(busy);
}

static void test_stopping_cancels_what_is_under_way(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    k.hold = true;
    say(fd, LEADER);
    http_server_destroy(k.server);
    k.server = NULL;
    assert_int_equal(k.cancelled, 1);
    close(fd);
}

static void test_configured_headers_are_on_every_answer(void **state)
{
    (void)state;
    static const struct http_header headers[] = {{"X-Mine", "yes"}, {"X-Bad", "a\r\nInjected: b"}};
    http_server_destroy(k.server);
    k.config.headers = headers;
    k.config.nheaders = 2;
    kit_start(&k);
    static const char *const lines[] = {"GET /v1/status/leader", "GET /nope", "POST /v1/kv/a",
                                        "GET /a//b"};
    for (size_t i = 0; i < 4; i++) {
        struct reply r = kit_ask(&k, lines[i], "", NULL);
        assert_string_equal(reply_header(&r, "X-Mine"), "yes");
        assert_null(reply_header(&r, "Injected"));
        reply_free(&r);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_connection_serves_one_request_after_the_other),
        T(test_pipelined_requests_are_answered_in_order),
        T(test_pipelined_requests_wait_for_the_one_before_them),
        T(test_a_request_may_come_byte_by_byte),
        T(test_chunked_bodies_are_put_together),
        T(test_malformed_requests_are_refused_and_end_the_connection),
        T(test_long_heads_are_refused),
        T(test_a_body_that_is_too_large_is_refused_by_its_length),
        T(test_a_chunked_body_that_is_too_large_is_refused),
        T(test_the_largest_value_is_accepted),
        T(test_a_client_is_told_to_continue),
        T(test_old_clients_get_one_answer_and_the_end),
        T(test_hanging_up_cancels_a_blocking_query),
        T(test_a_client_that_only_stops_sending_is_answered),
        T(test_slow_clients_are_cut_off),
        T(test_idle_connections_end_and_waiting_ones_do_not),
        T(test_large_answers_wait_for_slow_readers),
        T(test_answers_are_compressed_for_those_who_ask),
        T(test_each_client_has_so_many_connections),
        T(test_draining_ends_connections_after_their_answers),
        T(test_stopping_cancels_what_is_under_way),
        T(test_configured_headers_are_on_every_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
