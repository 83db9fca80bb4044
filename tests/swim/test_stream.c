/* Mirrors src/stream.c and src/sync.c: exchanges over streams, from honest and from other peers. */
#include "lone.h"

static const struct swim__node_state peer_b = {.name = {"b", 1},
                                               .addr = {"\x0a\0\0\x02", 4},
                                               .vsn = {"\x01\x05\x02\x02\x05\x04", 6},
                                               .incarnation = 1,
                                               .port = 8301,
                                               .state = SWIM__WIRE_ALIVE};

/* A push/pull message with n nodes and an empty serf state. */
static struct mu__writer push_pull(bool join, const struct swim__node_state *nodes, size_t n)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator), user = w;
    swim__state_encode_begin(&user, 1, 0);
    swim__state_encode_left(&user, 1, 0);
    swim__state_encode_status(&user, 1, 0);
    struct swim__pushpull_header h = {.join = join, .nodes = n, .user_state_len = user.len};
    swim__pushpull_encode_header(&w, &h);
    for (size_t i = 0; i < n; i++) {
        swim__pushpull_encode_node(&w, &nodes[i]);
    }
    mu__write_bytes(&w, user.data, user.len);
    assert_false(w.failed || user.failed);
    mu__writer_fini(&user);
    return w;
}

static uint32_t accept_from(struct lone *l, unsigned i)
{
    struct swim_addr from = lone_addr(i);
    uint32_t id;
    uint64_t deadline;
    assert_int_equal(swim_stream_accept(l->s, l->now, &from, &id, &deadline), SWIM_OK);
    assert_int_equal(deadline, l->now + 10 * MU_SEC);
    return id;
}

static int send_all(struct lone *l, uint32_t id, const struct mu__writer *w,
                    struct swim_reply *reply)
{
    int rc = swim_stream_receive(l->s, l->now, id, w->data, w->len, reply);
    swim__check(l->s);
    return rc;
}

static void test_push_pull_gives_our_state_and_takes_theirs(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    struct swim__pushpull p;
    struct swim__node_state n;
    lone_create(&l, NULL);
    struct mu__writer w = push_pull(true, &peer_b, 1);
    uint32_t id = accept_from(&l, 2);
    assert_int_equal(send_all(&l, id, &w, &reply), SWIM_OK);
    assert_true(reply.done);
    assert_true(swim__pushpull_begin(&p, reply.data, reply.len));
    assert_true(p.header.join);          /* repeated */
    assert_int_equal(p.header.nodes, 1); /* as we were before the merge */
    assert_true(swim__pushpull_next(&p, &n) && mu__str_is(n.name, "me"));
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_ALIVE);
    swim_stream_end(l.s, l.now, id);
    mu__writer_fini(&w);
    lone_destroy(&l);
}

static void test_bytes_may_come_one_by_one(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    lone_create(&l, NULL);
    struct mu__writer w = push_pull(false, &peer_b, 1);
    uint32_t id = accept_from(&l, 2);
    for (size_t i = 0; i < w.len; i++) {
        assert_int_equal(swim_stream_receive(l.s, l.now, id, w.data + i, 1, &reply), SWIM_OK);
        assert_int_equal(reply.done, i + 1 == w.len);
    }
    assert_true(reply.len > 0);
    swim_stream_end(l.s, l.now, id);
    mu__writer_fini(&w);
    lone_destroy(&l);
}

static void test_join_succeeds_and_announces_itself(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stream st;
    struct swim_reply reply;
    struct swim_event ev;
    struct swim_addr to = lone_addr(2);
    uint32_t id;
    lone_create(&l, NULL);
    lone_ignore_events(&l);
    assert_int_equal(swim_join(l.s, l.now, &to, &id), SWIM_OK);
    assert_true(swim_next_stream(l.s, &st));
    assert_int_equal(st.id, id);
    struct swim__pushpull p;
    assert_true(swim__pushpull_begin(&p, st.data, st.len) && p.header.join);
    struct mu__writer w = push_pull(true, &peer_b, 1);
    assert_int_equal(send_all(&l, id, &w, &reply), SWIM_OK);
    assert_true(reply.done && reply.len == 0);
    swim_stream_end(l.s, l.now, id);
    assert_int_equal(lone_event(&l), SWIM_EVENT_JOIN);
    assert_true(swim_next_event(l.s, &ev));
    assert_int_equal(ev.type, SWIM_EVENT_JOIN_RESULT);
    assert_int_equal(ev.err, SWIM_OK);
    assert_int_equal(ev.stream, id);
    assert_true(swim_addr_equal(&ev.other_addr, &to));
    assert_int_equal(l.s->intents.count, 1); /* the join intent */
    mu__writer_fini(&w);
    lone_destroy(&l);
}

