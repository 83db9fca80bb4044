/* Mirrors src/der.c and src/der_time.c. */
#include "der.h"

#include "ca_kit.h"

static struct mu__reader bytes(const char *s, size_t len)
{
    return mu__reader(s, len);
}
#define BYTES(s) bytes(s, sizeof(s) - 1)

static void test_lengths_are_in_their_shortest_form(void **state)
{
    (void)state;
    struct mu_str v;
    struct mu__reader good = BYTES("\x04\x02hi");
    assert_true(ca__der_get(&good, DER_OCTET_STRING, &v) && v.len == 2 && ca__der_done(&good));
    struct mu__reader bad[] = {BYTES("\x04\x81\x02hi"),
                               BYTES("\x04\x82\x00\x02hi"),
                               BYTES("\x04\x80hi\x00\x00"),
                               BYTES("\x04\x03hi"),
                               BYTES("\x04\x84\x00\x00\x00\x02hi"),
                               BYTES("\x04"),
                               BYTES("\x1f\x01\x00"),
                               BYTES("\x04\xff")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t tag;
        assert_false(ca__der_any(&bad[i], &tag, &v, NULL));
        assert_false(ca__der_done(&bad[i]));
    }
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 127, 128, 255, 256, 300, 65535, 65536, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        char *value = calloc(1, lengths[i] + 1);
        assert_non_null(value);
        size_t outer = ca__der_begin(&w, DER_SEQUENCE);
        ca__der_put(&w, DER_OCTET_STRING, (struct mu_str){value, lengths[i]});
        ca__der_end(&w, outer);
        struct mu__reader r = mu__reader(w.data, w.len), in = ca__der_enter(&r, DER_SEQUENCE);
        struct mu_str v;
        assert_true(ca__der_get(&in, DER_OCTET_STRING, &v));
        assert_true(v.len == lengths[i] && ca__der_done(&in) && ca__der_done(&r));
        mu__writer_fini(&w);
        free(value);
    }
}

static void test_integers_are_positive_and_short(void **state)
{
    (void)state;
    struct mu_str v;
    unsigned small;
    struct mu__reader a = BYTES("\x02\x02\x00\x80");
    assert_true(ca__der_unsigned(&a, &v) && v.len == 1 && (uint8_t)v.p[0] == 0x80);
    struct mu__reader b = BYTES("\x02\x01\x00");
    assert_true(ca__der_small(&b, 0, &small) && small == 0);
    struct mu__reader bad[] = {BYTES("\x02\x00"), BYTES("\x02\x01\x80"), BYTES("\x02\x02\x00\x7f"),
                               BYTES("\x02\x02\xff\xff")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(ca__der_unsigned(&bad[i], &v));
    }
    struct mu__reader big = BYTES("\x02\x01\x05");
    assert_false(ca__der_small(&big, 4, &small));
}

static void test_an_error_is_remembered(void **state)
{
    (void)state;
    struct mu_str v = {NULL, 0};
    struct mu__reader r = BYTES("\x04\x01x\x02\x01\x01\x04\x01y");
    assert_true(ca__der_get(&r, DER_OCTET_STRING, &v));
    assert_false(ca__der_get(&r, DER_OCTET_STRING, &v));
    assert_false(ca__der_get(&r, DER_INTEGER, &v)); /* although it stands there */
    assert_false(ca__der_more(&r));
    assert_false(ca__der_done(&r));
}

static int64_t read_time(const char *der, size_t len)
{
    int64_t t = -1;
    struct mu__reader r = mu__reader(der, len);
    return ca__der_time(&r, &t) ? t : INT64_MIN;
}
#define TIME(s) read_time(s, sizeof(s) - 1)

static void test_times_are_those_of_rfc_5280(void **state)
{
    (void)state;
    assert_true(TIME("\x17\x0d"
                     "700101000000Z") == 0);
    assert_true(TIME("\x17\x0d"
                     "491231235959Z") == 2524607999);
    assert_true(TIME("\x17\x0d"
                     "500101000000Z") == -631152000);
    assert_true(TIME("\x18\x0f"
                     "20500101000000Z") == 2524608000);
    assert_true(TIME("\x18\x0f"
                     "99991231235959Z") == 253402300799);
    assert_true(TIME("\x17\x0d"
                     "000229000000Z") == 951782400);
    assert_true(TIME("\x17\x0d"
                     "010229000000Z") == INT64_MIN);
    assert_true(TIME("\x17\x0d"
                     "300631000000Z") == INT64_MIN);
    assert_true(TIME("\x17\x0d"
                     "300101240000Z") == INT64_MIN);
    assert_true(TIME("\x17\x0d"
                     "3001010000 0Z") == INT64_MIN);
    assert_true(TIME("\x17\x0d"
                     "300101000000z") == INT64_MIN);
    assert_true(TIME("\x18\x0f"
                     "20300101000000Z") == INT64_MIN);
    assert_true(TIME("\x18\x0d"
                     "300101000000Z") == INT64_MIN);
}

/* Each day of nine centuries: a property that a table of cases would not give. */
static void test_times_survive_being_written(void **state)
{
    (void)state;
    for (int64_t t = 0; t < INT64_C(28000000000); t += 86400 * 13 + 4711) {
        uint8_t buf[32];
        int64_t back;
        struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
        ca__der_put_time(&w, t);
        struct mu__reader r = mu__reader(buf, w.len);
        assert_true(ca__der_time(&r, &back) && back == t && ca__der_done(&r));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_are_in_their_shortest_form),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_integers_are_positive_and_short),
        cmocka_unit_test(test_an_error_is_remembered),
        cmocka_unit_test(test_times_are_those_of_rfc_5280),
        cmocka_unit_test(test_times_survive_being_written),
    };
    return cmocka_run_group_tests_name("ca der", tests, NULL, NULL);
}
