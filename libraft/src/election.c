/* election.c - Raft 5.2 and 5.4.1, with pre-votes (Raft dissertation, 9.6) and the rule that a
 * server which follows a live leader does not vote (Raft dissertation, 4.2.3), on which the lease
 * rests as well (6.4.1). */
#include "core.h"

#include <string.h>

void raft__reset_election_timer(struct raft *r)
{
    uint64_t t = r->cfg.election_timeout_ns;
    r->election_deadline = r->now + t + mu__prng_below(&r->prng, t);
}

bool raft__can_campaign(const struct raft *r)
{
    return r->role != RAFT_LEADER && (r->is_electable || RAFT__PLANTED(FULL_DISK_CAMPAIGNS)) &&
           raft__may_lead(r) && !raft__is_stalled(r) && !raft__is_installing(r);
}

static void clear_ballots(struct raft *r)
{
    for (size_t i = 0; i < r->n_peers; i++) {
        r->peers[i].ballot = RAFT__NO_BALLOT;
    }
}

static enum raft__verdict tally(const struct raft *r)
{
    size_t n = 0, granted = 0, refused = 0;
    for (size_t i = 0; i < r->n_peers; i++) {
        if (r->peers[i].server.kind == RAFT_VOTER) {
            n++;
            granted += r->peers[i].ballot == RAFT__GRANTED;
            refused += r->peers[i].ballot == RAFT__REFUSED;
        }
    }
    return raft__quorum_verdict(n, granted, refused);
}

static void act_on_tally(struct raft *r)
{
    switch (tally(r)) {
    case RAFT__PENDING:
        break;
    case RAFT__WON:
        if (r->role == RAFT_PRECANDIDATE) {
            raft__campaign(r, 0);
        } else {
            raft__become_leader(r);
        }
        break;
    case RAFT__LOST:
        raft__become_follower(r, r->hard.term, "lost the election");
        break;
    }
}

static void vote_for_self(struct raft *r)
{
    struct raft__peer *self = raft__find_peer(r, r->id);
    if (self) { /* otherwise it has no vote to give (raft__may_lead) */
        self->ballot = RAFT__GRANTED;
    }
}

static void ask_votes(struct raft *r, enum raft_message_type type, raft_term term,
                      uint64_t transfer, uint64_t gate)
{
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        if (p->is_self || p->server.kind != RAFT_VOTER) {
            continue;
        }
        struct raft_message m = {
            .type = type,
            .term = term,
            .log_index = r->log.last,
            .log_term = raft__log_last_term(&r->log),
            .transfer = transfer,
        };
        raft__send_peer(r, &m, p, gate);
    }
}

/* Raft 5.2, but with a question first (Raft dissertation, 9.6), so that the term rises only if the
 * election can be won. */
void raft__election_timeout(struct raft *r)
{
    raft__reset_election_timer(r);
    raft__set_leader(r, "", "");
    if (!raft__can_campaign(r)) {
        raft__become_follower(r, r->hard.term, "may not campaign");
        return;
    }
    if (r->role != RAFT_PRECANDIDATE) {
        r->role = RAFT_PRECANDIDATE;
        r->status_changed = true;
        raft__trace(r, RAFT_TRACE_ROLE, NULL, "heard no leader", RAFT_PRECANDIDATE, 0);
    }
    clear_ballots(r);
    vote_for_self(r);
    ask_votes(r, RAFT_MSG_PREVOTE, r->hard.term + 1, 0, 0);
    act_on_tally(r);
}

/* The own vote counts, and the requests leave, once term and vote are durable: a server that forgot
 * them in a crash could ask, or vote, twice in one term. */
void raft__campaign(struct raft *r, uint64_t transfer)
{
    r->role = RAFT_CANDIDATE;
    r->status_changed = true;
    r->stats.elections_started++;
    raft__set_leader(r, "", "");
    raft__set_hard(r, r->hard.term + 1, r->id);
    raft__trace(r, RAFT_TRACE_ROLE, NULL, transfer ? "was asked to lead" : "won the pre-vote",
                RAFT_CANDIDATE, 0);
    raft__reset_election_timer(r);
    clear_ballots(r);
    ask_votes(r, RAFT_MSG_VOTE, r->hard.term, transfer, raft__gate_hard(r));
}

void raft__own_vote_is_durable(struct raft *r)
{
    if (r->role == RAFT_CANDIDATE) {
        vote_for_self(r);
        act_on_tally(r);
    }
}

