#include "swim_stories.h"

#include <assert.h>
#include <string.h>

static void claim(struct telling *t, bool holds, const char *what)
{
    if (!holds && !t->broken) {
        t->broken = what;
        world_trace(t->w, "BROKEN: %s", what);
    }
}

/* ---- pools ---- */

static struct world_options calm(const struct telling *t, size_t nodes)
{
    return (struct world_options){.seed = t->seed,
                                  .nodes = nodes,
                                  .profile = SWIM_LAN,
                                  .delay_min_ns = 200 * MU_USEC,
                                  .delay_max_ns = 2 * MU_MSEC,
                                  .check_each_step = nodes <= 16,
                                  .lean = nodes > 256,
                                  .verbose = t->verbose};
}

/* All nodes of o are up and know each other. */
static void open_pool(struct telling *t, const struct world_options *o)
{
    t->nodes = o->nodes;
    t->w = world_create(o);
    world_start_formed(t->w);
    world_run_for(t->w, 2 * MU_SEC);
}

static void open_calm_pool(struct telling *t, size_t nodes)
{
    struct world_options o = calm(t, nodes);
    open_pool(t, &o);
}

static bool all_see(const struct telling *t, size_t other, enum swim_status status)
{
    for (size_t i = 0; i < t->nodes; i++) {
        if (world_is_up(t->w, i) && i != other && world_status(t->w, i, other) != status) {
            return false;
        }
    }
    return true;
}

static bool all_see_all(const struct telling *t)
{
    for (size_t k = 0; k < t->nodes; k++) {
        if (world_is_up(t->w, k) && !all_see(t, k, SWIM_STATUS_ALIVE)) {
            return false;
        }
    }
    return true;
}

/* Runs until then or, if sooner, until all who are up see each other alive. */
static bool settles_within(struct telling *t, uint64_t ns)
{
    for (uint64_t end = world_now(t->w) + ns; world_now(t->w) < end;) {
        if (all_see_all(t)) {
            return true;
        }
        world_run_for(t->w, MU_SEC);
    }
    return all_see_all(t);
}

/* How often anybody who is up was told that anybody failed, except by `not_by`. */
static size_t failures(const struct telling *t, size_t not_by)
{
    size_t n = 0;
    for (size_t i = 0; i < t->nodes; i++) {
        n += i == not_by ? 0 : world_counts(t->w, i)->failures;
    }
    return n;
}

static uint64_t suspicions(const struct telling *t, size_t not_by)
{
    uint64_t n = 0;
    struct swim_stats st;
    for (size_t i = 0; i < t->nodes; i++) {
        if (i != not_by && world_is_up(t->w, i)) {
            swim_stats(world_swim(t->w, i), &st);
            n += st.suspicions;
        }
    }
    return n;
}

static struct swim_member member(const struct telling *t, size_t node, size_t other)
{
    struct swim_member m = {0};
    (void)swim_find_member(world_swim(t->w, node), world_name(other), &m);
    return m;
}

static void set_tag(struct telling *t, size_t node, size_t bytes, char fill)
{
    char value[400];
    assert(bytes <= sizeof value);
    memset(value, fill, bytes);
    struct swim_tag tag = {{"v", 1}, {value, bytes}};
    int rc = swim_set_tags(world_swim(t->w, node), world_now(t->w), &tag, 1);
    claim(t, rc == SWIM_OK, "tags can be set");
    world_drain(t->w, node);
}

static void send_event(struct telling *t, size_t node, const char *name)
{
    static const char payload[200] = "x";
    int rc = swim_user_event(world_swim(t->w, node), world_now(t->w),
                             (struct mu_str){name, strlen(name)},
                             (struct mu_str){payload, sizeof payload}, false);
    claim(t, rc == SWIM_OK, "an event can be sent");
    world_drain(t->w, node);
}

static void cut_both(struct telling *t, size_t a, size_t b, bool cut)
{
    world_cut(t->w, a, b, cut);
    world_cut(t->w, b, a, cut);
}

static struct swim__msg accusation(enum swim__msg_type type, const char *node, const char *from,
                                   uint32_t incarnation)
{
    struct swim__accusation a = {
        .node = {node, strlen(node)}, .from = {from, strlen(from)}, .incarnation = incarnation};
    struct swim__msg msg = {.type = type};
    *(type == SWIM__MSG_SUSPECT ? &msg.suspect : &msg.dead) = a;
    return msg;
}

