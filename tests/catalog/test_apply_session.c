/* Mirrors src/apply_session.c, session_id.c, tables_session.c and query_session.c: sessions, what
 * ends them, and the locks that they hold. */
#include "fixture.h"

#define A      "aaaaaaaa-0000-0000-0000-00000000000a"
#define B      "aaaaaaaa-0000-0000-0000-00000000000b"
#define A_CAPS "AAAAAAAA-0000-0000-0000-00000000000A"

static void session(struct fixture *f, const char *op, struct catalog_session s)
{
    struct catalog_session_request request = {.op = mu__cstr(op), .session = s};
    apply(f, CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &request);
}

/* Of node n1, with one check unless that is "". */
static void make(struct fixture *f, const char *id, const char *check, const char *behavior)
{
    struct mu_str checks[] = {mu__cstr(check)};
    session(f, "create",
            (struct catalog_session){.id = mu__cstr(id),
                                     .node = S("n1"),
                                     .behavior = mu__cstr(behavior),
                                     .lock_delay_ns = 15000000000,
                                     .node_checks = {checks, check[0] != '\0'}});
}

static void destroy(struct fixture *f, const char *id)
{
    session(f, "destroy", (struct catalog_session){.id = mu__cstr(id)});
}

static bool exists(struct fixture *f, const char *id)
{
    catalog_read_begin(f->r);
    bool found = catalog_find_session(f->r, mu__cstr(id)) != NULL;
    catalog_read_end(f->r);
    return found;
}

static void locked(struct fixture *f, const char *op, const char *key, const char *value,
                   const char *id)
{
    struct catalog_kvs_request request = {
        .op = mu__cstr(op),
        .dir_ent = {
            .key = mu__cstr(key), .value = mu__cstr(value), .flags = 7, .session = mu__cstr(id)}};
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
}

#define assert_answer(f, expected)                                                                 \
    do {                                                                                           \
        assert_int_equal((f)->result.kind, CATALOG_RESULT_BOOL);                                   \
        assert_int_equal((f)->result.value, (expected));                                           \
    } while (0)

/* holder NULL: the key is not there. */
static void expect_key(struct fixture *f, const char *key, const char *holder, uint64_t lock_index,
                       uint64_t modify_index)
{
    catalog_read_begin(f->r);
    const struct catalog_dir_entry *e = catalog_find_key(f->r, mu__cstr(key));
    assert_int_equal(e != NULL, holder != NULL);
    if (e) {
        assert_str(e->session, holder);
        assert_int_equal(e->lock_index, lock_index);
        assert_int_equal(e->modify_index, modify_index);
    }
    catalog_read_end(f->r);
}

static int with_node(void **state)
{
    fixture_setup(state);
    struct fixture *f = *state;
    add_node(f, "n1");                       /* 1 */
    add_check(f, "n1", "up", "", "passing"); /* 2 */
    return 0;
}

/* ---- Making ---- */

static void test_a_session_needs_its_node_and_its_checks(void **state)
{
    struct fixture *f = *state;
    add_check(f, "n1", "bad", "", "critical");
    make(f, A, "nope", "");
    assert_refused(f, "Missing check 'nope' registration");
    make(f, A, "bad", "");
    assert_refused(f, "Check 'bad' is in critical state");
    session(f, "create", (struct catalog_session){.id = S(A), .node = S("nope")});
    assert_refused(f, "Missing node registration");
    session(f, "create", (struct catalog_session){.id = S(A)});
    assert_refused(f, "Must provide Node");
    make(f, A, "up", "forget");
    assert_refused(f, "Invalid Behavior setting 'forget'");
    destroy(f, "");
    assert_refused(f, "Must provide ID");
    session(f, "renew", (struct catalog_session){.id = S(A)});
    assert_refused(f, "Invalid Session operation 'renew'");
    assert_false(exists(f, A));
    make(f, A, "UP", ""); /* names fold */
    assert_done(f);
    assert_true(exists(f, A));
    make(f, A_CAPS, "up", "");
    assert_refused(f, "there is a session of this ID already");
}

