/* Mirrors src/snapshot.c and restore.c, and the claim that the same entries give the same bytes. */
#include "bytes.h"
#include "fixture.h"
#include "random_entries.h"

static struct bytes save(struct catalog *c)
{
    struct catalog_reader *r;
    struct bytes b = {.p = NULL};
    assert_int_equal(catalog_reader_create(c, &r), 0);
    catalog_read_begin(r);
    assert_int_equal(catalog_snapshot_write(r, write_bytes, &b), 0);
    catalog_read_end(r);
    catalog_reader_destroy(r);
    return b;
}

static struct bytes copy_of(const struct bytes *b)
{
    struct bytes copy = {.p = malloc(b->len ? b->len : 1), .len = b->len};
    memcpy(copy.p, b->p, b->len);
    return copy;
}

static void assert_same_bytes(const struct bytes *a, const struct bytes *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->p, b->p, a->len);
}

/* n random entries in batches of 1 to 8. */
static struct catalog *grow(uint64_t seed, size_t n, uint64_t batch_seed)
{
    struct catalog *c;
    struct mu__prng p, batches;
    assert_int_equal(catalog_create(NULL, &c), 0);
    mu__prng_seed(&p, seed);
    mu__prng_seed(&batches, batch_seed);
    uint64_t index = 0;
    while (n > 0) {
        size_t batch = 1 + mu__prng_below(&batches, 8);
        assert_int_equal(catalog_apply_begin(c), 0);
        for (; batch > 0 && n > 0; batch--, n--) {
            struct mu__writer w = random_entry(&p, ++index);
            struct catalog_result result;
            assert_int_equal(catalog_apply(c, index, w.data, w.len, &result), 0);
            mu__writer_fini(&w);
        }
        catalog_apply_end(c, NULL);
    }
    catalog__check(c);
    return c;
}

static void test_the_same_entries_give_the_same_bytes_however_they_are_batched(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct catalog *a = grow(seed, 500, 1), *b = grow(seed, 500, 2);
        struct bytes x = save(a), y = save(b);
        assert_same_bytes(&x, &y);
        free(x.p);
        free(y.p);
        catalog_destroy(a);
        catalog_destroy(b);
    }
}

static void test_a_restored_catalog_is_the_one_that_was_saved(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < 3; piece++) {
        struct catalog *a = grow(3, 400, 1), *b = grow(4, 300, 1);
        struct bytes x = save(a);
        x.piece = piece;
        assert_int_equal(catalog_restore(b, read_bytes, &x, NULL), 0);
        catalog__check(b);
        assert_int_equal(catalog_index(b), catalog_index(a));
        struct bytes y = save(b);
        assert_same_bytes(&x, &y);
        free(x.p);
        free(y.p);
        catalog_destroy(a);
        catalog_destroy(b);
    }
}

/* What comes after a restore is what would have come without one. */
static void test_a_restored_catalog_goes_on_alike(void **state)
{
    (void)state;
    struct catalog *a = grow(5, 400, 1), *b;
    assert_int_equal(catalog_create(NULL, &b), 0);
    struct bytes x = save(a);
    assert_int_equal(catalog_restore(b, read_bytes, &x, NULL), 0);
    struct catalog *both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct mu__prng p;
        mu__prng_seed(&p, 77);
        assert_int_equal(catalog_apply_begin(both[i]), 0);
        for (uint64_t index = 401; index < 700; index++) {
            struct mu__writer w = random_entry(&p, index);
            struct catalog_result result;
            assert_int_equal(catalog_apply(both[i], index, w.data, w.len, &result), 0);
            mu__writer_fini(&w);
        }
        catalog_apply_end(both[i], NULL);
    }
    struct bytes y = save(a), z = save(b);
    assert_same_bytes(&y, &z);
    free(x.p);
    free(y.p);
    free(z.p);
    catalog_destroy(a);
    catalog_destroy(b);
}

static void count_wake(void *arg)
{
    ++*(int *)arg;
}

