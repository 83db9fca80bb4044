#include "internal.h"

#include "base/log.h"
#include "base/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "agent.dns"

static uint16_t port_of(const struct config_address *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (a->addr.ss_family == AF_INET) {
        memcpy(&v4, &a->addr, sizeof v4);
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, &a->addr, sizeof v6);
    return ntohs(v6.sin6_port);
}

static void host_of(const struct config_address *a, char *out, socklen_t cap)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    out[0] = '\0';
    if (a->addr.ss_family == AF_INET) {
        memcpy(&v4, &a->addr, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, out, cap);
    } else if (a->addr.ss_family == AF_INET6) {
        memcpy(&v6, &a->addr, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, out, cap);
    }
}

static void on_log(void *user, enum mu_level level, const char *line)
{
    (void)user;
    log_write(level, MODULE, "%s", line);
}

static void on_answered(void *user, bool reverse, uint64_t took_ns)
{
    (void)user;
    metric_sample(reverse ? METRIC_DNS_PTR_QUERY : METRIC_DNS_DOMAIN_QUERY,
                  (double)took_ns / (double)MU_MSEC);
}

static bool listen_on(struct dns *d, const struct dns_config *c,
                      const struct config_address *address, char *err, size_t errlen)
{
    struct dnsfront_node_config cfg;
    char host[INET6_ADDRSTRLEN];
    const char *reason;
    host_of(address, host, sizeof host);
    dnsfront_node_config_init(&cfg);
    cfg.base = c->base;
    cfg.address = host;
    cfg.port = port_of(address);
    cfg.source = (struct dnsfront_source){
        .user = d,
        .find = dns__find,
        .version = d->fresh.version ? dns__version : NULL,
        .unchanged = d->fresh.version ? dns__unchanged : NULL,
    };
    cfg.front = &d->settings->front;
    cfg.recursors = d->settings->recursors;
    cfg.seed = mu__prng_next(&d->prng);
    cfg.log = on_log;
    cfg.answered = on_answered;
    if (dnsfront_node_create(&cfg, &d->nodes[d->node_count], &reason) != DNSFRONT_OK) {
        snprintf(err, errlen, "%s: %s: %s", address->text.p, reason, strerror(errno));
        return false;
    }
    d->node_count++;
    return true;
}

struct dns *dns_create(const struct dns_config *c, char *err, size_t errlen)
{
    struct dns *d = calloc(1, sizeof *d);
    if (!d || !(d->nodes = calloc(c->config->dns_listen.len + 1, sizeof(struct dnsfront_node *))) ||
        !(d->deadline = evtimer_new(c->base, dns__on_deadline, d))) {
        abort();
    }
    d->settings = dns_settings_create(c->config);
    d->backend = c->backend;
    d->fresh = c->fresh;
    d->copies = c->copies;
    mu__prng_seed(&d->prng, c->seed);
    bool ok = true;
    for (size_t i = 0; ok && i < c->config->dns_listen.len; i++) {
        ok = listen_on(d, c, &c->config->dns_listen.items[i], err, errlen);
    }
    if (!ok) {
        dns_destroy(d);
        return NULL;
    }
    return d;
}

/* Who we are stays as it was when we were started, and with it what lookups under way have
 * borrowed. */
static void keep_names(struct dns_settings *next, const struct dns_settings *now)
{
    next->front.domain = now->front.domain;
    next->front.alt_domain = now->front.alt_domain;
    next->front.datacenter = now->front.datacenter;
    next->terms.datacenter = now->terms.datacenter;
    next->terms.node = now->terms.node;
    next->terms.translate_wan = now->terms.translate_wan;
}

void dns_reload(struct dns *d, struct dns_settings *next)
{
    keep_names(next, d->settings);
    for (size_t i = 0; i < d->node_count; i++) {
        int rc = dnsfront_node_reconfigure(d->nodes[i], &next->front);
        rc = rc ? rc : dnsfront_node_set_recursors(d->nodes[i], &next->recursors);
        if (rc != DNSFRONT_OK) {
            log_warn(MODULE, "the settings of DNS stay as they were: %s", dnsfront_strerror(rc));
            dns_settings_destroy(next);
            return;
        }
    }
    d->settings->terms = next->terms;
    dns_settings_destroy(next);
}

void dns_destroy(struct dns *d)
{
    if (!d) {
        return;
    }
    dns__find_end(d);
    event_free(d->deadline);
    for (size_t i = 0; i < d->node_count; i++) {
        dnsfront_node_destroy(d->nodes[i]);
    }
    dns_settings_destroy(d->settings);
    free(d->nodes);
    free(d);
}
