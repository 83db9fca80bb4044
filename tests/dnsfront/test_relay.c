/* Questions that are passed on to other resolvers, and what comes back (dns.md 6, 7). */
#include "front_kit.h"

static const char *const one[] = {"www.example. 60 IN A 198.51.100.1"};

static struct query_spec asked = {.name = "WWW.example.", .type = LDNS_RR_TYPE_A};

static ldns_pkt *relay(const uint8_t *message, size_t len)
{
    struct step steps[] = {
        {DNSFRONT_FORWARD, "www.example", .message = message, .message_len = len}};
    return converse(front, &asked, steps, 1);
}

static void test_foreign_names_are_passed_on_and_back(void **state)
{
    (void)state;
    uint8_t reply[512];
    ldns_pkt *p = relay(reply, build_reply("www.example.", LDNS_RR_TYPE_A, 0, one, 1, reply, 512));
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_false(ldns_pkt_aa(p));
    assert_int_equal(ldns_pkt_ancount(p), 1);
    char *name = ldns_rdf2str(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(p), 0)));
    assert_string_equal(name, "WWW.example."); /* as the client spelled it */
    free(name);
    ldns_pkt_free(p);
    p = relay(reply, build_reply("www.example.", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN, NULL, 0,
                                 reply, 512));
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NXDOMAIN);
    ldns_pkt_free(p);
}

static void test_the_query_is_forwarded_unchanged(void **state)
{
    (void)state;
    uint8_t query[512], sent[512];
    struct query_spec s = {.name = "wWw.eXample.", .type = LDNS_RR_TYPE_TXT, .edns_size = 1400};
    struct dnsfront_request r = {
        .bytes = query, .len = build_query(&s, query, sizeof query), .tcp = true};
    memcpy(sent, query, r.len);
    struct dnsfront_query *q;
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
    memset(query, 0xff, sizeof query); /* borrowed until begin has returned */
    const struct dnsfront_lookup *l = dnsfront_query_lookup(q);
    assert_non_null(l);
    assert_int_equal(l->kind, DNSFRONT_FORWARD);
    assert_true(l->tcp);
    assert_int_equal(l->type, LDNS_RR_TYPE_TXT);
    assert_int_equal(l->message_len, r.len);
    assert_memory_equal(l->message, sent, r.len);
    dnsfront_query_end(q);
}

static void assert_servfail(ldns_pkt *p)
{
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
    assert_true(ldns_pkt_ra(p));
    assert_false(ldns_pkt_aa(p));
    assert_int_equal(ldns_pkt_ancount(p), 0);
    ldns_pkt_free(p);
}

static void test_failures_are_servfail_with_ra(void **state)
{
    (void)state;
    for (int status = DNSFRONT_FOUND; status <= DNSFRONT_FAILED; status++) {
        struct step steps[] = {{DNSFRONT_FORWARD, NULL, .status = (enum dnsfront_status)status}};
        assert_servfail(converse(front, &asked, steps, 1));
    }
}

static void test_answers_to_other_questions_are_not_passed_on(void **state)
{
    (void)state;
    uint8_t reply[512];
    assert_servfail(
        relay(reply, build_reply("ww2.example.", LDNS_RR_TYPE_A, 0, NULL, 0, reply, 512)));
    assert_servfail(
        relay(reply, build_reply("www.example.", LDNS_RR_TYPE_AAAA, 0, NULL, 0, reply, 512)));
    assert_servfail(relay(reply, build_reply("www.example.", LDNS_RR_TYPE_A, LDNS_RCODE_REFUSED,
                                             NULL, 0, reply, 512)));
    size_t len = build_reply("www.example.", LDNS_RR_TYPE_A, 0, NULL, 0, reply, 512);
    reply[2] &= 0x7f; /* a query */
    assert_servfail(relay(reply, len));
    reply[2] |= 0x80;
    reply[len - 1] = 3; /* class CH */
    assert_servfail(relay(reply, len));
}

static void test_malformed_answers_are_not_passed_on(void **state)
{
    (void)state;
    uint8_t reply[512];
    size_t whole = build_reply("www.example.", LDNS_RR_TYPE_A, 0, one, 1, reply, 512);
    for (size_t len = 0; len < whole; len++) {
        assert_servfail(relay(reply, len));
    }
    static const uint8_t targets[] = {0xff, 0x1d, 0x29}; /* ahead, at itself, behind the end */
    size_t owner = whole - 16;
    for (size_t i = 0; i < sizeof targets; i++) {
        uint8_t broken[512];
        memcpy(broken, reply, whole);
        broken[owner] = 0xc0;
        broken[owner + 1] = targets[i];
        assert_servfail(relay(broken, whole));
    }
}

static size_t build_long_reply(size_t n, bool edns, uint8_t *buf, size_t cap)
{
    char rows[100][64];
    const char *records[100];
    for (size_t i = 0; i < n; i++) {
        snprintf(rows[i], sizeof rows[i], "www.example. 60 IN A 198.51.100.%zu", i + 1);
        records[i] = rows[i];
    }
    size_t len = build_reply("www.example.", LDNS_RR_TYPE_A, 0, records, n, buf, cap);
    static const uint8_t opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0};
    if (edns) {
        memcpy(buf + len, opt, sizeof opt);
        buf[11] = 1;
        len += sizeof opt;
    }
    return len;
}

