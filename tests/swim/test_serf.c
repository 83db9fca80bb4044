/* Mirrors src/status.c, src/reap.c, src/leave.c, src/user_event.c, src/query.c, src/keys.c and
 * src/recent.c. */
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

/* The next serf message among what it sends. */
static bool find_serf(struct lone *l, enum swim__serf_type type, struct swim__serf_msg *out)
{
    struct swim__msg msg;
    while (lone_find(l, SWIM__MSG_USER, &msg)) {
        assert_true(swim__serf_decode(msg.user.p, msg.user.len, out));
        if (out->type == type) {
            return true;
        }
    }
    return false;
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
    assert_true(find_serf(&l, SWIM__SERF_JOIN, &msg));
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
    assert_true(find_serf(&l, SWIM__SERF_JOIN, &msg));
    assert_int_equal(msg.join.ltime, 41);
    lone_advance(&l, 30 * MU_SEC);
    lone_ignore(&l);
    sync_status(&l, "me", 41, false); /* our own word, back again */
    lone_advance(&l, 210 * MU_MSEC);
    assert_false(find_serf(&l, SWIM__SERF_JOIN, &msg));
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
    assert_true(find_serf(&l, SWIM__SERF_LEAVE, &msg));
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

/* ---- user events ---- */

static int user_event(struct lone *l, const char *name, uint64_t ltime)
{
    struct swim__serf_msg msg = {.type = SWIM__SERF_USER_EVENT,
                                 .event = {.ltime = ltime, .name = lone_str(name)}};
    return lone_feed_serf(l, &msg);
}

static void test_an_event_is_delivered_once_and_passed_on(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct swim__serf_msg msg;
    setup(&l);
    assert_int_equal(user_event(&l, "deploy", 5), SWIM_OK);
    assert_int_equal(user_event(&l, "deploy", 5), SWIM_OK);
    assert_true(swim_next_event(l.s, &ev));
    assert_int_equal(ev.type, SWIM_EVENT_USER);
    assert_true(mu__str_is(ev.name, "deploy"));
    assert_int_equal(ev.ltime, 5);
    assert_false(swim_next_event(l.s, &ev));
    /* At another time it is another event */
    assert_int_equal(user_event(&l, "deploy", 6), SWIM_OK);
    assert_true(swim_next_event(l.s, &ev));
    lone_advance(&l, 210 * MU_MSEC);
    assert_true(find_serf(&l, SWIM__SERF_USER_EVENT, &msg));
    lone_destroy(&l);
}

static void test_events_too_far_in_the_past_are_ignored(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(user_event(&l, "a", 1000), SWIM_OK);
    assert_int_equal(lone_event(&l), SWIM_EVENT_USER);
    assert_int_equal(user_event(&l, "b", 400), SWIM_OK);
    assert_int_equal(lone_event(&l), 0);
    assert_int_equal(user_event(&l, "c", 600), SWIM_OK);
    assert_int_equal(lone_event(&l), SWIM_EVENT_USER);
    lone_destroy(&l);
}

static void test_a_slot_flooded_by_one_peer_stays_bounded(void **state)
{
    (void)state;
    struct lone l;
    size_t delivered = 0;
    setup(&l);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "e%d", i);
        assert_int_equal(user_event(&l, name, 7), SWIM_OK);
    }
    while (lone_event(&l) == SWIM_EVENT_USER) {
        delivered++;
    }
    assert_int_equal(delivered, 256);
    lone_destroy(&l);
}

static void test_own_events_have_a_limit_and_come_back(void **state)
{
    (void)state;
    struct lone l;
    char big[600] = {0};
    setup(&l);
    assert_int_equal(swim_user_event(l.s, l.now, lone_str("go"), (struct mu_str){big, 511}, false),
                     SWIM_ESIZE);
    assert_int_equal(swim_user_event(l.s, l.now, lone_str("go"), (struct mu_str){big, 505}, false),
                     SWIM_ESIZE);
    assert_int_equal(lone_event(&l), 0);
    assert_int_equal(swim_user_event(l.s, l.now, lone_str("go"), (struct mu_str){big, 300}, false),
                     SWIM_OK);
    assert_int_equal(lone_event(&l), SWIM_EVENT_USER);
    lone_destroy(&l);
}

static void few_events(struct swim_config *cfg)
{
    cfg->events_max = 4;
}

static void test_member_events_are_never_dropped_for_user_events(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stats st;
    lone_create(&l, few_events);
    for (uint64_t i = 1; i <= 10; i++) {
        (void)user_event(&l, "e", i);
    }
    lone_alive(&l, "b", 2, 1);
    int users = 0, joins = 0;
    for (int type; (type = lone_event(&l)) != 0;) {
        users += type == SWIM_EVENT_USER;
        joins += type == SWIM_EVENT_JOIN;
    }
    swim_stats(l.s, &st);
    assert_int_equal(users, 4);
    assert_int_equal(joins, 2);
    assert_int_equal(st.events_dropped, 6);
    lone_destroy(&l);
}

