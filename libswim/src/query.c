/* query.c - questions to many members: passed on, filtered, acknowledged and answered. The answers
 * go straight to who asked, and through a few others as well when it wants redundancy. */
#include "core.h"
#include "regexp.h"

#include <string.h>

enum { RESPONSE_MAX = 1024, OPEN_MAX = 1024, RELAYS = 16 };
enum { FILTERS_MAX = 64, EXPRESSION_MAX = 1024, EXPRESSION_BYTES_MAX = 1 << 20 };
#define TIMEOUT_MAX_NS (3600 * MU_SEC)

struct open_query { /* given to the host, not answered yet */
    uint32_t handle;
    uint32_t id;
    uint64_t ltime, deadline_ns;
    struct swim_addr from;
    uint8_t relay_factor;
    uint8_t source_len;
    char source[SWIM_NAME_MAX];
};

/* ---- filters ---- */

static bool names_us(const struct swim *s, struct mu_str nodes)
{
    struct mu_str name;
    for (size_t at = 0; swim__span_next(nodes, &at, &name);) {
        if (swim__is_self_name(s, name)) {
            return true;
        }
    }
    return false;
}

/* RE2's syntax, anywhere in the text. Of an expression that we cannot read we cannot say that it
 * matches, so it does not. */
static bool expression_matches(struct swim *s, struct mu_str expr, struct mu_str text)
{
    struct mu__arena arena;
    char why[96];
    if (expr.len > EXPRESSION_MAX) {
        return false;
    }
    mu__arena_init(&arena, &s->allocator, EXPRESSION_BYTES_MAX);
    struct mu__regexp *re = mu__regexp_compile(expr, &arena, why, sizeof why);
    bool matches = re && mu__regexp_matches(re, text);
    mu__arena_fini(&arena);
    return matches;
}

static bool tag_matches(struct swim *s, const struct swim__serf_filter *f)
{
    struct mu_str value = {"", 0}; /* of a tag that is missing */
    struct swim__wire_tags tags;
    struct swim_tag tag;
    if (swim__wire_tags_begin(&tags, swim__member_meta(s->self))) {
        while (swim__wire_tags_next(&tags, &tag)) {
            if (tag.key.len == f->tag.len &&
                (f->tag.len == 0 || memcmp(tag.key.p, f->tag.p, f->tag.len) == 0)) {
                value = tag.value;
            }
        }
    }
    return expression_matches(s, f->expr, value);
}

static bool filters_match(struct swim *s, struct mu_str filters)
{
    struct mu_str raw;
    size_t n = 0;
    for (size_t at = 0; swim__span_next(filters, &at, &raw); n++) {
        struct swim__serf_filter f;
        if (n == FILTERS_MAX || !swim__serf_filter_decode(raw, &f)) {
            return false;
        }
        if (!(f.type == SWIM__FILTER_NODES ? names_us(s, f.nodes) : tag_matches(s, &f))) {
            return false;
        }
    }
    return true;
}

/* ---- answers ---- */

static bool can_relay(const struct swim__member *m, const void *arg)
{
    return m->state == SWIM_ALIVE && m != ((const struct swim *)arg)->self && m->vsn[4] >= 5;
}

/* Sends the encoded response also through `factor` others. */
static void relay_response(struct swim *s, const struct open_query *q, struct mu_str response)
{
    struct swim__member *via[RELAYS];
    size_t want = mu__min(q->relay_factor, RELAYS);
    if (want == 0 || s->members.states[SWIM_ALIVE] <= q->relay_factor) {
        return;
    }
    struct swim__serf_msg msg = {.type = SWIM__SERF_RELAY,
                                 .relay = {.dest_addr = {(const char *)q->from.ip, q->from.len},
                                           .dest_port = q->from.port,
                                           .dest_name = {q->source, q->source_len},
                                           .inner = response}};
    struct mu__writer w = mu__writer_growing(&s->allocator);
    swim__serf_encode(&w, &msg);
    size_t n = w.failed ? 0 : swim__table_pick(&s->members, &s->prng, can_relay, s, via, want);
    for (size_t i = 0; i < n; i++) {
        swim__send_user(s, &via[i]->addr, (struct mu_str){(const char *)w.data, w.len});
    }
    mu__writer_fini(&w);
}