static void test_an_id_is_36_characters_of_hexadecimal(void **state)
{
    struct fixture *f = *state;
#define LOOKUP "failed session lookup: index error: "
    static const char *const wrong[][2] = {
        {"abc", LOOKUP "UUID must be 36 characters"},
        {"zzzzzzzz-0000-0000-0000-000000000000",
         LOOKUP "Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"},
        {"----0-00-0000-0000-0000-000000000000",
         LOOKUP "UUID should have maximum of 4 \"-\"; got 9"},
        {"00000000-0000-0000-0000000000000000x",
         LOOKUP "Input (without hyphens) must be even length"},
        {"0000000000000000000000000000000000\x01\x01",
         LOOKUP "Invalid UUID: encoding/hex: invalid byte: U+0001"},
        {"0000000000000000000000000000000000\xe9\xe9",
         LOOKUP "Invalid UUID: encoding/hex: invalid byte: U+00E9 '\xc3\xa9'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        make(f, wrong[i][0], "up", "");
        assert_refused(f, wrong[i][1]);
        destroy(f, wrong[i][0]);
        assert_refused(f, wrong[i][1]);
        locked(f, "lock", "k", "v", wrong[i][0]);
        assert_refused(f, wrong[i][1]);
    }
}

static void test_ids_compare_without_case(void **state)
{
    struct fixture *f = *state;
    make(f, A, "up", "");
    assert_true(exists(f, A_CAPS));
    destroy(f, A_CAPS);
    assert_done(f);
    assert_false(exists(f, A));
    destroy(f, A); /* gone is as good as destroyed */
    assert_done(f);
}

/* ---- What ends a session ---- */

static void test_a_session_ends_with_its_checks_and_its_node(void **state)
{
    struct fixture *f = *state;
    make(f, A, "up", "");
    make(f, B, "", "");
    add_check(f, "n1", "up", "", "warning"); /* is not critical */
    assert_true(exists(f, A));
    add_check(f, "n1", "up", "", "critical");
    assert_false(exists(f, A));
    add_check(f, "n1", "up", "", "passing");
    make(f, A, "up", "");
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1"), .check_id = S("up")});
    assert_false(exists(f, A));
    assert_true(exists(f, B)); /* hangs on its node alone */
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    assert_false(exists(f, B));
}

static void test_a_session_ends_with_the_service_of_its_check(void **state)
{
    struct fixture *f = *state;
    struct catalog_service_check named = {.id = S("of-web")};
    void *service_checks[] = {&named};
    struct mu_str old_form[] = {S("up")};
    add_service(f, "n1", "web", "web");
    add_check(f, "n1", "of-web", "web", "passing");
    session(f, "create",
            (struct catalog_session){
                .id = S(A), .node = S("n1"), .service_checks = {service_checks, 1}});
    session(f, "create",
            (struct catalog_session){.id = S(B), .node = S("n1"), .checks = {old_form, 1}});
    apply_deregister(f,
                     (struct catalog_deregister_request){.node = S("n1"), .service_id = S("web")});
    assert_false(exists(f, A));
    assert_true(exists(f, B));
    add_check(f, "n1", "up", "", "critical");
    assert_false(exists(f, B));
}

static void test_a_refused_registration_leaves_sessions_alone(void **state)
{
    struct fixture *f = *state;
    size_t n;
    make(f, A, "up", "");
    struct catalog_check bad = {.check_id = S("up"), .status = S("critical")};
    struct catalog_check refused = {.check_id = S("x"), .service_id = S("nosuch")};
    void *checks[] = {&bad, &refused};
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .skip_node_update = true, .checks = {checks, 2}});
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
    assert_true(exists(f, A));
    catalog_notices(f->c, &n);
    assert_int_equal(n, 0);
}

/* ---- Locks ---- */