/* ---- queries ---- */

static struct swim__serf_msg query(const char *name, uint32_t id)
{
    return (struct swim__serf_msg){.type = SWIM__SERF_QUERY,
                                   .query = {.ltime = 3,
                                             .timeout_ns = (int64_t)(5 * MU_SEC),
                                             .id = id,
                                             .addr = {"\x0a\0\0\x05", 4},
                                             .port = 8301,
                                             .source_node = {"e", 1},
                                             .name = lone_str(name)}};
}

static void test_serf_ping_is_acknowledged(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim__serf_msg msg = query("_serf_ping", 11);
    msg.query.flags = SWIM__QUERY_ACK;
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    assert_true(find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    assert_int_equal(msg.response.id, 11);
    assert_int_equal(msg.response.flags, SWIM__QUERY_ACK);
    assert_true(mu__str_is(msg.response.from, "me"));
    assert_int_equal(l.to.ip[3], 5);
    assert_false(find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    assert_int_equal(lone_event(&l), 0); /* none of the host's business */
    lone_destroy(&l);
}

static void test_query_reaches_the_host_and_is_answered_once(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    struct swim__serf_msg msg = query("uptime", 12);
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK); /* a repeat */
    assert_true(swim_next_event(l.s, &ev));
    assert_int_equal(ev.type, SWIM_EVENT_QUERY);
    uint32_t handle = ev.query;
    assert_int_equal(ev.deadline_ns, l.now + 5 * MU_SEC);
    assert_int_equal(lone_event(&l), 0);
    assert_int_equal(swim_respond(l.s, l.now, handle, lone_str("3 days")), SWIM_OK);
    assert_int_equal(swim_respond(l.s, l.now, handle, lone_str("3 days")), SWIM_ENOENT);
    assert_true(find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    assert_true(mu__str_is(msg.response.payload, "3 days"));
    assert_int_equal(msg.response.flags, 0);
    lone_destroy(&l);
}

static void test_late_and_oversized_answers_are_refused(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    char big[1100] = {0};
    setup(&l);
    struct swim__serf_msg msg = query("uptime", 12);
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    assert_true(swim_next_event(l.s, &ev));
    uint32_t handle = ev.query;
    assert_int_equal(swim_respond(l.s, l.now, handle, (struct mu_str){big, sizeof big}),
                     SWIM_ESIZE);
    lone_advance(&l, 6 * MU_SEC);
    assert_int_equal(swim_respond(l.s, l.now, handle, lone_str("late")), SWIM_ENOENT);
    lone_destroy(&l);
}

static size_t answers_with_filter(const struct swim__serf_filter *f)
{
    struct lone l;
    struct mu__writer one = mu__writer_growing(&mu__malloc_allocator), span = one;
    setup(&l);
    swim__serf_filter_encode(&one, f);
    mu__mp_write_array(&span, 1);
    mu__mp_write_raw(&span, one.data, one.len);
    struct swim__serf_msg msg = query("_serf_ping", 13);
    msg.query.flags = SWIM__QUERY_ACK;
    msg.query.filters = (struct mu_str){(const char *)span.data, span.len};
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    size_t n = find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg) ? 1 : 0;
    assert_int_equal(l.s->queries.count, 1); /* passed on in any case */
    mu__writer_fini(&one);
    mu__writer_fini(&span);
    lone_destroy(&l);
    return n;
}

static void test_filters_decide_who_answers(void **state)
{
    (void)state;
    static const char us[] = "\x92\xa1x\xa2me", others[] = "\x91\xa1x";
    static const struct {
        struct swim__serf_filter f;
        size_t answers;
    } table[] = {
        {{.type = SWIM__FILTER_NODES, .nodes = {us, sizeof us - 1}}, 1},
        {{.type = SWIM__FILTER_NODES, .nodes = {others, sizeof others - 1}}, 0},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"node", 4}}, 1},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"od", 2}}, 1},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"^no", 3}}, 1},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"^node$", 6}}, 1},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"^od", 3}}, 0},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"no$", 3}}, 0},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"n.*e", 4}}, 1},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"^(web|n[aeo]+de)$", 17}}, 1},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"\\d", 2}}, 0},
        {{.type = SWIM__FILTER_TAG, .tag = {"role", 4}, .expr = {"(", 1}}, 0}, /* none at all */
        {{.type = SWIM__FILTER_TAG, .tag = {"rack", 4}, .expr = {"^$", 2}},
         1}, /* a missing tag is empty */
        {{.type = SWIM__FILTER_TAG, .tag = {"rack", 4}, .expr = {"7", 1}}, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(answers_with_filter(&table[i].f), table[i].answers);
    }
}

