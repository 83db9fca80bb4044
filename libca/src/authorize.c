#include <muster/ca_authorize.h>

#include "common.h"
#include "map.h"

#include <assert.h>

enum { INTENTIONS_MAX = 1 << 24 };

/* How exactly one side of an intention names a service. */
enum reach { ALL, NAMESPACE, EXACT, NO_REACH };

struct rule {
    struct mu_str source_ns, source, destination_ns, destination; /* into texts; "*" stays */
    enum ca_action action;
    unsigned precedence;
    size_t index; /* in the caller's list */
};

struct slot {
    uint64_t hash;
    const struct rule *rule; /* NULL: free */
};

struct ca_intentions {
    struct mu_allocator allocator;
    uint64_t seed[2];
    uint64_t star; /* the hash of "*" */
    struct rule *rules;
    size_t count;
    char *texts;
    struct slot *slots; /* open addressing, at most half full */
    size_t mask;        /* slots - 1, a power of two less one */
    bool has[10];       /* is there a rule of that precedence? */
};

static struct mu_str namespace_of(struct mu_str ns)
{
    return ns.len > 0 ? ns : ca__str("default", 7);
}

static bool is_wild(struct mu_str s)
{
    return s.len == 1 && s.p[0] == '*';
}

static bool is_part(struct mu_str s)
{
    return s.len > 0 && (is_wild(s) || !memchr(s.p, '*', s.len));
}

static enum reach reach_of(struct mu_str ns, struct mu_str name)
{
    ns = namespace_of(ns);
    if (!is_part(ns) || !is_part(name) || (is_wild(ns) && !is_wild(name))) {
        return NO_REACH;
    }
    return is_wild(ns) ? ALL : is_wild(name) ? NAMESPACE : EXACT;
}

/* Destination first, then source: 9 to 1. */
static unsigned precedence_of(enum reach source, enum reach destination)
{
    return 3 * (unsigned)destination + (unsigned)source + 1;
}

unsigned ca_intention_precedence(const struct ca_intention *i)
{
    enum reach s = reach_of(i->source_ns, i->source),
               d = reach_of(i->destination_ns, i->destination);
    return s == NO_REACH || d == NO_REACH ? 0 : precedence_of(s, d);
}

/* ---- Hashes ---- */

static uint64_t hash_of(const struct ca_intentions *t, struct mu_str s)
{
    return mu__siphash(t->seed, s.p, s.len);
}

