/* role.c - changes of role, term, leader and configuration (Raft figure 4). */
#include "core.h"

#include <assert.h>
#include <string.h>

static bool has_vote(const struct raft *r, const struct raft_configuration *c)
{
    const struct raft_server *s = raft__configuration_find(c, r->id);
    return s && s->kind == RAFT_VOTER;
}

bool raft__is_voter(const struct raft *r)
{
    return has_vote(r, raft__configs_last(&r->configs));
}

/* Raft dissertation, 4.2.2: until the configuration that removes a server is committed, that server
 * may be the only one whose log allows it to lead. Only the newest can be uncommitted, so that the
 * one before it counts; after a restart it is not known to be committed, and the server asks in
 * vain. */
bool raft__may_lead(const struct raft *r)
{
    const struct raft__configs *h = &r->configs;
    return raft__is_voter(r) || (raft__configs_last(h)->index > r->commit && h->n > 1 &&
                                 has_vote(r, h->items[h->n - 2]));
}

size_t raft__voters(const struct raft *r)
{
    return raft__configuration_voters(raft__configs_last(&r->configs));
}

void raft__set_leader(struct raft *r, const char *id, const char *address)
{
    raft__copy_address(r->leader_address, address);
    if (strcmp(r->leader, id) != 0) {
        raft__copy_id(r->leader, id);
        r->status_changed = true;
        raft__trace(r, RAFT_TRACE_LEADER, id, NULL, 0, 0);
    }
}

static void leave_leadership(struct raft *r)
{
    raft__transfer_end(r);
    raft__lose_reads(r);
    for (size_t i = 0; i < r->n_peers; i++) {
        raft__peer_reset(r, &r->peers[i]);
    }
    r->round_due = false;
    r->stats.step_downs++;
}

void raft__become_follower(struct raft *r, raft_term term, const char *why)
{
    assert(term >= r->hard.term);
    enum raft_role was = r->role;
    r->role = RAFT_FOLLOWER;
    if (was == RAFT_LEADER) {
        leave_leadership(r);
    }
    if (term > r->hard.term) {
        raft__set_hard(r, term, "");
        raft__set_leader(r, "", "");
    } else if (was == RAFT_LEADER) {
        raft__set_leader(r, "", "");
    }
    if (was != RAFT_FOLLOWER) {
        r->status_changed = true;
        raft__reset_election_timer(r);
        raft__trace(r, RAFT_TRACE_ROLE, NULL, why, RAFT_FOLLOWER, 0);
    }
}

/* Raft 8: a leader commits an entry of its own term first, and knows then what is committed. */
static bool append_noop(struct raft *r)
{
    const struct raft_entry noop = {
        .index = r->log.last + 1, .term = r->hard.term, .type = RAFT_ENTRY_NOOP};
    return raft__append(r, &noop) == RAFT_OK;
}

void raft__become_leader(struct raft *r)
{
    assert(r->role == RAFT_CANDIDATE);
    if (!append_noop(r)) {
        raft__become_follower(r, r->hard.term, "no memory to lead");
        return;
    }
    r->role = RAFT_LEADER;
    r->status_changed = true;
    r->stats.elections_won++;
    r->term_start = r->log.last;
    r->matched = r->log.last;
    r->leader_since = r->now;
    r->lease_floor = 0;
    r->stamp = r->now;
    r->stamp_used = false;
    for (size_t i = 0; i < r->n_peers; i++) {
        raft__peer_reset(r, &r->peers[i]);
        r->peers[i].next = r->term_start;
    }
    raft__trace(r, RAFT_TRACE_ROLE, NULL, "won the election", RAFT_LEADER, 0);
    raft__set_leader(r, r->id, r->address);
    raft__heartbeat_all(r);
    r->heartbeat_deadline = r->now + r->cfg.heartbeat_ns;
    raft__maybe_commit(r);
}

/* The peers follow the configuration in force; those that stay keep their state. */
static void rebuild_peers(struct raft *r, const struct raft_configuration *c)
{
    struct raft__peer old[RAFT_SERVERS_MAX];
    size_t n_old = r->n_peers;
    memcpy(old, r->peers, n_old * sizeof *old);
    for (size_t i = 0; i < c->n; i++) {
        struct raft__peer *p = &r->peers[i];
        *p = (struct raft__peer){.next = r->log.last + 1, .heard_ns = 0};
        for (size_t k = 0; k < n_old; k++) {
            if (strcmp(old[k].server.id, c->servers[i].id) == 0) {
                *p = old[k];
                old[k] = old[--n_old];
                break;
            }
        }
        p->server = c->servers[i];
        p->is_self = strcmp(p->server.id, r->id) == 0;
    }
    r->n_peers = c->n;
    for (size_t k = 0; k < n_old; k++) {
        raft__peer_fini(r, &old[k]);
    }
}

void raft__configuration_changed(struct raft *r)
{
    const struct raft_configuration *c = raft__configs_last(&r->configs);
    rebuild_peers(r, c);
    r->configuration_changed = true;
    raft__trace(r, RAFT_TRACE_CONFIG, NULL, NULL, c->index, c->n);
}
