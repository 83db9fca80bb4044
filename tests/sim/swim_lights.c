#include "swim_lights.h"

#include "formula.h"

#include <assert.h>
#include <muster/mu.h>
#include <stdlib.h>

enum {
    PROBE_MS = 1000,
    GOSSIP_MS = 200,
    FANOUT = 3,
    CONFIRM = 2,
    SUSPICION_MULT = 4,
    SUSPICION_MAX_MULT = 6,
    RETRANSMIT_MULT = 4,
    TIERS_MAX = 40,
    NONE = UINT16_MAX
};

/* What one light knows of one victim. News to be sent stands in a list per number of sends. */
struct knowledge {
    uint32_t start_ms;          /* of the suspicion */
    uint32_t from[1 + CONFIRM]; /* accusers; from[0] is also who said that it is dead */
    uint16_t prev, next;        /* in its tier */
    uint8_t kind, confirmations, sends, said_by; /* said_by: which accuser is gossiped */
};

struct light {
    uint32_t at, step; /* of the walk over all members: its order of probes */
    uint32_t due_ms;   /* no suspicion ends before */
    uint32_t waiting;  /* news to be sent */
    uint16_t tiers[TIERS_MAX];
};

struct silence { /* a probe that nobody will answer */
    struct silence *next;
    uint32_t light;
    uint16_t victim;
};

struct lights {
    struct lights_options o;
    struct mu__prng prng;
    struct light *lights;
    struct knowledge *knowledge; /* [light * victims + victim] */
    uint16_t *victim_of;         /* member -> victim */
    uint32_t *victims;           /* victim -> member */
    struct silence *silences[PROBE_MS];
    uint32_t limit, total_ms[CONFIRM + 1], now_ms;
    bool killed;
    uint64_t heard;
};

static struct knowledge *knows(const struct lights *l, uint32_t light, uint16_t victim)
{
    return &l->knowledge[(size_t)light * l->o.victims + victim];
}

uint32_t lights_victim(const struct lights *l, uint16_t victim)
{
    return l->victims[victim];
}

uint16_t lights_victim_of(const struct lights *l, uint32_t member)
{
    return l->victim_of[member];
}

bool lights_is_up(const struct lights *l, uint32_t member)
{
    return !l->killed || l->victim_of[member] == NONE;
}

void lights_kill(struct lights *l)
{
    l->killed = true;
}

uint64_t lights_heard(const struct lights *l)
{
    return l->heard;
}

/* ---- news to be sent, the least often sent first ---- */

static void tier_remove(struct lights *l, uint32_t light, uint16_t victim)
{
    struct knowledge *k = knows(l, light, victim);
    *(k->prev == NONE ? &l->lights[light].tiers[k->sends] : &knows(l, light, k->prev)->next) =
        k->next;
    if (k->next != NONE) {
        knows(l, light, k->next)->prev = k->prev;
    }
    l->lights[light].waiting--;
}

static void tier_add(struct lights *l, uint32_t light, uint16_t victim, uint8_t sends)
{
    struct knowledge *k = knows(l, light, victim);
    uint16_t *first = &l->lights[light].tiers[sends];
    k->sends = sends;
    k->prev = NONE;
    k->next = *first;
    if (*first != NONE) {
        knows(l, light, *first)->prev = victim;
    }
    *first = victim;
    l->lights[light].waiting++;
}

/* News replaces what was said of the same victim before. */
static void spread(struct lights *l, uint32_t light, uint16_t victim, uint8_t said_by)
{
    struct knowledge *k = knows(l, light, victim);
    if (k->sends < l->limit) {
        tier_remove(l, light, victim);
    }
    k->said_by = said_by;
    tier_add(l, light, victim, 0);
}

/* What the next datagram of a light carries; each is one send nearer to its limit. */
static size_t take(struct lights *l, uint32_t light, struct rumour out[LIGHT_RUMOURS_MAX])
{
    uint16_t taken[LIGHT_RUMOURS_MAX];
    size_t n = 0;
    for (uint32_t sends = 0; sends < l->limit && n < LIGHT_RUMOURS_MAX; sends++) {
        uint16_t v;
        while (n < LIGHT_RUMOURS_MAX && (v = l->lights[light].tiers[sends]) != NONE) {
            const struct knowledge *k = knows(l, light, v);
            out[n] = (struct rumour){v, k->kind, k->from[k->said_by]};
            taken[n++] = v;
            tier_remove(l, light, v);
        }
    }
    for (size_t i = n; i-- > 0;) {
        struct knowledge *k = knows(l, light, taken[i]);
        uint8_t sends = (uint8_t)(k->sends + 1);
        if (sends < l->limit) {
            tier_add(l, light, taken[i], sends);
        } else {
            k->sends = sends;
        }
    }
    return n;
}

