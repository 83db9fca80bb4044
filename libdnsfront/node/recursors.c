#include "recursors.h"

#include "alloc.h"

#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DNS_PORT 53
#define TEXT_MAX 80u

static uint16_t port_of(const struct sockaddr_storage *s)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, s, sizeof v4);
    memcpy(&v6, s, sizeof v6);
    return ntohs(s->ss_family == AF_INET ? v4.sin_port : v6.sin6_port);
}

static void set_port(struct sockaddr_storage *s, uint16_t port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (s->ss_family == AF_INET) {
        memcpy(&v4, s, sizeof v4);
        v4.sin_port = htons(port);
        memcpy(s, &v4, sizeof v4);
    } else {
        memcpy(&v6, s, sizeof v6);
        v6.sin6_port = htons(port);
        memcpy(s, &v6, sizeof v6);
    }
}

/* "ip", "ip:port", "[ip]:port" */
static bool parse(struct mu_str text, struct recursor *out)
{
    char copy[TEXT_MAX];
    int len = sizeof out->addr;
    memset(out, 0, sizeof *out);
    if (text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    if (evutil_parse_sockaddr_port(copy, (struct sockaddr *)&out->addr, &len) != 0) {
        return false;
    }
    out->len = (socklen_t)len;
    if (port_of(&out->addr) == 0) {
        set_port(&out->addr, DNS_PORT);
    }
    return true;
}

static bool is_known(const struct recursors *r, const struct recursor *one)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->items[i].len == one->len && memcmp(&r->items[i].addr, &one->addr, one->len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wildcard(const struct sockaddr_storage *s)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, s, sizeof v4);
    memcpy(&v6, s, sizeof v6);
    return s->ss_family == AF_INET ? v4.sin_addr.s_addr == 0
                                   : IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

/* Only an address of this host can be bound. */
static bool is_of_this_host(const struct recursor *r)
{
    struct recursor any_port = *r;
    set_port(&any_port.addr, 0);
    int fd = socket(r->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&any_port.addr, any_port.len) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return bound;
}

static bool is_self(const struct recursor *r, const struct sockaddr_storage *bound)
{
    if (port_of(&r->addr) != port_of(bound)) {
        return false;
    }
    if (is_wildcard(bound)) {
        return is_of_this_host(r);
    }
    return memcmp(bound, &r->addr, r->len) == 0;
}

static int read_all(const struct dnsfront_recursors *from, const struct sockaddr_storage *bound,
                    struct recursors *out, size_t *selves)
{
    for (size_t i = 0; i < from->count; i++) {
        struct recursor one;
        if (!parse(from->addresses[i], &one)) {
            return DNSFRONT_EINVAL;
        }
        if (is_known(out, &one)) {
            continue;
        }
        if (is_self(&one, bound)) {
            (*selves)++;
            continue;
        }
        if (out->count == RECURSORS_MAX) {
            return DNSFRONT_EINVAL;
        }
        out->items[out->count++] = one;
    }
    return DNSFRONT_OK;
}

int dnsfront__recursors_create(const struct dnsfront_recursors *from,
                               const struct sockaddr_storage *bound, struct recursors **out,
                               size_t *selves)
{
    *out = NULL;
    *selves = 0;
    if (from->timeout_ns == 0 || from->queries_max == 0) {
        return DNSFRONT_EINVAL;
    }
    struct recursors *r = calloc(1, sizeof *r);
    if (!r) {
        return DNSFRONT_ENOMEM;
    }
    r->refs = 1;
    r->random = from->random;
    r->timeout_ns = from->timeout_ns;
    r->queries_max = from->queries_max;
    int rc = read_all(from, bound, r, selves);
    if (rc != DNSFRONT_OK) {
        free(r);
        return rc;
    }
    *out = r;
    return DNSFRONT_OK;
}

struct recursors *dnsfront__recursors_hold(struct recursors *r)
{
    r->refs++;
    return r;
}

void dnsfront__recursors_release(struct recursors *r)
{
    if (r && --r->refs == 0) {
        free(r);
    }
}

void dnsfront__recursors_order(const struct recursors *r, struct draw *draw, uint8_t *order)
{
    for (size_t i = 0; i < r->count; i++) {
        order[i] = (uint8_t)i;
    }
    for (size_t i = r->count; r->random && i > 1; i--) {
        size_t k = dnsfront__draw_below(draw, i);
        uint8_t t = order[i - 1];
        order[i - 1] = order[k];
        order[k] = t;
    }
}
