/* Filter expressions (http-semantics 9) and the regular expressions in them. */
#include "mu_test.h"

#include "http/filter.h"
#include "regexp.h"
#include <muster/catalog_types.h>

static struct mu__arena arena;

static int setup(void **state)
{
    (void)state;
    mu__arena_init(&arena, NULL, 32 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mu__arena_fini(&arena);
    return 0;
}

static struct mu_str tags[] = {{"a", 1}, {"b-1", 3}};
static struct mu_pair meta[] = {{{"env", 3}, {"prod", 4}}, {{"x-y", 3}, {"1", 1}}};
static struct catalog_service_address wan = {{"1.2.3.4", 7}, 99};
static struct mu_named addresses[] = {{{"wan", 3}, &wan}};
static struct catalog_upstream up1 = {.destination_name = {"db", 2}, .local_bind_port = 1},
                               up2 = {.destination_name = {"cache", 5}, .local_bind_port = 2};
static void *upstreams[] = {&up1, &up2};
static const struct catalog_node_service record = {
    .id = {"web-1", 5},
    .service = {"web", 3},
    .tags = {tags, 2},
    .meta = {meta, 2},
    .tagged_addresses = {addresses, 1},
    .port = 80,
    .enable_tag_override = true,
    .proxy = {.upstreams = {upstreams, 2}},
};

static const char *refusal(const char *text)
{
    static char err[FILTER_ERROR_MAX];
    const struct http_filter *f;
    return filter_parse(catalog_schema(CATALOG_NODE_SERVICE), mu__cstr(text), &arena, &f, err,
                        sizeof err)
               ? "accepted"
               : err;
}

static bool passes(const char *text)
{
    char err[FILTER_ERROR_MAX];
    const struct http_filter *f = NULL;
    if (!filter_parse(catalog_schema(CATALOG_NODE_SERVICE), mu__cstr(text), &arena, &f, err,
                      sizeof err)) {
        fail_msg("%s: %s", text, err);
    }
    return filter_match(f, &record);
}

static void test_each_operator_on_each_kind_of_field(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool passes;
    } cases[] = {
        {"Service == web", true},
        {"Service==web", true},
        {"Service != web", false},
        {"Service == `web`", true},
        {"Service == \"w\\u0065b\"", true},
        {"ID == web-1", false},
        {"Service contains eb", true},
        {"Service not contains eb", false},
        {"eb in Service", true},
        {"zz not in Service", true},
        {"Service matches \"^w.b$\"", true},
        {"Service not matches `^w$`", true},
        {"Port == 80", true},
        {"Port != 80", false},
        {"Port == -80", false},
        {"EnableTagOverride == true", true},
        {"EnableTagOverride == f", false},
        {"a in Tags", true},
        {"Tags contains \"b-1\"", true},
        {"Tags contains b", false},
        {"Tags is empty", false},
        {"Tags is not empty", true},
        {"env in Meta", true},
        {"Meta contains \"x-y\"", true},
        {"nope not in Meta", true},
        {"Meta.env == prod", true},
        {"Meta[\"x-y\"] == 1", true},
        {"Meta[ `env` ] == prod", true},
        {"Meta.none == prod", false},
        {"Meta.none != prod", true},
        {"Meta is empty", false},
        {"wan in TaggedAddresses", true},
        {"TaggedAddresses.wan.Port == 99", true},
        {"TaggedAddresses.lan.Port == 99", false},
        {"TaggedAddresses.lan.Port != 99", true},
        {"Proxy.Upstreams is empty", false},
        {"Proxy.Upstreams.DestinationName == cache", true},
        {"Proxy.Upstreams.DestinationName != cache", true},
        {"Proxy.Upstreams.LocalBindPort == 3", false},
        {"Weights.Passing == 0", true},
        {"Connect.Native == false", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].text, "ID == web-1") == 0) {
            /* A bare word ends at the hyphen */
            assert_string_not_equal(refusal(cases[i].text), "accepted");
        } else if (passes(cases[i].text) != cases[i].passes) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void test_not_binds_before_and_before_or(void **state)
{
    (void)state;
    assert_true(passes("Port == 80 or Port == 1 and Port == 2"));
    assert_false(passes("(Port == 80 or Port == 1) and Port == 2"));
    assert_true(passes("not Port == 1 and Port == 80"));
    assert_true(passes("not (Port == 1 and Port == 80)"));
    assert_true(passes("not not Port == 80"));
    assert_true(passes("  ( ( Port==80 ) )  "));
    assert_true(passes("Port == 1 or Port == 2 or Port == 80"));
}

