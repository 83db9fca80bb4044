#include "gossip.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MODULE        "agent.client.serf.lan"
#define TAGS_MAX      16
#define PUBLISH_US    500000 /* coordinate and counters, for the API */
#define SNAPSHOT_FILE "serf/local.snapshot"
#define KEYRING_FILE  "serf/local.keyring"

struct gossip {
    struct loop *loop, *core;
    struct gossip_events events;
    struct swim_node *node;
    struct swim_consul_lan policy;
    struct event *publish_timer;
    char *strings[8]; /* what config and policy borrow */
    size_t nstrings;
    void (*left)(void *arg); /* core's, set before the gossip loop is told to leave */
    void *left_arg;
    struct gossip_report report; /* core's: the newest that was posted */
};

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

static const char *keep(struct gossip *g, struct mu_str s)
{
    char *copy = must(mu__strndup(&mu__malloc_allocator, s.p, s.len));
    g->strings[g->nstrings++] = copy;
    return copy;
}

/* ---- Tags ---- */

struct tags {
    struct swim_tag items[TAGS_MAX];
    size_t len;
    char expect[24], port[24];
};

static void tag(struct tags *t, const char *key, struct mu_str value)
{
    t->items[t->len++] = (struct swim_tag){mu__cstr(key), value};
}

/* Consul's tags of a LAN member (gossip wire, 12.1), and `muster` on servers whose Raft transport
 * is ours. */
static void make_tags(const struct config *c, struct mu_str node_id, struct tags *t)
{
    t->len = 0;
    tag(t, "role", mu__cstr(c->server ? "consul" : "node"));
    tag(t, "dc", c->datacenter);
    tag(t, "segment", mu__cstr(""));
    tag(t, "id", node_id);
    tag(t, "vsn", mu__cstr("2"));
    tag(t, "vsn_min", mu__cstr("2"));
    tag(t, "vsn_max", mu__cstr("3"));
    tag(t, "build", mu__cstr(MUSTER_BUILD));
    tag(t, "acls", mu__cstr("0"));
    if (!c->server) {
        return;
    }
    snprintf(t->port, sizeof t->port, "%d", (int)c->ports.server);
    tag(t, "port", mu__cstr(t->port));
    tag(t, "raft_vsn", mu__cstr("3"));
    tag(t, "ft_fs", mu__cstr("1"));
    tag(t, "muster", mu__cstr("1"));
    if (c->bootstrap || c->bootstrap_expect == 1) {
        tag(t, "bootstrap", mu__cstr("1"));
    } else if (c->bootstrap_expect > 1) {
        snprintf(t->expect, sizeof t->expect, "%d", (int)c->bootstrap_expect);
        tag(t, "expect", mu__cstr(t->expect));
    }
}

/* ---- Events, on the gossip loop ---- */

struct member_post {
    struct gossip *gossip;
    enum member_change change;
    struct agent_member *member;
};

static void deliver_member(void *arg)
{
    struct member_post *p = arg;
    p->gossip->events.member(p->gossip->events.user, p->change, p->member);
    free(p);
}

static int by_key(const void *x, const void *y)
{
    const struct mu_pair *a = x, *b = y;
    return mu__str_cmp(a->key, b->key);
}

/* A copy of the member for the core loop, in one block. */
static struct agent_member *copy_member(const struct swim_member *m, enum swim_status status)
{
    struct mu_pair tags[SWIM_META_MAX / 2 + 1]; /* a tag takes two bytes at least */
    struct agent_member out = {.name = m->name,
                               .port = m->addr.port,
                               .status = (uint64_t)status,
                               .protocol_min = m->protocol_min,
                               .protocol_max = m->protocol_max,
                               .protocol_cur = m->protocol_cur,
                               .delegate_min = m->delegate_min,
                               .delegate_max = m->delegate_max,
                               .delegate_cur = m->delegate_cur};
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(m->addr.len == 4 ? AF_INET : AF_INET6, m->addr.ip, address, sizeof address);
    out.addr = mu__cstr(address);
    size_t at = 0, n = 0;
    for (struct swim_tag t; n < sizeof tags / sizeof *tags && swim_next_tag(m, &at, &t); n++) {
        tags[n] = (struct mu_pair){t.key, t.value};
    }
    qsort(tags, n, sizeof *tags, by_key);
    out.tags = (struct mu_strmap){tags, n};
    return must(mu__schema_clone(&agent_member_schema, &out, NULL));
}

