/* The TCP side: messages with a length in front (RFC 1035 4.2.2), pipelined, answered as they
 * become ready (RFC 7766). */
#include "node.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX     4096u
#define INPUT_MAX     (QUERY_MAX + 2)
#define OUTPUT_MAX    (256u << 10) /* a client that does not read is not served further */
#define CONN_PENDINGS 64u          /* queries of one connection that wait at a time */
#define BACKLOG       128
#define ACCEPT_AGAIN  (MU_SEC / 10) /* after the process ran out of sockets */

struct tcp_conn {
    struct dnsfront_node *node;
    struct bufferevent *bev;
    struct dnsfront_pending *pendings; /* list */
    size_t pending_count;
    struct tcp_conn *busier, *idler; /* neighbours in the node's list */
    uint64_t active_ns;              /* when a whole query came or all answers were taken */
    struct sockaddr_storage peer;
    socklen_t peer_len;
    bool reading; /* inside read_queries: answers given at once must not start it again */
    bool waiting; /* its next query found no room among the node's pendings */
    bool ended;   /* the client sends nothing more; it gets what it is owed */
};

/* ---- Who was active last ---- */

static void unlink_conn(struct tcp_conn *c)
{
    struct dnsfront_node *n = c->node;
    *(c->busier ? &c->busier->idler : &n->busiest) = c->idler;
    *(c->idler ? &c->idler->busier : &n->idlest) = c->busier;
    c->busier = c->idler = NULL;
}

static void link_conn(struct tcp_conn *c)
{
    struct dnsfront_node *n = c->node;
    c->active_ns = n->now_ns;
    c->idler = n->busiest;
    *(c->idler ? &c->idler->busier : &n->idlest) = c;
    n->busiest = c;
}

static void touch(struct tcp_conn *c)
{
    unlink_conn(c);
    link_conn(c);
}

static void set_waiting(struct tcp_conn *c, bool waiting)
{
    if (c->waiting != waiting) {
        c->waiting = waiting;
        c->node->tcp_waiting += waiting ? 1 : SIZE_MAX;
    }
}

static void close_conn(struct tcp_conn *c)
{
    for (struct dnsfront_pending *p = c->pendings; p; p = p->next) {
        p->origin.conn = NULL; /* still looked up; its answer has nowhere to go */
    }
    set_waiting(c, false);
    unlink_conn(c);
    c->node->tcp_connections--;
    bufferevent_free(c->bev);
    free(c);
}

/* The idlest one that is owed no answer, or just the idlest. */
static void close_idlest(struct dnsfront_node *n)
{
    struct tcp_conn *c = n->idlest;
    while (c && c->pending_count > 0) {
        c = c->busier;
    }
    close_conn(c ? c : n->idlest);
}

/* ---- Idle time ---- */

static void set_timer(struct dnsfront_node *n, uint64_t ns)
{
    struct timeval after = {.tv_sec = (time_t)(ns / MU_SEC),
                            .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC + 1)};
    event_add(n->tcp_timer, &after);
}

/* Bytes alone are no activity: who sends or takes one at a time has tcp_idle_ns for a whole query
 * or answer. A slow lookup is not the client's fault. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct dnsfront_node *n = arg;
    (void)fd;
    (void)what;
    dnsfront__node_read_clock(n);
    evconnlistener_enable(n->listener);
    while (n->idlest && n->now_ns - n->idlest->active_ns >= n->tcp_idle_ns) {
        if (n->idlest->pending_count > 0) {
            touch(n->idlest);
        } else {
            close_conn(n->idlest);
        }
    }
    if (n->idlest) {
        set_timer(n, n->tcp_idle_ns - (n->now_ns - n->idlest->active_ns));
    }
}

/* ---- Queries ---- */

