/* Mirrors src/state.c: what a member's state becomes (SWIM 4.2). */
#include "lone.h"

static void setup(struct lone *l)
{
    lone_create(l, NULL);
    assert_int_equal(lone_alive(l, "b", 2, 3), SWIM_OK);
    lone_ignore_events(l);
    lone_ignore(l);
}

static void test_a_new_member_joins(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, NULL);
    assert_int_equal(lone_event(&l), SWIM_EVENT_JOIN); /* ourselves */
    assert_int_equal(lone_alive(&l, "b", 2, 3), SWIM_OK);
    assert_int_equal(lone_event(&l), SWIM_EVENT_JOIN);
    assert_int_equal(lone_event(&l), 0);
    struct swim_member b = lone_member(&l, "b");
    assert_int_equal(b.status, SWIM_STATUS_ALIVE);
    assert_int_equal(b.incarnation, 3);
    assert_int_equal(b.protocol_max, 5);
    assert_int_equal(b.delegate_cur, 4);
    assert_false(b.is_self);
    assert_int_equal(swim_alive(l.s), 2);
    lone_destroy(&l);
}

/* SWIM 4.2: alive(i) overrides only j < i; suspect(i) overrides alive(j <= i); dead(i) both (j <=
 * i). */
static void test_order_of_precedence(void **state)
{
    (void)state;
    static const struct {
        enum swim__msg_type type;
        uint32_t incarnation;
        enum swim_state before, after;
    } table[] = {
        {SWIM__MSG_ALIVE, 3, SWIM_SUSPECT, SWIM_SUSPECT},
        {SWIM__MSG_ALIVE, 4, SWIM_SUSPECT, SWIM_ALIVE},
        {SWIM__MSG_ALIVE, 3, SWIM_DEAD, SWIM_DEAD},
        {SWIM__MSG_ALIVE, 4, SWIM_DEAD, SWIM_ALIVE},
        {SWIM__MSG_SUSPECT, 2, SWIM_ALIVE, SWIM_ALIVE},
        {SWIM__MSG_SUSPECT, 3, SWIM_ALIVE, SWIM_SUSPECT},
        {SWIM__MSG_SUSPECT, 9, SWIM_DEAD, SWIM_DEAD},
        {SWIM__MSG_DEAD, 2, SWIM_ALIVE, SWIM_ALIVE},
        {SWIM__MSG_DEAD, 3, SWIM_ALIVE, SWIM_DEAD},
        {SWIM__MSG_DEAD, 3, SWIM_SUSPECT, SWIM_DEAD},
        {SWIM__MSG_DEAD, 2, SWIM_SUSPECT, SWIM_SUSPECT},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct lone l;
        setup(&l);
        if (table[i].before == SWIM_SUSPECT) {
            assert_int_equal(lone_suspect(&l, "b", "c", 3), SWIM_OK);
        } else if (table[i].before == SWIM_DEAD) {
            assert_int_equal(lone_dead(&l, "b", "c", 3), SWIM_OK);
        }
        assert_int_equal(lone_member(&l, "b").state, table[i].before);
        if (table[i].type == SWIM__MSG_ALIVE) {
            assert_int_equal(lone_alive(&l, "b", 2, table[i].incarnation), SWIM_OK);
        } else if (table[i].type == SWIM__MSG_SUSPECT) {
            assert_int_equal(lone_suspect(&l, "b", "c", table[i].incarnation), SWIM_OK);
        } else {
            assert_int_equal(lone_dead(&l, "b", "c", table[i].incarnation), SWIM_OK);
        }
        assert_int_equal(lone_member(&l, "b").state, table[i].after);
        lone_destroy(&l);
    }
}

static void test_accusations_of_strangers_say_nothing(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_suspect(&l, "x", "b", 1), SWIM_OK);
    assert_int_equal(lone_dead(&l, "x", "x", 1), SWIM_OK);
    struct swim_member m;
    assert_false(swim_find_member(l.s, "x", &m));
    lone_destroy(&l);
}

