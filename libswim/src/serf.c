/* serf.c - Serf's messages find their parts, and Serf's share of a full sync is written and
 * merged. */
#include "core.h"

static int relay(struct swim *s, const struct swim__serf_relay *r)
{
    struct swim_addr to = {.port = r->dest_port};
    to.len = (uint8_t)swim__wire_addr(r->dest_addr, to.ip);
    /* Only answers travel so: nobody is to have us send just anything to just anybody. */
    if (to.len == 0 || to.port == 0 || r->inner.len == 0 ||
        r->inner.p[0] != SWIM__SERF_QUERY_RESPONSE) {
        return SWIM_EPROTO;
    }
    swim__send_user(s, &to, r->inner);
    return SWIM_OK;
}

int swim__serf_receive(struct swim *s, const struct swim_addr *from, struct mu_str raw)
{
    struct swim__serf_msg msg;
    (void)from;
    if (!swim__serf_decode(raw.p, raw.len, &msg)) {
        return SWIM_EPROTO;
    }
    switch (msg.type) {
    case SWIM__SERF_LEAVE:
    case SWIM__SERF_JOIN:
        return swim__intent_receive(s, &msg, raw);
    case SWIM__SERF_USER_EVENT:
        return swim__user_event_receive(s, &msg.event, raw);
    case SWIM__SERF_QUERY:
        return swim__query_receive(s, &msg.query, raw);
    case SWIM__SERF_RELAY:
        return relay(s, &msg.relay);
    case SWIM__SERF_QUERY_RESPONSE:
        return swim__answer_receive(s, &msg.response);
    default:
        return SWIM_EPROTO;
    }
}

/* ---- the user state of a full sync ---- */

static void write_slot(struct mu__writer *w, const struct swim__slot *slot)
{
    size_t n = 0;
    for (const struct swim__seen *e = slot->first; e; e = e->next) {
        n++;
    }
    if (n == 0) {
        swim__state_encode_no_slot(w);
        return;
    }
    swim__state_encode_slot(w, n);
    for (const struct swim__seen *e = slot->first; e; e = e->next) {
        struct mu_str payload = {e->nil_payload ? NULL : e->bytes + e->name_len, e->payload_len};
        swim__state_encode_event(w, (struct mu_str){e->bytes, e->name_len}, payload);
    }
    swim__state_encode_slot_ltime(w, slot->ltime);
}

static void write_members(struct swim *s, struct mu__writer *w)
{
    size_t left = s->members.statuses[SWIM_STATUS_LEFT], at = 0;
    swim__state_encode_left(w, s->member_clock.time, left);
    for (const struct swim__member *m; (m = swim__table_next(&s->members, &at)) != NULL;) {
        if (m->status == SWIM_STATUS_LEFT) {
            swim__state_encode_name(w, swim__member_name(m));
        }
    }
    swim__state_encode_status(w, s->query_clock.time, swim__table_known(&s->members));
    at = 0;
    for (const struct swim__member *m; (m = swim__table_next(&s->members, &at)) != NULL;) {
        if (m->status != SWIM_STATUS_NONE) {
            swim__state_encode_member(w, swim__member_name(m), m->status_ltime);
        }
    }
}

void swim__serf_state_write(struct swim *s, struct mu__writer *w)
{
    swim__state_encode_begin(w, s->event_clock.time, s->recent_events ? SWIM__BUFFER_SLOTS : 0);
    for (size_t i = 0; s->recent_events && i < SWIM__BUFFER_SLOTS; i++) {
        write_slot(w, &s->recent_events->slots[i]);
    }
    write_members(s, w);
}

static void witness_before(struct swim__clock *c, uint64_t time)
{
    if (time > 0) {
        swim__clock_witness(c, time - 1);
    }
}

/* The names of those who left there; false when out of memory. */
static bool collect_left(const struct swim__state *state, struct mu__map *out)
{
    struct mu_str name;
    for (size_t at = 0; swim__span_next(state->left_members, &at, &name);) {
        union {
            const char *in;
            void *out;
        } value = {.in = name.p ? name.p : ""};
        if (!mu__map_set(out, name.p, name.len, value.out, NULL)) {
            return false;
        }
    }
    return true;
}

/* Who left there has left, one tick after what was last said of it. Three times we differ from
 * Serf, where a member that comes back can stay leaving for ever: who is alive here has come back
 * since, or the states of the same sync would have said that it is gone; of strangers nothing is
 * kept, since one that appears has come back, too; and the time does not grow by a tick with each
 * sync between two who both know. */
static void merge_left(struct swim *s, struct mu_str name, uint64_t ltime)
{
    const struct swim__member *m = swim__table_find(&s->members, name);
    if (m != s->self && (!m || m->status == SWIM_STATUS_NONE || m->state == SWIM_ALIVE)) {
        swim__clock_witness(&s->member_clock, ltime);
        return;
    }
    bool is_news = m->status != SWIM_STATUS_LEFT && ltime < UINT64_MAX;
    struct swim__serf_msg msg = {.type = SWIM__SERF_LEAVE,
                                 .leave = {.ltime = is_news ? ltime + 1 : ltime, .node = name}};
    (void)swim__intent_apply(s, &msg);
}

static void merge_joined(struct swim *s, struct mu_str name, uint64_t ltime)
{
    struct swim__serf_msg msg = {.type = SWIM__SERF_JOIN, .join = {.ltime = ltime, .node = name}};
    if (swim__table_find(&s->members, name) == s->self) {
        swim__intent_overtaken(s, ltime);
    } else {
        (void)swim__intent_apply(s, &msg);
    }
}

static int merge_statuses(struct swim *s, const struct swim__state *state)
{
    struct mu__map left;
    mu__map_init(&left, &s->allocator, s->hash_seed[0]);
    bool ok = collect_left(state, &left);
    struct swim__state_cursor c = {0};
    struct mu_str name;
    uint64_t ltime;
    while (ok && swim__state_next_status(state, &c, &name, &ltime)) {
        if (mu__map_get(&left, name.p, name.len)) {
            merge_left(s, name, ltime);
        } else {
            merge_joined(s, name, ltime);
        }
    }
    mu__map_fini(&left);
    return ok ? SWIM_OK : SWIM_ENOMEM;
}

int swim__serf_state_merge(struct swim *s, struct mu_str raw, bool skip_old)
{
    struct swim__state state;
    if (!swim__state_decode(raw.p, raw.len, &state)) {
        return SWIM_EPROTO;
    }
    witness_before(&s->member_clock, state.ltime);
    witness_before(&s->event_clock, state.event_ltime);
    witness_before(&s->query_clock, state.query_ltime);
    int rc = merge_statuses(s, &state);
    if (skip_old && state.event_ltime > s->event_min) {
        s->event_min = state.event_ltime; /* what happened before we came is not for us */
    }
    struct swim__state_cursor c = {0};
    struct swim__serf_event e;
    while (swim__state_next_event(&state, &c, &e)) {
        int one = swim__user_event_receive(s, &e, (struct mu_str){0});
        rc = one == SWIM_ENOMEM ? one : rc;
    }
    return rc;
}
