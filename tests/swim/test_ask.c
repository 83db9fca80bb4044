/* Mirrors src/ask.c, src/ask_again.c, src/tally.c and src/conflict.c: our own queries, key changes
 * and contested names. */
#include "lone.h"

static void setup(struct lone *l)
{
    lone_create(l, NULL);
    lone_alive(l, "b", 2, 1);
    lone_alive(l, "c", 3, 1);
    lone_ignore_events(l);
    lone_ignore(l);
}

static uint32_t ask(struct lone *l, bool want_acks)
{
    struct swim_question q;
    uint32_t id = 0;
    swim_question_init(&q);
    q.name = lone_str("uptime");
    q.payload = lone_str("all");
    q.want_acks = want_acks;
    assert_int_equal(swim_ask(l->s, l->now, &q, &id), SWIM_OK);
    swim__check(l->s);
    return id;
}

static uint64_t ltime_of(const struct lone *l, uint32_t id)
{
    const struct swim__asked *a = mu__map_get(&l->s->asked, &id, sizeof id);
    assert_non_null(a);
    return a->ltime;
}

static int answer_at(struct lone *l, uint32_t id, uint64_t ltime, const char *from, uint32_t flags,
                     struct mu_str payload)
{
    struct swim__serf_msg msg = {
        .type = SWIM__SERF_QUERY_RESPONSE,
        .response = {
            .ltime = ltime, .id = id, .flags = flags, .from = lone_str(from), .payload = payload}};
    return lone_feed_serf(l, &msg);
}

static void answer(struct lone *l, uint32_t id, const char *from, const char *text)
{
    assert_int_equal(answer_at(l, id, ltime_of(l, id), from, 0, lone_str(text)), SWIM_OK);
}

static bool next_of(struct lone *l, enum swim_event_type type, struct swim_event *ev)
{
    while (swim_next_event(l->s, ev)) {
        if (ev->type == type) {
            return true;
        }
    }
    return false;
}

/* The query as it is spread. */
static bool find_query(struct lone *l, struct swim__serf_msg *out)
{
    struct swim__msg msg;
    lone_advance(l, 250 * MU_MSEC);
    while (lone_find(l, SWIM__MSG_USER, &msg)) {
        assert_true(swim__serf_decode(msg.user.p, msg.user.len, out));
        if (out->type == SWIM__SERF_QUERY) {
            return true;
        }
    }
    return false;
}

/* ---- asking ---- */

static void test_a_query_is_spread_and_answers_come_once_from_each(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct swim__serf_msg msg;
    setup(&l);
    uint32_t id = ask(&l, false);
    assert_true(next_of(&l, SWIM_EVENT_QUERY, &ev)); /* we are asked too */
    assert_int_equal(swim_respond(l.s, l.now, ev.query, lone_str("mine")), SWIM_OK);
    assert_true(find_query(&l, &msg));
    assert_int_equal(msg.query.id, id);
    assert_true(mu__str_is(msg.query.name, "uptime") && mu__str_is(msg.query.payload, "all"));
    assert_true(mu__str_is(msg.query.source_node, "me"));
    assert_int_equal(msg.query.port, 8301);
    answer(&l, id, "b", "3 days");
    answer(&l, id, "b", "4 days");
    answer(&l, id, "c", "1 hour");
    static const char *const want[][2] = {{"me", "mine"}, {"b", "3 days"}, {"c", "1 hour"}};
    for (size_t i = 0; i < 3; i++) {
        assert_true(next_of(&l, SWIM_EVENT_ANSWER, &ev));
        assert_int_equal(ev.query, id);
        assert_true(mu__str_is(ev.name, want[i][0]) && mu__str_is(ev.payload, want[i][1]));
    }
    lone_advance(&l, 10 * MU_SEC);
    assert_true(next_of(&l, SWIM_EVENT_QUERY_DONE, &ev));
    assert_int_equal(ev.query, id);
    assert_int_equal(ev.answers, 3);
    assert_int_equal(answer_at(&l, id, 1, "d", 0, lone_str("late")), SWIM_OK);
    assert_false(next_of(&l, SWIM_EVENT_ANSWER, &ev));
    struct swim_stats st;
    swim_stats(l.s, &st);
    assert_int_equal(st.answers_in, 3);
    assert_int_equal(st.answers_ignored, 2); /* the repeat and the late one */
    lone_destroy(&l);
}

