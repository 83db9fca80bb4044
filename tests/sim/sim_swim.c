/* sim_swim.c - pools of swims under faults that a seed picks, and what must hold whatever happens:
 *
 * - no incarnation goes back in anybody's eyes, and swim__check holds after each step
 *   (swim_world.c)
 * - without a fault nobody is declared dead, and each user event reaches everybody
 * - no node is given one user event twice
 * - when the faults stop, all crashes and leaves are known within a bound, and all who live are
 *   alive to all
 *
 *   sim_swim [--seed X] [--runs N] [--nodes N] [--twice] [--verbose]
 *   sim_swim --story NAME|all [--seed X] [--verbose]     (swim_stories.h) */
#include "swim_stories.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };
#define FORM_NS   (150 * MU_SEC) /* what gossip lost, a few full syncs bring */
#define QUIET_NS  (150 * MU_SEC)
#define SETTLE_NS (400 * MU_SEC)

struct run {
    uint64_t seed;
    struct world *w;
    size_t nodes;
    bool faults;       /* since the first fault, failures may be reported */
    bool *down, *left; /* what we did to each node */
    uint8_t *seen;     /* [node * EVENTS_MAX + event] in the node's present life */
    size_t events;
    const char *broken; /* the first claim that did not hold */
};
static struct run *current; /* for the dump when an assertion fails */

static void claim(struct run *r, bool holds, const char *what)
{
    if (!holds && !r->broken) {
        r->broken = what;
        world_trace(r->w, "BROKEN: %s", what);
    }
}

static void on_event(struct world *w, void *user, size_t node, const struct swim_event *ev)
{
    struct run *r = user;
    (void)w;
    if (ev->type == SWIM_EVENT_FAILED) {
        claim(r, r->faults, "nobody is declared dead without a fault");
    }
    if (ev->type == SWIM_EVENT_USER) {
        uint8_t *seen = &r->seen[node * EVENTS_MAX + world_index(ev->name)];
        claim(r, *seen == 0, "no node is given an event twice");
        *seen = 1;
    }
}

static size_t any_node(struct run *r)
{
    return (size_t)mu__prng_below(world_prng(r->w), r->nodes);
}

