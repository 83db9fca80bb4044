/* No answer exceeds what the client can take, and what is left out is chosen with care (dns.md
 * 11). */
#include "front_kit.h"

static void test_plain_udp_gets_three_edns_all(void **state)
{
    (void)state;
    struct dnsfront_instance many[12];
    char names[12][16], addresses[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d", i + 1);
        many[i] = instance(names[i], addresses[i], 80);
    }
    struct query_spec q = {.name = "many.service.consul.", .type = LDNS_RR_TYPE_A};
    ldns_pkt *p = ask(front, &q, DNSFRONT_FOUND, many, 12, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    assert_false(ldns_pkt_tc(p)); /* enable_truncate is off */
    ldns_pkt_free(p);
    q.edns_size = 1232;
    p = ask(front, &q, DNSFRONT_FOUND, many, 12, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 12);
    assert_int_equal(ldns_pkt_edns_udp_size(p), 1232);
    ldns_pkt_free(p);
    q.edns_size = 0;
    q.tcp = true;
    p = ask(front, &q, DNSFRONT_FOUND, many, 12, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 12);
    ldns_pkt_free(p);
}

static void test_srv_cut_to_the_clients_size_keeps_addresses_of_what_stays(void **state)
{
    (void)state;
    struct dnsfront_instance many[12];
    char addresses[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d", i + 1);
        many[i] = instance("n", "127.0.0.1", 80);
        many[i].service_address = text(addresses[i]);
    }
    size_t size;
    struct query_spec q = {
        .name = "many.service.consul.", .type = LDNS_RR_TYPE_SRV, .edns_size = 600};
    ldns_pkt *p = ask(front, &q, DNSFRONT_FOUND, many, 12, &size);
    assert_int_equal(ldns_pkt_ancount(p), 9); /* as the original: dns.md 14 */
    assert_int_equal(size, 588);
    for (size_t i = 0; i < 9; i++) {
        char target[64];
        snprintf(target, sizeof target, "%s", strrchr(record_text(ldns_pkt_answer(p), i), ' ') + 1);
        bool explained = false;
        for (size_t k = 0; k < ldns_rr_list_rr_count(ldns_pkt_additional(p)); k++) {
            char *owner = ldns_rdf2str(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_additional(p), k)));
            explained = explained || strcmp(owner, target) == 0;
            free(owner);
        }
        assert_true(explained);
    }
    ldns_pkt_free(p);
}

static void test_tcp_answers_stay_below_64_kib(void **state)
{
    (void)state;
    enum { COUNT = 6000 };
    struct dnsfront_instance *many = calloc(COUNT, sizeof *many);
    char(*addresses)[16] = calloc(COUNT, sizeof *addresses);
    for (int i = 0; i < COUNT; i++) {
        snprintf(addresses[i], sizeof addresses[i], "10.0.%d.%d", i / 250, i % 250 + 1);
        many[i] = instance("n", addresses[i], 80);
    }
    size_t size;
    struct query_spec q = {.name = "many.service.consul.", .type = LDNS_RR_TYPE_A, .tcp = true};
    ldns_pkt *p = ask(front, &q, DNSFRONT_FOUND, many, COUNT, &size);
    assert_true(size <= 65523);
    assert_true(ldns_pkt_ancount(p) > 4000 && ldns_pkt_ancount(p) <= 4096);
    ldns_pkt_free(p);
    free(many);
    free(addresses);
}

static void test_tc_only_when_enabled_and_cut(void **state)
{
    (void)state;
    struct dnsfront_config cfg;
    struct dnsfront *d;
    dnsfront_config_init(&cfg);
    cfg.enable_truncate = true;
    assert_int_equal(dnsfront_create(&cfg, &d), DNSFRONT_OK);
    struct dnsfront_instance web[4] = {instance("a", "10.0.0.1", 1), instance("b", "10.0.0.2", 1),
                                       instance("c", "10.0.0.3", 1), instance("d", "10.0.0.4", 1)};
    struct query_spec q = {.name = "web.service.consul.", .type = LDNS_RR_TYPE_A};
    ldns_pkt *p = ask(d, &q, DNSFRONT_FOUND, web, 4, NULL);
    assert_true(ldns_pkt_tc(p));
    ldns_pkt_free(p);
    p = ask(d, &q, DNSFRONT_FOUND, web, 3, NULL);
    assert_false(ldns_pkt_tc(p));
    ldns_pkt_free(p);
    dnsfront_destroy(d);
}

static void fill_meta(struct mu_str meta[40], char texts[40][64])
{
    for (int i = 0; i < 20; i++) {
        snprintf(texts[2 * i], 64, "key-%02d", i);
        snprintf(texts[2 * i + 1], 64, "%050d", i);
        meta[2 * i] = text(texts[2 * i]);
        meta[2 * i + 1] = text(texts[2 * i + 1]);
    }
}

static void test_text_of_a_node_is_cut_with_tc(void **state)
{
    (void)state;
    struct mu_str meta[40];
    char texts[40][64];
    fill_meta(meta, texts);
    struct dnsfront_instance n = instance("n1", "10.0.0.1", 0);
    n.meta = meta;
    n.meta_count = 20;
    struct step steps[] = {{DNSFRONT_NODE, "n1", .instances = &n, .count = 1}};
    struct query_spec s = {.name = "n1.node.consul.", .type = LDNS_RR_TYPE_TXT};
    ldns_pkt *p = converse(front, &s, steps, 1);
    assert_true(ldns_pkt_tc(p));
    assert_in_range(ldns_pkt_ancount(p), 5, 7);
    ldns_pkt_free(p);
    /* Additional text may be left out without a word (RFC 2181 9). */
    s.type = LDNS_RR_TYPE_A;
    p = converse(front, &s, steps, 1);
    assert_false(ldns_pkt_tc(p));
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_int_equal(ldns_pkt_arcount(p), 0);
    ldns_pkt_free(p);
    s.tcp = true;
    p = converse(front, &s, steps, 1);
    assert_int_equal(ldns_pkt_arcount(p), 20);
    ldns_pkt_free(p);
}

