/* Three nodes on loopback: elections, reads, changes of the configuration. */
#include "node_world.h"

#include <signal.h>

/* --- three nodes --- */

static void test_three_nodes_elect_and_replicate(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 1000);
    RUN_UNTIL(w, agree(w) && has_all(w, &w->servers[0]));
    struct server *l = leader_of(w);
    for (int i = 0; i < NODES; i++) {
        struct server *s = &w->servers[i];
        const char *address;
        RUN_UNTIL(w, strcmp(raft_node_leader(s->node, &address), l->id) == 0);
        assert_string_equal(address, l->address);
        assert_int_equal(raft_node_is_leader(s->node), s == l);
        if (s != l) {
            assert_int_equal(propose(w, s, 0), RAFT_ENOTLEADER);
            assert_true(raft_node_lease_until(s->node) == 0);
        }
    }
    RUN_UNTIL(w, raft_node_lease_until(l->node) > raft_node__now());
}

static void test_leader_dies_and_nothing_acknowledged_is_lost(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 300);
    for (int round = 0; round < 3; round++) {
        struct server *old = leader_of(w);
        for (uint64_t i = 0; i < 50; i++) { /* in flight when it dies */
            (void)!propose(w, old, i);
        }
        stop(old);
        assert_int_equal(w->in_flight, 0);
        struct server *l;
        RUN_UNTIL(w, (l = leader_of(w)) != NULL);
        assert_true(l != old);
        replicate(w, 100);
        start(old);
        RUN_UNTIL(w, agree(w) && has_all(w, old));
    }
    assert_int_equal(w->acknowledged, 300 + 3 * 100);
}

static void test_all_restart_from_disk(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 500);
    RUN_UNTIL(w, agree(w));
    uint64_t sum = w->servers[0].machine.sum;
    for (int i = 0; i < NODES; i++) {
        stop(&w->servers[i]);
    }
    for (int i = 0; i < NODES; i++) {
        start(&w->servers[i]);
    }
    RUN_UNTIL(w, leader_of(w) && agree(w) && has_all(w, &w->servers[0]));
    assert_true(w->servers[0].machine.sum == sum);
    replicate(w, 10);
    RUN_UNTIL(w, agree(w));
}

static void test_lagging_follower_gets_the_snapshot(void **state)
{
    struct world *w = *state;
    w->threshold = 400;
    w->trailing = 20;
    for (int i = 0; i < NODES; i++) {
        w->servers[i].machine.padding = 900000; /* several chunks */
    }
    bootstrap(w, 3);
    replicate(w, 50);
    RUN_UNTIL(w, agree(w));
    struct server *lagging = leader_of(w) == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    stop(lagging);
    replicate(w, 2500);
    struct raft_node_status st;
    RUN_UNTIL(w, leader_of(w) &&
                     (raft_node_status(leader_of(w)->node, &st), !st.snapshot_under_way) &&
                     st.first_log_index > 100);
    start(lagging);
    assert_int_equal(lagging->machine.count, 0);
    RUN_UNTIL(w, agree(w) && has_all(w, lagging));
    assert_true(lagging->machine.restores > 0);
    replicate(w, 10);
    RUN_UNTIL(w, agree(w));
    stop(lagging); /* and what it installed carries it through a restart */
    start(lagging);
    RUN_UNTIL(w, leader_of(w) && agree(w) && has_all(w, lagging));
}

static void test_read_index_answers_with_what_was_committed(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 10);
    struct server *l = leader_of(w);
    struct raft_node_status st;
    raft_node_status(l->node, &st);
    struct read_seen seen[3] = {{0}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raft_node_read(l->node, on_read_done, &seen[i]), 0);
        assert_int_equal(seen[i].calls, 0); /* never from within the call */
    }
    RUN_UNTIL(w, seen[0].calls && seen[1].calls && seen[2].calls);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i].status, RAFT_OK);
        assert_true(seen[i].index >= st.commit_index);
        assert_true(raft_node_applied_index(l->node) >= seen[i].index);
    }
    struct server *follower = l == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    assert_int_equal(raft_node_read(follower->node, on_read_done, &seen[0]), RAFT_ENOTLEADER);
}

static void test_cut_off_leader_loses_its_reads_and_proposals(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 10);
    struct server *l = leader_of(w);
    for (int i = 0; i < NODES; i++) {
        if (&w->servers[i] != l) {
            stop(&w->servers[i]);
        }
    }
    struct read_seen seen = {0};
    assert_int_equal(raft_node_read(l->node, on_read_done, &seen), 0);
    assert_int_equal(propose(w, l, 1), 0);
    RUN_UNTIL(w, seen.calls == 1 && w->in_flight == 0);
    assert_int_equal(seen.status, RAFT_ELOST);
    assert_int_equal(w->failed, 1);
    assert_false(raft_node_is_leader(l->node));
    assert_false(l->is_told_leader);
    assert_true(raft_node_lease_until(l->node) == 0);
}

/* --- configuration --- */

