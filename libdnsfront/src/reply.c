#include "reply.h"

bool dnsfront__reply_open(const uint8_t *bytes, size_t len, const struct name *name, uint16_t type,
                          uint16_t class_, struct reply *out)
{
    struct mu__reader r = mu__reader(bytes, len);
    struct name asked;
    mu__read_u16be(&r); /* the ID is the business of whoever sent the query */
    *out = (struct reply){.bytes = bytes, .len = len, .flags = mu__read_u16be(&r)};
    uint16_t questions = mu__read_u16be(&r);
    for (size_t i = 0; i < 3; i++) {
        out->counts[i] = mu__read_u16be(&r);
    }
    dnsfront__name_read(&r, &asked);
    uint16_t asked_type = mu__read_u16be(&r);
    uint16_t asked_class = mu__read_u16be(&r);
    out->at = r.pos;
    return !r.failed && (out->flags & DNS_FLAG_QR) && questions == 1 && asked_type == type &&
           asked_class == class_ && dnsfront__name_equal(&asked, name);
}

bool dnsfront__reply_next(struct reply *r, struct reply_record *out)
{
    size_t section = 0;
    while (section < 3 && r->counts[section] == 0) {
        section++;
    }
    if (section == 3 || r->malformed) {
        return false;
    }
    r->counts[section]--;
    out->section = (int)section + 1;
    out->begin = r->at;
    size_t at;
    if (!dnsfront__name_unpack(r->bytes, r->len, r->at, &out->owner, &at)) {
        r->malformed = true;
        return false;
    }
    struct mu__reader b = mu__reader(r->bytes + at, r->len - at);
    out->type = mu__read_u16be(&b);
    out->class_ = mu__read_u16be(&b);
    out->ttl = mu__read_u32be(&b);
    out->body_len = mu__read_u16be(&b);
    out->body = at + b.pos;
    mu__read_bytes(&b, out->body_len);
    out->end = r->at = at + b.pos;
    r->malformed = b.failed;
    return !b.failed;
}
