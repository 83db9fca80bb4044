#include "agent/definitions.h"

#include "base/meta.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TYPE(text, kind_, member, also)                                                            \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_,                                                        \
        .offset = offsetof(struct agent_check_definition, member), .alias = (also)                 \
    }

/* A check type with what only a definition of its own has, in one flat object (http-api 2.16). */
static const struct mu__field check_fields[] = {
    TYPE("CheckID", STR, type.check_id, "ID|check_id"),
    TYPE("Name", STR, type.name, NULL),
    TYPE("Notes", STR, type.notes, NULL),
    TYPE("ServiceID", STR, service_id, "service_id"),
    TYPE("Token", STR, token, NULL),
    TYPE("Status", STR, type.status, NULL),
    TYPE("ScriptArgs", STRS, type.script_args, "args|script_args"),
    TYPE("HTTP", STR, type.http, NULL),
    TYPE("Header", STRSMAP, type.header, NULL),
    TYPE("Method", STR, type.method, NULL),
    TYPE("Body", STR, type.body, NULL),
    TYPE("TCP", STR, type.tcp, NULL),
    TYPE("Interval", DURATION, type.interval_ns, NULL),
    TYPE("DockerContainerID", STR, type.docker_container_id, "docker_container_id"),
    TYPE("Shell", STR, type.shell, NULL),
    TYPE("GRPC", STR, type.grpc, NULL),
    TYPE("GRPCUseTLS", BOOL, type.grpc_use_tls, "grpc_use_tls"),
    TYPE("TLSSkipVerify", BOOL, type.tls_skip_verify, "tls_skip_verify"),
    TYPE("AliasNode", STR, type.alias_node, "alias_node"),
    TYPE("AliasService", STR, type.alias_service, "alias_service"),
    TYPE("Timeout", DURATION, type.timeout_ns, NULL),
    TYPE("TTL", DURATION, type.ttl_ns, NULL),
    TYPE("SuccessBeforePassing", INT, type.success_before_passing, "success_before_passing"),
    TYPE("FailuresBeforeCritical", INT, type.failures_before_critical, "failures_before_critical"),
    TYPE("DeregisterCriticalServiceAfter", DURATION, type.deregister_critical_service_after_ns,
         "deregister_critical_service_after"),
    TYPE("OutputMaxSize", INT, type.output_max_size, "output_max_size"),
};
const struct mu__schema definition_check_schema = {.name = "CheckDefinition",
                                                   .fields = check_fields,
                                                   .nfields =
                                                       sizeof check_fields / sizeof *check_fields,
                                                   .size = sizeof(struct agent_check_definition)};

/* Writes the sentence and returns false, so that a check reads as one line. */
static bool refuse(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(char *err, size_t errlen, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err, errlen, fmt, args);
    va_end(args);
    return false;
}

/* ---- Checks ---- */

static bool is_empty(const struct catalog_check_type *t)
{
    for (size_t i = 0; i < sizeof check_fields / sizeof *check_fields; i++) {
        const struct mu__field *f = &check_fields[i];
        bool own = f->offset >= sizeof *t; /* ServiceID and Token stand behind the type */
        if (!own && !mu__field_is_empty(f, (const char *)t + f->offset)) {
            return false;
        }
    }
    return true;
}

static bool is_status(struct mu_str s)
{
    return mu__str_eq(s, mu__cstr("passing")) || mu__str_eq(s, mu__cstr("warning")) ||
           mu__str_eq(s, mu__cstr("critical"));
}

bool definition_is_status(struct mu_str status)
{
    return is_status(status);
}

/* Consul's CheckType.Validate. */
static bool check_type(const struct catalog_check_type *t, char *err, size_t errlen)
{
    bool active = t->script_args.len || t->http.len || t->tcp.len || t->grpc.len;
    bool alias = t->alias_service.len || t->alias_node.len;
    if (t->interval_ns > 0 && t->ttl_ns > 0) {
        return refuse(err, errlen, "Interval and TTL cannot both be specified");
    }
    if (active && t->interval_ns <= 0) {
        return refuse(err, errlen, "Interval must be > 0 for Script, HTTP, or TCP checks");
    }
    if (active && alias) {
        return refuse(err, errlen, "Interval cannot be set for Alias checks");
    }
    if (alias && t->ttl_ns > 0) {
        return refuse(err, errlen, "TTL must be not be set for Alias checks");
    }
    if (!active && !alias && t->ttl_ns <= 0) {
        return refuse(err, errlen, "TTL must be > 0 for TTL checks");
    }
    if (t->output_max_size < 0) {
        return refuse(err, errlen, "MaxOutputMaxSize must be positive");
    }
    return true;
}

bool definition_check_check(struct agent_check_definition *d, char *err, size_t errlen)
{
    char why[DEFINITION_ERROR_MAX];
    if (!d->type.check_id.len) {
        d->type.check_id = d->type.name;
    }
    if (!d->type.name.len) {
        return refuse(err, errlen, "Missing check name");
    }
    if (d->type.status.len && !is_status(d->type.status)) {
        return refuse(err, errlen, "Bad check status");
    }
    if (!check_type(&d->type, why, sizeof why)) {
        return refuse(err, errlen, "Invalid check: %s", why);
    }
    return true;
}

