/* Addresses: what is listened on, and what others are told. */
#include "config_internal.h"

#include "schema.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define ADDRESSES_MAX 32 /* that one key may list */

struct ip {
    int family; /* AF_INET or AF_INET6 */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } at;
};

static bool parse_ip(const char *text, struct ip *out)
{
    if (inet_pton(AF_INET, text, &out->at.v4) == 1) {
        out->family = AF_INET;
        return true;
    }
    out->family = AF_INET6;
    return inet_pton(AF_INET6, text, &out->at.v6) == 1;
}

static bool is_any(const struct ip *ip)
{
    return ip->family == AF_INET ? ip->at.v4.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&ip->at.v6);
}

static bool is_private(const struct ip *ip) /* RFC 1918, RFC 6598, RFC 4193 */
{
    if (ip->family == AF_INET6) {
        return (ip->at.v6.s6_addr[0] & 0xfe) == 0xfc;
    }
    uint32_t a = ntohl(ip->at.v4.s_addr);
    return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x191;
}

static bool is_global(const struct ip *ip)
{
    if (ip->family == AF_INET6) {
        return !is_private(ip) && !IN6_IS_ADDR_LINKLOCAL(&ip->at.v6) &&
               !IN6_IS_ADDR_LOOPBACK(&ip->at.v6);
    }
    uint32_t a = ntohl(ip->at.v4.s_addr);
    return !is_private(ip) && a >> 24 != 127 && a >> 16 != 0xa9fe;
}

/* Which addresses of this host, by class. */
struct choice {
    int family;
    bool want_private, want_global;
};

