/* bootstrap.c - the first configuration of a new cluster (bootstrap, bootstrap_expect).
 *
 * A server without a configuration waits until gossip shows as many servers as it expects. The
 * first of them, in the order of their IDs, then asks each of the others for its peers: if one has
 * some, there is a cluster already, and its leader will add us. Only when all say that they have
 * none does it write a configuration of those that it asked; the others learn of it when it asks
 * for their votes. One writer is safer than many: if more servers than expected start at once, two
 * of them that had not seen the same ones would begin two clusters.
 *
 * With `bootstrap` (and an expected number of 1) the configuration is this server alone, whatever
 * others there are, as long as none of them has a cluster. */
#include "server.h"

#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define MODULE      "agent.server"
#define SERVERS_MAX RAFT_SERVERS_MAX
#define RETRY_S     1 /* after a server did not answer */

struct candidates {
    struct member_server servers[SERVERS_MAX];
    size_t len;
};

static int by_id(const void *x, const void *y)
{
    const struct member_server *a = x, *b = y;
    return mu__str_cmp(a->id, b->id);
}

static uint64_t expected(const struct server *s)
{
    return (uint64_t)s->config->bootstrap_expect;
}

/* One that expects no number is to be told (Consul's rule); with one that expects another, who is
 * right? */
static bool agrees(const struct server *s, const struct member_server *m)
{
    return expected(s) == 1 || m->expect == 0 || m->expect == expected(s);
}

/* The alive servers, by ID; false if one expects another number. */
static bool gather(const struct server *s, struct candidates *out)
{
    size_t at = 0;
    out->len = 0;
    for (const struct agent_member *m; (m = members_next_server(s->members, &at)) != NULL;) {
        struct member_server server;
        if (m->status != MEMBER_ALIVE || !member_as_server(m, s->config->datacenter, &server) ||
            !server.is_muster || out->len == SERVERS_MAX) {
            continue;
        }
        if (!agrees(s, &server)) {
            log_error(MODULE,
                      "Member %.*s has a conflicting expect value. All nodes should expect the "
                      "same number",
                      (int)server.name.len, server.name.p);
            return false;
        }
        out->servers[out->len++] = server;
    }
    qsort(out->servers, out->len, sizeof *out->servers, by_id);
    return true;
}

/* Is it this server that writes the configuration? */
static bool is_ours_to_write(const struct server *s, const struct candidates *all)
{
    for (size_t i = 0; i < all->len; i++) {
        bool is_self = mu__str_eq(all->servers[i].id, s->node_id);
        if (is_self || (expected(s) > 1 && all->servers[i].expect == expected(s))) {
            return is_self;
        }
    }
    return false;
}

/* ---- Asking the others ---- */

struct inquiry {
    struct server *server;
    struct raft_server servers[SERVERS_MAX]; /* the configuration, if nobody has one yet */
    size_t len;
    size_t pending;
    bool has_cluster, failed;
};

struct inquiry_call { /* one question; made on the core, asked on front 0, answered on the core */
    struct inquiry *inquiry;
    char name[256], host[64];
    uint16_t port;
    bool failed, has_peers;
};

static void bootstrap(struct server *s, const struct inquiry *q)
{
    int rc = raft_node_bootstrap(s->raft, q->servers, q->len);
    if (rc != RAFT_OK) {
        log_error(MODULE, "failed to bootstrap the cluster: %s", raft_node_strerror(rc));
        return;
    }
    log_info(MODULE, "bootstrapped a new cluster: servers=%zu", q->len);
    server__publish_view(s);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    server__bootstrap_check(arg);
}

static void retry_soon(struct server *s)
{
    struct timeval delay = {.tv_sec = RETRY_S};
    if (!s->bootstrap_timer &&
        !(s->bootstrap_timer = evtimer_new(loop_base(s->core), on_retry, s))) {
        abort();
    }
    evtimer_add(s->bootstrap_timer, &delay);
}

static void conclude(struct inquiry *q)
{
    struct server *s = q->server;
    s->bootstrap_asked = false;
    if (q->has_cluster) {
        log_info(MODULE, "the other servers have a cluster already, waiting to be added to it");
    } else if (q->failed) {
        log_warn(MODULE, "cannot bootstrap yet, a server did not say whether it has a cluster");
        retry_soon(s);
    } else if (!raft_node_is_bootstrapped(s->raft)) {
        bootstrap(s, q);
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

static void ask_one(struct inquiry *q, const struct member_server *m)
{
    struct inquiry_call *c = calloc(1, sizeof *c);
    if (!c) {
        abort();
    }
    c->inquiry = q;
    c->port = m->port;
    snprintf(c->name, sizeof c->name, "%.*s", (int)m->name.len, m->name.p);
    snprintf(c->host, sizeof c->host, "%.*s", (int)m->address.len, m->address.p);
    q->pending++;
    loop_post(q->server->fronts[0].loop, ask, c);
}

/* False after a message: one of them cannot be a peer. */
static bool add_peer(struct inquiry *q, const struct member_server *m)
{
    if (!server__as_raft_server(m, &q->servers[q->len])) {
        log_error(MODULE, "cannot bootstrap: the node ID of %.*s is not one", (int)m->name.len,
                  m->name.p);
        return false;
    }
    q->len++;
    return true;
}

static void inquire(struct server *s, const struct candidates *all)
{
    struct inquiry *q = calloc(1, sizeof *q);
    if (!q) {
        abort();
    }
    q->server = s;
    for (size_t i = 0; i < all->len; i++) {
        bool is_self = mu__str_eq(all->servers[i].id, s->node_id);
        if ((is_self || expected(s) > 1) && !add_peer(q, &all->servers[i])) {
            free(q);
            return;
        }
    }
    s->bootstrap_asked = true;
    q->pending = 1; /* ours, so that it does not end before all have been asked */
    for (size_t i = 0; i < all->len; i++) {
        if (!mu__str_eq(all->servers[i].id, s->node_id)) {
            ask_one(q, &all->servers[i]);
        }
    }
    if (--q->pending == 0) {
        conclude(q);
    }
}

void server__bootstrap_check(struct server *s)
{
    struct candidates all;
    if (expected(s) == 0 || s->bootstrap_asked || raft_node_is_bootstrapped(s->raft) ||
        !gather(s, &all) || all.len < expected(s) || !is_ours_to_write(s, &all)) {
        return;
    }
    log_info(MODULE, "found expected number of peers, attempting bootstrap: peers=%zu", all.len);
    inquire(s, &all);
}
