/* Mirrors src/watches.c and touched.c: who is woken by what, and nobody else. */
#include "fixture.h"

/* One waiter for each kind of question; `woken` says who was. */
enum question {
    ALL_NODES,
    ALL_SERVICES,
    CATALOG_WEB,
    HEALTH_WEB,
    HEALTH_DB,
    CONNECT_WEB,
    NODE_N1,
    NODE_N2,
    UNKNOWN_ID,
    CHECKS_N1,
    CHECKS_WEB,
    STATE_CRITICAL,
    STATE_ANY,
    KEY_AB,
    KEYS_A,
    KEYS_AB,
    KEY_MISSING,
    QUESTIONS
};
static const char *const NAMES[QUESTIONS] = {
    "nodes",   "services", "catalog-web", "health-web", "health-db",  "connect-web",
    "node-n1", "node-n2",  "node-id",     "checks-n1",  "checks-web", "critical",
    "any",     "a/b",      "a/*",         "a/b/*",      "a/missing"};

struct waiter {
    bool woken;
};

static void wake(void *arg)
{
    struct waiter *w = arg;
    assert_false(w->woken); /* once */
    w->woken = true;
}

static void ask(struct catalog_reader *r, enum question q, struct catalog_watch_keys *keys)
{
    struct catalog_dc_request dc = {.datacenter = S("")};
    struct catalog_service_request web = {.service_name = S("Web")}, db = {.service_name = S("db")};
    struct catalog_service_request connect = {.service_name = S("web"), .connect = true};
    struct catalog_key_request key = {.key = S("a/b")};
    union {
        struct catalog_indexed_nodes nodes;
        struct catalog_indexed_services services;
        struct catalog_indexed_service_nodes service_nodes;
        struct catalog_indexed_check_service_nodes csn;
        struct catalog_indexed_node_services on_node;
        struct catalog_indexed_checks checks;
        struct catalog_indexed_dir_entries entries;
    } out;
    switch (q) {
    case ALL_NODES:
        assert_int_equal(catalog_query_nodes(r, &dc, &out.nodes, keys), 0);
        break;
    case ALL_SERVICES:
        assert_int_equal(catalog_query_services(r, &dc, &out.services, keys), 0);
        break;
    case CATALOG_WEB:
        assert_int_equal(catalog_query_service_nodes(r, &web, &out.service_nodes, keys), 0);
        break;
    case HEALTH_WEB:
        assert_int_equal(catalog_query_check_service_nodes(r, &web, &out.csn, keys), 0);
        break;
    case HEALTH_DB:
        assert_int_equal(catalog_query_check_service_nodes(r, &db, &out.csn, keys), 0);
        break;
    case CONNECT_WEB:
        assert_int_equal(catalog_query_check_service_nodes(r, &connect, &out.csn, keys), 0);
        break;
    case NODE_N1:
    case NODE_N2:
    case UNKNOWN_ID: {
        const struct mu_str names[] = {S("n1"), S("N2"), S("AAAAAAAA")};
        struct catalog_node_request node = {.node = names[q - NODE_N1]};
        assert_int_equal(catalog_query_node_services(r, &node, &out.on_node, keys), 0);
        break;
    }
    case CHECKS_N1:
        assert_int_equal(catalog_query_node_checks(
                             r, &(struct catalog_node_request){.node = S("N1")}, &out.checks, keys),
                         0);
        break;
    case CHECKS_WEB:
        assert_int_equal(catalog_query_service_checks(r, &web, &out.checks, keys), 0);
        break;
    case STATE_CRITICAL:
    case STATE_ANY: {
        struct catalog_checks_in_state_request state = {.state = q == STATE_ANY ? S("any")
                                                                                : S("critical")};
        assert_int_equal(catalog_query_checks_in_state(r, &state, &out.checks, keys), 0);
        break;
    }
    case KEY_AB:
    case KEY_MISSING:
        key.key = q == KEY_AB ? S("a/b") : S("a/missing");
        assert_int_equal(catalog_query_key(r, &key, &out.entries, keys), 0);
        break;
    case KEYS_A:
    case KEYS_AB:
        key.key = q == KEYS_A ? S("a/") : S("a/b/");
        assert_int_equal(catalog_query_keys(r, &key, &out.entries, keys), 0);
        break;
    case QUESTIONS:
        break;
    }
}

struct world {
    struct fixture *f;
    struct catalog_watches *w;
    struct waiter waiters[QUESTIONS];
};

static void world_init(struct world *w, struct fixture *f)
{
    memset(w, 0, sizeof *w);
    w->f = f;
    assert_int_equal(catalog_watches_create(NULL, &w->w), 0);
}

