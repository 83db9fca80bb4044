/* Answers about nodes, servers, virtual addresses and reverse names (dns.md 3, 5, 7). */
#include "front_kit.h"

static void test_other_family_is_empty_not_missing(void **state)
{
    (void)state;
    struct dnsfront_instance web = instance("a", "127.0.0.21", 80);
    ldns_pkt *p =
        ask(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_AAAA},
            DNSFRONT_FOUND, &web, 1, NULL);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_int_equal(ldns_pkt_ancount(p), 0);
    assert_int_equal(ldns_pkt_nscount(p), 1); /* RFC 2308 2.2 */
    ldns_pkt_free(p);
    /* A node of the other family has no SOA: clients of the original have seen none. */
    p = ask(front, &(struct query_spec){.name = "a.node.consul.", .type = LDNS_RR_TYPE_AAAA},
            DNSFRONT_FOUND, &web, 1, NULL);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_int_equal(ldns_pkt_ancount(p) + ldns_pkt_nscount(p), 0);
    ldns_pkt_free(p);
}

static void test_node_any_gives_address_and_meta(void **state)
{
    (void)state;
    struct mu_str meta[] = {text("a=b"), text("x`y"), text("rfc1035-note"), text("bare")};
    struct dnsfront_instance node = instance("n1", "127.0.0.21", 0);
    node.meta = meta;
    node.meta_count = 2;
    ldns_pkt *p =
        ask(front, &(struct query_spec){.name = "n1.node.consul.", .type = LDNS_RR_TYPE_ANY},
            DNSFRONT_FOUND, &node, 1, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 127.0.0.21");
    assert_string_equal(record_text(ldns_pkt_answer(p), 1), "TXT \"a`=b=x``y\""); /* RFC 1464 */
    assert_string_equal(record_text(ldns_pkt_answer(p), 2), "TXT \"bare\"");
    ldns_pkt_free(p);
}

static void test_soa_and_ns_name_the_servers(void **state)
{
    (void)state;
    struct dnsfront_instance servers[2] = {instance("s1", "127.0.0.11", 8300),
                                           instance("s2", "127.0.0.12", 8300)};
    ldns_pkt *p = ask(front, &(struct query_spec){.name = "consul.", .type = LDNS_RR_TYPE_SOA},
                      DNSFRONT_FOUND, servers, 2, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_int_equal(ldns_pkt_nscount(p), 2);
    assert_int_equal(ldns_pkt_arcount(p), 2);
    assert_string_equal(record_text(ldns_pkt_authority(p), 0), "NS s1.node.dc1.consul.");
    assert_string_equal(record_text(ldns_pkt_additional(p), 1), "A 127.0.0.12");
    ldns_pkt_free(p);
    p = ask(front, &(struct query_spec){.name = "any.thing.consul.", .type = LDNS_RR_TYPE_NS},
            DNSFRONT_FOUND, servers, 2, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 2);
    ldns_pkt_free(p);
}

static void test_node_has_no_records_of_other_types(void **state)
{
    (void)state;
    static const uint16_t types[] = {LDNS_RR_TYPE_MX, LDNS_RR_TYPE_SRV, LDNS_RR_TYPE_CNAME,
                                     LDNS_RR_TYPE_PTR};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ldns_pkt *p = converse(
            front, &(struct query_spec){.name = "any.node.consul.", .type = types[i]}, NULL, 0);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
        assert_int_equal(ldns_pkt_ancount(p) + ldns_pkt_nscount(p) + ldns_pkt_arcount(p), 0);
        ldns_pkt_free(p);
    }
}

static void test_reverse_names_node_before_service_whatever_the_type(void **state)
{
    (void)state;
    struct dnsfront_instance owner = instance("n1", "192.0.2.1", 0);
    static const uint16_t types[] = {LDNS_RR_TYPE_PTR, LDNS_RR_TYPE_A, LDNS_RR_TYPE_ANY,
                                     LDNS_RR_TYPE_SOA};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct step steps[] = {{DNSFRONT_REVERSE, "192.0.2.1", .instances = &owner, .count = 1}};
        ldns_pkt *p = converse(
            front, &(struct query_spec){.name = "1.2.0.192.in-addr.arpa.", .type = types[i]}, steps,
            1);
        assert_true(ldns_pkt_aa(p));
        assert_int_equal(ldns_pkt_ancount(p), 1);
        assert_string_equal(whole_record(ldns_pkt_answer(p), 0),
                            "1.2.0.192.in-addr.arpa. 0 PTR n1.node.dc1.consul.");
        assert_int_equal(ldns_pkt_nscount(p), types[i] == LDNS_RR_TYPE_SOA ? 1 : 0);
        ldns_pkt_free(p);
    }
    owner.service_name = text("web");
    struct step steps[] = {{DNSFRONT_REVERSE, NULL, .instances = &owner, .count = 1}};
    ldns_pkt *p = converse(
        front, &(struct query_spec){.name = "1.2.0.192.in-addr.arpa.", .type = LDNS_RR_TYPE_PTR},
        steps, 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "PTR web.service.dc1.consul.");
    ldns_pkt_free(p);
}

static void test_virtual_address_answers_its_family(void **state)
{
    (void)state;
    struct dnsfront_instance web = {.service_address = text("240.0.0.1")};
    struct step steps[] = {{DNSFRONT_VIRTUAL, "web", .instances = &web, .count = 1}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "web.virtual.consul.", .type = LDNS_RR_TYPE_A},
                 steps, 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 240.0.0.1");
    ldns_pkt_free(p);
    p = converse(front,
                 &(struct query_spec){.name = "web.virtual.consul.", .type = LDNS_RR_TYPE_AAAA},
                 steps, 1);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_int_equal(ldns_pkt_ancount(p), 0);
    assert_int_equal(ldns_pkt_nscount(p), 1);
    ldns_pkt_free(p);
}

static void test_servers_whose_names_are_no_labels_are_left_out(void **state)
{
    (void)state;
    struct dnsfront_instance servers[3] = {instance("s_1", "127.0.0.11", 8300),
                                           instance("s.2", "127.0.0.12", 8300),
                                           instance("s-3", "host.example", 8300)};
    struct step steps[] = {{DNSFRONT_SERVERS, NULL, .instances = servers, .count = 3}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "consul.", .type = LDNS_RR_TYPE_NS}, steps, 1);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "NS s-3.node.dc1.consul.");
    assert_string_equal(whole_record(ldns_pkt_additional(p), 0),
                        "s-3.node.dc1.consul. 0 CNAME host.example.");
    ldns_pkt_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_family_is_empty_not_missing),
        cmocka_unit_test(test_node_any_gives_address_and_meta),
        cmocka_unit_test(test_soa_and_ns_name_the_servers),
        cmocka_unit_test(test_node_has_no_records_of_other_types),
        cmocka_unit_test(test_reverse_names_node_before_service_whatever_the_type),
        cmocka_unit_test(test_virtual_address_answers_its_family),
        cmocka_unit_test(test_servers_whose_names_are_no_labels_are_left_out),
    };
    return cmocka_run_group_tests_name("nodes", tests, setup, teardown);
}