static void test_acks_are_counted_apart_from_answers(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    uint32_t id = ask(&l, true);
    uint64_t ltime = ltime_of(&l, id);
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(answer_at(&l, id, ltime, "b", SWIM__QUERY_ACK, (struct mu_str){0}), 0);
    }
    answer(&l, id, "b", "x");
    int acks = 0; /* ours and b's */
    while (swim_next_event(l.s, &ev)) {
        acks += ev.type == SWIM_EVENT_ACK;
    }
    assert_int_equal(acks, 2);
    swim_ask_end(l.s, l.now, id);
    swim_ask_end(l.s, l.now, id); /* again has no effect */
    assert_true(next_of(&l, SWIM_EVENT_QUERY_DONE, &ev));
    assert_int_equal(ev.acks, 2);
    assert_int_equal(ev.answers, 1);
    assert_false(next_of(&l, SWIM_EVENT_QUERY_DONE, &ev));
    lone_destroy(&l);
}

static void test_an_answer_must_have_number_and_time_of_the_query(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    uint32_t id = ask(&l, false);
    uint64_t ltime = ltime_of(&l, id);
    assert_int_equal(answer_at(&l, id + 1, ltime, "b", 0, lone_str("x")), SWIM_OK);
    assert_int_equal(answer_at(&l, id, ltime + 1, "b", 0, lone_str("x")), SWIM_OK);
    assert_int_equal(answer_at(&l, id, ltime, "", 0, lone_str("x")), SWIM_OK);
    assert_false(next_of(&l, SWIM_EVENT_ANSWER, &ev));
    lone_destroy(&l);
}

static void test_invented_answers_are_bounded(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    size_t answers = 0;
    setup(&l);
    uint32_t id = ask(&l, false);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "ghost-%d", i);
        answer(&l, id, name, "boo");
    }
    while (next_of(&l, SWIM_EVENT_ANSWER, &ev)) {
        answers++;
    }
    assert_in_range(answers, 1, 70);
    lone_destroy(&l);
}

static void test_filters_travel_and_decide_about_us_too(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct swim__serf_msg msg = {.type = SWIM__SERF_LEAVE};
    struct swim__serf_filter f = {0};
    struct mu_str raw = {0};
    size_t at = 0;
    setup(&l);
    const struct mu_str nodes[] = {lone_str("b"), lone_str("c")};
    const struct swim_tag_filter tags[] = {{lone_str("role"), lone_str("^web")}};
    struct swim_question q;
    uint32_t id;
    swim_question_init(&q);
    q.name = lone_str("q");
    q.nodes = nodes;
    q.nnodes = 2;
    q.tags = tags;
    q.ntags = 1;
    q.relay_factor = 3;
    q.timeout_ns = 7 * MU_SEC;
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_OK);
    assert_false(next_of(&l, SWIM_EVENT_QUERY, &ev)); /* we are neither b nor c */
    assert_true(find_query(&l, &msg));
    assert_int_equal(msg.query.relay_factor, 3);
    assert_int_equal(msg.query.timeout_ns, 7 * MU_SEC);
    assert_true(swim__span_next(msg.query.filters, &at, &raw) && swim__serf_filter_decode(raw, &f));
    assert_int_equal(f.type, SWIM__FILTER_TAG);
    assert_true(mu__str_is(f.tag, "role") && mu__str_is(f.expr, "^web"));
    assert_true(swim__span_next(msg.query.filters, &at, &raw) && swim__serf_filter_decode(raw, &f));
    assert_int_equal(f.type, SWIM__FILTER_NODES);
    at = 0;
    assert_true(swim__span_next(f.nodes, &at, &raw) && mu__str_is(raw, "b"));
    lone_destroy(&l);
}

static void few_queries(struct swim_config *cfg)
{
    cfg->compress = false;
    cfg->queries_max = 2;
}

