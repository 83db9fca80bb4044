#include "relay.h"

#include "message.h"
#include "reply.h"

#include <string.h>

static bool open_reply(const struct question *q, const uint8_t *bytes, size_t len,
                       struct reply *out)
{
    return dnsfront__reply_open(bytes, len, &q->name, q->type, q->class_, out);
}

bool dnsfront__relay_is_sound(const struct question *q, const uint8_t *bytes, size_t len)
{
    struct reply r;
    struct reply_record rec;
    if (!open_reply(q, bytes, len, &r)) {
        return false;
    }
    unsigned rcode = r.flags & 0xfu;
    if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) {
        return false;
    }
    while (dnsfront__reply_next(&r, &rec)) {
    }
    return !r.malformed;
}

/* Names point backwards, so that a prefix of whole records stands by itself; the OPT record's name
 * is the root, so that it can be moved. */
static size_t cut(const struct question *q, const uint8_t *bytes, size_t len, size_t max,
                  uint8_t *buf, bool *missing, uint16_t counts[4])
{
    struct reply r;
    struct reply_record rec, opt = {.type = 0};
    open_reply(q, bytes, len, &r);
    size_t used = r.at;
    while (dnsfront__reply_next(&r, &rec)) {
        if (rec.type == DNS_TYPE_OPT && rec.section == SECTION_ADDITIONAL &&
            bytes[rec.begin] == 0) {
            opt = rec;
        }
    }
    size_t opt_len = opt.type ? opt.end - opt.begin : 0;
    if (used + opt_len > max) {
        opt_len = 0;
    }
    memcpy(buf, bytes, used);
    open_reply(q, bytes, len, &r);
    while (dnsfront__reply_next(&r, &rec)) {
        if (rec.type == DNS_TYPE_OPT && rec.section == SECTION_ADDITIONAL) {
            break; /* what is behind it would move */
        }
        if (rec.end + opt_len > max) {
            *missing = rec.section != SECTION_ADDITIONAL;
            break;
        }
        memcpy(buf + used, bytes + rec.begin, rec.end - rec.begin);
        used = rec.end;
        counts[rec.section]++;
    }
    if (opt_len) {
        memcpy(buf + used, bytes + opt.begin, opt_len);
        used += opt_len;
        counts[SECTION_ADDITIONAL]++;
    }
    return used;
}

size_t dnsfront__relay_write(const struct question *q, const uint8_t *bytes, size_t len, size_t max,
                             uint8_t *buf)
{
    if (len <= max) {
        memcpy(buf, bytes, len);
    } else {
        uint16_t counts[4] = {1, 0, 0, 0};
        bool missing = false;
        len = cut(q, bytes, len, max, buf, &missing, counts);
        struct mu__writer w = mu__writer_fixed(buf, DNS_HEADER_LEN);
        uint16_t flags = (uint16_t)(bytes[2] << 8 | bytes[3]);
        mu__write_u16be(&w, q->id);
        mu__write_u16be(&w, (uint16_t)(flags | (missing ? DNS_FLAG_TC : 0)));
        for (size_t i = 0; i < 4; i++) {
            mu__write_u16be(&w, counts[i]);
        }
    }
    buf[0] = (uint8_t)(q->id >> 8);
    buf[1] = (uint8_t)q->id;
    memcpy(buf + DNS_HEADER_LEN, q->name.wire, q->name.len);
    return len;
}
