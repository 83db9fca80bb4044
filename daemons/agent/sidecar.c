#include "agent/sidecar.h"

#include "agent/definitions.h"
#include "agent/local_internal.h"
#include "base/meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LISTENING_INTERVAL_NS ((int64_t)(10 * MU_SEC))

/* ---- Words ---- */

/* Consul's two ways to say that a sidecar is refused. */
static bool refuse(const struct catalog_service_definition *d, enum local_source source,
                   const char *remote, const char *why, char *err, size_t errlen)
{
    if (source == SOURCE_FILE) {
        snprintf(err, errlen, "Failed to validate sidecar for service \"%.*s\": %s",
                 (int)d->name.len, d->name.p, why);
    } else {
        snprintf(err, errlen, "Bad request: %s%s", remote, why);
    }
    return false;
}

bool sidecar_check(const struct catalog_service_definition *d, enum local_source source, char *err,
                   size_t errlen)
{
    const struct catalog_service_definition *s = sidecar_of(d);
    char why[DEFINITION_ERROR_MAX];
    enum definition_fault fault = definition_check_checks(s, why, sizeof why);
    if (fault) {
        const char *said = fault == DEFINITION_BAD_TYPE ? "Invalid check in sidecar_service: " : "";
        return refuse(d, source, said, why, err, errlen);
    }
    if (!meta_check(&s->meta, why, sizeof why)) {
        return refuse(d, source, "Invalid SidecarService: ", why, err, errlen);
    }
    return true;
}

/* ---- Defaults ---- */

struct mu_str sidecar_id(struct mu_str service, struct mu__arena *a)
{
    return local__print(a, "%.*s-sidecar-proxy", (int)service.len, service.p);
}

static struct mu_str either(struct mu_str given, struct mu_str otherwise)
{
    return given.len ? given : otherwise;
}

static void take_over(const struct catalog_service_definition *d,
                      struct catalog_service_definition *s)
{
    if (!s->tags.len) {
        s->tags = d->tags;
    }
    if (!s->meta.len) {
        s->meta = d->meta;
    }
    s->address = either(s->address, d->address);
    s->token = either(s->token, d->token);
}

/* Always one of the sidecar's own: what is in the definition stays as it was given. */
static bool fill_proxy(const struct catalog_service_definition *d,
                       struct catalog_service_definition *s, struct mu__arena *a)
{
    struct catalog_proxy *p = mu__arena_calloc(a, 1, sizeof *p);
    if (!p) {
        return false;
    }
    if (s->proxy) {
        *p = *s->proxy;
    }
    p->destination_service_name = either(p->destination_service_name, d->name);
    p->destination_service_id = either(p->destination_service_id, d->id);
    p->local_service_address = either(p->local_service_address, mu__cstr("127.0.0.1"));
    if (p->local_service_port < 1) {
        p->local_service_port = d->port;
    }
    s->proxy = p;
    return true;
}

static bool fill_weights(struct catalog_service_definition *s, struct mu__arena *a)
{
    struct catalog_weights *w = s->weights ? s->weights : mu__arena_calloc(a, 1, sizeof *w);
    if (w && !s->weights) {
        *w = (struct catalog_weights){1, 1};
    }
    s->weights = w;
    return w;
}

/* "127.0.0.1:21000", "[::1]:21000" */
static struct mu_str listener(const struct catalog_service_definition *s, struct mu__arena *a)
{
    struct mu_str host = s->proxy->local_service_address;
    if (memchr(host.p, ':', host.len)) {
        return local__print(a, "[%.*s]:%" PRId64, (int)host.len, host.p, s->port);
    }
    return local__print(a, "%.*s:%" PRId64, (int)host.len, host.p, s->port);
}

