/* json_decode against the words of Go's encoding/json, as an agent of Consul 1.8.7 prints them. */
#include "mu_test.h"

#include "base/json.h"
#include "msgpack.h"
#include <muster/catalog_types.h>

static char err[JSON_ERROR_MAX];

static bool decode(enum catalog_type type, struct mu__arena *a, const char *text, void **out)
{
    const struct mu__schema *s = catalog_schema(type);
    *out = mu__arena_calloc(a, 1, s->size);
    err[0] = 0;
    /* An exact copy without a zero behind it, so that a sanitizer sees a read past the end. */
    size_t len = strlen(text);
    char *exact = malloc(len ? len : 1);
    memcpy(exact, text, len);
    bool ok = json_decode(s, exact, len, a, *out, err, sizeof err);
    free(exact);
    return ok;
}

static void refuses(enum catalog_type type, const char *text, const char *why)
{
    struct mu__arena a;
    void *out;
    mu__arena_init(&a, NULL, 1 << 20);
    if (decode(type, &a, text, &out)) {
        fail_msg("%s was accepted", text);
    }
    assert_string_equal(err, why);
    mu__arena_fini(&a);
}

#define SERVICE   CATALOG_SERVICE_DEFINITION
#define CHECK     CATALOG_CHECK_TYPE
#define AUTOPILOT CATALOG_AUTOPILOT_CONFIG

static void test_syntax_errors_are_worded_as_by_go(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "EOF"},
        {" \n", "EOF"},
        {"{", "unexpected EOF"},
        {"{\"Name\":", "unexpected EOF"},
        {"{\"Name\":\"a\\", "unexpected EOF"},
        {"tru", "unexpected EOF"},
        {"x", "invalid character 'x' looking for beginning of value"},
        {"\xc3\xa9", "invalid character '\xc3\x83' looking for beginning of value"},
        {"{\"Tags\":[\"a\",]}", "invalid character ']' looking for beginning of value"},
        {"{\"Name\" \"a\"}", "invalid character '\"' after object key"},
        {"{\"Name\":\"a\",}", "invalid character '}' looking for beginning of object key string"},
        {"{\"Name\":\"a\" \"b\"}", "invalid character '\"' after object key:value pair"},
        {"{\"Name\":tru}", "invalid character '}' in literal true (expecting 'e')"},
        {"{\"Name\":tx}", "invalid character 'x' in literal true (expecting 'r')"},
        {"{\"Name\":\"a\\q\"}", "invalid character 'q' in string escape code"},
        {"{\"Name\":\"a\\u12g\"}", "invalid character 'g' in \\u hexadecimal character escape"},
        {"{\"Name\":-x}", "invalid character 'x' in numeric literal"},
        {"{\"Name\":01}", "invalid character '1' after object key:value pair"},
        {"{\"Name\":1.x}", "invalid character 'x' after decimal point in numeric literal"},
        {"{\"Name\":1ex}", "invalid character 'x' in exponent of numeric literal"},
        {"{1:2}", "invalid character '1' looking for beginning of object key string"},
        {"{\"Tags\":[\"a\" \"b\"]}", "invalid character '\"' after array element"},
        {"{\"Name\":\"a\tb\"}", "invalid character '\\t' in string literal"},
        {"{\"Name\":\"a\x01\"}", "invalid character '\\x01' in string literal"},
        {"{'Name':1}", "invalid character '\\'' looking for beginning of object key string"},
        {"{\"Port\":\"x\"", "unexpected EOF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuses(SERVICE, cases[i][0], cases[i][1]);
    }
}

