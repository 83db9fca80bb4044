/* Mirrors src/status.c, src/reap.c and src/leave.c: who comes, goes and stays on record. */
#include "lone.h"

static void setup(struct lone *l)
{
    lone_create(l, NULL);
    lone_alive(l, "b", 2, 1);
    lone_ignore_events(l);
    lone_ignore(l);
}

static int intent(struct lone *l, enum swim__serf_type type, const char *node, uint64_t ltime,
                  bool prune)
{
    struct swim__serf_msg msg = {.type = type,
                                 .leave = {.ltime = ltime, .node = lone_str(node), .prune = prune}};
    if (type == SWIM__SERF_JOIN) {
        msg.join = (struct swim__serf_intent){.ltime = ltime, .node = lone_str(node)};
    }
    return lone_feed_serf(l, &msg);
}

static enum swim_status status(struct lone *l, const char *name)
{
    struct swim_member m;
    return swim_find_member(l->s, name, &m) ? m.status : SWIM_STATUS_NONE;
}

/* ---- intents ---- */

static void test_leave_then_dead_is_left_and_dead_alone_is_failed(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "b", 5, false), SWIM_OK);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_LEAVING);
    lone_dead(&l, "b", "b", 1);
    lone_dead(&l, "c", "x", 1);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_LEFT);
    assert_int_equal(status(&l, "c"), SWIM_STATUS_FAILED);
    lone_destroy(&l);
}

static void test_only_the_latest_intent_counts(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "b", 5, false), SWIM_OK);
    /* No later than the leave */
    assert_int_equal(intent(&l, SWIM__SERF_JOIN, "b", 5, false), SWIM_OK);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_LEAVING);
    assert_int_equal(lone_event(&l), 0);
    assert_int_equal(intent(&l, SWIM__SERF_JOIN, "b", 6, false), SWIM_OK);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_ALIVE);
    assert_int_equal(lone_event(&l),
                     SWIM_EVENT_UPDATE); /* an earlier event may have told that it leaves */
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "b", 4, false), SWIM_OK);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_ALIVE);
    struct swim_stats st;
    swim_stats(l.s, &st);
    assert_int_equal(st.member_clock, 7);
    lone_destroy(&l);
}

static void test_intent_about_a_stranger_waits_for_it(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "c", 9, false), SWIM_OK);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(status(&l, "c"), SWIM_STATUS_LEAVING);
    assert_int_equal(lone_member(&l, "c").status_ltime, 9);
    lone_destroy(&l);
}

static void test_intents_about_strangers_expire(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "c", 9, false), SWIM_OK);
    lone_advance(&l, 320 * MU_SEC);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(status(&l, "c"), SWIM_STATUS_ALIVE);
    lone_destroy(&l);
}

static void test_leave_intent_about_us_is_contradicted(void **state)
{
    (void)state;
    struct lone l;
    struct swim__serf_msg msg;
    setup(&l);
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "me", 40, false), SWIM_OK);
    assert_int_equal(status(&l, "me"), SWIM_STATUS_ALIVE);
    lone_advance(&l, 210 * MU_MSEC);
    assert_true(lone_find_serf(&l, SWIM__SERF_JOIN, &msg));
    assert_int_equal(msg.join.ltime, 41);
    assert_true(mu__str_is(msg.join.node, "me"));
    lone_destroy(&l);
}

static void test_force_leave_moves_a_failed_member_to_left(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_dead(&l, "b", "c", 1);
    lone_ignore_events(&l);
    assert_int_equal(swim_force_leave(l.s, l.now, "b", false), SWIM_OK);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_LEFT);
    assert_int_equal(lone_event(&l), SWIM_EVENT_LEAVE);
    assert_int_equal(swim_force_leave(l.s, l.now, "nobody", false), SWIM_ENOENT);
    assert_int_equal(swim_force_leave(l.s, l.now, "me", false), SWIM_EINVAL);
    lone_destroy(&l);
}

static void test_prune_erases_the_member(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    lone_dead(&l, "b", "c", 1);
    lone_ignore_events(&l);
    assert_int_equal(swim_force_leave(l.s, l.now, "b", true), SWIM_OK);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_NONE);
    assert_int_equal(lone_event(&l), SWIM_EVENT_LEAVE);
    assert_true(swim_next_event(l.s, &ev));
    assert_int_equal(ev.type, SWIM_EVENT_REAP);
    assert_true(mu__str_is(ev.member.name, "b")); /* the record lives on for its event */
    lone_destroy(&l);
}

