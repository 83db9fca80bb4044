/* Mirrors src/restore.c and src/load.c: what the disk holds, and what it is asked for; then the
 * logs of Raft figure 7. */
#include "one.h"

struct disk { /* what a server had written; entry 1 is the configuration of a, b and c */
    struct raft_entry entries[20];
    size_t n;
    uint8_t configuration[RAFT__CONFIGURATION_BYTES_MAX];
    size_t configuration_len;
};

static void write_log(struct disk *d, const raft_term *terms, size_t n)
{
    struct raft_configuration c = {.n = 3};
    one_servers(c.servers, 3);
    struct mu__writer w = mu__writer_fixed(d->configuration, sizeof d->configuration);
    raft__configuration_encode(&c, &w);
    d->configuration_len = w.len;
    d->n = n;
    for (size_t i = 0; i < n; i++) {
        d->entries[i] = (struct raft_entry){
            .index = i + 1, .term = terms[i], .data = "data of an entry", .len = 16};
    }
    d->entries[0].type = RAFT_ENTRY_CONFIG;
    d->entries[0].data = d->configuration;
    d->entries[0].len = w.len;
}

static struct raft_snapshot_meta meta_of(const struct disk *d, raft_index index, raft_term term)
{
    return (struct raft_snapshot_meta){.index = index,
                                       .term = term,
                                       .configuration_index = 1,
                                       .configuration = d->configuration,
                                       .configuration_len = d->configuration_len};
}

static struct raft *create(const char *id, size_t cache)
{
    struct raft_config cfg = one_config();
    struct raft *r;
    cfg.id = id;
    cfg.cache_bytes_max = cache;
    assert_int_equal(raft_create(&cfg, &r), RAFT_OK);
    return r;
}

static const raft_term TERMS[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};

static void test_a_log_with_a_gap_or_falling_terms_is_corrupt(void **state)
{
    (void)state;
    struct disk d;
    write_log(&d, TERMS, 10);
    struct raft *r = create("a", 1 << 20);
    assert_int_equal(raft_restore_entries(r, d.entries + 1, 2), RAFT_ECORRUPT); /* begins at 2 */
    assert_int_equal(raft_restore_entries(r, d.entries, 3), RAFT_OK);
    assert_int_equal(raft_restore_entries(r, d.entries + 4, 1), RAFT_ECORRUPT);
    raft_destroy(r);
    r = create("a", 1 << 20);
    d.entries[6].term = 3;
    assert_int_equal(raft_restore_entries(r, d.entries, 10), RAFT_ECORRUPT);
    raft_destroy(r);
    r = create("a", 1 << 20);
    d.entries[0].len = 3;
    assert_int_equal(raft_restore_entries(r, d.entries, 1), RAFT_ECORRUPT);
    raft_destroy(r);
}

static void test_a_snapshot_without_a_configuration_is_refused(void **state)
{
    (void)state;
    struct disk d;
    write_log(&d, TERMS, 10);
    struct raft *r = create("a", 0);
    struct raft_snapshot_meta meta = meta_of(&d, 5, 4);
    meta.configuration_len--;
    assert_int_equal(raft_restore_snapshot(r, &meta), RAFT_EINVAL);
    meta = meta_of(&d, 0, 4);
    assert_int_equal(raft_restore_snapshot(r, &meta), RAFT_EINVAL);
    raft_destroy(r);
}

static void test_a_log_that_goes_on_after_the_snapshot_is_kept(void **state)
{
    (void)state;
    struct disk d;
    write_log(&d, TERMS, 10);
    struct raft *r = create("a", 1 << 20);
    const struct raft_snapshot_meta meta = meta_of(&d, 5, 4);
    assert_int_equal(raft_restore_snapshot(r, &meta), RAFT_OK);
    assert_int_equal(raft_restore_entries(r, d.entries + 2, 8), RAFT_OK); /* a tail before it */
    raft_start(r, 0);
    raft__check(r);
    assert_int_equal(raft_first_index(r), 3);
    assert_int_equal(raft_last_index(r), 10);
    assert_int_equal(raft_commit_index(r), 5);
    assert_int_equal(raft_configuration(r)->n, 3);
    assert_int_equal(raft_current_term(r), 6); /* the entries survived their hard state */
    raft_destroy(r);
}

/* A crash between an installed snapshot and the log's reset. */
static void test_a_log_that_differs_from_the_snapshot_is_reset(void **state)
{
    (void)state;
    struct disk d;
    const raft_index ends[] = {4, 10};
    write_log(&d, TERMS, 10);
    for (size_t i = 0; i < 2; i++) { /* one ends before the snapshot, one has another term there */
        struct raft *r = create("a", 1 << 20);
        const struct raft_update *u;
        const struct raft_snapshot_meta meta = meta_of(&d, 7, 7);
        assert_int_equal(raft_restore_snapshot(r, &meta), RAFT_OK);
        assert_int_equal(raft_restore_entries(r, d.entries, (size_t)ends[i]), RAFT_OK);
        raft_start(r, 0);
        raft__check(r);
        assert_int_equal(raft_last_index(r), 7);
        assert_int_equal(raft_next_update(r, &u), RAFT_OK);
        assert_int_equal(u->persist->reset_to, 7);
        raft_destroy(r);
    }
}

