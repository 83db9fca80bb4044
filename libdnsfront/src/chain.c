#include "chain.h"

#include "fill.h"
#include "front.h"
#include "reply.h"
#include "spell.h"

#include <string.h>

static uint16_t wanted_family(const struct dnsfront_query *q)
{
    return q->question.type == DNS_TYPE_AAAA ? DNS_TYPE_AAAA : DNS_TYPE_A;
}

static struct record *append(struct chain *c, size_t max)
{
    return c->count < mu__min(max, CHAIN_RECORDS_MAX) ? &c->records[c->count++] : NULL;
}

/* Has the chain been at this name? */
static bool was_at(const struct dnsfront_query *q, const struct name *name)
{
    const struct chain *c = &q->chain;
    if (!q->sections.hosts[c->host].additional && dnsfront__name_equal(name, &q->question.name)) {
        return true;
    }
    for (size_t i = 0; i < c->count; i++) {
        struct name owner;
        if (dnsfront__name_parse(c->records[i].owner, &owner) &&
            dnsfront__name_equal(&owner, name)) {
            return true;
        }
    }
    return false;
}

/* A query for other resolvers, in wire form (RFC 1035 4.1). */
static bool look_up_foreign(struct dnsfront_query *q)
{
    struct chain *c = &q->chain;
    size_t len = DNS_HEADER_LEN + c->target.len + 4;
    uint8_t *message = mu__arena_calloc(&q->arena, 1, len);
    if (!message) {
        return false;
    }
    struct mu__writer w = mu__writer_fixed(message, len);
    mu__write_u16be(&w, 0);
    mu__write_u16be(&w, DNS_FLAG_RD);
    mu__write_u16be(&w, 1);
    mu__write_room(&w, 6);
    mu__write_bytes(&w, c->target.wire, c->target.len);
    mu__write_u16be(&w, wanted_family(q));
    mu__write_u16be(&w, DNS_CLASS_IN);
    struct mu_str name = c->target_text;
    name.len -= name.p[name.len - 1] == '.' ? 1 : 0;
    struct dnsfront_lookup lookup = {
        .kind = DNSFRONT_RESOLVE, .name = name, .message = message, .message_len = len};
    dnsfront__look_up(q, &lookup, wanted_family(q));
    return true;
}

/* One of our own names was asked for ANY. Its addresses end the chain; a host name goes on. */
static bool take_own(struct dnsfront_query *q, const struct dnsfront_found *found,
                     struct mu_str *next)
{
    struct chain *c = &q->chain;
    struct sections s = {0};
    unsigned rcode;
    struct asked what = {.name = &c->target,
                         .type = DNS_TYPE_ANY,
                         .meaning = &c->meaning,
                         .found = found,
                         .random = q->random,
                         .now_unix_s = q->now_unix_s};
    if (!dnsfront__fill(q->front, &what, &q->arena, &s, &rcode)) {
        return false;
    }
    /* Consul cuts this answer as it would one to a client without EDNS. */
    size_t limit = c->meaning.kind == NAME_SERVICE ? dnsfront__plain_answers(q->front) : SIZE_MAX;
    for (size_t i = 0; i < mu__min(s.answer_count, limit); i++) {
        struct record *rec = s.answers[i].type != DNS_TYPE_TXT ? append(c, SIZE_MAX) : NULL;
        if (rec) {
            *rec = s.answers[i];
            rec->owner = c->target_text;
        }
    }
    if (s.host_count) {
        *next = s.hosts[0].name;
    }
    return true;
}

/* Goes to `target`: true in *waits if that needs a lookup, which then is asked for. */
static bool go_to(struct dnsfront_query *q, struct mu_str target, bool *waits)
{
    static const struct dnsfront_found nothing = {.size = sizeof nothing};
    const struct dnsfront *d = q->front;
    struct chain *c = &q->chain;
    struct mu_str dc = {d->datacenter, d->datacenter_len}, unused = {NULL, 0};
    *waits = false;
    c->target_text = target;
    if (target.len == 0 || !dnsfront__name_parse(target, &c->target) || was_at(q, &c->target)) {
        return true;
    }
    dnsfront__classify(&c->target, DNS_TYPE_ANY, &d->domain, d->has_alt ? &d->alt_domain : NULL, dc,
                       &c->meaning);
    if (c->meaning.kind == NAME_FOREIGN || c->meaning.kind == NAME_REVERSE) {
        *waits = d->recursion;
        return !d->recursion || look_up_foreign(q);
    }
    if (c->levels == 0) {
        return true;
    }
    c->levels--;
    c->found++;
    struct dnsfront_lookup lookup;
    if (dnsfront__wanted(&c->meaning, DNS_TYPE_ANY, dc, &lookup)) {
        *waits = true;
        dnsfront__look_up(q, &lookup, DNS_TYPE_ANY);
        return true;
    }
    return c->meaning.kind != NAME_ADDRESS || take_own(q, &nothing, &unused);
}

static bool read_target(const struct reply *r, const struct reply_record *rec, struct name *out)
{
    size_t end;
    return dnsfront__name_unpack(r->bytes, r->len, rec->body, out, &end) &&
           end == rec->body + rec->body_len;
}

