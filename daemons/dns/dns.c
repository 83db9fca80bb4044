#include "internal.h"

#include "base/log.h"
#include "base/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "agent.dns"

static uint32_t seconds(uint64_t ns)
{
    return (uint32_t)(ns / MU_SEC);
}

static void front_config(const struct config *c, struct dnsfront_ttl_rule *rules,
                         struct dnsfront_config *out)
{
    dnsfront_config_init(out);
    out->domain = c->domain;
    out->alt_domain = c->alt_domain;
    out->datacenter = c->datacenter;
    out->node_ttl_s = seconds(c->dns.node_ttl_ns);
    for (size_t i = 0; i < c->dns.service_ttl.len; i++) {
        rules[i].pattern = c->dns.service_ttl.items[i].name;
        rules[i].ttl_s = seconds(c->dns.service_ttl.items[i].ttl_ns);
    }
    out->service_ttls = rules;
    out->service_ttl_count = c->dns.service_ttl.len;
    out->soa_refresh_s = (uint32_t)c->dns.soa_refresh_s;
    out->soa_retry_s = (uint32_t)c->dns.soa_retry_s;
    out->soa_expire_s = (uint32_t)c->dns.soa_expire_s;
    out->soa_min_ttl_s = (uint32_t)c->dns.soa_min_ttl_s;
    out->udp_answer_limit = c->dns.udp_answer_limit > 0 ? (uint32_t)c->dns.udp_answer_limit : 1;
    out->a_record_limit = (uint32_t)c->dns.a_record_limit;
    out->only_passing = c->dns.only_passing;
    out->enable_truncate = c->dns.enable_truncate;
    out->disable_compression = c->dns.disable_compression;
    out->node_meta_txt = c->dns.enable_additional_node_meta_txt;
    out->recursion = c->recursors.len > 0;
}

static void recursors_config(const struct config *c, struct dnsfront_recursors *out)
{
    out->addresses = c->recursors.items;
    out->count = c->recursors.len;
    out->random = c->dns.recursors_random;
    out->timeout_ns = c->dns.recursor_timeout_ns;
}

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
                      const struct config_address *address, const struct dnsfront_config *front,
                      char *err, size_t errlen)
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
    cfg.front = front;
    cfg.seed = mu__prng_next(&d->prng);
    cfg.log = on_log;
    cfg.answered = on_answered;
    recursors_config(c->config, &cfg.recursors);
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
    struct dnsfront_ttl_rule *rules = calloc(c->config->dns.service_ttl.len + 1, sizeof *rules);
    if (!d || !rules ||
        !(d->nodes = calloc(c->config->dns_listen.len + 1, sizeof(struct dnsfront_node *))) ||
        !(d->deadline = evtimer_new(c->base, dns__on_deadline, d))) {
        abort();
    }
    d->terms = dns_terms(c->config);
    d->backend = c->backend;
    d->fresh = c->fresh;
    d->copies = c->copies;
    mu__prng_seed(&d->prng, c->seed);
    struct dnsfront_config front;
    front_config(c->config, rules, &front);
    bool ok = true;
    for (size_t i = 0; ok && i < c->config->dns_listen.len; i++) {
        ok = listen_on(d, c, &c->config->dns_listen.items[i], &front, err, errlen);
    }
    free(rules);
    if (!ok) {
        dns_destroy(d);
        return NULL;
    }
    return d;
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
    free(d->nodes);
    free(d);
}