static void test_suspect_refutes_with_higher_incarnation(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg;
    setup(&l);
    assert_int_equal(lone_suspect(&l, "me", "b", 5), SWIM_OK);
    struct swim_stats st;
    swim_stats(l.s, &st);
    assert_int_equal(st.incarnation, 6);
    assert_int_equal(st.health_score, 1);
    assert_int_equal(st.refutes, 1);
    lone_advance(&l, 300 * MU_MSEC);
    do {
        assert_true(lone_find(&l, SWIM__MSG_ALIVE, &msg));
    } while (!mu__str_is(msg.alive.node, "me"));
    assert_int_equal(msg.alive.incarnation, 6);
    lone_destroy(&l);
}

static void test_refutes_its_own_death_once_per_incarnation(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stats st;
    setup(&l);
    assert_int_equal(lone_dead(&l, "me", "b", 1), SWIM_OK);
    assert_int_equal(lone_dead(&l, "me", "b", 1), SWIM_OK); /* already answered */
    swim_stats(l.s, &st);
    assert_int_equal(st.refutes, 1);
    assert_int_equal(st.incarnation, 2);
    assert_int_equal(lone_member(&l, "me").state, SWIM_ALIVE);
    lone_destroy(&l);
}

static void test_an_accuser_is_answered_directly(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg;
    setup(&l);
    assert_int_equal(lone_dead(&l, "me", "b", 1), SWIM_OK);
    assert_true(lone_find(&l, SWIM__MSG_ALIVE, &msg));
    assert_true(mu__str_is(msg.alive.node, "me") && msg.alive.incarnation == 2);
    assert_int_equal(l.to.ip[3], 9); /* the datagram's source */
    assert_int_equal(lone_dead(&l, "me", "b", 1), SWIM_OK);
    assert_false(lone_find(&l, SWIM__MSG_ALIVE, &msg)); /* not at once again */
    lone_advance(&l, MU_SEC);
    lone_ignore(&l);
    assert_int_equal(lone_suspect(&l, "me", "b", 1), SWIM_OK); /* it has not heard of it yet */
    assert_true(lone_find(&l, SWIM__MSG_ALIVE, &msg));
    assert_int_equal(msg.alive.incarnation, 2);
    lone_destroy(&l);
}

static void test_the_highest_incarnation_cannot_be_refuted_and_does_no_harm(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_suspect(&l, "me", "b", UINT32_MAX), SWIM_OK);
    assert_int_equal(lone_member(&l, "me").incarnation, 1);
    lone_destroy(&l);
}

static void test_member_that_says_itself_dead_has_left(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim__serf_msg intent = {.type = SWIM__SERF_LEAVE,
                                    .leave = {.ltime = 5, .node = lone_str("b")}};
    assert_int_equal(lone_feed_serf(&l, &intent), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_LEAVING);
    assert_int_equal(lone_dead(&l, "b", "b", 3), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_LEFT);
    assert_int_equal(lone_member(&l, "b").state, SWIM_GONE);
    assert_int_equal(lone_event(&l), SWIM_EVENT_LEAVE);
    lone_destroy(&l);
}

static void test_news_is_passed_on_and_old_news_is_not(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    size_t before = l.s->updates.count;
    assert_int_equal(lone_alive(&l, "c", 3, 1), SWIM_OK);
    assert_int_equal(l.s->updates.count, before + 1);
    uint64_t id = l.s->updates.next_id;
    assert_int_equal(lone_alive(&l, "c", 3, 1), SWIM_OK);
    assert_int_equal(l.s->updates.next_id, id);
    lone_destroy(&l);
}

/* ---- the same name at another address ---- */

static void test_an_alive_name_cannot_be_taken_over(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_alive(&l, "b", 7, 9), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").addr.ip[3], 2);
    assert_int_equal(lone_event(&l), SWIM_EVENT_CONFLICT);
    assert_int_equal(lone_alive(&l, "me", 7, 9), SWIM_OK); /* nor can ours */
    assert_int_equal(lone_event(&l), SWIM_EVENT_CONFLICT);
    assert_int_equal(lone_member(&l, "me").addr.ip[3], 1);
    lone_destroy(&l);
}

