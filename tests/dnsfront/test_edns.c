/* EDNS and what DNS flag day asks of servers (RFC 6891), byte by byte: messages are written by hand
 * here, because most of them no library would send. */
#include "dns_kit.h"

#include <stdlib.h>

#define INSTANCES 60u

struct bytes {
    uint8_t data[2048];
    size_t len;
};

struct reply {
    ldns_pkt *pkt;
    size_t size;
    unsigned rcode; /* with EDNS's upper bits */
};

static struct dnsfront *front;
static struct dnsfront_instance instances[INSTANCES];
static char addresses[INSTANCES][16];

static int setup(void **state)
{
    (void)state;
    struct dnsfront_config cfg;
    dnsfront_config_init(&cfg);
    for (size_t i = 0; i < INSTANCES; i++) {
        snprintf(addresses[i], sizeof addresses[i], "10.0.0.%zu", i);
        instances[i] = instance("n", addresses[i], (uint16_t)(80 + i));
    }
    return dnsfront_create(&cfg, &front);
}

static int teardown(void **state)
{
    (void)state;
    dnsfront_destroy(front);
    return 0;
}

/* ---- Messages ---- */

static void add(struct bytes *b, const void *p, size_t n)
{
    assert_true(b->len + n <= sizeof b->data);
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

static void add16(struct bytes *b, unsigned v)
{
    add(b, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static struct bytes header(unsigned flags, unsigned questions, unsigned additional)
{
    struct bytes b = {.len = 0};
    add16(&b, 0x1234);
    add16(&b, flags);
    add16(&b, questions);
    add16(&b, 0);
    add16(&b, 0);
    add16(&b, additional);
    return b;
}

static void add_question(struct bytes *b, unsigned type)
{
    static const uint8_t name[] = "\003web\007service\006consul";
    add(b, name, sizeof name);
    add16(b, type);
    add16(b, 1);
}

static void add_opt(struct bytes *b, unsigned size, unsigned version, unsigned z,
                    const struct bytes *options)
{
    add(b, "", 1);
    add16(b, LDNS_RR_TYPE_OPT);
    add16(b, size);
    add16(b, version);
    add16(b, z);
    add16(b, options ? (unsigned)options->len : 0);
    if (options) {
        add(b, options->data, options->len);
    }
}

static void add_option(struct bytes *b, unsigned code, const void *body, size_t len)
{
    add16(b, code);
    add16(b, (unsigned)len);
    add(b, body, len);
}

static struct bytes query_with(unsigned type, unsigned size, unsigned version, unsigned z,
                               const struct bytes *options)
{
    struct bytes b = header(0x100, 1, 1);
    add_question(&b, type);
    add_opt(&b, size, version, z, options);
    return b;
}

static struct reply ask_bytes(const struct bytes *b, size_t count, bool tcp)
{
    static uint8_t answer[65537];
    struct dnsfront_request r = {
        .bytes = b->data, .len = b->len, .tcp = tcp, .now_unix_s = 1700000000, .random = 7};
    struct dnsfront_query *q;
    struct reply reply = {0};
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
    while (dnsfront_query_lookup(q)) {
        dnsfront_query_supply(q, &(struct dnsfront_found){.size = sizeof(struct dnsfront_found),
                                                          .instances = instances,
                                                          .count = count});
    }
    assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &reply.size), DNSFRONT_OK);
    dnsfront_query_end(q);
    assert_int_equal(ldns_wire2pkt(&reply.pkt, answer, reply.size), LDNS_STATUS_OK);
    reply.rcode = (unsigned)ldns_pkt_get_rcode(reply.pkt) |
                  (unsigned)ldns_pkt_edns_extended_rcode(reply.pkt) << 4;
    return reply;
}

static void expect_code(const struct bytes *b, bool tcp, unsigned rcode)
{
    struct reply r = ask_bytes(b, 1, tcp);
    assert_int_equal(r.rcode, rcode);
    assert_int_equal(ldns_pkt_ancount(r.pkt), rcode == LDNS_RCODE_NOERROR ? 1 : 0);
    ldns_pkt_free(r.pkt);
}

/* ---- Sizes ---- */

static void test_without_edns_there_is_no_opt_and_no_more_than_512_bytes(void **state)
{
    (void)state;
    struct bytes b = header(0x100, 1, 0);
    add_question(&b, LDNS_RR_TYPE_A);
    struct reply r = ask_bytes(&b, INSTANCES, false);
    assert_false(ldns_pkt_edns(r.pkt));
    assert_int_equal(ldns_pkt_arcount(r.pkt), 0);
    assert_int_equal(ldns_pkt_ancount(r.pkt), 3);
    assert_true(r.size <= 512);
    ldns_pkt_free(r.pkt);
}

static void test_every_size_is_kept_and_a_larger_one_brings_no_less(void **state)
{
    (void)state;
    static const unsigned types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_SRV};
    for (size_t t = 0; t < 2; t++) {
        size_t before = 0;
        for (unsigned size = 0; size <= 65535; size += size < 2600 ? 1 : 997) {
            struct bytes b = query_with(types[t], size, 0, 0, NULL);
            struct reply r = ask_bytes(&b, INSTANCES, false);
            assert_true(r.size <= (size > 512 ? size : 512));
            assert_true(ldns_pkt_edns(r.pkt));
            assert_int_equal(ldns_pkt_edns_udp_size(r.pkt), size);
            assert_true(ldns_pkt_ancount(r.pkt) >= before);
            assert_true(size > 512 || ldns_pkt_ancount(r.pkt) <= 3);
            before = ldns_pkt_ancount(r.pkt);
            ldns_pkt_free(r.pkt);
        }
        assert_int_equal(before, INSTANCES);
    }
}

