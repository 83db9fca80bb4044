#include "fit.h"

/* What one attempt at the message holds. */
struct selection {
    size_t answers;
    bool optional_extras; /* TXT beside the addresses of targets */
    bool extras;
};

static size_t write_selection(const struct question *q, const struct sections *s,
                              const struct selection *pick, bool compress, uint16_t flags,
                              unsigned rcode, uint8_t *buf, size_t cap)
{
    struct message m;
    dnsfront__message_begin(&m, q, compress, buf, cap);
    bool ok = true;
    for (size_t i = 0; ok && i < pick->answers; i++) {
        ok = dnsfront__message_add(&m, SECTION_ANSWER, &s->answers[i]);
    }
    for (size_t i = 0; ok && i < s->authority_count; i++) {
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
    ok = ok && dnsfront__message_add_opt(&m, (uint8_t)(rcode >> 4));
    return ok ? dnsfront__message_end(&m, flags, rcode) : 0;
}

/* The most answers whose message is within the limit, at least one; sizes grow with their
 * number. */
static size_t most_answers(const struct question *q, const struct sections *s, size_t max,
                           size_t bytes, bool compress, uint8_t *buf, size_t cap)
{
    size_t lo = 1, hi = max;
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        size_t len =
            write_selection(q, s, &(struct selection){mid, false, true}, compress, 0, 0, buf, cap);
        if (len > 0 && len <= bytes) {
            lo = mid;
        } else {
            hi = mid - 1;
        }
    }
    return lo;
}

size_t dnsfront__fit(const struct question *q, const struct sections *s,
                     const struct fit_limits *limits, uint16_t flags, unsigned rcode, uint8_t *buf,
                     size_t cap)
{
    struct selection pick = {mu__min(s->answer_count, limits->answers), true, true};
    bool cut = pick.answers < s->answer_count;
    pick.optional_extras = !cut;
    size_t len = write_selection(q, s, &pick, limits->compress, flags, rcode, buf, cap);
    if (len > 0 && len <= limits->bytes && !cut) {
        return len;
    }
    pick.optional_extras = false;
    /* Over UDP a message cut by count is measured so, as Consul does: clients have relied on the
     * number. */
    bool measure_compressed = limits->compress && !(cut && limits->plain_when_cut);
    size_t fitting = most_answers(q, s, pick.answers, limits->bytes, measure_compressed, buf, cap);
    cut = cut || fitting < pick.answers;
    pick.answers = mu__min(fitting, pick.answers);
    if (cut && limits->set_tc) {
        flags |= DNS_FLAG_TC;
    }
    len = write_selection(q, s, &pick, limits->compress, flags, rcode, buf, cap);
    if (len == 0 || len > limits->bytes) {
        pick.extras = false;
        len = write_selection(q, s, &pick, limits->compress, flags, rcode, buf, cap);
    }
    return len;
}
