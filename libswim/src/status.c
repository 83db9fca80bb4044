/* status.c - Serf's view of the members: alive, leaving, left or failed, and the intents that tell
 * a member's wish from its failure. An intent carries a Lamport time, and the latest about a member
 * counts. */
#include "core.h"

#include <assert.h>
#include <string.h>

/* ---- intents about members that are not known yet ---- */

struct early_intent {
    uint64_t ltime, seen_ns;
    uint8_t type, name_len; /* type: enum swim__serf_type */
    char name[];
};
enum { EARLY_INTENTS_MAX = 4096 };

/* Keeps the intent until its member appears. True if it is news. */
static bool early_note(struct swim *s, enum swim__serf_type type, uint64_t ltime,
                       struct mu_str name)
{
    struct early_intent *e = mu__map_get(&s->early_intents, name.p, name.len);
    if (e) {
        if (ltime <= e->ltime) {
            return false;
        }
        e->ltime = ltime;
        e->seen_ns = s->now;
        e->type = (uint8_t)type;
        return true;
    }
    if (name.len < 1 || name.len > SWIM_NAME_MAX || s->early_intents.count >= EARLY_INTENTS_MAX) {
        return false;
    }
    e = mu__alloc(&s->allocator, sizeof *e + name.len);
    if (!e) {
        return false;
    }
    *e = (struct early_intent){
        .ltime = ltime, .seen_ns = s->now, .type = (uint8_t)type, .name_len = (uint8_t)name.len};
    memcpy(e->name, name.p, name.len);
    if (!mu__map_set(&s->early_intents, e->name, e->name_len, e, NULL)) {
        mu__free(&s->allocator, e);
        return false;
    }
    return true;
}

static void early_free(struct swim *s, struct early_intent *e)
{
    mu__map_remove(&s->early_intents, e->name, e->name_len);
    mu__free(&s->allocator, e);
}

static void early_free_older(struct swim *s, uint64_t age_ns)
{
    size_t at = 0;
    for (struct early_intent *e; (e = mu__map_next(&s->early_intents, &at)) != NULL;) {
        if (s->now - e->seen_ns >= age_ns) {
            early_free(s, e);
        }
    }
}

void swim__early_intents_expire(struct swim *s)
{
    early_free_older(s, s->cfg.intent_timeout_ns);
}

void swim__early_intents_fini(struct swim *s)
{
    early_free_older(s, 0);
    mu__map_fini(&s->early_intents);
}

/* ---- what SWIM found out ---- */

static void set_status(struct swim *s, struct swim__member *m, enum swim_status status)
{
    swim__member_set_status(&s->members, m, status);
}

/* A new member is alive, or as an intent that ran ahead of it says. */
static void first_status(struct swim *s, struct swim__member *m)
{
    struct early_intent *e = mu__map_get(&s->early_intents, m->name, m->name_len);
    set_status(s, m, SWIM_STATUS_ALIVE);
    m->status_ltime = 0;
    if (!e) {
        return;
    }
    m->status_ltime = e->ltime;
    if (e->type == SWIM__SERF_LEAVE) {
        set_status(s, m, SWIM_STATUS_LEAVING);
        m->gone_ns = s->now;
    }
    early_free(s, e);
}

void swim__status_up(struct swim *s, struct swim__member *m, bool was_up, bool changed)
{
    if (was_up) {
        if (changed && m->status != SWIM_STATUS_NONE) {
            swim__event_push(s, SWIM_EVENT_UPDATE, m, NULL);
        }
        return;
    }
    m->gone_ns = 0;
    m->prune = false;
    if (m->status == SWIM_STATUS_NONE) {
        first_status(s, m);
    } else {
        set_status(s, m, SWIM_STATUS_ALIVE);
    }
    swim__event_push(s, SWIM_EVENT_JOIN, m, NULL);
    swim__log(s, MU_DEBUG, "%s joined", m->name);
}

void swim__status_down(struct swim *s, struct swim__member *m)
{
    bool was_alive = m->status == SWIM_STATUS_ALIVE;
    if (!was_alive && m->status != SWIM_STATUS_LEAVING) {
        return;
    }
    /* Who said goodbye by itself has left, even where its intent has not come yet. */
    if (was_alive && (m->state != SWIM_GONE || SWIM__PLANTED(FAREWELL_UNHEARD))) {
        set_status(s, m, SWIM_STATUS_FAILED);
        swim__event_push(s, SWIM_EVENT_FAILED, m, NULL);
    } else {
        set_status(s, m, SWIM_STATUS_LEFT);
        swim__event_push(s, SWIM_EVENT_LEAVE, m, NULL);
    }
    m->gone_ns = s->now;
    swim__log(s, MU_DEBUG, "%s %s", m->name, m->status == SWIM_STATUS_LEFT ? "left" : "failed");
    if (m->prune && m != s->self) {
        swim__status_erase(s, m);
    }
}

/* Takes a member off the record. The room for its event is reserved. */
void swim__status_erase(struct swim *s, struct swim__member *m)
{
    assert(m != s->self);
    swim__event_push(s, SWIM_EVENT_REAP, m, NULL);
    set_status(s, m, SWIM_STATUS_NONE);
    swim__forget(s, m);
}

