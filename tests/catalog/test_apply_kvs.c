/* Mirrors src/apply_kvs.c, tables_kv.c and query_kv.c: writes, and the indexes that lists
 * report. */
#include "fixture.h"

static void get(struct fixture *f, const char *key, const char *value, uint64_t index)
{
    struct catalog_key_request request = {.key = mu__cstr(key)};
    struct catalog_indexed_dir_entries out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_key(f->r, &request, &out, NULL), 0);
    assert_int_equal(out.meta.index, index);
    assert_int_equal(out.entries.len, value ? 1 : 0);
    if (value) {
        const struct catalog_dir_entry *e = out.entries.items[0];
        assert_str(e->value, value);
    }
    catalog_read_end(f->r);
}

/* "a/b a/c": the keys below a prefix, and the index of the list. */
static void list(struct fixture *f, const char *prefix, const char *expected, uint64_t index)
{
    struct catalog_key_request request = {.key = mu__cstr(prefix)};
    struct catalog_indexed_dir_entries out;
    char got[256] = "";
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_keys(f->r, &request, &out, NULL), 0);
    for (size_t i = 0; i < out.entries.len; i++) {
        const struct catalog_dir_entry *e = out.entries.items[i];
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s%.*s", n ? " " : "", (int)e->key.len, e->key.p);
    }
    assert_string_equal(got, expected);
    assert_int_equal(out.meta.index, index);
    assert_int_equal(out.entries.items == NULL, expected[0] == '\0');
    catalog_read_end(f->r);
}

static void names(struct fixture *f, const char *prefix, const char *separator,
                  const char *expected)
{
    struct catalog_key_list_request request = {.prefix = mu__cstr(prefix),
                                               .separator = mu__cstr(separator)};
    struct catalog_indexed_key_list out;
    char got[256] = "";
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_key_names(f->r, &request, &out, NULL), 0);
    for (size_t i = 0; i < out.keys.len; i++) {
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s%.*s", n ? " " : "", (int)out.keys.items[i].len,
                 out.keys.items[i].p);
    }
    assert_string_equal(got, expected);
    catalog_read_end(f->r);
}

static void expect_bool(struct fixture *f, bool value)
{
    assert_int_equal(f->result.kind, CATALOG_RESULT_BOOL);
    assert_int_equal(f->result.value, value);
}

static void test_an_empty_store_reports_index_1(void **state)
{
    struct fixture *f = *state;
    get(f, "missing", NULL, 1);
    list(f, "a/", "", 1);
    list(f, "", "", 1);
}

static void test_a_key_has_its_own_index(void **state)
{
    struct fixture *f = *state;
    set(f, "a/b", "v1");
    assert_done(f);
    set(f, "a/c", "v2");
    set(f, "ab", "v2");
    get(f, "a/b", "v1", 1);
    get(f, "a/x", NULL, 3);
    list(f, "a/", "a/b a/c", 2);
    list(f, "a", "a/b a/c ab", 3);
    list(f, "zzz", "", 3);
}

static void test_writing_the_same_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    set(f, "k", "v");
    set(f, "k", "v");
    assert_true(catalog_touched_is_empty(f->touched));
    get(f, "k", "v", 1);
    set(f, "k", "w");
    get(f, "k", "w", 3);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_find_key(f->r, S("k"))->create_index, 1);
    catalog_read_end(f->r);
}

static void test_keys_are_bytes(void **state)
{
    struct fixture *f = *state;
    struct catalog_kvs_request request = {.op = S("set"),
                                          .dir_ent = {.key = S("a\0b"), .value = S("1")}};
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    set(f, "A", "2");
    set(f, "a", "3");
    get(f, "A", "2", 2);
    get(f, "a", "3", 3);
    catalog_read_begin(f->r);
    assert_str(catalog_find_key(f->r, S("a\0b"))->value, "1");
    catalog_read_end(f->r);
    kvs(f, "set", "", "x", 0);
    assert_refused(f, "Must provide key");
}

