/* gossip.c - what is new rides on pings and on datagrams of its own (SWIM 4.1).
 *
 * Member updates come first, but a quarter of each datagram is kept for Serf's messages when any
 * wait: in a large pool under churn, updates alone would fill every datagram and events would
 * starve. The timer runs only while something waits, on a beat of its own, so that an idle pool
 * wakes nobody. */
#include "core.h"
#include "formula.h"

enum { TARGETS_MAX = 32, PART_EXTRA = 2 /* its length in the compound */, COMPOUND_EXTRA = 2 };

size_t swim__gossip_room(const struct swim *s)
{
    return s->cfg.packet_bytes_max - COMPOUND_EXTRA - swim__packet_overhead(&s->envelope);
}

static void take_from(struct swim__queue *q, struct swim__parts *parts, size_t *room)
{
    while (parts->n<SWIM__COMPOUND_MAX && * room> PART_EXTRA) {
        const struct swim__broadcast *b = swim__queue_take(q, *room - PART_EXTRA);
        if (!b) {
            return;
        }
        parts->items[parts->n++] = (struct mu_str){(const char *)b->bytes, b->len};
        *room -= b->len + PART_EXTRA;
    }
}

static bool serf_waits(const struct swim *s)
{
    return s->intents.count > 0 || s->queries.count > 0 || s->user_events.count > 0;
}

void swim__gossip_fill(struct swim *s, struct swim__parts *parts, size_t room)
{
    size_t kept = serf_waits(s) && !SWIM__PLANTED(UPDATES_FIRST) ? room / 4 : 0;
    room -= kept;
    take_from(&s->updates, parts, &room);
    room += kept;
    take_from(&s->intents, parts, &room);
    take_from(&s->queries, parts, &room);
    take_from(&s->user_events, parts, &room);
    if (kept > 0) {
        take_from(&s->updates, parts, &room);
    }
}

static uint32_t send_limit(const struct swim *s, size_t members)
{
    uint32_t limit = swim__retransmit_limit(s->cfg.retransmit_mult, members);
    return SWIM__PLANTED(RETRANSMIT_TOO_FEW)    ? limit / 10
           : SWIM__PLANTED(RETRANSMIT_TOO_MANY) ? limit * 8
                                                : limit;
}

void swim__gossip_settle(struct swim *s)
{
    uint32_t limit = send_limit(s, s->members.len);
    uint32_t serf_limit = send_limit(s, swim__table_known(&s->members));
    swim__queue_settle(&s->updates, limit);
    swim__queue_settle(&s->intents, serf_limit);
    swim__queue_settle(&s->queries, serf_limit);
    swim__queue_settle(&s->user_events, serf_limit);
}

static bool is_target(const struct swim__member *m, const void *arg)
{
    const struct swim *s = arg;
    switch ((enum swim_state)m->state) {
    case SWIM_ALIVE:
    case SWIM_SUSPECT:
        return m != s->self;
    case SWIM_DEAD:
        return s->now - m->state_ns < s->cfg.gossip_to_the_dead_ns;
    default:
        return false;
    }
}

/* Starts the beat if it stands still; `phase` keeps the beats of a pool from falling together. */
static void arm(struct swim *s)
{
    if (s->gossip.item.slot == MU_HEAP_NONE) {
        uint64_t beat = s->cfg.gossip_interval_ns;
        uint64_t since = (s->now - s->gossip_phase) % beat;
        swim__timer_reset(s, &s->gossip, s->now + beat - since);
    }
}

void swim__gossip_fire(struct swim *s, struct swim__timer *t)
{
    (void)t;
    struct swim__member *targets[TARGETS_MAX];
    size_t n = swim__table_pick(&s->members, &s->prng, is_target, s, targets,
                                mu__min(s->cfg.gossip_nodes, TARGETS_MAX));
    for (size_t i = 0; i < n; i++) {
        struct swim__parts parts = {.n = 0};
        swim__gossip_fill(s, &parts, swim__gossip_room(s));
        if (parts.n == 0) {
            break;
        }
        swim__send_parts(s, &targets[i]->addr, targets[i], parts.items, parts.n);
        swim__gossip_settle(s);
    }
    /* With nobody to talk to it stops; the first member to appear is itself an update, which starts
     * it again. */
    if (n > 0 && (s->updates.count > 0 || serf_waits(s))) {
        arm(s);
    }
}

static size_t queue_max(const struct swim *s)
{
    return mu__max(s->cfg.broadcasts_max, 2 * swim__table_known(&s->members));
}

bool swim__gossip_update(struct swim *s, struct swim__member *m, const struct swim__msg *msg)
{
    struct mu__writer *w = swim__build(s);
    swim__msg_encode(w, msg);
    if (w->failed || w->len + PART_EXTRA > swim__gossip_room(s) ||
        !swim__queue_add(&s->updates, w->data, w->len, &m->update, SIZE_MAX)) {
        return false;
    }
    arm(s);
    return true;
}

bool swim__gossip_serf(struct swim *s, struct swim__queue *q, struct mu_str serf,
                       struct swim__broadcast **watch)
{
    struct swim__msg msg = {.type = SWIM__MSG_USER, .user = serf};
    struct mu__writer *w = swim__build(s);
    swim__msg_encode(w, &msg);
    if (w->failed || w->len + PART_EXTRA > swim__gossip_room(s) ||
        !swim__queue_add(q, w->data, w->len, watch, queue_max(s))) {
        return false;
    }
    arm(s);
    return true;
}
