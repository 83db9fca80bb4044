/* Mirrors daemons/rpc/rpc_server.c, rpc_connection.c and rpc_stream.c. */
#include "mu_test.h"

#include "rpc/absent.h"
#include "rpc_kit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    return base ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    event_base_free(base);
    return 0;
}

#define PING "82a353657101ad536572766963654d6574686f64ab5374617475732e50696e6780"
#define PONG "83a54572726f72a0a353657101ad536572766963654d6574686f64ab5374617475732e50696e6780"

static void send_hex(int fd, const char *hex)
{
    unsigned char bytes[8192];
    size_t n = kit_unhex(hex, bytes, sizeof bytes);
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
    kit_settle(base);
}

/* What has arrived, in hex; *closed tells whether the end has, too. */
static const char *receive_hex(int fd, bool *closed)
{
    static char hex[16384];
    unsigned char bytes[4096];
    size_t len = 0;
    *closed = false;
    hex[0] = '\0';
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) != -1;) {
        if (n == 0) {
            *closed = true;
            break;
        }
        for (ssize_t i = 0; i < n && len + 2 < sizeof hex; i++, len += 2) {
            snprintf(hex + len, 3, "%02x", bytes[i]);
        }
    }
    *closed = *closed || errno == ECONNRESET;
    return hex;
}

static void expect(int fd, const char *hex, bool closed)
{
    bool is_closed;
    assert_string_equal(receive_hex(fd, &is_closed), hex);
    assert_int_equal(is_closed, closed);
}

static void test_hand_made_connections_get_what_consul_answers(void **state)
{
    (void)state;
    FILE *f = fopen(MUSTER_TEST_DATA "/rpc_probes.txt", "r");
    assert_non_null(f);
    static char line[4096];
    int rows = 0;
    while (fgets(line, sizeof line, f)) {
        char name[64];
        char sent[1024];
        char received[1024];
        char end[16];
        if (line[0] == '#') {
            continue;
        }
        assert_int_equal(sscanf(line, "%63s %1023s %1023s %15s", name, sent, received, end), 4);
        struct rpc_kit k;
        kit_init(&k, base, NULL);
        int fd = kit_connect(&k);
        send_hex(fd, sent);
        bool closed;
        const char *got = receive_hex(fd, &closed);
        if (strcmp(received, "*") != 0 &&
            strcmp(got, strcmp(received, "-") == 0 ? "" : received) != 0) {
            fail_msg("%s: got %s", name, got);
        }
        if (closed != (strcmp(end, "closed") == 0)) {
            fail_msg("%s: %s", name, closed ? "closed" : "open");
        }
        close(fd);
        kit_settle(base);
        assert_int_equal(rpc_server_connections(k.server), 0);
        kit_fini(&k);
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, 22);
}

static void test_decode_errors_are_answered_before_the_stream_closes(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(
        fd, "0082a353657101ad536572766963654d6574686f64a74b56532e47657481aa4461746163656e74657205");
    bool closed;
    const char *got = receive_hex(fd, &closed);
    assert_non_null(strstr(got, "636f6465632e6465636f6465723a20")); /* "codec.decoder: " */
    assert_true(closed);
    close(fd);
    kit_fini(&k);
}

