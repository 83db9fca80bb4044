/* raft_swarm.c - one run: a cluster, the faults that its seed picks (swarm testing), and clients.
 *
 * After each step of each server the properties of Raft figure 3 are checked, and every read
 * against what clients know; then the faults end, and within a bound the cluster must answer again
 * and agree. */
#include "raft_swarm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEALED_BY (90 * MU_SEC) /* virtual, after the faults: a load may bring one entry */
#define SPARE     2u            /* servers that are not in the first configuration */

enum fault {
    FAULT_CRASH,
    FAULT_PAUSE,
    FAULT_PARTITION,
    FAULT_ONE_WAY,
    FAULT_CUT_LINK,
    FAULT_ISOLATE_LEADER,
    FAULT_HEAL,
    FAULT_CHANGE,
    FAULT_TRANSFER,
    FAULT_FULL_DISK,
    FAULT_POWER, /* all fall at once */
    FAULT_CALM,
    N_FAULTS
};

struct sim {
    struct world w;
    struct checks checks;
    struct host_options options;
    struct host hosts[WORLD_NODES_MAX];
    unsigned n_hosts, n_first;
    uint32_t weights[N_FAULTS];
    /* What follows an election or a vote at once, as chances per million. */
    uint32_t crash_after_vote, crash_after_election, cut_after_election, change_after_election;
    uint64_t faults_end;          /* virtual */
    bool turmoil;                 /* everything is fast, and leaders do not last */
    uint64_t fault_ns, client_ns; /* mean distances */
    uint64_t next_read;
    bool faults_over, clients_rest;
};

/* For the line that repeats a failure, also when an assertion of the core ends the program. */
static struct world *sim_world;
static unsigned sim_nodes;

static void print_host(const struct host *h)
{
    const struct raft *r = h->r;
    if (!r) {
        printf("%s: down\n", h->id);
        return;
    }
    printf("%s: role %d term %" PRIu64 " leader '%s' log %" PRIu64 "..%" PRIu64 " durable %" PRIu64
           " commit %" PRIu64 " applied %" PRIu64 " snapshot %" PRIu64
           " servers %zu backlog %zu%s%s%s\n",
           h->id, r->role, r->hard.term, r->leader, r->log.first, r->log.last, r->durable,
           r->commit, r->applied, r->log.snapshot_index, r->n_peers, r->backlog_bytes,
           h->w->now < h->paused_until ? " paused" : "", raft__is_voter(r) ? "" : " no voter",
           raft__is_installing(r) ? " installing" : "");
}

_Noreturn void sim_fail(struct world *w, const char *what)
{
    world_dump(w, stdout);
    const struct sim *s = w->user;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        print_host(&s->hosts[i]);
    }
    printf("FAILED at %.6f s: %s\nrepeat: sim_raft --seed 0x%" PRIx64 " --nodes %u\n",
           (double)w->now / 1e9, what, w->seed, sim_nodes);
    fflush(stdout);
    exit(1);
}

_Noreturn void swarm_fail(const char *what)
{
    if (!sim_world) {
        _Exit(1);
    }
    sim_fail(sim_world, what);
}

struct host *host_of(struct world *w, unsigned i)
{
    return &((struct sim *)w->user)->hosts[i];
}

static uint64_t pick(struct sim *s, uint64_t lo, uint64_t hi)
{
    return mu__prng_between(&s->w.fault_prng, lo, hi);
}

/* --- The swarm: which faults there are, and how bad --- */

static void pick_network(struct sim *s)
{
    struct world_net *n = &s->w.net;
    world_heal(&s->w);
    n->delay_max_ns = (pick(s, 0, 3) ? pick(s, 1, 40) : pick(s, 20, 200)) * MU_MSEC;
    n->loss = pick(s, 0, 2) ? 0 : (uint32_t)pick(s, 1000, 150000);
    n->duplicate = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 1000, 200000);
    n->reorder = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 1000, 400000);
    n->reorder_ns = pick(s, 1, 1500) * MU_MSEC;
}

