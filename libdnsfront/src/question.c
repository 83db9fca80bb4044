#include "question.h"

#include <string.h>

#define OPTION_CLIENT_SUBNET 8u

/* Family, source and scope prefix, then the bytes of the address that the source prefix covers.
 * Prefixes that the family does not have are malformed; bytes too many or too few are forgiven as
 * Consul does, and go back as they should have been (RFC 7871 6, 7.1.2). */
static void read_subnet(struct mu__reader *r, const uint8_t *body, size_t size, struct question *q)
{
    unsigned family = size < DNS_SUBNET_HEAD ? UINT16_MAX : (unsigned)(body[0] << 8 | body[1]);
    unsigned bits = family == DNS_SUBNET_IPV4 ? 32 : family == DNS_SUBNET_IPV6 ? 128 : 0;
    if (family > DNS_SUBNET_IPV6 || body[2] > bits) {
        mu__reader_fail(r);
        return;
    }
    size_t covered = (body[2] + 7u) / 8;
    memset(q->subnet, 0, sizeof q->subnet);
    memcpy(q->subnet, body, mu__min(size, DNS_SUBNET_HEAD + covered));
    if (body[2] % 8) {
        q->subnet[DNS_SUBNET_HEAD + covered - 1] &= (uint8_t)(0xff00u >> body[2] % 8);
    }
    q->subnet_len = DNS_SUBNET_HEAD + covered;
}

/* Options: code u16, length u16, body. Unknown ones are ignored (RFC 6891 6.1.2). */
static void read_options(struct mu__reader *r, size_t len, struct question *q)
{
    const uint8_t *bytes = mu__read_bytes(r, len);
    struct mu__reader o = mu__reader(bytes, bytes ? len : 0);
    while (mu__reader_left(&o)) {
        uint16_t code = mu__read_u16be(&o);
        uint16_t size = mu__read_u16be(&o);
        const uint8_t *body = mu__read_bytes(&o, size);
        if (body && code == OPTION_CLIENT_SUBNET && !q->subnet_len) {
            read_subnet(&o, body, size, q);
        }
    }
    if (o.failed) {
        mu__reader_fail(r);
    }
}

/* A record of the query: name, type, class, TTL, length, body. Only the OPT record matters, and
 * only where it belongs. */
static void read_record(struct mu__reader *r, bool additional, struct question *q)
{
    dnsfront__name_skip(r);
    uint16_t type = mu__read_u16be(r);
    uint16_t class_ = mu__read_u16be(r);
    uint32_t ttl = mu__read_u32be(r);
    uint16_t len = mu__read_u16be(r);
    if (type != DNS_TYPE_OPT || !additional) {
        mu__read_bytes(r, len);
        return;
    }
    if (q->edns) { /* RFC 6891 6.1.1: more than one is an error */
        mu__reader_fail(r);
        return;
    }
    q->edns = true;
    q->edns_size = class_;
    q->edns_version = (uint8_t)(ttl >> 16);
    read_options(r, len, q);
}

enum question_result dnsfront__question_read(const uint8_t *bytes, size_t len, struct question *out)
{
    *out = (struct question){0};
    struct mu__reader r = mu__reader(bytes, len);
    out->id = mu__read_u16be(&r);
    out->flags = mu__read_u16be(&r);
    uint16_t questions = mu__read_u16be(&r);
    uint32_t others = mu__read_u16be(&r);
    others += mu__read_u16be(&r);
    uint32_t additional = mu__read_u16be(&r);
    if (r.failed || (out->flags & DNS_FLAG_QR)) {
        return QUESTION_IGNORE;
    }
    if (questions != 1) {
        return QUESTION_MALFORMED;
    }
    dnsfront__name_read(&r, &out->name);
    out->type = mu__read_u16be(&r);
    out->class_ = mu__read_u16be(&r);
    if (r.failed) {
        return QUESTION_MALFORMED;
    }
    out->has_question = true;
    for (uint32_t i = 0; i < others + additional && !r.failed; i++) {
        read_record(&r, i >= others, out);
    }
    return r.failed ? QUESTION_MALFORMED : QUESTION_OK;
}
