/* main.c - muster-server: the agent's process with Raft, the catalog and the RPC port. */
#include "server.h"

#include "base/log.h"
#include "http/server.h"
#include "node/process.h"
#include "node/stats.h"
#include "rpc/rpc_server.h"

#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRONTS_MAX 16

struct rpc_front {
    struct process *process;
    struct rpc_server *rpc;
    struct evconnlistener *listener;
};

struct server_state {
    struct server *server;
    struct client_limit *clients;
    struct rpc_front fronts[FRONTS_MAX];
    struct config_address rpc_address;
    char rpc_text[64];
};

static struct server_state *state_of(struct process *p)
{
    return p->state;
}

/* As many as there are cores that the process may run on (taskset, a container's cpuset). */
static size_t front_count(void)
{
    cpu_set_t allowed;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        n = CPU_COUNT(&allowed);
    }
    return n < 1 ? 1 : n > FRONTS_MAX ? FRONTS_MAX : (size_t)n;
}

static void on_fatal(void *user, const char *sentence)
{
    process_fatal(user, sentence);
}

/* Agents synchronise as soon as they hear of a new leader. */
static void on_leader(void *user)
{
    struct process *p = user;
    if (p->gossip) {
        gossip_fire(p->gossip, mu__cstr("consul:new-leader"), p->config->node_name, NULL, NULL);
    }
    process_write_config_entries(p);
}

static void on_left(void *arg, size_t joined, const char *error)
{
    (void)arg;
    (void)joined;
    if (error) {
        log_warn("agent.server", "a dead server could not be made to leave: %s", error);
    }
}

static void on_dead_server(void *user, struct mu_str name)
{
    struct process *p = user;
    if (p->gossip) {
        gossip_force_leave(p->gossip, name, false, on_left, NULL);
    }
}

static void fire(void *user, struct mu_str name, struct mu_str payload, gossip_done_fn done,
                 void *arg)
{
    gossip_fire(((struct process *)user)->gossip, name, payload, done, arg);
}

static void change_keys(void *user, enum swim_key_change what, struct mu_str key,
                        uint8_t relay_factor, gossip_keys_fn done, void *arg)
{
    gossip_change_keys(((struct process *)user)->gossip, what, key, relay_factor, done, arg);
}

static bool rpc_address(struct process *p, struct server_state *s)
{
    int len = (int)sizeof s->rpc_address.addr;
    const char *host = p->config->bind_addr.p;
    snprintf(s->rpc_text, sizeof s->rpc_text, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
             (int)p->config->ports.server);
    s->rpc_address.text = mu__cstr(s->rpc_text);
    if (evutil_parse_sockaddr_port(s->rpc_text, (struct sockaddr *)&s->rpc_address.addr, &len) !=
        0) {
        return false;
    }
    s->rpc_address.len = (socklen_t)len;
    return true;
}

static bool create(struct process *p, char *err, size_t errlen)
{
    struct server_state *s = p->state = calloc(1, sizeof *s);
    if (!s ||
        !(s->clients = client_limit_create((unsigned)p->config->limits.rpc_max_conns_per_client))) {
        abort();
    }
    if (!rpc_address(p, s)) {
        snprintf(err, errlen, "bind_addr: %s is no address for the RPC port",
                 p->config->bind_addr.p);
        return false;
    }
    if (!front_address_is_free(&s->rpc_address, SOCK_STREAM, err, errlen)) {
        return false;
    }
    struct server_config cfg = {.config = p->config,
                                .core = p->core,
                                .members = &p->members,
                                .node_id = p->node_id,
                                .data_dir = p->data_dir,
                                .on_fatal = on_fatal,
                                .on_leader = on_leader,
                                .on_dead_server = on_dead_server,
                                .pool = {fire, change_keys},
                                .user = p};
    s->server = server_create(&cfg, err, errlen);
    return s->server && server_add_fronts(s->server, p->nfronts);
}

/* ---- The RPC port: Raft connections go to the core, others stay on the front that took them
 * ---- */

struct raft_connection {
    struct server *server;
    int fd;
};

static void adopt_on_core(void *arg)
{
    struct raft_connection *c = arg;
    server_adopt_raft(c->server, c->fd);
    free(c);
}

static void adopt_raft(void *user, int fd)
{
    struct process *p = user;
    struct raft_connection *c = malloc(sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    *c = (struct raft_connection){state_of(p)->server, fd};
    loop_post(p->core, adopt_on_core, c);
}

static void adopt_snapshot(void *user, int fd)
{
    server_adopt_snapshot(state_of(user)->server, fd);
}

/* One end of a pair of sockets goes the way of a connection from outside. */
static int snapshot(struct process *p, struct front *f, bool *preamble, char *err, size_t errlen)
{
    int fds[2];
    (void)f;
    *preamble = false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        snprintf(err, errlen, "cannot make a pair of sockets: %s", strerror(errno));
        return -1;
    }
    evutil_make_socket_nonblocking(fds[0]);
    server_adopt_snapshot(state_of(p)->server, fds[1]);
    return fds[0];
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    struct rpc_front *f = arg;
    (void)l;
    rpc_server_accept(f->rpc, fd, peer, (socklen_t)len);
}

