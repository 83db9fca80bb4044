/* One node on real files: its life, its restarts, its snapshots, its configuration. */
#include "node_world.h"

#include <signal.h>

static void test_single_node_elects_itself_and_applies(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    replicate(w, 500);
    assert_int_equal(w->acknowledged, 500);
    assert_int_equal(w->servers[0].machine.count, 500);
    assert_true(w->servers[0].machine.batches < 500); /* proposals of one turn share a batch */
    struct raft_node_status st;
    raft_node_status(w->servers[0].node, &st);
    assert_int_equal(st.state, RAFT_NODE_LEADER);
    assert_int_equal(st.peer_count, 0);
    assert_int_equal(st.pending_proposals, 0);
    assert_string_equal(st.leader_id, "server-0");
    assert_string_equal(st.leader_address, w->servers[0].address);
}

static void test_everything_acknowledged_is_there_after_a_restart(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    replicate(w, 700);
    uint64_t sum = w->servers[0].machine.sum;
    stop(&w->servers[0]);
    start(&w->servers[0]);
    assert_true(raft_node_is_bootstrapped(w->servers[0].node));
    RUN_UNTIL(w, leader_of(w));
    assert_int_equal(w->servers[0].machine.count, 700);
    assert_true(w->servers[0].machine.sum == sum);
}

/* etcd's postmortem of version 3.5: which entry was applied last stood apart from the data, and
 * after a crash entries were skipped. Here the index is part of the snapshot, and nothing else
 * tells it: what comes after it is applied, each entry once. */
static void test_restart_from_snapshot_and_tail(void **state)
{
    struct world *w = *state;
    w->threshold = 300;
    w->trailing = 50;
    w->servers[0].machine.padding = 300000;
    bootstrap(w, 1);
    struct raft_node_status st;
    /* However slow the disk is: on past the second snapshot. */
    RUN_UNTIL(w, (replicate(w, 400), kit_count_files(w->servers[0].dir, ".snap") == 2));
    /* Entries behind the last snapshot, and too few for a next one. */
    RUN_UNTIL(w, (replicate(w, 10), raft_node_status(w->servers[0].node, &st),
                  !st.snapshot_under_way && st.applied_index > st.last_snapshot_index &&
                      st.applied_index < st.last_snapshot_index + w->threshold));
    assert_true(st.last_snapshot_index >= 300);
    assert_int_equal(kit_count_files(w->servers[0].dir, ".snap"), 2);
    uint64_t sum = w->servers[0].machine.sum;
    stop(&w->servers[0]);
    start(&w->servers[0]);
    assert_int_equal(w->servers[0].machine.restores, 1);
    RUN_UNTIL(w, leader_of(w));
    assert_true(has_all(w, &w->servers[0]));
    assert_true(w->servers[0].machine.sum == sum);
    assert_int_equal(w->servers[0].machine.first_applied, st.last_snapshot_index + 1);
}

/* A busy server with a large state would otherwise write nothing but snapshots. */
static void test_snapshots_keep_their_distance_however_many_entries_there_are(void **state)
{
    struct world *w = *state;
    struct raft_node_status st;
    w->threshold = 100;
    w->interval_ns = 3600 * MU_SEC;
    bootstrap(w, 1);
    RUN_UNTIL(w, (replicate(w, 150), kit_count_files(w->servers[0].dir, ".snap") == 1));
    RUN_UNTIL(w, (raft_node_status(w->servers[0].node, &st), !st.snapshot_under_way));
    raft_index first = st.last_snapshot_index;
    replicate(w, 1000);
    raft_node_status(w->servers[0].node, &st);
    assert_true(!st.snapshot_under_way && st.last_snapshot_index == first);
    assert_int_equal(raft_node_snapshot(w->servers[0].node, NULL, NULL), 0); /* who asks gets one */
    RUN_UNTIL(w, (raft_node_status(w->servers[0].node, &st), !st.snapshot_under_way));
    assert_true(st.last_snapshot_index > first);
}

static void test_writes_go_on_while_a_snapshot_is_saved(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    struct read_seen seen = {0};
    struct raft_node_status st;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    s->machine.saving = &gate;
    bootstrap(w, 1);
    replicate(w, 100);
    raft_index covered = raft_node_applied_index(s->node);
    pthread_mutex_lock(&gate);
    assert_int_equal(raft_node_snapshot(s->node, on_read_done, &seen), 0);
    replicate(w, 100);
    raft_node_status(s->node, &st);
    assert_true(st.snapshot_under_way && seen.calls == 0);
    pthread_mutex_unlock(&gate);
    RUN_UNTIL(w, seen.calls == 1);
    assert_int_equal(seen.status, RAFT_OK);
    assert_int_equal(seen.index, covered); /* as it was when it was asked for */
    stop(s);
    start(s);
    RUN_UNTIL(w, leader_of(w));
    assert_int_equal(s->machine.first_applied, covered + 1);
    assert_int_equal(s->machine.count, 200);
}

