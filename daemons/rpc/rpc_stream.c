/* rpc_stream.c - the server's side of one stream: requests in, calls of the backend, replies out,
 * one at a time. */
#include "rpc_server_internal.h"

#include "absent.h"
#include "base/metrics.h"
#include "config_codec.h"

#include <assert.h>
#include <string.h>

#define INBOX_TOTAL_MAX ((size_t)256 << 20) /* incomplete requests of a front's connections */

struct rpc_stream {
    struct rpc_connection *connection;
    struct yamux_stream *ys; /* NULL: the plain connection itself */
    struct rpc_inbox inbox;
    size_t counted; /* share of server->inbox_bytes */
    /* Under way; nothing more is read meanwhile, so that the window holds the sender back */
    struct call *call;
    uint64_t seq;
    bool busy;   /* within advance */
    bool failed; /* to be closed after what was written */
    bool ended;  /* the peer sends no more */
};

struct rpc_stream *rpc__stream_create(struct rpc_connection *c, struct yamux_stream *ys)
{
    struct rpc_stream *s = mu__calloc(&mu__malloc_allocator, 1, sizeof *s);
    if (s) {
        s->connection = c;
        s->ys = ys;
        rpc_inbox_init(&s->inbox, c->server->config.request_bytes_max);
    }
    return s;
}

void rpc__stream_destroy(struct rpc_stream *s)
{
    if (!s) {
        return;
    }
    if (s->call) {
        call_cancel(s->call);
    }
    s->connection->server->inbox_bytes -= s->counted;
    rpc_inbox_fini(&s->inbox);
    mu__free(&mu__malloc_allocator, s);
}

/* Sends what stands in the server's scratch buffer. */
static void send_scratch(struct rpc_stream *s)
{
    struct mu__writer *w = &s->connection->server->scratch;
    struct evbuffer *out = s->ys ? evbuffer_new() : bufferevent_get_output(s->connection->bev);
    if (!out || !rpc_writer_flush(w, out)) {
        s->failed = true; /* out of memory: the caller sees its stream end */
        w->len = 0;
        w->failed = false;
    } else if (s->ys) {
        yamux_stream_write(s->ys, out);
    }
    if (s->ys && out) {
        evbuffer_free(out);
    }
}

static void send_error(struct rpc_stream *s, uint64_t seq, struct mu_str method, const char *prefix,
                       struct mu_str rest)
{
    struct mu__writer text = mu__writer_growing(&mu__malloc_allocator);
    mu__write_cstr(&text, prefix);
    mu__write_bytes(&text, rest.p, rest.len);
    rpc_write_error(&s->connection->server->scratch, seq, method,
                    (struct mu_str){(char *)text.data, text.len});
    mu__writer_fini(&text);
    send_scratch(s);
}

static bool advance(struct rpc_stream *s);

/* A plain connection has nobody above that would close it: its owner is told by advance's result
 * while it reads. */
static void close_self(struct rpc_stream *s)
{
    struct rpc_connection *c = s->connection;
    if (s->ys) {
        yamux_stream_close(s->ys);
        rpc__stream_destroy(s);
    } else {
        rpc__connection_close_later(c);
    }
}

static void on_done(struct call *c, void *arg)
{
    struct rpc_stream *s = arg;
    s->call = NULL;
    rpc_write_response(&s->connection->server->scratch, s->seq, mu__cstr(c->endpoint->method), c);
    send_scratch(s);
    if (!s->busy && !advance(s)) {
        close_self(s);
    }
}

static void refuse_method(struct rpc_stream *s, const struct rpc_request_header *h)
{
    size_t dot = h->method.len;
    while (dot > 0 && h->method.p[dot - 1] != '.') {
        dot--;
    }
    const char *text = "rpc: can't find method ", *absent = rpc_absent(h->method);
    if (absent) {
        send_error(s, h->seq, h->method, absent, (struct mu_str){"", 0});
        return;
    }
    if (dot == 0) {
        text = "rpc: service/method request ill-formed: ";
    } else if (!endpoint_service_exists((struct mu_str){h->method.p, dot - 1})) {
        text = "rpc: can't find service ";
    }
    send_error(s, h->seq, h->method, text, h->method);
    s->failed = true;
}

