#include "prng.h"
#include "records.h"
#include "schema.h"
#include "seen.h"
#include "spell.h"

#include <string.h>

#define SRV_PRIORITY 1

/* What has been said already, and the CNAME that is said if no address is. */
struct progress {
    struct seen answers, targets, nodes;
    struct record cname;
};

/* As seen from the client: an instance with its addresses chosen. */
struct view {
    const struct dnsfront_instance *i;
    struct address service, node;
    const struct address *addr; /* the one that counts */
};

/* Is text the question's own name? */
static bool is_asked(const struct zone *z, struct mu_str text)
{
    struct name n;
    return dnsfront__name_parse(text, &n) && n.len == z->name->len &&
           memcmp(n.lower, z->name->lower, n.len) == 0;
}

static void look_at(const struct zone *z, const struct dnsfront_instance *i, struct view *out)
{
    out->i = i;
    out->service = dnsfront__address_of_service(i, z->type);
    out->node = dnsfront__address_of_node(i, z->type);
    out->addr = out->service.kind != ADDRESS_NONE ? &out->service : &out->node;
    /* A service whose address is its own name: the node's address is meant. */
    if (out->service.kind == ADDRESS_HOST && is_asked(z, out->service.text) &&
        (out->node.kind == ADDRESS_IPV4 || out->node.kind == ADDRESS_IPV6)) {
        out->service.kind = ADDRESS_NONE;
        out->addr = &out->node;
    }
}

static uint16_t weight_of(const struct dnsfront_instance *i)
{
    return i->health == DNSFRONT_PASSING   ? i->weight_passing
           : i->health == DNSFRONT_WARNING ? i->weight_warning
                                           : 0;
}

/* What an SRV record points at: a host name as it is, a node by its name, and by a name that spells
 * it an address that is not the node's own, or whose node has a name that DNS cannot say. */
static struct mu_str target_of(const struct zone *z, const struct view *v, struct mu_str own,
                               struct mu__arena *a)
{
    if (v->addr->kind == ADDRESS_HOST) {
        return dnsfront__spell_host(v->addr->text, a);
    }
    bool plain = v->service.kind == ADDRESS_NONE && mu__str_eq(v->node.text, v->i->node_address);
    struct name unused;
    return plain && dnsfront__name_parse(own, &unused)
               ? own
               : dnsfront__spell_address(v->i, v->addr, z->domain, a);
}

/* Target and port tell SRV records apart. */
static bool is_new_srv(struct progress *p, struct mu_str target, uint16_t port, struct mu__arena *a,
                       bool *failed)
{
    char *key = mu__arena_alloc(a, target.len + 2);
    if (!key) {
        *failed = true;
        return false;
    }
    memcpy(key, target.p, target.len);
    key[target.len] = (char)(port >> 8);
    key[target.len + 1] = (char)port;
    return dnsfront__seen_add(&p->answers, (struct mu_str){key, target.len + 2});
}

/* The address of a target, once; a host name's is looked up. */
static bool explain_target(const struct zone *z, const struct view *v, struct mu_str target,
                           uint32_t answer, struct mu__arena *a, struct sections *s)
{
    if (v->addr->kind == ADDRESS_HOST) {
        struct host host = {.name = target,
                            .answer = answer,
                            .additional = true,
                            .has_ttl = true,
                            .ttl = z->service_ttl_s};
        return dnsfront__sections_add_host(&host, a, s);
    }
    if (!dnsfront__sections_reserve_extras(s, 1, a)) {
        return false;
    }
    struct extra *e = &s->extras[s->extra_count];
    if (dnsfront__record_address(v->addr, target, z->service_ttl_s, &e->record)) {
        e->answer = answer;
        e->optional = false;
        s->extra_count++;
    }
    return true;
}

static bool add_srv(const struct zone *z, const struct view *v, struct progress *p,
                    struct mu__arena *a, struct sections *s)
{
    struct mu_str own = dnsfront__spell_node(v->i, z->domain, a);
    struct mu_str target = own.p ? target_of(z, v, own, a) : own;
    bool failed = !target.p;
    if (failed || !is_new_srv(p, target, v->i->port, a, &failed)) {
        return !failed;
    }
    uint32_t answer = (uint32_t)s->answer_count;
    s->answers[s->answer_count++] =
        (struct record){.type = DNS_TYPE_SRV,
                        .ttl = z->service_ttl_s,
                        .target = target,
                        .u.srv = {SRV_PRIORITY, weight_of(v->i), v->i->port}};
    if (dnsfront__seen_add(&p->targets, target) && !explain_target(z, v, target, answer, a, s)) {
        return false;
    }
    return !z->node_meta_txt || v->i->meta_count == 0 || !dnsfront__seen_add(&p->nodes, own) ||
           dnsfront__sections_add_meta(v->i, own, z->service_ttl_s, answer, a, s);
}

