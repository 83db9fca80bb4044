/* Mirrors daemons/agent/check*.c: real sockets on loopback and real processes, run on one loop. A
 * test ends when what it waits for has been reported. */
#include "check_kit.h"

#include "agent/check_internal.h"
#include "base/loop.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- HTTP ---- */

static void test_http_status_decides(void **state)
{
    static const struct {
        const char *answer;
        enum check_status status;
        const char *tail;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", CHECK_PASSING, ": 200 OK Output: hi"},
        {"HTTP/1.1 299 Odd\r\n\r\nbody", CHECK_PASSING, ": 299 Odd Output: body"},
        {"HTTP/1.1 429 Too Many Requests\r\n\r\n", CHECK_WARNING,
         ": 429 Too Many Requests Output: "},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", CHECK_CRITICAL,
         ": 302 Found Output: "},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\nx", CHECK_CRITICAL,
         ": 503 Service Unavailable Output: x"},
        {"garbage\r\n", CHECK_CRITICAL, ": malformed HTTP response"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server s = {.answer = cases[i].answer};
        char url[64], expected[256];
        kit_listen(w, &s);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/health?x=1", s.port);
        kit_run_once(
            w, &(struct catalog_check_type){.http = mu__cstr(url), .interval_ns = (int64_t)MU_SEC});
        snprintf(expected, sizeof expected, "%s%s%s%s",
                 cases[i].answer[0] == 'H' ? "HTTP GET " : "Get \"", url,
                 cases[i].answer[0] == 'H' ? "" : "\"", cases[i].tail);
        assert_int_equal(w->status, cases[i].status);
        assert_string_equal(w->output, expected);
        assert_non_null(strstr(s.request, "GET /health?x=1 HTTP/1.1\r\n"));
        assert_non_null(strstr(s.request, "User-Agent: Consul Health Check\r\n"));
        assert_non_null(strstr(s.request, "Connection: close\r\n"));
        evconnlistener_free(s.listener);
    }
}

static void test_http_sends_what_the_definition_says(void **state)
{
    struct world *w = *state;
    struct server s = {.answer = "HTTP/1.1 200 OK\r\n\r\n"};
    struct mu_str values[] = {mu__cstr("one"), mu__cstr("two")}, host = mu__cstr("example.org");
    struct mu_strs_named headers[] = {{mu__cstr("X-A"), {values, 2}},
                                      {mu__cstr("host"), {&host, 1}}};
    char url[64];
    kit_listen(w, &s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", s.port);
    kit_run_once(w, &(struct catalog_check_type){.http = mu__cstr(url),
                                                 .method = mu__cstr("POST"),
                                                 .body = mu__cstr("ping"),
                                                 .header = {headers, 2},
                                                 .interval_ns = (int64_t)MU_SEC});
    assert_int_equal(w->status, CHECK_PASSING);
    assert_non_null(strstr(s.request, "POST / HTTP/1.1\r\nHost: example.org\r\n"));
    assert_non_null(strstr(s.request, "X-A: one\r\nX-A: two\r\n"));
    assert_non_null(strstr(s.request, "Content-Length: 4\r\n"));
    assert_non_null(strstr(s.request, "\r\n\r\nping"));
    evconnlistener_free(s.listener);
}

static void test_http_headers_cannot_smuggle_another_request(void **state)
{
    struct world *w = *state;
    struct mu_str value = mu__cstr("x\r\nEvil: yes");
    struct mu_strs_named header = {mu__cstr("X-A"), {&value, 1}};
    kit_run_once(w, &(struct catalog_check_type){.http = mu__cstr("http://127.0.0.1:1/"),
                                                 .header = {&header, 1},
                                                 .interval_ns = (int64_t)MU_SEC});
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "Get \"http://127.0.0.1:1/\": net/http: invalid header field "
                                   "value \"x\\r\\nEvil: yes\" for key X-A");
}

