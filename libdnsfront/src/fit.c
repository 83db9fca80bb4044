#include "fit.h"

#include <assert.h>

/* What one attempt at the message holds. */
struct selection {
    size_t answers;
    bool optional_extras; /* TXT beside the addresses of targets */
    bool extras, authority;
};

struct fitting {
    const struct question *q;
    const struct sections *s;
    const struct fit_limits *limits;
    uint16_t flags;
    unsigned rcode;
    uint8_t *buf;
    struct fit_notes *notes; /* of the newest attempt */
};

/* The length of the message, or 0 if it exceeds a limit. */
static size_t attempt(struct fitting *f, const struct selection *pick, bool compress)
{
    const struct sections *s = f->s;
    struct message m;
    dnsfront__message_begin(&m, f->q, compress, f->buf, f->limits->bytes);
    bool ok = true;
    for (size_t i = 0; ok && i < pick->answers; i++) {
        ok = dnsfront__message_add(&m, SECTION_ANSWER, &s->answers[i]);
    }
    for (size_t i = 0; ok && pick->authority && i < s->authority_count; i++) {
        ok = dnsfront__message_add(&m, SECTION_AUTHORITY, &s->authority[i]);
    }
    for (size_t i = 0; ok && pick->extras && i < s->extra_count; i++) {
        const struct extra *e = &s->extras[i];
        /* Extras of an answer that fell away go with it; those of a node or a server list stay. */
        bool belongs = e->answer < pick->answers || s->answer_count == 0 || s->authority_count > 0;
        if (belongs && (pick->optional_extras || !e->optional)) {
            ok = dnsfront__message_add(&m, SECTION_ADDITIONAL, &e->record);
        }
    }
    ok = ok && m.w.len <= f->limits->bare_bytes &&
         dnsfront__message_add_opt(&m, (uint8_t)(f->rcode >> 4));
    f->notes->case_matters = m.case_matters;
    f->notes->serial_at = m.serial_at;
    return ok ? dnsfront__message_end(&m, f->flags, f->rcode) : 0;
}

/* The most answers whose message is within the limits, at least one; sizes grow with their
 * number. */
static size_t most_answers(struct fitting *f, size_t max, bool compress)
{
    size_t lo = 1, hi = max;
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        struct selection pick = {mid, false, true, true};
        if (attempt(f, &pick, compress)) {
            lo = mid;
        } else {
            hi = mid - 1;
        }
    }
    return mu__min(lo, max);
}

/* A message that is cut by count or too long with its TXT records. */
static size_t cut(struct fitting *f, struct selection *pick)
{
    const struct fit_limits *limits = f->limits;
    bool by_count = pick->answers < f->s->answer_count;
    uint16_t flags = f->flags;
    /* Over UDP a message cut by count is measured without compression, as Consul does: clients have
     * relied on the number. */
    bool measure_compressed = limits->compress && !(by_count && limits->plain_when_cut);
    pick->optional_extras = false;
    pick->answers = most_answers(f, pick->answers, measure_compressed);
    if (pick->answers < f->s->answer_count && limits->set_tc) {
        f->flags |= DNS_FLAG_TC;
    }
    size_t len = attempt(f, pick, limits->compress);
    if (!len) {
        pick->extras = false;
        len = attempt(f, pick, limits->compress);
    }
    if (!len) {
        pick->authority = false;
        len = attempt(f, pick, limits->compress);
    }
    if (!len) { /* not even one: without TC this would say that there is none */
        pick->answers = 0;
        f->flags = flags | (f->s->answer_count ? DNS_FLAG_TC : 0);
        len = attempt(f, pick, limits->compress);
    }
    return len;
}

size_t dnsfront__fit(const struct question *q, const struct sections *s,
                     const struct fit_limits *limits, uint16_t flags, unsigned rcode, uint8_t *buf,
                     struct fit_notes *notes)
{
    struct fitting f = {q, s, limits, flags, rcode, buf, notes};
    struct selection pick = {mu__min(s->answer_count, limits->answers), true, true, true};
    size_t len = pick.answers == s->answer_count ? attempt(&f, &pick, limits->compress) : 0;
    notes->complete = len > 0;
    len = len ? len : cut(&f, &pick);
    assert(len >= DNS_HEADER_LEN); /* header, question and OPT have at most 306 bytes */
    return len;
}
