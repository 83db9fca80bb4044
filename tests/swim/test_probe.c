/* Mirrors src/probe.c, src/relay.c and src/health.c (SWIM 3.1; Lifeguard). */
#include "lone.h"

static void setup(struct lone *l)
{
    lone_create(l, NULL);
    lone_alive(l, "b", 2, 1);
    lone_ignore_events(l);
    lone_ignore(l);
}

/* Lets time pass until the next ping goes out. */
static struct swim__ping next_ping(struct lone *l)
{
    struct swim__msg msg;
    for (int i = 0; i < 1000; i++) {
        if (lone_find(l, SWIM__MSG_PING, &msg)) {
            return msg.ping;
        }
        lone_advance(l, 10 * MU_MSEC);
    }
    fail_msg("no ping");
    return (struct swim__ping){0};
}

static int ack(struct lone *l, uint32_t seq)
{
    struct swim__msg msg = {.type = SWIM__MSG_ACK, .ack = {.seq_no = seq}};
    return lone_feed(l, &msg);
}

static uint32_t score(struct lone *l)
{
    struct swim_stats st;
    swim_stats(l->s, &st);
    return st.health_score;
}

static void test_each_member_is_probed_once_a_round(void **state)
{
    (void)state;
    struct lone l;
    unsigned seen[8] = {0};
    setup(&l);
    lone_alive(&l, "c", 3, 1);
    lone_alive(&l, "d", 4, 1);
    for (int i = 0; i < 30; i++) { /* ten rounds (SWIM 4.3) */
        struct swim__ping ping = next_ping(&l);
        seen[l.to.ip[3]]++;
        assert_true(mu__str_is(ping.source_node, "me") && ping.source_port == 8301 &&
                    ping.source_addr.len == 4);
        ack(&l, ping.seq_no);
    }
    for (unsigned i = 2; i <= 4; i++) {
        assert_in_range(seen[i], 9, 11);
    }
    assert_int_equal(seen[1], 0);
    lone_destroy(&l);
}

static void test_unanswered_probe_asks_helpers_then_suspects(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg;
    struct swim_stream st;
    setup(&l);
    struct swim__ping ping = next_ping(&l);
    lone_alive(&l, "c", 3, 1);
    lone_alive(&l, "d", 4, 1);
    lone_advance(&l, 510 * MU_MSEC);
    size_t helpers = 0;
    while (lone_find(&l, SWIM__MSG_INDIRECT_PING, &msg)) {
        assert_int_equal(msg.indirect_ping.seq_no, ping.seq_no);
        assert_true(msg.indirect_ping.nack && mu__str_is(msg.indirect_ping.node, "b"));
        assert_in_range(l.to.ip[3], 3, 4);
        helpers++;
    }
    assert_int_equal(helpers, 2);
    assert_true(swim_next_stream(l.s, &st)); /* and a stream is tried */
    assert_int_equal(st.to.ip[3], 2);
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    lone_advance(&l, 500 * MU_MSEC);
    assert_int_equal(lone_member(&l, "b").state, SWIM_SUSPECT);
    swim_stream_end(l.s, l.now, st.id);
    lone_destroy(&l);
}

static void test_indirect_ack_saves_the_target(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_alive(&l, "c", 3, 1);
    struct swim__ping ping = next_ping(&l);
    char name = (char)('b' + l.to.ip[3] - 2);
    lone_advance(&l, 700 * MU_MSEC);
    assert_int_equal(ack(&l, ping.seq_no), SWIM_OK);
    lone_advance(&l, 200 * MU_MSEC);
    assert_int_equal(lone_member(&l, name == 'b' ? "b" : "c").state, SWIM_ALIVE);
    lone_destroy(&l);
}

/* Answers the fallback ping of stream st with seq. */
static int answer_stream(struct lone *l, const struct swim_stream *st, uint32_t seq)
{
    struct swim__msg msg = {.type = SWIM__MSG_ACK, .ack = {.seq_no = seq}};
    struct mu__writer plain = mu__writer_growing(&mu__malloc_allocator);
    struct swim_reply reply;
    swim__msg_encode(&plain, &msg);
    int rc = swim_stream_receive(l->s, l->now, st->id, plain.data, plain.len, &reply);
    assert_true(reply.done);
    mu__writer_fini(&plain);
    swim_stream_end(l->s, l->now, st->id);
    return rc;
}

static void test_answer_over_a_stream_alone_warns_instead_of_suspecting(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stream st;
    struct swim_stats stats;
    setup(&l);
    struct swim__ping ping = next_ping(&l);
    lone_advance(&l, 510 * MU_MSEC);
    assert_true(swim_next_stream(l.s, &st));
    assert_int_equal(answer_stream(&l, &st, ping.seq_no), SWIM_OK);
    lone_advance(&l, 500 * MU_MSEC);
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    swim_stats(l.s, &stats);
    assert_int_equal(stats.tcp_fallbacks, 1);
    lone_destroy(&l);
}

