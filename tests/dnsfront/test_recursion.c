/* A node with recursors: what goes to them, what comes of it, and what a circle of resolvers
 * costs. */
#include "stub.h"

#include <muster/dnsfront_node.h>
#include <poll.h>

#define SHORT_NS (50 * MU_MSEC)
#define LONG_NS  (600 * MU_SEC)

static struct event_base *base;
static struct dnsfront_node *node, *other;
static struct stub stub;
static size_t finds;
static enum mu_level worst;

/* The catalog: every service is at a host name of somebody else's, nobody has an address. */
static void find(void *user, struct dnsfront_pending *p, const struct dnsfront_lookup *l)
{
    (void)user;
    struct dnsfront_instance i = instance("a", "www.example.org", 80);
    finds++;
    dnsfront_node_supply(p, &(struct dnsfront_found){.size = sizeof(struct dnsfront_found),
                                                     .status = l->kind == DNSFRONT_REVERSE
                                                                   ? DNSFRONT_NOT_FOUND
                                                                   : DNSFRONT_FOUND,
                                                     .instances = &i,
                                                     .count = l->kind != DNSFRONT_REVERSE});
}

static void on_log(void *user, enum mu_level level, const char *line)
{
    (void)user;
    (void)line;
    worst = level > worst ? level : worst;
}

static struct dnsfront_node *open_node(const char *recursor, uint64_t timeout_ns)
{
    struct mu_str address = text(recursor);
    struct dnsfront_config front;
    struct dnsfront_node_config cfg;
    struct dnsfront_node *n;
    dnsfront_config_init(&front);
    front.recursion = true;
    dnsfront_node_config_init(&cfg);
    cfg.base = base;
    cfg.port = 0;
    cfg.source.find = find;
    cfg.front = &front;
    cfg.log = on_log;
    cfg.recursors.addresses = &address;
    cfg.recursors.count = 1;
    cfg.recursors.timeout_ns = timeout_ns;
    assert_int_equal(dnsfront_node_create(&cfg, &n, NULL), DNSFRONT_OK);
    return n;
}

static void recurse_to(struct dnsfront_node *n, const char *address, uint64_t timeout_ns)
{
    struct mu_str list = text(address);
    assert_int_equal(
        dnsfront_node_set_recursors(n, &(struct dnsfront_recursors){.addresses = &list,
                                                                    .count = 1,
                                                                    .timeout_ns = timeout_ns,
                                                                    .queries_max = 8}),
        DNSFRONT_OK);
}

static const char *address_of(const struct dnsfront_node *n)
{
    static char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", dnsfront_node_port(n));
    return text;
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    finds = 0;
    worst = MU_TRACE;
    stub_open(&stub, base, "127.0.0.1", stub_noerror);
    node = open_node(stub.address, LONG_NS);
    other = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dnsfront_node_destroy(node);
    dnsfront_node_destroy(other);
    stub_close(&stub);
    event_base_free(base);
    return 0;
}

static int connect_to(const struct dnsfront_node *n, int type)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(dnsfront_node_port(n)),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void send_query(int fd, const char *name, uint16_t type, bool tcp)
{
    uint8_t buf[512];
    size_t len = build_query(&(struct query_spec){.name = name, .type = type}, buf + 2, 500);
    buf[0] = 0;
    buf[1] = (uint8_t)len;
    assert_int_equal(write(fd, buf + (tcp ? 0 : 2), len + (tcp ? 2 : 0)),
                     (ssize_t)(len + (tcp ? 2 : 0)));
}

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

static ldns_pkt *ask_node(const struct dnsfront_node *n, const char *name, uint16_t type, bool tcp)
{
    uint8_t buf[4096];
    int fd = connect_to(n, tcp ? SOCK_STREAM : SOCK_DGRAM);
    ldns_pkt *p;
    send_query(fd, name, type, tcp);
    size_t len = await(fd, buf, sizeof buf), skip = tcp ? 2 : 0;
    assert_true(len > skip);
    assert_int_equal(ldns_wire2pkt(&p, buf + skip, len - skip), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(p), 0x1234);
    close(fd);
    return p;
}

static struct dnsfront_node_stats stats_of(const struct dnsfront_node *n)
{
    struct dnsfront_node_stats s = {.size = sizeof s};
    dnsfront_node_stats(n, &s);
    return s;
}