/* Adds what answers an address question: an address of the family, or notes a CNAME. */
static void add_address(const struct zone *z, const struct view *v, struct progress *p,
                        struct sections *s)
{
    if (v->addr->kind == ADDRESS_HOST && p->cname.type == 0) {
        p->cname = (struct record){
            .type = DNS_TYPE_CNAME, .ttl = z->service_ttl_s, .target = v->addr->text};
    }
    bool wanted = (v->addr->kind == ADDRESS_IPV4 && z->type != DNS_TYPE_AAAA) ||
                  (v->addr->kind == ADDRESS_IPV6 && z->type != DNS_TYPE_A);
    bool address_type = z->type == DNS_TYPE_A || z->type == DNS_TYPE_AAAA ||
                        z->type == DNS_TYPE_ANY || z->type == DNS_TYPE_TXT;
    struct record *rec = &s->answers[s->answer_count];
    if (!wanted || !address_type ||
        !dnsfront__record_address(v->addr, (struct mu_str){NULL, 0}, z->service_ttl_s, rec)) {
        return;
    }
    struct mu_str key = {(const char *)rec->u.address, rec->type == DNS_TYPE_A ? 4 : 16};
    if (dnsfront__seen_add(&p->answers, key)) {
        s->answer_count++;
    }
}

static bool may_show(const struct zone *z, const struct dnsfront_instance *i)
{
    return i->health == DNSFRONT_PASSING || (i->health == DNSFRONT_WARNING && !z->only_passing);
}

static void swap(uint32_t *order, size_t i, size_t k)
{
    uint32_t t = order[i];
    order[i] = order[k];
    order[k] = t;
}

static void reverse(uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        swap(order, i, n - 1 - i);
    }
}

/* What stood at `first` comes first. */
static void rotate(uint32_t *order, size_t n, size_t first)
{
    reverse(order, first);
    reverse(order + first, n - first);
    reverse(order, n);
}

/* The instances that may be shown, in an order drawn uniformly (Fisher and Yates) or as they
 * stand. */
static size_t put_in_order(const struct zone *z, const struct dnsfront_instance *instances,
                           size_t count, const struct service_order *how, uint32_t *order)
{
    struct mu__prng prng;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (how->any_health || may_show(z, &instances[i])) {
            order[n++] = (uint32_t)i;
        }
    }
    if (how->given) {
        return n;
    }
    mu__prng_seed(&prng, how->random);
    for (size_t i = n; i > 1; i--) {
        swap(order, i - 1, (size_t)mu__prng_below(&prng, i));
    }
    if (how->turns) {
        rotate(order, n, how->turn * n / how->turns);
    }
    return n;
}

static bool begin(struct progress *p, size_t n, bool srv, uint64_t seed, struct mu__arena *a)
{
    p->cname.type = 0;
    return dnsfront__seen_init(&p->answers, n, seed, a) &&
           (!srv || (dnsfront__seen_init(&p->targets, n, seed, a) &&
                     dnsfront__seen_init(&p->nodes, n, seed, a)));
}

bool dnsfront__records_service(const struct zone *z, const struct dnsfront_instance *instances,
                               size_t count, const struct service_order *how, struct mu__arena *a,
                               struct sections *out, size_t *shown)
{
    bool srv = z->type == DNS_TYPE_SRV;
    struct progress p;
    uint32_t *order = mu__arena_alloc(a, (count + 1) * sizeof *order);
    out->answers = mu__arena_alloc(a, (count + 1) * sizeof *out->answers);
    if (!order || !out->answers) {
        return false;
    }
    *shown = put_in_order(z, instances, count, how, order);
    if (!begin(&p, *shown, srv, how->random, a)) {
        return false;
    }
    for (size_t i = 0; i < *shown; i++) {
        struct view v;
        if (!srv && z->a_record_limit && out->answer_count >= z->a_record_limit) {
            break;
        }
        look_at(z, &instances[order[i]], &v);
        if (v.addr->kind == ADDRESS_NONE || v.addr->kind == ADDRESS_BAD) {
            continue;
        }
        if (srv && !add_srv(z, &v, &p, a, out)) {
            return false;
        }
        if (!srv) {
            add_address(z, &v, &p, out);
        }
    }
    if (out->answer_count > 0 || p.cname.type == 0) {
        return true;
    }
    p.cname.target = dnsfront__spell_host(p.cname.target, a);
    if (!p.cname.target.p) {
        return false;
    }
    out->answers[out->answer_count++] = p.cname;
    struct host host = {.name = p.cname.target, .has_ttl = true, .ttl = z->service_ttl_s};
    return dnsfront__sections_add_host(&host, a, out);
}
