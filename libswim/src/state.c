/* state.c - what a member's state becomes when somebody says it is alive, suspect or dead
 * (SWIM 4.2).
 *
 * An incarnation number, which only the member itself raises, orders what is said about it:
 *   alive(i)    overrides alive, suspect, dead (j < i)
 *   suspect(i)  overrides alive (j <= i)
 *   dead(i)     overrides alive and suspect (j <= i)
 * Beyond memberlist, a member that was dropped from the failure detector keeps its last incarnation
 * for as long as it is on record. A stale peer can therefore not announce a dead member into life
 * again, and a member that came back with a low incarnation is told of its own death directly, so
 * that it refutes. */
#include "core.h"

#include <assert.h>
#include <string.h>

bool swim__is_self_name(const struct swim *s, struct mu_str name)
{
    return name.len == s->self->name_len && memcmp(name.p, s->self->name, name.len) == 0;
}

void swim__alive_of(const struct swim__member *m, struct swim__alive *out)
{
    *out = (struct swim__alive){
        .node = swim__member_name(m),
        .addr = {(const char *)m->addr.ip, m->addr.len},
        .meta = swim__member_meta(m),
        .vsn = {(const char *)m->vsn, sizeof m->vsn},
        .incarnation = m->incarnation,
        .port = m->addr.port,
    };
}

bool swim__announce(struct swim *s)
{
    struct swim__msg msg = {.type = SWIM__MSG_ALIVE};
    s->self->incarnation = s->incarnation;
    swim__alive_of(s->self, &msg.alive);
    return swim__gossip_update(s, s->self, &msg);
}

/* Says to whoever sent the datagram being read that we are alive; at most once per gossip interval.
 * Gossip alone may have no way to it: who holds us dead is often held dead by us. */
static void answer_accuser(struct swim *s)
{
    bool lately = s->answered_ns != 0 && s->now - s->answered_ns < s->cfg.gossip_interval_ns;
    if (s->from.len == 0 || lately) {
        return;
    }
    s->answered_ns = s->now;
    struct swim__msg msg = {.type = SWIM__MSG_ALIVE};
    swim__alive_of(s->self, &msg.alive);
    swim__send_msg(s, &s->from, &msg);
}

/* Somebody says of us what is not so: say the contrary with a higher incarnation (SWIM 4.2), and
 * take it as a sign that we are slow (Lifeguard IV-A). */
void swim__refute(struct swim *s, uint32_t accused)
{
    uint32_t at_least = accused > s->incarnation ? accused : s->incarnation;
    if (at_least == UINT32_MAX || SWIM__PLANTED(NO_REFUTE)) {
        return; /* nothing is higher; no honest pool gets there */
    }
    s->incarnation = at_least + !SWIM__PLANTED(INCARNATION_NOT_RAISED);
    if (!swim__announce(s)) {
        swim__log(s, MU_ERROR, "out of memory: could not refute");
    }
    answer_accuser(s);
    s->stats.refutes++;
    swim__health_add(s, 1);
}

/* Tells a node that we hold it dead, so that it can refute; at most one such datagram per gossip
 * interval. */
void swim__tell_dead(struct swim *s, const struct swim__member *m, const struct swim_addr *to)
{
    bool lately = s->told_ns != 0 && s->now - s->told_ns < s->cfg.gossip_interval_ns;
    if (lately || SWIM__PLANTED(DEATH_UNTOLD)) {
        return;
    }
    s->told_ns = s->now;
    struct swim__msg msg = {.type = SWIM__MSG_DEAD,
                            .dead = {.node = swim__member_name(m),
                                     .from = swim__member_name(s->self),
                                     .incarnation = m->incarnation}};
    swim__send_msg(s, to, &msg);
}

/* An announcement in the form that it is stored. False when it is none that a peer should send. */
struct announcement {
    const struct swim__alive *raw;
    struct swim_addr addr;
};
static bool check_announcement(const struct swim *s, const struct swim__alive *a,
                               struct announcement *out)
{
    struct swim__wire_tags tags;
    if (a->node.len < 1 || a->node.len > SWIM_NAME_MAX || !swim__vsn_is_valid(a->vsn)) {
        return false;
    }
    uint8_t pmin = (uint8_t)a->vsn.p[0], pmax = (uint8_t)a->vsn.p[1];
    if (pmin == 0 || pmax == 0 || pmin > pmax) {
        return false;
    }
    if (a->meta.len > SWIM_META_MAX || !swim__wire_tags_begin(&tags, a->meta)) {
        return false;
    }
    *out = (struct announcement){.raw = a};
    out->addr.len = (uint8_t)swim__wire_addr(a->addr, out->addr.ip);
    out->addr.port = a->port ? a->port : s->self->addr.port;
    return out->addr.len != 0;
}

static bool is_same_meta(const struct swim__member *m, struct mu_str meta)
{
    return m->meta_len == meta.len && (meta.len == 0 || memcmp(m->meta, meta.p, meta.len) == 0);
}