static void pick_options(struct sim *s)
{
    struct host_options *o = &s->options;
    raft_config_init(&o->raft);
    o->raft.heartbeat_ns = pick(s, 30, 100) * MU_MSEC;
    o->raft.election_timeout_ns = pick(s, 200, 600) * MU_MSEC;
    o->raft.cache_bytes_max = pick(s, 0, 1) ? pick(s, 0, 4000) : 1u << 20;
    o->raft.message_bytes_max = pick(s, 0, 2) ? pick(s, 0, 4000) : 1; /* 1: an entry each */
    o->raft.inflight_max = pick(s, 1, 20);
    o->raft.backlog_bytes_max = pick(s, 4, 1000) * 1024;
    o->raft.snapshot_chunk_bytes = pick(s, 100, 2000);
    o->raft.tail_entries = pick(s, 0, 200);
    o->snapshot_every = pick(s, 10, 500);
    o->sync_min_ns = 50 * MU_USEC;
    o->sync_max_ns = pick(s, 1, 30) * MU_MSEC;
    o->stall = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 100, 20000);
    o->stall_ns = pick(s, 100, 3000) * MU_MSEC;
    o->drift_ppm = pick(s, 0, 1) ? 0 : 100000;
}

/* Hundreds of terms in a run: timeouts are so short beside the network's delays that elections are
 * contested, and those who win are cut off or fall. */
static void pick_turmoil(struct sim *s)
{
    struct raft_config *r = &s->options.raft;
    r->election_timeout_ns = pick(s, 30, 100) * MU_MSEC;
    r->heartbeat_ns = r->election_timeout_ns / pick(s, 3, 8);
    s->w.net.delay_max_ns = pick(s, 2, 50) * MU_MSEC;
    s->w.net.reorder_ns = pick(s, 1, 300) * MU_MSEC;
    s->options.sync_max_ns = pick(s, 1, 8) * MU_MSEC;
    s->options.stall_ns = pick(s, 50, 300) * MU_MSEC;
    s->crash_after_vote = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 50000, 500000);
    s->crash_after_election = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 100000, 700000);
    s->cut_after_election = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 100000, 900000);
    s->change_after_election = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 100000, 900000);
    s->fault_ns = pick(s, 20, 150) * MU_MSEC;
    s->client_ns = pick(s, 5, 40) * MU_MSEC;
}

static void pick_faults(struct sim *s)
{
    for (unsigned f = 0; f < N_FAULTS; f++) {
        s->weights[f] = pick(s, 0, 1) ? 0 : (uint32_t)pick(s, 1, 10);
    }
    s->crash_after_vote = pick(s, 0, 2) ? 0 : 300000;
    s->crash_after_election = pick(s, 0, 2) ? 0 : 700000;
    s->cut_after_election = pick(s, 0, 2) ? 0 : 600000;
    s->change_after_election = pick(s, 0, 2) ? 0 : 800000;
    s->faults_end = pick(s, 4, 20) * MU_SEC;
    s->weights[FAULT_CALM] = 1; /* the sum is never 0 */
    s->weights[FAULT_HEAL] = 3;
    s->fault_ns = pick(s, 20, 1000) * MU_MSEC;
    s->client_ns = pick(s, 1, 20) * MU_MSEC;
    s->turmoil = pick(s, 0, 1);
    if (s->turmoil) {
        pick_turmoil(s);
    }
}

/* A time of so many milliseconds at most, shorter in a turmoil. */
static uint64_t a_while(struct sim *s, uint64_t lo_ms, uint64_t hi_ms)
{
    return pick(s, lo_ms, hi_ms) * MU_MSEC / (s->turmoil ? 8 : 1);
}

/* --- Faults --- */

static struct host *random_host(struct sim *s)
{
    return &s->hosts[pick(s, 0, s->n_hosts - 1)];
}

static struct host *some_leader(struct sim *s)
{
    unsigned start = (unsigned)pick(s, 0, s->n_hosts - 1);
    for (unsigned k = 0; k < s->n_hosts; k++) {
        struct host *h = &s->hosts[(start + k) % s->n_hosts];
        if (host_is_running(h) && raft_role(h->r) == RAFT_LEADER) {
            return h;
        }
    }
    return NULL;
}

