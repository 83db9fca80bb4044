/* Stories of whole pools, in virtual time. Those marked with an issue of a peer are faults that its
 * users had. */
#include "mu_test.h"

#include "swim_world.h"

static struct world *pool(size_t nodes, void (*tune)(struct swim_config *cfg, size_t node))
{
    struct world_options o = {.seed = 0x5eed,
                              .nodes = nodes,
                              .profile = SWIM_LAN,
                              .delay_min_ns = 200 * MU_USEC,
                              .delay_max_ns = 2 * MU_MSEC,
                              .check_each_step = nodes <= 16,
                              .tune = tune};
    struct world *w = world_create(&o);
    for (size_t i = 0; i < nodes; i++) {
        world_start(w, i);
        if (i > 0) {
            world_join(w, i, 0);
        }
        world_run_for(w, 20 * MU_MSEC);
    }
    world_run_for(w, 10 * MU_SEC);
    return w;
}

static void assert_all_see(struct world *w, size_t nodes, size_t other, enum swim_status status)
{
    for (size_t i = 0; i < nodes; i++) {
        if (world_is_up(w, i) && i != other) {
            assert_int_equal(world_status(w, i, other), status);
        }
    }
}

static void test_a_crash_is_known_to_all_within_seconds(void **state)
{
    (void)state;
    struct world *w = pool(8, NULL);
    world_crash(w, 3);
    world_run_for(w, 30 * MU_SEC);
    assert_all_see(w, 8, 3, SWIM_STATUS_FAILED);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(world_counts(w, i)->failures, i == 3 ? 0 : 1);
    }
    world_destroy(w);
}

static void test_a_graceful_leave_is_no_failure(void **state)
{
    (void)state;
    struct world *w = pool(8, NULL);
    swim_leave(world_swim(w, 3), world_now(w));
    world_drain(w, 3);
    world_run_for(w, 15 * MU_SEC);
    assert_int_equal(world_counts(w, 3)->lefts, 1);
    assert_all_see(w, 8, 3, SWIM_STATUS_LEFT);
    assert_int_equal(world_counts(w, 0)->failures, 0);
    assert_int_equal(world_counts(w, 0)->leaves, 1);
    world_crash(w, 3);
    world_start(w, 3); /* and it may come back */
    world_join(w, 3, 0);
    world_run_for(w, 15 * MU_SEC);
    assert_all_see(w, 8, 3, SWIM_STATUS_ALIVE);
    world_destroy(w);
}

static void test_a_quick_restart_needs_no_burial(void **state)
{
    (void)state;
    struct world *w = pool(5, NULL);
    world_crash(w, 2);
    world_start(w, 2); /* with incarnation 1, as the others remember it */
    world_join(w, 2, 0);
    world_run_for(w, 60 * MU_SEC);
    assert_all_see(w, 5, 2, SWIM_STATUS_ALIVE);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(world_counts(w, i)->failures, 0);
    }
    world_destroy(w);
}

/* Blocked datagrams between two nodes alone: helpers and streams still reach it. */
static void test_one_bad_path_accuses_nobody(void **state)
{
    (void)state;
    struct world *w = pool(5, NULL);
    world_cut_datagrams(w, 1, 2, true);
    world_cut_datagrams(w, 2, 1, true);
    world_run_for(w, 120 * MU_SEC);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(world_counts(w, i)->failures, 0);
    }
    world_destroy(w);
}

static void test_blocked_udp_is_told_from_death(void **state)
{
    (void)state;
    struct swim_stats st;
    struct world *w = pool(2, NULL);
    world_cut_datagrams(w, 0, 1, true);
    world_run_for(w, 60 * MU_SEC);
    swim_stats(world_swim(w, 0), &st);
    assert_true(st.tcp_fallbacks > 20);
    assert_int_equal(world_counts(w, 0)->failures, 0);
    world_destroy(w);
}

/* memberlist#222, serf#605: a side that was apart for longer than anything is remembered comes back
 * by itself. */