static void test_what_is_wrong_is_said_as_consul_says_it(void **state)
{
    (void)state;
    assert_string_equal(refusal("Nope == 1"), "Selector \"Nope\" is not valid");
    assert_string_equal(refusal("CreateIndex == 1"), "Selector \"CreateIndex\" is not valid");
    assert_string_equal(refusal("Proxy == 1"), "Selector \"Proxy\" is not valid");
    assert_string_equal(refusal("Expose.Checks == true"), "Selector \"Expose\" is not valid");
    assert_string_equal(refusal("Proxy.Expose.Checks == true"),
                        "Selector \"Proxy.Expose\" is not valid");
    assert_string_equal(refusal("Tags == a"),
                        "Invalid match operator \"Equal\" for selector \"Tags\"");
    assert_string_equal(refusal("Port is empty"),
                        "Invalid match operator \"Is Empty\" for selector \"Port\"");
    assert_string_equal(refusal("Port not matches `1`"),
                        "Invalid match operator \"Not Matches\" for selector \"Port\"");
    assert_string_equal(refusal("Port == abc"),
                        "Failed to coerce value \"abc\" for selector \"Port\": strconv.ParseInt: "
                        "parsing \"abc\": invalid syntax");
    assert_string_equal(refusal("EnableTagOverride == maybe"),
                        "Failed to coerce value \"maybe\" for selector \"EnableTagOverride\": "
                        "strconv.ParseBool: parsing "
                        "\"maybe\": invalid syntax");
    assert_string_equal(
        refusal("Service matches `[`"),
        "Failed to compile regular expression \"[\": error parsing regexp: missing closing ]: `[`");
    static const char *const malformed[] = {
        "",       "Port",         "Port ==",          "== 1",         "Port == 1 AND Port == 2",
        "(",      "(Port == 1",   "Port == 1)",       "not(Port==1)", "Port == 1 and",
        "Port 1", "Port is full", "Service == \"web", "1 == Port",    "Port == 1or Port == 2"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        if (!strstr(refusal(malformed[i]), "no match found")) {
            fail_msg("%s: %s", malformed[i], refusal(malformed[i]));
        }
    }
}

static void test_hostile_expressions_are_bounded(void **state)
{
    (void)state;
    char *deep = malloc(20001);
    memset(deep, '(', 20000);
    deep[20000] = 0;
    assert_string_equal(refusal(deep), "expression too large");
    deep[4000] = 0;
    assert_string_equal(refusal(deep), "expression nests too deeply");
    free(deep);
}

static bool found(const char *pattern, const char *text)
{
    char err[256];
    struct mu__regexp *re = mu__regexp_compile(mu__cstr(pattern), &arena, err, sizeof err);
    if (!re) {
        fail_msg("%s: %s", pattern, err);
    }
    return mu__regexp_matches(re, mu__cstr(text));
}

