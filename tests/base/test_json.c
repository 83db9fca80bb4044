/* Mirrors src/json.c, json_any.c, schema_json.c and duration.c. Expected texts are what Go
 * prints. */
#include "mu_test.h"

#include "schema.h"

static struct mu_str str(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static void expect(struct mu__writer *w, const char *text)
{
    assert_false(w->failed);
    mu__write_u8(w, 0);
    assert_string_equal((const char *)w->data, text);
    w->len = 0;
}

static void test_strings_escape_as_go_does(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"plain", "\"plain\""},
        {"", "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\f\x01\x7f", "\"\\n\\r\\t\\u0008\\u000c\\u0001\x7f\""},
        {"<a>&", "\"\\u003ca\\u003e\\u0026\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"x\xe2\x80\xa8y\xe2\x80\xa9z\xe2\x80\xaa", "\"x\\u2028y\\u2029z\xe2\x80\xaa\""},
        {"\xff", "\"\\ufffd\""},
        {"a\xc3", "\"a\\ufffd\""},
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
        {"\xe2\x82z", "\"\\ufffd\\ufffdz\""},
    };
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mu__json_str(&j, str(rows[i][0]));
        expect(&w, rows[i][1]);
    }
    mu__writer_fini(&w);
}

static void test_floats_print_in_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {100, "100"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.25e-6, "0.00000125"},
        {0.000001, "0.000001"},
        {9.5e-7, "9.5e-7"},
        {1e-7, "1e-7"},
        {1.5e300, "1.5e+300"},
        {0.30000000000000004, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {123456789.125, "123456789.125"},
    };
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mu__json_float(&j, rows[i].v);
        expect(&w, rows[i].text);
    }
    mu__writer_fini(&w);
}

static void test_integers_print_at_their_limits(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_int(&j, INT64_MIN);
    expect(&w, "-9223372036854775808");
    mu__json_uint(&j, UINT64_MAX);
    expect(&w, "18446744073709551615");
    mu__json_int(&j, 0);
    expect(&w, "0");
    mu__writer_fini(&w);
}

static void test_base64_pads(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", "\"\""},
                                          {"f", "\"Zg==\""},
                                          {"fo", "\"Zm8=\""},
                                          {"foo", "\"Zm9v\""},
                                          {"\xff\xfe\xfd\xfc", "\"//79/A==\""}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mu__json_base64(&j, rows[i][0], strlen(rows[i][0]));
        expect(&w, rows[i][1]);
    }
    mu__writer_fini(&w);
}

static void test_times_print_in_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        struct mu_time t;
        const char *text;
    } rows[] = {
        {{0, 0}, "\"0001-01-01T00:00:00Z\""},
        {{MU_YEAR1_TO_UNIX_S, 0}, "\"1970-01-01T00:00:00Z\""},
        {{MU_YEAR1_TO_UNIX_S + 1606039872, 345678901}, "\"2020-11-22T10:11:12.345678901Z\""},
        {{MU_YEAR1_TO_UNIX_S + 951782400, 500000000}, "\"2000-02-29T00:00:00.5Z\""},
        {{MU_YEAR1_TO_UNIX_S + 1606039872, 10}, "\"2020-11-22T10:11:12.00000001Z\""},
        {{315537897599, 0}, "\"9999-12-31T23:59:59Z\""},
        {{315537897600, 0}, "null"},
        {{-1, 0}, "null"},
        {{INT64_MIN, 0}, "null"},
    };
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mu__json_time(&j, rows[i].t);
        expect(&w, rows[i].text);
    }
    mu__writer_fini(&w);
}

static void test_pretty_output_indents_by_four_and_keeps_empty_containers_short(void **state)
{
    (void)state;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    for (int pretty = 0; pretty < 2; pretty++) {
        struct mu__json j = mu__json(&w, pretty);
        mu__json_object(&j);
        mu__json_ckey(&j, "a");
        mu__json_list(&j);
        mu__json_item(&j);
        mu__json_int(&j, 1);
        mu__json_item(&j);
        mu__json_object(&j);
        mu__json_object_end(&j);
        mu__json_list_end(&j);
        mu__json_ckey(&j, "b");
        mu__json_list(&j);
        mu__json_list_end(&j);
        mu__json_object_end(&j);
        expect(&w, pretty ? "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": []\n}"
                          : "{\"a\":[1,{}],\"b\":[]}");
    }
    mu__writer_fini(&w);
}

static void test_free_form_values_are_transcoded_with_sorted_keys(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        {"\xc0", 1, "null"},
        {"\x82\xa1z\x01\xa1\x61\x92\xc3\xcb\x3f\xf8\0\0\0\0\0\0", 17, "{\"a\":[true,1.5],\"z\":1}"},
        {"\x82\xa1k\x01\xa1k\x02", 7, "{\"k\":2}"},
        {"\x80", 1, "{}"},
        {"\x90", 1, "[]"},
        {"\x81\xa1k\x80", 4, "{\"k\":{}}"},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, "18446744073709551615"},
        {"\xd0\x80", 2, "-128"},
        {"\xc4\x02hi", 4, "\"aGk=\""},
        {"\x82\x01\x02\xa1k\x03", 6, "{\"k\":3}"}, /* a key that is not text is left out */
        {"\x93\x91\x91\x01\xa0\xc2", 6, "[[[1]],\"\",false]"},
    };
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mu__json j = mu__json(&w, false);
        mu__json_any(&j, (struct mu_str){rows[i].bytes, rows[i].len});
        expect(&w, rows[i].text);
    }
    mu__writer_fini(&w);
}

