/* The front end on real sockets: UDP, TCP, pipelining, late answers, clients that leave. */
#include "dns_kit.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <muster/dnsfront_node.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static struct dnsfront_node *node;
static struct dnsfront_pending *held[64]; /* lookups that wait for the test */
static size_t held_count;
static bool hold;

static void supply(struct dnsfront_pending *p, const struct dnsfront_instance *i)
{
    struct dnsfront_found found = {
        .size = sizeof found, .status = DNSFRONT_FOUND, .instances = i, .count = 1};
    dnsfront_node_supply(p, &found);
}

static void find(void *user, struct dnsfront_pending *p, const struct dnsfront_lookup *l)
{
    (void)user;
    (void)l;
    if (hold) {
        held[held_count++] = p;
        return;
    }
    struct dnsfront_instance i = instance("a", "127.0.0.21", 80);
    supply(p, &i);
}

static void release(void)
{
    struct dnsfront_instance i = instance("a", "127.0.0.21", 80);
    while (held_count) {
        supply(held[--held_count], &i);
    }
}

static int setup(void **state)
{
    (void)state;
    struct dnsfront_node_config cfg;
    base = event_base_new();
    hold = false;
    held_count = 0;
    dnsfront_node_config_init(&cfg);
    cfg.base = base;
    cfg.port = 0;
    cfg.source.find = find;
    cfg.pending_max = 16; /* of which one client gets half */
    cfg.tcp_connections_max = 2;
    return dnsfront_node_create(&cfg, &node, NULL);
}

static int teardown(void **state)
{
    (void)state;
    dnsfront_node_destroy(node);
    release();
    event_base_free(base);
    return 0;
}

static int connect_to(int type)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(dnsfront_node_port(node)),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Turns the loop until the socket has something to say; the bytes read. 0: closed. */
static size_t await(int fd, uint8_t *buf, size_t cap)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 0) == 1) {
            ssize_t n = read(fd, buf, cap);
            return n > 0 ? (size_t)n : 0;
        }
        event_base_loop(base, EVLOOP_ONCE);
    }
}

