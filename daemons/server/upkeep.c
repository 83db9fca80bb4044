/* upkeep.c - gathers what the leader knows of Raft's servers, lets autopilot.c decide, and makes
 * the change. Once a second: what is decided depends on times of seconds, and no event is waited
 * for. */
#include "server.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define MODULE     "agent.server.autopilot"
#define INTERVAL_S 1

/* ---- What gossip knows ---- */

/* Of two members with one ID, a server and what it was called before, the one that lives counts. */
static int liveness(uint64_t status)
{
    switch ((enum agent_member_status)status) {
    case MEMBER_ALIVE:
        return 4;
    case MEMBER_LEAVING:
        return 3;
    case MEMBER_FAILED:
        return 2;
    case MEMBER_LEFT:
        return 1;
    default:
        return 0;
    }
}

const struct agent_member *server__member_of(const struct server *s, const char *id)
{
    const struct agent_member *best = NULL;
    size_t at = 0;
    for (const struct agent_member *m; (m = members_next_server(s->members, &at)) != NULL;) {
        if (mu__str_eq(member_tag(m, "id"), mu__cstr(id)) &&
            (!best || liveness(m->status) > liveness(best->status))) {
            best = m;
        }
    }
    return best;
}

/* The build tag is "1.8.7:revision". */
struct mu_str server__version_of(const struct agent_member *m)
{
    struct mu_str version = member_tag(m, "build");
    const char *colon = version.len ? memchr(version.p, ':', version.len) : NULL;
    if (colon) {
        version.len = (size_t)(colon - version.p);
    }
    return version;
}

/* ---- What Raft knows ---- */

static void add_server(const struct server *s, const struct raft_node_status *st,
                       const struct raft_server *server, struct autopilot_facts *out)
{
    struct autopilot_fact *f = &out->servers[out->n++];
    struct raft_node_peer_status peer = {.silent_ns = MU_NEVER};
    int rc = raft_node_peer(s->raft, server->id, &peer); /* on failure it was never heard of */
    *f = (struct autopilot_fact){.is_voter = server->kind == RAFT_VOTER,
                                 .is_leader = strcmp(server->id, s->node_id.p) == 0,
                                 .may_vote = true,
                                 .match = rc == RAFT_OK ? peer.match : 0,
                                 .silent_ns = peer.silent_ns,
                                 .gossip = AUTOPILOT_UNKNOWN};
    memcpy(f->id, server->id, sizeof f->id);
    if (f->is_leader) {
        f->match = st->last_log_index;
    }
    f->term = f->match >= s->leader_from ? st->last_log_term : 0;
}

static void add_member(struct autopilot_facts *out, const struct agent_member *m)
{
    struct mu_str id = member_tag(m, "id");
    for (size_t i = 0; i < out->n; i++) {
        struct autopilot_fact *f = &out->servers[i];
        if (mu__str_eq(id, mu__cstr(f->id)) && liveness(m->status) > liveness(f->gossip)) {
            f->gossip = (enum autopilot_gossip)m->status;
            f->may_vote = member_tag(m, "nonvoter").p == NULL;
        }
    }
}

static void gather(const struct server *s, struct autopilot_facts *out)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    *out = (struct autopilot_facts){.now_ns = loop_now_ns(),
                                    .heartbeat_ns = server__heartbeat_ns(s->config),
                                    .last_index = st.last_log_index,
                                    .term = st.last_log_term};
    for (size_t i = 0; i < st.configuration->n; i++) {
        add_server(s, &st, &st.configuration->servers[i], out);
    }
    size_t at = 0;
    for (const struct agent_member *m; (m = members_next_server(s->members, &at)) != NULL;) {
        add_member(out, m);
    }
}

/* ---- The configuration ---- */

static struct catalog_autopilot_config initial(const struct config *c)
{
    return (struct catalog_autopilot_config){
        .cleanup_dead_servers = c->autopilot.cleanup_dead_servers,
        .last_contact_threshold_ns = (int64_t)c->autopilot.last_contact_threshold_ns,
        .max_trailing_logs = (uint64_t)c->autopilot.max_trailing_logs,
        .min_quorum = (uint64_t)c->autopilot.min_quorum,
        .server_stabilization_time_ns = (int64_t)c->autopilot.server_stabilization_time_ns};
}