/* ---- SWIM 4.2: suspicion, refutation, incarnations ---- */

/* With n = 8: one round of probes until the first accusation, a suspicion of 4 s once it is
 * confirmed, and the time it takes to spread. Unconfirmed it would last for 24 s. */
static void crash_is_known(struct telling *t)
{
    open_calm_pool(t, 8);
    world_crash(t->w, 3);
    world_run_for(t->w, 18 * MU_SEC);
    claim(t, all_see(t, 3, SWIM_STATUS_FAILED), "a crash is known to all within 18 s");
    claim(t, failures(t, 3) == 7, "nobody else was reported, and nothing twice");
}

static void suspect_refutes(struct telling *t)
{
    open_calm_pool(t, 6);
    struct swim__msg msg = accusation(SWIM__MSG_SUSPECT, "n1", "n2", 1);
    world_forge(t->w, 2, 0, &msg);
    world_run_for(t->w, 60 * MU_SEC);
    claim(t, failures(t, SIZE_MAX) == 0, "who is suspected and lives is not declared dead");
    claim(t, member(t, 5, 1).incarnation == 2, "it refuted with the next incarnation");
}

static void refuted_stays_refuted(struct telling *t)
{
    open_calm_pool(t, 6);
    struct swim__msg suspect = accusation(SWIM__MSG_SUSPECT, "n1", "n2", 1);
    struct swim__msg dead = accusation(SWIM__MSG_DEAD, "n1", "n2", 1);
    world_forge(t->w, 2, 0, &suspect);
    world_run_for(t->w, 5 * MU_SEC);
    for (size_t i = 2; i < t->nodes; i++) { /* now the old ones come late */
        world_forge(t->w, 2, i, &suspect);
        world_forge(t->w, 2, i, &dead);
    }
    world_run_for(t->w, 60 * MU_SEC);
    claim(t, failures(t, SIZE_MAX) == 0, "an accusation that was refuted says nothing any more");
}

/* Answers of before the crash go on to arrive. */
static void old_answers_vouch_for_nobody(struct telling *t)
{
    open_calm_pool(t, 2);
    world_crash(t->w, 1);
    struct swim__msg ack = {.type = SWIM__MSG_ACK, .ack = {.seq_no = 1}};
    for (size_t i = 0; i < 600; i++) {
        world_forge(t->w, 1, 0, &ack);
        world_run_for(t->w, 100 * MU_MSEC);
    }
    claim(t, all_see(t, 1, SWIM_STATUS_FAILED), "an answer counts for its own probe alone");
}

/* ---- SWIM 3.1: indirect probes ---- */

static void one_bad_path(struct telling *t)
{
    open_calm_pool(t, 8);
    cut_both(t, 1, 2, true);
    world_run_for(t->w, 300 * MU_SEC);
    claim(t, suspicions(t, SIZE_MAX) == 0, "whom a helper reaches is not suspected");
}

/* memberlist#350: of three, one is cut from another, so that each probe between them hangs on the
 * only eligible helper. */
static void the_only_helper_is_asked(struct telling *t)
{
    open_calm_pool(t, 3);
    cut_both(t, 0, 1, true);
    world_run_for(t->w, 3600 * MU_SEC);
    claim(t, suspicions(t, SIZE_MAX) == 0, "the only helper is never missed");
}

/* ---- SWIM 4.1: dissemination ---- */

static void gossip_alone(struct swim_config *cfg, size_t node)
{
    (void)node;
    cfg->push_pull_interval_ns = 0;
}

/* The limit of sends is 4 * ceil(log10(65)) = 8. */
static void news_reaches_all_and_ends(struct telling *t)
{
    enum { NODES = 64, LIMIT = 8 };
    struct world_options o = calm(t, NODES);
    o.tune = gossip_alone;
    o.loss_ppm = 50000;
    open_pool(t, &o);
    uint64_t before = world_traffic(t->w)->datagram_bytes;
    world_run_for(t->w, 30 * MU_SEC);
    uint64_t idle = world_traffic(t->w)->datagram_bytes - before;
    set_tag(t, 7, 400, 'a');
    world_run_for(t->w, 30 * MU_SEC);
    uint64_t busy = world_traffic(t->w)->datagram_bytes - before - idle;
    size_t updates = 0;
    for (size_t i = 0; i < NODES; i++) {
        updates += world_counts(t->w, i)->updates;
    }
    claim(t, updates == NODES, "news reaches everybody by gossip alone, and each once");
    claim(t, busy < idle + (uint64_t)NODES * LIMIT * 600, "and then the pool is quiet again");
}

