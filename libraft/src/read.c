/* read.c - linearizable reads by ReadIndex (Raft dissertation, 6.4): note the commit index, let a
 * quorum confirm the leadership after that, wait until the index is applied. One round of
 * heartbeats serves all that wait. */
#include "core.h"

#include <assert.h>
#include <string.h>

int raft_read(struct raft *r, uint64_t now_ns, uint64_t id)
{
    raft__set_now(r, now_ns);
    if (r->role != RAFT_LEADER) {
        return RAFT_ENOTLEADER;
    }
    if (r->n_reads >= r->cfg.reads_max) {
        return RAFT_EBUSY;
    }
    void *reads = r->reads, *results = r->results;
    bool ok = mu__reserve(&r->allocator, &reads, &r->cap_reads, r->n_reads + 1, sizeof *r->reads);
    r->reads = reads;
    ok = ok && mu__reserve(&r->allocator, &results, &r->cap_results, r->n_results + r->n_reads + 1,
                           sizeof *r->results);
    r->results = results;
    if (!ok) {
        return RAFT_ENOMEM;
    }
    /* What earlier leaders committed is known only once an entry of this term is (Raft 8). */
    raft_index index = r->commit > r->term_start ? r->commit : r->term_start;
    uint64_t stamp = raft__new_stamp(r);
    r->reads[r->n_reads++] = (struct raft__read){.id = id, .index = index, .stamp = stamp};
    r->round_due = true;
    raft__confirm_reads(r);
    return RAFT_OK;
}

static void answer(struct raft *r, size_t n, int rc)
{
    for (size_t i = 0; i < n; i++) {
        assert(r->n_results < r->cap_results); /* raft_read made room */
        r->results[r->n_results++] =
            (struct raft_read_result){.id = r->reads[i].id, .rc = rc, .index = r->reads[i].index};
    }
    memmove(r->reads, r->reads + n, (r->n_reads - n) * sizeof *r->reads);
    r->n_reads -= n;
}

/* Raft dissertation, 6.4, steps 3 and 4: a quorum has followed this leader since the read began,
 * and the state machine has got as far as the log had then. */
void raft__confirm_reads(struct raft *r)
{
    if (r->n_reads == 0) {
        return;
    }
    uint64_t stamp = RAFT__PLANTED(READ_UNCONFIRMED) ? UINT64_MAX : raft__quorum_stamp(r);
    size_t n = 0;
    while (n < r->n_reads && r->reads[n].stamp <= stamp && r->reads[n].index <= r->applied) {
        n++;
    }
    if (n > 0) {
        answer(r, n, RAFT_OK);
    }
}

void raft__lose_reads(struct raft *r)
{
    if (r->n_reads > 0) {
        answer(r, r->n_reads, RAFT_ELOST);
    }
}
