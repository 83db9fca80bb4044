/* The contract of a blocking query, held against random histories: whenever an answer changes, its
 * index grows and whoever waits for it is woken; and no index ever goes back. (Reaping tombstones
 * is left out: it is allowed to.) */
#include "fixture.h"
#include "random_entries.h"

struct asked {
    struct mu__writer answer; /* encoded, without its index */
    uint64_t index;
    bool woken, waits;
};

union answer {
    struct catalog_indexed_nodes nodes;
    struct catalog_indexed_services services;
    struct catalog_indexed_service_nodes service_nodes;
    struct catalog_indexed_check_service_nodes csn;
    struct catalog_indexed_node_services node_services;
    struct catalog_indexed_checks checks;
    struct catalog_indexed_dir_entries entries;
    struct catalog_indexed_key_list names;
    struct catalog_indexed_sessions sessions;
};

#define QUESTIONS 36

static struct catalog_query_meta *ask(struct catalog_reader *r, int q, union answer *out,
                                      enum catalog_type *type, struct catalog_watch_keys *keys)
{
    static const char *const services[] = {"web", "db", "nosuch"}, *const nodes[] = {"n1", "n2",
                                                                                     "n3",
                                                                                     "aaaaaaaa"};
    static const char *const state[] = {"any", "passing", "critical"}, *const at[] = {
                                                                           "a/b", "a/missing", "b"};
    static const char *const below[] = {"", "a/", "a/b/", "a"};
    struct catalog_service_request service = {.service_name = mu__cstr(services[q % 3])};
    struct catalog_node_request node = {.node = mu__cstr(nodes[q % 4])};
    struct catalog_checks_in_state_request in_state = {.state = mu__cstr(state[q % 3])};
    struct catalog_key_request key = {.key = mu__cstr(at[q % 3])},
                               prefix = {.key = mu__cstr(below[q % 4])};
    struct catalog_key_list_request list = {.prefix = mu__cstr(below[q % 4]), .separator = S("/")};
    struct catalog_dc_request all = {.datacenter = S("")};
    if (q < 3) {
        *type = CATALOG_INDEXED_SERVICE_NODES;
        assert_int_equal(catalog_query_service_nodes(r, &service, &out->service_nodes, keys), 0);
        return &out->service_nodes.meta;
    }
    if (q < 9) {
        *type = CATALOG_INDEXED_CHECK_SERVICE_NODES;
        service.connect = q >= 6;
        assert_int_equal(catalog_query_check_service_nodes(r, &service, &out->csn, keys), 0);
        return &out->csn.meta;
    }
    if (q < 12) {
        *type = CATALOG_INDEXED_CHECKS;
        assert_int_equal(catalog_query_service_checks(r, &service, &out->checks, keys), 0);
        return &out->checks.meta;
    }
    if (q < 15) {
        *type = CATALOG_INDEXED_CHECKS;
        assert_int_equal(catalog_query_checks_in_state(r, &in_state, &out->checks, keys), 0);
        return &out->checks.meta;
    }
    if (q < 18) {
        *type = CATALOG_INDEXED_DIR_ENTRIES;
        assert_int_equal(catalog_query_key(r, &key, &out->entries, keys), 0);
        return &out->entries.meta;
    }
    if (q < 22) {
        *type = CATALOG_INDEXED_NODE_SERVICES;
        assert_int_equal(catalog_query_node_services(r, &node, &out->node_services, keys), 0);
        return &out->node_services.meta;
    }
    if (q < 26) {
        *type = CATALOG_INDEXED_DIR_ENTRIES;
        assert_int_equal(catalog_query_keys(r, &prefix, &out->entries, keys), 0);
        return &out->entries.meta;
    }
    if (q == 26) {
        *type = CATALOG_INDEXED_NODES;
        assert_int_equal(catalog_query_nodes(r, &all, &out->nodes, keys), 0);
        return &out->nodes.meta;
    }
    if (q == 27) {
        *type = CATALOG_INDEXED_SERVICES;
        assert_int_equal(catalog_query_services(r, &all, &out->services, keys), 0);
        return &out->services.meta;
    }
    if (q == 28) {
        *type = CATALOG_INDEXED_KEY_LIST;
        assert_int_equal(catalog_query_key_names(r, &list, &out->names, keys), 0);
        return &out->names.meta;
    }
    if (q > 29) {
        struct catalog_session_get_request session = {
            .session_id = mu__cstr(q == 31 ? RANDOM_SESSION "1" : RANDOM_SESSION "2")};
        *type = CATALOG_INDEXED_SESSIONS;
        assert_int_equal(q == 30  ? catalog_query_sessions(r, &session, &out->sessions, keys)
                         : q < 33 ? catalog_query_session(r, &session, &out->sessions, keys)
                                  : catalog_query_node_sessions(r, &node, &out->sessions, keys),
                         0);
        return &out->sessions.meta;
    }
    *type = CATALOG_INDEXED_CHECKS;
    assert_int_equal(catalog_query_node_checks(r, &node, &out->checks, keys), 0);
    return &out->checks.meta;
}