static void events_come_once(struct telling *t)
{
    struct world_options o = calm(t, 12);
    o.repeat_ppm = 200000;
    open_pool(t, &o);
    send_event(t, 0, "n0");
    send_event(t, 5, "n1");
    world_run_for(t->w, 120 * MU_SEC);
    for (size_t i = 0; i < t->nodes; i++) {
        claim(t, world_counts(t->w, i)->users == 2, "each event comes once");
    }
}

/* memberlist#299: everybody has news of itself, for longer than it takes to say it, and one has an
 * event that is longer than each of them. */
static void events_do_not_starve(struct telling *t)
{
    enum { NODES = 1000 };
    struct world_options o = calm(t, NODES);
    open_pool(t, &o);
    for (size_t i = 0; i < NODES; i++) {
        set_tag(t, i, 20, 'a');
    }
    world_run_for(t->w, 1500 * MU_MSEC);
    struct swim_stats st;
    swim_stats(world_swim(t->w, 0), &st);
    claim(t, st.member_queue > 30, "n0 has much to say about others");
    send_event(t, 0, "n0");
    world_run_for(t->w, 3500 * MU_MSEC);
    size_t have = 0;
    for (size_t i = 0; i < NODES; i++) {
        have += world_counts(t->w, i)->users;
        swim_stats(world_swim(t->w, i), &st);
        claim(t, st.member_queue > 30, "all have much to say about others all the time");
    }
    world_trace(t->w, "%zu of %d have the event", have, NODES);
    claim(t, have == NODES, "an event reaches 1000 nodes while all of them change");
}

/* ---- healing ---- */

/* memberlist#222: both sides have long dropped each other from the failure detector. */
static void halves_find_each_other(struct telling *t)
{
    open_calm_pool(t, 6);
    world_split(t->w, 2);
    world_run_for(t->w, 10800 * MU_SEC);
    claim(t, world_status(t->w, 0, 5) == SWIM_STATUS_FAILED, "the other side failed");
    world_heal(t->w);
    claim(t, settles_within(t, 180 * MU_SEC), "after any split the halves find each other");
}

static void patience_of_an_hour(struct swim_config *cfg, size_t node)
{
    (void)node;
    cfg->reconnect_timeout_ns = 3600 * MU_SEC;
}

/* The same, but patience is configured: until it ends they are on record, then they are not. */
static void patience_is_as_configured(struct telling *t)
{
    struct world_options o = calm(t, 4);
    o.tune = patience_of_an_hour;
    open_pool(t, &o);
    world_split(t->w, 2);
    world_run_for(t->w, 3500 * MU_SEC);
    claim(t, world_status(t->w, 0, 3) == SWIM_STATUS_FAILED, "on record for as long as configured");
    world_run_for(t->w, 300 * MU_SEC);
    claim(t, world_status(t->w, 0, 3) == SWIM_STATUS_NONE, "and reaped after that");
}

/* memberlist#311: all are restarted, each at another incarnation, while the others still remember
 * what was said of their earlier lives. */
static void fleet_restarts(struct telling *t)
{
    enum { NODES = 24 };
    open_calm_pool(t, NODES);
    for (size_t i = 0; i < NODES; i++) { /* incarnations from 1 to 100 */
        for (size_t k = 0; k < i * 100 / NODES; k++) {
            set_tag(t, i, 8, (char)('a' + k % 26));
        }
    }
    world_run_for(t->w, 60 * MU_SEC);
    for (size_t wave = 0; wave < 3; wave++) { /* a third is down until it is dropped */
        for (size_t i = wave; i < NODES; i += 3) {
            world_crash(t->w, i);
        }
        world_run_for(t->w, 120 * MU_SEC);
        for (size_t i = wave; i < NODES; i += 3) {
            world_start(t->w, i);
            world_join(t->w, i, (i + 1) % NODES);
        }
        world_run_for(t->w, 5 * MU_SEC);
    }
    claim(t, settles_within(t, 60 * MU_SEC), "a fleet that restarts converges within a minute");
    size_t before = failures(t, SIZE_MAX);
    world_run_for(t->w, 120 * MU_SEC);
    claim(t, all_see_all(t) && failures(t, SIZE_MAX) == before, "and stays so");
}

