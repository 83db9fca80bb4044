/* reap.c - the end of a record, and the attempts to avoid it: failed members are tried again at a
 * low rate, for as long as they are on record, and the last few that were reaped without a farewell
 * even after that. Two halves of a pool that were apart for long find each other so. */
#include "core.h"

static bool is_due(const struct swim *s, const struct swim__member *m)
{
    uint64_t age = SWIM__PLANTED(NEVER_REAPED) ? 0 : s->now - m->gone_ns;
    switch ((enum swim_status)m->status) {
    case SWIM_STATUS_FAILED:
        return age > s->cfg.reconnect_timeout_ns;
    case SWIM_STATUS_LEFT:
        return m->prune || age > s->cfg.tombstone_timeout_ns;
    case SWIM_STATUS_LEAVING: /* asked to be pruned, but it never went down */
        return m->prune && age > s->cfg.broadcast_timeout_ns + s->cfg.leave_propagate_ns;
    default:
        return false;
    }
}

static void remember_lost(struct swim *s, const struct swim_addr *addr)
{
    enum { LOST_MAX = sizeof s->lost / sizeof s->lost[0] };
    for (uint32_t i = 0; i < s->lost_len; i++) {
        if (swim_addr_equal(&s->lost[i], addr)) {
            return;
        }
    }
    s->lost[s->lost_at] = *addr;
    s->lost_at = (s->lost_at + 1) % LOST_MAX;
    s->lost_len += s->lost_len < LOST_MAX ? 1 : 0;
}

void swim__reap_fire(struct swim *s, struct swim__timer *t)
{
    swim__timer_reset(s, t, s->now + s->cfg.reap_interval_ns);
    size_t at = 0;
    for (struct swim__member *m; (m = swim__table_next(&s->members, &at)) != NULL;) {
        if (m == s->self || !is_due(s, m) || !swim__events_reserve(s, 1)) {
            continue;
        }
        if (m->status == SWIM_STATUS_FAILED) {
            remember_lost(s, &m->addr);
        }
        swim__log(s, MU_INFO, "reaping %s", m->name);
        swim__status_erase(s, m);
    }
    swim__early_intents_expire(s);
    swim__queries_expire(s);
}

/* The failed member whose turn it is, one after the other, so that none waits for luck; NULL if
 * there is none. */
static const struct swim__member *next_failed(struct swim *s)
{
    for (int pass = 0; pass < 2; pass++) {
        const struct swim__member *m;
        while ((m = swim__table_next(&s->members, &s->reconnect_at)) != NULL) {
            if (m->status == SWIM_STATUS_FAILED) {
                return m;
            }
        }
        s->reconnect_at = 0;
    }
    return NULL;
}

/* All members together try about as many of the failed as there are, per interval: few in a large
 * pool with one failure, and everybody when most are gone. */
void swim__reconnect_fire(struct swim *s, struct swim__timer *t)
{
    swim__timer_reset(s, t, s->now + s->cfg.reconnect_interval_ns);
    if (s->leave_stage != SWIM__STAYING || SWIM__PLANTED(NEVER_RECONNECTS)) {
        return;
    }
    size_t failed = s->members.statuses[SWIM_STATUS_FAILED];
    size_t up = mu__max(s->members.statuses[SWIM_STATUS_ALIVE], 1);
    if (failed > 0 && mu__prng_below(&s->prng, up) < failed) {
        const struct swim__member *m = next_failed(s);
        swim__log(s, MU_DEBUG, "trying to reach failed member %s", m->name);
        (void)swim__stream_open_sync(s, &m->addr, true);
    } else if (s->lost_len > 0 && mu__prng_below(&s->prng, 8 * (uint64_t)up) < s->lost_len) {
        (void)swim__stream_open_sync(s, &s->lost[mu__prng_below(&s->prng, s->lost_len)], true);
    }
}