enum definition_fault definition_check_checks(const struct catalog_service_definition *d, char *err,
                                              size_t errlen)
{
    bool single = !is_empty(&d->check);
    if (single && !check_type(&d->check, err, errlen)) {
        return DEFINITION_BAD_TYPE;
    }
    bool ok = !single || !d->check.status.len || is_status(d->check.status);
    for (size_t i = 0; i < d->checks.len; i++) {
        const struct catalog_check_type *t = d->checks.items[i];
        if (!check_type(t, err, errlen)) {
            return DEFINITION_BAD_TYPE;
        }
        ok = ok && (!t->status.len || is_status(t->status));
    }
    if (!ok) {
        snprintf(err, errlen, "Status for checks must 'passing', 'warning', 'critical'");
    }
    return ok ? DEFINITION_OK : DEFINITION_BAD_STATUS;
}

static bool check_checks(const struct catalog_service_definition *d, char *err, size_t errlen)
{
    char why[DEFINITION_ERROR_MAX];
    enum definition_fault fault = definition_check_checks(d, why, sizeof why);
    return !fault ||
           refuse(err, errlen, "%s%s", fault == DEFINITION_BAD_TYPE ? "Invalid check: " : "", why);
}

size_t definition_checks(const struct catalog_service_definition *d,
                         const struct catalog_check_type **out, size_t cap)
{
    size_t n = 0;
    if (!is_empty(&d->check)) {
        if (n < cap) {
            out[n] = &d->check;
        }
        n++;
    }
    for (size_t i = 0; i < d->checks.len; i++, n++) {
        if (n < cap) {
            out[n] = d->checks.items[i];
        }
    }
    return n;
}

/* ---- Services ---- */

static bool check_weights(const struct catalog_weights *w, char *err, size_t errlen)
{
    if (w->passing < 1) {
        return refuse(err, errlen, "Invalid Weights: Passing must be greater than 0");
    }
    if (w->warning < 0) {
        return refuse(err, errlen, "Invalid Weights: Warning must be greater or equal than 0");
    }
    if (w->passing > UINT16_MAX || w->warning > UINT16_MAX) {
        return refuse(err, errlen, "Invalid Weights: DNS Weight must be between 0 and 65535");
    }
    return true;
}

static bool is_any_address(struct mu_str s)
{
    return mu__str_eq(s, mu__cstr("0.0.0.0")) || mu__str_eq(s, mu__cstr("::")) ||
           mu__str_eq(s, mu__cstr("[::]"));
}

bool definition_check_service(struct catalog_service_definition *d, struct mu__arena *a, char *err,
                              size_t errlen)
{
    char why[DEFINITION_ERROR_MAX];
    if (!d->name.len) {
        return refuse(err, errlen, "Missing service name");
    }
    if (is_any_address(d->address)) {
        return refuse(err, errlen, "Invalid service address");
    }
    if (!d->id.len) {
        d->id = d->name;
    }
    if (!d->weights) {
        d->weights = mu__arena_calloc(a, 1, sizeof *d->weights);
        if (!d->weights) {
            return refuse(err, errlen, "out of memory");
        }
        *d->weights = (struct catalog_weights){1, 1};
    }
    if (!check_weights(d->weights, err, errlen)) {
        return false;
    }
    if (!meta_check(&d->meta, why, sizeof why)) {
        return refuse(err, errlen, "Invalid Service Meta: %s", why);
    }
    definition_fill_proxies(d);
    return definition_check_kind(d, err, errlen) && check_checks(d, err, errlen);
}

/* ---- Addresses ---- */

static bool is_ip(struct mu_str s, int family)
{
    char text[INET6_ADDRSTRLEN], out[sizeof(struct in6_addr)];
    if (!s.len || s.len >= sizeof text) {
        return false;
    }
    memcpy(text, s.p, s.len);
    text[s.len] = 0;
    return inet_pton(family, text, out) == 1;
}

/* Adds name -> address unless it is there already; items has room. */
static bool tag_address(struct catalog_service_definition *d, const char *name, struct mu__arena *a)
{
    struct mu_structmap *m = &d->tagged_addresses;
    size_t at = 0;
    while (at < m->len && mu__str_cmp(m->items[at].key, mu__cstr(name)) < 0) {
        at++;
    }
    if (at < m->len && mu__str_eq(m->items[at].key, mu__cstr(name))) {
        return true;
    }
    struct catalog_service_address *address = mu__arena_calloc(a, 1, sizeof *address);
    struct mu_named *items = mu__arena_calloc(a, m->len + 1, sizeof *items);
    if (!address || !items) {
        return false;
    }
    *address = (struct catalog_service_address){d->address, d->port};
    for (size_t i = 0; i < m->len; i++) {
        items[i < at ? i : i + 1] = m->items[i];
    }
    items[at] = (struct mu_named){mu__cstr(name), address};
    *m = (struct mu_structmap){items, m->len + 1};
    return true;
}

bool definition_tag_addresses(struct catalog_service_definition *d, struct mu__arena *a, char *err,
                              size_t errlen)
{
    static const struct {
        const char *name;
        int family;
        const char *text;
    } names[] = {{"lan_ipv4", AF_INET, "ipv4"},
                 {"lan_ipv6", AF_INET6, "ipv6"},
                 {"wan_ipv4", AF_INET, "ipv4"},
                 {"wan_ipv6", AF_INET6, "ipv6"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t j = 0; j < d->tagged_addresses.len; j++) {
            const struct catalog_service_address *t = d->tagged_addresses.items[j].value;
            if (mu__str_eq(d->tagged_addresses.items[j].key, mu__cstr(names[i].name)) &&
                !is_ip(t->address, names[i].family)) {
                return refuse(err, errlen,
                              "Service tagged address \"%s\" must be a valid %s address",
                              names[i].name, names[i].text);
            }
        }
        if (is_ip(d->address, names[i].family) && !tag_address(d, names[i].name, a)) {
            return refuse(err, errlen, "out of memory");
        }
    }
    return true;
}
