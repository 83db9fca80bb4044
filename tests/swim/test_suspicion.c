/* Mirrors src/formula.c and src/suspicion.c. The numbers are those of memberlist 0.2.2. */
#include "lone.h"

#include "formula.h"

#include <jansson.h>

static json_t *formulas(const char *name, json_t **root)
{
    *root = json_load_file(MUSTER_TEST_DATA "/gossip-vectors.json", 0, NULL);
    assert_non_null(*root);
    json_t *list = json_object_get(json_object_get(*root, "formulas"), name);
    assert_true(json_array_size(list) > 0);
    return list;
}

static uint64_t num(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void test_retransmit_limit_grows_with_log_n(void **state)
{
    (void)state;
    json_t *root, *list = formulas("retransmit_limit", &root), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        assert_int_equal(swim__retransmit_limit((uint32_t)num(v, "mult"), num(v, "n")),
                         num(v, "limit"));
    }
    json_decref(root);
}

static void test_full_syncs_slow_down_above_32_members(void **state)
{
    (void)state;
    json_t *root, *list = formulas("push_pull_scale", &root), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        assert_int_equal(swim__push_pull_interval_ns(num(v, "interval_s") * MU_SEC, num(v, "n")),
                         num(v, "result_s") * MU_SEC);
    }
    json_decref(root);
}

static void test_suspicion_minimum_grows_with_log_n(void **state)
{
    (void)state;
    json_t *root, *list = formulas("suspicion_min_timeout", &root), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        uint64_t got = swim__suspicion_min_ns((uint32_t)num(v, "mult"), num(v, "n"),
                                              num(v, "probe_interval_ms") * MU_MSEC);
        assert_int_equal(got, num(v, "timeout_ns"));
    }
    json_decref(root);
}

static void test_confirmations_shorten_a_suspicion_logarithmically(void **state)
{
    (void)state;
    json_t *root, *list = formulas("suspicion_remaining", &root), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        uint64_t total =
            swim__suspicion_total_ns((uint32_t)num(v, "n"), (uint32_t)num(v, "k"),
                                     num(v, "min_ms") * MU_MSEC, num(v, "max_ms") * MU_MSEC);
        int64_t remaining = (int64_t)total - (int64_t)(num(v, "elapsed_ms") * MU_MSEC);
        assert_int_equal(remaining / (int64_t)MU_MSEC,
                         json_integer_value(json_object_get(v, "remaining_ms")));
    }
    json_decref(root);
}

static void test_small_pools_need_no_confirmations(void **state)
{
    (void)state;
    assert_int_equal(swim__suspicion_confirmations(4, 1), 0);
    assert_int_equal(swim__suspicion_confirmations(4, 3), 0);
    assert_int_equal(swim__suspicion_confirmations(4, 4), 2);
    assert_int_equal(swim__suspicion_confirmations(2, 100), 0);
    assert_int_equal(swim__suspicion_confirmations(1, 100), 0);
}

/* ---- the timer on a live core ---- */

static void no_probes(struct swim_config *cfg)
{
    cfg->probe_interval_ns = 1 * MU_SEC;
    cfg->indirect_checks = 0;
    cfg->tcp_fallback_ping = false;
}

/* Probes of a silent pool would suspect by themselves: answer them all while time passes. */
static void pass(struct lone *l, uint64_t ns)
{
    for (uint64_t end = l->now + ns; l->now < end;) {
        struct swim__msg msg;
        lone_advance(l, 10 * MU_MSEC);
        while (lone_next(l, &msg)) {
            if (msg.type == SWIM__MSG_PING && !mu__str_is(msg.ping.node, "b")) {
                struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = msg.ping.seq_no}};
                assert_int_equal(lone_feed(l, &ack), SWIM_OK);
            }
        }
    }
}

static void setup(struct lone *l)
{
    lone_create(l, no_probes);
    lone_alive(l, "b", 2, 1);
    lone_alive(l, "c", 3, 1);
    lone_alive(l, "d", 4, 1);
    lone_alive(l, "e", 5, 1);
    assert_int_equal(lone_suspect(l, "b", "c", 1), SWIM_OK);
}

static void test_unconfirmed_suspicion_lasts_the_maximum(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, no_probes);
    lone_alive(&l, "b", 2, 1);
    lone_alive(&l, "c", 3, 1);
    lone_alive(&l, "d", 4, 1);
    assert_int_equal(lone_suspect(&l, "b", "c", 1), SWIM_OK);
    struct swim__member *b = swim__table_find(&l.s->members, lone_str("b"));
    assert_int_equal(b->suspicion->timer.item.at, l.now + 24 * MU_SEC); /* 6 * 4 * 1 s */
    assert_int_equal(lone_suspect(&l, "b", "c", 1), SWIM_OK); /* the accuser does not confirm */
    assert_int_equal(b->suspicion->timer.item.at, l.now + 24 * MU_SEC);
    lone_destroy(&l);
}

static void test_confirmed_suspicion_ends_at_the_minimum(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_suspect(&l, "b", "d", 1), SWIM_OK);
    assert_int_equal(lone_suspect(&l, "b", "d", 1), SWIM_OK); /* once is enough from each */
    struct swim__member *b = swim__table_find(&l.s->members, lone_str("b"));
    assert_int_equal(b->suspicion->confirmations, 1);
    assert_int_equal(b->suspicion->timer.item.at, l.now + 11381 * MU_MSEC);
    assert_int_equal(lone_suspect(&l, "b", "e", 1), SWIM_OK);
    assert_int_equal(b->suspicion->timer.item.at, l.now + 4 * MU_SEC);
    pass(&l, 3900 * MU_MSEC);
    assert_int_equal(lone_member(&l, "b").state, SWIM_SUSPECT);
    pass(&l, 200 * MU_MSEC);
    assert_int_equal(lone_member(&l, "b").state, SWIM_DEAD);
    assert_int_equal(lone_member(&l, "b").status, SWIM_STATUS_FAILED);
    lone_destroy(&l);
}

