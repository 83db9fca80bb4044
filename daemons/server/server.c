/* server.c - puts the server's parts together, and hands on what happens to them. All on the core
 * loop. */
#include "server.h"

#include "measure.h"
#include "snapshot.h"
#include "staging.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ELECTION_MIN_NS (100 * MU_MSEC)
#define RAFT_PREAMBLE   1 /* first byte of a Raft connection on the RPC port */
/* Of the log, in memory for followers that lag: half a second of the most that is written. Who lags
 * more reads what the page cache has. */
#define CACHE_BYTES ((size_t)1 << 20)

static void on_leadership(void *user, bool is_leader, raft_term term)
{
    (void)term;
    struct server *s = user;
    server__leadership(s, is_leader);
    server__publish_view(s);
    if (is_leader) {
        s->on_leader(s->user);
    }
}

static void on_leader(void *user, const char *id, const char *address)
{
    struct server *s = user;
    if (id[0] && strcmp(id, s->node_id.p) != 0) {
        log_info("agent.server", "new leader: %s", address);
    }
    server__publish_view(s);
}

static void on_configuration(void *user)
{
    server__configuration_changed(user);
    server__publish_view(user);
}

static void on_fatal(void *user, int code, const char *sentence)
{
    struct server *s = user;
    (void)code;
    s->on_fatal(s->user, sentence);
}

static void on_log(void *user, enum mu_level level, const char *line)
{
    (void)user;
    log_write(level, "agent.server.raft", "%s", line);
}

/* Consul's raft_multiplier scales timeouts of a second; ours start from a fifth of that, which is
 * still far above what an fsync or a pause costs, and halves the time without a leader
 * (docs/differences.md). */
static uint64_t election_timeout(const struct config *c)
{
    uint64_t election = c->raft_election_ns / 5;
    return election < ELECTION_MIN_NS ? ELECTION_MIN_NS : election;
}

uint64_t server__heartbeat_ns(const struct config *c)
{
    return election_timeout(c) / 10;
}

static void set_timers(const struct config *c, struct raft_node_config *cfg)
{
    uint64_t election = c->raft_election_ns / 5;
    cfg->election_timeout_ns = election_timeout(c);
    cfg->heartbeat_ns = server__heartbeat_ns(c);
    cfg->lease_ns = cfg->election_timeout_ns / 10 * 8;
    /* A write may take this long before the leader takes its disk for hung: with short timers
     * (-dev) an election timeout is no more than a busy disk needs now and then. */
    cfg->persist_stall_ns = election < MU_SEC ? MU_SEC : election;
}

static void set_address(const struct config *c, char out[64])
{
    bool v6 = strchr(c->advertise_addr.p, ':') != NULL;
    snprintf(out, 64, v6 ? "[%s]:%d" : "%s:%d", c->advertise_addr.p, (int)c->ports.server);
}

static void explain(const struct server_config *c, int rc, const struct raft_node_diag *diag,
                    char *err, size_t errlen)
{
    char advice[2048] = "";
    if (rc == RAFT_NODE_ECORRUPT) {
        server__advise_new_id(c, advice, sizeof advice);
    }
    snprintf(err, errlen, "Failed to start Raft: %s%s%s",
             diag->text[0] ? diag->text : raft_node_strerror(rc), *advice ? ". " : "", advice);
}

static bool open_raft(struct server *s, const struct server_config *c, char *err, size_t errlen)
{
    struct raft_node_config cfg;
    struct raft_node_diag diag;
    char address[64], dir[4096];
    set_address(c->config, address);
    snprintf(dir, sizeof dir, "%s/raft", c->data_dir);
    raft_node_config_init(&cfg);
    cfg.base = loop_base(c->core);
    cfg.dir = dir;
    cfg.id = s->node_id.p;
    cfg.address = address;
    set_timers(c->config, &cfg);
    cfg.snapshot_threshold = (uint64_t)c->config->raft_snapshot_threshold;
    cfg.snapshot_interval_ns = c->config->raft_snapshot_interval_ns;
    cfg.snapshot_trailing = (uint64_t)c->config->raft_trailing_logs;
    cfg.cache_bytes_max = CACHE_BYTES;
    cfg.preamble = RAFT_PREAMBLE;
    cfg.machine = server__machine(s);
    cfg.events = (struct raft_node_events){.user = s,
                                           .leadership = on_leadership,
                                           .leader = on_leader,
                                           .configuration = on_configuration,
                                           .fatal = on_fatal,
                                           .log = on_log};
    int rc = raft_node_create(&cfg, &s->raft, &diag);
    if (rc != RAFT_OK) {
        explain(c, rc, &diag, err, errlen);
    }
    return rc == RAFT_OK;
}