static void test_cas_compares_the_modify_index(void **state)
{
    struct fixture *f = *state;
    kvs(f, "cas", "k", "v1", 7);
    expect_bool(f, false);
    kvs(f, "cas", "k", "v1", 0); /* 0: only if absent */
    expect_bool(f, true);
    kvs(f, "cas", "k", "v2", 0);
    expect_bool(f, false);
    kvs(f, "cas", "k", "v2", 2);
    expect_bool(f, true);
    get(f, "k", "v2", 4);
    kvs(f, "delete-cas", "k", "", 2);
    expect_bool(f, false);
    kvs(f, "delete-cas", "k", "", 0);
    expect_bool(f, false);
    kvs(f, "delete-cas", "k", "", 4);
    expect_bool(f, true);
    kvs(f, "delete-cas", "k", "", 4); /* missing is as good as deleted */
    expect_bool(f, true);
    get(f, "k", NULL, 7);
}

static void test_without_sessions_nothing_can_be_locked(void **state)
{
    struct fixture *f = *state;
    struct catalog_kvs_request request = {.op = S("lock"), .dir_ent = {.key = S("k")}};
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    assert_refused(f, "missing session");
    request.dir_ent.session = S("abc");
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    assert_refused(f, "failed session lookup: index error: UUID must be 36 characters");
    request.dir_ent.session = S("aaaaaaaa-0000-0000-0000-000000000001");
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    assert_refused(f, "invalid session \"aaaaaaaa-0000-0000-0000-000000000001\"");
    request.op = S("unlock");
    apply(f, CATALOG_ENTRY_KVS, CATALOG_KVS_REQUEST, &request);
    expect_bool(f, false);
    kvs(f, "frob", "k", "v", 0);
    assert_refused(f, "Invalid KVS operation 'frob'");
}

static void test_tombstones_keep_a_list_from_going_back(void **state)
{
    struct fixture *f = *state;
    set(f, "a/b", "v");             /* 1 */
    set(f, "a/c", "v");             /* 2 */
    set(f, "ab", "v");              /* 3 */
    kvs(f, "delete", "a/b", "", 0); /* 4 */
    assert_done(f);
    get(f, "a/b", NULL, 4);
    list(f, "a/", "a/c", 4);
    list(f, "a/c", "a/c", 2);
    kvs(f, "delete-tree", "a/", "", 0); /* 5 */
    list(f, "a/", "", 5);
    list(f, "a/c", "", 5); /* nothing known below it: the table */
    list(f, "", "ab", 5);
    list(f, "a/b", "", 5);
    set(f, "a/d", "v"); /* 6 */
    list(f, "a/", "a/d", 6);
    kvs(f, "delete", "nosuch", "", 0);
    assert_true(catalog_touched_is_empty(f->touched));
}

static void test_deleting_everything_leaves_no_tombstone(void **state)
{
    struct fixture *f = *state;
    set(f, "a", "v");
    set(f, "b", "v");
    kvs(f, "delete-tree", "", "", 0);
    list(f, "", "", 3);
    catalog_read_begin(f->r);
    struct catalog_stats stats;
    catalog_read_stats(f->r, &stats);
    assert_int_equal(stats.keys, 0);
    assert_int_equal(stats.tombstones, 0);
    catalog_read_end(f->r);
}

static void test_reaping_forgets_old_tombstones(void **state)
{
    struct fixture *f = *state;
    set(f, "a/b", "v");
    set(f, "a/c", "v");
    kvs(f, "delete", "a/b", "", 0);
    kvs(f, "delete", "a/c", "", 0);
    struct catalog_tombstone_request reap = {.op = S("reap"), .reap_index = 3};
    apply(f, CATALOG_ENTRY_TOMBSTONE, CATALOG_TOMBSTONE_REQUEST, &reap);
    assert_done(f);
    struct catalog_stats stats;
    catalog_read_begin(f->r);
    catalog_read_stats(f->r, &stats);
    catalog_read_end(f->r);
    assert_int_equal(stats.tombstones, 1);
    assert_int_equal(stats.tombstones_newest, 4);
    list(f, "a/", "", 4);
    reap.op = S("x");
    apply(f, CATALOG_ENTRY_TOMBSTONE, CATALOG_TOMBSTONE_REQUEST, &reap);
    assert_refused(f, "Invalid Tombstone operation 'x'");
}

