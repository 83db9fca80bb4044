/* Mirrors src/prng.c. */
#include "mu_test.h"

#include "prng.h"

static void test_same_seed_gives_the_same_stream(void **state)
{
    (void)state;
    struct mu__prng a;
    struct mu__prng b;
    mu__prng_seed(&a, 99);
    mu__prng_seed(&b, 99);
    for (int i = 0; i < 1000; i++) {
        assert_true(mu__prng_next(&a) == mu__prng_next(&b));
    }
}

static void test_neighbouring_seeds_give_different_streams(void **state)
{
    (void)state;
    struct mu__prng a;
    struct mu__prng b;
    mu__prng_seed(&a, 0);
    mu__prng_seed(&b, 1);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        same += mu__prng_next(&a) == mu__prng_next(&b);
    }
    assert_int_equal(same, 0);
}

static void test_below_stays_below_and_reaches_every_value(void **state)
{
    (void)state;
    struct mu__prng p;
    int hits[7] = {0};
    mu__prng_seed(&p, 5);
    for (int i = 0; i < 7000; i++) {
        uint64_t v = mu__prng_below(&p, 7);
        assert_true(v < 7);
        hits[v]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(hits[i], 800, 1200); /* the seed is fixed, so this is no gamble */
    }
}

static void test_between_includes_both_ends_and_takes_the_full_range(void **state)
{
    (void)state;
    struct mu__prng p;
    bool low = false;
    bool high = false;
    mu__prng_seed(&p, 6);
    for (int i = 0; i < 200; i++) {
        uint64_t v = mu__prng_between(&p, 10, 12);
        assert_in_range(v, 10, 12);
        low |= v == 10;
        high |= v == 12;
    }
    assert_true(low && high);
    assert_true(mu__prng_between(&p, 4, 4) == 4);
    mu__prng_between(&p, 0, UINT64_MAX); /* a span that does not fit 64 bits */
}

static void test_unit_lies_in_zero_to_one(void **state)
{
    (void)state;
    struct mu__prng p;
    mu__prng_seed(&p, 8);
    for (int i = 0; i < 1000; i++) {
        double v = mu__prng_unit(&p);
        assert_true(v >= 0 && v < 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_gives_the_same_stream),
        cmocka_unit_test(test_neighbouring_seeds_give_different_streams),
        cmocka_unit_test(test_below_stays_below_and_reaches_every_value),
        cmocka_unit_test(test_between_includes_both_ends_and_takes_the_full_range),
        cmocka_unit_test(test_unit_lies_in_zero_to_one),
    };
    return cmocka_run_group_tests_name("prng", tests, NULL, NULL);
}
