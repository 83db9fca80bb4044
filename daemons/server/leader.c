/* leader.c - what the leader alone does: gossip becomes catalog entries (serfHealth) and Raft
 * membership (peers.c).
 *
 * Each member is compared with the catalog first, so that an unchanged cluster writes nothing.
 * Everything is repeated once a minute, and once at the start of a leadership: a lost event or
 * proposal costs time, not truth. */
#include "ca.h"

#include "base/log.h"
#include "base/metrics.h"

#include <stdlib.h>
#include <string.h>

#define MODULE             "agent.leader"
#define CHECK_ID           "serfHealth"
#define CHECK_NAME         "Serf Health Status"
#define OUTPUT_ALIVE       "Agent alive and reachable"
#define OUTPUT_FAILED      "Agent not live or unreachable"
#define RECONCILE_INTERVAL 60 /* seconds */
#define RETRY_INTERVAL     1  /* while Raft is busy with another change of its configuration */
#define FORGET_AFTER_NS    (60 * MU_SEC) /* what a new leader gives gossip to find a node */

static bool is_self(const struct server *s, const struct agent_member *m)
{
    return mu__str_eq(member_tag(m, "id"), s->node_id);
}

static struct catalog_check serf_check(const struct agent_member *m, bool alive)
{
    return (struct catalog_check){.node = m->name,
                                  .check_id = mu__cstr(CHECK_ID),
                                  .name = mu__cstr(CHECK_NAME),
                                  .status = mu__cstr(alive ? "passing" : "critical"),
                                  .output = mu__cstr(alive ? OUTPUT_ALIVE : OUTPUT_FAILED)};
}

/* Does the catalog say so already? */
static bool check_stands(const struct server *s, const struct agent_member *m, bool alive)
{
    const struct catalog_check *c = catalog_find_check(s->reader, m->name, mu__cstr(CHECK_ID));
    return c && mu__str_eq(c->status, mu__cstr(alive ? "passing" : "critical"));
}

/* The service `consul` that each server is registered with. */
struct server_service {
    struct catalog_node_service service;
    struct catalog_weights weights;
    struct mu_pair meta[8];
    char numbers[8][8];
};

static struct mu_str number(struct server_service *out, size_t i, uint64_t v)
{
    snprintf(out->numbers[i], sizeof out->numbers[i], "%u", (unsigned)(v & 0xffff));
    return mu__cstr(out->numbers[i]);
}

static void server_service(const struct agent_member *m, const struct member_server *server,
                           struct server_service *out)
{
    struct mu_pair pairs[] = {
        /* in byte order of the key, as maps are kept */
        {mu__cstr("non_voter"), mu__cstr(member_tag(m, "nonvoter").p ? "true" : "false")},
        {mu__cstr("raft_version"), member_tag(m, "raft_vsn")},
        {mu__cstr("serf_protocol_current"), number(out, 0, m->protocol_cur)},
        {mu__cstr("serf_protocol_max"), number(out, 1, m->protocol_max)},
        {mu__cstr("serf_protocol_min"), number(out, 2, m->protocol_min)},
        {mu__cstr("version"), server__version_of(m)},
    };
    memcpy(out->meta, pairs, sizeof pairs);
    out->weights = (struct catalog_weights){1, 1};
    out->service = (struct catalog_node_service){
        .id = mu__cstr("consul"),
        .service = mu__cstr("consul"),
        .port = server->port,
        .weights = &out->weights,
        .meta = {out->meta, sizeof pairs / sizeof *pairs},
    };
}

static bool service_stands(const struct server *s, const struct agent_member *m,
                           const struct catalog_node_service *want)
{
    const struct catalog_node_service *have = catalog_find_service(s->reader, m->name, want->id);
    if (!have || have->port != want->port || have->meta.len != want->meta.len) {
        return false;
    }
    for (size_t i = 0; i < want->meta.len; i++) {
        if (!mu__str_eq(have->meta.items[i].key, want->meta.items[i].key) ||
            !mu__str_eq(have->meta.items[i].value, want->meta.items[i].value)) {
            return false;
        }
    }
    return true;
}

static void mark_critical(struct server *s, const struct agent_member *m)
{
    struct catalog_check check = serf_check(m, false);
    struct catalog_register_request request = {.datacenter = s->config->datacenter,
                                               .node = m->name,
                                               .id = member_tag(m, "id"),
                                               .address = m->addr,
                                               .check = &check,
                                               .skip_node_update = true};
    server__propose(s, CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, &request);
}

/* Gossip lets nobody take the name of a node that lives elsewhere: who is alive there with another
 * ID lost its folder. The catalog gives a name away once its holder is critical. */
static void release_name(struct server *s, const struct catalog_node *holder,
                         const struct agent_member *m)
{
    if (holder && holder->id.len && !mu__str_ieq(holder->id, member_tag(m, "id")) &&
        !check_stands(s, m, false)) {
        log_info(MODULE, "member has a new node ID, the old one gives way: member=%.*s",
                 (int)m->name.len, m->name.p);
        mark_critical(s, m);
    }
}

static void register_alive(struct server *s, const struct agent_member *m)
{
    struct server_service own;
    struct member_server server;
    bool is_server = member_as_server(m, s->config->datacenter, &server);
    if (is_server) {
        server_service(m, &server, &own);
    }
    const struct catalog_node *node = catalog_find_node(s->reader, m->name);
    if (node && mu__str_eq(node->address, m->addr) && mu__str_ieq(node->id, member_tag(m, "id")) &&
        check_stands(s, m, true) && (!is_server || service_stands(s, m, &own.service))) {
        return;
    }
    release_name(s, node, m);
    log_info(MODULE, "member joined, marking health alive: member=%.*s", (int)m->name.len,
             m->name.p);
    struct catalog_check check = serf_check(m, true);
    struct catalog_register_request request = {.datacenter = s->config->datacenter,
                                               .node = m->name,
                                               .id = member_tag(m, "id"),
                                               .address = m->addr,
                                               .service = is_server ? &own.service : NULL,
                                               .check = &check};
    if (node) { /* what the agent itself registered stays */
        request.tagged_addresses = node->tagged_addresses;
        request.node_meta = node->meta;
    }
    server__propose(s, CATALOG_ENTRY_REGISTER, CATALOG_REGISTER_REQUEST, &request);
}