static void test_http_keeps_the_end_of_a_long_body(void **state)
{
    struct world *w = *state;
    char answer[2000] = "HTTP/1.1 200 OK\r\n\r\n", url[64];
    struct server s = {.answer = answer};
    size_t head = strlen(answer);
    memset(answer + head, 'a', 1500);
    strcpy(answer + head + 1500, "the end");
    kit_listen(w, &s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    kit_run_once(w, &(struct catalog_check_type){.http = mu__cstr(url),
                                                 .interval_ns = (int64_t)MU_SEC,
                                                 .output_max_size = 10});
    assert_non_null(strstr(w->output, "200 OK Output: aaathe end"));
    evconnlistener_free(s.listener);
}

static void test_http_gives_up_on_a_server_that_says_nothing(void **state)
{
    struct world *w = *state;
    struct server s = {.answer = "", .silent = true};
    char url[64];
    kit_listen(w, &s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    kit_run_once(w, &(struct catalog_check_type){.http = mu__cstr(url),
                                                 .interval_ns = (int64_t)MU_SEC,
                                                 .timeout_ns = 20 * (int64_t)MU_MSEC});
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_non_null(strstr(w->output, "context deadline exceeded"));
    evconnlistener_free(s.listener);
    event_base_loop(w->base, EVLOOP_NONBLOCK); /* the server's side of the connection ends */
}

static void test_a_refused_connection_is_critical(void **state)
{
    struct world *w = *state;
    char where[64], expected[200];
    unsigned port = kit_closed_port(w);
    snprintf(where, sizeof where, "http://127.0.0.1:%u/", port);
    kit_run_once(
        w, &(struct catalog_check_type){.http = mu__cstr(where), .interval_ns = (int64_t)MU_SEC});
    snprintf(expected, sizeof expected,
             "Get \"%s\": dial tcp 127.0.0.1:%u: connect: connection refused", where, port);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, expected);

    snprintf(where, sizeof where, "127.0.0.1:%u", port);
    kit_run_once(
        w, &(struct catalog_check_type){.tcp = mu__cstr(where), .interval_ns = (int64_t)MU_SEC});
    snprintf(expected, sizeof expected, "dial tcp 127.0.0.1:%u: connect: connection refused", port);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, expected);
}

static void test_tcp_passes_when_it_connects(void **state)
{
    struct world *w = *state;
    struct server s = {.answer = "", .silent = true};
    char where[64], expected[100];
    kit_listen(w, &s);
    snprintf(where, sizeof where, "127.0.0.1:%u", s.port);
    kit_run_once(
        w, &(struct catalog_check_type){.tcp = mu__cstr(where), .interval_ns = (int64_t)MU_SEC});
    snprintf(expected, sizeof expected, "TCP connect %s: Success", where);
    assert_int_equal(w->status, CHECK_PASSING);
    assert_string_equal(w->output, expected);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    evconnlistener_free(s.listener);
}

/* ---- Scripts ---- */

static void script(struct world *w, const char *text, int64_t timeout_ns, int64_t output_max)
{
    struct mu_str args[] = {mu__cstr("/bin/sh"), mu__cstr("-c"), mu__cstr(text)};
    kit_run_once(w, &(struct catalog_check_type){.script_args = {args, 3},
                                                 .interval_ns = (int64_t)MU_SEC,
                                                 .timeout_ns = timeout_ns,
                                                 .output_max_size = output_max});
}

static void test_exit_of_a_script_decides(void **state)
{
    struct world *w = *state;
    script(w, "echo out; echo err >&2", 0, 0);
    assert_int_equal(w->status, CHECK_PASSING);
    assert_string_equal(w->output, "out\nerr\n");
    script(w, "exit 1", 0, 0);
    assert_int_equal(w->status, CHECK_WARNING);
    script(w, "exit 2", 0, 0);
    assert_int_equal(w->status, CHECK_CRITICAL);
    script(w, "kill -9 $$", 0, 0);
    assert_int_equal(w->status, CHECK_CRITICAL);
}

static void test_a_missing_program_is_critical(void **state)
{
    struct world *w = *state;
    struct mu_str arg = mu__cstr("/no/such/program");
    kit_run_once(
        w, &(struct catalog_check_type){.script_args = {&arg, 1}, .interval_ns = (int64_t)MU_SEC});
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "fork/exec /no/such/program: no such file or directory");
}

static void test_the_user_in_a_url_is_unescaped_for_the_server(void **state)
{
    struct world *w = *state;
    struct server s = {.answer = "HTTP/1.1 200 OK\r\n\r\n"};
    char url[64];
    kit_listen(w, &s);
    snprintf(url, sizeof url, "http://u%%40x:p%%3as%%25@127.0.0.1:%u/", s.port);
    kit_run_once(
        w, &(struct catalog_check_type){.http = mu__cstr(url), .interval_ns = (int64_t)MU_SEC});
    assert_non_null(strstr(s.request, "\r\nAuthorization: Basic dUB4OnA6cyU=\r\n"));
    evconnlistener_free(s.listener);
}

static void test_a_script_whose_exit_is_lost_is_critical_at_once(void **state)
{
    struct world *w = *state;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN); /* the kernel reaps */
    script(w, "sleep 0.1", 2 * (int64_t)MU_SEC, 0);
    signal(SIGCHLD, before);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_null(strstr(w->output, "Timed out"));
}

static void test_output_of_a_script_is_bounded(void **state)
{
    struct world *w = *state;
    script(w, "i=0; while [ $i -lt 3000 ]; do echo 123456789; i=$((i+1)); done; echo last", 0, 20);
    assert_int_equal(w->status, CHECK_PASSING);
    assert_string_equal(w->output, "Captured 20 of 30005 bytes\n...\n6789\n123456789\nlast\n");
}

