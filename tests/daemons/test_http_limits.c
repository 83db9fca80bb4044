/* What clients cannot make the HTTP server do: wait, remember or dig deeper than it wants to. All
 * over real sockets; time is what the sweep is told. */
#include "http_kit.h"

#include "base/json.h"
#include "base/loop.h"
#include "http/internal.h"
#include <sys/socket.h>
#include <unistd.h>

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
    kit_turn(&k);
}

static uint64_t now_ns; /* of the sweeps */

static void sweep_after(uint64_t ns)
{
    now_ns += ns;
    http__server_sweep(k.server, now_ns);
}

static uint64_t open_connections(void)
{
    return http_server_stats(k.server).connections_open;
}

/* The only connection that is open. */
static struct http_connection *the_connection(void)
{
    struct http_connection *found = NULL;
    for (size_t q = 0; q < DEADLINE_CLASSES; q++) {
        for (struct http_connection *c = k.server->queues[q].first; c; c = c->next) {
            assert_null(found);
            found = c;
        }
    }
    assert_non_null(found);
    return found;
}

static void expect(int fd, int status, const char *body)
{
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, status);
    assert_string_equal(r.body ? r.body : "", body);
    reply_free(&r);
}

/* ---- Time ---- */

static void test_a_head_has_one_deadline_however_many_bytes_trickle_in(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    now_ns = loop_now_ns();
    say(fd, "G");
    uint64_t due = the_connection()->deadline_ns;
    for (int i = 0; i < 5; i++) {
        say(fd, "E");
        sweep_after(MU_SEC);
        assert_int_equal(the_connection()->deadline_ns, due);
    }
    now_ns = due - 1;
    sweep_after(0);
    assert_int_equal(open_connections(), 1);
    sweep_after(1);
    assert_int_equal(open_connections(), 0);
    assert_true(kit_closed(&k, fd));
    close(fd);
}

static void test_a_body_must_come_at_a_rate(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n"};
    char piece[4097];
    memset(piece, 'x', 4096);
    piece[4096] = 0;
    for (size_t i = 0; i < 2; i++) {
        int fd = kit_connect(&k);
        say(fd, heads[i]);
        now_ns = the_connection()->deadline_ns;
        for (int j = 0; j < 20; j++) { /* longer than any fixed time would allow */
            say(fd, piece);
            sweep_after(j ? 10 * MU_SEC : 0);
            assert_int_equal(open_connections(), 1);
        }
        piece[100] = 0;
        say(fd, piece);
        piece[100] = 'x';
        sweep_after(10 * MU_SEC);
        assert_int_equal(open_connections(), 0);
        assert_true(kit_closed(&k, fd));
        close(fd);
    }
}

static struct mu_str value; /* what a key is said to hold */

static void answer_value(struct kit *kit, struct call *c)
{
    (void)kit;
    struct catalog_indexed_dir_entries *reply = c->reply;
    struct catalog_dir_entry *e = mu__arena_calloc(&c->arena, 1, sizeof *e);
    reply->entries.items = mu__arena_calloc(&c->arena, 1, sizeof(void *));
    reply->entries.items[reply->entries.len++] = e;
    e->value = value;
}

static void test_a_reply_that_nobody_reads_ends_the_connection(void **state)
{
    (void)state;
    char *large = calloc(1, 16u << 20);
    value = (struct mu_str){large, 16u << 20};
    k.answer = answer_value;
    int fd = kit_connect(&k);
    say(fd, "GET /v1/kv/a?raw HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(http__has_output(the_connection()));
    now_ns = the_connection()->deadline_ns;
    sweep_after(0);
    assert_int_equal(open_connections(), 0);
    close(fd);
    free(large);
}

static void test_a_sweep_looks_only_at_those_whose_time_is_over(void **state)
{
    (void)state;
    int fds[20];
    for (size_t i = 0; i < 20; i++) {
        fds[i] = kit_connect(&k);
    }
    for (size_t i = 0; i < 10; i++) { /* every other one gets on with it */
        say(fds[2 * i], "GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(fds[2 * i], 200, "\"\"");
    }
    now_ns = loop_now_ns();
    sweep_after(11 * MU_SEC);
    assert_int_equal(open_connections(), 10);
    for (size_t q = 0; q < DEADLINE_NONE; q++) {
        uint64_t before = 0;
        for (struct http_connection *c = k.server->queues[q].first; c; c = c->next) {
            assert_true(before <= c->deadline_ns);
            before = c->deadline_ns;
        }
    }
    sweep_after(120 * MU_SEC);
    assert_int_equal(open_connections(), 0);
    for (size_t i = 0; i < 20; i++) {
        close(fds[i]);
    }
}

/* ---- Memory ---- */

static void test_a_length_that_is_claimed_reserves_nothing(void **state)
{
    (void)state;
    int fd = kit_connect(&k);
    say(fd, "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 524288\r\n\r\nabc");
    assert_in_range(the_connection()->in_cap, 1, 16384);
    close(fd);
    kit_turn(&k);
    fd = kit_connect(&k);
    say(fd, "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80000\r\nabc");
    assert_in_range(the_connection()->in_cap, 1, 16384);
    close(fd);
    kit_turn(&k);
    fd = kit_connect(&k);
    say(fd, "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999999999\r\n\r\n");
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 413);
    assert_string_equal(r.body,
                        "Request body(999999999999999999 bytes) too large, max size: 524288 "
                        "bytes. See "
                        "https://www.consul.io/docs/agent/options.html#kv_max_value_size.");
    reply_free(&r);
    close(fd);
}