static void test_type_errors_are_worded_as_by_go(void **state)
{
    (void)state;
    static const struct {
        enum catalog_type type;
        const char *text, *why;
    } cases[] = {
        {SERVICE, "{\"Port\":\"x\"}",
         "json: cannot unmarshal string into Go struct field .Port of type int"},
        {SERVICE, "{\"Port\":1.5}",
         "json: cannot unmarshal number 1.5 into Go struct field .Port of type int"},
        {SERVICE, "{\"Port\":99999999999999999999}",
         "json: cannot unmarshal number 99999999999999999999 into Go struct field .Port of type "
         "int"},
        {SERVICE, "{\"Name\":1}",
         "json: cannot unmarshal number into Go struct field .Name of type string"},
        {SERVICE, "{\"Tags\":\"x\"}",
         "json: cannot unmarshal string into Go struct field .Tags of type []string"},
        {SERVICE, "{\"Tags\":[1]}",
         "json: cannot unmarshal number into Go struct field .Tags of type string"},
        {SERVICE, "{\"Meta\":{\"a\":1}}",
         "json: cannot unmarshal number into Go struct field .Meta of type string"},
        {SERVICE, "{\"Meta\":[]}",
         "json: cannot unmarshal array into Go struct field .Meta of type map[string]string"},
        {SERVICE, "{\"Check\":{\"HTTP\":1}}",
         "json: cannot unmarshal number into Go struct field .Check of type string"},
        {SERVICE, "{\"Check\":{\"Header\":{\"a\":\"b\"}}}",
         "json: cannot unmarshal string into Go struct field .Check of type []string"},
        {SERVICE, "{\"Checks\":{}}",
         "json: cannot unmarshal object into Go struct field .Checks of type structs.CheckTypes"},
        {SERVICE, "{\"Weights\":{\"Passing\":\"x\"}}",
         "json: cannot unmarshal string into Go struct field Weights.Weights.Passing of type int"},
        {SERVICE, "{\"Weights\":1}",
         "json: cannot unmarshal number into Go struct field .Weights of type structs.Weights"},
        {SERVICE, "{\"Proxy\":{\"Upstreams\":[{\"LocalBindPort\":\"x\"}]}}",
         "json: cannot unmarshal string into Go struct field .Proxy of type int"},
        {SERVICE, "{\"EnableTagOverride\":\"x\"}",
         "json: cannot unmarshal string into Go struct field .EnableTagOverride of type bool"},
        {SERVICE, "{\"TaggedAddresses\":{\"x\":{\"Port\":\"y\"}}}",
         "json: cannot unmarshal string into Go struct field ServiceAddress.TaggedAddresses.Port "
         "of type int"},
        {SERVICE, "{\"Bad\":1}", "json: unknown field \"Bad\""},
        {SERVICE, "{\"Check\":{\"Bad\":1}}", "json: unknown field \"Bad\""},
        {SERVICE, "{\"Namespace\":\"a\"}", "json: unknown field \"Namespace\""},
        {SERVICE, "{\"Port\":\"x\",\"Bad\":1}",
         "json: cannot unmarshal string into Go struct field .Port of type int"},
        {CATALOG_REGISTER_REQUEST, "{\"Node\":1}",
         "json: cannot unmarshal number into Go struct field RegisterRequest.Node of type string"},
        {CATALOG_REGISTER_REQUEST, "{\"Service\":1}",
         "json: cannot unmarshal number into Go struct field RegisterRequest.Service of type "
         "structs.NodeService"},
        {CATALOG_REGISTER_REQUEST, "{\"Service\":{\"Port\":\"x\"}}",
         "json: cannot unmarshal string into Go struct field NodeService.Service.Port of type int"},
        {CATALOG_REGISTER_REQUEST, "{\"Check\":{\"Status\":1}}",
         "json: cannot unmarshal number into Go struct field HealthCheck.Check.Status of type "
         "string"},
        {CATALOG_REGISTER_REQUEST, "{\"Check\":{\"Definition\":{\"Interval\":\"zz\"}}}",
         "time: invalid duration \"zz\""},
        {CATALOG_REGISTER_REQUEST,
         "{\"Service\":{\"Proxy\":{\"Upstreams\":[{\"LocalBindPort\":\"x\"}]}}}",
         "json: cannot unmarshal string into Go struct field NodeService.Service.Proxy of type "
         "int"},
        {CATALOG_REGISTER_REQUEST, "{\"Namespace\":\"x\"}",
         "json: unknown field \"Namespace\" - Namespaces are a Consul Enterprise feature"},
        {CATALOG_REGISTER_REQUEST, "[1]",
         "json: cannot unmarshal array into Go value of type structs.RegisterRequest"},
        {CATALOG_REGISTER_REQUEST, "7",
         "json: cannot unmarshal number into Go value of type structs.RegisterRequest"},
        {CHECK, "{\"TTL\":\"abc\"}", "time: invalid duration \"abc\""},
        {CHECK, "{\"TTL\":\"5\"}", "time: missing unit in duration \"5\""},
        {CHECK, "{\"TTL\":\"10z\"}", "time: unknown unit \"z\" in duration \"10z\""},
        {CHECK, "{\"TTL\":\"99999999h\"}", "time: invalid duration \"99999999h\""},
        {AUTOPILOT, "{\"LastContactThreshold\":\"10x\"}",
         "time: unknown unit \"x\" in duration \"10x\""},
        {AUTOPILOT, "{\"LastContactThreshold\":true}",
         "strconv.ParseFloat: parsing \"true\": invalid syntax"},
        {AUTOPILOT, "{\"ServerStabilizationTime\": [ 1 ,\n\"a\\\\\" ] }",
         "strconv.ParseFloat: parsing \"[ 1 ,\\n\\\"a\\\\\\\\\\\" ]\": invalid syntax"},
        {AUTOPILOT, "{\"LastContactThreshold\":{\"a\":{}},\"x\":1}",
         "strconv.ParseFloat: parsing \"{\\\"a\\\":{}}\": invalid syntax"},
        {AUTOPILOT, "{\"LastContactThreshold\":-1e400}",
         "strconv.ParseFloat: parsing \"-1e400\": value out of range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuses(cases[i].type, cases[i].text, cases[i].why);
    }
}

static void test_keys_match_in_any_case_and_by_alias(void **state)
{
    (void)state;
    struct mu__arena a;
    void *out;
    mu__arena_init(&a, NULL, 0);
    assert_true(
        decode(SERVICE, &a,
               "{\"nAmE\":\"web\",\"ID\":\"w1\",\"enable_tag_override\":true,\"PORT\":80,"
               "\"tagged_addresses\":{\"wan\":{\"address\":\"1.2.3.4\",\"port\":9}},"
               "\"Tags\":[\"a\",null,\"b\"],\"Meta\":{\"b\":\"2\",\"a\":\"1\",\"b\":\"3\"}}",
               &out));
    const struct catalog_service_definition *d = out;
    assert_true(mu__str_is(d->name, "web"));
    assert_true(d->enable_tag_override);
    assert_int_equal(d->port, 80);
    assert_int_equal(d->tagged_addresses.len, 1);
    const struct catalog_service_address *wan = d->tagged_addresses.items[0].value;
    assert_true(mu__str_is(wan->address, "1.2.3.4"));
    assert_int_equal(wan->port, 9);
    assert_int_equal(d->tags.len, 3);
    assert_int_equal(d->meta.len, 2); /* sorted, and of equal keys the last */
    assert_true(mu__str_is(d->meta.items[0].key, "a"));
    assert_true(mu__str_is(d->meta.items[1].value, "3"));
    mu__arena_fini(&a);
}

static void test_null_leaves_the_default_and_the_last_key_wins(void **state)
{
    (void)state;
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    struct catalog_service_definition d = {.port = 7, .name = {"old", 3}};
    static const char text[] =
        "{\"Port\":null,\"Name\":\"x\",\"Name\":\"y\",\"Proxy\":null} trailing";
    assert_true(json_decode(catalog_schema(SERVICE), text, strlen(text), &a, &d, err, sizeof err));
    assert_int_equal(d.port, 7);
    assert_true(mu__str_is(d.name, "y"));
    assert_null(d.proxy);
    assert_true(json_decode(catalog_schema(SERVICE), "null", 4, &a, &d, err, sizeof err));
    mu__arena_fini(&a);
}

static void test_durations_are_text_or_nanoseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {{"{\"TTL\":\"1m30s\"}", 90000000000},
                 {"{\"TTL\":1500}", 1500},
                 {"{\"TTL\":1.5}", 1},
                 {"{\"TTL\":1e9}", 1000000000},
                 {"{\"TTL\":-1}", -1},
                 {"{\"TTL\":true}", 0},
                 {"{\"TTL\":[]}", 0},
                 {"{\"TTL\":null}", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mu__arena a;
        void *out;
        mu__arena_init(&a, NULL, 0);
        assert_true(decode(CHECK, &a, cases[i].text, &out));
        assert_int_equal(((struct catalog_check_type *)out)->ttl_ns, cases[i].ns);
        mu__arena_fini(&a);
    }
}

/* A registration's durations belong to records that decode themselves; a long list is cut. */
static void test_who_decodes_itself_passes_over_other_shapes(void **state)
{
    (void)state;
    struct mu__arena a;
    void *out;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode(
        CATALOG_REGISTER_REQUEST, &a,
        "{\"Check\":{\"Name\":\"z\",\"Definition\":{\"Interval\":[1],\"TTL\":true}}}", &out));
    assert_true(decode(SERVICE, &a, "{\"Check\":{\"TTL\":{},\"Interval\":false}}", &out));
    assert_true(decode(AUTOPILOT, &a, "{\"LastContactThreshold\":null}", &out));
    assert_true(decode(AUTOPILOT, &a, "{\"LastContactThreshold\":1.5}", &out));
    assert_int_equal(((struct catalog_autopilot_config *)out)->last_contact_threshold_ns, 1);
    char text[4096] = "{\"LastContactThreshold\":[";
    memset(text + strlen(text), ' ', 3000);
    strcat(text, "]}");
    assert_false(decode(AUTOPILOT, &a, text, &out));
    assert_int_equal(strlen(err), sizeof err - 1);
    mu__arena_fini(&a);
}

