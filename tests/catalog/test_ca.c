/* Mirrors src/apply_ca.c, tables_ca.c and query_ca.c: parts change together or not at all, and the
 * private key is in no answer and in no memory that was given back. */
#include "fixture.h"

#include "prng.h"

#include <muster/catalog_ca.h>
#include <string.h>

#define CLUSTER "11111111-2222-3333-4444-555555555555"
#define KEY     "-----BEGIN EC PRIVATE KEY-----\nnobody may see this\n"

static struct catalog_ca_root root(const char *id, bool active)
{
    return (struct catalog_ca_root){.id = mu__cstr(id),
                                    .name = S("Consul CA Root Cert"),
                                    .root_cert = S("pem"),
                                    .signing_key = S("not to be shown"),
                                    .rotated_out_at = {active ? 0 : 7, 0},
                                    .active = active};
}

static void apply_ca(struct fixture *f, struct catalog_ca_request r)
{
    apply(f, CATALOG_ENTRY_CA, CATALOG_CA_REQUEST, &r);
    catalog__check(f->c);
}

/* A provider of that key with one active root, made when the table of roots stood at index. */
static void rotate(struct fixture *f, const char *key, const char *id, const char *old,
                   uint64_t index, uint64_t config_index)
{
    struct catalog_ca_root a = root(id, true), b = root(old ? old : "", false);
    void *roots[] = {&a, &b};
    struct catalog_ca_config config = {.cluster_id = mu__cstr(old ? "another" : CLUSTER),
                                       .provider = S("consul"),
                                       .modify_index = config_index};
    struct catalog_ca_provider_state state = {.id = mu__cstr(key), .private_key = S(KEY)};
    apply_ca(f, (struct catalog_ca_request){.op = S("set-roots-config"),
                                            .index = index,
                                            .roots = {roots, old ? 2 : 1},
                                            .config = &config,
                                            .provider_state = &state});
}

static struct catalog_indexed_ca_roots roots_of(struct fixture *f, struct catalog_watch_keys *keys)
{
    struct catalog_indexed_ca_roots out;
    assert_int_equal(
        catalog_query_ca_roots(f->r, &(struct catalog_dc_request){.datacenter = S("")}, &out, keys),
        0);
    return out;
}

static void test_before_there_is_one_answers_are_empty(void **state)
{
    struct fixture *f = *state;
    struct catalog_ca_config config;
    catalog_read_begin(f->r);
    struct catalog_indexed_ca_roots out = roots_of(f, NULL);
    assert_int_equal(out.roots.len, 0);
    assert_int_equal(out.trust_domain.len, 0);
    assert_int_equal(out.meta.index, 1);
    assert_int_equal(catalog_query_ca_config(f->r, NULL, &config, NULL), 0);
    assert_int_equal(config.modify_index, 0);
    assert_null(catalog_find_ca_active_root(f->r));
    catalog_read_end(f->r);
}

static void test_roots_are_shown_without_what_is_secret(void **state)
{
    struct fixture *f = *state;
    rotate(f, "one", "aa:01", NULL, 0, 0);
    assert_true(f->result.value);
    rotate(f, "two", "aa:02", "AA:01", f->index, f->index);
    assert_true(f->result.value);
    catalog_read_begin(f->r);
    struct catalog_indexed_ca_roots out = roots_of(f, NULL);
    assert_int_equal(out.roots.len, 2);
    assert_str(out.active_root_id, "aa:02");
    assert_str(out.trust_domain, CLUSTER ".consul"); /* the cluster's id never changes */
    assert_int_equal(out.meta.index, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct catalog_ca_root *r = out.roots.items[i];
        assert_int_equal(r->signing_key.len, 0);
        assert_int_equal(r->rotated_out_at.since_year1_s, 0);
        assert_int_equal(r->modify_index, 2);
        assert_int_equal(r->create_index, i + 1);
    }
    assert_str(catalog_find_ca_active_root(f->r)->id, "aa:02");
    assert_null(catalog_find_ca_state(f->r, S("one"))); /* went with its provider */
    assert_str(catalog_find_ca_state(f->r, S("two"))->private_key, KEY);
    catalog_read_end(f->r);
}

