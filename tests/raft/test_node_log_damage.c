/* Mirrors libraft/node/segment.c and log_replay.c: torn tails are repaired, damage is refused. */
#include "node_log_kit.h"

#include <stdio.h>

/* --- torn and damaged files --- */

/* Two commits; the file is then cut at every length: what was in the second may be lost, never what
 * was in the first, and no cut is taken for damage unless it reaches into the first. */
static void test_torn_tail_at_every_length_is_repaired(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    commit(f);
    size_t durable;
    {
        char path[PATH_BYTES];
        segment_path(f, 1, path);
        struct kit_file file = kit_read(path);
        for (durable = file.len; file.data[durable - 1] == 0;) {
            durable--;
        }
        free(file.data);
    }
    append(f, 3, 6, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t used = file.len;
    while (file.data[used - 1] == 0) {
        used--;
    }
    durable = (durable + 7) & ~(size_t)7;
    for (size_t cut = durable; cut <= used; cut++) {
        uint8_t *torn = calloc(1, file.len);
        memcpy(torn, file.data, cut);
        kit_write(path, torn, file.len);
        free(torn);
        reopen(f);
        assert_in_range(f->heard.last, 2, 6);
        expect_entries(f, 1, f->heard.last, 1);
        raft_index last = f->heard.last;
        append(f, last + 1, 8, 1); /* and it goes on */
        commit(f);
        reopen(f);
        assert_int_equal(f->heard.last, 8);
        assert_int_equal(f->heard.warnings, 0);
    }
    free(file.data);
}

static void test_repair_is_said_in_a_log_line(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 6, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t used = file.len;
    while (file.data[used - 1] == 0) {
        used--;
    }
    memset(file.data + used - 10, 0, 10);
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 5);
    assert_int_equal(f->heard.warnings, 1);
    assert_non_null(strstr(f->heard.warning, "unfinished write"));
}

/* Writes of one group may reach the disk in any order: a hole before later records of the same
 * group is no damage. */
static void test_hole_within_the_last_group_is_torn_not_damaged(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    commit(f);
    append(f, 3, 6, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t at = SEGMENT_HEADER_BYTES;
    for (raft_index i = 1; i <= 2; i++) {
        uint8_t data[512];
        at += record_bytes(data_of(i, data));
    }
    memset(file.data + at, 0, 32); /* entry 3 */
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 2);
    assert_int_equal(f->heard.warnings, 1);
}

/* Every bit of what an earlier group wrote matters: flipping one is found, and the sentence names
 * file and offset. */
static void test_flipped_bit_before_the_tail_is_refused(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 3, 1);
    commit(f);
    append(f, 4, 5, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t at = 0, end = SEGMENT_HEADER_BYTES;
    for (raft_index i = 0; i <= 3; i++) {
        uint8_t data[512];
        size_t len = i == 0 ? 0 : data_of(i, data);
        /* The padding is free */
        size_t covered = i == 0 ? SEGMENT_HEADER_BYTES : RECORD_HEADER_BYTES + len;
        for (size_t k = at; k < at + covered; k++) {
            file.data[k] ^= (uint8_t)(1u << (k % 8));
            kit_write(path, file.data, file.len);
            assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
            char offset[80];
            snprintf(offset, sizeof offset, "log-0000000000000001.seg is damaged at offset %zu",
                     at);
            assert_non_null(strstr(f->diag.text, offset));
            assert_non_null(strstr(f->diag.text, "empty the folder"));
            file.data[k] ^= (uint8_t)(1u << (k % 8));
        }
        at = i == 0 ? end : at + record_bytes(len);
    }
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 5);
}

static void test_damage_in_a_closed_segment_is_refused(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t used = file.len;
    while (file.data[used - 1] == 0) {
        used--;
    }
    /* The last record of the first file: in an open one this would count as torn */
    file.data[used - 1] ^= 1;
    kit_write(path, file.data, file.len);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    memset(file.data + used - 20, 0, 20);
    kit_write(path, file.data, file.len);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    kit_write(path, file.data, used / 2);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    free(file.data);
}

static void test_missing_segment_is_named(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 1500, 1);
    commit(f);
    char path[PATH_BYTES];
    segment_path(f, 2, path);
    unlink(path);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    assert_non_null(strstr(f->diag.text, "log-0000000000000002.seg is missing"));
}

static void test_segment_of_another_log_is_refused(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char one[PATH_BYTES], two[PATH_BYTES];
    segment_path(f, 1, one);
    segment_path(f, 2, two);
    struct kit_file file = kit_read(one);
    kit_write(two, file.data, file.len);
    free(file.data);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
}

/* An entry whose data is a record of its own, with a right checksum in a file without salt, is
 * never taken for one. */
static void test_record_inside_an_entry_is_not_believed(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    commit(f);
    uint8_t inner[RECORD_HEADER_BYTES];
    struct record forged = {.kind = RECORD_ENTRY, .index = 9, .term = 1, .synced = 600};
    raft_node__record_encode(inner, 0, 1000, &forged);
    struct raft_entry e = {.index = 3, .term = 1, .data = inner, .len = sizeof inner};
    assert_int_equal(raft_node__log_append(f->log, &e, &f->diag), 0);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    uint8_t data[512];
    size_t at =
        SEGMENT_HEADER_BYTES + record_bytes(data_of(1, data)) + record_bytes(data_of(2, data));
    file.data[at] ^= 1; /* entry 3 is torn; its data still stands there */
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 2);
}

/* --- crash points of the hard state --- */

static void test_hard_state_is_the_old_or_the_new_at_every_crash_point(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct raft_hard_state old = {.term = 4, .vote = "old-candidate"},
                           new = {.term = 5, .vote = "new-candidate"};
    assert_int_equal(raft_node__log_set_hard_state(f->log, &old, &f->diag), 0);
    commit(f);
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file before = kit_read(path);
    assert_int_equal(raft_node__log_set_hard_state(f->log, &new, &f->diag), 0);
    commit(f);
    struct kit_file after = kit_read(path);
    raft_node__log_close(f->log);
    f->log = NULL;
    size_t from = SEGMENT_HEADER_BYTES + record_bytes(strlen(old.vote)),
           to = from + record_bytes(strlen(new.vote));
    for (size_t done = from; done <= to; done++) {
        memcpy(before.data, after.data, done);
        kit_write(path, before.data, before.len);
        reopen(f);
        const struct raft_hard_state *hs = raft_node__log_hard_state(f->log);
        bool is_new = hs->term == 5;
        assert_string_equal(hs->vote, is_new ? new.vote : old.vote);
        assert_int_equal(hs->term, is_new ? 5 : 4);
        assert_true(is_new || done < to);
    }
    free(before.data);
    free(after.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        L(test_torn_tail_at_every_length_is_repaired),
        L(test_repair_is_said_in_a_log_line),
        L(test_hole_within_the_last_group_is_torn_not_damaged),
        L(test_flipped_bit_before_the_tail_is_refused),
        L(test_damage_in_a_closed_segment_is_refused),
        L(test_missing_segment_is_named),
        L(test_segment_of_another_log_is_refused),
        L(test_record_inside_an_entry_is_not_believed),
        L(test_hard_state_is_the_old_or_the_new_at_every_crash_point),
    };
    return cmocka_run_group_tests_name("node_log_damage", tests, NULL, NULL);
}
