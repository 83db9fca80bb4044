/* dns_kit.h - builds queries and reads answers through ldns, which shares no code with the library
 * under test. */
#pragma once

#include "mu_test.h"

#include <ldns/ldns.h>
#include <muster/dnsfront.h>

struct query_spec {
    const char *name;
    uint16_t type;
    uint16_t edns_size; /* 0: no EDNS */
    bool tcp;
};

/* The wire form of a question; the length. */
static inline size_t build_query(const struct query_spec *s, uint8_t *buf, size_t cap)
{
    ldns_pkt *p = ldns_pkt_query_new(ldns_dname_new_frm_str(s->name), (ldns_rr_type)s->type,
                                     LDNS_RR_CLASS_IN, LDNS_RD);
    assert_non_null(p);
    ldns_pkt_set_id(p, 0x1234);
    if (s->edns_size) {
        ldns_pkt_set_edns_udp_size(p, s->edns_size);
    }
    uint8_t *wire;
    size_t len;
    assert_int_equal(ldns_pkt2wire(&wire, p, &len), LDNS_STATUS_OK);
    assert_true(len <= cap);
    memcpy(buf, wire, len);
    LDNS_FREE(wire);
    ldns_pkt_free(p);
    return len;
}

/* Asks, supplies, and parses what comes back. *size (may be NULL) is the answer's length in
 * bytes. */
static inline ldns_pkt *ask(struct dnsfront *d, const struct query_spec *s,
                            enum dnsfront_status status, const struct dnsfront_instance *instances,
                            size_t count, size_t *size)
{
    static uint8_t answer[65537];
    uint8_t query[512];
    struct dnsfront_request r = {.bytes = query,
                                 .len = build_query(s, query, sizeof query),
                                 .tcp = s->tcp,
                                 .now_unix_s = 1700000000,
                                 .random = 42};
    struct dnsfront_query *q;
    assert_int_equal(dnsfront_query_begin(d, &r, &q), DNSFRONT_OK);
    if (dnsfront_query_lookup(q)) {
        dnsfront_query_supply(q, &(struct dnsfront_found){.size = sizeof(struct dnsfront_found),
                                                          .status = status,
                                                          .instances = instances,
                                                          .count = count});
    }
    size_t len;
    assert_int_equal(dnsfront_query_answer(q, answer, sizeof answer, &len), DNSFRONT_OK);
    dnsfront_query_end(q);
    ldns_pkt *p;
    assert_int_equal(ldns_wire2pkt(&p, answer, len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(p), 0x1234);
    assert_true(ldns_pkt_qr(p));
    if (size) {
        *size = len;
    }
    return p;
}

/* "type rdata" of record i, as ldns prints it. */
static inline const char *record_text(const ldns_rr_list *list, size_t i)
{
    static char text[512];
    ldns_rr *rr = ldns_rr_list_rr(list, i);
    assert_non_null(rr);
    char *all = ldns_rr2str(rr);
    char *type = ldns_rr_type2str(ldns_rr_get_type(rr));
    char *at = strstr(all, type);
    assert_non_null(at);
    snprintf(text, sizeof text, "%s", at);
    text[strcspn(text, "\n")] = '\0';
    for (char *c = text; *c; c++) {
        *c = *c == '\t' ? ' ' : *c;
    }
    free(all);
    free(type);
    return text;
}

/* Appends two answers to a reply that has none: the first holds so many pointers, each of which
 * leads to the one before it; the name of the second is one to the last of them. The length. */
static inline size_t append_pointers(uint8_t *reply, size_t len, size_t count)
{
    static const uint8_t null[] = {0, 0, 10, 0, 1, 0, 0, 0, 60}; /* of type NULL */
    static const uint8_t a[] = {0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 1};
    size_t to = 12;
    memcpy(reply + len, null, sizeof null);
    len += sizeof null;
    reply[len++] = (uint8_t)(2 * count >> 8);
    reply[len++] = (uint8_t)(2 * count);
    for (size_t i = 0; i <= count; i++) {
        reply[len] = (uint8_t)(0xc0u | to >> 8);
        reply[len + 1] = (uint8_t)to;
        to = len;
        len += 2;
    }
    memcpy(reply + len, a, sizeof a);
    reply[7] = 2;
    return len + sizeof a;
}

static inline struct mu_str text(const char *s)
{
    return (struct mu_str){s, strlen(s)};
}

static inline struct dnsfront_instance instance(const char *node, const char *address,
                                                uint16_t port)
{
    return (struct dnsfront_instance){.node = text(node),
                                      .datacenter = text("dc1"),
                                      .node_address = text(address),
                                      .port = port,
                                      .weight_passing = 1,
                                      .weight_warning = 1};
}