static void test_one_session_holds_a_key_until_it_gives_it_back(void **state)
{
    struct fixture *f = *state;
    make(f, A, "up", "");           /* 3 */
    make(f, B, "up", "");           /* 4 */
    locked(f, "lock", "k", "1", A); /* 5 */
    assert_answer(f, true);
    expect_key(f, "k", A, 1, 5);
    locked(f, "lock", "k", "1", A); /* 6: nothing is changed */
    assert_answer(f, true);
    expect_key(f, "k", A, 1, 5);
    locked(f, "lock", "k", "2", A); /* 7: a new value, the same lock */
    expect_key(f, "k", A, 1, 7);
    locked(f, "lock", "k", "3", B);
    assert_answer(f, false);
    locked(f, "unlock", "k", "3", B);
    assert_answer(f, false);
    expect_key(f, "k", A, 1, 7);
    locked(f, "unlock", "k", "3", A); /* 10 */
    assert_answer(f, true);
    expect_key(f, "k", "", 1, 10);
    locked(f, "unlock", "k", "3", A);
    assert_answer(f, false);
    locked(f, "lock", "k", "4", B); /* 12 */
    expect_key(f, "k", B, 2, 12);
    locked(f, "unlock", "nosuch", "", B);
    assert_answer(f, false);
    locked(f, "unlock", "k", "", "");
    assert_refused(f, "missing session");
}

static void test_a_plain_write_keeps_the_holder(void **state)
{
    struct fixture *f = *state;
    make(f, A, "up", "");           /* 3 */
    locked(f, "lock", "k", "1", A); /* 4 */
    set(f, "k", "2");               /* 5 */
    expect_key(f, "k", A, 0, 5);
    kvs(f, "delete", "k", "", 0);
    destroy(f, A);
    expect_key(f, "k", NULL, 0, 0);
}

static void test_the_end_of_a_session_frees_or_deletes_what_it_held(void **state)
{
    struct fixture *f = *state;
    make(f, A, "up", "release");
    make(f, B, "up", "delete");
    locked(f, "lock", "a", "v", A_CAPS); /* as it was spelled */
    locked(f, "lock", "b", "v", A);
    locked(f, "lock", "c", "v", B);
    locked(f, "lock", "free", "v", B);
    locked(f, "unlock", "free", "v", B);
    set(f, "x", "v"); /* 10 */
    add_check(f, "n1", "up", "", "critical");
    expect_key(f, "a", "", 1, 11);
    expect_key(f, "b", "", 1, 11);
    expect_key(f, "c", NULL, 0, 0);
    expect_key(f, "free", "", 1, 9);
    expect_key(f, "x", "", 0, 10);
}

static void test_a_key_of_any_bytes_can_be_held(void **state)
{
    struct fixture *f = *state;
    static char name[5000];
    memset(name, 'a', sizeof name);
    name[3] = '\0';
    make(f, A, "", "");
    struct catalog_kvs_request request = {.op = S("lock"),
                                          .dir_ent = {.key = {name, sizeof name}, .session = S(A)}};
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    assert_answer(f, true);
    request.dir_ent.key.len = 4;
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    assert_answer(f, true);
    catalog__check(f->c);
    destroy(f, A);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_find_key(f->r, request.dir_ent.key)->session.len, 0);
    catalog_read_end(f->r);
}

/* ---- Notices ---- */

/* Applies one entry and renders what it told. */
static const char *notices(struct fixture *f, uint8_t type, enum catalog_type schema,
                           const void *request)
{
    static char out[1024];
    size_t n, len = 0;
    struct mu__writer w = entry(type, schema, request);
    struct catalog_result result;
    assert_int_equal(catalog_apply_begin(f->c), 0);
    assert_int_equal(catalog_apply(f->c, ++f->index, w.data, w.len, &result), 0);
    const struct catalog_notice *list = catalog_notices(f->c, &n);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        static const char *const kinds[] = {"made", "ended", "lost"};
        len += (size_t)snprintf(out + len, sizeof out - len, "%s %.*s %u;", kinds[list[i].kind],
                                (int)list[i].name.len, list[i].name.p,
                                (unsigned)(list[i].ns / MU_SEC));
    }
    catalog_apply_end(f->c, NULL);
    assert_null(catalog_notices(f->c, &n));
    mu__writer_fini(&w);
    return out;
}

