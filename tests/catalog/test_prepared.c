/* Mirrors src/apply_prepared.c, tables_prepared.c, query_prepared.c and template.c. Texts were read
 * off Consul 1.8.7. */
#include "fixture.h"

#include "template.h"
#include "text.h"

#define ID(n) "00000000-0000-0000-0000-00000000000" n

static struct catalog_prepared_query query(const char *id, const char *name, const char *service)
{
    return (struct catalog_prepared_query){
        .id = mu__cstr(id), .name = mu__cstr(name), .service = {.service = mu__cstr(service)}};
}

static void change(struct fixture *f, const char *op, struct catalog_prepared_query q)
{
    struct catalog_prepared_query_request r = {.op = mu__cstr(op), .query = &q};
    apply(f, CATALOG_ENTRY_QUERY, CATALOG_PREPARED_QUERY_REQUEST, &r);
    catalog__check(f->c);
}

static void make(struct fixture *f, const char *id, const char *name, const char *service)
{
    change(f, "create", query(id, name, service));
    assert_done(f);
}

static struct catalog_prepared_query template(const char *id, const char *name, const char *regexp,
                                              const char *service)
{
    struct catalog_prepared_query q = query(id, name, service);
    q.template_.type = S("name_prefix_match");
    q.template_.regexp = mu__cstr(regexp);
    return q;
}

/* What the query for a name asks for: its service, or why there is none. */
static void expect_explained(struct fixture *f, const char *name, const char *expected)
{
    struct catalog_query_execute_request q = {.query_id_or_name = mu__cstr(name)};
    struct catalog_query_explain_response out;
    const char *why;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_explain(f->r, &q, &out, &why), 0);
    if (why) {
        assert_string_equal(why, expected);
    } else {
        assert_str(out.query.service.service, expected);
    }
    catalog_read_end(f->r);
}

/* ---- Definitions ---- */

static void test_a_query_is_made_changed_and_deleted(void **state)
{
    struct fixture *f = *state;
    make(f, ID("1"), "q", "web");
    expect_explained(f, "Q", "web");
    expect_explained(f, ID("1"), "web");
    change(f, "update", query(ID("1"), "other", "db"));
    expect_explained(f, "q", "Query not found");
    expect_explained(f, "other", "db");
    change(f, "delete", query(ID("1"), "", ""));
    expect_explained(f, "other", "Query not found");
    change(f, "delete", query(ID("1"), "", ""));
    assert_refused(f, "Cannot modify non-existent prepared query: '" ID("1") "'");
    change(f, "update", query("nope", "q", "web"));
    assert_refused(f,
                   "Prepared Query lookup failed: failed prepared query lookup: index error: UUID "
                   "must be 36 characters");
    change(f, "frob", query(ID("1"), "q", "web"));
    assert_refused(f, "Unknown prepared query operation: frob");
}

static void test_names_are_unique_and_no_ids(void **state)
{
    struct fixture *f = *state;
    make(f, ID("1"), "q", "web");
    change(f, "create", query(ID("2"), "Q", "web"));
    assert_refused(f, "name 'Q' aliases an existing query name");
    change(f, "create", query(ID("2"), ID("1"), "web"));
    assert_refused(f, "name '" ID("1") "' aliases an existing query ID");
    change(f, "create", template(ID("2"), "", "", "x"));
    assert_done(f);
    change(f, "create", template(ID("3"), "", "", "x"));
    assert_refused(f, "a query template with an empty name already exists");
}

static void test_what_is_no_query_is_refused(void **state)
{
    struct fixture *f = *state;
    struct catalog_prepared_query q = query(ID("1"), "", "web");
    change(f, "create", q);
    assert_refused(f, "Invalid prepared query: Must be bound to a session");
    change(f, "create", query(ID("1"), "q", ""));
    assert_refused(f, "Invalid prepared query: Must provide a Service name to query");
    q = query(ID("1"), "q", "web");
    q.service.failover.nearest_n = INT64_MIN;
    change(f, "create", q);
    assert_refused(f, "Invalid prepared query: Bad NearestN '-9223372036854775808', must be >= 0");
    q = query(ID("1"), "q", "web");
    q.dns.ttl = S("-1s");
    change(f, "create", q);
    assert_refused(f, "Invalid prepared query: DNS TTL '-1000000000', must be >=0");
    q.dns.ttl = S("x");
    change(f, "create", q);
    assert_refused(f, "Invalid prepared query: Bad DNS TTL 'x': time: invalid duration \"x\"");
    q = query(ID("1"), "q", "web");
    q.session = S(ID("7"));
    change(f, "create", q);
    assert_refused(f, "invalid session \"" ID("7") "\"");
    q.session = S("x");
    change(f, "create", q);
    assert_refused(f, "invalid session: index error: UUID must be 36 characters");
    char name[600];
    memset(name, 'n', sizeof name);
    q = query(ID("1"), "", "web");
    q.name = (struct mu_str){name, 512};
    change(f, "create", q);
    assert_refused(f,
                   "Invalid prepared query: Names must not contain a zero byte or be longer than "
                   "511 bytes");
    q.name = (struct mu_str){"a\0b", 3};
    change(f, "create", q);
    assert_int_equal(f->result.kind, CATALOG_RESULT_ERROR);
    struct catalog_prepared_query_request none = {.op = S("create")};
    apply(f, CATALOG_ENTRY_QUERY, CATALOG_PREPARED_QUERY_REQUEST, &none);
    assert_refused(f, "Must provide a query");
}