/* Did we ask ourselves? Then no datagram is needed. */
static bool is_own(const struct swim *s, const struct open_query *q)
{
    return swim_addr_equal(&q->from, &s->self->addr) &&
           swim__is_self_name(s, (struct mu_str){q->source, q->source_len});
}

static int respond(struct swim *s, const struct open_query *q, uint32_t flags,
                   struct mu_str payload)
{
    struct swim__serf_msg msg = {.type = SWIM__SERF_QUERY_RESPONSE,
                                 .response = {.ltime = q->ltime,
                                              .id = q->id,
                                              .flags = flags,
                                              .from = swim__member_name(s->self),
                                              .payload = payload}};
    struct mu__writer w = mu__writer_growing(&s->allocator);
    swim__serf_encode(&w, &msg);
    int rc = w.failed ? SWIM_ENOMEM : w.len > RESPONSE_MAX ? SWIM_ESIZE : SWIM_OK;
    if (rc == SWIM_OK && is_own(s, q)) {
        rc = swim__answer_receive(s, &msg.response);
    } else if (rc == SWIM_OK) {
        struct mu_str encoded = {(const char *)w.data, w.len};
        swim__send_user(s, &q->from, encoded);
        relay_response(s, q, encoded);
    }
    mu__writer_fini(&w);
    return rc;
}

/* ---- queries that concern Serf itself ---- */

static void encode_conflict(const struct swim__member *m, struct mu__writer *w)
{
    struct swim__serf_msg msg = {.type = SWIM__SERF_CONFLICT_RESPONSE,
                                 .conflict = {.known = m != NULL}};
    if (m) {
        /* Tags go out as they came in: behind the 0xff of the meta stands the very map. */
        bool tagged = m->meta_len > 1 && m->meta[0] == 0xff;
        msg.conflict.member = (struct swim__serf_member){
            .name = swim__member_name(m),
            .addr = {(const char *)m->addr.ip, m->addr.len},
            .port = m->addr.port,
            .protocol_min = m->vsn[0],
            .protocol_max = m->vsn[1],
            .protocol_cur = m->vsn[2],
            .delegate_min = m->vsn[3],
            .delegate_max = m->vsn[4],
            .delegate_cur = m->vsn[5],
            .status = m->status,
            .tags = tagged ? (struct mu_str){(const char *)m->meta + 1, m->meta_len - 1u}
                           : (struct mu_str){0}};
    }
    swim__serf_encode(w, &msg);
}

