/* Random histories, held against a naive model: see history.h for what is claimed. planted_catalog
 * shows that this finds what it should. */
#include "history.h"

#include "mu_test.h"

static void test_answers_wakes_indexes_batches_and_restores_are_the_models(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        char why[256];
        if (!history_run(seed, 150, why, sizeof why)) {
            fail_msg("seed %u: %s", (unsigned)seed, why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_wakes_indexes_batches_and_restores_are_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