static void test_a_query_goes_with_its_session(void **state)
{
    struct fixture *f = *state;
    add_node(f, "n1");
    struct catalog_session_request s = {.op = S("create"),
                                        .session = {.id = S(ID("7")), .node = S("n1")}};
    apply(f, CATALOG_ENTRY_SESSION, CATALOG_SESSION_REQUEST, &s);
    assert_done(f);
    struct catalog_prepared_query q = query(ID("1"), "bound", "web");
    q.session = S(ID("7"));
    change(f, "create", q);
    assert_done(f);
    make(f, ID("2"), "free", "web");
    apply_deregister(f, (struct catalog_deregister_request){.node = S("n1")});
    catalog__check(f->c);
    expect_explained(f, "bound", "Query not found");
    expect_explained(f, "free", "web");
}

static void test_queries_are_listed_by_id_and_waited_for(void **state)
{
    struct fixture *f = *state;
    struct catalog_dc_request all = {.datacenter = S("dc1")};
    struct catalog_indexed_prepared_queries out;
    struct catalog_watch_keys keys;
    make(f, ID("2"), "b", "web");
    make(f, ID("1"), "a", "web");
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_prepared_queries(f->r, &all, &out, &keys), 0);
    assert_int_equal(out.queries.len, 2);
    assert_int_equal(out.meta.index, 2);
    assert_int_equal(keys.len, 1);
    assert_str(((struct catalog_prepared_query *)out.queries.items[0])->name, "a");
    struct catalog_prepared_query_get_request one = {.query_id = S(ID("2"))};
    const char *why;
    assert_int_equal(catalog_query_prepared_query(f->r, &one, &out, &keys, &why), 0);
    assert_null(why);
    assert_int_equal(out.queries.len, 1);
    one.query_id = S(ID("3"));
    assert_int_equal(catalog_query_prepared_query(f->r, &one, &out, &keys, &why), 0);
    assert_string_equal(why, "Query not found");
    one.query_id = S("x");
    assert_int_equal(catalog_query_prepared_query(f->r, &one, &out, &keys, &why), 0);
    assert_string_equal(why,
                        "failed prepared query lookup: index error: UUID must be 36 characters");
    catalog_read_end(f->r);
}

/* ---- Templates ---- */

static void test_the_longest_template_is_taken(void **state)
{
    struct fixture *f = *state;
    change(f, "create", template(ID("1"), "", "", "any ${name.full}"));
    change(f, "create", template(ID("2"), "geo-", "", "geo ${name.suffix}"));
    change(f, "create", template(ID("3"), "geo-db-", "", "db ${name.prefix} ${name.suffix}"));
    make(f, ID("4"), "geo-db-exact", "exact");
    expect_explained(f, "geo-db-exact", "exact");
    expect_explained(f, "geo-db-x", "db geo-db- x");
    expect_explained(f, "geo-d", "geo d");
    expect_explained(f, "GEO-x", "geo GEO-x"); /* as the original has it */
    expect_explained(f, "x", "any x");
    expect_explained(f, "", "any ");
    expect_explained(f, ID("2"),
                     "prepared query templates can only be resolved up by name, not by ID");
}