static void test_parts_change_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    rotate(f, "one", "aa:01", NULL, 0, 0);
    rotate(f, "two", "aa:02", "aa:01", 77, 1); /* the roots are others by now */
    assert_int_equal(f->result.kind, CATALOG_RESULT_BOOL);
    assert_false(f->result.value);
    rotate(f, "two", "aa:02", "aa:01", 1, 77); /* so is the configuration */
    assert_string_equal(f->error, "ModifyIndex did not match existing");
    struct catalog_ca_root passive = root("aa:02", false);
    void *roots[] = {&passive};
    apply_ca(f, (struct catalog_ca_request){.op = S("set-roots"), .index = 1, .roots = {roots, 1}});
    assert_string_equal(f->error, "there must be exactly one active CA root");
    apply_ca(f, (struct catalog_ca_request){.op = S("set-provider-state")});
    assert_string_equal(f->error, "provider state is missing");
    apply_ca(f, (struct catalog_ca_request){.op = S("set-config")});
    assert_string_equal(f->error, "CA configuration is missing");
    apply_ca(f, (struct catalog_ca_request){.op = S("burn")});
    assert_string_equal(f->error, "Invalid CA operation 'burn'");
    catalog_read_begin(f->r);
    assert_str(catalog_find_ca_active_root(f->r)->id, "aa:01");
    assert_non_null(catalog_find_ca_state(f->r, S("one")));
    assert_int_equal(catalog_ca_roots_index(f->r), 1);
    assert_int_equal(catalog_find_ca_config(f->r)->modify_index, 1);
    catalog_read_end(f->r);
}

static void test_a_configuration_wakes_who_waits_for_roots(void **state)
{
    struct fixture *f = *state;
    struct catalog_watch_keys keys;
    struct catalog_ca_config config = {.cluster_id = S(CLUSTER), .provider = S("consul")};
    catalog_read_begin(f->r);
    roots_of(f, &keys);
    assert_int_equal(keys.len, 1);
    char prefix[8];
    size_t len = keys.items[0].key.len;
    memcpy(prefix, keys.items[0].key.p, len);
    assert_true(keys.items[0].prefix);
    catalog_read_end(f->r);
    apply_ca(f, (struct catalog_ca_request){.op = S("set-config"), .config = &config});
    assert_done(f);
    assert_int_equal(catalog_touched_is_empty(f->touched), false);
    catalog_read_begin(f->r);
    assert_int_equal(roots_of(f, NULL).meta.index, 1);
    catalog_read_end(f->r);
}

static void test_each_leaf_gets_an_index(void **state)
{
    struct fixture *f = *state;
    struct catalog_ca_leaf_request r = {.op = S("increment-index")};
    struct mu__writer w = entry(CATALOG_ENTRY_CA_LEAF, CATALOG_CA_LEAF_REQUEST, &r);
    assert_int_equal(catalog_apply_begin(f->c), 0);
    assert_int_equal(catalog_apply(f->c, ++f->index, w.data, w.len, &f->result), 0);
    assert_int_equal(f->result.kind, CATALOG_RESULT_REPLY);
    assert_int_equal(f->result.reply_type, CATALOG_ISSUED_CERT);
    assert_int_equal(((const struct catalog_issued_cert *)f->result.reply)->modify_index, f->index);
    catalog_apply_end(f->c, NULL);
    mu__writer_fini(&w);
    r.op = S("x");
    apply(f, CATALOG_ENTRY_CA_LEAF, CATALOG_CA_LEAF_REQUEST, &r);
    assert_string_equal(f->error, "Invalid CA Leaf operation 'x'");
}

/* What must stand after each entry, whatever came before. */
struct expected {
    uint64_t roots, config; /* the indexes of both; 0: there is none */
    const char *active, *provider;
    bool is_done;
};

static void random_rotation(struct fixture *f, struct mu__prng *p, struct expected *e)
{
    static const char *const ids[] = {"aa:01", "aa:02", "aa:03"}, *const keys[] = {"one", "two"};
    size_t id = mu__prng_below(p, 3);
    const char *key = keys[mu__prng_below(p, 2)];
    bool roots_differ = mu__prng_below(p, 4) == 0, config_differs = mu__prng_below(p, 4) == 0;
    rotate(f, key, ids[id], mu__prng_below(p, 2) ? ids[(id + 1) % 3] : NULL,
           roots_differ ? e->roots + 1 : e->roots, config_differs ? e->config + 1 : e->config);
    e->is_done = !roots_differ && !config_differs;
    if (e->is_done) {
        *e = (struct expected){f->index, f->index, ids[id], key, true};
    }
}

static void random_change(struct fixture *f, struct mu__prng *p, struct expected *e)
{
    uint64_t wanted[] = {0, e->config, e->config + 1};
    size_t i = mu__prng_below(p, 3);
    struct catalog_ca_config config = {
        .cluster_id = S(CLUSTER), .provider = S("consul"), .modify_index = wanted[i]};
    apply_ca(f, (struct catalog_ca_request){.op = S("set-config"), .config = &config});
    e->is_done = i < 2;
    e->config = i < 2 ? f->index : e->config;
}

