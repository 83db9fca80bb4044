/* Recursors: who is asked, what counts as an answer, and what strangers can do. The resolvers are
 * stubs on the test's own loop. A timeout that a test waits for is short, any other one so long
 * that a wait for it would show as a test that hangs. */
#include "stub.h"

#include "forward.h"

#define SHORT_NS (30 * MU_MSEC)
#define LONG_NS  (600 * MU_SEC)

static struct event_base *base;
static struct dnsfront_node_stats stats;
static struct forwarder *f;
static struct stub one, two;
static uint8_t query[512];
static size_t query_len;

/* What the last dnsfront__forward gave */
static struct {
    size_t calls, failures, len;
    uint8_t reply[MESSAGE_MAX];
} got;

static void done(void *arg, const uint8_t *reply, size_t len)
{
    (void)arg;
    got.calls++;
    got.failures += !reply;
    got.len = reply ? len : 0;
    if (reply) {
        memcpy(got.reply, reply, len);
    }
}

static struct recursors *recursors_of(const char *const *addresses, size_t count, bool random,
                                      uint64_t timeout_ns)
{
    struct mu_str list[8];
    for (size_t i = 0; i < count; i++) {
        list[i] = text(addresses[i]);
    }
    struct dnsfront_recursors from = {.addresses = list,
                                      .count = count,
                                      .random = random,
                                      .timeout_ns = timeout_ns,
                                      .queries_max = 16};
    struct sockaddr_storage nowhere = {.ss_family = AF_INET};
    struct recursors *r;
    size_t selves;
    assert_int_equal(dnsfront__recursors_create(&from, &nowhere, &r, &selves), DNSFRONT_OK);
    return r;
}

static void use(const char *const *addresses, size_t count, bool random, uint64_t timeout_ns)
{
    struct recursors *r = recursors_of(addresses, count, random, timeout_ns);
    if (f) {
        dnsfront__forwarder_set(f, r);
    } else {
        f = dnsfront__forwarder_create(base, r, &stats);
    }
    dnsfront__recursors_release(r);
    assert_non_null(f);
}

/* Both stubs in order, with these manners. */
static void use_both(stub_fn first, stub_fn second, uint64_t timeout_ns)
{
    one.act = first;
    two.act = second;
    use((const char *[]){one.address, two.address}, 2, false, timeout_ns);
}

static void start(enum forward_mode mode)
{
    dnsfront__forward(f, mode, query, query_len, done, NULL);
}

static void run(size_t calls)
{
    while (got.calls < calls) {
        event_base_loop(base, EVLOOP_ONCE);
    }
}

/* Asks and waits; the reply's code, -1 for none. */
static int ask_now(enum forward_mode mode)
{
    size_t calls = got.calls;
    start(mode);
    run(calls + 1);
    return got.len ? got.reply[3] & 15 : -1;
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    memset(&stats, 0, sizeof stats);
    memset(&got, 0, sizeof got);
    stub_open(&one, base, "127.0.0.1", stub_noerror);
    stub_open(&two, base, "127.0.0.1", stub_noerror);
    query_len = build_query(
        &(struct query_spec){.name = "Www.Example.org.", .type = LDNS_RR_TYPE_A, .edns_size = 1232},
        query, sizeof query);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dnsfront__forwarder_destroy(f);
    f = NULL;
    stub_close(&one);
    stub_close(&two);
    event_base_free(base);
    return 0;
}

/* ---- Whom ---- */

static void servfail(struct stub_query *q)
{
    stub_answer(q, LDNS_RCODE_SERVFAIL);
}
static void refused(struct stub_query *q)
{
    stub_answer(q, LDNS_RCODE_REFUSED);
}
static void nxdomain(struct stub_query *q)
{
    stub_answer(q, LDNS_RCODE_NXDOMAIN);
}
static void formerr_without_question(struct stub_query *q)
{
    uint8_t head[12] = {q->bytes[0], q->bytes[1], 0x80, LDNS_RCODE_FORMERR};
    stub_send(q, head, sizeof head);
}

