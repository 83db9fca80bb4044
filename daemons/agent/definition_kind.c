/* What may not be said of a proxy, of a gateway, and of a service with a sidecar (http-api 2.14).
 */
#include "agent/definitions.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- Faults ---- */

/* A list of faults in the form of go-multierror. */
struct faults {
    char text[DEFINITION_ERROR_MAX];
    size_t len, count;
};

static void fault(struct faults *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct faults *f, const char *fmt, ...)
{
    char line[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    f->count++;
    if (f->len < sizeof f->text) {
        f->len += (size_t)snprintf(f->text + f->len, sizeof f->text - f->len, "\t* %s\n", line);
    }
}

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

/* ---- Upstreams ---- */

/* The first fault of one alone. */
static bool check_upstream(const struct catalog_upstream *u, struct faults *f)
{
    struct mu_str kind = u->destination_type;
    if (kind.len && !is(kind, "service") && !is(kind, "prepared_query")) {
        fault(f, "unknown upstream destination type: \"%.*s\"", (int)kind.len, kind.p);
    } else if (!u->destination_name.len) {
        fault(f, "upstream destination name cannot be empty");
    } else if (!u->local_bind_port) {
        fault(f, "upstream local bind port cannot be zero");
    } else {
        return true;
    }
    return false;
}

static struct mu_str bind_address(const struct catalog_upstream *u)
{
    return u->local_bind_address.len ? u->local_bind_address : mu__cstr("127.0.0.1");
}

static bool same_destination(const struct catalog_upstream *a, const struct catalog_upstream *b)
{
    return mu__str_eq(a->destination_type, b->destination_type) &&
           mu__str_eq(a->destination_name, b->destination_name) &&
           mu__str_eq(a->destination_namespace, b->destination_namespace) &&
           mu__str_eq(a->datacenter, b->datacenter);
}

static bool same_listener(const struct catalog_upstream *a, const struct catalog_upstream *b)
{
    return a->local_bind_port == b->local_bind_port && mu__str_eq(bind_address(a), bind_address(b));
}

/* Is there one like it among the n that were accepted before? */
static bool is_among(const struct catalog_upstream *const *known, size_t n,
                     bool (*same)(const struct catalog_upstream *, const struct catalog_upstream *),
                     const struct catalog_upstream *u)
{
    for (size_t i = 0; i < n; i++) {
        if (same(known[i], u)) {
            return true;
        }
    }
    return false;
}

#define QUOTED(s) (int)(s).len, (s).p ? (s).p : ""

static void say_twice(const struct catalog_upstream *u, bool destination, struct faults *f)
{
    struct mu_str address = bind_address(u);
    bool v6 = memchr(address.p, ':', address.len);
    if (destination) {
        fault(f,
              "upstreams cannot contain duplicates of [type=\"%.*s\", name=\"%.*s\", "
              "namespace=\"%.*s\", datacenter=\"%.*s\"]",
              QUOTED(u->destination_type), QUOTED(u->destination_name),
              QUOTED(u->destination_namespace), QUOTED(u->datacenter));
    } else {
        fault(f,
              "upstreams cannot contain duplicates by local bind address and port; "
              "\"%s%.*s%s:%" PRId64 "\" is specified twice",
              v6 ? "[" : "", QUOTED(address), v6 ? "]" : "", u->local_bind_port);
    }
}

#define UPSTREAMS_MAX 2048u /* to be compared each with each */

/* One whose destination is known is not compared further, but nor does its listener count. */
static void check_upstreams(const struct mu_list *all, struct faults *f)
{
    const struct catalog_upstream *named[UPSTREAMS_MAX], *bound[UPSTREAMS_MAX];
    size_t nnamed = 0, nbound = 0;
    if (all->len > UPSTREAMS_MAX) {
        fault(f, "upstreams cannot be more than %u", UPSTREAMS_MAX);
        return;
    }
    for (size_t i = 0; i < all->len; i++) {
        const struct catalog_upstream *u = all->items[i];
        if (!check_upstream(u, f)) {
            continue;
        }
        if (is_among(named, nnamed, same_destination, u)) {
            say_twice(u, true, f);
            continue;
        }
        named[nnamed++] = u;
        if (is_among(bound, nbound, same_listener, u)) {
            say_twice(u, false, f);
            continue;
        }
        bound[nbound++] = u;
    }
}

/* ---- Exposed paths ---- */

static bool is_protocol(struct mu_str s)
{
    return !s.len || (s.len == 4 && !strncasecmp(s.p, "http", 4)) ||
           (s.len == 5 && !strncasecmp(s.p, "http2", 5));
}

static void check_paths(const struct mu_list *all, struct faults *f)
{
    bool same_path = false, same_port = false;
    if (all->len > UPSTREAMS_MAX) {
        fault(f, "expose.paths: cannot be more than %u", UPSTREAMS_MAX);
        return;
    }
    for (size_t i = 0; i < all->len; i++, same_path = same_port = false) {
        const struct catalog_expose_path *p = all->items[i];
        for (size_t j = 0; j < i; j++) {
            const struct catalog_expose_path *q = all->items[j];
            same_path = same_path || mu__str_eq(p->path, q->path);
            same_port = same_port || p->listener_port == q->listener_port;
        }
        if (!p->path.len) {
            fault(f, "expose.paths: empty path exposed");
        }
        if (same_path) {
            fault(f, "expose.paths: duplicate paths exposed");
        }
        if (same_port) {
            fault(f, "expose.paths: duplicate listener ports exposed");
        }
        if (p->listener_port <= 0 || p->listener_port > UINT16_MAX) {
            fault(f, "expose.paths: invalid listener port: %" PRId64, p->listener_port);
        }
        if (!is_protocol(p->protocol)) {
            fault(f, "protocol '%.*s' not supported for path: %.*s, must be in: [http http2]",
                  QUOTED(p->protocol), QUOTED(p->path));
        }
    }
}

/* ---- Kinds ---- */

static bool is_blank(struct mu_str s)
{
    size_t at = 0;
    while (at < s.len && strchr(" \t\n\v\f\r", s.p[at]) && s.p[at]) {
        at++;
    }
    return at == s.len;
}

static void check_connect_proxy(const struct catalog_service_definition *d, struct faults *f)
{
    if (!d->proxy || is_blank(d->proxy->destination_service_name)) {
        fault(f, "Proxy.DestinationServiceName must be non-empty for Connect proxy services");
    }
    if (!d->port) {
        fault(f, "Port must be set for a Connect proxy");
    }
    if (d->connect && d->connect->native) {
        fault(f, "A Proxy cannot also be Connect Native, only typical services");
    }
    if (d->proxy) {
        check_upstreams(&d->proxy->upstreams, f);
        check_paths(&d->proxy->expose.paths, f);
    }
}

static void check_gateway(const struct catalog_service_definition *d, struct faults *f)
{
    int n = (int)d->kind.len;
    const char *kind = d->kind.p;
    if (!d->port && !is(d->kind, "ingress-gateway")) {
        fault(f, "Port must be non-zero for a %.*s", n, kind);
    }
    if (d->connect && d->connect->sidecar_service) {
        fault(f, "A %.*s cannot have a sidecar service defined", n, kind);
    }
    if (d->proxy && d->proxy->destination_service_name.len) {
        fault(f, "The Proxy.DestinationServiceName configuration is invalid for a %.*s", n, kind);
    }
    if (d->proxy && d->proxy->destination_service_id.len) {
        fault(f, "The Proxy.DestinationServiceID configuration is invalid for a %.*s", n, kind);
    }
    if (d->proxy && d->proxy->upstreams.len) {
        fault(f, "The Proxy.Upstreams configuration is invalid for a %.*s", n, kind);
    }
}

static bool is_gateway(struct mu_str kind)
{
    return is(kind, "mesh-gateway") || is(kind, "ingress-gateway") ||
           is(kind, "terminating-gateway");
}

static void check_sidecar(const struct catalog_service_definition *d, struct faults *f)
{
    const struct catalog_service_definition *s = d->connect ? d->connect->sidecar_service : NULL;
    if (s && s->id.len) {
        fault(f, "A SidecarService cannot specify an ID as this is managed by the agent");
    }
    if (s && s->connect && s->connect->sidecar_service) {
        fault(f, "A SidecarService cannot have a nested SidecarService");
    }
}

bool definition_check_kind(const struct catalog_service_definition *d, char *err, size_t errlen)
{
    struct faults f = {.len = 0};
    if (is(d->kind, "connect-proxy")) {
        check_connect_proxy(d, &f);
    } else if (is_gateway(d->kind)) {
        check_gateway(d, &f);
    }
    check_sidecar(d, &f);
    if (f.count) {
        snprintf(err, errlen, "%zu error%s occurred:\n%s\n", f.count, f.count == 1 ? "" : "s",
                 f.text);
    }
    return !f.count;
}

/* ---- Defaults ---- */

static void fill_upstreams(const struct catalog_proxy *p)
{
    for (size_t i = 0; p && i < p->upstreams.len; i++) {
        struct catalog_upstream *u = p->upstreams.items[i];
        if (!u->destination_type.len) {
            u->destination_type = mu__cstr("service");
        }
    }
}

void definition_fill_proxies(struct catalog_service_definition *d)
{
    fill_upstreams(d->proxy);
    if (d->connect && d->connect->sidecar_service) {
        fill_upstreams(d->connect->sidecar_service->proxy);
    }
}
