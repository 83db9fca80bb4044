/* Mirrors src/apply_register.c, prepare.c and tables_node.c. Texts and indexes were read off Consul
 * 1.8.7. */
#include "fixture.h"

#define ID(n) S("aaaaaaaa-0000-0000-0000-00000000000" #n)

static const struct catalog_node *node(struct fixture *f, const char *name)
{
    return catalog_find_node(f->r, mu__cstr(name));
}

static const struct catalog_check *check(struct fixture *f, const char *n, const char *id)
{
    return catalog_find_check(f->r, mu__cstr(n), mu__cstr(id));
}

static const struct catalog_node_service *service(struct fixture *f, const char *n, const char *id)
{
    return catalog_find_service(f->r, mu__cstr(n), mu__cstr(id));
}

static void put_node(struct fixture *f, struct mu_str name, struct mu_str address, struct mu_str id)
{
    apply_register(f,
                   (struct catalog_register_request){.node = name, .address = address, .id = id});
}

static void test_a_request_that_lacks_something_is_refused(void **state)
{
    struct fixture *f = *state;
    struct catalog_node_service nameless = {.id = S("x")}, empty = {.port = 1},
                                any = {.service = S("w"), .address = S("::")};
    const struct {
        struct catalog_register_request request;
        const char *text;
    } cases[] = {
        {{.address = S("1")}, "Must provide node"},
        {{.node = S("n")}, "Must provide address if SkipNodeUpdate is not set"},
        {{.node = S("n"), .address = S("1"), .id = S("zz")},
         "Bad node ID: uuid string is wrong length"},
        {{.node = S("n"), .address = S("1"), .id = S("zzzzzzzz-0000-0000-0000-000000000009")},
         "Bad node ID: encoding/hex: invalid byte: U+007A 'z'"},
        {{.node = S("n"), .address = S("1"), .service = &nameless},
         "Must provide service name with ID"},
        {{.node = S("n"), .address = S("1"), .service = &empty},
         "failed inserting service: failed inserting service: object missing primary index"},
        {{.node = S("n"), .address = S("1"), .service = &any}, "Invalid service address"},
        {{.node = S("a\0b"), .address = S("1")},
         "Names and IDs of nodes, services and checks must not contain a zero byte or be longer "
         "than 512 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        apply_register(f, cases[i].request);
        assert_refused(f, cases[i].text);
        assert_true(catalog_touched_is_empty(f->touched));
    }
    catalog_read_begin(f->r);
    assert_int_equal(catalog_read_index(f->r), f->index);
    assert_null(node(f, "n"));
    catalog_read_end(f->r);
}

static void test_ids_and_state_have_defaults(void **state)
{
    struct fixture *f = *state;
    struct catalog_node_service web = {.service = S("Web"),
                                       .tags = {(struct mu_str[]){S("B"), S("a")}, 2}};
    struct catalog_check c1 = {.name = S("c1"), .service_id = S("web")};
    struct catalog_check c2 = {.name = S("c2"),
                               .definition = {.http = S("http://x"), .interval_ns = 10}};
    void *checks[] = {&c1};
    apply_register(f, (struct catalog_register_request){.node = S("n4"),
                                                        .address = S("4"),
                                                        .service = &web,
                                                        .checks = {checks, 1},
                                                        .check = &c2});
    assert_done(f);
    catalog_read_begin(f->r);
    assert_str(service(f, "N4", "WEB")->id, "Web");
    assert_int_equal(service(f, "n4", "web")->weights->passing, 1);
    assert_str(check(f, "n4", "c1")->status, "critical");
    assert_str(check(f, "n4", "c1")->node, "n4");
    assert_str(check(f, "n4", "c1")->service_name, "Web");
    assert_int_equal(check(f, "n4", "c1")->service_tags.len, 2);
    assert_str(check(f, "n4", "c1")->type, "");
    assert_str(check(f, "n4", "c2")->type, "http");
    assert_int_equal(check(f, "n4", "c2")->create_index, 1);
    catalog_read_end(f->r);
}

static void test_the_type_of_a_check_follows_from_its_definition(void **state)
{
    struct fixture *f = *state;
    struct mu_str args[] = {S("true")};
    const struct {
        struct catalog_check_definition definition;
        const char *type;
    } cases[] = {
        {{.grpc = S("a:1")}, "grpc"},
        {{.tcp = S("a:1")}, "tcp"},
        {{.ttl_ns = 1}, "ttl"},
        {{.alias_service = S("web")}, "alias"},
        {{.script_args = {args, 1}}, "script"},
        {{.script_args = {args, 1}, .docker_container_id = S("d")}, "docker"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct catalog_check c = {.name = S("c"), .definition = cases[i].definition};
        apply_register(f, (struct catalog_register_request){
                              .node = S("n"), .check = &c, .skip_node_update = true});
        catalog_read_begin(f->r);
        assert_str(check(f, "n", "c")->type, cases[i].type);
        catalog_read_end(f->r);
    }
}

static void test_a_registration_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct catalog_node_service web = {.service = S("web")};
    struct catalog_check good = {.name = S("good")},
                         missing = {.name = S("c"), .service_id = S("nosuch")};
    struct catalog_check other = {.name = S("c"), .node = S("other")},
                         unnamed = {.status = S("passing")};
    const struct {
        struct catalog_check *bad;
        const char *text;
    } cases[] = {
        {&missing, "failed inserting check: Missing service registration on node \"n2\""},
        {&other, "check node \"other\" does not match node \"n2\""},
        {&unnamed, "failed inserting check: failed inserting check: object missing primary index "
                   "on node \"n2\""},
    };
    for (size_t i = 0; i < 3; i++) {
        void *checks[] = {&good, cases[i].bad};
        apply_register(
            f, (struct catalog_register_request){
                   .node = S("n2"), .address = S("2"), .service = &web, .checks = {checks, 2}});
        assert_refused(f, cases[i].text);
        assert_true(catalog_touched_is_empty(f->touched));
        catalog_read_begin(f->r);
        assert_null(node(f, "n2"));
        assert_null(service(f, "n2", "web"));
        assert_null(check(f, "n2", "good"));
        catalog_read_end(f->r);
        catalog__check(f->c);
    }
}

static void test_bad_service_metadata_is_refused(void **state)
{
    struct fixture *f = *state;
    static char long_key[129], long_value[513];
    memset(long_key, 'k', sizeof long_key);
    memset(long_value, 'v', sizeof long_value);
    const struct {
        struct mu_pair pair;
        const char *why;
    } cases[] = {
        {{S("consul-x"), S("y")},
         "('consul-x', 'y'): Key prefix 'consul-' is reserved for internal use"},
        {{S("a b"), S("y")}, "('a b', 'y'): Key contains invalid characters"},
        {{S(""), S("y")}, "('', 'y'): Key cannot be blank"},
        {{{long_key, 129}, S("y")}, "Key is too long (limit: 128 characters)"},
        {{S("k"), {long_value, 513}}, "Value is too long (limit: 512 characters)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mu_pair pairs[] = {cases[i].pair};
        struct catalog_node_service web = {.service = S("web"), .meta = {pairs, 1}};
        apply_register(f, (struct catalog_register_request){
                              .node = S("n2"), .address = S("2"), .service = &web});
        assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
        assert_non_null(strstr(
            f->error, "failed inserting service: Invalid Service Meta for node n2 and serviceID "
                      "web: Couldn't load metadata pair "));
        if (i < 3) {
            assert_non_null(strstr(f->error, cases[i].why));
        }
    }
}

static void test_a_node_keeps_its_birth_and_moves_only_when_it_changes(void **state)
{
    struct fixture *f = *state;
    put_node(f, S("n1"), S("1.1.1.1"), S(""));
    put_node(f, S("n1"), S("1.1.1.1"), S(""));
    assert_true(catalog_touched_is_empty(f->touched));
    put_node(f, S("n1"), S("1.1.1.2"), S(""));
    catalog_read_begin(f->r);
    assert_int_equal(node(f, "N1")->create_index, 1);
    assert_int_equal(node(f, "n1")->modify_index, 3);
    catalog_read_end(f->r);
}

static void test_skip_node_update_leaves_the_record_alone(void **state)
{
    struct fixture *f = *state;
    put_node(f, S("n1"), S("1.1.1.1"), S(""));
    apply_register(f, (struct catalog_register_request){
                          .node = S("n1"), .address = S("9"), .skip_node_update = true});
    apply_register(f, (struct catalog_register_request){.node = S("n3"), .skip_node_update = true});
    catalog_read_begin(f->r);
    assert_str(node(f, "n1")->address, "1.1.1.1");
    assert_str(node(f, "n3")->address, ""); /* but one that is not there is made */
    catalog_read_end(f->r);
}

static void test_a_name_with_a_living_owner_is_reserved(void **state)
{
    struct fixture *f = *state;
    put_node(f, S("n1"), S("1.1.1.2"), ID(3));
    add_check(f, "n1", "serfHealth", "", "passing");
    put_node(f, S("n9"), S("1.1.1.9"), ID(9));
    put_node(f, S("n1"), S("1.1.1.2"), ID(9));
    assert_refused(
        f, "failed inserting node: Error while renaming Node ID: "
           "\"aaaaaaaa-0000-0000-0000-000000000009\" (1.1.1.2): Node name n1 is reserved by node "
           "aaaaaaaa-0000-0000-0000-000000000003 with name n1 (1.1.1.2)");
    put_node(f, S("N1"), S("1.1.1.2"), ID(5));
    assert_refused(f, "failed inserting node: Error while renaming Node ID: "
                      "\"aaaaaaaa-0000-0000-0000-000000000005\": Node name N1 is reserved by node "
                      "aaaaaaaa-0000-0000-0000-000000000003 with name n1 (1.1.1.2)");
    add_check(f, "n1", "serfHealth", "", "critical"); /* a dead one gives way */
    put_node(f, S("n1"), S("1.1.1.5"), ID(5));
    assert_done(f);
    catalog_read_begin(f->r);
    assert_str(node(f, "n1")->address, "1.1.1.5");
    assert_null(catalog_find_node_by_id(f->r, ID(3)));
    assert_ptr_equal(catalog_find_node_by_id(f->r, ID(5)), node(f, "n1"));
    catalog_read_end(f->r);
}

static void test_a_node_without_id_may_be_given_one(void **state)
{
    struct fixture *f = *state;
    put_node(f, S("n1"), S("1"), S(""));
    add_check(f, "n1", "serfHealth", "", "passing");
    put_node(f, S("n1"), S("1"), ID(1));
    assert_done(f);
    catalog_read_begin(f->r);
    assert_int_equal(node(f, "n1")->create_index, 1);
    assert_ptr_equal(catalog_find_node_by_id(f->r, S("AAAAAAAA-0000-0000-0000-000000000001")),
                     node(f, "n1"));
    catalog_read_end(f->r);
}

static void test_a_renamed_node_leaves_its_services_behind(void **state)
{
    struct fixture *f = *state;
    put_node(f, S("old"), S("1"), ID(1));
    add_service(f, "old", "web", "web");
    add_check(f, "old", "c", "web", "passing");
    put_node(f, S("new"), S("1"), ID(1));
    catalog_read_begin(f->r);
    assert_null(node(f, "old"));
    assert_null(service(f, "old", "web"));
    assert_null(check(f, "old", "c"));
    assert_int_equal(node(f, "new")->create_index, 1);
    assert_int_equal(node(f, "new")->modify_index, 4);
    catalog_read_end(f->r);
}

static void test_repeating_a_service_changes_nothing(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "web", "web");
    add_service(f, "n1", "web", "web");
    assert_true(catalog_touched_is_empty(f->touched));
    catalog_read_begin(f->r);
    assert_int_equal(service(f, "n1", "web")->modify_index, 2);
    catalog_read_end(f->r);
}

static void test_repeating_a_check_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_check(f, "n1", "c", "", "passing");
    assert_false(catalog_touched_is_empty(f->touched));
    add_check(f, "n1", "c", "", "passing");
    assert_true(catalog_touched_is_empty(f->touched));
    catalog_read_begin(f->r);
    assert_int_equal(check(f, "n1", "c")->modify_index, 2);
    catalog_read_end(f->r);
}

