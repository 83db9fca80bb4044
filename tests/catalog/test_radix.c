/* Mirrors src/radix.c and src/radix_walk.c: the tree against a naive sorted list, and old roots
 * that must not move. */
#include "mu_test.h"
#include "scarce.h"

#include "prng.h"
#include "radix.h"

static const struct mu_allocator *A = &mu__malloc_allocator;

static struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

/* Values are the keys themselves, as C strings that the test owns. */
static struct mu_str key_of(const void *value)
{
    return str(value);
}

static char *value(const char *s)
{
    return (char *)(uintptr_t)s;
}

struct tree {
    struct catalog__space space;
    struct catalog__radix *root;
};

static void tree_init(struct tree *t)
{
    catalog__space_init(&t->space, NULL);
    catalog__space_begin(&t->space);
    t->root = NULL;
}

static void tree_fini(struct tree *t)
{
    catalog__free_retired(A, t->space.retired, t->space.nretired);
    t->space.nretired = 0;
    catalog__radix_free(A, t->root, 0, false);
    catalog__space_fini(&t->space);
}

static void put(struct tree *t, const char *key)
{
    void *old;
    assert_true(catalog__radix_put(&t->space, &t->root, str(key), value(key), &old));
}

static bool take(struct tree *t, const char *key)
{
    void *old;
    assert_true(catalog__radix_remove(&t->space, &t->root, str(key), &old));
    return old != NULL;
}

static void put_all(struct tree *t, const char *const *keys)
{
    for (; *keys; keys++) {
        put(t, *keys);
    }
}

/* "a b c": the keys of a walk. */
static void assert_walk(struct catalog__radix_iter *it, const char *expected)
{
    char got[256] = "";
    for (const char *v; (v = catalog__radix_next(it)) != NULL;) {
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s%s", n ? " " : "", v);
    }
    catalog__radix_end(it);
    assert_string_equal(got, expected);
}

static const char *const WORDS[] = {"node",  "nomad", "no",  "",   "web", "web-1",
                                    "web-2", "a/b/c", "a/b", "a/", NULL};

static void test_keys_may_be_prefixes_of_each_other(void **state)
{
    (void)state;
    struct tree t;
    tree_init(&t);
    put_all(&t, WORDS);
    assert_int_equal(catalog__radix_check(t.root, A), 10);
    for (const char *const *w = WORDS; *w; w++) {
        assert_ptr_equal(catalog__radix_get(t.root, str(*w)), *w);
    }
    static const char *const absent[] = {"n",      "nod",  "nodes", "we", "web-",
                                         "web-11", "a/b/", "b",     NULL};
    for (const char *const *w = absent; *w; w++) {
        assert_null(catalog__radix_get(t.root, str(*w)));
        assert_false(take(&t, *w));
    }
    tree_fini(&t);
}

static void test_walks_are_in_byte_order(void **state)
{
    (void)state;
    struct tree t;
    tree_init(&t);
    put_all(&t, WORDS);
    static const struct {
        const char *prefix, *expected;
    } prefixes[] = {
        {"", " a/ a/b a/b/c no node nomad web web-1 web-2"},
        {"a/b", "a/b a/b/c"},
        {"a/b/", "a/b/c"},
        {"no", "no node nomad"},
        {"nod", "node"},
        {"nodx", ""},
        {"web-1x", ""},
        {"zz", ""},
    };
    struct catalog__radix_iter it;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        catalog__radix_prefix(&it, A, t.root, str(prefixes[i].prefix));
        const char *expected = prefixes[i].expected;
        assert_walk(&it, expected[0] == ' ' ? expected + 1 : expected);
    }
    static const struct {
        const char *from, *expected;
    } bounds[] = {
        {"nod", "node nomad web web-1 web-2"},
        {"node", "node nomad web web-1 web-2"},
        {"nodea", "nomad web web-1 web-2"},
        {"web-", "web-1 web-2"},
        {"web-2", "web-2"},
        {"web-20", ""},
        {"b", "no node nomad web web-1 web-2"},
        {"zzz", ""},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        catalog__radix_from(&it, A, t.root, str(bounds[i].from));
        assert_walk(&it, bounds[i].expected);
    }
    tree_fini(&t);
}

static void test_a_path_gives_every_prefix_that_is_a_key(void **state)
{
    (void)state;
    struct tree t;
    tree_init(&t);
    put_all(&t, WORDS);
    struct catalog__radix_path p = catalog__radix_path(t.root, str("a/b/c"));
    bool whole;
    static const char *const expected[] = {"", "a/", "a/b", "a/b/c"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal((char *)catalog__radix_path_next(&p, &whole), expected[i]);
        assert_int_equal(whole, i == 3);
    }
    assert_null(catalog__radix_path_next(&p, &whole));
    p = catalog__radix_path(t.root, str("a/bc"));
    assert_string_equal((char *)catalog__radix_path_next(&p, &whole), "");
    assert_string_equal((char *)catalog__radix_path_next(&p, &whole), "a/");
    assert_string_equal((char *)catalog__radix_path_next(&p, &whole), "a/b");
    assert_false(whole);
    assert_null(catalog__radix_path_next(&p, &whole));
    tree_fini(&t);
}

