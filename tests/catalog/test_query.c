/* Mirrors src/query_nodes.c, query_services.c and query_checks.c: what answers hold and the index
 * that they report. */
#include "fixture.h"

static uint64_t service_index(struct fixture *f, const char *name, bool health, size_t instances)
{
    struct catalog_service_request request = {.service_name = mu__cstr(name)};
    uint64_t index;
    catalog_read_begin(f->r);
    if (health) {
        struct catalog_indexed_check_service_nodes out;
        assert_int_equal(catalog_query_check_service_nodes(f->r, &request, &out, NULL), 0);
        assert_int_equal(out.nodes.len, instances);
        index = out.meta.index;
    } else {
        struct catalog_indexed_service_nodes out;
        assert_int_equal(catalog_query_service_nodes(f->r, &request, &out, NULL), 0);
        assert_int_equal(out.service_nodes.len, instances);
        index = out.meta.index;
    }
    catalog_read_end(f->r);
    return index;
}

static void test_the_index_of_a_service_follows_all_that_bears_on_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(service_index(f, "web", true, 0), 1);
    add_node(f, "n1");                  /* 1 */
    add_service(f, "n1", "web", "web"); /* 2 */
    assert_int_equal(service_index(f, "web", true, 1), 2);
    /* Nothing ever disappeared: the tables */
    assert_int_equal(service_index(f, "absent", false, 0), 2);
    add_check(f, "n1", "c", "web", "passing"); /* 3: its own check */
    assert_int_equal(service_index(f, "web", true, 1), 3);
    assert_int_equal(service_index(f, "web", false, 1), 3);
    assert_int_equal(service_index(f, "absent", true, 0), 3);
    assert_int_equal(service_index(f, "absent", false, 0), 2);
    add_check(f, "n1", "c", "web", "passing"); /* 4: nothing new */
    assert_int_equal(service_index(f, "web", true, 1), 3);
    add_check(f, "n1", "own", "", "passing"); /* 5: a check of the node */
    assert_int_equal(service_index(f, "web", true, 1), 5);
    /* 6 */
    apply_register(f, (struct catalog_register_request){.node = S("n1"), .address = S("9.9.9.9")});
    assert_int_equal(service_index(f, "web", true, 1), 6);
    add_node(f, "n2");                /* 7: somebody else */
    add_service(f, "n2", "db", "db"); /* 8 */
    assert_int_equal(service_index(f, "web", true, 1), 6);
    /* 9 */
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1"), .check_id = S("c")});
    assert_int_equal(service_index(f, "web", true, 1), 9);
    /* 10 */
    apply_deregister(f,
                     (struct catalog_deregister_request){.node = S("n1"), .service_id = S("web")});
    assert_int_equal(service_index(f, "web", true, 0), 10);
    assert_int_equal(service_index(f, "absent", true, 0), 10);
    add_service(f, "n2", "web", "web"); /* 11 */
    assert_int_equal(service_index(f, "web", true, 1), 11);
    assert_int_equal(service_index(f, "absent", true, 0), 10);
}

static void test_a_service_that_is_renamed_disappears_under_its_old_name(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "w1", "web");
    add_service(f, "n1", "w1", "renamed");
    assert_int_equal(service_index(f, "web", true, 0), 3);
    assert_int_equal(service_index(f, "renamed", true, 1), 3);
}

static void test_instances_come_with_the_checks_of_the_node_first(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "W1", "Web");
    add_service(f, "n1", "w2", "web");
    add_check(f, "n1", "c1", "w1", "passing");
    add_check(f, "n1", "c2", "", "critical");
    add_check(f, "n1", "c3", "w2", "warning");
    struct catalog_service_request request = {.service_name = S("WEB")};
    struct catalog_indexed_check_service_nodes out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_check_service_nodes(f->r, &request, &out, NULL), 0);
    assert_int_equal(out.nodes.len, 2);
    const struct catalog_check_service_node *csn = out.nodes.items[0];
    assert_str(csn->service->id, "W1");
    assert_str(csn->node->address, "10.0.0.1");
    assert_int_equal(csn->checks.len, 2);
    assert_str(((struct catalog_check *)csn->checks.items[0])->check_id, "c2");
    assert_str(((struct catalog_check *)csn->checks.items[1])->check_id, "c1");
    csn = out.nodes.items[1];
    assert_str(((struct catalog_check *)csn->checks.items[1])->check_id, "c3");
    catalog_read_end(f->r);
}