static void test_servers_are_added_and_removed(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    replicate(w, 100);
    for (int i = 1; i < NODES; i++) {
        start(&w->servers[i]);
        assert_false(raft_node_is_bootstrapped(w->servers[i].node));
        struct raft_server s = {.kind = RAFT_VOTER};
        snprintf(s.id, sizeof s.id, "%s", w->servers[i].id);
        snprintf(s.address, sizeof s.address, "%s", w->servers[i].address);
        struct read_seen seen = {0};
        assert_int_equal(raft_node_add_server(leader_of(w)->node, &s, on_read_done, &seen), 0);
        RUN_UNTIL(w, seen.calls == 1);
        assert_int_equal(seen.status, RAFT_OK);
        RUN_UNTIL(w, agree(w));
        assert_true(raft_node_is_bootstrapped(w->servers[i].node));
    }
    replicate(w, 100);
    RUN_UNTIL(w, agree(w));
    struct raft_node_status st;
    raft_node_status(leader_of(w)->node, &st);
    assert_int_equal(st.configuration->n, 3);
    assert_int_equal(st.peer_count, 2);

    struct server *l = leader_of(w), *gone = l == &w->servers[2] ? &w->servers[1] : &w->servers[2];
    struct read_seen seen = {0};
    assert_int_equal(raft_node_remove_server(l->node, gone->id, on_read_done, &seen), 0);
    RUN_UNTIL(w, seen.calls == 1);
    assert_int_equal(seen.status, RAFT_OK);
    stop(gone);
    replicate(w, 100);
    raft_node_status(leader_of(w)->node, &st);
    assert_int_equal(st.configuration->n, 2);
    assert_int_equal(raft_node_remove_server(leader_of(w)->node, "nobody", NULL, NULL),
                     RAFT_ENOENT);
    struct raft_server bad = {.id = "x", .address = "not an address"};
    assert_int_equal(raft_node_add_server(leader_of(w)->node, &bad, NULL, NULL), RAFT_EINVAL);
}

/* Consul issue 3768: after servers had been added, a restart ended with "log not found". */
static void test_servers_that_were_added_restart_with_a_shortened_log(void **state)
{
    struct world *w = *state;
    w->threshold = 300;
    w->trailing = 10;
    bootstrap(w, 1);
    struct server *first = &w->servers[0];
    struct raft_node_status st;
    RUN_UNTIL(w, (replicate(w, 100), raft_node_status(first->node, &st), st.first_log_index > 100));
    for (int i = 1; i < NODES; i++) {
        struct raft_server s = {.kind = RAFT_VOTER};
        struct read_seen seen = {0};
        start(&w->servers[i]);
        snprintf(s.id, sizeof s.id, "%s", w->servers[i].id);
        snprintf(s.address, sizeof s.address, "%s", w->servers[i].address);
        assert_int_equal(raft_node_add_server(leader_of(w)->node, &s, on_read_done, &seen), 0);
        RUN_UNTIL(w, seen.calls == 1);
        assert_int_equal(seen.status, RAFT_OK);
        RUN_UNTIL(w, agree(w));
    }
    for (int round = 0; round < 2; round++) {
        replicate(w, 200);
        for (int i = 0; i < NODES; i++) {
            stop(&w->servers[i]);
        }
        for (int i = 0; i < NODES; i++) {
            start(&w->servers[i]);
        }
        RUN_UNTIL(w, leader_of(w) && agree(w) && has_all(w, first));
    }
}

static void test_leadership_is_handed_over(void **state)
{
    struct world *w = *state;
    bootstrap(w, 3);
    replicate(w, 50);
    struct server *old = leader_of(w),
                  *target = old == &w->servers[0] ? &w->servers[1] : &w->servers[0];
    assert_int_equal(raft_node_transfer(old->node, "nobody"), RAFT_ENOENT);
    assert_int_equal(raft_node_transfer(old->node, target->id), 0);
    RUN_UNTIL(w, leader_of(w) == target);
    replicate(w, 50);
    raft_node_step_down(target->node);
    RUN_UNTIL(w, !target->is_told_leader);
    RUN_UNTIL(w, leader_of(w));
    replicate(w, 50);
    RUN_UNTIL(w, agree(w));
}

static void test_bootstrap_twice_is_refused(void **state)
{
    struct world *w = *state;
    bootstrap(w, 1);
    struct raft_server s = {.kind = RAFT_VOTER, .id = "server-0"};
    snprintf(s.address, sizeof s.address, "%s", w->servers[0].address);
    assert_int_equal(raft_node_bootstrap(w->servers[0].node, &s, 1), RAFT_EEXIST);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_test_filter(getenv("MUSTER_TEST_ONLY"));
    const struct CMUnitTest tests[] = {
        T(test_three_nodes_elect_and_replicate),
        T(test_leader_dies_and_nothing_acknowledged_is_lost),
        T(test_all_restart_from_disk),
        T(test_lagging_follower_gets_the_snapshot),
        T(test_read_index_answers_with_what_was_committed),
        T(test_cut_off_leader_loses_its_reads_and_proposals),
        T(test_servers_are_added_and_removed),
        T(test_servers_that_were_added_restart_with_a_shortened_log),
        T(test_leadership_is_handed_over),
        T(test_bootstrap_twice_is_refused),
    };
    return cmocka_run_group_tests_name("node_cluster", tests, NULL, NULL);
}
