/* Answers about services: which instances, in which records (dns.md 3, 4, 8 to 10). */
#include "front_kit.h"

static void test_service_a_gives_each_address_once(void **state)
{
    (void)state;
    struct dnsfront_instance web[3] = {instance("a", "127.0.0.21", 80),
                                       instance("b", "127.0.0.22", 80),
                                       instance("a", "127.0.0.21", 81)};
    ldns_pkt *p =
        ask(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
            DNSFRONT_FOUND, web, 3, NULL);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
    assert_true(ldns_pkt_aa(p));
    assert_true(ldns_pkt_rd(p));
    assert_false(ldns_pkt_ra(p));
    assert_int_equal(ldns_pkt_ancount(p), 2);
    assert_int_equal(ldns_pkt_nscount(p), 0);
    ldns_pkt_free(p);
}

static void test_srv_names_node_and_explains_it(void **state)
{
    (void)state;
    struct mu_str meta[] = {text("rack"), text("7")};
    struct dnsfront_instance web = instance("agent-1", "127.0.0.21", 8081);
    web.meta = meta;
    web.meta_count = 1;
    web.weight_passing = 10;
    ldns_pkt *p =
        ask(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV},
            DNSFRONT_FOUND, &web, 1, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0),
                        "SRV 1 10 8081 agent-1.node.dc1.consul.");
    assert_int_equal(ldns_pkt_arcount(p), 2);
    assert_string_equal(record_text(ldns_pkt_additional(p), 0), "A 127.0.0.21");
    assert_string_equal(record_text(ldns_pkt_additional(p), 1), "TXT \"rack=7\"");
    ldns_pkt_free(p);
}

static void test_srv_spells_service_address_in_target(void **state)
{
    (void)state;
    struct dnsfront_instance dw = instance("srv-a", "127.0.0.1", 8081);
    dw.service_address = text("10.1.1.1");
    ldns_pkt *p =
        ask(front, &(struct query_spec){.name = "dw.service.consul.", .type = LDNS_RR_TYPE_SRV},
            DNSFRONT_FOUND, &dw, 1, NULL);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0),
                        "SRV 1 1 8081 0a010101.addr.dc1.consul.");
    assert_string_equal(record_text(ldns_pkt_additional(p), 0), "A 10.1.1.1");
    ldns_pkt_free(p);
}

static void test_critical_instances_are_not_shown(void **state)
{
    (void)state;
    struct dnsfront_instance web[2] = {instance("a", "127.0.0.21", 80),
                                       instance("b", "127.0.0.22", 80)};
    web[0].health = DNSFRONT_CRITICAL;
    web[1].health = DNSFRONT_WARNING;
    struct query_spec q = {.name = "web.service.consul.", .type = LDNS_RR_TYPE_A};
    ldns_pkt *p = ask(front, &q, DNSFRONT_FOUND, web, 2, NULL);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 127.0.0.22");
    ldns_pkt_free(p);
    web[1].health = DNSFRONT_CRITICAL;
    p = ask(front, &q, DNSFRONT_FOUND, web, 2, NULL);
    assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NXDOMAIN);
    assert_int_equal(ldns_pkt_nscount(p), 1);
    assert_string_equal(record_text(ldns_pkt_authority(p), 0),
                        "SOA ns.consul. hostmaster.consul. 1700000000 3600 600 86400 0");
    ldns_pkt_free(p);
}

static void test_host_name_address_is_a_cname(void **state)
{
    (void)state;
    struct dnsfront_instance web = instance("a", "127.0.0.21", 80);
    web.service_address = text("web.example.com");
    ldns_pkt *p =
        ask(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_A},
            DNSFRONT_FOUND, &web, 1, NULL);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "CNAME web.example.com.");
    ldns_pkt_free(p);
    p = ask(front, &(struct query_spec){.name = "web.service.consul.", .type = LDNS_RR_TYPE_SRV},
            DNSFRONT_FOUND, &web, 1, NULL);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "SRV 1 1 80 web.example.com.");
    ldns_pkt_free(p);
}

static void test_service_ttl_exact_then_longest_prefix(void **state)
{
    (void)state;
    struct dnsfront_ttl_rule rules[] = {
        {text("*"), 5}, {text("db"), 11}, {text("db*"), 12}, {text("dbx*"), 13}};
    struct dnsfront_config cfg;
    struct dnsfront *d;
    dnsfront_config_init(&cfg);
    cfg.service_ttls = rules;
    cfg.service_ttl_count = 4;
    assert_int_equal(dnsfront_create(&cfg, &d), DNSFRONT_OK);
    static const struct {
        const char *name;
        uint32_t ttl;
    } cases[] = {{"db", 11}, {"dba", 12}, {"dbxy", 13}, {"web", 5}, {"DB", 11}};
    struct dnsfront_instance i = instance("a", "127.0.0.21", 80);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char name[64];
        snprintf(name, sizeof name, "%s.service.consul.", cases[k].name);
        ldns_pkt *p = ask(d, &(struct query_spec){.name = name, .type = LDNS_RR_TYPE_A},
                          DNSFRONT_FOUND, &i, 1, NULL);
        assert_int_equal(ldns_rr_ttl(ldns_rr_list_rr(ldns_pkt_answer(p), 0)), cases[k].ttl);
        ldns_pkt_free(p);
    }
    dnsfront_destroy(d);
}

