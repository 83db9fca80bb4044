/* Mirrors daemons/cli/cmd_maint.c, cmd_monitor.c and cmd_snapshot.c. */
#include "cli_kit.h"

#include "archive/archive.h"
#include "cli/cli.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- maint ---- */

static void test_maintenance_is_listed_for_node_and_services(void **state)
{
    (void)state;
    SCRIPT({"GET /v1/agent/self", NULL, 200, "{\"Config\":{\"NodeName\":\"n1\"}}"},
           {"GET /v1/agent/checks", NULL, 200,
            "{\"_node_maintenance\":{\"Notes\":\"disk\"},\"other\":{\"Notes\":\"no\"},"
            "\"_service_maintenance:web-1\":{\"ServiceID\":\"web-1\",\"Notes\":\"new\"}}"});
    assert_int_equal(RUN(cmd_maint, cli_address), 0);
    assert_string_equal(cli_output, "Node:\n  Name:   n1\n  Reason: disk\n\n"
                                    "Service:\n  ID:     web-1\n  Reason: new\n\n");
    cli_script_done();
    SCRIPT({"GET /v1/agent/self", NULL, 500, "no"}, {"GET /v1/agent/checks", NULL, 200, "{}"});
    assert_int_equal(RUN(cmd_maint, cli_address), 1);
    assert_non_null(strstr(cli_complaint, "Error getting node name: "));
    SCRIPT({"GET /v1/agent/self", NULL, 200, "rubbish"},
           {"GET /v1/agent/checks", NULL, 200, "[rubbish"});
    assert_int_equal(RUN(cmd_maint, cli_address), 0); /* nothing is listed, nothing falls */
    assert_string_equal(cli_output, "");
}

static void test_maintenance_begins_and_ends_with_its_reason(void **state)
{
    (void)state;
    SCRIPT({"PUT /v1/agent/maintenance?enable=true&reason=a%20b%26c", "", 200, ""});
    assert_int_equal(RUN(cmd_maint, cli_address, "-enable", "-reason", "a b&c"), 0);
    assert_string_equal(cli_output, "Node maintenance is now enabled\n");
    cli_script_done();
    SCRIPT({"PUT /v1/agent/service/maintenance/web-1?enable=false", "", 200, ""});
    assert_int_equal(RUN(cmd_maint, cli_address, "-disable", "-service=web-1"), 0);
    assert_string_equal(cli_output, "Service maintenance is now disabled for \"web-1\"\n");
    cli_script_done();
    SCRIPT({"PUT /v1/agent/service/maintenance/no?enable=true", "", 404,
            "No service registered with ID \"no\""});
    assert_int_equal(RUN(cmd_maint, cli_address, "-enable", "-service=no"), 1);
    assert_non_null(strstr(cli_complaint, "Error enabling service maintenance: "));
    assert_non_null(strstr(cli_complaint, "No service registered with ID \"no\""));
}

static void test_options_of_maint_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    SCRIPT({.request = NULL});
    assert_int_equal(RUN(cmd_maint, cli_address, "-enable", "-disable"), 1);
    assert_string_equal(cli_complaint, "Only one of -enable or -disable may be provided\n");
    assert_int_equal(RUN(cmd_maint, cli_address, "-disable", "-reason=x"), 1);
    assert_string_equal(cli_complaint, "Reason may only be provided with -enable\n");
    assert_int_equal(RUN(cmd_maint, cli_address, "-service=x"), 1);
    assert_string_equal(cli_complaint, "Service requires either -enable or -disable\n");
}

/* ---- monitor ---- */

static void test_monitor_prints_what_comes_until_its_end(void **state)
{
    (void)state;
    SCRIPT({"GET /v1/agent/monitor?loglevel=debug&logjson=true", NULL, 200, "one\ntwo\n"});
    assert_int_equal(RUN(cmd_monitor, cli_address, "-log-level", "debug", "-log-json"), 0);
    assert_string_equal(cli_output, "one\ntwo\n");
    cli_script_done();
    SCRIPT({"GET /v1/agent/monitor?loglevel=no%3Fsuch", NULL, 400,
            "Bad request: Unknown log level: no?such"});
    assert_int_equal(RUN(cmd_monitor, cli_address, "-log-level", "no?such"), 1);
    assert_string_equal(cli_output, "");
    assert_non_null(strstr(cli_complaint, "Unknown log level: no?such"));
}

/* ---- snapshot ---- */

static struct {
    char bytes[8192];
    size_t len;
} archive;

static int keep(void *user, const void *data, size_t len)
{
    (void)user;
    assert_true(archive.len + len <= sizeof archive.bytes);
    memcpy(archive.bytes + archive.len, data, len);
    archive.len += len;
    return 0;
}

