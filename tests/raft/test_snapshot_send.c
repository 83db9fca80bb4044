/* Snapshots as a leader sends them: windows of chunks, losses, refusals. Mirrors
 * src/snapshot_send.c. */
#include "one.h"

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

/* What the follower answers to a chunk. */
static struct raft_message answer(uint64_t offset)
{
    struct raft_message m = one_message(RAFT_MSG_SNAPSHOT_REPLY, "c", 2);
    m.snapshot.index = 5;
    m.snapshot.term = 2;
    m.offset = offset;
    return m;
}

static void wanted(struct one *o, uint64_t offset, bool reject, bool last)
{
    struct raft_message m = answer(offset);
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

static void give(struct one *o, uint64_t id, const char *data, size_t len, bool last)
{
    assert_int_equal(raft_loaded_snapshot(o->r, o->now, id, data, len, last), RAFT_OK);
}

/* A follower that waits for its snapshot, or for nothing at all, holds up no other (willemt/raft
 * 118, RedisLabs/raft 49). */
static void test_a_follower_that_needs_a_snapshot_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct one o = leader();
    const struct mu_str item = {"x", 1};
    raft_index first;
    (void)asked(&o, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(raft_propose(o.r, o.now, &item, 1, &first), RAFT_OK);
        assert_true(one_next(&o));
        assert_int_equal(one_sent(&o, RAFT_MSG_APPEND, "b")->n_entries, 1);
        assert_null(one_sent(&o, RAFT_MSG_APPEND, "c"));
        uint64_t id = o.u->persist->id;
        raft_persisted(o.r, o.now, id);
        acknowledge(&o, "b", first);
        assert_int_equal(raft_commit_index(o.r), first);
        one_settle(&o);
    }
    raft_destroy(o.r);
}

/* The offsets of the chunks that leave in the next update, each followed by a space. */
static const char *sends(struct one *o)
{
    static char text[200];
    size_t n = 0;
    text[0] = 0;
    while (one_next(o)) {
        for (size_t i = 0; i < o->u->n_messages; i++) {
            const struct raft_message *m = &o->u->messages[i];
            if (m->type == RAFT_MSG_SNAPSHOT) {
                n += (size_t)snprintf(text + n, sizeof text - n, "%d ", (int)m->offset);
            }
        }
    }
    return text;
}

static void test_a_follower_that_lost_its_part_gets_it_from_the_start(void **state)
{
    (void)state;
    struct one o = leader();
    give(&o, asked(&o, 0), "0123456789", 10, false);
    one_settle(&o);
    wanted(&o, 10, false, false);
    uint64_t id = asked(&o, 10), late = o.u->loads[1].id;
    give(&o, id, "0123456789", 10, false);
    assert_string_equal(sends(&o), "10 ");
    wanted(&o, 0, true, false); /* it was restarted */
    (void)asked(&o, 0);
    give(&o, late, "late", 4, true); /* ignored */
    assert_string_equal(sends(&o), "");
    raft_destroy(o.r);
}

/* What was damaged before it was hashed arrives whole: only the follower's host finds out. */
static void test_what_the_follower_s_host_refuses_is_read_again(void **state)
{
    (void)state;
    struct one o = leader();
    give(&o, asked(&o, 0), "damaged", 7, true);
    assert_string_equal(sends(&o), "0 ");
    wanted(&o, 0, true, false);
    give(&o, asked(&o, 0), "healthy", 7, true);
    assert_string_equal(sends(&o), "0 ");
    wanted(&o, 0, false, true);
    assert_int_equal(raft__find_peer(o.r, "c")->match, 5);
    raft_destroy(o.r);
}

/* A leader whose follower has answered the first chunk; loads[i] asks for the bytes from 10 * i
 * on. */
static struct one open_leader(uint64_t loads[5])
{
    struct one o = leader();
    loads[0] = asked(&o, 0);
    assert_int_equal(o.u->n_loads, 1); /* until it has answered, one at a time */
    give(&o, loads[0], "0123456789", 10, false);
    assert_string_equal(sends(&o), "0 ");
    wanted(&o, 10, false, false);
    loads[1] = asked(&o, 10);
    assert_int_equal(o.u->n_loads, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(o.u->loads[i].offset, 10 + 10 * i);
        loads[1 + i] = o.u->loads[i].id;
    }
    return o;
}