static void register_failed(struct server *s, const struct agent_member *m)
{
    const struct catalog_node *node = catalog_find_node(s->reader, m->name);
    if (!node || check_stands(s, m, false)) {
        return;
    }
    log_info(MODULE, "member failed, marking health critical: member=%.*s", (int)m->name.len,
             m->name.p);
    mark_critical(s, m);
}

static void deregister(struct server *s, struct mu_str name, const char *why)
{
    log_info(MODULE, "deregistering member: member=%.*s reason=%s", (int)name.len, name.p, why);
    struct catalog_deregister_request request = {.datacenter = s->config->datacenter, .node = name};
    server__propose(s, CATALOG_ENTRY_DEREGISTER, CATALOG_DEREGISTER_REQUEST, &request);
}

/* ---- Events and rounds ---- */

/* Not ourselves: a leader that leaves is forgotten by the next one. */
static void forget(struct server *s, const struct agent_member *m, const char *why)
{
    if (is_self(s, m)) {
        return;
    }
    if (catalog_find_node(s->reader, m->name)) {
        deregister(s, m->name, why);
    }
    server__part_raft(s, m);
}

static void reconcile(struct server *s, const struct agent_member *m)
{
    struct member_server server;
    bool is_server = member_as_server(m, s->config->datacenter, &server);
    uint64_t began = loop_now_ns();
    switch (m->status) {
    case MEMBER_ALIVE:
        register_alive(s, m);
        if (is_server && server.is_muster) {
            server__join_raft(s, &server);
        }
        break;
    case MEMBER_FAILED:
        register_failed(s, m);
        break;
    case MEMBER_LEFT:
        forget(s, m, "left");
        break;
    default: /* leaving: still there */
        break;
    }
    metric_since(METRIC_LEADER_RECONCILE_MEMBER, began);
}

void server__reconcile_member(struct server *s, const struct agent_member *m)
{
    if (!raft_node_is_leader(s->raft)) {
        return;
    }
    catalog_read_begin(s->reader);
    reconcile(s, m);
    catalog_read_end(s->reader);
}

void server__forget_member(struct server *s, const struct agent_member *m)
{
    if (raft_node_is_leader(s->raft)) {
        catalog_read_begin(s->reader);
        forget(s, m, "reaped");
        catalog_read_end(s->reader);
    }
}

/* Nodes that gossip made known to the catalog, and that gossip no longer knows: reaped while nobody
 * led. */
static void forget_unknown(struct server *s)
{
    struct catalog_dc_request all = {.datacenter = s->config->datacenter};
    struct catalog_indexed_nodes nodes;
    if (catalog_query_nodes(s->reader, &all, &nodes, NULL) != CATALOG_OK) {
        return;
    }
    for (size_t i = 0; i < nodes.nodes.len; i++) {
        const struct catalog_node *n = nodes.nodes.items[i];
        if (catalog_find_check(s->reader, n->node, mu__cstr(CHECK_ID)) &&
            !members_find(s->members, n->node)) {
            deregister(s, n->node, "reaped");
        }
    }
}

static void reconcile_all(struct server *s)
{
    uint64_t began = loop_now_ns();
    struct mu__arena arena;
    mu__arena_init(&arena, NULL, 0);
    struct mu_list members = members_sorted(s->members, &arena);
    catalog_read_begin(s->reader);
    for (size_t i = 0; i < members.len; i++) {
        reconcile(s, members.items[i]);
    }
    if (loop_now_ns() - s->leader_since_ns >= FORGET_AFTER_NS) {
        forget_unknown(s);
    }
    catalog_read_end(s->reader);
    mu__arena_fini(&arena);
    server__ca_upkeep(s);
    metric_since(METRIC_LEADER_RECONCILE, began);
}

static void schedule(struct server *s, int seconds)
{
    struct event *timer = s->reconcile_timer; /* NULL when we are about to end */
    if (timer && event_add(timer, &(struct timeval){.tv_sec = seconds}) != 0) {
        abort();
    }
}

void server__reconcile_soon(struct server *s)
{
    schedule(s, RETRY_INTERVAL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    (void)fd;
    (void)what;
    schedule(s, RECONCILE_INTERVAL);
    if (raft_node_is_leader(s->raft)) {
        reconcile_all(s);
    }
    server__bootstrap_check(s);
}

void server__reconcile_start(struct server *s)
{
    s->reconcile_timer = evtimer_new(loop_base(s->core), on_timer, s);
    if (!s->reconcile_timer) {
        abort();
    }
    schedule(s, RECONCILE_INTERVAL);
}

void server__configuration_changed(struct server *s)
{
    if (raft_node_is_leader(s->raft) && s->change_waits) {
        s->change_waits = false;
        reconcile_all(s); /* changes are made one at a time: there may be another to make */
    }
}

void server__leadership(struct server *s, bool is_leader)
{
    s->leader_since_ns = is_leader ? loop_now_ns() : 0;
    log_info("agent.server", is_leader ? "cluster leadership acquired" : "cluster leadership lost");
    server__sessions_lead(s, is_leader);
    if (is_leader) {
        server__upkeep_begin(s);
        server__restore_give_up(s);
        reconcile_all(s);
    }
}
