/* Mirrors daemons/http/stream.c by its two users, routes_snapshot.c and the monitor of
 * routes_telemetry.c. The test plays the server of a snapshot connection. */
#include "http_kit.h"

#include "base/log.h"
#include "base/loop.h"
#include "msgpack.h"
#include "rpc/snapshot_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct kit k;
static int peer = -1; /* our end of the snapshot connection */
static bool with_preamble;

static int connect_snapshot(void *user, bool *preamble, char *err, size_t errlen)
{
    int fds[2];
    if (user) {
        snprintf(err, errlen, "%s", (const char *)user);
        return -1;
    }
    *preamble = with_preamble;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer = fds[1];
    return fds[0];
}

static int setup(void **state)
{
    (void)state;
    kit_init(&k);
    k.config.snapshot_connect = connect_snapshot;
    kit_start(&k);
    with_preamble = false;
    return 0;
}

static void hang_up(void)
{
    close(peer);
    peer = -1;
    kit_turn(&k);
}

static int teardown(void **state)
{
    (void)state;
    if (peer >= 0) {
        hang_up();
    }
    kit_stop(&k);
    return 0;
}

/* ---- Both ends ---- */

static int ask(const char *text)
{
    int fd = kit_connect(&k);
    kit_send(&k, fd, text, strlen(text));
    kit_turn(&k);
    return fd;
}

/* What the server of the connection has got by now; text ends with a zero. */
static size_t server_got(char *buf, size_t cap)
{
    size_t n = 0;
    ssize_t got;
    kit_turn(&k);
    while ((got = recv(peer, buf + n, cap - 1 - n, 0)) > 0) {
        n += (size_t)got;
        kit_turn(&k);
    }
    buf[n] = '\0';
    return n;
}

static bool server_sees_the_end(void)
{
    char c;
    kit_turn(&k);
    return recv(peer, &c, 1, 0) == 0;
}

static void server_says(const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = send(peer, p, len, MSG_NOSIGNAL);
        if (n < 0) {
            assert_true(errno == EAGAIN || errno == EPIPE);
            return;
        }
        p += n;
        len -= (size_t)n;
        kit_turn(&k);
    }
}

static void server_responds(const char *error)
{
    char bytes[512];
    struct mu__writer w = mu__writer_fixed(bytes, sizeof bytes);
    struct snapshot_response p = {.error = mu__cstr(error),
                                  .meta = {.index = 17, .known_leader = true}};
    snapshot_write_response(&w, &p);
    server_says(bytes, w.len);
}

/* All that comes to the client until there is no more for now, or until the end. */
static size_t client_got(int fd, char *buf, size_t cap, bool *ended)
{
    size_t n = 0;
    *ended = false;
    for (int idle = 0; idle < 5 && n + 1 < cap; idle++) {
        ssize_t got = recv(fd, buf + n, cap - 1 - n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            *ended = true;
            break;
        }
        n += got > 0 ? (size_t)got : 0;
        idle = got > 0 ? 0 : idle;
        kit_turn(&k);
    }
    buf[n] = '\0';
    return n;
}

static void expect_reply(int fd, int status, const char *body)
{
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, status);
    assert_string_equal(r.body ? r.body : "", body);
    reply_free(&r);
    close(fd);
}

/* ---- Saving ---- */

static void test_an_archive_goes_to_the_client_piece_by_piece(void **state)
{
    (void)state;
    char buf[4096];
    bool ended;
    with_preamble = true;
    int fd = ask("GET /v1/snapshot?stale&dc=dc2&token=t HTTP/1.1\r\nHost: x\r\n\r\n");
    size_t used, n = server_got(buf, sizeof buf);
    struct snapshot_request q;
    assert_int_equal(buf[0], SNAPSHOT_PREAMBLE);
    assert_int_equal(snapshot_read_request(buf + 1, n - 1, &q, &used), SNAPSHOT_READ);
    assert_int_equal(used, n - 1);
    assert_int_equal(q.op, SNAPSHOT_SAVE);
    assert_true(q.allow_stale);
    assert_true(mu__str_eq(q.datacenter, mu__cstr("dc2")) && mu__str_eq(q.token, mu__cstr("t")));
    server_responds("");
    client_got(fd, buf, sizeof buf, &ended);
    assert_memory_equal(buf, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(buf, "Content-Type: application/x-gzip\r\n"));
    assert_non_null(strstr(buf, "X-Consul-Index: 17\r\n"));
    assert_non_null(strstr(buf, "Transfer-Encoding: chunked\r\n\r\n"));
    server_says("one", 3);
    client_got(fd, buf, sizeof buf, &ended);
    assert_string_equal(buf, "3\r\none\r\n");
    server_says("and two", 7);
    hang_up();
    client_got(fd, buf, sizeof buf, &ended);
    assert_string_equal(buf, "7\r\nand two\r\n0\r\n\r\n");
    assert_false(ended);
    kit_send(&k, fd, "GET /v1/status/leader HTTP/1.1\r\n\r\n", 34); /* the connection goes on */
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 400); /* without Host */
    reply_free(&r);
    close(fd);
}