/* If the bootstrap was not durable yet, it is tried again. */
static void restart(struct sim *s, struct host *h)
{
    host_start(h);
    if (h->i < s->n_first && h->hard.term <= 1 && !h->hard.vote[0] && h->n_log == 0 &&
        h->snapshots[0].index == 0) {
        host_bootstrap(h, s->n_first);
    }
}

static void on_restart(struct world *w, struct world_event *e)
{
    struct host *h = host_of(w, e->node);
    if (!h->r) {
        restart(w->user, h);
    }
}

static void crash(struct sim *s, struct host *h)
{
    if (h->r) {
        host_crash(h);
        uint64_t down = pick(s, 0, 1) ? a_while(s, 0, 300) : a_while(s, 0, 4000);
        world_after(&s->w, down, on_restart, h->i);
    }
}

/* Right after a vote is when a vote can be lost, and a leader that falls soon leaves logs that
 * differ (Raft figure 8). */
static void on_timed_crash(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    struct host *h = host_of(w, e->node);
    if (h->r && h->generation == e->generation && !s->faults_over) {
        host_crash(h);
        uint64_t down = pick(s, 0, 1) ? a_while(s, 0, 10) : a_while(s, 0, 3000);
        world_after(w, down, on_restart, h->i);
    }
}

static void maybe_crash(struct host *h, uint32_t chance, uint64_t within_us)
{
    struct sim *s = h->w->user;
    if (world_chance(&h->w->fault_prng, chance)) {
        uint64_t delay = pick(s, 0, within_us) * MU_USEC;
        world_after(h->w, delay, on_timed_crash, h->i)->generation = h->generation;
    }
}

/* Until after the vote was written and answered, as it may be. */
void sim_voted(struct host *h)
{
    const struct sim *s = h->w->user;
    maybe_crash(h, s->crash_after_vote, 1000 + 2 * s->options.sync_max_ns / MU_USEC);
}

static int change_to(struct host *h, enum raft_change_type type, const struct host *target,
                     enum raft_server_kind kind)
{
    struct raft_server server = {.kind = kind};
    memcpy(server.id, target->id, sizeof target->id);
    memcpy(server.address, target->id, sizeof target->id);
    raft_index index;
    int rc = raft_change(h->r, host_now(h), type, &server, &index);
    world_trace(h->w, "%s change %d %s kind %d: %d", h->id, type, server.id, server.kind, rc);
    host_drain(h);
    return rc;
}

static void change(struct sim *s)
{
    struct host *h = some_leader(s);
    if (h) {
        enum raft_server_kind kind = pick(s, 0, 2) ? RAFT_VOTER : RAFT_NONVOTER;
        change_to(h, pick(s, 0, 2) ? RAFT_CHANGE_SET : RAFT_CHANGE_REMOVE, random_host(s), kind);
    }
}

/* Cuts a new leader off from some of the others, until a later heal. */
static void cut_leader(struct sim *s, const struct host *h)
{
    world_trace(&s->w, "cut %s off from some", h->id);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        if (i != h->i && pick(s, 0, 3)) {
            s->w.net.cut[h->i][i] = s->w.net.cut[i][h->i] = true;
        }
    }
}

/* A new leader is asked for a change as soon as it accepts one: to add a server, or to remove one
 * that it cannot reach. This is where single-server changes went wrong (the correction of 2015). */
static void on_eager_change(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    struct host *h = host_of(w, e->node);
    if (s->faults_over || e->generation != h->generation || !host_is_running(h) ||
        raft_role(h->r) != RAFT_LEADER) {
        return;
    }
    const struct host *target = random_host(s);
    bool apart = s->w.net.cut[h->i][target->i];
    int rc = change_to(h, apart && pick(s, 0, 1) ? RAFT_CHANGE_REMOVE : RAFT_CHANGE_SET, target,
                       RAFT_VOTER);
    if (rc != RAFT_OK && ++e->a < 30) {
        world_again(w, e, pick(s, 100, 5000) * MU_USEC);
    }
}

