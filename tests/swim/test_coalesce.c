/* Mirrors src/coalesce.c. */
#include "lone.h"

static void both(struct swim_config *cfg)
{
    cfg->compress = false;
    cfg->member_coalesce_ns = cfg->user_coalesce_ns = 10 * MU_SEC;
    cfg->member_quiescent_ns = cfg->user_quiescent_ns = 2 * MU_SEC;
}

static void setup(struct lone *l)
{
    lone_create(l, both);
    lone_advance(l, 3 * MU_SEC);
    lone_ignore_events(l);
}

static void event(struct lone *l, const char *name, uint64_t ltime, bool cc)
{
    struct swim__serf_msg msg = {.type = SWIM__SERF_USER_EVENT,
                                 .event = {.ltime = ltime, .name = lone_str(name), .cc = cc}};
    assert_int_equal(lone_feed_serf(l, &msg), SWIM_OK);
}

static void test_of_each_member_only_the_outcome_is_told(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    lone_alive(&l, "b", 2, 1);
    lone_alive(&l, "c", 3, 1);
    lone_dead(&l, "b", "x", 1);
    assert_int_equal(lone_event(&l), 0); /* held */
    lone_advance(&l, 3 * MU_SEC);
    assert_true(swim_next_event(l.s, &ev));
    assert_int_equal(ev.type, SWIM_EVENT_JOIN);
    assert_true(mu__str_is(ev.member.name, "c"));
    assert_true(swim_next_event(l.s, &ev));
    assert_int_equal(ev.type, SWIM_EVENT_FAILED);
    assert_int_equal(ev.status, SWIM_STATUS_FAILED);
    assert_int_equal(lone_event(&l), 0);
    lone_destroy(&l);
}

static void test_a_flap_that_ends_where_it_began_is_not_told(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_alive(&l, "b", 2, 1);
    lone_advance(&l, 3 * MU_SEC);
    assert_int_equal(lone_event(&l), SWIM_EVENT_JOIN);
    lone_dead(&l, "b", "x", 1);
    lone_alive(&l, "b", 2, 2);
    lone_advance(&l, 3 * MU_SEC);
    assert_int_equal(lone_event(&l), 0);
    lone_destroy(&l);
}

static void test_a_stream_of_events_is_not_held_longer_than_the_period(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    for (uint32_t i = 1; i <= 9; i++) { /* each within the quiet time of the one before */
        lone_alive(&l, "b", 2, 2 * i);
        lone_dead(&l, "b", "x", 2 * i);
        lone_advance(&l, 1 * MU_SEC);
        assert_int_equal(lone_event(&l), 0);
    }
    lone_dead(&l, "b", "x", 40);
    lone_advance(&l, 1100 * MU_MSEC);
    assert_int_equal(lone_event(&l), SWIM_EVENT_FAILED);
    lone_destroy(&l);
}

static void test_of_each_name_the_latest_user_events_are_told(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    event(&l, "deploy", 5, true);
    event(&l, "deploy", 7, true);
    event(&l, "deploy", 6, true);
    event(&l, "restart", 4, true);
    event(&l, "alarm", 3, false); /* its sender wants each one told */
    assert_true(swim_next_event(l.s, &ev) && mu__str_is(ev.name, "alarm"));
    assert_false(swim_next_event(l.s, &ev));
    lone_advance(&l, 3 * MU_SEC);
    assert_true(swim_next_event(l.s, &ev) && mu__str_is(ev.name, "deploy"));
    assert_int_equal(ev.ltime, 7);
    assert_true(swim_next_event(l.s, &ev) && mu__str_is(ev.name, "restart"));
    assert_false(swim_next_event(l.s, &ev));
    assert_int_equal(l.s->events.droppable, 0);
    lone_destroy(&l);
}

static void test_what_is_held_is_told_before_the_end_and_freed_with_it(void **state)
{
    (void)state;
    struct lone l;
    int joins = 0, last = 0;
    setup(&l);
    lone_alive(&l, "b", 2, 1);
    swim_leave(l.s, l.now);
    lone_advance(&l, 30 * MU_SEC);
    for (int type; (type = lone_event(&l)) != 0; last = type) {
        joins += type == SWIM_EVENT_JOIN;
    }
    assert_int_equal(joins, 1);
    assert_int_equal(last, SWIM_EVENT_LEFT);
    lone_destroy(&l);
    setup(&l);
    lone_alive(&l, "b", 2, 1);
    event(&l, "deploy", 5, true);
    lone_destroy(&l); /* with both held */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_each_member_only_the_outcome_is_told),
        cmocka_unit_test(test_a_flap_that_ends_where_it_began_is_not_told),
        cmocka_unit_test(test_a_stream_of_events_is_not_held_longer_than_the_period),
        cmocka_unit_test(test_of_each_name_the_latest_user_events_are_told),
        cmocka_unit_test(test_what_is_held_is_told_before_the_end_and_freed_with_it),
    };
    return cmocka_run_group_tests_name("coalesce", tests, NULL, NULL);
}