static void test_http_1_0_has_the_end_of_the_connection_for_the_end(void **state)
{
    (void)state;
    char buf[4096];
    bool ended;
    int fd = ask("GET /v1/snapshot HTTP/1.0\r\n\r\n");
    server_responds("");
    server_says("whole", 5);
    hang_up();
    client_got(fd, buf, sizeof buf, &ended);
    assert_null(strstr(buf, "chunked"));
    assert_string_equal(strstr(buf, "\r\n\r\n"), "\r\n\r\nwhole");
    assert_true(ended);
    close(fd);
}

static void test_a_response_in_single_bytes_is_one(void **state)
{
    (void)state;
    char bytes[512], buf[4096];
    bool ended;
    struct mu__writer w = mu__writer_fixed(bytes, sizeof bytes);
    snapshot_write_response(&w, &(struct snapshot_response){.meta.index = 3});
    mu__write_cstr(&w, "A"); /* the first byte of the archive */
    int fd = ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n");
    for (size_t i = 0; i < w.len; i++) {
        assert_int_equal(client_got(fd, buf, sizeof buf, &ended), 0);
        server_says(bytes + i, 1);
        if (i + 2 == w.len) {
            client_got(fd, buf, sizeof buf, &ended);
        }
    }
    client_got(fd, buf, sizeof buf, &ended);
    assert_string_equal(buf, "1\r\nA\r\n");
    close(fd);
    kit_turn(&k);
}

static void test_errors_of_the_server_are_errors_of_http(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        int status;
    } cases[] = {{"No cluster leader", 500}, {"Permission denied", 403}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n");
        server_responds(cases[i].error);
        expect_reply(fd, cases[i].status, cases[i].error);
        hang_up();
    }
    int fd = ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n");
    server_says("HTTP/1.1 200 OK", 15); /* somebody else's port */
    expect_reply(fd, 500, "failed to decode response: malformed");
    hang_up();
    fd = ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n");
    server_says("\x85", 1);
    hang_up();
    expect_reply(fd, 500, "failed to decode response: EOF");
}