static void add_tagged(struct fixture *f, const char *id, struct mu_str *tags, size_t n)
{
    struct catalog_node_service s = {
        .id = mu__cstr(id), .service = S("web"), .tags = {tags, n}, .address = mu__cstr(id)};
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .service = &s, .skip_node_update = true});
}

static size_t count_tagged(struct fixture *f, struct catalog_service_request request)
{
    struct catalog_indexed_service_nodes out;
    request.service_name = S("web");
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_service_nodes(f->r, &request, &out, NULL), 0);
    size_t n = out.service_nodes.len;
    catalog_read_end(f->r);
    return n;
}

static void test_all_tags_must_match_with_letters_folded(void **state)
{
    struct fixture *f = *state;
    add_tagged(f, "1", (struct mu_str[]){S("Blue"), S("v1")}, 2);
    add_tagged(f, "2", (struct mu_str[]){S("blue"), S("v2")}, 2);
    add_tagged(f, "3", NULL, 0);
    struct mu_str blue[] = {S("BLUE")}, both[] = {S("blue"), S("V2")}, empty[] = {S("")};
    assert_int_equal(count_tagged(f, (struct catalog_service_request){.tag_filter = false,
                                                                      .service_tags = {blue, 1}}),
                     3);
    assert_int_equal(count_tagged(f, (struct catalog_service_request){.tag_filter = true,
                                                                      .service_tags = {blue, 1}}),
                     2);
    assert_int_equal(count_tagged(f, (struct catalog_service_request){.tag_filter = true,
                                                                      .service_tags = {both, 2}}),
                     1);
    assert_int_equal(count_tagged(f, (struct catalog_service_request){.tag_filter = true,
                                                                      .service_tag = S("v1")}),
                     1);
    assert_int_equal(count_tagged(f, (struct catalog_service_request){.tag_filter = true,
                                                                      .service_tags = {empty, 1}}),
                     0);
    struct catalog_indexed_service_nodes out;
    struct catalog_service_request by_address = {.service_address = S("2")};
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_service_nodes(f->r, &by_address, &out, NULL), 0);
    assert_int_equal(out.service_nodes.len, 1);
    assert_str(((struct catalog_service_node *)out.service_nodes.items[0])->service_id, "2");
    catalog_read_end(f->r);
}

static void test_services_are_named_with_the_union_of_their_tags(void **state)
{
    struct fixture *f = *state;
    add_tagged(f, "1", (struct mu_str[]){S("b"), S("a")}, 2);
    add_tagged(f, "2", (struct mu_str[]){S("b"), S("B")}, 2);
    add_service(f, "n1", "db", "db");
    add_service(f, "n1", "Z", "Zoo");
    struct catalog_indexed_services out;
    catalog_read_begin(f->r);
    assert_int_equal(
        catalog_query_services(f->r, &(struct catalog_dc_request){.datacenter = S("")}, &out, NULL),
        0);
    assert_int_equal(out.services.len, 3);
    assert_str(out.services.items[0].key, "Zoo"); /* byte order of the names as they are spelled */
    assert_str(out.services.items[1].key, "db");
    assert_int_equal(out.services.items[1].value.len, 0);
    assert_non_null(out.services.items[1].value.items);
    assert_str(out.services.items[2].key, "web");
    assert_int_equal(out.services.items[2].value.len, 3);
    assert_str(out.services.items[2].value.items[0], "B");
    assert_str(out.services.items[2].value.items[2], "b");
    assert_int_equal(out.meta.index, 4);
    catalog_read_end(f->r);
}