static void on_cut(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    if (!s->faults_over) {
        cut_leader(s, host_of(w, e->node));
    }
}

void sim_elected(struct host *h)
{
    struct sim *s = h->w->user;
    maybe_crash(h, s->crash_after_election, s->turmoil ? 20000 : 60000);
    if (world_chance(&h->w->fault_prng, s->cut_after_election) && !s->faults_over) {
        if (pick(s, 0, 1)) {
            cut_leader(s, h); /* before it has sent anything */
        } else {
            world_after(h->w, a_while(s, 0, 60), on_cut, h->i);
        }
    }
    if (world_chance(&h->w->fault_prng, s->change_after_election)) {
        uint64_t delay = pick(s, 0, 1) ? 0 : a_while(s, 0, 60);
        world_after(h->w, delay, on_eager_change, h->i)->generation = h->generation;
    }
}

static void cut_pairs(struct sim *s, uint32_t side, bool one_way)
{
    world_trace(&s->w, "cut %x%s", (unsigned)side, one_way ? " one way" : "");
    for (unsigned a = 0; a < s->n_hosts; a++) {
        for (unsigned b = 0; b < s->n_hosts; b++) {
            bool from = side >> a & 1, to = side >> b & 1;
            if (from != to && (from || !one_way)) {
                s->w.net.cut[a][b] = true;
            }
        }
    }
}

static void cut_link(struct sim *s, const struct host *a, const struct host *b)
{
    bool one_way = pick(s, 0, 2) == 0;
    world_trace(&s->w, "cut %s %s%s", a->id, b->id, one_way ? " one way" : "");
    s->w.net.cut[a->i][b->i] = true;
    s->w.net.cut[b->i][a->i] = s->w.net.cut[b->i][a->i] || !one_way;
}

static void transfer(struct sim *s)
{
    struct host *h = some_leader(s);
    if (h) {
        int rc = raft_transfer(h->r, host_now(h), pick(s, 0, 1) ? NULL : random_host(s)->id);
        world_trace(&s->w, "%s asked to transfer: %d", h->id, rc);
        host_drain(h);
    }
}

static void toggle_full(struct host *h)
{
    if (host_is_running(h)) {
        h->is_full = !h->is_full;
        world_trace(h->w, "%s disk %s", h->id, h->is_full ? "full" : "has room");
        raft_set_electable(h->r, host_now(h), !h->is_full);
        host_drain(h);
    }
}

/* A client that waited while the server stood still is served before its timers are. */
static void on_resume(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    struct host *h = host_of(w, e->node);
    if (host_is_running(h) && raft_role(h->r) == RAFT_LEADER) {
        host_check_lease(h);
        host_read(h, ++s->next_read);
    }
}

static void pause_host(struct sim *s, struct host *h)
{
    uint64_t ns = pick(s, 0, 1) ? a_while(s, 10, 3000) : a_while(s, 200, 1000);
    h->paused_until = s->w.now + ns;
    world_after(&s->w, ns, on_resume, h->i);
    world_trace(&s->w, "%s pause", h->id);
}

static void power_failure(struct sim *s)
{
    for (unsigned i = 0; i < s->n_hosts; i++) {
        crash(s, &s->hosts[i]);
    }
}

static void inject(struct sim *s, enum fault f)
{
    struct host *leader = some_leader(s);
    switch (f) {
    case FAULT_CRASH:
        crash(s, leader && pick(s, 0, 2) == 0 ? leader : random_host(s));
        break;
    case FAULT_PAUSE:
        pause_host(s, leader && pick(s, 0, 1) ? leader : random_host(s));
        break;
    case FAULT_PARTITION:
        cut_pairs(s, (uint32_t)pick(s, 1, (1u << s->n_hosts) - 2), false);
        break;
    case FAULT_ONE_WAY:
        cut_pairs(s, (uint32_t)pick(s, 1, (1u << s->n_hosts) - 2), true);
        break;
    case FAULT_CUT_LINK: /* half of the time one of the leader's */
        cut_link(s, leader && pick(s, 0, 1) ? leader : random_host(s), random_host(s));
        break;
    case FAULT_ISOLATE_LEADER:
        if (leader) {
            cut_pairs(s, 1u << leader->i, pick(s, 0, 1));
        }
        break;
    case FAULT_HEAL:
        memset(s->w.net.cut, 0, sizeof s->w.net.cut);
        world_trace(&s->w, "heal");
        break;
    case FAULT_CHANGE:
        change(s);
        break;
    case FAULT_TRANSFER:
        transfer(s);
        break;
    case FAULT_FULL_DISK:
        toggle_full(random_host(s));
        break;
    case FAULT_POWER:
        power_failure(s);
        break;
    case FAULT_CALM:
    case N_FAULTS:
        break;
    }
}

