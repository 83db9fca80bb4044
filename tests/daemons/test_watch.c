/* Mirrors daemons/watch: plans, the steps of a watch, what handlers read, and watches that run
 * against an agent that the test plays. */
#include "mu_test.h"

#include "watch/handler.h"
#include "watch/payload.h"
#include "watch/watches.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char err[WATCH_ERROR_MAX];

static struct watch_plan *plan(const char *json, enum watch_from from)
{
    json_t *params = json_loads(json, 0, NULL);
    assert_non_null(params);
    err[0] = '\0';
    struct watch_plan *p = watch_plan_create(params, from, err, sizeof err);
    json_decref(params);
    return p;
}

static void expect_target(const char *json, const char *target)
{
    struct watch_plan *p = plan(json, WATCH_FROM_CLI);
    const struct watch_place start = {.has_index = false};
    char text[8192];
    if (!p) {
        fail_msg("%s: %s", json, err);
    }
    assert_true(watch_target(p, &start, text, sizeof text));
    assert_string_equal(text, target);
    watch_plan_destroy(p);
}

static void test_each_type_asks_for_what_it_shows(void **state)
{
    (void)state;
    expect_target("{\"type\":\"key\",\"key\":\"a b/c?\"}", "/v1/kv/a%20b/c%3F");
    expect_target("{\"type\":\"keyprefix\",\"prefix\":\"a/\",\"datacenter\":\"d&c\"}",
                  "/v1/kv/a/?recurse&dc=d%26c");
    expect_target("{\"type\":\"services\",\"stale\":true}", "/v1/catalog/services?stale");
    expect_target("{\"type\":\"nodes\"}", "/v1/catalog/nodes");
    expect_target("{\"type\":\"service\",\"service\":\"web\",\"tag\":[\"a\",\"b\"],"
                  "\"passingonly\":true}",
                  "/v1/health/service/web?tag=a&tag=b&passing=1");
    expect_target("{\"type\":\"service\",\"service\":\"web\",\"tag\":\"a\"}",
                  "/v1/health/service/web?tag=a");
    expect_target("{\"type\":\"checks\"}", "/v1/health/state/any");
    expect_target("{\"type\":\"checks\",\"service\":\"web\"}", "/v1/health/checks/web");
    expect_target("{\"type\":\"checks\",\"state\":\"passing\"}", "/v1/health/state/passing");
    expect_target("{\"type\":\"event\",\"name\":\"deploy\"}", "/v1/event/list?name=deploy");
}

static void expect_refusal(const char *json, enum watch_from from, const char *why)
{
    struct watch_plan *p = plan(json, from);
    if (p) {
        fail_msg("%s was taken", json);
    }
    assert_string_equal(err, why);
}

static void test_what_is_wrong_is_said_in_the_words_of_the_original(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
    } table[] = {
        {"{\"args\":[\"x\"]}", "Watch type must be specified"},
        {"{\"type\":\"nix\",\"args\":[\"x\"]}", "Unsupported watch type: nix"},
        {"{\"type\":\"connect_leaf\",\"args\":[\"x\"]}",
         "Watch type connect_leaf is not allowed in agent config"},
        {"{\"type\":\"key\",\"key\":\"a\"}", "Must define a watch handler"},
        {"{\"type\":\"key\",\"key\":\"a\",\"args\":[]}", "Must define a watch handler"},
        {"{\"type\":\"key\",\"key\":\"a\",\"args\":[1]}", "Watch args must be a list of strings"},
        {"{\"type\":\"key\",\"key\":\"a\",\"args\":[\"x\"],\"handler\":\"y\"}",
         "Only one watch handler allowed"},
        {"{\"type\":\"key\",\"args\":[\"x\"]}", "Must specify a single key to watch"},
        {"{\"type\":\"key\",\"key\":1,\"args\":[\"x\"]}", "Expecting key to be a string"},
        {"{\"type\":\"key\",\"key\":\"a\",\"keyy\":\"a\",\"args\":[\"x\"]}",
         "Invalid parameters: [keyy]"},
        {"{\"type\":\"service\",\"service\":\"a\",\"tag\":3,\"args\":[\"x\"]}",
         "Expecting tag to be a string or []string"},
        {"{\"type\":\"service\",\"service\":\"a\",\"passingonly\":\"x\",\"args\":[\"x\"]}",
         "Expecting passingonly to be a boolean"},
        {"{\"type\":\"checks\",\"service\":\"a\",\"state\":\"passing\",\"args\":[\"x\"]}",
         "Cannot specify service and state"},
        {"{\"type\":\"key\",\"key\":\"a\",\"handler_type\":\"x\"}",
         "Handler type 'x' not recognized"},
        {"{\"type\":\"key\",\"key\":\"a\",\"handler_type\":\"http\"}",
         "Handler type 'http' requires 'http_handler_config' to be set"},
        {"{\"type\":\"key\",\"key\":\"a\",\"handler_type\":\"http\",\"http_handler_config\":{}}",
         "Failed to parse 'http_handler_config': Requires 'path' to be set"},
        {"{\"type\":\"key\",\"key\":\"a\",\"handler_type\":\"http\","
         "\"http_handler_config\":{\"path\":\"https://x\"}}",
         "Failed to parse 'http_handler_config': path: expected a URL that begins with http://, "
         "got \"https://x\""},
        {"{\"type\":\"key\",\"key\":\"a\",\"handler_type\":\"http\","
         "\"http_handler_config\":{\"path\":\"http://x\",\"timeout\":\"y\"}}",
         "Failed to parse 'http_handler_config': timeout: expected a duration such as \"10s\", "
         "got y"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_refusal(table[i].json, WATCH_FROM_FILE, table[i].why);
    }
    expect_refusal("{\"type\":\"agent_service\"}", WATCH_FROM_CLI,
                   "Type agent_service is not supported in the CLI tool");
}

