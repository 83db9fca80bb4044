#include "node.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

int swim_node__family(const struct swim_addr *a)
{
    return a->len == 16 ? AF_INET6 : AF_INET;
}

socklen_t swim_node__to_sockaddr(const struct swim_addr *a, int family,
                                 struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (family == AF_INET && a->len == 4) {
        struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&sin.sin_addr, a->ip, 4);
        memcpy(out, &sin, sizeof sin);
        return sizeof sin;
    }
    if (family == AF_INET6 && (a->len == 4 || a->len == 16)) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        if (a->len == 16) {
            memcpy(&sin6.sin6_addr, a->ip, 16);
        } else {
            memcpy(&sin6.sin6_addr, mapped_prefix, sizeof mapped_prefix);
            memcpy((uint8_t *)&sin6.sin6_addr + sizeof mapped_prefix, a->ip, 4);
        }
        memcpy(out, &sin6, sizeof sin6);
        return sizeof sin6;
    }
    return 0;
}

bool swim_node__from_sockaddr(const struct sockaddr_storage *sa, struct swim_addr *out)
{
    memset(out, 0, sizeof *out);
    if (sa->ss_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof sin);
        out->len = 4;
        out->port = ntohs(sin.sin_port);
        memcpy(out->ip, &sin.sin_addr, 4);
        return true;
    }
    if (sa->ss_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof sin6);
        const uint8_t *ip = (const uint8_t *)&sin6.sin6_addr;
        bool mapped = memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
        out->len = mapped ? 4 : 16;
        out->port = ntohs(sin6.sin6_port);
        memcpy(out->ip, mapped ? ip + sizeof mapped_prefix : ip, out->len);
        return true;
    }
    return false;
}

bool swim_node__is_wildcard(const struct swim_addr *a)
{
    uint8_t any = 0;
    for (size_t i = 0; i < a->len; i++) {
        any |= a->ip[i];
    }
    return any == 0;
}

const char *swim_node__ip_text(const struct swim_addr *a, char out[IP_TEXT])
{
    if (!inet_ntop(swim_node__family(a), a->ip, out, IP_TEXT)) {
        out[0] = 0;
    }
    return out;
}

static bool parse_port(const char *text, uint16_t *port)
{
    uint32_t v = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9' && n < 5; n++) {
        v = v * 10 + (uint32_t)(text[n] - '0');
    }
    if (n == 0 || text[n] != 0 || v == 0 || v > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)v;
    return true;
}

static bool copy_host(const char *text, size_t len, char *host, size_t cap)
{
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = 0;
    return true;
}

bool swim_node__split_host(const char *text, uint16_t default_port, char *host, size_t cap,
                           uint16_t *port)
{
    const char *slash = strrchr(text, '/'); /* a name may hold one, a host does not */
    text = slash ? slash + 1 : text;
    *port = default_port;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (!end || (end[1] != 0 && end[1] != ':')) {
            return false;
        }
        return copy_host(text + 1, (size_t)(end - text - 1), host, cap) &&
               (end[1] == 0 || parse_port(end + 2, port));
    }
    const char *colon = strchr(text, ':');
    if (!colon || strchr(colon + 1, ':')) { /* no port; two colons are IPv6 */
        return copy_host(text, strlen(text), host, cap);
    }
    return copy_host(text, (size_t)(colon - text), host, cap) && parse_port(colon + 1, port);
}

bool swim_node_parse_addr(const char *text, uint16_t default_port, struct swim_addr *out)
{
    char host[IP_TEXT];
    struct swim_addr a = {.len = 0};
    if (strchr(text, '/') ||
        !swim_node__split_host(text, default_port, host, sizeof host, &a.port)) {
        return false;
    }
    if (inet_pton(AF_INET, host, a.ip) == 1) {
        a.len = 4;
    } else if (inet_pton(AF_INET6, host, a.ip) == 1) {
        bool mapped = memcmp(a.ip, mapped_prefix, sizeof mapped_prefix) == 0;
        a.len = mapped ? 4 : 16;
        if (mapped) {
            memmove(a.ip, a.ip + sizeof mapped_prefix, 4);
            memset(a.ip + 4, 0, sizeof mapped_prefix);
        }
    } else {
        return false;
    }
    *out = a;
    return true;
}