/* A node that is up and stays; SIZE_MAX if there is none. */
static size_t any_member(struct run *r, size_t not )
{
    for (size_t tries = 0; tries < 100; tries++) {
        size_t i = any_node(r);
        if (i != not &&!r->down[i] && !r->left[i]) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void send_event(struct run *r)
{
    size_t from = any_member(r, SIZE_MAX);
    if (from == SIZE_MAX || r->events == EVENTS_MAX) {
        return;
    }
    const char *name = world_name(r->events++);
    int rc =
        swim_user_event(world_swim(r->w, from), world_now(r->w),
                        (struct mu_str){name, strlen(name)}, (struct mu_str){"payload", 7}, false);
    claim(r, rc == SWIM_OK, "an event can be sent");
    world_drain(r->w, from);
}

static void start_all(struct run *r)
{
    for (size_t i = 0; i < r->nodes; i++) {
        world_start(r->w, i);
        if (i > 0) {
            world_join(r->w, i, (size_t)mu__prng_below(world_prng(r->w), i));
        }
        world_run_for(r->w, mu__prng_below(world_prng(r->w), MU_SEC));
    }
}

static bool all_agree(struct run *r)
{
    for (size_t i = 0; i < r->nodes; i++) {
        for (size_t k = 0; !r->down[i] && !r->left[i] && k < r->nodes; k++) {
            enum swim_status status = world_status(r->w, i, k);
            bool gone = r->down[k] || r->left[k];
            if (gone ? status == SWIM_STATUS_ALIVE || status == SWIM_STATUS_LEAVING
                     : status != SWIM_STATUS_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

static void claim_events_arrived(struct run *r)
{
    for (size_t i = 0; i < r->nodes; i++) {
        for (size_t k = 0; k < r->events; k++) {
            claim(r, r->seen[i * EVENTS_MAX + k] == 1,
                  "without a fault each event reaches everybody");
        }
    }
}

static void run_until_agreed(struct run *r, uint64_t bound_ns)
{
    uint64_t end = world_now(r->w) + bound_ns;
    while (world_now(r->w) < end && !all_agree(r)) {
        world_run_for(r->w, MU_SEC);
    }
}

static void quiet(struct run *r)
{
    run_until_agreed(r, FORM_NS);
    claim(r, all_agree(r), "a pool that formed in peace is complete");
    for (size_t i = 0; i < 4; i++) {
        send_event(r);
        world_run_for(r->w, mu__prng_below(world_prng(r->w), 2 * MU_SEC));
    }
    world_run_for(r->w, QUIET_NS);
    claim_events_arrived(r);
}

/* ---- faults ---- */

static void crash(struct run *r)
{
    size_t i = any_member(r, SIZE_MAX);
    if (i != SIZE_MAX && any_member(r, i) != SIZE_MAX) {
        world_crash(r->w, i);
        r->down[i] = true;
    }
}

static void restart(struct run *r)
{
    size_t peer = any_member(r, SIZE_MAX);
    for (size_t i = 0; i < r->nodes && peer != SIZE_MAX; i++) {
        if (r->down[i]) {
            world_start(r->w, i);
            world_join(r->w, i, peer);
            r->down[i] = false;
            memset(&r->seen[i * EVENTS_MAX], 0, EVENTS_MAX);
            return;
        }
    }
}

static void leave(struct run *r)
{
    size_t i = any_member(r, SIZE_MAX);
    if (i != SIZE_MAX && any_member(r, i) != SIZE_MAX && r->nodes > 3) {
        world_trace(r->w, "%s leaves", world_name(i));
        swim_leave(world_swim(r->w, i), world_now(r->w));
        world_drain(r->w, i);
        r->left[i] = true;
    }
}

static void one_fault(struct run *r)
{
    struct mu__prng *prng = world_prng(r->w);
    switch (mu__prng_below(prng, 9)) {
    case 0:
    case 1:
        crash(r);
        break;
    case 2:
        restart(r);
        break;
    case 3: {
        size_t i = any_node(r);
        if (world_is_up(r->w, i)) {
            world_pause(r->w, i, mu__prng_between(prng, 1, 30) * MU_SEC);
        }
        break;
    }
    case 4:
        world_cut(r->w, any_node(r), any_node(r), true);
        break;
    case 5:
        world_cut_datagrams(r->w, any_node(r), any_node(r), true);
        break;
    case 6:
        world_split(r->w, (size_t)mu__prng_between(prng, 1, r->nodes - 1));
        break;
    case 7:
        world_set_loss(r->w, (uint32_t)mu__prng_below(prng, 400000));
        break;
    default:
        leave(r);
        break;
    }
}

static void trouble(struct run *r)
{
    struct mu__prng *prng = world_prng(r->w);
    r->faults = true;
    size_t n = (size_t)mu__prng_between(prng, 2, 8);
    for (size_t i = 0; i < n; i++) {
        one_fault(r);
        send_event(r);
        world_run_for(r->w, mu__prng_between(prng, 1, 60) * MU_SEC);
    }
    world_heal(r->w);
}

/* Who came back while the pool was split may have reached nobody: its operator joins it again. */
static void join_the_lonely(struct run *r)
{
    for (size_t i = 0; i < r->nodes; i++) {
        size_t peer = any_member(r, i);
        if (!r->down[i] && !r->left[i] && peer != SIZE_MAX && world_counts(r->w, i)->join_ok == 0) {
            world_join(r->w, i, peer);
        }
    }
}

static void recover(struct run *r)
{
    join_the_lonely(r);
    run_until_agreed(r, SETTLE_NS);
    claim(r, all_agree(r), "when the faults stop, all know who lives");
    world_run_for(r->w, 40 * MU_SEC); /* what was suspected before is decided by now */
    r->faults = false;
    world_run_for(r->w, QUIET_NS);
    claim(r, all_agree(r), "and it stays so");
}

/* ---- one seed ---- */

static void pick_world(uint64_t seed, size_t nodes, bool verbose, struct world_options *o)
{
    struct mu__prng prng;
    mu__prng_seed(&prng, seed ^ UINT64_C(0x0dd5eed));
    *o = (struct world_options){
        .seed = seed, .nodes = nodes, .verbose = verbose, .check_each_step = true};
    size_t picked = (size_t)mu__prng_between(&prng, 2, 12);
    o->nodes = nodes ? nodes : picked;
    o->profile = SWIM_LAN;
    o->delay_min_ns = mu__prng_between(&prng, 1, 1000) * MU_USEC;
    o->delay_max_ns = o->delay_min_ns + mu__prng_between(&prng, 0, 100) * MU_MSEC;
    o->loss_ppm = (uint32_t)mu__prng_below(&prng, 50000);
    o->repeat_ppm = (uint32_t)mu__prng_below(&prng, 20000);
    o->encrypt = mu__prng_below(&prng, 2) == 0;
    o->check_each_step = o->nodes <= 64;
}

static void print_replay(const struct run *r)
{
    (void)fprintf(stderr, "replay: sim_swim --seed 0x%llx --nodes %zu --verbose\n",
                  (unsigned long long)r->seed, r->nodes);
}

static void on_abort(int signal_number)
{
    (void)signal_number; /* an assertion failed: say how it came to that, and die */
    if (current) {
        world_dump(current->w, stderr);
        print_replay(current);
    }
}

/* Returns the hash of the trace; *ok tells whether all claims held. */
static uint64_t run_seed(uint64_t seed, size_t nodes, bool verbose, bool *ok)
{
    struct world_options o;
    pick_world(seed, nodes, verbose, &o);
    struct run r = {.seed = seed, .nodes = o.nodes, .w = world_create(&o)};
    r.down = calloc(o.nodes, sizeof *r.down);
    r.left = calloc(o.nodes, sizeof *r.left);
    r.seen = calloc(o.nodes, EVENTS_MAX);
    assert(r.down && r.left && r.seen);
    current = &r;
    world_on_event(r.w, on_event, &r);
    start_all(&r);
    quiet(&r);
    trouble(&r);
    recover(&r);
    current = NULL;
    uint64_t hash = world_hash(r.w);
    *ok = r.broken == NULL;
    if (!*ok) {
        world_dump(r.w, stderr);
        (void)fprintf(stderr, "BROKEN: %s\n", r.broken);
        print_replay(&r);
    }
    world_destroy(r.w);
    free(r.down);
    free(r.left);
    free(r.seen);
    return hash;
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t v = strtoull(text, &end, 0);
    if (errno != 0 || *end != '\0') {
        (void)fprintf(stderr, "not a number: %s\n", text);
        exit(2);
    }
    return v;
}

/* Tells one story, or all that are not large. True if all claims held. */
static bool tell(const char *name, uint64_t seed, bool verbose)
{
    size_t broken = 0, told = 0;
    bool all = strcmp(name, "all") == 0;
    for (size_t i = 0; i < swim_stories_len; i++) {
        const struct story *s = &swim_stories[i];
        if (all ? !s->large : strcmp(name, s->name) == 0) {
            const char *what = swim_story_tell(s, seed, verbose, stderr);
            printf("%-24s %s: %s\n", s->name, s->about, what ? what : "holds");
            broken += what != NULL;
            told++;
        }
    }
    return told > 0 && broken == 0;
}

static void run_seeds(uint64_t seed, uint64_t runs, size_t nodes, bool twice, bool verbose)
{
    for (uint64_t i = 0; i < runs; i++) {
        bool ok, again_ok = true;
        printf("seed 0x%llx\n", (unsigned long long)(seed + i));
        (void)fflush(stdout);
        uint64_t hash = run_seed(seed + i, nodes, verbose, &ok);
        if (ok && twice && run_seed(seed + i, nodes, false, &again_ok) != hash) {
            (void)fprintf(stderr, "BROKEN: one seed, two traces\n");
            exit(1);
        }
        if (!ok || !again_ok) {
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, runs = 1;
    size_t nodes = 0;
    const char *story = NULL;
    bool twice = false, verbose = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--seed") == 0) {
            seed = number(argv[++i]);
        } else if (more && strcmp(argv[i], "--runs") == 0) {
            runs = number(argv[++i]);
        } else if (more && strcmp(argv[i], "--nodes") == 0) {
            nodes = (size_t)number(argv[++i]);
        } else if (more && strcmp(argv[i], "--story") == 0) {
            story = argv[++i];
        } else if (strcmp(argv[i], "--twice") == 0) {
            twice = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else {
            (void)fprintf(stderr, "usage: sim_swim [--seed X] [--runs N] [--nodes N] [--twice] "
                                  "[--story NAME|all] [--verbose]\n");
            return 2;
        }
    }
    (void)signal(SIGABRT, on_abort);
    if (story) {
        return tell(story, seed, verbose) ? 0 : 1;
    }
    run_seeds(seed, runs, nodes, twice, verbose);
    return 0;
}
