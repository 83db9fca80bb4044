/* Mirrors libraft/node/log.c, log_open.c and log_read.c, on real files in a temporary folder. */
#include "node_log_kit.h"

#include "prng.h"

#include <stdio.h>

/* --- append, reopen, read --- */

static void test_empty_folder_gives_empty_log(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    assert_int_equal(f->heard.last, 0);
    reopen(f);
    assert_int_equal(f->heard.last, 0);
    assert_int_equal(raft_node__log_hard_state(f->log)->term, 0);
    assert_string_equal(raft_node__log_hard_state(f->log)->vote, "");
    assert_int_equal(raft_node__log_first_index(f->log), 1);
}

static void test_entries_and_vote_survive_a_reopen(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct raft_hard_state hs = {.term = 3, .vote = "server-b"};
    assert_int_equal(raft_node__log_set_hard_state(f->log, &hs, &f->diag), 0);
    append(f, 1, 50, 3);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 50);
    expect_entries(f, 1, 50, 3);
    assert_int_equal(raft_node__log_hard_state(f->log)->term, 3);
    assert_string_equal(raft_node__log_hard_state(f->log)->vote, "server-b");
    append(f, 51, 60, 4);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 60);
    expect_entries(f, 1, 50, 3);
    expect_entries(f, 51, 60, 4);
}

static void test_many_segments_are_one_log(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    for (raft_index i = 1; i <= 2000; i += 100) {
        append(f, i, i + 99, 1);
        commit(f);
    }
    assert_true(kit_count_files(f->dir, ".seg") >= 4);
    reopen(f);
    assert_int_equal(f->heard.last, 2000);
    expect_entries(f, 1, 2000, 1);
}

static void test_entry_larger_than_a_segment_gets_one_of_its_own(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 3, 1);
    size_t len = 300 * 1024;
    uint8_t *big = malloc(len);
    memset(big, 0x5a, len);
    struct raft_entry e = {.index = 4, .term = 1, .data = big, .len = len};
    assert_int_equal(raft_node__log_append(f->log, &e, &f->diag), 0);
    append(f, 5, 9, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 9);
    assert_true(f->heard.sums[4] == sum(big, len));
    free(big);
}

static void test_entry_beyond_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    f->cfg.entry_bytes_max = 100;
    reopen(f);
    uint8_t data[101] = {0};
    struct raft_entry e = {.index = 1, .term = 1, .data = data, .len = sizeof data};
    assert_int_equal(raft_node__log_append(f->log, &e, &f->diag), RAFT_ETOOBIG);
    assert_int_equal(raft_node__log_last_index(f->log), 0);
}

static void test_cut_drops_a_conflicting_suffix(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1); /* several segments */
    commit(f);
    assert_int_equal(raft_node__log_cut(f->log, 20, &f->diag), 0);
    append(f, 21, 30, 2);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 30);
    expect_entries(f, 1, 20, 1);
    expect_entries(f, 21, 30, 2);
    struct log_batch b;
    assert_int_equal(raft_node__log_read(f->log, 18, 25, 1 << 20, &b, &f->diag), 0);
    assert_true(b.n > 0 && b.entries[0].index == 18 && b.entries[0].term == 1);
    raft_node__log_batch_free(&f->cfg.allocator, &b);
}

static void test_reset_begins_anew_after_a_snapshot(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    commit(f);
    assert_int_equal(raft_node__log_reset(f->log, 5000, 7, &f->diag), 0);
    append(f, 5001, 5003, 7);
    commit(f);
    assert_int_equal(raft_node__log_compact(f->log, 5001, &f->diag), 0);
    assert_int_equal(kit_count_files(f->dir, ".seg"), 1);
    reopen(f);
    assert_int_equal(f->heard.base, 5000);
    assert_int_equal(f->heard.base_term, 7);
    assert_int_equal(f->heard.last, 5003);
    expect_entries(f, 5001, 5003, 7);
}

static void test_compaction_keeps_what_is_asked_for_and_the_vote(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct raft_hard_state hs = {.term = 9, .vote = "b"};
    assert_int_equal(raft_node__log_set_hard_state(f->log, &hs, &f->diag), 0);
    append(f, 1, 2000, 9);
    commit(f);
    size_t before = kit_count_files(f->dir, ".seg");
    assert_int_equal(raft_node__log_compact(f->log, 1500, &f->diag), 0);
    assert_true(kit_count_files(f->dir, ".seg") < before);
    raft_index first = raft_node__log_first_index(f->log);
    assert_in_range(first, 2, 1500);
    reopen(f);
    assert_int_equal(raft_node__log_first_index(f->log), first);
    assert_int_equal(f->heard.base, first - 1);
    assert_int_equal(f->heard.base_term, 9);
    assert_int_equal(f->heard.last, 2000);
    expect_entries(f, first, 2000, 9);
    assert_int_equal(raft_node__log_hard_state(f->log)->term, 9);
    assert_string_equal(raft_node__log_hard_state(f->log)->vote, "b");
}