static void test_a_dead_name_may_move_after_the_reclaim_time(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_dead(&l, "b", "c", 3), SWIM_OK);
    lone_advance(&l, 20 * MU_SEC);
    assert_int_equal(lone_alive(&l, "b", 7, 1), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_FAILED);
    lone_advance(&l, 11 * MU_SEC);
    /* A restarted container begins at 1 again */
    assert_int_equal(lone_alive(&l, "b", 7, 1), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_ALIVE);
    assert_int_equal(lone_member(&l, "b").addr.ip[3], 7);
    lone_destroy(&l);
}

/* ---- beyond memberlist ---- */

static void test_a_stale_announcement_does_not_raise_the_dead(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_dead(&l, "b", "c", 3), SWIM_OK);
    lone_advance(&l, 120 * MU_SEC); /* long dropped from the failure detector */
    assert_int_equal(lone_member(&l, "b").state, SWIM_NONE);
    assert_int_equal(lone_alive(&l, "b", 2, 3), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_FAILED);
    assert_int_equal(lone_alive(&l, "b", 2, 4), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_ALIVE);
    lone_destroy(&l);
}

static void test_who_comes_back_with_an_old_incarnation_is_told(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg;
    setup(&l);
    assert_int_equal(lone_dead(&l, "b", "c", 100), SWIM_OK);
    lone_ignore(&l);
    assert_int_equal(lone_alive(&l, "b", 2, 1), SWIM_OK); /* restarted */
    assert_true(lone_find(&l, SWIM__MSG_DEAD, &msg));
    assert_int_equal(msg.dead.incarnation, 100);
    assert_true(mu__str_is(msg.dead.node, "b") && mu__str_is(msg.dead.from, "me"));
    assert_int_equal(l.to.ip[3], 2);
    assert_int_equal(lone_alive(&l, "b", 2, 1), SWIM_OK); /* but not at once again */
    assert_false(lone_find(&l, SWIM__MSG_DEAD, &msg));
    lone_destroy(&l);
}

/* ---- hostile announcements ---- */

static int announce(struct lone *l, struct swim__alive a)
{
    struct swim__msg msg = {.type = SWIM__MSG_ALIVE, .alive = a};
    return lone_feed(l, &msg);
}

static void test_malformed_announcements_are_refused(void **state)
{
    (void)state;
    struct lone l;
    char long_name[300], big_meta[600];
    struct swim_member m;
    memset(long_name, 'n', sizeof long_name);
    memset(big_meta, 'm', sizeof big_meta);
    setup(&l);
    const struct swim__alive good = {.node = {"x", 1},
                                     .addr = {"\x0a\0\0\x05", 4},
                                     .vsn = {"\x01\x05\x02\x02\x05\x04", 6},
                                     .incarnation = 1,
                                     .port = 8301};
    struct swim__alive a = good;
    a.node = (struct mu_str){long_name, sizeof long_name};
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    a = good;
    a.node.len = 0;
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    a = good;
    a.vsn.len = 3;
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    a = good;
    a.vsn.p = "\x05\x01\x02\x02\x05\x04"; /* minimum above maximum */
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    a = good;
    a.addr.len = 3;
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    a = good;
    a.meta = (struct mu_str){big_meta, sizeof big_meta};
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    a = good;
    a.meta = (struct mu_str){"\xff\x82\xa1", 3}; /* tags cut short */
    assert_int_equal(announce(&l, a), SWIM_EPROTO);
    assert_false(swim_find_member(l.s, "x", &m));
    assert_int_equal(announce(&l, good), SWIM_OK);
    assert_true(swim_find_member(l.s, "x", &m));
    lone_destroy(&l);
}

static void few_members(struct swim_config *cfg)
{
    cfg->members_max = 3;
}