/* The first leader of a cluster gives it its configuration; from then on operators do. */
static struct catalog_autopilot_config configuration(struct server *s)
{
    catalog_read_begin(s->reader);
    const struct catalog_autopilot_config *found = catalog_find_autopilot(s->reader);
    struct catalog_autopilot_config config = found ? *found : initial(s->config);
    config.redundancy_zone_tag = config.upgrade_version_tag = (struct mu_str){NULL, 0}; /* lent */
    bool is_set = found != NULL;
    catalog_read_end(s->reader);
    if (!is_set && !s->autopilot_is_set) {
        struct catalog_autopilot_set_request request = {.datacenter = s->config->datacenter,
                                                        .config = config};
        s->autopilot_is_set =
            server__propose(s, CATALOG_ENTRY_AUTOPILOT, CATALOG_AUTOPILOT_SET_REQUEST, &request);
    }
    return config;
}

/* ---- The change ---- */

static void log_denial(struct server *s, const struct autopilot_decision *d)
{
    static const char *const why[] = {
        [AUTOPILOT_NOT_DENIED] = "",
        [AUTOPILOT_TOO_MANY] = "they are half of the voters or more",
        [AUTOPILOT_MIN_QUORUM] = "fewer than min_quorum would be left",
        [AUTOPILOT_NO_QUORUM] = "the voters that are heard of are no majority",
    };
    if (d->denial != AUTOPILOT_NOT_DENIED && d->denial != s->denial) {
        log_warn(MODULE, "dead servers stay in Raft, %s: dead=%zu voters=%zu", why[d->denial],
                 d->dead_voters, d->voters);
    }
    s->denial = d->denial;
}

static void promote(struct server *s, const struct autopilot_fact *f)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    for (size_t i = 0; i < st.configuration->n; i++) {
        struct raft_server server = st.configuration->servers[i];
        if (strcmp(server.id, f->id) == 0) {
            server.kind = RAFT_VOTER;
            int rc = raft_node_add_server(s->raft, &server, NULL, NULL);
            log_info(MODULE, "promoting server to voter: id=%s address=%s%s%s", server.id,
                     server.address, rc ? " error=" : "", rc ? raft_node_strerror(rc) : "");
            return;
        }
    }
}

/* Gossip is told, so that the catalog forgets it as well, and so that it counts as new if it ever
 * returns. */
static void bury(struct server *s, const struct autopilot_fact *f)
{
    const struct agent_member *m = server__member_of(s, f->id);
    int rc = raft_node_remove_server(s->raft, f->id, NULL, NULL);
    log_info(MODULE, "removing a dead server from Raft: id=%s server=%.*s%s%s", f->id,
             m ? (int)m->name.len : 0, m ? m->name.p : "", rc ? " error=" : "",
             rc ? raft_node_strerror(rc) : "");
    if (rc == RAFT_OK && m && m->status == MEMBER_FAILED && s->on_dead_server) {
        s->on_dead_server(s->user, m->name);
    }
}

void server__upkeep(struct server *s)
{
    struct autopilot_facts facts;
    struct catalog_autopilot_config config = configuration(s);
    gather(s, &facts);
    autopilot_observe(&s->autopilot, &config, &facts);
    struct autopilot_decision d = autopilot_decide(&s->autopilot, &config);
    log_denial(s, &d);
    switch (d.kind) {
    case AUTOPILOT_PROMOTE:
        promote(s, &d.server->fact);
        break;
    case AUTOPILOT_REMOVE:
        bury(s, &d.server->fact);
        break;
    case AUTOPILOT_NOTHING:
        break;
    }
}

/* ---- When ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    (void)fd;
    (void)what;
    if (raft_node_is_leader(s->raft)) {
        server__upkeep(s);
    }
}

void server__upkeep_start(struct server *s)
{
    struct timeval interval = {.tv_sec = INTERVAL_S};
    s->upkeep_timer = event_new(loop_base(s->core), -1, EV_PERSIST, on_timer, s);
    if (!s->upkeep_timer || event_add(s->upkeep_timer, &interval) != 0) {
        abort();
    }
}

void server__upkeep_begin(struct server *s)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    s->leader_from = st.last_log_index; /* a leader leads once it has applied an entry of its own */
    s->autopilot = (struct autopilot){.n = 0};
    s->autopilot_is_set = false;
    s->denial = AUTOPILOT_NOT_DENIED;
    server__upkeep(s);
}