static void test_what_cannot_be_asked_is_refused(void **state)
{
    (void)state;
    struct lone l;
    struct swim_question q;
    char big[2000] = {0};
    uint32_t id;
    lone_create(&l, few_queries);
    swim_question_init(&q);
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_EINVAL); /* no name */
    q.name = lone_str("q");
    q.relay_factor = 17;
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_EINVAL);
    q.relay_factor = 0;
    for (size_t len = 1000; len <= 2000; len += 1000) { /* with what is around it, and by itself */
        q.payload = (struct mu_str){big, len};
        assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_ESIZE);
        assert_int_equal(l.s->asked.count, 0);
    }
    q.payload.len = 0;
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_OK);
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_OK);
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_EFULL);
    swim_leave(l.s, l.now);
    assert_int_equal(swim_ask(l.s, l.now, &q, &id), SWIM_ELEFT);
    lone_destroy(&l);
}

static void test_a_query_waits_longer_in_a_larger_pool(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, NULL);
    for (unsigned i = 2; i < 12; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%u", i);
        lone_alive(&l, name, i, 1);
    }
    uint32_t id = ask(&l, false); /* 11 members: ceil(log10 12) is 2 */
    const struct swim__asked *a = mu__map_get(&l.s->asked, &id, sizeof id);
    assert_int_equal(a->timer.item.at - l.now, 6400 * MU_MSEC /* 2 * 16 * 200 ms */);
    lone_destroy(&l);
}

/* ---- keys ---- */

#define KEY_1 "0123456789abcdef"
#define KEY_2 "fedcba9876543210"

/* A speaker in plain text who has a key all the same: what is sealed is tested elsewhere. */
static void with_key(struct swim_config *cfg)
{
    static const struct mu_str key = {KEY_1, 16};
    cfg->compress = false;
    cfg->keys = &key;
    cfg->nkeys = 1;
    cfg->verify_incoming = cfg->verify_outgoing = false;
}

static void setup_keys(struct lone *l)
{
    lone_create(l, with_key);
    lone_alive(l, "b", 2, 1);
    lone_alive(l, "c", 3, 1);
    lone_ignore_events(l);
}

static void answer_keys(struct lone *l, uint32_t id, const char *from, bool result,
                        const char *message, const char *key)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator), keys = w;
    struct swim__serf_msg msg = {.type = SWIM__SERF_KEY_RESPONSE};
    if (key) {
        mu__mp_write_array(&keys, 1);
        mu__mp_write_cstr(&keys, key);
        msg.key_response.primary_key = lone_str(key);
    }
    msg.key_response.keys = (struct mu_str){(const char *)keys.data, keys.len};
    msg.key_response.result = result;
    msg.key_response.message = lone_str(message);
    swim__serf_encode(&w, &msg);
    assert_int_equal(
        answer_at(l, id, ltime_of(l, id), from, 0, (struct mu_str){(const char *)w.data, w.len}),
        SWIM_OK);
    mu__writer_fini(&w);
    mu__writer_fini(&keys);
}

static void test_keys_of_all_are_listed_and_counted(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    uint32_t id;
    setup_keys(&l);
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_LIST, (struct mu_str){0}, 0, &id),
                     SWIM_OK);
    answer_keys(&l, id, "b", true, "", "MDEyMzQ1Njc4OWFiY2RlZg==");
    answer_keys(&l, id, "c", true, "truncated key list response, showing first 1 of 9 keys",
                "ZmVkY2JhOTg3NjU0MzIxMA==");
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev)); /* all answered: at once */
    assert_int_equal(ev.query, id);
    assert_int_equal(ev.err, SWIM_OK);
    assert_int_equal(ev.keys->change, SWIM_KEY_LIST);
    assert_int_equal(ev.keys->nodes, 3);
    assert_int_equal(ev.keys->answers, 3);
    assert_int_equal(ev.keys->nkeys, 2);
    assert_true(mu__str_is(ev.keys->keys[0].key, "MDEyMzQ1Njc4OWFiY2RlZg=="));
    assert_int_equal(ev.keys->keys[0].nodes, 2);
    assert_int_equal(ev.keys->keys[0].primary, 2);
    assert_int_equal(ev.keys->keys[1].nodes, 1);
    assert_int_equal(ev.keys->nmessages, 1);
    assert_true(mu__str_is(ev.keys->messages[0].node, "c"));
    lone_destroy(&l);
}

