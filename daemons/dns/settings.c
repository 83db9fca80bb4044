/* settings.c - what the configuration says about DNS, in libdnsfront's words. */
#include "internal.h"

#include <stdlib.h>

static uint32_t seconds(uint64_t ns)
{
    return (uint32_t)(ns / MU_SEC);
}

static struct mu_str copy(struct dns_settings *s, struct mu_str text)
{
    char *p = mu__arena_strndup(&s->arena, text.p ? text.p : "", text.len);
    if (!p) {
        abort();
    }
    return (struct mu_str){p, text.len};
}

static void *room(struct dns_settings *s, size_t n, size_t size)
{
    void *p = mu__arena_calloc(&s->arena, n + 1, size);
    if (!p) {
        abort();
    }
    return p;
}

static void set_ttls(struct dns_settings *s, const struct config *c)
{
    size_t n = c->dns.service_ttl.len;
    struct dnsfront_ttl_rule *rules = room(s, n, sizeof *rules);
    for (size_t i = 0; i < n; i++) {
        rules[i].pattern = copy(s, c->dns.service_ttl.items[i].name);
        rules[i].ttl_s = seconds(c->dns.service_ttl.items[i].ttl_ns);
    }
    s->front.service_ttls = rules;
    s->front.service_ttl_count = n;
    s->front.node_ttl_s = seconds(c->dns.node_ttl_ns);
}

static void set_front(struct dns_settings *s, const struct config *c)
{
    struct dnsfront_config *out = &s->front;
    dnsfront_config_init(out);
    out->domain = copy(s, c->domain);
    out->alt_domain = copy(s, c->alt_domain);
    out->datacenter = copy(s, c->datacenter);
    set_ttls(s, c);
    out->soa_refresh_s = (uint32_t)c->dns.soa_refresh_s;
    out->soa_retry_s = (uint32_t)c->dns.soa_retry_s;
    out->soa_expire_s = (uint32_t)c->dns.soa_expire_s;
    out->soa_min_ttl_s = (uint32_t)c->dns.soa_min_ttl_s;
    out->udp_answer_limit = c->dns.udp_answer_limit > 0 ? (uint32_t)c->dns.udp_answer_limit : 1;
    out->a_record_limit = (uint32_t)c->dns.a_record_limit;
    out->udp_size_max = (uint16_t)c->dns.udp_size_max;
    out->only_passing = c->dns.only_passing;
    out->enable_truncate = c->dns.enable_truncate;
    out->disable_compression = c->dns.disable_compression;
    out->node_meta_txt = c->dns.enable_additional_node_meta_txt;
    out->recursion = c->recursors.len > 0;
}

static void set_recursors(struct dns_settings *s, const struct config *c)
{
    struct dnsfront_node_config defaults;
    struct mu_str *addresses = room(s, c->recursors.len, sizeof *addresses);
    dnsfront_node_config_init(&defaults);
    for (size_t i = 0; i < c->recursors.len; i++) {
        addresses[i] = copy(s, c->recursors.items[i]);
    }
    s->recursors = defaults.recursors;
    s->recursors.addresses = addresses;
    s->recursors.count = c->recursors.len;
    s->recursors.random = c->dns.recursors_random;
    s->recursors.timeout_ns = c->dns.recursor_timeout_ns;
}

struct dns_settings *dns_settings_create(const struct config *c)
{
    struct dns_settings *s = calloc(1, sizeof *s);
    if (!s) {
        abort();
    }
    mu__arena_init(&s->arena, NULL, 0);
    s->terms = dns_terms(c);
    s->terms.datacenter = copy(s, c->datacenter);
    s->terms.node = copy(s, c->node_name);
    set_front(s, c);
    set_recursors(s, c);
    return s;
}

void dns_settings_destroy(struct dns_settings *s)
{
    if (s) {
        mu__arena_fini(&s->arena);
        free(s);
    }
}
