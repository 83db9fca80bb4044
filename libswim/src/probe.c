/* probe.c - one member after the other is asked whether it is alive (SWIM 3.1 and 4.3; Lifeguard's
 * nack and buddy).
 *
 *     sent        ping; a suspect is told of the suspicion in the same datagram (Lifeguard: buddy)
 *     + timeout   no ack: ask helpers to ping it, and try a stream ourselves
 *     + interval  still no ack: suspect it, unless the stream was answered, which tells of a
 *                 blocked UDP port
 *
 * The interval grows with our own health score, so that a slow node waits longer before it
 * accuses. */
#include "core.h"

#include <assert.h>
#include <string.h>

enum { HELPERS_MAX = 16 };

void swim__source_fields(const struct swim *s, struct mu_str *addr, struct mu_str *node,
                         uint16_t *port)
{
    *addr = (struct mu_str){(const char *)s->self->addr.ip, s->self->addr.len};
    *node = swim__member_name(s->self);
    *port = s->self->addr.port;
}

static struct swim__ping ping_for(struct swim *s, const struct swim__member *m, uint32_t seq)
{
    struct swim__ping ping = {.node = swim__member_name(m), .seq_no = seq};
    swim__source_fields(s, &ping.source_addr, &ping.source_node, &ping.source_port);
    return ping;
}

/* ---- whom to probe ---- */

/* A round is over: drop those who are dead for long, so that nobody gossips about them any more,
 * and shuffle. */
static void next_round(struct swim *s)
{
    struct swim__table *t = &s->members;
    for (size_t i = 0; i < t->len;) {
        struct swim__member *m = t->list[i];
        bool down = m->state == SWIM_DEAD || m->state == SWIM_GONE;
        if (m == s->self || !down || s->now - m->state_ns <= s->cfg.gossip_to_the_dead_ns) {
            i++;
            continue;
        }
        swim__table_delist(t, m); /* moves the last one to slot i */
        swim__forget(s, m);
    }
    swim__table_shuffle(t, &s->prng);
    s->probe.at = 0;
}

static bool is_target(const struct swim *s, const struct swim__member *m)
{
    return m != s->self && (m->state == SWIM_ALIVE || m->state == SWIM_SUSPECT);
}

/* The next target of the round, at most one round on; NULL when there is nobody. */
static struct swim__member *next_target(struct swim *s)
{
    for (size_t checked = 0; checked <= s->members.len; checked++) {
        if (s->probe.at >= s->members.len) {
            next_round(s);
        }
        struct swim__member *m = s->members.list[s->probe.at++];
        if (is_target(s, m)) {
            return m;
        }
    }
    return NULL;
}

/* ---- the stages of a probe ---- */

static void begin(struct swim *s)
{
    struct swim__probe *p = &s->probe;
    struct swim__member *m = next_target(s);
    p->tick_missed = false;
    if (!m) {
        return;
    }
    p->active = true;
    p->target = m;
    p->indirect = p->answered_by_stream = false;
    p->nacks = p->nacks_expected = 0;
    p->stream = 0;
    p->seq = ++s->seq;
    p->sent_ns = s->now;
    p->deadline_ns = s->now + s->cfg.probe_interval_ns * (s->score + 1);
    s->stats.probes++;
    s->stats.probes_degraded += s->score > 0 ? 1 : 0;

    struct swim__msg ping = {.type = SWIM__MSG_PING, .ping = ping_for(s, m, p->seq)};
    if (m->state == SWIM_ALIVE) {
        swim__send_piggyback(s, &m->addr, m, &ping);
    } else {
        struct swim__msg suspect = {.type = SWIM__MSG_SUSPECT,
                                    .suspect = {.node = swim__member_name(m),
                                                .from = swim__member_name(s->self),
                                                .incarnation = m->incarnation}};
        struct mu__writer *w = swim__build(s);
        swim__msg_encode(w, &ping);
        size_t first = w->len;
        swim__msg_encode(w, &suspect);
        if (!w->failed) {
            struct mu_str parts[2] = {{(const char *)w->data, first},
                                      {(const char *)w->data + first, w->len - first}};
            swim__send_parts(s, &m->addr, m, parts, 2);
        }
    }
    swim__timer_reset(s, &p->stage, s->now + s->cfg.probe_timeout_ns);
}

static void finish(struct swim *s)
{
    struct swim__probe *p = &s->probe;
    p->active = false;
    p->target = NULL;
    p->stream = 0; /* a stream that is still open ends by itself, unheard */
    swim__timer_stop(s, &p->stage);
    if (p->tick_missed) {
        begin(s);
    }
}

static bool is_helper(const struct swim__member *m, const void *arg)
{
    const struct swim *s = arg;
    return m->state == SWIM_ALIVE && m != s->self && m != s->probe.target &&
           !SWIM__PLANTED(NO_HELPERS);
}

