/* Mirrors daemons/cli/{intention,cmd_intention,cmd_intention_create,cmd_connect}.c: what they ask
 * of an agent, and what they make of its answers, bad ones too. What Consul's commands say is
 * compared in tests/integration/test_intention_cli.py. */
#include "cli_kit.h"

#include "cli/cli.h"
#include "cli/file.h"
#include "cli/intention.h"
#include "schema.h"

#include <unistd.h>

#define WEB_DB                                                                                     \
    "{\"ID\":\"1-2\",\"SourceNS\":\"default\",\"SourceName\":\"web\",\"DestinationNS\":"           \
    "\"default\",\"DestinationName\":\"db\",\"Action\":\"allow\",\"Meta\":{\"b\":\" 2 "            \
    "\",\"a\":\"1\"},\"CreatedAt\":\"2020-02-03T04:05:06.7Z\"}"
#define OTHER "{\"ID\":\"3\",\"SourceNS\":\"n\",\"SourceName\":\"web\",\"DestinationName\":\"db\"}"
#define LIST  "/v1/connect/intentions"

static void test_names_are_read_and_shown_with_their_namespace(void **state)
{
    (void)state;
    struct mu_str ns, name;
    char text[INTENTION_NAME_MAX];
    assert_true(intention_target("web", &ns, &name));
    assert_int_equal(ns.len, 0);
    assert_true(mu__str_eq(name, mu__cstr("web")));
    assert_true(intention_target("n/", &ns, &name));
    assert_true(mu__str_eq(ns, mu__cstr("n")));
    assert_int_equal(name.len, 0);
    assert_false(intention_target("a/b/c", &ns, &name));
    assert_false(intention_target("//", &ns, &name));
    intention_end(mu__cstr("default"), mu__cstr("web"), text);
    assert_string_equal(text, "web");
    intention_end(mu__cstr("n"), mu__cstr("web"), text);
    assert_string_equal(text, "n/web");
    intention_end((struct mu_str){0}, (struct mu_str){0}, text);
    assert_string_equal(text, "");
}

static void test_long_names_are_cut_where_they_are_shown(void **state)
{
    (void)state;
    static char longest[3 * INTENTION_NAME_MAX];
    char text[3 * INTENTION_NAME_MAX];
    memset(longest, 'x', sizeof longest - 1);
    struct mu_str s = mu__cstr(longest);
    const struct catalog_intention x = {
        .source_ns = s, .source_name = s, .destination_name = s, .action = s};
    intention_text(&x, text);
    assert_true(strlen(text) < sizeof text);
    assert_non_null(strstr(text, "x => x"));
}

static void test_a_pair_is_created_with_what_the_flags_say(void **state)
{
    (void)state;
    SCRIPT({"POST " LIST "?dc=dc%202",
            "{\"ID\":\"\",\"Description\":\"\",\"SourceNS\":\"n\",\"SourceName\":\"web\","
            "\"DestinationNS\":\"\",\"DestinationName\":\"\\u003cdb\\u003e\",\"SourceType\":"
            "\"consul\",\"Action\":\"deny\",\"DefaultAddr\":\"\",\"DefaultPort\":0,\"Meta\":{"
            "\"a\":\"3\",\"b\":\"=\"},\"Precedence\":0,\"CreatedAt\":\"0001-01-01T00:00:00Z\","
            "\"UpdatedAt\":\"0001-01-01T00:00:00Z\",\"Hash\":null,\"CreateIndex\":0,"
            "\"ModifyIndex\":0}",
            200, "{\"ID\":\"1\"}"});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-datacenter=dc 2", "-deny",
                         "-meta=b==", "-meta=a=1", "-meta=a=3", "n/web", "<db>"),
                     0);
    cli_script_done();
    assert_string_equal(cli_output, "Created: n/web => <db> (deny)\n");
}

static void test_one_that_is_there_is_replaced_and_no_other(void **state)
{
    (void)state;
    SCRIPT({"GET " LIST, NULL, 200, "[" OTHER "," WEB_DB "]"}, {"PUT " LIST "/1-2", NULL, 200, ""});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-replace", "web", "db"), 0);
    cli_script_done();
    assert_string_equal(cli_output, "");
    SCRIPT({"GET " LIST, NULL, 200, "[" OTHER "]"}, {"POST " LIST, NULL, 200, "{}"});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-replace", "web", "db"), 0);
    cli_script_done();
    SCRIPT({"GET " LIST, NULL, 200, "[" WEB_DB "]"}, {"PUT " LIST "/1-2", NULL, 500, "broken"});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-replace", "web", "db"), 1);
    assert_string_equal(cli_complaint,
                        "Error replacing intention with source \"web\" and destination \"db\": "
                        "Unexpected response code: 500 (broken)\n");
    SCRIPT({"GET " LIST, NULL, 200, "{"});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-replace", "web", "db"), 1);
    assert_string_equal(cli_complaint,
                        "Error looking up intention for replacement with source \"web\" and "
                        "destination \"db\": unexpected EOF\n");
}

