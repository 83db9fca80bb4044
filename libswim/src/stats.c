#include "core.h"

#include <string.h>

void swim_stats_sized(const struct swim *s, struct swim_stats *out, size_t size)
{
    struct swim_stats st = s->stats;
    st.size = size;
    st.members = swim__table_known(&s->members);
    st.alive = s->members.statuses[SWIM_STATUS_ALIVE];
    st.failed = s->members.statuses[SWIM_STATUS_FAILED];
    st.left = s->members.statuses[SWIM_STATUS_LEFT];
    st.health_score = s->score;
    st.incarnation = s->incarnation;
    st.member_clock = s->member_clock.time;
    st.event_clock = s->event_clock.time;
    st.query_clock = s->query_clock.time;
    st.member_queue = s->updates.count;
    st.intent_queue = s->intents.count;
    st.event_queue = s->user_events.count;
    st.query_queue = s->queries.count;
    st.coordinates_reset = s->coords.resets;
    st.encrypted = swim__keyring_count(s->keyring) > 0;
    memset(out, 0, size);
    memcpy(out, &st, mu__min(size, sizeof st));
}
