#include "core.h"

#include <string.h>

enum raft_role raft_role(const struct raft *r)
{
    return r->role;
}

raft_term raft_current_term(const struct raft *r)
{
    return r->hard.term;
}

const char *raft_id(const struct raft *r)
{
    return r->id;
}

const char *raft_leader(const struct raft *r)
{
    return r->leader;
}

const char *raft_leader_address(const struct raft *r)
{
    return r->leader_address;
}

raft_index raft_commit_index(const struct raft *r)
{
    return r->commit;
}

raft_index raft_applied_index(const struct raft *r)
{
    return r->applied;
}

raft_index raft_last_index(const struct raft *r)
{
    return r->log.last;
}

raft_index raft_first_index(const struct raft *r)
{
    return r->log.first;
}

raft_index raft_snapshot_index(const struct raft *r)
{
    return r->log.snapshot_index;
}

raft_term raft_last_term(const struct raft *r)
{
    return raft__log_last_term(&r->log);
}

const struct raft_configuration *raft_configuration(const struct raft *r)
{
    return raft__configs_last(&r->configs);
}

const struct raft_server *raft_server(const struct raft *r, const char *id)
{
    return raft__configuration_find(raft__configs_last(&r->configs), id);
}

int raft_peer(const struct raft *r, const char *id, struct raft_peer_status *out)
{
    if (r->role != RAFT_LEADER) {
        return RAFT_ENOTLEADER;
    }
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct raft__peer *p = &r->peers[i];
        if (strcmp(p->server.id, id) == 0) {
            *out = (struct raft_peer_status){
                .match = p->is_self ? r->durable : p->match,
                .next = p->is_self ? r->log.last + 1 : p->next,
                .last_heard_ns = p->is_self ? r->now : p->heard_ns,
                .is_snapshotting = p->state == RAFT__SNAPSHOT,
            };
            return RAFT_OK;
        }
    }
    return RAFT_ENOENT;
}

void raft_get_stats(const struct raft *r, struct raft_stats *out)
{
    struct raft_stats s = r->stats;
    s.size = out->size;
    s.cache_bytes = r->log.bytes;
    s.backlog_bytes = r->backlog_bytes;
    memset(out, 0, s.size);
    memcpy(out, &s, mu__min(s.size, sizeof s));
}
