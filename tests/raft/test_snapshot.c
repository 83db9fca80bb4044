/* Mirrors src/snapshot.c, snapshot_send.c and snapshot_receive.c. */
#include "one.h"

static uint8_t configuration[RAFT__CONFIGURATION_BYTES_MAX];

static struct raft_snapshot_meta meta(raft_index index)
{
    struct raft_configuration c = {.n = 3};
    one_servers(c.servers, 3);
    struct mu__writer w = mu__writer_fixed(configuration, sizeof configuration);
    raft__configuration_encode(&c, &w);
    return (struct raft_snapshot_meta){index, 2, 1, configuration, w.len};
}

static struct raft_message chunk(raft_index index, uint64_t offset, const char *data, bool last)
{
    struct raft_message m = one_message(RAFT_MSG_SNAPSHOT, "b", 2);
    m.snapshot = meta(index);
    m.offset = offset;
    m.data = data;
    m.len = strlen(data);
    m.last = last;
    return m;
}

static struct one follower(void)
{
    struct raft_config cfg = one_config();
    struct one o = one_create(&cfg, 3);
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT, "b", 2);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    return o;
}

static uint64_t given(struct one *o, const struct raft_message *m)
{
    assert_int_equal(one_step(o, m), RAFT_OK);
    assert_true(one_next(o));
    assert_non_null(o->u->snapshot);
    assert_int_equal(o->u->snapshot->offset, m->offset);
    assert_memory_equal(o->u->snapshot->data, m->data, m->len);
    return o->u->snapshot->id;
}

static const struct raft_message *reply(struct one *o)
{
    assert_true(one_next(o));
    const struct raft_message *m = one_sent(o, RAFT_MSG_SNAPSHOT_REPLY, "b");
    assert_non_null(m);
    return m;
}

static void test_chunks_are_written_in_order_and_the_last_installs(void **state)
{
    (void)state;
    struct one o = follower();
    struct raft_message m = chunk(20, 0, "first ", false);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    m = chunk(20, 6, "second", true);
    uint64_t id = given(&o, &m);
    struct raft_message append = one_message(RAFT_MSG_APPEND, "b", 2);
    append.log_index = append.log_term = 1;
    append.commit = 1;
    assert_int_equal(one_step(&o, &append), RAFT_OK); /* the log rests */
    assert_false(one_next(&o));
    raft_snapshot_written(o.r, o.now, id, true);
    assert_true(reply(&o)->last);
    assert_int_equal(o.u->persist->reset_to, 20);
    assert_int_equal(raft_applied_index(o.r), 20);
    assert_int_equal(raft_last_index(o.r), 20);
    assert_int_equal(raft_last_term(o.r), 2);
    raft__check(o.r);
    raft_destroy(o.r);
}

static void test_a_transfer_goes_on_where_it_was(void **state)
{
    (void)state;
    struct one o = follower();
    struct raft_message m = chunk(20, 0, "first ", false);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    assert_int_equal(one_step(&o, &m), RAFT_OK); /* the leader starts again */
    const struct raft_message *answer = reply(&o);
    assert_true(answer->reject);
    assert_int_equal(answer->offset, 6);
    m = chunk(20, 60, "gap", false);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(reply(&o)->offset, 6);
    m = chunk(30, 0, "newer", false); /* another snapshot starts from its beginning */
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 5);
    raft_destroy(o.r);
}

static void test_a_failed_write_starts_the_transfer_again(void **state)
{
    (void)state;
    struct one o = follower();
    struct raft_message m = chunk(20, 0, "first ", false);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    m = chunk(20, 6, "damaged", true);
    raft_snapshot_written(o.r, o.now, given(&o, &m), false);
    const struct raft_message *answer = reply(&o);
    assert_true(answer->reject);
    assert_int_equal(answer->offset, 0);
    assert_int_equal(raft_commit_index(o.r), 0);
    m = chunk(20, 0, "first ", false);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    raft_destroy(o.r);
}

static void test_a_snapshot_of_what_is_there_is_answered_at_once(void **state)
{
    (void)state;
    struct one o = follower();
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
    m.log_index = m.log_term = m.commit = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    m = chunk(1, 0, "old", false);
    m.snapshot.term = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(reply(&o)->last);
    assert_null(o.u->snapshot);
    raft_destroy(o.r);
}

/* --- The sender --- */

static void acknowledge(struct one *o, const char *from, raft_index index)
{
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, from, raft_current_term(o->r));
    m.log_index = index;
    m.stamp = o->r->stamp;
    assert_int_equal(one_step(o, &m), RAFT_OK);
}

/* A leader of a, b and c with a snapshot at 5, whose log begins at 6; c refuses what is before
 * it. */
static struct one leader(void)
{
    struct raft_config cfg = one_config();
    cfg.tail_entries = 0;
    cfg.snapshot_chunk_bytes = 10;
    struct one o = one_create(&cfg, 3);
    one_lead(&o);
    const struct mu_str items[] = {{"x", 1}, {"x", 1}, {"x", 1}};
    raft_index first;
    assert_int_equal(raft_propose(o.r, o.now, items, 3, &first), RAFT_OK);
    one_settle(&o);
    acknowledge(&o, "b", 5);
    one_settle(&o);
    assert_int_equal(raft_applied_index(o.r), 5);
    raft_snapshot_done(o.r, o.now, 5);
    assert_true(one_next(&o));
    assert_int_equal(o.u->log_first, 6);
    struct raft_message m = one_message(RAFT_MSG_APPEND_REPLY, "c", 2);
    m.reject = true;
    m.log_index = 1;
    m.stamp = o.r->stamp;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    return o;
}

