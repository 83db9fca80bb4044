/* raft_picks.c - what a seed picks: the network, the options of the core, which faults there are
 * and how often (swarm testing: what is left out lets the rest go further). */
#include "raft_swarm.h"

#define FAULT(name) (1u << FAULT_##name)

/* Some runs may have any fault. The others dwell on what one part of the protocol is about,
 * for a fault in it shows only where several things go wrong at once, and little else does. */
struct theme {
    unsigned share; /* of 16 */
    uint32_t faults;
    bool turmoil; /* always; else half of the time */
    /* At least so often, as chances per million */
    uint32_t crash_after_vote, crash_after_election, cut_after_election, change_after_election;
    unsigned snapshot_every; /* at most */
};

static const struct theme themes[] = {
    {.share = 6, .faults = UINT32_MAX, .snapshot_every = 500},
    {.share = 3, /* members */
     .faults = FAULT(CHANGE) | FAULT(CUT_LINK) | FAULT(ISOLATE_LEADER) | FAULT(PARTITION),
     .turmoil = true,
     .cut_after_election = 500000,
     .change_after_election = 700000,
     .snapshot_every = 500},
    {.share = 2, /* votes */
     .faults = FAULT(CRASH) | FAULT(POWER) | FAULT(CUT_LINK) | FAULT(TRANSFER) | FAULT(PARTITION),
     .turmoil = true,
     .crash_after_vote = 300000,
     .crash_after_election = 300000,
     .snapshot_every = 500},
    {.share = 2, /* reads */
     .faults = FAULT(PAUSE) | FAULT(ISOLATE_LEADER) | FAULT(ONE_WAY) | FAULT(CLOG) | FAULT(CLOCK) |
               FAULT(TRANSFER),
     .snapshot_every = 500},
    {.share = 2, /* logs and snapshots */
     .faults = FAULT(CRASH) | FAULT(ISOLATE_LEADER) | FAULT(CUT_LINK) | FAULT(LOSE_FOLDER) |
               FAULT(PARTITION) | FAULT(CHANGE),
     .cut_after_election = 400000,
     .snapshot_every = 60},
    {.share = 1, /* disks */
     .faults = FAULT(FULL_DISK) | FAULT(CRASH) | FAULT(POWER) | FAULT(LOSE_FOLDER) | FAULT(PAUSE),
     .crash_after_vote = 200000,
     .snapshot_every = 200},
};

static void pick_network(struct sim *s)
{
    struct world_net *n = &s->w.net;
    world_heal(&s->w);
    n->delay_max_ns = (sim_pick(s, 0, 3) ? sim_pick(s, 1, 40) : sim_pick(s, 20, 200)) * MU_MSEC;
    n->loss = sim_pick(s, 0, 2) ? 0 : (uint32_t)sim_pick(s, 1000, 150000);
    n->duplicate = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 1000, 200000);
    n->reorder = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 1000, 400000);
    n->reorder_ns = sim_pick(s, 1, 1500) * MU_MSEC;
    n->flip = sim_pick(s, 0, 3) ? 0 : (uint32_t)sim_pick(s, 1000, 30000);
}

static void pick_options(struct sim *s, const struct theme *t)
{
    struct host_options *o = &s->options;
    raft_config_init(&o->raft);
    o->raft.heartbeat_ns = sim_pick(s, 30, 100) * MU_MSEC;
    o->raft.election_timeout_ns = sim_pick(s, 200, 600) * MU_MSEC;
    o->raft.cache_bytes_max = sim_pick(s, 0, 1) ? sim_pick(s, 0, 4000) : 1u << 20;
    o->raft.message_bytes_max = sim_pick(s, 0, 2) ? sim_pick(s, 0, 4000) : 1; /* 1: an entry each */
    o->raft.inflight_max = sim_pick(s, 0, 3) ? sim_pick(s, 1, 20) : 1;
    o->raft.inflight_bytes_max = sim_pick(s, 0, 3) ? 1u << 20 : sim_pick(s, 1, 2000);
    o->raft.backlog_bytes_max = (sim_pick(s, 0, 3) ? sim_pick(s, 4, 1000) : 1) * 1024;
    o->raft.reads_max = sim_pick(s, 0, 3) ? 1000 : sim_pick(s, 1, 4);
    o->raft.snapshot_chunk_bytes = sim_pick(s, 100, 2000);
    o->raft.snapshot_inflight_max = sim_pick(s, 1, 6);
    o->raft.tail_entries = sim_pick(s, 0, t->snapshot_every / 2);
    o->snapshot_every = sim_pick(s, 10, t->snapshot_every);
    o->sync_min_ns = 50 * MU_USEC;
    o->sync_max_ns = sim_pick(s, 1, 30) * MU_MSEC;
    o->stall = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 100, 20000);
    o->stall_ns = sim_pick(s, 100, 3000) * MU_MSEC;
    o->drift_ppm = sim_pick(s, 0, 1) ? 0 : 100000;
    o->rot = sim_pick(s, 0, 3) ? 0 : (uint32_t)sim_pick(s, 1000, 100000);
    o->has_rot = o->rot > 0;
    o->chunk_damage = sim_pick(s, 0, 3) ? 0 : (uint32_t)sim_pick(s, 1000, 100000);
    o->same_snapshots = sim_pick(s, 0, 1);
    if (sim_pick(s, 0, 7) == 0) { /* all but reads by lease is safe without clocks */
        o->is_lease_void = true;
        o->drift_ppm = 400000;
    }
}

