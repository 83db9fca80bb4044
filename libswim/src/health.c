/* health.c - how well we do ourselves (Lifeguard IV-A, local health multiplier). A score of 0 is
 * healthy; each point stretches our probe interval by one, since a slow node takes others for
 * dead. */
#include "core.h"

enum { SILENCE_INTERVALS = 3 };

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

static bool is_silent(const struct swim *s)
{
    return s->now - s->heard_ns >= SILENCE_INTERVALS * s->cfg.probe_interval_ns;
}

/* A datagram came that we can read. */
void swim__heard(struct swim *s)
{
    if (is_silent(s)) {
        s->hearing_ns = s->now;
    }
    s->heard_ns = s->now;
}

/* Did nothing reach us for three probe intervals, or until less than one ago? In each we should get
 * an answer and a ping, so that silence from everybody says that we are cut off or starved. And
 * what arrives first when that ends is no juster: old accusations of others who are as slow come
 * before the refutations behind them are read. */
bool swim__hears_nobody(const struct swim *s)
{
    bool lately = s->hearing_ns > 0 && s->now - s->hearing_ns < s->cfg.probe_interval_ns;
    return (is_silent(s) || lately) && !SWIM__PLANTED(SILENCE_IGNORED) &&
           !SWIM__PLANTED(PAUSE_IGNORED);
}