static void test_an_entry_tells_of_ttls_and_lock_delays(void **state)
{
    struct fixture *f = *state;
    struct mu_str up[] = {S("up")};
    struct catalog_session_request a = {.op = S("create"),
                                        .session = {.id = S(A),
                                                    .node = S("n1"),
                                                    .ttl = S("30s"),
                                                    .lock_delay_ns = 90000000000,
                                                    .node_checks = {up, 1}}};
    assert_string_equal(notices(f, CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &a),
                        "made " A " 30;");
    a.session.id = S(B);
    a.session.ttl = S("");
    a.session.lock_delay_ns = 0;
    assert_string_equal(notices(f, CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &a),
                        "made " B " 0;");
    locked(f, "lock", "k1", "", A);
    locked(f, "lock", "k2", "", B);
    struct catalog_check down = {.check_id = S("up"), .status = S("critical")};
    struct catalog_register_request r = {.node = S("n1"), .check = &down, .skip_node_update = true};
    assert_string_equal(notices(f, CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, &r),
                        "lost k1 60;ended " A " 0;ended " B " 0;");
    a.op = S("destroy");
    assert_string_equal(notices(f, CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &a), "");
}

/* ---- Queries ---- */

static void test_sessions_are_listed_by_id_and_by_node(void **state)
{
    struct fixture *f = *state;
    struct catalog_indexed_sessions out;
    struct catalog_session_get_request by_id = {.session = S(A_CAPS)}; /* the old name */
    struct catalog_node_request by_node = {.node = S("N1")};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_sessions(f->r, &by_id, &out, NULL), 0);
    assert_int_equal(out.meta.index, 1);
    assert_null(out.sessions.items);
    catalog_read_end(f->r);
    make(f, B, "", ""); /* 3 */
    make(f, A, "", ""); /* 4 */
    add_node(f, "n2");
    session(
        f, "create", /* 6 */
        (struct catalog_session){.id = S("aaaaaaaa-0000-0000-0000-00000000000c"), .node = S("n2")});
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_sessions(f->r, &by_id, &out, NULL), 0);
    assert_int_equal(out.sessions.len, 3);
    assert_str(((struct catalog_session *)out.sessions.items[0])->id, A);
    assert_int_equal(catalog_query_node_sessions(f->r, &by_node, &out, NULL), 0);
    assert_int_equal(out.sessions.len, 2);
    assert_int_equal(out.meta.index, 6);
    assert_int_equal(catalog_query_session(f->r, &by_id, &out, NULL), 0);
    assert_int_equal(out.sessions.len, 1);
    assert_int_equal(((struct catalog_session *)out.sessions.items[0])->create_index, 4);
    by_id.session_id = S("abc");
    assert_int_equal(catalog_query_session(f->r, &by_id, &out, NULL), 0);
    assert_null(out.sessions.items);
    struct catalog_stats stats;
    catalog_read_stats(f->r, &stats);
    assert_int_equal(stats.sessions, 3);
    catalog_read_end(f->r);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void test_a_session_wakes_who_waits_for_it_and_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct catalog_watches *w;
    struct catalog_watch_keys keys;
    struct catalog_indexed_sessions out;
    struct catalog_session_get_request a = {.session_id = S(A)}, b = {.session_id = S(B)};
    struct catalog_node_request n2 = {.node = S("n2")};
    int woken_a = 0, woken_b = 0, woken_n2 = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_session(f->r, &a, &out, &keys), 0);
    assert_int_equal(catalog_watches_add(w, &keys, count_up, &woken_a, NULL), 0);
    assert_int_equal(catalog_query_session(f->r, &b, &out, &keys), 0);
    assert_int_equal(catalog_watches_add(w, &keys, count_up, &woken_b, NULL), 0);
    assert_int_equal(catalog_query_node_sessions(f->r, &n2, &out, &keys), 0);
    assert_int_equal(catalog_watches_add(w, &keys, count_up, &woken_n2, NULL), 0);
    catalog_read_end(f->r);
    make(f, A, "", "");
    catalog_watches_notify(w, f->touched);
    assert_int_equal(woken_a, 1);
    assert_int_equal(woken_b, 0);
    assert_int_equal(woken_n2, 0);
    catalog_watches_destroy(w);
}

