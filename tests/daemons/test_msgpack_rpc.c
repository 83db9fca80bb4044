/* Mirrors daemons/rpc/msgpack_rpc.c and endpoints.c, with calls captured from Consul 1.8.7. */
#include "mu_test.h"

#include "rpc/config_codec.h"
#include "rpc/endpoints.h"
#include "rpc/msgpack_rpc.h"

#include "msgpack.h"

static void no_done(struct call *c, void *arg)
{
    (void)c;
    (void)arg;
}

static size_t unhex(const char *hex, uint8_t *out, size_t max)
{
    size_t n = 0;
    for (unsigned v; n < max && sscanf(hex + 2 * n, "%2x", &v) == 1; n++) {
        out[n] = (uint8_t)v;
    }
    return n;
}

/* Feeds the bytes in pieces of `step` and expects one message, complete with the last byte and not
 * before. */
static void feed_in_steps(struct rpc_inbox *b, const uint8_t *bytes, size_t n, size_t step)
{
    struct evbuffer *in = evbuffer_new();
    for (size_t at = 0; at < n; at += step) {
        evbuffer_add(in, bytes + at, mu__min(step, n - at));
        assert_int_equal(rpc_inbox_feed(b, in), at + step < n ? RPC_MORE : RPC_COMPLETE);
    }
    evbuffer_free(in);
}

/* Decodes a captured request and encodes it again; the bytes may differ in the order of a Go map
 * alone. */
static void check_request(const struct endpoint *e, const uint8_t *bytes, size_t n)
{
    struct rpc_request_header h;
    struct rpc_inbox b;
    struct call *c = call_create(e, 0, no_done, NULL);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    rpc_inbox_init(&b, 1 << 20);
    feed_in_steps(&b, bytes, n, 1);
    struct mu__reader r = rpc_inbox_message(&b);
    assert_true(rpc_read_request_header(&r, &c->arena, &h));
    assert_ptr_equal(endpoint_find(h.method), e);
    if (e->request) {
        assert_true(e->request_codec
                        ? e->request_codec->read(&r, &c->arena, true, c->request)
                        : mu__schema_decode(e->request, &r, &c->arena, true, c->request));
        assert_int_equal(mu__reader_left(&r), 0);
    }
    rpc_write_request(&w, &h, e, c->request);
    assert_int_equal(w.len, n);
    mu__writer_fini(&w);
    rpc_inbox_fini(&b);
    call_free(c);
}

static void check_response(const struct endpoint *e, const uint8_t *bytes, size_t n)
{
    struct rpc_response_header h;
    struct rpc_inbox b;
    struct call *c = call_create(e, 0, no_done, NULL);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    rpc_inbox_init(&b, 1 << 20);
    feed_in_steps(&b, bytes, n, 7);
    struct mu__reader r = rpc_inbox_message(&b);
    assert_true(rpc_read_response_header(&r, &c->arena, &h));
    if (h.error.len) {
        rpc_write_error(&w, h.seq, h.method, h.error);
        assert_int_equal(w.len, n);
        assert_memory_equal(w.data, bytes, n);
    } else {
        assert_true(rpc_read_reply(&r, false, c));
        assert_int_equal(mu__reader_left(&r), 0);
        rpc_write_response(&w, h.seq, h.method, c);
        assert_int_equal(w.len, n);
    }
    mu__writer_fini(&w);
    rpc_inbox_fini(&b);
    call_free(c);
}

static void test_captured_calls_survive_decoding_and_encoding(void **state)
{
    (void)state;
    FILE *f = fopen(MUSTER_TEST_DATA "/rpc_calls.txt", "r");
    assert_non_null(f);
    static char line[16384];
    static uint8_t bytes[8192];
    int rows = 0;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') {
            continue;
        }
        char *request = strchr(line, ' ');
        *request++ = '\0';
        char *response = strchr(request, ' ');
        *response++ = '\0';
        const struct endpoint *e = endpoint_find(mu__cstr(line));
        assert_non_null(e);
        check_request(e, bytes, unhex(request, bytes, sizeof bytes));
        check_response(e, bytes, unhex(response, bytes, sizeof bytes));
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, 44);
}

static void test_endpoints_are_sorted_and_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        assert_ptr_equal(endpoint_find(mu__cstr(endpoints[i].method)), &endpoints[i]);
        if (i > 0) {
            assert_true(strcmp(endpoints[i - 1].method, endpoints[i].method) < 0);
        }
        bool of_records =
            endpoints[i].reply_kind == REPLY_STRUCT || endpoints[i].reply_kind == REPLY_LIST;
        assert_int_equal(endpoints[i].reply != NULL, of_records);
    }
    assert_null(endpoint_find(mu__cstr("KVS.Nope")));
    assert_null(endpoint_find(mu__cstr("")));
    assert_null(endpoint_find(mu__cstr("kvs.get")));
    assert_true(endpoint_service_exists(mu__cstr("KVS")));
    assert_false(endpoint_service_exists(mu__cstr("KV")));
    assert_false(endpoint_service_exists(mu__cstr("")));
}