/* True when the query is Serf's own affair; what there is to say has been said then. */
static bool handle_internal(struct swim *s, const struct open_query *open,
                            const struct swim__serf_query *q)
{
    static const char prefix[] = "_serf_";
    if (q->name.len < sizeof prefix - 1 || memcmp(q->name.p, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    struct mu__writer w = mu__writer_growing(&s->allocator);
    bool answer = false;
    if (mu__str_is(q->name, "_serf_conflict")) {
        answer = !swim__is_self_name(s, q->payload); /* who is asked about stays silent */
        struct swim__member *m = swim__table_find(&s->members, q->payload);
        if (answer) {
            encode_conflict(m && m->status != SWIM_STATUS_NONE ? m : NULL, &w);
        }
    } else {
        answer = swim__key_query(s, q->name, q->payload, &w);
    }
    if (answer && !w.failed &&
        respond(s, open, 0, (struct mu_str){(const char *)w.data, w.len}) != SWIM_OK) {
        swim__log(s, MU_WARN, "could not answer query %.*s", (int)q->name.len, q->name.p);
    }
    mu__writer_fini(&w);
    return true;
}

/* ---- queries for the host ---- */

static int deliver(struct swim *s, const struct open_query *open, const struct swim__serf_query *q)
{
    if (s->events.droppable >= s->cfg.events_max || s->open_queries.count >= OPEN_MAX) {
        s->stats.events_dropped++;
        return SWIM_EFULL;
    }
    struct open_query *copy = mu__memdup(&s->allocator, open, sizeof *open);
    struct swim__event_body *body =
        copy && swim__events_reserve(s, 1) ? swim__event_body(s, q->name, q->payload) : NULL;
    do {
        s->next_query++;
    } while (mu__map_get(&s->open_queries, &s->next_query, sizeof s->next_query));
    if (copy) {
        copy->handle = s->next_query;
    }
    if (!body || !mu__map_set(&s->open_queries, &copy->handle, sizeof copy->handle, copy, NULL)) {
        mu__free(&s->allocator, copy);
        mu__free(&s->allocator, body);
        return SWIM_ENOMEM;
    }
    body->ltime = q->ltime;
    body->deadline_ns = copy->deadline_ns;
    body->query = copy->handle;
    swim__event_push(s, SWIM_EVENT_QUERY, NULL, body);
    return SWIM_OK;
}

static bool open_of(const struct swim *s, const struct swim__serf_query *q, struct open_query *out)
{
    /* Nobody keeps a place among the open ones for ever. */
    uint64_t timeout = q->timeout_ns > 0 ? mu__min((uint64_t)q->timeout_ns, TIMEOUT_MAX_NS) : 0;
    *out = (struct open_query){.id = q->id,
                               .ltime = q->ltime,
                               .deadline_ns = s->now + timeout,
                               .relay_factor = q->relay_factor};
    out->from.len = (uint8_t)swim__wire_addr(q->addr, out->from.ip);
    out->from.port = q->port;
    out->source_len = (uint8_t)mu__min(q->source_node.len, SWIM_NAME_MAX);
    if (out->source_len > 0) {
        memcpy(out->source, q->source_node.p, out->source_len);
    }
    return out->from.len != 0 && out->from.port != 0;
}

int swim__query_receive(struct swim *s, const struct swim__serf_query *q, struct mu_str raw)
{
    struct open_query open;
    swim__clock_witness(&s->query_clock, q->ltime);
    if (q->ltime < s->query_min) {
        return SWIM_OK;
    }
    enum swim__recent recent =
        swim__recent_note(s, &s->recent_queries, s->query_clock.time, q->ltime, q->id,
                          (struct mu_str){0}, (struct mu_str){0});
    if (recent != SWIM__RECENT_NEW) {
        return recent == SWIM__RECENT_OLD ? SWIM_OK : SWIM_ENOMEM;
    }
    s->stats.queries_in++;
    int rc = SWIM_OK;
    if (!(q->flags & SWIM__QUERY_NO_BROADCAST) && !swim__gossip_serf(s, &s->queries, raw, NULL)) {
        rc = SWIM_ENOMEM;
    }
    if (!filters_match(s, q->filters) || !open_of(s, q, &open)) {
        return rc;
    }
    if (q->flags & SWIM__QUERY_ACK) {
        (void)respond(s, &open, SWIM__QUERY_ACK, (struct mu_str){0});
    }
    if (!handle_internal(s, &open, q)) {
        int told = deliver(s, &open, q);
        rc = rc != SWIM_OK ? rc : told;
    }
    return rc;
}

static void open_free(struct swim *s, struct open_query *q)
{
    mu__map_remove(&s->open_queries, &q->handle, sizeof q->handle);
    mu__free(&s->allocator, q);
}

int swim_respond(struct swim *s, uint64_t now_ns, uint32_t query, struct mu_str payload)
{
    swim__enter(s, now_ns);
    struct open_query *q = mu__map_get(&s->open_queries, &query, sizeof query);
    if (!q || s->now > q->deadline_ns) {
        return SWIM_ENOENT;
    }
    int rc = respond(s, q, 0, payload);
    if (rc == SWIM_OK) {
        open_free(s, q);
    }
    return rc;
}

static void free_due(struct swim *s, uint64_t now)
{
    size_t at = 0;
    for (struct open_query *q; (q = mu__map_next(&s->open_queries, &at)) != NULL;) {
        if (q->deadline_ns <= now) {
            open_free(s, q);
        }
    }
}

void swim__queries_expire(struct swim *s)
{
    free_due(s, s->now);
}

void swim__queries_fini(struct swim *s)
{
    free_due(s, UINT64_MAX);
    mu__map_fini(&s->open_queries);
}
