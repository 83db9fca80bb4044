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

static void test_zeros_go_ahead_of_the_records_once_for_many_commits(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 1, 1);
    commit(f);
    for (raft_index i = 2; i < 10; i++) {
        kit_mend(&f->disk.write);
        append(f, i, i, 1);
        commit(f);
        assert_int_equal(atomic_load(&f->disk.write.seen), 1); /* the record alone */
    }
}

/* They make nothing durable, so their failure is nobody's; the next record's write tells. */
static void test_zeros_ahead_that_cannot_be_written_harm_nothing(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 3, 1);
    kit_break(&f->disk.write, 2, EIO, true);
    commit(f);
    kit_mend(&f->disk.write);
    append(f, 4, 10, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 10);
    expect_entries(f, 1, 10, 1);
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

/* Rolls the log over into its next file on a disk whose step `fault` fails once, as if the process
 * ended there, and opens it again. */
static void roll_over_and_fail(struct fixture *f, struct kit_fault *fault, int at)
{
    size_t names = 0;
    reopen(f);
    raft_index last = f->heard.last;
    kit_break(fault, at, EIO, false);
    while (append_one(f, last + 1, 1) == 0 && raft_node__log_commit(f->log, &f->diag) == 0) {
        assert_true(++last < 4000); /* the disk has failed long before */
    }
    kit_mend(fault);
    reopen(f);
    assert_int_equal(f->heard.last, last);
    expect_entries(f, 1, f->heard.last, 1);
    for (unsigned sequence = 1; names < kit_count_files(f->dir, ".seg"); sequence++) {
        char path[PATH_BYTES];
        segment_path(f, sequence, path);
        assert_int_equal(access(path, F_OK), 0); /* from the first on, without a gap */
        names++;
    }
}

/* k3s issue 1919: the name of a closed file was one off, and the cluster could not be started any
 * more. Wherever a change of files is interrupted, the next start finds all of them in a row. */
static void test_log_opens_wherever_a_change_of_files_was_interrupted(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        roll_over_and_fail(f, &f->disk.create, 1);
        roll_over_and_fail(f, &f->disk.allocate, 1);
        roll_over_and_fail(f, &f->disk.sync_dir, 1);
    }
    assert_int_equal(kit_count_files(f->dir, ".seg"), 4); /* the third got as far as its name */
}

static void test_names_of_files_are_durable_before_anything_in_them(void **state)
{
    struct fixture *f = *state;
    kit_break(&f->disk.sync_dir, 0, 0, false);
    reopen(f);
    assert_int_equal(atomic_load(&f->disk.sync_dir.seen), 1);
    append(f, 1, 1500, 1);
    commit(f);
    size_t files = kit_count_files(f->dir, ".seg");
    assert_true(files >= 3);
    assert_int_equal(atomic_load(&f->disk.sync_dir.seen), files);
    assert_int_equal(raft_node__log_compact(f->log, 1500, &f->diag), 0);
    size_t gone = files - kit_count_files(f->dir, ".seg");
    assert_true(gone > 0);
    assert_int_equal(atomic_load(&f->disk.sync_dir.seen), files + gone);
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
        L(test_zeros_go_ahead_of_the_records_once_for_many_commits),
        L(test_zeros_ahead_that_cannot_be_written_harm_nothing),
        L(test_failed_sync_is_final_even_if_the_disk_was_full),
        L(test_log_opens_wherever_a_change_of_files_was_interrupted),
        L(test_names_of_files_are_durable_before_anything_in_them),
        L(test_crash_while_a_segment_is_made_leaves_nothing),
    };
    return cmocka_run_group_tests_name("node_log_faults", tests, NULL, NULL);
}
