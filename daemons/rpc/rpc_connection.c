/* rpc_connection.c - a connection that is past its first byte: plain, or a yamux session. */
#include "rpc_server_internal.h"

#include "base/log.h"
#include "base/loop.h"

#include <unistd.h>

#define READ_AT_ONCE    262144u /* bytes */
#define PUMP_BELOW      262144u /* streams refill the output when it is shorter */
#define WRITE_TIMEOUT_S 10

static void free_if(struct event *e)
{
    if (e) {
        event_free(e);
    }
}

void rpc__connection_close(struct rpc_connection *c)
{
    struct rpc_server *s = c->server;
    yamux_destroy(c->yamux); /* its streams die, and with them their calls */
    rpc__stream_destroy(c->stream);
    free_if(c->first_byte);
    free_if(c->keepalive);
    if (c->bev) {
        bufferevent_free(c->bev);
    } else if (c->fd >= 0) {
        close(c->fd);
    }
    client_limit_leave(s->config.clients, &c->address);
    if (c->previous) {
        c->previous->next = c->next;
    } else {
        s->connections = c->next;
    }
    if (c->next) {
        c->next->previous = c->previous;
    }
    s->connection_count--;
    mu__free(&mu__malloc_allocator, c);
}

void rpc__connection_close_later(struct rpc_connection *c)
{
    struct yamux *yamux = c->yamux;
    struct rpc_stream *stream = c->stream;
    c->closing = true;
    c->yamux = NULL;
    c->stream = NULL;
    yamux_destroy(yamux);
    rpc__stream_destroy(stream);
    bufferevent_disable(c->bev, EV_READ);
    bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
        rpc__connection_close(c);
    }
}

static void session_failed(struct rpc_connection *c, int err)
{
    log_debug(RPC_MODULE, "session closed: %s", yamux_strerror(err));
    rpc__connection_close_later(c);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct rpc_connection *c = arg;
    if (c->closing) {
        return;
    }
    if (!c->yamux) {
        if (!rpc__stream_readable(c->stream, false)) {
            c->stream = NULL;
            rpc__connection_close_later(c);
        }
        return;
    }
    int err = yamux_receive(c->yamux, bufferevent_get_input(bev), loop_now_ns());
    if (err) {
        session_failed(c, err);
    }
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct rpc_connection *c = arg;
    if (c->closing) {
        if (evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
            rpc__connection_close(c);
        }
    } else if (c->yamux) {
        int err = yamux_pump(c->yamux);
        if (err) {
            session_failed(c, err);
        }
    }
}

/* The end, an error, or a peer that takes nothing for too long. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    rpc__connection_close(arg);
}

static void on_opened(void *user, struct yamux_stream *ys)
{
    struct rpc_stream *s = rpc__stream_create(user, ys);
    if (s) {
        yamux_stream_set_user(ys, s);
    } else {
        yamux_stream_reset(ys);
    }
}

static void on_readable(void *user, struct yamux_stream *ys)
{
    (void)user;
    rpc__stream_readable(yamux_stream_user(ys), yamux_stream_is_ended(ys));
}

static void on_died(void *user, struct yamux_stream *ys)
{
    (void)user;
    rpc__stream_destroy(yamux_stream_user(ys));
}

static const struct yamux_callbacks callbacks = {on_opened, on_readable, on_died};

static void arm_keepalive(struct rpc_connection *c, uint64_t now_ns)
{
    uint64_t due = yamux_deadline(c->yamux);
    uint64_t ns = due > now_ns ? due - now_ns : 0;
    struct timeval tv = {(time_t)(ns / MU_SEC), (suseconds_t)(ns % MU_SEC / MU_USEC + 1)};
    event_add(c->keepalive, &tv);
}

static void on_keepalive(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct rpc_connection *c = arg;
    if (c->closing) {
        return;
    }
    uint64_t now = loop_now_ns();
    int err = yamux_advance(c->yamux, now);
    if (err) {
        session_failed(c, err);
    } else {
        arm_keepalive(c, now);
    }
}

static bool begin_session(struct rpc_connection *c)
{
    uint64_t now = loop_now_ns();
    struct yamux_config cfg = {.callbacks = &callbacks,
                               .user = c,
                               .out = bufferevent_get_output(c->bev),
                               .budget = &c->server->budget};
    c->yamux = yamux_create(&cfg, now);
    c->keepalive = evtimer_new(c->server->config.base, on_keepalive, c);
    if (!c->yamux || !c->keepalive) {
        return false;
    }
    arm_keepalive(c, now);
    return true;
}

bool rpc__connection_begin(struct rpc_connection *c, bool is_yamux)
{
    struct timeval patience = {WRITE_TIMEOUT_S, 0};
    event_del(c->first_byte);
    c->bev = bufferevent_socket_new(c->server->config.base, c->fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev) {
        return false;
    }
    c->fd = -1;
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_set_timeouts(c->bev, NULL, &patience);
    bufferevent_set_max_single_read(c->bev, READ_AT_ONCE);
    bufferevent_setwatermark(c->bev, EV_WRITE, PUMP_BELOW, 0);
    /* A session takes all that comes; a plain connection leaves it until its call is answered. */
    bufferevent_setwatermark(c->bev, EV_READ, 0, RPC_UNREAD_MAX);
    if (is_yamux) {
        if (!begin_session(c)) {
            return false;
        }
    } else if (!(c->stream = rpc__stream_create(c, NULL))) {
        return false;
    }
    return bufferevent_enable(c->bev, EV_READ | EV_WRITE) == 0;
}