static void test_over_tcp_the_size_means_nothing(void **state)
{
    (void)state;
    static const unsigned sizes[] = {0, 512, 1232, 65535};
    for (size_t i = 0; i < 4; i++) {
        struct bytes b = query_with(LDNS_RR_TYPE_A, sizes[i], 0, 0, NULL);
        struct reply r = ask_bytes(&b, INSTANCES, true);
        assert_int_equal(ldns_pkt_ancount(r.pkt), INSTANCES);
        assert_int_equal(ldns_pkt_edns_udp_size(r.pkt), sizes[i]);
        ldns_pkt_free(r.pkt);
    }
}

/* ---- Versions, bits, options ---- */

static void test_other_versions_are_badvers_with_an_opt_of_version_0(void **state)
{
    (void)state;
    for (unsigned version = 1; version < 256; version++) {
        struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, version, 0, NULL);
        struct reply r = ask_bytes(&b, 1, version & 1);
        assert_int_equal(r.rcode, 16);
        assert_true(ldns_pkt_edns(r.pkt));
        assert_int_equal(ldns_pkt_edns_version(r.pkt), 0);
        assert_int_equal(ldns_pkt_ancount(r.pkt), 0);
        assert_int_equal(ldns_pkt_qdcount(r.pkt), 1);
        ldns_pkt_free(r.pkt);
    }
}

static void test_bits_that_mean_nothing_to_us_are_ignored_and_not_sent_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 17; bit++) {
        struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, 0, bit < 16 ? 1u << bit : 0xffffu, NULL);
        struct reply r = ask_bytes(&b, 1, false);
        assert_int_equal(r.rcode, LDNS_RCODE_NOERROR);
        assert_int_equal(ldns_pkt_ancount(r.pkt), 1);
        assert_int_equal(ldns_pkt_edns_z(r.pkt), 0);
        assert_false(ldns_pkt_edns_do(r.pkt));
        ldns_pkt_free(r.pkt);
    }
}

/* Z, AD and CD of the header, and those that only answers have. */
static void test_bits_of_the_header_are_no_format_errors(void **state)
{
    (void)state;
    static const unsigned bits[] = {0x40, 0x20, 0x10, 0x80, 0x200, 0x400, 0x7f0};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        struct bytes b = header(0x100 | bits[i], 1, 0);
        add_question(&b, LDNS_RR_TYPE_A);
        struct reply r = ask_bytes(&b, 1, false);
        assert_int_equal(r.rcode, LDNS_RCODE_NOERROR);
        assert_int_equal(ldns_pkt_ancount(r.pkt), 1);
        assert_false(ldns_pkt_tc(r.pkt));
        assert_false(ldns_pkt_ad(r.pkt));
        ldns_pkt_free(r.pkt);
    }
}