/* Thousands may have queued and given up: to answer them would keep those behind them waiting. */
static void test_who_has_closed_is_not_answered(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    lone_create(&l, NULL);
    struct mu__writer w = push_pull(true, &peer_b, 1),
                      ping = mu__writer_growing(&mu__malloc_allocator);
    struct swim__msg msg = {.type = SWIM__MSG_PING, .ping = {.node = {"me", 2}, .seq_no = 7}};
    swim__msg_encode(&ping, &msg);
    const struct mu__writer *asked[] = {&w, &ping};
    for (size_t i = 0; i < 2; i++) {
        uint32_t id = accept_from(&l, 2);
        swim_stream_peer_closed(l.s, l.now, id);
        assert_int_equal(send_all(&l, id, asked[i], &reply), SWIM_ECLOSED);
        assert_true(reply.done && reply.len == 0);
        swim_stream_end(l.s, l.now, id);
    }
    struct swim_member m;
    assert_false(swim_find_member(l.s, "b", &m));
    mu__writer_fini(&w);
    mu__writer_fini(&ping);
    lone_destroy(&l);
}

static int join_err(struct lone *l, const void *answer, size_t len)
{
    struct swim_stream st;
    struct swim_reply reply;
    struct swim_event ev;
    struct swim_addr to = lone_addr(2);
    int err = 1;
    lone_ignore_events(l);
    assert_int_equal(swim_join(l->s, l->now, &to, NULL), SWIM_OK);
    assert_true(swim_next_stream(l->s, &st));
    if (len > 0) {
        int rc = swim_stream_receive(l->s, l->now, st.id, answer, len, &reply);
        assert_true(rc == SWIM_OK || reply.done);
    }
    swim_stream_end(l->s, l->now, st.id);
    while (swim_next_event(l->s, &ev)) {
        err = ev.type == SWIM_EVENT_JOIN_RESULT ? ev.err : err;
    }
    return err;
}

static bool admit_nobody(void *user, const struct swim_member *c, size_t n, char *why, size_t cap)
{
    (void)user;
    (void)c;
    (void)n;
    (void)snprintf(why, cap, "nobody may");
    return false;
}
static void nobody(struct swim_config *cfg)
{
    cfg->admit = admit_nobody;
}

static void test_join_tells_why_it_failed(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, NULL);
    assert_int_equal(join_err(&l, NULL, 0), SWIM_ECLOSED);
    assert_int_equal(join_err(&l, "\x06", 1), SWIM_ECLOSED);
    assert_int_equal(join_err(&l, "\x63garbage", 8), SWIM_EPROTO);
    struct swim__msg err = {.type = SWIM__MSG_ERR, .err = {.text = {"no", 2}}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    swim__msg_encode(&w, &err);
    assert_int_equal(join_err(&l, w.data, w.len), SWIM_EREMOTE);
    mu__writer_fini(&w);
    lone_destroy(&l);

    lone_create(&l, nobody);
    w = push_pull(true, &peer_b, 1);
    struct swim_member m;
    assert_int_equal(join_err(&l, w.data, w.len), SWIM_EREFUSED);
    assert_false(swim_find_member(l.s, "b", &m));
    mu__writer_fini(&w);
    lone_destroy(&l);
}

