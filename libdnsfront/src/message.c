#include "message.h"

#include <string.h>

#define POINTER_MAX 0x3fffu /* offsets that 14 bits can say */

/* A hash of each suffix of the name, in one walk from its end (FNV-1a). */
static void hash_suffixes(const struct name *n, uint32_t *hash)
{
    uint32_t h = 2166136261u;
    for (size_t i = n->labels; i > 0; i--) {
        const uint8_t *p = n->wire + n->at[i - 1];
        for (size_t k = 0; k <= p[0]; k++) {
            h = (h ^ p[k]) * 16777619u;
        }
        hash[i - 1] = h;
    }
}

/* Does the name at `offset` of the message, pointers followed, equal the wire form p? Pointers lead
 * backwards only, so this ends. */
static bool name_at_equals(const struct message *m, size_t offset, const uint8_t *p)
{
    const uint8_t *data = m->w.data;
    for (;;) {
        while ((data[offset] & 0xc0u) == 0xc0u) {
            offset = (size_t)(data[offset] & 0x3fu) << 8 | data[offset + 1];
        }
        size_t len = data[offset];
        if (memcmp(data + offset, p, len + 1) != 0) {
            return false;
        }
        if (len == 0) {
            return true;
        }
        offset += len + 1;
        p += len + 1;
    }
}

/* The offset of an equal suffix written before, or 0; then *slot is where to note a new one. */
static size_t find_suffix(const struct message *m, const uint8_t *p, uint32_t hash, size_t *slot)
{
    size_t i = hash % MESSAGE_SLOTS;
    while (m->slots[i]) {
        if (name_at_equals(m, m->slots[i], p)) {
            return m->slots[i];
        }
        i = (i + 1) % MESSAGE_SLOTS;
    }
    *slot = i;
    return 0;
}

/* How many labels at their ends two names have in common, not counting case. */
static size_t common_labels(const struct name *a, const struct name *b)
{
    size_t n = 0;
    while (n < a->labels && n < b->labels) {
        const uint8_t *x = a->lower + a->at[a->labels - 1 - n];
        const uint8_t *y = b->lower + b->at[b->labels - 1 - n];
        if (memcmp(x, y, (size_t)*x + 1) != 0) {
            break;
        }
        n++;
    }
    return n;
}

/* A name was pointed at `labels` labels of another one. That other one is the question, or might be
 * if that was spelled like it. */
static void note_case(struct message *m, const struct name *n, size_t labels)
{
    size_t common = m->case_matters ? 0 : common_labels(n, &m->q->name);
    m->case_matters = m->case_matters || (common > 0 && labels <= common);
}

/* SRV targets are written in full (RFC 2782), but later names may point into them. */
static void write_name(struct message *m, const struct name *n, bool may_point)
{
    size_t noted_slot[NAME_LABELS], noted_at[NAME_LABELS], noted = 0;
    bool pointed = false;
    size_t pointed_labels = 0;
    uint32_t hash[NAME_LABELS];
    if (m->compress) {
        hash_suffixes(n, hash);
    }
    for (size_t i = 0; i < n->labels && !pointed; i++) {
        const uint8_t *p = n->wire + n->at[i];
        size_t slot = MESSAGE_SLOTS;
        size_t at = m->compress ? find_suffix(m, p, hash[i], &slot) : 0;
        if (at && may_point) {
            mu__write_u16be(&m->w, (uint16_t)(0xc000u | at));
            pointed = true;
            pointed_labels = n->labels - i;
            break;
        }
        if (m->compress && !at && m->w.len <= POINTER_MAX) {
            noted_slot[noted] = slot;
            noted_at[noted++] = m->w.len;
        }
        mu__write_bytes(&m->w, p, (size_t)*p + 1);
    }
    if (!pointed) {
        mu__write_u8(&m->w, 0);
    }
    if (may_point && m->compress) {
        note_case(m, n, pointed_labels);
    }
    if (m->w.failed) {
        return;
    }
    /* Noted only now, when the whole name stands: a comparison walks to its end. */
    for (size_t i = 0; i < noted && m->suffixes < (size_t)MESSAGE_SLOTS / 4 * 3; i++) {
        size_t slot = noted_slot[i];
        while (m->slots[slot]) {
            slot = (slot + 1) % MESSAGE_SLOTS;
        }
        m->slots[slot] = (uint16_t)noted_at[i];
        m->suffixes++;
    }
}

void dnsfront__message_begin(struct message *m, const struct question *q, bool compress, void *buf,
                             size_t cap)
{
    *m = (struct message){.w = mu__writer_fixed(buf, cap), .q = q, .compress = compress};
    mu__write_room(&m->w, DNS_HEADER_LEN);
    if (q->has_question) {
        write_name(m, &q->name, false); /* later names may point into it */
        mu__write_u16be(&m->w, q->type);
        mu__write_u16be(&m->w, q->class_);
        m->counts[0] = 1;
    }
}

