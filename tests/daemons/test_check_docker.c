/* Mirrors daemons/agent/check_docker.c: a Docker daemon on a Unix socket, whose answers are written
 * down beforehand. */
#include "check_kit.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/un.h>
#include <unistd.h>

struct daemon {
    struct world *w;
    char folder[40], path[64], host[80];
    struct evconnlistener *listener;
    const char *answers[4]; /* one for each connection; NULL: silence */
    size_t asked;
    char requests[4][1024];
};

static void on_request(struct bufferevent *bev, void *arg)
{
    struct daemon *d = arg;
    size_t i = d->asked - 1;
    size_t n = bufferevent_read(bev, d->requests[i], sizeof d->requests[i] - 1);
    d->requests[i][n] = '\0';
    if (d->answers[i]) {
        bufferevent_write(bev, d->answers[i], strlen(d->answers[i]));
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
    struct daemon *d = arg;
    (void)a, (void)len;
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
    assert_true(d->asked < 4);
    d->asked++;
    bufferevent_setcb(bev, on_request, NULL, on_gone, d);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static int setup(void **state)
{
    struct daemon *d = calloc(1, sizeof *d);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    void *w;
    if (kit_setup(&w)) {
        return -1;
    }
    d->w = w;
    strcpy(d->folder, "/tmp/muster-test-docker-XXXXXX");
    if (!mkdtemp(d->folder)) {
        return -1;
    }
    snprintf(d->path, sizeof d->path, "%s/sock", d->folder);
    snprintf(d->host, sizeof d->host, "unix://%s", d->path);
    memcpy(un.sun_path, d->path, sizeof d->path);
    d->listener = evconnlistener_new_bind(d->w->base, on_accept, d, LEV_OPT_CLOSE_ON_FREE, 16,
                                          (struct sockaddr *)&un, sizeof un);
    d->w->checks.docker_host = d->host;
    *state = d;
    return d->listener ? 0 : -1;
}

static int teardown(void **state)
{
    struct daemon *d = *state;
    void *w = d->w;
    evconnlistener_free(d->listener);
    unlink(d->path);
    rmdir(d->folder);
    free(d);
    return kit_teardown(&w);
}

static void run(struct daemon *d, const char *container)
{
    struct mu_str args[] = {mu__cstr("/bin/x"), mu__cstr("say \"hi\"")};
    d->asked = 0;
    kit_run_once(d->w, &(struct catalog_check_type){.docker_container_id = mu__cstr(container),
                                                    .script_args = {args, 2},
                                                    .timeout_ns = 50 * (int64_t)MU_MSEC,
                                                    .interval_ns = (int64_t)MU_SEC});
}

#define CREATED "HTTP/1.1 201 Created\r\nContent-Length: 13\r\n\r\n{\"Id\":\"e/1\"}\n"
#define STARTED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nout\n\r\n0\r\n\r\n"
#define ENDED(code)                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"ID\":\"e\",\"X\":{},\"ExitCode\":  " code "}"

static void test_the_exit_code_of_an_exec_decides(void **state)
{
    struct daemon *d = *state;
    static const struct {
        const char *ended;
        enum check_status status;
    } cases[] = {{ENDED(" 0 "), CHECK_PASSING},
                 {ENDED(" 1 "), CHECK_WARNING},
                 {ENDED(" 2 "), CHECK_CRITICAL},
                 {ENDED("-1 "), CHECK_CRITICAL},
                 {ENDED("300"), CHECK_CRITICAL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        d->answers[0] = CREATED;
        d->answers[1] = STARTED;
        d->answers[2] = cases[i].ended;
        run(d, "a/b c");
        assert_int_equal(d->w->status, cases[i].status);
        assert_string_equal(d->w->output, "out\n");
    }
    assert_non_null(strstr(d->requests[0], "POST /containers/a%2Fb+c/exec HTTP/1.1\r\n"));
    assert_non_null(strstr(d->requests[0], "\"Cmd\":[\"/bin/x\",\"say \\\"hi\\\"\"]}"));
    assert_non_null(strstr(d->requests[1], "POST /exec/e%2F1/start HTTP/1.1\r\n"));
    assert_non_null(strstr(d->requests[1], "{\"Detach\":false,\"Tty\":true}"));
    assert_non_null(strstr(d->requests[2], "GET /exec/e%2F1/json HTTP/1.1\r\n"));
}

static void test_an_argument_that_cannot_be_sent_is_not_left_out(void **state)
{
    struct daemon *d = *state;
    struct mu_str args[] = {mu__cstr("/bin/x"), mu__cstr("\xff"), mu__cstr("y")};
    d->asked = 0;
    kit_run_once(d->w, &(struct catalog_check_type){.docker_container_id = mu__cstr("c"),
                                                    .script_args = {args, 3},
                                                    .timeout_ns = 50 * (int64_t)MU_MSEC,
                                                    .interval_ns = (int64_t)MU_SEC});
    assert_int_equal(d->w->status, CHECK_CRITICAL);
    assert_int_equal(d->asked, 0);
}

#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 2\r\n\r\nno"

static void test_refusals_name_the_step_and_the_container(void **state)
{
    struct daemon *d = *state;
    static const struct {
        const char *answers[3], *output;
    } cases[] = {
        {{STATUS("404 Not Found")}, "create exec failed for unknown container c"},
        {{STATUS("409 Conflict")}, "create exec failed since container c is paused or stopped"},
        {{STATUS("500 Oh")}, "create exec failed for container c with status 500: no"},
        {{STATUS("201 Created")},
         "create exec response for container c cannot be parsed: "
         "unexpected EOF"},
        {{CREATED, STATUS("404 Not Found")},
         "start exec failed for container c: invalid exec id e/1"},
        {{CREATED, STATUS("409 Conflict")},
         "start exec failed since container c is paused or stopped"},
        {{CREATED, STATUS("500 Oh")},
         "start exec failed for container c with status 500: body: no err: <nil>"},
        {{CREATED, STARTED, STATUS("404 Not Found")},
         "inspect exec failed for container c: invalid exec id e/1"},
        {{CREATED, STARTED, STATUS("500 Oh")},
         "inspect exec failed for container c with status 500: no"},
        {{CREATED, STARTED, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n<"},
         "inspect exec response for container c cannot be parsed: invalid character '<' looking "
         "for beginning of value"},
        {{NULL}, "Timed out (50ms) running check"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(d->answers, cases[i].answers, sizeof cases[i].answers);
        run(d, "c");
        assert_int_equal(d->w->status, CHECK_CRITICAL);
        assert_string_equal(d->w->output, cases[i].output);
    }
}

static void test_an_answer_without_end_is_refused(void **state)
{
    struct daemon *d = *state;
    static char answer[70 << 10];
    int n =
        snprintf(answer, sizeof answer, "HTTP/1.1 201 Created\r\nContent-Length: 68000\r\n\r\n{");
    memset(answer + n, ' ', 68000);
    d->answers[0] = answer;
    run(d, "c");
    assert_string_equal(d->w->output,
                        "create exec response for container c cannot be parsed: unexpected EOF");
}

static void test_a_daemon_that_is_not_there_is_critical(void **state)
{
    struct daemon *d = *state;
    static const struct {
        const char *host, *output;
    } cases[] = {
        {"unix:///nonexistent.sock",
         "create exec failed for container c: Post "
         "\"http://%2Fnonexistent.sock/containers/c/exec\": "
         "dial unix /nonexistent.sock: connect: no such file or directory"},
        {"rubbish",
         "create exec failed for container c: Post \"http:///containers/c/exec\": http: no "
         "Host in request URL"},
        {"tcp://127.0.0.1:0", "create exec failed for container c: Post "
                              "\"http://127.0.0.1:0/containers/c/exec\": dial tcp 127.0.0.1:0: "
                              "connect: connection refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        d->w->checks.docker_host = cases[i].host;
        run(d, "c");
        assert_int_equal(d->w->status, CHECK_CRITICAL);
        assert_string_equal(d->w->output, cases[i].output);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_exit_code_of_an_exec_decides),
        TEST(test_an_argument_that_cannot_be_sent_is_not_left_out),
        TEST(test_refusals_name_the_step_and_the_container),
        TEST(test_an_answer_without_end_is_refused),
        TEST(test_a_daemon_that_is_not_there_is_critical),
    };
    return cmocka_run_group_tests_name("check_docker", tests, NULL, NULL);
}