static void test_a_key_is_installed_used_and_removed_everywhere(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct mu_str key = {KEY_2, 16}, ours;
    uint32_t id;
    size_t at = 0;
    lone_create(&l, with_key); /* alone: what we do ourselves is all there is */
    static const enum swim_key_change steps[] = {SWIM_KEY_INSTALL, SWIM_KEY_USE};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(swim_change_keys(l.s, l.now, steps[i], key, 0, &id), SWIM_OK);
        assert_true(next_of(&l, SWIM_EVENT_KEYS, &ev)); /* the host stores them */
        assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
        assert_int_equal(ev.err, SWIM_OK);
    }
    assert_true(swim_next_key(l.s, &at, &ours) && memcmp(ours.p, KEY_2, 16) == 0);
    assert_int_equal(
        swim_change_keys(l.s, l.now, SWIM_KEY_REMOVE, (struct mu_str){KEY_1, 16}, 0, &id), SWIM_OK);
    at = 0;
    assert_true(swim_next_key(l.s, &at, &ours));
    assert_false(swim_next_key(l.s, &at, &ours));
    lone_destroy(&l);
}

/* ---- ask_again.c ---- */

/* How many queries it sends to 10.0.0.i in that time; pings are answered by nobody. */
static size_t queries_to(struct lone *l, unsigned i, uint64_t ns)
{
    struct swim__msg msg;
    struct swim__serf_msg serf;
    struct swim_addr to = lone_addr(i);
    size_t n = 0;
    lone_advance(l, ns);
    while (lone_next(l, &msg)) {
        n += msg.type == SWIM__MSG_USER && swim_addr_equal(&l->to, &to) &&
             swim__serf_decode(msg.user.p, msg.user.len, &serf) && serf.type == SWIM__SERF_QUERY;
    }
    return n;
}

static void test_who_is_silent_is_asked_again_and_nobody_else(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    uint32_t id;
    setup_keys(&l);
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_LIST, (struct mu_str){0}, 0, &id), 0);
    uint64_t quarter = l.s->cfg.gossip_interval_ns * l.s->cfg.query_timeout_mult / 4;
    for (size_t i = 0; i < 3; i++) { /* what gossip does */
        (void)queries_to(&l, 2, quarter / 4);
    }
    answer_keys(&l, id, "c", true, "", NULL);
    swim__queue_fini(&l.s->queries); /* its share is done */
    swim__queue_init(&l.s->queries, &l.s->allocator, 1);
    for (size_t round = 1; round < 4; round++) {
        assert_int_equal(queries_to(&l, 3, 0), 0);
        assert_int_equal(queries_to(&l, 2, (round == 1 ? quarter / 4 : quarter) + 1), 1);
    }
    answer_keys(&l, id, "b", true, "", NULL);
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
    assert_int_equal(ev.err, SWIM_OK);
    assert_int_equal(queries_to(&l, 2, quarter), 0);
    lone_destroy(&l);
}

static void test_a_question_of_the_host_is_left_to_gossip(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    uint32_t id = ask(&l, false);
    swim__queue_fini(&l.s->queries);
    swim__queue_init(&l.s->queries, &l.s->allocator, 1);
    lone_ignore(&l);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(queries_to(&l, 2, 100 * MU_MSEC), 0);
    }
    assert_int_not_equal(id, 0);
    lone_destroy(&l);
}

struct safe { /* where a host keeps the keys */
    struct lone *l;
    size_t n;
    uint64_t answered; /* before they were safe */
    int rc;
};

static int store(void *user, const struct mu_str *keys, size_t n)
{
    struct safe *safe = user;
    assert_true(n > 0 && keys[0].len == 16);
    safe->n = n;
    safe->answered = safe->l->s->stats.answers_in;
    return safe->rc;
}

static void test_a_key_query_is_answered_once_the_keys_are_safe(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct mu_str key = {KEY_2, 16};
    uint32_t id;
    lone_create(&l, with_key);
    struct safe safe = {.l = &l};
    l.s->cfg.store_keys = store;
    l.s->cfg.store_keys_user = &safe;
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_INSTALL, key, 0, &id), SWIM_OK);
    assert_int_equal(safe.n, 2);
    assert_int_equal(safe.answered, 0);
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
    assert_int_equal(ev.err, SWIM_OK);
    safe.rc = SWIM_ENOMEM;
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_USE, key, 0, &id), SWIM_OK);
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
    assert_int_equal(ev.err, SWIM_EREMOTE);
    assert_true(mu__str_is(ev.keys->messages[0].text, "the keyring file could not be written"));
    lone_destroy(&l);
}

