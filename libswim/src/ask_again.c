/* ask_again.c - a query that everybody must answer is put to those who are silent once more,
 * directly.
 *
 * Gossip sends each query to a few members and hopes: in a pool of six each member says it four
 * times, to members drawn at random, and one time in fifty somebody is left out. For an event that
 * is mended by the next full sync; a query is over by then. Who got it and answered in vain knows
 * it by its number, and does nothing: for lost answers there is the relay factor. */
#include "core.h"

enum { AGAIN_MAX = 64 }; /* datagrams at a time: when more are silent, something else is wrong */

static bool is_due(const struct swim *s, const struct swim__asked *a, const struct swim__member *m)
{
    bool up = m->state == SWIM_ALIVE || m->state == SWIM_SUSPECT;
    return up && m != s->self && !swim__has_answered(a, swim__member_name(m));
}

void swim__ask_the_silent(struct swim *s, const struct swim__asked *a)
{
    size_t sent = 0;
    for (size_t i = 0; i < s->members.len && sent < AGAIN_MAX; i++) {
        const struct swim__member *m = s->members.list[i];
        if (is_due(s, a, m) && !SWIM__PLANTED(SILENT_LEFT_ALONE)) {
            swim__send_user(s, &m->addr, (struct mu_str){a->raw, a->raw_len});
            sent++;
        }
    }
}