/* Does it listen, and is what it stands for well? */
static bool fill_checks(const struct catalog_service_definition *d,
                        struct catalog_service_definition *s, struct mu__arena *a)
{
    if (definition_checks(s, NULL, 0)) {
        return true;
    }
    struct catalog_check_type *types = mu__arena_calloc(a, 2, sizeof *types);
    void **items = mu__arena_calloc(a, 2, sizeof *items);
    if (!types || !items) {
        return false;
    }
    types[0].name = mu__cstr("Connect Sidecar Listening");
    types[0].tcp = listener(s, a);
    types[0].interval_ns = LISTENING_INTERVAL_NS;
    types[1].name = local__print(a, "Connect Sidecar Aliasing %.*s", (int)d->id.len, d->id.p);
    types[1].alias_service = d->id;
    items[0] = &types[0];
    items[1] = &types[1];
    s->checks = (struct mu_list){items, 2};
    return true;
}

/* ---- The port ---- */

/* Who has a port of the range: nobody, a service of a file that a reload may be about to remove, or
 * one that stays. */
enum holder { NOBODY, LEAVING, STAYING };

struct ports {
    int64_t min, max; /* none when max < min */
    uint8_t *holders; /* enum holder, from min on */
};

static bool is_in(const struct ports *p, int64_t port)
{
    return port >= p->min && port <= p->max;
}

static void look_at_ports(const struct local *l, struct mu_str but, struct ports *p)
{
    size_t at = 0;
    for (const struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        if (!s->entry.deleted && is_in(p, s->service->port) && !mu__str_eq(s->entry.id, but)) {
            uint8_t *holder = &p->holders[s->service->port - p->min];
            *holder = s->entry.marked ? STAYING : *holder ? *holder : LEAVING;
        }
    }
}

/* 0: there is none left. Registered again it keeps its port, even one that another service was
 * given by hand since, but in a reload: there it may have gone to a sidecar that is new. */
static int64_t choose_port(const struct local *l, struct mu_str id, const struct ports *p)
{
    const struct local_service *own = local_service(l, id);
    int64_t port = own && is_in(p, own->service->port) ? own->service->port : 0;
    if (port && (own->entry.marked || p->holders[port - p->min] != STAYING)) {
        return port;
    }
    for (uint8_t most = NOBODY; most < STAYING; most++) {
        for (port = p->min; port <= p->max; port++) {
            if (p->holders[port - p->min] <= most) {
                return port;
            }
        }
    }
    return 0;
}

/* Lowest first, as Consul does: a run of the same registrations gives the same ports. */
static bool fill_port(const struct local *l, struct catalog_service_definition *s,
                      struct mu__arena *a, char *why, size_t size)
{
    struct ports p = {l->config->ports.sidecar_min, l->config->ports.sidecar_max, NULL};
    if (s->port >= 1) {
        return true;
    }
    if (p.min < 1 || p.max < p.min) {
        snprintf(why, size,
                 "no port provided for sidecar_service and auto-assignment disabled in config");
        return false;
    }
    p.holders = mu__arena_calloc(a, (size_t)(p.max - p.min) + 1, 1);
    if (!p.holders) {
        snprintf(why, size, "out of memory");
        return false;
    }
    look_at_ports(l, s->id, &p);
    s->port = choose_port(l, s->id, &p);
    if (!s->port) {
        snprintf(why, size,
                 "no port provided for sidecar_service and none left in the configured range "
                 "[%" PRId64 ", %" PRId64 "]",
                 p.min, p.max);
    }
    return s->port;
}

bool sidecar_define(const struct local *l, const struct catalog_service_definition *d,
                    enum local_source source, struct mu__arena *a,
                    struct catalog_service_definition *out, char *err, size_t errlen)
{
    char why[DEFINITION_ERROR_MAX] = "out of memory";
    if (!sidecar_check(d, source, err, errlen)) {
        return false;
    }
    *out = *sidecar_of(d);
    out->id = sidecar_id(d->id, a);
    out->name = out->name.len ? out->name : sidecar_id(d->name, a);
    out->kind = either(out->kind, mu__cstr("connect-proxy"));
    take_over(d, out);
    if (!fill_proxy(d, out, a) || !fill_weights(out, a) || !fill_port(l, out, a, why, sizeof why) ||
        !fill_checks(d, out, a)) {
        return refuse(d, source, "Invalid SidecarService: ", why, err, errlen);
    }
    return true;
}
