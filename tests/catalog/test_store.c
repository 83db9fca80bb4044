/* Mirrors src/store.c and space.c: versions, readers on other threads, batches that are dropped,
 * memory that runs out. */
#include "fixture.h"
#include "random_entries.h"

#include <pthread.h>

/* ---- Readers beside the writer ---- */

#define READERS  4
#define VERSIONS 3000
#define KEYS     16

struct shared {
    struct catalog *c;
    _Atomic bool stop;
    _Atomic unsigned reads;
};

/* Every version holds the same value under all keys: a reader that sees two has seen two
 * versions. */
static void read_one(struct catalog_reader *r)
{
    struct catalog_key_request all = {.key = S("k/")};
    struct catalog_indexed_dir_entries out;
    catalog_read_begin(r);
    assert_int_equal(catalog_query_keys(r, &all, &out, NULL), 0);
    for (size_t i = 0; i < out.entries.len; i++) {
        const struct catalog_dir_entry *e = out.entries.items[i], *first = out.entries.items[0];
        assert_int_equal(e->value.len, first->value.len);
        assert_memory_equal(e->value.p, first->value.p, e->value.len);
        assert_int_equal(e->modify_index, catalog_read_index(r) - (KEYS - 1) + i);
    }
    catalog_read_end(r);
}

static void *reader_main(void *arg)
{
    struct shared *s = arg;
    while (!atomic_load(&s->stop)) {
        struct catalog_reader *r;
        assert_int_equal(catalog_reader_create(s->c, &r), 0);
        for (int i = 0; i < 20; i++) {
            read_one(r);
        }
        atomic_fetch_add(&s->reads, 20);
        catalog_reader_destroy(r);
    }
    return NULL;
}

static void write_version(struct catalog *c, uint64_t version)
{
    assert_int_equal(catalog_apply_begin(c), 0);
    for (uint64_t k = 0; k < KEYS; k++) {
        char key[16], value[32];
        snprintf(key, sizeof key, "k/%02u", (unsigned)k);
        snprintf(value, sizeof value, "value %u", (unsigned)version);
        struct catalog_kvs_request request = {
            .op = S("set"), .dir_ent = {.key = mu__cstr(key), .value = mu__cstr(value)}};
        struct mu__writer w = entry(CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
        struct catalog_result result;
        assert_int_equal(catalog_apply(c, version * KEYS + k, w.data, w.len, &result), 0);
        mu__writer_fini(&w);
    }
    catalog_apply_end(c, NULL);
}

static void test_readers_see_whole_versions_while_the_writer_goes_on(void **state)
{
    (void)state;
    struct shared s = {.stop = false};
    pthread_t threads[READERS];
    assert_int_equal(catalog_create(NULL, &s.c), 0);
    write_version(s.c, 1);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &s), 0);
    }
    uint64_t version = 2;
    while (version < VERSIONS || atomic_load(&s.reads) < 1000) {
        write_version(s.c, version++);
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    catalog__check(s.c);
    catalog_destroy(s.c);
}

/* ---- Reclamation ---- */

struct counting {
    size_t blocks;
    size_t left; /* allocations that still succeed */
};

static void *counting_alloc(void *user, size_t size)
{
    struct counting *m = user;
    if (m->left == 0) {
        return NULL;
    }
    m->left--;
    m->blocks++;
    return malloc(size ? size : 1);
}

static void *counting_realloc(void *user, void *p, size_t size)
{
    struct counting *m = user;
    if (m->left == 0) {
        return NULL;
    }
    m->left--;
    m->blocks += p == NULL;
    return realloc(p, size);
}

static void counting_free(void *user, void *p)
{
    struct counting *m = user;
    m->blocks -= p != NULL;
    free(p);
}

