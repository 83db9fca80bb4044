/* Mirrors src/query_dump.c: whole nodes, and all instances. */
#include "fixture.h"

#include <muster/catalog_dump.h>

static void fill(struct fixture *f)
{
    add_node(f, "n1");
    add_node(f, "n2");
    add_service(f, "n1", "w1", "web");
    add_service(f, "n1", "d1", "db");
    add_check(f, "n1", "c1", "w1", "passing");
    add_check(f, "n1", "nc", "", "critical");
}

static void on_wake(void *arg)
{
    ++*(int *)arg;
}

static void test_a_node_is_dumped_with_all_that_is_on_it(void **state)
{
    struct fixture *f = *state;
    struct catalog_dc_request q = {.datacenter = S("dc1")};
    struct catalog_indexed_node_dump out;
    fill(f);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_node_dump(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.dump.len, 2);
    const struct catalog_node_info *n = out.dump.items[0];
    assert_str(n->node, "n1");
    assert_str(n->address, "10.0.0.1");
    assert_int_equal(n->services.len, 2);
    assert_str(((struct catalog_node_service *)n->services.items[0])->id, "d1");
    assert_int_equal(n->checks.len, 2);
    n = out.dump.items[1];
    assert_true(n->services.items && n->services.len == 0); /* empty, not nil */
    assert_true(n->checks.items && n->checks.len == 0);
    assert_int_equal(out.meta.index, f->index);
    catalog_read_end(f->r);
}

static void test_one_node_is_found_by_its_name_in_any_case(void **state)
{
    struct fixture *f = *state;
    struct catalog_node_request q = {.node = S("N1")};
    struct catalog_indexed_node_dump out;
    fill(f);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_node_info(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.dump.len, 1);
    q.node = S("nope");
    assert_int_equal(catalog_query_node_info(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.dump.len, 0);
    catalog_read_end(f->r);
}

static void test_instances_come_with_the_checks_that_bear_on_them(void **state)
{
    struct fixture *f = *state;
    struct catalog_service_dump_request q = {.datacenter = S("dc1")};
    struct catalog_indexed_check_service_nodes out;
    fill(f);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_service_dump(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.nodes.len, 2);
    const struct catalog_check_service_node *n = out.nodes.items[1];
    assert_str(n->service->service, "web");
    assert_str(n->node->node, "n1");
    assert_int_equal(n->checks.len, 2);
    q.use_service_kind = true;
    q.service_kind = S("connect-proxy");
    assert_int_equal(catalog_query_service_dump(f->r, &q, &out, NULL), 0);
    assert_int_equal(out.nodes.len, 0);
    catalog_read_end(f->r);
}

/* How many of three waiters (all nodes, node n1, all instances) the next change wakes. */
static int wait_for(struct fixture *f, void (*change)(struct fixture *f))
{
    struct catalog_watches *w;
    struct catalog_watch_keys keys;
    struct catalog_indexed_node_dump nodes;
    struct catalog_indexed_check_service_nodes instances;
    struct catalog_dc_request all = {.datacenter = S("dc1")};
    struct catalog_node_request one = {.node = S("n1")};
    struct catalog_service_dump_request services = {.datacenter = S("dc1")};
    int woken = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_node_dump(f->r, &all, &nodes, &keys), 0);
    assert_int_equal(catalog_watches_add(w, &keys, on_wake, &woken, NULL), 0);
    assert_int_equal(catalog_query_node_info(f->r, &one, &nodes, &keys), 0);
    assert_int_equal(catalog_watches_add(w, &keys, on_wake, &woken, NULL), 0);
    assert_int_equal(catalog_query_service_dump(f->r, &services, &instances, &keys), 0);
    assert_int_equal(catalog_watches_add(w, &keys, on_wake, &woken, NULL), 0);
    catalog_read_end(f->r);
    change(f);
    catalog_watches_notify(w, f->touched);
    catalog_watches_destroy(w);
    return woken;
}

static void change_service(struct fixture *f)
{
    add_service(f, "n1", "x", "x");
}
static void change_check(struct fixture *f)
{
    add_check(f, "n1", "nc", "", "passing");
}
static void change_other_node(struct fixture *f)
{
    add_node(f, "n9");
}
static void change_key(struct fixture *f)
{
    set(f, "k", "v");
}

static void test_changes_wake_those_whose_answer_they_change(void **state)
{
    struct fixture *f = *state;
    fill(f);
    assert_int_equal(wait_for(f, change_service), 3);
    assert_int_equal(wait_for(f, change_check), 3);
    assert_int_equal(wait_for(f, change_other_node), 1);
    assert_int_equal(wait_for(f, change_key), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_node_is_dumped_with_all_that_is_on_it),
        TEST(test_one_node_is_found_by_its_name_in_any_case),
        TEST(test_instances_come_with_the_checks_that_bear_on_them),
        TEST(test_changes_wake_those_whose_answer_they_change),
    };
    return cmocka_run_group_tests_name("query_dump", tests, NULL, NULL);
}