static const struct filled {
    const char *text, *regexp, *expected; /* or what is wrong, when it begins with '!' */
} filled[] = {
    {"plain", "", "plain"},
    {"${name.full}|${name.prefix}|${name.suffix}|${agent.segment}|", "", "t-a-bc|t-|a-bc||"},
    {"$${name.full} $x $ ${ name.full }}", "", "${name.full} $x $ t-a-bc}"},
    {"${match(0)},${match(1)},${match(2)},${match(3)}", "^t-(.*?)-(.*)$", "t-a-bc,a,bc,"},
    {"${match(1)}", "nothing", ""},
    {"${match(0)}", "", ""},
    {"${match( 1 )}${match(\"2\")}${match(-1)}${match(99999999999)}", "(a)-(b)", "ab"},
    {"${\"quoted\"}${7}${1.5}", "", "quoted71.5"},
    {"${}", "", "!Bad format '${}' in Service.Service: parse error: syntax error"},
    {"${name.full", "", "!Bad format '${name.full' in Service.Service: parse error: syntax error"},
    {"${\"open}", "", "!Bad format '${\"open}' in Service.Service: parse error: syntax error"},
    {"${nope} ${", "", "!Bad format '${nope} ${' in Service.Service: parse error: syntax error"},
    {"x ${nope}", "",
     "!Bad evaluation for 'x ${nope}' in Service.Service: 1:5: unknown variable accessed: nope"},
    {"${foo(1)}", "",
     "!Bad evaluation for '${foo(1)}' in Service.Service: 1:3: unknown function called: foo"},
    {"${match()}", "",
     "!Bad evaluation for '${match()}' in Service.Service: 1:3: match: expected 1 arguments, got "
     "0"},
    {"${match(\"a\")}", "",
     "!Bad evaluation for '${match(\"a\")}' in Service.Service: __builtin_StringToInt: "
     "strconv.ParseInt: parsing \"a\": invalid syntax"},
    {"x", "(", "!Bad Regexp: error parsing regexp: missing closing ): `(`"},
};

static void test_templates_are_filled_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof filled / sizeof *filled; i++) {
        struct mu__arena a;
        char buf[512];
        struct catalog__text why = catalog__text(buf, sizeof buf);
        struct catalog_prepared_query q = template(ID("1"), "t-", filled[i].regexp, filled[i].text);
        mu__arena_init(&a, NULL, 0);
        bool ok = catalog__template_fill(&q, S("t-a-bc"), S(""), NULL, &a, &why);
        if (filled[i].expected[0] == '!') {
            assert_false(ok);
            assert_string_equal(why.p, filled[i].expected + 1);
        } else {
            assert_true(ok);
            assert_str(q.service.service, filled[i].expected);
        }
        mu__arena_fini(&a);
    }
}

static void test_a_template_cannot_grow_without_end(void **state)
{
    (void)state;
    struct mu__arena a;
    char buf[512], *text = malloc(40001), *name = malloc(60000);
    struct catalog__text why = catalog__text(buf, sizeof buf);
    for (size_t i = 0; i < 40000; i += 10) {
        memcpy(text + i, "${match(0)}", 10);
    }
    memset(name, 'n', 60000);
    for (size_t i = 0; i + 12 <= 40000; i += 12) {
        memcpy(text + i, "${name.full}", 12);
    }
    struct catalog_prepared_query q = template(ID("1"), "", "", "");
    q.service.service = (struct mu_str){text, 39996};
    mu__arena_init(&a, NULL, 1 << 20);
    assert_false(catalog__template_fill(&q, (struct mu_str){name, 60000}, S(""), NULL, &a, &why));
    assert_non_null(strstr(why.p, "Bad evaluation"));
    mu__arena_fini(&a);
    free(text);
    free(name);
}

static void test_every_text_of_the_service_is_filled_in(void **state)
{
    (void)state;
    struct mu__arena a;
    char buf[512];
    struct catalog__text why = catalog__text(buf, sizeof buf);
    struct mu_str tags[] = {S("${match(1)}"), S(""), S("x")}, dcs[] = {S("dc-${name.suffix}")};
    struct mu_pair pairs[] = {{S("${k}"), S("${name.full}")}};
    struct catalog_prepared_query q = template(ID("1"), "t-", "(z)", "s");
    q.service.tags = (struct mu_strs){tags, 3};
    q.service.failover.datacenters = (struct mu_strs){dcs, 1};
    q.service.near = S("${name.suffix}");
    q.service.node_meta = (struct mu_strmap){pairs, 1};
    q.template_.remove_empty_tags = true;
    mu__arena_init(&a, NULL, 0);
    assert_true(catalog__template_fill(&q, S("t-y"), S(""), NULL, &a, &why));
    assert_int_equal(q.service.tags.len, 1);
    assert_str(q.service.tags.items[0], "x");
    assert_str(q.service.failover.datacenters.items[0], "dc-y");
    assert_str(q.service.near, "y");
    assert_str(q.service.node_meta.items[0].key, "${k}");
    assert_str(q.service.node_meta.items[0].value, "t-y");
    assert_str(tags[0], "${match(1)}"); /* the stored one is left alone */
    tags[2] = S("${no}");
    q.service.tags = (struct mu_strs){tags, 3};
    assert_false(catalog__template_fill(&q, S("t-y"), S(""), NULL, &a, &why));
    assert_string_equal(why.p, "Bad evaluation for '${no}' in Service.Tags[2]: 1:3: unknown "
                               "variable accessed: no");
    mu__arena_fini(&a);
}

