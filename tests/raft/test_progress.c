/* Mirrors src/progress.c. */
#include "one.h"

/* c has all there is, and is probed nevertheless, as after a snapshot. Its answer to an earlier
 * heartbeat overtakes the one to the probe: that must not leave the probe in the window, which
 * nothing would take out again. */
static void test_probe_without_entries_leaves_the_window_by_a_heartbeat(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    cfg.inflight_max = 1;
    struct one o = one_create(&cfg, 3);
    one_lead(&o);
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "c", raft_current_term(o.r));
    m.log_index = raft_last_index(o.r);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    struct raft__peer *c = raft__find_peer(o.r, "c");
    assert_int_equal(c->match, raft_last_index(o.r));

    raft__peer_probe(o.r, c, raft_last_index(o.r) + 1);
    one_settle(&o);
    assert_int_equal(c->window.len, 1);
    m = one_message(RAFT_MSG_HEARTBEAT_REPLY, "c", raft_current_term(o.r));
    m.log_index = m.hint_index = raft_last_index(o.r);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(c->state, RAFT__REPLICATE);
    assert_int_equal(c->window.len, 0);

    raft_index first;
    const struct mu_str data = {"x", 1};
    assert_int_equal(raft_propose(o.r, o.now, &data, 1, &first), RAFT_OK);
    assert_true(one_next(&o));
    const struct raft_message *append = one_sent(&o, RAFT_MSG_APPEND, "c");
    assert_non_null(append);
    assert_int_equal(append->n_entries, 1);
    raft_destroy(o.r);
}

/* c acknowledged all there is, and came back from a damaged disk without the end of it. Its refusal
 * of an append that left later says so; the same refusal of an earlier one is only late. */
static void test_a_peer_that_lost_what_it_acknowledged_gets_it_again(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    one_lead(&o);
    raft_index last = raft_last_index(o.r);
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "c", raft_current_term(o.r));
    m.log_index = last;
    m.stamp = o.now;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    struct raft__peer *c = raft__find_peer(o.r, "c");
    assert_int_equal(c->match, last);

    m.reject = true;
    m.hint_index = last - 1;
    m.hint_term = 0;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(c->match, last);

    o.now = raft_next_deadline(o.r); /* a heartbeat, whose answer knows of no match */
    raft_advance(o.r, o.now);
    one_settle(&o);
    m.stamp = o.now;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(c->match, 0);
    assert_true(one_next(&o));
    const struct raft_message *append = one_sent(&o, RAFT_MSG_APPEND, "c");
    assert_non_null(append);
    assert_int_equal(append->log_index, last - 1);
    assert_int_equal(append->n_entries, 1);
    raft_destroy(o.r);
}

/* a led before, with a longer log that a crash cut short: answers to what it sent then may come in
 * the term in which it leads again. */
static void test_a_refusal_of_an_earlier_leadership_is_ignored(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    one_lead(&o);
    const struct raft__peer *c = raft__find_peer(o.r, "c");
    raft_index next = c->next;
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "c", raft_current_term(o.r));
    m.reject = true;
    m.log_index = raft_last_index(o.r) + 10;
    m.stamp = o.r->leader_since - 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(c->next, next);
    m.log_index = next - 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    m.stamp = o.r->stamp + 1; /* of a clock that began anew since */
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(c->next, next);
    assert_int_equal(c->window.len, 1);
    m.stamp = o.r->stamp;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(c->next, next - 1);
    raft_destroy(o.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refusal_of_an_earlier_leadership_is_ignored),
        cmocka_unit_test(test_probe_without_entries_leaves_the_window_by_a_heartbeat),
        cmocka_unit_test(test_a_peer_that_lost_what_it_acknowledged_gets_it_again),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
