/* update.c - what is to be done now, gathered for the host. */
#include "core.h"

#include <assert.h>

/* What the last update lent is over. */
static void begin(struct raft *r)
{
    size_t loads = r->n_loads - r->given_loads, results = r->n_results - r->given_results;
    for (size_t i = 0; i < loads; i++) {
        r->loads[i] = r->loads[r->given_loads + i];
    }
    for (size_t i = 0; i < results; i++) {
        r->results[i] = r->results[r->given_results + i];
    }
    r->n_loads = loads;
    r->n_results = results;
    r->given_loads = r->given_results = 0;
    r->update = (struct raft_update){.persist = NULL};
}

static void lead(struct raft *r)
{
    if (r->round_due) {
        raft__heartbeat_all(r);
    }
    for (size_t i = 0; i < r->n_peers; i++) {
        if (!r->peers[i].is_self) {
            raft__replicate(r, &r->peers[i]);
        }
    }
}

static void give_apply(struct raft *r, struct raft_update *u)
{
    if (raft__is_installing(r)) {
        return;
    }
    raft__apply_ask(r);
    if (r->apply_loaded.n > 0) {
        assert(r->apply_loaded.entries[0].index == r->handed + 1);
        u->apply = r->apply_loaded.entries;
        u->n_apply = r->apply_loaded.n;
        r->apply_loaded.n = 0;
        while (u->apply[u->n_apply - 1].index > r->commit) {
            u->n_apply--;
        }
    } else if (r->handed < r->commit && r->handed + 1 >= r->log.cache_first) {
        u->apply =
            raft__log_slice(&r->log, r->handed + 1, r->commit, SIZE_MAX, SIZE_MAX, &u->n_apply);
    }
    r->handed += u->n_apply;
}

static bool is_empty(const struct raft_update *u)
{
    return !u->persist && u->n_messages == 0 && u->n_apply == 0 && u->n_reads == 0 &&
           u->n_loads == 0 && !u->snapshot && !u->status_changed && !u->configuration_changed;
}

int raft_next_update(struct raft *r, const struct raft_update **out)
{
    assert(r->is_started);
    begin(r);
    struct raft_update *u = &r->update;
    if (r->role == RAFT_LEADER) {
        lead(r);
    }
    u->persist = raft__next_persist(r);
    give_apply(r, u);
    raft__outbox_release(r);
    u->n_messages = r->released.n;
    u->messages = u->n_messages ? r->released.messages : NULL;
    u->n_reads = r->given_results = r->n_results;
    u->reads = u->n_reads ? r->results : NULL;
    u->n_loads = r->given_loads = r->n_loads;
    u->loads = u->n_loads ? r->loads : NULL;
    u->snapshot = raft__snapshot_write_next(r) ? &r->snapshot_write : NULL;
    u->status_changed = r->status_changed;
    u->configuration_changed = r->configuration_changed;
    u->log_first = r->log.first;
    r->status_changed = r->configuration_changed = false;
    bool empty = is_empty(u) && r->log.first == r->log_first_told;
    r->log_first_told = r->log.first;
    *out = empty ? NULL : u;
    return RAFT_OK;
}