static void test_regular_expressions_find_what_re2_finds(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool found;
    } cases[] = {
        {"", "", true},
        {"a", "xax", true},
        {"^a", "xa", false},
        {"a$", "xa", true},
        {"^$", "", true},
        {"^$", "x", false},
        {"a.c", "abc", true},
        {"a.c", "a\nc", false},
        {"(?s)a.c", "a\nc", true},
        {"^.$", "\xc3\xa9", true},
        {"ab|cd", "xcd", true},
        {"^(ab|cd|ef)$", "ef", true},
        {"^(ab|cd|)$", "", true},
        {"^ab|cd$", "abx", true},
        {"^a*$", "aaaa", true},
        {"^a*$", "aab", false},
        {"^a+$", "", false},
        {"^(ab)+$", "ababab", true},
        {"^(ab)+$", "aba", false},
        {"^a?b$", "b", true},
        {"^a??b$", "ab", true},
        {"^a{2}$", "aa", true},
        {"^a{2}$", "aaa", false},
        {"^a{2,}$", "aaaa", true},
        {"^a{2,3}$", "aaaa", false},
        {"^a{0,1}b$", "b", true},
        {"^a{0}b$", "b", true},
        {"a{,2}", "a{,2}", true},
        {"[abc]", "xbx", true},
        {"^[^abc]$", "d", true},
        {"[^abc]", "abc", false},
        {"[a-z0-9]+$", "A9", true},
        {"[]a]", "]", true},
        {"[a\\]]", "]", true},
        {"[a-]", "-", true},
        {"^\\d{3}-\\d+$", "123-4", true},
        {"\\D", "123", false},
        {"^\\w+$", "a_1", true},
        {"\\W", "a b", true},
        {"\\s", "a\tb", true},
        {"^\\S+$", "a b", false},
        {"[\\d.]+$", "1.2", true},
        {"[[:alpha:]]", "1a", true},
        {"^[[:^alpha:]]$", "1", true},
        {"\\bfoo\\b", "a foo b", true},
        {"\\bfoo\\b", "afoo", false},
        {"\\Bo", "foo", true},
        {"(?i)WEB", "web", true},
        {"(?i)[a-c]", "B", true},
        {"(?i)[^a]", "A", false},
        {"a(?i)b", "aB", true},
        {"(?i:a)b", "AB", false},
        {"(?:ab)+c", "ababc", true},
        {"(?P<n>a)", "a", true},
        {"\\x41\\x{42}", "AB", true},
        {"\\.", "a", false},
        {"\\.", ".", true},
        {"\\n", "\n", true},
        {"(?m)^b$", "a\nb\nc", true},
        {"\\Aa\\z", "a", true},
        {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {"(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
        {"^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaab", false},
        {"x{3}y{1,2}", "xxxy", true},
        {"((a{2}){2}){2}$", "aaaaaaaa", true},
        {"^((a{2}){2}){2}$", "aaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (found(cases[i].pattern, cases[i].text) != cases[i].found) {
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
        }
    }
}

static void test_bad_regular_expressions_are_named_as_by_go(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[", "missing closing ]: `[`"},
        {"(a", "missing closing ): `(a`"},
        {"a)", "unexpected ): `a)`"},
        {"*", "missing argument to repetition operator: `*`"},
        {"a**", "invalid nested repetition operator: `**`"},
        {"a{1001}", "invalid repeat count: `{1001}`"},
        {"a{2,1}", "invalid repeat count: `{2,1}`"},
        {"[b-a]", "invalid character class range: `b-a`"},
        {"\\q", "invalid escape sequence: `\\q`"},
        {"a\\", "trailing backslash at end of expression: ``"},
        {"(?=a)", "invalid or unsupported Perl syntax: `(?=`"},
        {"((a{100}){100}){100}", "expression too large"},
        {"((((){1000}){1000}){1000}){1000}", "expression too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char err[256] = "accepted";
        mu__regexp_compile(mu__cstr(cases[i][0]), &arena, err, sizeof err);
        assert_string_equal(err, cases[i][1]);
    }
}

static void test_every_prefix_of_an_expression_is_safe(void **state)
{
    (void)state;
    static const char text[] = "not (Meta[\"x-y\"] == \"1\\n\" and `a` in Tags) or Service matches "
                               "`^(a|b)+[^c-d]{1,3}\\\\.(?i)x$`";
    for (size_t len = 0; len <= strlen(text); len++) {
        char *part = malloc(len + 1);
        memcpy(part, text, len);
        char err[FILTER_ERROR_MAX];
        const struct http_filter *f = NULL;
        if (filter_parse(catalog_schema(CATALOG_NODE_SERVICE), (struct mu_str){part, len}, &arena,
                         &f, err, sizeof err)) {
            (void)filter_match(f, &record);
        }
        free(part);
    }
}

static bool is_equal(const char *text, const char **value)
{
    static char buf[64];
    char err[FILTER_ERROR_MAX];
    const struct http_filter *f;
    struct mu_str s;
    assert_true(
        filter_parse(catalog_schema(CATALOG_NODE), mu__cstr(text), &arena, &f, err, sizeof err));
    if (!filter_is_equal(f, "Address", &s)) {
        return false;
    }
    snprintf(buf, sizeof buf, "%.*s", (int)s.len, s.p);
    *value = buf;
    return true;
}

static void test_one_comparison_of_a_field_is_known_as_that(void **state)
{
    (void)state;
    static const char *const equal[] = {"Address == \"10.0.0.1\"", "Address==`10.0.0.1`",
                                        " ( Address == \"10.0.0.1\" ) "};
    static const char *const other[] = {
        "Address != \"10.0.0.1\"",
        "not Address == \"10.0.0.1\"",
        "Node == \"10.0.0.1\"",
        "Address matches \"10.0.0.1\"",
        "\"10.0.0.1\" in Address",
        "Address contains \"10.0.0.1\"",
        "Meta.Address == \"10.0.0.1\"",
        "TaggedAddresses.Address == \"10.0.0.1\"",
        "Address == \"10.0.0.1\" and Node == n",
        "Address == \"10.0.0.1\" or Address == \"10.0.0.2\"",
    };
    const char *value = NULL;
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
        assert_true(is_equal(equal[i], &value));
        assert_string_equal(value, "10.0.0.1");
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_false(is_equal(other[i], &value));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_each_operator_on_each_kind_of_field),
        T(test_not_binds_before_and_before_or),
        T(test_what_is_wrong_is_said_as_consul_says_it),
        T(test_hostile_expressions_are_bounded),
        T(test_regular_expressions_find_what_re2_finds),
        T(test_bad_regular_expressions_are_named_as_by_go),
        T(test_every_prefix_of_an_expression_is_safe),
        T(test_one_comparison_of_a_field_is_known_as_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
