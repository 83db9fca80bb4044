/* Mirrors daemons/server/autopilot.c: who may vote, decided from facts. Time is a number here. */
#include "mu_test.h"

#include "server/autopilot.h"

#include <stdio.h>

#define HEARTBEAT (100 * MU_MSEC)
#define STABLE    (10 * MU_SEC)

static struct autopilot a;
static struct autopilot_facts facts;
static struct catalog_autopilot_config config;

/* One leader, n - 1 voters that follow it closely. */
static void cluster(size_t n)
{
    memset(&a, 0, sizeof a);
    memset(&facts, 0, sizeof facts);
    config = (struct catalog_autopilot_config){.cleanup_dead_servers = true,
                                               .last_contact_threshold_ns = 200 * MU_MSEC,
                                               .max_trailing_logs = 250,
                                               .server_stabilization_time_ns = STABLE};
    facts.now_ns = 1000 * MU_SEC;
    facts.heartbeat_ns = HEARTBEAT;
    facts.last_index = 5000;
    facts.term = 7;
    for (size_t i = 0; i < n; i++) {
        struct autopilot_fact *f = &facts.servers[facts.n++];
        *f = (struct autopilot_fact){.is_voter = true,
                                     .is_leader = i == 0,
                                     .may_vote = true,
                                     .match = 5000,
                                     .term = 7,
                                     .silent_ns = i == 0 ? 0 : 20 * MU_MSEC,
                                     .gossip = AUTOPILOT_ALIVE};
        snprintf(f->id, sizeof f->id, "s%zu", i);
    }
}

static struct autopilot_fact *add_nonvoter(void)
{
    struct autopilot_fact *f = &facts.servers[facts.n];
    *f = facts.servers[1];
    f->is_voter = false;
    snprintf(f->id, sizeof f->id, "s%zu", facts.n++);
    return f;
}

static void kill_server(size_t i)
{
    facts.servers[i].gossip = AUTOPILOT_FAILED;
    facts.servers[i].silent_ns = 5 * MU_SEC;
}

static void revive_server(size_t i)
{
    facts.servers[i].gossip = AUTOPILOT_ALIVE;
    facts.servers[i].silent_ns = 0;
}

static struct autopilot_decision look(void)
{
    autopilot_observe(&a, &config, &facts);
    return autopilot_decide(&a, &config);
}

static struct autopilot_decision look_after(uint64_t ns)
{
    facts.now_ns += ns;
    return look();
}

#define assert_nothing(d) assert_int_equal((d).kind, AUTOPILOT_NOTHING)
static void assert_decision(struct autopilot_decision d, enum autopilot_kind kind, const char *id)
{
    assert_int_equal(d.kind, kind);
    assert_non_null(d.server);
    assert_string_equal(d.server->fact.id, id);
}

/* Carries a decision out, as Raft would. */
static void obey(struct autopilot_decision d)
{
    char id[RAFT_ID_MAX + 1];
    snprintf(id, sizeof id, "%s", d.server->fact.id);
    for (size_t i = 0; i < facts.n; i++) {
        if (strcmp(facts.servers[i].id, id) != 0) {
            continue;
        }
        if (d.kind == AUTOPILOT_PROMOTE) {
            facts.servers[i].is_voter = true;
        } else {
            memmove(&facts.servers[i], &facts.servers[i + 1],
                    (--facts.n - i) * sizeof facts.servers[0]);
        }
        return;
    }
}

/* ---- Health ---- */

static bool is_healthy(size_t i)
{
    look();
    return a.servers[i].is_healthy;
}