static void test_strings_are_unescaped_and_made_valid_utf8(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\\n\\t\\\"\\\\\\/\\u0041", "a\n\t\"\\/A"},
        {"\\u00e9\\u20ac", "\xc3\xa9\xe2\x82\xac"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\\ud83d", "\xef\xbf\xbd"},
        {"\\ude00x", "\xef\xbf\xbdx"},
        {"\\ud83d\\u0041", "\xef\xbf\xbd"
                           "A"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc3\xa9", "\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mu__arena a;
        void *out;
        char text[128];
        mu__arena_init(&a, NULL, 0);
        snprintf(text, sizeof text, "{\"Name\":\"%s\"}", cases[i][0]);
        assert_true(decode(SERVICE, &a, text, &out));
        assert_true(mu__str_is(((struct catalog_service_definition *)out)->name, cases[i][1]));
        mu__arena_fini(&a);
    }
}

static void test_bytes_are_base64_and_large_numbers_are_exact(void **state)
{
    (void)state;
    struct mu__arena a;
    void *out;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode(CATALOG_DIR_ENTRY, &a,
                       "{\"Key\":\"k\",\"Value\":\"aGVsbG8=\",\"Flags\":16214403394870365664}",
                       &out));
    const struct catalog_dir_entry *e = out;
    assert_true(mu__str_is(e->value, "hello"));
    /* Above INT64_MAX: the flag of semaphores */
    assert_true(e->flags == UINT64_C(16214403394870365664));
    assert_true(decode(CATALOG_DIR_ENTRY, &a, "{\"Value\":\"\"}", &out));
    assert_int_equal(((struct catalog_dir_entry *)out)->value.len, 0);
    mu__arena_fini(&a);
    refuses(CATALOG_DIR_ENTRY, "{\"Value\":\"a!\"}", "illegal base64 data at input byte 1");
    refuses(CATALOG_DIR_ENTRY, "{\"Value\":\"aGVsbG8\"}", "illegal base64 data at input byte 4");
    refuses(CATALOG_DIR_ENTRY, "{\"Value\":\"aGVsbG8=x\"}", "illegal base64 data at input byte 8");
    refuses(CATALOG_DIR_ENTRY, "{\"Flags\":-1}",
            "json: cannot unmarshal number -1 into Go struct field DirEntry.Flags of type uint64");
}

