/* ask.c - our own queries: spread like events, answered straight to us.
 *
 * A query is known by the number that we drew for it and by its Lamport time; an answer must have
 * both, come in time, and be the first of its kind from that member. What is kept for it is bounded
 * by the number of members. */
#include "core.h"
#include "formula.h"

#include <assert.h>
#include <string.h>

enum { QUERY_BYTES_MAX = 1024, RELAY_MAX = 16, STRANGERS_MAX = 64 };
enum { ROUNDS = 4 }; /* in which a query that all must answer is asked: by gossip, then directly */

struct answerer { /* a member that acknowledged, answered, or both */
    bool acked, answered;
    uint8_t name_len;
    char name[];
};

void swim_question_init_sized(struct swim_question *q, size_t size)
{
    memset(q, 0, size);
    q->size = size;
}

/* ---- who has answered already ---- */

static struct answerer *answerer_add(struct swim *s, struct swim__asked *a, struct mu_str name)
{
    /* A member may answer before we have heard of it, but not any number of them. */
    size_t most = swim__table_known(&s->members) + STRANGERS_MAX;
    if (name.len < 1 || name.len > SWIM_NAME_MAX || a->seen.count >= most) {
        return NULL;
    }
    struct answerer *w = mu__alloc(&s->allocator, sizeof *w + name.len);
    if (!w) {
        return NULL;
    }
    *w = (struct answerer){.name_len = (uint8_t)name.len};
    memcpy(w->name, name.p, name.len);
    if (!mu__map_set(&a->seen, w->name, w->name_len, w, NULL)) {
        mu__free(&s->allocator, w);
        return NULL;
    }
    return w;
}

/* Is this the first of its kind from that member? It is noted then. */
static bool is_first(struct swim *s, struct swim__asked *a, struct mu_str name, bool ack)
{
    struct answerer *w = mu__map_get(&a->seen, name.p, name.len);
    w = w ? w : answerer_add(s, a, name);
    if (!w || (ack ? w->acked : w->answered)) {
        return false;
    }
    *(ack ? &w->acked : &w->answered) = true;
    return true;
}

bool swim__has_answered(const struct swim__asked *a, struct mu_str name)
{
    const struct answerer *w = mu__map_get(&a->seen, name.p, name.len);
    return w && w->answered;
}

/* ---- the end of a query ---- */

static void asked_free(struct swim *s, struct swim__asked *a)
{
    size_t at = 0;
    for (struct answerer *w; (w = mu__map_next(&a->seen, &at)) != NULL;) {
        mu__free(&s->allocator, w);
    }
    mu__map_fini(&a->seen);
    mu__wipe(a->raw, a->raw_len);
    mu__free(&s->allocator, a->raw);
    swim__tally_destroy(s, a->tally);
    swim__timer_stop(s, &a->timer);
    mu__map_remove(&s->asked, &a->id, sizeof a->id);
    mu__free(&s->allocator, a);
}

static bool report(struct swim *s, struct swim__asked *a)
{
    struct mu_str none = {0};
    struct swim__event_body *body =
        swim__events_reserve(s, 1) ? swim__event_body(s, none, none) : NULL;
    if (!body) {
        return false;
    }
    body->query = a->id;
    body->answers = a->answers;
    body->acks = a->acks;
    body->tally = a->tally;
    body->err = a->tally ? swim__tally_result(a->tally) : SWIM_OK;
    a->tally = NULL;
    swim__event_push(s, body->tally ? SWIM_EVENT_KEY_RESULT : SWIM_EVENT_QUERY_DONE, NULL, body);
    return true;
}

static void finish(struct swim *s, struct swim__asked *a)
{
    bool told = a->purpose == SWIM__ASK_NAME ? swim__name_decide(s, a) : report(s, a);
    if (!told) { /* no memory for the event: it ends a little later */
        swim__timer_reset(s, &a->timer, s->now + s->cfg.probe_interval_ns);
        return;
    }
    asked_free(s, a);
}

/* Its place in the heap is free now, so that the timer can be set again without memory. */
static void expire(struct swim *s, struct swim__timer *t)
{
    struct swim__asked *a = (struct swim__asked *)t;
    if (s->now >= a->end_ns) {
        finish(s, a);
        return;
    }
    swim__ask_the_silent(s, a);
    swim__timer_reset(s, t, mu__min(a->end_ns, s->now + a->again_ns));
}

void swim_ask_end(struct swim *s, uint64_t now_ns, uint32_t query)
{
    swim__enter(s, now_ns);
    struct swim__asked *a = mu__map_get(&s->asked, &query, sizeof query);
    if (a && a->purpose == SWIM__ASK_HOST) {
        finish(s, a);
    }
}

