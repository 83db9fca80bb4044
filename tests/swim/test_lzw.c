/* Mirrors src/lzw.c. */
#include "mu_test.h"

#include "lzw.h"
#include "prng.h"

static void check_round_trip(const uint8_t *plain, size_t len)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__lzw_pack(&w, plain, len);
    assert_false(w.failed);
    uint8_t *out = malloc(len + 1);
    assert_non_null(out);
    size_t counted, size;
    assert_true(swim__lzw_unpack(w.data, w.len, NULL, SIZE_MAX, &counted));
    assert_int_equal(counted, len);
    assert_true(swim__lzw_unpack(w.data, w.len, out, len, &size));
    assert_int_equal(size, len);
    if (len > 0) {
        assert_memory_equal(out, plain, len);
    }
    free(out);
    mu__writer_fini(&w);
}

static void test_what_is_packed_unpacks_to_itself(void **state)
{
    (void)state;
    static uint8_t plain[40000];
    static const size_t lengths[] = {0, 1, 2, 3, 255, 3838, 3839, 3840, 5000, 40000};
    struct mu__prng prng;
    for (unsigned alphabet = 1; alphabet <= 256; alphabet *= 4) {
        mu__prng_seed(&prng, alphabet);
        for (size_t i = 0; i < sizeof plain; i++) {
            plain[i] = (uint8_t)mu__prng_below(&prng, alphabet);
        }
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            check_round_trip(plain, lengths[i]);
        }
    }
}

static void test_known_bytes_unpack(void **state)
{
    (void)state;
    /* Codes of 9 bits: 'a' (97), 258 = "aa" which is only being defined, end (257). */
    const uint8_t packed[] = {0x61, 0x04, 0x06, 0x04};
    uint8_t out[8];
    size_t size;
    assert_true(swim__lzw_unpack(packed, sizeof packed, out, sizeof out, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(out, "aaa", 3);
}

static void test_a_leading_clear_code_is_accepted(void **state)
{
    (void)state;
    /* clear (256), 'x' (120), end (257) */
    const uint8_t packed[] = {0x00, 0xf1, 0x04, 0x04};
    uint8_t out[1];
    size_t size;
    assert_true(swim__lzw_unpack(packed, sizeof packed, out, sizeof out, &size));
    assert_int_equal(size, 1);
    assert_int_equal(out[0], 'x');
}

static void test_a_stream_without_its_end_is_refused(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    const uint8_t plain[] = "what a long message this is, a long message";
    uint8_t out[sizeof plain];
    size_t size = 77;
    swim__lzw_pack(&w, plain, sizeof plain);
    for (size_t len = 0; len < w.len; len++) {
        assert_false(swim__lzw_unpack(w.data, len, out, sizeof out, &size));
    }
    assert_int_equal(size, 77); /* written on success only */
    mu__writer_fini(&w);
}

static void test_output_beyond_the_cap_is_refused(void **state)
{
    (void)state;
    static uint8_t zeros[100000];
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    size_t size;
    swim__lzw_pack(&w, zeros, sizeof zeros);
    assert_in_range(w.len, 1, 1000); /* that is what makes the cap necessary */
    assert_false(swim__lzw_unpack(w.data, w.len, NULL, sizeof zeros - 1, &size));
    assert_true(swim__lzw_unpack(w.data, w.len, NULL, sizeof zeros, &size));
    mu__writer_fini(&w);
}

static void test_codes_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    uint8_t out[64];
    size_t size;
    /* The first code after a start or a clear must be a byte. */
    const uint8_t starts_with_258[] = {0x02, 0x03, 0x04, 0x00};
    /* 'a' then 259, which the second step cannot define. */
    const uint8_t too_high[] = {0x61, 0x06, 0x06, 0x04};
    assert_false(swim__lzw_unpack(starts_with_258, sizeof starts_with_258, out, sizeof out, &size));
    assert_false(swim__lzw_unpack(too_high, sizeof too_high, out, sizeof out, &size));
}

static void test_rubbish_never_leaves_its_bounds(void **state)
{
    (void)state;
    struct mu__prng prng;
    mu__prng_seed(&prng, 7);
    for (int round = 0; round < 3000; round++) {
        uint8_t in[600], out[900];
        size_t len = (size_t)mu__prng_below(&prng, sizeof in), counted = 0, size = 0;
        for (size_t i = 0; i < len; i++) {
            in[i] = (uint8_t)mu__prng_next(&prng);
        }
        bool fits = swim__lzw_unpack(in, len, NULL, sizeof out, &counted);
        assert_int_equal(swim__lzw_unpack(in, len, out, sizeof out, &size), fits);
        assert_int_equal(size, counted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_packed_unpacks_to_itself),
        cmocka_unit_test(test_known_bytes_unpack),
        cmocka_unit_test(test_a_leading_clear_code_is_accepted),
        cmocka_unit_test(test_a_stream_without_its_end_is_refused),
        cmocka_unit_test(test_output_beyond_the_cap_is_refused),
        cmocka_unit_test(test_codes_that_do_not_exist_are_refused),
        cmocka_unit_test(test_rubbish_never_leaves_its_bounds),
    };
    return cmocka_run_group_tests_name("lzw", tests, NULL, NULL);
}