static void test_deregistering_takes_what_depends_on_it(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    add_service(f, "n1", "web1", "web");
    add_service(f, "n1", "web2", "web");
    add_check(f, "n1", "c1", "web1", "passing");
    add_check(f, "n1", "c2", "web2", "passing");
    add_check(f, "n1", "own", "", "passing");
    apply_deregister(f,
                     (struct catalog_deregister_request){.node = S("N1"), .service_id = S("WEB1")});
    catalog_read_begin(f->r);
    assert_null(service(f, "n1", "web1"));
    assert_null(check(f, "n1", "c1"));
    assert_non_null(check(f, "n1", "c2"));
    catalog_read_end(f->r);
    catalog__check(f->c);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1"), .check_id = S("c2")});
    catalog_read_begin(f->r);
    assert_null(check(f, "n1", "c2"));
    assert_non_null(service(f, "n1", "web2"));
    catalog_read_end(f->r);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    catalog_read_begin(f->r);
    struct catalog_stats stats;
    catalog_read_stats(f->r, &stats);
    assert_int_equal(stats.nodes + stats.services + stats.checks, 0);
    catalog_read_end(f->r);
}

static void test_deregistering_what_is_not_there_is_fine(void **state)
{
    struct fixture *f = *state;
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    assert_done(f);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1"), .service_id = S("x")});
    assert_done(f);
    apply_deregister(f, (struct catalog_deregister_request){.node = S("")});
    assert_refused(f, "Must provide node");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_that_lacks_something_is_refused),
        TEST(test_ids_and_state_have_defaults),
        TEST(test_the_type_of_a_check_follows_from_its_definition),
        TEST(test_a_registration_is_all_or_nothing),
        TEST(test_bad_service_metadata_is_refused),
        TEST(test_a_node_keeps_its_birth_and_moves_only_when_it_changes),
        TEST(test_skip_node_update_leaves_the_record_alone),
        TEST(test_a_name_with_a_living_owner_is_reserved),
        TEST(test_a_node_without_id_may_be_given_one),
        TEST(test_a_renamed_node_leaves_its_services_behind),
        TEST(test_repeating_a_service_changes_nothing),
        TEST(test_repeating_a_check_wakes_nobody),
        TEST(test_deregistering_takes_what_depends_on_it),
        TEST(test_deregistering_what_is_not_there_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