/* The whole group ends: the child that the script waits for, too. */
static void test_a_script_that_hangs_is_killed_with_its_children(void **state)
{
    struct world *w = *state;
    char path[] = "/tmp/muster-test-check-XXXXXX", text[200];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(text, sizeof text, "sleep 1000 & echo $! > %s; wait", path);
    script(w, text, 300 * (int64_t)MU_MSEC, 0);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "Timed out (300ms) running check");
    FILE *f = fopen(path, "r");
    int pid = 0;
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    close(fd);
    unlink(path);
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (end.fd >= 0) { /* it has not been reaped yet: its end must come, and not by itself */
        assert_int_equal(poll(&end, 1, 10000), 1);
        close(end.fd);
    }
}

/* Somebody else holds the pipe open; the script's own end is what counts. */
static void test_a_daemon_left_behind_does_not_hold_the_check(void **state)
{
    struct world *w = *state;
    char path[] = "/tmp/muster-test-check-XXXXXX", text[200];
    int fd = mkstemp(path), pid = 0;
    assert_true(fd >= 0);
    snprintf(text, sizeof text, "setsid sleep 1000 & echo $! > %s; echo started", path);
    script(w, text, 0, 0);
    assert_int_equal(w->status, CHECK_PASSING);
    assert_string_equal(w->output, "started\n");
    FILE *f = fopen(path, "r");
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    assert_int_equal(kill(pid, SIGKILL), 0); /* it was left alone */
    close(fd);
    unlink(path);
}

/* The pipe is drained until the time is up, and no more is kept than asked for. */
static void test_a_script_that_prints_without_end_is_cut_off(void **state)
{
    struct world *w = *state;
    script(w, "exec cat /dev/zero", 200 * (int64_t)MU_MSEC, 100);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "Timed out (200ms) running check");
}

static void test_a_program_with_too_many_arguments_is_critical(void **state)
{
    struct world *w = *state;
    size_t len = 4u << 20;
    char *text = malloc(len);
    memset(text, 'x', len);
    struct mu_str args[] = {mu__cstr("/bin/true"), {text, len}};
    kit_run_once(
        w, &(struct catalog_check_type){.script_args = {args, 2}, .interval_ns = (int64_t)MU_SEC});
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "fork/exec /bin/true: argument list too long");
    free(text);
}

static size_t count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}

static void test_runs_leave_no_descriptor_and_no_zombie(void **state)
{
    struct world *w = *state;
    size_t before = count_descriptors();
    for (int i = 0; i < 20; i++) {
        script(w, i % 2 ? "exit 1" : "sleep 1000", 5 * (int64_t)MU_MSEC, 0);
        kit_run_once(w, &(struct catalog_check_type){.http = mu__cstr("http://127.0.0.1:1/"),
                                                     .interval_ns = (int64_t)MU_SEC});
        kit_run_once(w, &(struct catalog_check_type){.script_args = {&(struct mu_str){"/no", 3}, 1},
                                                     .interval_ns = (int64_t)MU_SEC});
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    /* The resolver is made at the first name or address and stays */
    assert_true(count_descriptors() <= before + 4);
}

static void test_a_check_may_be_destroyed_while_its_script_runs(void **state)
{
    struct world *w = *state;
    struct mu_str args[] = {mu__cstr("/bin/sleep"), mu__cstr("1000")};
    struct check *c = kit_begin(
        w, &(struct catalog_check_type){.script_args = {args, 2}, .interval_ns = (int64_t)MU_SEC});
    while (!c->running) {
        event_base_loop(w->base, EVLOOP_ONCE);
    }
    check_destroy(c);
    assert_int_equal(w->reports, 0);
}

/* ---- TTL ---- */

static void test_a_ttl_that_is_not_renewed_expires(void **state)
{
    struct world *w = *state;
    struct check *c = kit_begin(w, &(struct catalog_check_type){.ttl_ns = 20 * (int64_t)MU_MSEC});
    kit_wait_for(w, 1);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "TTL expired");
    check_ttl_reset(c, mu__cstr("all is well"));
    kit_wait_for(w, 1);
    assert_string_equal(w->output, "TTL expired (last output before timeout follows): all is well");
    check_destroy(c);
}

/* ---- Thresholds ---- */

static void report_as(struct check *c, enum check_status status)
{
    check__done(c, status, "x");
}

