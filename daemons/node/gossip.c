#include "gossip_internal.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define TAGS_MAX      16
#define PUBLISH_US    500000 /* coordinate and counters, for the API */
#define SNAPSHOT_FILE "serf/local.snapshot"
#define KEYRING_FILE  "serf/local.keyring"

void *gossip__must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

static const char *keep(struct gossip *g, struct mu_str s)
{
    char *copy = gossip__must(mu__strndup(&mu__malloc_allocator, s.p, s.len));
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

static void on_log(void *user, enum mu_level level, const char *line)
{
    (void)user;
    log_write(level, GOSSIP_MODULE, "%s", line);
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
    struct report_post *p = gossip__must(malloc(sizeof *p));
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

static bool is_allowed(const struct config_networks *all, const struct swim_addr *a)
{
    bool allowed = all->len == 0;
    for (size_t i = 0; i < all->len && !allowed; i++) {
        allowed = config_network_has(&all->items[i], a->ip, a->len);
    }
    return allowed;
}

/* Consul's rules, and the networks where members may be. */
static bool admit(void *user, const struct swim_member *candidates, size_t n, char *why, size_t cap)
{
    struct gossip *g = user;
    for (size_t i = 0; i < n; i++) {
        char text[SWIM_ADDR_TEXT];
        if (!candidates[i].is_self && !is_allowed(g->allowed, &candidates[i].addr)) {
            snprintf(why, cap, "%s is in no network of serf_lan_allowed_cidrs",
                     swim_addr_text(&candidates[i].addr, text));
            return false;
        }
    }
    return swim_consul_lan_admit(&g->policy, candidates, n, why, cap);
}

static void fill_swim(struct gossip *g, const struct config *c, struct swim_config *swim)
{
    swim->name = c->node_name.p;
    swim->gossip_interval_ns = c->gossip_lan.gossip_interval_ns;
    swim->gossip_nodes = (uint32_t)c->gossip_lan.gossip_nodes;
    swim->probe_interval_ns = c->gossip_lan.probe_interval_ns;
    swim->probe_timeout_ns = c->gossip_lan.probe_timeout_ns;
    swim->suspicion_mult = (uint32_t)c->gossip_lan.suspicion_mult;
    swim->suspicion_max_mult = (uint32_t)c->gossip_lan.suspicion_max_mult;
    swim->retransmit_mult = (uint32_t)c->gossip_lan.retransmit_mult;
    swim->verify_incoming = c->encrypt_verify_incoming;
    swim->verify_outgoing = c->encrypt_verify_outgoing;
    swim->reconnect_timeout_ns = c->reconnect_timeout_ns;
    swim->resolve_conflicts = !c->server; /* as Consul: a server does not fall silent */
    swim->log = on_log;
    swim->log_level = MU_DEBUG;
    swim->log_user = g;
    swim->admit = admit;
    swim->admit_user = g;
    g->allowed = &c->serf_lan_allowed;
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
    /* Once there is a file, it counts, whatever `encrypt` says or does not say (as in Consul). */
    cfg.keyring_path = c->disable_keyring_file ? NULL : data_path(g, c, KEYRING_FILE);
    cfg.rejoin_after_leave = c->rejoin_after_leave;
    cfg.on_event = gossip__on_event;
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
    struct gossip *g = gossip__must(calloc(1, sizeof *g));
    struct timeval interval = {.tv_usec = PUBLISH_US};
    g->loop = c->loop;
    g->core = c->core;
    g->datacenter = c->config->datacenter;
    g->events = c->events;
    if (!start(g, c, err, errlen)) {
        gossip_destroy(g);
        return NULL;
    }
    g->publish_timer = gossip__must(event_new(loop_base(c->loop), -1, EV_PERSIST, publish, g));
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
    j->error = error ? gossip__must(strdup(error)) : NULL;
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
    struct join_job *j = gossip__must(calloc(1, sizeof *j));
    j->gossip = g;
    j->done = done;
    j->arg = arg;
    j->addresses = gossip__must(calloc(strings->len + 1, sizeof *j->addresses));
    for (size_t i = 0; i < strings->len; i++) {
        j->addresses[j->count++] = gossip__must(
            mu__strndup(&mu__malloc_allocator, strings->items[i].p, strings->items[i].len));
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