/* ---- What goes to recursors ---- */

static void test_foreign_name_is_answered_over_the_clients_transport(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        ldns_pkt *p = ask_node(node, "www.Example.org.", LDNS_RR_TYPE_A, tcp);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
        assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 192.0.2.1");
        assert_true(ldns_pkt_ra(p));
        assert_false(ldns_pkt_aa(p));
        ldns_pkt_free(p);
    }
    assert_int_equal(stub.udp_queries, 1);
    assert_int_equal(stub.tcp_queries, 1);
    assert_int_equal(finds, 0);
}

static void test_address_that_nobody_has_is_asked_of_the_recursors(void **state)
{
    (void)state;
    ldns_pkt *p = ask_node(node, "1.2.0.192.in-addr.arpa.", LDNS_RR_TYPE_PTR, false);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_int_equal(finds, 1);
    assert_int_equal(stub.udp_queries, 1);
    ldns_pkt_free(p);
}

static void test_host_name_of_an_instance_is_resolved(void **state)
{
    (void)state;
    ldns_pkt *p = ask_node(node, "web.service.consul.", LDNS_RR_TYPE_A, true);
    assert_int_equal(ldns_pkt_ancount(p), 2);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "CNAME www.example.org.");
    assert_string_equal(record_text(ldns_pkt_answer(p), 1), "A 192.0.2.1");
    assert_int_equal(stub.udp_queries, 1); /* ours goes over UDP, whatever the client's */
    ldns_pkt_free(p);
}

static void refuse(struct stub_query *q)
{
    stub_answer(q, LDNS_RCODE_REFUSED);
}

static void test_without_an_answer_the_client_gets_servfail(void **state)
{
    (void)state;
    stub.act = refuse;
    static const char *const names[] = {"www.example.org.", "1.2.0.192.in-addr.arpa."};
    for (size_t i = 0; i < 2; i++) {
        ldns_pkt *p = ask_node(node, names[i], LDNS_RR_TYPE_PTR, false);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
        assert_true(ldns_pkt_ra(p));
        assert_false(ldns_pkt_aa(p));
        ldns_pkt_free(p);
    }
    /* An instance is still at its host name */
    ldns_pkt *p = ask_node(node, "web.service.consul.", LDNS_RR_TYPE_A, false);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    ldns_pkt_free(p);
}

static void test_other_recursors_are_asked_after_a_change(void **state)
{
    (void)state;
    struct stub second;
    stub_open(&second, base, "127.0.0.1", stub_noerror);
    recurse_to(node, second.address, LONG_NS);
    ldns_pkt_free(ask_node(node, "www.example.org.", LDNS_RR_TYPE_A, false));
    assert_int_equal(second.udp_queries, 1);
    assert_int_equal(stub.udp_queries, 0);
    struct mu_str bad = text("nowhere");
    assert_int_equal(dnsfront_node_set_recursors(
                         node,
                         &(struct dnsfront_recursors){
                             .addresses = &bad, .count = 1, .timeout_ns = 1, .queries_max = 1}),
                     DNSFRONT_EINVAL);
    ldns_pkt_free(ask_node(node, "www.example.org.", LDNS_RR_TYPE_A, false));
    assert_int_equal(second.udp_queries, 2);
    stub_close(&second);
}

/* ---- Who leaves ---- */

static void await_stub(size_t queries)
{
    while (stub.udp_queries + stub.tcp_queries < queries) {
        event_base_loop(base, EVLOOP_ONCE);
    }
}

