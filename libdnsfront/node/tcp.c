/* The TCP side: messages with a length in front (RFC 1035 4.2.2), pipelined, answered as they
 * become ready (RFC 7766). */
#include "node.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#define QUERY_MAX     4096u
#define INPUT_MAX     (QUERY_MAX + 2)
#define OUTPUT_MAX    (256u << 10) /* a client that does not read is not served further */
#define CONN_PENDINGS 64u          /* queries of one connection that wait at a time */

struct tcp_conn {
    struct dnsfront_node *node;
    struct bufferevent *bev;
    struct dnsfront_pending *pendings; /* list */
    size_t pending_count;
    struct tcp_conn *prev, *next;
    bool reading; /* inside read_queries: answers given at once must not start it again */
};

static void close_conn(struct tcp_conn *c)
{
    struct dnsfront_node *n = c->node;
    for (struct dnsfront_pending *p = c->pendings; p; p = p->next) {
        p->conn = NULL; /* still looked up; its answer has nowhere to go */
    }
    if (c->prev) {
        c->prev->next = c->next;
    } else {
        n->conns = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    n->tcp_connections--;
    bufferevent_free(c->bev);
    free(c);
}

static bool is_clogged(const struct tcp_conn *c)
{
    return c->pending_count >= CONN_PENDINGS ||
           evbuffer_get_length(bufferevent_get_output(c->bev)) > OUTPUT_MAX;
}

/* Takes whole messages from the input. False when the connection must be closed. */
static bool read_queries(struct tcp_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    uint8_t query[QUERY_MAX];
    uint8_t head[2];
    while (!is_clogged(c) && evbuffer_copyout(in, head, 2) == 2) {
        size_t len = (size_t)head[0] << 8 | head[1];
        if (len > QUERY_MAX) {
            return false;
        }
        if (evbuffer_get_length(in) < len + 2) {
            break;
        }
        evbuffer_drain(in, 2);
        evbuffer_remove(in, query, len);
        if (!dnsfront__node_query(c->node, query, len, c, NULL, 0)) {
            evbuffer_prepend(in, query, len);
            evbuffer_prepend(in, head, 2);
            break;
        }
    }
    return true;
}

static void serve(struct tcp_conn *c)
{
    if (c->reading) {
        return;
    }
    c->reading = true;
    bool ok = read_queries(c);
    c->reading = false;
    if (!ok) {
        close_conn(c);
        return;
    }
    /* With a whole query waiting at the watermark libevent would call again and again. What makes
     * room (an answer, or that it was sent) comes here, too. */
    bool full = evbuffer_get_length(bufferevent_get_input(c->bev)) >= INPUT_MAX;
    bool reads = bufferevent_get_enabled(c->bev) & EV_READ;
    if (full && reads) {
        bufferevent_disable(c->bev, EV_READ);
    } else if (!full && !reads) {
        bufferevent_enable(c->bev, EV_READ);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    serve(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct tcp_conn *c = arg;
    (void)bev;
    /* Idle means that no answer is owed: a slow lookup is not the client's fault. */
    if ((what & BEV_EVENT_TIMEOUT) && (what & BEV_EVENT_READING) && c->pending_count > 0) {
        bufferevent_enable(c->bev, EV_READ);
        return;
    }
    close_conn(c);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    struct dnsfront_node *n = arg;
    (void)l;
    (void)peer;
    (void)len;
    int on = 1;
    struct tcp_conn *c = n->tcp_connections < n->tcp_connections_max ? calloc(1, sizeof *c) : NULL;
    struct bufferevent *bev = c ? bufferevent_socket_new(n->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (!bev) {
        free(c);
        evutil_closesocket(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->node = n;
    c->bev = bev;
    c->next = n->conns;
    if (c->next) {
        c->next->prev = c;
    }
    n->conns = c;
    n->tcp_connections++;
    struct timeval idle = {.tv_sec = (time_t)(n->tcp_idle_ns / MU_SEC),
                           .tv_usec = (suseconds_t)(n->tcp_idle_ns % MU_SEC / MU_USEC)};
    bufferevent_set_timeouts(bev, &idle, &idle);
    bufferevent_setwatermark(bev, EV_READ, 0, INPUT_MAX);
    bufferevent_setcb(bev, on_read, on_read, on_event, c);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

int dnsfront__tcp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len)
{
    n->listener = evconnlistener_new_bind(n->base, on_accept, n,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                                              LEV_OPT_REUSEABLE | LEV_OPT_REUSEABLE_PORT,
                                          128, addr, (int)len);
    return n->listener ? 0 : -1;
}

void dnsfront__tcp_close(struct dnsfront_node *n)
{
    if (n->listener) {
        evconnlistener_free(n->listener);
        n->listener = NULL;
    }
    while (n->conns) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the first one takes itself off the list. */
        close_conn(n->conns);
    }
}

void dnsfront__tcp_attach(struct tcp_conn *c, struct dnsfront_pending *p)
{
    p->prev = NULL;
    p->next = c->pendings;
    if (p->next) {
        p->next->prev = p;
    }
    c->pendings = p;
    c->pending_count++;
}

void dnsfront__tcp_detach(struct tcp_conn *c, struct dnsfront_pending *p)
{
    if (p->prev) {
        p->prev->next = p->next;
    } else {
        c->pendings = p->next;
    }
    if (p->next) {
        p->next->prev = p->prev;
    }
    c->pending_count--;
    /* Answers free room for queries that wait in the input; they are read from the loop, not from
     * in here. */
    bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void dnsfront__tcp_send(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    bufferevent_write(c->bev, bytes, len);
}

void dnsfront__tcp_resume(struct dnsfront_node *n)
{
    for (struct tcp_conn *c = n->conns; c; c = c->next) {
        bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
    }
}
