/* Mirrors src/coordinates.c and src/near.c: where nodes are, and lists sorted by it. */
#include "fixture.h"

#include <math.h>

#define BATCH_MAX 8

static double no_place[8];

struct place {
    const char *node, *segment;
    double x;
};

/* One entry with the coordinates of several nodes on a line. */
static void tell(struct fixture *f, const struct place *places, size_t n)
{
    struct catalog_coordinate coordinates[BATCH_MAX];
    struct catalog_vivaldi vivaldis[BATCH_MAX];
    double vecs[BATCH_MAX][8] = {{0}};
    void *items[BATCH_MAX];
    assert_true(n <= BATCH_MAX);
    for (size_t i = 0; i < n; i++) {
        vecs[i][0] = places[i].x;
        vivaldis[i] = (struct catalog_vivaldi){.vec = {vecs[i], 8}, .error = 1, .height = 1e-3};
        coordinates[i] = (struct catalog_coordinate){.node = mu__cstr(places[i].node),
                                                     .segment = mu__cstr(places[i].segment),
                                                     .coord = &vivaldis[i]};
        items[i] = &coordinates[i];
    }
    struct catalog_coordinate_batch batch = {.updates = {items, n}};
    apply(f, CATALOG_ENTRY_COORDINATES, CATALOG_COORDINATE_BATCH, &batch);
}

/* "node/segment=x ..." of all, or of one node. */
static const char *all_of(struct fixture *f, const char *node, uint64_t *index)
{
    static char text[256];
    struct catalog_indexed_coordinates out;
    struct catalog_watch_keys keys;
    const struct catalog_dc_request all = {.datacenter = S("dc1")};
    const struct catalog_node_request one = {.node = mu__cstr(node)};
    text[0] = '\0';
    catalog_read_begin(f->r);
    assert_int_equal(node ? catalog_query_coordinate(f->r, &one, &out, &keys)
                          : catalog_query_coordinates(f->r, &all, &out, &keys),
                     0);
    assert_int_equal(keys.len, 1);
    for (size_t i = 0; i < out.coordinates.len; i++) {
        const struct catalog_coordinate *c = out.coordinates.items[i];
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%.*s/%.*s=%g ", (int)c->node.len, c->node.p,
                 (int)c->segment.len, c->segment.p, c->coord->vec.items[0]);
    }
    if (index) {
        *index = out.meta.index;
    }
    catalog_read_end(f->r);
    return text;
}

static void three_nodes(struct fixture *f)
{
    add_node(f, "a");
    add_node(f, "b");
    add_node(f, "c");
}

static void test_the_newest_coordinate_of_a_node_holds(void **state)
{
    struct fixture *f = *state;
    uint64_t index;
    three_nodes(f);
    assert_string_equal(all_of(f, NULL, &index), "");
    assert_int_equal(index, 1); /* nobody could wait for 0 */
    tell(f, (struct place[]){{"b", "", 2}, {"a", "", 1}}, 2);
    tell(f, (struct place[]){{"a", "", 3}}, 1);
    assert_string_equal(all_of(f, NULL, &index), "a/=3 b/=2 ");
    assert_int_equal(index, f->index);
    assert_string_equal(all_of(f, "A", NULL), "A/=3 "); /* letters are folded */
    assert_string_equal(all_of(f, "c", NULL), "");
}

static void test_a_node_has_one_coordinate_per_segment(void **state)
{
    struct fixture *f = *state;
    three_nodes(f);
    tell(f, (struct place[]){{"a", "", 1}, {"a", "s1", 2}, {"ab", "", 3}}, 3);
    assert_string_equal(all_of(f, "a", NULL), "a/=1 a/s1=2 ");
}

static void test_coordinates_of_unknown_nodes_are_passed_over(void **state)
{
    struct fixture *f = *state;
    uint64_t index;
    three_nodes(f);
    tell(f, (struct place[]){{"nosuch", "", 1}, {"a", "", 1}, {"", "", 1}}, 3);
    assert_done(f);
    assert_string_equal(all_of(f, NULL, &index), "a/=1 ");
    assert_int_equal(index, f->index);
    struct catalog_coordinate none = {.node = S("b")};
    void *items[] = {&none};
    struct catalog_coordinate_batch batch = {.updates = {items, 1}};
    apply(f, CATALOG_ENTRY_COORDINATES, CATALOG_COORDINATE_BATCH, &batch);
    assert_string_equal(all_of(f, NULL, NULL), "a/=1 ");
}