static void test_what_is_pipelined_is_bounded(void **state)
{
    (void)state;
    static const char text[] = "GET /v1/kv/a?index=7 HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = kit_connect(&k);
    k.hold = true;
    for (int i = 0; i < 20000; i++) {
        ssize_t n = send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n;
        kit_turn(&k);
    }
    assert_int_equal(k.calls, 1);
    assert_in_range(the_connection()->in_len, 65536, 65536 + 16384);
    close(fd); /* which is not heard any more, but shows when the answer leaves */
    k.answer = NULL;
    kit_release(&k);
    kit_turn(&k);
    assert_int_equal(open_connections(), 0);
}

static void test_many_headers_are_refused(void **state)
{
    (void)state;
    char *text = calloc(1, 16384);
    strcpy(text, "GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 150; i++) {
        strcat(text, "X-A: b\r\n");
    }
    strcat(text, "\r\n");
    int fd = kit_connect(&k);
    say(fd, text);
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 431);
    reply_free(&r);
    assert_true(kit_closed(&k, fd));
    close(fd);
    free(text);
}

/* ---- Depth and length of what bodies say ---- */

static char *nested(size_t depth, const char *key)
{
    char *text = malloc(depth * (strlen(key) + 8) + 64);
    size_t n = 0;
    for (size_t i = 0; i < depth; i++) {
        n += (size_t)sprintf(text + n, "{\"%s\":", key);
    }
    n += (size_t)sprintf(text + n, "1");
    for (size_t i = 0; i < depth; i++) {
        text[n++] = '}';
    }
    text[n] = 0;
    return text;
}

static void test_json_is_not_followed_down_for_ever(void **state)
{
    (void)state;
    static const size_t depths[] = {JSON_DEPTH_MAX + 1, 50000};
    for (size_t i = 0; i < 2; i++) {
        char *body = nested(depths[i], "Meta");
        struct reply r = kit_ask(&k, "PUT /v1/catalog/register", "", body);
        assert_int_equal(r.status, 400);
        assert_non_null(strstr(r.body, "exceeded max depth"));
        assert_int_equal(k.calls, 0);
        reply_free(&r);
        free(body);
    }
}

static void test_long_lists_cost_no_more_than_their_text(void **state)
{
    (void)state;
    size_t n = 250000;
    char *body = malloc(n * 3 + 128);
    size_t len = (size_t)sprintf(body, "{\"Node\":\"a\",\"Address\":\"b\",\"Service\":{\"Tags\":[");
    for (size_t i = 0; i < n; i++) {
        len += (size_t)sprintf(body + len, "%s\"\"", i ? "," : "");
    }
    sprintf(body + len, "]}}");
    struct reply r = kit_ask(&k, "PUT /v1/catalog/register", "", body);
    assert_in_range(r.status, 200, 400); /* taken or refused, but answered */
    reply_free(&r);
    free(body);
}

static void test_raw_values_are_not_to_be_guessed_at(void **state)
{
    (void)state;
    value = mu__cstr("<script>");
    k.answer = answer_value;
    struct reply r = kit_ask(&k, "GET /v1/kv/a?raw", "", NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(reply_header(&r, "Content-Type"), "text/plain");
    reply_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
        TEST(test_a_head_has_one_deadline_however_many_bytes_trickle_in),
        TEST(test_a_body_must_come_at_a_rate),
        TEST(test_a_reply_that_nobody_reads_ends_the_connection),
        TEST(test_a_sweep_looks_only_at_those_whose_time_is_over),
        TEST(test_a_length_that_is_claimed_reserves_nothing),
        TEST(test_what_is_pipelined_is_bounded),
        TEST(test_many_headers_are_refused),
        TEST(test_json_is_not_followed_down_for_ever),
        TEST(test_long_lists_cost_no_more_than_their_text),
        TEST(test_raw_values_are_not_to_be_guessed_at),
    };
    return cmocka_run_group_tests_name("http_limits", tests, NULL, NULL);
}
