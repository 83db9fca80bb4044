/* The front end's sockets under pressure and out of the ordinary: wildcard addresses, floods, slow
 * and deaf clients, settings that change. */
#include "dns_kit.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <muster/dnsfront_node.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELD = 128, MANY = 200 };

static struct event_base *base;
static struct dnsfront_node *node;
static struct dnsfront_pending *held[HELD]; /* lookups that wait for the test */
static size_t held_count, found_count;
static bool hold;
static uint64_t version;
static char held_name[64];

static void supply(struct dnsfront_pending *p)
{
    static char names[MANY][32];
    struct dnsfront_instance i[MANY];
    for (size_t k = 0; k < found_count; k++) {
        snprintf(names[k], sizeof names[k], "10.1.0.%zu", k);
        i[k] = instance("a", names[k], (uint16_t)k);
    }
    struct dnsfront_found found = {.size = sizeof found,
                                   .status = DNSFRONT_FOUND,
                                   .instances = i,
                                   .count = found_count,
                                   .ordered = true,
                                   .stamp = 1};
    dnsfront_node_supply(p, &found);
}

static void find(void *user, struct dnsfront_pending *p, const struct dnsfront_lookup *l)
{
    (void)user;
    if (hold) {
        assert_true(held_count < HELD);
        snprintf(held_name, sizeof held_name, "%.*s", (int)l->name.len, l->name.p);
        held[held_count++] = p;
        return;
    }
    supply(p);
}

static uint64_t get_version(void *user)
{
    (void)user;
    return version;
}

static void release(void)
{
    while (held_count) {
        supply(held[--held_count]);
    }
}

static struct dnsfront_node_config config(void)
{
    struct dnsfront_node_config cfg;
    dnsfront_node_config_init(&cfg);
    cfg.base = base;
    cfg.port = 0;
    cfg.source.find = find;
    cfg.source.version = get_version;
    cfg.pending_max = 16;
    return cfg;
}

static void start(const struct dnsfront_node_config *cfg)
{
    const char *reason = "";
    if (dnsfront_node_create(cfg, &node, &reason) != DNSFRONT_OK) {
        fail_msg("%s", reason);
    }
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    node = NULL;
    hold = false;
    held_count = 0;
    found_count = 1;
    version = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dnsfront_node_destroy(node);
    release();
    event_base_free(base);
    return 0;
}

static int connect_v4(int type, const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(dnsfront_node_port(node))};
    inet_pton(AF_INET, address, &a.sin_addr);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Turns the loop until the socket has something to say; the bytes read. 0: closed. */
static size_t await(int fd, uint8_t *buf, size_t cap)
{
    while (!is_readable(fd)) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    ssize_t n = read(fd, buf, cap);
    return n > 0 ? (size_t)n : 0;
}

static size_t question(const char *name, uint16_t edns_size, uint8_t *buf, size_t cap)
{
    return build_query(
        &(struct query_spec){.name = name, .type = LDNS_RR_TYPE_A, .edns_size = edns_size}, buf,
        cap);
}

static void send_question(int fd, const char *name)
{
    uint8_t buf[512];
    size_t len = question(name, 1232, buf, sizeof buf);
    assert_int_equal(write(fd, buf, len), (ssize_t)len);
}

static size_t framed(const char *name, uint8_t *buf, size_t cap)
{
    size_t len = question(name, 0, buf + 2, cap - 2);
    buf[0] = 0;
    buf[1] = (uint8_t)len;
    return len + 2;
}

static struct dnsfront_node_stats stats(void)
{
    struct dnsfront_node_stats st = {.size = sizeof st};
    dnsfront_node_stats(node, &st);
    return st;
}

/* ---- Addresses ---- */

/* A connected socket takes datagrams from the address that it asked and no other. */
static void test_wildcard_answers_from_the_address_that_was_asked(void **state)
{
    (void)state;
    uint8_t buf[2048];
    struct dnsfront_node_config cfg = config();
    cfg.address = "0.0.0.0";
    start(&cfg);
    int fd = connect_v4(SOCK_DGRAM, "127.0.99.77");
    for (int i = 0; i < 3; i++) { /* built, and kept */
        send_question(fd, "web.service.consul.");
        assert_true(await(fd, buf, sizeof buf) > 12);
    }
    assert_int_equal(stats().kept_hits, 2);
    hold = true;
    send_question(fd, "late.service.consul.");
    while (held_count == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    release();
    assert_true(await(fd, buf, sizeof buf) > 12);
    close(fd);
}

static void test_ipv6_wildcard_serves_both_families(void **state)
{
    (void)state;
    uint8_t buf[2048];
    struct dnsfront_node_config cfg = config();
    cfg.address = "::";
    int probe = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&a, sizeof a) == 0;
    close(probe);
    if (!has_v6) {
        skip();
    }
    start(&cfg);
    int v4 = connect_v4(SOCK_DGRAM, "127.0.99.78");
    send_question(v4, "web.service.consul.");
    assert_true(await(v4, buf, sizeof buf) > 12);
    int v6 = socket(AF_INET6, SOCK_DGRAM, 0);
    a.sin6_port = htons(dnsfront_node_port(node));
    assert_int_equal(connect(v6, (struct sockaddr *)&a, sizeof a), 0);
    send_question(v6, "web.service.consul.");
    assert_true(await(v6, buf, sizeof buf) > 12);
    close(v4);
    close(v6);
}