static void test_free_form_values_become_msgpack(void **state)
{
    (void)state;
    struct mu__arena a;
    void *out;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode(SERVICE, &a,
                       "{\"Proxy\":{\"Config\":{\"a\":[1,true,null],\"b\":{\"c\":\"d\"}}}}", &out));
    struct mu_str config = ((struct catalog_service_definition *)out)->proxy->config;
    struct mu__reader r = mu__reader(config.p, config.len);
    assert_int_equal(mu__mp_read_map(&r), 2);
    assert_true(mu__str_is(mu__mp_read_str(&r), "a"));
    assert_int_equal(mu__mp_read_array(&r), 3);
    assert_true(mu__mp_read_float(&r) == 1.0);
    assert_true(mu__mp_read_bool(&r));
    assert_true(mu__mp_read_nil(&r));
    assert_true(mu__str_is(mu__mp_read_str(&r), "b"));
    assert_int_equal(mu__mp_read_map(&r), 1);
    mu__mp_skip(&r);
    mu__mp_skip(&r);
    assert_int_equal(mu__reader_left(&r), 0);
    assert_false(r.failed);
    mu__arena_fini(&a);
}

struct timed {
    struct mu_time at;
};

static void test_times_are_rfc_3339(void **state)
{
    (void)state;
    static const struct mu__field fields[] = {
        {.name = "At", .kind = MU_TIME, .offset = offsetof(struct timed, at)}};
    static const struct mu__schema schema = {
        .name = "Timed", .fields = fields, .nfields = 1, .size = sizeof(struct timed)};
    static const struct {
        const char *text;
        int64_t since_year1_s;
        uint32_t ns;
    } good[] = {{"0001-01-01T00:00:00Z", 0, 0},
                {"1970-01-01T00:00:00Z", 62135596800, 0},
                {"2020-02-29T23:59:59.5Z", 62135596800 + 1583020799, 500000000},
                {"2020-03-01T01:29:59.123456789012+01:30", 62135596800 + 1583020799, 123456789},
                {"2020-02-29T22:59:59-01:00", 62135596800 + 1583020799, 0}};
    static const char *const bad[] = {"",
                                      "2020-02-30T00:00:00Z",
                                      "2019-02-29T00:00:00Z",
                                      "2020-13-01T00:00:00Z",
                                      "2020-1-01T00:00:00Z",
                                      "2020-01-01 00:00:00Z",
                                      "2020-01-01T24:00:00Z",
                                      "2020-01-01T00:00:00",
                                      "2020-01-01T00:00:00Zz",
                                      "2020-01-01T00:00:00+1:00",
                                      "2020-01-01T00:00:00+24:00",
                                      "0000-01-01T00:00:00Z"};
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    char text[128];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct timed t = {{0, 0}};
        snprintf(text, sizeof text, "{\"at\":\"%s\"}", good[i].text);
        assert_true(json_decode(&schema, text, strlen(text), &a, &t, err, sizeof err));
        assert_int_equal(t.at.since_year1_s, good[i].since_year1_s);
        assert_int_equal(t.at.ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct timed t;
        snprintf(text, sizeof text, "{\"at\":\"%s\"}", bad[i]);
        assert_false(json_decode(&schema, text, strlen(text), &a, &t, err, sizeof err));
    }
    mu__arena_fini(&a);
}