static void test_handlers_are_read(void **state)
{
    (void)state;
    struct watch_plan *p = plan("{\"type\":\"nodes\",\"args\":[\"a\",\"b c\"]}", WATCH_FROM_FILE);
    assert_int_equal(p->kind, WATCH_HANDLER_ARGS);
    assert_int_equal(p->args.len, 2);
    assert_string_equal(p->args.items[1].p, "b c");
    watch_plan_destroy(p);
    p = plan("{\"type\":\"nodes\",\"handler\":\"a | b\",\"token\":\"secret\"}", WATCH_FROM_FILE);
    assert_int_equal(p->kind, WATCH_HANDLER_SHELL);
    assert_string_equal(p->shell.p, "a | b");
    assert_string_equal(p->token.p, "secret");
    watch_plan_destroy(p);
    p = plan("{\"type\":\"nodes\",\"handler_type\":\"http\",\"http_handler_config\":[{\"path\":"
             "\"http://h:1/p\",\"header\":{\"x\":[\"1\",\"2\"]},\"timeout\":\"1500ms\"}]}",
             WATCH_FROM_FILE);
    assert_int_equal(p->kind, WATCH_HANDLER_HTTP);
    assert_string_equal(p->http.method.p, "POST");
    assert_int_equal(p->http.timeout_ns, 1500 * MU_MSEC);
    assert_int_equal(p->http.headers.items[0].value.len, 2);
    watch_plan_destroy(p);
}

/* ---- Steps ---- */

static void test_only_news_are_told(void **state)
{
    (void)state;
    struct watch_place s = {.has_index = false};
    assert_true(watch_answered(&s, 5, "", "a"));
    assert_false(watch_answered(&s, 5, "", "b")); /* the wait was over */
    assert_false(watch_answered(&s, 6, "", "a")); /* something else has changed */
    assert_int_equal(s.index, 6);
    assert_true(watch_answered(&s, 7, "", "c"));
    watch_place_fini(&s);
}

static void test_an_index_that_goes_back_starts_anew(void **state)
{
    (void)state;
    struct watch_plan *p = plan("{\"type\":\"nodes\"}", WATCH_FROM_CLI);
    struct watch_place s = {.has_index = false};
    char text[256];
    assert_true(watch_answered(&s, 9, "", "a"));
    assert_true(watch_target(p, &s, text, sizeof text));
    assert_string_equal(text, "/v1/catalog/nodes?index=9");
    assert_true(watch_answered(&s, 3, "", "b"));
    assert_true(watch_target(p, &s, text, sizeof text));
    assert_string_equal(text, "/v1/catalog/nodes");
    assert_false(watch_target(p, &s, text, 5));
    watch_place_fini(&s);
    watch_plan_destroy(p);
}

static void test_failures_wait_longer_and_longer(void **state)
{
    (void)state;
    static const uint64_t seconds[] = {5, 20, 45, 80, 125, 180, 180};
    struct watch_place s = {.has_index = false};
    assert_true(watch_answered(&s, 9, "", "a"));
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal(watch_failed(&s), seconds[i] * MU_SEC);
    }
    assert_true(watch_answered(&s, 9, "", "a")); /* told anew */
    assert_int_equal(watch_failed(&s), 5 * MU_SEC);
    watch_place_fini(&s);
}