static uint64_t asked(struct one *o, uint64_t offset)
{
    while (one_next(o) && o->u->n_loads == 0) {
    }
    assert_non_null(o->u);
    assert_int_equal(o->u->loads[0].kind, RAFT_LOAD_SNAPSHOT);
    assert_int_equal(o->u->loads[0].snapshot, 5);
    assert_int_equal(o->u->loads[0].offset, offset);
    return o->u->loads[0].id;
}

static void wanted(struct one *o, uint64_t offset, bool reject, bool last)
{
    struct raft_message m = one_message(RAFT_MSG_SNAPSHOT_REPLY, "c", 2);
    m.snapshot.index = 5;
    m.snapshot.term = 2;
    m.offset = offset;
    m.reject = reject;
    m.last = last;
    assert_int_equal(one_step(o, &m), RAFT_OK);
}

static void test_the_leader_sends_what_is_wanted_and_goes_on_with_the_log(void **state)
{
    (void)state;
    struct one o = leader();
    struct raft_peer_status p;
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, asked(&o, 0), "0123456789", 10, false),
                     RAFT_OK);
    assert_true(one_next(&o));
    const struct raft_message *m = one_sent(&o, RAFT_MSG_SNAPSHOT, "c");
    assert_int_equal(m->len, 10);
    assert_int_equal(m->snapshot.configuration_index, 1);
    assert_int_equal(raft_peer(o.r, "c", &p), RAFT_OK);
    assert_true(p.is_snapshotting);
    wanted(&o, 10, false, false);
    uint64_t id = asked(&o, 10);
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, id, "0123456789+", 11, true), RAFT_EINVAL);
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, id, "end", 3, true), RAFT_OK);
    assert_true(one_next(&o));
    assert_true(one_sent(&o, RAFT_MSG_SNAPSHOT, "c")->last);
    wanted(&o, 13, false, true);
    assert_int_equal(raft_peer(o.r, "c", &p), RAFT_OK);
    assert_int_equal(p.match, 5);
    assert_false(p.is_snapshotting);
    raft__check(o.r);
    raft_destroy(o.r);
}

static void test_a_lost_chunk_is_sent_again(void **state)
{
    (void)state;
    struct one o = leader();
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, asked(&o, 0), "0123456789", 10, false),
                     RAFT_OK);
    one_settle(&o);
    bool again = false;
    for (unsigned i = 0; i < 10 && !again; i++) {
        o.now = raft_next_deadline(o.r);
        acknowledge(&o, "b", 5); /* so that it goes on leading */
        raft_advance(o.r, o.now);
        while (one_next(&o)) {
            again = again || one_sent(&o, RAFT_MSG_SNAPSHOT, "c");
        }
    }
    assert_true(again);
    raft_destroy(o.r);
}

static void test_a_follower_that_lost_its_part_gets_it_from_the_start(void **state)
{
    (void)state;
    struct one o = leader();
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, asked(&o, 0), "0123456789", 10, false),
                     RAFT_OK);
    one_settle(&o);
    wanted(&o, 10, false, false);
    uint64_t id = asked(&o, 10);
    wanted(&o, 0, true, false); /* it was restarted */
    (void)asked(&o, 0);
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, id, "late", 4, true), RAFT_OK); /* ignored */
    while (one_next(&o)) {
        assert_null(one_sent(&o, RAFT_MSG_SNAPSHOT, "c"));
    }
    raft_destroy(o.r);
}

static void test_meta_is_given_for_what_is_applied(void **state)
{
    (void)state;
    struct one o = leader();
    struct raft_snapshot_meta m;
    assert_int_equal(raft_snapshot_meta(o.r, 6, &m), RAFT_ENOENT);
    assert_int_equal(raft_snapshot_meta(o.r, 4, &m), RAFT_ENOENT);
    assert_int_equal(raft_snapshot_meta(o.r, 0, &m), RAFT_ENOENT);
    assert_int_equal(raft_snapshot_meta(o.r, 5, &m), RAFT_OK);
    struct raft_configuration c;
    assert_int_equal(raft_configuration_decode(m.configuration, m.configuration_len, 1, &c),
                     RAFT_OK);
    assert_int_equal(c.n, 3);
    raft_snapshot_done(o.r, o.now, 3); /* an older one changes nothing */
    assert_int_equal(raft_snapshot_index(o.r), 5);
    raft_destroy(o.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_are_written_in_order_and_the_last_installs),
        cmocka_unit_test(test_a_transfer_goes_on_where_it_was),
        cmocka_unit_test(test_a_failed_write_starts_the_transfer_again),
        cmocka_unit_test(test_a_snapshot_of_what_is_there_is_answered_at_once),
        cmocka_unit_test(test_the_leader_sends_what_is_wanted_and_goes_on_with_the_log),
        cmocka_unit_test(test_a_lost_chunk_is_sent_again),
        cmocka_unit_test(test_a_follower_that_lost_its_part_gets_it_from_the_start),
        cmocka_unit_test(test_meta_is_given_for_what_is_applied),
    };
    return cmocka_run_group_tests_name("raft snapshot", tests, NULL, NULL);
}