/* ---- Snapshots ---- */

static int append(void *user, const void *data, size_t len)
{
    mu__write_bytes(user, data, len);
    return 0;
}

static int give(void *user, void *buf, size_t *len)
{
    struct mu__reader *r = user;
    *len = mu__min(*len, mu__reader_left(r));
    const uint8_t *p = mu__read_bytes(r, *len);
    memcpy(buf, p, *len);
    return 0;
}

static struct mu__writer saved(struct fixture *f)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_snapshot_write(f->r, append, &w), 0);
    catalog_read_end(f->r);
    return w;
}

static void test_a_restored_session_still_ends_with_its_check(void **state)
{
    struct fixture *f = *state;
    make(f, A, "up", "");
    locked(f, "lock", "k", "v", A);
    struct mu__writer w = saved(f);
    destroy(f, A);
    struct mu__reader r = mu__reader(w.data, w.len);
    size_t n;
    assert_int_equal(catalog_restore(f->c, give, &r, NULL), 0);
    catalog_notices(f->c, &n);
    assert_int_equal(n, 0);
    catalog__check(f->c);
    expect_key(f, "k", A, 1, 4);
    add_check(f, "n1", "up", "", "critical");
    assert_false(exists(f, A));
    expect_key(f, "k", "", 1, f->index);
    mu__writer_fini(&w);
}

/* A record of the snapshot is renamed, so that what refers to it is left alone in the world. */
static void test_a_snapshot_with_a_holder_or_a_check_that_is_not_there_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const spoilt[] = {"up", A};
    make(f, A, "up", "");
    locked(f, "lock", "k", "v", A);
    for (size_t i = 0; i < 2; i++) {
        struct mu__writer w = saved(f);
        size_t len = strlen(spoilt[i]), at = 0;
        while (memcmp(w.data + at, spoilt[i], len) != 0) { /* the record itself comes first */
            at++;
        }
        w.data[at + len - 1] = 'f';
        struct mu__reader r = mu__reader(w.data, w.len);
        assert_int_equal(catalog_restore(f->c, give, &r, NULL), CATALOG_ESNAPSHOT);
        assert_true(exists(f, A));
        mu__writer_fini(&w);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, with_node, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_session_needs_its_node_and_its_checks),
        TEST(test_an_id_is_36_characters_of_hexadecimal),
        TEST(test_ids_compare_without_case),
        TEST(test_a_session_ends_with_its_checks_and_its_node),
        TEST(test_a_session_ends_with_the_service_of_its_check),
        TEST(test_a_refused_registration_leaves_sessions_alone),
        TEST(test_one_session_holds_a_key_until_it_gives_it_back),
        TEST(test_a_plain_write_keeps_the_holder),
        TEST(test_the_end_of_a_session_frees_or_deletes_what_it_held),
        TEST(test_a_key_of_any_bytes_can_be_held),
        TEST(test_an_entry_tells_of_ttls_and_lock_delays),
        TEST(test_sessions_are_listed_by_id_and_by_node),
        TEST(test_a_session_wakes_who_waits_for_it_and_nobody_else),
        TEST(test_a_restored_session_still_ends_with_its_check),
        TEST(test_a_snapshot_with_a_holder_or_a_check_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
