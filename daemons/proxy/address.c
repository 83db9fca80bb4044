#include "proxy/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool proxy_address_make(const char *ip, uint16_t port, struct proxy_address *out)
{
    *out = (struct proxy_address){0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at;
    if (strcmp(ip, "localhost") == 0) {
        ip = "127.0.0.1";
    }
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out->len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->len = sizeof *v6;
        return true;
    }
    return false;
}

bool proxy_address_parse(const char *text, struct proxy_address *out)
{
    const char *colon = strrchr(text, ':');
    char ip[64] = "0.0.0.0", *end = NULL;
    size_t len = colon ? (size_t)(colon - text) : 0;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || colon[1] < '0' || colon[1] > '9' || *end || port > 65535 || len >= sizeof ip) {
        return false;
    }
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (len > 0) {
        size_t from = bracketed ? 1 : 0;
        memcpy(ip, text + from, len - 2 * from);
        ip[len - 2 * from] = '\0';
    }
    return proxy_address_make(ip, (uint16_t)port, out);
}

void proxy_address_format(const struct proxy_address *a, char text[PROXY_ADDRESS_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "";
    bool six = a->at.ss_family == AF_INET6;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->at;
    inet_ntop(a->at.ss_family, six ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, ip,
              sizeof ip);
    snprintf(text, PROXY_ADDRESS_MAX, six ? "[%s]:%u" : "%s:%u", ip,
             ntohs(six ? v6->sin6_port : v4->sin_port));
}