static void report_conflict(struct swim *s, struct swim__member *m, const struct swim_addr *other)
{
    char ours[SWIM_ADDR_TEXT], theirs[SWIM_ADDR_TEXT];
    s->stats.conflicts++;
    swim__log(s, MU_WARN, "conflicting addresses for %s: %s is known, %s announces itself", m->name,
              swim_addr_text(&m->addr, ours), swim_addr_text(other, theirs));
    if (s->events.droppable >= s->cfg.events_max || !swim__events_reserve(s, 1)) {
        s->stats.events_dropped++;
        return;
    }
    struct swim__event_body *body = swim__event_body(s, (struct mu_str){0}, (struct mu_str){0});
    if (body) {
        body->addr = *other;
        swim__event_push(s, SWIM_EVENT_CONFLICT, m, body);
    }
}

static int alive_self(struct swim *s, const struct announcement *a)
{
    struct swim__member *m = s->self;
    if (!swim_addr_equal(&m->addr, &a->addr)) {
        report_conflict(s, m, &a->addr);
        swim__name_contested(s, &a->addr);
        return SWIM_OK;
    }
    if (a->raw->incarnation < s->incarnation) {
        return SWIM_OK;
    }
    if (a->raw->incarnation == s->incarnation && is_same_meta(m, a->raw->meta) &&
        memcmp(m->vsn, a->raw->vsn.p, sizeof m->vsn) == 0) {
        return SWIM_OK;
    }
    swim__log(s, MU_WARN, "refuting an announcement of ourselves with incarnation %u",
              a->raw->incarnation);
    swim__refute(s, a->raw->incarnation);
    return SWIM_OK;
}

/* May a known member appear at another address? Only when it is gone, or dead for long enough. */
static bool may_move(const struct swim *s, const struct swim__member *m)
{
    switch ((enum swim_state)m->state) {
    case SWIM_GONE:
    case SWIM_NONE:
        return true;
    case SWIM_DEAD:
        return s->cfg.dead_reclaim_ns > 0 && s->now - m->state_ns > s->cfg.dead_reclaim_ns;
    default:
        return false;
    }
}

static bool is_up(const struct swim__member *m)
{
    return m->state == SWIM_ALIVE || m->state == SWIM_SUSPECT;
}

/* Of what is said about one member, the higher incarnation counts. */
static bool is_newer(const struct swim *s, const struct swim__member *m,
                     const struct swim__alive *a)
{
    bool by_sync = s->from.len == 0;
    bool wrongly = a->incarnation == m->incarnation &&
                   ((SWIM__PLANTED(ALIVE_NOT_NEWER) && m->state != SWIM_ALIVE) ||
                    (SWIM__PLANTED(RESURRECTED_BY_SYNC) && by_sync && !is_up(m)));
    return a->incarnation > m->incarnation || wrongly;
}

static bool is_admitted(struct swim *s, const struct announcement *a)
{
    if (!s->cfg.admit) {
        return true;
    }
    char why[160] = "";
    struct swim_member c = {.name = a->raw->node,
                            .addr = a->addr,
                            .status = SWIM_STATUS_ALIVE,
                            .state = SWIM_ALIVE,
                            .incarnation = a->raw->incarnation,
                            .meta = a->raw->meta};
    if (s->cfg.admit(s->cfg.admit_user, &c, 1, why, sizeof why)) {
        return true;
    }
    s->stats.members_refused++;
    swim__log(s, MU_WARN, "refused %.*s: %s", (int)c.name.len, c.name.p, why);
    return false;
}

/* Finds or makes the record and puts it into the list; NULL when out of memory or room. */
static struct swim__member *enlisted(struct swim *s, struct swim__member *m, struct mu_str name)
{
    bool fresh = !m;
    if (fresh) {
        if (s->members.count >= s->cfg.members_max) {
            s->stats.members_refused++;
            return NULL;
        }
        m = swim__table_add(&s->members, name);
    }
    if (m && m->state == SWIM_NONE && !swim__table_enlist(&s->members, m, &s->prng)) {
        if (fresh) {
            swim__table_erase(&s->members, m);
        }
        return NULL;
    }
    return m;
}

/* The announcement is news: believe it and pass it on. */
static int take_over(struct swim *s, struct swim__member *m, const struct announcement *a)
{
    if (!swim__events_reserve(s, 1)) {
        return SWIM_ENOMEM;
    }
    m = enlisted(s, m, a->raw->node);
    if (!m) {
        return SWIM_ENOMEM;
    }
    bool was_up = is_up(m);
    if (!swim_addr_equal(&m->addr, &a->addr)) {
        swim__peer_forget(s, m); /* what was measured was another place */
    }
    bool changed = !is_same_meta(m, a->raw->meta);
    if (changed && !swim__member_set_meta(&s->members, m, a->raw->meta)) {
        return SWIM_ENOMEM; /* a new record stays behind as dead, and is dropped as those are */
    }
    swim__suspicion_clear(s, m);
    m->incarnation = a->raw->incarnation;
    m->addr = a->addr;
    memcpy(m->vsn, a->raw->vsn.p, sizeof m->vsn);
    if (m->state != SWIM_ALIVE) {
        swim__member_set_state(&s->members, m, SWIM_ALIVE, s->now);
    }
    struct swim__msg msg = {.type = SWIM__MSG_ALIVE, .alive = *a->raw};
    (void)swim__gossip_update(s, m, &msg); /* not passed on is no worse than lost on the way */
    swim__status_up(s, m, was_up, changed);
    s->stats.announcements++;
    return SWIM_OK;
}