static void test_halves_find_each_other_after_a_long_split(void **state)
{
    (void)state;
    struct world *w = pool(6, NULL);
    world_split(w, 2);
    world_run_for(w, 7200 * MU_SEC);
    assert_int_equal(world_status(w, 0, 5), SWIM_STATUS_FAILED);
    assert_int_equal(world_status(w, 5, 0), SWIM_STATUS_FAILED);
    world_heal(w);
    world_run_for(w, 180 * MU_SEC);
    for (size_t i = 0; i < 6; i++) {
        assert_all_see(w, 6, i, SWIM_STATUS_ALIVE);
    }
    world_destroy(w);
}

/* The only way between the last two is one reconnect now and then: each that gets through must do.
 * (Seed 0x10041e of sim_swim.) */
static void test_one_sync_reconciles_two_who_hold_each_other_dead(void **state)
{
    (void)state;
    struct world *w = pool(2, NULL);
    world_split(w, 1);
    world_run_for(w, 300 * MU_SEC);
    assert_int_equal(world_status(w, 0, 1), SWIM_STATUS_FAILED);
    world_heal(w);
    world_run_for(w, 31 * MU_SEC); /* one reconnect interval */
    assert_int_equal(world_status(w, 0, 1), SWIM_STATUS_ALIVE);
    assert_int_equal(world_status(w, 1, 0), SWIM_STATUS_ALIVE);
    world_destroy(w);
}

static void short_memory(struct swim_config *cfg, size_t node)
{
    (void)node;
    cfg->reconnect_timeout_ns = 600 * MU_SEC;
}

static void test_even_reaped_members_are_found_again(void **state)
{
    (void)state;
    struct world *w = pool(4, short_memory);
    world_split(w, 2);
    world_run_for(w, 1200 * MU_SEC);
    assert_int_equal(world_status(w, 0, 3), SWIM_STATUS_NONE);
    world_heal(w);
    world_run_for(w, 1800 * MU_SEC);
    for (size_t i = 0; i < 4; i++) {
        assert_all_see(w, 4, i, SWIM_STATUS_ALIVE);
    }
    world_destroy(w);
}

/* memberlist#311: all remember it dead at a high incarnation, and it comes back with 1. */
static void test_a_restart_refutes_what_is_remembered_of_it(void **state)
{
    (void)state;
    struct world *w = pool(5, NULL);
    for (int i = 0; i < 20; i++) { /* raise its incarnation */
        static const struct swim_tag tag = {{"n", 1}, {"1", 1}};
        assert_int_equal(swim_set_tags(world_swim(w, 4), world_now(w), &tag, 1), SWIM_OK);
        world_drain(w, 4);
        world_run_for(w, MU_SEC);
    }
    world_crash(w, 4);
    world_run_for(w, 200 * MU_SEC); /* dead, and dropped from the failure detector */
    assert_all_see(w, 5, 4, SWIM_STATUS_FAILED);
    world_start(w, 4);
    world_join(w, 4, 0);
    world_run_for(w, 20 * MU_SEC);
    assert_all_see(w, 5, 4, SWIM_STATUS_ALIVE);
    world_destroy(w);
}

/* memberlist#299: under churn of members, events still get through. */
static void test_events_do_not_starve_under_churn(void **state)
{
    (void)state;
    enum { N = 40 };
    static char big[300];
    memset(big, 'x', sizeof big);
    struct world *w = pool(N, NULL);
    for (size_t i = 0; i < N; i++) { /* large announcements from everybody at once */
        struct swim_tag tag = {{"v", 1}, {big, sizeof big}};
        assert_int_equal(swim_set_tags(world_swim(w, i), world_now(w), &tag, 1), SWIM_OK);
        world_drain(w, i);
    }
    assert_int_equal(swim_user_event(world_swim(w, 0), world_now(w), (struct mu_str){"n0", 2},
                                     (struct mu_str){"now", 3}, false),
                     SWIM_OK);
    world_drain(w, 0);
    world_run_for(w, 3 * MU_SEC);
    size_t heard = 0;
    for (size_t i = 0; i < N; i++) {
        heard += world_counts(w, i)->users;
    }
    assert_int_equal(heard, N);
    world_destroy(w);
}

