/* The scenarios in data/: each is a story in commands and trace lines. */
#include "mu_test.h"
#include "script.h"

#define SCENARIOS(X)                                                                               \
    X(election)                                                                                    \
    X(prevote)                                                                                     \
    X(check_quorum)                                                                                \
    X(conflict)                                                                                    \
    X(figure8)                                                                                     \
    X(async_disk)                                                                                  \
    X(disk_stall)                                                                                  \
    X(reads)                                                                                       \
    X(transfer)                                                                                    \
    X(membership)                                                                                  \
    X(snapshot)                                                                                    \
    X(snapshot_resume)                                                                             \
    X(snapshot_damaged)                                                                            \
    X(snapshot_other_file)                                                                         \
    X(slow_follower)                                                                               \
    X(single)                                                                                      \
    X(removed_leader)                                                                              \
    X(transfer_contested)                                                                          \
    X(term_ahead)                                                                                  \
    X(rollback)                                                                                    \
    X(cannot_persist)                                                                              \
    X(change_2015)                                                                                 \
    X(rejoining)                                                                                   \
    X(growing)

#define SCENARIO(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        script_run(MUSTER_TEST_DATA "/" #name ".txt");                                             \
    }
SCENARIOS(SCENARIO)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
    const struct CMUnitTest tests[] = {SCENARIOS(ENTRY)};
    return cmocka_run_group_tests_name("scenarios", tests, NULL, NULL);
}