static void test_cut_into_deleted_segments_is_a_reset(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    assert_int_equal(raft_node__log_cut(f->log, 10, &f->diag), 0);
    append(f, 11, 1500, 2);
    commit(f);
    assert_int_equal(raft_node__log_compact(f->log, 1400, &f->diag), 0);
    reopen(f);
    assert_int_equal(f->heard.last, 1500);
    expect_entries(f, 1400, 1500, 2);
}

static void test_read_gives_ranges_within_limits(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2000, 1);
    raft_index next = 1;
    while (next <= 2000) { /* what is still in the buffer is read as well */
        struct log_batch b;
        assert_int_equal(raft_node__log_read(f->log, next, 2000, 4096, &b, &f->diag), 0);
        assert_true(b.n > 0);
        size_t bytes = 0;
        for (size_t i = 0; i < b.n; i++) {
            uint8_t data[512];
            size_t len = data_of(next, data);
            assert_int_equal(b.entries[i].index, next++);
            assert_int_equal(b.entries[i].len, len);
            assert_memory_equal(b.entries[i].data, data, len);
            bytes += len;
        }
        assert_true(b.n == 1 || bytes <= 4096);
        raft_node__log_batch_free(&f->cfg.allocator, &b);
    }
    struct log_batch none;
    assert_int_equal(raft_node__log_read(f->log, 2001, 2001, 1, &none, &f->diag), 0);
    assert_int_equal(none.n, 0);
}

/* --- group commit --- */

static void test_one_sync_covers_all_that_was_queued(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    size_t before = f->disk.syncs;
    append(f, 1, 100, 1);
    assert_int_equal(f->disk.syncs, before);
    commit(f);
    assert_int_equal(f->disk.syncs, before + 1);
    commit(f); /* nothing new: nothing to sync */
    assert_int_equal(f->disk.syncs, before + 1);
}

/* A long life of appends, cuts, resets, compactions and reopenings agrees with a naive log. */
static void test_random_life_agrees_with_a_naive_log(void **state)
{
    struct fixture *f = *state;
    static raft_term naive[4096];
    raft_index first = 1, last = 0;
    raft_term term = 1;
    struct mu__prng p;
    mu__prng_seed(&p, 0x51f3);
    reopen(f);
    for (int step = 0; step < 1500; step++) {
        switch (mu__prng_below(&p, 12)) {
        default:
            for (uint64_t n = mu__prng_below(&p, 40); n > 0 && last < 4000; n--) {
                naive[++last] = term;
                append(f, last, last, term);
            }
            commit(f);
            break;
        case 0:
            if (last > first) {
                last = mu__prng_between(&p, first, last);
                assert_int_equal(raft_node__log_cut(f->log, last, &f->diag), 0);
                term++;
                naive[++last] = term;
                append(f, last, last, term);
                commit(f);
            }
            break;
        case 1:
            if (last > first) {
                raft_index to = mu__prng_between(&p, first, last);
                assert_int_equal(raft_node__log_compact(f->log, to, &f->diag), 0);
                first = to;
            }
            break;
        case 2:
            if (last > 3900) {
                first = last = 0;
            } else if (mu__prng_below(&p, 4) == 0) {
                last += 10;
            } else {
                break;
            }
            term++;
            assert_int_equal(raft_node__log_reset(f->log, last, term, &f->diag), 0);
            commit(f);
            first = last + 1;
            break;
        case 3:
            reopen(f);
            assert_int_equal(f->heard.last, last);
            assert_true(f->heard.base < first);
            for (raft_index i = first; i <= last; i++) {
                assert_int_equal(f->heard.terms[i % 4096], naive[i]);
            }
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        L(test_empty_folder_gives_empty_log),
        L(test_entries_and_vote_survive_a_reopen),
        L(test_many_segments_are_one_log),
        L(test_entry_larger_than_a_segment_gets_one_of_its_own),
        L(test_entry_beyond_the_limit_is_refused),
        L(test_cut_drops_a_conflicting_suffix),
        L(test_reset_begins_anew_after_a_snapshot),
        L(test_compaction_keeps_what_is_asked_for_and_the_vote),
        L(test_cut_into_deleted_segments_is_a_reset),
        L(test_read_gives_ranges_within_limits),
        L(test_one_sync_covers_all_that_was_queued),
        L(test_random_life_agrees_with_a_naive_log),
    };
    return cmocka_run_group_tests_name("node_log", tests, NULL, NULL);
}
