/* Mirrors daemons/http/weak.c: config entries as people write them. */
#include "mu_test.h"

#include "http/weak.h"
#include "msgpack.h"

#include <muster/catalog.h>
#include <muster/catalog_config.h>

static struct mu__arena arena;
static char err[WEAK_ERROR_MAX];
static union {
    struct catalog_config_entry head;
    struct catalog_service_defaults defaults;
    struct catalog_proxy_defaults proxies;
    struct catalog_service_router router;
    struct catalog_service_resolver resolver;
    struct catalog_service_splitter splitter;
} entry;

static int setup(void **state)
{
    (void)state;
    mu__arena_init(&arena, NULL, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mu__arena_fini(&arena);
    return 0;
}

/* "": it was accepted. */
static const char *decode(const char *kind, const char *text)
{
    struct weak_body body;
    err[0] = '\0';
    if (!weak_read(text, strlen(text), &arena, &body, err, sizeof err)) {
        return err;
    }
    return weak_decode(&body, catalog_config_schema(mu__cstr(kind)), true, &arena, &entry, err,
                       sizeof err)
               ? ""
               : err;
}

static const char *text_of(struct mu_str s)
{
    static char text[256];
    snprintf(text, sizeof text, "%.*s", (int)s.len, s.p ? s.p : "");
    return text;
}

static void test_keys_come_in_any_case_and_with_underscores(void **state)
{
    (void)state;
    assert_string_equal(decode("service-defaults",
                               "{\"NAME\":\"a\",\"mesh_gateway\":{\"mode\":\"local\"},"
                               "\"External_SNI\":\"x\"}"),
                        "");
    assert_string_equal(text_of(entry.head.name), "a");
    assert_string_equal(text_of(entry.defaults.mesh_gateway.mode), "local");
    assert_string_equal(text_of(entry.defaults.external_sni), "x");
}

static void test_scalars_stand_for_each_other(void **state)
{
    (void)state;
    assert_string_equal(
        decode("service-defaults",
               "{\"Name\":1.5,\"Protocol\":true,\"Meta\":{\"a\":7},"
               "\"Expose\":{\"Checks\":\"1\",\"Paths\":{\"listener_port\":\"0x10\"}}}"),
        "");
    assert_string_equal(text_of(entry.head.name), "1.5");
    assert_string_equal(text_of(entry.defaults.protocol), "1");
    assert_string_equal(text_of(entry.head.meta.items[0].value), "7");
    assert_true(entry.defaults.expose.checks);
    assert_int_equal(entry.defaults.expose.paths.len, 1);
    assert_int_equal(
        ((struct catalog_expose_path *)entry.defaults.expose.paths.items[0])->listener_port, 16);
}

static void test_one_stands_for_a_list_and_a_list_of_one_for_it(void **state)
{
    (void)state;
    assert_string_equal(
        decode("service-router",
               "{\"Name\":[\"a\"],\"Routes\":{\"Match\":[{\"HTTP\":{\"Methods\":\"get\"}}]}}"),
        "");
    const struct catalog_service_route *route = entry.router.routes.items[0];
    assert_int_equal(route->match->http->methods.len, 1);
    assert_string_equal(decode("service-resolver", "{\"Subsets\":[{\"v1\":{}},{\"v2\":null}]}"),
                        "");
    assert_int_equal(entry.resolver.subsets.len, 2);
}

static void test_numbers_are_cut_as_the_original_cuts_them(void **state)
{
    (void)state;
    assert_string_equal(decode("service-router",
                               "{\"Routes\":[{\"Destination\":{\"NumRetries\":-1,"
                               "\"RetryOnStatusCodes\":[500.9,\"503\",1e300]}}]}"),
                        "");
    const struct catalog_route_destination *d =
        ((const struct catalog_service_route *)entry.router.routes.items[0])->destination;
    assert_int_equal(d->num_retries, UINT32_MAX);
    assert_int_equal(d->retry_on_status_codes.items[0], 500);
    assert_int_equal(d->retry_on_status_codes.items[1], 503);
    assert_int_equal(d->retry_on_status_codes.items[2], 0);
}

static void test_durations_are_text_or_nanoseconds(void **state)
{
    (void)state;
    assert_string_equal(decode("service-resolver", "{\"connect_timeout\":\"1.5s\"}"), "");
    assert_int_equal(entry.resolver.connect_timeout_ns, 1500 * (int64_t)MU_MSEC);
    assert_string_equal(decode("service-resolver", "{\"ConnectTimeout\":1e300}"), "");
    assert_string_equal(decode("service-resolver", "{\"ConnectTimeout\":\"5\"}"),
                        "1 error(s) decoding:\n\n* error decoding 'ConnectTimeout': time: missing "
                        "unit in duration \"5\"");
}

static void test_opaque_maps_survive_but_for_lists_of_one(void **state)
{
    (void)state;
    assert_string_equal(
        decode("proxy-defaults", "{\"config\":{\"b\":[[1]],\"a\":{\"x_y\":[1,null]},\"c\":[1,2]}}"),
        "");
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_any(&j, entry.proxies.config);
    assert_string_equal(text_of((struct mu_str){(const char *)w.data, w.len}),
                        "{\"a\":{\"x_y\":[1,null]},\"b\":[1],\"c\":[1,2]}");
    mu__writer_fini(&w);
}

static void test_all_that_is_wrong_is_told_at_once_and_sorted(void **state)
{
    (void)state;
    assert_string_equal(
        decode("service-resolver", "{\"Redirect\":{\"service\":{},\"Datacenter\":[1,2]},"
                                   "\"ConnectTimeout\":{}}"),
        "3 error(s) decoding:\n\n"
        "* 'ConnectTimeout' expected type 'time.Duration', got unconvertible type "
        "'map[string]interface {}'\n"
        "* 'Redirect.Datacenter' expected type 'string', got unconvertible type '[]interface {}'\n"
        "* 'Redirect.Service' expected type 'string', got unconvertible type "
        "'map[string]interface {}'");
    assert_string_equal(decode("service-splitter", "{\"Splits\":[{\"Weight\":\"x\"},7]}"),
                        "2 error(s) decoding:\n\n"
                        "* 'Splits[1]' expected a map, got 'float64'\n"
                        "* cannot parse 'Splits[0].Weight' as float: strconv.ParseFloat: parsing "
                        "\"x\": invalid syntax");
}

static void test_unknown_keys_are_named_with_their_path(void **state)
{
    (void)state;
    assert_string_equal(decode("service-resolver",
                               "{\"CreateIndex\":1,\"RaftIndex\":{},\"Subsets\":{\"v1\":"
                               "{\"Bad\":1}},\"namespace\":\"x\"}"),
                        "2 errors occurred:\n\t* invalid config key \"Subsets[v1].Bad\"\n"
                        "\t* invalid config key \"namespace\", namespaces are a consul enterprise "
                        "feature\n\n");
    assert_string_equal(decode("service-defaults", "{\"Protocol\":\"http\",\"protocol\":\"tcp\"}"),
                        "1 error occurred:\n\t* invalid config key \"protocol\"\n\n");
    assert_string_equal(text_of(entry.defaults.protocol), "http");
}

static void test_hostile_texts_end_with_a_sentence(void **state)
{
    (void)state;
    static char deep[400], many[40000];
    memset(deep, '[', sizeof deep - 1);
    assert_string_not_equal(decode("service-router", deep), "");
    for (size_t i = 0; i < 64; i++) {
        memcpy(deep + i * 5, "{\"a\":", 5);
    }
    deep[320] = '\0';
    assert_string_not_equal(decode("proxy-defaults", deep), "");
    size_t at = (size_t)snprintf(many, sizeof many, "{");
    for (int i = 0; i < 2000; i++) {
        at += (size_t)snprintf(many + at, sizeof many - at, "%s\"k%d\":1", i ? "," : "", i);
    }
    snprintf(many + at, sizeof many - at, "}");
    assert_non_null(strstr(decode("service-defaults", many), "invalid config key \"k0\""));
    assert_non_null(memchr(err, 0, sizeof err));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keys_come_in_any_case_and_with_underscores),
        TEST(test_scalars_stand_for_each_other),
        TEST(test_one_stands_for_a_list_and_a_list_of_one_for_it),
        TEST(test_numbers_are_cut_as_the_original_cuts_them),
        TEST(test_durations_are_text_or_nanoseconds),
        TEST(test_opaque_maps_survive_but_for_lists_of_one),
        TEST(test_all_that_is_wrong_is_told_at_once_and_sorted),
        TEST(test_unknown_keys_are_named_with_their_path),
        TEST(test_hostile_texts_end_with_a_sentence),
    };
    return cmocka_run_group_tests_name("weak", tests, NULL, NULL);
}