void swim__asked_fini(struct swim *s)
{
    size_t at = 0;
    for (struct swim__asked *a; (a = mu__map_next(&s->asked, &at)) != NULL;) {
        asked_free(s, a);
    }
    mu__map_fini(&s->asked);
}

/* ---- answers ---- */

static int tell_host(struct swim *s, const struct swim__asked *a,
                     const struct swim__serf_response *r, bool ack)
{
    if (s->events.droppable >= s->cfg.events_max) {
        s->stats.events_dropped++;
        return SWIM_EFULL;
    }
    struct swim__event_body *body =
        swim__events_reserve(s, 1) ? swim__event_body(s, r->from, r->payload) : NULL;
    if (!body) {
        return SWIM_ENOMEM;
    }
    body->query = a->id;
    body->ltime = a->ltime;
    swim__event_push(s, ack ? SWIM_EVENT_ACK : SWIM_EVENT_ANSWER, NULL, body);
    return SWIM_OK;
}

static int take_in(struct swim *s, struct swim__asked *a, const struct swim__serf_response *r)
{
    switch (a->purpose) {
    case SWIM__ASK_KEYS:
        swim__tally_add(a->tally, r->from, r->payload);
        return SWIM_OK;
    case SWIM__ASK_NAME:
        swim__name_count(s, a, r->payload);
        return SWIM_OK;
    default:
        return tell_host(s, a, r, false);
    }
}

int swim__answer_receive(struct swim *s, const struct swim__serf_response *r)
{
    bool ack = r->flags & SWIM__QUERY_ACK;
    struct swim__asked *a = mu__map_get(&s->asked, &r->id, sizeof r->id);
    if (!a || a->ltime != r->ltime || !is_first(s, a, r->from, ack)) {
        s->stats.answers_ignored++;
        return SWIM_OK;
    }
    s->stats.answers_in++;
    if (ack) {
        a->acks++;
        return a->purpose == SWIM__ASK_HOST ? tell_host(s, a, r, true) : SWIM_OK;
    }
    a->answers++;
    int rc = take_in(s, a, r);
    if (a->wanted > 0 && a->answers >= a->wanted) {
        finish(s, a);
    }
    return rc;
}

/* ---- asking ---- */

/* Filters as they go on the wire, an array of encoded filters; nothing when there are none. */
static void encode_filters(struct swim *s, const struct swim_question *q, struct mu__writer *w)
{
    size_t n = q->ntags + (q->nnodes > 0 ? 1 : 0);
    if (n == 0) {
        return;
    }
    mu__mp_write_array(w, n);
    for (size_t i = 0; i < n; i++) {
        struct mu__writer one = mu__writer_growing(&s->allocator), nodes = one;
        struct swim__serf_filter f = {.type = SWIM__FILTER_TAG};
        if (i < q->ntags) {
            f.tag = q->tags[i].key;
            f.expr = q->tags[i].expression;
        } else {
            mu__mp_write_array(&nodes, q->nnodes);
            for (size_t k = 0; k < q->nnodes; k++) {
                mu__mp_write_raw(&nodes, q->nodes[k].p, q->nodes[k].len);
            }
            f = (struct swim__serf_filter){.type = SWIM__FILTER_NODES,
                                           .nodes = {(const char *)nodes.data, nodes.len}};
        }
        swim__serf_filter_encode(&one, &f);
        mu__mp_write_raw(w, one.data, one.len);
        w->failed = w->failed || one.failed || nodes.failed;
        mu__writer_fini(&one);
        mu__writer_fini(&nodes);
    }
}

static struct swim__asked *asked_create(struct swim *s, enum swim__purpose purpose,
                                        uint64_t timeout_ns)
{
    struct swim__asked *a = mu__alloc(&s->allocator, sizeof *a);
    if (!a) {
        return NULL;
    }
    *a = (struct swim__asked){.timer = {.item.slot = MU_HEAP_NONE, .fire = expire},
                              .ltime = s->query_clock.time,
                              .purpose = purpose};
    mu__map_init(&a->seen, &s->allocator, s->hash_seed[0]);
    do {
        a->id = (uint32_t)mu__prng_next(&s->prng);
    } while (a->id == 0 || mu__map_get(&s->asked, &a->id, sizeof a->id));
    a->end_ns = timeout_ns < MU_NEVER - s->now ? s->now + timeout_ns : MU_NEVER - 1;
    a->again_ns = (a->end_ns - s->now) / ROUNDS + 1;
    uint64_t first = purpose == SWIM__ASK_KEYS ? s->now + a->again_ns : a->end_ns;
    if (!mu__map_set(&s->asked, &a->id, sizeof a->id, a, NULL) ||
        !swim__timer_set(s, &a->timer, first)) {
        asked_free(s, a);
        return NULL;
    }
    return a;
}

