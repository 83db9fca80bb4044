/* check.c - every invariant of a swim, for tests and the simulator. */
#include "core.h"

#include <assert.h>

static void check_member(const struct swim *s, const struct swim__member *m)
{
    bool listed = m->slot != SWIM__NO_SLOT;
    assert(!m->erased && s->members.all[m->place] == m);
    assert(!m->peer || m->peer->member == m);
    assert(listed == (m->state != SWIM_NONE));
    assert(!listed || (m->slot < s->members.len && s->members.list[m->slot] == m));
    assert((m->suspicion != NULL) == (m->state == SWIM_SUSPECT));
    assert(!m->suspicion || m->suspicion->member == m);
    assert(m->state != SWIM_NONE || m->status != SWIM_STATUS_NONE);
    assert(m->status != SWIM_STATUS_FAILED || (m->state != SWIM_ALIVE && m->state != SWIM_SUSPECT));
    assert(!m->update || m->update->watch);
}

void swim__check(const struct swim *s)
{
    size_t at = 0, n = 0, listed = 0;
    size_t states[SWIM_NONE + 1] = {0}, statuses[SWIM_STATUS_FAILED + 1] = {0};
    for (const struct swim__member *m; (m = swim__table_next(&s->members, &at)) != NULL;) {
        check_member(s, m);
        states[m->state]++;
        statuses[m->status]++;
        listed += m->state != SWIM_NONE ? 1 : 0;
        n++;
    }
    assert(n == s->members.count && listed == s->members.len);
    for (size_t i = 0; i <= SWIM_NONE; i++) {
        assert(states[i] == s->members.states[i]);
    }
    for (size_t i = 0; i <= SWIM_STATUS_FAILED; i++) {
        assert(statuses[i] == s->members.statuses[i]);
    }
    assert(s->self->incarnation == s->incarnation);
    assert(s->leave_stage > SWIM__LEAVE_INTENT || s->self->state == SWIM_ALIVE);
    assert(s->score < s->cfg.awareness_max);
    assert(swim__queue_check(&s->updates) && swim__queue_check(&s->intents));
    assert(swim__queue_check(&s->queries) && swim__queue_check(&s->user_events));
    assert(s->events.len <= s->events.cap && s->outbox.len <= s->outbox.cap);
    assert(!s->probe.active || s->probe.target);
    assert(s->peers.count <= s->cfg.coordinates_max && s->asked.count <= s->cfg.queries_max);
}
