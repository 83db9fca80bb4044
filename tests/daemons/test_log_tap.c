/* Mirrors daemons/base/log_tap.c. The log itself goes to /dev/null. */
#include "mu_test.h"

#include "base/log_tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MODULE "agent.test"

static void count_wakes(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* What has come, as text; to be freed. */
static char *taken(struct log_tap *t)
{
    size_t len;
    char *lines = log_tap_take(t, &len);
    assert_true(lines != NULL || len == 0);
    char *text = calloc(1, len + 1);
    if (lines) {
        memcpy(text, lines, len);
    }
    free(lines);
    return text;
}

static void test_a_tap_hears_its_level_and_above_from_now_on(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    log_warn(MODULE, "before");
    struct log_tap *t = log_tap_create(MU_INFO, false, count_wakes, &wakes);
    assert_non_null(t);
    log_debug(MODULE, "below");
    log_info(MODULE, "here\nand there");
    log_error(MODULE, "above");
    char *text = taken(t);
    assert_null(strstr(text, "before"));
    assert_null(strstr(text, "below"));
    assert_non_null(strstr(text, " [INFO]  agent.test: here"));
    assert_non_null(strstr(text, " [ERROR] agent.test: above\n"));
    size_t lines = 0;
    for (const char *p = text; *p; p++) {
        lines += *p == '\n';
    }
    assert_int_equal(lines, 2); /* a line break in a message makes no line */
    free(text);
    log_tap_destroy(t);
}

static void test_a_level_that_only_a_tap_wants_is_written_for_it_alone(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    log_set_level(MU_ERROR);
    assert_false(log_is_on(MU_TRACE));
    struct log_tap *t = log_tap_create(MU_TRACE, false, count_wakes, &wakes);
    assert_true(log_is_on(MU_TRACE));
    log_write(MU_TRACE, MODULE, "fine");
    char *text = taken(t);
    assert_non_null(strstr(text, "[TRACE] agent.test: fine\n"));
    free(text);
    log_tap_destroy(t);
    assert_false(log_is_on(MU_TRACE));
    log_set_level(MU_DEBUG);
}

static void test_it_wakes_once_until_lines_are_taken(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    struct log_tap *t = log_tap_create(MU_DEBUG, false, count_wakes, &wakes);
    free(taken(t)); /* nothing */
    log_info(MODULE, "one");
    log_info(MODULE, "two");
    assert_int_equal(wakes, 1);
    free(taken(t));
    log_info(MODULE, "three");
    assert_int_equal(wakes, 2);
    log_tap_destroy(t);
    log_info(MODULE, "four");
    assert_int_equal(wakes, 2);
    log_tap_destroy(NULL);
}

static void test_json_lines_are_objects_whatever_the_message(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    struct log_tap *t = log_tap_create(MU_DEBUG, true, count_wakes, &wakes);
    log_warn(MODULE, "say \"%s\" <%c>", "x", 1);
    char *text = taken(t);
    static const char expected[] = "{\"@level\":\"warn\",\"@message\":\"say \\\"x\\\" \\u003c"
                                   "\\u0001\\u003e\",\"@module\":\"agent.test\",\"@timestamp\":\"";
    assert_memory_equal(text, expected, sizeof expected - 1);
    assert_string_equal(text + strlen(text) - 4, "Z\"}\n");
    free(text);
    log_tap_destroy(t);
}

static void test_who_does_not_read_costs_a_bounded_room_and_is_told_of_its_loss(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    size_t len;
    struct log_tap *slow = log_tap_create(MU_DEBUG, false, count_wakes, &wakes);
    struct log_tap *quick = log_tap_create(MU_DEBUG, false, count_wakes, &wakes);
    char line[1001];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 400; i++) {
        log_info(MODULE, "%s", line);
        free(taken(quick));
    }
    assert_int_equal(log_tap_dropped(quick), 0);
    uint64_t dropped = log_tap_dropped(slow);
    assert_in_range(dropped, 100, 200);
    char *lines = log_tap_take(slow, &len);
    assert_in_range(len, 200 * 1000, 256 * 1024);
    assert_int_equal(lines[len - 1], '\n'); /* whole lines */
    free(lines);
    log_info(MODULE, "room again");
    lines = taken(slow);
    assert_non_null(strstr(lines, "room again\n"));
    free(lines);
    assert_int_equal(log_tap_dropped(slow), dropped);
    log_tap_destroy(slow);
    log_tap_destroy(quick);
}

static void test_only_so_many_may_listen(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    struct log_tap *taps[64];
    size_t n = 0;
    while (n < 64 && (taps[n] = log_tap_create(MU_INFO, false, count_wakes, &wakes)) != NULL) {
        n++;
    }
    assert_in_range(n, 1, 63);
    log_tap_destroy(taps[0]);
    taps[0] = log_tap_create(MU_INFO, false, count_wakes, &wakes);
    assert_non_null(taps[0]);
    while (n > 0) {
        log_tap_destroy(taps[--n]);
    }
}

/* ---- Threads ---- */

static atomic_bool stop;

static void *talk(void *arg)
{
    int *said = arg;
    do {
        log_info(MODULE, "line %d", *said);
        log_debug(MODULE, "detail");
        ++*said;
    } while (!atomic_load(&stop) || *said < 200);
    return NULL;
}

static void test_taps_come_and_go_while_others_log(void **state)
{
    (void)state;
    pthread_t threads[3];
    int said[3] = {0};
    atomic_int wakes = 0, never = 0;
    atomic_store(&stop, false);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &said[i]), 0);
    }
    struct log_tap *steady = log_tap_create(MU_DEBUG, true, count_wakes, &wakes);
    size_t bytes = 0;
    for (int i = 0; i < 300 || bytes == 0; i++) {
        struct log_tap *passing =
            log_tap_create(i % 2 ? MU_INFO : MU_ERROR, false, count_wakes, i % 2 ? &wakes : &never);
        char *text = taken(steady);
        bytes += strlen(text);
        free(text);
        log_tap_destroy(passing);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_true(said[i] >= 200);
    }
    assert_int_equal(never, 0); /* there were no errors */
    assert_true(wakes > 0);
    log_tap_destroy(steady);
}

static int quiet(void **state)
{
    (void)state;
    log_set_level(MU_DEBUG);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return null >= 0 && log_set_fd(null) >= 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tap_hears_its_level_and_above_from_now_on),
        cmocka_unit_test(test_a_level_that_only_a_tap_wants_is_written_for_it_alone),
        cmocka_unit_test(test_it_wakes_once_until_lines_are_taken),
        cmocka_unit_test(test_json_lines_are_objects_whatever_the_message),
        cmocka_unit_test(test_who_does_not_read_costs_a_bounded_room_and_is_told_of_its_loss),
        cmocka_unit_test(test_only_so_many_may_listen),
        cmocka_unit_test(test_taps_come_and_go_while_others_log),
    };
    return cmocka_run_group_tests_name("log_tap", tests, quiet, NULL);
}
