#include "reverse.h"

#include "msgpack.h"

#include <arpa/inet.h>

#define V4_LABELS 6u  /* four numbers, in-addr, arpa */
#define V6_LABELS 34u /* 32 nibbles, ip6, arpa */

bool dnsfront__is_reverse(const struct name *n)
{
    return n->labels > 0 && mu__str_is(dnsfront__name_label(n, n->labels - 1), "arpa");
}

/* 0 to 255 in decimal without leading zeros, else -1: an address has one name. */
static int read_octet(struct mu_str s)
{
    int v = 0;
    if (s.len == 0 || s.len > 3 || (s.len > 1 && s.p[0] == '0')) {
        return -1;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return -1;
        }
        v = v * 10 + (s.p[i] - '0');
    }
    return v <= 255 ? v : -1;
}

static int read_nibble(struct mu_str s)
{
    char c = s.len == 1 ? s.p[0] : ' ';
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_v4(const struct name *n, uint8_t out[4])
{
    for (size_t i = 0; i < 4; i++) {
        int v = read_octet(dnsfront__name_label(n, 3 - i));
        if (v < 0) {
            return false;
        }
        out[i] = (uint8_t)v;
    }
    return true;
}

static bool read_v6(const struct name *n, uint8_t out[16])
{
    for (size_t i = 0; i < 16; i++) {
        int hi = read_nibble(dnsfront__name_label(n, 31 - 2 * i));
        int lo = read_nibble(dnsfront__name_label(n, 30 - 2 * i));
        if (hi < 0 || lo < 0) {
            return false;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

bool dnsfront__reverse_read(const struct name *n, char text[REVERSE_TEXT_MAX])
{
    uint8_t bytes[16];
    if (!dnsfront__is_reverse(n) || n->labels < 2) {
        return false;
    }
    struct mu_str family = dnsfront__name_label(n, n->labels - 2);
    if (n->labels == V4_LABELS && mu__str_is(family, "in-addr") && read_v4(n, bytes)) {
        return inet_ntop(AF_INET, bytes, text, REVERSE_TEXT_MAX) != NULL;
    }
    if (n->labels == V6_LABELS && mu__str_is(family, "ip6") && read_v6(n, bytes)) {
        return inet_ntop(AF_INET6, bytes, text, REVERSE_TEXT_MAX) != NULL;
    }
    return false;
}
