/* Two relays back to back, client and server of one TLS connection, between two plain ends. A
 * pre-shared key stands for certificates, which are libca's matter. */
#include "mu_test.h"

#include "proxy/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    struct stream plain, tls;
    struct relay relay;
    struct relay_bytes bytes;
    enum relay_result result;
    bool shaken;
    int app; /* the other end of plain */
};

struct world {
    struct event_base *base;
    uint32_t seed;
    struct side client, server;
    uint8_t scratch[RELAY_SCRATCH];
};
static struct world *w;

static int noise(void *user, unsigned char *out, size_t len)
{
    uint32_t *seed = user;
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        out[i] = (unsigned char)(*seed >> 24);
    }
    return 0;
}

static void on_ready(void *user, struct stream *s)
{
    struct side *side = user;
    (void)s;
    if (!side->shaken) {
        int code = mbedtls_ssl_handshake(&side->ssl);
        side->shaken = code == 0;
        assert_true(code == 0 || code == MBEDTLS_ERR_SSL_WANT_READ ||
                    code == MBEDTLS_ERR_SSL_WANT_WRITE);
    }
    if (side->shaken && side->result < RELAY_OVER) {
        side->result = relay_pump(&side->relay, w->scratch);
        if (side->result == RELAY_AGAIN) {
            stream_wake(&side->tls);
        }
    }
}

