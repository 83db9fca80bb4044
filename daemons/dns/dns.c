#include "dns.h"

#include "base/log.h"
#include "base/metrics.h"
#include "lookup.h"
#include "prng.h"
#include "rpc/endpoints.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <muster/dnsfront_node.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MODULE      "agent.dns"
#define SERVERS_MAX 3           /* name servers in an answer */
#define REPLY_MAX   (64u << 20) /* bytes that one lookup's answer may take */
#define STALE_NS    (5 * (int64_t)MU_SEC)

struct pending_lookup {
    struct dns *dns;
    struct pending_lookup *prev, *next;
    struct dnsfront_pending *pending;
    enum dnsfront_lookup_kind kind;
    struct call *call;
    struct mu_str name; /* of the node asked for, in the call's arena */
};

struct dns {
    const struct config *config;
    struct call_backend *backend;
    struct dnsfront_node **nodes;
    size_t node_count;
    struct pending_lookup *lookups;
    struct mu__prng prng;
};

/* ---- Lookups ---- */

static void supply(struct dnsfront_pending *p, enum dnsfront_status status,
                   const struct dnsfront_instance *instances, size_t count)
{
    struct dnsfront_found found = {
        .size = sizeof found, .status = status, .instances = instances, .count = count};
    dnsfront_node_supply(p, &found);
}

static void forget(struct pending_lookup *l)
{
    if (l->prev) {
        l->prev->next = l->next;
    } else {
        l->dns->lookups = l->next;
    }
    if (l->next) {
        l->next->prev = l->prev;
    }
    free(l);
}

static void supply_service(struct pending_lookup *l, struct call *c)
{
    size_t count;
    struct dnsfront_instance *found =
        l->kind == DNSFRONT_SERVERS
            ? lookup_servers(c->reply, SERVERS_MAX, mu__prng_next(&l->dns->prng), &c->arena, &count)
            : lookup_service(c->reply, &c->arena, &count);
    supply(l->pending, found ? DNSFRONT_FOUND : DNSFRONT_FAILED, found, found ? count : 0);
}

/* The catalog also finds nodes by a prefix of their ID, which is no name. */
static void supply_node(struct pending_lookup *l, struct call *c)
{
    const struct catalog_indexed_node_services *reply = c->reply;
    const struct catalog_node *node = reply->node_services ? reply->node_services->node : NULL;
    if (!node || !mu__str_ieq(node->node, l->name)) {
        supply(l->pending, DNSFRONT_NOT_FOUND, NULL, 0);
        return;
    }
    struct dnsfront_instance *found = lookup_node(node, &c->arena);
    supply(l->pending, found ? DNSFRONT_FOUND : DNSFRONT_FAILED, found, found ? 1 : 0);
}

/* From a server that has not heard of the leader for a while. */
static void count_stale(const struct call *c)
{
    const struct catalog_query_meta *meta = endpoint_meta(c->endpoint, c->reply);
    if (meta && meta->last_contact_ns > STALE_NS) {
        metric_count(METRIC_DNS_STALE_QUERIES, 1);
    }
}

static void on_found(struct call *c, void *arg)
{
    struct pending_lookup *l = arg;
    if (c->error) {
        bool unknown = strstr(c->error, "No path to datacenter") != NULL;
        log_debug(MODULE, "a lookup failed: %s", c->error);
        supply(l->pending, unknown ? DNSFRONT_NOT_FOUND : DNSFRONT_FAILED, NULL, 0);
    } else {
        count_stale(c);
        (l->kind == DNSFRONT_NODE ? supply_node : supply_service)(l, c);
    }
    forget(l);
}

static struct mu_str copy(struct call *c, struct mu_str s)
{
    char *p = mu__arena_strndup(&c->arena, s.p ? s.p : "", s.len);
    return (struct mu_str){p, p ? s.len : 0};
}

static void set_options(const struct dns *d, struct catalog_query_options *o)
{
    o->allow_stale = d->config->dns.allow_stale;
    o->max_stale_duration_ns = (int64_t)d->config->dns.max_stale_ns;
}

static void fill_service(const struct dns *d, struct call *c, const struct dnsfront_lookup *l)
{
    struct catalog_service_request *r = c->request;
    bool servers = l->kind == DNSFRONT_SERVERS;
    r->datacenter = copy(c, l->datacenter);
    r->service_name = servers ? mu__cstr("consul") : copy(c, l->name);
    if (!servers && l->tag.len) {
        struct mu_str *tags = mu__arena_alloc(&c->arena, sizeof *tags);
        if (tags) {
            tags[0] = copy(c, l->tag);
            r->service_tags = (struct mu_strs){tags, 1};
            r->tag_filter = true;
        }
    }
    set_options(d, &r->options);
}

static void fill_node_request(const struct dns *d, struct call *c, const struct dnsfront_lookup *l)
{
    struct catalog_node_request *r = c->request;
    r->datacenter = copy(c, l->datacenter);
    r->node = copy(c, l->name);
    set_options(d, &r->options);
}

static void find(void *user, struct dnsfront_pending *pending, const struct dnsfront_lookup *lookup)
{
    struct dns *d = user;
    bool node = lookup->kind == DNSFRONT_NODE;
    struct pending_lookup *l = calloc(1, sizeof *l);
    struct call *c =
        l ? call_create(
                &endpoints[node ? ENDPOINT_CATALOG_NODE_SERVICES : ENDPOINT_HEALTH_SERVICE_NODES],
                REPLY_MAX, on_found, l)
          : NULL;
    if (!c) {
        free(l);
        supply(pending, DNSFRONT_FAILED, NULL, 0);
        return;
    }
    l->dns = d;
    l->pending = pending;
    l->kind = lookup->kind;
    l->call = c;
    l->next = d->lookups;
    if (l->next) {
        l->next->prev = l;
    }
    d->lookups = l;
    if (node) {
        fill_node_request(d, c, lookup);
        l->name = ((struct catalog_node_request *)c->request)->node;
    } else {
        fill_service(d, c, lookup);
    }
    call_start(d->backend, c);
}

/* ---- Sockets ---- */

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
    cfg.source = (struct dnsfront_source){.user = d, .find = find};
    cfg.front = front;
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
    struct dnsfront_ttl_rule *rules = calloc(c->config->dns.service_ttl.len + 1, sizeof *rules);
    if (!d || !rules ||
        !(d->nodes = calloc(c->config->dns_listen.len + 1, sizeof(struct dnsfront_node *)))) {
        abort();
    }
    d->config = c->config;
    d->backend = c->backend;
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
    while (d->lookups) {
        struct pending_lookup *l = d->lookups;
        assert(l->dns == d);
        assert(!l->prev);
        call_cancel(l->call);
        supply(l->pending, DNSFRONT_FAILED, NULL, 0);
        forget(l);
    }
    for (size_t i = 0; i < d->node_count; i++) {
        dnsfront_node_destroy(d->nodes[i]);
    }
    free(d->nodes);
    free(d);
}