static bool matches(const struct choice *w, const struct ifaddrs *a, struct ip *ip)
{
    if (!a->ifa_addr || !(a->ifa_flags & IFF_UP) || a->ifa_addr->sa_family != w->family) {
        return false;
    }
    ip->family = w->family;
    if (w->family == AF_INET) {
        memcpy(&ip->at.v4, &((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr,
               sizeof ip->at.v4);
    } else {
        memcpy(&ip->at.v6, &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr,
               sizeof ip->at.v6);
    }
    return (w->want_private && is_private(ip)) || (w->want_global && is_global(ip));
}

/* Writes the first match and returns how many there are. */
static size_t choose(const struct choice *w, char out[INET6_ADDRSTRLEN])
{
    struct ifaddrs *all;
    struct ip ip;
    size_t n = 0;
    if (getifaddrs(&all)) {
        return 0;
    }
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        if (matches(w, a, &ip) && n++ == 0) {
            inet_ntop(ip.family, &ip.at, out, INET6_ADDRSTRLEN);
        }
    }
    freeifaddrs(all);
    return n;
}

/* ---- Single addresses ---- */

static void check_ip(struct config__loader *l, const char *key, struct mu_str *value)
{
    struct ip ip;
    config__expand_templates(l, key, value);
    if (value->len && !parse_ip(value->p, &ip)) {
        config__note(l->config, &l->invalid, "%s: invalid ip address: %s", key, value->p);
    }
}

static void finish_bind(struct config__loader *l)
{
    struct config *c = l->config;
    struct ip ip;
    config__expand_templates(l, "bind_addr", &c->bind_addr);
    if (!c->bind_addr.len) {
        config__fail(l, "bind_addr cannot be empty");
    } else if (strpbrk(c->bind_addr.p, " \t")) {
        config__fail(l, "bind_addr cannot contain multiple addresses. Use "
                        "'addresses.{dns,http,https}' instead.");
    } else if (!strncmp(c->bind_addr.p, "unix://", 7)) {
        config__fail(l, "bind_addr cannot be a unix socket");
    } else if (!parse_ip(c->bind_addr.p, &ip)) {
        config__fail(l, "bind_addr must be an ip address");
    }
}

/* With 0.0.0.0 the node is reached at its one private IPv4 address, with [::] at its one public
 * IPv6 address. */
static void detect_advertise(struct config__loader *l)
{
    struct config *c = l->config;
    char text[INET6_ADDRSTRLEN];
    struct ip ip;
    if (!parse_ip(c->bind_addr.p, &ip) || !is_any(&ip)) {
        c->advertise_addr = c->bind_addr;
        return;
    }
    bool v4 = ip.family == AF_INET;
    const struct choice w = {.family = ip.family, .want_private = v4, .want_global = !v4};
    const char *kind = v4 ? "private IPv4" : "public IPv6";
    size_t n = choose(&w, text);
    if (n == 0) { /* a host with loopback and odd networks alone */
        const struct choice any = {.family = ip.family, .want_global = true, .want_private = true};
        n = choose(&any, text);
    }
    if (n == 0) {
        config__fail(l, "No %s address found", kind);
    } else if (n > 1) {
        config__fail(
            l, "Multiple %s addresses found. Please configure one with 'bind' and/or 'advertise'.",
            kind);
    } else {
        c->advertise_addr = config__text(c, text, strlen(text));
    }
}

static void refuse_any(struct config__loader *l, const char *what, struct mu_str addr)
{
    struct ip ip;
    if (addr.len && parse_ip(addr.p, &ip) && is_any(&ip)) {
        config__fail(l, "%s cannot be 0.0.0.0, :: or [::]", what);
    }
}

static struct mu_str first_of(struct mu_str a, struct mu_str b, struct mu_str c)
{
    return a.len ? a : b.len ? b : c;
}

static void finish_advertise(struct config__loader *l)
{
    struct config *c = l->config;
    check_ip(l, "advertise_addr", &c->advertise_addr);
    check_ip(l, "advertise_addr_ipv4", &c->advertise_addr_ipv4);
    check_ip(l, "advertise_addr_ipv6", &c->advertise_addr_ipv6);
    check_ip(l, "advertise_addr_wan", &c->advertise_addr_wan);
    check_ip(l, "advertise_addr_wan_ipv4", &c->advertise_addr_wan_ipv4);
    check_ip(l, "advertise_addr_wan_ipv6", &c->advertise_addr_wan_ipv6);
    check_ip(l, "serf_lan", &c->serf_lan);
    check_ip(l, "serf_wan", &c->serf_wan);
    c->advertise_addr = first_of(c->advertise_addr, c->advertise_addr_ipv4, c->advertise_addr_ipv6);
    if (!c->advertise_addr.len && !l->failed && !l->invalid.len) {
        detect_advertise(l);
    }
    c->advertise_addr_wan =
        first_of(c->advertise_addr_wan, c->advertise_addr_wan_ipv4, c->advertise_addr);
    c->serf_lan = first_of(c->serf_lan, c->bind_addr, c->bind_addr);
    c->serf_wan = first_of(c->serf_wan, c->bind_addr, c->bind_addr);
    refuse_any(l, "Advertise address", c->advertise_addr);
    refuse_any(l, "Advertise WAN address", c->advertise_addr_wan);
}

static void tag(struct config *c, const char *name, struct mu_str addr)
{
    config__map_set(c, &c->tagged_addresses, config__text(c, name, strlen(name)), addr);
}

/* lan and wan always, and each again under the name of its family. */
static void finish_tagged(struct config *c)
{
    struct ip ip;
    tag(c, "lan", c->advertise_addr);
    tag(c, "wan", c->advertise_addr_wan);
    if (parse_ip(c->advertise_addr.p, &ip)) {
        tag(c, ip.family == AF_INET ? "lan_ipv4" : "lan_ipv6", c->advertise_addr);
    }
    if (parse_ip(c->advertise_addr_wan.p, &ip)) {
        tag(c, ip.family == AF_INET ? "wan_ipv4" : "wan_ipv6", c->advertise_addr_wan);
    }
    const struct {
        const char *name;
        struct mu_str addr;
    } given[] = {{"lan_ipv4", c->advertise_addr_ipv4},
                 {"lan_ipv6", c->advertise_addr_ipv6},
                 {"wan_ipv4", c->advertise_addr_wan_ipv4},
                 {"wan_ipv6", c->advertise_addr_wan_ipv6}};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        if (given[i].addr.len) {
            tag(c, given[i].name, given[i].addr);
        }
    }
}