static void on_fault(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    uint64_t sum = 0;
    if (s->faults_over) {
        return;
    }
    for (unsigned f = 0; f < N_FAULTS; f++) {
        sum += s->weights[f];
    }
    uint64_t at = pick(s, 0, sum - 1);
    unsigned f = 0;
    while (at >= s->weights[f]) {
        at -= s->weights[f++];
    }
    inject(s, (enum fault)f);
    world_again(w, e, pick(s, 0, 2 * s->fault_ns));
}

/* --- Clients --- */

static void on_client(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    struct mu__prng *p = &w->client_prng;
    if (s->clients_rest) {
        return;
    }
    for (unsigned i = 0; i < s->n_hosts; i++) {
        struct host *h = &s->hosts[i];
        if (!host_is_running(h) || raft_role(h->r) != RAFT_LEADER) {
            continue;
        }
        host_check_lease(h);
        if (world_chance(p, 600000)) {
            host_propose(h, (unsigned)mu__prng_between(p, 1, 5), mu__prng_between(p, 8, 400));
        }
        if (world_chance(p, 300000) && raft_role(h->r) == RAFT_LEADER) {
            host_read(h, ++s->next_read);
        }
    }
    world_again(w, e, mu__prng_between(p, 1, 2 * s->client_ns));
}

static void on_compare(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    for (unsigned a = 0; a < s->n_hosts; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (s->hosts[a].r && s->hosts[b].r) {
                checks_log_matching(w, &s->hosts[a], &s->hosts[b]);
            }
        }
    }
    world_again(w, e, 200 * MU_MSEC);
}

/* --- A run --- */

static void end_faults(struct sim *s)
{
    s->faults_over = true;
    world_heal(&s->w);
    s->options.stall = 0;
    s->options.sync_max_ns = 2 * MU_MSEC;
    world_trace(&s->w, "faults end");
    for (unsigned i = 0; i < s->n_hosts; i++) {
        struct host *h = &s->hosts[i];
        h->paused_until = 0;
        if (!h->r) {
            restart(s, h);
        } else if (h->is_full) {
            toggle_full(h);
        }
    }
}

/* Progress after the faults: somebody leads, all its servers hold what it has committed, and new
 * writes end. */
static bool is_healed(struct sim *s, uint64_t writes_before)
{
    struct host *leader = some_leader(s);
    if (!leader || s->checks.writes <= writes_before ||
        raft_commit_index(leader->r) < leader->r->term_start) {
        return false;
    }
    const struct raft_configuration *c = raft_configuration(leader->r);
    for (size_t i = 0; i < c->n; i++) {
        const struct host *h = host_of(&s->w, (unsigned)atoi(c->servers[i].id + 1));
        if (h->applied + 200 < s->checks.n || strcmp(raft_leader(h->r), leader->id) != 0) {
            return false;
        }
    }
    return true;
}

static void run_until(struct sim *s, uint64_t until)
{
    while (world_step(&s->w, until)) {
    }
}

/* All that was proposed is committed, and applied by all. */
static bool is_at_rest(struct sim *s)
{
    const struct host *leader = some_leader(s);
    if (!leader || raft_commit_index(leader->r) != raft_last_index(leader->r)) {
        return false;
    }
    const struct raft_configuration *c = raft_configuration(leader->r);
    for (size_t i = 0; i < c->n; i++) {
        const struct host *h = host_of(&s->w, (unsigned)atoi(c->servers[i].id + 1));
        if (h->applied != raft_last_index(leader->r)) {
            return false;
        }
    }
    return true;
}