static void test_nothing_is_asked_when_one_of_the_files_is_bad(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-cli-XXXXXX", good[64], bad[64];
    assert_non_null(mkdtemp(dir));
    snprintf(good, sizeof good, "%s/good", dir);
    snprintf(bad, sizeof bad, "%s/bad", dir);
    FILE *f = fopen(good, "w");
    fputs(WEB_DB " and what stands behind it", f);
    fclose(f);
    f = fopen(bad, "w");
    fputs("{\"SourceName\":[]}", f);
    fclose(f);
    SCRIPT({NULL});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-file", good, bad), 1);
    cli_script_done();
    assert_string_equal(cli_complaint, "Error: json: cannot unmarshal array into Go struct field "
                                       "Intention.SourceName of type string\n");
    SCRIPT({"POST " LIST, NULL, 200, "{}"}, {"POST " LIST, NULL, 200, "{}"});
    assert_int_equal(RUN(cmd_intention, "create", cli_address, "-file", good, good), 0);
    cli_script_done();
    unlink(good);
    unlink(bad);
    rmdir(dir);
}

static void test_files_are_bounded(void **state)
{
    (void)state;
    char path[] = "/tmp/test-cli-XXXXXX", why[256];
    size_t len;
    int fd = mkstemp(path);
    assert_int_equal(ftruncate(fd, CLI_FILE_MAX), 0);
    char *text = cli_read_file(path, &len, why, sizeof why);
    assert_non_null(text);
    assert_int_equal(len, CLI_FILE_MAX);
    assert_int_equal(text[len], 0);
    free(text);
    assert_int_equal(ftruncate(fd, CLI_FILE_MAX + 1), 0);
    assert_null(cli_read_file(path, &len, why, sizeof why));
    assert_non_null(strstr(why, "file too large"));
    close(fd);
    unlink(path);
    assert_null(cli_read_file(path, &len, why, sizeof why));
    assert_non_null(strstr(why, ": no such file or directory"));
}

static void test_one_is_shown_by_pair_and_by_id(void **state)
{
    (void)state;
    static const char shown[] = "Source:       web\nDestination:  db\nAction:       allow\n"
                                "ID:           1-2\nMeta[a]:      1\nMeta[b]:      2\n"
                                "Created At:   Monday, 03-Feb-20 04:05:06 UTC\n";
    SCRIPT({"GET " LIST, NULL, 200, "[" OTHER "," WEB_DB "]"},
           {"GET " LIST "/1-2", NULL, 200, WEB_DB});
    assert_int_equal(RUN(cmd_intention, "get", cli_address, "default/web", "db"), 0);
    cli_script_done();
    assert_string_equal(cli_output, shown);
    SCRIPT({"GET " LIST "/a%20b", NULL, 200, WEB_DB});
    assert_int_equal(RUN(cmd_intention, "get", cli_address, "a b"), 0);
    assert_string_equal(cli_output, shown);
    SCRIPT({"GET " LIST "/x", NULL, 404, "Intention not found"});
    assert_int_equal(RUN(cmd_intention, "get", cli_address, "x"), 1);
    assert_string_equal(cli_complaint, "Error reading the intention: Unexpected response 404: "
                                       "Intention not found\n");
    SCRIPT({"GET " LIST "/x", NULL, 200, "[]"});
    assert_int_equal(RUN(cmd_intention, "get", cli_address, "x"), 1);
    assert_non_null(strstr(cli_complaint, "into Go value of type api.Intention"));
    SCRIPT({"GET " LIST "/x", NULL, 200, "{\"CreatedAt\":\"9999-12-31T23:59:59Z\"}"});
    assert_int_equal(RUN(cmd_intention, "get", cli_address, "x"), 0);
    assert_non_null(strstr(cli_output, "31-Dec-99 23:59:59 UTC"));
}

