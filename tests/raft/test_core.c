/* One server by hand: what it holds back until it is durable, what it refuses, and what its config
 * says. */
#include "one.h"

/* --- What waits for the disk --- */

static void test_vote_leaves_after_it_is_durable(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    struct raft_message m = one_message(RAFT_MSG_VOTE, "b", 2);
    m.log_index = m.log_term = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_messages, 0);
    assert_int_equal(o.u->persist->hard->term, 2);
    assert_string_equal(o.u->persist->hard->vote, "b");
    raft_persisted(o.r, o.now, o.u->persist->id);
    assert_true(one_next(&o));
    assert_false(one_sent(&o, RAFT_MSG_VOTE_REPLY, "b")->reject);
    raft_destroy(o.r);
}

static void test_vote_requests_leave_after_the_own_vote_is_durable(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    o.now = raft_next_deadline(o.r);
    raft_advance(o.r, o.now);
    assert_true(one_next(&o));
    assert_non_null(one_sent(&o, RAFT_MSG_PREVOTE, "b"));
    struct raft_message m = one_message(RAFT_MSG_PREVOTE_REPLY, "c", 2);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_messages, 0);
    raft_persisted(o.r, o.now, o.u->persist->id);
    assert_true(one_next(&o));
    assert_non_null(one_sent(&o, RAFT_MSG_VOTE, "b"));
    raft_destroy(o.r);
}

static void test_follower_acknowledges_what_is_durable_in_one_message(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    for (raft_index i = 2; i <= 4; i++) {
        const struct raft_entry e = {.index = i, .term = 2, .data = "x", .len = 1};
        struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
        m.log_index = i - 1;
        m.log_term = i == 2 ? 1 : 2;
        m.entries = &e;
        m.n_entries = 1;
        m.stamp = i;
        assert_int_equal(one_step(&o, &m), RAFT_OK);
    }
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_messages, 0);
    assert_int_equal(o.u->persist->n, 3);
    raft_persisted(o.r, o.now, o.u->persist->id);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_messages, 1);
    assert_int_equal(o.u->messages[0].log_index, 4);
    assert_int_equal(o.u->messages[0].stamp, 4);
    raft_destroy(o.r);
}

/* A heartbeat is answered though a slow write is under way, and tells how much of the log is
 * durable. */
static void test_heartbeats_do_not_wait_for_entries(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT, "b", 2);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    const struct raft_entry e = {.index = 2, .term = 2, .data = "x", .len = 1};
    m = one_message(RAFT_MSG_APPEND, "b", 2);
    m.log_index = m.log_term = 1;
    m.entries = &e;
    m.n_entries = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    m = one_message(RAFT_MSG_HEARTBEAT, "b", 2);
    m.stamp = 77;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    const struct raft_message *reply = one_sent(&o, RAFT_MSG_HEARTBEAT_REPLY, "b");
    assert_non_null(reply);
    assert_int_equal(reply->stamp, 77);
    assert_int_equal(reply->log_index, 2);
    assert_int_equal(reply->hint_index, 1);
    raft_destroy(o.r);
}

/* An index that was truncated and came again is durable when its second write is, not its first. */
static void test_an_old_write_does_not_make_a_new_entry_durable(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    struct raft_entry e = {.index = 2, .term = 2, .data = "x", .len = 1};
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
    m.log_index = m.log_term = 1;
    m.entries = &e;
    m.n_entries = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    uint64_t first = o.u->persist->id;
    e.term = 3;
    m.term = 3;
    m.from = m.from_address = "c";
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    uint64_t second = o.u->persist->id;
    raft_persisted(o.r, o.now, first);
    assert_false(one_next(&o));
    raft_persisted(o.r, o.now, second);
    assert_true(one_next(&o));
    assert_int_equal(one_sent(&o, RAFT_MSG_APPEND_REPLY, "c")->log_index, 2);
    raft_destroy(o.r);
}

/* --- The leader --- */

static struct one leader_of_three(const struct raft_config *cfg)
{
    struct one o = one_create(cfg, 3);
    one_lead(&o);
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "b", 2);
    m.log_index = 2;
    m.stamp = o.r->stamp;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    assert_int_equal(raft_commit_index(o.r), 2);
    return o;
}

