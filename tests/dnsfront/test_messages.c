/* The message around a question: headers, EDNS, client subnets, and what strangers send. */
#include "front_kit.h"

/* What clients and strangers may send; none of it may be answered with data. */
static void test_malformed_queries_get_formerr_or_nothing(void **state)
{
    (void)state;
    uint8_t query[512], answer[2048];
    struct query_spec s = {
        .name = "web.service.consul.", .type = LDNS_RR_TYPE_A, .edns_size = 1232};
    size_t whole = build_query(&s, query, sizeof query);
    for (size_t len = 0; len < whole; len++) {
        struct dnsfront_request r = {.bytes = query, .len = len};
        struct dnsfront_query *q;
        int rc = dnsfront_query_begin(front, &r, &q);
        if (len < 12) {
            assert_int_equal(rc, DNSFRONT_EIGNORE);
            assert_null(q);
            continue;
        }
        size_t n;
        assert_int_equal(rc, DNSFRONT_OK);
        assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &n), DNSFRONT_OK);
        assert_int_equal(answer[3] & 15, LDNS_RCODE_FORMERR);
        dnsfront_query_end(q);
    }
    query[2] |= 0x80; /* an answer, not a question: answering it could loop */
    struct dnsfront_request r = {.bytes = query, .len = whole};
    struct dnsfront_query *q;
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_EIGNORE);
}

static void test_edns_version_1_is_badvers_and_z_bits_are_ignored(void **state)
{
    (void)state;
    uint8_t query[512], answer[2048];
    struct query_spec s = {
        .name = "0a010101.addr.consul.", .type = LDNS_RR_TYPE_A, .edns_size = 1232};
    size_t len = build_query(&s, query, sizeof query), n;
    query[3] |= 0x40; /* Z */
    struct dnsfront_request r = {.bytes = query, .len = len};
    struct dnsfront_query *q;
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
    assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &n), DNSFRONT_OK);
    dnsfront_query_end(q);
    assert_int_equal(answer[3] & 15, LDNS_RCODE_NOERROR);
    assert_int_equal(answer[7], 1);
    query[len - 5] = 1; /* version, in the TTL of the OPT record */
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
    assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &n), DNSFRONT_OK);
    dnsfront_query_end(q);
    ldns_pkt *p;
    assert_int_equal(ldns_wire2pkt(&p, answer, n), LDNS_STATUS_OK);
    /* RFC 6891 6.1.3 */
    assert_int_equal((unsigned)ldns_pkt_edns_extended_rcode(p) << 4 | ldns_pkt_get_rcode(p), 16u);
    ldns_pkt_free(p);
}

/* The answer to raw bytes, or NULL if there is none. */
static const uint8_t *answer_to(const uint8_t *bytes, size_t len, size_t *answer_len)
{
    static uint8_t answer[4096];
    struct dnsfront_request r = {.bytes = bytes, .len = len, .now_unix_s = 1700000000};
    struct dnsfront_query *q;
    if (dnsfront_query_begin(front, &r, &q) != DNSFRONT_OK) {
        return NULL;
    }
    assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, answer_len), DNSFRONT_OK);
    dnsfront_query_end(q);
    return answer;
}

static size_t addr_query(uint16_t edns_size, uint8_t *buf, size_t cap)
{
    struct query_spec s = {
        .name = "0a010101.addr.consul.", .type = LDNS_RR_TYPE_A, .edns_size = edns_size};
    return build_query(&s, buf, cap);
}

static void test_other_opcodes_are_not_implemented(void **state)
{
    (void)state;
    uint8_t query[512];
    size_t len = addr_query(0, query, sizeof query), n;
    for (unsigned opcode = 1; opcode < 16; opcode++) {
        query[2] = (uint8_t)(opcode << 3 | 1);
        const uint8_t *a = answer_to(query, len, &n);
        assert_non_null(a);
        assert_int_equal(n, 12);
        assert_int_equal(a[3] & 15, LDNS_RCODE_NOTIMPL);
        assert_int_equal(a[2] >> 3 & 15, opcode);
    }
}

