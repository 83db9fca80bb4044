/* Mirrors daemons/agent/check*.c: real sockets on loopback and real processes, run on one loop. A
 * test ends when what it waits for has been reported. */
#include "mu_test.h"

#include "agent/check_internal.h"
#include "base/loop.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

struct world {
    struct event_base *base;
    struct check_world checks;
    struct mu__prng prng;
    enum check_status status;
    char output[8192];
    int reports, wanted;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->base = event_base_new();
    mu__prng_seed(&w->prng, 1);
    w->checks = (struct check_world){.base = w->base, .prng = &w->prng, .output_max = 4096};
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    check_world_fini(&w->checks);
    event_base_free(w->base);
    free(w);
    return 0;
}

static void on_report(void *arg, enum check_status status, struct mu_str output)
{
    struct world *w = arg;
    assert_true(output.len < sizeof w->output);
    w->status = status;
    memcpy(w->output, output.p ? output.p : "", output.len);
    w->output[output.len] = 0;
    if (++w->reports == w->wanted) {
        event_base_loopbreak(w->base);
    }
}

/* Makes a check whose first run comes at once. */
static struct check *begin(struct world *w, const struct catalog_check_type *t)
{
    struct check *c = check_create(&w->checks, t, CHECK_CRITICAL, on_report, w);
    assert_non_null(c);
    if (!check_is_ttl(c)) {
        const struct timeval now = {0, 0};
        event_add(c->timer, &now);
    }
    return c;
}

static void wait_for(struct world *w, int reports)
{
    w->wanted = w->reports + reports;
    event_base_dispatch(w->base);
    assert_true(w->reports >= w->wanted);
}

static void run_once(struct world *w, const struct catalog_check_type *t)
{
    struct check *c = begin(w, t);
    wait_for(w, 1);
    check_destroy(c);
}

/* ---- A server of ready-made answers ---- */

struct server {
    struct evconnlistener *listener;
    const char *answer;
    char request[4096];
    uint16_t port;
    bool silent; /* accepts and says nothing */
};

static void on_request(struct bufferevent *bev, void *arg)
{
    struct server *s = arg;
    size_t n = bufferevent_read(bev, s->request, sizeof s->request - 1);
    s->request[n] = 0;
    if (!s->silent) {
        bufferevent_write(bev, s->answer, strlen(s->answer));
    }
}

static void on_sent(struct bufferevent *bev, void *arg)
{
    struct server *s = arg;
    if (s->request[0] && !s->silent) {
        bufferevent_free(bev); /* closes: the answer is complete */
    }
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
    (void)what, (void)arg;
    bufferevent_free(bev);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int len,
                      void *arg)
{
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
    (void)a, (void)len;
    bufferevent_setcb(bev, on_request, on_sent, on_gone, arg);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void listen_on(struct world *w, struct server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    s->listener =
        evconnlistener_new_bind(w->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                16, (struct sockaddr *)&in, sizeof in);
    assert_non_null(s->listener);
    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&in, &len);
    s->port = ntohs(in.sin_port);
}

/* A port that nothing listens on: one that was just ours. */
static uint16_t closed_port(struct world *w)
{
    struct server s = {.answer = ""};
    listen_on(w, &s);
    evconnlistener_free(s.listener);
    return s.port;
}

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
        listen_on(w, &s);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/health?x=1", s.port);
        run_once(
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
    listen_on(w, &s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", s.port);
    run_once(w, &(struct catalog_check_type){.http = mu__cstr(url),
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
    run_once(w, &(struct catalog_check_type){.http = mu__cstr("http://127.0.0.1:1/"),
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
    listen_on(w, &s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    run_once(w, &(struct catalog_check_type){
                    .http = mu__cstr(url), .interval_ns = (int64_t)MU_SEC, .output_max_size = 10});
    assert_non_null(strstr(w->output, "200 OK Output: aaathe end"));
    evconnlistener_free(s.listener);
}

static void test_http_gives_up_on_a_server_that_says_nothing(void **state)
{
    struct world *w = *state;
    struct server s = {.answer = "", .silent = true};
    char url[64];
    listen_on(w, &s);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    run_once(w, &(struct catalog_check_type){.http = mu__cstr(url),
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
    unsigned port = closed_port(w);
    snprintf(where, sizeof where, "http://127.0.0.1:%u/", port);
    run_once(w,
             &(struct catalog_check_type){.http = mu__cstr(where), .interval_ns = (int64_t)MU_SEC});
    snprintf(expected, sizeof expected,
             "Get \"%s\": dial tcp 127.0.0.1:%u: connect: connection refused", where, port);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, expected);

    snprintf(where, sizeof where, "127.0.0.1:%u", port);
    run_once(w,
             &(struct catalog_check_type){.tcp = mu__cstr(where), .interval_ns = (int64_t)MU_SEC});
    snprintf(expected, sizeof expected, "dial tcp 127.0.0.1:%u: connect: connection refused", port);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, expected);
}

static void test_tcp_passes_when_it_connects(void **state)
{
    struct world *w = *state;
    struct server s = {.answer = "", .silent = true};
    char where[64], expected[100];
    listen_on(w, &s);
    snprintf(where, sizeof where, "127.0.0.1:%u", s.port);
    run_once(w,
             &(struct catalog_check_type){.tcp = mu__cstr(where), .interval_ns = (int64_t)MU_SEC});
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
    run_once(w, &(struct catalog_check_type){.script_args = {args, 3},
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
    run_once(
        w, &(struct catalog_check_type){.script_args = {&arg, 1}, .interval_ns = (int64_t)MU_SEC});
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "fork/exec /no/such/program: no such file or directory");
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

static void test_a_check_may_be_destroyed_while_its_script_runs(void **state)
{
    struct world *w = *state;
    struct mu_str args[] = {mu__cstr("/bin/sleep"), mu__cstr("1000")};
    struct check *c = begin(
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
    struct check *c = begin(w, &(struct catalog_check_type){.ttl_ns = 20 * (int64_t)MU_MSEC});
    wait_for(w, 1);
    assert_int_equal(w->status, CHECK_CRITICAL);
    assert_string_equal(w->output, "TTL expired");
    check_ttl_reset(c, mu__cstr("all is well"));
    wait_for(w, 1);
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
    struct check *c = begin(w, &(struct catalog_check_type){.tcp = mu__cstr("127.0.0.1:1"),
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

static void test_intervals_below_a_second_are_raised(void **state)
{
    struct world *w = *state;
    struct check *c =
        begin(w, &(struct catalog_check_type){.tcp = mu__cstr("127.0.0.1:1"), .interval_ns = 1});
    assert_int_equal(c->interval_ns, CHECK_INTERVAL_MIN_NS);
    assert_int_equal(c->timeout_ns, 10 * (int64_t)MU_SEC);
    check_destroy(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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
        TEST(test_output_of_a_script_is_bounded),
        TEST(test_a_script_that_hangs_is_killed_with_its_children),
        TEST(test_a_check_may_be_destroyed_while_its_script_runs),
        TEST(test_a_ttl_that_is_not_renewed_expires),
        TEST(test_thresholds_count_consecutive_results),
        TEST(test_intervals_below_a_second_are_raised),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