static void post_member(struct gossip *g, enum member_change change, const struct swim_event *ev)
{
    static const char *const words[] = {"joined", "updated", "left", "failed", "reaped"};
    struct member_post *p = must(malloc(sizeof *p));
    char address[SWIM_ADDR_TEXT];
    log_info(MODULE, "member %s: %.*s %s", words[change], (int)ev->member.name.len,
             ev->member.name.p, swim_addr_text(&ev->member.addr, address));
    p->gossip = g;
    p->change = change;
    p->member = copy_member(&ev->member, ev->status);
    loop_post(g->core, deliver_member, p);
}

struct event_post {
    struct gossip *gossip;
    size_t name_len, payload_len;
    char bytes[];
};

static void deliver_event(void *arg)
{
    struct event_post *p = arg;
    if (p->gossip->events.event) {
        p->gossip->events.event(p->gossip->events.user, (struct mu_str){p->bytes, p->name_len},
                                (struct mu_str){p->bytes + p->name_len, p->payload_len});
    }
    free(p);
}

static void post_event(struct gossip *g, const struct swim_event *ev)
{
    struct event_post *p = must(malloc(sizeof *p + ev->name.len + ev->payload.len));
    p->gossip = g;
    p->name_len = ev->name.len;
    p->payload_len = ev->payload.len;
    memcpy(p->bytes, ev->name.p, ev->name.len);
    if (ev->payload.len) {
        memcpy(p->bytes + ev->name.len, ev->payload.p, ev->payload.len);
    }
    loop_post(g->core, deliver_event, p);
}

static void on_event(void *user, const struct swim_event *ev)
{
    struct gossip *g = user;
    char address[SWIM_ADDR_TEXT];
    switch (ev->type) {
    case SWIM_EVENT_JOIN:
        post_member(g, MEMBER_JOINED, ev);
        break;
    case SWIM_EVENT_UPDATE:
        post_member(g, MEMBER_UPDATED, ev);
        break;
    case SWIM_EVENT_LEAVE:
        post_member(g, MEMBER_DID_LEAVE, ev);
        break;
    case SWIM_EVENT_FAILED:
        post_member(g, MEMBER_DID_FAIL, ev);
        break;
    case SWIM_EVENT_REAP:
        post_member(g, MEMBER_REAPED, ev);
        break;
    case SWIM_EVENT_USER:
        post_event(g, ev);
        break;
    case SWIM_EVENT_CONFLICT:
        log_warn(MODULE, "another node uses the name %.*s: %s", (int)ev->member.name.len,
                 ev->member.name.p, swim_addr_text(&ev->other_addr, address));
        break;
    case SWIM_EVENT_NAME_LOST: /* Consul's agent goes on without gossip, too: it cannot be helped */
        log_error(MODULE, "the pool knows %.*s at %s: this agent takes no more part in gossip",
                  (int)ev->member.name.len, ev->member.name.p,
                  swim_addr_text(&ev->other_addr, address));
        break;
    default: /* queries are answered in the core; join results and keys go to whoever asked */
        break;
    }
}

static void on_log(void *user, enum mu_level level, const char *line)
{
    (void)user;
    log_write(level, MODULE, "%s", line);
}

struct report_post {
    struct gossip *gossip;
    struct gossip_report report;
};

static void deliver_report(void *arg)
{
    struct report_post *p = arg;
    p->gossip->report = p->report;
    free(p);
}

static void publish(evutil_socket_t fd, short what, void *arg)
{
    struct gossip *g = arg;
    struct report_post *p = must(malloc(sizeof *p));
    (void)fd;
    (void)what;
    p->gossip = g;
    swim_coordinate(swim_node_core(g->node), &p->report.coordinate);
    swim_stats(swim_node_core(g->node), &p->report.stats);
    loop_post(g->core, deliver_report, p);
}

const struct gossip_report *gossip_report(const struct gossip *g)
{
    return &g->report;
}

/* ---- Starting ---- */