static void test_unknown_options_are_ignored_and_not_sent_back(void **state)
{
    (void)state;
    static const uint8_t body[400] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const struct {
        unsigned code;
        size_t len;
    } cases[] = {{10, 8}, {10, 24}, {3, 0},     {11, 2},     {12, 400},
                 {15, 2}, {100, 1}, {65001, 0}, {65535, 399}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes options = {.len = 0};
        add_option(&options, cases[i].code, body, cases[i].len);
        add_option(&options, cases[i].code, body, cases[i].len / 2);
        struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, 0, 0, &options);
        struct reply r = ask_bytes(&b, 1, false);
        assert_int_equal(r.rcode, LDNS_RCODE_NOERROR);
        assert_int_equal(ldns_pkt_ancount(r.pkt), 1);
        assert_true(!ldns_pkt_edns_data(r.pkt) || ldns_rdf_size(ldns_pkt_edns_data(r.pkt)) == 0);
        ldns_pkt_free(r.pkt);
    }
}

static void test_client_subnet_comes_back_with_scope_0(void **state)
{
    (void)state;
    struct bytes options = {.len = 0};
    add_option(&options, 8, "\0\1\20\0\12\1", 6); /* 10.1.0.0/16 */
    struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, 0, 0, &options);
    struct reply r = ask_bytes(&b, 1, false);
    assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(r.pkt)), 10);
    assert_memory_equal(ldns_rdf_data(ldns_pkt_edns_data(r.pkt)), "\0\10\0\6\0\1\20\0\12\1", 10);
    ldns_pkt_free(r.pkt);
}

static void test_client_subnets_that_are_none_are_format_errors(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t len;
    } cases[] = {{"", 0},
                 {"\0\1", 2},
                 {"\0\1\20", 3},                       /* no room for the prefix lengths */
                 {"\0\3\20\0\12\1", 6},                /* family 3 */
                 {"\0\1\41\0\12\1\2\3\4", 9},          /* 33 bits of IPv4 */
                 {"\0\2\201\0abcdefghijklmnopq", 21}}; /* 129 of IPv6 */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes options = {.len = 0};
        add_option(&options, 8, cases[i].body, cases[i].len);
        struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, 0, 0, &options);
        expect_code(&b, false, LDNS_RCODE_FORMERR);
    }
}

static void test_options_that_lie_about_their_length_are_format_errors(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t len;
    } cases[] = {{"\0", 1},        {"\0\12", 2},         {"\0\12\0", 3},
                 {"\0\12\0\1", 4}, {"\0\12\377\377", 4}, {"\0\12\0\0\0", 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes options = {.len = 0};
        add(&options, cases[i].body, cases[i].len);
        struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, 0, 0, &options);
        expect_code(&b, i & 1, LDNS_RCODE_FORMERR);
    }
}

/* ---- Records where they do not belong ---- */

static void test_two_opts_are_a_format_error(void **state)
{
    (void)state;
    struct bytes b = header(0x100, 1, 2);
    add_question(&b, LDNS_RR_TYPE_A);
    add_opt(&b, 1232, 0, 0, NULL);
    add_opt(&b, 1232, 0, 0, NULL);
    expect_code(&b, false, LDNS_RCODE_FORMERR);
    expect_code(&b, true, LDNS_RCODE_FORMERR);
}

static void test_opt_under_a_name_is_an_opt(void **state)
{
    (void)state;
    static const char *const owners[] = {"\1x", "\300\14"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes b = header(0x100, 1, 1), opt = {.len = 0};
        add_question(&b, LDNS_RR_TYPE_A);
        add(&b, owners[i], i == 0 ? 3 : 2);
        add_opt(&opt, 1232, 0, 0, NULL);
        add(&b, opt.data + 1, opt.len - 1);
        expect_code(&b, false, LDNS_RCODE_NOERROR);
    }
}