/* Everybody who does not wait asks again. */
static void wait_all(struct world *w)
{
    catalog_read_begin(w->f->r);
    for (enum question q = 0; q < QUESTIONS; q++) {
        struct catalog_watch_keys keys;
        ask(w->f->r, q, &keys);
        w->waiters[q].woken = false;
        assert_int_equal(catalog_watches_add(w->w, &keys, wake, &w->waiters[q], NULL), 0);
    }
    catalog_read_end(w->f->r);
}

/* Compares who is woken by the last entry, in the order of the questions. */
static void expect_woken(struct world *w, const char *expected)
{
    char got[256] = "";
    size_t n = catalog_watches_notify(w->w, w->f->touched);
    for (enum question q = 0; q < QUESTIONS; q++) {
        if (w->waiters[q].woken) {
            size_t len = strlen(got);
            snprintf(got + len, sizeof got - len, "%s%s", len ? " " : "", NAMES[q]);
            n--;
        }
    }
    assert_string_equal(got, expected);
    assert_int_equal(n, 0);
}

/* Starts over with everybody waiting for what comes next. */
static void all_wait(struct world *w)
{
    catalog_watches_destroy(w->w);
    assert_int_equal(catalog_watches_create(NULL, &w->w), 0);
    wait_all(w);
}

static void test_a_key_wakes_itself_and_the_prefixes_above_it(void **state)
{
    struct world w;
    world_init(&w, *state);
    set(w.f, "a/b", "1");
    all_wait(&w);
    set(w.f, "a/b", "2");
    expect_woken(&w, "a/b a/*");
    all_wait(&w);
    set(w.f, "a/b", "2"); /* nothing new */
    expect_woken(&w, "");
    set(w.f, "a/bc", "1");
    expect_woken(&w, "a/*");
    all_wait(&w);
    set(w.f, "a/b/c", "1");
    expect_woken(&w, "a/* a/b/*");
    all_wait(&w);
    set(w.f, "a", "1");
    expect_woken(&w, "");
    set(w.f, "a/missing", "1");
    expect_woken(&w, "a/* a/missing");
    all_wait(&w);
    kvs(w.f, "delete-tree", "a/b", "", 0); /* a/b, a/bc, a/b/c */
    expect_woken(&w, "a/b a/* a/b/*");
    catalog_watches_destroy(w.w);
}

static void test_the_catalog_wakes_whom_a_change_concerns(void **state)
{
    struct world w;
    struct fixture *f = *state;
    world_init(&w, f);
    wait_all(&w);
    add_node(f, "n1");
    expect_woken(&w, "nodes node-n1");
    all_wait(&w);
    add_service(f, "n1", "web", "web");
    expect_woken(&w, "services catalog-web health-web node-n1");
    all_wait(&w);
    add_node(f, "n2");
    expect_woken(&w, "nodes node-n2");
    all_wait(&w);
    add_service(f, "n2", "db", "db");
    expect_woken(&w, "services health-db node-n2");
    all_wait(&w);
    add_check(f, "n1", "c", "web", "passing");
    expect_woken(&w, "health-web checks-n1 checks-web any");
    all_wait(&w);
    add_check(f, "n1", "c", "web", "passing");
    expect_woken(&w, "");
    add_check(f, "n1", "c", "web", "critical");
    expect_woken(&w, "health-web checks-n1 checks-web critical any");
    all_wait(&w);
    add_check(f, "n2", "own", "", "passing");
    expect_woken(&w, "health-db any");
    all_wait(&w);
    apply_register(f, (struct catalog_register_request){.node = S("n1"), .address = S("8.8.8.8")});
    expect_woken(&w, "nodes catalog-web health-web node-n1");
    all_wait(&w);
    apply_register(
        f, (struct catalog_register_request){.node = S("n3"),
                                             .address = S("3"),
                                             .id = S("aaaaaaaa-0000-0000-0000-000000000001")});
    expect_woken(&w, "nodes node-id");
    all_wait(&w);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1"), .check_id = S("c")});
    expect_woken(&w, "health-web checks-n1 checks-web critical any");
    all_wait(&w);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    expect_woken(&w, "nodes services catalog-web health-web node-n1");
    catalog_watches_destroy(w.w);
}

static void test_proxies_wake_who_asks_for_their_target(void **state)
{
    struct world w;
    struct fixture *f = *state;
    world_init(&w, f);
    add_node(f, "n1");
    all_wait(&w);
    struct catalog_node_service p = {.kind = S("connect-proxy"),
                                     .id = S("p"),
                                     .service = S("p"),
                                     .proxy = {.destination_service_name = S("web")}};
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .service = &p, .skip_node_update = true});
    expect_woken(&w, "services connect-web node-n1");
    all_wait(&w);
    add_check(f, "n1", "c", "p", "critical");
    expect_woken(&w, "connect-web checks-n1 critical any");
    all_wait(&w);
    p.proxy.destination_service_name = S("db");
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .service = &p, .skip_node_update = true});
    expect_woken(&w, "services connect-web node-n1");
    catalog_watches_destroy(w.w);
}