static void test_coordinates_go_with_their_node(void **state)
{
    struct fixture *f = *state;
    uint64_t index;
    three_nodes(f);
    tell(f, (struct place[]){{"a", "", 1}, {"a", "s1", 2}, {"b", "", 3}}, 3);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("a")});
    assert_string_equal(all_of(f, NULL, &index), "b/=3 ");
    assert_int_equal(index, f->index);
    add_node(f, "a");
    assert_string_equal(all_of(f, "a", NULL), "");
}

static void no_matter(void *arg)
{
    (void)arg;
}

static bool wakes(struct fixture *f, const char *node)
{
    struct catalog_indexed_coordinates out;
    struct catalog_watch_keys keys;
    struct catalog_watches *w;
    const struct catalog_node_request one = {.node = mu__cstr(node)};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_coordinate(f->r, &one, &out, &keys), 0);
    keys.version = 0; /* as if it had been asked before the last entry */
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    assert_int_equal(catalog_watches_add(w, &keys, no_matter, NULL, NULL), 0);
    catalog_read_end(f->r);
    bool is = catalog_watches_notify(w, f->touched) == 1;
    catalog_watches_destroy(w);
    return is;
}

static void test_only_who_waits_for_the_node_is_woken(void **state)
{
    struct fixture *f = *state;
    three_nodes(f);
    tell(f, (struct place[]){{"a", "", 1}}, 1);
    assert_true(wakes(f, "a"));
    assert_false(wakes(f, "b"));
    apply_deregister(f, (struct catalog_deregister_request){.node = S("a")});
    assert_true(wakes(f, "a"));
}

/* ---- Near ---- */

/* The nodes in order, as ?near= asks. */
static const char *nodes_near(struct fixture *f, const char *from, const char *datacenter)
{
    static char text[64];
    struct catalog_indexed_nodes out;
    struct catalog_dc_request request = {
        .datacenter = S("dc1"),
        .source = {.datacenter = mu__cstr(datacenter), .node = mu__cstr(from)}};
    text[0] = '\0';
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_nodes(f->r, &request, &out, NULL), 0);
    for (size_t i = 0; i < out.nodes.len; i++) {
        struct mu_str name = ((const struct catalog_node *)out.nodes.items[i])->node;
        strncat(text, name.p, name.len);
    }
    catalog_read_end(f->r);
    return text;
}

static void five_nodes(struct fixture *f)
{
    three_nodes(f);
    add_node(f, "d");
    add_node(f, "e");
    tell(f, (struct place[]){{"b", "", 0.1}, {"e", "", 0.2}, {"d", "", 0.4}}, 3);
}

static void test_the_nearest_comes_first_and_the_unknown_last(void **state)
{
    struct fixture *f = *state;
    five_nodes(f);
    assert_string_equal(nodes_near(f, "", "dc1"), "abcde");
    assert_string_equal(nodes_near(f, "b", "dc1"), "bedac");
    assert_string_equal(nodes_near(f, "d", "DC1"), "debac");
}

static void test_without_a_place_or_elsewhere_nothing_is_sorted(void **state)
{
    struct fixture *f = *state;
    five_nodes(f);
    assert_string_equal(nodes_near(f, "a", "dc1"), "abcde");
    assert_string_equal(nodes_near(f, "nosuch", "dc1"), "abcde");
    assert_string_equal(nodes_near(f, "b", "dc2"), "abcde");
}

static void test_equals_stay_as_they_stood(void **state)
{
    struct fixture *f = *state;
    five_nodes(f);
    tell(f, (struct place[]){{"a", "", 0.1}, {"c", "", 0.1}, {"e", "", 0.1}}, 3);
    assert_string_equal(nodes_near(f, "d", "dc1"), "dabce");
}

static void test_a_segment_that_only_one_is_in_has_no_distance(void **state)
{
    struct fixture *f = *state;
    three_nodes(f);
    tell(f, (struct place[]){{"a", "", 0}, {"b", "s1", 0}, {"c", "", 5}}, 3);
    assert_string_equal(nodes_near(f, "a", "dc1"), "acb");
    tell(f, (struct place[]){{"a", "s1", 1}}, 1); /* now a is in both, as servers are */
    assert_string_equal(nodes_near(f, "a", "dc1"), "abc");
}

