#include "autopilot.h"

#include <string.h>

static uint64_t duration(int64_t ns)
{
    return ns > 0 ? (uint64_t)ns : 0;
}

/* ---- Judging ---- */

/* A heartbeat that is not due yet is no silence. */
static bool is_heard(const struct catalog_autopilot_config *config,
                     const struct autopilot_facts *facts, const struct autopilot_fact *f)
{
    return f->is_leader ||
           (f->silent_ns != MU_NEVER &&
            f->silent_ns <= duration(config->last_contact_threshold_ns) + facts->heartbeat_ns);
}

/* Held against where the leader's log ended when it looked before: what was written since may well
 * be on its way. */
static bool keeps_up(const struct autopilot *a, const struct catalog_autopilot_config *config,
                     const struct autopilot_facts *facts, const struct autopilot_fact *f)
{
    raft_index end = a->last_index ? a->last_index : facts->last_index;
    return f->match >= end || end - f->match <= config->max_trailing_logs;
}

static bool judge(const struct autopilot *a, const struct catalog_autopilot_config *config,
                  const struct autopilot_facts *facts, const struct autopilot_fact *f)
{
    return f->gossip == AUTOPILOT_ALIVE && is_heard(config, facts, f) &&
           (f->is_leader || (f->term == facts->term && keeps_up(a, config, facts, f)));
}

/* Who is heard of is not dead, whatever gossip says: packets may be lost where connections stand.
 */
static bool is_dead(const struct autopilot_server *s)
{
    return !s->is_heard &&
           (s->fact.gossip == AUTOPILOT_FAILED || s->fact.gossip == AUTOPILOT_UNKNOWN);
}

static const struct autopilot_server *find(const struct autopilot *a, const char *id)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->servers[i].fact.id, id) == 0) {
            return &a->servers[i];
        }
    }
    return NULL;
}

static void look_at(const struct autopilot *a, const struct catalog_autopilot_config *config,
                    const struct autopilot_facts *facts, const struct autopilot_fact *f,
                    struct autopilot_server *out)
{
    const struct autopilot_server *before = find(a, f->id);
    *out = (struct autopilot_server){.fact = *f,
                                     .is_heard = is_heard(config, facts, f),
                                     .is_healthy = judge(a, config, facts, f),
                                     .stable_since_ns = facts->now_ns,
                                     .dead_since_ns = facts->now_ns};
    out->is_dead = is_dead(out);
    if (before && before->is_healthy == out->is_healthy) {
        out->stable_since_ns = before->stable_since_ns;
    }
    if (before && before->is_dead && out->is_dead && before->fact.gossip == f->gossip) {
        out->dead_since_ns = before->dead_since_ns;
    }
}

void autopilot_observe(struct autopilot *a, const struct catalog_autopilot_config *config,
                       const struct autopilot_facts *facts)
{
    struct autopilot next = {
        .n = facts->n, .last_index = facts->last_index, .looked_at_ns = facts->now_ns};
    for (size_t i = 0; i < facts->n; i++) {
        look_at(a, config, facts, &facts->servers[i], &next.servers[i]);
    }
    *a = next;
}

/* ---- Deciding ---- */

struct voters {
    size_t all, heard, healthy, dead;
};

static struct voters count_voters(const struct autopilot *a)
{
    struct voters v = {.all = 0};
    for (size_t i = 0; i < a->n; i++) {
        const struct autopilot_server *s = &a->servers[i];
        if (s->fact.is_voter) {
            v.all++;
            v.heard += s->is_heard;
            v.healthy += s->is_healthy;
            v.dead += s->is_dead;
        }
    }
    return v;
}

/* Long enough that it is no mere restart. */
static bool is_long_dead(const struct autopilot *a, const struct catalog_autopilot_config *config,
                         const struct autopilot_server *s)
{
    uint64_t patience = duration(config->server_stabilization_time_ns);
    if (s->fact.gossip == AUTOPILOT_UNKNOWN && patience < AUTOPILOT_FORGET_NS) {
        patience = AUTOPILOT_FORGET_NS;
    }
    return s->is_dead && a->looked_at_ns - s->dead_since_ns >= patience;
}

static bool is_stable(const struct autopilot *a, const struct catalog_autopilot_config *config,
                      const struct autopilot_server *s)
{
    return s->is_healthy &&
           a->looked_at_ns - s->stable_since_ns >= duration(config->server_stabilization_time_ns);
}

/* All dead voters count together, though they go one by one: which of two halves is dead is not
 * for one of them to say. */
static enum autopilot_denial may_remove_voter(const struct voters *v,
                                              const struct catalog_autopilot_config *config)
{
    if (2 * v->heard <= v->all) {
        return AUTOPILOT_NO_QUORUM;
    }
    if (2 * v->dead >= v->all) {
        return AUTOPILOT_TOO_MANY;
    }
    return v->all - v->dead < config->min_quorum ? AUTOPILOT_MIN_QUORUM : AUTOPILOT_NOT_DENIED;
}

/* The dead go first: then those that are left need fewer for a quorum. */
static bool decide_removal(const struct autopilot *a, const struct catalog_autopilot_config *config,
                           const struct voters *v, struct autopilot_decision *d)
{
    for (size_t i = 0; config->cleanup_dead_servers && i < a->n; i++) {
        const struct autopilot_server *s = &a->servers[i];
        if (!is_long_dead(a, config, s)) {
            continue;
        }
        enum autopilot_denial denial =
            s->fact.is_voter ? may_remove_voter(v, config) : AUTOPILOT_NOT_DENIED;
        if (denial == AUTOPILOT_NOT_DENIED) {
            d->kind = AUTOPILOT_REMOVE;
            d->server = s;
            d->denial = denial;
            return true;
        }
        d->denial = denial;
    }
    return false;
}

static void decide_promotion(const struct autopilot *a,
                             const struct catalog_autopilot_config *config, const struct voters *v,
                             struct autopilot_decision *d)
{
    for (size_t i = 0; 2 * v->heard > v->all && i < a->n; i++) {
        const struct autopilot_server *s = &a->servers[i];
        if (!s->fact.is_voter && s->fact.may_vote && is_stable(a, config, s)) {
            d->kind = AUTOPILOT_PROMOTE;
            d->server = s;
            return;
        }
    }
}

struct autopilot_decision autopilot_decide(const struct autopilot *a,
                                           const struct catalog_autopilot_config *config)
{
    struct voters v = count_voters(a);
    struct autopilot_decision d = {
        .kind = AUTOPILOT_NOTHING, .dead_voters = v.dead, .voters = v.all};
    if (!decide_removal(a, config, &v, &d)) {
        decide_promotion(a, config, &v, &d);
    }
    return d;
}

/* ---- What operators are told ---- */

bool autopilot_is_healthy(const struct autopilot *a)
{
    size_t healthy = 0;
    for (size_t i = 0; i < a->n; i++) {
        healthy += a->servers[i].is_healthy;
    }
    return a->n > 0 && healthy == a->n;
}

int64_t autopilot_failure_tolerance(const struct autopilot *a)
{
    struct voters v = count_voters(a);
    size_t quorum = v.all / 2 + 1;
    return v.healthy > quorum ? (int64_t)(v.healthy - quorum) : 0;
}
