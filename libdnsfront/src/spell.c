#include "spell.h"

#include <string.h>

/* Joined with dots; empty parts are left out. */
static struct mu_str join(struct mu__arena *a, const struct mu_str *parts, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        len += parts[i].len + 1;
    }
    char *text = mu__arena_alloc(a, len);
    if (!text) {
        return (struct mu_str){NULL, 0};
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len == 0) {
            continue;
        }
        if (at > 0) {
            text[at++] = '.';
        }
        memcpy(text + at, parts[i].p, parts[i].len);
        at += parts[i].len;
    }
    return (struct mu_str){text, at};
}

struct mu_str dnsfront__spell_node(const struct dnsfront_instance *i, struct mu_str domain,
                                   struct mu__arena *a)
{
    return join(a, (struct mu_str[]){i->node, {"node", 4}, i->datacenter, domain}, 4);
}

struct mu_str dnsfront__spell_service(const struct dnsfront_instance *i, struct mu_str domain,
                                      struct mu__arena *a)
{
    return join(a, (struct mu_str[]){i->service_name, {"service", 7}, i->datacenter, domain}, 4);
}

struct mu_str dnsfront__spell_address(const struct dnsfront_instance *i, const struct address *addr,
                                      struct mu_str domain, struct mu__arena *a)
{
    static const char digits[] = "0123456789abcdef";
    char hex[32];
    size_t n = addr->kind == ADDRESS_IPV4 ? 4 : 16;
    for (size_t k = 0; k < n; k++) {
        hex[2 * k] = digits[addr->bytes[k] >> 4];
        hex[2 * k + 1] = digits[addr->bytes[k] & 15];
    }
    return join(a, (struct mu_str[]){{hex, 2 * n}, {"addr", 4}, i->datacenter, domain}, 4);
}

struct mu_str dnsfront__spell_meta(struct mu_str key, struct mu_str value, struct mu__arena *a)
{
    static const char bare[] = "rfc1035-";
    char *text = mu__arena_alloc(a, 2 * (key.len + value.len) + 3);
    if (!text) {
        return (struct mu_str){NULL, 0};
    }
    size_t len = 0;
    if (key.len < sizeof bare - 1 || memcmp(key.p, bare, sizeof bare - 1) != 0) {
        size_t head = 0, tail = key.len;
        while (head < tail && key.p[head] == ' ') {
            head++;
        }
        while (tail > head && key.p[tail - 1] == ' ') {
            tail--;
        }
        for (size_t i = 0; i < key.len; i++) {
            char c = key.p[i];
            if (c == '`' || c == '=' || i < head || i >= tail) {
                text[len++] = '`';
            }
            text[len++] = c;
        }
        text[len++] = '=';
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] == '`') {
            text[len++] = '`';
        }
        text[len++] = value.p[i];
    }
    return (struct mu_str){text, len};
}

struct mu_str dnsfront__spell_host(struct mu_str name, struct mu__arena *a)
{
    char *p = mu__arena_strndup(a, name.p, name.len);
    return (struct mu_str){p, p ? name.len : 0};
}
