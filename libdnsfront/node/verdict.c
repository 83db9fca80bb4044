#include "verdict.h"

#include "cursor.h"

/* Header (RFC 1035 4.1.1): id, flags, and how many questions, answers, authority and additional
 * records follow, u16 each. */
#define QR           0x8000u
#define OPCODE       0x7800u
#define TC           0x0200u
#define RCODE        0x000fu
#define NAME_MAX_LEN 255u
#define JUMPS_MAX    127u

enum { NOERROR = 0, NXDOMAIN = 3 };

static uint16_t field(const uint8_t *message, size_t i)
{
    return (uint16_t)(message[2 * i] << 8 | message[2 * i + 1]);
}

/* One name, through its pointers. Each must point before the place where it was met, so nothing
 * loops; no name needs more of them than it can have labels, so that thousands of names cannot each
 * lead through thousands of pointers. */
static void skip_name(struct mu__reader *r)
{
    struct mu__reader at = *r;
    size_t total = 0, before = r->pos;
    unsigned jumps = 0;
    for (;;) {
        uint8_t len = mu__read_u8(&at);
        if ((len & 0xc0u) == 0xc0u) {
            size_t to = (size_t)(len & 0x3fu) << 8 | mu__read_u8(&at);
            if (at.failed || to >= before || to < HEADER_LEN || ++jumps > JUMPS_MAX) {
                break;
            }
            if (jumps == 1) {
                r->pos = at.pos;
            }
            before = at.pos = to;
            continue;
        }
        total += 1u + len;
        if (len & 0xc0u || total > NAME_MAX_LEN) {
            break;
        }
        mu__read_bytes(&at, len);
        if (at.failed) {
            break;
        }
        if (len == 0) {
            r->pos = jumps ? r->pos : at.pos;
            return;
        }
    }
    mu__reader_fail(r);
}

static void skip_record(struct mu__reader *r)
{
    skip_name(r);
    mu__read_bytes(r, 8); /* type, class, TTL */
    mu__read_bytes(r, mu__read_u16be(r));
}

static void skip_question(struct mu__reader *r)
{
    skip_name(r);
    mu__read_bytes(r, 4); /* type, class */
}

bool dnsfront__reply_is_sound(const uint8_t *reply, size_t len)
{
    if (len < HEADER_LEN) {
        return false;
    }
    struct mu__reader r = mu__reader(reply, len);
    mu__read_bytes(&r, HEADER_LEN);
    for (unsigned i = 0; i < field(reply, 2) && !r.failed; i++) {
        skip_question(&r);
    }
    unsigned records = 0u + field(reply, 3) + field(reply, 4) + field(reply, 5);
    while (records-- && !r.failed) {
        skip_record(&r);
    }
    return !r.failed;
}

uint8_t dnsfront__fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

size_t dnsfront__question_end(const uint8_t *message, size_t len)
{
    struct mu__reader r = mu__reader(message, len);
    mu__read_bytes(&r, HEADER_LEN);
    skip_question(&r);
    return r.failed ? 0 : r.pos;
}

/* The client chose the letters' case; resolvers may answer in another one. */
static bool same_question(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t len)
{
    size_t end = dnsfront__question_end(query, query_len);
    if (end == 0 || end > len || dnsfront__question_end(reply, len) != end) {
        return false;
    }
    for (size_t i = HEADER_LEN; i < end - 4; i++) {
        if (dnsfront__fold(query[i]) != dnsfront__fold(reply[i])) {
            return false;
        }
    }
    return memcmp(query + end - 4, reply + end - 4, 4) == 0; /* type and class */
}

enum reply_verdict dnsfront__reply_check(const uint8_t *query, size_t query_len,
                                         const uint8_t *reply, size_t len)
{
    if (query_len < HEADER_LEN || len < HEADER_LEN || field(reply, 0) != field(query, 0) ||
        !(field(reply, 1) & QR) || (field(reply, 1) & OPCODE) != (field(query, 1) & OPCODE)) {
        return REPLY_STRANGER;
    }
    unsigned rcode = field(reply, 1) & RCODE;
    bool accepted = rcode == NOERROR || rcode == NXDOMAIN;
    if (field(reply, 2) == 0 && !accepted) {
        return REPLY_FAILED; /* it did not even read the question */
    }
    if (field(reply, 2) != 1 || !same_question(query, query_len, reply, len)) {
        return REPLY_STRANGER;
    }
    if (!accepted) {
        return REPLY_FAILED;
    }
    if (field(reply, 1) & TC) {
        return REPLY_TRUNCATED;
    }
    return dnsfront__reply_is_sound(reply, len) ? REPLY_ACCEPTED : REPLY_FAILED;
}

size_t dnsfront__reply_cut(uint8_t *reply, size_t len)
{
    reply[2] |= TC >> 8;
    memset(reply + 6, 0, 6);
    return dnsfront__question_end(reply, len);
}