/* memberlist#312: n5 comes back with an old snapshot, and syncs before it finds out. */
static void dead_stay_dead(struct telling *t)
{
    open_calm_pool(t, 6);
    struct swim__msg alive = {.type = SWIM__MSG_ALIVE};
    uint8_t buf[512];
    struct mu__writer w = mu__writer_fixed(buf, sizeof buf);
    swim__alive_of(world_swim(t->w, 4)->self, &alive.alive);
    swim__msg_encode(&w, &alive);
    world_crash(t->w, 4);
    world_crash(t->w, 5);
    world_run_for(t->w, 120 * MU_SEC); /* the others drop them from the failure detector */
    claim(t, all_see(t, 4, SWIM_STATUS_FAILED), "the death is known");
    world_start(t->w, 5);
    claim(t, !w.failed && swim__msg_decode(buf, w.len, &alive), "the announcement is kept");
    world_forge(t->w, 5, 5, &alive);
    world_run_for(t->w, MU_MSEC);
    claim(t, world_status(t->w, 5, 4) == SWIM_STATUS_ALIVE, "n5 believes in n4");
    world_join(t->w, 5, 0);
    for (size_t i = 0; i < 300; i++) {
        world_run_for(t->w, MU_SEC);
        for (size_t k = 0; k < 4; k++) {
            claim(t, world_status(t->w, k, 4) == SWIM_STATUS_FAILED, "nobody raises the dead");
        }
    }
    claim(t, all_see(t, 4, SWIM_STATUS_FAILED) && all_see(t, 5, SWIM_STATUS_ALIVE),
          "the third party learned of the death");
}

/* The farewell of SWIM came, the intent of Serf is lost or late. (Seed 5 of departed-reaped.) */
static void farewell_is_no_failure(struct telling *t)
{
    open_calm_pool(t, 6);
    world_crash(t->w, 1);
    struct swim__msg dead = accusation(SWIM__MSG_DEAD, "n1", "n1", 1);
    world_forge(t->w, 1, 0, &dead);
    world_run_for(t->w, 60 * MU_SEC);
    claim(t, failures(t, SIZE_MAX) == 0, "who said goodbye has not failed");
    claim(t, all_see(t, 1, SWIM_STATUS_LEFT), "it has left");
}

static void short_tombstones(struct swim_config *cfg, size_t node)
{
    (void)node;
    cfg->tombstone_timeout_ns = 600 * MU_SEC;
}

/* memberlist#253: members come and go under ever new names. */
static void departed_are_reaped(struct telling *t)
{
    enum { STAY = 4, PASS = 120 };
    struct world_options o = calm(t, STAY + PASS);
    o.tune = short_tombstones;
    t->nodes = STAY + PASS;
    t->w = world_create(&o);
    for (size_t i = 0; i < STAY; i++) {
        world_start(t->w, i);
        if (i > 0) {
            world_join(t->w, i, 0);
        }
    }
    for (size_t i = STAY; i < STAY + PASS; i++) {
        world_start(t->w, i);
        world_join(t->w, i, i % STAY);
        world_run_for(t->w, 20 * MU_SEC);
        swim_leave(world_swim(t->w, i), world_now(t->w));
        world_drain(t->w, i);
        world_run_for(t->w, 10 * MU_SEC);
        world_crash(t->w, i);
    }
    struct swim_stats st;
    for (size_t i = 0; i < STAY; i++) {
        swim_stats(world_swim(t->w, i), &st);
        claim(t, st.members < STAY + 600 / 30 + 8, "who left for good is reaped as time goes on");
    }
    world_run_for(t->w, 1200 * MU_SEC);
    for (size_t i = 0; i < STAY; i++) {
        const struct swim *s = world_swim(t->w, i);
        claim(t, s->members.count == STAY && s->members.len == STAY, "nothing is left of them");
        claim(t, s->early_intents.count == 0, "nor of what they said");
    }
    claim(t, failures(t, SIZE_MAX) == 0, "nobody failed");
}

/* ---- those who are slow, and those who hear nothing ---- */