static int give_state(void *user, void *buf, size_t *len)
{
    bool *given = user;
    *len = *given ? 0 : 5;
    memcpy(buf, "state", *len);
    *given = true;
    return 0;
}

static void make_archive(void)
{
    struct archive_meta m = {
        .id = "2-16-1", .version = 1, .index = 16, .term = 2, .configuration_index = 1, .size = 5};
    char err[ARCHIVE_ERROR_MAX];
    bool given = false;
    archive.len = 0;
    assert_true(archive_write(&m, NULL, give_state, &given, keep, NULL, err));
}

static void test_a_snapshot_is_saved_inspected_and_restored(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-cli-XXXXXX", path[64];
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s.tgz", dir);
    make_archive();
    SCRIPT({"GET /v1/snapshot?dc=d%202&stale", NULL, 200, archive.bytes, archive.len, 0});
    assert_int_equal(RUN(cmd_snapshot, "save", cli_address, "-stale", "-datacenter=d 2", path), 0);
    assert_string_equal(cli_output, "Saved and verified snapshot to index 16\n");
    cli_script_done();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, archive.len);
    assert_int_equal(st.st_mode & 0777, 0600); /* it holds secrets */
    assert_int_equal(RUN(cmd_snapshot, "inspect", path), 0);
    assert_string_equal(cli_output, "ID           2-16-1\nSize         5\nIndex        16\n"
                                    "Term         2\nVersion      1\n");
    SCRIPT({"PUT /v1/snapshot", NULL, 200, ""});
    assert_int_equal(RUN(cmd_snapshot, "restore", cli_address, path), 0);
    assert_string_equal(cli_output, "Restored snapshot\n");
    cli_script_done();
    SCRIPT({"PUT /v1/snapshot", NULL, 500, "No cluster leader"});
    assert_int_equal(RUN(cmd_snapshot, "restore", cli_address, path), 1);
    assert_non_null(strstr(cli_complaint, "Error restoring snapshot: "));
    unlink(path);
    rmdir(dir);
}

static void test_what_is_no_archive_is_not_saved_and_leaves_the_old_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-cli-XXXXXX", path[64], text[16] = "";
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s.tgz", dir);
    FILE *f = fopen(path, "w");
    fputs("the old one", f);
    fclose(f);
    make_archive();
    archive.bytes[archive.len / 2] ^= 1;
    SCRIPT({"GET /v1/snapshot", NULL, 200, archive.bytes, archive.len, 0});
    assert_int_equal(RUN(cmd_snapshot, "save", cli_address, path), 1);
    assert_non_null(strstr(cli_complaint, "Error verifying snapshot file: "));
    SCRIPT({"GET /v1/snapshot", NULL, 200, archive.bytes, archive.len - 9, 0});
    assert_int_equal(RUN(cmd_snapshot, "save", cli_address, path), 1);
    SCRIPT({"GET /v1/snapshot", NULL, 500, "No cluster leader"});
    assert_int_equal(RUN(cmd_snapshot, "save", cli_address, path), 1);
    assert_non_null(strstr(cli_complaint, "Error saving snapshot: "));
    f = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "the old one");
    assert_int_equal(RUN(cmd_snapshot, "inspect", path), 1);
    assert_non_null(strstr(cli_complaint, "Error verifying snapshot: "));
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* nothing unverified was left behind */
    assert_int_equal(RUN(cmd_snapshot, "inspect", path), 1);
    assert_non_null(strstr(cli_complaint, "Error opening snapshot file: open "));
    assert_int_equal(RUN(cmd_snapshot, "restore", cli_address, path), 1);
}

static void test_snapshot_without_a_command_or_a_file_says_so(void **state)
{
    (void)state;
    assert_int_equal(RUN(cmd_snapshot, "frobnicate"), 1);
    assert_non_null(strstr(cli_complaint, "Usage: muster snapshot"));
    assert_int_equal(RUN(cmd_snapshot, "save"), 1);
    assert_string_equal(cli_complaint, "Missing FILE argument\n");
    assert_int_equal(RUN(cmd_snapshot, "inspect", "a", "b"), 1);
    assert_string_equal(cli_complaint, "Too many arguments (expected 1)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maintenance_is_listed_for_node_and_services),
        cmocka_unit_test(test_maintenance_begins_and_ends_with_its_reason),
        cmocka_unit_test(test_options_of_maint_that_do_not_go_together_are_refused),
        cmocka_unit_test(test_monitor_prints_what_comes_until_its_end),
        cmocka_unit_test(test_a_snapshot_is_saved_inspected_and_restored),
        cmocka_unit_test(test_what_is_no_archive_is_not_saved_and_leaves_the_old_file),
        cmocka_unit_test(test_snapshot_without_a_command_or_a_file_says_so),
    };
    return cmocka_run_group_tests_name("cli_agent", tests, cli_kit_setup, cli_kit_teardown);
}
