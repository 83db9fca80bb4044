/* Mirrors src/apply_intention.c, tables_intention.c and query_intention.c: what is refused, what an
 * intention is stored as, and who is woken. Which one decides: test_against_model. */
#include "fixture.h"

#include <muster/catalog_intention.h>

#define ID       "6ac36a50-2cae-a5e8-217a-0c9075a9387b"
#define OTHER_ID "ea8e4d6f-f6b8-047a-4ed6-ec953d3eb1f8"

static struct catalog_intention from_to(const char *source, const char *destination)
{
    return (struct catalog_intention){.source_name = mu__cstr(source),
                                      .destination_name = mu__cstr(destination),
                                      .action = S("allow")};
}

static void change(struct fixture *f, const char *op, const char *id, struct catalog_intention x)
{
    struct catalog_intention_request r = {.op = mu__cstr(op), .intention = &x};
    x.id = mu__cstr(id);
    apply(f, CATALOG_ENTRY_INTENTION, CATALOG_INTENTION_REQUEST, &r);
    catalog__check(f->c);
}

static const struct catalog_intention *get(struct fixture *f, const char *id)
{
    return catalog_find_intention(f->r, mu__cstr(id)); /* the reader is open */
}

static size_t count(struct fixture *f)
{
    struct catalog_indexed_intentions out;
    struct catalog_dc_request all = {.datacenter = S("")};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_intentions(f->r, &all, &out, NULL), 0);
    catalog_read_end(f->r);
    return out.intentions.len;
}

/* The names, precedence and hash were seen in Consul 1.8.7. */
static void test_what_is_stored_is_what_consul_stores(void **state)
{
    struct fixture *f = *state;
    static const uint8_t hash[] = {0x5d, 0xa6, 0xb3, 0x96, 0x34, 0x1c, 0x32, 0x68, 0x66, 0xb5, 0xb0,
                                   0x3d, 0x82, 0x67, 0xef, 0x4a, 0x68, 0x7c, 0xc6, 0x3a, 0xe9, 0x2d,
                                   0x0c, 0xb7, 0xa9, 0x64, 0x38, 0xbb, 0xf6, 0x81, 0x89, 0x5a};
    struct mu_pair meta[] = {{S("a"), S("b")}};
    struct catalog_intention x = from_to("web", "db");
    x.description = S("d");
    x.meta = (struct mu_strmap){meta, 1};
    x.precedence = 3; /* what others say about these does not count */
    x.hash = S("x");
    x.modify_index = 77;
    x.created_at = x.updated_at = (struct mu_time){5, 0};
    change(f, "create", ID, x);
    assert_done(f);
    x.meta.len = 0;
    x.updated_at = x.created_at = (struct mu_time){6, 0};
    x.source_name = S("*");
    change(f, "create", OTHER_ID, x);
    assert_done(f);
    catalog_read_begin(f->r);
    const struct catalog_intention *got = get(f, ID);
    assert_str(got->source_ns, "default");
    assert_str(got->destination_ns, "default");
    assert_str(got->source_type, "consul");
    assert_int_equal(got->precedence, 9);
    assert_int_equal(got->hash.len, sizeof hash);
    assert_memory_equal(got->hash.p, hash, sizeof hash);
    assert_int_equal(got->create_index, 1);
    assert_int_equal(got->modify_index, 1);
    assert_int_equal(get(f, OTHER_ID)->precedence, 8);
    assert_non_null(get(f, OTHER_ID)->meta.items); /* empty, not nil */
    catalog_read_end(f->r);
    x = from_to("web", "db");
    x.updated_at = x.created_at = (struct mu_time){9, 0};
    change(f, "update", ID, x);
    assert_done(f);
    catalog_read_begin(f->r);
    got = get(f, ID);
    assert_int_equal(got->created_at.since_year1_s, 5);
    assert_int_equal(got->updated_at.since_year1_s, 9);
    assert_int_equal(got->create_index, 1);
    assert_int_equal(got->modify_index, 3);
    catalog_read_end(f->r);
}

