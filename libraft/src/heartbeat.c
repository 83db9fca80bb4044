/* heartbeat.c - the leader's clockwork: heartbeats, CheckQuorum and the lease (Raft
 * dissertation, 6.2 to 6.4).
 *
 * Each message of a leader carries a stamp, a time of its own clock, which the answer echoes:
 * whoever answered a stamp followed this leader then, and does not vote for another for an election
 * timeout after it. The newest stamp that a quorum has answered therefore bounds what the leader
 * may assume. A stamp can run ahead of the clock by one for each message when the clock stands
 * still; that is nanoseconds, and far inside the lease's margin. */
#include "core.h"

#include <assert.h>

uint64_t raft__stamp(struct raft *r)
{
    r->stamp = r->stamp > r->now ? r->stamp : r->now;
    r->stamp_used = true;
    return r->stamp;
}

uint64_t raft__new_stamp(struct raft *r)
{
    if (r->now > r->stamp) {
        r->stamp = r->now;
    } else if (r->stamp_used) {
        r->stamp++;
    }
    r->stamp_used = false;
    return r->stamp;
}

void raft__heartbeat_all(struct raft *r)
{
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        if (p->is_self) {
            continue;
        }
        struct raft_message m = {
            .type = RAFT_MSG_HEARTBEAT,
            .term = r->hard.term,
            .stamp = raft__stamp(r),
            .commit =
                r->commit < p->match || RAFT__PLANTED(COMMIT_UNVERIFIED) ? r->commit : p->match,
            .transferring = r->transfer_stamp != 0,
        };
        raft__send_peer(r, &m, p, 0);
    }
    r->round_due = false;
}

uint64_t raft__quorum_stamp(const struct raft *r)
{
    uint64_t stamps[RAFT_SERVERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        if (p->server.kind == RAFT_VOTER) {
            stamps[n++] = p->is_self ? UINT64_MAX : p->stamp;
        }
    }
    return raft__quorum_value(stamps, n);
}

void raft__leader_tick(struct raft *r)
{
    uint64_t contact = raft__quorum_stamp(r);
    contact = contact > r->leader_since ? contact : r->leader_since;
    /* CheckQuorum: Raft dissertation, 6.2. */
    if (contact < r->now && r->now - contact >= r->cfg.election_timeout_ns) {
        raft__become_follower(r, r->hard.term, "no quorum answers");
        return;
    }
    raft__transfer_tick(r);
    if (r->role == RAFT_LEADER) {
        raft__heartbeat_all(r);
        r->heartbeat_deadline = r->now + r->cfg.heartbeat_ns;
    }
}

void raft__peer_heard(struct raft *r, struct raft__peer *p, const struct raft_message *m)
{
    p->heard_ns = r->now;
    if (m->stamp > p->stamp && m->stamp <= r->stamp) {
        p->stamp = m->stamp;
        raft__confirm_reads(r);
    }
}

void raft__recv_heartbeat_reply(struct raft *r, const struct raft_message *m)
{
    struct raft__peer *p = raft__find_peer(r, m->from);
    if (!p || p->is_self) {
        return;
    }
    raft__peer_heard(r, p, m);
    raft_index accepted = m->log_index;
    if (p->state == RAFT__SNAPSHOT) {
        raft__snapshot_heard(r, p, m->stamp);
    } else {
        const struct raft__sent *lost = raft__window_first_beyond(r, &p->window, accepted);
        if (lost && lost->stamp + r->cfg.heartbeat_ns <= m->stamp) {
            r->stats.appends_resent++;
            raft__peer_probe(r, p, p->state == RAFT__PROBE ? p->next : accepted + 1);
        } else if (p->state == RAFT__PROBE && p->window.len > 0 && accepted + 1 >= p->next &&
                   !lost) {
            raft__peer_replicate(r, p, accepted + 1 > p->match ? accepted + 1 : p->match + 1);
        } else if (p->state == RAFT__REPLICATE && p->window.len == 0 && accepted < p->commit_sent) {
            /* It restarted, and no longer knows that its log is ours: an append, if only an empty
             * one, shows it again, and lets it commit what it has. */
            p->commit_sent = accepted;
        }
    }
    raft__peer_matches(r, p, m->hint_index);
}

/* Raft dissertation, 6.4.1: from the sending of what a quorum answered; not before an entry of the
 * term is applied (6.4, step 1), and not while a successor may have been elected already (3.10). */
uint64_t raft_lease_until(const struct raft *r)
{
    if (r->role != RAFT_LEADER || r->applied < r->term_start || r->transfer_stamp != 0) {
        return 0;
    }
    uint64_t stamp = raft__quorum_stamp(r);
    if (stamp == UINT64_MAX || RAFT__PLANTED(LEASE_UNCHECKED)) {
        return MU_NEVER;
    }
    return stamp == 0 || stamp < r->lease_floor ? 0 : stamp + r->cfg.lease_ns;
}

uint64_t raft_last_contact(const struct raft *r)
{
    if (r->role != RAFT_LEADER) {
        return r->heard_ns;
    }
    uint64_t stamp = raft__quorum_stamp(r);
    stamp = stamp > r->leader_since ? stamp : r->leader_since;
    return stamp < r->now ? stamp : r->now;
}