static void test_what_is_off_is_refused_as_consul_does_and_the_stream_goes_on(void **state)
{
    (void)state;
    /* ACL.TokenRead, AutoEncrypt.Sign */
    static const char *const rows[][2] = {
        {"0082a353657101ad536572766963654d6574686f64ad41434c2e546f6b656e5265616480",
         "83a54572726f72b441434c20737570706f72742064697361626c6564a353657101ad536572766963"
         "654d6574686f64ad41434c2e546f6b656e5265616480"},
        {"0082a353657101ad536572766963654d6574686f64b04175746f456e63727970742e5369676e80",
         "83a54572726f72da0035436f6e6e656374206d75737420626520656e61626c656420696e206f7264"
         "657220746f20757365207468697320656e64706f696e74a353657101ad536572766963654d657468"
         "6f64b04175746f456e63727970742e5369676e80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rpc_kit k;
        kit_init(&k, base, NULL);
        int fd = kit_connect(&k);
        send_hex(fd, rows[i][0]);
        expect(fd, rows[i][1], false);
        send_hex(fd, PING);
        expect(fd, PONG, false);
        close(fd);
        kit_fini(&k);
    }
    assert_null(rpc_absent(mu__cstr("ACL.Nope")));
    assert_null(rpc_absent(mu__cstr("ACL")));
    assert_null(rpc_absent(mu__cstr("ACL.")));
    assert_null(rpc_absent(mu__cstr("")));
    assert_null(rpc_absent(mu__cstr("Catalog.Register")));
    assert_null(rpc_absent(mu__cstr("Intention.Match"))); /* they are there without Connect */
    assert_string_equal(rpc_absent(mu__cstr("ACL.TokenSet")), "ACL support disabled");
}

static void test_silent_stream_does_not_hold_up_others(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd, "04000100010000000100000000000100010000000300000000000000000000000300000021" PING);
    expect(fd, "000100020000000100000000000100020000000300000000000000000000000300000028" PONG,
           false);
    /* Resetting the silent one is fine, too */
    send_hex(fd, "000100080000000100000000000200010000000000000002");
    expect(fd, "000200020000000000000002", false);
    close(fd);
    kit_fini(&k);
}

static void test_answer_still_comes_after_the_caller_half_closed(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd,
             "04000100010000000100000000000000000000000100000021" PING "000100040000000100000000");
    expect(fd, "000100020000000100000000000000000000000100000028" PONG "000100040000000100000000",
           false);
    close(fd);
    kit_fini(&k);
}

static void test_more_than_the_window_closes_the_connection(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd, "04000100010000000100000000000000000000000100040001c0c0c0");
    bool closed;
    (void)receive_hex(fd, &closed);
    assert_true(closed);
    close(fd);
    kit_fini(&k);
}

/* KVS.Get {Datacenter dc1, Key k, MinQueryIndex 5} */
#define BLOCKING                                                                                   \
    "82a353657101ad536572766963654d6574686f64a74b56532e47657483aa4461746163656e746572a3646331"     \
    "a34b6579a16bad4d696e5175657279496e64657805"

static void test_requests_of_a_stream_are_answered_in_order(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd, "00" BLOCKING PING);
    assert_int_equal(k.nheld, 1);
    assert_int_equal(k.calls, 1); /* the second is not even read */
    expect(fd, "", false);
    kit_release(&k);
    kit_settle(base);
    assert_int_equal(k.calls, 2);
    bool closed;
    const char *got = receive_hex(fd, &closed);
    assert_string_equal(got + strlen(got) - strlen(PONG), PONG);
    close(fd);
    kit_fini(&k);
}

