#include "kept.h"

#include "front.h"
#include "kept_key.h"
#include "map.h"
#include "prng.h"

#include <string.h>

#define TURNS_MAX      16u
#define ENTRY_BYTES    (64u << 10) /* all turns of an entry, about */
#define UDP_KEPT_MAX   4096u
#define TCP_KEPT_MAX   (16u << 10)
#define USES_PER_TURN  64u /* then another permutation */
#define SERVER_TURNS   8u  /* of name servers, whose order the host draws */
#define NEGATIVE_PART  8u  /* of the room, for negative answers */
#define BYTES_A_BUCKET 1024u
#define BUCKETS_MIN    64u
#define OPT_LEN        11u

struct turn {
    uint8_t *bytes; /* NULL: not yet built */
    uint16_t len, serial_at;
};

struct entry {
    struct entry *next;            /* of the bucket */
    struct entry *older, *newer;   /* of the pool */
    struct dnsfront_lookup lookup; /* its text lies behind the key */
    uint64_t hash, version, stamp, random;
    uint32_t uses;
    uint16_t limit;   /* of an answer that was cut for it; 0: the answer is complete */
    uint16_t len_max; /* of the turns */
    uint8_t shape, turns;
    bool exact_case; /* holds only for a name in lower case */
    bool negative, used;
    size_t bytes; /* of all */
    size_t key_len;
    struct turn turn[TURNS_MAX];
    uint8_t key[];
};

struct pool {
    struct entry *newest, *oldest;
    size_t bytes, max;
};

struct kept {
    uint64_t seed[2];
    struct entry **buckets;
    size_t mask, count;
    struct pool pools[2]; /* of other answers, of negative ones */
};

/* ---- Pools ---- */

static void push(struct pool *p, struct entry *e)
{
    e->newer = NULL;
    e->older = p->newest;
    *(e->older ? &e->older->newer : &p->oldest) = e;
    p->newest = e;
}

static void pull(struct pool *p, struct entry *e)
{
    *(e->newer ? &e->newer->older : &p->newest) = e->older;
    *(e->older ? &e->older->newer : &p->oldest) = e->newer;
}

static void clear_turns(struct dnsfront *d, struct entry *e)
{
    struct pool *p = &d->kept->pools[e->negative];
    for (size_t i = 0; i < e->turns; i++) {
        if (e->turn[i].bytes) {
            mu__free(&d->allocator, e->turn[i].bytes);
            e->turn[i].bytes = NULL;
            e->bytes -= e->turn[i].len;
            p->bytes -= e->turn[i].len;
        }
    }
    e->len_max = 0;
    e->uses = 0;
}

static void remove_entry(struct dnsfront *d, struct entry *e)
{
    struct kept *k = d->kept;
    struct entry **at = &k->buckets[e->hash & k->mask];
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    clear_turns(d, e);
    pull(&k->pools[e->negative], e);
    k->pools[e->negative].bytes -= e->bytes;
    k->count--;
    mu__free(&d->allocator, e);
}

/* Makes room for `need` bytes without touching `spared`; false if that cannot be had. */
static bool make_room(struct dnsfront *d, struct pool *p, size_t need, const struct entry *spared)
{
    if (need > p->max) {
        return false;
    }
    while (p->bytes > p->max - need) {
        struct entry *e = p->oldest;
        if (e == spared && !e->newer) {
            return false;
        }
        if (e->used || e == spared) { /* its second chance */
            e->used = false;
            pull(p, e);
            push(p, e);
        } else {
            remove_entry(d, e);
        }
    }
    return true;
}

/* ---- The table ---- */

