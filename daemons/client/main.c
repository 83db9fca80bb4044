/* main.c - muster-agent: the process of a client, whose calls go to the servers that gossip
 * names. */
#include "node/process.h"
#include "node/stats.h"
#include "rpc/endpoints.h"
#include "rpc/rpc_router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct client_state {
    struct rpc_router *router; /* of the only front */
    size_t pool_told;          /* members, when it was told last; core's */
};

static size_t front_count(void)
{
    return 1;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): err is for roles that can fail. */
static bool create(struct process *p, char *err, size_t errlen)
{
    (void)err;
    (void)errlen;
    p->state = calloc(1, sizeof(struct client_state));
    if (!p->state) {
        abort();
    }
    return true;
}

/* Agent.* is answered here, all else by a server. */
struct client_backend {
    struct call_backend backend; /* first */
    struct call_backend *agent, *servers;
};

static void start(struct call_backend *b, struct call *c)
{
    struct client_backend *cb = (struct client_backend *)b;
    if (c->endpoint == &endpoints[ENDPOINT_INTERNAL_KEYRING_OPERATION]) {
        call_fail(c, "keyring operations must run against a server node");
        return;
    }
    call_delegate(c->endpoint->kind == ENDPOINT_AGENT ? cb->agent : cb->servers, c);
}

/* A call is taken over by the backend that it was handed to, which is then the one to cancel it. */
static void cancel(struct call_backend *b, struct call *c)
{
    (void)b;
    (void)c;
    abort();
}

/* NOLINTNEXTLINE(readability-non-const-parameter): likewise. */
static bool open_front(struct process *p, size_t i, char *err, size_t errlen)
{
    struct client_state *s = p->state;
    struct front *f = &p->fronts[i];
    (void)err;
    (void)errlen;
    struct rpc_router_config cfg = {.base = loop_base(f->loop),
                                    .client = f->client,
                                    .hold_timeout_ns = p->config->performance.rpc_hold_timeout_ns,
                                    .rate = p->config->limits.rpc_rate,
                                    .burst = (double)p->config->limits.rpc_max_burst,
                                    .seed = process_random()};
    s->router = rpc_router_create(&cfg);
    struct client_backend *b = calloc(1, sizeof *b);
    if (!s->router || !b) {
        abort();
    }
    b->backend = (struct call_backend){start, cancel};
    b->agent = agent_front_backend(f->agent);
    b->servers = rpc_router_backend(s->router);
    f->backend = &b->backend;
    return true;
}

static int snapshot(struct process *p, struct front *f, bool *preamble, char *err, size_t errlen)
{
    const struct client_state *s = p->state;
    struct rpc_target server;
    (void)f;
    *preamble = true;
    if (!rpc_router_first(s->router, &server)) {
        snprintf(err, errlen, "No known Consul servers");
        return -1;
    }
    int fd = rpc_connect(server.host, server.port, p->config->bind_addr.p);
    if (fd < 0) {
        snprintf(err, errlen, "failed to connect to %.100s: %s", server.name, strerror(errno));
    }
    return fd;
}

/* ---- Servers come and go ---- */

struct server_news {
    struct client_state *state;
    bool gone;
    uint16_t port;
    size_t pool;
    char name[256], host[64];
};

static void tell_router(void *arg)
{
    struct server_news *n = arg;
    struct rpc_router *router = n->state->router; /* NULL once the front has been closed */
    if (router && n->gone) {
        rpc_router_remove(router, n->name);
    } else if (router && n->name[0]) {
        rpc_router_add(router, n->name, n->host, n->port);
    }
    if (router) {
        rpc_router_set_pool_size(router, n->pool);
    }
    free(n);
}

/* The router does with the size of the pool by and large: a thousand agents that come need not wake
 * the front of each other agent a thousand times. */
static bool has_grown_or_shrunk(const struct client_state *s, size_t pool)
{
    size_t apart = pool > s->pool_told ? pool - s->pool_told : s->pool_told - pool;
    return apart > s->pool_told / 8;
}

static void member(struct process *p, enum member_change change, const struct agent_member *m)
{
    struct client_state *s = p->state;
    struct member_server server;
    bool is_server = member_as_server(m, p->config->datacenter, &server);
    size_t pool = members_count(&p->members);
    if (!is_server && !has_grown_or_shrunk(s, pool)) {
        return;
    }
    struct server_news *n = calloc(1, sizeof *n);
    if (!n) {
        abort();
    }
    s->pool_told = pool;
    n->state = s;
    n->pool = pool;
    if (is_server) {
        n->gone = change != MEMBER_JOINED && change != MEMBER_UPDATED;
        n->port = server.port;
        snprintf(n->name, sizeof n->name, "%.*s", (int)server.name.len, server.name.p);
        snprintf(n->host, sizeof n->host, "%.*s", (int)server.address.len, server.address.p);
    }
    loop_post(p->fronts[0].loop, tell_router, n);
}

struct new_rate {
    struct client_state *state;
    double rate, burst;
};

static void set_rate(void *arg)
{
    struct new_rate *n = arg;
    if (n->state->router) {
        rpc_router_set_rate(n->state->router, n->rate, n->burst);
    }
    free(n);
}

static void reload(struct process *p, const struct config *next)
{
    struct new_rate *n = calloc(1, sizeof *n);
    if (!n) {
        abort();
    }
    *n = (struct new_rate){p->state, next->limits.rpc_rate, (double)next->limits.rpc_max_burst};
    loop_post(p->fronts[0].loop, set_rate, n);
}

static void leave(struct process *p)
{
    (void)p;
}

static void describe(struct process *p, struct stats *st)
{
    size_t servers = 0, at = 0;
    for (const struct agent_member *m; (m = members_next_server(&p->members, &at)) != NULL;) {
        struct member_server server;
        servers += m->status == MEMBER_ALIVE && member_as_server(m, p->config->datacenter, &server)
                       ? 1
                       : 0;
    }
    stats_add(st, "consul", "acl", "disabled");
    stats_add(st, "consul", "known_servers", "%zu", servers);
    stats_add(st, "consul", "server", "false");
}

static void close_front(struct process *p, size_t i)
{
    struct client_state *s = p->state;
    if (s->router) {
        rpc_router_destroy(s->router);
        s->router = NULL;
    }
    if (p->fronts[i].client) {
        rpc_client_destroy(p->fronts[i].client);
        p->fronts[i].client = NULL;
    }
    free(p->fronts[i].backend);
    p->fronts[i].backend = NULL;
}

static void stop(struct process *p)
{
    (void)p;
}

static void destroy(struct process *p)
{
    free(p->state);
}

int main(int argc, char **argv)
{
    static const struct process_role role = {.server = false,
                                             .front_count = front_count,
                                             .create = create,
                                             .open_front = open_front,
                                             .member = member,
                                             .reload = reload,
                                             .leave = leave,
                                             .describe = describe,
                                             .snapshot = snapshot,
                                             .close_front = close_front,
                                             .stop = stop,
                                             .destroy = destroy};
    return process_main(argc, argv, &role);
}
