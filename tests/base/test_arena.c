/* Mirrors src/arena.c. */
#include "mu_test.h"

#include "arena.h"

#include <stdalign.h>

static void test_pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct mu__arena a;
    unsigned char *pieces[300];
    mu__arena_init(&a, NULL, 0);
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = mu__arena_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_equal(pieces[i][k], i & 0xff);
        }
    }
    mu__arena_fini(&a);
    assert_int_equal(a.used, 0);
}

static void test_limit_bounds_the_sum_of_all_blocks(void **state)
{
    (void)state;
    struct mu__arena a;
    mu__arena_init(&a, NULL, 10000);
    size_t given = 0;
    while (mu__arena_alloc(&a, 100)) {
        given += 100;
        assert_true(given <= 10000);
    }
    assert_true(a.used <= 10000);
    assert_null(mu__arena_alloc(&a, SIZE_MAX));
    assert_null(mu__arena_calloc(&a, SIZE_MAX / 2, 3));
    mu__arena_fini(&a);
    assert_non_null(mu__arena_alloc(&a, 100)); /* it can be used again */
    mu__arena_fini(&a);
}

static void test_reset_keeps_one_block_and_forgets_the_rest(void **state)
{
    (void)state;
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    mu__arena_reset(&a); /* empty: nothing happens */
    for (int i = 0; i < 1000; i++) {
        assert_non_null(mu__arena_alloc(&a, 64));
    }
    size_t before = a.used;
    mu__arena_reset(&a);
    assert_true(a.used > 0 && a.used < before);
    void *p = mu__arena_alloc(&a, 64);
    mu__arena_reset(&a);
    assert_ptr_equal(mu__arena_alloc(&a, 64), p);
    mu__arena_fini(&a);
}

static void test_copies_hold_their_bytes(void **state)
{
    (void)state;
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    assert_string_equal(mu__arena_strndup(&a, "hello", 4), "hell");
    assert_memory_equal(mu__arena_memdup(&a, "a\0b", 3), "a\0b", 3);
    assert_non_null(mu__arena_memdup(&a, NULL, 0));
    mu__arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(test_limit_bounds_the_sum_of_all_blocks),
        cmocka_unit_test(test_reset_keeps_one_block_and_forgets_the_rest),
        cmocka_unit_test(test_copies_hold_their_bytes),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