static struct host *other_voter(struct sim *s, const struct host *leader)
{
    const struct raft_configuration *c = raft_configuration(leader->r);
    size_t start = pick(s, 0, c->n - 1);
    for (size_t k = 0; k < c->n; k++) {
        const struct raft_server *server = &c->servers[(start + k) % c->n];
        if (server->kind == RAFT_VOTER && strcmp(server->id, leader->id) != 0) {
            return host_of(&s->w, (unsigned)atoi(server->id + 1));
        }
    }
    return NULL;
}

/* Pre-votes are there so that a server which alone cannot hear the leader does not disturb it when
 * it is back (Raft dissertation, 9.6). Clients rest, for a log that is behind would not win. */
static void check_stability(struct sim *s)
{
    s->clients_rest = true;
    uint64_t end = s->w.now + HEALED_BY;
    while (!is_at_rest(s)) {
        CHECK(&s->w, s->w.now < end);
        run_until(s, s->w.now + 100 * MU_MSEC);
    }
    run_until(s, s->w.now + 4 * MU_SEC); /* the last stall of a disk is over, too */
    const struct host *leader = some_leader(s);
    CHECK(&s->w, leader);
    raft_term term = raft_current_term(leader->r);
    const struct host *apart = other_voter(s, leader);
    if (apart && raft__voters(leader->r) > 2) {
        world_trace(&s->w, "cut %s and %s", leader->id, apart->id);
        s->w.net.cut[leader->i][apart->i] = s->w.net.cut[apart->i][leader->i] = true;
    }
    run_until(s, s->w.now + 2 * MU_SEC);
    world_heal(&s->w);
    run_until(s, s->w.now + MU_SEC);
    CHECK(&s->w, raft_role(leader->r) == RAFT_LEADER && raft_current_term(leader->r) == term);
}

uint64_t swarm_run(uint64_t seed, unsigned nodes, bool verbose, struct checks *sum)
{
    static const unsigned sizes[] = {3, 5, 4, 3, 5, 3, 4, 2, 3, 5, 1, 7};
    nodes = nodes ? nodes : sizes[seed % (sizeof sizes / sizeof *sizes)];
    sim_nodes = nodes;
    struct sim *s = calloc(1, sizeof *s);
    if (!s) {
        abort();
    }
    world_init(&s->w, seed);
    s->w.user = s;
    sim_world = &s->w;
    s->w.verbose = verbose;
    s->n_first = nodes;
    s->n_hosts = s->checks.n_hosts = nodes + SPARE;
    pick_options(s);
    pick_network(s);
    pick_faults(s);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        host_init(&s->hosts[i], &s->w, &s->checks, &s->options, i);
        host_start(&s->hosts[i]);
    }
    for (unsigned i = 0; i < s->n_first; i++) {
        host_bootstrap(&s->hosts[i], s->n_first);
    }
    world_after(&s->w, s->fault_ns, on_fault, 0);
    world_after(&s->w, s->client_ns, on_client, 0);
    world_after(&s->w, 200 * MU_MSEC, on_compare, 0);
    run_until(s, s->faults_end);
    end_faults(s);
    uint64_t writes = s->checks.writes, end = s->w.now + HEALED_BY;
    while (!is_healed(s, writes + 20)) {
        if (s->w.now >= end) {
            sim_fail(&s->w, "no progress after the faults");
        }
        run_until(s, s->w.now + 100 * MU_MSEC);
    }
    check_stability(s);
    checks_history(&s->w, &s->checks);
    sum->writes += s->checks.writes;
    sum->reads += s->checks.reads;
    sum->lease_reads += s->checks.lease_reads;
    sum->n += s->w.steps;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        host_fini(&s->hosts[i]);
    }
    checks_add_stats(&sum->stats, &s->checks.stats);
    uint64_t hash = s->w.hash;
    sim_world = NULL;
    checks_fini(&s->checks);
    world_fini(&s->w);
    free(s);
    return hash;
}
