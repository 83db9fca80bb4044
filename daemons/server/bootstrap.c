/* bootstrap.c - the first configuration of a new cluster (bootstrap, bootstrap_expect).
 *
 * A server without a configuration waits until gossip shows as many servers as it expects. It then asks each of the
 * others for its peers: if one has some, there is a cluster already, and its leader will add us. Only when all say that
 * they have none does it write a configuration of them all; each does the same, with the same servers in the same
 * order, so it does not matter who is first. */
#include "server.h"

#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define MODULE      "agent.server"
#define SERVERS_MAX RAFT_SERVERS_MAX

struct candidates {
    struct member_server servers[SERVERS_MAX];
    size_t len;
};

static int by_id(const void *x, const void *y)
{
    const struct member_server *a = x, *b = y;
    return mu__str_cmp(a->id, b->id);
}

/* The alive servers that expect as many as we do; false if one expects another number. */
static bool gather(const struct server *s, struct candidates *out)
{
    size_t at = 0;
    out->len = 0;
    for (const struct agent_member *m; (m = mu__map_next(&s->members->by_name, &at)) != NULL;) {
        struct member_server server;
        if (m->status != MEMBER_ALIVE || !member_as_server(m, s->config->datacenter, &server) || !server.is_muster ||
            out->len == SERVERS_MAX) {
            continue;
        }
        if (server.expect != (uint64_t)s->config->bootstrap_expect) {
            log_error(MODULE, "Member %.*s has a conflicting expect value. All nodes should expect the same number",
                      (int)server.name.len, server.name.p);
            return false;
        }
        out->servers[out->len++] = server;
    }
    qsort(out->servers, out->len, sizeof *out->servers, by_id);
    return true;
}

static void bootstrap(struct server *s, const struct candidates *all)
{
    struct raft_server servers[SERVERS_MAX];
    for (size_t i = 0; i < all->len; i++) {
        if (!server__as_raft_server(&all->servers[i], &servers[i])) {
            log_error(MODULE, "cannot bootstrap: the node ID of %.*s is not one", (int)all->servers[i].name.len,
                      all->servers[i].name.p);
            return;
        }
    }
    int rc = raft_node_bootstrap(s->raft, servers, all->len);
    if (rc != RAFT_OK) {
        log_error(MODULE, "failed to bootstrap the cluster: %s", raft_node_strerror(rc));
        return;
    }
    log_info(MODULE, "bootstrapped a new cluster of %zu servers", all->len);
    server__publish_view(s);
}

/* ---- Asking the others ---- */

struct inquiry {
    struct server *server;
    size_t pending;
    bool has_cluster, failed;
};

struct inquiry_call { /* one question; made on the core, asked on front 0, answered on the core */
    struct inquiry *inquiry;
    char name[256], host[64];
    uint16_t port;
    bool failed, has_peers;
};

static void conclude(struct inquiry *q)
{
    struct server *s = q->server;
    struct candidates all;
    s->bootstrap_asked = false;
    if (!q->failed && !q->has_cluster && !raft_node_is_bootstrapped(s->raft) && gather(s, &all) &&
        all.len >= (size_t)s->config->bootstrap_expect) {
        bootstrap(s, &all);
    } else if (q->has_cluster) {
        log_info(MODULE, "the other servers have a cluster already, waiting to be added to it");
    }
    free(q);
}

static void on_core(void *arg)
{
    struct inquiry_call *c = arg;
    struct inquiry *q = c->inquiry;
    q->failed = q->failed || c->failed;
    q->has_cluster = q->has_cluster || c->has_peers;
    free(c);
    if (--q->pending == 0) {
        conclude(q);
    }
}

static void on_answer(struct call *call, enum rpc_outcome outcome, void *arg)
{
    struct inquiry_call *c = arg;
    const struct mu_strs *peers = call->reply;
    c->failed = outcome != RPC_ANSWERED;
    c->has_peers = !c->failed && peers && peers->len > 0;
    call_free(call);
    loop_post(c->inquiry->server->core, on_core, c);
}

static void ask(void *arg)
{
    struct inquiry_call *c = arg;
    struct rpc_client *client = c->inquiry->server->fronts[0].client;
    struct rpc_target to = {c->name, c->host, c->port};
    if (!client) { /* the front has been closed meanwhile */
        c->failed = true;
        loop_post(c->inquiry->server->core, on_core, c);
        return;
    }
    struct call *call = call_create(&endpoints[ENDPOINT_STATUS_PEERS], 1 << 20, NULL, NULL);
    if (!call || !rpc_client_start(client, &to, call, on_answer, c)) {
        abort();
    }
}

static void inquire(struct server *s, const struct candidates *all)
{
    struct inquiry *q = calloc(1, sizeof *q);
    if (!q) {
        abort();
    }
    q->server = s;
    q->pending = 1; /* ours, so that it does not end before all have been asked */
    s->bootstrap_asked = true;
    for (size_t i = 0; i < all->len; i++) {
        const struct member_server *m = &all->servers[i];
        if (mu__str_eq(m->id, s->node_id)) {
            continue;
        }
        struct inquiry_call *c = calloc(1, sizeof *c);
        if (!c) {
            abort();
        }
        c->inquiry = q;
        c->port = m->port;
        snprintf(c->name, sizeof c->name, "%.*s", (int)m->name.len, m->name.p);
        snprintf(c->host, sizeof c->host, "%.*s", (int)m->address.len, m->address.p);
        q->pending++;
        loop_post(s->fronts[0].loop, ask, c);
    }
    if (--q->pending == 0) {
        conclude(q);
    }
}

void server__bootstrap_check(struct server *s)
{
    struct candidates all;
    if (s->config->bootstrap_expect == 0 || s->bootstrap_asked || raft_node_is_bootstrapped(s->raft) || !gather(s, &all) ||
        all.len < (size_t)s->config->bootstrap_expect) {
        return;
    }
    log_info(MODULE, "found expected number of peers, attempting bootstrap: peers=%zu", all.len);
    inquire(s, &all);
}
