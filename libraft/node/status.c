#include "node.h"

#include <string.h>

uint64_t raft_node_lease_until(const struct raft_node *n)
{
    return atomic_load(&n->lease_until);
}

bool raft_node_is_leader(const struct raft_node *n)
{
    return atomic_load(&n->is_leader);
}

raft_index raft_node_applied_index(const struct raft_node *n)
{
    return atomic_load(&n->applied_index);
}

const char *raft_node_leader(const struct raft_node *n, const char **address)
{
    bool is_known = n->failure == 0;
    if (address) {
        *address = is_known ? raft_leader_address(n->core) : "";
    }
    return is_known ? raft_leader(n->core) : "";
}

const char *raft_node_id(const struct raft_node *n)
{
    return n->id;
}

bool raft_node_is_bootstrapped(const struct raft_node *n)
{
    return raft_configuration(n->core)->n > 0;
}

static enum raft_node_state state_of(const struct raft_node *n)
{
    if (n->failure != 0) {
        return RAFT_NODE_SHUTDOWN;
    }
    switch (raft_role(n->core)) {
    case RAFT_LEADER:
        return RAFT_NODE_LEADER;
    case RAFT_PRECANDIDATE:
    case RAFT_CANDIDATE:
        return RAFT_NODE_CANDIDATE;
    case RAFT_FOLLOWER:
        break;
    }
    return RAFT_NODE_FOLLOWER;
}

static uint64_t last_contact(const struct raft_node *n)
{
    uint64_t heard = raft_last_contact(n->core), now = raft_node__now();
    if (raft_role(n->core) == RAFT_LEADER) {
        return 0;
    }
    return heard == 0 ? MU_NEVER : now > heard ? now - heard : 0;
}

static size_t count_peers(const struct raft_node *n, const struct raft_configuration *c)
{
    size_t peers = 0;
    for (size_t i = 0; i < c->n; i++) {
        peers += c->servers[i].kind == RAFT_VOTER && strcmp(c->servers[i].id, n->id) != 0;
    }
    return peers;
}

void raft_node_status(const struct raft_node *n, struct raft_node_status *out)
{
    const struct raft_configuration *configuration = raft_configuration(n->core);
    *out = (struct raft_node_status){
        .state = state_of(n),
        .term = raft_current_term(n->core),
        .commit_index = raft_commit_index(n->core),
        .applied_index = atomic_load(&n->applied_index),
        .last_log_index = raft_last_index(n->core),
        .last_log_term = raft_last_term(n->core),
        .first_log_index = raft_first_index(n->core),
        .last_snapshot_index = n->saved_index,
        .last_snapshot_term = n->saved_term,
        .last_contact_ns = last_contact(n),
        .configuration = configuration,
        .peer_count = count_peers(n, configuration),
        .pending_proposals = n->proposals.count,
        .disk_full = n->is_disk_full,
        .snapshot_under_way = raft_node__is_saving(n),
        .oldest_write_ns = raft_node__oldest_write_ns(n),
    };
    out->leader_id = raft_node_leader(n, &out->leader_address);
}

void raft_node_stats(const struct raft_node *n, struct raft_stats *out)
{
    raft_get_stats(n->core, out);
}

int raft_node_peer(const struct raft_node *n, const char *id, struct raft_node_peer_status *out)
{
    struct raft_peer_status peer;
    if (n->failure != 0) {
        return RAFT_NODE_ESTOPPED;
    }
    int rc = raft_peer(n->core, id, &peer);
    if (rc != RAFT_OK) {
        return rc;
    }
    uint64_t now = raft_node__now(), heard = peer.last_heard_ns;
    *out = (struct raft_node_peer_status){
        .match = peer.match,
        .silent_ns = strcmp(id, n->id) == 0 ? 0
                     : heard == 0           ? MU_NEVER
                     : now > heard          ? now - heard
                                            : 0,
        .is_snapshotting = peer.is_snapshotting,
    };
    return RAFT_OK;
}
