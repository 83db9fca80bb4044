#include "agent/check_url.h"

#include "agent/check_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Words ---- */

/* `parse "url": what`, with the url as Go quotes it. */
static bool cannot_parse(struct mu_str url, char *why, size_t cap, bool *whole, const char *fmt,
                         ...) __attribute__((format(printf, 5, 6)));
static bool cannot_parse(struct mu_str url, char *why, size_t cap, bool *whole, const char *fmt,
                         ...)
{
    char quoted[320];
    va_list args;
    check__quote(url, quoted, sizeof quoted);
    size_t at = (size_t)snprintf(why, cap, "parse %s: ", quoted);
    va_start(args, fmt);
    if (at < cap) {
        vsnprintf(why + at, cap - at, fmt, args);
    }
    va_end(args);
    *whole = true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- The parts ---- */

static bool has_control(struct mu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* The length of "scheme", which stands before a colon; 0: there is none. */
static size_t scheme_length(struct mu_str s)
{
    size_t n = 0;
    while (n < s.len && (is_letter(s.p[n]) ||
                         (n && ((s.p[n] >= '0' && s.p[n] <= '9') || strchr("+-.", s.p[n]))))) {
        n++;
    }
    return n < s.len && s.p[n] == ':' ? n : 0;
}

/* Where the first of the characters stands at or after from, or the end. */
static size_t find(struct mu_str s, size_t from, const char *any)
{
    size_t n = strlen(any);
    while (from < s.len && !memchr(any, s.p[from], n)) {
        from++;
    }
    return from;
}

static struct mu_str cut(struct mu_str s, size_t from, size_t to)
{
    return (struct mu_str){s.p + from, to - from};
}

static void split_user(struct mu_str all, struct check__url *u)
{
    size_t at = all.len;
    while (at && all.p[at - 1] != '@') {
        at--;
    }
    u->user = at ? cut(all, 0, at - 1) : (struct mu_str){NULL, 0};
    u->authority = cut(all, at, all.len);
}

/* Where the port begins, with its colon; the end when there is none. */
static size_t port_at(struct mu_str a)
{
    size_t from = 0;
    if (a.len && a.p[0] == '[') {
        from = find(a, 0, "]");
    }
    return find(a, from, ":");
}

static bool split_host(struct mu_str url, struct check__url *u, char *why, size_t cap, bool *whole)
{
    struct mu_str a = u->authority;
    size_t colon = port_at(a);
    unsigned long port = u->tls ? 443 : 80;
    if (a.len && a.p[0] == '[' && find(a, 0, "]") == a.len) {
        return cannot_parse(url, why, cap, whole, "missing ']' in host");
    }
    size_t odd = find(a, 0, " \"<>\\^`{|}");
    if (odd < a.len) {
        return cannot_parse(url, why, cap, whole, "invalid character \"%s%c\" in host name",
                            a.p[odd] == '"' || a.p[odd] == '\\' ? "\\" : "", a.p[odd]);
    }
    for (size_t i = colon + 1; i < a.len; i++) {
        if (a.p[i] < '0' || a.p[i] > '9') {
            return cannot_parse(url, why, cap, whole, "invalid port \"%.*s\" after host",
                                (int)mu__min(a.len - colon, 64), a.p + colon);
        }
    }
    bool v6 = a.len && a.p[0] == '[';
    struct mu_str host = cut(a, v6, v6 ? find(a, 0, "]") : colon);
    if (!host.len) {
        snprintf(why, cap, "http: no Host in request URL");
        return false;
    }
    if (colon + 1 < a.len) {
        port = a.len - colon > 6 ? 0 : strtoul(a.p + colon + 1, NULL, 10);
    }
    if (!port || port > UINT16_MAX || host.len >= sizeof u->host) {
        snprintf(why, cap, "dial tcp: address %.*s: invalid port",
                 (int)mu__min(a.len - mu__min(colon + 1, a.len), 64),
                 a.p + mu__min(colon + 1, a.len));
        return false;
    }
    memcpy(u->host, host.p, host.len);
    u->host[host.len] = '\0';
    u->port = (uint16_t)port;
    return true;
}

static bool check_escapes(struct mu_str url, struct mu_str path, char *why, size_t cap, bool *whole)
{
    for (size_t i = find(path, 0, "%"); i < path.len; i = find(path, i + 1, "%")) {
        if (path.len - i < 3 || !is_hex(path.p[i + 1]) || !is_hex(path.p[i + 2])) {
            return cannot_parse(url, why, cap, whole, "invalid URL escape \"%.*s\"",
                                (int)mu__min(path.len - i, 3), path.p + i);
        }
    }
    return true;
}

bool check__url_parse(struct mu_str url, struct check__url *u, char *why, size_t cap, bool *whole)
{
    *u = (struct check__url){.port = 0};
    *whole = false;
    if (has_control(url)) {
        return cannot_parse(url, why, cap, whole, "net/url: invalid control character in URL");
    }
    size_t scheme = scheme_length(url);
    if (!scheme && find(url, 0, ":") < find(url, 0, "/")) {
        return cannot_parse(url, why, cap, whole,
                            url.p[0] == ':' ? "missing protocol scheme"
                                            : "first path segment in URL cannot contain colon");
    }
    u->tls = mu__str_ieq(cut(url, 0, scheme), mu__cstr("https"));
    if (!u->tls && !mu__str_ieq(cut(url, 0, scheme), mu__cstr("http"))) {
        snprintf(why, cap, "unsupported protocol scheme \"%.*s\"", (int)mu__min(scheme, 64), url.p);
        return false;
    }
    struct mu_str rest = cut(url, scheme + 1, find(url, 0, "#"));
    if (rest.len < 2 || rest.p[0] != '/' || rest.p[1] != '/') {
        snprintf(why, cap, "http: no Host in request URL");
        return false;
    }
    size_t end = find(rest, 2, "/?"), query = find(rest, 2, "?");
    split_user(cut(rest, 2, end), u);
    u->path = cut(rest, end, query);
    u->query = cut(rest, query, rest.len);
    return check_escapes(url, u->path, why, cap, whole) && split_host(url, u, why, cap, whole);
}

size_t check__url_escape_path(struct mu_str path, char *out, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.p[i];
        bool plain = c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c);
        const char piece[3] = {(char)(plain ? c : '%'), digits[c >> 4], digits[c & 15]};
        for (size_t j = 0; j < (plain ? 1 : 3); j++, n++) {
            if (n < cap) {
                out[n] = piece[j];
            }
        }
    }
    return n;
}