static void fill_swim(struct gossip *g, const struct config *c, struct swim_config *swim)
{
    swim->name = c->node_name.p;
    swim->gossip_interval_ns = c->gossip_lan.gossip_interval_ns;
    swim->gossip_nodes = (uint32_t)c->gossip_lan.gossip_nodes;
    swim->probe_interval_ns = c->gossip_lan.probe_interval_ns;
    swim->probe_timeout_ns = c->gossip_lan.probe_timeout_ns;
    swim->suspicion_mult = (uint32_t)c->gossip_lan.suspicion_mult;
    swim->retransmit_mult = (uint32_t)c->gossip_lan.retransmit_mult;
    swim->verify_incoming = c->encrypt_verify_incoming;
    swim->verify_outgoing = c->encrypt_verify_outgoing;
    swim->reconnect_timeout_ns = c->reconnect_timeout_ns;
    swim->resolve_conflicts = !c->server; /* as Consul: a server does not fall silent */
    swim->log = on_log;
    swim->log_level = MU_DEBUG;
    swim->log_user = g;
    swim->admit = swim_consul_lan_admit;
    swim->admit_user = &g->policy;
}

static const char *data_path(struct gossip *g, const struct config *c, const char *file)
{
    char path[4096];
    if (c->data_dir.len == 0) {
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s", c->data_dir.p, file);
    return keep(g, mu__cstr(path));
}

static bool start(struct gossip *g, const struct gossip_config *gc, char *err, size_t errlen)
{
    const struct config *c = gc->config;
    struct swim_node_config cfg;
    struct tags tags;
    const char *keys[1] = {c->encrypt.p};
    swim_node_config_init(&cfg);
    make_tags(c, gc->node_id, &tags);
    g->policy = (struct swim_consul_lan){
        .name = c->node_name.p, .id = keep(g, gc->node_id), .datacenter = c->datacenter.p};
    fill_swim(g, c, &cfg.swim);
    cfg.base = loop_base(gc->loop);
    cfg.swim.tags = tags.items;
    cfg.swim.ntags = tags.len;
    cfg.keys_base64 = keys;
    cfg.nkeys_base64 = c->encrypt.len > 0 ? 1 : 0;
    cfg.snapshot_path = data_path(g, c, SNAPSHOT_FILE);
    cfg.keyring_path =
        c->encrypt.len > 0 && !c->disable_keyring_file ? data_path(g, c, KEYRING_FILE) : NULL;
    cfg.rejoin_after_leave = c->rejoin_after_leave;
    cfg.on_event = on_event;
    cfg.user = g;
    uint16_t port = (uint16_t)c->ports.serf_lan;
    if (!swim_node_parse_addr(c->serf_lan.p, port, &cfg.bind) ||
        !swim_node_parse_addr(c->advertise_addr.p, port, &cfg.swim.advertise)) {
        snprintf(err, errlen, "serf_lan or advertise_addr is not an IP address");
        return false;
    }
    char why[256];
    if (swim_node_create(&cfg, why, sizeof why, &g->node) != SWIM_OK) {
        snprintf(err, errlen, "Failed to start lan serf: %s", why);
        return false;
    }
    return true;
}

struct gossip *gossip_create(const struct gossip_config *c, char *err, size_t errlen)
{
    struct gossip *g = must(calloc(1, sizeof *g));
    struct timeval interval = {.tv_usec = PUBLISH_US};
    g->loop = c->loop;
    g->core = c->core;
    g->events = c->events;
    if (!start(g, c, err, errlen)) {
        gossip_destroy(g);
        return NULL;
    }
    g->publish_timer = must(event_new(loop_base(c->loop), -1, EV_PERSIST, publish, g));
    event_add(g->publish_timer, &interval);
    publish(-1, 0, g);
    return g;
}

void gossip_stop(struct gossip *g)
{
    if (!g) {
        return;
    }
    if (g->publish_timer) {
        event_free(g->publish_timer);
        g->publish_timer = NULL;
    }
    swim_node_destroy(g->node);
    g->node = NULL;
}

void gossip_destroy(struct gossip *g)
{
    if (!g) {
        return;
    }
    gossip_stop(g);
    for (size_t i = 0; i < g->nstrings; i++) {
        free(g->strings[i]);
    }
    free(g);
}

/* ---- Requests of the core ---- */

struct join_job {
    struct gossip *gossip;
    char **addresses;
    size_t count;
    gossip_join_fn done;
    void *arg;
    size_t joined;
    char *error;
};

static void join_finished(void *arg)
{
    struct join_job *j = arg;
    if (j->done) {
        j->done(j->arg, j->joined, j->error);
    }
    for (size_t i = 0; i < j->count; i++) {
        free(j->addresses[i]);
    }
    free(j->addresses);
    free(j->error);
    free(j);
}

static void on_joined(void *user, size_t joined, const char *error)
{
    struct join_job *j = user;
    j->joined = joined;
    j->error = error ? must(strdup(error)) : NULL;
    loop_post(j->gossip->core, join_finished, j);
}

static void join(void *arg)
{
    struct join_job *j = arg;
    int rc =
        swim_node_join(j->gossip->node, (const char *const *)j->addresses, j->count, on_joined, j);
    if (rc != SWIM_OK) {
        on_joined(j, 0, swim_node_strerror(rc));
    }
}

static struct join_job *job(struct gossip *g, const struct mu_strs *strings, gossip_join_fn done,
                            void *arg)
{
    struct join_job *j = must(calloc(1, sizeof *j));
    j->gossip = g;
    j->done = done;
    j->arg = arg;
    j->addresses = must(calloc(strings->len + 1, sizeof *j->addresses));
    for (size_t i = 0; i < strings->len; i++) {
        j->addresses[j->count++] =
            must(mu__strndup(&mu__malloc_allocator, strings->items[i].p, strings->items[i].len));
    }
    return j;
}

void gossip_join(struct gossip *g, const struct mu_strs *addresses, gossip_join_fn done, void *arg)
{
    loop_post(g->loop, join, job(g, addresses, done, arg));
}

static void leave_finished(void *arg)
{
    struct gossip *g = arg;
    g->left(g->left_arg);
}

static void on_left(void *user)
{
    struct gossip *g = user;
    loop_post(g->core, leave_finished, g);
}

static void leave(void *arg)
{
    struct gossip *g = arg;
    swim_node_leave(g->node, on_left, g);
}

void gossip_leave(struct gossip *g, void (*done)(void *arg), void *arg)
{
    g->left = done;
    g->left_arg = arg;
    loop_post(g->loop, leave, g);
}

static void force_leave(struct join_job *j, bool prune)
{
    struct swim *s = swim_node_core(j->gossip->node);
    int rc = swim_force_leave(s, swim_node_now(j->gossip->node), j->addresses[0], prune);
    swim_node_flush(j->gossip->node);
    char error[512];
    snprintf(error, sizeof error,
             rc == SWIM_ENOENT ? "agent: No node found with name '%s'" : "agent: %s",
             rc == SWIM_ENOENT ? j->addresses[0] : swim_strerror(rc));
    on_joined(j, rc == SWIM_OK, rc == SWIM_OK ? NULL : error);
}

static void force_leave_keep(void *arg)
{
    force_leave(arg, false);
}

static void force_leave_prune(void *arg)
{
    force_leave(arg, true);
}

void gossip_force_leave(struct gossip *g, struct mu_str node, bool prune, gossip_join_fn done,
                        void *arg)
{
    loop_post(g->loop, prune ? force_leave_prune : force_leave_keep,
              job(g, &(struct mu_strs){&node, 1}, done, arg));
}

static void fire(void *arg)
{
    struct event_post *p = arg;
    struct swim_node *n = p->gossip->node;
    int rc =
        swim_user_event(swim_node_core(n), swim_node_now(n), (struct mu_str){p->bytes, p->name_len},
                        (struct mu_str){p->bytes + p->name_len, p->payload_len}, false);
    swim_node_flush(n);
    if (rc != SWIM_OK) {
        log_warn(MODULE, "cannot fire the event %.*s: %s", (int)p->name_len, p->bytes,
                 swim_strerror(rc));
    }
    free(p);
}

void gossip_fire(struct gossip *g, struct mu_str name, struct mu_str payload)
{
    struct event_post *p = must(malloc(sizeof *p + name.len + payload.len));
    p->gossip = g;
    p->name_len = name.len;
    p->payload_len = payload.len;
    memcpy(p->bytes, name.p, name.len);
    if (payload.len) {
        memcpy(p->bytes + name.len, payload.p, payload.len);
    }
    loop_post(g->loop, fire, p);
}