static size_t output_of(const struct tcp_conn *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static bool is_clogged(const struct tcp_conn *c)
{
    return c->pending_count >= CONN_PENDINGS || output_of(c) > OUTPUT_MAX;
}

static bool answer_kept(struct tcp_conn *c, const uint8_t *query, size_t len)
{
    struct dnsfront_node *n = c->node;
    size_t size;
    if (!dnsfront__node_kept(n, query, len, true, n->answer + 2, sizeof n->answer - 2, &size)) {
        return false;
    }
    if (n->answered) {
        n->answered(n->answered_user, dnsfront__asks_reverse(query, len), 0);
    }
    n->answer[0] = (uint8_t)(size >> 8);
    n->answer[1] = (uint8_t)size;
    dnsfront__tcp_send(c, n->answer, size + 2);
    return true;
}

/* Takes one message. False if there is no room for it now. */
static bool take_query(struct tcp_conn *c, const uint8_t *query, size_t len)
{
    struct origin from = {.conn = c, .peer = c->peer, .peer_len = c->peer_len, .tcp = true};
    bool taken = answer_kept(c, query, len) || dnsfront__node_query(c->node, query, len, &from);
    set_waiting(c, !taken);
    return taken;
}

/* Takes whole messages from the input. False when the connection must be closed. */
static bool read_queries(struct tcp_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t size = mu__min(evbuffer_get_length(in), 4 * INPUT_MAX), at = 0;
    const uint8_t *bytes = evbuffer_pullup(in, (ev_ssize_t)size);
    bool ok = true;
    while (bytes && size - at >= 2 && !is_clogged(c)) {
        size_t len = (size_t)bytes[at] << 8 | bytes[at + 1];
        ok = len <= QUERY_MAX;
        if (!ok || size - at - 2 < len || !take_query(c, bytes + at + 2, len)) {
            break;
        }
        at += 2 + len;
    }
    evbuffer_drain(in, at);
    if (at > 0) {
        touch(c);
    }
    return ok;
}

/* Is a whole query left that could not be taken? */
static bool holds_query(const struct tcp_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    uint8_t head[2];
    return evbuffer_copyout(in, head, 2) == 2 &&
           evbuffer_get_length(in) - 2 >= ((size_t)head[0] << 8 | head[1]);
}

/* With a whole query waiting at the watermark libevent would call again and again. What makes room
 * (an answer, or that it was sent) comes to serve(), too. */
static void set_reading(struct tcp_conn *c)
{
    bool wanted = !c->ended && evbuffer_get_length(bufferevent_get_input(c->bev)) < INPUT_MAX;
    bool reads = bufferevent_get_enabled(c->bev) & EV_READ;
    if (wanted && !reads) {
        bufferevent_enable(c->bev, EV_READ);
    } else if (!wanted && reads) {
        bufferevent_disable(c->bev, EV_READ);
    }
}

static void serve(struct tcp_conn *c)
{
    if (c->reading) {
        return;
    }
    dnsfront__node_read_clock(c->node);
    c->reading = true;
    c->node->in_batch = true;
    bool ok = read_queries(c);
    c->node->in_batch = false;
    c->reading = false;
    bool done = c->ended && c->pending_count == 0 && output_of(c) == 0 && !holds_query(c);
    if (!ok || done) {
        close_conn(c);
        return;
    }
    set_reading(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    serve(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct tcp_conn *c = arg;
    (void)bev;
    dnsfront__node_read_clock(c->node);
    touch(c);
    serve(c);
}

/* A client may close its side and still wait for answers. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct tcp_conn *c = arg;
    (void)bev;
    if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING)) {
        c->ended = true;
        serve(c);
    } else {
        close_conn(c);
    }
}

/* ---- Connections ---- */

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len,
                      void *arg)
{
    struct dnsfront_node *n = arg;
    (void)l;
    int on = 1;
    if (n->idlest && n->tcp_connections >= n->tcp_connections_max) {
        close_idlest(n);
    }
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
    c->peer_len = (socklen_t)mu__min((size_t)len, sizeof c->peer);
    memcpy(&c->peer, peer, c->peer_len);
    dnsfront__node_read_clock(n);
    link_conn(c);
    n->tcp_connections++;
    if (!event_pending(n->tcp_timer, EV_TIMEOUT, NULL)) {
        set_timer(n, n->tcp_idle_ns);
    }
    bufferevent_setwatermark(bev, EV_READ, 0, INPUT_MAX);
    bufferevent_setcb(bev, on_read, on_written, on_event, c);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* The process has no socket left, as a rule: one of ours may be spared, else we wait. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct dnsfront_node *n = arg;
    if (n->idlest) {
        close_idlest(n);
    } else {
        evconnlistener_disable(l);
        set_timer(n, ACCEPT_AGAIN);
    }
}

int dnsfront__tcp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len)
{
    n->tcp_timer = n->tcp_timer ? n->tcp_timer : evtimer_new(n->base, on_timer, n);
    n->listener = evconnlistener_new_bind(n->base, on_accept, n,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                                              LEV_OPT_REUSEABLE | LEV_OPT_REUSEABLE_PORT,
                                          BACKLOG, addr, (int)len);
    if (!n->tcp_timer || !n->listener) {
        return -1;
    }
    evconnlistener_set_error_cb(n->listener, on_accept_error);
    return 0;
}

void dnsfront__tcp_close(struct dnsfront_node *n)
{
    while (n->idlest) {
        close_conn(n->idlest);
    }
    if (n->listener) {
        evconnlistener_free(n->listener);
        n->listener = NULL;
    }
    if (n->tcp_timer) {
        event_free(n->tcp_timer);
        n->tcp_timer = NULL;
    }
}

/* ---- Pendings ---- */

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

/* Reads on from the loop, not from in here. */
static void serve_later(struct tcp_conn *c)
{
    bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void dnsfront__tcp_detach(struct tcp_conn *c, struct dnsfront_pending *p)
{
    *(p->prev ? &p->prev->next : &c->pendings) = p->next;
    if (p->next) {
        p->next->prev = p->prev;
    }
    c->pending_count--;
    if (!c->reading) {
        serve_later(c);
    }
}

void dnsfront__tcp_send(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    bufferevent_write(c->bev, bytes, len);
}

void dnsfront__tcp_resume(struct dnsfront_node *n)
{
    for (struct tcp_conn *c = n->tcp_waiting ? n->idlest : NULL; c; c = c->busier) {
        if (c->waiting) {
            serve_later(c);
        }
    }
}
