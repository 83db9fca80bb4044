/* Mirrors src/log.c. */
#include "mu_test.h"

#include <log.h>
#include <prng.h>

static struct raft__log log_of(const raft_term *terms, size_t n)
{
    struct raft__log l;
    raft__log_init(&l, &mu__malloc_allocator);
    for (size_t i = 0; i < n; i++) {
        char data[40];
        int len = snprintf(data, sizeof data, "entry %zu", i + 1);
        const struct raft_entry e = {
            .index = i + 1, .term = terms[i], .data = data, .len = (size_t)len};
        assert_true(raft__log_append(&l, &e));
    }
    return l;
}

static raft_term term_of(const struct raft__log *l, raft_index index)
{
    raft_term term = 99;
    return raft__log_term(l, index, &term) ? term : 99;
}

static const raft_term TERMS[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6}; /* the leader of Raft figure 7 */

static void test_terms_are_known_for_the_whole_log(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    assert_int_equal(term_of(&l, 0), 0);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(term_of(&l, i + 1), TERMS[i]);
    }
    assert_int_equal(term_of(&l, 11), 99);
    assert_int_equal(l.n_runs, 4);
    raft__log_fini(&l);
}

static void test_truncate_brings_back_the_terms_before(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    raft__log_truncate(&l, 7);
    assert_int_equal(l.last, 6);
    assert_int_equal(raft__log_last_term(&l), 5);
    raft__log_truncate(&l, 6);
    assert_int_equal(raft__log_last_term(&l), 4);
    const struct raft_entry e = {.index = 6, .term = 9, .data = "new", .len = 3};
    assert_true(raft__log_append(&l, &e));
    assert_memory_equal(raft__log_at(&l, 6)->data, "new", 3);
    assert_memory_equal(raft__log_at(&l, 5)->data, "entry 5", 7);
    raft__log_fini(&l);
}

static void test_compact_keeps_the_term_before_the_first(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    raft__log_compact(&l, 6);
    assert_int_equal(l.first, 6);
    assert_int_equal(term_of(&l, 5), 4);
    assert_int_equal(term_of(&l, 4), 99);
    assert_int_equal(term_of(&l, 6), 5);
    raft__log_compact(&l, 11);
    assert_int_equal(l.n_runs, 0);
    assert_int_equal(raft__log_last_term(&l), 6);
    raft__log_fini(&l);
}

static void test_evict_forgets_entries_and_not_terms(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    raft__log_evict(&l, 7, 0);
    assert_int_equal(l.cache_first, 8);
    assert_int_equal(term_of(&l, 2), 1);
    size_t n;
    assert_int_equal(raft__log_slice(&l, 8, 10, 1000, 10, &n)->index, 8);
    assert_int_equal(n, 3);
    raft__log_truncate(&l, 5); /* below what is cached */
    assert_int_equal(l.last, 4);
    assert_int_equal(l.cache_first, 5);
    raft__log_fini(&l);
}

static void test_slice_has_at_least_one_entry_and_ends_at_the_limit(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    size_t n;
    raft__log_slice(&l, 1, 10, 0, 100, &n);
    assert_int_equal(n, 1);
    raft__log_slice(&l, 1, 10, 14, 100, &n);
    assert_int_equal(n, 2);
    raft__log_slice(&l, 1, 10, 1000, 3, &n);
    assert_int_equal(n, 3);
    assert_null(raft__log_slice(&l, 11, 20, 1000, 3, &n));
    assert_int_equal(n, 0);
    raft__log_fini(&l);
}

struct conflict {
    raft_index index;
    raft_term term;
    raft_index want;
};

static void test_find_conflict_skips_whole_terms(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    static const struct conflict cases[] = {
        {10, 6, 10}, {10, 5, 7}, {10, 4, 5}, {10, 3, 3},
        {20, 9, 10}, {5, 6, 5},  {4, 1, 3},  {3, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(raft__log_find_conflict(&l, cases[i].index, cases[i].term), cases[i].want);
    }
    raft__log_compact(&l, 6);
    assert_int_equal(raft__log_find_conflict(&l, 10, 4), 5); /* first - 1 */
    raft__log_fini(&l);
}

static void test_a_reset_log_continues_after_the_snapshot(void **state)
{
    (void)state;
    struct raft__log l = log_of(TERMS, 10);
    raft__log_reset(&l, 100, 7);
    assert_int_equal(term_of(&l, 100), 7);
    assert_int_equal(term_of(&l, 10), 99);
    const struct raft_entry e = {.index = 101, .term = 8};
    assert_true(raft__log_append(&l, &e));
    assert_int_equal(raft__log_last_term(&l), 8);
    raft__log_fini(&l);
}

/* Against a plain array: appends, truncations, evictions and compactions at random. */
static void test_log_agrees_with_a_naive_one(void **state)
{
    (void)state;
    static struct {
        raft_term term;
        uint8_t fill;
        size_t len;
    } model[5000];
    struct raft__log l;
    struct mu__prng p;
    raft_term term = 1;
    raft__log_init(&l, &mu__malloc_allocator);
    mu__prng_seed(&p, 7);
    for (unsigned step = 0; step < 30000 && l.last < 4990; step++) {
        uint64_t dice = mu__prng_below(&p, 100);
        if (dice < 80) {
            uint8_t data[3000];
            size_t len = (size_t)mu__prng_below(&p, dice < 2 ? 3000 : 60);
            term += mu__prng_below(&p, 10) == 0;
            memset(data, (int)(step & 0xff), sizeof data);
            const struct raft_entry e = {
                .index = l.last + 1, .term = term, .data = data, .len = len};
            assert_true(raft__log_append(&l, &e));
            model[l.last].term = term;
            model[l.last].fill = (uint8_t)step;
            model[l.last].len = len;
        } else if (dice < 90 && l.last >= l.first) {
            raft_index low = l.last > 20 && l.last - 20 > l.first ? l.last - 20 : l.first;
            raft__log_truncate(&l, mu__prng_between(&p, low, l.last));
        } else if (dice < 97) {
            raft__log_evict(&l, l.last > 10 ? l.last - 10 : 0, (size_t)mu__prng_below(&p, 20000));
        } else if (l.last > 200) {
            raft__log_compact(&l, l.last - 150);
        }
        for (raft_index i = l.first; i <= l.last; i += 1 + mu__prng_below(&p, 40)) {
            assert_int_equal(term_of(&l, i), model[i].term);
            if (i >= l.cache_first) {
                const struct raft_entry *e = raft__log_at(&l, i);
                assert_int_equal(e->len, model[i].len);
                assert_true(e->len == 0 ||
                            (((const uint8_t *)e->data)[0] == model[i].fill &&
                             ((const uint8_t *)e->data)[e->len - 1] == model[i].fill));
            }
        }
    }
    raft__log_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms_are_known_for_the_whole_log),
        cmocka_unit_test(test_truncate_brings_back_the_terms_before),
        cmocka_unit_test(test_compact_keeps_the_term_before_the_first),
        cmocka_unit_test(test_evict_forgets_entries_and_not_terms),
        cmocka_unit_test(test_slice_has_at_least_one_entry_and_ends_at_the_limit),
        cmocka_unit_test(test_find_conflict_skips_whole_terms),
        cmocka_unit_test(test_a_reset_log_continues_after_the_snapshot),
        cmocka_unit_test(test_log_agrees_with_a_naive_one),
    };
    return cmocka_run_group_tests_name("raft log", tests, NULL, NULL);
}
