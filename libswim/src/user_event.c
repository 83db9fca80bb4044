/* user_event.c - small messages to all members, each delivered once. */
#include "core.h"

enum { EVENT_MAX = 512 }; /* bytes of name and payload, and of the encoded message */

static int deliver(struct swim *s, const struct swim__serf_event *e)
{
    if (s->events.droppable >= s->cfg.events_max) {
        s->stats.events_dropped++;
        return SWIM_EFULL;
    }
    struct swim__event_body *body =
        swim__events_reserve(s, 1) ? swim__event_body(s, e->name, e->payload) : NULL;
    if (!body) {
        return SWIM_ENOMEM;
    }
    body->ltime = e->ltime;
    if (e->cc && swim__coalesces_users(s)) {
        swim__event_push_user(s, body);
    } else {
        swim__event_push(s, SWIM_EVENT_USER, NULL, body);
    }
    return SWIM_OK;
}

int swim__user_event_receive(struct swim *s, const struct swim__serf_event *e, struct mu_str raw)
{
    swim__clock_witness(&s->event_clock, e->ltime);
    if (e->ltime < s->event_min) {
        return SWIM_OK;
    }
    switch (swim__recent_note(s, &s->recent_events, s->event_clock.time, e->ltime, 0, e->name,
                              e->payload)) {
    case SWIM__RECENT_NEW:
        break;
    case SWIM__RECENT_OLD:
        return SWIM_OK;
    default:
        return SWIM_ENOMEM;
    }
    int rc = deliver(s, e);
    if (raw.len > 0 && !swim__gossip_serf(s, &s->user_events, raw, NULL)) {
        rc = rc != SWIM_OK ? rc : SWIM_ENOMEM;
    }
    return rc;
}

int swim_user_event(struct swim *s, uint64_t now_ns, struct mu_str name, struct mu_str payload,
                    bool coalesce)
{
    swim__enter(s, now_ns);
    if (s->leave_stage != SWIM__STAYING) {
        return SWIM_ELEFT;
    }
    if (name.len > EVENT_MAX || payload.len > EVENT_MAX - name.len) {
        return SWIM_ESIZE;
    }
    struct swim__serf_msg msg = {
        .type = SWIM__SERF_USER_EVENT,
        .event = {.ltime = s->event_clock.time, .name = name, .payload = payload, .cc = coalesce}};
    struct mu__writer w = mu__writer_growing(&s->allocator);
    swim__serf_encode(&w, &msg);
    int rc = w.failed ? SWIM_ENOMEM : w.len > EVENT_MAX ? SWIM_ESIZE : SWIM_OK;
    if (rc == SWIM_OK) {
        rc = swim__user_event_receive(s, &msg.event, (struct mu_str){(const char *)w.data, w.len});
    }
    mu__writer_fini(&w);
    return rc;
}
