#include "base/log.h"
#include "proxy/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE    "connect.proxy"
#define PAUSE_US  100000 /* when descriptors ran out */
#define BACKLOG   1024
#define LISTEN_AS (LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE)

/* ---- Listeners ---- */

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    struct listener *listener = arg;
    (void)l;
    (void)from;
    (void)len;
    pair_accept(listener, fd);
}

static bool may_accept(const struct listener *l)
{
    return l->handshakes < l->proxy->handshakes_max &&
           (!l->upstream || discovery_known(l->upstream->instances));
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;
    (void)fd;
    (void)what;
    if (l->listener && may_accept(l)) {
        evconnlistener_enable(l->listener);
    }
}

/* Mostly EMFILE: those who wait in the backlog can go on waiting until others have left. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    static const struct timeval pause = {.tv_usec = PAUSE_US};
    struct listener *l = arg;
    log_warn(MODULE, "accept: %s", strerror(errno));
    evconnlistener_disable(listener);
    event_add(l->again, &pause);
}

static void close_listener(struct listener *l)
{
    if (l->listener) {
        evconnlistener_free(l->listener);
        l->listener = NULL;
    }
    if (l->again) {
        event_free(l->again);
        l->again = NULL;
    }
}

static bool open_listener(struct proxy *p, struct listener *l, const struct proxy_address *at,
                          const struct upstream *upstream, char *why, size_t whylen)
{
    unsigned flags = LISTEN_AS | (upstream ? LEV_OPT_DISABLED : 0);
    char text[PROXY_ADDRESS_MAX];
    *l = (struct listener){.proxy = p, .upstream = upstream};
    l->again = evtimer_new(p->base, on_again, l);
    l->listener = l->again ? evconnlistener_new_bind(p->base, on_accept, l, flags, BACKLOG,
                                                     (const struct sockaddr *)&at->at, (int)at->len)
                           : NULL;
    if (!l->listener) {
        proxy_address_format(at, text);
        snprintf(why, whylen, "listen %s: %s", text, strerror(errno));
        return false;
    }
    evconnlistener_set_error_cb(l->listener, on_accept_error);
    return true;
}

/* Without the limit a crowd that comes at once would have all its handshakes time out together;
 * with it, the first ones leave sessions that the others resume. */
void proxy_handshakes(struct listener *l, int change)
{
    unsigned max = l->proxy->handshakes_max;
    bool full = l->handshakes >= max;
    l->handshakes = (unsigned)((int)l->handshakes + change);
    bool now_full = l->handshakes >= max;
    if (l->listener && full != now_full) {
        (now_full ? evconnlistener_disable : evconnlistener_enable)(l->listener);
    }
}

/* ---- The proxy ---- */

static void on_known(void *user)
{
    struct upstream *up = user;
    if (up->listener.listener) {
        evconnlistener_enable(up->listener.listener);
    }
}

static bool open_upstream(struct proxy *p, const struct proxy_config *c,
                          const struct proxy_upstream_config *u, char *why, size_t whylen)
{
    struct upstream *up = &p->upstreams[p->upstream_count++];
    snprintf(up->service, sizeof up->service, "%s", u->service);
    up->connect_timeout_ns = u->connect_timeout_ns;
    if (!open_listener(p, &up->listener, &u->listen, up, why, whylen)) {
        return false;
    }
    const struct discovery_config d = {.base = c->base,
                                       .host = c->agent_host,
                                       .port = c->agent_port,
                                       .token = c->token,
                                       .service = u->service,
                                       .datacenter = u->datacenter,
                                       .known = on_known,
                                       .user = up};
    up->instances = discovery_create(&d);
    if (!up->instances) {
        snprintf(why, whylen, "upstream %s: out of memory", u->service);
    }
    return up->instances != NULL;
}

static bool open_all(struct proxy *p, const struct proxy_config *c, char *why, size_t whylen)
{
    if (c->has_inbound && !open_listener(p, &p->inbound, &c->listen, NULL, why, whylen)) {
        return false;
    }
    for (size_t i = 0; i < c->upstream_count; i++) {
        if (!open_upstream(p, c, &c->upstreams[i], why, whylen)) {
            return false;
        }
    }
    return true;
}

struct proxy *proxy_create(const struct proxy_config *c, char *why, size_t whylen)
{
    struct proxy *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(why, whylen, "out of memory");
        return NULL;
    }
    p->base = c->base;
    p->identity = c->identity;
    p->local = c->local;
    p->local_timeout_ns = c->local_timeout_ns;
    p->handshake_timeout_ns = c->handshake_timeout_ns;
    p->handshakes_max = c->handshakes_max;
    p->idle = c->idle;
    p->user = c->user;
    if (!open_all(p, c, why, whylen)) {
        proxy_destroy(p);
        return NULL;
    }
    return p;
}

static void close_listeners(struct proxy *p)
{
    close_listener(&p->inbound);
    for (size_t i = 0; i < p->upstream_count; i++) {
        close_listener(&p->upstreams[i].listener);
    }
}

void proxy_pair_gone(struct proxy *p)
{
    p->counters.open--;
    if (p->draining && !p->pairs && p->idle) {
        p->idle(p->user);
    }
}

void proxy_drain(struct proxy *p)
{
    close_listeners(p);
    p->draining = true;
    if (!p->pairs) {
        p->idle(p->user);
    }
}

void proxy_counters(const struct proxy *p, struct proxy_counters *out)
{
    *out = p->counters;
    out->to_tls = p->bytes.to_tls;
    out->to_plain = p->bytes.to_plain;
}

void proxy_destroy(struct proxy *p)
{
    if (!p) {
        return;
    }
    p->idle = NULL;
    close_listeners(p);
    while (p->pairs) {
        pair_abort(p->pairs);
    }
    for (size_t i = 0; i < p->upstream_count; i++) {
        discovery_destroy(p->upstreams[i].instances);
    }
    free(p);
}
