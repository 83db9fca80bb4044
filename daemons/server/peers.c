/* peers.c - Raft membership on the leader: each alive server of ours is a voter, one that left is
 * not. Changes are made one at a time, and each change of the configuration starts the next round
 * (leader.c). */
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
        server__reconcile_soon(s);
    }
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
            int rc = raft_node_remove_server(s->raft, c->servers[i].id, NULL, NULL);
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
         new->expect == 1 && (m = mu__map_next(&s->members->by_name, &at)) != NULL;) {
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
    if (peer && peer->kind == RAFT_VOTER && strcmp(peer->address, add.address) == 0) {
        return;
    }
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

static bool is_member(const struct server *s, const char *id)
{
    size_t at = 0;
    for (const struct agent_member *m; (m = mu__map_next(&s->members->by_name, &at)) != NULL;) {
        if (mu__str_eq(member_tag(m, "id"), mu__cstr(id))) {
            return true;
        }
    }
    return false;
}

/* Fewer than half of them at most, as the error may be ours: then the rest still outvotes us. */
void server__part_unknown(struct server *s)
{
    struct raft_node_status st;
    const struct raft_server *unknown = NULL;
    size_t n = 0;
    raft_node_status(s->raft, &st);
    for (size_t i = 0; i < st.configuration->n; i++) {
        const char *id = st.configuration->servers[i].id;
        if (strcmp(id, s->node_id.p) != 0 && !is_member(s, id)) {
            unknown = &st.configuration->servers[i];
            n++;
        }
    }
    if (n == 0 || 2 * n >= st.configuration->n) {
        return;
    }
    /* Then comes the next round, and the next peer */
    int rc = raft_node_remove_server(s->raft, unknown->id, NULL, NULL);
    log_info(MODULE, "removing a server from Raft that gossip does not know: id=%s%s%s",
             unknown->id, rc ? " error=" : "", rc ? raft_node_strerror(rc) : "");
}