static void test_a_restore_wakes_everybody_and_leaves_open_readers_alone(void **state)
{
    struct fixture *f = *state;
    struct catalog *other = grow(6, 100, 1);
    struct bytes x = save(other);
    set(f, "k", "before");
    struct catalog_watches *w;
    struct catalog_watch_key room = {S("kwhatever"), false};
    struct catalog_watch_keys keys = {&room, 1, 0};
    struct catalog_touched *touched;
    int woken = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    assert_int_equal(catalog_watches_add(w, &keys, count_wake, &woken, NULL), 0);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_restore(f->c, read_bytes, &x, &touched), 0);
    assert_str(catalog_find_key(f->r, S("k"))->value, "before");
    catalog_read_end(f->r);
    catalog_read_begin(f->r);
    assert_null(catalog_find_key(f->r, S("k")));
    catalog_read_end(f->r);
    assert_false(catalog_touched_is_empty(touched));
    assert_int_equal(catalog_watches_notify(w, touched), 1);
    catalog_touched_unref(touched);
    catalog_watches_destroy(w);
    f->index = 100;
    set(f, "next", "1");
    free(x.p);
    catalog_destroy(other);
}

static void test_a_snapshot_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    struct catalog *other = grow(7, 60, 1);
    struct bytes x = save(other), before, after;
    set(f, "k", "kept");
    before = save(f->c);
    for (size_t len = 0; len < x.len; len++) {
        struct bytes cut = {.p = x.p, .len = len};
        assert_int_equal(catalog_restore(f->c, read_bytes, &cut, NULL), CATALOG_ESNAPSHOT);
    }
    after = save(f->c);
    assert_same_bytes(&before, &after);
    free(before.p);
    free(after.p);
    free(x.p);
    catalog_destroy(other);
}

static void test_a_damaged_snapshot_never_harms(void **state)
{
    struct fixture *f = *state;
    struct catalog *other = grow(8, 60, 1);
    struct bytes x = save(other);
    struct mu__prng p;
    mu__prng_seed(&p, 1);
    for (int i = 0; i < 3000; i++) {
        struct bytes bad = copy_of(&x);
        for (uint64_t n = 1 + mu__prng_below(&p, 3); n > 0; n--) {
            bad.p[mu__prng_below(&p, bad.len)] = (uint8_t)mu__prng_next(&p);
        }
        int rc = catalog_restore(f->c, read_bytes, &bad, NULL);
        assert_true(rc == 0 || rc == CATALOG_ESNAPSHOT || rc == CATALOG_ENEWER);
        free(bad.p);
    }
    struct bytes good = copy_of(&x);
    assert_int_equal(catalog_restore(f->c, read_bytes, &good, NULL), 0);
    free(good.p);
    free(x.p);
    catalog_destroy(other);
}

static void test_formats_of_the_future_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct bytes x = save(f->c), newer = copy_of(&x), other = copy_of(&x);
    newer.p[15]++;
    assert_int_equal(catalog_restore(f->c, read_bytes, &newer, NULL), CATALOG_ENEWER);
    other.p[16] = 99; /* a record of an unknown type */
    assert_int_equal(catalog_restore(f->c, read_bytes, &other, NULL), CATALOG_ENEWER);
    free(x.p);
    free(newer.p);
    free(other.p);
}

static void test_failing_callbacks_are_told(void **state)
{
    struct fixture *f = *state;
    set(f, "k", "v");
    struct bytes b = {.broken = true};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_snapshot_write(f->r, write_bytes, &b), CATALOG_EIO);
    catalog_read_end(f->r);
    assert_int_equal(catalog_restore(f->c, read_bytes, &b, NULL), CATALOG_EIO);
    free(b.p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_entries_give_the_same_bytes_however_they_are_batched),
        cmocka_unit_test(test_a_restored_catalog_is_the_one_that_was_saved),
        cmocka_unit_test(test_a_restored_catalog_goes_on_alike),
        TEST(test_a_restore_wakes_everybody_and_leaves_open_readers_alone),
        TEST(test_a_snapshot_cut_anywhere_is_refused),
        TEST(test_a_damaged_snapshot_never_harms),
        TEST(test_formats_of_the_future_are_told_apart),
        TEST(test_failing_callbacks_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
