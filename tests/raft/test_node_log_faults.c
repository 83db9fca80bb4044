/* The log on disks that fail or fill up, and at every point where a crash may cut it off. */
#include "node_log_kit.h"

#include <stdio.h>

static void test_full_disk_is_reported_and_can_be_retried(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 100, 1);
    commit(f);
    kit_break(&f->disk.allocate, 1, ENOSPC, true);
    raft_index i = 101;
    int rc = 0;
    while ((rc = append_one(f, i, 1)) == 0) {
        i++;
    }
    assert_int_equal(rc, RAFT_NODE_ENOSPC);
    assert_non_null(strstr(f->diag.text, "No space left"));
    assert_int_equal(append_one(f, i, 1), RAFT_NODE_ENOSPC);
    kit_mend(&f->disk.allocate);
    append(f, i, 1000, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 1000);
    expect_entries(f, 1, 1000, 1);
}

static void test_short_write_on_a_full_disk_is_retried_whole(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 100, 1);
    kit_break(&f->disk.write, 1, ENOSPC, false);
    assert_int_equal(raft_node__log_commit(f->log, &f->diag), RAFT_NODE_ENOSPC);
    append(f, 101, 110, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 110);
    expect_entries(f, 1, 110, 1);
}

static void test_failed_sync_is_final_even_if_the_disk_was_full(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    kit_break(&f->disk.sync, 1, ENOSPC, false);
    assert_int_equal(raft_node__log_commit(f->log, &f->diag), RAFT_NODE_EIO);
    assert_non_null(strstr(f->diag.text, "cannot sync"));
}

static void test_crash_while_a_segment_is_made_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 10, 1);
    commit(f);
    char path[PATH_BYTES];
    assert_true(raft_node__path(path, f->dir, "log.tmp"));
    kit_write(path, "half a header", 13);
    reopen(f);
    assert_int_equal(f->heard.last, 10);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        L(test_full_disk_is_reported_and_can_be_retried),
        L(test_short_write_on_a_full_disk_is_retried_whole),
        L(test_failed_sync_is_final_even_if_the_disk_was_full),
        L(test_crash_while_a_segment_is_made_leaves_nothing),
    };
    return cmocka_run_group_tests_name("node_log_faults", tests, NULL, NULL);
}