static void explain(struct fixture *f, const char *name)
{
    struct catalog_query_execute_request q = {.query_id_or_name = mu__cstr(name)};
    struct catalog_query_explain_response out;
    const char *why;
    catalog_read_begin(f->r);
    assert_int_equal(catalog_query_explain(f->r, &q, &out, &why), 0);
    catalog_read_end(f->r);
}

static void test_an_expression_is_compiled_once_for_many_executions(void **state)
{
    struct fixture *f = *state;
    change(f, "create", template(ID("1"), "t-", "^t-(.)", "s-${match(1)}"));
    for (int i = 0; i < 100; i++) {
        expect_explained(f, "t-a", "s-a");
        expect_explained(f, "t-b", "s-b");
    }
    assert_int_equal(f->r->patterns.compiled, 1);
    change(f, "update", template(ID("1"), "t-", "^t-.(.)", "s-${match(1)}"));
    expect_explained(f, "t-ab", "s-b"); /* the new definition's */
    assert_int_equal(f->r->patterns.compiled, 2);
}

static void test_expressions_that_are_remembered_are_bounded(void **state)
{
    struct fixture *f = *state;
    char name[CATALOG__PATTERN_LEN_MAX + 16], regexp[CATALOG__PATTERN_LEN_MAX + 16];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < CATALOG__PATTERNS_MAX + 1; i++) {
            snprintf(name, sizeof name, "many-%c-", 'a' + i);
            snprintf(regexp, sizeof regexp, "%c-(.)", 'a' + i);
            if (round == 0) {
                char id[] = ID("1");
                id[0] = (char)('a' + i % 6);
                id[1] = (char)('0' + i);
                change(f, "create", template(id, name, regexp, "s-${match(1)}"));
                assert_done(f);
            }
            strcat(name, "z");
            expect_explained(f, name, "s-z");
        }
    }
    /* One more than there is room for, in turn: none was there when it was wanted again. */
    assert_int_equal(f->r->patterns.compiled, 2 * (CATALOG__PATTERNS_MAX + 1));
    memset(regexp, 'x', sizeof regexp);
    memcpy(regexp, "[", 1);
    strcpy(regexp + sizeof regexp - 4, "]()");
    change(f, "create", template(ID("9"), "long-", regexp, "s"));
    assert_done(f);
    explain(f, "long-1");
    assert_int_equal(f->r->patterns.compiled, 2 * (CATALOG__PATTERNS_MAX + 1));
}

/* ---- Execution ---- */

static void add_instance(struct fixture *f, const char *node, const char *tag, const char *status)
{
    struct mu_str tags[] = {mu__cstr(tag)};
    struct mu_pair meta[] = {{S("on"), mu__cstr(node)}};
    struct catalog_node_service s = {
        .id = S("web"), .service = S("web"), .tags = {tags, 1}, .meta = {meta, 1}};
    struct catalog_check k = {
        .check_id = S("c"), .service_id = S("web"), .status = mu__cstr(status)};
    apply_register(f, (struct catalog_register_request){.node = mu__cstr(node),
                                                        .address = mu__cstr(node),
                                                        .node_meta = {meta, 1},
                                                        .service = &s,
                                                        .check = &k});
}

/* The nodes that a query finds, sorted, each followed by a blank. */
static void expect_found(struct fixture *f, struct catalog_query_execute_request q,
                         const char *expected)
{
    struct catalog_query_execute_response out;
    const char *why;
    q.query_id_or_name = q.query_id_or_name.len ? q.query_id_or_name : S("q");
    catalog_read_begin(f->r);
    for (uint64_t seed = 0; seed < 10; seed++) {
        char names[64] = "";
        assert_int_equal(catalog_query_execute(f->r, &q, seed, &out, &why), 0);
        assert_null(why);
        for (char c = '1'; c <= '4'; c++) {
            for (size_t i = 0; i < out.nodes.len; i++) {
                const struct catalog_check_service_node *n = out.nodes.items[i];
                if (n->node->node.p[1] == c) {
                    snprintf(names + strlen(names), sizeof names - strlen(names), "n%c ", c);
                }
            }
        }
        assert_string_equal(names, expected);
    }
    catalog_read_end(f->r);
}

