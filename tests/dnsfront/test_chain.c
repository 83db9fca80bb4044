/* Host names among the addresses of an answer: what they lead to joins it (dns.md 6). */
#include "front_kit.h"

static struct dnsfront_instance on_host(const char *host)
{
    struct dnsfront_instance i = instance("n1", "10.0.0.1", 80);
    i.service_address = text(host);
    return i;
}

static void test_foreign_host_is_resolved_and_gets_the_services_ttl(void **state)
{
    (void)state;
    static const char *const records[] = {"cn.example. 300 IN CNAME ext.example.",
                                          "ext.example. 200 IN TXT \"no\"",
                                          "ext.example. 200 IN A 198.51.100.1"};
    uint8_t reply[512];
    struct dnsfront_instance web = on_host("cn.example");
    struct step steps[] = {
        {DNSFRONT_SERVICE, "web", .instances = &web, .count = 1},
        {DNSFRONT_RESOLVE, "cn.example", .message = reply,
         .message_len = build_reply("cn.example.", LDNS_RR_TYPE_A, 0, records, 3, reply, 512)}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
                 steps, 2);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 0),
                        "web.service.consul. 7 CNAME cn.example.");
    assert_string_equal(whole_record(ldns_pkt_answer(p), 1), "cn.example. 7 CNAME ext.example.");
    assert_string_equal(whole_record(ldns_pkt_answer(p), 2), "ext.example. 7 A 198.51.100.1");
    assert_true(ldns_pkt_aa(p));
    assert_true(ldns_pkt_ra(p));
    ldns_pkt_free(p);
}

static void test_srv_has_the_chain_of_its_target_in_additional(void **state)
{
    (void)state;
    static const char *const records[] = {"ext.example. 200 IN A 198.51.100.1"};
    uint8_t reply[512];
    struct dnsfront_instance web[3] = {on_host("ext.example"), on_host("ext.example"),
                                       on_host("other.example.")};
    web[1].port = 81;
    web[2].port = 82;
    size_t len = build_reply("ext.example.", LDNS_RR_TYPE_A, 0, records, 1, reply, 512);
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = web, .count = 3},
                           {DNSFRONT_RESOLVE, NULL, .message = reply, .message_len = len},
                           {DNSFRONT_RESOLVE, NULL, .message = reply, .message_len = len}};
    ldns_pkt *p = converse(
        front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV}, steps,
        3);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    assert_int_equal(ldns_pkt_arcount(p), 1); /* the other message answers another question */
    assert_string_equal(whole_record(ldns_pkt_additional(p), 0), "ext.example. 7 A 198.51.100.1");
    ldns_pkt_free(p);
}

static void test_own_host_is_resolved_inside(void **state)
{
    (void)state;
    struct dnsfront_instance ext = on_host("web.service.consul");
    struct dnsfront_instance web[2] = {instance("a", "10.0.0.2", 80),
                                       instance("b", "2001:db8::1", 80)};
    struct step steps[] = {{DNSFRONT_SERVICE, "ext", .instances = &ext, .count = 1},
                           {DNSFRONT_SERVICE, "web", .instances = web, .count = 2}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "ext.service.consul.", .type = LDNS_RR_TYPE_A},
                 steps, 2);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 0),
                        "ext.service.consul. 7 CNAME web.service.consul.");
    ldns_pkt_free(p);
}

static void test_address_name_needs_no_lookup(void **state)
{
    (void)state;
    struct dnsfront_instance ext = on_host("0a010203.addr.consul");
    struct step steps[] = {{DNSFRONT_SERVICE, "ext", .instances = &ext, .count = 1}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "ext.service.consul.", .type = LDNS_RR_TYPE_A},
                 steps, 1);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 1), "0a010203.addr.consul. 7 A 10.1.2.3");
    ldns_pkt_free(p);
}

static void test_chain_is_three_own_names_deep(void **state)
{
    (void)state;
    struct dnsfront_instance s[4] = {on_host("b.service.consul"), on_host("c.service.consul"),
                                     on_host("d.service.consul"), on_host("e.service.consul")};
    struct step steps[] = {{DNSFRONT_SERVICE, "a", .instances = &s[0], .count = 1},
                           {DNSFRONT_SERVICE, "b", .instances = &s[1], .count = 1},
                           {DNSFRONT_SERVICE, "c", .instances = &s[2], .count = 1},
                           {DNSFRONT_SERVICE, "d", .instances = &s[3], .count = 1}};
    ldns_pkt *p =
        converse(front,
                 &(struct query_spec){
                     .name = "a.service.consul.", .type = LDNS_RR_TYPE_A, .edns_size = 1232},
                 steps, 4);
    assert_int_equal(ldns_pkt_ancount(p), 4);
    ldns_pkt_free(p);
}

