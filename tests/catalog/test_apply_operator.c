/* Mirrors src/apply_operator.c: the one configuration of autopilot. */
#include "fixture.h"

static void configure(struct fixture *f, uint64_t max_trailing_logs, bool cas, uint64_t index)
{
    struct catalog_autopilot_set_request r = {
        .datacenter = S("dc1"),
        .cas = cas,
        .config = {.cleanup_dead_servers = true,
                   .max_trailing_logs = max_trailing_logs,
                   .redundancy_zone_tag = S("zone"),
                   .create_index = 777, /* not the caller's to say */
                   .modify_index = index}};
    apply(f, CATALOG_ENTRY_AUTOPILOT, CATALOG_AUTOPILOT_SET_REQUEST, &r);
}

/* As the query gives it; the text is lent from the version, so it is compared here. */
static struct catalog_autopilot_config read_config(struct fixture *f)
{
    struct catalog_dc_request request = {.datacenter = S("dc1")};
    struct catalog_autopilot_config out;
    struct catalog_watch_keys keys;
    catalog_read_begin(f->r);
    const struct catalog_autopilot_config *found = catalog_find_autopilot(f->r);
    assert_int_equal(catalog_query_autopilot(f->r, &request, &out, &keys), 0);
    assert_int_equal(keys.len, 0);
    if (found) {
        assert_true(mu__schema_equal(catalog_schema(CATALOG_AUTOPILOT_CONFIG), found, &out));
        assert_true(mu__str_eq(found->redundancy_zone_tag, S("zone")));
    }
    catalog_read_end(f->r);
    out.redundancy_zone_tag = S("");
    return out;
}

static void test_before_the_first_there_is_none(void **state)
{
    struct fixture *f = *state;
    catalog_read_begin(f->r);
    assert_null(catalog_find_autopilot(f->r));
    catalog_read_end(f->r);
    assert_int_equal(read_config(f).modify_index, 0);
}

static void test_the_last_one_set_holds_and_keeps_when_it_was_made(void **state)
{
    struct fixture *f = *state;
    configure(f, 250, false, 0);
    assert_int_equal(f->result.kind, CATALOG_RESULT_NONE);
    configure(f, 300, false, 12345);
    assert_int_equal(f->result.kind, CATALOG_RESULT_NONE);
    struct catalog_autopilot_config c = read_config(f);
    assert_int_equal(c.max_trailing_logs, 300);
    assert_true(c.cleanup_dead_servers);
    assert_int_equal(c.create_index, 1);
    assert_int_equal(c.modify_index, 2);
}

static void test_cas_compares_the_modify_index(void **state)
{
    struct fixture *f = *state;
    configure(f, 1, true, 0); /* nothing to compare with */
    assert_int_equal(f->result.kind, CATALOG_RESULT_BOOL);
    assert_false(f->result.value);
    configure(f, 2, false, 0);
    configure(f, 3, true, 1);
    assert_false(f->result.value);
    assert_int_equal(read_config(f).max_trailing_logs, 2);
    configure(f, 4, true, 2);
    assert_true(f->result.value);
    assert_int_equal(read_config(f).max_trailing_logs, 4);
    assert_int_equal(read_config(f).modify_index, 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_before_the_first_there_is_none),
        TEST(test_the_last_one_set_holds_and_keeps_when_it_was_made),
        TEST(test_cas_compares_the_modify_index),
    };
    return cmocka_run_group_tests_name("apply_operator", tests, NULL, NULL);
}