static void ask_helpers(struct swim *s)
{
    struct swim__probe *p = &s->probe;
    struct swim__member *helpers[HELPERS_MAX];
    size_t n = swim__table_pick(&s->members, &s->prng, is_helper, s, helpers,
                                mu__min(s->cfg.indirect_checks, HELPERS_MAX));
    for (size_t i = 0; i < n; i++) {
        bool nack = swim__pmax(helpers[i]) >= 4;
        p->nacks_expected += nack ? 1 : 0;
        struct swim__msg msg = {
            .type = SWIM__MSG_INDIRECT_PING,
            .indirect_ping = {.node = swim__member_name(p->target),
                              .target = {(const char *)p->target->addr.ip, p->target->addr.len},
                              .seq_no = p->seq,
                              .port = p->target->addr.port,
                              .nack = nack}};
        swim__source_fields(s, &msg.indirect_ping.source_addr, &msg.indirect_ping.source_node,
                            &msg.indirect_ping.source_port);
        swim__send_msg(s, &helpers[i]->addr, &msg);
    }
}

static void try_stream(struct swim *s)
{
    struct swim__probe *p = &s->probe;
    if (!s->cfg.tcp_fallback_ping || swim__pmax(p->target) < 3) {
        return;
    }
    struct swim__ping ping = ping_for(s, p->target, p->seq);
    struct swim__stream *st = swim__stream_open_ping(s, &p->target->addr, &ping);
    if (st) {
        st->deadline_ns = p->deadline_ns;
        p->stream = st->id;
    }
}

/* Nobody reached it. The blame is shared: helpers that sent no nack either tell that we are cut off
 * (Lifeguard IV-A). */
static void give_up(struct swim *s)
{
    struct swim__probe *p = &s->probe;
    struct swim__member *m = p->target;
    if (p->answered_by_stream) {
        char text[SWIM_ADDR_TEXT];
        swim__log(s, MU_WARN, "%s answers over TCP but not over UDP: is UDP to or from %s blocked?",
                  m->name, swim_addr_text(&m->addr, text));
        s->stats.tcp_fallbacks++;
        swim__health_add(s, -1);
        return;
    }
    s->stats.probes_failed++;
    if (p->nacks_expected == 0) {
        swim__health_add(s, 1);
    } else if (p->nacks < p->nacks_expected) {
        swim__health_add(s, (int)(p->nacks_expected - p->nacks));
    }
    swim__log(s, MU_DEBUG, "no answer from %s: suspecting it", m->name);
    struct swim__accusation suspect = {.node = swim__member_name(m),
                                       .from = swim__member_name(s->self),
                                       .incarnation = m->incarnation};
    if (swim__suspect(s, &suspect) != SWIM_OK) {
        swim__log(s, MU_ERROR, "out of memory: could not suspect %s", m->name);
    }
}

static void stage_over(struct swim *s, struct swim__timer *t)
{
    struct swim__probe *p = &s->probe;
    assert(p->active && p->target);
    if (swim__overslept(s, t)) {
        swim__health_add(s, 1); /* the answer may well lie in our socket: this probe says nothing */
        finish(s);
        return;
    }
    if (!p->indirect) {
        p->indirect = true;
        ask_helpers(s);
        try_stream(s);
        swim__timer_reset(s, t, p->deadline_ns);
        return;
    }
    give_up(s);
    finish(s);
}

void swim__probe_tick(struct swim *s, struct swim__timer *t)
{
    swim__timer_reset(s, t, s->now + s->cfg.probe_interval_ns);
    if (s->leave_stage >= SWIM__LEAVE_SPREAD) {
        return;
    }
    if (s->probe.active) {
        s->probe.tick_missed = true;
    } else {
        begin(s);
    }
}

void swim__probe_init(struct swim *s)
{
    s->probe = (struct swim__probe){.tick = {.item.slot = MU_HEAP_NONE, .fire = swim__probe_tick},
                                    .stage = {.item.slot = MU_HEAP_NONE, .fire = stage_over}};
}

void swim__probe_forget(struct swim *s, const struct swim__member *m)
{
    if (s->probe.target == m) {
        finish(s);
    }
}

/* ---- answers ---- */

bool swim__probe_ack(struct swim *s, const struct swim__ack *ack)
{
    struct swim__probe *p = &s->probe;
    bool ours = p->active &&
                (ack->seq_no == p->seq ||
                 (SWIM__PLANTED(ACK_BY_ADDRESS) && swim_addr_equal(&s->from, &p->target->addr)));
    if (!ours) {
        return false;
    }
    struct swim_coordinate other;
    if (ack->payload.len > 0 && swim__coord_payload_decode(ack->payload, &other)) {
        swim__peer_measured(s, p->target, &other, s->now - p->sent_ns);
    }
    s->stats.probes_answered++;
    s->stats.probes_answered_ns += s->now - p->sent_ns;
    swim__health_add(s, -1);
    finish(s);
    return true;
}

bool swim__probe_nack(struct swim *s, uint32_t seq)
{
    struct swim__probe *p = &s->probe;
    if (!p->active || !p->indirect || seq != p->seq) {
        return false;
    }
    p->nacks++;
    return true;
}

void swim__probe_stream_ack(struct swim *s, uint32_t stream, uint32_t seq)
{
    struct swim__probe *p = &s->probe;
    if (p->active && p->stream == stream && p->seq == seq) {
        p->answered_by_stream = true;
    }
}