static void test_pruned_leaving_member_goes_with_its_death_or_in_time(void **state)
{
    (void)state;
    for (int dies = 0; dies <= 1; dies++) {
        struct lone l;
        setup(&l);
        assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "b", 5, true), SWIM_OK);
        assert_int_equal(status(&l, "b"), SWIM_STATUS_LEAVING);
        if (dies) {
            lone_dead(&l, "b", "b", 1);
        } else {
            lone_advance(&l, 30 * MU_SEC);
        }
        assert_int_equal(status(&l, "b"), SWIM_STATUS_NONE);
        lone_destroy(&l);
    }
}

/* ---- what full syncs say of intents ---- */

/* A sync with somebody whose last word about that member was at that time. */
static void sync_status(struct lone *l, const char *name, uint64_t ltime, bool left)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__state_encode_begin(&w, 1, 0);
    swim__state_encode_left(&w, 1, left ? 1 : 0);
    if (left) {
        swim__state_encode_name(&w, lone_str(name));
    }
    swim__state_encode_status(&w, 1, 1);
    swim__state_encode_member(&w, lone_str(name), ltime);
    assert_false(w.failed);
    assert_int_equal(
        swim__serf_state_merge(l->s, (struct mu_str){(const char *)w.data, w.len}, false), SWIM_OK);
    mu__writer_fini(&w);
    swim__check(l->s);
}

static void test_who_left_before_we_came_and_returns_is_alive(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    sync_status(&l, "c", 9, true);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(status(&l, "c"), SWIM_STATUS_ALIVE);
    lone_destroy(&l);
}

static void test_a_stale_peer_does_not_make_the_returned_leave_again(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    sync_status(&l, "b", 9, true);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_ALIVE);
    struct swim_stats st;
    swim_stats(l.s, &st);
    assert_int_equal(st.member_clock, 10);
    lone_destroy(&l);
}

static void test_the_time_of_a_leave_does_not_grow_with_each_sync(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_dead(&l, "b", "c", 1);
    sync_status(&l, "b", 9, true);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_LEFT);
    assert_int_equal(lone_member(&l, "b").status_ltime, 10);
    sync_status(&l, "b", 10, true);
    assert_int_equal(lone_member(&l, "b").status_ltime, 10);
    sync_status(&l, "b", 12, true);
    assert_int_equal(lone_member(&l, "b").status_ltime, 12);
    lone_destroy(&l);
}

static void test_who_was_overtaken_says_again_that_it_stays(void **state)
{
    (void)state;
    struct lone l;
    struct swim__serf_msg msg;
    setup(&l);
    sync_status(&l, "me", 40, false);
    lone_advance(&l, 210 * MU_MSEC);
    assert_true(lone_find_serf(&l, SWIM__SERF_JOIN, &msg));
    assert_int_equal(msg.join.ltime, 41);
    lone_advance(&l, 30 * MU_SEC);
    lone_ignore(&l);
    sync_status(&l, "me", 41, false); /* our own word, back again */
    lone_advance(&l, 210 * MU_MSEC);
    assert_false(lone_find_serf(&l, SWIM__SERF_JOIN, &msg));
    lone_destroy(&l);
}

/* ---- reaping and reconnecting ---- */

static void short_memory(struct swim_config *cfg)
{
    cfg->reconnect_timeout_ns = 100 * MU_SEC;
    cfg->tombstone_timeout_ns = 100 * MU_SEC;
}

static void test_failed_and_left_members_are_reaped_in_time(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, short_memory);
    lone_alive(&l, "b", 2, 1);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(intent(&l, SWIM__SERF_LEAVE, "b", 5, false), SWIM_OK);
    lone_dead(&l, "b", "b", 1);
    lone_dead(&l, "c", "x", 1);
    lone_advance(&l, 90 * MU_SEC);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_LEFT);
    assert_int_equal(status(&l, "c"), SWIM_STATUS_FAILED);
    lone_advance(&l, 30 * MU_SEC);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_NONE);
    assert_int_equal(status(&l, "c"), SWIM_STATUS_NONE);
    assert_int_equal(l.s->members.count, 1);
    lone_destroy(&l);
}

