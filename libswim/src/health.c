/* health.c - how well we do ourselves (Lifeguard IV-A, local health multiplier). A score of 0 is
 * healthy; each point stretches our probe interval by one, since a slow node takes others for
 * dead. */
#include "core.h"

void swim__health_add(struct swim *s, int delta)
{
    int64_t score = SWIM__PLANTED(HEALTH_IGNORED) ? 0 : (int64_t)s->score + delta;
    int64_t top = (int64_t)s->cfg.awareness_max - 1;
    score = score < 0 ? 0 : score > top ? top : score;
    if ((uint32_t)score > s->score) {
        swim__log(s, MU_DEBUG, "local health score %u, was %u", (unsigned)score, s->score);
    }
    s->score = (uint32_t)score;
}

/* Were we stopped or starved when this timer was due? Then what it waited for may have come
 * meanwhile, unread, and it would be wrong to blame others. */
bool swim__overslept(const struct swim *s, const struct swim__timer *t)
{
    return s->now - t->item.at >= s->cfg.probe_timeout_ns && !SWIM__PLANTED(PAUSE_IGNORED);
}
