/* raft_checks.c - the properties of Raft figure 3, and linearizability of one register. */
#include "raft_host.h"

#include <stdlib.h>
#include <string.h>

uint64_t sim_fnv(uint64_t hash, const void *p, size_t len)
{
    const uint8_t *bytes = p;
    for (; len >= 8; len -= 8, bytes += 8) { /* FNV-1a of words, which is faster */
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

void checks_fini(struct checks *c)
{
    free(c->entries);
    free(c->leaders);
}

/* State machine safety: what is applied at an index is the same everywhere, and so is the state
 * after it. */
void checks_applied(struct world *w, struct checks *c, const struct host *h,
                    const struct raft_entry *e)
{
    uint64_t hash = sim_fnv(e->type, e->data, e->len);
    CHECK(w, e->index == h->applied);
    CHECK(w, e->index <= c->n + 1);
    if (e->index == c->n + 1) {
        c->entries = sim_room(c->entries, &c->cap, c->n + 1, sizeof *c->entries);
        c->entries[c->n++] = (struct check_entry){.term = e->term,
                                                  .known_in = raft_current_term(h->r),
                                                  .hash = hash,
                                                  .state = h->state_hash};
        c->cover.seen[SEEN_CHANGE_COMMITTED] += e->type == RAFT_ENTRY_CONFIG;
        return;
    }
    struct check_entry *known = &c->entries[e->index - 1];
    CHECK(w, known->term == e->term);
    CHECK(w, known->hash == hash);
    CHECK(w, known->state == h->state_hash);
    if (raft_current_term(h->r) < known->known_in) {
        known->known_in = raft_current_term(h->r);
    }
}

/* The term of index, which is in the log; run only grows, or only shrinks, from call to call. */
static raft_term term_of(const struct raft__log *l, raft_index index, size_t *run)
{
    while (*run + 1 < l->n_runs && l->runs[*run + 1].first <= index) {
        ++*run;
    }
    while (l->runs[*run].first > index) {
        --*run;
    }
    return l->runs[*run].term;
}

/* Leader completeness: what was committed in an earlier term is in the log of every later
 * leader. */
static void check_completeness(struct world *w, const struct checks *c, const struct host *h)
{
    const struct raft__log *l = &h->r->log;
    size_t run = 0;
    for (size_t i = (size_t)l->first - 1; i < c->n; i++) {
        if (c->entries[i].known_in < raft_current_term(h->r)) {
            CHECK(w, i + 1 <= l->last && term_of(l, i + 1, &run) == c->entries[i].term);
        }
    }
}

/* Election safety: one leader a term. */
void checks_leader(struct world *w, struct checks *c, struct host *h)
{
    raft_term term = raft_current_term(h->r);
    bool leads = raft_role(h->r) == RAFT_LEADER;
    if (leads && (!h->was_leader || h->leader_term != term)) {
        if (term >= c->n_leaders) {
            size_t before = c->n_leaders;
            c->leaders = sim_room(c->leaders, &c->cap_leaders, term + 1, sizeof *c->leaders);
            memset(c->leaders + before, 0, (term + 1 - before) * sizeof *c->leaders);
            c->n_leaders = term + 1;
        }
        CHECK(w, c->leaders[term] == 0);
        c->leaders[term] = h->i + 1;
        check_completeness(w, c, h);
    }
    h->was_leader = leads;
    h->leader_term = term;
}

/* Log matching: from the newest index where two logs agree in term, they agree in everything before
 * it. */
void checks_log_matching(struct world *w, const struct host *a, const struct host *b)
{
    const struct raft__log *la = &a->r->log, *lb = &b->r->log;
    raft_index first = la->first > lb->first ? la->first : lb->first;
    raft_index at = la->last < lb->last ? la->last : lb->last;
    size_t run_a = 0, run_b = 0;
    bool agreed = false;
    for (; at >= first; at--) {
        raft_term ta = term_of(la, at, &run_a), tb = term_of(lb, at, &run_b);
        CHECK(w, !agreed || ta == tb);
        agreed = agreed || ta == tb;
        if (ta == tb && at >= la->cache_first && at >= lb->cache_first) {
            const struct raft_entry *ea = raft__log_at(la, at), *eb = raft__log_at(lb, at);
            CHECK(w, ea->type == eb->type && ea->len == eb->len);
            CHECK(w, ea->len == 0 || memcmp(ea->data, eb->data, ea->len) == 0);
        }
    }
}

uint64_t checks_call(struct checks *c, enum linear_kind kind, uint64_t key, uint64_t expected)
{
    if (c->n_history == HISTORY_MAX) {
        return HISTORY_MAX;
    }
    uint64_t op = c->n_history++;
    c->history[op] = (struct linear_op){.kind = kind,
                                        .key = key,
                                        .value = op + 1,
                                        .expected = expected,
                                        .call = ++c->moment,
                                        .ret = LINEAR_UNKNOWN};
    return op;
}

void checks_return(struct checks *c, uint64_t op, enum linear_kind kind, uint64_t value)
{
    if (op < c->n_history) {
        c->history[op].kind = kind;
        c->history[op].value = value;
        c->history[op].ret = ++c->moment;
    }
}

void checks_history(struct world *w, const struct checks *c)
{
    size_t steps_max = 200000; /* what is not decided by then is let pass */
    CHECK(w, linear_check_keys(c->history, c->n_history, HOST_KEYS, steps_max) != LINEAR_NO);
}

void checks_knows(struct checks *c, raft_index index)
{
    c->floor = c->floor > index ? c->floor : index;
}

void checks_add_stats(struct raft_stats *sum, const struct raft_stats *s)
{
    sum->elections_won += s->elections_won;
    sum->step_downs += s->step_downs;
    sum->entries_truncated += s->entries_truncated;
    sum->appends_resent += s->appends_resent;
    sum->snapshots_installed += s->snapshots_installed;
    sum->loads += s->loads;
}
