/* What the kinds of checks share: the tail of an output, addresses, and Go's words for a failed
 * connect. */
#include "agent/check_internal.h"

#include "agent/check_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

bool check__tail_init(struct check__tail *t, size_t cap)
{
    *t = (struct check__tail){.data = malloc(cap ? cap : 1), .cap = cap};
    return t->data != NULL;
}

void check__tail_reset(struct check__tail *t)
{
    t->len = t->at = 0;
    t->total = 0;
}

void check__tail_write(struct check__tail *t, const void *p, size_t len)
{
    const char *s = p;
    t->total += len;
    if (len > t->cap) {
        s += len - t->cap;
        len = t->cap;
    }
    size_t first = mu__min(len, t->cap - t->at);
    if (first) {
        memcpy(t->data + t->at, s, first);
    }
    if (len > first) {
        memcpy(t->data, s + first, len - first);
    }
    t->at = t->cap ? (t->at + len) % t->cap : 0;
    t->len = mu__min(t->cap, t->len + len);
}

static void reverse(char *p, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        char c = p[i];
        p[i] = p[len - 1 - i];
        p[len - 1 - i] = c;
    }
}

struct mu_str check__tail_text(struct check__tail *t)
{
    if (t->len == t->cap && t->at) { /* the oldest byte stands at `at`: rotate by three reversals */
        reverse(t->data, t->at);
        reverse(t->data + t->at, t->len - t->at);
        reverse(t->data, t->len);
        t->at = 0;
    }
    return (struct mu_str){t->data, t->len};
}

void check__tail_fini(struct check__tail *t)
{
    free(t->data);
}

struct evdns_base *check__dns(struct check_world *w)
{
    if (!w->dns) {
        w->dns = evdns_base_new(w->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                             EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    }
    return w->dns;
}

struct check__tls *check__world_tls(struct check_world *w)
{
    if (!w->tls) {
        w->tls = check__tls_create(&w->tls_options);
    }
    return w->tls;
}

void check__quote(struct mu_str s, char *out, size_t cap)
{
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < s.len && n + 6 < cap; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *short_form = c == '\n'   ? "\\n"
                                 : c == '\r' ? "\\r"
                                 : c == '\t' ? "\\t"
                                 : c == '"'  ? "\\\""
                                 : c == '\\' ? "\\\\"
                                             : NULL;
        if (short_form) {
            out[n++] = short_form[0];
            out[n++] = short_form[1];
        } else if (c < ' ' || c == 0x7f) {
            n += (size_t)snprintf(out + n, cap - n, "\\x%02x", c);
        } else {
            out[n++] = (char)c;
        }
    }
    out[n++] = '"';
    out[n] = '\0';
}

void check__address_of(int fd, char out[CHECK__ADDRESS_MAX])
{
    struct sockaddr_storage a;
    struct sockaddr *generic = (struct sockaddr *)&a;
    socklen_t len = sizeof a;
    char host[INET6_ADDRSTRLEN] = "";
    out[0] = '\0';
    if (getsockname(fd, generic, &len)) {
        return;
    }
    if (a.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, CHECK__ADDRESS_MAX, "%s:%u", host, ntohs(in->sin_port));
    } else if (a.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(out, CHECK__ADDRESS_MAX, "[%s]:%u", host, ntohs(in->sin6_port));
    }
}

void check__address_fault(struct mu_str s, char *out, size_t cap)
{
    int n = (int)mu__min(s.len, 256);
    size_t colons = 0;
    for (size_t i = 0; i < s.len; i++) {
        colons += s.p[i] == ':';
    }
    if (!s.len) {
        snprintf(out, cap, "dial tcp: missing address");
    } else if (!colons) {
        snprintf(out, cap, "dial tcp: address %.*s: missing port in address", n, s.p);
    } else if (colons > 1 && s.p[0] != '[') {
        snprintf(out, cap, "dial tcp: address %.*s: too many colons in address", n, s.p);
    } else {
        while (n && s.p[n - 1] != ':') {
            n--;
        }
        snprintf(out, cap, "dial tcp: address %.*s: invalid port",
                 (int)mu__min(s.len - (size_t)n, 64), s.p + n);
    }
}

bool check__split_host_port(struct mu_str s, char *host, size_t cap, uint16_t *port)
{
    size_t colon = s.len;
    while (colon && s.p[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2 || s.len - colon > 5) {
        return false;
    }
    unsigned value = 0;
    for (size_t i = colon; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(s.p[i] - '0');
    }
    struct mu_str h = {s.p, colon - 1};
    if (h.p[0] == '[' && h.len > 2 && h.p[h.len - 1] == ']') {
        h = (struct mu_str){h.p + 1, h.len - 2};
    } else if (memchr(h.p, ':', h.len)) {
        return false; /* an IPv6 address needs its brackets */
    }
    if (value > UINT16_MAX || h.len >= cap) { /* no port is port 0, which refuses */
        return false;
    }
    memcpy(host, h.p, h.len);
    host[h.len] = 0;
    *port = (uint16_t)value;
    return true;
}

const char *check__go_error(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
        return "connection reset by peer";
    case ENETUNREACH:
        return "network is unreachable";
    case EHOSTUNREACH:
        return "no route to host";
    case ETIMEDOUT:
        return "connection timed out";
    case ENOENT:
        return "no such file or directory";
    case EACCES:
        return "permission denied";
    case E2BIG:
        return "argument list too long";
    case EAGAIN:
        return "resource temporarily unavailable";
    case ENOMEM:
        return "cannot allocate memory";
    case EMFILE:
        return "too many open files";
    case EPIPE:
        return "broken pipe";
    default:
        return strerror(error);
    }
}

void check__dial_error(const char *host, uint16_t port, int dns_error, int error, char *out,
                       size_t cap)
{
    bool v6 = strchr(host, ':') != NULL;
    if (dns_error) {
        snprintf(out, cap, "dial tcp: lookup %s: %s", host,
                 dns_error == EVUTIL_EAI_NONAME ? "no such host" : evutil_gai_strerror(dns_error));
    } else if (error) {
        snprintf(out, cap, "dial tcp %s%s%s:%u: connect: %s", v6 ? "[" : "", host, v6 ? "]" : "",
                 port, check__go_error(error));
    } else {
        snprintf(out, cap, "dial tcp %s%s%s:%u: i/o timeout", v6 ? "[" : "", host, v6 ? "]" : "",
                 port);
    }
}