/* Entries that do not fit into the cache are asked for when they are to be applied. */
static void test_entries_to_apply_come_from_the_disk_after_a_restart(void **state)
{
    (void)state;
    struct disk d;
    write_log(&d, TERMS, 10);
    struct one o = {.r = create("a", 0), .now = MU_SEC};
    assert_int_equal(raft_restore_entries(o.r, d.entries, 10), RAFT_OK);
    raft_start(o.r, o.now);
    one_settle(&o);
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 7);
    m.log_index = 10;
    m.log_term = 6;
    m.commit = 9;
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.u->n_loads, 1);
    assert_int_equal(o.u->loads[0].first, 1);
    assert_int_equal(o.u->loads[0].last, 9);
    uint64_t id = o.u->loads[0].id;
    assert_int_equal(raft_loaded_entries(o.r, o.now, id, d.entries + 1, 2), RAFT_EINVAL);
    /* Not asked for */
    assert_int_equal(raft_loaded_entries(o.r, o.now, id + 1, d.entries, 2), RAFT_OK);
    assert_int_equal(raft_loaded_entries(o.r, o.now, id, d.entries, 4), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.applied, 4);
    assert_int_equal(o.u->n_loads, 0);
    assert_true(one_next(&o)); /* and the rest */
    assert_int_equal(o.u->loads[0].first, 5);
    id = o.u->loads[0].id;
    assert_int_equal(raft_loaded_entries(o.r, o.now, id, NULL, 0), RAFT_ECORRUPT);
    assert_int_equal(raft_loaded_entries(o.r, o.now, id, d.entries + 4, 6), RAFT_OK);
    assert_true(one_next(&o));
    assert_int_equal(o.applied, 9); /* 10 is not committed */
    raft_destroy(o.r);
}

/* --- Raft figure 7: a leader of term 8 and six possible followers --- */

static struct raft *restored(const char *id, const raft_term *terms, size_t n, struct disk *d)
{
    struct raft *r = create(id, 1 << 20);
    const struct raft_hard_state hs = {.term = 7};
    write_log(d, terms, n);
    assert_int_equal(raft_restore_hard_state(r, &hs), RAFT_OK);
    assert_int_equal(raft_restore_entries(r, d->entries, n), RAFT_OK);
    raft_start(r, 0);
    return r;
}

/* Hands everything that `from` has for `to` over, with both disks at once. */
static unsigned exchange(struct raft *from, struct raft *to, uint64_t now)
{
    const struct raft_update *u;
    unsigned refusals = 0;
    while (raft_next_update(from, &u) == RAFT_OK && u) {
        uint64_t id = u->persist ? u->persist->id : 0;
        for (size_t i = 0; i < u->n_messages; i++) {
            if (strcmp(u->messages[i].to, raft_id(to)) == 0) {
                refusals += u->messages[i].type == RAFT_MSG_APPEND_REPLY && u->messages[i].reject;
                assert_int_equal(raft_step(to, now, &u->messages[i]), RAFT_OK);
            }
        }
        if (id) {
            raft_persisted(from, now, id);
        }
        raft__check(from);
        raft__check(to);
    }
    return refusals;
}

static void converge(const raft_term *terms, size_t n, unsigned refusals_max)
{
    struct disk da, db;
    struct one o = {.r = restored("a", TERMS, 10, &da), .now = 0};
    struct raft *follower = restored("b", terms, n, &db);
    unsigned refusals = 0;
    o.now = raft_next_deadline(o.r);
    raft_advance(o.r, o.now);
    struct raft_message m = one_message(RAFT_MSG_PREVOTE_REPLY, "c", 8);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    exchange(o.r, follower, o.now);
    m = one_message(RAFT_MSG_VOTE_REPLY, "c", 8);
    assert_int_equal(one_step(&o, &m), RAFT_OK);
    assert_int_equal(raft_role(o.r), RAFT_LEADER);
    for (unsigned k = 0; k < 20; k++) {
        exchange(o.r, follower, o.now);
        refusals += exchange(follower, o.r, o.now);
    }
    assert_int_equal(raft_last_index(follower), 11);
    for (raft_index i = 1; i <= 11; i++) {
        assert_int_equal(raft__log_at(&follower->log, i)->term, raft__log_at(&o.r->log, i)->term);
    }
    assert_int_equal(raft_commit_index(follower), 11);
    assert_in_range(refusals, 0, refusals_max);
    raft_destroy(o.r);
    raft_destroy(follower);
}