static void test_a_service_of_the_agent_is_followed_by_its_hash(void **state)
{
    (void)state;
    struct watch_plan *p =
        plan("{\"type\":\"agent_service\",\"service_id\":\"w\",\"args\":[\"x\"]}", WATCH_FROM_FILE);
    struct watch_place s = {.has_index = false};
    char text[256], hash[65], *out;
    static const char body[] = "{\"ID\":\"w\",\"Service\":\"w\",\"ContentHash\":\"4f7b78e4\"}";
    assert_true(
        watch_payload(p, &s, 200, body, sizeof body - 1, false, &out, hash, err, sizeof err));
    assert_true(watch_answered(&s, 0, hash, out));
    free(out);
    assert_true(watch_target(p, &s, text, sizeof text));
    assert_string_equal(text, "/v1/agent/service/w?hash=4f7b78e4");
    watch_place_fini(&s);
    watch_plan_destroy(p);
}

/* ---- What handlers read; expectations are what Consul 1.8.7 printed ---- */

static void expect_payload(const char *json, int status, const char *body, const char *expected)
{
    struct watch_plan *p = plan(json, WATCH_FROM_CLI);
    const struct watch_place start = {.has_index = false};
    char *out, hash[65];
    assert_non_null(p);
    if (!watch_payload(p, &start, status, body, strlen(body), false, &out, hash, err, sizeof err)) {
        fail_msg("%s: %s", body, err);
    }
    assert_string_equal(out, expected);
    free(out);
    watch_plan_destroy(p);
}

static void test_payloads_have_the_form_of_consuls_client(void **state)
{
    (void)state;
    expect_payload("{\"type\":\"key\",\"key\":\"a\"}", 404, "", "null\n");
    expect_payload("{\"type\":\"keyprefix\",\"prefix\":\"a\"}", 404, "", "null\n");
    expect_payload("{\"type\":\"key\",\"key\":\"a\"}", 200,
                   "[{\"LockIndex\":0,\"Key\":\"a\",\"Flags\":18446744073709551615,\"Value\":"
                   "\"YTxi\",\"CreateIndex\":15,\"ModifyIndex\":16,\"New\":{\"x\":[1]}}]",
                   "{\"Key\":\"a\",\"CreateIndex\":15,\"ModifyIndex\":16,\"LockIndex\":0,\"Flags\":"
                   "18446744073709551615,\"Value\":\"YTxi\",\"Session\":\"\"}\n");
    expect_payload("{\"type\":\"services\"}", 200, "{\"web\":[\"a\",\"b\"],\"consul\":[]}",
                   "{\"consul\":[],\"web\":[\"a\",\"b\"]}\n");
    expect_payload("{\"type\":\"service\",\"service\":\"none\"}", 200, "[]", "[]\n");
    expect_payload(
        "{\"type\":\"checks\"}", 200,
        "[{\"Node\":\"n\",\"CheckID\":\"c\",\"Name\":\"c\",\"Status\":\"passing\",\"Notes\":\"\","
        "\"Output\":\"<\",\"ServiceID\":\"\",\"ServiceName\":\"\",\"ServiceTags\":[],\"Type\":\"\","
        "\"Definition\":{\"Interval\":\"10s\",\"ScriptArgs\":[\"a\"]},\"CreateIndex\":1,"
        "\"ModifyIndex\":2}]",
        "[{\"Node\":\"n\",\"CheckID\":\"c\",\"Name\":\"c\",\"Status\":\"passing\",\"Notes\":\"\","
        "\"Output\":\"\\u003c\",\"ServiceID\":\"\",\"ServiceName\":\"\",\"ServiceTags\":[],"
        "\"Type\":\"\",\"Definition\":{\"Interval\":\"10s\",\"Timeout\":\"0s\","
        "\"DeregisterCriticalServiceAfter\":\"0s\",\"HTTP\":\"\",\"Header\":null,\"Method\":\"\","
        "\"Body\":\"\",\"TLSSkipVerify\":false,\"TCP\":\"\"},\"CreateIndex\":1,\"ModifyIndex\":2}]"
        "\n");
}