static void test_nodes_are_filtered_by_metadata(void **state)
{
    struct fixture *f = *state;
    struct mu_pair east[] = {{S("rack"), S("1")}, {S("zone"), S("east")}},
                   west[] = {{S("zone"), S("west")}};
    apply_register(f, (struct catalog_register_request){
                          .node = S("e"), .address = S("1"), .node_meta = {east, 2}});
    apply_register(f, (struct catalog_register_request){
                          .node = S("w"), .address = S("2"), .node_meta = {west, 1}});
    add_service(f, "e", "web", "web");
    add_service(f, "w", "web", "web");
    add_check(f, "w", "c", "web", "passing");
    struct mu_pair zone[] = {{S("zone"), S("east")}};
    struct catalog_dc_request request = {.node_meta_filters = {zone, 1}};
    struct catalog_indexed_nodes nodes;
    struct catalog_indexed_services services;
    struct catalog_indexed_checks checks;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_nodes(f->r, &request, &nodes, NULL), 0);
    assert_int_equal(nodes.nodes.len, 1);
    assert_str(((struct catalog_node *)nodes.nodes.items[0])->node, "e");
    assert_int_equal(nodes.meta.index, 2);
    assert_int_equal(catalog_query_services(f->r, &request, &services, NULL), 0);
    assert_int_equal(services.services.len, 1);
    struct catalog_service_request of_web = {.service_name = S("web"),
                                             .node_meta_filters = {zone, 1}};
    assert_int_equal(catalog_query_service_checks(f->r, &of_web, &checks, NULL), 0);
    assert_int_equal(checks.health_checks.len, 0);
    assert_non_null(checks.health_checks.items);
    of_web.node_meta_filters = (struct mu_strmap){west, 1};
    assert_int_equal(catalog_query_service_checks(f->r, &of_web, &checks, NULL), 0);
    assert_int_equal(checks.health_checks.len, 1);
    catalog_read_end(f->r);
}

static void test_a_node_is_found_by_name_or_by_a_prefix_of_its_id(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = {"aaaaaaaa-0000-0000-0000-000000000001",
                                      "aaaaaaaa-0000-0000-0000-000000000002"};
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .address = S("1"), .id = mu__cstr(ids[0])});
    apply_register(f, (struct catalog_register_request){
                          .node = S("n2"), .address = S("2"), .id = mu__cstr(ids[1])});
    add_service(f, "n1", "b", "web");
    add_service(f, "n1", "A", "web");
    const struct {
        const char *given;
        bool found;
    } cases[] = {
        {"N1", true},        {ids[0], true},   {"aaaaaaaa-0000-0000-0000-000000000001", true},
        {"aaaaaaaa", false}, /* two begin so */
        {"a", false},        {"nosuch", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct catalog_node_request request = {.node = mu__cstr(cases[i].given)};
        struct catalog_indexed_node_services map;
        struct catalog_indexed_node_service_list list;
        catalog_read_begin(f->r);
        assert_int_equal(catalog_query_node_services(f->r, &request, &map, NULL), 0);
        assert_int_equal(catalog_query_node_service_list(f->r, &request, &list, NULL), 0);
        assert_int_equal(map.node_services != NULL, cases[i].found);
        assert_int_equal(list.node_services.node != NULL, cases[i].found);
        assert_int_equal(map.meta.index, 4);
        if (cases[i].found) {
            assert_str(map.node_services->node->node, "n1");
            assert_int_equal(map.node_services->services.len, 2);
            assert_str(map.node_services->services.items[0].key, "A");
            assert_int_equal(list.node_services.services.len, 2);
        }
        catalog_read_end(f->r);
    }
}

/* What a Consul agent makes null of, and what not. */
static void test_nil_is_where_it_is_in_the_original(void **state)
{
    struct fixture *f = *state;
    add_node(f, "bare");
    add_service(f, "bare2", "w", "web"); /* without metadata */
    struct catalog_indexed_node_service_list list;
    struct catalog_indexed_service_nodes nodes;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_node_service_list(
                         f->r, &(struct catalog_node_request){.node = S("bare")}, &list, NULL),
                     0);
    assert_non_null(list.node_services.node);
    assert_null(list.node_services.services.items);
    assert_int_equal(
        catalog_query_service_nodes(
            f->r, &(struct catalog_service_request){.service_name = S("web")}, &nodes, NULL),
        0);
    assert_int_equal(nodes.service_nodes.len, 1);
    const struct catalog_service_node *web = nodes.service_nodes.items[0];
    assert_int_equal(web->service_meta.len, 0);
    assert_non_null(web->service_meta.items);
    assert_int_equal(
        catalog_query_service_nodes(
            f->r, &(struct catalog_service_request){.service_name = S("none")}, &nodes, NULL),
        0);
    assert_non_null(nodes.service_nodes.items);
    catalog_read_end(f->r);
}

