/* front.c - one client-facing thread: HTTP, DNS and the way to the servers, on one loop. */
#include "process.h"
#include "unix_socket.h"

#include "base/log.h"
#include "dns/dns.h"
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_NS MU_SEC /* for answers under way, at the end */
/* An agent asks another server sooner than a server another leader: there is one. */
#define AGENT_DIAL_NS (3 * MU_SEC)

bool front_address_is_free(const struct config_address *a, int type, char *err, size_t errlen)
{
    int on = 1;
    if (a->addr.ss_family == AF_UNIX) {
        return true; /* what was left behind gives way */
    }
    int fd = socket(a->addr.ss_family, type | SOCK_CLOEXEC, 0);
    /* SO_REUSEADDR lets a restarted process have its port back at once, and not beside one that
     * still listens. */
    bool ok =
        fd >= 0 &&
        (type == SOCK_DGRAM || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&a->addr, a->len) == 0;
    if (!ok) {
        snprintf(err, errlen, "listen %s %s: bind: %s", type == SOCK_DGRAM ? "udp" : "tcp",
                 a->text.p, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static int connect_snapshot(void *user, bool *preamble, char *err, size_t errlen)
{
    struct front *f = user;
    return f->process->role->snapshot(f->process, f, preamble, err, errlen);
}

/* What every answer carries, into room for one more than are configured; their number. */
static size_t headers_of(const struct config *c, struct http_header *out)
{
    size_t n = 0;
    for (; n < c->response_headers.len; n++) {
        out[n] = (struct http_header){c->response_headers.items[n].key.p,
                                      c->response_headers.items[n].value.p};
    }
    if (c->translate_wan_addrs) {
        out[n++] = (struct http_header){"X-Consul-Translate-Addresses", "true"};
    }
    return n;
}

static bool open_http(struct process *p, struct front *f, char *err, size_t errlen)
{
    const struct config *c = p->config;
    struct http_server_config cfg;
    http_server_config_init(&cfg);
    struct http_address *addresses = calloc(c->http_listen.len + 1, sizeof *addresses);
    struct http_header *headers = calloc(c->response_headers.len + 1, sizeof *headers);
    int *sockets = calloc(c->http_listen.len + 1, sizeof *sockets);
    bool ok = true;
    if (!addresses || !headers || !sockets) {
        abort();
    }
    for (size_t i = 0; i < c->http_listen.len; i++) {
        const struct config_address *a = &c->http_listen.items[i];
        if (a->addr.ss_family != AF_UNIX) {
            addresses[cfg.naddresses++] = (struct http_address){a->addr, a->len};
        } else if (f == p->fronts) { /* a path has one listener, the first front's */
            int fd = unix_socket_listen(c, a, err, errlen);
            ok = ok && fd >= 0;
            sockets[cfg.nsockets] = fd;
            cfg.nsockets += fd >= 0 ? 1 : 0;
        }
    }
    cfg.base = loop_base(f->loop);
    cfg.backend = call_cache_port_backend(f->port);
    cfg.no_cache = !c->http_use_cache;
    cfg.clients = p->http_clients;
    cfg.addresses = addresses;
    cfg.sockets = sockets;
    cfg.takes_unprintable = c->disable_http_unprintable_char_filter;
    cfg.discovery_max_stale_ns = c->discovery_max_stale_ns;
    cfg.blocked = &c->block_endpoints;
    cfg.writers = &c->allow_write_http_from;
    cfg.reuse_port = true;
    cfg.datacenter = c->datacenter.p;
    cfg.node = c->node_name.p;
    cfg.dns_domain = c->domain.p;
    cfg.segment = "";
    cfg.asks_servers = !c->server;
    cfg.pretty = c->pretty;
    cfg.loop = f->loop;
    cfg.snapshot_connect = connect_snapshot;
    cfg.snapshot_user = f;
    cfg.prometheus = c->telemetry.prometheus_retention_ns > 0;
    cfg.no_coordinates = c->disable_coordinates;
    cfg.ui = c->ui || c->ui_dir.len;
    cfg.ui_path = c->ui_content_path.p;
    cfg.ui_dir = c->ui_dir.p;
    cfg.headers = headers;
    cfg.nheaders = headers_of(c, headers);
    cfg.kv_value_max = (size_t)c->limits.kv_max_value_size;
    cfg.txn_body_max = (size_t)c->limits.txn_max_req_len;
    cfg.wait_default_ns = c->default_query_time_ns;
    cfg.wait_max_ns = c->max_query_time_ns;
    ok = ok && http_server_create(&cfg, &f->http, err, errlen) == 0;
    free(addresses);
    free(headers);
    free(sockets);
    return ok;
}

/* One cache for all fronts: a client finds what another has brought, wherever they connect to. */
static void open_cache(struct process *p, struct front *f)
{
    const struct config *c = p->config;
    if (!p->cache) {
        struct call_cache_config cfg = {.loop = f->loop,
                                        .base = loop_base(f->loop),
                                        .from = f->backend,
                                        .wait_default_ns = c->default_query_time_ns,
                                        .wait_max_ns = c->max_query_time_ns,
                                        .fetch_rate = c->cache.entry_fetch_rate,
                                        .fetch_burst = (unsigned)c->cache.entry_fetch_max_burst,
                                        .seed = process_random()};
        p->cache = call_cache_create(&cfg);
    }
    f->port = p->cache ? call_cache_port_create(p->cache, f->loop, f->backend) : NULL;
    if (!f->port) {
        abort();
    }
}

bool front_open(struct process *p, size_t i, char *err, size_t errlen)
{
    struct front *f = &p->fronts[i];
    struct rpc_client_config client = {.base = loop_base(f->loop),
                                       .dial_timeout_ns = p->role->server ? 0 : AGENT_DIAL_NS,
                                       .bind_host = p->config->bind_addr.p,
                                       .hold_timeout_ns =
                                           p->config->performance.rpc_hold_timeout_ns,
                                       .forwards = p->role->server};
    f->process = p;
    f->agent = agent_front_create(p->agent, f->loop);
    f->client = rpc_client_create(&client);
    if (!f->agent || !f->client) {
        abort();
    }
    if (!p->role->open_front(p, i, err, errlen)) {
        return false;
    }
    open_cache(p, f);
    if (!open_http(p, f, err, errlen)) {
        return false;
    }
    struct dns_config dns = {.config = p->config,
                             .base = loop_base(f->loop),
                             .backend = call_cache_port_backend(f->port),
                             .seed = process_random()};
    if (p->role->fresh) {
        dns.fresh = p->role->fresh(p, i);
    } else if (i == 0) { /* the cache is its own */
        dns.fresh = call_cache_fresh(p->cache);
        dns.copies = true;
    }
    f->dns = p->config->dns_listen.len ? dns_create(&dns, err, errlen) : NULL;
    return f->dns || p->config->dns_listen.len == 0;
}

/* ---- The end ---- */

struct drain {
    struct front *front;
    void (*done)(void *process);
};

static void on_drain_timer(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval soon = {.tv_usec = 10000};
    struct front *f = arg;
    (void)fd, (void)what;
    if (f->http && http_server_is_busy(f->http) && loop_now_ns() < f->drain_until_ns) {
        evtimer_add(f->drain_timer, &soon);
    } else {
        loop_post(f->process->core, f->drained, f->process);
    }
}

static void start_drain(void *arg)
{
    struct drain *d = arg;
    struct front *f = d->front;
    f->drained = d->done;
    free(d);
    if (!f->http) {
        return; /* the process has ended already */
    }
    http_server_drain(f->http);
    f->drain_until_ns = loop_now_ns() + DRAIN_NS;
    f->drain_timer = evtimer_new(loop_base(f->loop), on_drain_timer, f);
    if (!f->drain_timer) {
        abort();
    }
    on_drain_timer(-1, 0, f);
}

void front_drain(struct process *p, size_t i, void (*done)(void *process))
{
    struct drain *d = malloc(sizeof *d);
    if (!d) {
        abort();
    }
    *d = (struct drain){&p->fronts[i], done};
    loop_post(p->fronts[i].loop, start_drain, d);
}

void front_close(struct process *p, size_t i)
{
    struct front *f = &p->fronts[i];
    if (f->drain_timer) {
        event_free(f->drain_timer);
        f->drain_timer = NULL;
    }
    http_server_destroy(f->http);
    f->http = NULL;
    dns_destroy(f->dns);
    f->dns = NULL;
    if (i == 0 && p->cache) {
        call_cache_close(p->cache);
    }
    p->role->close_front(p, i);
}

struct cache_rate {
    struct call_cache *cache;
    double rate;
    unsigned burst;
};

static void set_cache_rate(void *arg)
{
    struct cache_rate *r = arg;
    call_cache_set_rate(r->cache, r->rate, r->burst);
    free(r);
}

struct dns_reload {
    struct front *front;
    struct dns_settings *settings;
};

static void reload_dns(void *arg)
{
    struct dns_reload *r = arg;
    if (r->front->dns) {
        dns_reload(r->front->dns, r->settings);
    } else {
        dns_settings_destroy(r->settings);
    }
    free(r);
}

static void post_dns_reload(struct front *f, const struct config *next)
{
    struct dns_reload *r = calloc(1, sizeof *r);
    if (!r) {
        abort();
    }
    *r = (struct dns_reload){f, dns_settings_create(next)};
    loop_post(f->loop, reload_dns, r);
}

void fronts_reload(struct process *p, const struct config *next)
{
    struct cache_rate *r = calloc(1, sizeof *r);
    if (!r) {
        abort();
    }
    *r = (struct cache_rate){p->cache, next->cache.entry_fetch_rate,
                             (unsigned)next->cache.entry_fetch_max_burst};
    loop_post(p->fronts[0].loop, set_cache_rate, r);
    for (size_t i = 0; i < p->nfronts; i++) {
        post_dns_reload(&p->fronts[i], next);
    }
    if (p->role->reload) {
        p->role->reload(p, next);
    }
}

void front_free(struct process *p, size_t i)
{
    call_cache_port_destroy(p->fronts[i].port);
    agent_front_destroy(p->fronts[i].agent);
}