static void test_incompatible_versions_refuse_the_merge(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x01\x05\x07\x02\x05\x04", /* speaks what nobody understands */
        "\x03\x05\x03\x02\x05\x04", /* does not understand what we speak */
        "\x01\x05\x02\x02\x03\x03", /* nor our serf */
    };
    for (size_t i = 0; i < 3; i++) {
        struct lone l;
        struct swim__node_state n = peer_b;
        lone_create(&l, NULL);
        n.vsn.p = bad[i];
        struct mu__writer w = push_pull(true, &n, 1);
        assert_int_equal(join_err(&l, w.data, w.len), SWIM_EREFUSED);
        mu__writer_fini(&w);
        lone_destroy(&l);
    }
}

static void test_states_of_a_sync_become_what_they_mean(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    lone_create(&l, NULL);
    lone_alive(&l, "dead", 4, 1);
    lone_alive(&l, "gone", 5, 1);
    struct swim__node_state nodes[3] = {peer_b, peer_b, peer_b};
    nodes[1].name = lone_str("dead");
    nodes[1].addr = (struct mu_str){"\x0a\0\0\x04", 4};
    nodes[1].state = SWIM__WIRE_DEAD;
    nodes[2].name = lone_str("gone");
    nodes[2].addr = (struct mu_str){"\x0a\0\0\x05", 4};
    nodes[2].state = SWIM__WIRE_LEFT;
    struct mu__writer w = push_pull(false, nodes, 3);
    uint32_t id = accept_from(&l, 2);
    assert_int_equal(send_all(&l, id, &w, &reply), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    assert_int_equal(lone_member(&l, "dead").state, SWIM_SUSPECT); /* it may refute first */
    assert_int_equal(lone_member(&l, "gone").state, SWIM_GONE);
    swim_stream_end(l.s, l.now, id);
    mu__writer_fini(&w);
    lone_destroy(&l);
}

static void test_fallback_ping_is_answered_only_to_our_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool answered;
    } table[] = {{"me", true}, {"", true}, {"you", false}};
    for (size_t i = 0; i < 3; i++) {
        struct lone l;
        struct swim_reply reply;
        struct swim__msg msg = {.type = SWIM__MSG_PING,
                                .ping = {.node = lone_str(table[i].name), .seq_no = 9}};
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        lone_create(&l, NULL);
        swim__msg_encode(&w, &msg);
        uint32_t id = accept_from(&l, 2);
        assert_int_equal(send_all(&l, id, &w, &reply), SWIM_OK);
        assert_true(reply.done);
        assert_int_equal(reply.len > 0, table[i].answered);
        if (reply.len > 0) {
            assert_true(swim__msg_decode(reply.data, reply.len, &msg));
            assert_int_equal(msg.ack.seq_no, 9);
            assert_int_equal(msg.ack.payload.len, 0);
        }
        swim_stream_end(l.s, l.now, id);
        mu__writer_fini(&w);
        lone_destroy(&l);
    }
}

static void test_user_message_over_a_stream_is_delivered(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    struct mu__writer serf = mu__writer_growing(&mu__malloc_allocator), w = serf;
    struct swim__serf_msg ev = {.type = SWIM__SERF_USER_EVENT,
                                .event = {.ltime = 3, .name = {"big", 3}}};
    lone_create(&l, NULL);
    lone_ignore_events(&l);
    swim__serf_encode(&serf, &ev);
    swim__user_stream_encode(&w, (struct mu_str){(const char *)serf.data, serf.len});
    uint32_t id = accept_from(&l, 2);
    swim_stream_peer_closed(l.s, l.now, id); /* who wants no answer may have closed */
    assert_int_equal(send_all(&l, id, &w, &reply), SWIM_OK);
    assert_int_equal(lone_event(&l), SWIM_EVENT_USER);
    swim_stream_end(l.s, l.now, id);
    mu__writer_fini(&serf);
    mu__writer_fini(&w);
    lone_destroy(&l);
}

/* ---- encryption ---- */

static const struct mu_str key = {"0123456789abcdef", 16};
static void encrypted(struct swim_config *cfg)
{
    cfg->keys = &key;
    cfg->nkeys = 1;
}

static void test_plain_stream_at_an_encrypted_node_gets_an_error_message(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    lone_create(&l, encrypted);
    struct mu__writer w = push_pull(true, &peer_b, 1);
    uint32_t id = accept_from(&l, 2);
    struct swim_member m;
    assert_int_equal(send_all(&l, id, &w, &reply), SWIM_ECRYPT);
    assert_true(reply.done && reply.len > 0);
    assert_false(swim_find_member(l.s, "b", &m));
    swim_stream_end(l.s, l.now, id);
    mu__writer_fini(&w);
    lone_destroy(&l);
}

