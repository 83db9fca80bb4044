/* Mirrors daemons/base/hcl.c: trees, and what is refused. What trees are made of was compared with
 * the original's reader. */
#include "mu_test.h"

#include "base/config.h"
#include "base/hcl.h"

static void expect(const char *text, const char *json)
{
    char err[256] = "";
    json_t *tree = hcl_parse(text, strlen(text), err, sizeof err);
    if (!tree) {
        fail_msg("%s: %s", text, err);
    }
    char *out = json_dumps(tree, JSON_COMPACT);
    assert_string_equal(out, json);
    free(out);
    json_decref(tree);
}

static void refuse(const char *text, const char *why)
{
    char err[256] = "";
    json_t *tree = hcl_parse(text, strlen(text), err, sizeof err);
    if (tree) {
        fail_msg("%s was taken", text);
    }
    assert_string_equal(err, why);
}

static void test_values(void **state)
{
    (void)state;
    expect("", "{}");
    expect("a = 1 b = -2\nc = 0x10, d = 010\ne = 2.5e3", "{\"a\":1,\"b\":-2,\"c\":16,\"d\":8,"
                                                         "\"e\":2500.0}");
    expect("a = true\n\"b c\" = false", "{\"a\":true,\"b c\":false}");
    expect("a = [1, \"x\", [], {b = 1}, ]", "{\"a\":[1,\"x\",[],{\"b\":1}]}");
    expect("a = {b = {c = 1}}", "{\"a\":{\"b\":{\"c\":1}}}");
    expect("a = 1\na = 2", "{\"a\":2}");
}

static void test_texts(void **state)
{
    (void)state;
    expect("a = \"\\n\\t\\\"\\\\\\u00e9\\x41\\101\"", "{\"a\":\"\\n\\t\\\"\\\\\xc3\xa9"
                                                      "AA\"}");
    expect("a = \"${f(\"x\")} \\\"\"", "{\"a\":\"${f(\\\"x\\\")} \\\"\"}");
    expect("a = <<E\none\n  two\nE\nb = 1", "{\"a\":\"one\\n  two\\n\",\"b\":1}");
    expect("a = <<-E\n    one\n      two\n    E\n", "{\"a\":\"one\\n  two\\n\"}");
}

static void test_comments(void **state)
{
    (void)state;
    expect("# x\n// y\n/* z\n} */ a /* */ = /**/ 1 # end\nb = [ # in\n 1 ]", "{\"a\":1,\"b\":[1]}");
}

static void test_blocks_of_one_name_are_a_list(void **state)
{
    (void)state;
    expect("ports { http = 1 }", "{\"ports\":{\"http\":1}}");
    expect("a { x = 1 } a { x = 2 } a { x = 3 }", "{\"a\":[{\"x\":1},{\"x\":2},{\"x\":3}]}");
    expect("service \"web\" { port = 1 }", "{\"service\":{\"web\":{\"port\":1}}}");
    expect("a \"b\" \"c\" {}", "{\"a\":{\"b\":{\"c\":{}}}}");
}

static void test_lists_of_maps_may_be_one_block(void **state)
{
    (void)state;
    expect("services { name = \"a\" checks { ttl = \"1s\" } }",
           "{\"services\":[{\"name\":\"a\",\"checks\":[{\"ttl\":\"1s\"}]}]}");
    expect("services = [{ name = \"a\" }]", "{\"services\":[{\"name\":\"a\"}]}");
    expect("expose { checks = true }", "{\"expose\":{\"checks\":true}}");
    expect("config { checks { a = 1 } }", "{\"config\":{\"checks\":{\"a\":1}}}");
}

static void test_a_brace_at_the_beginning_is_json(void **state)
{
    (void)state;
    expect("\n {\"a\": null}", "{\"a\":null}");
    refuse("{\"a\": ", "line 1, column 6: unexpected token near end of file");
}

static void test_what_is_wrong_is_named_with_its_line(void **state)
{
    (void)state;
    refuse("a = 1\nb = [1 2]", "line 2: expected , or ] behind an element of a list");
    refuse("a = [1", "line 1: expected ] before the end");
    refuse("a {\n b = 1\n", "line 3: expected } before the end");
    refuse("a = 1\n}", "line 2: expected a key");
    refuse("a 1", "line 1: expected = or { behind a key");
    refuse("a = \"x\n\"", "line 1: expected the closing quote of this text");
    refuse("a = \"\\q\"", "line 1: expected one of \\n \\t \\\\ \\\" \\uXXXX behind a backslash");
    refuse("a = \"\\ud800\"", "line 1: expected an escape that stands for a character");
    refuse("a = yes", "line 1: expected a value: a quoted text, a number, true, false, a list or a "
                      "map");
    refuse("a = 99999999999999999999", "line 1: expected a value: a quoted text, a number, true, "
                                       "false, a list or a map");
    refuse("a = <<E\nx\n", "line 1: expected a line with the name of this heredoc alone");
    refuse("/* x", "line 1: expected the end */ of this comment");
    refuse("a = \"\xff\"", "line 1: expected text in UTF-8");
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    char text[200] = "a = ";
    memset(text + 4, '[', 70);
    refuse(text, "line 1: expected no more than 64 levels of nesting");
}

static void test_a_configuration_in_hcl_is_the_one_in_json(void **state)
{
    (void)state;
    static const char hcl[] = "data_dir = \"/tmp\"\nbind_addr = \"127.0.0.1\"\n"
                              "ports { http = 81 }\nports = { dns = 82 }\n"
                              "retry_join = [\"a\", \"b\"]\nnode_meta { x = \"y\" }\n"
                              "service { name = \"web\" port = 80 check { ttl = \"3s\" name = "
                              "\"c\" } }\n";
    char err[CONFIG_ERROR_MAX] = "";
    struct config *c = config_from_text("x.hcl", hcl, strlen(hcl), err, sizeof err);
    assert_null(c); /* two blocks of ports */
    assert_non_null(strstr(err, "'ports' expected a map"));
    static const char good[] = "data_dir = \"/tmp\"\nbind_addr = \"127.0.0.1\"\n"
                               "ports { http = 81 dns = 82 }\n"
                               "retry_join = [\"a\", \"b\"]\nnode_meta { x = \"y\" }\n"
                               "service { name = \"web\" port = 80 check { ttl = \"3s\" name = "
                               "\"c\" } }\n";
    c = config_from_text("x.hcl", good, strlen(good), err, sizeof err);
    if (!c) {
        fail_msg("%s", err);
    }
    assert_int_equal(c->ports.http, 81);
    assert_int_equal(c->ports.dns, 82);
    assert_int_equal(c->retry_join.len, 2);
    assert_int_equal(c->node_meta.len, 2);
    assert_string_equal(c->definitions.items[0].json.p,
                        "{\"name\":\"web\",\"port\":80,\"check\":{\"ttl\":\"3s\",\"name\":\"c\"}}");
    config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_blocks_of_one_name_are_a_list),
        cmocka_unit_test(test_lists_of_maps_may_be_one_block),
        cmocka_unit_test(test_a_brace_at_the_beginning_is_json),
        cmocka_unit_test(test_what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_a_configuration_in_hcl_is_the_one_in_json),
    };
    return cmocka_run_group_tests_name("hcl", tests, NULL, NULL);
}