static void test_a_node_becomes_full_and_a_list_again(void **state)
{
    (void)state;
    static char keys[256][3];
    struct tree t;
    tree_init(&t);
    for (int i = 1; i < 256; i++) {
        keys[i][0] = 'x';
        keys[i][1] = (char)i;
        put(&t, keys[i]);
        assert_int_equal(catalog__radix_check(t.root, A), i);
    }
    assert_int_equal(t.root->cap, CATALOG__RADIX_FULL);
    for (int i = 255; i > 1; i--) {
        if (i == 20) {
            /* from here on nodes are copied, and fit what they hold */
            catalog__space_savepoint(&t.space);
        }
        assert_true(take(&t, keys[i]));
        assert_int_equal(catalog__radix_check(t.root, A), i - 1);
    }
    assert_int_equal(t.root->n, 0); /* one key is one leaf again */
    assert_true(take(&t, keys[1]));
    assert_null(t.root);
    tree_fini(&t);
}

static void test_a_walk_goes_deeper_than_its_own_frames(void **state)
{
    (void)state;
    static char keys[200][201];
    struct tree t;
    tree_init(&t);
    for (size_t i = 0; i < 200; i++) {
        memset(keys[i], 'k', i);
        put(&t, keys[i]);
    }
    struct catalog__radix_iter it;
    catalog__radix_prefix(&it, A, t.root, str(""));
    for (size_t i = 0; i < 200; i++) {
        assert_ptr_equal(catalog__radix_next(&it), keys[i]);
    }
    assert_null(catalog__radix_next(&it));
    assert_false(it.failed);
    catalog__radix_end(&it);
    tree_fini(&t);
}

/* ---- Against a model ---- */

#define KEYS_MAX 400
struct model {
    const char *keys[KEYS_MAX]; /* sorted */
    size_t n;
};

static size_t model_at(const struct model *m, const char *key)
{
    size_t i = 0;
    while (i < m->n && strcmp(m->keys[i], key) < 0) {
        i++;
    }
    return i;
}

static bool model_has(const struct model *m, const char *key)
{
    size_t i = model_at(m, key);
    return i < m->n && strcmp(m->keys[i], key) == 0;
}

static void model_put(struct model *m, const char *key)
{
    size_t i = model_at(m, key);
    if (!model_has(m, key)) {
        memmove(m->keys + i + 1, m->keys + i, (m->n - i) * sizeof *m->keys);
        m->n++;
    }
    m->keys[i] = key;
}

static void model_take(struct model *m, const char *key)
{
    size_t i = model_at(m, key);
    if (model_has(m, key)) {
        memmove(m->keys + i, m->keys + i + 1, (m->n - i - 1) * sizeof *m->keys);
        m->n--;
    }
}

static void assert_same(const struct catalog__radix *root, const struct model *m)
{
    struct catalog__radix_iter it;
    catalog__radix_prefix(&it, A, root, str(""));
    for (size_t i = 0; i < m->n; i++) {
        const char *v = catalog__radix_next(&it);
        assert_non_null(v);
        assert_string_equal(v, m->keys[i]);
    }
    assert_null(catalog__radix_next(&it));
    catalog__radix_end(&it);
}

static void assert_same_from(const struct catalog__radix *root, const struct model *m,
                             const char *from)
{
    struct catalog__radix_iter it;
    catalog__radix_from(&it, A, root, str(from));
    for (size_t i = model_at(m, from); i < m->n; i++) {
        const char *v = catalog__radix_next(&it);
        assert_non_null(v);
        assert_string_equal(v, m->keys[i]);
    }
    assert_null(catalog__radix_next(&it));
    catalog__radix_end(&it);

    catalog__radix_prefix(&it, A, root, str(from));
    for (size_t i = model_at(m, from); i < m->n && strncmp(m->keys[i], from, strlen(from)) == 0;
         i++) {
        assert_string_equal((char *)catalog__radix_next(&it), m->keys[i]);
    }
    assert_null(catalog__radix_next(&it));
    catalog__radix_end(&it);
}

/* Few letters, so that keys share prefixes; now and then a wild one, so that nodes grow. */
static void random_key(struct mu__prng *p, char out[12])
{
    size_t len = mu__prng_below(p, 11);
    bool wild = mu__prng_below(p, 3) == 0;
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(wild ? 1 + mu__prng_below(p, 255) : 'a' + mu__prng_below(p, 2));
    }
    out[len] = '\0';
}

