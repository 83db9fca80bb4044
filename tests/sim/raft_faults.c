/* raft_faults.c - what goes wrong in a run, as raft_picks.c has weighed it. */
#include "raft_swarm.h"

#include <stdlib.h>
#include <string.h>

/* A time of so many milliseconds at most, shorter in a turmoil. */
static uint64_t a_while(struct sim *s, uint64_t lo_ms, uint64_t hi_ms)
{
    return sim_pick(s, lo_ms, hi_ms) * MU_MSEC / (s->turmoil ? 8 : 1);
}

static struct host *random_host(struct sim *s)
{
    return &s->hosts[sim_pick(s, 0, s->n_hosts - 1)];
}

/* If the bootstrap was not durable yet, it is tried again. */
static void restart(struct sim *s, struct host *h)
{
    host_start(h);
    if (h->i < s->n_first && h->id_number == 0 && h->hard.term <= 1 && !h->hard.vote[0] &&
        h->n_log == 0 && h->snapshots[0].index == 0) {
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

/* Half of the time the machine falls, and its clock begins anew. */
static void fall(struct sim *s, struct host *h)
{
    host_crash(h);
    if (sim_pick(s, 0, 1)) {
        h->clock_base = sim_pick(s, 100, 1000) * MU_SEC - s->w.now;
    }
}

static void crash(struct sim *s, struct host *h)
{
    if (h->r) {
        fall(s, h);
        uint64_t down = sim_pick(s, 0, 1) ? a_while(s, 0, 300) : a_while(s, 0, 4000);
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
        fall(s, h);
        uint64_t down = sim_pick(s, 0, 1) ? a_while(s, 0, 10) : a_while(s, 0, 3000);
        world_after(w, down, on_restart, h->i);
    }
}

static void maybe_crash(struct host *h, uint32_t chance, uint64_t within_us)
{
    struct sim *s = h->w->user;
    if (world_chance(&h->w->fault_prng, chance)) {
        uint64_t delay = sim_pick(s, 0, within_us) * MU_USEC;
        world_after(h->w, delay, on_timed_crash, h->i)->generation = h->generation;
    }
}

/* Until after the vote was written and answered, as it may be. */
void sim_voted(struct host *h)
{
    const struct sim *s = h->w->user;
    maybe_crash(h, s->crash_after_vote, 1000 + 2 * s->options.sync_max_ns / MU_USEC);
}

/* Does this id still belong to somebody? Not if the folder was lost. */
static bool is_alive(struct sim *s, const char *id)
{
    return strcmp(host_of(&s->w, (unsigned)atoi(id + 1))->id, id) == 0;
}

static const struct raft_configuration *newest(const struct host *h)
{
    return raft__configs_last(&h->r->configs);
}

/* A server of the newest configuration that will never come back; NULL if there is none. */
static const char *find_lost(struct sim *s, const struct host *h)
{
    const struct raft_configuration *c = newest(h);
    for (size_t i = 0; i < c->n; i++) {
        if (!is_alive(s, c->servers[i].id)) {
            return c->servers[i].id;
        }
    }
    return NULL;
}

static int change_to(struct host *h, enum raft_change_type type, const char *id,
                     enum raft_server_kind kind)
{
    struct raft_server server = {.kind = kind};
    memcpy(server.id, id, strlen(id));
    memcpy(server.address, id, strlen(id));
    raft_index index;
    int rc = raft_change(h->r, host_now(h), type, &server, &index);
    world_trace(h->w, "%s change %d %s kind %d: %d", h->id, type, server.id, server.kind, rc);
    if (rc == RAFT_OK) {
        host_saw(h, SEEN_CHANGE);
    }
    host_drain(h);
    return rc;
}

static void change(struct sim *s)
{
    struct host *h = sim_leader(s);
    if (h && !find_lost(s, h)) {
        enum raft_server_kind kind = sim_pick(s, 0, 2) ? RAFT_VOTER : RAFT_NONVOTER;
        change_to(h, sim_pick(s, 0, 2) ? RAFT_CHANGE_SET : RAFT_CHANGE_REMOVE, random_host(s)->id,
                  kind);
    }
}

/* What an operator does for a lost server: removes it first, so that it does not count any more,
 * and then adds the one that came in its place. */
static void on_operator(struct world *w, struct world_event *e)
{
    struct sim *s = w->user;
    struct host *h = sim_leader(s);
    const char *lost = h ? find_lost(s, h) : NULL;
    if (lost) {
        char id[RAFT_ID_MAX + 1];
        memcpy(id, lost, strlen(lost) + 1);
        if (change_to(h, RAFT_CHANGE_REMOVE, id, RAFT_VOTER) == RAFT_OK) {
            s->replaced = (unsigned)atoi(id + 1) + 1;
        }
    } else if (h && s->replaced) {
        const char *id = host_of(w, s->replaced - 1)->id;
        int rc = change_to(h, RAFT_CHANGE_SET, id, RAFT_VOTER);
        if (rc == RAFT_OK || rc == RAFT_EEXIST) {
            s->replaced = 0;
            host_saw(h, SEEN_FOLDER_REPLACED);
        }
    }
    world_again(w, e, 300 * MU_MSEC);
}

/* May a folder be lost without the cluster being lost? One at a time, of three voters at the least,
 * while no change is under way and all voters are up. */
static bool may_lose_folder(struct sim *s)
{
    const struct host *leader = sim_leader(s);
    if (!leader || s->replaced) {
        return false;
    }
    const struct raft_configuration *c = newest(leader);
    if (c->index > raft_commit_index(leader->r) || raft__voters(leader->r) < 3 ||
        find_lost(s, leader)) {
        return false;
    }
    for (unsigned i = 0; i < s->n_hosts; i++) {
        const struct host *h = &s->hosts[i];
        if (!h->r || find_lost(s, h) || (newest(h)->index != c->index && raft__is_voter(h->r))) {
            return false;
        }
    }
    for (size_t i = 0; i < c->n; i++) {
        if (newest(host_of(&s->w, (unsigned)atoi(c->servers[i].id + 1)))->index != c->index) {
            return false;
        }
    }
    return true;
}

/* Cuts a new leader off from some of the others, until a later heal. */
static void cut_leader(struct sim *s, const struct host *h)
{
    world_trace(&s->w, "cut %s off from some", h->id);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        if (i != h->i && sim_pick(s, 0, 3)) {
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
    if (find_lost(s, h)) {
        return;
    }
    int rc = change_to(h, apart && sim_pick(s, 0, 1) ? RAFT_CHANGE_REMOVE : RAFT_CHANGE_SET,
                       target->id, RAFT_VOTER);
    bool more = rc != RAFT_OK || sim_pick(s, 0, 2) > 0; /* two at once, if it lets that pass */
    if (more && ++e->a < 30) {
        world_again(w, e, sim_pick(s, 100, 5000) * MU_USEC);
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
        if (sim_pick(s, 0, 1)) {
            cut_leader(s, h); /* before it has sent anything */
        } else {
            world_after(h->w, a_while(s, 0, 60), on_cut, h->i);
        }
    }
    if (world_chance(&h->w->fault_prng, s->change_after_election)) {
        uint64_t delay = sim_pick(s, 0, 1) ? 0 : a_while(s, 0, 60);
        world_after(h->w, delay, on_eager_change, h->i)->generation = h->generation;
    }
}

static void cut_pairs(struct sim *s, uint32_t side, bool one_way)
{
    world_trace(&s->w, "cut %x%s", (unsigned)side, one_way ? " one way" : "");
    host_saw(&s->hosts[0], one_way ? SEEN_ONE_WAY : SEEN_CUT);
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
    bool one_way = sim_pick(s, 0, 2) == 0;
    world_trace(&s->w, "cut %s %s%s", a->id, b->id, one_way ? " one way" : "");
    s->w.net.cut[a->i][b->i] = true;
    s->w.net.cut[b->i][a->i] = s->w.net.cut[b->i][a->i] || !one_way;
}

static void transfer(struct sim *s)
{
    struct host *h = sim_leader(s);
    if (h) {
        int rc = raft_transfer(h->r, host_now(h), sim_pick(s, 0, 1) ? NULL : random_host(s)->id);
        world_trace(&s->w, "%s asked to transfer: %d", h->id, rc);
        host_drain(h);
    }
}

static void on_room(struct world *w, struct world_event *e)
{
    host_fill_disk(host_of(w, e->node), false);
}

/* Until there is room again, across restarts. */
static void fill_disk(struct sim *s, struct host *h)
{
    if (!h->is_full) {
        host_fill_disk(h, true);
        world_after(&s->w, a_while(s, 100, 5000), on_room, h->i);
    }
}

static void fill_disks(struct sim *s, struct host *leader)
{
    bool all = sim_pick(s, 0, 7) == 0; /* they fill alike */
    for (unsigned i = 0; all && i < s->n_hosts; i++) {
        fill_disk(s, &s->hosts[i]);
    }
    fill_disk(s, leader && sim_pick(s, 0, 1) ? leader : random_host(s));
}

/* Packets from a to b, or from a to all, wait. */
static void clog_links(struct sim *s, const struct host *a)
{
    const struct host *b = sim_pick(s, 0, 1) ? random_host(s) : NULL;
    uint64_t until = s->w.now + a_while(s, 20, 3000);
    bool both = sim_pick(s, 0, 1);
    world_trace(&s->w, "clog %s %s%s", a->id, b ? b->id : "all", both ? "" : " one way");
    for (unsigned i = 0; i < s->n_hosts; i++) {
        if (!b || b->i == i) {
            s->w.net.clogged_until[a->i][i] = until;
            s->w.net.clogged_until[i][a->i] = both ? until : s->w.net.clogged_until[i][a->i];
        }
    }
    host_saw(a, SEEN_CLOG);
}

static void lose_folder(struct sim *s, struct host *leader)
{
    struct host *h = leader && sim_pick(s, 0, 3) == 0 ? leader : random_host(s);
    if (may_lose_folder(s)) {
        host_lose_folder(h);
        world_after(&s->w, a_while(s, 0, 1000), on_restart, h->i);
    }
}

/* A leader's clock may jump ahead, which only ends its lease; another's may not, for it has
 * promised not to vote for a while, and a lease relies on that. */
static void jump_clock(struct sim *s, struct host *leader)
{
    struct host *h = s->options.is_lease_void ? random_host(s) : leader;
    if (h && host_is_running(h)) {
        h->clock_base += sim_pick(s, 1, 2000) * MU_MSEC;
        world_trace(&s->w, "%s clock jumps", h->id);
        host_saw(h, SEEN_CLOCK_JUMP);
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
    uint64_t ns = sim_pick(s, 0, 1) ? a_while(s, 10, 3000) : a_while(s, 200, 1000);
    h->paused_until = s->w.now + ns;
    world_after(&s->w, ns, on_resume, h->i);
    world_trace(&s->w, "%s pause", h->id);
    if (h->r && raft_role(h->r) == RAFT_LEADER) {
        host_saw(h, SEEN_PAUSE_OF_LEADER);
    }
}

static void power_failure(struct sim *s)
{
    host_saw(&s->hosts[0], SEEN_POWER);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        crash(s, &s->hosts[i]);
    }
}

static void inject(struct sim *s, enum fault f)
{
    struct host *leader = sim_leader(s);
    switch (f) {
    case FAULT_CRASH:
        crash(s, leader && sim_pick(s, 0, 2) == 0 ? leader : random_host(s));
        break;
    case FAULT_PAUSE:
        pause_host(s, leader && sim_pick(s, 0, 1) ? leader : random_host(s));
        break;
    case FAULT_PARTITION:
        cut_pairs(s, (uint32_t)sim_pick(s, 1, (1u << s->n_hosts) - 2), false);
        break;
    case FAULT_ONE_WAY:
        cut_pairs(s, (uint32_t)sim_pick(s, 1, (1u << s->n_hosts) - 2), true);
        break;
    case FAULT_CUT_LINK: /* half of the time one of the leader's */
        cut_link(s, leader && sim_pick(s, 0, 1) ? leader : random_host(s), random_host(s));
        break;
    case FAULT_ISOLATE_LEADER:
        if (leader) {
            cut_pairs(s, 1u << leader->i, sim_pick(s, 0, 1));
        }
        break;
    case FAULT_HEAL:
        world_join(&s->w);
        world_trace(&s->w, "heal");
        break;
    case FAULT_CHANGE:
        change(s);
        break;
    case FAULT_TRANSFER:
        transfer(s);
        break;
    case FAULT_FULL_DISK:
        fill_disks(s, leader);
        break;
    case FAULT_CLOG: /* half of the time the leader's */
        clog_links(s, leader && sim_pick(s, 0, 1) ? leader : random_host(s));
        break;
    case FAULT_LOSE_FOLDER:
        lose_folder(s, leader);
        break;
    case FAULT_CLOCK:
        jump_clock(s, leader);
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
    uint64_t at = sim_pick(s, 0, sum - 1);
    unsigned f = 0;
    while (at >= s->weights[f]) {
        at -= s->weights[f++];
    }
    inject(s, (enum fault)f);
    world_again(w, e, sim_pick(s, 0, 2 * s->fault_ns));
}

void faults_begin(struct sim *s)
{
    world_after(&s->w, s->fault_ns, on_fault, 0);
    world_after(&s->w, 300 * MU_MSEC, on_operator, 0);
}

void faults_end(struct sim *s)
{
    s->faults_over = true;
    world_heal(&s->w);
    s->options.stall = s->options.rot = s->options.chunk_damage = 0;
    s->options.sync_max_ns = 2 * MU_MSEC;
    world_trace(&s->w, "faults end");
    for (unsigned i = 0; i < s->n_hosts; i++) {
        struct host *h = &s->hosts[i];
        h->paused_until = 0;
        host_fill_disk(h, false);
        if (s->options.is_lease_void) {
            host_set_drift(h, 0);
        }
        if (!h->r) {
            restart(s, h);
        }
    }
}