static void test_plain_datagram_at_an_encrypted_node_is_dropped(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stats st;
    lone_create(&l, encrypted);
    assert_int_equal(lone_alive(&l, "b", 2, 1), SWIM_ECRYPT);
    swim_stats(l.s, &st);
    assert_int_equal(st.packets_undecryptable, 1);
    assert_int_equal(st.members, 1);
    assert_true(st.encrypted);
    lone_destroy(&l);
}

/* ---- limits ---- */

static void few_streams(struct swim_config *cfg)
{
    cfg->streams_max = 2;
    cfg->state_bytes_max = 65536;
}

static void test_streams_beyond_the_limit_are_turned_away(void **state)
{
    (void)state;
    struct lone l;
    struct swim_addr from = lone_addr(2);
    uint32_t id;
    uint64_t deadline;
    lone_create(&l, few_streams);
    uint32_t first = accept_from(&l, 2);
    (void)accept_from(&l, 2);
    assert_int_equal(swim_stream_accept(l.s, l.now, &from, &id, &deadline), SWIM_EFULL);
    swim_stream_end(l.s, l.now, first);
    (void)accept_from(&l, 2);
    lone_destroy(&l); /* with streams open */
}

static void with_label(struct swim_config *cfg)
{
    cfg->label = (struct mu_str){"east", 4};
}

static void test_a_label_sets_pools_apart(void **state)
{
    (void)state;
    struct lone l;
    struct swim_packet p;
    struct swim_addr to = lone_addr(2);
    struct swim_stream st;
    static const char ping[] = "\x00\x81\xa5SeqNo\x07";
    static const char ours[] = "\xf4\x04"
                               "east\x00\x81\xa5SeqNo\x07";
    lone_create(&l, with_label);
    assert_int_equal(swim_receive(l.s, l.now, &to, ping, sizeof ping - 1), SWIM_EPROTO);
    assert_false(swim_next_send(l.s, &p));
    assert_int_equal(swim_receive(l.s, l.now, &to, ours, sizeof ours - 1), SWIM_OK);
    assert_true(swim_next_send(l.s, &p));
    assert_memory_equal(p.data,
                        "\xf4\x04"
                        "east\x02",
                        7);
    assert_int_equal(swim_join(l.s, l.now, &to, NULL), SWIM_OK);
    assert_true(swim_next_stream(l.s, &st));
    assert_memory_equal(st.data,
                        "\xf4\x04"
                        "east\x06",
                        7);
    swim_stream_end(l.s, l.now, st.id);
    lone_destroy(&l);
}

static void small_states(struct swim_config *cfg)
{
    cfg->state_bytes_max = 65536;
}

static void test_all_streams_together_hold_a_few_messages_at_most(void **state)
{
    (void)state;
    struct lone l;
    struct swim_addr from = lone_addr(4);
    struct swim_reply reply;
    uint64_t deadline;
    uint32_t ids[16];
    size_t taken = 0;
    static uint8_t data[60000] = {SWIM__MSG_ENCRYPT, 0, 1, 0, 0}; /* of a frame of 64 KiB */
    lone_create(&l, small_states);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(swim_stream_accept(l.s, l.now, &from, &ids[i], &deadline), SWIM_OK);
        int rc = swim_stream_receive(l.s, l.now, ids[i], data, sizeof data, &reply);
        assert_true(rc == SWIM_OK || rc == SWIM_EFULL);
        assert_true(rc == SWIM_OK || reply.done);
        taken += rc == SWIM_OK ? 1 : 0;
    }
    assert_int_equal(taken, 4);
    for (size_t i = 0; i < 16; i++) {
        swim_stream_end(l.s, l.now, ids[i]);
    }
    assert_int_equal(l.s->stream_bytes, 0);
    lone_destroy(&l);
}