static void test_an_invalid_key_is_refused_before_anybody_stores_it(void **state)
{
    (void)state; /* consul#719 */
    struct lone l;
    uint32_t id;
    setup_keys(&l);
    for (size_t len = 0; len <= 40; len++) {
        if (len == 16 || len == 24 || len == 32) {
            continue;
        }
        struct mu_str key = {"0123456789012345678901234567890123456789", len};
        for (int change = SWIM_KEY_INSTALL; change <= SWIM_KEY_REMOVE; change++) {
            assert_int_equal(
                swim_change_keys(l.s, l.now, (enum swim_key_change)change, key, 0, &id),
                SWIM_EINVAL);
        }
    }
    assert_int_equal(l.s->queries.count, 0);
    assert_int_equal(lone_event(&l), 0);
    lone_destroy(&l);
}

static void test_the_primary_key_is_not_removed_and_silence_is_told(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct mu_str key = {KEY_1, 16};
    uint32_t id;
    setup_keys(&l);
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_REMOVE, key, 0, &id), SWIM_OK);
    answer_keys(&l, id, "b", false, "Removing the primary key is not allowed", NULL);
    lone_advance(&l, 10 * MU_SEC); /* c says nothing */
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
    assert_int_equal(ev.err, SWIM_EREMOTE);
    assert_int_equal(ev.keys->answers, 2);
    assert_int_equal(ev.keys->faults, 2);
    assert_int_equal(ev.keys->nmessages, 2);
    assert_true(mu__str_is(ev.keys->messages[0].node, "me"));
    assert_true(mu__str_is(ev.keys->messages[1].text, "Removing the primary key is not allowed"));
    size_t at = 0;
    assert_true(swim_next_key(l.s, &at, &key));

    lone_alive(&l, "b", 2, 9);
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_LIST, (struct mu_str){0}, 0, &id),
                     SWIM_OK);
    lone_advance(&l, 10 * MU_SEC);
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
    assert_int_equal(ev.err, SWIM_ETIMEOUT);
    lone_destroy(&l);
}

static void test_rubbish_in_answers_about_keys_is_a_fault_of_that_node(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    uint32_t id;
    setup_keys(&l);
    assert_int_equal(swim_change_keys(l.s, l.now, SWIM_KEY_LIST, (struct mu_str){0}, 0, &id),
                     SWIM_OK);
    answer(&l, id, "b", "\x08\x81");
    answer(&l, id, "c", "");
    assert_true(next_of(&l, SWIM_EVENT_KEY_RESULT, &ev));
    assert_int_equal(ev.keys->faults, 2);
    assert_true(mu__str_is(ev.keys->messages[1].text, "malformed answer"));
    lone_destroy(&l);
}

/* ---- names ---- */

/* Somebody at 10.0.0.77 says it is us, and answers to that name if it lives. */
static uint32_t contest_by(struct lone *l, bool lives)
{
    size_t at = 0;
    struct swim__msg ping;
    lone_alive(l, "me", 77, 5);
    while (lives && lone_find(l, SWIM__MSG_PING, &ping)) {
        if (l->to.ip[3] == 77) {
            struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = ping.ping.seq_no}};
            assert_true(mu__str_is(ping.ping.node, "me"));
            assert_int_equal(lone_feed(l, &ack), SWIM_OK);
        }
    }
    const struct swim__asked *a = mu__map_next(&l->s->asked, &at);
    return a ? a->id : 0;
}

static uint32_t contest(struct lone *l)
{
    return contest_by(l, true);
}

static void answer_name(struct lone *l, uint32_t id, const char *from, unsigned host)
{
    char ip[4] = {10, 0, 0, (char)host};
    struct swim__serf_msg msg = {.type = SWIM__SERF_CONFLICT_RESPONSE};
    msg.conflict.known = host != 0;
    msg.conflict.member = (struct swim__serf_member){
        .name = lone_str("me"), .addr = {ip, 4}, .port = 8301, .status = SWIM_STATUS_ALIVE};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__serf_encode(&w, &msg);
    assert_int_equal(
        answer_at(l, id, ltime_of(l, id), from, 0, (struct mu_str){(const char *)w.data, w.len}),
        SWIM_OK);
    mu__writer_fini(&w);
}

