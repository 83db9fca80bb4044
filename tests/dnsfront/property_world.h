/* property_world.h - random catalogs, configurations and questions, from one seed.
 *
 * What an answer names must be told apart by the number of its instance: it is the port, the last
 * two bytes of every address, and part of every host name. Instances share addresses in pairs now
 * and then, so a number stands for an even instance and maybe the next. */
#pragma once

#include "dns_kit.h"
#include "prng.h"

#include <arpa/inet.h>
#include <stdarg.h>

#define WORLD_INSTANCES 3000u
#define WORLD_TEXT      (4u << 20)
#define WORLD_META      4u
#define LONG_LABEL      "a-label-of-sixty-three-bytes-which-is-as-long-as-labels-may-be."

enum question_form {
    FORM_SERVICE,
    FORM_TAGGED,
    FORM_RFC2782,
    FORM_BARE_RFC2782,
    FORM_CONNECT,
    FORM_INGRESS,
    FORM_QUERY,
    FORM_NODE,
    FORM_APEX,
    FORM_ADDRESS,
    FORM_INVALID,
    FORM_FOREIGN,
    FORMS
};

struct world {
    struct mu__prng r;
    struct dnsfront_config cfg;
    struct dnsfront_ttl_rule rules[4];
    struct dnsfront_instance instances[WORLD_INSTANCES];
    size_t count;
    enum dnsfront_status status;
    enum question_form form;
    char name[512];
    struct query_spec question; /* over UDP */
    uint64_t random;            /* of the request: both transports shuffle alike */
    char text[WORLD_TEXT];
    size_t text_len;
};

static inline size_t below(struct world *w, size_t n)
{
    return (size_t)mu__prng_below(&w->r, n);
}

static inline bool chance(struct world *w, unsigned percent)
{
    return below(w, 100) < percent;
}