static void test_first_recursor_that_answers_is_the_only_one_asked(void **state)
{
    (void)state;
    use_both(stub_noerror, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(one.udp_queries, 1);
    assert_int_equal(two.udp_queries, 0);
}

static void test_query_goes_unchanged_but_for_its_id(void **state)
{
    (void)state;
    use_both(stub_noerror, stub_noerror, LONG_NS);
    query[3] |= 0x10; /* CD */
    ask_now(FORWARD_UDP);
    assert_int_equal(one.last.len, query_len);
    assert_memory_equal(one.last.bytes + 2, query + 2, query_len - 2);
    ask_now(FORWARD_TCP);
    assert_int_equal(one.tcp_queries, 1);
    assert_int_equal(one.last.len, query_len);
    assert_memory_equal(one.last.bytes + 2, query + 2, query_len - 2);
}

static void test_refusals_go_on_to_the_next_and_nxdomain_does_not(void **state)
{
    (void)state;
    static const struct {
        stub_fn first;
        bool goes_on;
    } cases[] = {{servfail, true},
                 {refused, true},
                 {formerr_without_question, true},
                 {nxdomain, false},
                 {stub_noerror, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int tcp = 0; tcp < 2; tcp++) {
            use_both(cases[i].first, stub_noerror, LONG_NS);
            two.udp_queries = two.tcp_queries = 0;
            int rcode = ask_now(tcp ? FORWARD_TCP : FORWARD_UDP);
            assert_int_equal(two.udp_queries + two.tcp_queries, cases[i].goes_on);
            assert_int_equal(rcode,
                             cases[i].first == nxdomain ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_NOERROR);
        }
    }
}

static void test_silence_goes_on_to_the_next_after_the_timeout(void **state)
{
    (void)state;
    use_both(stub_silent, stub_noerror, SHORT_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
    assert_int_equal(ask_now(FORWARD_RESOLVE), LDNS_RCODE_NOERROR);
    assert_int_equal(stats.forward_timeouts, 3);
    assert_int_equal(two.udp_queries, 2);
    assert_int_equal(two.tcp_queries, 1);
}

static void test_recursor_that_is_not_there_costs_no_wait(void **state)
{
    (void)state;
    struct stub gone;
    stub_open(&gone, base, "127.0.0.1", stub_silent);
    stub_close(&gone);
    use((const char *[]){gone.address, two.address}, 2, false, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
}

static void test_without_any_answer_the_lookup_has_failed(void **state)
{
    (void)state;
    use_both(servfail, refused, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), -1);
    assert_int_equal(ask_now(FORWARD_TCP), -1);
    assert_int_equal(ask_now(FORWARD_RESOLVE), -1);
    assert_int_equal(stats.forward_failed, 3);
    use_both(stub_silent, stub_silent, SHORT_NS);
    assert_int_equal(ask_now(FORWARD_UDP), -1);
}

static void test_random_order_begins_with_either(void **state)
{
    (void)state;
    use((const char *[]){one.address, two.address}, 2, true, LONG_NS);
    for (int i = 0; i < 64; i++) {
        ask_now(FORWARD_UDP);
    }
    assert_true(one.udp_queries > 0 && two.udp_queries > 0); /* else 1 in 2^63 */
    assert_int_equal(one.udp_queries + two.udp_queries, 64);
}

static void test_ipv6_recursor_is_asked(void **state)
{
    (void)state;
    struct stub six;
    stub_open(&six, base, "::1", stub_noerror);
    use((const char *[]){six.address}, 1, false, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
    assert_int_equal(six.udp_queries + six.tcp_queries, 2);
    stub_close(&six);
}

static void test_other_recursors_hold_for_what_is_asked_later(void **state)
{
    (void)state;
    use((const char *[]){one.address}, 1, false, LONG_NS);
    one.act = stub_silent;
    start(FORWARD_UDP);
    while (one.udp_queries == 0) {
        event_base_loop(base, EVLOOP_ONCE);
    }
    struct stub_query waiting = one.last;
    use((const char *[]){two.address}, 1, false, LONG_NS);
    query[3] |= 0x10; /* another query */
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(two.udp_queries, 1);
    stub_noerror(&waiting);
    run(2);
    assert_int_equal(got.failures, 0);
}

/* ---- Strangers ---- */

static void forge_then_answer(struct stub_query *q)
{
    uint8_t buf[600], bad[600];
    size_t len = stub_reply(q, LDNS_RCODE_NOERROR, buf);
    memcpy(bad, buf, len);
    bad[len - 1] = 66; /* another address: what a forger wants us to believe */
    bad[1] ^= 1;
    stub_send(q, bad, len); /* another ID */
    bad[3] |= LDNS_RCODE_SERVFAIL;
    stub_send(q, bad, len);
    bad[1] ^= 1;
    bad[3] &= 0xf0;
    bad[13] ^= 1; /* another name */
    stub_send(q, bad, len);
    bad[3] |= LDNS_RCODE_SERVFAIL;
    stub_send(q, bad, len);
    bad[3] &= 0xf0;
    bad[13] ^= 1;
    bad[2] &= 0x7f; /* a query */
    stub_send(q, bad, len);
    bad[2] |= 0x80;
    bad[5] = 0; /* no question */
    stub_send(q, bad, len);
    stub_send(q, bad, 11);
    stub_send(q, "x", 1);
    stub_send(q, buf, len);
}

static void test_wrong_replies_neither_answer_nor_end_the_wait(void **state)
{
    (void)state;
    use_both(forge_then_answer, stub_noerror, LONG_NS);
    for (int tcp = 0; tcp < 2; tcp++) {
        assert_int_equal(ask_now(tcp ? FORWARD_TCP : FORWARD_UDP), LDNS_RCODE_NOERROR);
        assert_int_equal(got.reply[got.len - 1], 1);
    }
    assert_int_equal(two.udp_queries + two.tcp_queries, 0);
    assert_int_equal(stats.forward_strangers, 16);
}

static void answer_from_elsewhere_then_answer(struct stub_query *q)
{
    uint8_t buf[600];
    size_t len = stub_reply(q, LDNS_RCODE_NOERROR, buf);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    buf[len - 1] = 66;
    sendto(fd, buf, len, 0, (struct sockaddr *)&q->peer, q->peer_len);
    close(fd);
    stub_noerror(q);
}

static void test_right_reply_from_another_source_is_not_heard(void **state)
{
    (void)state;
    use_both(answer_from_elsewhere_then_answer, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(got.reply[got.len - 1], 1);
}

static void flood_of_ids(struct stub_query *q)
{
    uint8_t buf[600];
    size_t len = stub_reply(q, LDNS_RCODE_NOERROR, buf);
    buf[len - 1] = 66;
    for (int i = 0; i < 40 && !q->stream; i++) {
        buf[1]++;
        stub_send(q, buf, len);
    }
    if (q->stream) {
        stub_noerror(q);
    }
}

static void test_many_wrong_replies_move_the_query_to_tcp(void **state)
{
    (void)state;
    use_both(flood_of_ids, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(got.reply[got.len - 1], 1);
    assert_int_equal(one.tcp_queries, 1);
    assert_int_equal(two.udp_queries + two.tcp_queries, 0);
}

static void test_ids_and_ports_are_not_a_sequence(void **state)
{
    (void)state;
    enum { TRIES = 64 };
    size_t id_steps = 0, port_steps = 0;
    int last_id = 0, last_port = 0;
    use_both(stub_noerror, stub_noerror, LONG_NS);
    for (int i = 0; i < TRIES; i++) {
        struct sockaddr_in peer;
        ask_now(FORWARD_UDP);
        memcpy(&peer, &one.last.peer, sizeof peer);
        int id = one.last.bytes[0] << 8 | one.last.bytes[1], port = ntohs(peer.sin_port);
        id_steps += i > 0 && abs(id - last_id) <= 16;
        port_steps += i > 0 && abs(port - last_port) <= 4;
        last_id = id;
        last_port = port;
    }
    assert_true(id_steps < TRIES / 4); /* expected: one in 2000 */
    assert_true(port_steps < TRIES / 4);
}

static void test_case_of_the_question_may_change_on_the_way(void **state)
{
    (void)state;
    struct stub_query q = {.len = query_len};
    uint8_t buf[600];
    memcpy(q.bytes, query, query_len);
    size_t len = stub_reply(&q, LDNS_RCODE_NOERROR, buf);
    buf[13] = 'w';
    buf[14] = 'W';
    assert_int_equal(dnsfront__reply_check(query, query_len, buf, len), REPLY_ACCEPTED);
    buf[13] = 'w' & 0x1f; /* differs from 'W' in more than its case */
    assert_int_equal(dnsfront__reply_check(query, query_len, buf, len), REPLY_STRANGER);
}

/* ---- Replies that are none ---- */

static void half(struct stub_query *q)
{
    uint8_t buf[600];
    stub_send(q, buf, stub_reply(q, LDNS_RCODE_NOERROR, buf) - 3);
}
static void closes(struct stub_query *q)
{
    stub_hang_up(q);
}
static void half_and_closes(struct stub_query *q)
{
    uint8_t buf[602] = {0, 200};
    stub_reply(q, LDNS_RCODE_NOERROR, buf + 2);
    assert_int_equal(write(bufferevent_getfd(q->stream), buf, 20), 20);
    stub_hang_up(q);
}

static void test_garbage_half_and_closed_go_on_to_the_next(void **state)
{
    (void)state;
    use_both(half, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
    use_both(closes, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
    use_both(half_and_closes, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
    assert_int_equal(two.tcp_queries, 3);
    assert_int_equal(two.udp_queries, 1);
}

static void test_reply_cut_anywhere_is_a_stranger_or_a_failure(void **state)
{
    (void)state;
    struct stub_query q = {.len = query_len};
    uint8_t buf[600];
    memcpy(q.bytes, query, query_len);
    size_t len = stub_reply(&q, LDNS_RCODE_NOERROR, buf), question = len - 16;
    assert_int_equal(dnsfront__reply_check(query, query_len, buf, len), REPLY_ACCEPTED);
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(dnsfront__reply_check(query, query_len, buf, n),
                         n < question ? REPLY_STRANGER : REPLY_FAILED);
    }
}

static void test_names_that_point_forward_or_at_themselves_are_garbage(void **state)
{
    (void)state;
    struct stub_query q = {.len = query_len};
    uint8_t buf[600];
    memcpy(q.bytes, query, query_len);
    size_t len = stub_reply(&q, LDNS_RCODE_NOERROR, buf), record = len - 16;
    const size_t targets[] = {record, record + 1, record + 2, 0, 11, 0x3fff};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        buf[record] = (uint8_t)(0xc0 | targets[i] >> 8);
        buf[record + 1] = (uint8_t)targets[i];
        assert_int_equal(dnsfront__reply_check(query, query_len, buf, len), REPLY_FAILED);
    }
}

static void test_names_of_more_pointers_than_labels_are_garbage(void **state)
{
    (void)state;
    struct stub_query q = {.len = query_len};
    uint8_t buf[600];
    memcpy(q.bytes, query, query_len);
    size_t len = stub_reply(&q, LDNS_RCODE_NXDOMAIN, buf);
    assert_int_equal(dnsfront__reply_check(query, query_len, buf, append_pointers(buf, len, 100)),
                     REPLY_ACCEPTED);
    assert_int_equal(dnsfront__reply_check(query, query_len, buf, append_pointers(buf, len, 200)),
                     REPLY_FAILED);
}

/* ---- Size and transport ---- */

static void truncated(struct stub_query *q)
{
    uint8_t buf[600];
    size_t len = stub_reply(q, LDNS_RCODE_NOERROR, buf);
    buf[2] |= q->stream ? 0 : 2; /* TC */
    stub_send(q, buf, len);
}
static void truncated_in_a_record(struct stub_query *q)
{
    uint8_t buf[600];
    size_t len = stub_reply(q, LDNS_RCODE_NOERROR, buf);
    buf[2] |= 2;
    stub_send(q, buf, len - 3);
}
static void truncated_without_tcp(struct stub_query *q)
{
    (q->stream ? stub_hang_up : truncated)(q);
}

static void test_truncated_reply_is_passed_on_to_a_client_of_udp(void **state)
{
    (void)state;
    use_both(truncated, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_true(got.reply[2] & 2);
    assert_int_equal(one.tcp_queries + two.udp_queries, 0);
}

static void test_reply_truncated_in_a_record_keeps_its_question_alone(void **state)
{
    (void)state;
    use_both(truncated_in_a_record, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    ldns_pkt *p;
    assert_int_equal(ldns_wire2pkt(&p, got.reply, got.len), LDNS_STATUS_OK);
    assert_true(ldns_pkt_tc(p));
    assert_int_equal(ldns_pkt_qdcount(p), 1);
    assert_int_equal(ldns_pkt_ancount(p), 0);
    ldns_pkt_free(p);
}

static void test_query_of_our_own_asks_again_over_tcp_when_truncated(void **state)
{
    (void)state;
    use_both(truncated, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_RESOLVE), LDNS_RCODE_NOERROR);
    assert_false(got.reply[2] & 2);
    assert_int_equal(one.udp_queries, 1);
    assert_int_equal(one.tcp_queries, 1);
}

static void test_truncated_reply_is_taken_where_there_is_no_tcp(void **state)
{
    (void)state;
    use_both(truncated_without_tcp, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_RESOLVE), LDNS_RCODE_NOERROR);
    assert_true(got.reply[2] & 2);
    assert_int_equal(two.udp_queries + two.tcp_queries, 0);
}

/* As large as a message can be: the rest is one record of an unknown type. */
static void huge(struct stub_query *q)
{
    static uint8_t buf[STUB_BYTES];
    size_t len = stub_reply(q, LDNS_RCODE_NOERROR, buf), size = q->stream ? STUB_BYTES : 60000;
    static const uint8_t head[] = {0xc0, 12, 0xff, 0x10, 0, 1, 0, 0, 0, 0};
    buf[7] = 2;
    memcpy(buf + len, head, sizeof head);
    size_t body = size - len - 12;
    buf[len + 10] = (uint8_t)(body >> 8);
    buf[len + 11] = (uint8_t)body;
    stub_send(q, buf, size);
}

static void test_huge_replies_arrive_whole(void **state)
{
    (void)state;
    use_both(huge, stub_noerror, LONG_NS);
    assert_int_equal(ask_now(FORWARD_TCP), LDNS_RCODE_NOERROR);
    assert_int_equal(got.len, STUB_BYTES);
    assert_int_equal(ask_now(FORWARD_UDP), LDNS_RCODE_NOERROR);
    assert_int_equal(got.len, 60000);
}

/* ---- Many ---- */

static void test_equal_queries_under_way_are_sent_once(void **state)
{
    (void)state;
    use_both(stub_noerror, stub_noerror, LONG_NS);
    for (int i = 0; i < 5; i++) {
        query[1] = (uint8_t)i;     /* the client's ID does not count */
        query[13 + i % 3] ^= 0x20; /* nor its case */
        start(FORWARD_UDP);
    }
    query[2] ^= 1; /* RD does */
    start(FORWARD_UDP);
    query[2] ^= 1;
    start(FORWARD_TCP);
    start(FORWARD_RESOLVE);
    run(8);
    assert_int_equal(got.failures, 0);
    assert_int_equal(one.udp_queries, 3);
    assert_int_equal(one.tcp_queries, 1);
    assert_int_equal(stats.forward_shared, 4);
    start(FORWARD_UDP); /* and what is over is not shared */
    run(9);
    assert_int_equal(one.udp_queries, 4);
}

static void test_query_that_is_none_or_too_long_is_not_sent(void **state)
{
    (void)state;
    uint8_t long_one[FORWARD_QUERY_MAX + 1] = {0};
    use_both(stub_noerror, stub_noerror, LONG_NS);
    memcpy(long_one, query, query_len);
    dnsfront__forward(f, FORWARD_UDP, long_one, sizeof long_one, done, NULL);
    dnsfront__forward(f, FORWARD_UDP, query, 14, done, NULL);
    assert_int_equal(got.failures, 2);
    assert_int_equal(stats.forward_sent, 0);
}

static void test_queries_beyond_the_limit_fail_at_once(void **state)
{
    (void)state;
    use_both(stub_silent, stub_silent, LONG_NS);
    for (int i = 0; i < 20; i++) {
        query[13] = (uint8_t)('a' + i);
        start(FORWARD_UDP);
    }
    assert_int_equal(got.calls, 4);
    assert_int_equal(got.failures, 4);
    assert_int_equal(stats.forward_refused, 4);
    query[13] = 'a';
    start(FORWARD_UDP); /* an equal one needs no socket */
    assert_int_equal(got.calls, 4);
    assert_int_equal(stats.forward_sent, 16);
}

static void again(void *arg, const uint8_t *reply, size_t len)
{
    done(arg, reply, len);
    start(FORWARD_UDP);
}

static void test_destroy_fails_what_is_under_way_and_what_that_begins(void **state)
{
    (void)state;
    use_both(stub_silent, stub_silent, LONG_NS);
    dnsfront__forward(f, FORWARD_UDP, query, query_len, again, NULL);
    start(FORWARD_TCP);
    start(FORWARD_RESOLVE);
    dnsfront__forwarder_destroy(f);
    f = NULL;
    assert_int_equal(got.calls, 4);
    assert_int_equal(got.failures, 4);
}

/* ---- Addresses and names ---- */

static void test_addresses_are_read_in_every_form_and_once(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.1",         "192.0.2.1:53",  "192.0.2.1:5353",
                                       "2001:db8::1",       "[2001:db8::1]", "[2001:db8::1]:53",
                                       "[2001:db8::1]:5353"};
    struct recursors *r = recursors_of(good, 7, false, LONG_NS);
    assert_int_equal(r->count, 4);
    dnsfront__recursors_release(r);
    static const char *const bad[] = {
        "",        "localhost", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
        "192.0.2", "[::1",      "::1]:53"};
    struct sockaddr_storage nowhere = {.ss_family = AF_INET};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mu_str address = text(bad[i]);
        struct dnsfront_recursors from = {
            .addresses = &address, .count = 1, .timeout_ns = 1, .queries_max = 1};
        size_t selves;
        assert_int_equal(dnsfront__recursors_create(&from, &nowhere, &r, &selves), DNSFRONT_EINVAL);
        assert_null(r);
    }
}

static size_t selves_among(const char *address, const char *bound, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_storage s = {0};
    struct mu_str list = text(address);
    struct dnsfront_recursors from = {
        .addresses = &list, .count = 1, .timeout_ns = 1, .queries_max = 1};
    struct recursors *r;
    size_t selves;
    inet_pton(AF_INET, bound, &at.sin_addr);
    memcpy(&s, &at, sizeof at);
    assert_int_equal(dnsfront__recursors_create(&from, &s, &r, &selves), DNSFRONT_OK);
    assert_int_equal(r->count + selves, 1);
    dnsfront__recursors_release(r);
    return selves;
}

static void test_own_address_is_no_recursor(void **state)
{
    (void)state;
    assert_int_equal(selves_among("127.0.0.5:8600", "127.0.0.5", 8600), 1);
    assert_int_equal(selves_among("127.0.0.5:8601", "127.0.0.5", 8600), 0);
    assert_int_equal(selves_among("127.0.0.6:8600", "127.0.0.5", 8600), 0);
    assert_int_equal(selves_among("127.0.0.6:8600", "0.0.0.0", 8600), 1); /* the wildcard's, too */
    assert_int_equal(selves_among("192.0.2.1:8600", "0.0.0.0", 8600), 0);
}

static void test_drawn_numbers_cover_their_range(void **state)
{
    (void)state;
    struct draw d = {.left = 0};
    size_t seen[5] = {0}, high = 0;
    for (int i = 0; i < 5000; i++) {
        seen[dnsfront__draw_below(&d, 5)]++;
        high += dnsfront__draw(&d) >> 15;
    }
    for (size_t i = 0; i < 5; i++) {
        assert_in_range(seen[i], 800, 1200); /* seven standard deviations */
    }
    assert_in_range(high, 2250, 2750);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_first_recursor_that_answers_is_the_only_one_asked),
        T(test_query_goes_unchanged_but_for_its_id),
        T(test_refusals_go_on_to_the_next_and_nxdomain_does_not),
        T(test_silence_goes_on_to_the_next_after_the_timeout),
        T(test_recursor_that_is_not_there_costs_no_wait),
        T(test_without_any_answer_the_lookup_has_failed),
        T(test_random_order_begins_with_either),
        T(test_ipv6_recursor_is_asked),
        T(test_other_recursors_hold_for_what_is_asked_later),
        T(test_wrong_replies_neither_answer_nor_end_the_wait),
        T(test_right_reply_from_another_source_is_not_heard),
        T(test_many_wrong_replies_move_the_query_to_tcp),
        T(test_ids_and_ports_are_not_a_sequence),
        T(test_case_of_the_question_may_change_on_the_way),
        T(test_garbage_half_and_closed_go_on_to_the_next),
        T(test_reply_cut_anywhere_is_a_stranger_or_a_failure),
        T(test_names_that_point_forward_or_at_themselves_are_garbage),
        T(test_names_of_more_pointers_than_labels_are_garbage),
        T(test_truncated_reply_is_passed_on_to_a_client_of_udp),
        T(test_reply_truncated_in_a_record_keeps_its_question_alone),
        T(test_query_of_our_own_asks_again_over_tcp_when_truncated),
        T(test_truncated_reply_is_taken_where_there_is_no_tcp),
        T(test_huge_replies_arrive_whole),
        T(test_equal_queries_under_way_are_sent_once),
        T(test_query_that_is_none_or_too_long_is_not_sent),
        T(test_queries_beyond_the_limit_fail_at_once),
        T(test_destroy_fails_what_is_under_way_and_what_that_begins),
        T(test_addresses_are_read_in_every_form_and_once),
        T(test_own_address_is_no_recursor),
        T(test_drawn_numbers_cover_their_range),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