/* The loop comes to rest (kit_settle would not end) although more waits than is read at once. */
static void test_requests_that_must_wait_do_not_keep_the_loop_busy(void **state)
{
    (void)state;
    enum { PINGS = 40000 };
    struct rpc_kit k;
    unsigned char ping[64];
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd, "00" BLOCKING);
    size_t len = kit_unhex(PING, ping, sizeof ping), sent = 0;
    char *all = malloc(PINGS * len);
    for (size_t i = 0; i < PINGS; i++) {
        memcpy(all + i * len, ping, len);
    }
    for (int i = 0; i < 100 && sent < PINGS * len; i++) {
        ssize_t n = send(fd, all + sent, PINGS * len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(k.calls, 1);
    kit_release(&k);
    while (k.calls < sent / len) { /* what fits goes on once there is an answer */
        bool closed;
        (void)receive_hex(fd, &closed);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    free(all);
    close(fd);
    kit_fini(&k);
}

static void test_calls_of_a_lost_connection_are_cancelled(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int plain = kit_connect(&k);
    int session = kit_connect(&k);
    send_hex(plain, "00" BLOCKING);
    send_hex(session, "04000100010000000100000000000000000000000100000041" BLOCKING);
    expect(session, "000100020000000100000000", false);
    assert_int_equal(k.nheld, 2);
    close(plain);
    kit_settle(base);
    assert_int_equal(k.cancelled, 1);
    send_hex(session, "000100080000000100000000"); /* RST of the stream alone */
    assert_int_equal(k.cancelled, 2);
    assert_int_equal(rpc_server_connections(k.server), 1);
    close(session);
    kit_fini(&k);
}

static void test_destroying_the_server_cancels_what_is_under_way(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd, "00" BLOCKING);
    rpc_server_destroy(k.server);
    k.server = NULL;
    assert_int_equal(k.cancelled, 1);
    close(fd);
    kit_fini(&k);
}

static void test_raft_connections_are_handed_on_with_their_next_byte_unread(void **state)
{
    (void)state;
    struct rpc_kit k;
    kit_init(&k, base, NULL);
    int fd = kit_connect(&k);
    send_hex(fd, "01abcd");
    assert_true(k.raft_fd >= 0);
    assert_int_equal(rpc_server_connections(k.server), 0);
    unsigned char bytes[4];
    assert_int_equal(recv(k.raft_fd, bytes, sizeof bytes, 0), 2);
    assert_int_equal(bytes[0], 0xab);
    close(fd);
    kit_fini(&k);
}

static void test_silent_connections_are_closed_after_the_handshake_timeout(void **state)
{
    (void)state;
    struct rpc_kit k;
    struct rpc_server_config cfg = {.handshake_timeout_ns = MU_MSEC};
    kit_init(&k, base, &cfg);
    int fd = kit_connect(&k);
    while (rpc_server_connections(k.server)) {
        event_base_loop(base, EVLOOP_ONCE); /* the timer is all that can happen */
    }
    expect(fd, "", true);
    close(fd);
    kit_fini(&k);
}

static void test_connections_per_client_are_limited_and_given_back(void **state)
{
    (void)state;
    struct rpc_kit k;
    struct rpc_server_config cfg = {.clients = client_limit_create(2)};
    kit_init(&k, base, &cfg);
    int a = kit_connect(&k);
    int b = kit_connect(&k);
    int c = kit_connect(&k);
    expect(c, "", true);
    assert_int_equal(rpc_server_connections(k.server), 2);
    close(a);
    kit_settle(base);
    int d = kit_connect(&k);
    assert_int_equal(rpc_server_connections(k.server), 2);
    close(b);
    close(c);
    close(d);
    kit_fini(&k);
    client_limit_destroy(cfg.clients);
}

static void test_requests_above_the_limit_end_the_stream(void **state)
{
    (void)state;
    struct rpc_kit k;
    struct rpc_server_config cfg = {.request_bytes_max = 1000};
    kit_init(&k, base, &cfg);
    int fd = kit_connect(&k);
    /* A key that claims 65535 bytes: refused as soon as the length is read. */
    send_hex(fd, "0082a353657101ad536572766963654d6574686f64a74b56532e47657481a34b6579daffff");
    expect(fd, "", true);
    close(fd);
    kit_fini(&k);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_hand_made_connections_get_what_consul_answers),
        TEST(test_decode_errors_are_answered_before_the_stream_closes),
        TEST(test_what_is_off_is_refused_as_consul_does_and_the_stream_goes_on),
        TEST(test_silent_stream_does_not_hold_up_others),
        TEST(test_answer_still_comes_after_the_caller_half_closed),
        TEST(test_more_than_the_window_closes_the_connection),
        TEST(test_requests_of_a_stream_are_answered_in_order),
        TEST(test_requests_that_must_wait_do_not_keep_the_loop_busy),
        TEST(test_calls_of_a_lost_connection_are_cancelled),
        TEST(test_destroying_the_server_cancels_what_is_under_way),
        TEST(test_raft_connections_are_handed_on_with_their_next_byte_unread),
        TEST(test_silent_connections_are_closed_after_the_handshake_timeout),
        TEST(test_connections_per_client_are_limited_and_given_back),
        TEST(test_requests_above_the_limit_end_the_stream),
    };
    return cmocka_run_group_tests_name("rpc_server", tests, NULL, NULL);
}
