/* leave.c - going on purpose, so that nobody takes it for a failure:
 *
 *     leave intent     until it was sent as often as gossip wants, or 5 s
 *     dead, by itself  likewise
 *     spread           a pause in which the others pass it on, while we still answer
 *     has left */
#include "core.h"

/* Does the broadcast of this stage still wait to be sent? */
static bool is_pending(const struct swim *s)
{
    return s->leave_stage == SWIM__LEAVE_INTENT ? s->leave_intent != NULL : s->self->update != NULL;
}

static bool has_company(const struct swim *s)
{
    return s->members.states[SWIM_ALIVE] + s->members.states[SWIM_SUSPECT] >
           (s->self->state == SWIM_ALIVE ? 1u : 0u);
}

static void enter_stage(struct swim *s, enum swim__leave_stage stage)
{
    s->leave_stage = stage;
    s->leave_until_ns = s->now + s->cfg.broadcast_timeout_ns;
    switch (stage) {
    case SWIM__LEAVE_DEAD: {
        struct swim__accusation dead = {.node = swim__member_name(s->self),
                                        .from = swim__member_name(s->self),
                                        .incarnation = s->incarnation};
        if (swim__dead(s, &dead) != SWIM_OK) {
            swim__log(s, MU_ERROR, "out of memory: leaving without a word");
        }
        break;
    }
    case SWIM__LEAVE_SPREAD:
        s->leave_until_ns = s->now + s->cfg.leave_propagate_ns;
        break;
    case SWIM__HAS_LEFT:
        s->left_event = true;
        swim__held_flush(s);
        return;
    default:
        break;
    }
    swim__timer_reset(s, &s->leave, s->now);
}

void swim__leave_fire(struct swim *s, struct swim__timer *t)
{
    bool waits = s->leave_stage == SWIM__LEAVE_SPREAD || is_pending(s);
    if (has_company(s) && waits && s->now < s->leave_until_ns) {
        uint64_t next = s->now + s->cfg.gossip_interval_ns;
        swim__timer_reset(s, t, next < s->leave_until_ns ? next : s->leave_until_ns);
        return;
    }
    enter_stage(s, (enum swim__leave_stage)(s->leave_stage + 1));
}

void swim_leave(struct swim *s, uint64_t now_ns)
{
    swim__enter(s, now_ns);
    if (s->leave_stage != SWIM__STAYING) {
        return;
    }
    struct swim__serf_msg msg = {
        .type = SWIM__SERF_LEAVE,
        .leave = {.ltime = s->member_clock.time, .node = swim__member_name(s->self)}};
    s->leave_stage = SWIM__LEAVE_INTENT; /* first: the intent is our own now */
    if (!swim__intent_send(s, &msg, &s->leave_intent)) {
        swim__log(s, MU_ERROR, "out of memory: leaving without an intent");
    }
    enter_stage(s, SWIM__LEAVE_INTENT);
}

bool swim_is_leaving(const struct swim *s)
{
    return s->leave_stage != SWIM__STAYING;
}

bool swim_has_left(const struct swim *s)
{
    return s->leave_stage == SWIM__HAS_LEFT;
}