static void test_what_is_wrong_is_said_in_consuls_words(void **state)
{
    struct fixture *f = *state;
    static char long_name[600], zero[] = "a\0b";
    memset(long_name, 'n', sizeof long_name - 1);
    change(f, "create", ID, from_to("", ""));
    assert_refused(f, "2 errors occurred:\n\t* SourceName must be set\n"
                      "\t* DestinationName must be set\n\n");
    struct catalog_intention x = from_to("a*", "b");
    x.action = S("maybe");
    x.source_type = S("other");
    x.destination_ns = S("*");
    change(f, "create", ID, x);
    assert_refused(f, "4 errors occurred:\n"
                      "\t* SourceName: wildcard character '*' cannot be used with partial values\n"
                      "\t* DestinationName: exact value cannot follow wildcard namespace\n"
                      "\t* Action must be set to 'allow' or 'deny'\n"
                      "\t* SourceType must be set to 'consul'\n\n");
    change(f, "create", ID, from_to(long_name, "b"));
    assert_refused(f, "1 error occurred:\n\t* Names must not contain a zero byte or be longer "
                      "than 512 bytes\n\n");
    x = from_to("a", "b");
    x.destination_name = (struct mu_str){zero, 3};
    change(f, "create", ID, x);
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
    change(f, "create", "", from_to("a", "b"));
    assert_refused(f, "Missing Intention ID");
    change(f, "nonsense", ID, from_to("a", "b"));
    assert_refused(f, "Invalid Intention operation 'nonsense'");
    struct catalog_intention_request none = {.op = S("create")};
    apply(f, CATALOG_ENTRY_INTENTION, CATALOG_INTENTION_REQUEST, &none);
    assert_refused(f, "Must provide an intention");
    change(f, "update", ID, from_to("a", "b"));
    assert_refused(f, "Cannot modify non-existent intention: '" ID "'");
    change(f, "delete", ID, from_to("", ""));
    assert_refused(f, "Cannot delete non-existent intention: '" ID "'");
    change(f, "delete", "x", from_to("", ""));
    assert_refused(f, "Intention lookup failed: failed intention lookup: index error: UUID must "
                      "be 36 characters");
    assert_int_equal(count(f), 0);
}

static void test_a_pair_has_one_intention_whatever_its_spelling(void **state)
{
    struct fixture *f = *state;
    change(f, "create", ID, from_to("web", "db"));
    change(f, "create", OTHER_ID, from_to("WEB", "Db"));
    assert_refused(f, "duplicate intention found: ALLOW default/web => default/db (ID: " ID
                      ", Precedence: 9)");
    change(f, "create", ID, from_to("a", "b"));
    assert_refused(f, "Missing Intention ID");
    change(f, "create", OTHER_ID, from_to("web", "*"));
    change(f, "update", OTHER_ID, from_to("web", "DB"));
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
    change(f, "update", ID, from_to("Web", "db")); /* its own */
    assert_done(f);
    assert_int_equal(count(f), 2);
}

/* Consul 1.9 */
static void test_a_pair_is_written_and_deleted_without_its_id(void **state)
{
    struct fixture *f = *state;
    struct catalog_intention x = from_to("web", "db");
    change(f, "upsert", ID, x);
    x.action = S("deny");
    x.source_name = S("Web");
    change(f, "upsert", OTHER_ID, x); /* it is there: the new id is not taken */
    assert_done(f);
    assert_int_equal(count(f), 1);
    catalog_read_begin(f->r);
    assert_null(get(f, OTHER_ID));
    assert_str(get(f, ID)->action, "deny");
    struct catalog_intention_pair pair = {.source_name = S("WEB"), .destination_name = S("DB")};
    struct catalog_intention_query q = {.exact = &pair};
    struct catalog_indexed_intentions out;
    const char *why;
    assert_int_equal(catalog_query_intention(f->r, &q, &out, NULL, &why), 0);
    assert_null(why);
    assert_int_equal(out.intentions.len, 1);
    pair.source_name = S("*"); /* no pattern, but a name */
    assert_int_equal(catalog_query_intention(f->r, &q, &out, NULL, &why), 0);
    assert_string_equal(why, "Intention not found");
    catalog_read_end(f->r);
    change(f, "delete", "", x);
    assert_done(f);
    change(f, "delete", "", x); /* as it should be */
    assert_done(f);
    assert_int_equal(count(f), 0);
}