static void test_order_is_drawn_anew_and_fair(void **state)
{
    (void)state;
    struct dnsfront_instance web[2] = {instance("a", "10.0.0.1", 80),
                                       instance("b", "10.0.0.2", 80)};
    unsigned first = 0;
    uint8_t query[512], answer[2048];
    struct query_spec s = {.name = "web.service.consul.", .type = LDNS_RR_TYPE_A};
    size_t qlen = build_query(&s, query, sizeof query);
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct dnsfront_request r = {.bytes = query, .len = qlen, .random = seed};
        struct dnsfront_query *q;
        size_t len;
        assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
        dnsfront_query_supply(q, &(struct dnsfront_found){.size = sizeof(struct dnsfront_found),
                                                          .status = DNSFRONT_FOUND,
                                                          .instances = web,
                                                          .count = 2});
        assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &len), DNSFRONT_OK);
        dnsfront_query_end(q);
        first += answer[len - 1] == 2; /* the last byte is that of the second address */
    }
    assert_in_range(first, 440, 560);
}

static ldns_pkt *ask_one(struct dnsfront *d, const char *name, uint16_t type,
                         enum dnsfront_lookup_kind kind, const struct dnsfront_instance *found,
                         size_t count)
{
    struct step steps[] = {{kind, NULL, .instances = found, .count = count}};
    return converse(d, &(struct query_spec){.name = name, .type = type, .tcp = true}, steps, 1);
}

static void test_tagged_addresses_answer_their_family(void **state)
{
    (void)state;
    struct dnsfront_instance i = instance("n1", "10.0.0.1", 80);
    i.service_address = text("10.1.0.1");
    i.service_ipv4 = text("10.1.0.4");
    i.service_ipv6 = text("2001:db8::6");
    static const struct {
        uint16_t type;
        const char *answer;
    } cases[] = {
        {LDNS_RR_TYPE_A, "A 10.1.0.4"},
        {LDNS_RR_TYPE_AAAA, "AAAA 2001:db8::6"},
        {LDNS_RR_TYPE_ANY, "AAAA 2001:db8::6"},
        {LDNS_RR_TYPE_SRV, "SRV 1 1 80 20010db8000000000000000000000006.addr.dc1.consul."}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        ldns_pkt *p = ask_one(front, "web.service.consul.", cases[k].type, DNSFRONT_SERVICE, &i, 1);
        assert_string_equal(record_text(ldns_pkt_answer(p), 0), cases[k].answer);
        ldns_pkt_free(p);
    }
}