static void test_one_is_deleted_by_pair(void **state)
{
    (void)state;
    SCRIPT({"GET " LIST, NULL, 200, "[" WEB_DB "," OTHER "]"},
           {"DELETE " LIST "/3", NULL, 200, "true"});
    assert_int_equal(RUN(cmd_intention, "delete", cli_address, "n/web", "db"), 0);
    cli_script_done();
    assert_string_equal(cli_output, "Intention deleted.\n");
    SCRIPT({"GET " LIST, NULL, 200, "[]"});
    assert_int_equal(RUN(cmd_intention, "delete", cli_address, "web", "db"), 1);
    cli_script_done();
    assert_string_equal(cli_complaint,
                        "Error: Intention with source \"web\" and destination \"db\" not found.\n");
    SCRIPT({"GET " LIST, NULL, 200, "[1]"});
    assert_int_equal(RUN(cmd_intention, "delete", cli_address, "web", "db"), 1);
    assert_non_null(strstr(cli_complaint, "Error: json: cannot unmarshal number"));
}

static void test_matches_are_listed_in_their_order(void **state)
{
    (void)state;
    SCRIPT({"GET " LIST "/match?by=source&name=n%2Fa%26b", NULL, 200,
            "{\"n/a&b\":[" OTHER "," WEB_DB "],\"other\":[" WEB_DB "]}"});
    assert_int_equal(RUN(cmd_intention, "match", cli_address, "-source", "n/a&b"), 0);
    cli_script_done();
    assert_string_equal(cli_output, "n/web => db ()\nweb => db (allow)\n");
    static const char *const none[] = {"{}", "{\"x\":null}", "{\"x\":[]}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        SCRIPT({"GET " LIST "/match?by=destination&name=x", NULL, 200, none[i]});
        assert_int_equal(RUN(cmd_intention, "match", cli_address, "x"), 0);
        assert_string_equal(cli_output, "");
    }
    static const char *const bad[] = {"", "[]", "{\"x\":5}", "{\"x\":[{\"ID\":5}]}", "{\"x\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SCRIPT({"GET " LIST "/match", NULL, 200, bad[i]});
        assert_int_equal(RUN(cmd_intention, "match", cli_address, "x"), 1);
        assert_non_null(strstr(cli_complaint, "Error matching the connection: "));
    }
}

static void test_a_check_ends_as_the_verdict_is(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int status, rc;
    } cases[] = {{"{\"Allowed\":true}", 200, 0},
                 {"{\"Allowed\":false}", 200, 1},
                 {"{\"Allowed\":1}", 200, 2},
                 {"[]", 200, 2},
                 {"", 200, 2},
                 {"{\"Allowed\":true}", 500, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SCRIPT({"GET " LIST "/check?destination=b%3F&source=n%2Fa&source-type=consul", NULL,
                cases[i].status, cases[i].answer});
        assert_int_equal(RUN(cmd_intention, "check", cli_address, "n/a", "b?"), cases[i].rc);
        cli_script_done();
        assert_int_equal(*cli_output != 0, cases[i].rc != 2);
    }
}

static int run_with_name(const char *verb, char *name)
{
    char program[16], address[64], other[] = "x";
    snprintf(program, sizeof program, "%s", verb);
    snprintf(address, sizeof address, "%s", cli_address);
    char *argv[] = {program, address, name, other, NULL};
    struct cli_capture out, err;
    cli_capture(&out, stdout);
    cli_capture(&err, stderr);
    int rc = cmd_intention(strcmp(verb, "match") == 0 ? 3 : 4, argv);
    cli_release(&out, stdout, cli_output, sizeof cli_output);
    cli_release(&err, stderr, cli_complaint, sizeof cli_complaint);
    return rc;
}

static void test_a_name_is_asked_for_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char *const verbs[] = {"match", "check", "get", "delete"};
    char name[INTENTION_TEXT_MAX + 2], answer[INTENTION_TEXT_MAX + 256];
    memset(name, '/', sizeof name - 1);
    name[INTENTION_TEXT_MAX + 1] = '\0';
    SCRIPT({NULL});
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        assert_int_equal(run_with_name(verbs[i], name), i == 1 ? 2 : 1);
        assert_non_null(strstr(cli_complaint, "a name has more than 1000 bytes"));
    }
    cli_script_done();
    name[INTENTION_TEXT_MAX] = '\0';
    snprintf(answer, sizeof answer, "{\"%s\":[" OTHER "]}", name);
    SCRIPT({"GET " LIST "/match?by=destination&name=%2F%2F", NULL, 200, answer});
    assert_int_equal(run_with_name("match", name), 0);
    assert_string_equal(cli_output, "n/web => db ()\n");
    cli_script_done();
}