static void test_events_before_the_place_are_left_out(void **state)
{
    (void)state;
    static const char body[] = "[{\"ID\":\"00000000-0000-0000-0000-000000000007\",\"Name\":\"a\"},"
                               "{\"ID\":\"00000000-0000-0000-0000-000000000008\",\"Name\":\"b\"}]";
    struct watch_plan *p = plan("{\"type\":\"event\"}", WATCH_FROM_CLI);
    const struct watch_place at = {.has_index = true, .index = 7};
    char *out, hash[65];
    assert_true(
        watch_payload(p, &at, 200, body, sizeof body - 1, false, &out, hash, err, sizeof err));
    assert_null(strstr(out, "\"a\""));
    assert_non_null(strstr(out, "\"b\""));
    free(out);
    watch_plan_destroy(p);
}

static void test_what_is_no_answer_is_refused(void **state)
{
    (void)state;
    struct watch_plan *p = plan("{\"type\":\"nodes\"}", WATCH_FROM_CLI);
    const struct watch_place start = {.has_index = false};
    static const struct {
        int status;
        const char *body, *why;
    } table[] = {{500, "No cluster leader", "Unexpected response code: 500 (No cluster leader)"},
                 {200, "", "EOF"},
                 {200, "[{\"Node\":", "unexpected EOF"},
                 {200, "[{\"Node\":1}]", NULL},
                 {200, "{}", NULL}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *out, hash[65];
        assert_false(watch_payload(p, &start, table[i].status, table[i].body, strlen(table[i].body),
                                   false, &out, hash, err, sizeof err));
        if (table[i].why) {
            assert_string_equal(err, table[i].why);
        }
    }
    watch_plan_destroy(p);
}

/* ---- Running ---- */

static struct {
    struct event_base *base;
    int server; /* our end of the last connection; -1: none */
    char folder[64], out[128];
} world;

static int connect_to_us(void *user)
{
    int fds[2];
    (void)user;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    world.server = fds[1];
    return fds[0];
}