static bool open_rpc(struct process *p, size_t i, char *err, size_t errlen)
{
    struct server_state *s = p->state;
    struct rpc_front *f = &s->fronts[i];
    struct rpc_server_config cfg = {.base = loop_base(p->fronts[i].loop),
                                    .backend = p->fronts[i].backend,
                                    .clients = s->clients,
                                    .handshake_timeout_ns =
                                        p->config->limits.rpc_handshake_timeout_ns,
                                    .adopt_raft = adopt_raft,
                                    .adopt_snapshot = adopt_snapshot,
                                    .user = p};
    f->process = p;
    f->rpc = rpc_server_create(&cfg);
    if (!f->rpc) {
        abort();
    }
    f->listener = evconnlistener_new_bind(
        cfg.base, on_accept, f,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE | LEV_OPT_REUSEABLE_PORT,
        256, (struct sockaddr *)&s->rpc_address.addr, (int)s->rpc_address.len);
    if (!f->listener) {
        snprintf(err, errlen, "listen tcp %s: %s", s->rpc_text, strerror(errno));
    }
    return f->listener != NULL;
}

static bool open_front(struct process *p, size_t i, char *err, size_t errlen)
{
    struct front *f = &p->fronts[i];
    f->backend = server_front_init(state_of(p)->server, i, f->loop, agent_front_backend(f->agent),
                                   f->client);
    return open_rpc(p, i, err, errlen);
}

static struct call_fresh fresh(struct process *p, size_t i)
{
    return server_front_fresh(state_of(p)->server, i);
}

static void close_front(struct process *p, size_t i)
{
    struct server_state *s = p->state;
    if (!s) {
        return;
    }
    if (s->fronts[i].listener) {
        evconnlistener_free(s->fronts[i].listener);
    }
    if (s->fronts[i].rpc) {
        rpc_server_destroy(s->fronts[i].rpc);
    }
    if (p->fronts[i].client) {
        rpc_client_destroy(p->fronts[i].client);
        p->fronts[i].client = NULL;
    }
    if (s->server) {
        server_front_fini(s->server, i);
    }
}

/* ---- Events ---- */

static void member(struct process *p, enum member_change change, const struct agent_member *m)
{
    server_member_changed(state_of(p)->server, change, m);
}

static void leave(struct process *p)
{
    server_leave(state_of(p)->server);
}

static const char *state_name(enum raft_node_state s)
{
    switch (s) {
    case RAFT_NODE_LEADER:
        return "Leader";
    case RAFT_NODE_CANDIDATE:
        return "Candidate";
    case RAFT_NODE_SHUTDOWN:
        return "Shutdown";
    default:
        return "Follower";
    }
}

static void describe_raft(const struct raft_node_status *st, struct stats *s)
{
    char contact[32] = "never";
    bool leads = st->state == RAFT_NODE_LEADER;
    if (leads) {
        snprintf(contact, sizeof contact, "0");
    } else if (st->last_contact_ns != MU_NEVER) {
        mu__duration_format((int64_t)st->last_contact_ns, contact);
    }
    stats_add(s, "raft", "applied_index", "%llu", (unsigned long long)st->applied_index);
    stats_add(s, "raft", "commit_index", "%llu", (unsigned long long)st->commit_index);
    stats_add(s, "raft", "fsm_pending", "0");
    stats_add(s, "raft", "last_contact", "%s", contact);
    stats_add(s, "raft", "last_log_index", "%llu", (unsigned long long)st->last_log_index);
    stats_add(s, "raft", "last_log_term", "%llu", (unsigned long long)st->last_log_term);
    stats_add(s, "raft", "last_snapshot_index", "%llu",
              (unsigned long long)st->last_snapshot_index);
    stats_add(s, "raft", "last_snapshot_term", "%llu", (unsigned long long)st->last_snapshot_term);
    stats_add(s, "raft", "latest_configuration_index", "%llu",
              (unsigned long long)st->configuration->index);
    stats_add(s, "raft", "num_peers", "%zu", st->configuration->n ? st->configuration->n - 1 : 0);
    stats_add(s, "raft", "protocol_version", "3");
    stats_add(s, "raft", "state", "%s", state_name(st->state));
    stats_add(s, "raft", "term", "%llu", (unsigned long long)st->term);
}

static void describe(struct process *p, struct stats *s)
{
    struct raft_node_status st;
    raft_node_status(state_of(p)->server->raft, &st);
    stats_add(s, "consul", "acl", "disabled");
    stats_add(s, "consul", "bootstrap", "%s", p->config->bootstrap ? "true" : "false");
    stats_add(s, "consul", "known_datacenters", "1");
    stats_add(s, "consul", "leader", "%s", st.state == RAFT_NODE_LEADER ? "true" : "false");
    stats_add(s, "consul", "leader_addr", "%s", st.leader_address ? st.leader_address : "");
    stats_add(s, "consul", "server", "true");
    describe_raft(&st, s);
}

static void stop(struct process *p)
{
    struct server_state *s = p->state;
    if (s && s->server) {
        server_stop(s->server);
    }
}

static void destroy(struct process *p)
{
    struct server_state *s = p->state;
    if (s) {
        server_destroy(s->server);
        client_limit_destroy(s->clients);
        free(s);
    }
}

int main(int argc, char **argv)
{
    static const struct process_role role = {.server = true,
                                             .front_count = front_count,
                                             .create = create,
                                             .open_front = open_front,
                                             .fresh = fresh,
                                             .member = member,
                                             .leave = leave,
                                             .describe = describe,
                                             .snapshot = snapshot,
                                             .close_front = close_front,
                                             .stop = stop,
                                             .destroy = destroy};
    return process_main(argc, argv, &role);
}