struct server *server_create(const struct server_config *c, char *err, size_t errlen)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        abort();
    }
    s->config = c->config;
    s->core = c->core;
    s->members = c->members;
    s->node_id = c->node_id;
    s->on_fatal = c->on_fatal;
    s->on_leader = c->on_leader;
    s->on_dead_server = c->on_dead_server;
    s->pool = c->pool;
    s->user = c->user;
    if (catalog_create(NULL, &s->catalog) != CATALOG_OK ||
        catalog_reader_create(s->catalog, &s->reader) != CATALOG_OK) {
        abort();
    }
    server__snapshots_init(s, c->data_dir);
    server__sessions_start(s); /* the log is applied while Raft is opened */
    if (!server__raft_id_check(c, err, errlen) || !open_raft(s, c, err, errlen) ||
        !server__raft_id_keep(c, err, errlen)) {
        server_destroy(s);
        return NULL;
    }
    server__watch_contact(s);
    server__reconcile_start(s);
    server__upkeep_start(s);
    server__measure_start(s);
    server__coordinates_start(s);
    return s;
}

bool server_add_fronts(struct server *s, size_t n)
{
    s->fronts = calloc(n, sizeof *s->fronts);
    s->nfronts = s->fronts ? n : 0;
    return s->fronts != NULL;
}

void server_stop(struct server *s)
{
    struct event **timers[] = {&s->reconcile_timer, &s->contact_timer, &s->bootstrap_timer,
                               &s->upkeep_timer};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        if (*timers[i]) {
            event_free(*timers[i]);
            *timers[i] = NULL;
        }
    }
    server__coordinates_stop(s);
    server__measure_stop(s);
    server__snapshots_stop(s);
    raft_node_destroy(s->raft);
    s->raft = NULL;
    server__snapshots_join(s);
    server__sessions_stop(s);
}

void server_destroy(struct server *s)
{
    if (!s) {
        return;
    }
    server_stop(s);
    server__snapshots_fini(s);
    staging_drop(&s->staging);
    catalog_reader_destroy(s->reader);
    catalog_destroy(s->catalog);
    free(s->fronts);
    free(s);
}

bool server__as_raft_server(const struct member_server *m, struct raft_server *out)
{
    bool v6 = memchr(m->address.p, ':', m->address.len) != NULL;
    *out = (struct raft_server){.kind = RAFT_VOTER};
    if (m->id.len == 0 || m->id.len > RAFT_ID_MAX) {
        return false;
    }
    memcpy(out->id, m->id.p, m->id.len);
    int n = snprintf(out->address, sizeof out->address, v6 ? "[%.*s]:%u" : "%.*s:%u",
                     (int)m->address.len, m->address.p, m->port);
    return n > 0 && (size_t)n < sizeof out->address;
}

void server_member_changed(struct server *s, enum member_change change,
                           const struct agent_member *m)
{
    struct member_server server;
    if (change == MEMBER_REAPED) {
        server__forget_member(s, m);
        return;
    }
    server__reconcile_member(s, m);
    if (member_as_server(m, s->config->datacenter, &server)) {
        server__bootstrap_check(s);
        server__publish_view(s); /* its name may be new to the fronts */
    }
}

void server_leave(struct server *s)
{
    struct raft_node_status st;
    raft_node_status(s->raft, &st);
    if (st.state != RAFT_NODE_LEADER) {
        return; /* the leader takes us out of Raft when gossip says that we left */
    }
    if (st.peer_count > 0) {
        int rc = raft_node_transfer(s->raft, NULL);
        log_info("agent.server", "leaving: handing leadership over%s%s", rc ? ": " : "",
                 rc ? raft_node_strerror(rc) : "");
    }
}

void server_adopt_raft(struct server *s, int fd)
{
    int rc = raft_node_adopt(s->raft, fd);
    if (rc != RAFT_OK) {
        log_debug("agent.server", "a Raft connection was turned away: %s", raft_node_strerror(rc));
        close(fd);
    }
}
