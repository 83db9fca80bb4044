/* Mirrors daemons/base/log_file.c: names of files, when another is begun, and which are kept. */
#include "mu_test.h"

#include "base/log.h"
#include "base/log_file.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-log-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static size_t each_file(const char *pattern, void (*fn)(const char *path))
{
    char full[128];
    glob_t found;
    snprintf(full, sizeof full, "%s/%s", folder, pattern);
    size_t n = glob(full, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    for (size_t i = 0; fn && i < n; i++) {
        fn(found.gl_pathv[i]);
    }
    globfree(&found);
    return n;
}

static void remove_file(const char *path)
{
    unlink(path);
}

static int teardown(void **state)
{
    (void)state;
    log_file_close();
    each_file("*", remove_file);
    return rmdir(folder);
}

static void open_at(const char *name, int64_t bytes, int64_t keep)
{
    char path[128], err[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const struct log_file_config c = {.path = path, .rotate_bytes = bytes, .keep = keep};
    assert_true(log_file_open(&c, err, sizeof err));
}

static void write_lines(int n)
{
    for (int i = 0; i < n; i++) {
        log__file_write("0123456789\n", 11);
    }
}

static void test_names_have_a_time_before_their_ending(void **state)
{
    (void)state;
    open_at("", 0, 0);
    assert_int_equal(each_file("muster-*.log", NULL), 1);
    log_file_close();
    open_at("x.txt", 0, 0);
    assert_int_equal(each_file("x-*.txt", NULL), 1);
    log_file_close();
    open_at("bare", 0, 0);
    assert_int_equal(each_file("bare-*.log", NULL), 1);
}

static void test_a_full_file_makes_room_for_another(void **state)
{
    (void)state;
    open_at("x.log", 22, 0);
    write_lines(5); /* 2 + 2 + 1 */
    assert_int_equal(each_file("x-*.log", NULL), 3);
}

static void test_only_so_many_older_ones_are_kept(void **state)
{
    (void)state;
    open_at("x.log", 11, 2);
    write_lines(10);
    assert_int_equal(each_file("x-*.log", NULL), 3);
}

static void test_or_none_at_all(void **state)
{
    (void)state;
    open_at("x.log", 11, -1);
    write_lines(10);
    assert_int_equal(each_file("x-*.log", NULL), 1);
}

static void test_what_cannot_be_opened_is_named(void **state)
{
    (void)state;
    char err[256];
    const struct log_file_config c = {.path = "/nonexistent/x.log"};
    assert_false(log_file_open(&c, err, sizeof err));
    assert_memory_equal(err, "Failed to setup logging: open /nonexistent/x-", 45);
    assert_non_null(strstr(err, ".log: no such file or directory"));
    assert_false(log_syslog_open("LOCAL9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_have_a_time_before_their_ending, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_full_file_makes_room_for_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_so_many_older_ones_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_or_none_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_is_named, setup, teardown),
    };
    return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