/* The question's name stands right behind the header, and every answer begins with it. */
static void write_owner(struct message *m, const struct record *rec, const struct name *owner)
{
    if (rec->owner.p) {
        write_name(m, owner, true);
    } else if (m->compress && m->q->name.labels) {
        mu__write_u16be(&m->w, 0xc000u | DNS_HEADER_LEN);
    } else {
        m->case_matters = true;
        mu__write_bytes(&m->w, m->q->name.wire, m->q->name.len);
    }
}

/* Text in strings of at most 255 bytes (RFC 1035 3.3.14). */
static void write_text(struct message *m, struct mu_str text)
{
    do {
        size_t len = mu__min(text.len, 255);
        mu__write_u8(&m->w, (uint8_t)len);
        mu__write_bytes(&m->w, text.p, len);
        text.p += len;
        text.len -= len;
    } while (text.len);
}

static void write_soa(struct message *m, const struct record *rec)
{
    struct name mname, rname;
    if (!dnsfront__name_parse(rec->u.soa.mname, &mname) ||
        !dnsfront__name_parse(rec->u.soa.rname, &rname)) {
        m->w.failed = true;
        return;
    }
    write_name(m, &mname, true);
    write_name(m, &rname, true);
    m->serial_at = m->w.len;
    mu__write_u32be(&m->w, rec->u.soa.serial);
    mu__write_u32be(&m->w, rec->u.soa.refresh);
    mu__write_u32be(&m->w, rec->u.soa.retry);
    mu__write_u32be(&m->w, rec->u.soa.expire);
    mu__write_u32be(&m->w, rec->u.soa.minimum);
}

static void write_body(struct message *m, const struct record *rec, const struct name *target)
{
    switch (rec->type) {
    case DNS_TYPE_A:
        mu__write_bytes(&m->w, rec->u.address, 4);
        break;
    case DNS_TYPE_AAAA:
        mu__write_bytes(&m->w, rec->u.address, 16);
        break;
    case DNS_TYPE_SRV:
        mu__write_u16be(&m->w, rec->u.srv.priority);
        mu__write_u16be(&m->w, rec->u.srv.weight);
        mu__write_u16be(&m->w, rec->u.srv.port);
        write_name(m, target, false);
        break;
    case DNS_TYPE_TXT:
        write_text(m, rec->target);
        break;
    case DNS_TYPE_SOA:
        write_soa(m, rec);
        break;
    default: /* NS, CNAME, PTR */
        write_name(m, target, true);
    }
}

bool dnsfront__message_add(struct message *m, int section, const struct record *rec)
{
    struct name owner, target; /* large: filled where they are needed */
    bool named = rec->type == DNS_TYPE_SRV || rec->type == DNS_TYPE_NS ||
                 rec->type == DNS_TYPE_CNAME || rec->type == DNS_TYPE_PTR;
    if ((rec->owner.p && !dnsfront__name_parse(rec->owner, &owner)) ||
        (named && !dnsfront__name_parse(rec->target, &target))) {
        return true;
    }
    size_t before = m->w.len;
    write_owner(m, rec, &owner);
    mu__write_u16be(&m->w, rec->type);
    mu__write_u16be(&m->w, 1); /* IN */
    mu__write_u32be(&m->w, rec->ttl);
    uint8_t *length = mu__write_room(&m->w, 2);
    size_t body = m->w.len;
    write_body(m, rec, &target);
    if (m->w.failed || m->counts[section] == UINT16_MAX) {
        m->w.len = before;
        m->w.failed = true;
        return false;
    }
    length[0] = (uint8_t)((m->w.len - body) >> 8);
    length[1] = (uint8_t)(m->w.len - body);
    m->counts[section]++;
    return true;
}

/* RFC 6891 6.1.2; the size is the client's own, the client subnet goes back with its scope (RFC
 * 7871 7.2.1). */
bool dnsfront__message_add_opt(struct message *m, uint8_t extended_rcode)
{
    if (!m->q->edns) {
        return true;
    }
    size_t subnet = m->q->subnet_len;
    mu__write_u8(&m->w, 0);
    mu__write_u16be(&m->w, DNS_TYPE_OPT);
    mu__write_u16be(&m->w, m->q->edns_size);
    mu__write_u32be(&m->w, (uint32_t)extended_rcode << 24);
    mu__write_u16be(&m->w, (uint16_t)(subnet ? subnet + 4 : 0));
    if (subnet) {
        mu__write_u16be(&m->w, 8);
        mu__write_u16be(&m->w, (uint16_t)subnet);
        uint8_t *body = mu__write_room(&m->w, subnet);
        if (body) {
            memcpy(body, m->q->subnet, subnet);
            body[3] = m->q->subnet_scope;
        }
    }
    m->counts[SECTION_ADDITIONAL]++;
    return !m->w.failed;
}

size_t dnsfront__message_end(struct message *m, uint16_t flags, unsigned rcode)
{
    if (m->w.failed) {
        return 0;
    }
    struct mu__writer header = mu__writer_fixed(m->w.data, DNS_HEADER_LEN);
    mu__write_u16be(&header, m->q->id);
    mu__write_u16be(&header, (uint16_t)(flags | (rcode & 0xfu)));
    for (int i = 0; i < 4; i++) {
        mu__write_u16be(&header, m->counts[i]);
    }
    return m->w.len;
}