static void test_figure_7_each_follower_converges_within_two_refusals(void **state)
{
    (void)state;
    static const struct {
        raft_term terms[12];
        size_t n;
    } followers[] = {
        {{1, 1, 1, 4, 4, 5, 5, 6, 6}, 9},
        {{1, 1, 1, 4}, 4},
        {{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}, 11},
        {{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, 12},
        {{1, 1, 1, 4, 4, 4, 4}, 7},
        {{1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}, 11},
    };
    for (size_t i = 0; i < sizeof followers / sizeof *followers; i++) {
        converge(followers[i].terms, followers[i].n, 2);
    }
}

/* An append that starts at the very beginning is no proof that what was compacted comes again
 * (willemt/raft 118). */
static void test_an_append_from_0_does_not_bring_back_what_was_compacted(void **state)
{
    (void)state;
    struct disk d;
    write_log(&d, TERMS, 10);
    struct raft *r = create("a", 1 << 20);
    const struct raft_snapshot_meta meta = meta_of(&d, 5, 4);
    assert_int_equal(raft_restore_snapshot(r, &meta), RAFT_OK);
    assert_int_equal(raft_restore_entries(r, d.entries + 5, 5), RAFT_OK);
    raft_start(r, MU_SEC);
    struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 6);
    m.entries = d.entries;
    for (m.n_entries = 0; m.n_entries <= 7; m.n_entries++) {
        assert_int_equal(raft_step(r, MU_SEC, &m), RAFT_OK);
        raft__check(r);
        assert_int_equal(raft_first_index(r), 6);
        assert_int_equal(raft_last_index(r), 10);
        assert_int_equal(raft_commit_index(r), 5);
    }
    raft_destroy(r);
}

/* Of an append that begins before the snapshot, what is compacted counts as matching, and the rest
 * is appended: nobody waits for the next snapshot (willemt/raft 118, RedisLabs/raft 49). */
static void test_an_append_that_begins_before_the_snapshot_brings_what_comes_after(void **state)
{
    (void)state;
    for (raft_index prev = 0; prev <= 5; prev++) {
        struct disk d;
        write_log(&d, TERMS, 10);
        struct raft *r = create("a", 1 << 20);
        const struct raft_snapshot_meta meta = meta_of(&d, 5, 4);
        assert_int_equal(raft_restore_snapshot(r, &meta), RAFT_OK);
        raft_start(r, MU_SEC);
        struct raft_message m = one_message(RAFT_MSG_APPEND, "b", 6);
        m.log_index = prev;
        m.log_term = prev ? d.entries[prev - 1].term : 0;
        m.entries = d.entries + prev;
        m.n_entries = 10 - prev;
        m.commit = 8;
        assert_int_equal(raft_step(r, MU_SEC, &m), RAFT_OK);
        raft__check(r);
        assert_int_equal(raft_first_index(r), 6);
        assert_int_equal(raft_last_index(r), 10);
        assert_int_equal(raft_commit_index(r), 8);
        raft_destroy(r);
    }
}

/* The hard state of a bootstrap was durable before the crash, its entry was not: it may be tried
 * again. Nobody campaigns or votes in term 1. */
static void test_a_bootstrap_that_a_crash_undid_can_be_repeated(void **state)
{
    (void)state;
    static const struct {
        struct raft_hard_state hard;
        int rc;
    } cases[] = {
        {{.term = 1, .vote = ""}, RAFT_OK},
        {{.term = 1, .vote = "b"}, RAFT_EEXIST},
        {{.term = 2, .vote = ""}, RAFT_EEXIST},
    };
    struct raft_server servers[3];
    one_servers(servers, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft *r = create("a", 1 << 20);
        assert_int_equal(raft_restore_hard_state(r, &cases[i].hard), RAFT_OK);
        raft_start(r, MU_SEC);
        assert_int_equal(raft_bootstrap(r, MU_SEC, servers, 3), cases[i].rc);
        raft_destroy(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_append_from_0_does_not_bring_back_what_was_compacted),
        cmocka_unit_test(test_an_append_that_begins_before_the_snapshot_brings_what_comes_after),
        cmocka_unit_test(test_a_bootstrap_that_a_crash_undid_can_be_repeated),
        cmocka_unit_test(test_a_log_with_a_gap_or_falling_terms_is_corrupt),
        cmocka_unit_test(test_a_snapshot_without_a_configuration_is_refused),
        cmocka_unit_test(test_a_log_that_goes_on_after_the_snapshot_is_kept),
        cmocka_unit_test(test_a_log_that_differs_from_the_snapshot_is_reset),
        cmocka_unit_test(test_entries_to_apply_come_from_the_disk_after_a_restart),
        cmocka_unit_test(test_figure_7_each_follower_converges_within_two_refusals),
    };
    return cmocka_run_group_tests_name("raft restore", tests, NULL, NULL);
}
