/* The steady state: three servers that append, commit, answer reads, take snapshots, compact their
 * logs and trim their caches. Nothing of it may allocate. */
#include "mu_test.h"

#include "raft_trio.h"

#include <core.h>

#define ENTRY_BYTES 200

static void check(struct trio *t)
{
    for (unsigned i = 0; i < TRIO; i++) {
        raft__check(t->servers[i].r);
    }
}

/* Proposes batches of all sizes, with a read and a little time between them. */
static void work(struct trio *t, raft_index n)
{
    static const char data[ENTRY_BYTES];
    struct mu_str items[100];
    raft_index first, end = raft_last_index(t->leader) + n;
    for (size_t i = 0; i < 100; i++) {
        items[i] = (struct mu_str){data, 1 + (i * 37) % ENTRY_BYTES};
    }
    for (size_t k = 0; raft_applied_index(t->leader) < end; k++) {
        assert_int_equal(raft_propose(t->leader, t->now, items, 1 + k * 7 % 100, &first), RAFT_OK);
        assert_int_equal(raft_read(t->leader, t->now, k + 1), RAFT_OK);
        trio_run(t);
        trio_tick(t);
        check(t);
    }
}

static void test_the_steady_state_allocates_nothing(void **state)
{
    (void)state;
    static struct trio t = {.snapshot_every = 3000};
    struct raft_config cfg;
    raft_config_init(&cfg);
    cfg.cache_bytes_max = 1u << 20;
    cfg.tail_entries = 1000;
    trio_create(&t, &cfg);
    work(&t, 30000);
    size_t allocations = t.allocations;
    uint64_t messages = t.messages, reads = t.reads;
    raft_index snapshot = raft_snapshot_index(t.leader);
    work(&t, 30000);
    assert_int_equal(t.allocations, allocations);
    assert_true(t.messages > messages + 1000 && t.reads > reads + 100);
    assert_true(raft_snapshot_index(t.leader) > snapshot + 20000);
    assert_true(raft_first_index(t.leader) > snapshot);
    trio_destroy(&t);
}

/* Blocks of the log that become empty wait for the next entries, but only as many as the cache may
 * fill. */
static void test_a_flood_is_given_back(void **state)
{
    (void)state;
    struct raft__log l;
    static const char data[1000];
    raft__log_init(&l, &mu__malloc_allocator);
    raft__log_keep_blocks(&l, 1u << 20);
    for (raft_index i = 1; i <= 10000; i++) {
        const struct raft_entry e = {.index = i, .term = 1, .data = data, .len = sizeof data};
        assert_true(raft__log_append(&l, &e));
    }
    size_t at_most = l.blocks_max;
    assert_true(l.n_blocks > 5 * at_most);
    raft__log_evict(&l, 10000, 1000);
    assert_true(l.n_blocks <= at_most);
    assert_true(at_most <= 18);
    raft__log_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_steady_state_allocates_nothing),
        cmocka_unit_test(test_a_flood_is_given_back),
    };
    return cmocka_run_group_tests_name("raft steady state", tests, NULL, NULL);
}