static void test_members_beyond_the_limit_are_dropped(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stats st;
    lone_create(&l, few_members);
    assert_int_equal(lone_alive(&l, "b", 2, 1), SWIM_OK);
    assert_int_equal(lone_alive(&l, "c", 3, 1), SWIM_OK);
    assert_int_not_equal(lone_alive(&l, "d", 4, 1), SWIM_OK);
    swim_stats(l.s, &st);
    assert_int_equal(st.members, 3);
    assert_int_equal(st.members_refused, 1);
    lone_destroy(&l);
}

static bool admit_only_b(void *user, const struct swim_member *c, size_t n, char *why, size_t cap)
{
    (void)user;
    (void)snprintf(why, cap, "not b");
    return n == 1 && mu__str_is(c->name, "b");
}
static void only_b(struct swim_config *cfg)
{
    cfg->admit = admit_only_b;
}

static void test_admission_is_asked_of_each_announcement(void **state)
{
    (void)state;
    struct lone l;
    struct swim_member m;
    lone_create(&l, only_b);
    assert_int_equal(lone_alive(&l, "b", 2, 1), SWIM_OK);
    assert_int_equal(lone_alive(&l, "c", 3, 1), SWIM_OK);
    assert_true(swim_find_member(l.s, "b", &m));
    assert_false(swim_find_member(l.s, "c", &m));
    lone_destroy(&l);
}

static void test_new_tags_raise_the_incarnation_and_travel(void **state)
{
    (void)state;
    static const struct swim_tag tags[] = {{{"role", 4}, {"db", 2}}, {{"zone", 4}, {"z9", 2}}};
    struct lone l;
    struct mu_str v;
    struct swim_tag tag;
    setup(&l);
    assert_int_equal(swim_set_tags(l.s, l.now, tags, 2), SWIM_OK);
    struct swim_member me = lone_member(&l, "me");
    assert_int_equal(me.incarnation, 2);
    assert_true(me.is_self);
    assert_true(swim_tag(&me, "zone", &v) && mu__str_is(v, "z9"));
    assert_false(swim_tag(&me, "rack", &v));
    size_t at = 0, n = 0;
    while (swim_next_tag(&me, &at, &tag)) {
        n++;
    }
    assert_int_equal(n, 2);
    assert_int_equal(lone_event(&l), SWIM_EVENT_UPDATE);

    char big[600];
    memset(big, 'x', sizeof big);
    struct swim_tag too_big = {{"k", 1}, {big, sizeof big}};
    assert_int_equal(swim_set_tags(l.s, l.now, &too_big, 1), SWIM_ESIZE);
    me = lone_member(&l, "me");
    assert_true(swim_tag(&me, "zone", &v)); /* as it was */
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_member_joins),
        cmocka_unit_test(test_order_of_precedence),
        cmocka_unit_test(test_accusations_of_strangers_say_nothing),
        cmocka_unit_test(test_suspect_refutes_with_higher_incarnation),
        cmocka_unit_test(test_refutes_its_own_death_once_per_incarnation),
        cmocka_unit_test(test_an_accuser_is_answered_directly),
        cmocka_unit_test(test_the_highest_incarnation_cannot_be_refuted_and_does_no_harm),
        cmocka_unit_test(test_member_that_says_itself_dead_has_left),
        cmocka_unit_test(test_news_is_passed_on_and_old_news_is_not),
        cmocka_unit_test(test_an_alive_name_cannot_be_taken_over),
        cmocka_unit_test(test_a_dead_name_may_move_after_the_reclaim_time),
        cmocka_unit_test(test_a_stale_announcement_does_not_raise_the_dead),
        cmocka_unit_test(test_who_comes_back_with_an_old_incarnation_is_told),
        cmocka_unit_test(test_malformed_announcements_are_refused),
        cmocka_unit_test(test_members_beyond_the_limit_are_dropped),
        cmocka_unit_test(test_admission_is_asked_of_each_announcement),
        cmocka_unit_test(test_new_tags_raise_the_incarnation_and_travel),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
