/* Networks, as address/bits: RFC 4632 3.1. */
#include "config_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

bool config__network(const char *text, struct config_network *out)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : 0;
    if (!len || len >= sizeof address || !slash[1] ||
        strspn(slash + 1, "0123456789") != strlen(slash + 1) || strlen(slash + 1) > 3) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    out->bits = (unsigned)strtoul(slash + 1, NULL, 10);
    if (inet_pton(AF_INET, address, out->bytes) == 1) {
        out->len = 4;
    } else if (inet_pton(AF_INET6, address, out->bytes) == 1) {
        out->len = 16;
    } else {
        return false;
    }
    return out->bits <= 8 * out->len;
}

size_t config__networks(struct config__loader *l, const struct mu_strs *texts, const char *key,
                        struct config_networks *out)
{
    struct config *c = l->config;
    size_t bad = 0;
    out->items = mu__arena_calloc(&c->arena, texts->len + 1, sizeof *out->items);
    if (!out->items) {
        abort();
    }
    for (size_t i = 0; i < texts->len; i++) {
        if (config__network(texts->items[i].p, &out->items[out->len])) {
            out->len++;
        } else {
            config__note(c, &l->invalid, "%s%sinvalid cidr: %s", key, *key ? ": " : "",
                         texts->items[i].p);
            bad++;
        }
    }
    return bad;
}

bool config_network_has(const struct config_network *n, const uint8_t *address, size_t len)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (len == 16 && n->len == 4 && !memcmp(address, mapped, sizeof mapped)) {
        address += 12; /* ::ffff:1.2.3.4 */
        len = 4;
    }
    if (len != n->len) {
        return false;
    }
    size_t whole = n->bits / 8, rest = n->bits % 8;
    uint8_t mask = (uint8_t)(0xff00 >> rest);
    return !memcmp(address, n->bytes, whole) &&
           (!rest || ((address[whole] ^ n->bytes[whole]) & mask) == 0);
}