static struct kept *kept_new(struct dnsfront *d, uint64_t random)
{
    struct kept *k = mu__calloc(&d->allocator, 1, sizeof *k);
    size_t buckets = BUCKETS_MIN;
    while (buckets < d->kept_bytes_max / BYTES_A_BUCKET) {
        buckets *= 2;
    }
    size_t own = sizeof *k + buckets * sizeof(struct entry *);
    if (!k || own > d->kept_bytes_max ||
        !(k->buckets = mu__calloc(&d->allocator, buckets, sizeof(struct entry *)))) {
        mu__free(&d->allocator, k);
        return NULL;
    }
    struct mu__prng prng;
    mu__prng_seed(&prng, random);
    k->seed[0] = mu__prng_next(&prng);
    k->seed[1] = mu__prng_next(&prng);
    k->mask = buckets - 1;
    k->pools[true].max = (d->kept_bytes_max - own) / NEGATIVE_PART;
    k->pools[false].max = d->kept_bytes_max - own - k->pools[true].max;
    return k;
}

void dnsfront__kept_destroy(struct dnsfront *d)
{
    for (size_t i = 0; d->kept && i < 2; i++) {
        while (d->kept->pools[i].oldest) {
            remove_entry(d, d->kept->pools[i].oldest);
        }
    }
    if (d->kept) {
        mu__free(&d->allocator, d->kept->buckets);
    }
    mu__free(&d->allocator, d->kept);
}

void dnsfront_stats(const struct dnsfront *d, struct dnsfront_stats *out)
{
    const struct kept *k = d->kept;
    struct dnsfront_stats now = {.size = out->size};
    if (k) {
        now.kept_answers = k->count;
        now.kept_bytes =
            sizeof *k + (k->mask + 1) * sizeof *k->buckets + k->pools[0].bytes + k->pools[1].bytes;
    }
    memcpy(out, &now, mu__min(out->size, sizeof now));
}

static bool is_same_question(const struct entry *e, const struct kept_key *key)
{
    return e->hash == key->hash && e->shape == key->shape && e->key_len == key->len &&
           memcmp(e->key, key->bytes, key->len) == 0 && (key->lower || !e->exact_case);
}

/* A complete answer holds for all who can take it, one that was cut for who has the same limit. */
static struct entry *find(const struct kept *k, const struct kept_key *key)
{
    struct entry *e = k->buckets[key->hash & k->mask];
    while (e && !(is_same_question(e, key) &&
                  (key->shape != KEPT_UDP_EDNS ||
                   (e->limit ? e->limit == key->limit : e->len_max <= key->limit)))) {
        e = e->next;
    }
    return e;
}

static struct entry *find_exact(const struct kept *k, const struct kept_key *key, uint16_t limit)
{
    struct entry *e = k->buckets[key->hash & k->mask];
    while (e && !(is_same_question(e, key) && e->limit == limit)) {
        e = e->next;
    }
    return e;
}

/* ---- The hot path ---- */

static bool still_holds(struct dnsfront *d, struct entry *e, uint64_t version)
{
    if (e->version == version) {
        return true;
    }
    if (!d->unchanged || !d->unchanged(d->unchanged_user, &e->lookup, e->stamp)) {
        return false;
    }
    e->version = version;
    return true;
}

static void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* What is the client's own: ID, flags, the case of its name, its size; and the serial, which is the
 * time. */
static void patch(const struct kept_key *key, const struct dnsfront_request *r,
                  const struct turn *t, uint8_t *buf)
{
    buf[0] = r->bytes[0];
    buf[1] = r->bytes[1];
    unsigned flags = (unsigned)(buf[2] << 8 | buf[3]);
    put_u16(buf + 2, (uint16_t)((flags & ~DNS_FLAGS_ECHOED) | (key->flags & DNS_FLAGS_ECHOED)));
    memcpy(buf + DNS_HEADER_LEN, r->bytes + DNS_HEADER_LEN, key->name_len);
    if (key->shape != KEPT_UDP && key->shape != KEPT_TCP) {
        put_u16(buf + t->len - OPT_LEN + 3, key->edns_size);
    }
    if (t->serial_at) {
        uint32_t serial = (uint32_t)r->now_unix_s;
        put_u16(buf + t->serial_at, (uint16_t)(serial >> 16));
        put_u16(buf + t->serial_at + 2, (uint16_t)serial);
    }
}

