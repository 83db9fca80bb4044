/* Mirrors daemons/node/metric_sink.c, with sockets of the test at the other end. */
#include "mu_test.h"

#include "base/log.h"
#include "base/metrics.h"
#include "node/metric_sink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static char address[32];

/* A socket on a port that the system chose; address says which. */
static int listen_on(int type)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_true(type == SOCK_DGRAM || listen(fd, 8) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(in.sin_port));
    return fd;
}

static void count_some(void)
{
    metric_count(METRIC_CLIENT_RPC, 3);
    metric_count_of(METRIC_FAMILY_HEALTH_SERVICE_QUERY, (struct mu_str){"web", 3},
                    (struct mu_str){NULL, 0});
    metrics_roll(1700000000);
}

static void turn(void)
{
    for (int i = 0; i < 8; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

static char *received(int fd)
{
    static char buf[65536];
    size_t n = 0;
    turn();
    for (ssize_t got; n + 1 < sizeof buf && (got = recv(fd, buf + n, sizeof buf - 1 - n, 0)) > 0;) {
        assert_int_equal(buf[n + (size_t)got - 1], '\n'); /* whole lines */
        n += (size_t)got;
    }
    buf[n] = '\0';
    return buf;
}

static void test_statsd_gets_a_packet_of_lines(void **state)
{
    (void)state;
    int fd = listen_on(SOCK_DGRAM);
    struct metric_sink *s = metric_sink_create(SINK_STATSD, base, "key", address, NULL);
    assert_non_null(s);
    count_some();
    metric_sink_send(s);
    char *lines = received(fd);
    assert_non_null(strstr(lines, "consul.client.rpc:3.000000|c\n"));
    assert_non_null(strstr(lines, "consul.health.service.query.web:1.000000|c\n"));
    metric_sink_destroy(s);
    close(fd);
}

static void test_dogstatsd_gets_labels_as_tags(void **state)
{
    (void)state;
    struct mu_str items[] = {{"env:test", 8}};
    struct mu_strs tags = {items, 1};
    int fd = listen_on(SOCK_DGRAM);
    struct metric_sink *s = metric_sink_create(SINK_DOGSTATSD, base, "key", address, &tags);
    assert_non_null(s);
    count_some();
    metric_sink_send(s);
    char *lines = received(fd);
    assert_non_null(strstr(lines, "consul.client.rpc:3.000000|c|#env:test\n"));
    assert_non_null(
        strstr(lines, "consul.health.service.query:1.000000|c|#env:test,service:web\n"));
    metric_sink_destroy(s);
    close(fd);
}

static void test_statsite_is_dialled_again_when_it_has_gone(void **state)
{
    (void)state;
    int listener = listen_on(SOCK_STREAM), peer = -1;
    struct metric_sink *s = metric_sink_create(SINK_STATSITE, base, "key", address, NULL);
    assert_non_null(s);
    for (int round = 0; round < 2; round++) {
        count_some();
        metric_sink_send(s);
        turn();
        peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        assert_true(peer >= 0);
        assert_non_null(strstr(received(peer), "consul.client.rpc:3.000000|c\n"));
        count_some();
        metric_sink_send(s); /* by the same connection */
        assert_non_null(strstr(received(peer), "consul.client.rpc:3.000000|c\n"));
        close(peer);
        turn();
    }
    close(listener);
    count_some();
    metric_sink_send(s); /* nobody is there: said, and tried again */
    turn();
    metric_sink_send(s);
    turn();
    metric_sink_destroy(s);
}

static void test_addresses_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "nowhere", "127.0.0.1:no-such-port", ":", "[::1:80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(metric_sink_create(SINK_STATSITE, base, "key", bad[i], NULL));
    }
    metric_sink_destroy(NULL);
}

static int setup(void **state)
{
    (void)state;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    base = event_base_new();
    return base && null >= 0 && log_set_fd(null) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    event_base_free(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statsd_gets_a_packet_of_lines),
        cmocka_unit_test(test_dogstatsd_gets_labels_as_tags),
        cmocka_unit_test(test_statsite_is_dialled_again_when_it_has_gone),
        cmocka_unit_test(test_addresses_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("metric_sink", tests, setup, teardown);
}