/* A version that the waiter has seen does not wake it, although its message comes later. */
static void test_what_was_read_already_does_not_wake(void **state)
{
    struct world w;
    struct fixture *f = *state;
    world_init(&w, f);
    set(f, "a/b", "1");
    struct catalog_touched *first = catalog_touched_ref(f->touched);
    wait_all(&w);
    set(f, "a/b", "2");
    assert_int_equal(catalog_watches_notify(w.w, first), 0);
    expect_woken(&w, "a/b a/*");
    catalog_touched_unref(first);
    catalog_watches_destroy(w.w);
}

/* ---- Mechanics ---- */

static struct catalog_watch_keys one_key(struct catalog_watch_key *room, const char *key,
                                         bool prefix)
{
    *room = (struct catalog_watch_key){mu__cstr(key), prefix};
    return (struct catalog_watch_keys){room, 1, 0};
}

struct chain { /* a waiter that adds and removes others when it is woken */
    struct catalog_watches *w;
    struct catalog_waiter *other;
    int woken;
};

static void wake_chain(void *arg)
{
    struct chain *c = arg;
    struct catalog_watch_key room;
    struct catalog_watch_keys keys = one_key(&room, "ka", false);
    c->woken++;
    if (c->other) {
        catalog_watches_remove(c->w, c->other);
        c->other = NULL;
    }
    assert_int_equal(catalog_watches_add(c->w, &keys, wake_chain, c, NULL), 0);
}

static void test_a_wake_may_add_and_remove_waiters(void **state)
{
    struct fixture *f = *state;
    struct catalog_watches *w;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    struct chain a = {.w = w}, b = {.w = w};
    struct catalog_watch_key room;
    struct catalog_watch_keys keys = one_key(&room, "ka", false);
    assert_int_equal(catalog_watches_add(w, &keys, wake_chain, &a, &b.other), 0);
    assert_int_equal(catalog_watches_add(w, &keys, wake_chain, &b, &a.other), 0);
    set(f, "a", "1");
    /* The first woken removed the other */
    assert_int_equal(catalog_watches_notify(w, f->touched), 1);
    assert_int_equal(a.woken + b.woken, 1);
    assert_int_equal(catalog_watches_count(w), 1); /* and waits again */
    catalog_watches_destroy(w);
}

static void test_removed_waiters_are_not_woken(void **state)
{
    struct fixture *f = *state;
    struct catalog_watches *w;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    struct waiter me = {false};
    struct catalog_watch_key rooms[] = {{S("ka"), false}, {S("kb"), true}, {S("ka"), true}};
    struct catalog_watch_keys keys = {rooms, 3, 0};
    struct catalog_waiter *waiter;
    assert_int_equal(catalog_watches_add(w, &keys, wake, &me, &waiter), 0);
    catalog_watches_remove(w, waiter);
    assert_int_equal(catalog_watches_count(w), 0);
    set(f, "a", "1");
    assert_int_equal(catalog_watches_notify(w, f->touched), 0);
    keys.len = 0;
    assert_int_equal(catalog_watches_add(w, &keys, wake, &me, &waiter), CATALOG_EINVAL);
    catalog_watches_destroy(w);
}

static void count_wake(void *arg)
{
    ++*(size_t *)arg;
}

static void test_a_hundred_thousand_waiters_only_cost_memory(void **state)
{
    struct fixture *f = *state;
    struct catalog_watches *w;
    size_t woken = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    for (unsigned i = 0; i < 100000; i++) {
        char key[32];
        snprintf(key, sizeof key, "ksome/prefix/%u", i);
        struct catalog_watch_key room;
        struct catalog_watch_keys keys = one_key(&room, key, i % 2);
        assert_int_equal(catalog_watches_add(w, &keys, count_wake, &woken, NULL), 0);
    }
    /* Whole: itself; prefixes: 5, 500 end in other digits than odd ones */
    set(f, "some/prefix/5000", "1");
    catalog_watches_notify(w, f->touched);
    assert_int_equal(woken, 2); /* 5000 itself, and 5 as a prefix (50, 500 wait for whole keys) */
    set(f, "elsewhere", "1");
    assert_int_equal(catalog_watches_notify(w, f->touched), 0);
    assert_int_equal(catalog_watches_count(w), 99998);
    catalog_watches_destroy(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_key_wakes_itself_and_the_prefixes_above_it),
        TEST(test_the_catalog_wakes_whom_a_change_concerns),
        TEST(test_proxies_wake_who_asks_for_their_target),
        TEST(test_what_was_read_already_does_not_wake),
        TEST(test_a_wake_may_add_and_remove_waiters),
        TEST(test_removed_waiters_are_not_woken),
        TEST(test_a_hundred_thousand_waiters_only_cost_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
