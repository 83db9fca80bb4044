#include "classify.h"

#include "msgpack.h"

#include <string.h>

/* `[tag.]<service>`, or RFC 2782's `_<service>._<tag>` where `_tcp` means no tag. Labels 0..n-1. */
static void read_service(const struct question *q, size_t n, struct name_meaning *m)
{
    struct mu_str first = dnsfront__name_label(&q->name, 0);
    struct mu_str second = n == 2 ? dnsfront__name_label(&q->name, 1) : (struct mu_str){NULL, 0};
    m->kind = NAME_SERVICE;
    m->lookup.kind = DNSFRONT_SERVICE;
    if (n == 2 && first.len > 1 && first.p[0] == '_' && second.len > 1 && second.p[0] == '_') {
        m->lookup.name = dnsfront__name_join(&q->name, 0, 1, m->text[0]);
        m->lookup.name.p++;
        m->lookup.name.len--;
        m->lookup.tag = dnsfront__name_join(&q->name, 1, 2, m->text[1]);
        m->lookup.tag.p++;
        m->lookup.tag.len--;
        if (mu__str_is(m->lookup.tag, "tcp")) {
            m->lookup.tag.len = 0;
        }
        return;
    }
    m->lookup.name = dnsfront__name_join(&q->name, n - 1, n, m->text[0]);
    m->lookup.tag = dnsfront__name_join(&q->name, 0, n - 1, m->text[1]);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 8 hex digits are an IPv4 address, 32 an IPv6 one; another length has no records, other characters
 * no meaning. */
static void read_address(const struct question *q, size_t n, struct name_meaning *m)
{
    struct mu_str hex = dnsfront__name_label(&q->name, 0);
    if (n != 1) {
        return;
    }
    m->kind = NAME_ADDRESS;
    if (hex.len != 8 && hex.len != 32) {
        return;
    }
    for (size_t i = 0; i < hex.len; i += 2) {
        int hi = hex_digit(hex.p[i]), lo = hex_digit(hex.p[i + 1]);
        if (hi < 0 || lo < 0) {
            m->kind = NAME_INVALID;
            return;
        }
        m->address[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    m->address_len = hex.len / 2;
}

/* Labels are scanned from the right; the first keyword ends the scan, and at most the datacenter
 * may follow it. */
static void read_form(const struct question *q, size_t n, struct name_meaning *m)
{
    static const char *const keywords[] = {"service", "node",    "addr",
                                           "connect", "ingress", "query"};
    for (size_t i = n; i > 0; i--) {
        struct mu_str label = dnsfront__name_label(&q->name, i - 1);
        size_t k = 0;
        while (k < sizeof keywords / sizeof *keywords && !mu__str_is(label, keywords[k])) {
            k++;
        }
        if (k == sizeof keywords / sizeof *keywords) {
            continue;
        }
        if (n - i > 1 || i == 1) {
            return; /* more than a datacenter follows, or nothing stands in front */
        }
        if (n - i == 1) {
            m->lookup.datacenter = dnsfront__name_join(&q->name, i, n, m->text[2]);
        }
        if (k == 0) {
            read_service(q, i - 1, m);
        } else if (k == 1) {
            m->kind = NAME_NODE;
            m->lookup.kind = DNSFRONT_NODE;
            m->lookup.name = dnsfront__name_join(&q->name, 0, i - 1, m->text[0]);
        } else if (k == 2) {
            read_address(q, i - 1, m);
        }
        return; /* connect, ingress and query names know nothing yet to answer with: no such name */
    }
    /* `_<service>._<tag>.consul` needs no keyword when SRV is asked (RFC 2782). */
    if (q->type == DNS_TYPE_SRV && (n == 2 || n == 3) &&
        dnsfront__name_label(&q->name, 0).p[0] == '_' &&
        dnsfront__name_label(&q->name, 1).p[0] == '_') {
        if (n == 3) {
            m->lookup.datacenter = dnsfront__name_join(&q->name, 2, 3, m->text[2]);
        }
        read_service(q, 2, m);
    }
}

void dnsfront__classify(const struct question *q, const struct name *domain, const struct name *alt,
                        struct mu_str datacenter, struct name_meaning *out)
{
    memset(out, 0, offsetof(struct name_meaning, text));
    const struct name *in = dnsfront__name_ends_in(&q->name, domain)       ? domain
                            : alt && dnsfront__name_ends_in(&q->name, alt) ? alt
                                                                           : NULL;
    out->kind = NAME_FOREIGN;
    if (!in) {
        return;
    }
    size_t n = q->name.labels - in->labels;
    out->kind = n == 0 ? NAME_APEX : NAME_INVALID;
    out->lookup.datacenter = datacenter;
    if (n > 0 && dnsfront__name_is_printable(&q->name)) {
        read_form(q, n, out);
    }
}
