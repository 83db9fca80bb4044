/* Mirrors src/serf.c, src/user_event.c, src/query.c, src/keys.c and src/recent.c: events and
 * queries of others. */
#include "lone.h"

static void setup(struct lone *l)
{
    lone_create(l, NULL);
    lone_alive(l, "b", 2, 1);
    lone_ignore_events(l);
    lone_ignore(l);
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
    assert_true(lone_find_serf(&l, SWIM__SERF_USER_EVENT, &msg));
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
    assert_true(lone_find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    assert_int_equal(msg.response.id, 11);
    assert_int_equal(msg.response.flags, SWIM__QUERY_ACK);
    assert_true(mu__str_is(msg.response.from, "me"));
    assert_int_equal(l.to.ip[3], 5);
    assert_false(lone_find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
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
    assert_true(lone_find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
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
    size_t n = lone_find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg) ? 1 : 0;
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
    assert_true(lone_find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
    assert_true(swim__serf_decode(msg.response.payload.p, msg.response.payload.len, &inner));
    assert_true(inner.conflict.known && mu__str_is(inner.conflict.member.name, "b"));
    assert_int_equal(inner.conflict.member.port, 8301);
    msg = query("_serf_conflict", 15);
    msg.query.payload = lone_str("me"); /* who is asked about stays silent */
    assert_int_equal(lone_feed_serf(&l, &msg), SWIM_OK);
    assert_false(lone_find_serf(&l, SWIM__SERF_QUERY_RESPONSE, &msg));
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
    return lone_find_serf(l, SWIM__SERF_QUERY_RESPONSE, &msg) &&
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