static void test_long_answers_are_cut_between_records_with_tc(void **state)
{
    (void)state;
    static uint8_t reply[8192], answer[65536];
    for (int edns = 0; edns < 2; edns++) {
        uint8_t query[512];
        struct query_spec s = asked;
        s.edns_size = edns ? 600 : 0;
        struct dnsfront_request r = {.bytes = query, .len = build_query(&s, query, sizeof query)};
        struct step step = {DNSFRONT_FORWARD, .message = reply,
                            .message_len = build_long_reply(100, edns, reply, sizeof reply)};
        size_t len = converse_bytes(front, &r, &step, 1, answer);
        size_t max = edns ? 600 : 512;
        assert_true(len <= max && len > max - 16);
        ldns_pkt *p;
        assert_int_equal(ldns_wire2pkt(&p, answer, len), LDNS_STATUS_OK);
        assert_true(ldns_pkt_tc(p));
        assert_int_equal(ldns_pkt_ancount(p), (len - 29 - (edns ? 11u : 0u)) / 16);
        assert_int_equal(ldns_pkt_edns_udp_size(p), edns ? 4096 : 0);
        ldns_pkt_free(p);
        r.tcp = true;
        len = converse_bytes(front, &r, &step, 1, answer);
        assert_int_equal(len, step.message_len);
    }
}

static void test_an_address_nobody_has_is_asked_for_elsewhere(void **state)
{
    (void)state;
    uint8_t reply[512];
    static const char *const ptr[] = {"1.2.0.192.in-addr.arpa. 60 IN PTR www.example."};
    struct step steps[] = {{DNSFRONT_REVERSE, "192.0.2.1", .status = DNSFRONT_NOT_FOUND},
                           {DNSFRONT_FORWARD, "1.2.0.192.in-addr.arpa", .message = reply,
                            .message_len = build_reply("1.2.0.192.in-addr.arpa.", LDNS_RR_TYPE_PTR,
                                                       0, ptr, 1, reply, 512)}};
    struct query_spec s = {.name = "1.2.0.192.in-addr.arpa.", .type = LDNS_RR_TYPE_PTR};
    ldns_pkt *p = converse(front, &s, steps, 2);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "PTR www.example.");
    ldns_pkt_free(p);
    /* A name that spells no address goes there at once. */
    s.name = "2.0.192.in-addr.arpa.";
    struct step fails[] = {{DNSFRONT_FORWARD, NULL, .status = DNSFRONT_FAILED}};
    assert_servfail(converse(front, &s, fails, 1));
}

static void test_names_of_more_pointers_than_labels_are_not_passed_on(void **state)
{
    (void)state;
    uint8_t reply[512];
    size_t len = build_reply("www.example.", LDNS_RR_TYPE_A, 0, NULL, 0, reply, 512);
    ldns_pkt *p = relay(reply, append_pointers(reply, len, 100));
    assert_int_equal(ldns_pkt_ancount(p), 2);
    ldns_pkt_free(p);
    assert_servfail(relay(reply, append_pointers(reply, len, 200)));
}

/* Where no OPT record belongs it is a record like others, and what follows is missed. */
static void test_a_stray_opt_record_does_not_hide_that_answers_are_missing(void **state)
{
    (void)state;
    static uint8_t reply[8192], answer[65536];
    static const uint8_t opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0};
    size_t len = build_long_reply(60, false, reply, sizeof reply);
    memmove(reply + 29 + sizeof opt, reply + 29, len - 29);
    memcpy(reply + 29, opt, sizeof opt);
    reply[7]++;
    uint8_t query[512];
    struct dnsfront_request r = {.bytes = query, .len = build_query(&asked, query, sizeof query)};
    struct step step = {DNSFRONT_FORWARD, .message = reply, .message_len = len + sizeof opt};
    converse_bytes(front, &r, &step, 1, answer);
    assert_true(answer[2] & 0x02); /* TC */
    assert_true(answer[7] > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_names_are_passed_on_and_back),
        cmocka_unit_test(test_the_query_is_forwarded_unchanged),
        cmocka_unit_test(test_failures_are_servfail_with_ra),
        cmocka_unit_test(test_answers_to_other_questions_are_not_passed_on),
        cmocka_unit_test(test_malformed_answers_are_not_passed_on),
        cmocka_unit_test(test_long_answers_are_cut_between_records_with_tc),
        cmocka_unit_test(test_an_address_nobody_has_is_asked_for_elsewhere),
        cmocka_unit_test(test_names_of_more_pointers_than_labels_are_not_passed_on),
        cmocka_unit_test(test_a_stray_opt_record_does_not_hide_that_answers_are_missing),
    };
    return cmocka_run_group_tests_name("relay", tests, setup_recursion, teardown);
}