static void wake(void *arg)
{
    struct asked *a = arg;
    a->woken = true;
    a->waits = false;
}

static void look(struct fixture *f, struct catalog_watches *w, struct asked *a, int q,
                 const char *what)
{
    union answer out;
    enum catalog_type type;
    struct catalog_watch_keys keys;
    catalog_read_begin(f->r);
    struct catalog_query_meta *meta = ask(f->r, q, &out, &type, &keys);
    uint64_t index = meta->index;
    *meta = (struct catalog_query_meta){.index = 0};
    struct mu__writer now = mu__writer_growing(&mu__malloc_allocator);
    mu__schema_encode(catalog_schema(type), &out, &now);
    bool changed = now.len != a->answer.len || memcmp(now.data, a->answer.data, now.len) != 0;
    if (a->answer.data && changed && !(a->woken && index > a->index)) {
        fail_msg("question %d after %s: index %u then %u, woken %d", q, what, (unsigned)a->index,
                 (unsigned)index, a->woken);
    }
    if (index < a->index) {
        fail_msg("question %d after %s: index goes back from %u to %u", q, what, (unsigned)a->index,
                 (unsigned)index);
    }
    mu__writer_fini(&a->answer);
    a->answer = now;
    a->index = index;
    a->woken = false;
    if (!a->waits) {
        assert_int_equal(catalog_watches_add(w, &keys, wake, a, NULL), 0);
        a->waits = true;
    }
    catalog_read_end(f->r);
}

static struct mu__writer any_but_reap(struct mu__prng *p)
{
    uint64_t dice = mu__prng_below(p, 12);
    if (dice > 9) {
        return random_session(p);
    }
    return dice < 3 ? random_kvs(p) : dice < 8 ? random_register(p) : random_deregister(p);
}

static void test_a_changed_answer_wakes_and_its_index_grows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct fixture *f;
        struct catalog_watches *w;
        struct asked asked[QUESTIONS] = {{.index = 0}};
        struct mu__prng p;
        void *made;
        fixture_setup(&made);
        f = made;
        f->index = 10; /* index 1 is what an empty store reports; no log gives it to a request */
        assert_int_equal(catalog_watches_create(NULL, &w), 0);
        mu__prng_seed(&p, seed);
        for (int i = 0; i < 400; i++) {
            char what[64];
            for (int q = 0; q < QUESTIONS; q++) {
                snprintf(what, sizeof what, "seed %u, entry %d", (unsigned)seed, i);
                look(f, w, &asked[q], q, what);
            }
            struct mu__writer e = any_but_reap(&p);
            apply_bytes(f, e.data, e.len);
            mu__writer_fini(&e);
            catalog_watches_notify(w, f->touched);
        }
        for (int q = 0; q < QUESTIONS; q++) {
            mu__writer_fini(&asked[q].answer);
        }
        catalog_watches_destroy(w);
        fixture_teardown(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_changed_answer_wakes_and_its_index_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