static void test_equal_configurations_are_equal_bytes(void **state)
{
    (void)state;
    struct mu__arena a;
    void *one, *two;
    mu__arena_init(&a, NULL, 0);
    assert_true(decode(SERVICE, &a,
                       "{\"Proxy\":{\"Config\":{\"b\":{\"y\":1,\"x\":2},\"a\":0,\"a\":3}}}", &one));
    assert_true(
        decode(SERVICE, &a, "{\"Proxy\":{\"Config\":{\"a\":3,\"b\":{\"x\":2,\"y\":1}}}}", &two));
    assert_true(mu__schema_equal(catalog_schema(SERVICE), one, two));
    mu__arena_fini(&a);
}

static void test_depth_and_memory_are_bounded(void **state)
{
    (void)state;
    char deep[4 * JSON_DEPTH_MAX + 64] = "{\"Proxy\":{\"Config\":{\"a\":";
    memset(deep + strlen(deep), '[', JSON_DEPTH_MAX * 2);
    refuses(SERVICE, deep, "exceeded max depth");
    char nested[512] = "{\"Proxy\":{\"Config\":{\"a\":";
    size_t n = strlen(nested);
    memset(nested + n, '[', 40);
    memset(nested + n + 40, ']', 40);
    strcpy(nested + n + 80, "}}}");
    refuses(SERVICE, nested, "exceeded max depth");

    struct mu__arena a;
    void *out = NULL;
    mu__arena_init(&a, NULL, 16384);
    char *big = malloc(70000);
    strcpy(big, "{\"Checks\":[");
    for (int i = 0; i < 20000; i++) {
        strcat(big + 10 + i * 3, i ? ",{}" : " {}");
    }
    strcat(big + 60000, "]}");
    struct catalog_service_definition d = {.port = 0};
    (void)out;
    assert_false(json_decode(catalog_schema(SERVICE), big, strlen(big), &a, &d, err, sizeof err));
    assert_true(a.used <= 16384);
    free(big);
    mu__arena_fini(&a);
}

static void test_every_prefix_of_a_request_is_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"Name\":\"w\\u00e9b\",\"Port\":-8.5e3,\"Meta\":{\"a\":\"b\"},"
                               "\"Check\":{\"TTL\":\"10s\",\"Header\":"
                               "{\"x\":[\"y\"]}},\"Proxy\":{\"Config\":{\"a\":[true,false,null]}}}";
    for (size_t len = 0; len < strlen(text); len++) {
        char part[256];
        snprintf(part, sizeof part, "%.*s", (int)len, text);
        refuses(SERVICE, part, len ? "unexpected EOF" : "EOF");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax_errors_are_worded_as_by_go),
        cmocka_unit_test(test_type_errors_are_worded_as_by_go),
        cmocka_unit_test(test_keys_match_in_any_case_and_by_alias),
        cmocka_unit_test(test_null_leaves_the_default_and_the_last_key_wins),
        cmocka_unit_test(test_durations_are_text_or_nanoseconds),
        cmocka_unit_test(test_who_decodes_itself_passes_over_other_shapes),
        cmocka_unit_test(test_strings_are_unescaped_and_made_valid_utf8),
        cmocka_unit_test(test_bytes_are_base64_and_large_numbers_are_exact),
        cmocka_unit_test(test_free_form_values_become_msgpack),
        cmocka_unit_test(test_times_are_rfc_3339),
        cmocka_unit_test(test_equal_configurations_are_equal_bytes),
        cmocka_unit_test(test_depth_and_memory_are_bounded),
        cmocka_unit_test(test_every_prefix_of_a_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