/* consul#5567: one process is stopped again and again. */
static void stopped_accuses_itself(struct telling *t)
{
    struct world_options o = calm(t, 20);
    o.delay_min_ns = 50 * MU_MSEC; /* so that many pauses fall between a ping and its answer */
    o.delay_max_ns = 200 * MU_MSEC;
    open_pool(t, &o);
    for (size_t i = 0; i < 40; i++) {
        world_pause(t->w, 0, mu__prng_between(world_prng(t->w), 1000, 3500) * MU_MSEC);
        world_run_for(t->w, mu__prng_between(world_prng(t->w), 5000, 8000) * MU_MSEC);
    }
    claim(t, failures(t, SIZE_MAX) == 0, "who is stopped for seconds buries nobody");
    struct swim_stats st;
    swim_stats(world_swim(t->w, 0), &st);
    world_trace(t->w, "%llu probes, %llu failed", (unsigned long long)st.probes,
                (unsigned long long)st.probes_failed);
    claim(t, st.probes_failed == 0, "and blames nobody for what it slept through");
}

/* consul#5567 again: it is starved instead, its timers run. */
static void starved_accuses_itself(struct telling *t)
{
    open_calm_pool(t, 20);
    uint32_t worst = 0;
    struct swim_stats st;
    for (size_t i = 0; i < 60; i++) {
        world_block(t->w, 0, mu__prng_between(world_prng(t->w), 4000, 9000) * MU_MSEC);
        world_run_for(t->w, mu__prng_between(world_prng(t->w), 9000, 9500) * MU_MSEC);
        swim_stats(world_swim(t->w, 0), &st);
        worst = st.health_score > worst ? st.health_score : worst;
    }
    world_trace(t->w, "health score up to %u, %llu of %llu probes failed", worst,
                (unsigned long long)st.probes_failed, (unsigned long long)st.probes);
    claim(t, worst >= 3, "who is starved knows that it is slow");
    claim(t, st.probes_failed < 140, "and probes less, so that it accuses less");
    size_t by_others = 0;
    for (size_t i = 1; i < t->nodes; i++) {
        for (size_t k = 1; k < t->nodes; k++) {
            by_others += world_status(t->w, i, k) != SWIM_STATUS_ALIVE;
        }
    }
    claim(t, by_others == 0, "the healthy hold each other alive");
}

/* Deaths of those who are well: all but n0 and n1. */
static void count_buried(struct world *w, void *user, size_t node, const struct swim_event *ev)
{
    (void)w;
    (void)node;
    *(size_t *)user += ev->type == SWIM_EVENT_FAILED && world_index(ev->member.name) > 1;
}

/* Two at once, for about as long as a suspicion lasts: when they hear again, each reads the other's
 * accusations before the refutations. */
static void starved_pair_buries_nobody(struct telling *t)
{
    size_t buried = 0;
    open_calm_pool(t, 20);
    world_on_event(t->w, count_buried, &buried);
    for (size_t i = 0; i < 12; i++) {
        for (size_t k = 0; k < 2; k++) {
            world_block(t->w, k, mu__prng_between(world_prng(t->w), 24000, 28000) * MU_MSEC);
        }
        world_run_for(t->w, 60 * MU_SEC);
    }
    claim(t, buried == 0, "nobody declares a healthy member dead");
}

struct answers {
    size_t queries, all; /* that are over; that all answered */
};
static void count_answers(struct world *w, void *user, size_t node, const struct swim_event *ev)
{
    struct answers *a = user;
    (void)w;
    (void)node;
    if (ev->type == SWIM_EVENT_KEY_RESULT) {
        a->queries++;
        a->all += ev->err == SWIM_OK && ev->keys->answers == 6;
    }
}

/* Gossip alone misses one of six members once in fifty times. */
static void all_answer(struct telling *t)
{
    enum { QUERIES = 500 };
    struct answers a = {0};
    struct world_options o = calm(t, 6);
    o.encrypt = true;
    open_pool(t, &o);
    world_on_event(t->w, count_answers, &a);
    for (size_t i = 0; i < QUERIES; i++) {
        size_t asker = mu__prng_below(world_prng(t->w), 6);
        uint32_t id;
        int rc = swim_change_keys(world_swim(t->w, asker), world_now(t->w), SWIM_KEY_LIST,
                                  (struct mu_str){0}, 0, &id);
        assert(rc == SWIM_OK);
        (void)rc;
        world_drain(t->w, asker);
        world_run_for(t->w, 4 * MU_SEC);
    }
    world_trace(t->w, "all answered %zu of %zu queries", a.all, a.queries);
    claim(t, a.queries == QUERIES, "each query is over in time");
    claim(t, a.all == QUERIES, "all answer, whoever gossip left out");
}