/* ---- intents ---- */

static bool join_intent(struct swim *s, struct swim__member *m)
{
    if (m->status == SWIM_STATUS_LEAVING) {
        set_status(s, m, SWIM_STATUS_ALIVE);
        m->gone_ns = 0;
        swim__event_push(s, SWIM_EVENT_UPDATE, m, NULL);
    }
    return true;
}

static bool leave_intent(struct swim *s, struct swim__member *m, bool prune)
{
    prune = prune && m != s->self;
    switch ((enum swim_status)m->status) {
    case SWIM_STATUS_ALIVE:
        set_status(s, m, SWIM_STATUS_LEAVING);
        m->gone_ns = s->now;
        m->prune = prune;
        return true;
    case SWIM_STATUS_LEAVING:
        m->prune = prune || m->prune;
        return true;
    case SWIM_STATUS_FAILED:
        set_status(s, m, SWIM_STATUS_LEFT);
        swim__event_push(s, SWIM_EVENT_LEAVE, m, NULL);
        break;
    default:
        break;
    }
    if (prune) {
        swim__status_erase(s, m);
    }
    return true;
}

/* Somebody says that we leave, and we do not: say that we stay, with a later time. */
static void contradict(struct swim *s)
{
    if (!swim__join_intent(s)) {
        swim__log(s, MU_ERROR, "out of memory: could not contradict a leave intent about us");
    }
}

/* A later word about us than our own last one. Where it was a leave, we would be held for leaving
 * from now on, and our word would not count. */
void swim__intent_overtaken(struct swim *s, uint64_t ltime)
{
    swim__clock_witness(&s->member_clock, ltime);
    if (ltime > s->self->status_ltime && s->leave_stage == SWIM__STAYING) {
        contradict(s);
    }
}

bool swim__intent_apply(struct swim *s, const struct swim__serf_msg *msg)
{
    bool leaves = msg->type == SWIM__SERF_LEAVE;
    const struct swim__serf_intent *i = leaves ? &msg->leave : &msg->join;
    swim__clock_witness(&s->member_clock, i->ltime);
    struct swim__member *m = swim__table_find(&s->members, i->node);
    if (!m || m->status == SWIM_STATUS_NONE) {
        return early_note(s, msg->type, i->ltime, i->node);
    }
    if (i->ltime <= m->status_ltime || !swim__events_reserve(s, 2)) {
        return false;
    }
    if (leaves && m == s->self && s->leave_stage == SWIM__STAYING) {
        contradict(s);
        return false;
    }
    m->status_ltime = i->ltime;
    return leaves ? leave_intent(s, m, i->prune) : join_intent(s, m);
}

int swim__intent_receive(struct swim *s, const struct swim__serf_msg *msg, struct mu_str raw)
{
    if (swim__intent_apply(s, msg) && !swim__gossip_serf(s, &s->intents, raw, NULL)) {
        return SWIM_ENOMEM;
    }
    return SWIM_OK;
}

/* Applies an intent of ours and spreads it. */
bool swim__intent_send(struct swim *s, const struct swim__serf_msg *msg,
                       struct swim__broadcast **watch)
{
    struct mu__writer w = mu__writer_growing(&s->allocator);
    swim__serf_encode(&w, msg);
    bool ok = !w.failed && swim__gossip_serf(s, &s->intents,
                                             (struct mu_str){(const char *)w.data, w.len}, watch);
    mu__writer_fini(&w);
    if (ok) {
        (void)swim__intent_apply(s, msg);
    }
    return ok;
}

bool swim__join_intent(struct swim *s)
{
    struct swim__serf_msg msg = {
        .type = SWIM__SERF_JOIN,
        .join = {.ltime = s->member_clock.time, .node = swim__member_name(s->self)}};
    return swim__intent_send(s, &msg, NULL);
}

/* Whoever heard of our leave through more syncs than those that we join holds it some ticks later:
 * Serf adds one at each. */
bool swim__join_announce(struct swim *s)
{
    enum { LEAD = 32 };
    s->member_clock.time += mu__min(UINT64_MAX - s->member_clock.time, LEAD);
    return swim__join_intent(s);
}

int swim_force_leave(struct swim *s, uint64_t now_ns, const char *name, bool prune)
{
    swim__enter(s, now_ns);
    struct swim__member *m = swim__table_find(&s->members, (struct mu_str){name, strlen(name)});
    if (s->leave_stage != SWIM__STAYING) {
        return SWIM_ELEFT;
    }
    if (!m || m->status == SWIM_STATUS_NONE) {
        return SWIM_ENOENT;
    }
    if (m == s->self) {
        return SWIM_EINVAL;
    }
    struct swim__serf_msg msg = {
        .type = SWIM__SERF_LEAVE,
        .leave = {.ltime = s->member_clock.time, .node = swim__member_name(m), .prune = prune}};
    /* The record may go with the pruning, and the message lends its name. */
    swim__member_hold(m);
    bool ok = swim__events_reserve(s, 2) && swim__intent_send(s, &msg, NULL);
    swim__member_release(&s->members, m);
    return ok ? SWIM_OK : SWIM_ENOMEM;
}