static void test_cd_and_rd_go_back_ad_and_z_do_not(void **state)
{
    (void)state;
    uint8_t query[512];
    size_t len = addr_query(0, query, sizeof query), n;
    query[3] = 0x70; /* Z, AD, CD */
    const uint8_t *a = answer_to(query, len, &n);
    assert_int_equal(a[2], 0x85); /* QR, AA, RD */
    assert_int_equal(a[3], 0x10);
}

static void test_class_is_echoed(void **state)
{
    (void)state;
    uint8_t query[512];
    size_t len = addr_query(0, query, sizeof query), n;
    query[len - 1] = 3; /* CH */
    const uint8_t *a = answer_to(query, len, &n);
    assert_int_equal(a[3] & 15, LDNS_RCODE_NOERROR);
    assert_int_equal(a[len - 1], 3);
    assert_int_equal(a[7], 1);
}

static void test_question_counts_other_than_one_are_malformed(void **state)
{
    (void)state;
    uint8_t query[512];
    size_t len = addr_query(0, query, sizeof query), n;
    static const uint8_t counts[] = {0, 2, 255};
    for (size_t i = 0; i < sizeof counts; i++) {
        query[5] = counts[i];
        const uint8_t *a = answer_to(query, len, &n);
        assert_int_equal(a[3] & 15, LDNS_RCODE_FORMERR);
        assert_int_equal(n, 12);
    }
}

static void test_compressed_questions_are_malformed(void **state)
{
    (void)state;
    /* To itself, to the header, forwards. */
    static const uint8_t targets[] = {12, 0, 18};
    for (size_t i = 0; i < sizeof targets; i++) {
        uint8_t query[] = {0, 1,    1,          0, 0, 1, 0, 0, 0, 0, 0,
                           0, 0xc0, targets[i], 0, 1, 0, 1, 0, 0, 0, 0};
        size_t n;
        const uint8_t *a = answer_to(query, sizeof query, &n);
        assert_int_equal(a[3] & 15, LDNS_RCODE_FORMERR);
    }
}

/* A record of the query is looked at only if it is the OPT record, and where that belongs. */
static void test_records_of_the_query_do_not_matter(void **state)
{
    (void)state;
    static const uint8_t opt[] = {0, 0, 41, 2, 88, 0, 0, 0, 0, 0, 0};
    static const uint8_t a_record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 9, 9, 9};
    uint8_t query[512];
    size_t len = addr_query(0, query, sizeof query), n;
    memcpy(query + len, a_record, sizeof a_record);
    memcpy(query + len + sizeof a_record, opt, sizeof opt);
    size_t whole = len + sizeof a_record + sizeof opt;
    query[7] = 1;
    query[11] = 1;
    const uint8_t *a = answer_to(query, whole, &n);
    assert_int_equal(a[3] & 15, LDNS_RCODE_NOERROR);
    assert_int_equal(a[7], 1);
    assert_int_equal(a[11], 1); /* OPT */
    memcpy(query + len, opt, sizeof opt);
    query[11] = 0;
    a = answer_to(query, len + sizeof opt, &n);
    assert_int_equal(a[3] & 15, LDNS_RCODE_NOERROR);
    assert_int_equal(a[11], 0);
    query[11] = 2; /* two of them: RFC 6891 6.1.1 */
    query[7] = 0;
    memcpy(query + len + sizeof opt, opt, sizeof opt);
    a = answer_to(query, len + 2 * sizeof opt, &n);
    assert_int_equal(a[3] & 15, LDNS_RCODE_FORMERR);
}

static void test_unknown_options_are_ignored(void **state)
{
    (void)state;
    static const uint8_t options[] = {0xfd, 0xe9, 0, 3, 1, 2, 3, 0, 3, 0, 0};
    uint8_t query[512];
    size_t len = addr_query(1232, query, sizeof query), n;
    memcpy(query + len, options, sizeof options);
    query[len - 1] = sizeof options;
    query[len - 4] = 0x80; /* DO */
    const uint8_t *a = answer_to(query, len + sizeof options, &n);
    assert_int_equal(a[3] & 15, LDNS_RCODE_NOERROR);
    assert_int_equal(a[n - 1] + a[n - 2], 0); /* no options go back */
    assert_int_equal(a[n - 4], 0);            /* nor DO */
    query[len - 1]--;                         /* the last one is cut short */
    a = answer_to(query, len + sizeof options - 1, &n);
    assert_int_equal(a[3] & 15, LDNS_RCODE_FORMERR);
}

