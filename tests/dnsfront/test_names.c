/* What a name asks for: Consul's name forms (dns.md 2). */
#include "front_kit.h"

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
        {"_web._.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "web", "", "dc1"},
        {"_web._tcp.v1.service.consul.", LDNS_RR_TYPE_A, DNSFRONT_SERVICE, "v1", "_web._tcp",
         "dc1"},
        {"_web.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, "_web", "", "dc1"},
        {"a._web._v1.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, "_v1", "a._web", "dc1"},
        {"_web._v1.dc3.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_SERVICE, "web", "v1", "dc3"},
        {"Web.connect.consul.", LDNS_RR_TYPE_A, DNSFRONT_CONNECT, "web", "", "dc1"},
        {"x.y.web.connect.dc2.consul.", LDNS_RR_TYPE_A, DNSFRONT_CONNECT, "web", "", "dc2"},
        {"web.ingress.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_INGRESS, "web", "", "dc1"},
        {"geo.db.query.dc2.consul.", LDNS_RR_TYPE_A, DNSFRONT_QUERY, "geo.db", "", "dc2"},
        {"web.virtual.consul.", LDNS_RR_TYPE_A, DNSFRONT_VIRTUAL, "web", "", "dc1"},
        {"n1.node.consul.", LDNS_RR_TYPE_TXT, DNSFRONT_NODE, "n1", "", "dc1"},
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
        {"ghost.node.consul.", LDNS_RR_TYPE_MX, DNSFRONT_NOT_FOUND, LDNS_RCODE_NOERROR},
        {"0a0101010.addr.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"0a010101.addr.a.b.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NOERROR},
        {"a.0a010101.addr.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"_._tcp.service.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"_web._tcp.consul.", LDNS_RR_TYPE_A, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"_web._tcp.a.b.consul.", LDNS_RR_TYPE_SRV, DNSFRONT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"nope.query.consul.", LDNS_RR_TYPE_A, DNSFRONT_NOT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"nope.virtual.consul.", LDNS_RR_TYPE_A, DNSFRONT_NOT_FOUND, LDNS_RCODE_NXDOMAIN},
        {"web.service.consul.", 251, DNSFRONT_NOT_FOUND, LDNS_RCODE_NXDOMAIN}, /* IXFR */
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

struct reverse_case {
    const char *name, *address; /* NULL: spells none */
};

static void test_reverse_names_ask_who_has_the_address(void **state)
{
    (void)state;
    static const struct reverse_case cases[] = {
        {"1.2.0.192.IN-ADDR.arpa.", "192.0.2.1"},
        {"0.0.0.0.in-addr.arpa.", "0.0.0.0"},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa.",
         "2001:db8::1"},
        {"2.0.192.in-addr.arpa.", NULL},
        {"256.2.0.192.in-addr.arpa.", NULL},
        {"01.2.0.192.in-addr.arpa.", NULL},
        {"x.1.2.0.192.in-addr.arpa.", NULL},
        {"1.2.0.192.ip6.arpa.", NULL},
        {"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", NULL},
        {"arpa.", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct step asked[] = {{DNSFRONT_REVERSE, cases[i].address, .status = DNSFRONT_NOT_FOUND}};
        ldns_pkt *p =
            converse(front, &(struct query_spec){.name = cases[i].name, .type = LDNS_RR_TYPE_PTR},
                     asked, cases[i].address ? 1 : 0);
        /* Nobody else can be asked: a failure that is not ours, as Consul says it. */
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
        assert_true(ldns_pkt_ra(p));
        assert_false(ldns_pkt_aa(p));
        ldns_pkt_free(p);
    }
}

static void test_soa_and_ns_of_any_name_ask_for_the_servers(void **state)
{
    (void)state;
    static const char *const names[] = {"consul.", "web.service.consul.", "x.y.z.consul.",
                                        "a.query.consul.", "0a010101.addr.consul."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct step servers[] = {{DNSFRONT_SERVERS, NULL, .status = DNSFRONT_FAILED}};
        ldns_pkt *p = converse(
            front, &(struct query_spec){.name = names[i], .type = LDNS_RR_TYPE_SOA}, servers, 1);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOERROR); /* the domain is there */
        assert_int_equal(ldns_pkt_ancount(p), 1);
        ldns_pkt_free(p);
    }
}

static void test_alternate_domain_is_answered_alike(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    cfg.alt_domain = text("other.test.");
    struct dnsfront *d = create(&cfg);
    struct dnsfront_instance web = instance("n1", "10.0.0.1", 80);
    struct step steps[] = {{DNSFRONT_SERVICE, "web", .instances = &web, .count = 1}};
    ldns_pkt *p = converse(
        d, &(struct query_spec){.name = "web.service.OTHER.test.", .type = LDNS_RR_TYPE_SRV}, steps,
        1);
    assert_string_equal(whole_record(ldns_pkt_answer(p), 0),
                        "web.service.OTHER.test. 0 SRV 1 1 80 n1.node.dc1.consul.");
    ldns_pkt_free(p);
    dnsfront_destroy(d);
}

static void test_labels_with_odd_bytes_are_no_names(void **state)
{
    (void)state;
    static const char *const names[] = {"a\\.b.service.consul.", "a\\032b.node.consul.",
                                        "\\000.service.consul.", "\\255x.query.consul."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ldns_pkt *p = converse(
            front, &(struct query_spec){.name = names[i], .type = LDNS_RR_TYPE_A}, NULL, 0);
        assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NXDOMAIN);
        ldns_pkt_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_forms_ask_for_the_right_thing),
        cmocka_unit_test(test_codes_tell_apart_foreign_missing_and_failed),
        cmocka_unit_test(test_addr_name_is_answered_without_lookup),
        cmocka_unit_test(test_reverse_names_ask_who_has_the_address),
        cmocka_unit_test(test_soa_and_ns_of_any_name_ask_for_the_servers),
        cmocka_unit_test(test_alternate_domain_is_answered_alike),
        cmocka_unit_test(test_labels_with_odd_bytes_are_no_names),
    };
    return cmocka_run_group_tests_name("names", tests, setup, teardown);
}