/* ---- suspicion ---- */

static void dies(struct lights *l, uint32_t light, uint16_t victim, uint32_t from)
{
    struct knowledge *k = knows(l, light, victim);
    k->kind = LIGHT_DEAD;
    k->from[0] = from;
    spread(l, light, victim, 0);
    l->o.on_dead(l->o.user, light, victim);
}

static void note_due(struct lights *l, uint32_t light, const struct knowledge *k)
{
    uint32_t due = k->start_ms + l->total_ms[k->confirmations];
    if (due < l->lights[light].due_ms) {
        l->lights[light].due_ms = due;
    }
}

static void suspect(struct lights *l, uint32_t light, uint16_t victim, uint32_t from)
{
    struct knowledge *k = knows(l, light, victim);
    if (k->kind == LIGHT_ALIVE) {
        k->kind = LIGHT_SUSPECT;
        k->start_ms = l->now_ms;
        k->from[0] = from;
        spread(l, light, victim, 0);
        note_due(l, light, k);
        return;
    }
    if (k->kind == LIGHT_DEAD || k->confirmations == CONFIRM) {
        return;
    }
    for (uint32_t i = 0; i <= k->confirmations; i++) {
        if (k->from[i] == from) {
            return;
        }
    }
    k->from[++k->confirmations] = from;
    spread(l, light, victim, k->confirmations);
    note_due(l, light, k);
}

void lights_hear(struct lights *l, uint32_t light, const struct rumour *r)
{
    l->heard++;
    if (r->kind == LIGHT_SUSPECT) {
        suspect(l, light, r->victim, r->from);
    } else if (knows(l, light, r->victim)->kind != LIGHT_DEAD) {
        dies(l, light, r->victim, r->from);
    }
}

/* Suspicions that are over end in death. */
static void decide(struct lights *l, uint32_t light)
{
    if (l->now_ms < l->lights[light].due_ms) {
        return;
    }
    l->lights[light].due_ms = UINT32_MAX;
    for (uint16_t v = 0; v < l->o.victims; v++) {
        const struct knowledge *k = knows(l, light, v);
        if (k->kind == LIGHT_SUSPECT && l->now_ms >= k->start_ms + l->total_ms[k->confirmations]) {
            dies(l, light, v, light);
        } else if (k->kind == LIGHT_SUSPECT) {
            note_due(l, light, k);
        }
    }
}

/* ---- datagrams ---- */

static void send(struct lights *l, uint32_t light, uint32_t to, bool ping)
{
    struct rumour r[LIGHT_RUMOURS_MAX];
    size_t n = take(l, light, r);
    if (to < l->o.cores) {
        if (n > 0 || ping) {
            l->o.to_core(l->o.user, light, to, ping, r, n);
        }
        return;
    }
    if (!lights_is_up(l, to)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(knows(l, to, r[i].victim), 1);
    }
    for (size_t i = 0; i < n; i++) {
        lights_hear(l, to, &r[i]);
    }
}

static void gossip(struct lights *l, uint32_t light)
{
    for (int i = 0; i < FANOUT && l->lights[light].waiting > 0; i++) {
        uint32_t to = (uint32_t)mu__prng_below(&l->prng, l->o.members);
        if (to != light) {
            send(l, light, to, false);
        }
    }
}

/* The next member of its walk that it does not hold dead. */
static uint32_t next_target(struct lights *l, uint32_t light)
{
    struct light *me = &l->lights[light];
    for (;;) {
        me->at = (uint32_t)(((uint64_t)me->at + me->step) % l->o.members);
        uint16_t v = l->victim_of[me->at];
        if (me->at != light && (v == NONE || knows(l, light, v)->kind != LIGHT_DEAD)) {
            return me->at;
        }
    }
}