static void test_udp_question_is_answered(void **state)
{
    (void)state;
    uint8_t buf[2048];
    int fd = connect_to(SOCK_DGRAM);
    size_t len =
        build_query(&(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
                    buf, sizeof buf);
    assert_int_equal(write(fd, buf, len), (ssize_t)len);
    len = await(fd, buf, sizeof buf);
    ldns_pkt *p;
    assert_int_equal(ldns_wire2pkt(&p, buf, len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    ldns_pkt_free(p);
    close(fd);
}

static void test_tcp_takes_questions_in_pieces_and_in_a_row(void **state)
{
    (void)state;
    uint8_t one[512], buf[4096];
    int fd = connect_to(SOCK_STREAM);
    size_t len =
        build_query(&(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV},
                    one + 2, 500);
    one[0] = 0;
    one[1] = (uint8_t)len;
    /* A question and a half, cut in the middle of the first */
    assert_int_equal(write(fd, one, 5), 5);
    event_base_loop(base, EVLOOP_NONBLOCK);
    memcpy(buf, one + 5, len - 3);
    memcpy(buf + len - 3, one, len + 2);
    assert_int_equal(write(fd, buf, 2 * len - 1), (ssize_t)(2 * len - 1));
    size_t got = 0, answers = 0;
    while (answers < 2) {
        got += await(fd, buf + got, sizeof buf - got);
        answers = 0;
        for (size_t at = 0; at + 2 <= got; answers++) {
            size_t n = (size_t)buf[at] << 8 | buf[at + 1];
            if (at + 2 + n > got) {
                break;
            }
            at += 2 + n;
        }
    }
    close(fd);
}

/* The loop comes to rest (and this test to its end) although more than a buffer of questions waits.
 */
static void test_tcp_questions_that_must_wait_do_not_keep_the_loop_busy(void **state)
{
    (void)state;
    enum { QUESTIONS = 400 };
    uint8_t one[512], buf[65536];
    hold = true;
    int fd = connect_to(SOCK_STREAM);
    size_t len = build_query(
        &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A}, one + 2, 500);
    one[0] = 0;
    one[1] = (uint8_t)len;
    for (int i = 0; i < QUESTIONS; i++) {
        assert_int_equal(write(fd, one, len + 2), (ssize_t)len + 2);
    }
    while (held_count < 8) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    for (int i = 0; i < 20; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(held_count, 8);
    hold = false;
    release();
    size_t answers = 0, got = 0;
    while (answers < QUESTIONS) {
        size_t at = 0;
        got += await(fd, buf + got, sizeof buf - got);
        for (size_t n; at + 2 <= got; at += 2 + n, answers++) {
            n = (size_t)buf[at] << 8 | buf[at + 1];
            if (at + 2 + n > got) {
                break;
            }
        }
        memmove(buf, buf + at, got - at);
        got -= at;
    }
    close(fd);
}

static void test_client_that_left_costs_nothing_but_its_lookup(void **state)
{
    (void)state;
    uint8_t one[512];
    hold = true;
    int fd = connect_to(SOCK_STREAM);
    size_t len = build_query(
        &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A}, one + 2, 500);
    one[0] = 0;
    one[1] = (uint8_t)len;
    assert_int_equal(write(fd, one, len + 2), (ssize_t)len + 2);
    while (held_count == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    /* With a reset; one that only ends its side may still wait for the answer. */
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    event_base_loop(base, EVLOOP_ONCE);
    release(); /* ASan would tell of a connection used after its end */
    struct dnsfront_node_stats st = {.size = sizeof st};
    dnsfront_node_stats(node, &st);
    assert_int_equal(st.answers, 0);
    assert_int_equal(st.dropped, 1);
}

static void test_client_that_ended_its_side_gets_what_it_asked_for(void **state)
{
    (void)state;
    uint8_t buf[2048];
    hold = true;
    int fd = connect_to(SOCK_STREAM);
    size_t len = build_query(
        &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A}, buf + 2, 500);
    buf[0] = 0;
    buf[1] = (uint8_t)len;
    assert_int_equal(write(fd, buf, len + 2), (ssize_t)len + 2);
    shutdown(fd, SHUT_WR);
    while (held_count == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    event_base_loop(base, EVLOOP_NONBLOCK);
    release();
    assert_true(await(fd, buf, sizeof buf) > 14);
    assert_int_equal(await(fd, buf, sizeof buf), 0);
    close(fd);
}

static void test_lookups_beyond_the_limit_are_dropped_not_queued(void **state)
{
    (void)state;
    uint8_t buf[512];
    hold = true;
    int fd = connect_to(SOCK_DGRAM);
    size_t len =
        build_query(&(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
                    buf, sizeof buf);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(write(fd, buf, len), (ssize_t)len);
    }
    struct dnsfront_node_stats st = {.size = sizeof st};
    while (st.udp_queries + st.dropped < 12) {
        event_base_loop(base, EVLOOP_ONCE);
        dnsfront_node_stats(node, &st);
    }
    assert_int_equal(held_count, 8);
    assert_int_equal(st.dropped, 4);
    close(fd);
}

static void test_overlong_tcp_message_closes_the_connection(void **state)
{
    (void)state;
    uint8_t buf[64] = {0xff, 0xff};
    int fd = connect_to(SOCK_STREAM);
    assert_int_equal(write(fd, buf, 2), 2);
    assert_int_equal(await(fd, buf, sizeof buf), 0);
    close(fd);
}

static void test_the_idlest_connection_makes_room_for_a_new_one(void **state)
{
    (void)state;
    uint8_t buf[2048];
    int a = connect_to(SOCK_STREAM);
    event_base_loop(base, EVLOOP_ONCE);
    int b = connect_to(SOCK_STREAM);
    event_base_loop(base, EVLOOP_ONCE);
    size_t len = build_query(
        &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A}, buf + 2, 500);
    buf[0] = 0;
    buf[1] = (uint8_t)len;
    assert_int_equal(write(a, buf, len + 2), (ssize_t)len + 2);
    assert_true(await(a, buf, sizeof buf) > 0);
    int c = connect_to(SOCK_STREAM);
    assert_int_equal(await(b, buf, sizeof buf), 0);
    struct dnsfront_node_stats st = {.size = sizeof st};
    dnsfront_node_stats(node, &st);
    assert_int_equal(st.tcp_connections, 2);
    close(a);
    close(b);
    close(c);
}

/* One whose address is a name: that would be looked up, too. */
static void test_nothing_is_looked_up_for_a_node_that_is_gone(void **state)
{
    (void)state;
    uint8_t buf[512];
    struct dnsfront_instance named = instance("a", "other.node.consul", 80);
    hold = true;
    int fd = connect_to(SOCK_DGRAM);
    size_t len =
        build_query(&(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
                    buf, sizeof buf);
    assert_int_equal(write(fd, buf, len), (ssize_t)len);
    while (held_count == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    dnsfront_node_destroy(node);
    node = NULL;
    held_count = 0;
    supply(held[0], &named);
    assert_int_equal(held_count, 0);
    close(fd);
}

static int create_with(const struct dnsfront_node_config *cfg)
{
    struct dnsfront_node *n;
    const char *reason;
    int rc = dnsfront_node_create(cfg, &n, &reason);
    assert_int_equal(rc == DNSFRONT_OK, n != NULL);
    assert_int_equal(rc == DNSFRONT_OK, *reason == '\0');
    dnsfront_node_destroy(n);
    return rc;
}

static void test_settings_out_of_range_are_refused(void **state)
{
    (void)state;
    struct {
        struct dnsfront_node_config cfg;
        uint64_t later;
    } newer;
    struct dnsfront_node_config *cfg = &newer.cfg;
    dnsfront_node_config_init_sized(cfg, sizeof newer);
    cfg->base = base;
    cfg->port = 0;
    assert_int_equal(create_with(cfg), DNSFRONT_OK);
    newer.later = 1;
    assert_int_equal(create_with(cfg), DNSFRONT_EINVAL);
    cfg->size = sizeof *cfg;
    cfg->pending_max = 0;
    assert_int_equal(create_with(cfg), DNSFRONT_EINVAL);
    cfg->pending_max = 1;
    cfg->tcp_idle_ns = 0;
    assert_int_equal(create_with(cfg), DNSFRONT_EINVAL);
    cfg->tcp_idle_ns = 1;
    cfg->recursors.timeout_ns = 0;
    assert_int_equal(create_with(cfg), DNSFRONT_EINVAL);
    cfg->size = offsetof(struct dnsfront_node_config, recursors);
    assert_int_equal(create_with(cfg), DNSFRONT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_udp_question_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_takes_questions_in_pieces_and_in_a_row, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_tcp_questions_that_must_wait_do_not_keep_the_loop_busy,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_that_left_costs_nothing_but_its_lookup, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_client_that_ended_its_side_gets_what_it_asked_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_lookups_beyond_the_limit_are_dropped_not_queued, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_overlong_tcp_message_closes_the_connection, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_idlest_connection_makes_room_for_a_new_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_looked_up_for_a_node_that_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_settings_out_of_range_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
