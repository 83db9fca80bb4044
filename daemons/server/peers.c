/* peers.c - Raft membership on the leader: each alive server of ours gets the log, one that left
 * does not. Who gets it also votes once it has proved itself (upkeep.c). Changes are made one at a
 * time; what has to wait is tried again after each change of the configuration (leader.c). */
#include "server.h"

#include "base/log.h"

#include <string.h>

#define MODULE "agent.leader"

static const struct raft_server *find_peer(const struct raft_configuration *c, struct mu_str id)
{
    for (size_t i = 0; i < c->n; i++) {
        if (mu__str_eq(mu__cstr(c->servers[i].id), id)) {
            return &c->servers[i];
        }
    }
    return NULL;
}

/* Changes are made one at a time, and only once a leader has committed something: what came too
 * early is tried again. */
static void changed_raft(struct server *s, int rc)
{
    if (rc == RAFT_EBUSY) {
        s->change_waits = true;
        server__reconcile_soon(s);
    }
}

/* Who is heard of under the old ID is no predecessor, but another server with a wrong address. */
static bool is_silent(const struct server *s, const char *id)
{
    struct raft_node_peer_status peer;
    uint64_t patience =
        (uint64_t)s->config->autopilot.last_contact_threshold_ns + server__heartbeat_ns(s->config);
    return raft_node_peer(s->raft, id, &peer) != RAFT_OK || peer.silent_ns > patience;
}

/* A server that lost its folder comes back with another ID at the same address: the old one will
 * not return. Removes it; true if there was one. */
static bool evict_predecessor(struct server *s, const struct raft_configuration *c,
                              const struct raft_server *new)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->servers[i].address, new->address) == 0 &&
            strcmp(c->servers[i].id, new->id) != 0) {
            if (strcmp(c->servers[i].id, s->node_id.p) == 0) {
                log_error(MODULE,
                          "another server says that it is at our address %s, not adding it to Raft",
                          new->address);
                return true;
            }
            if (!is_silent(s, c->servers[i].id)) {
                changed_raft(s, RAFT_EBUSY);
                return true;
            }
            int rc = raft_node_remove_server(s->raft, c->servers[i].id, NULL, NULL);
            s->change_waits = true; /* the new one is to be added after it */
            log_info(MODULE, "removing the former server at %s from Raft%s%s", new->address,
                     rc ? ": " : "", rc ? raft_node_strerror(rc) : "");
            changed_raft(s, rc);
            return true;
        }
    }
    return false;
}

/* Each of two servers in bootstrap mode has begun a cluster of its own: to take one into the other
 * would undo what it has promised its clients. Consul refuses this, too. */
static bool is_second_bootstrap(const struct server *s, const struct member_server *new)
{
    size_t at = 0;
    for (const struct agent_member *m;
         new->expect == 1 && (m = members_next_server(s->members, &at)) != NULL;) {
        struct member_server other;
        if (!mu__str_eq(m->name, new->name) && m->status != MEMBER_LEFT &&
            member_as_server(m, s->config->datacenter, &other) && other.expect == 1) {
            log_error(MODULE,
                      "%.*s and %.*s are both in bootstrap mode. Only one node should be in "
                      "bootstrap mode, not adding Raft peer.",
                      (int)new->name.len, new->name.p, (int)m->name.len, m->name.p);
            return true;
        }
    }
    return false;
}

void server__join_raft(struct server *s, const struct member_server *server)
{
    struct raft_node_status st;
    struct raft_server add;
    if (!server__as_raft_server(server, &add)) {
        return;
    }
    raft_node_status(s->raft, &st);
    const struct raft_server *peer = find_peer(st.configuration, server->id);
    if (peer && strcmp(peer->address, add.address) == 0) {
        return;
    }
    add.kind = peer ? peer->kind : RAFT_NONVOTER; /* who moves keeps its vote */
    if (is_second_bootstrap(s, server) || evict_predecessor(s, st.configuration, &add)) {
        return;
    }
    int rc = raft_node_add_server(s->raft, &add, NULL, NULL);
    log_info(MODULE, "adding a server to Raft: server=%.*s address=%s%s%s", (int)server->name.len,
             server->name.p, add.address, rc ? " error=" : "", rc ? raft_node_strerror(rc) : "");
    changed_raft(s, rc);
}

void server__part_raft(struct server *s, const struct agent_member *m)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    const struct raft_server *peer = find_peer(st.configuration, member_tag(m, "id"));
    if (!peer) {
        return;
    }
    int rc = raft_node_remove_server(s->raft, peer->id, NULL, NULL);
    log_info(MODULE, "removing a server from Raft: server=%.*s%s%s", (int)m->name.len, m->name.p,
             rc ? " error=" : "", rc ? raft_node_strerror(rc) : "");
    changed_raft(s, rc);
}