static size_t count_joins(struct lone *l, unsigned to)
{
    struct swim_stream st;
    size_t n = 0;
    while (swim_next_stream(l->s, &st)) {
        n += st.to.ip[3] == to ? 1 : 0;
        swim_stream_end(l->s, l->now, st.id);
    }
    return n;
}

static void test_failed_members_are_tried_again_for_ever(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_dead(&l, "b", "c", 1);
    for (int hour = 0; hour < 3; hour++) {
        lone_advance(&l, 300 * MU_SEC);
        assert_in_range(count_joins(&l, 2), 9, 11); /* alone: each interval */
        lone_advance(&l, 3600 * MU_SEC);
        (void)count_joins(&l, 2);
    }
    lone_destroy(&l);
}

static void test_a_reaped_member_that_never_left_is_still_tried_now_and_then(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, short_memory);
    lone_alive(&l, "b", 2, 1);
    lone_dead(&l, "b", "c", 1);
    lone_advance(&l, 200 * MU_SEC);
    assert_int_equal(status(&l, "b"), SWIM_STATUS_NONE);
    (void)count_joins(&l, 2);
    lone_advance(&l, 3600 * MU_SEC);
    assert_in_range(count_joins(&l, 2), 5, 40);
    lone_destroy(&l);
}

/* ---- leaving ---- */

static void test_leaving_says_so_and_takes_its_time(void **state)
{
    (void)state;
    struct lone l;
    struct swim__serf_msg msg;
    struct swim__msg dead;
    setup(&l);
    swim_leave(l.s, l.now);
    swim_leave(l.s, l.now); /* again has no effect */
    assert_true(swim_is_leaving(l.s) && !swim_has_left(l.s));
    lone_advance(&l, 250 * MU_MSEC);
    assert_true(lone_find_serf(&l, SWIM__SERF_LEAVE, &msg));
    assert_true(mu__str_is(msg.leave.node, "me"));
    lone_advance(&l, 1000 * MU_MSEC);
    assert_true(lone_find(&l, SWIM__MSG_DEAD, &dead));
    assert_true(mu__str_is(dead.dead.node, "me") && mu__str_is(dead.dead.from, "me"));
    assert_int_equal(lone_suspect(&l, "me", "b", 1), SWIM_OK);
    assert_int_equal(lone_member(&l, "me").state, SWIM_GONE); /* no refutation any more */
    lone_advance(&l, 5 * MU_SEC);
    assert_true(swim_has_left(l.s));
    int last = 0;
    for (int type; (type = lone_event(&l)) != 0;) {
        last = type;
    }
    assert_int_equal(last, SWIM_EVENT_LEFT);
    struct swim_addr to = lone_addr(2);
    assert_int_equal(swim_join(l.s, l.now, &to, NULL), SWIM_ELEFT);
    assert_int_equal(swim_set_tags(l.s, l.now, NULL, 0), SWIM_ELEFT);
    lone_destroy(&l);
}

static void test_leaving_alone_is_quick(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, NULL);
    swim_leave(l.s, l.now);
    lone_advance(&l, MU_MSEC);
    assert_true(swim_has_left(l.s));
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leave_then_dead_is_left_and_dead_alone_is_failed),
        cmocka_unit_test(test_only_the_latest_intent_counts),
        cmocka_unit_test(test_intent_about_a_stranger_waits_for_it),
        cmocka_unit_test(test_intents_about_strangers_expire),
        cmocka_unit_test(test_leave_intent_about_us_is_contradicted),
        cmocka_unit_test(test_who_left_before_we_came_and_returns_is_alive),
        cmocka_unit_test(test_a_stale_peer_does_not_make_the_returned_leave_again),
        cmocka_unit_test(test_the_time_of_a_leave_does_not_grow_with_each_sync),
        cmocka_unit_test(test_who_was_overtaken_says_again_that_it_stays),
        cmocka_unit_test(test_force_leave_moves_a_failed_member_to_left),
        cmocka_unit_test(test_prune_erases_the_member),
        cmocka_unit_test(test_pruned_leaving_member_goes_with_its_death_or_in_time),
        cmocka_unit_test(test_failed_and_left_members_are_reaped_in_time),
        cmocka_unit_test(test_failed_members_are_tried_again_for_ever),
        cmocka_unit_test(test_a_reaped_member_that_never_left_is_still_tried_now_and_then),
        cmocka_unit_test(test_leaving_says_so_and_takes_its_time),
        cmocka_unit_test(test_leaving_alone_is_quick),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
