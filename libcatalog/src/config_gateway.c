/* config_gateway.c - gateways: what they may say, in Consul's words (http-api 8.1). */
#include "config_entry.h"

#include <string.h>

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

/* "<before>80<after>" */
static bool refuse_port(struct catalog__preparation *p, const char *before, int64_t port,
                        const char *after)
{
    catalog__refused(p, before);
    if (port < 0) {
        catalog__say(&p->text, "-");
    }
    catalog__say_uint(&p->text, port < 0 ? -(uint64_t)port : (uint64_t)port);
    catalog__say(&p->text, after);
    return false;
}

/* ---- Hosts ---- */

/* RFC 1035 2.3.4: labels of 1 to 63 bytes, 254 in all. Any byte may stand in one. */
static bool is_domain_name(struct mu_str s)
{
    size_t label = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool is_dot = s.p[i] == '.';
        if ((is_dot && label == 0 && s.len > 1) || (!is_dot && label == 63)) {
            return false;
        }
        label = is_dot ? 0 : label + 1;
    }
    return s.len > 0 && s.len <= 254;
}

static bool check_host(struct catalog__preparation *p, struct mu_str host, bool tls)
{
    if (is(host, "*")) {
        return !tls || catalog__refused(p, "Host '*' is not allowed when TLS is enabled, all hosts "
                                           "must be valid DNS records to add as a DNSSAN");
    }
    if (!is_domain_name(host)) {
        return catalog__refused_quoting(p, "Host ", host, " must be a valid DNS hostname");
    }
    size_t skip = host.len > 1 && host.p[0] == '*' && host.p[1] == '.' ? 2 : 0;
    return !memchr(host.p + skip, '*', host.len - skip) ||
           catalog__refused_quoting(
               p, "Host ", host,
               " is not valid, a wildcard specifier is only allowed as the leftmost label");
}

static int by_text(const void *a, const void *b)
{
    return mu__str_cmp(*(const struct mu_str *)a, *(const struct mu_str *)b);
}

/* Each host is looked at before the next, so a repetition counts where it stands. */
static bool check_hosts(struct catalog__preparation *p, const struct catalog_ingress_listener *l,
                        bool tls)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < l->services.len; i++) {
        n += ((const struct catalog_ingress_service *)l->services.items[i])->hosts.len;
    }
    struct mu_str *all = mu__calloc(p->room, n + 1, sizeof *all);
    if (!all) {
        return catalog__refused(p, "out of memory");
    }
    for (size_t i = 0; i < l->services.len; i++) {
        const struct catalog_ingress_service *s = l->services.items[i];
        for (size_t k = 0; k < s->hosts.len; k++) {
            all[at++] = s->hosts.items[k];
        }
    }
    size_t repeated = catalog__first_repeat(p, all, n, sizeof *all, by_text);
    for (size_t i = 0; i < n; i++) {
        if (i == repeated) {
            return refuse_port(p,
                               "Hosts must be unique within a specific listener (listener on port ",
                               l->port, ")");
        }
        if (repeated > n || !check_host(p, all[i], tls)) {
            return false;
        }
    }
    return true;
}

/* ---- Listeners ---- */

static bool check_service(struct catalog__preparation *p, const struct catalog_ingress_listener *l,
                          const struct catalog_ingress_service *s)
{
    bool is_tcp = is(l->protocol, "tcp"), is_all = is(s->name, "*");
    if (is_tcp && is_all) {
        return refuse_port(p,
                           "Wildcard service name is only valid for protocol = 'http' (listener "
                           "on port ",
                           l->port, ")");
    }
    if (is_tcp && s->hosts.len) {
        return refuse_port(p,
                           "Associating hosts to a service is not supported for the tcp protocol "
                           "(listener on port ",
                           l->port, ")");
    }
    if (s->name.len == 0) {
        return refuse_port(p, "Service name cannot be blank (listener on port ", l->port, ")");
    }
    return !is_all || !s->hosts.len ||
           refuse_port(
               p, "Associating hosts to a wildcard service is not supported (listener on port ",
               l->port, ")");
}

static bool check_listener(struct catalog__preparation *p, const struct catalog_ingress_listener *l,
                           bool tls)
{
    if (!is(l->protocol, "tcp") && !is(l->protocol, "http") && !is(l->protocol, "http2") &&
        !is(l->protocol, "grpc")) {
        catalog__refused(p, "protocol must be 'tcp', 'http', 'http2', or 'grpc'. '");
        catalog__say_str(&p->text, l->protocol);
        catalog__say(&p->text, "' is an unsupported protocol");
        return false;
    }
    if (l->services.len == 0) {
        return refuse_port(p, "No service declared for listener with port ", l->port, "");
    }
    if (!is(l->protocol, "http") && l->services.len > 1) {
        return refuse_port(p,
                           "Multiple services per listener are only supported for protocol = "
                           "'http' (listener on port ",
                           l->port, ")");
    }
    for (size_t i = 0; i < l->services.len; i++) {
        if (!check_service(p, l, l->services.items[i])) {
            return false;
        }
    }
    return check_hosts(p, l, tls);
}

static int by_port(const void *a, const void *b)
{
    const struct catalog_ingress_listener *x = *(void *const *)a, *y = *(void *const *)b;
    return (x->port > y->port) - (x->port < y->port);
}

bool catalog__prepare_ingress(struct catalog__preparation *p, struct catalog_ingress_gateway *e)
{
    size_t n = e->listeners.len;
    size_t repeated =
        catalog__first_repeat(p, e->listeners.items, n, sizeof *e->listeners.items, by_port);
    for (size_t i = 0; i < n; i++) {
        struct catalog_ingress_listener *l = e->listeners.items[i];
        l->protocol = l->protocol.len ? l->protocol : mu__cstr("tcp");
        if (i == repeated) {
            return refuse_port(p, "port ", l->port, " declared on two listeners");
        }
        if (repeated > n || !catalog__fold(p, &l->protocol, false) ||
            !check_listener(p, l, e->tls.enabled)) {
            return false;
        }
    }
    return true;
}

/* ---- Terminating gateways ---- */

static int by_name(const void *a, const void *b)
{
    const struct catalog_linked_service *x = *(void *const *)a, *y = *(void *const *)b;
    return mu__str_cmp(x->name, y->name);
}

bool catalog__prepare_terminating(struct catalog__preparation *p,
                                  const struct catalog_terminating_gateway *e)
{
    size_t n = e->services.len;
    size_t repeated =
        catalog__first_repeat(p, e->services.items, n, sizeof *e->services.items, by_name);
    for (size_t i = 0; i < n; i++) {
        const struct catalog_linked_service *s = e->services.items[i];
        if (repeated > n) {
            return false;
        }
        if (s->name.len == 0) {
            return catalog__refused(p, "Service name cannot be blank.");
        }
        if (i == repeated) {
            return catalog__refused_quoting(p, "Service ", s->name,
                                            " was specified more than once within a namespace");
        }
        if ((s->cert_file.len || s->key_file.len) &&
            !(s->ca_file.len && s->cert_file.len && s->key_file.len)) {
            return catalog__refused_quoting(
                p, "Service ", s->name,
                " must have a CertFile, CAFile, and KeyFile specified for TLS origination");
        }
    }
    return true;
}
