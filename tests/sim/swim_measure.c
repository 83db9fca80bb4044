#include "swim_measure.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct fate {         /* of one node */
    bool killed, ill; /* ill: slow or deaf */
    uint64_t first_ns, last_ns, next_slow_ns;
    size_t told; /* how many were told of its death */
};

struct run {
    const struct measure_options *o;
    struct measured *out;
    struct world *w;
    struct fate *fates;
    uint64_t fault_ns;
    size_t alive, known; /* known: deaths that all were told of */
    uint64_t event_ns;
    size_t heard; /* how many were given the event */
};

static void hear_event(struct run *r)
{
    double after_s = (double)(world_now(r->w) - r->event_ns) / 1e9;
    r->heard++;
    r->out->event_s[0] = r->heard <= (r->o->world.nodes + 1) / 2 ? after_s : r->out->event_s[0];
    r->out->event_s[1] = r->heard == r->o->world.nodes ? after_s : 0;
}

static void send_event(struct run *r)
{
    r->event_ns = world_now(r->w);
    int rc = swim_user_event(world_swim(r->w, 0), r->event_ns, (struct mu_str){"deploy", 6},
                             (struct mu_str){NULL, 0}, false);
    assert(rc == SWIM_OK);
    (void)rc;
    world_drain(r->w, 0);
}

static void on_event(struct world *w, void *user, size_t node, const struct swim_event *ev)
{
    struct run *r = user;
    if (ev->type == SWIM_EVENT_USER) {
        hear_event(r);
    }
    if (ev->type != SWIM_EVENT_FAILED) {
        return;
    }
    struct fate *f = &r->fates[world_index(ev->member.name)];
    if (f->killed) {
        f->first_ns = f->told == 0 ? world_now(w) : f->first_ns;
        f->last_ns = world_now(w);
        f->told++;
        r->known += f->told == r->alive;
    } else if (f->ill) {
        r->out->false_slow++;
    } else {
        r->out->false_any++;
        r->out->false_healthy += !r->fates[node].ill;
    }
}

/* A node that is well and not n0, through which others join. */
static size_t pick(struct run *r)
{
    for (;;) {
        size_t i = (size_t)mu__prng_between(world_prng(r->w), 1, r->o->world.nodes - 1);
        if (!r->fates[i].killed && !r->fates[i].ill) {
            return i;
        }
    }
}

static void fall_ill(struct run *r)
{
    uint64_t cycle = r->o->slow_ns + r->o->well_ns;
    for (size_t i = 0; i < r->o->slow; i++) {
        struct fate *f = &r->fates[pick(r)];
        f->ill = true;
        f->next_slow_ns = world_now(r->w) + mu__prng_below(world_prng(r->w), cycle);
    }
    for (size_t i = 0; i < r->o->deaf; i++) {
        size_t node = pick(r);
        r->fates[node].ill = true;
        for (size_t k = 0; k < r->o->world.nodes; k++) {
            world_cut(r->w, k, node, true);
        }
    }
}

static void kill_some(struct run *r)
{
    for (size_t i = 0; i < r->o->kill; i++) {
        size_t node = pick(r);
        r->fates[node].killed = true;
        world_crash(r->w, node);
    }
    r->alive = r->o->world.nodes - r->o->kill;
}

/* The slow node whose next spell comes first; NULL if none is slow. */
static struct fate *next_slow(struct run *r)
{
    struct fate *next = NULL;
    for (size_t i = 0; i < r->o->world.nodes; i++) {
        struct fate *f = &r->fates[i];
        if (f->next_slow_ns > 0 && (!next || f->next_slow_ns < next->next_slow_ns)) {
            next = f;
        }
    }
    return next;
}

/* Runs, with the spells of those who are slow, until then or until all deaths are known. */
static void watch(struct run *r, uint64_t until_ns)
{
    bool stop_early = r->o->kill > 0 && r->o->slow == 0;
    while (world_now(r->w) < until_ns && !(stop_early && r->known == r->o->kill)) {
        struct fate *f = next_slow(r);
        uint64_t at = world_now(r->w) + MU_SEC;
        at = f && f->next_slow_ns < at ? f->next_slow_ns : at;
        world_run(r->w, at < until_ns ? at : until_ns);
        if (f && f->next_slow_ns <= world_now(r->w)) {
            size_t node = (size_t)(f - r->fates);
            (r->o->slowness == SLOW_STOPPED ? world_pause : world_block)(r->w, node, r->o->slow_ns);
            f->next_slow_ns += r->o->slow_ns + r->o->well_ns;
        }
    }
}

/* ---- restart of all ---- */

