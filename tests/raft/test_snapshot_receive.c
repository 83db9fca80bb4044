/* Snapshots as a follower takes them: chunks in order, half-done transfers, damage; and what both
 * sides share. Mirrors src/snapshot.c and snapshot_receive.c. */
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

/* len bytes of a file, from offset on, as its leader sends them. */
static struct raft_message chunk(raft_index index, const char *file, size_t offset, size_t len)
{
    struct raft_message m = one_message(RAFT_MSG_SNAPSHOT, "b", 2);
    struct raft__hash hash;
    m.snapshot = meta(index);
    m.offset = offset;
    m.data = file + offset;
    m.len = len;
    m.last = offset + len == strlen(file);
    raft__hash_begin(&hash, &m.snapshot);
    raft__hash_add(&hash, file, offset);
    m.prefix_hash = raft__hash_value(&hash);
    raft__hash_add(&hash, m.data, len);
    m.hash = raft__hash_value(&hash);
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
    struct raft_message m = chunk(20, "first second", 0, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    m = chunk(20, "first second", 6, 6);
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

/* Figure 13, 6 and 7: a log that holds the snapshot's last entry keeps what follows it; any other
 * goes, however long it is (willemt/raft 118, RedisLabs/raft 49). */
static void install_over_a_log_of(raft_term term, raft_index last)
{
    struct one o = follower();
    static const char payload[] = "x";
    struct raft_entry e[30];
    for (size_t i = 0; i < 30; i++) {
        e[i] = (struct raft_entry){.index = i + 2, .term = term, .data = payload, .len = 1};
    }
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 2);
    m.log_index = m.log_term = 1;
    m.entries = e;
    m.n_entries = 30;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    assert_int_equal(raft_last_index(o.r), 31);
    m = chunk(20, "all of it", 0, 9);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(raft_last_index(o.r), last);
    assert_int_equal(raft_applied_index(o.r), 20);
    o.applied = 20;
    assert_true(one_next(&o));
    assert_int_equal(o.u->persist ? o.u->persist->reset_to : 0, last == 20 ? 20 : 0);
    raft__check(o.r);
    raft_destroy(o.r);
}

static void test_an_installed_snapshot_keeps_a_log_that_holds_its_last_entry(void **state)
{
    (void)state;
    install_over_a_log_of(2, 31);
}

static void test_an_installed_snapshot_resets_a_log_that_differs(void **state)
{
    (void)state;
    install_over_a_log_of(1, 20);
}

static void test_chunks_that_arrive_while_the_disk_is_busy_wait_for_it(void **state)
{
    (void)state;
    struct one o = follower();
    const char *file = "aabbccdd";
    struct raft_message m = chunk(20, file, 0, 2);
    uint64_t id = given(&o, &m);
    for (size_t at = 2; at < 8; at += 2) {
        m = chunk(20, file, at, 2);
        assert_int_equal(one_step(&o, &m), RAFT_OK);
        assert_false(one_next(&o)); /* one at a time */
    }
    for (size_t at = 2; at <= 8; at += 2) {
        raft_snapshot_written(o.r, o.now, id, true);
        assert_int_equal(reply(&o)->offset, at);
        assert_int_equal(o.u->snapshot != NULL, at < 8);
        if (o.u->snapshot) {
            assert_memory_equal(o.u->snapshot->data, file + at, 2);
            assert_int_equal(o.u->snapshot->offset, at);
            id = o.u->snapshot->id;
        }
    }
    assert_int_equal(raft_applied_index(o.r), 20);
    raft_destroy(o.r);
}

static void test_what_waits_for_the_disk_is_bounded(void **state)
{
    (void)state;
    struct raft_config cfg = one_config();
    cfg.snapshot_inflight_max = 3;
    cfg.snapshot_chunk_bytes = 2;
    struct one o = one_create(&cfg, 3);
    char file[101];
    memset(file, 'x', 100);
    file[100] = 0;
    for (size_t at = 0; at < 60; at += 2) {
        struct raft_message m = chunk(20, file, at, 2);
        assert_int_equal(one_step(&o, &m), RAFT_OK);
        while (one_next(&o)) {
        }
    }
    assert_int_equal(o.r->receiving.n, 3);
    assert_int_equal(o.r->receiving.accepted, 6);
    raft_destroy(o.r);
}

static void test_a_transfer_goes_on_where_it_was(void **state)
{
    (void)state;
    struct one o = follower();
    struct raft_message m = chunk(20, "first second", 0, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    assert_int_equal(one_step(&o, &m), RAFT_OK); /* the leader starts again */
    const struct raft_message *answer = reply(&o);
    assert_false(answer->reject);
    assert_int_equal(answer->offset, 6);
    m = chunk(20, "first second", 8, 2); /* a chunk was lost */
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    answer = reply(&o);
    assert_true(answer->reject);
    assert_int_equal(answer->offset, 6);
    m = chunk(30, "newer one", 0, 5); /* another snapshot starts from its beginning */
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 5);
    raft_destroy(o.r);
}

static uint64_t refused_chunks(const struct one *o)
{
    struct raft_stats stats = {.size = sizeof stats};
    raft_get_stats(o->r, &stats);
    return stats.chunks_refused;
}

static void test_a_damaged_chunk_is_asked_for_again(void **state)
{
    (void)state;
    struct one o = follower();
    uint8_t damaged[] = "first second";
    struct raft_message m = chunk(20, "first second", 0, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    for (unsigned bit = 0; bit < 8 * 6; bit++) {
        damaged[6 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        m = chunk(20, "first second", 6, 6);
        m.data = damaged + 6;
        assert_int_equal(one_step(&o, &m), RAFT_OK);
        const struct raft_message *answer = reply(&o);
        assert_true(answer->reject);
        assert_int_equal(answer->offset, 6);
        assert_null(o.u->snapshot);
        assert_int_equal(refused_chunks(&o), bit + 1);
        damaged[6 + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    m = chunk(20, "first second", 6, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(raft_applied_index(o.r), 20);
    raft_destroy(o.r);
}

/* A new leader, c of term 3, in the middle of the transfer. */
static struct raft_message from_c(struct raft_message m)
{
    m.from = m.from_address = "c";
    m.term = 3;
    return m;
}

static struct one half_way(void)
{
    struct one o = follower();
    struct raft_message m = chunk(20, "first second", 0, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    m = from_c(chunk(20, "first second", 0, 6));
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    one_settle(&o);
    return o;
}

static void test_a_new_leader_with_the_same_file_goes_on(void **state)
{
    (void)state;
    struct one o = half_way();
    struct raft_message m = from_c(chunk(20, "first second", 6, 6));
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_true(one_next(&o));
    assert_true(one_sent(&o, RAFT_MSG_SNAPSHOT_REPLY, "c")->last);
    assert_int_equal(raft_applied_index(o.r), 20);
    assert_int_equal(refused_chunks(&o), 0);
    raft_destroy(o.r);
}

static void test_two_files_of_one_index_are_never_mixed(void **state)
{
    (void)state;
    struct one o = half_way();
    const char *other = "FIRST second";
    struct raft_message m = from_c(chunk(20, other, 6, 6));
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_null(o.u->snapshot);
    const struct raft_message *answer = one_sent(&o, RAFT_MSG_SNAPSHOT_REPLY, "c");
    assert_true(answer->reject);
    assert_int_equal(answer->offset, 0); /* from the start */
    assert_int_equal(refused_chunks(&o), 1);
    m = from_c(chunk(20, other, 0, 6));
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    m = from_c(chunk(20, other, 6, 6));
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(raft_applied_index(o.r), 20);
    raft_destroy(o.r);
}

static void test_a_file_that_ends_before_what_is_here_is_another(void **state)
{
    (void)state;
    struct one o = half_way();
    struct raft_message m = from_c(chunk(20, "brief", 0, 5));
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    const struct raft_message *answer = one_sent(&o, RAFT_MSG_SNAPSHOT_REPLY, "c");
    assert_true(answer->reject);
    assert_int_equal(answer->offset, 0);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(raft_applied_index(o.r), 20);
    raft_destroy(o.r);
}

static void test_a_failed_write_starts_the_transfer_again(void **state)
{
    (void)state;
    struct one o = follower();
    struct raft_message m = chunk(20, "first second", 0, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), true);
    assert_int_equal(reply(&o)->offset, 6);
    m = chunk(20, "first second", 6, 6);
    raft_snapshot_written(o.r, o.now, given(&o, &m), false);
    const struct raft_message *answer = reply(&o);
    assert_true(answer->reject);
    assert_int_equal(answer->offset, 0);
    assert_int_equal(raft_commit_index(o.r), 0);
    m = chunk(20, "first second", 0, 6);
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
    m = chunk(1, "old one", 0, 3);
    m.snapshot.term = 1;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(reply(&o)->last);
    assert_null(o.u->snapshot);
    raft_destroy(o.r);
}

/* --- The sender --- */

static void test_the_hash_does_not_depend_on_the_pieces(void **state)
{
    (void)state;
    uint8_t data[300];
    struct raft_snapshot_meta m = meta(9);
    struct raft__hash whole, pieces;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 31 + i / 7);
    }
    raft__hash_begin(&whole, &m);
    raft__hash_add(&whole, data, sizeof data);
    for (size_t step = 1; step < 40; step++) {
        raft__hash_begin(&pieces, &m);
        for (size_t at = 0; at < sizeof data; at += step) {
            raft__hash_add(&pieces, data + at, mu__min(step, sizeof data - at));
        }
        assert_true(raft__hash_value(&pieces) == raft__hash_value(&whole));
    }
    raft__hash_begin(&pieces, &m);
    raft__hash_add(&pieces, data, sizeof data - 1);
    assert_true(raft__hash_value(&pieces) != raft__hash_value(&whole));
    const uint8_t zero = 0;
    uint64_t before = raft__hash_value(&whole);
    raft__hash_add(&whole, &zero, 1); /* a zero counts */
    assert_true(raft__hash_value(&whole) != before);
    m.term++;
    raft__hash_begin(&pieces, &m);
    raft__hash_add(&pieces, data, sizeof data);
    assert_true(raft__hash_value(&pieces) != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_are_written_in_order_and_the_last_installs),
        cmocka_unit_test(test_an_installed_snapshot_keeps_a_log_that_holds_its_last_entry),
        cmocka_unit_test(test_an_installed_snapshot_resets_a_log_that_differs),
        cmocka_unit_test(test_chunks_that_arrive_while_the_disk_is_busy_wait_for_it),
        cmocka_unit_test(test_what_waits_for_the_disk_is_bounded),
        cmocka_unit_test(test_a_transfer_goes_on_where_it_was),
        cmocka_unit_test(test_a_damaged_chunk_is_asked_for_again),
        cmocka_unit_test(test_a_new_leader_with_the_same_file_goes_on),
        cmocka_unit_test(test_two_files_of_one_index_are_never_mixed),
        cmocka_unit_test(test_a_file_that_ends_before_what_is_here_is_another),
        cmocka_unit_test(test_a_failed_write_starts_the_transfer_again),
        cmocka_unit_test(test_a_snapshot_of_what_is_there_is_answered_at_once),
        cmocka_unit_test(test_the_hash_does_not_depend_on_the_pieces),
    };
    return cmocka_run_group_tests_name("raft snapshot, received", tests, NULL, NULL);
}