static void test_execution_finds_what_the_query_asks_for(void **state)
{
    struct fixture *f = *state;
    struct catalog_query_execute_request ask = {.limit = 0};
    struct mu_str a[] = {S("A")}, not_a[] = {S("!a")}, check[] = {S("c")};
    struct mu_pair on_n2[] = {{S("on"), S("n2")}};
    struct catalog_prepared_query q = query(ID("1"), "q", "web");
    add_instance(f, "n1", "a", "passing");
    add_instance(f, "n2", "b", "warning");
    add_instance(f, "n3", "a", "critical");
    change(f, "create", q);
    expect_found(f, ask, "n1 n2 ");
    q.service.only_passing = true;
    change(f, "update", q);
    expect_found(f, ask, "n1 ");
    q.service.ignore_check_ids = (struct mu_strs){check, 1};
    change(f, "update", q);
    expect_found(f, ask, "n1 n2 n3 ");
    q.service.tags = (struct mu_strs){a, 1};
    change(f, "update", q);
    expect_found(f, ask, "n1 n3 ");
    q.service.tags = (struct mu_strs){not_a, 1};
    change(f, "update", q);
    expect_found(f, ask, "n2 ");
    q = query(ID("1"), "q", "web");
    q.service.node_meta = (struct mu_strmap){on_n2, 1};
    change(f, "update", q);
    expect_found(f, ask, "n2 ");
    q.service.node_meta = (struct mu_strmap){NULL, 0};
    q.service.service_meta = (struct mu_strmap){on_n2, 1};
    change(f, "update", q);
    expect_found(f, ask, "n2 ");
    ask.connect = true;
    expect_found(f, ask, "");
}

/* Who is first of those that a query finds; '-' when the seeds do not agree. */
static char first(struct fixture *f, const struct catalog_query_execute_request *q)
{
    char who = 0;
    struct catalog_query_execute_response out;
    const char *why;
    catalog_read_begin(f->r);
    for (uint64_t seed = 0; seed < 30; seed++) {
        assert_int_equal(catalog_query_execute(f->r, q, seed, &out, &why), 0);
        assert_true(out.nodes.len > 0);
        char c = ((struct catalog_check_service_node *)out.nodes.items[0])->node->node.p[1];
        who = who && who != c ? '-' : c;
        if (who == '-') {
            break;
        }
    }
    catalog_read_end(f->r);
    return who;
}

static void test_order_is_chance_unless_somebody_is_near(void **state)
{
    struct fixture *f = *state;
    struct catalog_query_execute_request ask = {.query_id_or_name = S("q"), .limit = 1};
    struct catalog_prepared_query q = query(ID("1"), "q", "web");
    add_instance(f, "n1", "a", "passing");
    add_instance(f, "n2", "b", "passing");
    change(f, "create", q);
    assert_int_equal(first(f, &ask), '-');
    ask.source.node = S("n2");
    assert_int_equal(first(f, &ask), '2');
    ask.source.node = S("_ip");
    ask.source.ip = S("n1"); /* the address of that node */
    assert_int_equal(first(f, &ask), '1');
    ask.source.ip = S("nowhere");
    ask.agent.node = S("n2");
    assert_int_equal(first(f, &ask), '2');
    ask.source = (struct catalog_query_source){.ip = S("n1")};
    q.service.near = S("_agent");
    change(f, "update", q);
    assert_int_equal(first(f, &ask), '2');
    q.service.near = S("nosuch");
    change(f, "update", q);
    assert_int_equal(first(f, &ask), '-');
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_query_is_made_changed_and_deleted),
        TEST(test_names_are_unique_and_no_ids),
        TEST(test_what_is_no_query_is_refused),
        TEST(test_a_query_goes_with_its_session),
        TEST(test_queries_are_listed_by_id_and_waited_for),
        TEST(test_the_longest_template_is_taken),
        cmocka_unit_test(test_templates_are_filled_in),
        cmocka_unit_test(test_a_template_cannot_grow_without_end),
        cmocka_unit_test(test_every_text_of_the_service_is_filled_in),
        TEST(test_an_expression_is_compiled_once_for_many_executions),
        TEST(test_expressions_that_are_remembered_are_bounded),
        TEST(test_execution_finds_what_the_query_asks_for),
        TEST(test_order_is_chance_unless_somebody_is_near),
    };
    return cmocka_run_group_tests_name("prepared", tests, NULL, NULL);
}