bool dnsfront_answer_kept(struct dnsfront *d, const struct dnsfront_request *r, uint8_t *buf,
                          size_t cap, size_t *len)
{
    struct kept_key key;
    if (!d->kept || d->kept->count == 0 || !dnsfront__kept_key_read(d, r, &key)) {
        return false;
    }
    key.hash = mu__siphash(d->kept->seed, key.bytes, key.len);
    struct entry *e = find(d->kept, &key);
    if (!e) {
        return false;
    }
    if (!still_holds(d, e, r->version)) {
        remove_entry(d, e);
        return false;
    }
    const struct turn *t = &e->turn[e->turns > 1 ? r->random % e->turns : 0];
    if (!t->bytes || t->len > cap) {
        return false;
    }
    if (e->turns > 1 && e->uses++ >= USES_PER_TURN * e->turns) {
        clear_turns(d, e);
        e->random = r->random;
        return false;
    }
    e->used = true;
    *len = t->len;
    memcpy(buf, t->bytes, t->len);
    patch(&key, r, t, buf);
    return true;
}

/* ---- Adding ---- */

void dnsfront__kept_plan(struct dnsfront_query *q, const struct dnsfront_request *r)
{
    struct dnsfront *d = q->front;
    q->kept_key.shape = KEPT_NONE;
    if (d->kept_bytes_max == 0 || !dnsfront__kept_key_read(d, r, &q->kept_key)) {
        return;
    }
    if (!d->kept && !(d->kept = kept_new(d, r->random))) {
        q->kept_key.shape = KEPT_NONE;
        return;
    }
    q->kept_key.hash = mu__siphash(d->kept->seed, q->kept_key.bytes, q->kept_key.len);
    const struct entry *e = find(d->kept, &q->kept_key);
    if (!e || e->turns == 1) {
        return;
    }
    q->random = e->random;
    q->turns = e->turns;
    q->turn = (unsigned)(r->random % e->turns);
    for (unsigned i = 0; i < e->turns && e->turn[q->turn].bytes; i++) {
        q->turn = (q->turn + 1) % e->turns;
    }
}

/* So many sizes that clients ask with, and no others, are worth an answer that was cut for them. */
static bool is_usual(const struct dnsfront *d, uint16_t limit)
{
    static const uint16_t usual[] = {1220, 1232, 1280, 1400, 1410, 1432, 1440,
                                     1452, 1472, 1500, 2048, 4000, 4096};
    bool found = limit == d->udp_size_max;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        found = found || usual[i] == limit;
    }
    return found;
}

static bool may_keep(const struct dnsfront_query *q, const struct fit_notes *notes,
                     const uint8_t *answer, size_t len)
{
    const struct kept_key *key = &q->kept_key;
    bool edns = key->shape != KEPT_UDP && key->shape != KEPT_TCP;
    return key->shape != KEPT_NONE && q->lookups == 1 && q->found.stamp != 0 && !q->waiting &&
           !q->relayed && (q->rcode == DNS_NOERROR || q->rcode == DNS_NXDOMAIN) &&
           (key->lower || !notes->case_matters) &&
           (key->shape != KEPT_UDP_EDNS || notes->complete || is_usual(q->front, key->limit)) &&
           len <= (q->tcp ? TCP_KEPT_MAX : UDP_KEPT_MAX) &&
           (!edns || (len > OPT_LEN && answer[len - OPT_LEN] == 0));
}