static void test_questions_without_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    struct catalog_intention_query q = {.intention_id = S("x")};
    struct catalog_indexed_intentions one;
    struct catalog_indexed_intention_matches many;
    struct catalog_intention_verdict verdict;
    struct catalog_intention_match match = {.type = S("middle")};
    struct catalog_intention_pair pair = {.source_type = S("x\"y")};
    const char *why;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_intention(f->r, &q, &one, NULL, &why), 0);
    assert_string_equal(why, "failed intention lookup: index error: UUID must be 36 characters");
    assert_int_equal(catalog_query_intention_matches(f->r, &q, &many, NULL, &why), 0);
    assert_non_null(why);
    q.match = &match;
    assert_int_equal(catalog_query_intention_matches(f->r, &q, &many, NULL, &why), 0);
    assert_non_null(why);
    match = (struct catalog_intention_match){S("source"), {NULL, 5000}};
    assert_int_equal(catalog_query_intention_matches(f->r, &q, &many, NULL, &why), 0);
    assert_non_null(why);
    assert_int_equal(catalog_query_intention_check(f->r, &q, true, &verdict, NULL, &why), 0);
    assert_string_equal(why, "Check must be specified on args");
    q.check = &pair;
    assert_int_equal(catalog_query_intention_check(f->r, &q, true, &verdict, NULL, &why), 0);
    assert_string_equal(why, "unsupported SourceType: \"x\\\"y\"");
    assert_false(verdict.allowed);
    pair.source_type = S("consul");
    assert_int_equal(catalog_query_intention_check(f->r, &q, true, &verdict, NULL, &why), 0);
    assert_true(verdict.allowed);
    assert_int_equal(catalog_query_intention_check(f->r, &q, false, &verdict, NULL, &why), 0);
    assert_false(verdict.allowed);
    catalog_read_end(f->r);
}

static void woken(void *arg)
{
    ++*(int *)arg;
}

/* Who waits for what bears on db. */
static bool wakes(struct fixture *f, const char *op, const char *id, const char *source,
                  const char *destination)
{
    struct catalog_watches *w;
    struct catalog_watch_keys keys;
    struct catalog_intention_name name = {.name = S("db")};
    void *entries[] = {&name};
    struct catalog_intention_match match = {S("destination"), {entries, 1}};
    struct catalog_intention_query q = {.match = &match};
    struct catalog_indexed_intention_matches out;
    const char *why;
    int times = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_intention_matches(f->r, &q, &out, &keys, &why), 0);
    assert_int_equal(catalog_watches_add(w, &keys, woken, &times, NULL), 0);
    catalog_read_end(f->r);
    change(f, op, id, from_to(source, destination));
    assert_done(f);
    catalog_watches_notify(w, f->touched);
    catalog_watches_destroy(w);
    return times > 0;
}

static void test_who_waits_for_a_destination_is_woken_for_what_bears_on_it(void **state)
{
    struct fixture *f = *state;
    assert_true(wakes(f, "create", ID, "web", "DB"));
    assert_true(wakes(f, "update", ID, "web", "cache")); /* it leaves */
    assert_false(wakes(f, "update", ID, "db", "cache"));
    assert_true(wakes(f, "update", ID, "db", "*"));
    assert_true(wakes(f, "delete", ID, "", ""));
    assert_false(wakes(f, "create", ID, "db", "web"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_stored_is_what_consul_stores),
        TEST(test_what_is_wrong_is_said_in_consuls_words),
        TEST(test_a_pair_has_one_intention_whatever_its_spelling),
        TEST(test_a_pair_is_written_and_deleted_without_its_id),
        TEST(test_questions_without_sense_are_refused),
        TEST(test_who_waits_for_a_destination_is_woken_for_what_bears_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