static void test_scan_takes_every_form_of_value(void **state)
{
    (void)state;
    static const char *const values[] = {
        "00",
        "7f",
        "e0",
        "ff",
        "c0",
        "c2",
        "c3",
        "a0",
        "a161",
        "bf61616161616161616161616161616161616161616161616161616161616161",
        "c40161",
        "c5000161",
        "c60000000161",
        "c7010561",
        "c800010561",
        "c9000000010561",
        "ca00000000",
        "cb0000000000000000",
        "cc01",
        "cd0001",
        "ce00000001",
        "cf0000000000000001",
        "d001",
        "d10001",
        "d200000001",
        "d30000000000000001",
        "d40561",
        "d5056161",
        "d60561616161",
        "d7056161616161616161",
        "d80561616161616161616161616161616161",
        "d90161",
        "da000161",
        "db0000000161",
        "90",
        "9101",
        "dc000101",
        "dd0000000101",
        "80",
        "810102",
        "de00010102",
        "df000000010102",
        "9280a0",
        "81a16b92c0c0",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[64];
        size_t n = unhex(values[i], bytes, sizeof bytes);
        struct mu__reader r = mu__reader(bytes, n);
        mu__mp_skip(&r); /* the two readers of msgpack agree */
        assert_false(r.failed);
        assert_int_equal(mu__reader_left(&r), 0);
        for (size_t have = 0; have <= n; have++) {
            struct rpc_scan s;
            rpc_scan_init(&s, 1);
            assert_int_equal(rpc_scan(&s, bytes, have, 1000), have < n ? RPC_MORE : RPC_COMPLETE);
        }
    }
}

static void test_scan_refuses_what_cannot_be_a_message(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum rpc_progress want;
    } rows[] = {
        {"c1", RPC_MALFORMED},         {"82c1", RPC_MALFORMED},
        {"db00001000", RPC_TOO_LARGE}, /* text above the limit, before any of it is there */
        {"ddffffffff", RPC_TOO_LARGE}, /* more elements than bytes are allowed */
        {"dfffffffff", RPC_TOO_LARGE}, {"c9ffffffff05", RPC_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[16];
        struct rpc_scan s;
        size_t n = unhex(rows[i].hex, bytes, sizeof bytes);
        rpc_scan_init(&s, 2);
        assert_int_equal(rpc_scan(&s, bytes, n, 1000), rows[i].want);
    }
    uint8_t nested[RPC_DEPTH_MAX + 1];
    struct rpc_scan s;
    memset(nested, 0x91, sizeof nested);
    rpc_scan_init(&s, 2);
    assert_int_equal(rpc_scan(&s, nested, sizeof nested, 1000), RPC_MALFORMED);
}

static void test_sum_of_small_values_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[2000] = {0xdc, 0x03, 0xe8}; /* 1000 values of two bytes each */
    memset(bytes + 3, 0xa1, sizeof bytes - 3);
    struct rpc_scan s;
    rpc_scan_init(&s, 2);
    assert_int_equal(rpc_scan(&s, bytes, sizeof bytes, 1000), RPC_TOO_LARGE);
}

static void test_inbox_keeps_what_follows_a_message(void **state)
{
    (void)state;
    struct rpc_inbox b;
    struct evbuffer *in = evbuffer_new();
    rpc_inbox_init(&b, 100);
    evbuffer_add(in, "\x80\x01\x81\x01\x02\x80\x80", 7); /* {} 1, {1:2} {}, {} and more to come */
    assert_int_equal(rpc_inbox_feed(&b, in), RPC_COMPLETE);
    assert_int_equal(rpc_inbox_message(&b).len, 2);
    rpc_inbox_drop(&b);
    assert_int_equal(rpc_inbox_feed(&b, in), RPC_COMPLETE);
    assert_int_equal(rpc_inbox_message(&b).len, 4);
    rpc_inbox_drop(&b);
    assert_int_equal(rpc_inbox_feed(&b, in), RPC_MORE);
    rpc_inbox_fini(&b);
    evbuffer_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured_calls_survive_decoding_and_encoding),
        cmocka_unit_test(test_endpoints_are_sorted_and_found),
        cmocka_unit_test(test_scan_takes_every_form_of_value),
        cmocka_unit_test(test_scan_refuses_what_cannot_be_a_message),
        cmocka_unit_test(test_sum_of_small_values_is_bounded),
        cmocka_unit_test(test_inbox_keeps_what_follows_a_message),
    };
    return cmocka_run_group_tests_name("msgpack_rpc", tests, NULL, NULL);
}
