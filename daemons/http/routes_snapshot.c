/* routes_snapshot.c - archives of the state, saved and restored (http-api 9.3).
 *
 * A request becomes a snapshot connection (rpc-wire 9) to a server, or to this very process when it
 * is one; what comes from one side is passed to the other, at the pace of the slower. */
#include "routes.h"

#include "internal.h"
#include "options.h"
#include "rpc/snapshot_wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_MAX 262144u /* bytes on their way to the server, or from it */

struct passage {
    struct http_request *request;
    struct bufferevent *server;
    enum snapshot_op op;
    bool is_sent;     /* all that the server gets has been written; its end follows */
    bool is_answered; /* the response has come */
    bool is_ended;    /* nothing more comes from the server */
    bool is_held;     /* the client waits for room towards the server */
};

static void on_gone(void *user)
{
    struct passage *p = user;
    bufferevent_free(p->server);
    free(p);
}

/* ---- From the server ---- */

/* True while the passage stands. */
static bool pass_on(struct passage *p)
{
    char buf[65536];
    struct evbuffer *in = bufferevent_get_input(p->server);
    while (http_stream_pending(p->request) == 0 && evbuffer_get_length(in) > 0) {
        int n = evbuffer_remove(in, buf, sizeof buf);
        if (n > 0 && !http_stream_write(p->request, buf, (size_t)n)) {
            return false;
        }
    }
    if (p->is_ended && evbuffer_get_length(in) == 0) {
        http_stream_end(p->request, true);
        return false;
    }
    /* While the client has enough. The watermark alone would have libevent ask again and again, as
     * long as the buffer is full. */
    if (http_stream_pending(p->request) > 0) {
        bufferevent_disable(p->server, EV_READ);
    } else {
        bufferevent_enable(p->server, EV_READ);
    }
    return true;
}

static void on_room(void *user)
{
    (void)!pass_on(user);
}

static const struct http_stream saving = {.room = on_room, .gone = on_gone};

static void begin_archive(struct passage *p, const struct catalog_query_meta *meta)
{
    http_meta(p->request, meta);
    http_stream_begin(p->request, 200, "application/x-gzip", &saving, p);
}

/* The response is there, or the connection at its end. */
static void take_response(struct passage *p)
{
    struct snapshot_response s;
    struct evbuffer *in = bufferevent_get_input(p->server);
    size_t len = evbuffer_get_length(in), used;
    len = len < SNAPSHOT_MESSAGE_MAX ? len : SNAPSHOT_MESSAGE_MAX;
    const void *data = evbuffer_pullup(in, (ev_ssize_t)len);
    enum snapshot_progress progress =
        len ? snapshot_read_response(data, len, &s, &used) : SNAPSHOT_MORE;
    if (progress == SNAPSHOT_MORE && !p->is_ended) {
        return;
    }
    p->is_answered = progress == SNAPSHOT_READ;
    if (!p->is_answered) {
        http_reply_text(p->request, 500, "failed to decode response: %s",
                        progress == SNAPSHOT_BAD ? "malformed" : "EOF");
    } else if (s.error.len) {
        http_reply_error(p->request, http_cstr(p->request, s.error));
    } else if (p->op == SNAPSHOT_RESTORE) {
        http_reply_empty(p->request, 200);
    } else {
        struct catalog_query_meta meta = s.meta;
        evbuffer_drain(in, used);
        begin_archive(p, &meta);
        if (!p->request->connection->dead) {
            (void)!pass_on(p);
        }
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct passage *p = arg;
    (void)bev;
    if (p->is_answered) {
        (void)!pass_on(p);
    } else {
        take_response(p);
    }
}

/* An error without an answer is one; behind it, the archive is not whole. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct passage *p = arg;
    (void)bev;
    p->is_ended = true;
    if (what & BEV_EVENT_EOF) {
        on_read(p->server, p);
    } else if (p->is_answered) {
        http_stream_end(p->request, false);
    } else if (evbuffer_get_length(bufferevent_get_input(p->server)) > 0) {
        take_response(p); /* it refused, and took no more */
    } else {
        http_reply_text(p->request, 500, "rpc error: %s",
                        evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    }
}

/* ---- To the server ---- */

static void on_drained(struct bufferevent *bev, void *arg)
{
    struct passage *p = arg;
    if (p->is_sent) {
        shutdown(bufferevent_getfd(bev), SHUT_WR);
    } else if (p->is_held) {
        p->is_held = false;
        http_body_resume(p->request);
    }
}

static bool on_body(void *user, const void *data, size_t len)
{
    struct passage *p = user;
    struct evbuffer *out = bufferevent_get_output(p->server);
    evbuffer_add(out, data, len); /* what is lost here shows as a damaged archive */
    p->is_held = evbuffer_get_length(out) > KEPT_MAX;
    return !p->is_held;
}

static void on_body_end(void *user)
{
    struct passage *p = user;
    p->is_sent = true;
    if (evbuffer_get_length(bufferevent_get_output(p->server)) == 0) {
        shutdown(bufferevent_getfd(p->server), SHUT_WR);
    }
}

static const struct http_stream restoring = {
    .body = on_body, .body_end = on_body_end, .gone = on_gone};

static void send_request(struct passage *p, bool preamble)
{
    struct http_request *r = p->request;
    struct mu_str dc = http_param(r, "dc");
    struct snapshot_request q = {.op = p->op,
                                 .allow_stale = http_has_param(r, "stale"),
                                 .datacenter = dc.len ? dc : mu__cstr(r->server->datacenter),
                                 .token = options_token(r)};
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    if (preamble) {
        mu__write_u8(&w, SNAPSHOT_PREAMBLE);
    }
    snapshot_write_request(&w, &q);
    bufferevent_write(p->server, w.data, w.len);
    mu__writer_fini(&w);
}

/* ---- The request ---- */

static struct passage *open_passage(struct http_request *r, bool *preamble)
{
    const struct http_server_config *c = &r->server->config;
    char err[256] = "snapshots are not served here";
    int fd =
        c->snapshot_connect ? c->snapshot_connect(c->snapshot_user, preamble, err, sizeof err) : -1;
    if (fd < 0) {
        http_reply_text(r, 500, "%s", err);
        return NULL;
    }
    struct passage *p = calloc(1, sizeof *p);
    struct bufferevent *bev = p ? bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (!bev) {
        free(p);
        close(fd);
        http_reply_empty(r, 500);
        return NULL;
    }
    *p = (struct passage){.request = r, .server = bev};
    bufferevent_setcb(bev, on_read, on_drained, on_event, p);
    bufferevent_setwatermark(bev, EV_READ, 0, KEPT_MAX);
    return p;
}

void route_snapshot(struct http_request *r)
{
    bool preamble = false;
    struct passage *p = open_passage(r, &preamble);
    if (!p) {
        return;
    }
    p->op = r->method == HTTP_PUT ? SNAPSHOT_RESTORE : SNAPSHOT_SAVE;
    p->is_sent = p->op == SNAPSHOT_SAVE;
    send_request(p, preamble);
    bufferevent_enable(p->server, EV_READ | EV_WRITE);
    if (p->op == SNAPSHOT_RESTORE) {
        http_body_receive(r, &restoring, p);
    } else {
        r->blocking = true;
        r->stream = &saving; /* so that it goes with the request */
        r->stream_user = p;
    }
}
