/* Mirrors src/member.c: the table finds what a naive list finds. */
#include "mu_test.h"

#include "core.h"

enum { NAMES = 300, STEPS = 20000 };

static struct mu_str name_of(unsigned i, char buf[16])
{
    int n = snprintf(buf, 16, "node-%u", i);
    return (struct mu_str){buf, (size_t)n};
}

static void check_all(const struct swim__table *t, struct swim__member *const *have)
{
    size_t at = 0, walked = 0, n = 0;
    char buf[16];
    for (unsigned i = 0; i < NAMES; i++) {
        assert_ptr_equal(swim__table_find(t, name_of(i, buf)), have[i]);
        n += have[i] ? 1 : 0;
    }
    for (const struct swim__member *m; (m = swim__table_next(t, &at)) != NULL; walked++) {
        assert_ptr_equal(t->all[m->place], m);
    }
    assert_int_equal(walked, n);
    assert_int_equal(t->count, n);
}

static void test_finds_what_a_naive_table_finds(void **state)
{
    (void)state;
    struct swim__table t;
    struct swim__member *have[NAMES] = {0};
    struct mu__prng prng;
    char buf[16];
    mu__prng_seed(&prng, 11);
    swim__table_init(&t, NULL, 5);
    for (int step = 0; step < STEPS; step++) {
        /* Now many come, now most of them go. */
        bool grows = step / 2000 % 2 == 0;
        unsigned i = (unsigned)mu__prng_below(&prng, NAMES);
        if (!have[i] && (grows || mu__prng_below(&prng, 8) == 0)) {
            have[i] = swim__table_add(&t, name_of(i, buf));
            assert_non_null(have[i]);
        } else if (have[i] && (!grows || mu__prng_below(&prng, 4) == 0)) {
            swim__table_erase(&t, have[i]);
            have[i] = NULL;
        }
        if (step % 500 == 0) {
            check_all(&t, have);
        }
    }
    check_all(&t, have);
    swim__table_fini(&t);
}

static void test_a_table_of_comers_and_goers_does_not_grow(void **state)
{
    (void)state;
    struct swim__table t;
    char buf[16];
    swim__table_init(&t, NULL, 5);
    for (unsigned i = 0; i < 100000; i++) {
        struct swim__member *m = swim__table_add(&t, name_of(i, buf));
        assert_non_null(m);
        swim__table_erase(&t, m);
    }
    assert_in_range(t.all_cap, 1, 64);
    assert_in_range(t.nindex, 1, 64);
    swim__table_fini(&t);
}

static void test_an_empty_table_has_nobody(void **state)
{
    (void)state;
    struct swim__table t;
    size_t at = 0;
    swim__table_init(&t, NULL, 5);
    assert_null(swim__table_find(&t, (struct mu_str){"a", 1}));
    assert_null(swim__table_next(&t, &at));
    swim__table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_a_naive_table_finds),
        cmocka_unit_test(test_a_table_of_comers_and_goers_does_not_grow),
        cmocka_unit_test(test_an_empty_table_has_nobody),
    };
    return cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