static unsigned turns_of(const struct dnsfront_query *q, size_t len)
{
    enum dnsfront_lookup_kind kind = q->lookup.kind;
    if (q->found.count < 2 || q->rcode != DNS_NOERROR) {
        return 1;
    }
    if (kind == DNSFRONT_SERVERS) {
        return SERVER_TURNS;
    }
    bool many = kind == DNSFRONT_SERVICE || kind == DNSFRONT_CONNECT || kind == DNSFRONT_INGRESS ||
                kind == DNSFRONT_QUERY;
    size_t most = mu__min(mu__max(ENTRY_BYTES / len, 1), TURNS_MAX);
    return many && !q->found.ordered ? (unsigned)mu__min(q->found.count, most) : 1;
}

static struct mu_str keep_text(char **at, struct mu_str text)
{
    struct mu_str kept = {*at, text.len};
    if (text.len) {
        memcpy(*at, text.p, text.len);
    }
    *at += text.len;
    return kept;
}

static struct entry *new_entry(struct dnsfront_query *q, uint16_t limit, size_t len)
{
    struct dnsfront *d = q->front;
    const struct kept_key *key = &q->kept_key;
    const struct dnsfront_lookup *l = &q->lookup;
    bool negative = q->rcode == DNS_NXDOMAIN;
    struct pool *p = &d->kept->pools[negative];
    size_t size = sizeof(struct entry) + key->len + l->name.len + l->tag.len + l->datacenter.len;
    struct entry *e = make_room(d, p, size + len, NULL) ? mu__calloc(&d->allocator, 1, size) : NULL;
    if (!e) {
        return NULL;
    }
    memcpy(e->key, key->bytes, key->len);
    char *text = (char *)e->key + key->len;
    e->lookup = (struct dnsfront_lookup){.kind = l->kind, .type = l->type, .tcp = l->tcp};
    e->lookup.name = keep_text(&text, l->name);
    e->lookup.tag = keep_text(&text, l->tag);
    e->lookup.datacenter = keep_text(&text, l->datacenter);
    e->hash = key->hash;
    e->key_len = key->len;
    e->shape = (uint8_t)key->shape;
    e->limit = limit;
    e->version = q->version;
    e->stamp = q->found.stamp;
    e->random = q->random;
    e->turns = (uint8_t)turns_of(q, len);
    e->negative = negative;
    e->bytes = size;
    e->next = d->kept->buckets[key->hash & d->kept->mask];
    d->kept->buckets[key->hash & d->kept->mask] = e;
    d->kept->count++;
    p->bytes += size;
    push(p, e);
    return e;
}

static void fill_turn(struct dnsfront_query *q, struct entry *e, const struct fit_notes *notes,
                      const uint8_t *answer, size_t len)
{
    struct dnsfront *d = q->front;
    struct pool *p = &d->kept->pools[e->negative];
    struct turn *t = &e->turn[q->turn];
    if (t->bytes || !make_room(d, p, len, e) ||
        !(t->bytes = mu__memdup(&d->allocator, answer, len))) {
        return;
    }
    t->len = (uint16_t)len;
    t->serial_at = (uint16_t)notes->serial_at;
    e->exact_case = e->exact_case || notes->case_matters;
    e->len_max = (uint16_t)mu__max(e->len_max, len);
    e->bytes += len;
    p->bytes += len;
}

void dnsfront__kept_add(struct dnsfront_query *q, const struct fit_notes *notes,
                        const uint8_t *answer, size_t len)
{
    struct dnsfront *d = q->front;
    if (!may_keep(q, notes, answer, len)) {
        return;
    }
    bool cut = q->kept_key.shape == KEPT_UDP_EDNS && !notes->complete;
    uint16_t limit = cut ? q->kept_key.limit : 0;
    struct entry *e = find_exact(d->kept, &q->kept_key, limit);
    if (e && e->stamp != q->found.stamp) {
        remove_entry(d, e);
        e = NULL;
    }
    if (!e && q->turn == 0) { /* other turns were built for an entry that is gone */
        e = new_entry(q, limit, len);
    }
    if (e && (e->turns == 1 || (q->turn < e->turns && q->random == e->random))) {
        fill_turn(q, e, notes, answer, len);
    }
}