static void test_srv_spells_a_node_address_that_is_not_the_plain_one(void **state)
{
    (void)state;
    struct dnsfront_instance i = instance("n1", "10.0.0.1", 80);
    i.node_ipv4 = text("10.0.0.2");
    ldns_pkt *p = ask_one(front, "web.service.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, &i, 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "SRV 1 1 80 0a000002.addr.dc1.consul.");
    ldns_pkt_free(p);
    /* A node whose name DNS cannot say is spelled, too. */
    char long_name[71];
    memset(long_name, 'n', 70);
    long_name[70] = '\0';
    i = instance(long_name, "10.0.0.1", 80);
    p = ask_one(front, "web.service.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, &i, 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "SRV 1 1 80 0a000001.addr.dc1.consul.");
    ldns_pkt_free(p);
}

static void test_mapped_ipv4_is_ipv4(void **state)
{
    (void)state;
    struct dnsfront_instance i = instance("n1", "::ffff:10.9.9.9", 80);
    ldns_pkt *p = ask_one(front, "web.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, &i, 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 10.9.9.9");
    ldns_pkt_free(p);
}

static void test_addresses_that_are_no_names_give_no_records(void **state)
{
    (void)state;
    char long_label[80];
    memset(long_label, 'x', sizeof long_label);
    const struct mu_str bad[] = {{"a..b", 4}, {long_label, sizeof long_label}, {".x", 2}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct dnsfront_instance i = instance("n1", "10.0.0.1", 80);
        i.service_address = bad[k];
        for (int srv = 0; srv < 2; srv++) {
            ldns_pkt *p = ask_one(front, "web.service.consul.",
                                  srv ? LDNS_RR_TYPE_SRV : LDNS_RR_TYPE_A, DNSFRONT_SERVICE, &i, 1);
            assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR);
            assert_int_equal(ldns_pkt_ancount(p), 0);
            assert_int_equal(ldns_pkt_nscount(p), 1);
            ldns_pkt_free(p);
        }
    }
}

static void test_equal_srv_records_and_explanations_are_said_once(void **state)
{
    (void)state;
    struct mu_str meta[] = {text("k"), text("v")};
    struct dnsfront_instance i[3] = {instance("n1", "10.0.0.1", 80), instance("n1", "10.0.0.1", 81),
                                     instance("n1", "10.0.0.1", 80)};
    for (int k = 0; k < 3; k++) {
        i[k].meta = meta;
        i[k].meta_count = 1;
    }
    ldns_pkt *p = ask_one(front, "web.service.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, i, 3);
    assert_int_equal(ldns_pkt_ancount(p), 2);
    assert_int_equal(ldns_pkt_arcount(p), 2); /* RFC 2181 5: A and TXT of n1 */
    ldns_pkt_free(p);
}

static void test_prepared_query_chooses_itself_what_order_health_and_ttl_are(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    struct dnsfront_ttl_rule rules[] = {{text("db"), 11}, {text("q"), 99}};
    cfg.service_ttls = rules;
    cfg.service_ttl_count = 2;
    cfg.only_passing = true;
    struct dnsfront *d = create(&cfg);
    struct dnsfront_instance i[20];
    char addresses[20][16];
    for (int k = 0; k < 20; k++) {
        snprintf(addresses[k], sizeof addresses[k], "10.0.0.%d", k + 1);
        i[k] = instance("n", addresses[k], 80);
        i[k].health = (enum dnsfront_health)(k % 3);
    }
    uint8_t query[512];
    static uint8_t answer[65536];
    struct query_spec s = {.name = "q.query.consul.", .type = LDNS_RR_TYPE_A, .tcp = true};
    struct dnsfront_request r = {
        .bytes = query, .len = build_query(&s, query, sizeof query), .tcp = true, .random = 5};
    for (int has_ttl = 0; has_ttl < 2; has_ttl++) {
        struct dnsfront_query *q;
        size_t len;
        assert_int_equal(dnsfront_query_begin(d, &r, &q), DNSFRONT_OK);
        struct dnsfront_found found = {.size = sizeof found,
                                       .instances = i,
                                       .count = 20,
                                       .ordered = true,
                                       .has_ttl = has_ttl,
                                       .service = text("db")};
        dnsfront_query_supply(q, &found);
        assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &len), DNSFRONT_OK);
        dnsfront_query_end(q);
        ldns_pkt *p;
        assert_int_equal(ldns_wire2pkt(&p, answer, len), LDNS_STATUS_OK);
        assert_int_equal(ldns_pkt_ancount(p), 20);
        for (size_t k = 0; k < 20; k++) {
            char want[80];
            snprintf(want, sizeof want, "q.query.consul. %d A %s", has_ttl ? 0 : 11, addresses[k]);
            assert_string_equal(whole_record(ldns_pkt_answer(p), k), want);
        }
        ldns_pkt_free(p);
    }
    dnsfront_destroy(d);
}

static void test_a_record_limit_stops_addresses_not_srv(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    cfg.a_record_limit = 2;
    struct dnsfront *d = create(&cfg);
    struct dnsfront_instance i[3] = {instance("a", "10.0.0.1", 80), instance("b", "10.0.0.2", 80),
                                     instance("c", "10.0.0.3", 80)};
    ldns_pkt *p = ask_one(d, "web.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, i, 3);
    assert_int_equal(ldns_pkt_ancount(p), 2);
    assert_false(ldns_pkt_tc(p));
    ldns_pkt_free(p);
    p = ask_one(d, "web.service.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, i, 3);
    assert_int_equal(ldns_pkt_ancount(p), 3);
    ldns_pkt_free(p);
    dnsfront_destroy(d);
}

static void test_only_passing_leaves_out_warnings(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    cfg.only_passing = true;
    struct dnsfront *d = create(&cfg);
    struct dnsfront_instance i[2] = {instance("a", "10.0.0.1", 80), instance("b", "10.0.0.2", 80)};
    i[0].health = DNSFRONT_WARNING;
    ldns_pkt *p = ask_one(d, "web.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, i, 2);
    assert_int_equal(ldns_pkt_ancount(p), 1);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 10.0.0.2");
    ldns_pkt_free(p);
    dnsfront_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_a_gives_each_address_once),
        cmocka_unit_test(test_srv_names_node_and_explains_it),
        cmocka_unit_test(test_srv_spells_service_address_in_target),
        cmocka_unit_test(test_critical_instances_are_not_shown),
        cmocka_unit_test(test_host_name_address_is_a_cname),
        cmocka_unit_test(test_service_ttl_exact_then_longest_prefix),
        cmocka_unit_test(test_order_is_drawn_anew_and_fair),
        cmocka_unit_test(test_tagged_addresses_answer_their_family),
        cmocka_unit_test(test_srv_spells_a_node_address_that_is_not_the_plain_one),
        cmocka_unit_test(test_mapped_ipv4_is_ipv4),
        cmocka_unit_test(test_addresses_that_are_no_names_give_no_records),
        cmocka_unit_test(test_equal_srv_records_and_explanations_are_said_once),
        cmocka_unit_test(test_prepared_query_chooses_itself_what_order_health_and_ttl_are),
        cmocka_unit_test(test_a_record_limit_stops_addresses_not_srv),
        cmocka_unit_test(test_only_passing_leaves_out_warnings),
    };
    return cmocka_run_group_tests_name("services", tests, setup, teardown);
}