/* ---- Listeners ---- */

static void fill(struct config *c, struct config_address *out, const struct ip *ip,
                 const char *text, uint16_t port)
{
    char line[INET6_ADDRSTRLEN + 16];
    memset(out, 0, sizeof *out);
    if (ip->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&out->addr;
        *in = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip->at.v4};
        out->len = sizeof *in;
        snprintf(line, sizeof line, "%s:%u", text, port);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->addr;
        *in6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = ip->at.v6};
        out->len = sizeof *in6;
        snprintf(line, sizeof line, "[%s]:%u", text, port);
    }
    out->text = config__text(c, line, strlen(line));
}

static void listen_on_path(struct config__loader *l, const char *name, const char *key,
                           const char *word, struct config_addresses *out)
{
    struct config *c = l->config;
    const char *path = word + 7;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!strcmp(key, "client_addr")) {
        config__note(c, &l->invalid, "client_addr cannot be a unix socket");
    } else if (!strcmp(name, "DNS")) {
        config__fail(l, "DNS address cannot be a unix socket");
    } else if (!*path || strlen(path) >= sizeof un.sun_path) {
        config__fail(l, "%s: %s: expected a path of 1 to %zu bytes behind unix://", key, word,
                     sizeof un.sun_path - 1);
    } else if (out->len == ADDRESSES_MAX) {
        config__fail(l, "%s lists more than %d addresses", key, ADDRESSES_MAX);
    } else {
        struct config_address *a = &out->items[out->len++];
        memcpy(un.sun_path, path, strlen(path) + 1);
        memcpy(&a->addr, &un, sizeof un);
        a->len = sizeof un;
        a->text = config__text(c, word, strlen(word));
    }
}

static void listen_on(struct config__loader *l, const char *name, const char *key,
                      struct mu_str list, int64_t port, struct config_addresses *out)
{
    struct config *c = l->config;
    char *rest = list.len ? strdup(list.p) : NULL;
    char *save = NULL;
    struct ip ip;
    if (port < 0 || !rest) {
        free(rest);
        return;
    }
    out->items = mu__arena_calloc(&c->arena, ADDRESSES_MAX, sizeof *out->items);
    for (char *word = strtok_r(rest, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        if (!strncmp(word, "unix://", 7)) {
            listen_on_path(l, name, key, word, out);
        } else if (!parse_ip(word, &ip)) {
            config__note(c, &l->invalid, "%s: invalid ip address: %s", key, word);
        } else if (out->len == ADDRESSES_MAX) {
            config__fail(l, "%s lists more than %d addresses", key, ADDRESSES_MAX);
        } else {
            fill(c, &out->items[out->len++], &ip, word, (uint16_t)port);
        }
    }
    free(rest);
}

static void refuse_overlap(struct config__loader *l)
{
    const struct config *c = l->config;
    for (size_t i = 0; i < c->http_listen.len; i++) {
        for (size_t j = 0; j < c->dns_listen.len; j++) {
            if (mu__str_eq(c->http_listen.items[i].text, c->dns_listen.items[j].text)) {
                config__fail(l, "HTTP address %s already configured for DNS",
                             c->http_listen.items[i].text.p);
            }
        }
    }
}

void config__finish_addresses(struct config__loader *l)
{
    struct config *c = l->config;
    finish_bind(l);
    finish_advertise(l);
    finish_tagged(c);
    config__expand_templates(l, "client_addr", &c->client_addr);
    config__expand_templates(l, "addresses.http", &c->addresses.http);
    config__expand_templates(l, "addresses.dns", &c->addresses.dns);
    bool own_http = c->addresses.http.len > 0, own_dns = c->addresses.dns.len > 0;
    listen_on(l, "DNS", own_dns ? "addresses.dns" : "client_addr",
              own_dns ? c->addresses.dns : c->client_addr, c->ports.dns, &c->dns_listen);
    listen_on(l, "HTTP", own_http ? "addresses.http" : "client_addr",
              own_http ? c->addresses.http : c->client_addr, c->ports.http, &c->http_listen);
    refuse_overlap(l);
}