struct kept {
    struct catalog__radix *root;
    struct model model;
};

static void run_against_model(uint64_t seed)
{
    static char keys[6000][12];
    static struct model m;
    static struct kept kept[8];
    struct mu__prng p;
    mu__prng_seed(&p, seed);
    struct tree t;
    tree_init(&t);
    m.n = 0;
    size_t nkept = 0;
    for (int i = 0; i < 6000; i++) {
        random_key(&p, keys[i]);
        if (mu__prng_below(&p, 5) < 3 && m.n < KEYS_MAX - 1) {
            put(&t, keys[i]);
            model_put(&m, keys[i]);
        } else {
            const char *key =
                m.n && mu__prng_below(&p, 2) ? m.keys[mu__prng_below(&p, m.n)] : keys[i];
            assert_int_equal(take(&t, key), model_has(&m, key));
            model_take(&m, key);
        }
        assert_int_equal(catalog__radix_get(t.root, str(keys[i])) != NULL, model_has(&m, keys[i]));
        if (i % 50 == 0) {
            assert_same_from(t.root, &m, keys[mu__prng_below(&p, (uint64_t)i + 1)]);
            assert_int_equal(catalog__radix_check(t.root, A), m.n);
        }
        if (i % 750 == 0 && nkept < 8) { /* publish: what others hold must stay as it is */
            kept[nkept].root = t.root;
            kept[nkept++].model = m;
            t.space.gen = t.space.last_gen += 2;
        }
    }
    for (size_t k = 0; k < nkept; k++) {
        assert_same(kept[k].root, &kept[k].model);
    }
    assert_same(t.root, &m);
    tree_fini(&t);
}

static void test_the_tree_agrees_with_a_sorted_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        run_against_model(seed);
    }
}

/* ---- Rollback and memory ---- */

static void test_a_rollback_brings_the_tree_back(void **state)
{
    (void)state;
    struct tree t;
    tree_init(&t);
    put_all(&t, WORDS);
    struct catalog__radix *before = t.root;
    size_t mark = catalog__space_savepoint(&t.space);
    put(&t, "new");
    put(&t, "node");
    assert_true(take(&t, "web"));
    assert_true(take(&t, "a/b"));
    assert_ptr_not_equal(t.root, before);
    catalog__radix_free(A, t.root, t.space.gen, false);
    t.root = before;
    catalog__space_rollback(&t.space, mark);
    assert_int_equal(catalog__radix_check(t.root, A), 10);
    assert_non_null(catalog__radix_get(t.root, str("web")));
    assert_null(catalog__radix_get(t.root, str("new")));
    tree_fini(&t);
}

static void test_short_of_memory_a_write_changes_nothing(void **state)
{
    (void)state;
    for (size_t allowed = 0; allowed < 60; allowed++) {
        struct scarce scarce = {.left = SIZE_MAX};
        struct mu_allocator a = scarce_allocator(&scarce);
        struct tree t;
        catalog__space_init(&t.space, &a);
        catalog__space_begin(&t.space);
        t.root = NULL;
        put_all(&t, WORDS);
        struct model m = {.n = 0};
        for (const char *const *w = WORDS; *w; w++) {
            model_put(&m, *w);
        }
        t.space.gen = t.space.last_gen += 2; /* all of it is published */
        struct catalog__radix *published = t.root;
        scarce.left = allowed;
        static const char *const more[] = {"nodes", "x", "a/b/c", "web-12", "n", NULL};
        void *old;
        for (const char *const *w = more; *w; w++) {
            if (catalog__radix_put(&t.space, &t.root, str(*w), value(*w), &old)) {
                model_put(&m, *w);
            }
            if (catalog__radix_remove(&t.space, &t.root, key_of(WORDS[w - more]), &old)) {
                model_take(&m, WORDS[w - more]);
            }
            assert_same(t.root, &m);
        }
        assert_int_equal(catalog__radix_check(published, A), 10);
        scarce.left = SIZE_MAX;
        tree_fini(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_may_be_prefixes_of_each_other),
        cmocka_unit_test(test_walks_are_in_byte_order),
        cmocka_unit_test(test_a_path_gives_every_prefix_that_is_a_key),
        cmocka_unit_test(test_a_node_becomes_full_and_a_list_again),
        cmocka_unit_test(test_a_walk_goes_deeper_than_its_own_frames),
        cmocka_unit_test(test_the_tree_agrees_with_a_sorted_list),
        cmocka_unit_test(test_a_rollback_brings_the_tree_back),
        cmocka_unit_test(test_short_of_memory_a_write_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