/* The arguments are copied once and decoded in place: a cancelled call may outlive this stream. */
static bool read_arguments(struct mu__reader *r, struct call *c)
{
    if (!c->request) {
        return true; /* whatever was sent */
    }
    size_t len = mu__reader_left(r);
    const void *copy = mu__arena_memdup(&c->arena, mu__read_bytes(r, len), len);
    if (!copy) {
        return false;
    }
    struct mu__reader body = mu__reader(copy, len);
    const struct wire_codec *codec = c->endpoint->request_codec;
    return codec ? codec->read(&body, &c->arena, true, c->request)
                 : mu__schema_decode(c->endpoint->request, &body, &c->arena, true, c->request);
}

static void start_call(struct rpc_stream *s, const struct endpoint *e, bool forwarded,
                       struct mu__reader *r)
{
    struct rpc_server *server = s->connection->server;
    struct call *c = call_create(e, server->config.call_bytes_max, on_done, s);
    metric_count(METRIC_RPC_REQUEST, 1);
    if (!c || !read_arguments(r, c)) {
        metric_count(METRIC_RPC_REQUEST_ERROR, 1);
        call_free(c);
        send_error(s, s->seq, mu__cstr(e->method), "codec.decoder: cannot decode the arguments of ",
                   mu__cstr(e->method));
        s->failed = true;
        return;
    }
    c->forwarded = forwarded;
    s->call = c;
    call_start(server->config.backend, c);
}

static void handle_message(struct rpc_stream *s)
{
    struct mu__reader r = rpc_inbox_message(&s->inbox);
    struct rpc_request_header h;
    struct mu__arena none;
    mu__arena_init(&none, NULL, 4096);
    if (!rpc_read_request_header(&r, &none, &h)) {
        s->failed = true;
    } else {
        const struct endpoint *e = endpoint_find(h.method);
        s->seq = h.seq;
        if (e) {
            start_call(s, e, h.forwarded, &r);
        } else {
            refuse_method(s, &h);
        }
    }
    mu__arena_fini(&none);
    rpc_inbox_drop(&s->inbox);
}

static void count_inbox(struct rpc_stream *s)
{
    struct rpc_server *server = s->connection->server;
    server->inbox_bytes = server->inbox_bytes - s->counted + s->inbox.len;
    s->counted = s->inbox.len;
    s->failed = s->failed || server->inbox_bytes > INBOX_TOTAL_MAX;
}

static struct evbuffer *input_of(struct rpc_stream *s)
{
    return s->ys ? yamux_stream_input(s->ys) : bufferevent_get_input(s->connection->bev);
}

/* What is left at the watermark would have libevent call again and again. Below it the connection
 * is read on, so that its end is noticed while a call is under way. */
static void pace(struct bufferevent *bev)
{
    bool full = evbuffer_get_length(bufferevent_get_input(bev)) >= RPC_UNREAD_MAX;
    bool reads = bufferevent_get_enabled(bev) & EV_READ;
    if (full && reads) {
        bufferevent_disable(bev, EV_READ);
    } else if (!full && !reads) {
        bufferevent_enable(bev, EV_READ);
    }
}

/* Handles what has arrived, up to a request that has no answer yet. False: the stream is to be
 * closed. */
static bool advance(struct rpc_stream *s)
{
    s->busy = true;
    while (!s->call && !s->failed) {
        enum rpc_progress progress = rpc_inbox_feed(&s->inbox, input_of(s));
        if (s->ys) {
            yamux_stream_consumed(s->ys);
        }
        if (progress == RPC_COMPLETE) {
            handle_message(s);
        } else if (progress == RPC_MORE && !s->ended) {
            break;
        } else {
            s->failed = true; /* rubbish, or a request that will never be complete */
        }
        count_inbox(s);
    }
    count_inbox(s);
    s->busy = false;
    if (!s->ys) {
        pace(s->connection->bev);
    }
    return s->call || !s->failed;
}

bool rpc__stream_readable(struct rpc_stream *s, bool ended)
{
    s->ended = s->ended || ended;
    if (s->busy || advance(s)) {
        return true;
    }
    if (s->ys) {
        yamux_stream_close(s->ys);
    }
    rpc__stream_destroy(s);
    return false;
}
