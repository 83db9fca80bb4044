#include "records.h"

#include "address.h"
#include "map.h"
#include "prng.h"

#include <string.h>

#define SRV_PRIORITY 1

static struct mu_str join(struct mu__arena *a, const struct mu_str *parts, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        len += parts[i].len + 1;
    }
    char *text = mu__arena_alloc(a, len);
    if (!text) {
        return (struct mu_str){NULL, 0};
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            text[at++] = '.';
        }
        memcpy(text + at, parts[i].p, parts[i].len);
        at += parts[i].len;
    }
    return (struct mu_str){text, at};
}

/* `<node>.node.<dc>.<domain>` */
static struct mu_str node_name(const struct zone *z, const struct dnsfront_instance *i,
                               struct mu__arena *a)
{
    return join(a, (struct mu_str[]){i->node, {"node", 4}, i->datacenter, z->domain}, 4);
}

/* `<hex>.addr.<dc>.<domain>` */
static struct mu_str address_name(const struct zone *z, const struct dnsfront_instance *i,
                                  const struct address *addr, struct mu__arena *a)
{
    static const char digits[] = "0123456789abcdef";
    char hex[32];
    size_t n = addr->kind == ADDRESS_IPV4 ? 4 : 16;
    for (size_t k = 0; k < n; k++) {
        hex[2 * k] = digits[addr->bytes[k] >> 4];
        hex[2 * k + 1] = digits[addr->bytes[k] & 15];
    }
    return join(a, (struct mu_str[]){{hex, 2 * n}, {"addr", 4}, i->datacenter, z->domain}, 4);
}

static bool address_record(const struct address *addr, struct mu_str owner, uint32_t ttl,
                           struct record *out)
{
    if (addr->kind != ADDRESS_IPV4 && addr->kind != ADDRESS_IPV6) {
        return false;
    }
    *out = (struct record){.owner = owner,
                           .ttl = ttl,
                           .type = addr->kind == ADDRESS_IPV4 ? DNS_TYPE_A : DNS_TYPE_AAAA};
    memcpy(out->u.address, addr->bytes, sizeof out->u.address);
    return true;
}

/* `key=value` with RFC 1464's quoting; keys that begin with rfc1035- give the bare value. */
static struct mu_str meta_text(struct mu_str key, struct mu_str value, struct mu__arena *a)
{
    static const char bare[] = "rfc1035-";
    char *text = mu__arena_alloc(a, 2 * (key.len + value.len) + 3);
    if (!text) {
        return (struct mu_str){NULL, 0};
    }
    size_t len = 0;
    if (key.len < sizeof bare - 1 || memcmp(key.p, bare, sizeof bare - 1) != 0) {
        size_t head = 0, tail = key.len;
        while (head < tail && key.p[head] == ' ') {
            head++;
        }
        while (tail > head && key.p[tail - 1] == ' ') {
            tail--;
        }
        for (size_t i = 0; i < key.len; i++) {
            char c = key.p[i];
            if (c == '`' || c == '=' || i < head || i >= tail) {
                text[len++] = '`';
            }
            text[len++] = c;
        }
        text[len++] = '=';
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] == '`') {
            text[len++] = '`';
        }
        text[len++] = value.p[i];
    }
    return (struct mu_str){text, len};
}

/* Doubles in the arena: what is left behind is at most as much again. */
static bool grow_extras(struct sections *s, size_t more, struct mu__arena *a)
{
    if (s->extra_count + more <= s->extra_cap) {
        return true;
    }
    size_t cap = mu__max(16, mu__max(s->extra_cap * 2, s->extra_count + more));
    struct extra *grown = mu__arena_alloc(a, cap * sizeof *grown);
    if (!grown) {
        return false;
    }
    if (s->extra_count) {
        memcpy(grown, s->extras, s->extra_count * sizeof *grown);
    }
    s->extras = grown;
    s->extra_cap = cap;
    return true;
}

static bool add_meta(const struct dnsfront_instance *i, struct mu_str owner, uint32_t ttl,
                     uint32_t answer, struct mu__arena *a, struct sections *s)
{
    if (!grow_extras(s, i->meta_count, a)) {
        return false;
    }
    for (size_t k = 0; k < i->meta_count; k++) {
        struct mu_str text = meta_text(i->meta[2 * k], i->meta[2 * k + 1], a);
        if (!text.p) {
            return false;
        }
        s->extras[s->extra_count++] = (struct extra){
            .record = {.owner = owner, .type = DNS_TYPE_TXT, .ttl = ttl, .target = text},
            .answer = answer,
            .optional = true};
    }
    return true;
}