static void test_where_there_is_no_server_the_reason_is_told(void **state)
{
    (void)state;
    kit_stop(&k);
    kit_init(&k);
    k.config.snapshot_connect = connect_snapshot;
    char why[] = "No known Consul servers";
    k.config.snapshot_user = why;
    kit_start(&k);
    expect_reply(ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n"), 500, why);
    kit_stop(&k);
    kit_init(&k);
    kit_start(&k);
    expect_reply(ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n"), 500,
                 "snapshots are not served here");
}

static void test_a_slow_client_slows_the_server_down_and_loses_nothing(void **state)
{
    (void)state;
    enum { PIECE = 65536, MOST = 64 << 20 };
    static char piece[PIECE];
    size_t sent = 0, got = 0;
    int fd = ask("GET /v1/snapshot HTTP/1.0\r\n\r\n");
    server_responds("");
    for (int refused = 0; refused < 20 && sent < MOST;) {
        memset(piece, 'a' + (int)(sent / PIECE % 26), sizeof piece);
        ssize_t n = send(peer, piece, PIECE - sent % PIECE, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        refused = n > 0 ? 0 : refused + 1;
        kit_turn(&k);
    }
    assert_true(sent < MOST); /* what waits in between is bounded */
    hang_up();
    static char buf[1 << 20];
    size_t head = 0;
    for (bool ended = false; !ended;) {
        size_t n = client_got(fd, buf, sizeof buf, &ended);
        char *body = head ? buf : strstr(buf, "\r\n\r\n") + 4;
        for (char *p = body; p < buf + n; p++, got++) {
            assert_int_equal(*p, 'a' + (int)(got / PIECE % 26));
        }
        head = 1;
    }
    assert_int_equal(got, sent);
    close(fd);
}

static void test_a_client_that_goes_ends_the_connection_to_the_server(void **state)
{
    (void)state;
    char buf[4096];
    bool ended;
    int fd = ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n");
    server_got(buf, sizeof buf);
    close(fd); /* before the response */
    assert_true(server_sees_the_end());
    hang_up();
    fd = ask("GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n");
    server_got(buf, sizeof buf);
    server_responds("");
    client_got(fd, buf, sizeof buf, &ended);
    close(fd); /* in the middle of it */
    kit_turn(&k);
    server_says("x", 1);
    assert_true(server_sees_the_end());
}

/* ---- Restoring ---- */

static void expect_restored(const char *request, const char *archive)
{
    char buf[4096];
    struct snapshot_request q;
    size_t used, n;
    int fd = ask(request);
    n = server_got(buf, sizeof buf);
    assert_int_equal(snapshot_read_request(buf, n, &q, &used), SNAPSHOT_READ);
    assert_int_equal(q.op, SNAPSHOT_RESTORE);
    assert_string_equal(buf + used, archive);
    assert_true(server_sees_the_end());
    server_responds("");
    expect_reply(fd, 200, "");
    hang_up();
}

static void test_a_body_goes_to_the_server_as_it_comes(void **state)
{
    (void)state;
    expect_restored("PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\narchive",
                    "archive");
    expect_restored("PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "4\r\narch\r\n3\r\nive\r\n0\r\n\r\n",
                    "archive");
    expect_restored("PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "");
}

static void test_pieces_arrive_before_the_body_is_whole(void **state)
{
    (void)state;
    char buf[4096];
    int fd = ask("PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n");
    server_got(buf, sizeof buf); /* the request alone */
    kit_send(&k, fd, "abc", 3);
    server_got(buf, sizeof buf);
    assert_string_equal(buf, "abc");
    kit_send(&k, fd, "def", 3);
    server_got(buf, sizeof buf);
    assert_string_equal(buf, "def");
    server_responds("restore refused");
    expect_reply(fd, 500, "restore refused");
}

static void test_a_server_that_refuses_early_is_heard(void **state)
{
    (void)state;
    char buf[4096];
    int fd = ask("PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc");
    server_got(buf, sizeof buf);
    server_responds("it is no archive");
    expect_reply(fd, 500, "it is no archive");
}

static void test_chunks_that_are_none_are_refused(void **state)
{
    (void)state;
    char buf[4096];
    int fd = ask("PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    server_got(buf, sizeof buf);
    kit_send(&k, fd, "3\r\nabc\r\nnonsense\r\n", 18);
    struct reply r = kit_receive(&k, fd);
    assert_int_equal(r.status, 500);
    assert_string_equal(r.body, "invalid byte in chunk length");
    reply_free(&r);
    assert_true(kit_closed(&k, fd));
    close(fd);
    server_got(buf, sizeof buf);
    assert_true(server_sees_the_end()); /* cut short, which a checksum sees */
}

static void test_a_server_that_does_not_read_holds_the_client(void **state)
{
    (void)state;
    static char piece[65536];
    size_t sent = 0;
    enum { MOST = 64 << 20 };
    char head[128];
    snprintf(head, sizeof head,
             "PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", MOST);
    int fd = ask(head);
    for (int refused = 0; refused < 50 && sent < MOST;) {
        ssize_t n = send(fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        refused = n > 0 ? 0 : refused + 1;
        kit_turn(&k);
    }
    assert_true(sent < MOST);
    close(fd);
    kit_turn(&k);
}

/* ---- The monitor ---- */

static void test_the_log_is_followed_until_the_client_goes(void **state)
{
    (void)state;
    char buf[8192];
    bool ended;
    kit_stop(&k);
    kit_init(&k);
    event_base_free(k.base);
    struct loop *loop = loop_create("front"); /* never started: the test turns it */
    k.base = k.config.base = loop_base(loop);
    k.config.loop = loop;
    kit_start(&k);
    int fd = ask("GET /v1/agent/monitor?loglevel=warn HTTP/1.1\r\nHost: x\r\n\r\n");
    log_info("agent.test", "not this");
    log_warn("agent.test", "but this");
    client_got(fd, buf, sizeof buf, &ended);
    assert_memory_equal(buf, "HTTP/1.1 200 OK\r\n", 17);
    assert_null(strstr(buf, "not this"));
    assert_non_null(strstr(buf, "[WARN]  agent.test: but this\n\r\n"));
    int json = ask("GET /v1/agent/monitor?logjson&loglevel=debug HTTP/1.1\r\nHost: x\r\n\r\n");
    log_error("agent.test", "both");
    client_got(json, buf, sizeof buf, &ended);
    assert_non_null(strstr(buf, "{\"@level\":\"error\",\"@message\":\"both\""));
    client_got(fd, buf, sizeof buf, &ended);
    assert_non_null(strstr(buf, "[ERROR] agent.test: both\n"));
    close(fd);
    log_error("agent.test", "the client is gone"); /* its message is under way */
    kit_turn(&k);
    log_error("agent.test", "for the other");
    client_got(json, buf, sizeof buf, &ended);
    assert_non_null(strstr(buf, "for the other"));
    close(json);
    kit_turn(&k);
    assert_false(log_is_on(MU_TRACE));
    http_server_destroy(k.server);
    loop_destroy(loop);
    kit_init(&k); /* for the teardown */
    kit_start(&k);
}

static int quiet(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return null >= 0 && log_set_fd(null) >= 0 ? 0 : -1;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_archive_goes_to_the_client_piece_by_piece),
        TEST(test_http_1_0_has_the_end_of_the_connection_for_the_end),
        TEST(test_a_response_in_single_bytes_is_one),
        TEST(test_errors_of_the_server_are_errors_of_http),
        TEST(test_where_there_is_no_server_the_reason_is_told),
        TEST(test_a_slow_client_slows_the_server_down_and_loses_nothing),
        TEST(test_a_client_that_goes_ends_the_connection_to_the_server),
        TEST(test_a_body_goes_to_the_server_as_it_comes),
        TEST(test_pieces_arrive_before_the_body_is_whole),
        TEST(test_a_server_that_refuses_early_is_heard),
        TEST(test_chunks_that_are_none_are_refused),
        TEST(test_a_server_that_does_not_read_holds_the_client),
        TEST(test_the_log_is_followed_until_the_client_goes),
    };
    return cmocka_run_group_tests_name("http_streams", tests, quiet, NULL);
}
