/* Mirrors src/msgpack.c. The bytes are what Consul 1.8.7 writes. */
#include "mu_test.h"

#include "msgpack.h"

#include <math.h>

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (unsigned v; sscanf(hex + 2 * n, "%2x", &v) == 1; n++) {
        out[n] = (uint8_t)v;
    }
    return n;
}

static void expect(struct mu__writer *w, const char *hex)
{
    uint8_t want[64];
    size_t n = unhex(hex, want);
    assert_false(w->failed);
    assert_int_equal(w->len, n);
    assert_memory_equal(w->data, want, n);
    w->len = 0;
}

static void test_integers_take_their_shortest_form_and_read_back(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        const char *hex;
    } rows[] = {
        {0, "00"},
        {1, "01"},
        {127, "7f"},
        {128, "cc80"},
        {255, "ccff"},
        {256, "cd0100"},
        {65535, "cdffff"},
        {65536, "ce00010000"},
        {4294967295, "ceffffffff"},
        {4294967296, "cf0000000100000000"},
        {-1, "ff"},
        {-32, "e0"},
        {-33, "d0df"},
        {-128, "d080"},
        {-129, "d1ff7f"},
        {-32768, "d18000"},
        {-32769, "d2ffff7fff"},
        {-2147483648, "d280000000"},
        {-2147483649, "d3ffffffff7fffffff"},
        {15000000000, "cf000000037e11d600"},
        {INT64_MIN, "d38000000000000000"},
        {INT64_MAX, "cf7fffffffffffffff"},
    };
    uint8_t buf[16];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
        mu__mp_write_int(&w, rows[i].v);
        struct mu__reader r = mu__reader(buf, w.len);
        expect(&w, rows[i].hex);
        assert_true(mu__mp_read_int(&r) == rows[i].v);
        assert_false(r.failed);
    }
}

static void test_text_uses_raw_with_sixteen_bits_from_32_bytes_on(void **state)
{
    (void)state;
    uint8_t buf[70000];
    static const char text[70000] = {'x'};
    static const struct {
        size_t len, head;
        uint8_t first;
    } rows[] = {{0, 1, 0xa0}, {31, 1, 0xbf}, {32, 3, 0xda}, {65535, 3, 0xda}, {65536, 5, 0xdb}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
        mu__mp_write_raw(&w, text, rows[i].len);
        assert_int_equal(w.len, rows[i].head + rows[i].len);
        assert_int_equal(buf[0], rows[i].first);
        struct mu__reader r = mu__reader(buf, w.len);
        struct mu_str s = mu__mp_read_str(&r);
        assert_int_equal(s.len, rows[i].len);
        assert_false(r.failed);
    }
}

static void test_floats_and_containers_match_the_wire(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    mu__mp_write_float(&w, 1.5);
    expect(&w, "cb3ff8000000000000");
    mu__mp_write_bool(&w, true);
    mu__mp_write_bool(&w, false);
    mu__mp_write_nil(&w);
    expect(&w, "c3c2c0");
    mu__mp_write_array(&w, 15);
    mu__mp_write_array(&w, 16);
    mu__mp_write_array(&w, 65536);
    expect(&w, "9fdc0010dd00010000");
    mu__mp_write_map(&w, 15);
    mu__mp_write_map(&w, 16);
    mu__mp_write_map(&w, 65536);
    expect(&w, "8fde0010df00010000");
}

static void test_a_float32_is_the_decimal_that_it_was(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        double value;
    } rows[] = {
        {"ca42c7fae1", 99.99},      {"ca3c23d70a", 0.01},           {"ca42055c29", 33.34},
        {"ca00000000", 0},          {"cac2c7fae1", -99.99},         {"ca3fc00000", 1.5},
        {"ca4b7fffff", 16777215.0}, {"ca7f7fffff", 0x1.fffffep127}, {"ca00000001", 0x1p-149}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[16];
        struct mu__reader r = mu__reader(bytes, unhex(rows[i].wire, bytes));
        double v = mu__mp_read_float(&r);
        assert_memory_equal(&v, &rows[i].value, sizeof v);
    }
    uint8_t odd[2][8];
    struct mu__reader r = mu__reader(odd[0], unhex("ca7fc00000", odd[0]));
    assert_true(isnan(mu__mp_read_float(&r)));
    r = mu__reader(odd[1], unhex("caff800000", odd[1]));
    assert_true(isinf(mu__mp_read_float(&r)));
}

static void test_lying_counts_fail_before_anything_could_be_allocated(void **state)
{
    (void)state;
    static const char *const lies[] = {"ddffffffff", "dcffff01", "91", "9f0102"};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t bytes[16];
        struct mu__reader r = mu__reader(bytes, unhex(lies[i], bytes));
        assert_int_equal(mu__mp_read_array(&r), 0);
        assert_true(r.failed);
    }
    uint8_t map[] = {0x82, 0, 0, 0}; /* two pairs need four bytes */
    struct mu__reader r = mu__reader(map, sizeof map);
    assert_int_equal(mu__mp_read_map(&r), 0);
    assert_true(r.failed);
}

static void test_every_truncation_of_a_value_fails(void **state)
{
    (void)state;
    static const char *const values[] = {
        "cd0100",      "cf0000000100000000", "cb3ff8000000000000", "da00026162",
        "c4026162",    "9301a161c0",         "82a16101a16202",     "d401ff",
        "c70301616263"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[32];
        size_t n = unhex(values[i], bytes);
        for (size_t cut = 0; cut <= n; cut++) {
            struct mu__reader r = mu__reader(bytes, cut);
            mu__mp_skip(&r);
            assert_int_equal(r.failed, cut < n);
            assert_int_equal(mu__reader_left(&r), 0);
        }
    }
}

static void test_skip_bounds_the_depth_without_recursion(void **state)
{
    (void)state;
    uint8_t nested[MU_MSGPACK_DEPTH_MAX + 1];
    memset(nested, 0x91, sizeof nested);
    nested[MU_MSGPACK_DEPTH_MAX - 1] = 0x01;
    struct mu__reader r = mu__reader(nested, MU_MSGPACK_DEPTH_MAX);
    mu__mp_skip(&r);
    assert_false(r.failed);
    nested[MU_MSGPACK_DEPTH_MAX - 1] = 0x91;
    nested[MU_MSGPACK_DEPTH_MAX] = 0x01;
    r = mu__reader(nested, sizeof nested);
    mu__mp_skip(&r);
    assert_true(r.failed);
}

static void test_reserved_byte_ends_the_reader(void **state)
{
    (void)state;
    uint8_t bytes[] = {0xc1};
    struct mu__reader r = mu__reader(bytes, 1);
    assert_int_equal(mu__mp_peek(&r), MU_MP_END);
    mu__mp_skip(&r);
    assert_true(r.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_take_their_shortest_form_and_read_back),
        cmocka_unit_test(test_text_uses_raw_with_sixteen_bits_from_32_bytes_on),
        cmocka_unit_test(test_floats_and_containers_match_the_wire),
        cmocka_unit_test(test_a_float32_is_the_decimal_that_it_was),
        cmocka_unit_test(test_lying_counts_fail_before_anything_could_be_allocated),
        cmocka_unit_test(test_every_truncation_of_a_value_fails),
        cmocka_unit_test(test_skip_bounds_the_depth_without_recursion),
        cmocka_unit_test(test_reserved_byte_ends_the_reader),
    };
    return cmocka_run_group_tests_name("msgpack", tests, NULL, NULL);
}