static int setup(void **state)
{
    (void)state;
    world.base = event_base_new();
    world.server = -1;
    snprintf(world.folder, sizeof world.folder, "/tmp/test-watch-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    snprintf(world.out, sizeof world.out, "%s/out", world.folder);
    setenv("OUT", world.out, 1); /* for handlers */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(world.out);
    rmdir(world.folder);
    event_base_free(world.base);
    return 0;
}

/* Runs the loop until the watch has asked; the first line of its request. */
static void expect_request(const char *line)
{
    char text[4096];
    ssize_t n = -1;
    while (world.server < 0 || (n = read(world.server, text, sizeof text - 1)) < 0) {
        event_base_loop(world.base, EVLOOP_ONCE);
    }
    text[n] = '\0';
    text[strcspn(text, "\r")] = '\0';
    assert_string_equal(text, line);
}

static void answer(const char *text)
{
    assert_int_equal(write(world.server, text, strlen(text)), (ssize_t)strlen(text));
    close(world.server);
    world.server = -1;
}

static struct config *configure(const char *text)
{
    char why[CONFIG_ERROR_MAX];
    struct config *c = config_from_text("w.json", text, strlen(text), why, sizeof why);
    if (!c) {
        fail_msg("%s", why);
    }
    return c;
}

static void expect_out(const char *expected)
{
    char text[512] = "";
    FILE *f = fopen(world.out, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, expected);
}

static void test_a_watch_asks_tells_and_asks_again(void **state)
{
    (void)state;
    struct config *c = configure(
        "{\"data_dir\":\"/tmp\",\"bind_addr\":\"127.0.0.1\",\"watches\":[{\"type\":"
        "\"key\",\"key\":\"k\",\"token\":\"t\",\"args\":[\"sh\",\"-c\",\"cat >> $OUT; echo "
        "$CONSUL_INDEX >> $OUT; echo noise; exit 3\"]}]}");
    const struct watches_config cfg = {.base = world.base, .connect = connect_to_us};
    struct watches *w = watches_create(&cfg);
    assert_true(watches_set(w, c, err, sizeof err));
    expect_request("GET /v1/kv/k HTTP/1.1");
    answer("HTTP/1.1 404 Not Found\r\nx-consul-index: 4\r\nContent-Length: 0\r\n\r\n");
    expect_request("GET /v1/kv/k?index=4 HTTP/1.1");
    expect_out("null\n4\n");
    answer("HTTP/1.1 404 Not Found\r\nX-Consul-Index: 5\r\nContent-Length: 0\r\n\r\n");
    expect_request("GET /v1/kv/k?index=5 HTTP/1.1");
    expect_out("null\n4\n"); /* another key has changed */
    answer("HTTP/1.1 200 OK\r\nX-Consul-Index: 6\r\nContent-Length: 13\r\n\r\n[{\"Key\":\"k\"}]");
    expect_request("GET /v1/kv/k?index=6 HTTP/1.1");
    expect_out("null\n4\n{\"Key\":\"k\",\"CreateIndex\":0,\"ModifyIndex\":0,\"LockIndex\":0,"
               "\"Flags\":0,\"Value\":null,\"Session\":\"\"}\n6\n");
    /* Set anew: asked from the start */
    close(world.server);
    world.server = -1;
    assert_true(watches_set(w, c, err, sizeof err));
    expect_request("GET /v1/kv/k HTTP/1.1");
    close(world.server);
    watches_destroy(w);
    config_destroy(c);
}

static void test_a_handler_outlives_its_watch(void **state)
{
    (void)state;
    struct config *c =
        configure("{\"data_dir\":\"/tmp\",\"bind_addr\":\"127.0.0.1\",\"watches\":[{\"type\":"
                  "\"nodes\",\"handler\":\"read x; echo $x > $OUT; exec sleep 1\"}]}");
    struct config *none = configure("{\"data_dir\":\"/tmp\",\"bind_addr\":\"127.0.0.1\"}");
    const struct watches_config cfg = {.base = world.base, .connect = connect_to_us};
    struct watches *w = watches_create(&cfg);
    struct stat st;
    assert_true(watches_set(w, c, err, sizeof err));
    expect_request("GET /v1/catalog/nodes HTTP/1.1");
    answer("HTTP/1.1 200 OK\r\nX-Consul-Index: 4\r\nContent-Length: 2\r\n\r\n[]");
    while (stat(world.out, &st) != 0 || st.st_size < 3) {
        event_base_loop(world.base, EVLOOP_NONBLOCK);
    }
    assert_true(watches_set(w, none, err, sizeof err));
    event_base_loop(world.base, EVLOOP_NONBLOCK);
    watches_destroy(w);
    config_destroy(c);
    config_destroy(none);
}

static void test_a_bad_watch_changes_nothing_and_is_named(void **state)
{
    (void)state;
    struct config *c = configure("{\"data_dir\":\"/tmp\",\"bind_addr\":\"127.0.0.1\",\"watches\":["
                                 "{\"type\":\"nodes\",\"args\":[\"true\"]},{\"type\":\"nix\"}]}");
    const struct watches_config cfg = {.base = world.base, .connect = connect_to_us};
    struct watches *w = watches_create(&cfg);
    assert_false(watches_set(w, c, err, sizeof err));
    assert_string_equal(err, "Failed to parse watch (w.json: watches[1]): Unsupported watch type: "
                             "nix");
    assert_false(watches_check(c, err, sizeof err));
    watches_destroy(w);
    config_destroy(c);
}

static void test_output_is_bounded(void **state)
{
    (void)state;
    struct watch_handler *h = calloc(1, sizeof *h);
    char buf[WATCH_OUTPUT_MAX + 64], piece[1000];
    assert_non_null(h);
    memset(piece, 'a', sizeof piece);
    for (int i = 0; i < 1000; i++) {
        watch__keep_output(h, piece, sizeof piece);
    }
    watch__keep_output(h, "end", 3);
    assert_string_equal(watch__output(h, buf, sizeof buf) + strlen(buf) - 4, "aend");
    assert_memory_equal(buf, "Captured 4096 of 1000003 bytes\n...\na", 36);
    watch_handler_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_asks_for_what_it_shows),
        cmocka_unit_test(test_what_is_wrong_is_said_in_the_words_of_the_original),
        cmocka_unit_test(test_handlers_are_read),
        cmocka_unit_test(test_only_news_are_told),
        cmocka_unit_test(test_an_index_that_goes_back_starts_anew),
        cmocka_unit_test(test_failures_wait_longer_and_longer),
        cmocka_unit_test(test_a_service_of_the_agent_is_followed_by_its_hash),
        cmocka_unit_test(test_payloads_have_the_form_of_consuls_client),
        cmocka_unit_test(test_events_before_the_place_are_left_out),
        cmocka_unit_test(test_what_is_no_answer_is_refused),
        cmocka_unit_test_setup_teardown(test_a_watch_asks_tells_and_asks_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_handler_outlives_its_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bad_watch_changes_nothing_and_is_named, setup,
                                        teardown),
        cmocka_unit_test(test_output_is_bounded),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