/* Raft 5.4.1: the log with the later last term, or the longer one, is more up to date. */
static bool is_up_to_date(const struct raft *r, const struct raft_message *m)
{
    raft_term ours = raft__log_last_term(&r->log);
    return m->log_term > ours || (m->log_term == ours && m->log_index >= r->log.last) ||
           RAFT__PLANTED(VOTE_FOR_OLD_LOG);
}

/* A vote that this server's leader asked for itself. Its lease ended before it asked, and it counts
 * on it again only after a quorum has answered a later message (transfer.c), which is why an old
 * request is not honoured. */
static bool is_transfer(const struct raft *r, const struct raft_message *m)
{
    if (m->type != RAFT_MSG_VOTE || m->transfer == 0 || m->term != r->hard.term + 1 ||
        RAFT__PLANTED(TRANSFER_REFUSED)) {
        return false;
    }
    return r->role == RAFT_LEADER ? r->transfer_stamp != 0 && m->transfer >= r->transfer_stamp
                                  : m->transfer > r->settled_stamp;
}

/* Raft dissertation, 4.2.3: does this server follow a live leader, other than the candidate? A
 * leader that lost its leadership, or was restarted, may campaign although others still follow it.
 */
static bool has_live_leader(const struct raft *r, const struct raft_message *m)
{
    if (r->role == RAFT_LEADER) {
        return true;
    }
    return r->now < r->promise_until && strcmp(r->leader, m->from) != 0;
}

static void send_ballot(struct raft *r, const struct raft_message *m, bool granted)
{
    bool pre = m->type == RAFT_MSG_PREVOTE;
    struct raft_message reply = {
        .type = pre ? RAFT_MSG_PREVOTE_REPLY : RAFT_MSG_VOTE_REPLY,
        .term = pre && granted ? m->term : r->hard.term,
        .reject = !granted,
    };
    raft__trace(r, RAFT_TRACE_VOTE, m->from, NULL, granted, pre);
    raft__reply(r, m, &reply, RAFT__PLANTED(VOTE_BEFORE_DURABLE) ? 0 : raft__gate_hard(r));
}

/* Raft dissertation, 9.6: grants what it would grant in that term, and changes nothing. A refusal
 * brings the term that the other lacks. */
void raft__recv_prevote(struct raft *r, const struct raft_message *m)
{
    if (m->term > r->hard.term && has_live_leader(r, m) && !RAFT__PLANTED(PREVOTE_IGNORES_LEADER)) {
        return;
    }
    send_ballot(r, m, m->term > r->hard.term && is_up_to_date(r, m));
}

/* Raft figure 2, RequestVote: one vote a term, and a candidate no less up to date. */
void raft__recv_vote(struct raft *r, const struct raft_message *m)
{
    if (m->term > r->hard.term) {
        if (has_live_leader(r, m) && !is_transfer(r, m)) {
            return;
        }
        raft__become_follower(r, m->term, "saw a candidate of a later term");
    }
    bool free = r->hard.vote[0] ? strcmp(r->hard.vote, m->from) == 0 : r->leader[0] == 0;
    if (RAFT__PLANTED(VOTE_TWICE)) {
        free = r->role == RAFT_FOLLOWER;
    }
    bool granted = m->term == r->hard.term && free && is_up_to_date(r, m);
    if (granted) {
        if (!r->hard.vote[0]) {
            raft__set_hard(r, r->hard.term, m->from);
        }
        if (r->role == RAFT_PRECANDIDATE) {
            raft__become_follower(r, r->hard.term, "voted");
        }
        raft__reset_election_timer(r);
    }
    send_ballot(r, m, granted);
}

void raft__recv_ballot(struct raft *r, const struct raft_message *m)
{
    bool pre = m->type == RAFT_MSG_PREVOTE_REPLY;
    bool granted = !m->reject;
    if (m->term > r->hard.term && !(pre && granted)) {
        raft__become_follower(r, m->term, "a voter knows a later term");
        return;
    }
    bool awaited = pre ? r->role == RAFT_PRECANDIDATE && (!granted || m->term == r->hard.term + 1)
                       : r->role == RAFT_CANDIDATE && m->term == r->hard.term;
    struct raft__peer *p = raft__find_peer(r, m->from);
    if (!awaited || !p || p->is_self || p->ballot != RAFT__NO_BALLOT) {
        return;
    }
    p->ballot = granted ? RAFT__GRANTED : RAFT__REFUSED;
    act_on_tally(r);
}