static void test_chunks_travel_ahead_of_their_answers_and_in_order(void **state)
{
    (void)state;
    uint64_t loads[5];
    struct one o = open_leader(loads);
    give(&o, loads[2], "0123456789", 10, false); /* disks may answer as they like */
    assert_string_equal(sends(&o), "");
    give(&o, loads[1], "0123456789", 10, false);
    assert_string_equal(sends(&o), "10 20 ");
    give(&o, loads[4], "0123456789", 10, false);
    give(&o, loads[3], "0123456789", 10, false);
    assert_string_equal(sends(&o), "30 40 ");
    assert_string_equal(sends(&o), ""); /* the window is full */
    wanted(&o, 30, false, false);       /* two at once */
    uint64_t id = asked(&o, 50);
    assert_int_equal(o.u->n_loads, 2);
    give(&o, id, "end", 3, true);
    assert_string_equal(sends(&o), "50 ");
    wanted(&o, 53, false, true);
    struct raft_peer_status p;
    assert_int_equal(raft_peer(o.r, "c", &p), RAFT_OK);
    assert_int_equal(p.match, 5);
    raft_destroy(o.r);
}

static void test_what_was_asked_for_beyond_the_end_is_forgotten(void **state)
{
    (void)state;
    uint64_t loads[5];
    struct one o = open_leader(loads);
    assert_int_equal(raft_loaded_snapshot(o.r, o.now, loads[4], NULL, 0, false), RAFT_OK);
    give(&o, loads[3], "", 0, true);
    give(&o, loads[1], "0123456789", 10, false);
    give(&o, loads[2], "end", 3, true);
    assert_string_equal(sends(&o), "10 20 ");
    wanted(&o, 23, false, true);
    assert_int_equal(o.r->peers[2].match, 5);
    raft_destroy(o.r);
}

static void test_a_short_chunk_moves_those_after_it(void **state)
{
    (void)state;
    uint64_t loads[5];
    struct one o = open_leader(loads);
    give(&o, loads[1], "0123", 4, false);
    assert_string_equal(sends(&o), "10 ");
    give(&o, loads[2], "0123456789", 10, false); /* of no use any more */
    assert_string_equal(sends(&o), "");
    assert_int_equal(o.r->peers[2].sending.n, 4);
    assert_int_equal(o.r->peers[2].sending.next, 44);
    raft__check(o.r);
    raft_destroy(o.r);
}

static void refuse_at(struct one *o, uint64_t offset, uint64_t stamp)
{
    struct raft_message m = answer(offset);
    m.reject = true;
    m.stamp = stamp;
    assert_int_equal(one_step(o, &m), RAFT_OK);
}

static void test_a_gap_sends_again_from_there_and_once(void **state)
{
    (void)state;
    uint64_t loads[5];
    struct one o = open_leader(loads);
    for (size_t i = 1; i < 5; i++) {
        give(&o, loads[i], "0123456789", 10, false);
    }
    assert_string_equal(sends(&o), "10 20 30 40 ");
    uint64_t stamp = o.r->stamp;
    refuse_at(&o, 20, stamp); /* 30 arrived without 20 */
    assert_string_equal(sends(&o), "20 30 40 ");
    refuse_at(&o, 20, stamp); /* so did 40, before */
    assert_string_equal(sends(&o), "");
    refuse_at(&o, 20, o.r->stamp); /* and once more */
    assert_string_equal(sends(&o), "20 30 40 ");
    struct raft_stats stats = {.size = sizeof stats};
    raft_get_stats(o.r, &stats);
    assert_int_equal(stats.chunks_resent, 6);
    raft_destroy(o.r);
}

static void test_silence_closes_the_window(void **state)
{
    (void)state;
    uint64_t loads[5];
    struct one o = open_leader(loads);
    for (size_t i = 1; i < 5; i++) {
        give(&o, loads[i], "0123456789", 10, false);
    }
    assert_string_equal(sends(&o), "10 20 30 40 ");
    o.now += o.r->cfg.election_timeout_ns;
    assert_string_equal(sends(&o), ""); /* time passes in calls only */
    acknowledge(&o, "b", 5);
    assert_string_equal(sends(&o), "10 "); /* a knock */
    wanted(&o, 20, false, false);
    assert_string_equal(sends(&o), "20 30 40 ");
    raft_destroy(o.r);
}