static void test_the_authority_is_configured(void **state)
{
    (void)state;
    char path[] = "/tmp/test-cli-XXXXXX", flag[64];
    int fd = mkstemp(path);
    static const char file[] = "{\"provider\":\"consul\",\"Config\":{\"b\":[1.5],\"a\":\"<\"}} \n";
    assert_int_equal(write(fd, file, sizeof file - 1), sizeof file - 1);
    close(fd);
    snprintf(flag, sizeof flag, "-config-file=%s", path);
    SCRIPT({"PUT /v1/connect/ca/configuration?dc=x",
            "{\"Provider\":\"consul\",\"Config\":{\"a\":\"\\u003c\",\"b\":[1.5]},\"State\":null,"
            "\"CreateIndex\":0,\"ModifyIndex\":0}",
            200, ""});
    assert_int_equal(RUN(cmd_connect, "ca", "set-config", cli_address, "-datacenter=x", flag), 0);
    cli_script_done();
    assert_string_equal(cli_output, "Configuration updated!\n");
    unlink(path);
    SCRIPT({"GET /v1/connect/ca/configuration", NULL, 200,
            "{\"Provider\":\"consul\",\"Config\":{\"a\":{}, \"k\":\"   v\"},\"New\":1,"
            "\"ModifyIndex\":7}"});
    assert_int_equal(RUN(cmd_connect, "ca", "get-config", cli_address), 0);
    assert_string_equal(cli_output,
                        "{\n\t\"Provider\": \"consul\",\n\t\"Config\": {\n\t\t\"a\": {},\n\t\t"
                        "\"k\": \"   v\"\n\t},\n\t\"State\": null,\n\t\"CreateIndex\": 0,\n\t"
                        "\"ModifyIndex\": 7\n}\n");
    SCRIPT({"GET /v1/connect/ca/configuration", NULL, 200, "{\"Config\":"});
    assert_int_equal(RUN(cmd_connect, "ca", "get-config", cli_address), 1);
    assert_string_equal(cli_complaint, "Error querying CA configuration: unexpected EOF\n");
}

static void test_who_says_nothing_is_shown_the_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN(cmd_intention, "nonsense"), 1);
    assert_non_null(strstr(cli_complaint, "Usage: muster intention"));
    assert_int_equal(RUN(cmd_intention, "-h"), 0);
    assert_int_equal(RUN(cmd_intention, "match", "-h"), 0);
    assert_int_equal(RUN(cmd_intention, "check", "-h"), 0);
    assert_int_equal(RUN(cmd_connect, "ca"), 1);
    assert_non_null(strstr(cli_complaint, "Usage: muster connect <subcommand>"));
    assert_int_equal(RUN(cmd_connect, "ca", "-help"), 0);
    assert_int_equal(RUN(cmd_connect, "--help"), 0);
    char none[1] = "", *argv[] = {none, NULL};
    struct cli_capture err;
    cli_capture(&err, stderr);
    assert_int_equal(cmd_connect(0, argv), 1);
    assert_int_equal(cmd_intention(0, argv), 1);
    cli_release(&err, stderr, cli_complaint, sizeof cli_complaint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_read_and_shown_with_their_namespace),
        cmocka_unit_test(test_long_names_are_cut_where_they_are_shown),
        cmocka_unit_test(test_a_pair_is_created_with_what_the_flags_say),
        cmocka_unit_test(test_one_that_is_there_is_replaced_and_no_other),
        cmocka_unit_test(test_nothing_is_asked_when_one_of_the_files_is_bad),
        cmocka_unit_test(test_files_are_bounded),
        cmocka_unit_test(test_one_is_shown_by_pair_and_by_id),
        cmocka_unit_test(test_one_is_deleted_by_pair),
        cmocka_unit_test(test_matches_are_listed_in_their_order),
        cmocka_unit_test(test_a_check_ends_as_the_verdict_is),
        cmocka_unit_test(test_a_name_is_asked_for_whole_or_not_at_all),
        cmocka_unit_test(test_the_authority_is_configured),
        cmocka_unit_test(test_who_says_nothing_is_shown_the_usage),
    };
    return cmocka_run_group_tests_name("cli_intention", tests, cli_kit_setup, cli_kit_teardown);
}