static void test_loops_end(void **state)
{
    (void)state;
    struct dnsfront_instance to_b = on_host("b.service.consul"), to_a = on_host("A.service.consul");
    struct step steps[] = {{DNSFRONT_SERVICE, "a", .instances = &to_b, .count = 1},
                           {DNSFRONT_SERVICE, "b", .instances = &to_a, .count = 1}};
    ldns_pkt *p = converse(
        front, &(struct query_spec){.name = "a.service.consul.", .type = LDNS_RR_TYPE_A}, steps, 2);
    assert_int_equal(ldns_pkt_ancount(p), 2);
    ldns_pkt_free(p);
    struct dnsfront_instance to_c = on_host("c.service.consul");
    struct step longer[] = {{DNSFRONT_SERVICE, "a", .instances = &to_b, .count = 1},
                            {DNSFRONT_SERVICE, "b", .instances = &to_c, .count = 1},
                            {DNSFRONT_SERVICE, "c", .instances = &to_b, .count = 1}};
    p = converse(front, &(struct query_spec){.name = "a.service.consul.", .type = LDNS_RR_TYPE_A},
                 longer, 3);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    ldns_pkt_free(p);
}

static void test_service_named_as_its_own_address_means_the_node(void **state)
{
    (void)state;
    struct dnsfront_instance self = on_host("SELF.service.consul.");
    struct step steps[] = {{DNSFRONT_SERVICE, "self", .instances = &self, .count = 1}};
    ldns_pkt *p = converse(
        front, &(struct query_spec){.name = "self.service.consul.", .type = LDNS_RR_TYPE_A}, steps,
        1);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 0), "self.service.consul. 7 A 10.0.0.1");
    ldns_pkt_free(p);
}

static void test_addresses_hide_host_names(void **state)
{
    (void)state;
    struct dnsfront_instance web[2] = {on_host("ext.example"), instance("b", "10.0.0.2", 80)};
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = web, .count = 2}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
                 steps, 1);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 0), "web.service.consul. 7 A 10.0.0.2");
    ldns_pkt_free(p);
}

static void test_node_keeps_the_ttls_of_its_chain(void **state)
{
    (void)state;
    static const char *const records[] = {"ext.example. 200 IN AAAA 2001:db8::5"};
    uint8_t reply[512];
    struct dnsfront_instance node = instance("n1", "ext.example", 0);
    struct step steps[] = {
        {DNSFRONT_NODE, "n1", .instances = &node, .count = 1},
        {DNSFRONT_RESOLVE, "ext.example", .message = reply,
         .message_len = build_reply("ext.example.", LDNS_RR_TYPE_AAAA, 0, records, 1, reply, 512)}};
    ldns_pkt *p =
        converse(front, &(struct query_spec){.name = "n1.node.consul.", .type = LDNS_RR_TYPE_AAAA},
                 steps, 2);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 0),
                        "n1.node.consul. 9 CNAME ext.example.");
    assert_string_equal(whole_record(ldns_pkt_answer(p), 1), "ext.example. 200 AAAA 2001:db8::5");
    ldns_pkt_free(p);
}

static void test_five_records_unless_edns(void **state)
{
    (void)state;
    char rows[8][64];
    const char *records[8];
    for (int i = 0; i < 8; i++) {
        snprintf(rows[i], sizeof rows[i], "many.example. 60 IN A 198.51.100.%d", i + 1);
        records[i] = rows[i];
    }
    uint8_t reply[512];
    struct dnsfront_instance node = instance("n1", "many.example", 0);
    struct step steps[] = {
        {DNSFRONT_NODE, "n1", .instances = &node, .count = 1},
        {DNSFRONT_RESOLVE, "many.example", .message = reply,
         .message_len = build_reply("many.example.", LDNS_RR_TYPE_A, 0, records, 8, reply, 512)}};
    struct query_spec s = {.name = "n1.node.consul.", .type = LDNS_RR_TYPE_A};
    ldns_pkt *p = converse(front, &s, steps, 2);
    assert_int_equal(ldns_pkt_ancount(p), 6);
    ldns_pkt_free(p);
    s.edns_size = 1232;
    p = converse(front, &s, steps, 2);
    assert_int_equal(ldns_pkt_ancount(p), 9);
    ldns_pkt_free(p);
}

