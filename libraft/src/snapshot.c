/* snapshot.c - the host's own snapshots, and what of the log they make superfluous (Raft 7). */
#include "core.h"

#include <assert.h>

int raft_snapshot_meta(struct raft *r, raft_index index, struct raft_snapshot_meta *out)
{
    raft_term term;
    if (index == 0 || index > r->applied || index < r->log.snapshot_index ||
        !raft__log_term(&r->log, index, &term)) {
        return RAFT_ENOENT;
    }
    const struct raft_configuration *c =
        raft__configs_at(&r->configs, RAFT__PLANTED(SNAPSHOT_DROPS_CONFIG) ? 0 : index);
    struct mu__writer *w = &r->meta_configuration;
    w->allocator = &r->allocator;
    w->len = 0;
    w->failed = false;
    raft__configuration_encode(c, w);
    if (w->failed) {
        return RAFT_ENOMEM;
    }
    *out = (struct raft_snapshot_meta){.index = index,
                                       .term = term,
                                       .configuration_index = c->index,
                                       .configuration = w->data,
                                       .configuration_len = w->len};
    return RAFT_OK;
}

void raft__set_snapshot(struct raft *r, raft_index index, raft_term term)
{
    r->log.snapshot_index = index;
    r->log.snapshot_term = term;
    raft__configs_compact(&r->configs, index);
}

void raft_snapshot_done(struct raft *r, uint64_t now_ns, raft_index index)
{
    raft_term term;
    raft__set_now(r, now_ns);
    assert(index <= r->applied);
    if (index <= r->log.snapshot_index || !raft__log_term(&r->log, index, &term)) {
        return;
    }
    raft__set_snapshot(r, index, term);
    raft__compact(r);
}

/* A follower that receives a snapshot needs the entries after it, unless it has fallen silent. */
static raft_index needed_by_receivers(const struct raft *r)
{
    raft_index first = UINT64_MAX;
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        if (p->state == RAFT__SNAPSHOT && p->heard_ns > 0 &&
            r->now - p->heard_ns < 2 * r->cfg.election_timeout_ns &&
            p->sending.meta.index + 1 < first) {
            first = p->sending.meta.index + 1;
        }
    }
    return first;
}

/* Raft 7: the log up to the snapshot can go, but for a tail, from which followers that lag a little
 * are served without a snapshot. */
void raft__compact(struct raft *r)
{
    raft__trim(r);
    raft_index first = r->log.snapshot_index + 1;
    first = first > r->cfg.tail_entries ? first - r->cfg.tail_entries : 1;
    raft_index done = r->durable < r->applied ? r->durable : r->applied;
    first = first < done + 1 ? first : done + 1;
    raft_index needed = needed_by_receivers(r);
    first = first < needed ? first : needed;
    raft__log_compact(&r->log, first);
}