static void test_text_gives_way_before_answers_do(void **state)
{
    (void)state;
    struct mu_str meta[40];
    char texts[40][64];
    fill_meta(meta, texts);
    struct dnsfront_instance web[3] = {instance("a", "10.0.0.1", 80), instance("b", "10.0.0.2", 80),
                                       instance("c", "10.0.0.3", 80)};
    for (int i = 0; i < 3; i++) {
        web[i].meta = meta;
        web[i].meta_count = 20;
    }
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = web, .count = 3}};
    ldns_pkt *p = converse(
        front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV}, steps,
        1);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    assert_int_equal(ldns_pkt_arcount(p), 3);
    ldns_pkt_free(p);
}

static void test_one_answer_larger_than_the_client_takes_is_empty_with_tc(void **state)
{
    (void)state;
    char value[600];
    memset(value, 'v', sizeof value);
    struct mu_str meta[] = {text("k"), {value, sizeof value}};
    struct dnsfront_instance n = instance("n1", "10.0.0.1", 0);
    n.meta = meta;
    n.meta_count = 1;
    struct step steps[] = {{DNSFRONT_NODE, "n1", .instances = &n, .count = 1}};
    struct query_spec s = {.name = "n1.node.consul.", .type = LDNS_RR_TYPE_TXT};
    ldns_pkt *p = converse(front, &s, steps, 1);
    assert_true(ldns_pkt_tc(p));
    assert_int_equal(ldns_pkt_ancount(p), 0);
    ldns_pkt_free(p);
    s.edns_size = 700;
    p = converse(front, &s, steps, 1);
    assert_false(ldns_pkt_tc(p));
    assert_int_equal(ldns_pkt_ancount(p), 1);
    ldns_pkt_free(p);
}

/* The longest names there are, without compression: even then a negative answer is whole or has no
 * SOA. */
static void test_long_names_fit_512_bytes_somehow(void **state)
{
    (void)state;
    char domain[200], name[300];
    memset(domain, 'd', sizeof domain);
    for (size_t i = 49; i < sizeof domain; i += 50) {
        domain[i] = '.';
    }
    struct dnsfront_config cfg = default_config();
    cfg.domain = (struct mu_str){domain, 199};
    cfg.disable_compression = true;
    struct dnsfront *d = create(&cfg);
    snprintf(name, sizeof name, "%040d.service.%.*s.", 7, 199, domain);
    struct step steps[] = {{DNSFRONT_SERVICE, NULL, .status = DNSFRONT_NOT_FOUND}};
    ldns_pkt *p = converse(d, &(struct query_spec){.name = name, .type = LDNS_RR_TYPE_A}, steps, 1);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NXDOMAIN);
    assert_int_equal(ldns_pkt_nscount(p), 0);
    assert_false(ldns_pkt_tc(p));
    ldns_pkt_free(p);
    dnsfront_destroy(d);
}

static void test_sizes_below_512_count_as_512(void **state)
{
    (void)state;
    struct dnsfront_instance many[12];
    char addresses[12][16];
    for (int i = 0; i < 12; i++) {
        snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d", i + 1);
        many[i] = instance("n", addresses[i], 80);
    }
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = many, .count = 12}};
    static const uint16_t sizes[] = {1, 511, 512, 513};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct query_spec s = {
            .name = "web.service.consul.", .type = LDNS_RR_TYPE_A, .edns_size = sizes[i]};
        ldns_pkt *p = converse(front, &s, steps, 1);
        assert_int_equal(ldns_pkt_ancount(p), sizes[i] <= 512 ? 3 : 12);
        assert_int_equal(ldns_pkt_edns_udp_size(p), sizes[i]); /* echoed */
        ldns_pkt_free(p);
    }
}

static void test_every_size_is_kept_to(void **state)
{
    (void)state;
    struct dnsfront_instance many[64];
    char names[64][16], addresses[64][16];
    for (int i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "node-%d", i * i);
        snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d", i + 1);
        many[i] = instance(names[i], addresses[i], 80);
        many[i].service_address = i % 3 == 0 ? text("host.example") : text("");
        many[i].port = (uint16_t)i;
    }
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = many, .count = 64}};
    size_t last = 0;
    for (uint16_t size = 512; size < 4096; size = (uint16_t)(size + 23)) {
        struct query_spec s = {
            .name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV, .edns_size = size};
        ldns_pkt *p = converse(front, &s, steps, 1); /* which looks at the size */
        assert_true(ldns_pkt_ancount(p) >= last);
        last = ldns_pkt_ancount(p);
        ldns_pkt_free(p);
    }
    assert_int_equal(last, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_udp_gets_three_edns_all),
        cmocka_unit_test(test_srv_cut_to_the_clients_size_keeps_addresses_of_what_stays),
        cmocka_unit_test(test_tcp_answers_stay_below_64_kib),
        cmocka_unit_test(test_tc_only_when_enabled_and_cut),
        cmocka_unit_test(test_text_of_a_node_is_cut_with_tc),
        cmocka_unit_test(test_text_gives_way_before_answers_do),
        cmocka_unit_test(test_one_answer_larger_than_the_client_takes_is_empty_with_tc),
        cmocka_unit_test(test_long_names_fit_512_bytes_somehow),
        cmocka_unit_test(test_sizes_below_512_count_as_512),
        cmocka_unit_test(test_every_size_is_kept_to),
    };
    return cmocka_run_group_tests_name("sizes", tests, setup, teardown);
}