static void test_conflict_query_is_answered_by_the_others(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim__serf_msg msg = query("_serf_conflict", 14), inner;
    msg.query.payload = lone_str("b");
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    assert_true(find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    assert_true(swim__serf_decode(msg.response.payload.p, msg.response.payload.len, &inner));
    assert_true(inner.conflict.known && mu__str_is(inner.conflict.member.name, "b"));
    assert_int_equal(inner.conflict.member.port, 8301);
    msg = query("_serf_conflict", 15);
    msg.query.payload = lone_str("me"); /* who is asked about stays silent */
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    assert_false(find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    lone_destroy(&l);
}

static bool ask_keys(struct lone *l, const char *name, uint32_t id, struct mu_str key,
                     struct swim__serf_msg *answer)
{
    struct swim__serf_msg request = {.type = SWIM__SERF_KEY_REQUEST, .key_request = {.key = key}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__serf_encode(&w, &request);
    struct swim__serf_msg msg = query(name, id);
    msg.query.payload = (struct mu_str){(const char *)w.data, w.len};
    /* Straight in: how keys travel is the business of the envelope. */
    assert_int_equal(swim__query_receive(l->s, &msg.query, lone_str("x")), SWIM_OK);
    mu__writer_fini(&w);
    return find_serf(l, SWIM__SERF_QUERY_RESPONSE, &msg) &&
           swim__serf_decode(msg.response.payload.p, msg.response.payload.len, answer);
}

static void test_key_queries_change_and_list_the_ring(void **state)
{
    (void)state;
    static const struct mu_str first = {"0123456789abcdef", 16}, second = {"fedcba9876543210", 16};
    struct lone l;
    struct swim__serf_msg a;
    struct mu_str key;
    size_t at = 0;
    setup(&l);
    assert_true(ask_keys(&l, "_serf_install-key", 20, second, &a));
    assert_false(a.key_response.result);
    assert_true(
        mu__str_is(a.key_response.message, "No keyring to modify (encryption not enabled)"));

    assert_int_equal(swim_add_key(l.s, first), SWIM_OK);
    l.plain.keyring = l.s->keyring; /* what it sends is sealed from here on */
    assert_true(ask_keys(&l, "_serf_install-key", 21, second, &a));
    assert_true(a.key_response.result);
    assert_true(ask_keys(&l, "_serf_use-key", 22, second, &a));
    assert_true(a.key_response.result);
    assert_true(swim_next_key(l.s, &at, &key) && memcmp(key.p, second.p, 16) == 0);
    assert_true(ask_keys(&l, "_serf_remove-key", 23, second, &a));
    assert_true(mu__str_is(a.key_response.message, "Removing the primary key is not allowed"));
    assert_true(ask_keys(&l, "_serf_list-keys", 24, (struct mu_str){0}, &a));
    assert_true(mu__str_is(a.key_response.primary_key, "ZmVkY2JhOTg3NjU0MzIxMA=="));
    at = 0;
    assert_true(swim__span_next(a.key_response.keys, &at, &key) &&
                mu__str_is(key, "ZmVkY2JhOTg3NjU0MzIxMA=="));
    assert_true(swim__span_next(a.key_response.keys, &at, &key) &&
                mu__str_is(key, "MDEyMzQ1Njc4OWFiY2RlZg=="));
    assert_false(swim__span_next(a.key_response.keys, &at, &key));
    assert_true(ask_keys(&l, "_serf_remove-key", 25, first, &a));
    assert_true(a.key_response.result);
    assert_int_equal(lone_event(&l), SWIM_EVENT_KEYS);
    lone_destroy(&l);
}

static void test_relay_message_is_forwarded(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim__serf_msg msg = {.type = SWIM__SERF_RELAY,
                                 .relay = {.dest_addr = {"\x0a\0\0\x06", 4},
                                           .dest_port = 8301,
                                           .dest_name = {"f", 1},
                                           .inner = {"\x05inner", 6}}};
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    struct swim__msg out;
    assert_true(lone_find(&l, SWIM__MSG_USER, &out));
    assert_true(mu__str_is(out.user, "\x05inner"));
    assert_int_equal(l.to.ip[3], 6);
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
        cmocka_unit_test(test_an_event_is_delivered_once_and_passed_on),
        cmocka_unit_test(test_events_too_far_in_the_past_are_ignored),
        cmocka_unit_test(test_a_slot_flooded_by_one_peer_stays_bounded),
        cmocka_unit_test(test_own_events_have_a_limit_and_come_back),
        cmocka_unit_test(test_member_events_are_never_dropped_for_user_events),
        cmocka_unit_test(test_serf_ping_is_acknowledged),
        cmocka_unit_test(test_query_reaches_the_host_and_is_answered_once),
        cmocka_unit_test(test_late_and_oversized_answers_are_refused),
        cmocka_unit_test(test_filters_decide_who_answers),
        cmocka_unit_test(test_conflict_query_is_answered_by_the_others),
        cmocka_unit_test(test_key_queries_change_and_list_the_ring),
        cmocka_unit_test(test_relay_message_is_forwarded),
    };
    return cmocka_run_group_tests_name("serf", tests, NULL, NULL);
}
