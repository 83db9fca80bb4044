/* A snapshot of another catalog takes the place of everything, in the midst of a log
 * (catalog_restore_entry). */
#include "bytes.h"
#include "fixture.h"

static struct bytes save(struct fixture *f)
{
    struct bytes b = {.p = NULL};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_snapshot_write(f->r, write_bytes, &b), 0);
    catalog_read_end(f->r);
    return b;
}

/* As the next entry of f's log. */
static int restore(struct fixture *f, struct bytes *b)
{
    b->at = 0;
    catalog_touched_unref(f->touched);
    f->touched = NULL;
    return catalog_restore_entry(f->c, ++f->index, read_bytes, b, &f->touched);
}

static uint64_t read_floor(struct fixture *f)
{
    catalog_read_begin(f->r);
    uint64_t floor = catalog_read_floor(f->r);
    catalog_read_end(f->r);
    return floor;
}

static uint64_t modify_index(struct fixture *f, const char *key)
{
    catalog_read_begin(f->r);
    const struct catalog_dir_entry *e = catalog_find_key(f->r, mu__cstr(key));
    uint64_t index = e ? e->modify_index : 0;
    catalog_read_end(f->r);
    return index;
}

/* A second catalog with n keys k1, k2, ... */
static struct fixture *other(int n)
{
    void *f;
    char key[16];
    fixture_setup(&f);
    for (int i = 1; i <= n; i++) {
        snprintf(key, sizeof key, "k%d", i);
        set(f, key, "v");
    }
    return f;
}

static void drop(struct fixture *f)
{
    void *state = f;
    fixture_teardown(&state);
}

static void test_an_older_state_moves_the_index_forward(void **state)
{
    struct fixture *f = *state, *from = other(3);
    struct bytes b = save(from);
    for (int i = 0; i < 10; i++) {
        set(f, "gone", "x");
    }
    assert_int_equal(restore(f, &b), 0);
    assert_int_equal(catalog_index(f->c), 11);
    assert_int_equal(read_floor(f), 11);
    assert_int_equal(modify_index(f, "gone"), 0);
    assert_int_equal(modify_index(f, "k3"), 3); /* as it was */
    set(f, "new", "x");
    assert_int_equal(modify_index(f, "new"), 12);
    free(b.p);
    drop(from);
}

static void test_a_newer_state_raises_the_index_above_its_own(void **state)
{
    struct fixture *f = *state, *from = other(50);
    struct bytes b = save(from);
    set(f, "gone", "x");
    assert_int_equal(restore(f, &b), 0); /* entry 2 */
    assert_int_equal(catalog_index(f->c), 51);
    assert_int_equal(read_floor(f), 51);
    set(f, "new", "x"); /* entry 3 */
    assert_int_equal(modify_index(f, "new"), 52);
    assert_int_equal(catalog_index(f->c), 52);
    free(b.p);
    drop(from);
}

static void test_restores_add_up_and_never_go_back(void **state)
{
    struct fixture *f = *state, *from = other(20);
    struct bytes b = save(from);
    uint64_t before = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(restore(f, &b), 0);
        assert_true(catalog_index(f->c) > before);
        before = catalog_index(f->c);
        set(f, "x", "y");
        assert_int_equal(catalog_index(f->c), before + 1);
    }
    free(b.p);
    drop(from);
}

static void test_a_raft_snapshot_keeps_the_offset(void **state)
{
    struct fixture *f = *state, *from = other(50);
    struct bytes b = save(from);
    assert_int_equal(restore(f, &b), 0);
    set(f, "a", "1");
    struct bytes raft = save(f);
    struct fixture *follower = other(0);
    assert_int_equal(catalog_restore(follower->c, read_bytes, &raft, NULL), 0);
    follower->index = f->index;
    set(f, "b", "2");
    set(follower, "b", "2");
    assert_int_equal(modify_index(follower, "b"), modify_index(f, "b"));
    assert_int_equal(read_floor(follower), read_floor(f));
    struct bytes one = save(f), two = save(follower);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.p, two.p, one.len);
    free(one.p);
    free(two.p);
    free(raft.p);
    free(b.p);
    drop(follower);
    drop(from);
}

static void on_wake(void *arg)
{
    ++*(int *)arg;
}

static void test_every_waiter_is_woken(void **state)
{
    struct fixture *f = *state, *from = other(1);
    struct bytes b = save(from);
    struct catalog_watches *w;
    int woken = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    const char *keys[] = {"k1", "never-there", ""};
    catalog_read_begin(f->r);
    for (size_t i = 0; i < 3; i++) {
        struct catalog_key_request q = {.key = mu__cstr(keys[i])};
        struct catalog_indexed_dir_entries out;
        struct catalog_watch_keys watch;
        assert_int_equal(catalog_query_keys(f->r, &q, &out, &watch), 0);
        assert_int_equal(catalog_watches_add(w, &watch, on_wake, &woken, NULL), 0);
    }
    catalog_read_end(f->r);
    assert_int_equal(restore(f, &b), 0);
    assert_int_equal(catalog_watches_notify(w, f->touched), 3);
    assert_int_equal(woken, 3);
    catalog_watches_destroy(w);
    free(b.p);
    drop(from);
}

static void test_a_damaged_snapshot_changes_nothing(void **state)
{
    struct fixture *f = *state, *from = other(5);
    struct bytes b = save(from);
    set(f, "mine", "x");
    for (size_t len = 0; len < b.len; len++) {
        struct bytes cut = {.p = b.p, .len = len};
        assert_int_equal(restore(f, &cut), CATALOG_ESNAPSHOT);
    }
    assert_int_equal(catalog_index(f->c), 1);
    assert_int_equal(read_floor(f), 0);
    assert_int_equal(modify_index(f, "mine"), 1);
    free(b.p);
    drop(from);
}

static void test_an_index_that_goes_back_is_refused(void **state)
{
    struct fixture *f = *state, *from = other(1);
    struct bytes b = save(from);
    set(f, "a", "x");
    set(f, "a", "y");
    f->index = 0;
    assert_int_equal(restore(f, &b), CATALOG_EINVAL);
    f->index = UINT64_MAX; /* 0 */
    assert_int_equal(restore(f, &b), CATALOG_EINVAL);
    free(b.p);
    drop(from);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_older_state_moves_the_index_forward),
        TEST(test_a_newer_state_raises_the_index_above_its_own),
        TEST(test_restores_add_up_and_never_go_back),
        TEST(test_a_raft_snapshot_keeps_the_offset),
        TEST(test_every_waiter_is_woken),
        TEST(test_a_damaged_snapshot_changes_nothing),
        TEST(test_an_index_that_goes_back_is_refused),
    };
    return cmocka_run_group_tests_name("restore_entry", tests, NULL, NULL);
}