static void test_old_versions_are_freed_when_their_last_reader_leaves(void **state)
{
    (void)state;
    struct counting m = {.left = SIZE_MAX};
    struct mu_allocator a = {&m, counting_alloc, counting_realloc, counting_free};
    struct catalog_config cfg;
    catalog_config_init(&cfg);
    cfg.allocator = &a;
    struct catalog *c;
    struct catalog_reader *r;
    assert_int_equal(catalog_create(&cfg, &c), 0);
    assert_int_equal(catalog_reader_create(c, &r), 0);
    for (uint64_t v = 1; v < 4; v++) {
        write_version(c, v);
    }
    size_t steady = m.blocks;
    write_version(c, 4);
    assert_in_range(m.blocks, steady - 2, steady + 2); /* as many new as old ones */
    catalog_read_begin(r);
    for (uint64_t v = 5; v < 50; v++) {
        write_version(c, v);
    }
    assert_true(m.blocks > steady + 40 * KEYS); /* all are kept ... */
    catalog_read_end(r);
    for (uint64_t v = 50; m.blocks > steady + 2; v++) { /* ... and go, with each batch a part */
        size_t before = m.blocks;
        write_version(c, v);
        assert_in_range(before - m.blocks, 1, 2048);
    }
    catalog_reader_destroy(r);
    catalog_destroy(c);
    assert_int_equal(m.blocks, 0);
}

static void test_a_dropped_batch_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct mu__prng p;
    mu__prng_seed(&p, 9);
    for (int round = 0; round < 40; round++) {
        struct catalog_result result;
        assert_int_equal(catalog_apply_begin(f->c), 0);
        for (uint64_t i = 1; i < 30; i++) {
            struct mu__writer w = random_entry(&p, f->index + i);
            assert_int_equal(catalog_apply(f->c, f->index + i, w.data, w.len, &result), 0);
            mu__writer_fini(&w);
        }
        if (round % 2) {
            catalog_apply_abort(f->c);
        } else {
            f->index += 29;
            catalog_apply_end(f->c, NULL);
        }
        assert_int_equal(catalog_index(f->c), f->index);
        catalog__check(f->c);
    }
}

/* ---- Out of memory ---- */

/* Applies ten entries as a batch; tries again without limit when memory runs out. Returns whether
 * it did. */
static bool apply_scarce(struct catalog *c, struct counting *m, uint64_t seed, uint64_t first)
{
    bool ran_out = false;
    for (;;) {
        struct mu__prng p;
        mu__prng_seed(&p, seed);
        int rc = catalog_apply_begin(c);
        bool open = rc == 0;
        for (uint64_t i = 0; i < 10 && rc == 0; i++) {
            size_t left = m->left; /* the test's own writer uses malloc */
            struct mu__writer w = random_entry(&p, first + i);
            m->left = left;
            struct catalog_result result;
            rc = catalog_apply(c, first + i, w.data, w.len, &result);
            mu__writer_fini(&w);
        }
        if (rc == 0) {
            catalog_apply_end(c, NULL);
            return ran_out;
        }
        assert_int_equal(rc, CATALOG_ENOMEM);
        if (open) {
            catalog_apply_abort(c);
        }
        m->left = SIZE_MAX;
        catalog__check(c);
        assert_int_equal(catalog_index(c), first - 1);
        ran_out = true;
    }
}

static void test_a_batch_without_memory_can_be_repeated(void **state)
{
    (void)state;
    for (size_t allowed = 0; allowed < 400; allowed++) {
        struct counting m = {.left = SIZE_MAX};
        struct mu_allocator a = {&m, counting_alloc, counting_realloc, counting_free};
        struct catalog_config cfg;
        catalog_config_init(&cfg);
        cfg.allocator = &a;
        struct catalog *c;
        assert_int_equal(catalog_create(&cfg, &c), 0);
        for (uint64_t batch = 0; batch < 8; batch++) {
            if (batch == 4) {
                m.left = allowed;
            }
            apply_scarce(c, &m, allowed * 100 + batch, batch * 10 + 1);
        }
        m.left = SIZE_MAX;
        catalog__check(c);
        catalog_destroy(c);
        assert_int_equal(m.blocks, 0);
    }
}

