/* Mirrors src/quorum.c. */
#include "mu_test.h"

#include <prng.h>
#include <quorum.h>

struct quorum_case {
    size_t n;
    uint64_t values[7];
    uint64_t want;
};

static void test_quorum_value_is_what_a_majority_reached(void **state)
{
    (void)state;
    static const struct quorum_case cases[] = {
        {0, {0}, UINT64_MAX},       {1, {12}, 12},           {2, {5, 9}, 5},
        {3, {1, 9, 5}, 5},          {4, {4, 3, 2, 1}, 2},    {5, {10, 10, 3, 2, 1}, 3},
        {3, {0, 0, UINT64_MAX}, 0}, {5, {7, 7, 7, 7, 7}, 7}, {7, {9, 8, 7, 6, 5, 4, 3}, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quorum_case c = cases[i];
        assert_true(raft__quorum_value(c.values, c.n) == c.want);
    }
}

static void test_quorum_value_agrees_with_counting(void **state)
{
    (void)state;
    struct mu__prng p;
    mu__prng_seed(&p, 3);
    for (unsigned k = 0; k < 5000; k++) {
        uint64_t values[9], copy[9], best = 0;
        size_t n = (size_t)mu__prng_between(&p, 1, 9);
        for (size_t i = 0; i < n; i++) {
            copy[i] = values[i] = mu__prng_below(&p, 6);
        }
        for (uint64_t v = 0; v < 6; v++) {
            size_t reached = 0;
            for (size_t i = 0; i < n; i++) {
                reached += copy[i] >= v;
            }
            best = 2 * reached > n ? v : best;
        }
        assert_int_equal(raft__quorum_value(values, n), best);
    }
}

struct verdict_case {
    size_t n, granted, refused;
    enum raft__verdict want;
};

static void test_an_election_ends_when_a_majority_is_certain(void **state)
{
    (void)state;
    static const struct verdict_case cases[] = {
        {1, 1, 0, RAFT__WON},  {3, 1, 0, RAFT__PENDING}, {3, 2, 0, RAFT__WON},
        {3, 1, 2, RAFT__LOST}, {4, 2, 0, RAFT__PENDING}, {4, 2, 2, RAFT__LOST},
        {4, 3, 1, RAFT__WON},  {5, 2, 2, RAFT__PENDING}, {5, 2, 3, RAFT__LOST},
        {5, 3, 2, RAFT__WON},  {2, 1, 1, RAFT__LOST},    {2, 1, 0, RAFT__PENDING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct verdict_case *c = &cases[i];
        assert_int_equal(raft__quorum_verdict(c->n, c->granted, c->refused), c->want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum_value_is_what_a_majority_reached),
        cmocka_unit_test(test_quorum_value_agrees_with_counting),
        cmocka_unit_test(test_an_election_ends_when_a_majority_is_certain),
    };
    return cmocka_run_group_tests_name("raft quorum", tests, NULL, NULL);
}