static bool all_see_all(const struct run *r)
{
    for (size_t i = 0; i < r->o->world.nodes; i++) {
        if (swim_alive(world_swim(r->w, i)) != r->o->world.nodes) {
            return false;
        }
    }
    return true;
}

static void restart_all(struct run *r)
{
    size_t n = r->o->world.nodes;
    for (size_t i = 0; i < n; i++) {
        world_crash(r->w, i);
    }
    uint64_t start = world_now(r->w);
    for (size_t i = 0; i < n; i++) {
        world_start(r->w, i);
        if (i > 0) {
            world_join(r->w, i, 0);
        }
        world_run(r->w, start + r->o->restart_ns * (i + 1) / n);
    }
    uint64_t end = world_now(r->w) + r->o->watch_ns;
    while (world_now(r->w) < end && !all_see_all(r)) {
        world_run_for(r->w, MU_SEC / 5);
    }
    r->out->settled_s = all_see_all(r) ? (double)(world_now(r->w) - start) / 1e9 : -1;
}

/* ---- the sums ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void spread(double *v, size_t n, double out[3])
{
    out[0] = out[1] = out[2] = 0;
    if (n > 0) {
        qsort(v, n, sizeof *v, compare);
        out[0] = v[n / 2];
        out[1] = v[n * 99 / 100];
        out[2] = v[n - 1];
    }
}

static void sum_up(struct run *r)
{
    double *first = calloc(r->o->kill + 1, sizeof *first);
    double *all = calloc(r->o->kill + 1, sizeof *all);
    size_t firsts = 0, alls = 0;
    assert(first && all);
    for (size_t i = 0; i < r->o->world.nodes; i++) {
        const struct fate *f = &r->fates[i];
        if (f->killed && f->told > 0) {
            first[firsts++] = (double)(f->first_ns - r->fault_ns) / 1e9;
        }
        if (f->killed && f->told >= r->alive) {
            all[alls++] = (double)(f->last_ns - r->fault_ns) / 1e9;
        }
    }
    spread(first, firsts, r->out->first_s);
    spread(all, alls, r->out->all_s);
    r->out->undetected = r->o->kill - alls;
    free(first);
    free(all);
}

static double rate(const struct run *r, uint64_t bytes, uint64_t since_ns)
{
    double seconds = (double)(world_now(r->w) - since_ns) / 1e9;
    return seconds > 0 ? (double)bytes / seconds / (double)r->o->world.nodes : 0;
}

static void without_lifeguard(struct swim_config *cfg, size_t node)
{
    (void)node;
    cfg->awareness_max = 1;      /* no local health */
    cfg->suspicion_max_mult = 1; /* a suspicion always lasts for its minimum */
}

/* Detection within two seconds: everything more often, but a suspicion that nobody shares lasts
 * very long. */
static void fast(struct swim_config *cfg, size_t node)
{
    (void)node;
    cfg->probe_interval_ns = 120 * MU_MSEC;
    cfg->probe_timeout_ns = 60 * MU_MSEC;
    cfg->gossip_interval_ns = 40 * MU_MSEC;
    cfg->suspicion_max_mult = 100;
}

void swim_measure(const struct measure_options *o, struct measured *out)
{
    struct world_options world = o->world;
    world.tune = o->plain ? without_lifeguard : o->fast ? fast : world.tune;
    struct run r = {.o = o, .out = out, .w = world_create(&world)};
    r.fates = calloc(world.nodes, sizeof *r.fates);
    assert(r.fates);
    *out = (struct measured){0};
    world_start_formed(r.w);
    world_run_for(r.w, 5 * MU_SEC);
    uint64_t start = world_now(r.w), bytes = world_traffic(r.w)->datagram_bytes;
    uint64_t streams = world_traffic(r.w)->stream_bytes;
    world_on_event(r.w, on_event, &r);
    world_run_for(r.w, o->calm_ns / 2);
    out->idle_bytes = rate(&r, world_traffic(r.w)->datagram_bytes - bytes, start);
    send_event(&r);
    world_run_for(r.w, o->calm_ns / 2);
    bytes = world_traffic(r.w)->datagram_bytes;
    fall_ill(&r);
    kill_some(&r);
    r.fault_ns = world_now(r.w);
    if (o->restart) {
        restart_all(&r);
    } else {
        watch(&r, r.fault_ns + o->watch_ns);
    }
    out->busy_bytes = rate(&r, world_traffic(r.w)->datagram_bytes - bytes, r.fault_ns);
    out->stream_bytes = rate(&r, world_traffic(r.w)->stream_bytes - streams, start);
    sum_up(&r);
    world_destroy(r.w);
    free(r.fates);
}