static void test_queries_without_memory_say_so(void **state)
{
    (void)state;
    struct counting m = {.left = SIZE_MAX};
    struct mu_allocator a = {&m, counting_alloc, counting_realloc, counting_free};
    struct catalog_config cfg;
    catalog_config_init(&cfg);
    cfg.allocator = &a;
    struct fixture f = {.index = 0};
    assert_int_equal(catalog_create(&cfg, &f.c), 0);
    assert_int_equal(catalog_reader_create(f.c, &f.r), 0);
    add_node(&f, "n1");
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        add_service(&f, "n1", id, "web");
    }
    size_t failures = 0;
    for (size_t allowed = 0; allowed < 12; allowed++) {
        struct catalog_service_request request = {.service_name = S("web")};
        struct catalog_indexed_check_service_nodes out;
        struct catalog_watch_keys keys;
        catalog_reader_destroy(f.r); /* gives its scratch back */
        m.left = SIZE_MAX;
        assert_int_equal(catalog_reader_create(f.c, &f.r), 0);
        catalog_read_begin(f.r);
        m.left = allowed;
        int rc = catalog_query_check_service_nodes(f.r, &request, &out, &keys);
        assert_true(rc == 0 || rc == CATALOG_ENOMEM);
        failures += rc != 0;
        catalog_read_end(f.r);
    }
    assert_in_range(failures, 1, 11);
    m.left = SIZE_MAX;
    catalog_touched_unref(f.touched);
    catalog_reader_destroy(f.r);
    catalog_destroy(f.c);
    assert_int_equal(m.blocks, 0);
}

static void test_waiters_without_memory_say_so(void **state)
{
    (void)state;
    for (size_t allowed = 0; allowed < 12; allowed++) {
        struct counting m = {.left = SIZE_MAX};
        struct mu_allocator a = {&m, counting_alloc, counting_realloc, counting_free};
        struct catalog_watches *w;
        struct catalog_watch_key rooms[] = {{S("ka"), false}, {S("kab"), true}, {S("kac"), false}};
        struct catalog_watch_keys keys = {rooms, 3, 0};
        assert_int_equal(catalog_watches_create(&a, &w), 0);
        m.left = allowed;
        int rc = catalog_watches_add(w, &keys, NULL, NULL, NULL);
        assert_int_equal(rc == 0, catalog_watches_count(w) == 1);
        m.left = 0; /* freeing takes none */
        catalog_watches_destroy(w);
        assert_int_equal(m.blocks, 0);
    }
}

/* ---- Config and errors ---- */

static void test_configs_of_other_releases_are_widened_or_refused(void **state)
{
    (void)state;
    struct {
        struct catalog_config now;
        uint64_t later;
    } cfg = {.later = 0};
    struct catalog *c;
    catalog_config_init_sized(&cfg.now, sizeof cfg);
    assert_int_equal(catalog_create(&cfg.now, &c), 0);
    catalog_destroy(c);
    cfg.later = 1;
    assert_int_equal(catalog_create(&cfg.now, &c), CATALOG_EINVAL);
    assert_null(c);
    cfg.now.size = sizeof cfg.now.size; /* before there was an allocator */
    assert_int_equal(catalog_create(&cfg.now, &c), 0);
    catalog_destroy(c);
    catalog_destroy(NULL);
}

static void test_each_error_has_a_text_and_a_class(void **state)
{
    (void)state;
    for (int code = CATALOG_ENOMEM; code >= CATALOG_ENOBUFS; code--) {
        assert_string_not_equal(catalog_strerror(code), "unknown error");
        assert_int_not_equal(catalog_err_class(code), MU_CLASS_OK);
    }
    assert_int_equal(catalog_err_class(0), MU_CLASS_OK);
    assert_string_equal(catalog_strerror(1), "unknown error");
    assert_string_equal(catalog_version(), CATALOG_VERSION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_see_whole_versions_while_the_writer_goes_on),
        cmocka_unit_test(test_old_versions_are_freed_when_their_last_reader_leaves),
        TEST(test_a_dropped_batch_leaves_no_trace),
        cmocka_unit_test(test_a_batch_without_memory_can_be_repeated),
        cmocka_unit_test(test_queries_without_memory_say_so),
        cmocka_unit_test(test_waiters_without_memory_say_so),
        cmocka_unit_test(test_configs_of_other_releases_are_widened_or_refused),
        cmocka_unit_test(test_each_error_has_a_text_and_a_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