static void test_endless_stream_is_cut_off(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    static uint8_t junk[4096];
    lone_create(&l, few_streams);
    uint32_t id = accept_from(&l, 2);
    /* A compressed message that announces a gigabyte: 09, {Algo: 0, Buf: raw32 ...}. */
    static const uint8_t head[] = {9,   0x82, 0xa4, 'A',  'l',  'g', 'o', 0, 0xa3,
                                   'B', 'u',  'f',  0xdb, 0x40, 0,   0,   0};
    int rc = swim_stream_receive(l.s, l.now, id, head, sizeof head, &reply);
    for (int i = 0; rc == SWIM_OK && i < 100; i++) {
        rc = swim_stream_receive(l.s, l.now, id, junk, sizeof junk, &reply);
    }
    assert_int_equal(rc, SWIM_EPROTO);
    assert_true(reply.done);
    swim_stream_end(l.s, l.now, id);
    lone_destroy(&l);
}

static void test_unknown_and_ended_streams_are_refused(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    lone_create(&l, NULL);
    assert_int_equal(swim_stream_receive(l.s, l.now, 99, "x", 1, &reply), SWIM_ENOENT);
    assert_true(reply.done);
    swim_stream_end(l.s, l.now, 99);
    uint32_t id = accept_from(&l, 2);
    swim_stream_end(l.s, l.now, id);
    assert_int_equal(swim_stream_receive(l.s, l.now, id, "x", 1, &reply), SWIM_ENOENT);
    lone_destroy(&l);
}

static void test_random_bytes_do_no_harm(void **state)
{
    (void)state;
    struct lone l;
    struct swim_reply reply;
    struct mu__prng prng;
    uint8_t buf[256];
    mu__prng_seed(&prng, 99);
    lone_create(&l, NULL);
    struct mu__writer good = push_pull(true, &peer_b, 1);
    for (int i = 0; i < 2000; i++) {
        size_t len = (size_t)mu__prng_between(&prng, 1, sizeof buf);
        struct swim_addr from = lone_addr(3);
        if (i % 2 == 0) { /* a good one with a few bytes changed */
            len = mu__min(good.len, sizeof buf);
            memcpy(buf, good.data, len);
            for (int k = 0; k < 3; k++) {
                buf[mu__prng_below(&prng, len)] = (uint8_t)mu__prng_next(&prng);
            }
        } else {
            for (size_t k = 0; k < len; k++) {
                buf[k] = (uint8_t)mu__prng_next(&prng);
            }
            buf[0] = (uint8_t)(buf[0] % 14);
        }
        uint32_t id = accept_from(&l, 3);
        int rc = swim_stream_receive(l.s, l.now, id, buf, len, &reply);
        assert_true(rc <= 0);
        swim_stream_end(l.s, l.now, id);
        rc = swim_receive(l.s, l.now, &from, buf, len);
        assert_true(rc <= 0);
        swim__check(l.s);
        lone_ignore(&l);
        lone_ignore_events(&l);
    }
    mu__writer_fini(&good);
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_pull_gives_our_state_and_takes_theirs),
        cmocka_unit_test(test_bytes_may_come_one_by_one),
        cmocka_unit_test(test_who_has_closed_is_not_answered),
        cmocka_unit_test(test_join_succeeds_and_announces_itself),
        cmocka_unit_test(test_join_tells_why_it_failed),
        cmocka_unit_test(test_incompatible_versions_refuse_the_merge),
        cmocka_unit_test(test_states_of_a_sync_become_what_they_mean),
        cmocka_unit_test(test_fallback_ping_is_answered_only_to_our_name),
        cmocka_unit_test(test_user_message_over_a_stream_is_delivered),
        cmocka_unit_test(test_plain_stream_at_an_encrypted_node_gets_an_error_message),
        cmocka_unit_test(test_plain_datagram_at_an_encrypted_node_is_dropped),
        cmocka_unit_test(test_streams_beyond_the_limit_are_turned_away),
        cmocka_unit_test(test_a_label_sets_pools_apart),
        cmocka_unit_test(test_all_streams_together_hold_a_few_messages_at_most),
        cmocka_unit_test(test_endless_stream_is_cut_off),
        cmocka_unit_test(test_unknown_and_ended_streams_are_refused),
        cmocka_unit_test(test_random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