static void test_client_that_left_leaves_nothing_behind(void **state)
{
    (void)state;
    stub.act = stub_silent;
    int fd = connect_to(node, SOCK_STREAM);
    send_query(fd, "www.example.org.", LDNS_RR_TYPE_A, true);
    await_stub(1);
    struct stub_query waiting = stub.last;
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    while (stats_of(node).tcp_connections > 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    stub_noerror(&waiting);
    while (stats_of(node).dropped == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    assert_int_equal(stats_of(node).answers, 0);
}

static void test_node_can_go_while_recursors_are_asked(void **state)
{
    (void)state;
    static const char *const names[] = {"a.example.org.", "b.example.org.", "web.service.consul.",
                                        "1.2.0.192.in-addr.arpa."};
    stub.act = stub_silent;
    int udp = connect_to(node, SOCK_DGRAM), tcp = connect_to(node, SOCK_STREAM);
    for (size_t i = 0; i < 4; i++) {
        send_query(udp, names[i], LDNS_RR_TYPE_PTR, false);
        send_query(tcp, names[i], LDNS_RR_TYPE_A, true);
    }
    await_stub(7); /* web and its A query are asked alike */
    size_t before = finds;
    dnsfront_node_destroy(node);
    node = NULL;
    assert_int_equal(finds, before);
    close(udp);
    close(tcp);
}

/* ---- Circles ---- */

static void test_node_never_asks_itself(void **state)
{
    (void)state;
    recurse_to(node, address_of(node), LONG_NS);
    assert_int_equal(worst, MU_WARN);
    ldns_pkt *p = ask_node(node, "www.example.org.", LDNS_RR_TYPE_A, false);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
    assert_int_equal(stats_of(node).forward_sent, 0);
    ldns_pkt_free(p);
}

static void test_two_nodes_that_ask_each_other_ask_once(void **state)
{
    (void)state;
    other = open_node(address_of(node), SHORT_NS);
    recurse_to(node, address_of(other), SHORT_NS);
    for (int tcp = 0; tcp < 2; tcp++) {
        ldns_pkt *p = ask_node(node, "www.example.org.", LDNS_RR_TYPE_A, tcp);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
        ldns_pkt_free(p);
        assert_int_equal(stats_of(node).forward_sent, tcp + 1);
        assert_int_equal(stats_of(other).forward_sent, tcp + 1);
        assert_int_equal(stats_of(node).forward_shared, tcp + 1);
    }
}

/* What resolvers on the way may do to a query: guard it by the case of its name, or ask with
 * another buffer size, flag or name, which makes a new query in every round. */
static struct dnsfront_node *behind;
static void pass_on(struct stub_query *q)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(dnsfront_node_port(behind)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (!(q->bytes[2] & 0x80)) {
        sendto(q->stub->udp, q->bytes, q->len, 0, (struct sockaddr *)&to, sizeof to);
    }
}

static void pass_on_in_another_case(struct stub_query *q)
{
    for (size_t i = 0; i < 8; i++) {
        bool upper = q->stub->udp_queries >> i & 1;
        q->bytes[13 + i] = (uint8_t)((q->bytes[13 + i] & ~0x20) | (upper ? 0 : 0x20));
    }
    pass_on(q);
}

static void pass_on_another_name(struct stub_query *q)
{
    q->bytes[13] = (uint8_t)('a' + q->stub->udp_queries);
    pass_on(q);
}

static void test_circle_is_closed_at_once_whatever_the_case(void **state)
{
    (void)state;
    behind = node;
    stub.act = pass_on_in_another_case;
    recurse_to(node, stub.address, SHORT_NS);
    ldns_pkt *p = ask_node(node, "abcdefgh.example.org.", LDNS_RR_TYPE_A, false);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
    assert_int_equal(stats_of(node).forward_sent, 1);
    assert_int_equal(stats_of(node).forward_shared, 1);
    ldns_pkt_free(p);
}

static void test_circle_with_new_queries_each_time_is_bounded(void **state)
{
    (void)state;
    behind = node;
    stub.act = pass_on_another_name;
    recurse_to(node, stub.address, SHORT_NS);
    ldns_pkt *p = ask_node(node, "abcdefgh.example.org.", LDNS_RR_TYPE_A, false);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
    assert_int_equal(stats_of(node).forward_sent, 8); /* queries_max */
    assert_int_equal(stats_of(node).forward_refused, 1);
    ldns_pkt_free(p);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_foreign_name_is_answered_over_the_clients_transport),
        T(test_address_that_nobody_has_is_asked_of_the_recursors),
        T(test_host_name_of_an_instance_is_resolved),
        T(test_without_an_answer_the_client_gets_servfail),
        T(test_other_recursors_are_asked_after_a_change),
        T(test_client_that_left_leaves_nothing_behind),
        T(test_node_can_go_while_recursors_are_asked),
        T(test_node_never_asks_itself),
        T(test_two_nodes_that_ask_each_other_ask_once),
        T(test_circle_is_closed_at_once_whatever_the_case),
        T(test_circle_with_new_queries_each_time_is_bounded),
    };
    return cmocka_run_group_tests_name("recursion", tests, NULL, NULL);
}