static bool add_srv(const struct zone *z, const struct dnsfront_instance *i, struct mu__arena *a,
                    struct sections *s)
{
    struct address service = dnsfront__address_of_service(i, DNS_TYPE_SRV);
    struct address node = dnsfront__address_of_node(i, DNS_TYPE_SRV);
    const struct address *addr = service.kind != ADDRESS_NONE ? &service : &node;
    struct mu_str own = node_name(z, i, a);
    struct mu_str target = addr->kind == ADDRESS_HOST     ? addr->text
                           : service.kind != ADDRESS_NONE ? address_name(z, i, addr, a)
                                                          : own;
    if (!own.p || !target.p) {
        return false;
    }
    uint32_t answer = (uint32_t)s->answer_count;
    s->answers[s->answer_count++] = (struct record){
        .type = DNS_TYPE_SRV,
        .ttl = z->service_ttl_s,
        .target = target,
        .u.srv = {SRV_PRIORITY,
                  i->health == DNSFRONT_WARNING ? i->weight_warning : i->weight_passing, i->port}};
    if (!grow_extras(s, 1, a)) {
        return false;
    }
    struct extra *e = &s->extras[s->extra_count];
    if (address_record(addr, target, z->service_ttl_s, &e->record)) {
        e->answer = answer;
        e->optional = false;
        s->extra_count++;
    }
    return !z->node_meta_txt || add_meta(i, own, z->service_ttl_s, answer, a, s);
}

/* Adds what answers an address question: an address of the family, or, unless something stands
 * already, a CNAME. */
static void add_address(const struct zone *z, uint16_t type, const struct dnsfront_instance *i,
                        struct sections *s, struct record *cname)
{
    struct address addr = dnsfront__address_of_service(i, type);
    if (addr.kind == ADDRESS_NONE) {
        addr = dnsfront__address_of_node(i, type);
    }
    if (addr.kind == ADDRESS_HOST && cname->type == 0) {
        *cname =
            (struct record){.type = DNS_TYPE_CNAME, .ttl = z->service_ttl_s, .target = addr.text};
    }
    bool wanted = (addr.kind == ADDRESS_IPV4 && type != DNS_TYPE_AAAA) ||
                  (addr.kind == ADDRESS_IPV6 && type != DNS_TYPE_A);
    bool address_type =
        type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_ANY || type == DNS_TYPE_TXT;
    if (wanted && address_type &&
        address_record(&addr, (struct mu_str){NULL, 0}, z->service_ttl_s,
                       &s->answers[s->answer_count])) {
        s->answer_count++;
    }
}

/* The part of a record by which equal answers are recognised. */
static struct mu_str identity(const struct record *rec)
{
    if (rec->type == DNS_TYPE_A || rec->type == DNS_TYPE_AAAA) {
        return (struct mu_str){(const char *)rec->u.address, rec->type == DNS_TYPE_A ? 4 : 16};
    }
    return rec->target;
}

static bool same_answer(const struct record *a, const struct record *b)
{
    struct mu_str x = identity(a), y = identity(b);
    return a->type == b->type && x.len == y.len && memcmp(x.p, y.p, x.len) == 0 &&
           (a->type != DNS_TYPE_SRV || a->u.srv.port == b->u.srv.port);
}

/* Is the newest answer there already? Few answers are compared one by one, many through a map of
 * the first of each identity; SRV records of one target differ by port, so that chain is walked
 * from the map's entry on. */
static bool is_repeated(const struct sections *s, struct mu__map *seen, bool *failed)
{
    const struct record *newest = &s->answers[s->answer_count - 1];
    struct mu_str id = identity(newest);
    const struct record *first = mu__map_get(seen, id.p, id.len);
    if (!first) {
        struct record *value = &s->answers[s->answer_count - 1];
        if (!mu__map_set(seen, id.p, id.len, value, NULL)) {
            *failed = true;
        }
        return false;
    }
    for (const struct record *r = first; r < newest; r++) {
        if (same_answer(r, newest)) {
            return true;
        }
        if (newest->type != DNS_TYPE_SRV) {
            break;
        }
    }
    return false;
}

static bool may_show(const struct zone *z, const struct dnsfront_instance *i)
{
    return i->health == DNSFRONT_PASSING || (i->health == DNSFRONT_WARNING && !z->only_passing);
}

/* The instances that may be shown, in an order drawn uniformly (Fisher and Yates). */
static size_t shuffle(const struct zone *z, const struct dnsfront_instance *instances, size_t count,
                      uint64_t random, uint32_t *order)
{
    struct mu__prng prng;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (may_show(z, &instances[i])) {
            order[n++] = (uint32_t)i;
        }
    }
    mu__prng_seed(&prng, random);
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)mu__prng_below(&prng, i);
        uint32_t t = order[i - 1];
        order[i - 1] = order[k];
        order[k] = t;
    }
    return n;
}

static bool add_instance(const struct zone *z, uint16_t type, const struct dnsfront_instance *i,
                         struct mu__map *seen, struct record *cname, struct mu__arena *a,
                         struct sections *s)
{
    size_t answers = s->answer_count, extras = s->extra_count;
    bool failed = false;
    if (type == DNS_TYPE_SRV) {
        failed = !add_srv(z, i, a, s);
    } else {
        add_address(z, type, i, s, cname);
    }
    if (!failed && s->answer_count > answers && is_repeated(s, seen, &failed)) {
        s->answer_count = answers;
        s->extra_count = extras;
    }
    return !failed;
}

