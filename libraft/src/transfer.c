/* transfer.c - leadership transfer (Raft dissertation, 3.10).
 *
 * The target gets up to date while no proposals are taken, and is then asked to campaign at once.
 * Its vote requests name the stamp of that request, and voters honour it although they hear a
 * leader, so neither pre-votes nor heartbeats can cancel a transfer. From the request on the
 * leader's lease is void. When it gives up, a late campaign of the target must not break a lease
 * that counts again: that lease needs answers to stamps newer than the request, and whoever gave
 * such an answer does not honour the request any more (election.c). Any two quorums share a
 * server. */
#include "core.h"

#include <assert.h>
#include <string.h>

static const struct raft__peer *best_target(const struct raft *r)
{
    const struct raft__peer *best = NULL;
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        bool alive = p->heard_ns > 0 && r->now - p->heard_ns < r->cfg.election_timeout_ns;
        if (p->is_self || p->server.kind != RAFT_VOTER || !alive) {
            continue;
        }
        if (!best || p->match > best->match) {
            best = p;
        }
    }
    return best;
}

static void ask_to_campaign(struct raft *r, const struct raft__peer *p)
{
    r->transfer_stamp = raft__new_stamp(r);
    struct raft_message m = {
        .type = RAFT_MSG_TIMEOUT_NOW, .term = r->hard.term, .stamp = raft__stamp(r)};
    raft__send_peer(r, &m, p, 0);
    raft__trace(r, RAFT_TRACE_TRANSFER, p->server.id, NULL, 2, 0);
}

static void start(struct raft *r, const struct raft__peer *p)
{
    raft__copy_id(r->transfer_target, p->server.id);
    r->transfer_deadline = r->now + r->cfg.election_timeout_ns;
    r->transfer_stamp = 0;
    raft__trace(r, RAFT_TRACE_TRANSFER, p->server.id, NULL, 1, 0);
    raft__transfer_progress(r, p);
}

int raft_transfer(struct raft *r, uint64_t now_ns, const char *target)
{
    raft__set_now(r, now_ns);
    if (r->role != RAFT_LEADER) {
        return RAFT_ENOTLEADER;
    }
    if (r->transfer_target[0]) {
        return RAFT_EBUSY;
    }
    const struct raft__peer *p = target ? raft__find_peer(r, target) : best_target(r);
    if (!p || p->server.kind != RAFT_VOTER) {
        return RAFT_ENOENT;
    }
    if (p->is_self) {
        return RAFT_EEXIST;
    }
    start(r, p);
    return RAFT_OK;
}

/* Raft dissertation, 3.10, steps 2 and 3: once the target holds the whole log. */
void raft__transfer_progress(struct raft *r, const struct raft__peer *p)
{
    if (r->transfer_target[0] && r->transfer_stamp == 0 && p->match == r->log.last &&
        strcmp(p->server.id, r->transfer_target) == 0) {
        ask_to_campaign(r, p);
    }
}

void raft__transfer_end(struct raft *r)
{
    if (!r->transfer_target[0]) {
        return;
    }
    raft__trace(r, RAFT_TRACE_TRANSFER, r->transfer_target, NULL, 0, 0);
    r->transfer_target[0] = 0;
    if (r->transfer_stamp != 0) {
        r->transfer_stamp = 0;
        r->lease_floor = raft__new_stamp(r);
    }
}

void raft__hand_over_for_good(struct raft *r, const char *why)
{
    const struct raft__peer *p = best_target(r);
    if (p) {
        start(r, p);
    } else {
        raft__become_follower(r, r->hard.term, why);
    }
}

void raft__transfer_tick(struct raft *r)
{
    bool must_go = !r->is_electable || raft__is_stalled(r);
    bool failed = r->transfer_target[0] && r->now >= r->transfer_deadline;
    if (failed) {
        raft__transfer_end(r);
    }
    if (must_go && failed) {
        raft__become_follower(r, r->hard.term, "cannot write, and nobody took over");
    } else if (must_go && !r->transfer_target[0]) {
        raft__hand_over_for_good(r, "cannot write");
    }
}

void raft__leave(struct raft *r)
{
    const struct raft__peer *p = best_target(r);
    if (p) {
        ask_to_campaign(r, p);
    }
    raft__become_follower(r, r->hard.term, "was removed");
}

/* Raft dissertation, 3.10: without waiting, and without a pre-vote, which the others would refuse
 * as long as they hear their leader (4.2.3). */
void raft__recv_timeout_now(struct raft *r, const struct raft_message *m)
{
    if (m->term == r->hard.term && r->role == RAFT_FOLLOWER && strcmp(r->leader, m->from) == 0 &&
        m->stamp > r->settled_stamp && raft__can_campaign(r)) {
        r->promise_until = 0;
        raft__campaign(r, m->stamp);
    }
}

void raft_set_electable(struct raft *r, uint64_t now_ns, bool electable)
{
    raft__set_now(r, now_ns);
    r->is_electable = electable;
    if (!electable && r->role == RAFT_LEADER && !r->transfer_target[0]) {
        raft__hand_over_for_good(r, "may not lead");
    }
}
