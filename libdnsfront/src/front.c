#include "front.h"

#include "schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_QUERIES_MAX 64u
#define QUERY_ARENA_MAX  (64u << 20)
#define DOMAIN_MAX       200u

const char *dnsfront_version(void)
{
    return DNSFRONT_VERSION;
}

const char *dnsfront_strerror(int code)
{
    switch (code) {
    case DNSFRONT_OK:
        return "no error";
    case DNSFRONT_ENOMEM:
        return "out of memory";
    case DNSFRONT_EINVAL:
        return "a value is out of its range";
    case DNSFRONT_EIGNORE:
        return "not a query: answer nothing";
    case DNSFRONT_ENOBUFS:
        return "the buffer is too small for the answer";
    default:
        return "unknown error";
    }
}

enum mu_err_class dnsfront_err_class(int code)
{
    switch (code) {
    case DNSFRONT_OK:
        return MU_CLASS_OK;
    case DNSFRONT_ENOMEM:
        return MU_CLASS_RETRY;
    case DNSFRONT_EIGNORE:
        return MU_CLASS_PEER;
    default:
        return MU_CLASS_CALLER;
    }
}

void dnsfront_config_init_sized(struct dnsfront_config *cfg, size_t size)
{
    struct dnsfront_config d = {
        .size = size,
        .domain = {"consul", 6},
        .datacenter = {"dc1", 3},
        .soa_refresh_s = 3600,
        .soa_retry_s = 600,
        .soa_expire_s = 86400,
        .udp_answer_limit = 3,
        .node_meta_txt = true,
        .kept_bytes_max = 4u << 20,
    };
    memset(cfg, 0, size);
    memcpy(cfg, &d, mu__min(size, sizeof d));
    cfg->size = size;
}

/* The caller's config widened to ours; false if a larger one sets what we do not know. */
static bool widen(const struct dnsfront_config *cfg, struct dnsfront_config *out)
{
    dnsfront_config_init(out);
    for (size_t i = sizeof *out; i < cfg->size; i++) {
        if (((const unsigned char *)cfg)[i] != 0) {
            return false;
        }
    }
    memcpy(out, cfg, mu__min(cfg->size, sizeof *out));
    return true;
}

static bool config_check(const struct dnsfront_config *cfg)
{
    struct name unused;
    return cfg->domain.len > 0 && cfg->domain.len <= DOMAIN_MAX &&
           dnsfront__name_parse(cfg->domain, &unused) && cfg->alt_domain.len <= DOMAIN_MAX &&
           dnsfront__name_parse(cfg->alt_domain, &unused) && cfg->datacenter.len > 0 &&
           cfg->datacenter.len <= NAME_LABEL_MAX && cfg->udp_answer_limit > 0 &&
           (cfg->udp_size_max == 0 || cfg->udp_size_max >= UDP_PLAIN_MAX);
}

static char *concat(const struct mu_allocator *a, const char *head, struct mu_str tail)
{
    size_t n = strlen(head);
    char *text = mu__alloc(a, n + tail.len + 1);
    if (text) {
        memcpy(text, head, n);
        memcpy(text + n, tail.p, tail.len);
        text[n + tail.len] = '\0';
    }
    return text;
}

static int by_precedence(const void *x, const void *y)
{
    const struct ttl_rule *a = x, *b = y;
    if (a->prefix != b->prefix) {
        return a->prefix ? 1 : -1;
    }
    return a->len != b->len ? (a->len < b->len ? 1 : -1) : 0;
}