/* ---- Floods ---- */

static void test_many_datagrams_are_all_answered(void **state)
{
    (void)state;
    uint8_t buf[2048];
    struct dnsfront_node_config cfg = config();
    start(&cfg);
    int fd = connect_v4(SOCK_DGRAM, "127.0.0.1");
    for (int i = 0; i < 100; i++) { /* several batches */
        send_question(fd, i % 3 ? "web.service.consul." : "a.b.c");
    }
    for (int i = 0; i < 100; i++) {
        assert_true(await(fd, buf, sizeof buf) >= 12);
    }
    assert_int_equal(stats().answers, 100);
    close(fd);
}

static void test_kept_answers_are_given_when_there_is_no_room_for_lookups(void **state)
{
    (void)state;
    uint8_t buf[2048];
    char name[64];
    struct dnsfront_node_config cfg = config();
    start(&cfg);
    int fd = connect_v4(SOCK_DGRAM, "127.0.0.1"), tcp = connect_v4(SOCK_STREAM, "127.0.0.1");
    send_question(fd, "web.service.consul.");
    await(fd, buf, sizeof buf);
    size_t len = framed("web.service.consul.", buf, sizeof buf);
    assert_int_equal(write(tcp, buf, len), (ssize_t)len);
    await(tcp, buf, sizeof buf);
    hold = true;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "random-%d.service.consul.", i);
        send_question(fd, name);
    }
    while (stats().dropped == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_true(held_count <= 8); /* half of pending_max for one client */
    send_question(fd, "web.service.consul.");
    assert_true(await(fd, buf, sizeof buf) > 12);
    len = framed("web.service.consul.", buf, sizeof buf);
    assert_int_equal(write(tcp, buf, len), (ssize_t)len);
    assert_true(await(tcp, buf, sizeof buf) > 12);
    close(fd);
    close(tcp);
}