static void test_proposals_of_one_moment_travel_in_one_message(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = leader_of_three(&cfg);
    const struct mu_str items[] = {{"one", 3}, {"two", 3}};
    raft_index first;
    assert_int_equal(raft_propose(o.r, o.now, items, 2, &first), RAFT_OK);
    assert_int_equal(first, 3);
    assert_int_equal(raft_propose(o.r, o.now, items, 1, &first), RAFT_OK);
    assert_true(one_next(&o));
    const struct raft_message *m = one_sent(&o, RAFT_MSG_APPEND, "b");
    assert_int_equal(m->n_entries, 3);
    assert_memory_equal(m->entries[1].data, "two", 3);
    assert_int_equal(o.u->persist->n, 3); /* while its own write begins */
    raft_destroy(o.r);
}

static void test_window_bounds_what_is_under_way(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    cfg.inflight_max = 3;
    cfg.message_bytes_max = 1;
    struct one o = leader_of_three(&cfg);
    const struct mu_str items[] = {{"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}, {"5", 1}};
    raft_index first;
    assert_int_equal(raft_propose(o.r, o.now, items, 5, &first), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_messages, 3);
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "b", 2);
    m.log_index = 4; /* two of them */
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_messages, 2);
    raft_destroy(o.r);
}

static void test_proposals_are_refused_with_a_reason(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    cfg.entry_bytes_max = 100;
    cfg.backlog_bytes_max = 500;
    struct one o = leader_of_three(&cfg);
    char data[200] = {0};
    raft_index first;
    struct mu_str item = {data, 101};
    assert_int_equal(raft_propose(o.r, o.now, &item, 1, &first), RAFT_ETOOBIG);
    item.len = 100;
    int rc = RAFT_OK;
    for (int i = 0; i < 10 && rc == RAFT_OK; i++) {
        rc = raft_propose(o.r, o.now, &item, 1, &first);
    }
    assert_int_equal(rc, RAFT_EBUSY);
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT, "b", 9);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_propose(o.r, o.now, &item, 1, &first), RAFT_ENOTLEADER);
    assert_string_equal(raft_leader(o.r), "b");
    raft_destroy(o.r);
}

static void test_reads_wait_for_a_round_that_began_after_them(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = leader_of_three(&cfg);
    uint64_t old_stamp = o.r->stamp;
    assert_int_equal(raft_read(o.r, o.now, 11), RAFT_OK);
    assert_int_equal(raft_read(o.r, o.now, 12), RAFT_OK);
    assert_true(one_next(&o));
    const struct raft_message *sent = one_sent(&o, RAFT_MSG_HEARTBEAT, "c");
    assert_true(sent->stamp > old_stamp);
    uint64_t stamp = sent->stamp;
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT_REPLY, "c", 2);
    m.stamp = old_stamp;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    while (one_next(&o)) {
        assert_int_equal(o.u->n_reads, 0);
    }
    m.stamp = stamp;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_reads, 2);
    assert_int_equal(o.u->reads[0].id, 11);
    assert_int_equal(o.u->reads[1].rc, RAFT_OK);
    raft_destroy(o.r);
}

static void test_lease_counts_from_the_sending_and_ends_in_time(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    one_lead(&o);
    assert_int_equal(raft_lease_until(o.r), 0); /* nothing of the term is committed */
    uint64_t sent = o.r->stamp;
    o.now += 10 * MU_MSEC;
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "b", 2);
    m.log_index = 2;
    m.stamp = sent;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_lease_until(o.r), 0); /* committed, and not applied */
    one_settle(&o);
    assert_int_equal(raft_lease_until(o.r), sent + cfg.election_timeout_ns / 4 * 3);
    assert_int_equal(raft_transfer(o.r, o.now, "b"), RAFT_OK);
    assert_int_equal(raft_lease_until(o.r), 0);
    raft_destroy(o.r);
}

/* --- Elections --- */

static void test_no_votes_while_a_leader_is_alive_unless_it_asked_for_them(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT, "b", 2);
    m.stamp = 100;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    m = one_message(RAFT_MSG_VOTE, "c", 3);
    m.log_index = m.log_term = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_current_term(o.r), 2);
    m.transfer = 100; /* the leader was heard after it asked for this */
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_current_term(o.r), 2);
    m.transfer = 101;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_current_term(o.r), 3);
    assert_string_equal(o.r->hard.vote, "c");
    raft_destroy(o.r);
}

/* hashicorp/raft 606: a restarted leader must be able to ask the servers that still follow it. */
static void test_the_leader_itself_may_campaign(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT, "b", 2);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    m = one_message(RAFT_MSG_PREVOTE, "b", 3);
    m.log_index = m.log_term = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_false(one_sent(&o, RAFT_MSG_PREVOTE_REPLY, "b")->reject);
    raft_destroy(o.r);
}