bool dnsfront__records_service(const struct zone *z, uint16_t type,
                               const struct dnsfront_instance *instances, size_t count,
                               uint64_t random, struct mu__arena *a, struct sections *out,
                               size_t *shown)
{
    uint32_t *order = mu__arena_alloc(a, count * sizeof *order);
    out->answers = mu__arena_alloc(a, (count + 1) * sizeof *out->answers);
    if (!order || !out->answers) {
        return false;
    }
    size_t n = shuffle(z, instances, count, random, order);
    *shown = n;
    struct mu__map seen;
    mu__map_init(&seen, &a->allocator, random);
    struct record cname = {.type = 0};
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        if (type != DNS_TYPE_SRV && z->a_record_limit && out->answer_count >= z->a_record_limit) {
            break;
        }
        ok = add_instance(z, type, &instances[order[i]], &seen, &cname, a, out);
    }
    mu__map_fini(&seen);
    if (ok && out->answer_count == 0 && cname.type != 0) {
        out->answers[out->answer_count++] = cname;
    }
    return ok;
}

bool dnsfront__records_node(const struct zone *z, uint16_t type,
                            const struct dnsfront_instance *node, struct mu__arena *a,
                            struct sections *out)
{
    struct address addr = dnsfront__address_of_node(node, type);
    bool any = type == DNS_TYPE_ANY;
    out->answers = mu__arena_alloc(a, (node->meta_count + 1) * sizeof *out->answers);
    if (!out->answers) {
        return false;
    }
    struct mu_str own = {NULL, 0};
    if (addr.kind == ADDRESS_HOST && (any || type == DNS_TYPE_A || type == DNS_TYPE_AAAA)) {
        out->answers[out->answer_count++] =
            (struct record){.type = DNS_TYPE_CNAME, .ttl = z->node_ttl_s, .target = addr.text};
    } else if (any || (type == DNS_TYPE_A && addr.kind == ADDRESS_IPV4) ||
               (type == DNS_TYPE_AAAA && addr.kind == ADDRESS_IPV6)) {
        out->answer_count += address_record(&addr, own, z->node_ttl_s, out->answers);
    }
    if (!any && type != DNS_TYPE_TXT) {
        bool additional = z->node_meta_txt && (type == DNS_TYPE_A || type == DNS_TYPE_AAAA);
        return !additional || add_meta(node, own, z->node_ttl_s, 0, a, out);
    }
    for (size_t k = 0; k < node->meta_count; k++) {
        struct mu_str text = meta_text(node->meta[2 * k], node->meta[2 * k + 1], a);
        if (!text.p) {
            return false;
        }
        out->answers[out->answer_count++] =
            (struct record){.type = DNS_TYPE_TXT, .ttl = z->node_ttl_s, .target = text};
    }
    return true;
}

bool dnsfront__records_address(const struct zone *z, const uint8_t *address, size_t len,
                               struct mu__arena *a, struct sections *out)
{
    out->answers = mu__arena_calloc(a, 1, sizeof *out->answers);
    if (!out->answers) {
        return false;
    }
    if (len) {
        out->answers[0].type = len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
        out->answers[0].ttl = z->node_ttl_s;
        memcpy(out->answers[0].u.address, address, len);
        out->answer_count = 1;
    }
    return true;
}

bool dnsfront__records_servers(const struct zone *z, uint16_t type,
                               const struct dnsfront_instance *servers, size_t count,
                               struct mu__arena *a, struct sections *out)
{
    struct record *names = mu__arena_alloc(a, (count + 1) * sizeof *names);
    if (!names || !grow_extras(out, count + 1, a)) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct mu_str own = node_name(z, &servers[i], a);
        struct name unused;
        if (!own.p) {
            return false;
        }
        if (!dnsfront__name_parse(own, &unused)) {
            continue;
        }
        struct address addr = dnsfront__address_of_node(&servers[i], DNS_TYPE_ANY);
        if (address_record(&addr, own, z->node_ttl_s, &out->extras[out->extra_count].record)) {
            out->extras[out->extra_count].answer = (uint32_t)n;
            out->extras[out->extra_count++].optional = false;
        }
        names[n++] = (struct record){
            .owner = z->domain, .type = DNS_TYPE_NS, .ttl = z->node_ttl_s, .target = own};
    }
    if (type == DNS_TYPE_NS) {
        out->answers = names;
        out->answer_count = n;
        return true;
    }
    out->authority = names;
    out->authority_count = n;
    out->answers = mu__arena_memdup(a, &z->soa, sizeof z->soa);
    out->answer_count = out->answers ? 1 : 0;
    return out->answers != NULL;
}

bool dnsfront__records_negative(const struct zone *z, struct mu__arena *a, struct sections *out)
{
    out->authority = mu__arena_memdup(a, &z->soa, sizeof z->soa);
    out->authority_count = out->authority ? 1 : 0;
    return out->authority != NULL;
}