static void test_what_cannot_be_resolved_leaves_the_cname_alone(void **state)
{
    (void)state;
    static const char *const strange[] = {"evil.example. 60 IN A 198.51.100.66"};
    uint8_t reply[512];
    size_t len = build_reply("ext.example.", LDNS_RR_TYPE_A, 0, strange, 1, reply, 512);
    struct dnsfront_instance web = on_host("ext.example");
    struct step failures[] = {{DNSFRONT_RESOLVE, NULL, .status = DNSFRONT_FAILED},
                              {DNSFRONT_RESOLVE, NULL, .status = DNSFRONT_NOT_FOUND},
                              {DNSFRONT_RESOLVE, NULL, .status = DNSFRONT_FOUND},
                              {DNSFRONT_RESOLVE, NULL, .message = reply, .message_len = 11},
                              {DNSFRONT_RESOLVE, NULL, .message = reply, .message_len = len}};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = &web, .count = 1},
                               failures[i]};
        ldns_pkt *p = converse(
            front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
            steps, 2);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
        assert_int_equal(ldns_pkt_ancount(p), 1);
        assert_string_equal(record_text(ldns_pkt_answer(p), 0), "CNAME ext.example.");
        ldns_pkt_free(p);
    }
}

static void test_silent_resolvers_are_not_asked_for_every_host(void **state)
{
    (void)state;
    struct dnsfront_instance web[2] = {on_host("a.example"), on_host("b.example")};
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = web, .count = 2},
                           {DNSFRONT_RESOLVE, NULL, .status = DNSFRONT_FAILED}};
    ldns_pkt *p = converse(
        front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV}, steps,
        2);
    assert_int_equal(ldns_pkt_ancount(p), 2);
    ldns_pkt_free(p);
}

static void test_without_resolvers_foreign_hosts_stay_names(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    struct dnsfront *d = create(&cfg);
    struct dnsfront_instance web = on_host("ext.example");
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = &web, .count = 1}};
    ldns_pkt *p = converse(
        d, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A}, steps, 1);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_false(ldns_pkt_ra(p));
    ldns_pkt_free(p);
    dnsfront_destroy(d);
}

static void test_resolve_lookup_says_all_that_is_needed(void **state)
{
    (void)state;
    uint8_t query[512];
    struct query_spec s = {.name = "n1.node.consul.", .type = LDNS_RR_TYPE_AAAA};
    struct dnsfront_request r = {
        .bytes = query, .len = build_query(&s, query, sizeof query), .client = text("192.0.2.9")};
    struct dnsfront_instance node = instance("n1", "Ext.Example.", 0);
    struct dnsfront_query *q;
    assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
    supply_step(q, &(struct step){DNSFRONT_NODE, .instances = &node, .count = 1});
    const struct dnsfront_lookup *l = dnsfront_query_lookup(q);
    assert_non_null(l);
    assert_int_equal(l->kind, DNSFRONT_RESOLVE);
    assert_int_equal(l->type, LDNS_RR_TYPE_AAAA);
    assert_true(str_is(l->client, "192.0.2.9"));
    ldns_pkt *p;
    assert_int_equal(ldns_wire2pkt(&p, l->message, l->message_len), LDNS_STATUS_OK);
    char *asked = ldns_rr2str(ldns_rr_list_rr(ldns_pkt_question(p), 0));
    assert_string_equal(asked, "Ext.Example.\tIN\tAAAA\n");
    assert_true(ldns_pkt_rd(p));
    free(asked);
    ldns_pkt_free(p);
    /* Left unanswered, the question fails. */
    uint8_t answer[2048];
    size_t len;
    assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &len), DNSFRONT_OK);
    assert_int_equal(answer[3] & 15, LDNS_RCODE_SERVFAIL);
    dnsfront_query_end(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_host_is_resolved_and_gets_the_services_ttl),
        cmocka_unit_test(test_srv_has_the_chain_of_its_target_in_additional),
        cmocka_unit_test(test_own_host_is_resolved_inside),
        cmocka_unit_test(test_address_name_needs_no_lookup),
        cmocka_unit_test(test_chain_is_three_own_names_deep),
        cmocka_unit_test(test_loops_end),
        cmocka_unit_test(test_service_named_as_its_own_address_means_the_node),
        cmocka_unit_test(test_addresses_hide_host_names),
        cmocka_unit_test(test_node_keeps_the_ttls_of_its_chain),
        cmocka_unit_test(test_five_records_unless_edns),
        cmocka_unit_test(test_what_cannot_be_resolved_leaves_the_cname_alone),
        cmocka_unit_test(test_silent_resolvers_are_not_asked_for_every_host),
        cmocka_unit_test(test_without_resolvers_foreign_hosts_stay_names),
        cmocka_unit_test(test_resolve_lookup_says_all_that_is_needed),
    };
    return cmocka_run_group_tests_name("chain", tests, setup_recursion, teardown);
}
