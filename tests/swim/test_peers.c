/* Mirrors src/peers.c: coordinates of others, and distances between them. */
#include "lone.h"

static void two_places(struct swim_config *cfg)
{
    cfg->compress = false;
    cfg->coordinates_max = 2;
}

/* Waits until name is probed, and answers ms later from a place x seconds away. */
static void probe(struct lone *l, const char *name, double x, uint64_t ms)
{
    struct swim__msg msg;
    for (int i = 0; i < 100; i++) {
        lone_ignore(l);
        lone_advance(l, l->s->probe.tick.item.at - l->now);
        if (!lone_find(l, SWIM__MSG_PING, &msg)) {
            continue;
        }
        bool wanted = mu__str_is(msg.ping.node, name);
        struct swim_coordinate c = {.vec = {x}, .error = 0.5, .height = 0.001};
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        swim__coord_payload_encode(&w, &c);
        struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = msg.ping.seq_no}};
        if (wanted) {
            ack.ack.payload = (struct mu_str){(const char *)w.data, w.len};
        }
        lone_ignore(l);
        l->now += ms * MU_MSEC;
        assert_int_equal(lone_feed(l, &ack), SWIM_OK);
        mu__writer_fini(&w);
        if (wanted) {
            return;
        }
    }
    fail_msg("%s is never probed", name);
}

static void test_distances_between_others_are_told(void **state)
{
    (void)state;
    struct lone l;
    struct swim_coordinate c;
    uint64_t rtt = 0;
    lone_create(&l, NULL);
    lone_alive(&l, "b", 2, 1);
    lone_alive(&l, "c", 3, 1);
    assert_int_equal(swim_rtt(l.s, "me", "b", &rtt), SWIM_ENOENT);
    assert_false(swim_member_coordinate(l.s, "b", &c));
    probe(&l, "b", 0.010, 12);
    probe(&l, "c", -0.020, 22);
    assert_int_equal(swim_rtt(l.s, "b", "c", &rtt), SWIM_OK);
    assert_int_equal(rtt, 32 * MU_MSEC); /* 30 ms apart, and a millisecond up at either end */
    assert_int_equal(swim_rtt(l.s, "me", "b", &rtt), SWIM_OK);
    assert_in_range(rtt, 1, 100 * MU_MSEC);
    assert_int_equal(swim_rtt(l.s, "me", "nobody", &rtt), SWIM_ENOENT);
    assert_true(swim_member_coordinate(l.s, "b", &c) && c.vec[0] == 0.010);
    lone_destroy(&l);
}

static void test_only_the_members_probed_last_are_kept(void **state)
{
    (void)state;
    struct lone l;
    struct swim_coordinate c;
    lone_create(&l, two_places);
    lone_alive(&l, "b", 2, 1);
    lone_alive(&l, "c", 3, 1);
    lone_alive(&l, "d", 4, 1);
    probe(&l, "b", 0.010, 12);
    probe(&l, "c", 0.010, 12);
    assert_true(swim_member_coordinate(l.s, "b", &c) || swim_member_coordinate(l.s, "c", &c));
    probe(&l, "d", 0.010, 12);
    probe(&l, "b", 0.010, 12);
    assert_true(swim_member_coordinate(l.s, "b", &c));
    assert_int_equal(l.s->peers.count, 2);
    lone_destroy(&l);
}

static void test_who_moves_or_goes_has_no_place_any_more(void **state)
{
    (void)state;
    struct lone l;
    struct swim_coordinate c;
    lone_create(&l, NULL);
    lone_alive(&l, "b", 2, 1);
    probe(&l, "b", 0.010, 12);
    lone_dead(&l, "b", "b", 1);
    assert_true(swim_member_coordinate(l.s, "b", &c)); /* it may come back */
    lone_alive(&l, "b", 9, 2);
    assert_false(swim_member_coordinate(l.s, "b", &c));
    probe(&l, "b", 0.010, 12);
    lone_dead(&l, "b", "b", 2);
    assert_int_equal(swim_force_leave(l.s, l.now, "b", true), SWIM_OK);
    lone_ignore_events(&l);
    lone_advance(&l, 60 * MU_SEC);
    assert_false(swim_member_coordinate(l.s, "b", &c));
    assert_int_equal(l.s->peers.count, 0);
    lone_destroy(&l);
}

static void test_senseless_coordinates_are_counted_and_not_kept(void **state)
{
    (void)state;
    struct lone l;
    struct swim_coordinate c = {.error = 1.0}, out;
    struct swim_stats st;
    lone_create(&l, NULL);
    lone_alive(&l, "b", 2, 1);
    struct swim__member *b = swim__table_find(&l.s->members, lone_str("b"));
    swim__peer_measured(l.s, b, &c, 11 * MU_SEC);
    swim_stats(l.s, &st);
    assert_int_equal(st.coordinates_rejected, 1);
    assert_false(swim_member_coordinate(l.s, "b", &out));
    lone_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances_between_others_are_told),
        cmocka_unit_test(test_only_the_members_probed_last_are_kept),
        cmocka_unit_test(test_who_moves_or_goes_has_no_place_any_more),
        cmocka_unit_test(test_senseless_coordinates_are_counted_and_not_kept),
    };
    return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