static void test_instances_and_checks_are_sorted_by_their_nodes(void **state)
{
    struct fixture *f = *state;
    five_nodes(f);
    const char *nodes[] = {"a", "b", "d", "e"};
    for (size_t i = 0; i < 4; i++) {
        add_service(f, nodes[i], "web", "web");
        add_check(f, nodes[i], "k", "web", "passing");
    }
    const struct catalog_query_source near_d = {.datacenter = S("dc1"), .node = S("d")};
    const struct catalog_service_request service = {
        .datacenter = S("dc1"), .service_name = S("web"), .source = near_d};
    const struct catalog_checks_in_state_request state_any = {
        .datacenter = S("dc1"), .state = S("any"), .source = near_d};
    struct catalog_indexed_service_nodes flat;
    struct catalog_indexed_check_service_nodes whole;
    struct catalog_indexed_checks checks, any;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_service_nodes(f->r, &service, &flat, NULL), 0);
    assert_int_equal(catalog_query_check_service_nodes(f->r, &service, &whole, NULL), 0);
    assert_int_equal(catalog_query_service_checks(f->r, &service, &checks, NULL), 0);
    assert_int_equal(catalog_query_checks_in_state(f->r, &state_any, &any, NULL), 0);
    const char *expected[] = {"d", "e", "b", "a"};
    for (size_t i = 0; i < 4; i++) {
        assert_str(((struct catalog_service_node *)flat.service_nodes.items[i])->node, expected[i]);
        assert_str(((struct catalog_check_service_node *)whole.nodes.items[i])->node->node,
                   expected[i]);
        assert_str(((struct catalog_check *)checks.health_checks.items[i])->node, expected[i]);
        assert_str(((struct catalog_check *)any.health_checks.items[i])->node, expected[i]);
    }
    catalog_read_end(f->r);
}

static struct catalog_vivaldi at(double *vec, double height, double adjustment)
{
    return (struct catalog_vivaldi){.vec = {vec, 8}, .height = height, .adjustment = adjustment};
}

static void test_distance_counts_height_and_an_adjustment_that_leaves_it_positive(void **state)
{
    (void)state;
    double far[8] = {3e-3, 4e-3};
    struct catalog_vivaldi a = at(no_place, 1e-3, 0), b = at(far, 2e-3, 0);
    assert_true(fabs(catalog_distance_s(&a, &b) - 8e-3) < 1e-8);
    b.adjustment = -1e-3;
    assert_true(fabs(catalog_distance_s(&a, &b) - 7e-3) < 1e-8);
    b.adjustment = -9e-3; /* the sum would be below zero */
    assert_true(fabs(catalog_distance_s(&a, &b) - 8e-3) < 1e-8);
}

static void test_distance_of_nonsense_is_infinite(void **state)
{
    (void)state;
    double huge[8] = {1e308, -1e308};
    struct catalog_vivaldi a = at(no_place, 0, 0), b = at(huge, 0, 0);
    assert_true(isinf(catalog_distance_s(&a, &b)));
    assert_true(isinf(catalog_distance_s(&a, NULL)));
    b = at(no_place, -1e300, -1e300);
    assert_true(isinf(catalog_distance_s(&a, &b)));
    b.vec.len = 3;
    assert_true(isinf(catalog_distance_s(&a, &b)));
}

static void test_what_is_no_coordinate_of_the_pool_is_refused(void **state)
{
    (void)state;
    double vec[8] = {0};
    struct catalog_vivaldi v = at(vec, 0, 0);
    struct catalog_coordinate_update_request r = {.node = S("a"), .coord = &v};
    assert_null(catalog_coordinate_check(&r));
    vec[3] = INFINITY;
    assert_string_equal(catalog_coordinate_check(&r), "invalid coordinate");
    vec[3] = 0;
    v.error = NAN;
    assert_string_equal(catalog_coordinate_check(&r), "invalid coordinate");
    v.error = 0;
    v.vec.len = 7;
    assert_string_equal(catalog_coordinate_check(&r), "incompatible coordinate");
    r.coord = NULL;
    assert_string_equal(catalog_coordinate_check(&r), "invalid coordinate");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_newest_coordinate_of_a_node_holds),
        TEST(test_a_node_has_one_coordinate_per_segment),
        TEST(test_coordinates_of_unknown_nodes_are_passed_over),
        TEST(test_coordinates_go_with_their_node),
        TEST(test_only_who_waits_for_the_node_is_woken),
        TEST(test_the_nearest_comes_first_and_the_unknown_last),
        TEST(test_without_a_place_or_elsewhere_nothing_is_sorted),
        TEST(test_equals_stay_as_they_stood),
        TEST(test_a_segment_that_only_one_is_in_has_no_distance),
        TEST(test_instances_and_checks_are_sorted_by_their_nodes),
        cmocka_unit_test(test_distance_counts_height_and_an_adjustment_that_leaves_it_positive),
        cmocka_unit_test(test_distance_of_nonsense_is_infinite),
        cmocka_unit_test(test_what_is_no_coordinate_of_the_pool_is_refused),
    };
    return cmocka_run_group_tests_name("coordinates", tests, NULL, NULL);
}