static void test_a_name_that_most_know_as_ours_stays_ours(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    setup(&l);
    uint32_t id = contest(&l);
    assert_int_not_equal(id, 0);
    assert_int_equal(contest(&l), id); /* one question at a time */
    assert_int_equal(l.s->asked.count, 1);
    answer_name(&l, id, "b", 1);
    answer_name(&l, id, "c", 1);
    answer_name(&l, id, "d", 77);
    lone_advance(&l, 10 * MU_SEC);
    assert_true(next_of(&l, SWIM_EVENT_CONFLICT, &ev));
    assert_false(next_of(&l, SWIM_EVENT_NAME_LOST, &ev));
    assert_false(swim_has_left(l.s));
    lone_destroy(&l);
}

static void test_who_loses_its_name_is_told_and_falls_silent(void **state)
{
    (void)state;
    struct lone l;
    struct swim_event ev;
    struct swim_packet p;
    setup(&l);
    uint32_t id = contest(&l);
    answer_name(&l, id, "b", 1);
    answer_name(&l, id, "c", 77);
    lone_advance(&l, 10 * MU_SEC); /* one of two is no majority */
    assert_true(next_of(&l, SWIM_EVENT_NAME_LOST, &ev));
    assert_int_equal(ev.other_addr.ip[3], 77);
    assert_true(swim_has_left(l.s));
    lone_ignore(&l);
    lone_advance(&l, 60 * MU_SEC);
    assert_false(swim_next_send(l.s, &p));
    lone_destroy(&l);
}

static void test_a_name_is_not_lost_to_a_node_that_is_gone(void **state)
{
    (void)
        state; /* we came back at another address, and the pool still believes in the former one */
    struct lone l;
    struct swim_event ev;
    setup(&l);
    uint32_t id = contest_by(&l, false);
    answer_name(&l, id, "b", 77);
    answer_name(&l, id, "c", 77);
    lone_advance(&l, 10 * MU_SEC);
    assert_false(next_of(&l, SWIM_EVENT_NAME_LOST, &ev));
    assert_false(swim_has_left(l.s));
    lone_destroy(&l);
}

static void keep_quiet(struct swim_config *cfg)
{
    cfg->compress = false;
    cfg->resolve_conflicts = false;
}

static void test_nobody_decides_about_a_name_without_witnesses(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    uint32_t id = contest(&l);
    answer(&l, id, "b", "rubbish");
    lone_advance(&l, 60 * MU_SEC);
    assert_false(swim_has_left(l.s));
    lone_destroy(&l);
    lone_create(&l, keep_quiet);
    assert_int_equal(contest(&l), 0); /* and not at all where the host does not want it */
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_query_is_spread_and_answers_come_once_from_each),
        cmocka_unit_test(test_acks_are_counted_apart_from_answers),
        cmocka_unit_test(test_an_answer_must_have_number_and_time_of_the_query),
        cmocka_unit_test(test_invented_answers_are_bounded),
        cmocka_unit_test(test_filters_travel_and_decide_about_us_too),
        cmocka_unit_test(test_what_cannot_be_asked_is_refused),
        cmocka_unit_test(test_a_query_waits_longer_in_a_larger_pool),
        cmocka_unit_test(test_keys_of_all_are_listed_and_counted),
        cmocka_unit_test(test_a_key_is_installed_used_and_removed_everywhere),
        cmocka_unit_test(test_who_is_silent_is_asked_again_and_nobody_else),
        cmocka_unit_test(test_a_question_of_the_host_is_left_to_gossip),
        cmocka_unit_test(test_a_key_query_is_answered_once_the_keys_are_safe),
        cmocka_unit_test(test_an_invalid_key_is_refused_before_anybody_stores_it),
        cmocka_unit_test(test_the_primary_key_is_not_removed_and_silence_is_told),
        cmocka_unit_test(test_rubbish_in_answers_about_keys_is_a_fault_of_that_node),
        cmocka_unit_test(test_a_name_that_most_know_as_ours_stays_ours),
        cmocka_unit_test(test_who_loses_its_name_is_told_and_falls_silent),
        cmocka_unit_test(test_a_name_is_not_lost_to_a_node_that_is_gone),
        cmocka_unit_test(test_nobody_decides_about_a_name_without_witnesses),
    };
    return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