static void test_random_changes_leave_what_a_model_says(void **state)
{
    struct fixture *f = *state;
    struct mu__prng p;
    struct expected e = {0, 0, NULL, NULL, false};
    mu__prng_seed(&p, 8);
    for (int i = 0; i < 2000; i++) {
        mu__prng_below(&p, 2) ? random_rotation(f, &p, &e) : random_change(f, &p, &e);
        bool failed = f->result.kind == CATALOG_RESULT_ERROR ||
                      (f->result.kind == CATALOG_RESULT_BOOL && !f->result.value);
        assert_int_equal(failed, !e.is_done);
        catalog_read_begin(f->r);
        const struct catalog_ca_config *config = catalog_find_ca_config(f->r);
        const struct catalog_ca_root *active = catalog_find_ca_active_root(f->r);
        assert_int_equal(config ? config->modify_index : 0, e.config);
        assert_int_equal(catalog_ca_roots_index(f->r), e.roots);
        assert_int_equal(active != NULL, e.active != NULL);
        if (active) {
            bool is_one = strcmp(e.provider, "one") == 0;
            assert_str(active->id, e.active);
            assert_int_equal(catalog_find_ca_state(f->r, S("one")) != NULL, is_one);
            assert_int_equal(catalog_find_ca_state(f->r, S("two")) != NULL, !is_one);
        }
        catalog_read_end(f->r);
    }
}

/* ---- Memory that is given back ---- */

struct seen {
    size_t len;
    char bytes[];
};
static size_t leaked;

static void *alloc_seen(void *user, size_t size)
{
    struct seen *s = malloc(16 + size);
    (void)user;
    s->len = size;
    return (char *)s + 16;
}

static void free_seen(void *user, void *p)
{
    (void)user;
    if (!p) {
        return;
    }
    struct seen *s = (void *)((char *)p - 16);
    for (size_t i = 0; i + 19 <= s->len; i++) {
        leaked += memcmp((char *)p + i, "nobody may see this", 19) == 0;
    }
    free(s);
}

static void *realloc_seen(void *user, void *p, size_t size)
{
    void *to = alloc_seen(user, size);
    if (p) {
        size_t had = ((struct seen *)(void *)((char *)p - 16))->len;
        memcpy(to, p, had < size ? had : size);
        free_seen(user, p);
    }
    return to;
}

static int append(void *user, const void *data, size_t len)
{
    mu__write_bytes(user, data, len);
    return 0;
}

static int take(void *user, void *buf, size_t *len)
{
    struct mu__reader *r = user;
    size_t n = mu__reader_left(r) < *len ? mu__reader_left(r) : *len;
    memcpy(buf, mu__read_bytes(r, n), n);
    *len = n;
    return 0;
}

static void test_keys_are_wiped_and_survive_in_snapshots(void **state)
{
    const struct mu_allocator a = {NULL, alloc_seen, realloc_seen, free_seen};
    struct catalog_config cfg;
    struct fixture f = {.index = 0};
    (void)state;
    leaked = 0;
    catalog_config_init(&cfg);
    cfg.allocator = &a;
    assert_int_equal(catalog_create(&cfg, &f.c), 0);
    assert_int_equal(catalog_reader_create(f.c, &f.r), 0);
    rotate(&f, "one", "aa:01", NULL, 0, 0);
    rotate(&f, "two", "aa:02", "aa:01", 1, 1); /* the first one's key goes */
    set(&f, "a", "b");                         /* with a version */
    assert_int_equal(leaked, 0);
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    catalog_read_begin(f.r);
    assert_int_equal(catalog_snapshot_write(f.r, append, &w), 0);
    catalog_read_end(f.r);
    leaked = 0; /* the writer's buffers are those of who saves */
    struct catalog *other;
    struct catalog_reader *r;
    struct mu__reader in = mu__reader(w.data, w.len);
    assert_int_equal(catalog_create(NULL, &other), 0);
    assert_int_equal(catalog_restore(other, take, &in, NULL), 0);
    assert_int_equal(catalog_reader_create(other, &r), 0);
    catalog_read_begin(r);
    assert_str(catalog_find_ca_state(r, S("two"))->private_key, KEY);
    assert_str(catalog_find_ca_active_root(r)->id, "aa:02");
    assert_int_equal(catalog_ca_roots_index(r), 2);
    catalog_read_end(r);
    catalog_reader_destroy(r);
    catalog__check(other);
    catalog_destroy(other);
    mu__writer_fini(&w);
    catalog_touched_unref(f.touched);
    catalog_reader_destroy(f.r);
    catalog_destroy(f.c);
    assert_int_equal(leaked, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_before_there_is_one_answers_are_empty),
        CASE(test_roots_are_shown_without_what_is_secret),
        CASE(test_parts_change_together_or_not_at_all),
        CASE(test_a_configuration_wakes_who_waits_for_roots),
        CASE(test_each_leaf_gets_an_index),
        CASE(test_random_changes_leave_what_a_model_says),
        cmocka_unit_test(test_keys_are_wiped_and_survive_in_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
