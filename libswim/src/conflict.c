/* conflict.c - two nodes of one name. The one that meets another with its own name asks everybody
 * whom they know by it; the majority decides, and who is in the minority falls silent. The other
 * node does the same, and loses there where we win.
 *
 * Beyond Serf, a name is lost only to a node that lives: the other one is pinged meanwhile. Who
 * comes back at another address before its former self was found dead has nobody to give way to. */
#include "core.h"

#include <string.h>

#define AGAIN_NS (30 * MU_SEC) /* a question that was just decided is not asked again */

static void log_ask_failure(struct swim *s, int rc)
{
    swim__log(s, MU_WARN, "could not ask whose our name is: %s", swim_strerror(rc));
}

void swim__name_contested(struct swim *s, const struct swim_addr *other)
{
    bool lately = s->contested_ns != 0 && s->now - s->contested_ns < AGAIN_NS;
    if (!s->cfg.resolve_conflicts || s->leave_stage != SWIM__STAYING || lately) {
        return;
    }
    struct swim_question q;
    uint32_t id;
    swim_question_init(&q);
    q.name = (struct mu_str){"_serf_conflict", 14};
    q.payload = swim__member_name(s->self);
    int rc = swim__ask(s, &q, SWIM__ASK_NAME, NULL, &id);
    if (rc != SWIM_OK) {
        log_ask_failure(s, rc);
        return;
    }
    s->contested_ns = s->now;
    struct swim__asked *a = mu__map_get(&s->asked, &id, sizeof id);
    a->other = *other;
    a->ping_seq = ++s->seq;
    struct swim__msg ping = {.type = SWIM__MSG_PING,
                             .ping = {.node = swim__member_name(s->self), .seq_no = a->ping_seq}};
    swim__source_fields(s, &ping.ping.source_addr, &ping.ping.source_node, &ping.ping.source_port);
    swim__send_msg(s, other, &ping);
}

bool swim__name_ack(struct swim *s, uint32_t seq)
{
    size_t at = 0;
    for (struct swim__asked *a; (a = mu__map_next(&s->asked, &at)) != NULL;) {
        if (a->purpose == SWIM__ASK_NAME && a->ping_seq == seq) {
            a->other_lives = true;
            return true;
        }
    }
    return false;
}

void swim__name_count(const struct swim *s, struct swim__asked *a, struct mu_str payload)
{
    struct swim__serf_msg msg;
    if (!swim__serf_decode(payload.p, payload.len, &msg) ||
        msg.type != SWIM__SERF_CONFLICT_RESPONSE) {
        a->answers--; /* says neither one nor the other */
        return;
    }
    struct swim_addr named = {.port = msg.conflict.member.port};
    named.len = (uint8_t)swim__wire_addr(msg.conflict.member.addr, named.ip);
    if (msg.conflict.known && swim_addr_equal(&named, &s->self->addr)) {
        a->matching++;
    }
}

/* False: out of memory, and nothing is decided yet. Serf also gives up its name when nobody
 * answers; we do not, for then nobody is there whom two of a name could confuse. */
bool swim__name_decide(struct swim *s, const struct swim__asked *a)
{
    if (a->answers == 0 || a->matching >= a->answers / 2 + 1) {
        swim__log(s, MU_INFO, "our name stays ours: %u of %u members say so", a->matching,
                  a->answers);
        return true;
    }
    if (!a->other_lives) {
        swim__log(s, MU_WARN,
                  "%u of %u members know our name elsewhere, where nobody answers to it",
                  a->answers - a->matching, a->answers);
        return true;
    }
    struct mu_str none = {0};
    struct swim__event_body *body =
        swim__events_reserve(s, 1) ? swim__event_body(s, none, none) : NULL;
    if (!body) {
        return false;
    }
    char text[SWIM_ADDR_TEXT];
    swim__log(s, MU_ERROR, "%s is the name of %s to the pool (%u of %u members know us): stopping",
              s->self->name, swim_addr_text(&a->other, text), a->matching, a->answers);
    body->addr = a->other;
    s->leave_stage = SWIM__HAS_LEFT;
    swim__event_push(s, SWIM_EVENT_NAME_LOST, s->self, body);
    return true;
}