static void test_who_is_heard_again_gets_the_chunk_at_once(void **state)
{
    (void)state;
    struct one o = leader();
    give(&o, asked(&o, 0), "0123456789", 10, false);
    assert_string_equal(sends(&o), "0 ");
    struct raft_message m = one_message(RAFT_MSG_HEARTBEAT_REPLY, "c", 2);
    m.stamp = o.r->stamp; /* sent with the chunk */
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_string_equal(sends(&o), "");
    o.now += o.r->cfg.heartbeat_ns;
    raft_advance(o.r, o.now);
    assert_string_equal(sends(&o), "");
    m.stamp = o.r->stamp;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_string_equal(sends(&o), "0 ");
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_string_equal(sends(&o), "");
    raft_destroy(o.r);
}

static void test_a_part_that_is_there_is_read_for_its_hash_alone(void **state)
{
    (void)state;
    struct one o = leader();
    const char *file = "0123456789abcdefghijABCDEFGHIJend";
    give(&o, asked(&o, 0), file, 10, false);
    assert_string_equal(sends(&o), "0 ");
    wanted(&o, 24, false, false); /* from another leader, with other chunks */
    uint64_t id = asked(&o, 10);
    assert_int_equal(o.u->n_loads, 4);
    assert_int_equal(o.u->loads[1].offset, 20);
    assert_int_equal(o.u->loads[1].bytes_max, 4);
    assert_int_equal(o.u->loads[2].offset, 24);
    uint64_t next = o.u->loads[1].id, wanted_id = o.u->loads[2].id;
    give(&o, id, file + 10, 10, false);
    give(&o, next, file + 20, 4, false);
    assert_string_equal(sends(&o), "");
    give(&o, wanted_id, file + 24, 9, true);
    assert_true(one_next(&o));
    const struct raft_message *m = one_sent(&o, RAFT_MSG_SNAPSHOT, "c");
    assert_int_equal(m->offset, 24);
    struct raft__hash hash;
    raft__hash_begin(&hash, &m->snapshot);
    raft__hash_add(&hash, file, 24);
    assert_true(m->prefix_hash == raft__hash_value(&hash));
    raft__hash_add(&hash, file + 24, 9);
    assert_true(m->hash == raft__hash_value(&hash));
    refuse_at(&o, 0, o.r->stamp); /* it had begun with another file */
    (void)asked(&o, 0);
    raft__check(o.r);
    raft_destroy(o.r);
}

static void test_a_snapshot_that_is_gone_is_asked_about_again_later(void **state)
{
    (void)state;
    uint64_t loads[5];
    struct one o = open_leader(loads);
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(raft_loaded_snapshot(o.r, o.now, loads[i], NULL, 0, false), RAFT_OK);
    }
    assert_string_equal(sends(&o), "");
    o.now += o.r->cfg.election_timeout_ns;
    acknowledge(&o, "b", 5);
    while (one_next(&o)) {
    }
    assert_false(o.r->peers[2].sending.is_gone); /* begun again */
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
        cmocka_unit_test(test_the_leader_sends_what_is_wanted_and_goes_on_with_the_log),
        cmocka_unit_test(test_a_lost_chunk_is_sent_again),
        cmocka_unit_test(test_a_follower_that_lost_its_part_gets_it_from_the_start),
        cmocka_unit_test(test_what_the_follower_s_host_refuses_is_read_again),
        cmocka_unit_test(test_a_follower_that_needs_a_snapshot_does_not_hold_up_the_others),
        cmocka_unit_test(test_chunks_travel_ahead_of_their_answers_and_in_order),
        cmocka_unit_test(test_what_was_asked_for_beyond_the_end_is_forgotten),
        cmocka_unit_test(test_a_short_chunk_moves_those_after_it),
        cmocka_unit_test(test_a_gap_sends_again_from_there_and_once),
        cmocka_unit_test(test_silence_closes_the_window),
        cmocka_unit_test(test_who_is_heard_again_gets_the_chunk_at_once),
        cmocka_unit_test(test_a_part_that_is_there_is_read_for_its_hash_alone),
        cmocka_unit_test(test_a_snapshot_that_is_gone_is_asked_about_again_later),
        cmocka_unit_test(test_meta_is_given_for_what_is_applied),
    };
    return cmocka_run_group_tests_name("raft snapshot, sent", tests, NULL, NULL);
}