struct rec {
    int64_t span, nanos;
    struct mu_str text, bytes;
    struct mu_strs nil, empty;
    struct mu_strmap map;
    struct rec *next;
    struct mu_str any;
};
extern const struct mu__schema rec_schema;
#define AT(member) offsetof(struct rec, member)
static const struct mu__field rec_fields[] = {
    {.name = "Span",
     .kind = MU_DURATION,
     .offset = AT(span),
     .flags = MU_F_DURATION_STRING | MU_F_OMIT_EMPTY},
    {.name = "Nanos", .json = "nanos", .kind = MU_DURATION, .offset = AT(nanos)},
    {.name = "Text", .kind = MU_STR, .offset = AT(text), .flags = MU_F_OMIT_EMPTY},
    {.name = "Bytes", .kind = MU_BYTES, .offset = AT(bytes)},
    {.name = "Nil", .kind = MU_STRS, .offset = AT(nil)},
    {.name = "Empty", .kind = MU_STRS, .offset = AT(empty), .flags = MU_F_EMPTY_NOT_NULL},
    {.name = "Map", .kind = MU_STRMAP, .offset = AT(map), .flags = MU_F_EMPTY_NOT_NULL},
    {.name = "Next", .kind = MU_PTR, .offset = AT(next), .sub = &rec_schema},
    {.name = "Any", .kind = MU_ANY, .offset = AT(any), .flags = MU_F_OMIT_EMPTY},
};
static const uint8_t rec_wire[] = {8, 3, 5, 6, 1, 7, 4, 0, 2};
const struct mu__schema rec_schema = {
    "Rec",    rec_fields,      sizeof rec_fields / sizeof *rec_fields,
    rec_wire, sizeof rec_wire, sizeof(struct rec)};

static void test_records_follow_the_flags_of_their_tables(void **state)
{
    (void)state;
    struct rec inner = {.any = {"\x80", 1}};
    struct rec outer = {.span = 90000000000,
                        .nanos = 5,
                        .text = str("<"),
                        .bytes = str("hi"),
                        .next = &inner,
                        .any = {"\x81\xa1k\x01", 4}};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_value(&j, &rec_schema, &outer);
    expect(&w, "{\"Span\":\"1m30s\",\"nanos\":5,\"Text\":\"\\u003c\",\"Bytes\":\"aGk=\",\"Nil\":"
               "null,\"Empty\":[],"
               "\"Map\":{},\"Next\":{\"nanos\":0,\"Bytes\":null,\"Nil\":null,\"Empty\":[],\"Map\":{"
               "},\"Next\":null},"
               "\"Any\":{\"k\":1}}");
    mu__writer_fini(&w);
}

static void test_durations_print_and_parse_as_in_go(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {1, "1ns"},
        {1100, "1.1\xc2\xb5s"},
        {2200000, "2.2ms"},
        {3300000000, "3.3s"},
        {60000000000, "1m0s"},
        {245000000000, "4m5s"},
        {90000000000, "1m30s"},
        {86400000000000, "24h0m0s"},
        {18367001000000, "5h6m7.001s"},
        {-1500000000, "-1.5s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t back;
        assert_int_equal(mu__duration_format(rows[i].ns, buf), strlen(rows[i].text));
        assert_string_equal(buf, rows[i].text);
        assert_true(mu__duration_parse(buf, strlen(buf), &back));
        assert_true(back == rows[i].ns);
    }
    mu__duration_format(INT64_MIN, buf);
    assert_string_equal(buf, "-2562047h47m16.854775808s");
}

static void test_odd_and_malformed_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"+5s", 5000000000},
                {".5s", 500000000},
                {"1.s", 1000000000},
                {"100us", 100000},
                {"100\xce\xbcs", 100000},
                {"1h1h", 7200000000000},
                {"0.3333333333333333333h", 1200000000000}};
    static const char *const bad[] = {
        "", "-", "3", "s", ".s", "1x", "1 s", "5ss", "9223372036854775808ns", "3000000h", "1s-"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ns = -1;
        assert_true(mu__duration_parse(good[i].text, strlen(good[i].text), &ns));
        /* Go truncates fractions, too */
        assert_in_range(ns, good[i].ns ? good[i].ns - 1 : 0, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns = -1;
        assert_false(mu__duration_parse(bad[i], strlen(bad[i]), &ns));
        assert_int_equal(ns, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_escape_as_go_does),
        cmocka_unit_test(test_floats_print_in_their_shortest_form),
        cmocka_unit_test(test_integers_print_at_their_limits),
        cmocka_unit_test(test_base64_pads),
        cmocka_unit_test(test_times_print_in_rfc_3339),
        cmocka_unit_test(test_pretty_output_indents_by_four_and_keeps_empty_containers_short),
        cmocka_unit_test(test_free_form_values_are_transcoded_with_sorted_keys),
        cmocka_unit_test(test_records_follow_the_flags_of_their_tables),
        cmocka_unit_test(test_durations_print_and_parse_as_in_go),
        cmocka_unit_test(test_odd_and_malformed_durations),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