static struct mu_str text_of(const struct name *n, struct mu__arena *a)
{
    char buf[NAME_WIRE_MAX];
    return dnsfront__spell_host(dnsfront__name_join(n, 0, n->labels, buf), a);
}

/* A record of a resolver's answer, if it is one of the chain: it belongs to `at`, which a CNAME
 * moves on. */
static bool take_record(struct dnsfront_query *q, const struct reply *r,
                        const struct reply_record *rec, struct name *at, size_t max)
{
    struct name target;
    size_t size = rec->type == DNS_TYPE_A ? 4 : rec->type == DNS_TYPE_AAAA ? 16 : 0;
    bool cname = rec->type == DNS_TYPE_CNAME && read_target(r, rec, &target) &&
                 dnsfront__name_is_printable(&target);
    if (rec->section != SECTION_ANSWER || rec->class_ != DNS_CLASS_IN ||
        !dnsfront__name_equal(&rec->owner, at) || !(cname || (size && rec->body_len == size))) {
        return true;
    }
    struct record *out = append(&q->chain, max);
    if (!out) {
        return true;
    }
    *out = (struct record){
        .owner = text_of(at, &q->arena), .type = rec->type, .ttl = rec->ttl & INT32_MAX};
    if (!cname) {
        memcpy(out->u.address, r->bytes + rec->body, size);
        return out->owner.p != NULL;
    }
    *at = target;
    out->target = text_of(&target, &q->arena);
    return out->owner.p && out->target.p;
}

static bool take_foreign(struct dnsfront_query *q, const struct dnsfront_found *found)
{
    struct chain *c = &q->chain;
    struct reply r;
    struct reply_record rec;
    struct name at = c->target;
    size_t max = c->found > 0 || !q->question.edns ? c->count + CHAIN_PLAIN_MAX : SIZE_MAX;
    if (found->status != DNSFRONT_FOUND || !found->message ||
        !dnsfront__reply_open(found->message, found->message_len, &c->target, wanted_family(q),
                              DNS_CLASS_IN, &r)) {
        return true;
    }
    while (dnsfront__reply_next(&r, &rec)) {
        if (!take_record(q, &r, &rec, &at, max)) {
            return false;
        }
    }
    return true;
}

/* What the chain has gathered goes where its host name stands. */
static bool join_sections(struct dnsfront_query *q)
{
    struct chain *c = &q->chain;
    struct sections *s = &q->sections;
    const struct host *h = &s->hosts[c->host];
    size_t n = q->question.edns ? c->count : mu__min(c->count, CHAIN_PLAIN_MAX);
    for (size_t i = 0; h->has_ttl && i < n; i++) {
        c->records[i].ttl = h->ttl;
    }
    if (h->additional) {
        if (!dnsfront__sections_reserve_extras(s, n, &q->arena)) {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            s->extras[s->extra_count++] =
                (struct extra){.record = c->records[i], .answer = h->answer};
        }
        return true;
    }
    struct record *answers = mu__arena_alloc(&q->arena, (s->answer_count + n) * sizeof *answers);
    if (!answers) {
        return false;
    }
    memcpy(answers, s->answers, s->answer_count * sizeof *answers);
    if (n) {
        memcpy(answers + s->answer_count, c->records, n * sizeof *answers);
    }
    s->answers = answers;
    s->answer_count += n;
    return true;
}

/* The next host that needs a lookup; the chain ends behind the last one. */
static bool next_host(struct dnsfront_query *q)
{
    struct chain *c = &q->chain;
    for (; c->host < q->sections.host_count; c->host++) {
        bool waits;
        c->levels = CHAIN_LEVELS_MAX;
        c->found = 0;
        c->count = 0;
        if (!go_to(q, q->sections.hosts[c->host].name, &waits)) {
            return false;
        }
        if (waits) {
            return true;
        }
        if (!join_sections(q)) {
            return false;
        }
    }
    c->active = false;
    return true;
}

bool dnsfront__chain_begin(struct dnsfront_query *q)
{
    struct chain *c = &q->chain;
    if (q->sections.host_count == 0) {
        return true;
    }
    c->active = true;
    c->host = 0;
    c->records = mu__arena_alloc(&q->arena, CHAIN_RECORDS_MAX * sizeof *c->records);
    return c->records && next_host(q);
}

bool dnsfront__chain_supply(struct dnsfront_query *q, const struct dnsfront_found *found)
{
    struct chain *c = &q->chain;
    bool foreign = q->lookup.kind == DNSFRONT_RESOLVE, waits = false;
    struct mu_str next = {NULL, 0};
    if (!(foreign ? take_foreign(q, found) : take_own(q, found, &next))) {
        return false;
    }
    if (next.len && !go_to(q, next, &waits)) {
        return false;
    }
    if (waits) {
        return true;
    }
    if (!join_sections(q)) {
        return false;
    }
    /* Other resolvers that are silent now would be so for the next host, too. */
    c->host = foreign && found->status == DNSFRONT_FAILED ? q->sections.host_count : c->host + 1;
    return next_host(q);
}
