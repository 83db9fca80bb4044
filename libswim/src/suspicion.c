/* suspicion.c - how long a suspicion lasts (SWIM 4.2; Lifeguard IV-B, local health aware
 * suspicion).
 *
 * It starts with a long timeout and shrinks towards the minimum as independent members confirm it:
 * a suspicion that nobody shares says more about its author than about the suspect. */
#include "core.h"
#include "formula.h"

#include <assert.h>

enum { HELD_MAX = 4 }; /* probe intervals */

static uint64_t hash_name(const struct swim *s, struct mu_str name)
{
    return mu__siphash(s->hash_seed, name.p, name.len);
}

/* It is due, but so may be its refutation, unread: that is waited for, though not for long. Where
 * nobody else could confirm it, it ends as in memberlist. */
static bool is_held(const struct swim *s, struct swim__suspicion *p)
{
    bool held = p->k > 0 && p->held < HELD_MAX && swim__hears_nobody(s);
    p->held += held ? 1 : 0;
    return held;
}

static void expire(struct swim *s, struct swim__timer *t)
{
    struct swim__suspicion *p = (struct swim__suspicion *)t;
    struct swim__member *m = p->member;
    assert(m->suspicion == p && m->state == SWIM_SUSPECT);
    if (swim__overslept(s, t) || is_held(s, p) || SWIM__PLANTED(SUSPICION_ENDLESS)) {
        swim__timer_reset(s, t, s->now + s->cfg.probe_interval_ns);
        return;
    }
    swim__log(s, MU_INFO, "%s is dead: suspected for %llu ms, %u of %u confirmations", m->name,
              (unsigned long long)((s->now - p->start_ns) / MU_MSEC), p->confirmations, p->k);
    struct swim__accusation dead = {.node = swim__member_name(m),
                                    .from = swim__member_name(s->self),
                                    .incarnation = m->incarnation};
    if (swim__dead(s, &dead) != SWIM_OK) {
        swim__timer_reset(s, t, s->now + s->cfg.probe_interval_ns); /* out of memory: again later */
    }
}

bool swim__suspicion_start(struct swim *s, struct swim__member *m, struct mu_str from)
{
    uint32_t k = swim__suspicion_confirmations(s->cfg.suspicion_mult, s->members.len);
    struct swim__suspicion *p =
        mu__alloc(&s->allocator, sizeof *p + ((size_t)k + 1) * sizeof p->from[0]);
    if (!p) {
        return false;
    }
    uint64_t min =
        swim__suspicion_min_ns(s->cfg.suspicion_mult, s->members.len, s->cfg.probe_interval_ns);
    *p = (struct swim__suspicion){.timer = {.item.slot = MU_HEAP_NONE, .fire = expire},
                                  .member = m,
                                  .start_ns = s->now,
                                  .min_ns = min,
                                  .max_ns = min * s->cfg.suspicion_max_mult,
                                  .k = k};
    p->from[0] = hash_name(s, from);
    if (!swim__timer_set(s, &p->timer, s->now + (k > 0 ? p->max_ns : p->min_ns))) {
        mu__free(&s->allocator, p);
        return false;
    }
    m->suspicion = p;
    return true;
}

bool swim__suspicion_confirm(struct swim *s, struct swim__member *m, struct mu_str from)
{
    struct swim__suspicion *p = m->suspicion;
    uint64_t hash = hash_name(s, from);
    if (p->confirmations >= p->k || SWIM__PLANTED(SUSPICION_NOT_CONFIRMED)) {
        return false;
    }
    for (uint32_t i = 0; i <= p->confirmations; i++) {
        if (p->from[i] == hash) {
            return false;
        }
    }
    p->from[++p->confirmations] = hash;
    uint64_t total = swim__suspicion_total_ns(p->confirmations, p->k, p->min_ns, p->max_ns);
    uint64_t end = p->start_ns + total;
    swim__timer_reset(s, &p->timer, end > s->now ? end : s->now);
    return true;
}

void swim__suspicion_clear(struct swim *s, struct swim__member *m)
{
    if (m->suspicion) {
        swim__timer_stop(s, &m->suspicion->timer);
        mu__free(&s->allocator, m->suspicion);
        m->suspicion = NULL;
    }
}