static void test_a_restarted_server_keeps_the_promise_it_may_have_given(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct raft *r;
    const struct raft_hard_state hs = {.term = 5};
    assert_int_equal(raft_create(&cfg, &r), RAFT_OK);
    assert_int_equal(raft_restore_hard_state(r, &hs), RAFT_OK);
    raft_start(r, MU_SEC);
    struct one o = {.r = r, .now = MU_SEC};
    struct raft_message m = one_message(RAFT_MSG_VOTE, "b", 6);
    m.log_index = m.log_term = 5;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_current_term(r), 5);
    o.now += cfg.election_timeout_ns;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_current_term(r), 6);
    raft_destroy(r);
}

static void test_votes_once_a_term_also_after_a_restart(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct raft *r;
    const struct raft_hard_state hs = {.term = 5, .vote = "c"};
    assert_int_equal(raft_create(&cfg, &r), RAFT_OK);
    assert_int_equal(raft_restore_hard_state(r, &hs), RAFT_OK);
    raft_start(r, 0);
    struct one o = {.r = r, .now = MU_SEC};
    struct raft_message m = one_message(RAFT_MSG_VOTE, "b", 5);
    m.log_index = m.log_term = 5;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_true(one_sent(&o, RAFT_MSG_VOTE_REPLY, "b")->reject);
    m.from = m.from_address = "c";
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_false(one_sent(&o, RAFT_MSG_VOTE_REPLY, "c")->reject);
    raft_destroy(r);
}

/* --- Messages that no correct peer sends --- */

static void test_impossible_messages_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = leader_of_three(&cfg);
    const struct raft_entry gap = {.index = 9, .term = 2};
    const struct raft_entry later = {.index = 3, .term = 9};
    const struct raft_entry config = {
        .index = 3, .term = 2, .type = RAFT_ENTRY_CONFIG, .data = "?", .len = 1};
    const struct raft_entry *bad[] = {&gap, &later, &config};
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
    assert_int_equal(one_step(&o, &m), RAFT_EPROTO); /* a second leader in the term */
    m = one_message(RAFT_MSG_APPEND_REPLY, "b", 2);
    m.log_index = 1000;
    assert_int_equal(one_step(&o, &m), RAFT_EPROTO); /* matches what there is not */
    m = one_message(RAFT_MSG_HEARTBEAT, "a", 3);
    assert_int_equal(one_step(&o, &m), RAFT_EPROTO); /* from itself */
    m = one_message(RAFT_MSG_VOTE, "b", UINT64_MAX);
    assert_int_equal(one_step(&o, &m), RAFT_EPROTO); /* would use up all terms */
    for (size_t i = 0; i < 3; i++) {
        m = one_message(RAFT_MSG_APPEND, "b", 3);
        m.log_index = m.log_term = 2;
        m.entries = bad[i];
        m.n_entries = 1;
        assert_int_equal(one_step(&o, &m), RAFT_EPROTO);
    }
    m = one_message(RAFT_MSG_SNAPSHOT, "b", 3);
    m.snapshot.index = m.snapshot.term = 2;
    m.last = true;
    assert_int_equal(one_step(&o, &m), RAFT_EPROTO); /* no configuration */
    m = one_message((enum raft_message_type)99, "b", 2);
    assert_int_equal(one_step(&o, &m), RAFT_EPROTO);
    assert_int_equal(raft_role(o.r), RAFT_LEADER);
    assert_int_equal(raft_current_term(o.r), 2);
    m = one_message(RAFT_MSG_VOTE, "b", 99);
    m.to = "z";
    assert_int_equal(one_step(&o, &m), RAFT_OK); /* for somebody else */
    assert_int_equal(raft_current_term(o.r), 2);
    raft__check(o.r);
    raft_destroy(o.r);
}

/* willemt/raft 118: entries before the commit index, with prev 0, overwrite nothing. */
static void test_late_append_from_the_beginning_changes_nothing(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    const struct raft_entry e[] = {{.index = 2, .term = 2, .data = "x", .len = 1},
                                   {.index = 3, .term = 2, .data = "y", .len = 1}};
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
    m.log_index = m.log_term = 1;
    m.entries = e;
    m.n_entries = 2;
    m.commit = 3;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    assert_int_equal(raft_commit_index(o.r), 3);
    m.n_entries = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK); /* a repeated, shorter one */
    const struct raft_entry other = {.index = 1, .term = 2, .data = "z", .len = 1};
    m.log_index = m.log_term = 0;
    m.entries = &other;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    assert_int_equal(raft_last_index(o.r), 3);
    assert_int_equal(raft_last_term(o.r), 2);
    raft_destroy(o.r);
}

