/* Mirrors daemons/agent/sidecar.c: proxies that come and go with their services, and which ports
 * they are given. */
#include "mu_test.h"

#include "agent/definitions.h"
#include "agent/local_internal.h"
#include "agent/sidecar.h"
#include "base/json.h"
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

struct fixture {
    struct loop *core;
    struct config *config;
    struct local local;
    char folder[64];
    int log;
};

static char err[LOCAL_ERROR_MAX];

/* An agent with room for sidecars from 21000 to max. */
static void begin(struct fixture *f, int min, int max)
{
    char text[512];
    f->core = loop_create("core");
    snprintf(text, sizeof text,
             "{\"data_dir\":\"%s\",\"bind_addr\":\"127.0.0.1\",\"node_name\":\"n1\","
             "\"ports\":{\"sidecar_min_port\":%d,\"sidecar_max_port\":%d}}",
             f->folder, min, max);
    f->config = config_from_text("x.json", text, strlen(text), err, sizeof err);
    assert_non_null(f->config);
    assert_true(local_init(&f->local, f->config, loop_base(f->core), 1));
    assert_int_equal(persist_create(f->folder, f->core, &f->local.persist, err, sizeof err), 0);
}

static void end(struct fixture *f)
{
    local_stop(&f->local);
    persist_destroy(f->local.persist);
    loop_destroy(f->core);
    local_fini(&f->local);
    config_destroy(f->config);
}