static void open_side(struct side *side, int endpoint, int tls_fd)
{
    static const unsigned char key[16] = "sixteen bytes...";
    int pair[2];
    mbedtls_ssl_config_init(&side->config);
    mbedtls_ssl_init(&side->ssl);
    assert_int_equal(mbedtls_ssl_config_defaults(&side->config, endpoint,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&side->config, noise, &w->seed);
    assert_int_equal(
        mbedtls_ssl_conf_psk(&side->config, key, sizeof key, (const unsigned char *)"x", 1), 0);
    assert_int_equal(mbedtls_ssl_setup(&side->ssl, &side->config), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    side->app = pair[1];
    assert_true(stream_open(&side->plain, w->base, pair[0], on_ready, side));
    assert_true(stream_open(&side->tls, w->base, tls_fd, on_ready, side));
    stream_bio(&side->tls, &side->ssl);
    relay_init(&side->relay, &side->plain, &side->tls, &side->ssl, &side->bytes);
}

static void close_side(struct side *side)
{
    relay_fini(&side->relay);
    mbedtls_ssl_free(&side->ssl);
    mbedtls_ssl_config_free(&side->config);
    stream_close(&side->plain);
    stream_close(&side->tls);
    if (side->app >= 0) {
        close(side->app);
    }
}

/* Until nothing is left to do. */
static void settle(void)
{
    for (int quiet = 0; quiet < 3;) {
        uint64_t before = w->client.bytes.to_tls + w->client.bytes.to_plain +
                          w->server.bytes.to_tls + w->server.bytes.to_plain;
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        uint64_t after = w->client.bytes.to_tls + w->client.bytes.to_plain +
                         w->server.bytes.to_tls + w->server.bytes.to_plain;
        quiet = after == before ? quiet + 1 : 0;
    }
}

static int setup(void **state)
{
    int pair[2];
    (void)state;
    w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = 7;
    w->base = event_base_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    open_side(&w->client, MBEDTLS_SSL_IS_CLIENT, pair[0]);
    open_side(&w->server, MBEDTLS_SSL_IS_SERVER, pair[1]);
    for (int i = 0; i < 100 && !(w->client.shaken && w->server.shaken); i++) {
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    assert_true(w->client.shaken && w->server.shaken);
    settle();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_side(&w->client);
    close_side(&w->server);
    event_base_free(w->base);
    free(w);
    return 0;
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

/* As much of total as the socket takes. */
static size_t push(int fd, size_t from, size_t total)
{
    uint8_t buf[5000];
    while (from < total) {
        size_t n = total - from < sizeof buf ? total - from : sizeof buf;
        for (size_t i = 0; i < n; i++) {
            buf[i] = byte_at(from + i);
        }
        ssize_t done = send(fd, buf, n, MSG_NOSIGNAL);
        if (done < 0) {
            assert_int_equal(errno, EAGAIN);
            break;
        }
        from += (size_t)done;
    }
    return from;
}

static size_t pull(int fd, size_t from, size_t most)
{
    uint8_t buf[3000];
    for (;;) {
        ssize_t n = recv(fd, buf, sizeof buf < most ? sizeof buf : most, 0);
        if (n <= 0) {
            return from;
        }
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(buf[i], byte_at(from + (size_t)i));
        }
        from += (size_t)n;
        most -= (size_t)n;
        if (!most) {
            return from;
        }
    }
}

static void test_bytes_arrive_both_ways_whatever_their_number(void **state)
{
    const size_t total = 3000017;
    size_t sent[2] = {0}, got[2] = {0};
    (void)state;
    for (int i = 0; i < 100000 && (got[0] < total || got[1] < total); i++) {
        sent[0] = push(w->client.app, sent[0], total);
        sent[1] = push(w->server.app, sent[1], total);
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        got[0] = pull(w->server.app, got[0], SIZE_MAX);
        got[1] = pull(w->client.app, got[1], SIZE_MAX);
    }
    assert_int_equal(got[0], total);
    assert_int_equal(got[1], total);
    assert_int_equal(w->client.bytes.to_tls, total);
    assert_int_equal(w->client.bytes.to_plain, total);
}

static void test_a_reader_that_stops_stops_the_writer_and_little_is_kept(void **state)
{
    const size_t total = 64u << 20;
    size_t sent = 0, got = 0, before = 1;
    (void)state;
    while (sent != before) {
        before = sent;
        sent = push(w->client.app, sent, total);
        settle();
    }
    assert_true(sent < total / 16); /* sockets' buffers, and a record in each relay */
    assert_non_null(w->server.relay.waiting);
    assert_true(w->server.relay.len <= RELAY_SCRATCH);
    assert_true(w->client.relay.sealed > 0);
    while (got < sent) {
        got = pull(w->server.app, got, 7777);
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    settle();
    assert_null(w->server.relay.waiting);
    assert_int_equal(w->client.relay.sealed, 0);
}

static void test_an_end_goes_through_and_the_other_way_goes_on(void **state)
{
    char c = 0;
    (void)state;
    assert_int_equal(push(w->client.app, 0, 100), 100);
    shutdown(w->client.app, SHUT_WR);
    settle();
    assert_int_equal(pull(w->server.app, 0, 100), 100);
    assert_int_equal(recv(w->server.app, &c, 1, 0), 0);
    assert_int_equal(w->server.result, RELAY_WAITS);
    assert_int_equal(push(w->server.app, 0, 50000), 50000);
    settle();
    assert_int_equal(pull(w->client.app, 0, SIZE_MAX), 50000);
    shutdown(w->server.app, SHUT_WR);
    settle();
    assert_int_equal(recv(w->client.app, &c, 1, 0), 0);
    assert_int_equal(w->client.result, RELAY_OVER);
    assert_int_equal(w->server.result, RELAY_OVER);
}

static void test_an_end_waits_for_the_bytes_before_it(void **state)
{
    size_t sent = 0, before = 1, got = 0;
    char c = 0;
    (void)state;
    while (sent != before) {
        before = sent;
        sent = push(w->client.app, sent, SIZE_MAX);
        settle();
    }
    shutdown(w->client.app, SHUT_WR);
    settle();
    while (got < sent) {
        got = pull(w->server.app, got, 10000);
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    settle();
    assert_int_equal(recv(w->server.app, &c, 1, 0), 0);
}

static void test_tls_without_its_end_is_broken(void **state)
{
    (void)state;
    shutdown(w->client.tls.fd, SHUT_WR);
    settle();
    assert_int_equal(w->server.result, RELAY_BROKEN);
}

static void test_bytes_that_are_no_record_are_broken(void **state)
{
    (void)state;
    assert_int_equal(send(w->client.tls.fd, "GET / HTTP/1.1\r\n", 16, MSG_NOSIGNAL), 16);
    settle();
    assert_int_equal(w->server.result, RELAY_BROKEN);
}

static void test_a_plain_side_that_has_gone_is_broken(void **state)
{
    (void)state;
    close(w->server.app);
    w->server.app = -1;
    assert_int_equal(push(w->client.app, 0, 1000), 1000);
    settle();
    assert_int_equal(w->server.result, RELAY_BROKEN);
}

/* Go's TLS says its end and closes at once: nobody is left to be told anything. */
static void test_a_peer_that_closes_behind_its_end_ends_both_ways(void **state)
{
    char c = 0;
    (void)state;
    assert_int_equal(mbedtls_ssl_close_notify(&w->client.ssl), 0);
    shutdown(w->client.tls.fd, SHUT_RDWR);
    w->client.result = RELAY_OVER;
    settle();
    assert_int_equal(recv(w->server.app, &c, 1, 0), 0);
    assert_true(w->server.result == RELAY_OVER || w->server.result == RELAY_BROKEN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_arrive_both_ways_whatever_their_number),
        TEST(test_a_reader_that_stops_stops_the_writer_and_little_is_kept),
        TEST(test_an_end_goes_through_and_the_other_way_goes_on),
        TEST(test_an_end_waits_for_the_bytes_before_it),
        TEST(test_tls_without_its_end_is_broken),
        TEST(test_bytes_that_are_no_record_are_broken),
        TEST(test_a_plain_side_that_has_gone_is_broken),
        TEST(test_a_peer_that_closes_behind_its_end_ends_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