struct flaps {
    size_t about_detached, about_others;
};
static void count_flaps(struct world *w, void *user, size_t node, const struct swim_event *ev)
{
    struct flaps *f = user;
    (void)w;
    if (node != 0 && ev->type == SWIM_EVENT_FAILED) {
        *(world_index(ev->member.name) == 0 ? &f->about_detached : &f->about_others) += 1;
    }
}

/* consul#5928: what n0 sends arrives, and nothing reaches n0. */
static void half_detached_shakes_nobody(struct telling *t)
{
    enum { NODES = 16 };
    struct flaps f = {0};
    open_calm_pool(t, NODES);
    world_on_event(t->w, count_flaps, &f);
    for (size_t i = 1; i < NODES; i++) {
        world_cut(t->w, i, 0, true);
    }
    world_run_for(t->w, 1200 * MU_SEC);
    claim(t, f.about_others == 0, "the half-detached buries none of the others");
    claim(t, f.about_detached == NODES - 1, "and is itself reported once, not again and again");
    world_heal(t->w);
    claim(t, settles_within(t, 120 * MU_SEC), "once attached it is back");
}

const struct story swim_stories[] = {
    {"crash-is-known", "a crash is known to all in time (SWIM 3, 4)", false, crash_is_known},
    {"suspect-refutes", "who lives refutes its suspicion (SWIM 4.2)", false, suspect_refutes},
    {"refuted-stays-refuted", "an old accusation says nothing (SWIM 4.2)", false,
     refuted_stays_refuted},
    {"old-answers", "an old answer vouches for nobody", false, old_answers_vouch_for_nobody},
    {"one-bad-path", "helpers reach whom we do not (SWIM 3.1)", false, one_bad_path},
    {"only-helper", "the only helper is asked (memberlist#350)", false, the_only_helper_is_asked},
    {"news-reaches-all", "news reaches all, and ends (SWIM 4.1)", false, news_reaches_all_and_ends},
    {"events-once", "an event comes once", false, events_come_once},
    {"events-not-starved", "events pass 1000 nodes' updates (memberlist#299)", true,
     events_do_not_starve},
    {"long-partition", "halves find each other (memberlist#222)", false, halves_find_each_other},
    {"patience", "for as long as configured (memberlist#222)", false, patience_is_as_configured},
    {"fleet-restart", "a restarted fleet converges (memberlist#311)", false, fleet_restarts},
    {"dead-stay-dead", "a third party raises no dead (memberlist#312)", false, dead_stay_dead},
    {"farewell", "who says goodbye has not failed", false, farewell_is_no_failure},
    {"departed-reaped", "who left is reaped (memberlist#253)", false, departed_are_reaped},
    {"stopped-node", "who was stopped blames itself (consul#5567)", false, stopped_accuses_itself},
    {"starved-node", "who is starved blames itself (consul#5567)", false, starved_accuses_itself},
    {"starved-pair", "who hears nobody buries nobody", false, starved_pair_buries_nobody},
    {"all-answer", "a key query is answered by all", false, all_answer},
    {"half-detached", "who hears nothing shakes nobody (consul#5928)", false,
     half_detached_shakes_nobody},
};
const size_t swim_stories_len = sizeof swim_stories / sizeof swim_stories[0];

const struct story *swim_story_find(const char *name)
{
    for (size_t i = 0; i < swim_stories_len; i++) {
        if (strcmp(swim_stories[i].name, name) == 0) {
            return &swim_stories[i];
        }
    }
    return NULL;
}

const char *swim_story_tell(const struct story *s, uint64_t seed, bool verbose, FILE *out)
{
    struct telling t = {.seed = seed, .verbose = verbose};
    s->tell(&t);
    if (t.broken && out) {
        world_dump(t.w, out);
        (void)fprintf(out,
                      "BROKEN in %s: %s\nreplay: sim_swim --story %s --seed 0x%llx --verbose\n",
                      s->name, t.broken, s->name, (unsigned long long)seed);
    }
    world_destroy(t.w);
    return t.broken;
}