/* Of one side, from those of its namespace and its name. */
static uint64_t side_hash(uint64_t ns, uint64_t name)
{
    return (ns << 32 | ns >> 32) ^ name * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t pair_hash(uint64_t source, uint64_t destination)
{
    uint64_t h = source * UINT64_C(0xff51afd7ed558ccd) + destination;
    h ^= h >> 32;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 29;
}

struct side {
    struct mu_str ns, name;
    uint64_t hash;
};

static struct side make_side(const struct ca_intentions *t, struct mu_str ns, struct mu_str name)
{
    return (struct side){ns, name, side_hash(hash_of(t, ns), hash_of(t, name))};
}

/* The slot of the pair's rule, or the free one where it would be. */
static struct slot *find(const struct ca_intentions *t, const struct side *source,
                         const struct side *destination, uint64_t *hash)
{
    *hash = pair_hash(source->hash, destination->hash);
    for (size_t i = (size_t)*hash & t->mask;; i = (i + 1) & t->mask) {
        struct slot *s = &t->slots[i];
        const struct rule *r = s->rule;
        if (!r ||
            (s->hash == *hash && ca__same(r->source, source->name) &&
             ca__same(r->destination, destination->name) && ca__same(r->source_ns, source->ns) &&
             ca__same(r->destination_ns, destination->ns))) {
            return s;
        }
    }
}

/* ---- Making ---- */

static bool is_good(const struct ca_intention *i)
{
    return ca_intention_precedence(i) > 0 && (i->action == CA_ALLOW || i->action == CA_DENY);
}

static struct mu_str keep(char **to, struct mu_str s)
{
    struct mu_str kept = {*to, s.len};
    memcpy(*to, s.p, s.len);
    *to += s.len;
    return kept;
}

static void add(struct ca_intentions *t, const struct ca_intention *i, size_t index, char **texts)
{
    uint64_t hash;
    struct mu_str ns = namespace_of(i->source_ns), dns = namespace_of(i->destination_ns);
    struct side source = make_side(t, ns, i->source),
                destination = make_side(t, dns, i->destination);
    struct slot *s = find(t, &source, &destination, &hash);
    if (s->rule && (s->rule->action == CA_DENY || i->action == CA_ALLOW)) {
        return; /* the first one says it already */
    }
    struct rule *r = &t->rules[t->count++];
    *r = (struct rule){
        .source_ns = keep(texts, ns),
        .source = keep(texts, i->source),
        .destination_ns = keep(texts, dns),
        .destination = keep(texts, i->destination),
        .action = i->action,
        .precedence = ca_intention_precedence(i),
        .index = index,
    };
    *s = (struct slot){hash, r};
    t->has[r->precedence] = true;
}

/* How much room the texts take; false if an intention is none. */
static bool measure(const struct ca_intention *list, size_t count, size_t *bytes)
{
    *bytes = 0;
    for (size_t n = 0; n < count; n++) {
        const struct ca_intention *i = &list[n];
        const size_t parts[] = {namespace_of(i->source_ns).len, i->source.len,
                                namespace_of(i->destination_ns).len, i->destination.len};
        for (size_t p = 0; p < 4; p++) {
            if (!mu__add(*bytes, parts[p], bytes)) {
                return false;
            }
        }
        if (!is_good(i)) {
            return false;
        }
    }
    return true;
}

int ca_intentions_create(const struct ca_intention *list, size_t count, uint64_t seed,
                         const struct mu_allocator *allocator, struct ca_intentions **out)
{
    struct mu_allocator a = mu__allocator_or_default(allocator);
    size_t bytes, slots = 8;
    *out = NULL;
    if (count > INTENTIONS_MAX || !measure(list, count, &bytes)) {
        return CA_EINVAL;
    }
    while (slots < 2 * count) {
        slots *= 2;
    }
    struct ca_intentions *t = mu__calloc(&a, 1, sizeof *t);
    if (!t) {
        return CA_ENOMEM;
    }
    t->allocator = a;
    t->seed[0] = seed;
    t->seed[1] = seed ^ UINT64_C(0x6d757374657221);
    t->star = hash_of(t, ca__str("*", 1));
    t->mask = slots - 1;
    t->rules = mu__calloc(&a, count, sizeof *t->rules);
    t->slots = mu__calloc(&a, slots, sizeof *t->slots);
    t->texts = mu__alloc(&a, bytes);
    if (!t->rules || !t->slots || !t->texts) {
        ca_intentions_destroy(t);
        return CA_ENOMEM;
    }
    char *texts = t->texts;
    for (size_t n = 0; n < count; n++) {
        add(t, &list[n], n, &texts);
    }
    assert(texts <= t->texts + bytes && t->count <= count);
    *out = t;
    return CA_OK;
}

void ca_intentions_destroy(struct ca_intentions *t)
{
    if (t) {
        struct mu_allocator a = t->allocator;
        mu__free(&a, t->rules);
        mu__free(&a, t->slots);
        mu__free(&a, t->texts);
        mu__free(&a, t);
    }
}

/* ---- Asking ---- */

static const struct rule *decide(const struct ca_intentions *t, const struct side source[3],
                                 const struct side destination[3])
{
    for (int d = EXACT; d >= ALL; d--) {
        for (int s = EXACT; s >= ALL; s--) {
            uint64_t hash;
            unsigned precedence = precedence_of((enum reach)s, (enum reach)d);
            if (!t->has[precedence]) {
                continue;
            }
            const struct rule *r = find(t, &source[s], &destination[d], &hash)->rule;
            if (r && r->precedence == precedence) { /* a service may be called "*" */
                return r;
            }
        }
    }
    return NULL;
}

/* The three ways in which a rule may name a service. */
static void name_sides(const struct ca_intentions *t, struct mu_str ns, struct mu_str name,
                       struct side out[3])
{
    const struct mu_str star = {"*", 1};
    uint64_t ns_hash = hash_of(t, ns);
    out[EXACT] = (struct side){ns, name, side_hash(ns_hash, hash_of(t, name))};
    out[NAMESPACE] = (struct side){ns, star, side_hash(ns_hash, t->star)};
    out[ALL] = (struct side){star, star, side_hash(t->star, t->star)};
}

bool ca_authorize(const struct ca_intentions *t, const struct ca_id *source,
                  struct mu_str destination_ns, struct mu_str destination,
                  enum ca_action default_action, struct ca_authorization *out)
{
    struct ca_authorization answer = {.allowed = false};
    if (source->kind == CA_ID_SERVICE) {
        struct side from[3], to[3];
        name_sides(t, namespace_of(source->ns), source->name, from);
        name_sides(t, namespace_of(destination_ns), destination, to);
        const struct rule *r = decide(t, from, to);
        answer.allowed = (r ? r->action : default_action) == CA_ALLOW;
        if (r) {
            answer.matched = true;
            answer.intention = r->index;
            answer.precedence = r->precedence;
        }
    }
    if (out) {
        *out = answer;
    }
    return answer.allowed;
}
