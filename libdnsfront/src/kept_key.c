#include "kept_key.h"

#include "front.h"

#define OPTION_CLIENT_SUBNET 8u
#define OPT_HEAD             11u /* root, type, size, code and flags, length of options */

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* The folded name into out; the offset behind it, or 0. */
static size_t read_name(const uint8_t *p, size_t len, struct kept_key *out)
{
    size_t at = DNS_HEADER_LEN, n = 0;
    unsigned capitals = 0;
    for (;;) {
        if (at >= len || p[at] > NAME_LABEL_MAX) {
            return 0;
        }
        size_t label = p[at];
        if (label > len - at - 1 || n + 1 + label + (label ? 1 : 0) > NAME_WIRE_MAX) {
            return 0;
        }
        out->bytes[n++] = (uint8_t)label;
        at++;
        if (label == 0) {
            break;
        }
        for (size_t i = 0; i < label; i++) {
            uint8_t c = p[at++];
            unsigned capital = (unsigned)(c - 'A') < 26u;
            capitals |= capital;
            out->bytes[n++] = (uint8_t)(c | capital << 5);
        }
    }
    out->lower = capitals == 0;
    out->name_len = n;
    return at;
}

/* The OPT record at p, which must end the message. Options mean nothing to us, except for the
 * client's subnet. */
static bool read_opt(const uint8_t *p, size_t len, struct kept_key *out)
{
    if (len < OPT_HEAD || p[0] != 0 || u16(p + 1) != DNS_TYPE_OPT || p[6] != 0 ||
        u16(p + 9) != len - OPT_HEAD) {
        return false;
    }
    out->edns_size = u16(p + 3);
    size_t at = OPT_HEAD;
    while (len - at >= 4) {
        size_t body = u16(p + at + 2);
        if (u16(p + at) == OPTION_CLIENT_SUBNET || body > len - at - 4) {
            return false;
        }
        at += 4 + body;
    }
    return at == len;
}

static enum kept_shape shape_of(const struct dnsfront *d, bool tcp, bool edns, struct kept_key *out)
{
    if (tcp) {
        return edns ? KEPT_TCP_EDNS : KEPT_TCP;
    }
    if (!edns) {
        return KEPT_UDP;
    }
    out->limit = (uint16_t)dnsfront__udp_limit(d, out->edns_size);
    return out->limit <= UDP_PLAIN_MAX ? KEPT_UDP_EDNS_SMALL : KEPT_UDP_EDNS;
}

bool dnsfront__kept_key_read(const struct dnsfront *d, const struct dnsfront_request *r,
                             struct kept_key *out)
{
    const uint8_t *p = r->bytes;
    out->shape = KEPT_NONE;
    if (r->len < DNS_HEADER_LEN || (p[2] & 0xf8) != 0 /* QR, opcode */ || u16(p + 4) != 1 ||
        u16(p + 6) != 0 || u16(p + 8) != 0 || u16(p + 10) > 1) {
        return false;
    }
    out->flags = u16(p + 2);
    bool edns = p[11] == 1;
    size_t at = read_name(p, r->len, out);
    if (at == 0 || r->len - at < 4 || u16(p + at + 2) != DNS_CLASS_IN) {
        return false;
    }
    out->bytes[out->name_len] = p[at];
    out->bytes[out->name_len + 1] = p[at + 1];
    out->len = out->name_len + 2;
    at += 4;
    if (edns ? !read_opt(p + at, r->len - at, out) : at != r->len) {
        return false;
    }
    out->shape = shape_of(d, r->tcp, edns, out);
    return true;
}