struct subnet_case {
    const char *body; /* hex of the option's body */
    const char *echo; /* of the answer's; NULL: FORMERR */
    const char *client;
};

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return n;
}

static void test_client_subnets_say_who_asks_and_go_back(void **state)
{
    (void)state;
    static const struct subnet_case cases[] = {
        {"000118000a0102", "000118180a0102", "10.1.2.0"},
        {"0002200020010db8", "0002202020010db8", "2001:db8::"},
        {"000110000a01ff", "000110100a01", "10.1.0.0"}, /* more than the prefix */
        {"000110000a", "000110100a00", "10.0.0.0"},     /* less */
        {"00010c000aff", "00010c0c0af0", "10.240.0.0"}, /* bits behind it */
        {"00010000", "00010000", "192.0.2.7"},          /* nothing: the client's own */
        {"00000000", "00000000", "192.0.2.7"},
        {"000121000a010203", NULL, NULL},
        {"0002810020010db820010db820010db820010db8", NULL, NULL},
        {"000310000a01", NULL, NULL},
        {"000118", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t query[512], echo[32], answer[4096];
        struct query_spec s = {
            .name = "q.query.consul.", .type = LDNS_RR_TYPE_A, .edns_size = 1232};
        size_t len = build_query(&s, query, sizeof query), n;
        size_t body = from_hex(cases[i].body, query + len + 4);
        const uint8_t head[4] = {0, 8, 0, (uint8_t)body};
        memcpy(query + len, head, sizeof head);
        query[len - 1] = (uint8_t)(4 + body);
        struct dnsfront_request r = {
            .bytes = query, .len = len + 4 + body, .client = text("192.0.2.7")};
        struct dnsfront_query *q;
        assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
        const struct dnsfront_lookup *l = dnsfront_query_lookup(q);
        if (cases[i].client) {
            assert_true(str_is(l->client, cases[i].client));
            struct dnsfront_instance web = instance("n1", "10.0.0.1", 80);
            supply_step(q, &(struct step){DNSFRONT_QUERY, .instances = &web, .count = 1});
        }
        assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &n), DNSFRONT_OK);
        dnsfront_query_end(q);
        if (!cases[i].echo) {
            assert_null(l);
            assert_int_equal(answer[3] & 15, LDNS_RCODE_FORMERR);
            continue;
        }
        size_t size = from_hex(cases[i].echo, echo);
        assert_memory_equal(answer + n - size, echo, size);
        assert_int_equal(answer[n - size - 1], size);
    }
}

static void test_subnet_scope_is_global_but_for_prepared_queries(void **state)
{
    (void)state;
    static const uint8_t option[] = {0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2};
    uint8_t query[512];
    size_t len = addr_query(1232, query, sizeof query), n;
    memcpy(query + len, option, sizeof option);
    query[len - 1] = sizeof option;
    const uint8_t *a = answer_to(query, len + sizeof option, &n);
    assert_memory_equal(a + n - 7, option + 4, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_queries_get_formerr_or_nothing),
        cmocka_unit_test(test_edns_version_1_is_badvers_and_z_bits_are_ignored),
        cmocka_unit_test(test_other_opcodes_are_not_implemented),
        cmocka_unit_test(test_cd_and_rd_go_back_ad_and_z_do_not),
        cmocka_unit_test(test_class_is_echoed),
        cmocka_unit_test(test_question_counts_other_than_one_are_malformed),
        cmocka_unit_test(test_compressed_questions_are_malformed),
        cmocka_unit_test(test_records_of_the_query_do_not_matter),
        cmocka_unit_test(test_unknown_options_are_ignored),
        cmocka_unit_test(test_client_subnets_say_who_asks_and_go_back),
        cmocka_unit_test(test_subnet_scope_is_global_but_for_prepared_queries),
    };
    return cmocka_run_group_tests_name("messages", tests, setup, teardown);
}