static void test_damaged_newest_snapshot_gives_way_to_the_one_before(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    bootstrap(w, 1);
    struct raft_node_status st;
    for (int i = 0; i < 2; i++) {
        replicate(w, 500);
        assert_int_equal(raft_node_snapshot(s->node, NULL, NULL), 0);
        RUN_UNTIL(w, (raft_node_status(s->node, &st), !st.snapshot_under_way));
    }
    replicate(w, 10);
    uint64_t sum = s->machine.sum;
    stop(s);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, s->dir, st.last_snapshot_index);
    struct kit_file file = kit_read(path);
    file.data[file.len / 2] ^= 4;
    kit_write(path, file.data, file.len);
    free(file.data);
    start(s);
    RUN_UNTIL(w, leader_of(w));
    assert_int_equal(s->machine.count, 1010);
    assert_true(s->machine.sum == sum);
}

static void test_no_readable_snapshot_is_refused_with_a_sentence(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    w->threshold = 200;
    w->trailing = 10;
    bootstrap(w, 1);
    struct raft_node_status st;
    char first[PATH_BYTES];
    assert_true(raft_node__path(first, s->dir, "log-0000000000000001.seg"));
    RUN_UNTIL(w, (replicate(w, 300), access(first, F_OK) != 0)); /* the log was shortened */
    RUN_UNTIL(w, (raft_node_status(s->node, &st), !st.snapshot_under_way));
    stop(s);
    raft_index found[4];
    int count = raft_node__snapshot_list(s->dir, found, 4, NULL);
    assert_int_equal(count, 2);
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        raft_node__snapshot_path(path, s->dir, found[i]);
        kit_write(path, "nothing", 7);
    }
    struct raft_node_diag diag;
    assert_int_equal(try_start(s, &diag), RAFT_NODE_ECORRUPT);
    assert_null(s->node);
    assert_non_null(strstr(diag.text, "put the missing snapshot back"));
}

static void test_second_node_in_a_folder_is_turned_away(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    struct raft_node_config cfg;
    struct raft_node *other;
    struct raft_node_diag diag;
    configure(&w->servers[0], &cfg);
    assert_int_equal(raft_node_create(&cfg, &other, &diag), RAFT_NODE_ELOCKED);
    assert_null(other);
    replicate(w, 10);
}

/* All that is durable in a folder is lost with its name. */
static void test_new_folder_is_synced_in_its_parent(void **state)
{
    struct world *w = *state;
    struct server *s = &w->servers[0];
    struct raft_node_diag diag;
    kit_break(&s->disk.sync_dir, 1, EIO, false);
    assert_int_equal(try_start(s, &diag), RAFT_NODE_EIO);
    assert_non_null(strstr(diag.text, "cannot sync the folder around"));
    kit_mend(&s->disk.sync_dir);
    bootstrap(w, 1);
}

static void test_bad_configs_are_named(void **state)
{
    struct world *w = *state;
    struct raft_node_config cfg;
    struct raft_node *n;
    struct raft_node_diag diag;
    configure(&w->servers[0], &cfg);
    cfg.address = "localhost:8300";
    assert_int_equal(raft_node_create(&cfg, &n, &diag), RAFT_EINVAL);
    assert_non_null(strstr(diag.text, "address"));
    configure(&w->servers[0], &cfg);
    cfg.machine.restore = NULL;
    assert_int_equal(raft_node_create(&cfg, &n, &diag), RAFT_EINVAL);
    assert_non_null(strstr(diag.text, "machine"));
    configure(&w->servers[0], &cfg);
    cfg.segment_bytes = 1;
    assert_int_equal(raft_node_create(&cfg, &n, NULL), RAFT_EINVAL);
}

static void test_every_error_has_a_sentence_and_a_class(void **state)
{
    (void)state;
    for (int code = RAFT_NODE_ELOCKED; code <= RAFT_NODE_EIO; code++) {
        assert_true(strlen(raft_node_strerror(code)) > 5);
        assert_true(raft_node_err_class(code) != MU_CLASS_OK);
    }
    assert_string_equal(raft_node_strerror(RAFT_ENOTLEADER), raft_strerror(RAFT_ENOTLEADER));
    assert_int_equal(raft_node_err_class(RAFT_EBUSY), MU_CLASS_RETRY);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("MUSTER_TEST_ONLY"));
    const struct CMUnitTest tests[] = {
        T(test_single_node_elects_itself_and_applies),
        T(test_everything_acknowledged_is_there_after_a_restart),
        T(test_restart_from_snapshot_and_tail),
        T(test_snapshots_keep_their_distance_however_many_entries_there_are),
        T(test_writes_go_on_while_a_snapshot_is_saved),
        T(test_damaged_newest_snapshot_gives_way_to_the_one_before),
        T(test_no_readable_snapshot_is_refused_with_a_sentence),
        T(test_second_node_in_a_folder_is_turned_away),
        T(test_new_folder_is_synced_in_its_parent),
        T(test_bad_configs_are_named),
        cmocka_unit_test(test_every_error_has_a_sentence_and_a_class),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
