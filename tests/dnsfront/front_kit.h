/* front_kit.h - a conversation with a dnsfront: a question, what is supplied for each of its
 * lookups, and the answer. */
#pragma once

#include "dns_kit.h"

/* One lookup that the question must lead to, and what it finds. */
struct step {
    enum dnsfront_lookup_kind kind;
    const char *name; /* NULL: any */
    enum dnsfront_status status;
    const struct dnsfront_instance *instances;
    size_t count;
    const uint8_t *message;
    size_t message_len;
};

static struct dnsfront *front;

static inline struct dnsfront_config default_config(void)
{
    struct dnsfront_config cfg;
    dnsfront_config_init(&cfg);
    return cfg;
}

static inline struct dnsfront *create(const struct dnsfront_config *cfg)
{
    struct dnsfront *d;
    assert_int_equal(dnsfront_create(cfg, &d), DNSFRONT_OK);
    return d;
}

static inline int setup(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    front = create(&cfg);
    return 0;
}

static inline int setup_recursion(void **state)
{
    (void)state;
    struct dnsfront_config cfg = default_config();
    struct dnsfront_ttl_rule rule = {text("*"), 7};
    cfg.recursion = true;
    cfg.node_ttl_s = 9;
    cfg.service_ttls = &rule;
    cfg.service_ttl_count = 1;
    front = create(&cfg);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    dnsfront_destroy(front);
    return 0;
}

static inline void supply_step(struct dnsfront_query *q, const struct step *s)
{
    struct dnsfront_found found = {.size = sizeof found,
                                   .status = s->status,
                                   .instances = s->instances,
                                   .count = s->count,
                                   .message = s->message,
                                   .message_len = s->message_len};
    dnsfront_query_supply(q, &found);
}

static inline bool str_is(struct mu_str s, const char *want)
{
    return s.len == strlen(want) && memcmp(s.p, want, s.len) == 0;
}

/* Sends the bytes of a question, supplies the steps, which must be all and in this order, and gives
 * the answer's bytes; its length. */
static inline size_t converse_bytes(struct dnsfront *d, const struct dnsfront_request *r,
                                    const struct step *steps, size_t n, uint8_t answer[65536])
{
    struct dnsfront_query *q;
    const struct dnsfront_lookup *l;
    size_t len, done = 0;
    assert_int_equal(dnsfront_query_begin(d, r, &q), DNSFRONT_OK);
    while ((l = dnsfront_query_lookup(q)) != NULL) {
        if (done == n) {
            fail_msg("an unexpected lookup of kind %d for %.*s", (int)l->kind, (int)l->name.len,
                     l->name.p);
        }
        if (l->kind != steps[done].kind ||
            (steps[done].name && !str_is(l->name, steps[done].name))) {
            fail_msg("lookup %zu is of kind %d for %.*s", done, (int)l->kind, (int)l->name.len,
                     l->name.p);
        }
        supply_step(q, &steps[done++]);
    }
    assert_int_equal(done, n);
    size_t max = dnsfront_query_size_max(q);
    assert_int_equal(dnsfront_query_answer(q, answer, 65536, &len), DNSFRONT_OK);
    assert_true(len <= max);
    dnsfront_query_end(q);
    return len;
}

static inline ldns_pkt *converse(struct dnsfront *d, const struct query_spec *s,
                                 const struct step *steps, size_t n)
{
    static uint8_t answer[65536];
    uint8_t query[512];
    struct dnsfront_request r = {.bytes = query,
                                 .len = build_query(s, query, sizeof query),
                                 .tcp = s->tcp,
                                 .now_unix_s = 1700000000,
                                 .random = 42};
    size_t len = converse_bytes(d, &r, steps, n, answer);
    ldns_pkt *p;
    assert_int_equal(ldns_wire2pkt(&p, answer, len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(p), 0x1234);
    return p;
}

/* "owner TTL type rdata" of record i. */
static inline const char *whole_record(const ldns_rr_list *list, size_t i)
{
    static char text_of[1024];
    ldns_rr *rr = ldns_rr_list_rr(list, i);
    assert_non_null(rr);
    char *owner = ldns_rdf2str(ldns_rr_owner(rr));
    snprintf(text_of, sizeof text_of, "%s %u %s", owner, (unsigned)ldns_rr_ttl(rr),
             record_text(list, i));
    free(owner);
    return text_of;
}

/* A message of another resolver: the question, then `records` in zone file form. */
static inline size_t build_reply(const char *name, uint16_t type, uint8_t rcode,
                                 const char *const *records, size_t n, uint8_t *buf, size_t cap)
{
    ldns_pkt *p = ldns_pkt_query_new(ldns_dname_new_frm_str(name), (ldns_rr_type)type,
                                     LDNS_RR_CLASS_IN, LDNS_RD);
    assert_non_null(p);
    ldns_pkt_set_qr(p, true);
    ldns_pkt_set_ra(p, true);
    ldns_pkt_set_id(p, 0x7777);
    ldns_pkt_set_rcode(p, (uint8_t)rcode);
    for (size_t i = 0; i < n; i++) {
        ldns_rr *rr;
        assert_int_equal(ldns_rr_new_frm_str(&rr, records[i], 0, NULL, NULL), LDNS_STATUS_OK);
        assert_true(ldns_pkt_push_rr(p, LDNS_SECTION_ANSWER, rr));
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