/* Hundreds of terms in a run: timeouts are so short beside the network's delays that elections are
 * contested, and those who win are cut off or fall. */
static void pick_turmoil(struct sim *s)
{
    struct raft_config *r = &s->options.raft;
    r->election_timeout_ns = sim_pick(s, 30, 100) * MU_MSEC;
    r->heartbeat_ns = r->election_timeout_ns / sim_pick(s, 3, 8);
    s->w.net.delay_max_ns = sim_pick(s, 2, 50) * MU_MSEC;
    s->w.net.reorder_ns = sim_pick(s, 1, 300) * MU_MSEC;
    s->options.sync_max_ns = sim_pick(s, 1, 8) * MU_MSEC;
    s->options.stall_ns = sim_pick(s, 50, 300) * MU_MSEC;
    s->crash_after_vote = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 50000, 500000);
    s->crash_after_election = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 100000, 700000);
    s->cut_after_election = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 100000, 900000);
    s->change_after_election = sim_pick(s, 0, 1) ? 0 : (uint32_t)sim_pick(s, 100000, 900000);
    s->fault_ns = sim_pick(s, 20, 150) * MU_MSEC;
    s->client_ns = sim_pick(s, 5, 40) * MU_MSEC;
}

static void pick_weights(struct sim *s, const struct theme *t)
{
    unsigned out_of_four = t->faults == UINT32_MAX ? 2 : 1;
    for (unsigned f = 0; f < N_FAULTS; f++) {
        uint32_t weight = sim_pick(s, 0, 3) < out_of_four ? 0 : (uint32_t)sim_pick(s, 1, 10);
        s->weights[f] = t->faults >> f & 1 ? weight : 0;
    }
    s->weights[FAULT_POWER] = s->weights[FAULT_POWER] > 0; /* it undoes what others began */
    s->weights[FAULT_CALM] = 1;                            /* the sum is never 0 */
    s->weights[FAULT_HEAL] = 3;
}

static uint32_t at_least(uint32_t chance, uint32_t least)
{
    return chance > least ? chance : least;
}

static void pick_faults(struct sim *s, const struct theme *t)
{
    pick_weights(s, t);
    s->crash_after_vote = sim_pick(s, 0, 2) ? 0 : 300000;
    s->crash_after_election = sim_pick(s, 0, 2) ? 0 : 700000;
    s->cut_after_election = sim_pick(s, 0, 2) ? 0 : 600000;
    s->change_after_election = sim_pick(s, 0, 2) ? 0 : 800000;
    s->faults_until = sim_pick(s, 4, 20) * MU_SEC;
    s->fault_ns = sim_pick(s, 20, 1000) * MU_MSEC;
    s->client_ns = sim_pick(s, 1, 20) * MU_MSEC;
    s->turmoil = sim_pick(s, 0, 1) || t->turmoil;
    if (s->turmoil) {
        pick_turmoil(s);
    }
    s->crash_after_vote = at_least(s->crash_after_vote, t->crash_after_vote);
    s->crash_after_election = at_least(s->crash_after_election, t->crash_after_election);
    s->cut_after_election = at_least(s->cut_after_election, t->cut_after_election);
    s->change_after_election = at_least(s->change_after_election, t->change_after_election);
}

static const struct theme *pick_theme(struct sim *s)
{
    unsigned at = (unsigned)sim_pick(s, 0, 15);
    const struct theme *t = themes;
    for (; at >= t->share; t++) {
        at -= t->share;
    }
    return t;
}

void faults_pick(struct sim *s)
{
    const struct theme *t = pick_theme(s);
    pick_options(s, t);
    pick_network(s);
    pick_faults(s, t);
}