int swim__alive(struct swim *s, const struct swim__alive *raw, enum swim__source source)
{
    struct announcement a;
    bool about_us = swim__is_self_name(s, raw->node);
    if (about_us && s->leave_stage != SWIM__STAYING) {
        return SWIM_OK;
    }
    if (!check_announcement(s, raw, &a)) {
        return SWIM_EPROTO;
    }
    if (about_us) {
        return alive_self(s, &a);
    }
    struct swim__member *m = swim__table_find(&s->members, raw->node);
    if (m) {
        bool moved = !swim_addr_equal(&m->addr, &a.addr);
        if (moved && !may_move(s, m)) {
            report_conflict(s, m, &a.addr);
            return SWIM_OK;
        }
        if (!moved && !is_newer(s, m, raw)) {
            if (!is_up(m)) {
                swim__tell_dead(s, m, &a.addr);
            }
            return SWIM_OK;
        }
    }
    if (source == SWIM__FROM_GOSSIP && !is_admitted(s, &a)) {
        return SWIM_OK;
    }
    return take_over(s, m, &a);
}

/* The record that an accusation is about; NULL when it says nothing to us. */
static struct swim__member *accused(struct swim *s, const struct swim__accusation *a)
{
    struct swim__member *m = swim__table_find(&s->members, a->node);
    if (!m || m->state == SWIM_NONE) {
        return NULL;
    }
    if (a->incarnation < m->incarnation && !SWIM__PLANTED(OLD_ACCUSATION)) {
        if (m == s->self && s->leave_stage == SWIM__STAYING) {
            answer_accuser(s); /* it has not heard our refutation */
        }
        return NULL;
    }
    return m;
}

int swim__suspect(struct swim *s, const struct swim__accusation *a)
{
    struct swim__member *m = accused(s, a);
    struct swim__msg msg = {.type = SWIM__MSG_SUSPECT, .suspect = *a};
    if (!m) {
        return SWIM_OK;
    }
    if (m->suspicion) {
        if (swim__suspicion_confirm(s, m, a->from)) {
            (void)swim__gossip_update(s, m, &msg);
        }
        return SWIM_OK;
    }
    if (m->state != SWIM_ALIVE) {
        return SWIM_OK;
    }
    if (m == s->self) {
        swim__log(s, MU_WARN, "refuting a suspicion from %.*s", (int)a->from.len, a->from.p);
        swim__refute(s, a->incarnation);
        return SWIM_OK;
    }
    if (!swim__suspicion_start(s, m, a->from)) {
        return SWIM_ENOMEM;
    }
    (void)swim__gossip_update(s, m, &msg);
    m->incarnation = a->incarnation;
    swim__member_set_state(&s->members, m, SWIM_SUSPECT, s->now);
    s->stats.suspicions++;
    return SWIM_OK;
}

int swim__dead(struct swim *s, const struct swim__accusation *a)
{
    struct swim__member *m = accused(s, a);
    if (!m || !is_up(m)) {
        return SWIM_OK;
    }
    bool about_us = m == s->self;
    if (about_us && s->leave_stage == SWIM__STAYING) {
        swim__log(s, MU_WARN, "refuting our death, told by %.*s", (int)a->from.len, a->from.p);
        swim__refute(s, a->incarnation);
        return SWIM_OK;
    }
    if (!swim__events_reserve(s, 2)) {
        return SWIM_ENOMEM;
    }
    bool by_itself = a->from.len == a->node.len && memcmp(a->from.p, a->node.p, a->node.len) == 0;
    struct swim__msg msg = {.type = SWIM__MSG_DEAD, .dead = *a};
    swim__suspicion_clear(s, m);
    (void)swim__gossip_update(s, m, &msg);
    m->incarnation = a->incarnation;
    swim__member_set_state(&s->members, m, by_itself ? SWIM_GONE : SWIM_DEAD, s->now);
    s->stats.deaths += by_itself ? 0 : 1;
    swim__status_down(s, m);
    return SWIM_OK;
}

void swim__forget(struct swim *s, struct swim__member *m)
{
    assert(m != s->self);
    if (m->state != SWIM_NONE || m->status != SWIM_STATUS_NONE) {
        return;
    }
    if (m->update) {
        swim__queue_drop(&s->updates, m->update);
    }
    swim__probe_forget(s, m);
    swim__peer_forget(s, m);
    swim__table_erase(&s->members, m);
}
