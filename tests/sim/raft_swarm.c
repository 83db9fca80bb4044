/* raft_swarm.c - one run: a cluster, the faults that its seed picks (swarm testing), and clients.
 *
 * After each step of each server the properties of Raft figure 3 are checked, and every read
 * against what clients know; then the faults end, and within a bound the cluster must answer again
 * and agree. */
#include "raft_swarm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Virtual time after the faults, for a quorum to follow one leader; and until all have written what
 * was written meanwhile, which may be tens of thousands of entries that travel one by one. */
#define LED_BY    (15 * MU_SEC)
#define HEALED_BY (120 * MU_SEC)

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

uint64_t sim_pick(struct sim *s, uint64_t lo, uint64_t hi)
{
    return mu__prng_between(&s->w.fault_prng, lo, hi);
}

struct host *sim_leader(struct sim *s)
{
    unsigned start = (unsigned)sim_pick(s, 0, s->n_hosts - 1);
    for (unsigned k = 0; k < s->n_hosts; k++) {
        struct host *h = &s->hosts[(start + k) % s->n_hosts];
        if (host_is_running(h) && raft_role(h->r) == RAFT_LEADER) {
            return h;
        }
    }
    return NULL;
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

static void run_until(struct sim *s, uint64_t until)
{
    while (world_step(&s->w, until)) {
    }
}

/* Somebody leads, and all its servers hold what it has committed. */
static bool is_healed(struct sim *s)
{
    struct host *leader = sim_leader(s);
    if (!leader || raft_commit_index(leader->r) < leader->r->term_start) {
        return false;
    }
    const struct raft_configuration *c = raft_configuration(leader->r);
    for (size_t i = 0; i < c->n; i++) {
        const struct host *h = host_of(&s->w, (unsigned)atoi(c->servers[i].id + 1));
        if (strcmp(h->id, c->servers[i].id) != 0 || h->applied + 200 < s->checks.n ||
            strcmp(raft_leader(h->r), leader->id) != 0) {
            return false;
        }
    }
    return true;
}

/* All that was proposed is committed, and applied by all. */
static bool is_at_rest(struct sim *s)
{
    const struct host *leader = sim_leader(s);
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
    size_t start = sim_pick(s, 0, c->n - 1);
    for (size_t k = 0; k < c->n; k++) {
        const struct raft_server *server = &c->servers[(start + k) % c->n];
        if (server->kind == RAFT_VOTER && strcmp(server->id, leader->id) != 0) {
            return host_of(&s->w, (unsigned)atoi(server->id + 1));
        }
    }
    return NULL;
}

static bool is_led(struct sim *s)
{
    const struct host *leader = sim_leader(s);
    size_t n = 0;
    for (size_t i = 0; leader && i < leader->r->n_peers; i++) {
        const struct raft_server *server = &leader->r->peers[i].server;
        const struct host *h = host_of(&s->w, (unsigned)atoi(server->id + 1));
        n += server->kind == RAFT_VOTER && strcmp(h->id, server->id) == 0 &&
             strcmp(raft_leader(h->r), leader->id) == 0;
    }
    return leader && n > raft__voters(leader->r) / 2;
}

static bool is_writing(struct sim *s)
{
    return s->checks.writes >= s->writes_wanted;
}

static uint64_t wait_for(struct sim *s, bool (*condition)(struct sim *s), uint64_t at_most)
{
    uint64_t begin = s->w.now;
    while (!condition(s)) {
        CHECK(&s->w, s->w.now < begin + at_most);
        run_until(s, s->w.now + 20 * MU_MSEC);
    }
    return s->w.now - begin;
}

/* Progress after the faults: a quorum follows a leader, new writes end, and then all agree. */
static void check_progress(struct sim *s)
{
    struct cover *c = &s->checks.cover;
    s->writes_wanted = s->checks.writes + 20;
    c->led_ns = wait_for(s, is_led, LED_BY);
    c->written_ns = c->led_ns + wait_for(s, is_writing, HEALED_BY);
    c->healed_ns = c->written_ns + wait_for(s, is_healed, HEALED_BY);
}

/* Pre-votes are there so that a server which alone cannot hear the leader does not disturb it when
 * it is back (Raft dissertation, 9.6). Clients rest, for a log that is behind would not win. */
static void check_stability(struct sim *s)
{
    s->clients_rest = true;
    wait_for(s, is_at_rest, HEALED_BY);
    run_until(s, s->w.now + 4 * MU_SEC); /* the last stall of a disk is over, too */
    const struct host *leader = sim_leader(s);
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

/* In calm, a leader hands over to whom it is told to, though pre-votes are asked for and heartbeats
 * are on their way (canonical/raft 203). */
static void check_transfer(struct sim *s)
{
    struct host *leader = sim_leader(s);
    const struct host *target = other_voter(s, leader);
    if (!target) {
        return;
    }
    int rc = raft_transfer(leader->r, host_now(leader), target->id);
    CHECK(&s->w, rc == RAFT_OK);
    host_drain(leader);
    run_until(s, s->w.now + MU_SEC);
    CHECK(&s->w, raft_role(target->r) == RAFT_LEADER);
}

uint64_t swarm_run(uint64_t seed, unsigned nodes, bool verbose, struct checks *sum)
{
    static const unsigned sizes[] = {3, 5, 4, 3, 5, 3, 4, 2, 3, 5, 1, 7, 6};
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
    s->n_hosts = s->checks.n_hosts = nodes + SWARM_SPARE;
    faults_pick(s);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        host_init(&s->hosts[i], &s->w, &s->checks, &s->options, i);
        host_start(&s->hosts[i]);
    }
    for (unsigned i = 0; i < s->n_first; i++) {
        host_bootstrap(&s->hosts[i], s->n_first);
    }
    faults_begin(s);
    world_after(&s->w, s->client_ns, on_client, 0);
    world_after(&s->w, 200 * MU_MSEC, on_compare, 0);
    run_until(s, s->faults_until);
    faults_end(s);
    check_progress(s);
    check_stability(s);
    check_transfer(s);
    checks_history(&s->w, &s->checks);
    sum->writes += s->checks.writes;
    sum->reads += s->checks.reads;
    sum->lease_reads += s->checks.lease_reads;
    sum->n += s->w.steps;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        host_fini(&s->hosts[i]);
    }
    checks_add_stats(&sum->stats, &s->checks.stats);
    cover_add(&sum->cover, &s->checks.cover);
    uint64_t hash = s->w.hash;
    sim_world = NULL;
    checks_fini(&s->checks);
    world_fini(&s->w);
    free(s);
    return hash;
}