static bool copy_rules(struct dnsfront *d, const struct dnsfront_config *cfg)
{
    d->rules = mu__calloc(&d->allocator, cfg->service_ttl_count, sizeof *d->rules);
    if (!d->rules) {
        return false;
    }
    for (size_t i = 0; i < cfg->service_ttl_count; i++) {
        struct mu_str p = cfg->service_ttls[i].pattern;
        struct ttl_rule *r = &d->rules[i];
        r->prefix = p.len > 0 && p.p[p.len - 1] == '*';
        r->len = p.len - (r->prefix ? 1 : 0);
        r->ttl_s = cfg->service_ttls[i].ttl_s;
        r->text = mu__strndup(&d->allocator, p.p, r->len);
        if (!r->text) {
            return false;
        }
        for (size_t k = 0; k < r->len; k++) {
            char c = r->text[k];
            r->text[k] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        d->rule_count++;
    }
    qsort(d->rules, d->rule_count, sizeof *d->rules, by_precedence);
    return true;
}

static bool copy_config(struct dnsfront *d, const struct dnsfront_config *cfg)
{
    struct mu_str domain = cfg->domain;
    domain.len -= domain.p[domain.len - 1] == '.' ? 1 : 0;
    dnsfront__name_parse(domain, &d->domain);
    dnsfront__name_parse(cfg->alt_domain, &d->alt_domain);
    d->has_alt = cfg->alt_domain.len > 0;
    d->domain_text = mu__strndup(&d->allocator, domain.p, domain.len);
    d->domain_len = domain.len;
    d->datacenter = mu__strndup(&d->allocator, cfg->datacenter.p, cfg->datacenter.len);
    d->datacenter_len = cfg->datacenter.len;
    d->mname = concat(&d->allocator, "ns.", domain);
    d->mname_len = strlen("ns.") + domain.len;
    d->rname = concat(&d->allocator, "hostmaster.", domain);
    d->rname_len = strlen("hostmaster.") + domain.len;
    d->node_ttl_s = cfg->node_ttl_s;
    d->soa_refresh_s = cfg->soa_refresh_s;
    d->soa_retry_s = cfg->soa_retry_s;
    d->soa_expire_s = cfg->soa_expire_s;
    d->soa_min_ttl_s = cfg->soa_min_ttl_s;
    d->udp_answer_limit = cfg->udp_answer_limit;
    d->a_record_limit = cfg->a_record_limit;
    d->only_passing = cfg->only_passing;
    d->enable_truncate = cfg->enable_truncate;
    d->disable_compression = cfg->disable_compression;
    d->node_meta_txt = cfg->node_meta_txt;
    d->recursion = cfg->recursion;
    d->kept_bytes_max = cfg->kept_bytes_max;
    d->udp_size_max = cfg->udp_size_max;
    d->unchanged = cfg->unchanged;
    d->unchanged_user = cfg->unchanged_user;
    return d->domain_text && d->datacenter && d->mname && d->rname && copy_rules(d, cfg);
}

int dnsfront_create(const struct dnsfront_config *cfg, struct dnsfront **out)
{
    *out = NULL;
    struct dnsfront_config full;
    if (!widen(cfg, &full) || !config_check(&full)) {
        return DNSFRONT_EINVAL;
    }
    struct mu_allocator a = mu__allocator_or_default(full.allocator);
    struct dnsfront *d = mu__calloc(&a, 1, sizeof *d);
    if (!d) {
        return DNSFRONT_ENOMEM;
    }
    d->allocator = a;
    if (!copy_config(d, &full)) {
        dnsfront_destroy(d);
        return DNSFRONT_ENOMEM;
    }
    *out = d;
    return DNSFRONT_OK;
}

static void free_query(struct dnsfront_query *q)
{
    struct dnsfront *d = q->front;
    mu__arena_fini(&q->arena);
    mu__free(&d->allocator, q);
}

void dnsfront_destroy(struct dnsfront *d)
{
    if (!d) {
        return;
    }
    assert(d->open_count == 0);
    dnsfront__kept_destroy(d);
    while (d->idle) {
        struct dnsfront_query *q = d->idle;
        d->idle = q->next_idle;
        free_query(q);
    }
    for (size_t i = 0; i < d->rule_count; i++) {
        mu__free(&d->allocator, d->rules[i].text);
    }
    mu__free(&d->allocator, d->rules);
    mu__free(&d->allocator, d->domain_text);
    mu__free(&d->allocator, d->datacenter);
    mu__free(&d->allocator, d->mname);
    mu__free(&d->allocator, d->rname);
    struct mu_allocator a = d->allocator;
    mu__free(&a, d);
}

struct dnsfront_query *dnsfront__take_query(struct dnsfront *d)
{
    struct dnsfront_query *q = d->idle;
    if (q) {
        d->idle = q->next_idle;
        d->idle_count--;
    } else {
        q = mu__alloc(&d->allocator, sizeof *q);
        if (!q) {
            return NULL;
        }
        mu__arena_init(&q->arena, &d->allocator, QUERY_ARENA_MAX);
        q->front = d;
    }
    d->open_count++;
    q->next_idle = NULL;
    q->waiting = q->tcp = q->authoritative = q->recursion_offered = q->out_of_memory = false;
    q->lookups = 0;
    q->meaning.kind = NAME_FOREIGN;
    q->found = (struct dnsfront_found){0};
    q->sections = (struct sections){0};
    q->chain.active = false;
    q->relayed = NULL;
    q->rcode = DNS_NOERROR;
    q->turn = q->turns = 0;
    q->kept_key.shape = KEPT_NONE;
    return q;
}

void dnsfront__return_query(struct dnsfront_query *q)
{
    struct dnsfront *d = q->front;
    assert(d->open_count > 0);
    d->open_count--;
    if (d->idle_count >= IDLE_QUERIES_MAX) {
        free_query(q);
        return;
    }
    mu__arena_reset(&q->arena);
    q->next_idle = d->idle;
    d->idle = q;
    d->idle_count++;
}

uint32_t dnsfront__service_ttl(const struct dnsfront *d, struct mu_str service)
{
    for (size_t i = 0; i < d->rule_count; i++) {
        const struct ttl_rule *r = &d->rules[i];
        bool fits = r->prefix ? service.len >= r->len : service.len == r->len;
        if (fits && memcmp(service.p, r->text, r->len) == 0) {
            return r->ttl_s;
        }
    }
    return 0;
}