static uint64_t timeout_of(const struct swim *s, const struct swim_question *q)
{
    return q->timeout_ns > 0
               ? q->timeout_ns
               : swim__query_timeout_ns(s->cfg.gossip_interval_ns, s->cfg.query_timeout_mult,
                                        s->members.statuses[SWIM_STATUS_ALIVE]);
}

static struct swim__serf_msg message_of(const struct swim *s, const struct swim_question *q,
                                        const struct swim__asked *a, struct mu_str filters)
{
    uint64_t timeout = timeout_of(s, q);
    return (struct swim__serf_msg){
        .type = SWIM__SERF_QUERY,
        .query = {.ltime = a->ltime,
                  .timeout_ns = timeout < INT64_MAX ? (int64_t)timeout : INT64_MAX,
                  .id = a->id,
                  .flags = q->want_acks ? SWIM__QUERY_ACK : 0,
                  .addr = {(const char *)s->self->addr.ip, s->self->addr.len},
                  .port = s->self->addr.port,
                  .relay_factor = q->relay_factor,
                  .source_node = swim__member_name(s->self),
                  .name = q->name,
                  .payload = q->payload,
                  .filters = filters}};
}

/* For those who will be asked again. */
static int keep_raw(struct swim *s, struct swim__asked *a, const struct mu__writer *w)
{
    a->raw = mu__memdup(&s->allocator, w->data, w->len);
    a->raw_len = a->raw ? w->len : 0;
    return a->raw ? SWIM_OK : SWIM_ENOMEM;
}

/* Spreads the query, and answers it ourselves if it is for us too. */
static int spread(struct swim *s, const struct swim_question *q, struct swim__asked *a)
{
    struct mu__writer filters = mu__writer_growing(&s->allocator), w = filters;
    encode_filters(s, q, &filters);
    struct swim__serf_msg msg =
        message_of(s, q, a, (struct mu_str){(const char *)filters.data, filters.len});
    swim__serf_encode(&w, &msg);
    int rc = w.failed || filters.failed ? SWIM_ENOMEM
             : w.len > QUERY_BYTES_MAX  ? SWIM_ESIZE
                                        : SWIM_OK;
    if (rc == SWIM_OK && a->purpose == SWIM__ASK_KEYS) {
        rc = keep_raw(s, a, &w);
    }
    if (rc == SWIM_OK) {
        rc = swim__query_receive(s, &msg.query, (struct mu_str){(const char *)w.data, w.len});
        rc = rc == SWIM_EFULL ? SWIM_OK : rc; /* only we ourselves are not told of it */
    }
    mu__writer_fini(&filters);
    mu__writer_fini(&w);
    return rc;
}

int swim__ask(struct swim *s, const struct swim_question *q, enum swim__purpose purpose,
              struct swim__tally *tally, uint32_t *id)
{
    struct swim__asked *a =
        s->asked.count < s->cfg.queries_max ? asked_create(s, purpose, timeout_of(s, q)) : NULL;
    if (!a) {
        return s->asked.count < s->cfg.queries_max ? SWIM_ENOMEM : SWIM_EFULL;
    }
    uint32_t own = a->id; /* it may be over before we return: we may be the only one to answer */
    a->wanted = tally ? (uint32_t)swim__table_up(&s->members) : 0;
    a->tally = tally;
    int rc = spread(s, q, a);
    a = mu__map_get(&s->asked, &own, sizeof own);
    if (rc != SWIM_OK && a) {
        a->tally = NULL;
        asked_free(s, a);
        return rc;
    }
    s->stats.queries_out++;
    *id = own;
    return SWIM_OK;
}

static bool widen(const struct swim_question *given, struct swim_question *out)
{
    swim_question_init(out);
    if (given->size < offsetof(struct swim_question, nodes)) {
        return false;
    }
    for (size_t i = sizeof *out; i < given->size; i++) { /* of a later version: only zeros */
        if (((const unsigned char *)given)[i] != 0) {
            return false;
        }
    }
    memcpy(out, given, mu__min(given->size, sizeof *out));
    bool listed = (out->nodes || out->nnodes == 0) && (out->tags || out->ntags == 0);
    return listed && out->relay_factor <= RELAY_MAX && out->name.len > 0;
}

int swim_ask(struct swim *s, uint64_t now_ns, const struct swim_question *question, uint32_t *query)
{
    struct swim_question q;
    swim__enter(s, now_ns);
    if (!widen(question, &q)) {
        return SWIM_EINVAL;
    }
    if (s->leave_stage != SWIM__STAYING) {
        return SWIM_ELEFT;
    }
    size_t bytes = q.name.len + q.payload.len; /* before anything is encoded */
    if (bytes > QUERY_BYTES_MAX || q.nnodes > QUERY_BYTES_MAX || q.ntags > QUERY_BYTES_MAX) {
        return SWIM_ESIZE;
    }
    return swim__ask(s, &q, SWIM__ASK_HOST, NULL, query);
}