static void test_checks_are_listed_by_node_service_and_state(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_node(f, "n2");
    add_service(f, "n1", "w", "web");
    add_check(f, "n1", "a", "w", "passing");
    add_check(f, "n1", "b", "", "critical");
    add_check(f, "n2", "c", "", "passing");
    add_check(f, "n2", "c", "", "passing"); /* 7: idempotent, but the table's index moves */
    struct catalog_indexed_checks out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_node_checks(
                         f->r, &(struct catalog_node_request){.node = S("N1")}, &out, NULL),
                     0);
    assert_int_equal(out.health_checks.len, 2);
    assert_int_equal(out.meta.index, 7);
    assert_int_equal(
        catalog_query_service_checks(
            f->r, &(struct catalog_service_request){.service_name = S("Web")}, &out, NULL),
        0);
    assert_int_equal(out.health_checks.len, 1);
    const struct {
        const char *name;
        size_t n;
    } states[] = {{"passing", 2}, {"critical", 1}, {"any", 3},
                  {"warning", 0}, {"PASSING", 0},  {"", 0}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct catalog_checks_in_state_request request = {.state = mu__cstr(states[i].name)};
        assert_int_equal(catalog_query_checks_in_state(f->r, &request, &out, NULL), 0);
        assert_int_equal(out.health_checks.len, states[i].n);
    }
    catalog_read_end(f->r);
}

static void add_proxy(struct fixture *f, const char *id, const char *target)
{
    struct catalog_node_service s = {.kind = S("connect-proxy"),
                                     .id = mu__cstr(id),
                                     .service = mu__cstr(id),
                                     .proxy = {.destination_service_name = mu__cstr(target)}};
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .service = &s, .skip_node_update = true});
}

static size_t count_connect(struct fixture *f, const char *target)
{
    struct catalog_service_request request = {.service_name = mu__cstr(target), .connect = true};
    struct catalog_indexed_check_service_nodes out;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_check_service_nodes(f->r, &request, &out, NULL), 0);
    size_t n = out.nodes.len;
    catalog_read_end(f->r);
    return n;
}

static void test_connect_asks_for_proxies_and_native_instances(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "web", "web");
    add_proxy(f, "p1", "Web");
    add_proxy(f, "p2", "web");
    struct catalog_node_service native = {
        .id = S("nat"), .service = S("web"), .connect = {.native = true}};
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .service = &native, .skip_node_update = true});
    assert_int_equal(count_connect(f, "web"), 3);
    add_proxy(f, "p1", "db");
    assert_int_equal(count_connect(f, "web"), 2);
    assert_int_equal(count_connect(f, "db"), 1);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    assert_int_equal(count_connect(f, "web"), 0);
}

static void test_a_reader_stays_on_its_version(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    set(f, "k", "old");
    catalog_read_begin(f->r);
    const struct catalog_dir_entry *e = catalog_find_key(f->r, S("k"));
    for (int i = 0; i < 100; i++) {
        set(f, "k", i % 2 ? "x" : "y");
    }
    kvs(f, "delete-tree", "", "", 0);
    assert_ptr_equal(catalog_find_key(f->r, S("k")), e);
    assert_str(e->value, "old");
    assert_int_equal(catalog_read_index(f->r), 2);
    catalog_read_end(f->r);
    catalog_read_begin(f->r);
    assert_null(catalog_find_key(f->r, S("k")));
    catalog_read_end(f->r);
}

static void test_names_too_long_are_found_nowhere(void **state)
{
    struct fixture *f = *state;
    static char name[1000];
    memset(name, 'n', sizeof name - 1);
    add_node(f, "n1");
    catalog_read_begin(f->r);
    assert_null(catalog_find_node(f->r, mu__cstr(name)));
    assert_null(catalog_find_service(f->r, S("n1"), mu__cstr(name)));
    struct catalog_indexed_checks out;
    struct catalog_watch_keys keys;
    assert_int_equal(catalog_query_node_checks(
                         f->r, &(struct catalog_node_request){.node = mu__cstr(name)}, &out, &keys),
                     0);
    assert_int_equal(out.health_checks.len, 0);
    catalog_read_end(f->r);
}

static size_t nodes_at(struct fixture *f, struct mu_str address, struct catalog_watch_keys *keys)
{
    struct catalog_dc_request all = {.datacenter = S("")};
    struct catalog_indexed_nodes out;
    assert_int_equal(catalog_query_nodes_at(f->r, &all, address, &out, keys), 0);
    for (size_t i = 0; i < out.nodes.len; i++) {
        assert_true(mu__str_eq(((struct catalog_node *)out.nodes.items[i])->address, address));
    }
    return out.nodes.len;
}