static void test_wrong_sequence_over_a_stream_does_not_count(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stream st;
    setup(&l);
    struct swim__ping ping = next_ping(&l);
    lone_advance(&l, 510 * MU_MSEC);
    assert_true(swim_next_stream(l.s, &st));
    assert_int_equal(answer_stream(&l, &st, ping.seq_no + 1), SWIM_EPROTO);
    lone_advance(&l, 500 * MU_MSEC);
    assert_int_equal(lone_member(&l, "b").state, SWIM_SUSPECT);
    lone_destroy(&l);
}

static void test_late_ack_does_not_count(void **state)
{
    (void)state;
    struct lone l;
    struct swim_stats st;
    setup(&l);
    struct swim__ping ping = next_ping(&l);
    lone_advance(&l, 1010 * MU_MSEC);
    assert_int_equal(ack(&l, ping.seq_no), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").state, SWIM_SUSPECT);
    swim_stats(l.s, &st);
    assert_int_equal(st.acks_late, 1);
    lone_destroy(&l);
}

static void test_suspect_is_told_of_the_suspicion_with_the_ping(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg;
    setup(&l);
    lone_suspect(&l, "b", "c", 1);
    lone_ignore(&l);
    (void)next_ping(&l); /* Lifeguard's buddy system */
    assert_true(lone_next(&l, &msg));
    assert_int_equal(msg.type, SWIM__MSG_SUSPECT);
    assert_true(mu__str_is(msg.suspect.node, "b") && mu__str_is(msg.suspect.from, "me"));
    lone_destroy(&l);
}

/* Lifeguard IV-A: the score rises when our own probes fail and nobody sends nacks, and stretches
 * the interval. */
static void test_missing_nacks_count_against_our_own_health(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_alive(&l, "c", 3, 1);
    lone_alive(&l, "d", 4, 1);
    struct swim__ping ping = next_ping(&l);
    lone_advance(&l, 600 * MU_MSEC);
    struct swim__msg nack = {.type = SWIM__MSG_NACK, .nack = {.seq_no = ping.seq_no}};
    assert_int_equal(lone_feed(&l, &nack), SWIM_OK);
    lone_advance(&l, 410 * MU_MSEC);
    assert_int_equal(score(&l), 1); /* two helpers, one nack */
    lone_destroy(&l);
}

static void test_nacks_of_all_helpers_clear_us(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_alive(&l, "c", 3, 1);
    lone_alive(&l, "d", 4, 1);
    struct swim__ping ping = next_ping(&l);
    lone_advance(&l, 600 * MU_MSEC);
    struct swim__msg nack = {.type = SWIM__MSG_NACK, .nack = {.seq_no = ping.seq_no}};
    assert_int_equal(lone_feed(&l, &nack), SWIM_OK);
    assert_int_equal(lone_feed(&l, &nack), SWIM_OK);
    lone_advance(&l, 410 * MU_MSEC);
    assert_int_equal(score(&l), 0);
    lone_destroy(&l);
}

static void test_bad_health_stretches_the_wait_for_an_answer(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    swim__health_add(l.s, 3);
    (void)next_ping(&l);
    assert_int_equal(l.s->probe.deadline_ns - l.s->probe.sent_ns, 4 * MU_SEC);
    swim__health_add(l.s, 100);
    assert_int_equal(score(&l), 7);
    swim__health_add(l.s, -100);
    assert_int_equal(score(&l), 0);
    lone_destroy(&l);
}

static void test_a_pause_of_ours_accuses_nobody(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    (void)next_ping(&l);
    l.now += 60 * MU_SEC;
    swim_advance(l.s, l.now);
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    assert_int_equal(score(&l), 1);
    lone_destroy(&l);
}

/* ---- being asked ---- */

static void test_ping_is_answered_to_the_address_it_names(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg = {.type = SWIM__MSG_PING,
                            .ping = {.node = {"me", 2},
                                     .seq_no = 77,
                                     .source_addr = {"\x0a\0\0\x05", 4},
                                     .source_port = 1234,
                                     .source_node = {"e", 1}}};
    setup(&l);
    assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
    assert_true(lone_next(&l, &msg));
    assert_int_equal(msg.type, SWIM__MSG_ACK);
    assert_int_equal(msg.ack.seq_no, 77);
    assert_int_equal(l.to.ip[3], 5);
    assert_int_equal(l.to.port, 1234);
    struct swim_coordinate c;
    assert_true(swim__coord_payload_decode(msg.ack.payload, &c));
    lone_destroy(&l);
}

static void test_ping_without_source_is_answered_to_the_sender(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg = {.type = SWIM__MSG_PING,
                            .ping = {.seq_no = 78}}; /* an empty name means anybody */
    setup(&l);
    assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
    assert_true(lone_find(&l, SWIM__MSG_ACK, &msg));
    assert_int_equal(l.to.ip[3], 9);
    lone_destroy(&l);
}

static void test_ping_for_another_name_is_not_answered(void **state)
{
    (void)state;
    struct lone l;
    struct swim__msg msg = {.type = SWIM__MSG_PING, .ping = {.node = {"you", 3}, .seq_no = 79}};
    setup(&l);
    assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
    assert_false(lone_find(&l, SWIM__MSG_ACK, &msg));
    lone_destroy(&l);
}

static void test_ping_from_whom_we_hold_dead_tells_it_so(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    lone_dead(&l, "b", "c", 1);
    lone_ignore(&l);
    struct swim__msg msg = {.type = SWIM__MSG_PING,
                            .ping = {.seq_no = 80, .source_node = {"b", 1}}};
    assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
    assert_true(lone_find(&l, SWIM__MSG_DEAD, &msg));
    assert_true(mu__str_is(msg.dead.node, "b"));
    lone_destroy(&l);
}

static struct swim__msg ask_us(bool nack)
{
    return (struct swim__msg){.type = SWIM__MSG_INDIRECT_PING,
                              .indirect_ping = {.node = {"b", 1},
                                                .target = {"\x0a\0\0\x02", 4},
                                                .port = 8301,
                                                .seq_no = 500,
                                                .nack = nack,
                                                .source_addr = {"\x0a\0\0\x05", 4},
                                                .source_port = 8301,
                                                .source_node = {"e", 1}}};
}

static void test_relay_forwards_the_ack_under_the_requesters_number(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim__msg msg = ask_us(true);
    assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
    assert_true(lone_find(&l, SWIM__MSG_PING, &msg));
    assert_int_equal(l.to.ip[3], 2);
    assert_int_not_equal(msg.ping.seq_no, 500);
    assert_int_equal(ack(&l, msg.ping.seq_no), SWIM_OK);
    assert_true(lone_find(&l, SWIM__MSG_ACK, &msg));
    assert_int_equal(msg.ack.seq_no, 500);
    assert_int_equal(l.to.ip[3], 5);
    lone_destroy(&l);
}

static void test_relay_sends_a_nack_when_asked_to(void **state)
{
    (void)state;
    for (int nack = 0; nack <= 1; nack++) {
        struct lone l;
        setup(&l);
        struct swim__msg msg = ask_us(nack == 1);
        assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
        lone_advance(&l, 510 * MU_MSEC);
        assert_int_equal(lone_find(&l, SWIM__MSG_NACK, &msg), nack);
        assert_int_equal(l.s->relays.count, 0);
        lone_destroy(&l);
    }
}

static void test_relays_are_bounded(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim__msg msg = ask_us(false);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(lone_feed(&l, &msg), SWIM_OK);
        lone_ignore(&l);
    }
    assert_in_range(l.s->relays.count, 1, 1024);
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_member_is_probed_once_a_round),
        cmocka_unit_test(test_unanswered_probe_asks_helpers_then_suspects),
        cmocka_unit_test(test_indirect_ack_saves_the_target),
        cmocka_unit_test(test_answer_over_a_stream_alone_warns_instead_of_suspecting),
        cmocka_unit_test(test_wrong_sequence_over_a_stream_does_not_count),
        cmocka_unit_test(test_late_ack_does_not_count),
        cmocka_unit_test(test_suspect_is_told_of_the_suspicion_with_the_ping),
        cmocka_unit_test(test_missing_nacks_count_against_our_own_health),
        cmocka_unit_test(test_nacks_of_all_helpers_clear_us),
        cmocka_unit_test(test_bad_health_stretches_the_wait_for_an_answer),
        cmocka_unit_test(test_a_pause_of_ours_accuses_nobody),
        cmocka_unit_test(test_ping_is_answered_to_the_address_it_names),
        cmocka_unit_test(test_ping_without_source_is_answered_to_the_sender),
        cmocka_unit_test(test_ping_for_another_name_is_not_answered),
        cmocka_unit_test(test_ping_from_whom_we_hold_dead_tells_it_so),
        cmocka_unit_test(test_relay_forwards_the_ack_under_the_requesters_number),
        cmocka_unit_test(test_relay_sends_a_nack_when_asked_to),
        cmocka_unit_test(test_relays_are_bounded),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