static void health_needs_gossip_contact_and_a_log_of_this_term_that_keeps_up(void **state)
{
    (void)state;
    static const struct {
        enum autopilot_gossip gossip;
        uint64_t silent_ns;
        raft_term term;
        raft_index match;
        bool is_healthy;
    } rows[] = {
        {AUTOPILOT_ALIVE, 0, 7, 5000, true},
        {AUTOPILOT_ALIVE, 300 * MU_MSEC, 7, 5000, true}, /* threshold and a heartbeat */
        {AUTOPILOT_ALIVE, 300 * MU_MSEC + 1, 7, 5000, false},
        {AUTOPILOT_ALIVE, MU_NEVER, 7, 5000, false},
        {AUTOPILOT_ALIVE, 0, 0, 5000, false},
        {AUTOPILOT_ALIVE, 0, 6, 5000, false},
        {AUTOPILOT_ALIVE, 0, 7, 4750, true},
        {AUTOPILOT_ALIVE, 0, 7, 4749, false},
        {AUTOPILOT_ALIVE, 0, 7, 0, false},
        {AUTOPILOT_ALIVE, 0, 7, 6000, true},
        {AUTOPILOT_UNKNOWN, 0, 7, 5000, false},
        {AUTOPILOT_LEAVING, 0, 7, 5000, false},
        {AUTOPILOT_LEFT, 0, 7, 5000, false},
        {AUTOPILOT_FAILED, 0, 7, 5000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cluster(3);
        facts.servers[2].gossip = rows[i].gossip;
        facts.servers[2].silent_ns = rows[i].silent_ns;
        facts.servers[2].term = rows[i].term;
        facts.servers[2].match = rows[i].match;
        if (is_healthy(2) != rows[i].is_healthy) {
            fail_msg("row %zu", i);
        }
        assert_int_equal(autopilot_is_healthy(&a), rows[i].is_healthy);
    }
}

static void a_leader_is_healthy_by_itself(void **state)
{
    (void)state;
    cluster(1);
    facts.servers[0].match = 0;
    facts.servers[0].term = 0;
    facts.servers[0].silent_ns = MU_NEVER;
    assert_true(is_healthy(0));
    facts.servers[0].gossip = AUTOPILOT_LEAVING;
    assert_false(is_healthy(0));
}

static void what_was_written_since_the_last_look_is_no_lag(void **state)
{
    (void)state;
    cluster(3);
    look();
    facts.last_index = 100000;
    facts.servers[1].match = 99000;
    facts.servers[2].match = 4000;
    look_after(MU_SEC);
    assert_true(a.servers[1].is_healthy);
    assert_false(a.servers[2].is_healthy);
    look_after(MU_SEC); /* and now it has had a second for it */
    assert_false(a.servers[1].is_healthy);
}

static void a_configuration_of_zeros_and_one_below_zero_are_taken_as_they_are(void **state)
{
    (void)state;
    cluster(3);
    config = (struct catalog_autopilot_config){.max_trailing_logs = 0};
    look();
    assert_true(a.servers[1].is_healthy); /* a heartbeat is always allowed */
    facts.servers[1].match = 4999;
    look_after(MU_SEC);
    assert_false(a.servers[1].is_healthy);
    config.last_contact_threshold_ns = INT64_MIN;
    config.server_stabilization_time_ns = INT64_MIN;
    config.min_quorum = UINT64_MAX;
    config.max_trailing_logs = UINT64_MAX;
    config.cleanup_dead_servers = true;
    kill_server(2);
    add_nonvoter();
    struct autopilot_decision d = look_after(MU_SEC);
    assert_int_equal(d.denial, AUTOPILOT_MIN_QUORUM);
    assert_decision(d, AUTOPILOT_PROMOTE, "s3");
    config.last_contact_threshold_ns = INT64_MAX;
    config.server_stabilization_time_ns = INT64_MAX;
    assert_nothing(look_after(MU_SEC));
}

static void nobody_is_healthy_where_nobody_is(void **state)
{
    (void)state;
    cluster(0);
    assert_nothing(look());
    assert_false(autopilot_is_healthy(&a));
    assert_int_equal(autopilot_failure_tolerance(&a), 0);
}

static void tolerance_counts_healthy_voters_beyond_the_quorum(void **state)
{
    (void)state;
    static const int want[8][8] = {{0},
                                   {0, 0},
                                   {0, 0, 0},
                                   {0, 0, 0, 1},
                                   {0, 0, 0, 0, 1},
                                   {0, 0, 0, 0, 1, 2},
                                   {0, 0, 0, 0, 0, 1, 2},
                                   {0, 0, 0, 0, 0, 1, 2, 3}};
    for (size_t n = 1; n < 8; n++) {
        for (size_t healthy = 1; healthy <= n; healthy++) {
            cluster(n);
            for (size_t i = healthy; i < n; i++) {
                kill_server(i);
            }
            add_nonvoter(); /* counts for nothing */
            look();
            assert_int_equal(autopilot_failure_tolerance(&a), want[n][healthy]);
        }
    }
}

/* ---- Promotion ---- */

static void a_new_server_votes_once_it_was_healthy_for_long_enough(void **state)
{
    (void)state;
    cluster(3);
    look();
    struct autopilot_fact *f = add_nonvoter();
    f->match = 0;
    assert_nothing(look_after(MU_SEC)); /* has to catch up first */
    assert_nothing(look_after(60 * MU_SEC));
    f->match = 5000;
    assert_nothing(look_after(MU_SEC));
    assert_nothing(look_after(STABLE - 1));
    assert_decision(look_after(1), AUTOPILOT_PROMOTE, "s3");
    obey(look());
    assert_nothing(look_after(STABLE));
}

static void who_falters_starts_anew(void **state)
{
    (void)state;
    cluster(3);
    struct autopilot_fact *f = add_nonvoter();
    assert_nothing(look());
    assert_nothing(look_after(STABLE - 1));
    f->silent_ns = MU_SEC;
    assert_nothing(look_after(MU_SEC));
    f->silent_ns = 0;
    assert_nothing(look_after(MU_SEC));
    assert_nothing(look_after(STABLE - 1));
    assert_decision(look_after(1), AUTOPILOT_PROMOTE, "s3");
}

static void one_after_the_other_is_promoted(void **state)
{
    (void)state;
    cluster(3);
    for (int i = 0; i < 3; i++) {
        add_nonvoter();
    }
    look();
    static const char *const order[] = {"s3", "s4", "s5"};
    facts.now_ns += STABLE;
    for (int i = 0; i < 3; i++) {
        struct autopilot_decision d = look();
        assert_decision(d, AUTOPILOT_PROMOTE, order[i]);
        obey(d);
    }
    assert_nothing(look());
}

static void servers_that_never_come_up_never_vote(void **state)
{
    (void)state;
    cluster(3);
    for (int i = 0; i < 3; i++) {
        struct autopilot_fact *f = add_nonvoter();
        f->match = 0;
        f->silent_ns = MU_NEVER;
    }
    for (int i = 0; i < 100; i++) {
        assert_nothing(look_after(STABLE));
    }
}

static void who_says_that_it_never_votes_does_not(void **state)
{
    (void)state;
    cluster(3);
    add_nonvoter()->may_vote = false;
    look();
    assert_nothing(look_after(10 * STABLE));
}

static void a_new_leader_begins_to_count_anew(void **state)
{
    (void)state;
    cluster(3);
    add_nonvoter();
    look();
    facts.now_ns += STABLE;
    memset(&a, 0, sizeof a);
    assert_nothing(look());
    assert_decision(look_after(STABLE), AUTOPILOT_PROMOTE, "s3");
}

static void nobody_is_promoted_without_a_majority_that_is_heard_of(void **state)
{
    (void)state;
    cluster(3);
    add_nonvoter();
    facts.servers[1].silent_ns = facts.servers[2].silent_ns = MU_SEC;
    look();
    assert_nothing(look_after(STABLE));
    facts.servers[1].silent_ns = 0;
    assert_decision(look(), AUTOPILOT_PROMOTE, "s3");
}

/* ---- The dead ---- */

static void a_failed_server_goes_when_it_stays_dead(void **state)
{
    (void)state;
    cluster(3);
    look();
    kill_server(2);
    assert_nothing(look_after(MU_SEC));
    assert_nothing(look_after(STABLE - 1));
    assert_decision(look_after(1), AUTOPILOT_REMOVE, "s2");
    obey(look());
    assert_nothing(look_after(STABLE));
    assert_int_equal(facts.n, 2);
}

static void who_comes_back_in_time_stays(void **state)
{
    (void)state;
    cluster(3);
    kill_server(2);
    look();
    assert_nothing(look_after(STABLE - 1));
    revive_server(2);
    assert_nothing(look_after(1));
    kill_server(2);
    assert_nothing(look_after(MU_SEC));
    assert_nothing(look_after(STABLE - 1));
}

static void who_is_heard_of_is_not_dead_whatever_gossip_says(void **state)
{
    (void)state;
    for (int unknown = 0; unknown < 2; unknown++) {
        cluster(5);
        facts.servers[2].gossip = unknown ? AUTOPILOT_UNKNOWN : AUTOPILOT_FAILED;
        look();
        assert_nothing(look_after(100 * STABLE));
    }
}

static void who_is_silent_is_not_dead_as_long_as_gossip_hears_it(void **state)
{
    (void)state;
    static const enum autopilot_gossip kinds[] = {AUTOPILOT_ALIVE, AUTOPILOT_LEAVING,
                                                  AUTOPILOT_LEFT};
    for (size_t i = 0; i < 3; i++) {
        cluster(5);
        facts.servers[2].gossip = kinds[i];
        facts.servers[2].silent_ns = MU_NEVER;
        look();
        assert_nothing(look_after(100 * STABLE));
    }
}

static void who_is_unknown_to_gossip_has_a_minute(void **state)
{
    (void)state;
    cluster(3);
    facts.servers[1].gossip = AUTOPILOT_UNKNOWN;
    facts.servers[1].silent_ns = MU_NEVER;
    assert_nothing(look());
    assert_nothing(look_after(AUTOPILOT_FORGET_NS - 1));
    assert_decision(look_after(1), AUTOPILOT_REMOVE, "s1");
    facts.servers[1].gossip = AUTOPILOT_FAILED; /* news: the time counts from here */
    assert_nothing(look());
}

static void the_leader_never_removes_itself(void **state)
{
    (void)state;
    cluster(3);
    facts.servers[0].gossip = AUTOPILOT_FAILED;
    facts.servers[0].silent_ns = MU_NEVER;
    look();
    assert_nothing(look_after(100 * STABLE));
}

static void without_clean_up_the_dead_stay(void **state)
{
    (void)state;
    cluster(3);
    config.cleanup_dead_servers = false;
    kill_server(2);
    look();
    struct autopilot_decision d = look_after(100 * STABLE);
    assert_nothing(d);
    assert_int_equal(d.denial, AUTOPILOT_NOT_DENIED);
}

static void a_dead_server_without_a_vote_goes_whatever_the_voters_are(void **state)
{
    (void)state;
    cluster(2);
    config.min_quorum = 9;
    add_nonvoter();
    kill_server(1);
    kill_server(2);
    look();
    struct autopilot_decision d = look_after(STABLE);
    assert_decision(d, AUTOPILOT_REMOVE, "s2");
    obey(d);
    assert_int_equal(look().denial, AUTOPILOT_NO_QUORUM);
}

/* How many of n voters are removed in the end when `dead` of them die together. */
static size_t removed(size_t n, size_t dead, uint64_t min_quorum)
{
    cluster(n);
    config.min_quorum = min_quorum;
    for (size_t i = 0; i < dead; i++) {
        kill_server(n - 1 - i);
    }
    look();
    facts.now_ns += STABLE;
    struct autopilot_decision d;
    while ((d = look()).kind == AUTOPILOT_REMOVE) {
        obey(d);
    }
    assert_nothing(d);
    return n - facts.n;
}

/* As Consul 1.8.7 does it: up to (n - 1) / 2, or none at all. */
static void fewer_than_half_of_the_voters_go_or_nobody(void **state)
{
    (void)state;
    for (size_t n = 1; n < 10; n++) {
        for (size_t dead = 0; dead < n; dead++) {
            assert_int_equal(removed(n, dead, 0), dead <= (n - 1) / 2 ? dead : 0);
        }
    }
}

static void min_quorum_is_left_or_nobody_goes(void **state)
{
    (void)state;
    assert_int_equal(removed(5, 2, 3), 2);
    assert_int_equal(removed(5, 2, 4), 0);
    assert_int_equal(removed(5, 1, 4), 1);
    assert_int_equal(removed(3, 1, 3), 0);
    assert_int_equal(removed(3, 1, 2), 1);
}

static void with_min_quorum_the_replacement_comes_first(void **state)
{
    (void)state;
    cluster(3);
    config.min_quorum = 3;
    kill_server(2);
    add_nonvoter();
    look();
    struct autopilot_decision d = look_after(STABLE);
    assert_decision(d, AUTOPILOT_PROMOTE, "s3");
    assert_int_equal(d.denial, AUTOPILOT_MIN_QUORUM);
    obey(d);
    assert_decision(look(), AUTOPILOT_REMOVE, "s2");
}

static void without_it_the_dead_go_first(void **state)
{
    (void)state;
    cluster(3);
    kill_server(2);
    add_nonvoter();
    look();
    struct autopilot_decision d = look_after(STABLE);
    assert_decision(d, AUTOPILOT_REMOVE, "s2");
    obey(d);
    assert_decision(look(), AUTOPILOT_PROMOTE, "s3");
}

/* ---- Whatever the facts ---- */

/* A small generator: the point is many different facts, not good randomness. */
static uint64_t seed;
static uint64_t below(uint64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % n;
}

static void shuffle_facts(void)
{
    static const uint64_t silences[] = {0, 50 * MU_MSEC, 300 * MU_MSEC, MU_SEC, MU_NEVER};
    for (size_t i = 0; i < facts.n; i++) {
        struct autopilot_fact *f = &facts.servers[i];
        if (below(8) == 0 && !f->is_leader) {
            f->gossip = (enum autopilot_gossip)(below(2) ? AUTOPILOT_ALIVE : below(5));
            f->silent_ns = silences[f->gossip == AUTOPILOT_ALIVE ? below(3) : below(5)];
            f->match = facts.last_index - below(300);
            f->term = 7 - (below(4) == 0);
            f->may_vote = below(5) > 0;
        }
    }
    if (facts.n < 9 && below(4) == 0) {
        add_nonvoter();
        snprintf(facts.servers[facts.n - 1].id, RAFT_ID_MAX, "x%llu",
                 (unsigned long long)below(1u << 30));
    }
    facts.last_index += below(20);
    facts.now_ns += below(8 * MU_SEC) * (1 + 9 * below(2));
}

static size_t heard_voters(void)
{
    size_t n = 0;
    for (size_t i = 0; i < facts.n; i++) {
        const struct autopilot_fact *f = &facts.servers[i];
        n += f->is_voter && (f->is_leader || f->silent_ns <= 300 * MU_MSEC);
    }
    return n;
}

static size_t voters(void)
{
    size_t n = 0;
    for (size_t i = 0; i < facts.n; i++) {
        n += facts.servers[i].is_voter;
    }
    return n;
}

/* The promises of autopilot.h, checked after each decision from facts that obey nobody. */
static void no_decision_ever_costs_the_quorum(void **state)
{
    (void)state;
    size_t removals = 0, promotions = 0;
    seed = 1;
    for (int run = 0; run < 3000; run++) {
        cluster(1 + below(7));
        config.min_quorum = below(4);
        config.server_stabilization_time_ns = 3 * MU_SEC;
        for (int step = 0; step < 60; step++) {
            shuffle_facts();
            struct autopilot_decision d = look();
            if (d.kind == AUTOPILOT_NOTHING) {
                continue;
            }
            const struct autopilot_fact f = d.server->fact;
            bool was_voter = f.is_voter;
            assert_true(2 * heard_voters() > voters() || !was_voter);
            if (d.kind == AUTOPILOT_REMOVE) {
                assert_false(f.is_leader);
                assert_true(f.silent_ns > 300 * MU_MSEC);
                assert_true(f.gossip == AUTOPILOT_FAILED || f.gossip == AUTOPILOT_UNKNOWN);
                removals++;
            } else {
                assert_true(f.may_vote && !f.is_voter && f.gossip == AUTOPILOT_ALIVE);
                promotions++;
            }
            obey(d);
            if (was_voter || d.kind == AUTOPILOT_PROMOTE) {
                assert_true(2 * heard_voters() > voters());
            }
            assert_true(!was_voter || voters() >= config.min_quorum);
        }
    }
    print_message("%zu removals, %zu promotions\n", removals, promotions);
    assert_true(removals > 300 && promotions > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_needs_gossip_contact_and_a_log_of_this_term_that_keeps_up),
        cmocka_unit_test(a_leader_is_healthy_by_itself),
        cmocka_unit_test(what_was_written_since_the_last_look_is_no_lag),
        cmocka_unit_test(a_configuration_of_zeros_and_one_below_zero_are_taken_as_they_are),
        cmocka_unit_test(nobody_is_healthy_where_nobody_is),
        cmocka_unit_test(tolerance_counts_healthy_voters_beyond_the_quorum),
        cmocka_unit_test(a_new_server_votes_once_it_was_healthy_for_long_enough),
        cmocka_unit_test(who_falters_starts_anew),
        cmocka_unit_test(one_after_the_other_is_promoted),
        cmocka_unit_test(servers_that_never_come_up_never_vote),
        cmocka_unit_test(who_says_that_it_never_votes_does_not),
        cmocka_unit_test(a_new_leader_begins_to_count_anew),
        cmocka_unit_test(nobody_is_promoted_without_a_majority_that_is_heard_of),
        cmocka_unit_test(a_failed_server_goes_when_it_stays_dead),
        cmocka_unit_test(who_comes_back_in_time_stays),
        cmocka_unit_test(who_is_heard_of_is_not_dead_whatever_gossip_says),
        cmocka_unit_test(who_is_silent_is_not_dead_as_long_as_gossip_hears_it),
        cmocka_unit_test(who_is_unknown_to_gossip_has_a_minute),
        cmocka_unit_test(the_leader_never_removes_itself),
        cmocka_unit_test(without_clean_up_the_dead_stay),
        cmocka_unit_test(a_dead_server_without_a_vote_goes_whatever_the_voters_are),
        cmocka_unit_test(fewer_than_half_of_the_voters_go_or_nobody),
        cmocka_unit_test(min_quorum_is_left_or_nobody_goes),
        cmocka_unit_test(with_min_quorum_the_replacement_comes_first),
        cmocka_unit_test(without_it_the_dead_go_first),
        cmocka_unit_test(no_decision_ever_costs_the_quorum),
    };
    return cmocka_run_group_tests_name("autopilot", tests, NULL, NULL);
}