static inline struct mu_str keep(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct mu_str keep(struct world *w, const char *format, ...)
{
    va_list ap;
    char *p = w->text + w->text_len;
    va_start(ap, format);
    int n = vsnprintf(p, WORLD_TEXT - w->text_len, format, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < WORLD_TEXT - w->text_len);
    w->text_len += (size_t)n + 1;
    return (struct mu_str){p, (size_t)n};
}

/* An address of instance i; which of its fields it is keeps them distinct. */
static inline struct mu_str some_address(struct world *w, size_t i, unsigned field)
{
    if (chance(w, 10)) {
        i &= ~(size_t)1; /* that of its neighbour */
    }
    switch (below(w, 20)) {
    case 0:
    case 1:
        return keep(w, "h%zu.example.com", i);
    case 2:
        return keep(w, "inner%zu.node.consul", i);
    case 3:
        return chance(w, 50) ? keep(w, "no address %zu", i)
                             : keep(w, "h%zu." LONG_LABEL LONG_LABEL LONG_LABEL "example.com", i);
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        return keep(w, "2001:db8:%x::1:%zx", field + 1, i);
    default:
        return keep(w, "10.%u.%zu.%zu", field, i >> 8, i & 255);
    }
}

static inline struct mu_str some_family(struct world *w, size_t i, unsigned field, bool six)
{
    return six ? keep(w, "2001:db8:%x::1:%zx", field + 1, i)
               : keep(w, "10.%u.%zu.%zu", field, i >> 8, i & 255);
}

static inline struct mu_str some_node(struct world *w, size_t i)
{
    switch (below(w, 20)) {
    case 0:
        return keep(w, "dotted.name-%zu", i);
    case 1:
        return keep(w, "a-node-whose-name-takes-nearly-all-of-what-a-label-holds-%zu", i);
    case 2:
        return keep(w, "a-node-whose-name-is-longer-than-what-any-label-could-ever-hold-%zu", i);
    case 3:
        return keep(w, "n%zu", i & ~(size_t)1); /* two instances of one node */
    default:
        return keep(w, "n%zu", i);
    }
}

static inline void some_meta(struct world *w, struct dnsfront_instance *out)
{
    size_t n = chance(w, 30) ? below(w, WORLD_META + 1) : 0;
    w->text_len = (w->text_len + 15) & ~(size_t)15;
    struct mu_str *meta = (struct mu_str *)(void *)(w->text + w->text_len);
    w->text_len += 2 * WORLD_META * sizeof *meta;
    for (size_t k = 0; k < n; k++) {
        meta[2 * k] = keep(w, "key-%zu", k);
        meta[2 * k + 1] = keep(w, "%0*d", (int)(chance(w, 10) ? below(w, 400) : below(w, 20)), 7);
    }
    out->meta = meta;
    out->meta_count = n;
}

static inline struct dnsfront_instance some_instance(struct world *w, size_t i)
{
    struct dnsfront_instance out = {.node = some_node(w, i), .datacenter = text("dc1")};
    out.node_address = some_address(w, i, 0);
    out.service_address = chance(w, 50) ? some_address(w, i, 1) : text("");
    out.node_ipv4 = chance(w, 10) ? some_family(w, i, 2, false) : text("");
    out.node_ipv6 = chance(w, 10) ? some_family(w, i, 3, true) : text("");
    out.service_ipv4 = chance(w, 10) ? some_family(w, i, 4, false) : text("");
    out.service_ipv6 = chance(w, 10) ? some_family(w, i, 5, true) : text("");
    out.service_name = text("web");
    out.port = (uint16_t)(i + 1);
    out.weight_passing = (uint16_t)below(w, 100);
    out.weight_warning = (uint16_t)below(w, 100);
    out.health = chance(w, 70)   ? DNSFRONT_PASSING
                 : chance(w, 50) ? DNSFRONT_WARNING
                                 : DNSFRONT_CRITICAL;
    some_meta(w, &out);
    return out;
}

static inline void some_config(struct world *w)
{
    static const char *const patterns[] = {"web", "we*", "w*", "*"};
    size_t n = 0;
    dnsfront_config_init(&w->cfg);
    for (size_t i = 0; i < 4; i++) {
        if (chance(w, 40)) {
            w->rules[n++] = (struct dnsfront_ttl_rule){text(patterns[i]), (uint32_t)(10 + i)};
        }
    }
    w->cfg.service_ttls = w->rules;
    w->cfg.service_ttl_count = n;
    w->cfg.node_ttl_s = (uint32_t)below(w, 3) * 30;
    w->cfg.udp_answer_limit = (uint32_t)(chance(w, 60) ? 3 : 1 + below(w, 12));
    w->cfg.a_record_limit = (uint32_t)(chance(w, 70) ? 0 : 1 + below(w, 20));
    w->cfg.only_passing = chance(w, 30);
    w->cfg.enable_truncate = chance(w, 50);
    w->cfg.disable_compression = chance(w, 20);
    w->cfg.node_meta_txt = chance(w, 70);
    w->cfg.udp_size_max = chance(w, 20) ? 1232 : 0;
    w->cfg.alt_domain = chance(w, 20) ? text("another.domain.example") : text("");
}

/* Sizes that matter, and any. */
static inline uint16_t some_size(struct world *w)
{
    static const uint16_t sizes[] = {0, 0, 0, 1, 511, 512, 513, 519, 520, 600, 1232, 4096, 65535};
    size_t i = below(w, sizeof sizes / sizeof *sizes + 3);
    return i < sizeof sizes / sizeof *sizes
               ? sizes[i]
               : (uint16_t)(chance(w, 80) ? below(w, 3000) : below(w, 65536));
}

static inline void some_question(struct world *w)
{
    static const char *const forms[FORMS][2] = {
        {"web.service.consul.", "WeB.SeRvIcE.dc1.CoNsUl."},
        {"v1.web.service.consul.", "a.tag.with.many.labels.web.service.dc1.consul."},
        {"_web._tcp.service.consul.", "_web._v1.service.dc1.consul."},
        {"_web._tcp.consul.", "_web._v1.dc1.consul."},
        {"web.connect.consul.", "web.connect.dc1.consul."},
        {"web.ingress.consul.", "web.ingress.dc1.consul."},
        {"web.query.consul.", "web.query.dc1.consul."},
        {"n0.node.consul.", "N0.node.dc1.consul."},
        {"consul.", "CONSUL."},
        {"0a000001.addr.consul.", "20010db8000000000000000000000001.addr.dc1.consul."},
        {"x.consul.", "a.b.c.d.consul."},
        {"example.com.", "."}};
    static const uint16_t types[] = {LDNS_RR_TYPE_A,   LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_SRV,
                                     LDNS_RR_TYPE_ANY, LDNS_RR_TYPE_TXT,  LDNS_RR_TYPE_MX,
                                     LDNS_RR_TYPE_SOA, LDNS_RR_TYPE_NS};
    w->form = (enum question_form)(chance(w, 70) ? below(w, FORM_CONNECT) : below(w, FORMS));
    bool longer = w->form == FORM_TAGGED && chance(w, 30);
    snprintf(w->name, sizeof w->name, "%s%s", longer ? LONG_LABEL LONG_LABEL LONG_LABEL : "",
             forms[w->form][longer ? 0 : below(w, 2)]);
    w->question = (struct query_spec){
        .name = w->name,
        .type = chance(w, 75) ? types[below(w, 3)] : types[below(w, sizeof types / sizeof *types)],
        .edns_size = some_size(w)};
    if (w->form == FORM_BARE_RFC2782) {
        w->question.type = LDNS_RR_TYPE_SRV;
    }
}

static inline void world_fill(struct world *w, uint64_t seed)
{
    mu__prng_seed(&w->r, seed);
    w->text_len = 0;
    some_config(w);
    w->count = chance(w, 60)   ? below(w, 12)
               : chance(w, 98) ? below(w, 120)
                               : below(w, WORLD_INSTANCES);
    for (size_t i = 0; i < w->count; i++) {
        w->instances[i] = some_instance(w, i);
    }
    w->status = chance(w, 94)   ? DNSFRONT_FOUND
                : chance(w, 50) ? DNSFRONT_NOT_FOUND
                                : DNSFRONT_FAILED;
    some_question(w);
    w->random = mu__prng_next(&w->r);
}

/* Of several instances, by their health. */
static inline bool form_is_filtered(enum question_form form)
{
    return form <= FORM_INGRESS;
}

static inline bool is_shown(const struct world *w, size_t i)
{
    enum dnsfront_health h = w->instances[i].health;
    return h == DNSFRONT_PASSING || (h == DNSFRONT_WARNING && !w->cfg.only_passing);
}