static void restart(struct fixture *f, int min, int max)
{
    end(f);
    begin(f, min, max);
    local_restore(&f->local);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/muster-test-sidecar-XXXXXX");
    if (!mkdtemp(f->folder)) {
        return -1;
    }
    f->log = log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    begin(f, 21000, 21002);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[100];
    end(f);
    close(log_set_fd(f->log));
    snprintf(command, sizeof command, "rm -r %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static bool add_from(struct fixture *f, const char *json, enum local_source source)
{
    struct catalog_service_definition d = {.port = 0};
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    bool ok = json_decode(catalog_schema(CATALOG_SERVICE_DEFINITION), json, strlen(json), &a, &d,
                          err, sizeof err) &&
              definition_check_service(&d, &a, err, sizeof err) &&
              local_add_service(&f->local, &d, mu__cstr("asked"), source == SOURCE_FILE, source,
                                err, sizeof err);
    mu__arena_fini(&a);
    return ok;
}

static bool add(struct fixture *f, const char *json)
{
    return add_from(f, json, SOURCE_REMOTE);
}

/* A service with a sidecar that says nothing of itself. */
static bool add_named(struct fixture *f, const char *name, enum local_source source)
{
    char json[200];
    snprintf(json, sizeof json, "{\"Name\":\"%s\",\"connect\":{\"sidecar_service\":{}}}", name);
    return add_from(f, json, source);
}

static struct local_service *service(const struct fixture *f, const char *id)
{
    return local_service(&f->local, mu__cstr(id));
}

static struct local_check *check(const struct fixture *f, const char *id)
{
    return local_check(&f->local, mu__cstr(id));
}

static int64_t port(const struct fixture *f, const char *name)
{
    char id[100];
    snprintf(id, sizeof id, "%s-sidecar-proxy", name);
    const struct local_service *s = service(f, id);
    return s ? s->service->port : 0;
}

#define assert_text(given, expected) assert_true(mu__str_eq((given), mu__cstr(expected)))

static void test_a_sidecar_takes_over_what_it_does_not_say(void **state)
{
    struct fixture *f = *state;
    assert_true(add(
        f, "{\"Name\":\"web\",\"ID\":\"w1\",\"Port\":80,\"Tags\":[\"t\"],\"Meta\":{\"k\":\"v\"},"
           "\"Address\":\"10.0.0.1\",\"Token\":\"mine\",\"Connect\":{\"SidecarService\":{}}}"));
    const struct local_service *s = service(f, "w1-sidecar-proxy");
    assert_non_null(s);
    assert_text(s->service->kind, "connect-proxy");
    assert_text(s->service->service, "web-sidecar-proxy");
    assert_text(s->service->address, "10.0.0.1");
    assert_text(s->service->tags.items[0], "t");
    assert_int_equal(s->service->meta.len, 1);
    assert_text(s->service->proxy.destination_service_name, "web");
    assert_text(s->service->proxy.destination_service_id, "w1");
    assert_text(s->service->proxy.local_service_address, "127.0.0.1");
    assert_int_equal(s->service->proxy.local_service_port, 80);
    assert_int_equal(s->service->weights->passing, 1);
    assert_text(s->entry.token, "mine");
    assert_text(check(f, "service:w1-sidecar-proxy:1")->type->tcp, "127.0.0.1:21000");
    assert_text(check(f, "service:w1-sidecar-proxy:2")->type->alias_service, "w1");
    assert_null(service(f, "w1")->service->connect.sidecar_service);
}

static void test_what_a_sidecar_says_counts(void **state)
{
    struct fixture *f = *state;
    assert_true(add(
        f, "{\"Name\":\"web\",\"Port\":80,\"Tags\":[\"t\"],\"Connect\":{\"SidecarService\":{"
           "\"Name\":\"front\","
           "\"Port\":5,\"Tags\":[\"u\"],\"Token\":\"its\",\"Check\":{\"TTL\":\"1h\"},"
           "\"Proxy\":{\"LocalServicePort\":9,\"Upstreams\":[{\"DestinationName\":\"x\"}]}}}}"));
    const struct local_service *s = service(f, "web-sidecar-proxy");
    assert_text(s->service->service, "front");
    assert_int_equal(s->service->port, 5);
    assert_text(s->service->tags.items[0], "u");
    assert_text(s->entry.token, "its");
    assert_int_equal(s->service->proxy.local_service_port, 9);
    const struct catalog_upstream *u = s->service->proxy.upstreams.items[0];
    assert_text(u->destination_type, "service");
    assert_non_null(check(f, "service:web-sidecar-proxy"));
    assert_null(check(f, "service:web-sidecar-proxy:1"));
}

static void test_a_listener_of_ipv6_is_in_brackets(void **state)
{
    struct fixture *f = *state;
    assert_true(add(f, "{\"Name\":\"web\",\"Connect\":{\"SidecarService\":{\"Proxy\":{"
                       "\"LocalServiceAddress\":\"::1\"}}}}"));
    assert_text(check(f, "service:web-sidecar-proxy:1")->type->tcp, "[::1]:21000");
}

static void test_a_sidecar_goes_with_its_service(void **state)
{
    struct fixture *f = *state;
    assert_true(add_named(f, "web", SOURCE_REMOTE));
    assert_true(add(f, "{\"Name\":\"web\",\"Port\":1}"));
    assert_non_null(service(f, "web-sidecar-proxy")); /* being registered without it is no end */
    local_remove_service(&f->local, mu__cstr("web"));
    assert_null(service(f, "web-sidecar-proxy"));
    assert_null(check(f, "service:web-sidecar-proxy:1"));
}

static void test_a_service_of_such_a_name_is_nobodys_sidecar(void **state)
{
    struct fixture *f = *state;
    assert_true(add_named(f, "web", SOURCE_REMOTE));
    assert_true(add(f, "{\"Name\":\"web-sidecar-proxy\",\"Port\":1}")); /* takes its place */
    local_remove_service(&f->local, mu__cstr("web"));
    assert_non_null(service(f, "web-sidecar-proxy"));
}

static void test_the_lowest_free_port_is_given(void **state)
{
    struct fixture *f = *state;
    assert_true(add(f, "{\"Name\":\"x\",\"Port\":21001}"));
    assert_true(add_named(f, "a", SOURCE_REMOTE));
    assert_true(add_named(f, "b", SOURCE_REMOTE));
    assert_int_equal(port(f, "a"), 21000);
    assert_int_equal(port(f, "b"), 21002);
    local_remove_service(&f->local, mu__cstr("a"));
    assert_true(add_named(f, "b", SOURCE_REMOTE)); /* keeps what it has */
    assert_true(add_named(f, "c", SOURCE_REMOTE));
    assert_int_equal(port(f, "b"), 21002);
    assert_int_equal(port(f, "c"), 21000);
}

static void test_without_a_port_nothing_is_registered(void **state)
{
    struct fixture *f = *state;
    for (const char *name = "abc"; *name; name++) {
        assert_true(add_named(f, (char[]){*name, 0}, SOURCE_REMOTE));
    }
    assert_false(add_named(f, "d", SOURCE_REMOTE));
    assert_string_equal(
        err, "Bad request: Invalid SidecarService: no port provided for sidecar_service and "
             "none left in the configured range [21000, 21002]");
    assert_null(service(f, "d"));
    assert_false(add_named(f, "d", SOURCE_FILE));
    assert_string_equal(
        err,
        "Failed to validate sidecar for service \"d\": no port provided for sidecar_service and "
        "none left in the configured range [21000, 21002]");
    restart(f, 0, 0);
    assert_false(add_named(f, "d", SOURCE_REMOTE));
    assert_string_equal(
        err, "Bad request: Invalid SidecarService: no port provided for sidecar_service and "
             "auto-assignment disabled in config");
}

static void test_an_earlier_run_is_restored_with_its_ports(void **state)
{
    struct fixture *f = *state;
    assert_true(add_named(f, "a", SOURCE_REMOTE));
    assert_true(add_named(f, "b", SOURCE_REMOTE));
    local_remove_service(&f->local, mu__cstr("a"));
    restart(f, 21000, 21002);
    assert_int_equal(port(f, "b"), 21001);
    assert_non_null(check(f, "service:b-sidecar-proxy:2"));
    assert_true(add_named(f, "b", SOURCE_REMOTE));
    assert_int_equal(port(f, "b"), 21001);
    restart(f, 21000, 21002);
    local_remove_service(&f->local, mu__cstr("b")); /* it still knows whose it is */
    assert_null(service(f, "b-sidecar-proxy"));
    restart(f, 21000, 21002);
    assert_null(service(f, "b-sidecar-proxy"));
}

static void test_a_port_outside_a_new_range_is_given_up(void **state)
{
    struct fixture *f = *state;
    assert_true(add_named(f, "a", SOURCE_REMOTE));
    restart(f, 22000, 22001);
    assert_int_equal(port(f, "a"), 21000);
    assert_true(add_named(f, "a", SOURCE_REMOTE));
    assert_int_equal(port(f, "a"), 22000);
}

static void test_a_reload_keeps_ports_and_drops_what_left(void **state)
{
    struct fixture *f = *state;
    assert_true(add_named(f, "a", SOURCE_FILE));
    assert_true(add_named(f, "b", SOURCE_FILE));
    local_unmark_files(&f->local);
    assert_true(add_named(f, "new", SOURCE_FILE)); /* stands before it in the files */
    assert_true(add_named(f, "b", SOURCE_FILE));
    assert_true(add_from(f, "{\"Name\":\"a\"}", SOURCE_FILE));
    local_sweep_files(&f->local);
    assert_int_equal(port(f, "new"), 21002);
    assert_int_equal(port(f, "b"), 21001);
    assert_non_null(service(f, "a"));
    assert_null(service(f, "a-sidecar-proxy"));
}

static void test_a_reload_may_use_the_ports_of_those_that_leave(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"d", "e", "c"};
    for (const char *name = "abc"; *name; name++) {
        assert_true(add_named(f, (char[]){*name, 0}, SOURCE_FILE));
    }
    local_unmark_files(&f->local);
    for (size_t i = 0; i < 3; i++) {
        assert_true(add_named(f, names[i], SOURCE_FILE));
    }
    local_sweep_files(&f->local);
    assert_int_equal(port(f, "d"), 21000);
    assert_int_equal(port(f, "e"), 21001);
    assert_int_equal(port(f, "c"), 21002);
}

static void test_a_port_that_a_reload_gave_away_is_not_kept(void **state)
{
    struct fixture *f = *state;
    for (const char *name = "abc"; *name; name++) {
        assert_true(add_named(f, (char[]){*name, 0}, SOURCE_FILE));
    }
    local_unmark_files(&f->local);
    assert_true(add_named(f, "d", SOURCE_FILE)); /* none is free: it gets a's */
    assert_true(add_named(f, "a", SOURCE_FILE));
    local_sweep_files(&f->local);
    assert_int_equal(port(f, "d"), 21000);
    assert_int_equal(port(f, "a"), 21001);
}

static void test_bad_sidecars_are_refused_in_consuls_words(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sidecar, *expected;
    } cases[] = {
        {"{\"Check\":{\"TCP\":\"h:1\"}}", "Bad request: Invalid check in sidecar_service: "
                                          "Interval must be > 0 for Script, HTTP, or TCP checks"},
        {"{\"Checks\":[{\"TTL\":\"1s\",\"Status\":\"zz\"}]}",
         "Bad request: Status for checks must 'passing', 'warning', 'critical'"},
        {"{\"Meta\":{\"consul-x\":\"1\"}}",
         "Bad request: Invalid SidecarService: Couldn't load metadata pair ('consul-x', '1'): Key "
         "prefix 'consul-' is reserved for internal use"},
        {"{\"ID\":\"x\",\"Connect\":{\"SidecarService\":{}}}",
         "2 errors occurred:\n\t* A SidecarService cannot specify an ID as this is managed by the "
         "agent\n\t* A SidecarService cannot have a nested SidecarService\n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[400];
        snprintf(json, sizeof json, "{\"Name\":\"web\",\"Connect\":{\"SidecarService\":%s}}",
                 cases[i].sidecar);
        assert_false(add(f, json));
        assert_string_equal(err, cases[i].expected);
        assert_null(service(f, "web"));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_sidecar_takes_over_what_it_does_not_say),
        TEST(test_what_a_sidecar_says_counts),
        TEST(test_a_listener_of_ipv6_is_in_brackets),
        TEST(test_a_sidecar_goes_with_its_service),
        TEST(test_a_service_of_such_a_name_is_nobodys_sidecar),
        TEST(test_the_lowest_free_port_is_given),
        TEST(test_without_a_port_nothing_is_registered),
        TEST(test_an_earlier_run_is_restored_with_its_ports),
        TEST(test_a_port_outside_a_new_range_is_given_up),
        TEST(test_a_reload_keeps_ports_and_drops_what_left),
        TEST(test_a_reload_may_use_the_ports_of_those_that_leave),
        TEST(test_a_port_that_a_reload_gave_away_is_not_kept),
        TEST(test_bad_sidecars_are_refused_in_consuls_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