static void test_flood_of_one_client_leaves_room_for_another(void **state)
{
    (void)state;
    char name[64];
    struct dnsfront_node_config cfg = config();
    cfg.address = "0.0.0.0";
    start(&cfg);
    int fd = connect_v4(SOCK_DGRAM, "127.0.99.1");
    hold = true;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "random-%d.service.consul.", i);
        send_question(fd, name);
    }
    while (stats().dropped < 52) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    inet_pton(AF_INET, "127.0.98.1", &from.sin_addr); /* another /24 */
    inet_pton(AF_INET, "127.0.99.1", &to.sin_addr);
    to.sin_port = htons(dnsfront_node_port(node));
    assert_int_equal(bind(other, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(other, (struct sockaddr *)&to, sizeof to), 0);
    send_question(other, "other.service.consul.");
    while (strcmp(held_name, "other") != 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    close(fd);
    close(other);
}

static void test_answer_of_many_datagrams_worth_arrives(void **state)
{
    (void)state;
    uint8_t buf[65536];
    struct dnsfront_node_config cfg = config();
    start(&cfg);
    found_count = MANY;
    int fd = connect_v4(SOCK_DGRAM, "127.0.0.1");
    size_t len = build_query(&(struct query_spec){.name = "web.service.consul.",
                                                  .type = LDNS_RR_TYPE_SRV,
                                                  .edns_size = 65000},
                             buf, sizeof buf);
    assert_int_equal(write(fd, buf, len), (ssize_t)len);
    assert_true(await(fd, buf, sizeof buf) > 4096);
    assert_int_equal(buf[7], MANY);
    close(fd);
}

/* ---- TCP clients ---- */

static void test_bytes_one_at_a_time_do_not_keep_a_connection_open(void **state)
{
    (void)state;
    enum { LONG = 4000 };
    uint8_t byte = LONG >> 8, buf[16]; /* the length's, and any */
    struct dnsfront_node_config cfg = config();
    cfg.tcp_idle_ns = 20 * MU_MSEC;
    start(&cfg);
    int fd = connect_v4(SOCK_STREAM, "127.0.0.1");
    for (int i = 0; !is_readable(fd); i++) {
        assert_true(i < LONG);
        ssize_t sent = send(fd, &byte, 1, MSG_NOSIGNAL);
        (void)sent;
        event_base_loopexit(base, &(struct timeval){.tv_usec = 1000});
        event_base_dispatch(base);
    }
    assert_int_equal(await(fd, buf, sizeof buf), 0);
    assert_int_equal(stats().tcp_connections, 0);
    close(fd);
}

static void test_client_that_does_not_read_is_left_waiting_then_closed(void **state)
{
    (void)state;
    uint8_t query[512];
    struct dnsfront_node_config cfg = config();
    cfg.tcp_idle_ns = 200 * MU_MSEC;
    start(&cfg);
    found_count = MANY;
    int fd = connect_v4(SOCK_STREAM, "127.0.0.1");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    size_t len = framed("web.service.consul.", query, sizeof query);
    uint64_t answers = 0;
    do { /* until nothing is taken from us any more, and then until we are closed */
        while (send(fd, query, len, MSG_NOSIGNAL) == (ssize_t)len) {
        }
        event_base_loop(base, EVLOOP_ONCE);
        answers = stats().answers;
    } while (stats().tcp_connections == 1);
    /* What the sockets' buffers hold, and 256 KiB of ours */
    assert_true(answers > 20 && answers * MANY * 16 < 32u << 20);
    close(fd);
}

static void test_slow_lookup_does_not_hold_up_those_behind_it(void **state)
{
    (void)state;
    uint8_t buf[4096];
    struct dnsfront_node_config cfg = config();
    start(&cfg);
    int fd = connect_v4(SOCK_STREAM, "127.0.0.1");
    hold = true;
    size_t len = framed("slow.service.consul.", buf, sizeof buf);
    assert_int_equal(write(fd, buf, len), (ssize_t)len);
    while (held_count == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    hold = false;
    len = framed("web.service.consul.", buf, sizeof buf);
    buf[2] = 0x77;
    assert_int_equal(write(fd, buf, len), (ssize_t)len);
    assert_true(await(fd, buf, sizeof buf) > 12);
    assert_int_equal(buf[2], 0x77);
    release();
    assert_true(await(fd, buf, sizeof buf) > 12);
    assert_int_equal(buf[2], 0x12);
    close(fd);
}

/* ---- Settings ---- */

static void test_settings_change_while_queries_wait(void **state)
{
    (void)state;
    uint8_t buf[2048];
    struct dnsfront_config front;
    struct dnsfront_node_config cfg = config();
    start(&cfg);
    int fd = connect_v4(SOCK_DGRAM, "127.0.0.1");
    send_question(fd, "kept.service.consul.");
    await(fd, buf, sizeof buf);
    hold = true;
    send_question(fd, "web.service.consul.");
    while (held_count == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    dnsfront_config_init(&front);
    front.udp_answer_limit = 0;
    assert_int_equal(dnsfront_node_reconfigure(node, &front), DNSFRONT_EINVAL);
    front.udp_answer_limit = 3;
    front.domain = text("example");
    assert_int_equal(dnsfront_node_reconfigure(node, &front), DNSFRONT_OK);
    assert_int_equal(dnsfront_node_reconfigure(node, &front), DNSFRONT_OK);
    release();
    await(fd, buf, sizeof buf); /* by the settings that it came under */
    assert_int_equal(buf[3] & 15, LDNS_RCODE_NOERROR);
    hold = false;
    send_question(fd, "kept.service.consul.");
    await(fd, buf, sizeof buf);
    assert_int_equal(buf[3] & 15, LDNS_RCODE_REFUSED);
    send_question(fd, "web.service.example.");
    await(fd, buf, sizeof buf);
    assert_int_equal(buf[3] & 15, LDNS_RCODE_NOERROR);
    close(fd);
}

static void test_what_changed_is_looked_up_again(void **state)
{
    (void)state;
    uint8_t buf[2048];
    struct dnsfront_node_config cfg = config();
    start(&cfg);
    int fd = connect_v4(SOCK_DGRAM, "127.0.0.1");
    for (int i = 0; i < 3; i++) {
        send_question(fd, "web.service.consul.");
        await(fd, buf, sizeof buf);
    }
    assert_int_equal(stats().kept_hits, 2);
    assert_true(stats().kept_bytes > 0);
    version = 2;
    found_count = 2;
    send_question(fd, "web.service.consul.");
    await(fd, buf, sizeof buf);
    assert_int_equal(buf[7], 2);
    assert_int_equal(stats().kept_hits, 2);
    close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_wildcard_answers_from_the_address_that_was_asked),
        T(test_ipv6_wildcard_serves_both_families),
        T(test_many_datagrams_are_all_answered),
        T(test_kept_answers_are_given_when_there_is_no_room_for_lookups),
        T(test_flood_of_one_client_leaves_room_for_another),
        T(test_answer_of_many_datagrams_worth_arrives),
        T(test_bytes_one_at_a_time_do_not_keep_a_connection_open),
        T(test_client_that_does_not_read_is_left_waiting_then_closed),
        T(test_slow_lookup_does_not_hold_up_those_behind_it),
        T(test_settings_change_while_queries_wait),
        T(test_what_changed_is_looked_up_again),
    };
    return cmocka_run_group_tests_name("node_limits", tests, NULL, NULL);
}
