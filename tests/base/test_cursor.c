/* Mirrors src/cursor.c and src/alloc.c. */
#include "mu_test.h"

#include "cursor.h"

static void test_reader_gives_values_in_order_and_knows_what_is_left(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 4, 3, 2, 1, 'h', 'i'};
    struct mu__reader r = mu__reader(bytes, sizeof bytes);
    assert_int_equal(mu__read_u8(&r), 1);
    assert_int_equal(mu__read_u16be(&r), 0x1234);
    assert_true(mu__read_u32be(&r) == 0xdeadbeef);
    assert_true(mu__read_u32le(&r) == 0x01020304);
    assert_int_equal(mu__reader_left(&r), 2);
    assert_memory_equal(mu__read_bytes(&r, 2), "hi", 2);
    assert_false(r.failed);
}

static void test_reader_stays_failed_after_a_read_past_the_end(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3};
    struct mu__reader r = mu__reader(bytes, sizeof bytes);
    assert_int_equal(mu__read_u32be(&r), 0);
    assert_true(r.failed);
    assert_int_equal(mu__read_u8(&r), 0); /* three bytes are there, but the reader has failed */
    assert_null(mu__read_bytes(&r, 0));
    assert_int_equal(mu__reader_left(&r), 0);
}

static void test_reader_refuses_a_length_that_would_overflow(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3};
    struct mu__reader r = mu__reader(bytes, sizeof bytes);
    mu__read_u8(&r);
    assert_null(mu__read_bytes(&r, SIZE_MAX));
    assert_true(r.failed);
}

static void test_what_a_writer_wrote_a_reader_reads(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__write_u16be(&w, 0xabcd);
    mu__write_u64be(&w, UINT64_C(0x0123456789abcdef));
    mu__write_u64le(&w, UINT64_C(0x0123456789abcdef));
    mu__write_cstr(&w, "text");
    assert_false(w.failed);
    struct mu__reader r = mu__reader(w.data, w.len);
    assert_int_equal(mu__read_u16be(&r), 0xabcd);
    assert_true(mu__read_u64be(&r) == UINT64_C(0x0123456789abcdef));
    assert_true(mu__read_u64le(&r) == UINT64_C(0x0123456789abcdef));
    assert_memory_equal(mu__read_bytes(&r, 4), "text", 4);
    assert_int_equal(mu__reader_left(&r), 0);
    mu__writer_fini(&w);
}

static void test_fixed_writer_keeps_what_fitted_and_fails(void **state)
{
    (void)state;
    uint8_t buf[3];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    mu__write_u16be(&w, 0x0102);
    mu__write_u16be(&w, 0x0304);
    assert_true(w.failed);
    assert_int_equal(w.len, 2);
    mu__write_u8(&w, 5); /* would fit, but a failed writer writes nothing more */
    assert_int_equal(w.len, 2);
}

static void *no_memory(void *user, void *p, size_t size)
{
    (void)user;
    (void)p;
    (void)size;
    return NULL;
}

static void no_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

static void test_growing_writer_fails_without_memory(void **state)
{
    (void)state;
    const struct mu_allocator none = {NULL, NULL, no_memory, no_free};
    struct mu__writer w = mu__writer_growing(&none);
    mu__write_u8(&w, 1);
    assert_true(w.failed);
    mu__writer_fini(&w);
}

static void test_sizes_are_multiplied_and_added_with_care(void **state)
{
    (void)state;
    size_t out = 7;
    assert_false(mu__mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_false(mu__add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 7);
    assert_true(mu__mul(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
    assert_null(mu__calloc(&mu__malloc_allocator, SIZE_MAX, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_gives_values_in_order_and_knows_what_is_left),
        cmocka_unit_test(test_reader_stays_failed_after_a_read_past_the_end),
        cmocka_unit_test(test_reader_refuses_a_length_that_would_overflow),
        cmocka_unit_test(test_what_a_writer_wrote_a_reader_reads),
        cmocka_unit_test(test_fixed_writer_keeps_what_fitted_and_fails),
        cmocka_unit_test(test_growing_writer_fails_without_memory),
        cmocka_unit_test(test_sizes_are_multiplied_and_added_with_care),
    };
    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