static void test_refutation_ends_a_suspicion(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    assert_int_equal(lone_alive(&l, "b", 2, 2), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    assert_null(swim__table_find(&l.s->members, lone_str("b"))->suspicion);
    lone_destroy(&l);
}

static void test_a_pause_of_ours_does_not_kill_the_suspect(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    l.now += 100 * MU_SEC; /* we were stopped: a refutation may wait in our socket */
    swim_advance(l.s, l.now);
    assert_int_equal(lone_member(&l, "b").state, SWIM_SUSPECT);
    assert_int_equal(lone_alive(&l, "b", 2, 2), SWIM_OK);
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    lone_destroy(&l);
}

/* ---- silence from everybody ---- */

static bool is_dead(struct lone *l, const char *name)
{
    return lone_member(l, name).state == SWIM_DEAD;
}

static void advance_to(struct lone *l, uint64_t at)
{
    while (l->now < at) {
        lone_advance(l, mu__min(10 * MU_MSEC, at - l->now));
        lone_ignore(l);
    }
}

static void test_who_hears_nobody_holds_a_suspicion_for_four_intervals(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    uint64_t start = l.now;
    assert_int_equal(lone_suspect(&l, "b", "d", 1), SWIM_OK);
    assert_int_equal(lone_suspect(&l, "b", "e", 1), SWIM_OK);
    advance_to(&l, start + 7900 * MU_MSEC);
    assert_false(is_dead(&l, "b")); /* due after 4 s */
    advance_to(&l, start + 8100 * MU_MSEC);
    assert_true(is_dead(&l, "b"));
    lone_destroy(&l);
}

static void test_what_comes_first_after_a_silence_kills_nobody(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    uint64_t start = l.now;
    advance_to(&l, start + 6 * MU_SEC);
    assert_int_equal(lone_suspect(&l, "b", "d", 1), SWIM_OK);
    assert_int_equal(lone_suspect(&l, "b", "e", 1), SWIM_OK); /* it was due two seconds ago */
    lone_advance(&l, 0);
    assert_false(is_dead(&l, "b"));
    assert_int_equal(lone_alive(&l, "b", 2, 2), SWIM_OK); /* it stood behind them */
    assert_int_equal(lone_member(&l, "b").state, SWIM_ALIVE);
    lone_destroy(&l);
}

static void test_who_hears_others_holds_nothing(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    uint64_t start = l.now;
    advance_to(&l, start + 3100 * MU_MSEC);
    assert_int_equal(lone_alive(&l, "c", 3, 1), SWIM_OK); /* ends a silence */
    advance_to(&l, start + 4500 * MU_MSEC);
    assert_int_equal(lone_suspect(&l, "b", "d", 1), SWIM_OK);
    assert_int_equal(lone_suspect(&l, "b", "e", 1), SWIM_OK);
    lone_advance(&l, 0);
    assert_true(is_dead(&l, "b"));
    lone_destroy(&l);
}

/* Nobody could confirm it, nor refute it but the suspect: as in memberlist. */
static void test_among_three_silence_holds_nothing(void **state)
{
    (void)state;
    struct lone l;
    lone_create(&l, no_probes);
    lone_alive(&l, "b", 2, 1);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(lone_suspect(&l, "b", "c", 1), SWIM_OK);
    advance_to(&l, l.now + 4010 * MU_MSEC);
    assert_true(is_dead(&l, "b"));
    lone_destroy(&l);
}

static void test_what_cannot_be_read_ends_no_silence(void **state)
{
    (void)state;
    struct lone l;
    setup(&l);
    struct swim_addr from = lone_addr(9);
    advance_to(&l, l.now + 2900 * MU_MSEC);
    assert_false(swim__hears_nobody(l.s));
    advance_to(&l, l.now + 200 * MU_MSEC);
    assert_true(swim__hears_nobody(l.s));
    assert_int_equal(swim_receive(l.s, l.now, &from, "\xff", 1), SWIM_EPROTO);
    assert_int_equal(l.s->hearing_ns, 0);
    assert_int_equal(lone_alive(&l, "c", 3, 1), SWIM_OK);
    assert_int_equal(l.s->hearing_ns, l.now);
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retransmit_limit_grows_with_log_n),
        cmocka_unit_test(test_full_syncs_slow_down_above_32_members),
        cmocka_unit_test(test_suspicion_minimum_grows_with_log_n),
        cmocka_unit_test(test_confirmations_shorten_a_suspicion_logarithmically),
        cmocka_unit_test(test_small_pools_need_no_confirmations),
        cmocka_unit_test(test_unconfirmed_suspicion_lasts_the_maximum),
        cmocka_unit_test(test_confirmed_suspicion_ends_at_the_minimum),
        cmocka_unit_test(test_refutation_ends_a_suspicion),
        cmocka_unit_test(test_a_pause_of_ours_does_not_kill_the_suspect),
        cmocka_unit_test(test_who_hears_nobody_holds_a_suspicion_for_four_intervals),
        cmocka_unit_test(test_what_comes_first_after_a_silence_kills_nobody),
        cmocka_unit_test(test_who_hears_others_holds_nothing),
        cmocka_unit_test(test_among_three_silence_holds_nothing),
        cmocka_unit_test(test_what_cannot_be_read_ends_no_silence),
    };
    return cmocka_run_group_tests_name("suspicion", tests, NULL, NULL);
}