static void test_names_are_cut_at_the_separator(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = {"a/b/c", "a/b/d", "a/e", "ab", "b", "c--d--e"};
    for (size_t i = 0; i < 6; i++) {
        set(f, keys[i], "v");
    }
    names(f, "", "", "a/b/c a/b/d a/e ab b c--d--e");
    names(f, "", "/", "a/ ab b c--d--e");
    names(f, "a/", "/", "a/b/ a/e");
    names(f, "a", "/", "a/ ab");
    names(f, "c", "--", "c--");
    names(f, "c--", "--", "c--d--");
    names(f, "zz", "/", "");
}

static void test_a_body_that_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {"\x02",         "\x02\xc1",  "\x02\x81",
                                         "\x02\x80\x80", "\x02\xa1k", "\x02\xdf\xff\xff\xff\xff"};
    static const size_t lens[] = {1, 2, 2, 3, 3, 6};
    for (size_t i = 0; i < 6; i++) {
        apply_bytes(f, bodies[i], lens[i]);
        assert_refused(f, "failed to decode request");
    }
}

static void test_unknown_entries_stop_the_server_unless_marked(void **state)
{
    struct fixture *f = *state;
    apply_bytes(f, "\x8a\x80", 2);
    assert_done(f);
    struct catalog_result result;
    assert_int_equal(catalog_apply_begin(f->c), 0);
    assert_int_equal(catalog_apply(f->c, 2, "\x63\x80", 2, &result), CATALOG_EUNKNOWN);
    assert_str(result.error, "log entry 2 has type 99, which this release does not know");
    assert_int_equal(catalog_err_class(CATALOG_EUNKNOWN), MU_CLASS_FATAL);
    assert_int_equal(catalog_apply(f->c, 0, "\x8a", 1, &result), CATALOG_EINVAL);
    assert_int_equal(catalog_apply(f->c, 2, "", 0, &result), CATALOG_EINVAL);
    catalog_apply_end(f->c, NULL);
    assert_int_equal(catalog_index(f->c), 1);
}

static void test_an_entry_is_encoded_into_a_buffer_of_the_caller(void **state)
{
    struct fixture *f = *state;
    struct catalog_kvs_request request = {.op = S("set"),
                                          .dir_ent = {.key = S("k"), .value = S("v")}};
    uint8_t buf[512];
    size_t len = 0;
    assert_int_equal(catalog_encode_entry(CATALOG_ENTRY_KVS, &request, NULL, &len),
                     CATALOG_ENOBUFS);
    assert_in_range(len, 20, sizeof buf);
    size_t room = len;
    assert_int_equal(catalog_encode_entry(CATALOG_ENTRY_KVS, &request, buf, &room), 0);
    assert_int_equal(room, len);
    apply_bytes(f, buf, len);
    assert_done(f);
    get(f, "k", "v", 1);
    assert_int_equal(catalog_encode_entry(CATALOG_IGNORABLE, &request, buf, &room), CATALOG_EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_store_reports_index_1),
        TEST(test_a_key_has_its_own_index),
        TEST(test_writing_the_same_again_changes_nothing),
        TEST(test_keys_are_bytes),
        TEST(test_cas_compares_the_modify_index),
        TEST(test_without_sessions_nothing_can_be_locked),
        TEST(test_tombstones_keep_a_list_from_going_back),
        TEST(test_deleting_everything_leaves_no_tombstone),
        TEST(test_reaping_forgets_old_tombstones),
        TEST(test_names_are_cut_at_the_separator),
        TEST(test_a_body_that_makes_no_sense_is_refused),
        TEST(test_an_entry_is_encoded_into_a_buffer_of_the_caller),
        TEST(test_unknown_entries_stop_the_server_unless_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
