/* step.c - one message, looked at and given to the file that knows it; and the passing of time. */
#include "core.h"

#include <assert.h>
#include <string.h>

static bool is_well_formed(const struct raft *r, const struct raft_message *m)
{
    return raft__is_id(m->from) && m->term >= 1 && m->term <= INT64_MAX &&
           strcmp(m->from, r->id) != 0 &&
           (!m->from_address || strlen(m->from_address) <= RAFT_ADDRESS_MAX);
}

static int from_leader(struct raft *r, const struct raft_message *m)
{
    if (m->term < r->hard.term) {
        if (m->type != RAFT_MSG_TIMEOUT_NOW) {
            raft__refuse_old_leader(r, m);
        }
        return RAFT_OK;
    }
    int rc = raft__check_leader(r, m);
    if (rc != RAFT_OK) {
        return rc;
    }
    switch (m->type) {
    case RAFT_MSG_APPEND:
        return raft__recv_append(r, m);
    case RAFT_MSG_SNAPSHOT:
        return raft__recv_snapshot(r, m);
    case RAFT_MSG_HEARTBEAT:
        raft__recv_heartbeat(r, m);
        return RAFT_OK;
    default:
        raft__recv_timeout_now(r, m);
        return RAFT_OK;
    }
}

/* Nobody can match, or refuse, more than this leader has; but a refusal may be an answer to an
 * earlier leadership of this server, whose log was longer. */
static bool is_within_log(const struct raft *r, const struct raft_message *m)
{
    return m->type == RAFT_MSG_SNAPSHOT_REPLY ||
           (m->log_index <= r->log.last && m->hint_index <= r->log.last);
}

static int to_leader(struct raft *r, const struct raft_message *m)
{
    if (m->term > r->hard.term) {
        raft__become_follower(r, m->term, "a follower knows a later term");
        return RAFT_OK;
    }
    if (m->term < r->hard.term || r->role != RAFT_LEADER) {
        return RAFT_OK;
    }
    if (!is_within_log(r, m)) {
        return m->reject ? RAFT_OK : RAFT_EPROTO;
    }
    if (m->type == RAFT_MSG_APPEND_REPLY) {
        raft__recv_append_reply(r, m);
    } else if (m->type == RAFT_MSG_HEARTBEAT_REPLY) {
        raft__recv_heartbeat_reply(r, m);
    } else {
        raft__recv_snapshot_reply(r, m);
    }
    return RAFT_OK;
}

int raft_step(struct raft *r, uint64_t now_ns, const struct raft_message *m)
{
    assert(r->is_started);
    raft__set_now(r, now_ns);
    if (!raft__is_id(m->to)) {
        return RAFT_EPROTO;
    }
    if (strcmp(m->to, r->id) != 0) {
        return RAFT_OK;
    }
    if (!is_well_formed(r, m)) {
        return RAFT_EPROTO;
    }
    struct raft_message in = *m;
    in.from_address = m->from_address ? m->from_address : "";
    r->stats.messages_in++;
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
        raft__recv_prevote(r, &in);
        return RAFT_OK;
    case RAFT_MSG_VOTE:
        raft__recv_vote(r, &in);
        return RAFT_OK;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
        raft__recv_ballot(r, &in);
        return RAFT_OK;
    case RAFT_MSG_APPEND:
    case RAFT_MSG_HEARTBEAT:
    case RAFT_MSG_SNAPSHOT:
    case RAFT_MSG_TIMEOUT_NOW:
        return from_leader(r, &in);
    case RAFT_MSG_APPEND_REPLY:
    case RAFT_MSG_HEARTBEAT_REPLY:
    case RAFT_MSG_SNAPSHOT_REPLY:
        return to_leader(r, &in);
    }
    return RAFT_EPROTO;
}

void raft_advance(struct raft *r, uint64_t now_ns)
{
    assert(r->is_started);
    raft__set_now(r, now_ns);
    if (r->role == RAFT_LEADER) {
        if (now_ns >= r->heartbeat_deadline) {
            raft__leader_tick(r);
        }
    } else if (now_ns >= raft_next_deadline(r)) {
        raft__election_timeout(r);
    }
}

uint64_t raft_next_deadline(const struct raft *r)
{
    if (r->role == RAFT_LEADER) {
        return r->heartbeat_deadline;
    }
    /* A server without a vote still forgets a leader that fell silent. */
    return raft__may_lead(r) || r->leader[0] ? r->election_deadline : MU_NEVER;
}

void raft_applied(struct raft *r, uint64_t now_ns, raft_index index)
{
    raft__set_now(r, now_ns);
    assert(index <= r->handed);
    if (index <= r->applied) {
        return;
    }
    r->applied = index;
    if (r->role == RAFT_LEADER) {
        raft__confirm_reads(r);
    }
    raft__trim(r);
}