static void probe(struct lights *l, uint32_t light)
{
    uint32_t target = next_target(l, light);
    uint16_t v = l->victim_of[target];
    if (v == NONE || knows(l, light, v)->kind == LIGHT_ALIVE) {
        send(l, light, target, true);
    }
    if (lights_is_up(l, target)) {
        return;
    }
    struct silence *s = malloc(sizeof *s);
    struct silence **slot = &l->silences[l->now_ms % PROBE_MS];
    assert(s);
    *s = (struct silence){*slot, light, v};
    *slot = s;
}

void lights_step(struct lights *l, uint32_t now_ms)
{
    l->now_ms = now_ms;
    struct silence *s = l->silences[now_ms % PROBE_MS]; /* of a second ago */
    l->silences[now_ms % PROBE_MS] = NULL;
    while (s) {
        struct silence *next = s->next;
        suspect(l, s->light, s->victim, s->light);
        free(s);
        s = next;
    }
    /* Light i gossips at i mod 200 and probes at i mod 1000. */
    for (uint32_t i = now_ms % GOSSIP_MS; i < l->o.members; i += GOSSIP_MS) {
        if (i < l->o.cores || !lights_is_up(l, i)) {
            continue;
        }
        decide(l, i);
        gossip(l, i);
        if (i % PROBE_MS == now_ms % PROBE_MS) {
            probe(l, i);
        }
    }
}

/* ---- life ---- */

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

static void wake(struct lights *l, uint32_t light)
{
    struct light *me = &l->lights[light];
    me->at = (uint32_t)mu__prng_below(&l->prng, l->o.members);
    do {
        me->step = 1 + (uint32_t)mu__prng_below(&l->prng, l->o.members - 1);
    } while (gcd(me->step, l->o.members) != 1);
    me->due_ms = UINT32_MAX;
    for (size_t i = 0; i < TIERS_MAX; i++) {
        me->tiers[i] = NONE;
    }
    for (uint16_t v = 0; v < l->o.victims; v++) {
        knows(l, light, v)->sends = UINT8_MAX; /* nothing to send */
    }
}

static void choose_victims(struct lights *l)
{
    for (uint32_t i = 0; i < l->o.members; i++) {
        l->victim_of[i] = NONE;
    }
    for (uint16_t v = 0; v < l->o.victims;) {
        uint32_t m = (uint32_t)mu__prng_between(&l->prng, l->o.cores, l->o.members - 1);
        if (l->victim_of[m] == NONE) {
            l->victim_of[m] = v;
            l->victims[v++] = m;
        }
    }
}

struct lights *lights_create(const struct lights_options *o)
{
    struct lights *l = calloc(1, sizeof *l);
    assert(l && o->victims < NONE && o->cores < o->members);
    l->o = *o;
    l->lights = calloc(o->members, sizeof *l->lights);
    l->knowledge = calloc((size_t)o->members * o->victims + 1, sizeof *l->knowledge);
    l->victim_of = calloc(o->members, sizeof *l->victim_of);
    l->victims = calloc((size_t)o->victims + 1, sizeof *l->victims);
    assert(l->lights && l->knowledge && l->victim_of && l->victims);
    mu__prng_seed(&l->prng, o->seed);
    l->limit = swim__retransmit_limit(RETRANSMIT_MULT, o->members);
    assert(l->limit < TIERS_MAX);
    uint64_t min = swim__suspicion_min_ns(SUSPICION_MULT, o->members, PROBE_MS * MU_MSEC);
    for (uint32_t c = 0; c <= CONFIRM; c++) {
        l->total_ms[c] =
            (uint32_t)(swim__suspicion_total_ns(c, CONFIRM, min, SUSPICION_MAX_MULT * min) /
                       MU_MSEC);
    }
    choose_victims(l);
    for (uint32_t i = 0; i < o->members; i++) {
        wake(l, i);
    }
    return l;
}

void lights_destroy(struct lights *l)
{
    for (size_t i = 0; i < PROBE_MS; i++) {
        while (l->silences[i]) {
            struct silence *next = l->silences[i]->next;
            free(l->silences[i]);
            l->silences[i] = next;
        }
    }
    free(l->lights);
    free(l->knowledge);
    free(l->victim_of);
    free(l->victims);
    free(l);
}
