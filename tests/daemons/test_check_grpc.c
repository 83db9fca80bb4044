/* Mirrors daemons/agent/check_grpc*.c: a peer whose HTTP/2 frames are put together by hand (RFC
 * 9113), whole, in single bytes and cut short. */
#include "check_kit.h"

#include "agent/check_grpc_call.h"

#define DATA     0u
#define HEADERS  1u
#define RESET    3u
#define SETTINGS 4u
#define PING     6u
#define GOAWAY   7u
#define ENDS     1u /* END_STREAM */
#define WHOLE    4u /* END_HEADERS */

struct frames {
    uint8_t data[1 << 14];
    size_t len;
};

static void put(struct frames *f, const void *p, size_t len)
{
    assert_true(len <= sizeof f->data - f->len);
    memcpy(f->data + f->len, p, len);
    f->len += len;
}

static void frame(struct frames *f, unsigned type, unsigned flags, unsigned stream, const void *p,
                  size_t len)
{
    const uint8_t head[9] = {(uint8_t)(len >> 16),
                             (uint8_t)(len >> 8),
                             (uint8_t)len,
                             (uint8_t)type,
                             (uint8_t)flags,
                             0,
                             0,
                             0,
                             (uint8_t)stream};
    put(f, head, sizeof head);
    put(f, p, len);
}

/* Literal fields without an index (RFC 7541 6.2.2); pairs end with NULL. */
static void headers(struct frames *f, unsigned flags, const char *const *pairs)
{
    struct frames block = {.len = 0};
    for (; *pairs; pairs += 2) {
        const uint8_t zero = 0;
        put(&block, &zero, 1);
        for (int i = 0; i < 2; i++) {
            const uint8_t len = (uint8_t)strlen(pairs[i]);
            assert_true(len < 0x7f);
            put(&block, &len, 1);
            put(&block, pairs[i], len);
        }
    }
    frame(f, HEADERS, WHOLE | flags, 1, block.data, block.len);
}

static const char *const ok_headers[] = {":status", "200", "content-type", "application/grpc",
                                         NULL};
static const char *const ok_trailers[] = {"grpc-status", "0", NULL};

static struct frames answer(const void *message, size_t len)
{
    struct frames f = {.len = 0};
    frame(&f, SETTINGS, 0, 0, "", 0);
    headers(&f, 0, ok_headers);
    frame(&f, DATA, 0, 1, message, len);
    headers(&f, ENDS, ok_trailers);
    return f;
}

static struct frames refusal(const char *const *fields)
{
    struct frames f = {.len = 0};
    frame(&f, SETTINGS, 0, 0, "", 0);
    headers(&f, ENDS, fields);
    return f;
}

static struct grpc_call *feed(const struct frames *f, size_t len, size_t piece)
{
    struct grpc_call *c = grpc_call_create("h:1", "web", false, MU_SEC);
    const uint8_t *out;
    assert_non_null(c);
    while (grpc_call_output(c, &out)) {
    }
    for (size_t at = 0; at < len; at += piece) {
        grpc_call_feed(c, f->data + at, mu__min(piece, len - at));
        while (grpc_call_output(c, &out)) {
        }
    }
    return c;
}

/* The same, whole and byte by byte; cut anywhere it is no success. */
static void expect(const struct frames *f, enum grpc_outcome outcome, const char *error)
{
    for (size_t piece = 1; piece <= f->len; piece += f->len - 1) {
        struct grpc_call *c = feed(f, f->len, piece);
        grpc_call_end(c);
        assert_int_equal(grpc_call_outcome(c), outcome);
        if (error) {
            assert_string_equal(grpc_call_error(c), error);
        }
        grpc_call_destroy(c);
    }
    for (size_t len = 0; len < f->len; len++) {
        struct grpc_call *c = feed(f, len, mu__max(len, 1));
        grpc_call_end(c);
        assert_int_equal(grpc_call_outcome(c), GRPC_FAILED);
        grpc_call_destroy(c);
    }
}

