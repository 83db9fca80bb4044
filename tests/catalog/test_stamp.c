/* Mirrors libcatalog/src/stamp.c: whoever keeps an answer until its stamp is another one never
 * shows an outdated one (consul#4034), held against random histories of all kinds of entries, with
 * restores of older states among them. */
#include "bytes.h"
#include "fixture.h"
#include "random_entries.h"

#define QUESTIONS 18
#define BATCHES   150

static const char *const names[] = {"web", "db", "nosuch", "ing", "n1", "n2"};

static bool is_about_a_node(int q)
{
    return q % 6 > 3;
}

static struct catalog_service_request service_of(int q)
{
    static struct mu_str x = {"x", 1};
    int kind = q / 6;
    struct catalog_service_request s = {.service_name = mu__cstr(names[q % 6])};
    s.connect = kind == 1;
    s.ingress = kind == 2;
    s.tag_filter = kind == 0 && q % 2;
    s.service_tags = (struct mu_strs){&x, s.tag_filter};
    return s;
}

/* What DNS makes an answer of; *stamp: as the newest version has it. */
static struct mu__writer look(struct fixture *f, int q, uint64_t *stamp)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    catalog_read_begin(f->r);
    if (is_about_a_node(q)) {
        const struct catalog_node *n = catalog_find_node(f->r, mu__cstr(names[q % 6]));
        *stamp = catalog_stamp_node(f->r, mu__cstr(names[q % 6]));
        if (n) {
            mu__schema_encode(catalog_schema(CATALOG_NODE), n, &w);
        }
    } else {
        struct catalog_service_request s = service_of(q);
        struct catalog_indexed_check_service_nodes out;
        *stamp = catalog_stamp_service(f->r, &s);
        assert_int_equal(catalog_query_check_service_nodes(f->r, &s, &out, NULL), 0);
        out.meta.index = 0;
        mu__schema_encode(catalog_schema(CATALOG_INDEXED_CHECK_SERVICE_NODES), &out, &w);
    }
    catalog_read_end(f->r);
    return w;
}

struct kept {
    uint64_t stamp;
    struct mu__writer answer;
};

/* Every answer of the history, by its stamp: one that comes again must stand for the same. */
struct memory {
    struct kept kept[QUESTIONS][BATCHES];
    size_t len[QUESTIONS];
    unsigned same, moved;
};

static void check(struct memory *m, struct fixture *f, int q, const char *what)
{
    uint64_t stamp;
    struct mu__writer now = look(f, q, &stamp);
    for (size_t i = 0; stamp && i < m->len[q]; i++) {
        const struct kept *k = &m->kept[q][i];
        bool equal = k->answer.len == now.len && memcmp(k->answer.data, now.data, now.len) == 0;
        if (k->stamp == stamp && !equal) {
            fail_msg("question %d, %s: the answer is another one, its stamp still %llu", q, what,
                     (unsigned long long)stamp);
        }
        m->same += i + 1 == m->len[q] && k->stamp == stamp;
    }
    m->moved++;
    m->kept[q][m->len[q]++] = (struct kept){stamp, now};
}

static void forget(struct memory *m)
{
    for (int q = 0; q < QUESTIONS; q++) {
        while (m->len[q]) {
            mu__writer_fini(&m->kept[q][--m->len[q]].answer);
        }
    }
}

static struct mu__writer any_entry(struct mu__prng *p, uint64_t index)
{
    switch (mu__prng_below(p, 8)) {
    case 0:
        return random_ingress(p);
    case 1:
        return random_terminating(p);
    default:
        return random_entry(p, index);
    }
}

static void apply_batch(struct fixture *f, struct mu__prng *p)
{
    catalog_touched_unref(f->touched);
    assert_int_equal(catalog_apply_begin(f->c), 0);
    for (uint64_t n = 1 + mu__prng_below(p, 3); n > 0; n--) {
        struct mu__writer e = any_entry(p, f->index);
        assert_int_equal(catalog_apply(f->c, ++f->index, e.data, e.len, &f->result), 0);
        mu__writer_fini(&e);
    }
    catalog_apply_end(f->c, &f->touched);
}

static struct bytes save(struct fixture *f)
{
    struct bytes b = {.p = NULL};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_snapshot_write(f->r, write_bytes, &b), 0);
    catalog_read_end(f->r);
    return b;
}

static void restore(struct fixture *f, struct bytes *b)
{
    b->at = 0;
    catalog_touched_unref(f->touched);
    f->touched = NULL;
    assert_int_equal(catalog_restore_entry(f->c, ++f->index, read_bytes, b, &f->touched), 0);
}

/* Of another cluster's, whose records bear the same indexes. */
static struct bytes save_another(uint64_t seed)
{
    struct mu__prng p;
    void *made;
    fixture_setup(&made);
    struct fixture *f = made;
    f->index = 10;
    mu__prng_seed(&p, seed + 1000);
    for (int i = 0; i < BATCHES / 4; i++) {
        apply_batch(f, &p);
    }
    struct bytes saved = save(f);
    fixture_teardown(&made);
    return saved;
}

static void run(uint64_t seed, struct memory *m)
{
    struct mu__prng p;
    struct bytes saved = save_another(seed);
    void *made;
    fixture_setup(&made);
    struct fixture *f = made;
    f->index = 10;
    mu__prng_seed(&p, seed);
    for (int i = 0; i < BATCHES; i++) {
        char what[64];
        snprintf(what, sizeof what, "seed %u, batch %d", (unsigned)seed, i);
        if (mu__prng_below(&p, 40) == 0) {
            restore(f, &saved);
        } else {
            apply_batch(f, &p);
        }
        for (int q = 0; q < QUESTIONS; q++) {
            check(m, f, q, what);
        }
    }
    free(saved.p);
    fixture_teardown(&made);
}

static void test_an_answer_stands_as_long_as_its_stamp(void **state)
{
    (void)state;
    struct memory *m = calloc(1, sizeof *m);
    for (uint64_t seed = 1; seed <= 25; seed++) {
        run(seed, m);
        forget(m);
    }
    /* Of some use: a good part of what was kept stood at the next look */
    assert_true(m->same > m->moved / 5);
    free(m);
}

static void test_what_does_not_concern_a_name_leaves_its_stamp(void **state)
{
    struct fixture *f = *state;
    struct catalog_service_request web = {.service_name = S("Web")};
    add_node(f, "n1");
    add_service(f, "n1", "w", "web");
    catalog_read_begin(f->r);
    uint64_t service = catalog_stamp_service(f->r, &web), node = catalog_stamp_node(f->r, S("N1"));
    catalog_read_end(f->r);
    assert_true(service && node);
    set(f, "a", "b");
    add_node(f, "n2");
    add_service(f, "n2", "d", "db");
    catalog_read_begin(f->r);
    assert_int_equal(catalog_stamp_service(f->r, &web), service);
    assert_int_equal(catalog_stamp_node(f->r, S("N1")), node);
    catalog_read_end(f->r);
}

static void test_an_unknown_name_has_none(void **state)
{
    struct fixture *f = *state;
    catalog_read_begin(f->r);
    assert_int_equal(
        catalog_stamp_service(f->r, &(struct catalog_service_request){.service_name = S("x")}), 0);
    assert_int_equal(catalog_stamp_node(f->r, S("x")), 0);
    catalog_read_end(f->r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_stands_as_long_as_its_stamp),
        T(test_what_does_not_concern_a_name_leaves_its_stamp),
        T(test_an_unknown_name_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
