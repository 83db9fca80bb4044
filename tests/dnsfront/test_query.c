/* The rules of Consul's DNS interface, question by question; answers are read by ldns. */
#include "dns_kit.h"

static struct dnsfront *front;

static int setup(void **state)
{
    (void)state;
    struct dnsfront_config cfg;
    dnsfront_config_init(&cfg);
    return dnsfront_create(&cfg, &front);
}

static int teardown(void **state)
{
    (void)state;
    dnsfront_destroy(front);
    return 0;
}

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

static void test_addr_name_is_answered_without_lookup(void **state)
{
    (void)state;
    ldns_pkt *p = ask(
        front, &(struct query_spec){.name = "0a010101.addr.dc1.consul.", .type = LDNS_RR_TYPE_A},
        DNSFRONT_FAILED, NULL, 0, NULL);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "A 10.1.1.1");
    ldns_pkt_free(p);
    p = ask(front,
            &(struct query_spec){.name = "20010db8000000000000000000000001.addr.consul.",
                                 .type = LDNS_RR_TYPE_AAAA},
            DNSFRONT_FAILED, NULL, 0, NULL);
    assert_string_equal(record_text(ldns_pkt_answer(p), 0), "AAAA 2001:db8::1");
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

struct code_case {
    const char *name;
    uint16_t type;
    enum dnsfront_status status;
    int rcode;
};

static void test_codes_tell_apart_foreign_missing_and_failed(void **state)
{
    (void)state;
    static const struct code_case cases[] = {
        {"example.com.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_REFUSED},
        {"nope.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"web.service.dc9.consul.", LDNS_RR_TYPE_A, DNSFRONT_NOT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"web.service.a.b.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"service.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"zz010101.addr.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"0a01.addr.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NOERROR},
        {"web.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_FAILED, LDNS_RCODE_SERVFAIL},
        {"ghost.node.consul.", LDNS_RR_TYPE_A, DNSFRONT_NOT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"web.service.consul.", LDNS_RR_TYPE_AXFR, DNSFRONT_FOUND, LDNS_RCODE_NOTIMPL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ldns_pkt *p = ask(front, &(struct query_spec){.name = cases[i].name, .type = cases[i].type},
                          cases[i].status, NULL, 0, NULL);
        if ((int)ldns_pkt_get_rcode(p) != cases[i].rcode) {
            fail_msg("%s: code %d, not %d", cases[i].name, ldns_pkt_get_rcode(p), cases[i].rcode);
        }
        ldns_pkt_free(p);
    }
}

struct name_case {
    const char *name;
    uint16_t type;
    enum dnsfront_lookup_kind kind;
    const char *service, *tag, *datacenter;
};

static void test_name_forms_ask_for_the_right_thing(void **state)
{
    (void)state;
    static const struct name_case cases[] = {
        {"Web.Service.CONSUL.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "web", "", "dc1"},
        {"web.service.dc2.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "web", "", "dc2"},
        {"v1.web.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "web", "v1", "dc1"},
        {"a.b.web.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "web", "a.b", "dc1"},
        {"_web._tcp.service.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, "web", "", "dc1"},
        {"_web._v1.service.dc2.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "web", "v1", "dc2"},
        {"_web._udp.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, "web", "udp", "dc1"},
        {"n1.example.node.consul.", LDNS_RR_TYPE_A, DNSFRONT_NODE, "n1.example", "", "dc1"},
        {"service.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "service", "", "dc1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t query[512];
        struct query_spec s = {.name = cases[i].name, .type = cases[i].type};
        struct dnsfront_request r = {.bytes = query, .len = build_query(&s, query, sizeof query)};
        struct dnsfront_query *q;
        assert_int_equal(dnsfront_query_begin(front, &r, &q), DNSFRONT_OK);
        const struct dnsfront_lookup *l = dnsfront_query_lookup(q);
        assert_non_null(l);
        assert_int_equal(l->kind, cases[i].kind);
        assert_int_equal(l->name.len, strlen(cases[i].service));
        assert_memory_equal(l->name.p, cases[i].service, l->name.len);
        assert_int_equal(l->tag.len, strlen(cases[i].tag));
        assert_memory_equal(l->tag.p, cases[i].tag, l->tag.len);
        assert_int_equal(l->datacenter.len, strlen(cases[i].datacenter));
        assert_memory_equal(l->datacenter.p, cases[i].datacenter, l->datacenter.len);
        dnsfront_query_end(q);
    }
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

static void test_config_out_of_range_is_refused(void **state)
{
    (void)state;
    struct dnsfront_config cfg;
    struct dnsfront *d;
    dnsfront_config_init(&cfg);
    cfg.domain = text("a..b");
    assert_int_equal(dnsfront_create(&cfg, &d), DNSFRONT_EINVAL);
    assert_null(d);
    dnsfront_config_init(&cfg);
    cfg.udp_answer_limit = 0;
    assert_int_equal(dnsfront_create(&cfg, &d), DNSFRONT_EINVAL);
}

static void test_every_code_has_words_and_a_class(void **state)
{
    (void)state;
    for (int code = DNSFRONT_ENOBUFS; code <= DNSFRONT_ENOMEM; code++) {
        assert_string_not_equal(dnsfront_strerror(code), "unknown error");
        assert_int_not_equal(dnsfront_err_class(code), MU_CLASS_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_a_gives_each_address_once),
        cmocka_unit_test(test_srv_names_node_and_explains_it),
        cmocka_unit_test(test_srv_spells_service_address_in_target),
        cmocka_unit_test(test_addr_name_is_answered_without_lookup),
        cmocka_unit_test(test_critical_instances_are_not_shown),
        cmocka_unit_test(test_other_family_is_empty_not_missing),
        cmocka_unit_test(test_host_name_address_is_a_cname),
        cmocka_unit_test(test_plain_udp_gets_three_edns_all),
        cmocka_unit_test(test_srv_cut_to_the_clients_size_keeps_addresses_of_what_stays),
        cmocka_unit_test(test_tcp_answers_stay_below_64_kib),
        cmocka_unit_test(test_tc_only_when_enabled_and_cut),
        cmocka_unit_test(test_soa_and_ns_name_the_servers),
        cmocka_unit_test(test_node_any_gives_address_and_meta),
        cmocka_unit_test(test_codes_tell_apart_foreign_missing_and_failed),
        cmocka_unit_test(test_name_forms_ask_for_the_right_thing),
        cmocka_unit_test(test_service_ttl_exact_then_longest_prefix),
        cmocka_unit_test(test_order_is_drawn_anew_and_fair),
        cmocka_unit_test(test_malformed_queries_get_formerr_or_nothing),
        cmocka_unit_test(test_edns_version_1_is_badvers_and_z_bits_are_ignored),
        cmocka_unit_test(test_config_out_of_range_is_refused),
        cmocka_unit_test(test_every_code_has_words_and_a_class),
    };
    return cmocka_run_group_tests_name("query", tests, setup, teardown);
}