static void test_the_status_in_the_message_decides(void **state)
{
    static const uint8_t serving[] = {0, 0, 0, 0, 2, 8, 1}, not_serving[] = {0, 0, 0, 0, 2, 8, 2},
                         nothing[] = {0, 0, 0, 0, 0},
                         /* unknown fields of each kind before it, and a second word after it */
        odd[] = {0, 0, 0, 0, 29,   0x10, 0x80, 1, 0x1a, 2, 'a', 'b', 0x21, 1,    2, 3,    4,
                 5, 6, 7, 8, 0x2d, 1,    2,    3, 4,    8, 2,   8,   1,    0x30, 0, 0x38, 0};
    (void)state;
    struct frames f = answer(serving, sizeof serving);
    expect(&f, GRPC_SERVING, NULL);
    f = answer(not_serving, sizeof not_serving);
    expect(&f, GRPC_NOT_SERVING, NULL);
    f = answer(nothing, sizeof nothing);
    expect(&f, GRPC_NOT_SERVING, NULL);
    f = answer(odd, sizeof odd);
    expect(&f, GRPC_SERVING, NULL);
}

static void test_messages_that_are_none_fail(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *error;
    } cases[] = {
        {"", 0, "rpc error: code = Internal desc = EOF"},
        {"\0\0\0", 3, "rpc error: code = Internal desc = unexpected EOF"},
        {"\0\0\0\0\2\10", 6, "rpc error: code = Internal desc = unexpected EOF"},
        {"\1\0\0\0\2\10\1", 7,
         "rpc error: code = Internal desc = grpc: compressed flag set with identity or empty "
         "encoding"},
        {"\0\0\0\0\3\377\377\377", 8,
         "rpc error: code = Internal desc = grpc: failed to unmarshal the received message "
         "unexpected EOF"},
        {"\0\0\0\0\2\12\377", 7,
         "rpc error: code = Internal desc = grpc: failed to unmarshal the received message "
         "unexpected EOF"},
        {"\0\377\377\377\377", 5,
         "rpc error: code = ResourceExhausted desc = grpc: received message larger than max "
         "(4294967295 vs. 4091)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frames f = answer(cases[i].bytes, cases[i].len);
        expect(&f, GRPC_FAILED, cases[i].error);
    }
}