static void test_records_beside_opt_are_passed_over(void **state)
{
    (void)state;
    static const uint8_t record[] = "\300\14\0\1\0\1\0\0\0\7\0\4\12\0\0\11";
    for (int first = 0; first < 2; first++) {
        struct bytes b = header(0x100, 1, 2);
        add_question(&b, LDNS_RR_TYPE_A);
        if (first) {
            add(&b, record, sizeof record - 1);
        }
        add_opt(&b, 1232, 0, 0, NULL);
        if (!first) {
            add(&b, record, sizeof record - 1);
        }
        struct reply r = ask_bytes(&b, INSTANCES, false);
        assert_int_equal(r.rcode, LDNS_RCODE_NOERROR);
        assert_int_equal(ldns_pkt_edns_udp_size(r.pkt), 1232);
        assert_int_equal(ldns_pkt_ancount(r.pkt), INSTANCES);
        ldns_pkt_free(r.pkt);
    }
}

static void test_bytes_behind_the_message_are_ignored(void **state)
{
    (void)state;
    for (size_t n = 1; n < 600; n += 37) {
        static const uint8_t tail[600] = {0xc0, 0xff, 1};
        struct bytes b = query_with(LDNS_RR_TYPE_A, 1232, 0, 0, NULL);
        add(&b, tail, n);
        expect_code(&b, n & 1, LDNS_RCODE_NOERROR);
    }
}

static void test_message_cut_anywhere_is_a_format_error_or_is_not_answered(void **state)
{
    (void)state;
    struct bytes options = {.len = 0};
    add_option(&options, 10, "12345678", 8);
    struct bytes whole = query_with(LDNS_RR_TYPE_A, 1232, 0, 0, &options);
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *exact = malloc(len ? len : 1); /* ASan sees a read beyond it */
        struct dnsfront_query *q;
        memcpy(exact, whole.data, len);
        struct dnsfront_request r = {.bytes = exact, .len = len};
        if (len < 12) {
            assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_EIGNORE);
        } else {
            struct bytes b = {.len = len};
            memcpy(b.data, exact, len);
            expect_code(&b, false, LDNS_RCODE_FORMERR);
        }
        free(exact);
    }
}

static void test_question_names_with_pointers_are_format_errors(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len;
    } cases[] = {{"\300\14", 2},      {"\300\0", 2}, {"\377\377", 2},
                 {"\3web\300\14", 6}, {"\100a", 3},  {"\200a", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = header(0x100, 1, 0);
        add(&b, cases[i].name, cases[i].len);
        add16(&b, LDNS_RR_TYPE_A);
        add16(&b, 1);
        expect_code(&b, false, LDNS_RCODE_FORMERR);
        expect_code(&b, true, LDNS_RCODE_FORMERR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_edns_there_is_no_opt_and_no_more_than_512_bytes),
        cmocka_unit_test(test_every_size_is_kept_and_a_larger_one_brings_no_less),
        cmocka_unit_test(test_over_tcp_the_size_means_nothing),
        cmocka_unit_test(test_other_versions_are_badvers_with_an_opt_of_version_0),
        cmocka_unit_test(test_bits_that_mean_nothing_to_us_are_ignored_and_not_sent_back),
        cmocka_unit_test(test_bits_of_the_header_are_no_format_errors),
        cmocka_unit_test(test_unknown_options_are_ignored_and_not_sent_back),
        cmocka_unit_test(test_client_subnet_comes_back_with_scope_0),
        cmocka_unit_test(test_client_subnets_that_are_none_are_format_errors),
        cmocka_unit_test(test_options_that_lie_about_their_length_are_format_errors),
        cmocka_unit_test(test_two_opts_are_a_format_error),
        cmocka_unit_test(test_opt_under_a_name_is_an_opt),
        cmocka_unit_test(test_records_beside_opt_are_passed_over),
        cmocka_unit_test(test_bytes_behind_the_message_are_ignored),
        cmocka_unit_test(test_message_cut_anywhere_is_a_format_error_or_is_not_answered),
        cmocka_unit_test(test_question_names_with_pointers_are_format_errors),
    };
    return cmocka_run_group_tests_name("edns", tests, setup, teardown);
}
