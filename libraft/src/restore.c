/* restore.c - what the disk holds, told before the start. */
#include "core.h"

#include <assert.h>
#include <string.h>

int raft_restore_hard_state(struct raft *r, const struct raft_hard_state *hs)
{
    assert(!r->is_started);
    if (!memchr(hs->vote, 0, sizeof hs->vote) || hs->term > INT64_MAX) {
        return RAFT_EINVAL;
    }
    if (RAFT__PLANTED(HARD_STATE_LOST)) {
        return RAFT_OK;
    }
    r->hard.term = hs->term;
    raft__copy_id(r->hard.vote, hs->vote);
    return RAFT_OK;
}

int raft_restore_snapshot(struct raft *r, const struct raft_snapshot_meta *meta)
{
    struct raft_configuration c;
    assert(!r->is_started);
    if (meta->index == 0 || meta->term == 0 || meta->configuration_index > meta->index ||
        raft_configuration_decode(meta->configuration, meta->configuration_len,
                                  meta->configuration_index, &c) != RAFT_OK) {
        return RAFT_EINVAL;
    }
    raft__log_reset(&r->log, meta->index, meta->term);
    raft__configs_reset(&r->configs, &c);
    return RAFT_OK;
}

static int restore_entry(struct raft *r, const struct raft_entry *e)
{
    struct raft__log *l = &r->log;
    if (l->n_runs == 0) {
        if (e->index == 0 || e->index > l->snapshot_index + 1) {
            return RAFT_ECORRUPT;
        }
        raft__log_start_at(l, e->index);
    }
    if (e->index != l->last + 1 || e->term == 0 || e->term > INT64_MAX ||
        (l->n_runs > 0 && e->term < l->runs[l->n_runs - 1].term)) {
        return RAFT_ECORRUPT;
    }
    if (e->type == RAFT_ENTRY_CONFIG && e->index > l->snapshot_index) {
        struct raft_configuration c;
        if (raft_configuration_decode(e->data, e->len, e->index, &c) != RAFT_OK) {
            return RAFT_ECORRUPT;
        }
        if (!raft__configs_push(&r->configs, &c)) {
            return RAFT_ENOMEM;
        }
    }
    if (!raft__log_append(l, e)) {
        raft__configs_truncate(&r->configs, e->index);
        return RAFT_ENOMEM;
    }
    raft__log_evict(l, l->last, r->cfg.cache_bytes_max);
    return RAFT_OK;
}

int raft_restore_entries(struct raft *r, const struct raft_entry *entries, size_t n)
{
    assert(!r->is_started);
    for (size_t i = 0; i < n; i++) {
        int rc = restore_entry(r, &entries[i]);
        if (rc != RAFT_OK) {
            return rc;
        }
    }
    return RAFT_OK;
}

/* A crash between an installed snapshot and the log's reset leaves a log that ends before the
 * snapshot or differs from it; none of it is needed. */
static void reconcile(struct raft *r)
{
    raft_index s = r->log.snapshot_index;
    if (s > 0 && (r->log.last < s || !raft__log_matches(&r->log, s, r->log.snapshot_term))) {
        raft__configs_truncate(&r->configs, s + 1);
        raft__reset_log(r, s, r->log.snapshot_term);
    }
}

void raft__start_timer(struct raft *r)
{
    raft__reset_election_timer(r);
    if (raft__is_voter(r) && raft__voters(r) == 1) {
        r->election_deadline = r->now; /* nobody else could lead */
    }
}

void raft_start(struct raft *r, uint64_t now_ns)
{
    assert(!r->is_started);
    r->is_started = true;
    r->now = now_ns;
    r->log_first_told = r->log.first;
    reconcile(r);
    r->durable = r->backlog_floor = r->log.last;
    r->persist_next = r->log.last + 1;
    r->commit = r->handed = r->applied = r->matched = r->log.snapshot_index;
    if (r->hard.term > 0 || r->log.last > 0) {
        r->promise_until = now_ns + r->cfg.election_timeout_ns;
    }
    raft_term last = raft__log_last_term(&r->log);
    if (last > r->hard.term) {
        raft__set_hard(r, last, "");
    }
    raft__configuration_changed(r);
    raft__start_timer(r);
}