static void test_refusals_are_told_in_grpcs_words(void **state)
{
    static const struct {
        const char *fields[9];
        const char *error;
    } cases[] = {
        {{":status", "200", "content-type", "application/grpc", "grpc-status", "5", "grpc-message",
          "unknown%20service %zz%", NULL},
         "rpc error: code = NotFound desc = unknown service %zz%"},
        {{":status", "200", "content-type", "application/grpc+proto", "grpc-status", "99", NULL},
         "rpc error: code = Code(99) desc = "},
        {{":status", "200", "content-type", "application/grpc", "grpc-status", "x", NULL},
         "rpc error: code = Unknown desc = "},
        {{":status", "200", "content-type", "application/grpc", NULL},
         "rpc error: code = Unknown desc = server closed the stream without sending trailers"},
        {{":status", "404", "content-type", "text/html", NULL},
         "rpc error: code = Unimplemented desc = Not Found: HTTP status code 404; transport: "
         "received the unexpected content-type \"text/html\""},
        {{":status", "503", NULL},
         "rpc error: code = Unavailable desc = Service Unavailable: HTTP status code 503; "
         "transport: missing content-type field"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frames f = refusal(cases[i].fields);
        expect(&f, GRPC_FAILED, cases[i].error);
    }
}

static void test_a_peer_that_breaks_off_is_unavailable(void **state)
{
    struct frames f = {.len = 0};
    (void)state;
    frame(&f, SETTINGS, 0, 0, "", 0);
    frame(&f, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    expect(&f, GRPC_FAILED, NULL);
    f.len = 0;
    frame(&f, SETTINGS, 0, 0, "", 0);
    frame(&f, RESET, 0, 1, "\0\0\0\7", 4);
    expect(&f, GRPC_FAILED,
           "rpc error: code = Unavailable desc = stream terminated by RST_STREAM with error code: "
           "REFUSED_STREAM");
    f.len = 0;
    put(&f, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    expect(&f, GRPC_FAILED, "rpc error: code = Unavailable desc = connection closed");
}

static void test_a_long_message_is_not_kept(void **state)
{
    static uint8_t zeros[8000];
    (void)state;
    zeros[3] = 0x1f;
    struct frames f = answer(zeros, sizeof zeros);
    struct grpc_call *c = feed(&f, f.len, f.len);
    assert_int_equal(grpc_call_outcome(c), GRPC_FAILED);
    assert_non_null(strstr(grpc_call_error(c), "ResourceExhausted"));
    grpc_call_destroy(c);
}

/* A peer that asks and does not read must not make us keep answers for it. */
static void test_a_peer_is_not_answered_without_end(void **state)
{
    struct frames settings = {.len = 0}, ping = {.len = 0};
    const uint8_t *out;
    size_t sent = 0;
    (void)state;
    frame(&settings, SETTINGS, 0, 0, "", 0);
    frame(&ping, PING, 0, 0, "12345678", 8);
    struct grpc_call *c = feed(&settings, settings.len, settings.len);
    for (int i = 0; i < 10000 && grpc_call_outcome(c) == GRPC_PENDING; i++) {
        grpc_call_feed(c, ping.data, ping.len);
        for (size_t n; (n = grpc_call_output(c, &out)) > 0;) {
            sent += n;
        }
    }
    assert_in_range(sent, 1000 * ping.len, 66000);
    assert_int_equal(grpc_call_outcome(c), GRPC_FAILED);
    grpc_call_destroy(c);
}

static void test_the_service_is_asked_for(void **state)
{
    struct grpc_call *c = grpc_call_create("h:1", "web", false, MU_SEC);
    const uint8_t *out;
    char all[4096];
    size_t len = 0;
    (void)state;
    for (size_t n; (n = grpc_call_output(c, &out)) > 0; len += n) {
        memcpy(all + len, out, n);
    }
    assert_memory_equal(all, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    assert_memory_equal(all + len - 10, "\0\0\0\0\5\12\3web", 10);
    grpc_call_destroy(c);
    char name[1100];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(grpc_call_create("h:1", name, false, MU_SEC)); /* longer than any service's */
}

/* ---- Over a socket ---- */

static void run_against(struct world *w, struct server *s, const struct frames *f,
                        const char *service)
{
    char target[64];
    s->answer = (const char *)f->data;
    s->answer_len = f->len;
    kit_listen(w, s);
    snprintf(target, sizeof target, "127.0.0.1:%u%s", s->port, service);
    kit_run_once(w, &(struct catalog_check_type){.grpc = mu__cstr(target),
                                                 .timeout_ns = 50 * (int64_t)MU_MSEC,
                                                 .interval_ns = (int64_t)MU_SEC});
    evconnlistener_free(s->listener);
}

static void test_a_serving_peer_passes(void **state)
{
    struct world *w = *state;
    struct server s = {.stays = true};
    char expected[64];
    struct frames f = answer("\0\0\0\0\2\10\1", 7);
    run_against(w, &s, &f, "/web");
    snprintf(expected, sizeof expected, "gRPC check 127.0.0.1:%u/web: success", s.port);
    assert_string_equal(w->output, expected);
    assert_int_equal(w->status, CHECK_PASSING);
    f = answer("\0\0\0\0\2\10\2", 7);
    run_against(w, &s, &f, "");
    assert_string_equal(w->output, "gRPC application didn't report service healthy");
    assert_int_equal(w->status, CHECK_CRITICAL);
}

static void test_a_silent_peer_exceeds_the_deadline(void **state)
{
    struct world *w = *state;
    struct server s = {.silent = true};
    struct frames f = answer("", 0);
    run_against(w, &s, &f, "");
    assert_string_equal(w->output,
                        "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
}

static void test_a_peer_that_cannot_be_reached_is_named(void **state)
{
    struct world *w = *state;
    char target[64], expected[256];
    uint16_t port = kit_closed_port(w);
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    kit_run_once(
        w, &(struct catalog_check_type){.grpc = mu__cstr(target), .interval_ns = (int64_t)MU_SEC});
    snprintf(expected, sizeof expected,
             "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error "
             "while dialing dial tcp %s: connect: connection refused\"",
             target);
    assert_string_equal(w->output, expected);
    kit_run_once(w, &(struct catalog_check_type){.grpc = mu__cstr("hostonly"),
                                                 .interval_ns = (int64_t)MU_SEC});
    assert_non_null(strstr(w->output, "dial tcp: address hostonly: missing port in address"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_status_in_the_message_decides),
        TEST(test_messages_that_are_none_fail),
        TEST(test_refusals_are_told_in_grpcs_words),
        TEST(test_a_peer_that_breaks_off_is_unavailable),
        TEST(test_a_long_message_is_not_kept),
        TEST(test_a_peer_is_not_answered_without_end),
        TEST(test_the_service_is_asked_for),
        TEST(test_a_serving_peer_passes),
        TEST(test_a_silent_peer_exceeds_the_deadline),
        TEST(test_a_peer_that_cannot_be_reached_is_named),
    };
    return cmocka_run_group_tests_name("check_grpc", tests, NULL, NULL);
}