/* --- Config, errors --- */

static void test_config_says_which_field_is_wrong(void **state)
{
    (void)state;
    struct raft *r;
    struct raft_config cfg = one_config();
    cfg.id = "";
    assert_int_equal(raft_create(&cfg, &r), RAFT_EINVAL);
    assert_null(r);
    cfg = one_config();
    cfg.lease_ns = cfg.election_timeout_ns;
    assert_int_equal(raft_create(&cfg, &r), RAFT_EINVAL);
    cfg = one_config();
    cfg.heartbeat_ns = cfg.election_timeout_ns;
    assert_int_equal(raft_create(&cfg, &r), RAFT_EINVAL);
    cfg = one_config();
    cfg.inflight_max = 0;
    assert_int_equal(raft_create(&cfg, &r), RAFT_EINVAL);
}

static void test_older_and_newer_configs_are_taken(void **state)
{
    (void)state;
    struct {
        struct raft_config cfg;
        uint64_t later;
    } newer;
    struct raft *r;
    raft_config_init_sized(&newer.cfg, sizeof newer);
    newer.cfg.id = "a";
    assert_int_equal(raft_create(&newer.cfg, &r), RAFT_OK);
    raft_destroy(r);
    newer.later = 1; /* a wish that this library does not know */
    assert_int_equal(raft_create(&newer.cfg, &r), RAFT_EINVAL);
    struct raft_config older = one_config();
    older.size = offsetof(struct raft_config, tail_entries);
    older.tail_entries = 77;
    assert_int_equal(raft_create(&older, &r), RAFT_OK);
    assert_int_equal(r->cfg.tail_entries, 10000);
    raft_destroy(r);
}

static void test_each_error_has_a_sentence_and_a_class(void **state)
{
    (void)state;
    for (int code = RAFT_EVERSION; code <= RAFT_ENOMEM; code++) {
        assert_string_not_equal(raft_strerror(code), raft_strerror(1));
        assert_int_not_equal(raft_err_class(code), MU_CLASS_OK);
    }
    assert_int_equal(raft_err_class(RAFT_OK), MU_CLASS_OK);
    assert_int_equal(raft_err_class(12345), MU_CLASS_FATAL);
    assert_int_equal(raft_version(), RAFT_VERSION);
}

static void test_same_seed_same_timeouts(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one a = one_create(&cfg, 3), b = one_create(&cfg, 3);
    assert_int_equal(raft_next_deadline(a.r), raft_next_deadline(b.r));
    uint64_t wait = raft_next_deadline(a.r) - a.now;
    assert_in_range(wait, cfg.election_timeout_ns, 2 * cfg.election_timeout_ns - 1);
    raft_destroy(a.r);
    raft_destroy(b.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vote_leaves_after_it_is_durable),
        cmocka_unit_test(test_vote_requests_leave_after_the_own_vote_is_durable),
        cmocka_unit_test(test_follower_acknowledges_what_is_durable_in_one_message),
        cmocka_unit_test(test_heartbeats_do_not_wait_for_entries),
        cmocka_unit_test(test_an_old_write_does_not_make_a_new_entry_durable),
        cmocka_unit_test(test_proposals_of_one_moment_travel_in_one_message),
        cmocka_unit_test(test_window_bounds_what_is_under_way),
        cmocka_unit_test(test_proposals_are_refused_with_a_reason),
        cmocka_unit_test(test_reads_wait_for_a_round_that_began_after_them),
        cmocka_unit_test(test_lease_counts_from_the_sending_and_ends_in_time),
        cmocka_unit_test(test_no_votes_while_a_leader_is_alive_unless_it_asked_for_them),
        cmocka_unit_test(test_the_leader_itself_may_campaign),
        cmocka_unit_test(test_a_restarted_server_keeps_the_promise_it_may_have_given),
        cmocka_unit_test(test_votes_once_a_term_also_after_a_restart),
        cmocka_unit_test(test_impossible_messages_are_refused_and_change_nothing),
        cmocka_unit_test(test_late_append_from_the_beginning_changes_nothing),
        cmocka_unit_test(test_config_says_which_field_is_wrong),
        cmocka_unit_test(test_older_and_newer_configs_are_taken),
        cmocka_unit_test(test_each_error_has_a_sentence_and_a_class),
        cmocka_unit_test(test_same_seed_same_timeouts),
    };
    return cmocka_run_group_tests_name("raft core", tests, NULL, NULL);
}