static void test_thresholds_count_consecutive_results(void **state)
{
    struct world *w = *state;
    struct check *c =
        kit_begin(w, &(struct catalog_check_type){.tcp = mu__cstr("127.0.0.1:1"),
                                                  .interval_ns = 3600 * (int64_t)MU_SEC,
                                                  .success_before_passing = 2,
                                                  .failures_before_critical = 3});
    static const struct {
        enum check_status result, shown;
    } steps[] = {
        {CHECK_CRITICAL, CHECK_CRITICAL}, /* what is believed anyway is told */
        {CHECK_PASSING, CHECK_CRITICAL},  {CHECK_PASSING, CHECK_PASSING},
        {CHECK_CRITICAL, CHECK_PASSING},  {CHECK_CRITICAL, CHECK_PASSING},
        {CHECK_PASSING, CHECK_PASSING},   {CHECK_CRITICAL, CHECK_PASSING},
        {CHECK_CRITICAL, CHECK_PASSING},  {CHECK_CRITICAL, CHECK_CRITICAL},
        {CHECK_PASSING, CHECK_CRITICAL},  {CHECK_CRITICAL, CHECK_CRITICAL},
        {CHECK_PASSING, CHECK_CRITICAL},  {CHECK_PASSING, CHECK_PASSING},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        report_as(c, steps[i].result);
        assert_int_equal(w->status, steps[i].shown);
    }
    check_destroy(c);
}

static void finish_late(struct check *c, uint64_t late_ns)
{
    c->due_ns = loop_now_ns() - late_ns;
    c->running = true;
    check__done(c, CHECK_PASSING, "x");
}

/* Intervals count from when a run was due: neither its time nor a late timer shifts the beat. */
static void test_a_check_keeps_its_beat(void **state)
{
    struct world *w = *state;
    struct check *c =
        kit_begin(w, &(struct catalog_check_type){.tcp = mu__cstr("127.0.0.1:1"),
                                                  .interval_ns = 10 * (int64_t)MU_SEC});
    static const struct {
        int64_t late_s, beats;
    } cases[] = {{0, 1}, {3, 1}, {9, 1}, {11, 2}, {25, 3}, {-1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        finish_late(c, (uint64_t)(cases[i].late_s * (int64_t)MU_SEC));
        uint64_t due = loop_now_ns() - (uint64_t)(cases[i].late_s * (int64_t)MU_SEC) +
                       (uint64_t)(cases[i].beats * 10 * (int64_t)MU_SEC);
        assert_true(c->due_ns <= due && due - c->due_ns < MU_SEC);
    }
    check_destroy(c);
}

/* A believed `passing` is as hard to lose at the start as later. */
static void test_thresholds_hold_at_the_start(void **state)
{
    struct world *w = *state;
    const struct catalog_check_type t = {.tcp = mu__cstr("127.0.0.1:1"),
                                         .interval_ns = 3600 * (int64_t)MU_SEC,
                                         .failures_before_critical = 2};
    struct check *c = check_create(&w->checks, &t, CHECK_PASSING, kit_on_report, w);
    report_as(c, CHECK_CRITICAL);
    assert_int_equal(w->reports, 0);
    report_as(c, CHECK_CRITICAL);
    assert_int_equal(w->reports, 1);
    assert_int_equal(w->status, CHECK_CRITICAL);
    check_destroy(c);
}

static void test_intervals_below_a_second_are_raised(void **state)
{
    struct world *w = *state;
    struct check *c = kit_begin(
        w, &(struct catalog_check_type){.tcp = mu__cstr("127.0.0.1:1"), .interval_ns = 1});
    assert_int_equal(c->interval_ns, CHECK_INTERVAL_MIN_NS);
    assert_int_equal(c->timeout_ns, 10 * (int64_t)MU_SEC);
    check_destroy(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_http_status_decides),
        TEST(test_http_sends_what_the_definition_says),
        TEST(test_http_headers_cannot_smuggle_another_request),
        TEST(test_http_keeps_the_end_of_a_long_body),
        TEST(test_http_gives_up_on_a_server_that_says_nothing),
        TEST(test_a_refused_connection_is_critical),
        TEST(test_tcp_passes_when_it_connects),
        TEST(test_exit_of_a_script_decides),
        TEST(test_a_missing_program_is_critical),
        TEST(test_the_user_in_a_url_is_unescaped_for_the_server),
        TEST(test_a_script_whose_exit_is_lost_is_critical_at_once),
        TEST(test_output_of_a_script_is_bounded),
        TEST(test_a_script_that_hangs_is_killed_with_its_children),
        TEST(test_a_daemon_left_behind_does_not_hold_the_check),
        TEST(test_a_script_that_prints_without_end_is_cut_off),
        TEST(test_a_program_with_too_many_arguments_is_critical),
        TEST(test_runs_leave_no_descriptor_and_no_zombie),
        TEST(test_a_check_may_be_destroyed_while_its_script_runs),
        TEST(test_a_ttl_that_is_not_renewed_expires),
        TEST(test_thresholds_count_consecutive_results),
        TEST(test_thresholds_hold_at_the_start),
        TEST(test_a_check_keeps_its_beat),
        TEST(test_intervals_below_a_second_are_raised),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
