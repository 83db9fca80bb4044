/* The scenarios in data/: each is a story in commands and trace lines. */
#include "mu_test.h"
#include "script.h"

#define SCENARIO(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        script_run(MUSTER_TEST_DATA "/" #name ".txt");                                             \
    }

SCENARIO(election)
SCENARIO(prevote)
SCENARIO(check_quorum)
SCENARIO(conflict)
SCENARIO(figure8)
SCENARIO(async_disk)
SCENARIO(disk_stall)
SCENARIO(reads)
SCENARIO(transfer)
SCENARIO(membership)
SCENARIO(snapshot)
SCENARIO(slow_follower)
SCENARIO(single)
SCENARIO(removed_leader)
SCENARIO(rejoining)
SCENARIO(growing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_election),     cmocka_unit_test(test_prevote),
        cmocka_unit_test(test_check_quorum), cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_figure8),      cmocka_unit_test(test_async_disk),
        cmocka_unit_test(test_disk_stall),   cmocka_unit_test(test_reads),
        cmocka_unit_test(test_transfer),     cmocka_unit_test(test_membership),
        cmocka_unit_test(test_snapshot),     cmocka_unit_test(test_slow_follower),
        cmocka_unit_test(test_single),       cmocka_unit_test(test_removed_leader),
        cmocka_unit_test(test_rejoining),    cmocka_unit_test(test_growing),
    };
    return cmocka_run_group_tests_name("scenarios", tests, NULL, NULL);
}