static size_t instances_at(struct fixture *f, struct mu_str address)
{
    struct catalog_service_request at = {.service_address = address};
    struct catalog_indexed_service_nodes out;
    assert_int_equal(catalog_query_service_nodes(f->r, &at, &out, NULL), 0);
    for (size_t i = 0; i < out.service_nodes.len; i++) {
        const struct catalog_service_node *n = out.service_nodes.items[i];
        assert_true(mu__str_eq(n->service_address, address));
    }
    return out.service_nodes.len;
}

/* Addresses are texts, which nobody checks: letters count, and so do bytes that no name has. */
static void test_an_address_is_found_by_all_its_bytes(void **state)
{
    struct fixture *f = *state;
    static char long_a[700], long_b[700];
    memset(long_a, 'a', sizeof long_a);
    memset(long_b, 'a', sizeof long_b);
    long_b[699] = 'b';
    const struct mu_str addresses[] = {S("10.0.0.1"),
                                       S("10.0.0.11"),
                                       S("fd00::A"),
                                       S("fd00::a"),
                                       S("x\0y"),
                                       S("x\0z"),
                                       S("x"),
                                       S("\0"),
                                       {long_a, sizeof long_a},
                                       {long_b, sizeof long_b}};
    size_t n = sizeof addresses / sizeof *addresses;
    for (size_t i = 0; i < n; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", (unsigned)i);
        struct catalog_node_service s = {
            .id = S("s"), .service = S("web"), .address = addresses[i]};
        apply_register(f, (struct catalog_register_request){
                              .node = mu__cstr(name), .address = addresses[i], .service = &s});
        assert_done(f);
        catalog__check(f->c);
    }
    catalog_read_begin(f->r);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(nodes_at(f, addresses[i], NULL), 1);
        assert_int_equal(instances_at(f, addresses[i]), 1);
    }
    assert_int_equal(nodes_at(f, S("10.0.0"), NULL), 0);
    assert_int_equal(nodes_at(f, S(""), NULL), 0);
    catalog_read_end(f->r);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n3")});
    apply_register(f, (struct catalog_register_request){.node = S("n2"), .address = S("fd00::a")});
    catalog_read_begin(f->r);
    assert_int_equal(nodes_at(f, S("fd00::A"), NULL), 0);
    assert_int_equal(nodes_at(f, S("fd00::a"), NULL), 1);
    assert_int_equal(instances_at(f, S("fd00::a")), 0);
    catalog_read_end(f->r);
}

static void woken(void *arg)
{
    ++*(int *)arg;
}

static void test_who_waits_for_an_address_is_woken_for_it_alone(void **state)
{
    struct fixture *f = *state;
    struct catalog_watches *w;
    struct catalog_watch_keys keys;
    int times = 0;
    assert_int_equal(catalog_watches_create(NULL, &w), 0);
    apply_register(f, (struct catalog_register_request){.node = S("a"), .address = S("1")});
    catalog_read_begin(f->r);
    assert_int_equal(nodes_at(f, S("1"), &keys), 1);
    assert_int_equal(catalog_watches_add(w, &keys, woken, &times, NULL), 0);
    catalog_read_end(f->r);
    apply_register(f, (struct catalog_register_request){.node = S("b"), .address = S("2")});
    assert_int_equal(catalog_watches_notify(w, f->touched), 0);
    apply_register(f, (struct catalog_register_request){.node = S("a"), .address = S("3")});
    assert_int_equal(catalog_watches_notify(w, f->touched), 1);
    assert_int_equal(times, 1);
    catalog_watches_destroy(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_index_of_a_service_follows_all_that_bears_on_it),
        TEST(test_a_service_that_is_renamed_disappears_under_its_old_name),
        TEST(test_instances_come_with_the_checks_of_the_node_first),
        TEST(test_all_tags_must_match_with_letters_folded),
        TEST(test_services_are_named_with_the_union_of_their_tags),
        TEST(test_nodes_are_filtered_by_metadata),
        TEST(test_a_node_is_found_by_name_or_by_a_prefix_of_its_id),
        TEST(test_nil_is_where_it_is_in_the_original),
        TEST(test_checks_are_listed_by_node_service_and_state),
        TEST(test_connect_asks_for_proxies_and_native_instances),
        TEST(test_a_reader_stays_on_its_version),
        TEST(test_names_too_long_are_found_nowhere),
        TEST(test_an_address_is_found_by_all_its_bytes),
        TEST(test_who_waits_for_an_address_is_woken_for_it_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