/* consul#916, #5928: one node that keeps stalling must not make healthy ones look dead. */
static void test_a_stalling_node_does_not_bury_the_healthy(void **state)
{
    (void)state;
    struct world *w = pool(10, NULL);
    for (int i = 0; i < 60; i++) {
        world_pause(w, 9, 2 * MU_SEC);
        world_run_for(w, 3 * MU_SEC);
    }
    for (size_t i = 0; i < 9; i++) {
        for (size_t k = 0; k < 9; k++) {
            assert_int_equal(world_status(w, i, k), SWIM_STATUS_ALIVE);
        }
    }
    for (size_t i = 0; i < 9; i++) {
        assert_true(world_counts(w, i)->failures <= 5); /* of node 9 at most */
    }
    world_destroy(w);
}

static void test_events_are_replayed_to_who_was_away_but_not_to_who_joins(void **state)
{
    (void)state;
    struct world *w = pool(4, NULL);
    world_cut(w, 0, 3, true);
    world_cut(w, 3, 0, true);
    world_split(w, 3);
    assert_int_equal(swim_user_event(world_swim(w, 0), world_now(w), (struct mu_str){"n0", 2},
                                     (struct mu_str){0}, false),
                     SWIM_OK);
    world_drain(w, 0);
    world_run_for(w, 5 * MU_SEC);
    world_heal(w);
    world_run_for(w, 120 * MU_SEC);
    assert_int_equal(world_counts(w, 3)->users, 1);
    world_crash(w, 3);
    world_start(w, 3);
    world_join(w, 3, 1);
    world_run_for(w, 120 * MU_SEC);
    assert_int_equal(world_counts(w, 3)->users, 0);
    world_destroy(w);
}

static void test_an_idle_pool_wakes_only_to_probe(void **state)
{
    (void)state;
    struct swim_stats before, after;
    struct world *w = pool(3, NULL);
    world_run_for(w, 60 * MU_SEC);
    swim_stats(world_swim(w, 0), &before);
    world_run_for(w, 100 * MU_SEC);
    swim_stats(world_swim(w, 0), &after);
    /* Each probe is a ping out and an ack in; others' probes likewise. */
    assert_true(after.packets_out - before.packets_out < 300);
    world_destroy(w);
}

static void test_a_large_pool_agrees(void **state)
{
    (void)state;
    enum { N = 150 };
    struct world *w = pool(N, NULL);
    world_run_for(w, 20 * MU_SEC);
    for (size_t i = 0; i < N; i += 7) {
        assert_int_equal(swim_alive(world_swim(w, i)), N);
    }
    world_crash(w, 70);
    world_run_for(w, 60 * MU_SEC);
    size_t know = 0;
    for (size_t i = 0; i < N; i++) {
        know += i != 70 && world_status(w, i, 70) == SWIM_STATUS_FAILED ? 1 : 0;
        assert_true(world_counts(w, i)->failures <= 1);
    }
    assert_true(know >= N - 5); /* the last few hear of it with their next full sync */
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_crash_is_known_to_all_within_seconds),
        cmocka_unit_test(test_a_graceful_leave_is_no_failure),
        cmocka_unit_test(test_a_quick_restart_needs_no_burial),
        cmocka_unit_test(test_one_bad_path_accuses_nobody),
        cmocka_unit_test(test_blocked_udp_is_told_from_death),
        cmocka_unit_test(test_halves_find_each_other_after_a_long_split),
        cmocka_unit_test(test_one_sync_reconciles_two_who_hold_each_other_dead),
        cmocka_unit_test(test_even_reaped_members_are_found_again),
        cmocka_unit_test(test_a_restart_refutes_what_is_remembered_of_it),
        cmocka_unit_test(test_events_do_not_starve_under_churn),
        cmocka_unit_test(test_a_stalling_node_does_not_bury_the_healthy),
        cmocka_unit_test(test_events_are_replayed_to_who_was_away_but_not_to_who_joins),
        cmocka_unit_test(test_an_idle_pool_wakes_only_to_probe),
        cmocka_unit_test(test_a_large_pool_agrees),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
