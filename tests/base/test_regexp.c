/* Mirrors base/src/regexp*.c: which match is found, and where its groups are. What filters ask,
 * whether there is one at all, is in tests/daemons/test_filter.c. */
#include "mu_test.h"

#include "regexp.h"
#include "schema.h"

static const struct find {
    const char *pattern, *text;
    const char *groups; /* whole match and groups, "|" behind each; "-" took no part; "" no match */
} finds[] = {
    {"abc", "xabcx", "abc|"},
    {"b", "aaa", ""},
    {"a*", "baaa", "|"}, /* leftmost, even if it is nothing */
    {"a+", "baaa", "aaa|"},
    {"a+?", "baaa", "a|"},
    {"(a+)(b*)", "xaabbc", "aabb|aa|bb|"},
    {"(a+?)(b*?)$", "xaabb", "aabb|aa|bb|"},
    {"a|ab", "ab", "a|"}, /* the first alternative is preferred to a longer match */
    {"ab|a", "ab", "ab|"},
    {"(a)|(b)", "b", "b|-|b|"},
    {"(?:a)(b)", "ab", "ab|b|"},
    {"(?P<n>a)b", "ab", "ab|a|"},
    {"(a|b)*", "abba", "abba|a|"}, /* of a repetition the last round counts */
    {"(a){2,3}", "aaaa", "aaa|a|"},
    {"(a){2,3}?", "aaaa", "aa|a|"},
    {"(a)?b", "b", "b|-|"},
    {"(a*)*", "aab", "aa|aa|"},
    {"((a)(b))", "xab", "ab|ab|a|b|"},
    {"^re-(.*?)-(.*?)$", "re-a-b-c", "re-a-b-c|a|b-c|"},
    {"(?U)a+", "aaa", "a|"},
    {"(?U)a+?", "aaa", "aaa|"},
    {"(?i)(A)b", "xaB", "aB|a|"},
    {"\\b(\\w+)\\b", " one two", "one|one|"},
    {"", "abc", "|"},
    {"$", "abc", "|"},
    {"(\xc3\xa4)", "\xc3\xa4", "\xc3\xa4|\xc3\xa4|"},
};

static void test_the_match_is_that_of_perl_and_re2(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof finds / sizeof *finds; i++) {
        struct mu__arena a;
        struct mu_str groups[MU_REGEXP_GROUPS_MAX], text = mu__cstr(finds[i].text);
        char err[128], told[256] = "";
        size_t n;
        mu__arena_init(&a, NULL, 0);
        struct mu__regexp *re = mu__regexp_compile(mu__cstr(finds[i].pattern), &a, err, sizeof err);
        assert_non_null(re);
        bool found = mu__regexp_find(re, text, &a, groups, &n);
        assert_int_equal(found, mu__regexp_matches(re, text));
        for (size_t k = 0; found && k < n; k++) {
            size_t at = strlen(told);
            snprintf(told + at, sizeof told - at, "%.*s|", groups[k].p ? (int)groups[k].len : 1,
                     groups[k].p ? groups[k].p : "-");
        }
        if (strcmp(told, finds[i].groups) != 0) {
            fail_msg("%s in %s: %s", finds[i].pattern, finds[i].text, told);
        }
        mu__arena_fini(&a);
    }
}

static void test_groups_beyond_the_limit_are_matched_and_forgotten(void **state)
{
    (void)state;
    struct mu__arena a;
    struct mu_str groups[MU_REGEXP_GROUPS_MAX];
    char err[128], pattern[201] = "";
    size_t n;
    for (size_t i = 0; i < 40; i++) {
        strcat(pattern, "(a?)");
    }
    mu__arena_init(&a, NULL, 0);
    struct mu__regexp *re = mu__regexp_compile(mu__cstr(pattern), &a, err, sizeof err);
    assert_non_null(re);
    assert_true(mu__regexp_find(re, mu__cstr("aa"), &a, groups, &n));
    assert_int_equal(n, MU_REGEXP_GROUPS_MAX);
    assert_int_equal(groups[0].len, 2);
    assert_int_equal(groups[1].len, 1);
    assert_int_equal(groups[3].len, 0);
    mu__arena_fini(&a);
}

/* Exponential for engines that try one way after the other. */
static void test_hostile_expressions_take_linear_time(void **state)
{
    (void)state;
    struct mu__arena a;
    struct mu_str groups[MU_REGEXP_GROUPS_MAX];
    char err[128], text[5001];
    size_t n;
    memset(text, 'a', 5000);
    text[5000] = '\0';
    mu__arena_init(&a, NULL, 0);
    struct mu__regexp *re = mu__regexp_compile(mu__cstr("^(a+)+(a*)*b$"), &a, err, sizeof err);
    assert_non_null(re);
    assert_false(mu__regexp_find(re, mu__cstr(text), &a, groups, &n));
    mu__arena_fini(&a);
}

static void test_without_memory_nothing_is_found(void **state)
{
    (void)state;
    struct mu__arena a, none;
    struct mu_str groups[MU_REGEXP_GROUPS_MAX];
    char err[128];
    size_t n;
    mu__arena_init(&a, NULL, 0);
    mu__arena_init(&none, NULL, 16);
    struct mu__regexp *re = mu__regexp_compile(mu__cstr("(a)"), &a, err, sizeof err);
    assert_non_null(re);
    assert_false(mu__regexp_find(re, mu__cstr("a"), &none, groups, &n));
    mu__arena_fini(&none);
    mu__arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_match_is_that_of_perl_and_re2),
        cmocka_unit_test(test_groups_beyond_the_limit_are_matched_and_forgotten),
        cmocka_unit_test(test_hostile_expressions_take_linear_time),
        cmocka_unit_test(test_without_memory_nothing_is_found),
    };
    return cmocka_run_group_tests_name("regexp", tests, NULL, NULL);
}
