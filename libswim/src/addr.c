#include <muster/swim.h>
#include <stdio.h>
#include <string.h>

bool swim_addr_equal(const struct swim_addr *a, const struct swim_addr *b)
{
    return a->len == b->len && a->port == b->port && memcmp(a->ip, b->ip, a->len) == 0;
}

/* The longest run of zero groups of an IPv6 address, at least two long (RFC 5952, 4.2). */
static void longest_zeros(const uint16_t g[8], int *start, int *len)
{
    *start = -1;
    *len = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && g[i + n] == 0) {
            n++;
        }
        if (n > *len) {
            *start = i;
            *len = n;
        }
    }
}

static size_t ipv6_text(const uint8_t ip[16], char *out, size_t cap)
{
    uint16_t g[8];
    int start, len;
    size_t n = 0;
    for (size_t i = 0; i < 8; i++) {
        g[i] = (uint16_t)(ip[2 * i] << 8 | ip[2 * i + 1]);
    }
    longest_zeros(g, &start, &len);
    for (int i = 0; i < 8; i++) {
        if (i == start) {
            n += (size_t)snprintf(out + n, cap - n, "::");
            i += len - 1;
            continue;
        }
        bool colon = i > 0 && out[n - 1] != ':';
        n += (size_t)snprintf(out + n, cap - n, colon ? ":%x" : "%x", g[i]);
    }
    return n;
}

const char *swim_addr_text(const struct swim_addr *a, char out[SWIM_ADDR_TEXT])
{
    char ip[40]; /* eight groups of four */
    if (a->len == 4) {
        (void)snprintf(out, SWIM_ADDR_TEXT, "%u.%u.%u.%u:%u", a->ip[0], a->ip[1], a->ip[2],
                       a->ip[3], a->port);
    } else if (a->len == 16) {
        (void)ipv6_text(a->ip, ip, sizeof ip);
        (void)snprintf(out, SWIM_ADDR_TEXT, "[%s]:%u", ip, a->port);
    } else {
        (void)snprintf(out, SWIM_ADDR_TEXT, "none");
    }
    return out;
}
