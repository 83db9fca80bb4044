/* stream.c - answers of unknown length, and bodies that are taken as they come. */
#include "internal.h"

#include "base/loop.h"

#include <assert.h>
#include <stdio.h>

/* ---- Answers ---- */

void http_stream_begin(struct http_request *r, int status, const char *content_type,
                       const struct http_stream *s, void *user)
{
    struct http_connection *c = r->connection;
    assert(s->room && s->gone && (!r->stream || r->stream_user == user));
    r->stream = s;
    r->stream_user = user;
    r->blocking = true; /* a client that hangs up ends it */
    c->streaming = true;
    http__reply_stream_head(r, status, content_type); /* `gone` tells of a failure */
}

bool http_stream_write(struct http_request *r, const void *data, size_t len)
{
    struct http_connection *c = r->connection;
    if (len == 0) {
        return true;
    }
    if (r->connection->is_old) {
        return http__connection_send(c, data, len);
    }
    char head[24];
    int n = snprintf(head, sizeof head, "%zx\r\n", len);
    return http__connection_send(c, head, (size_t)n) && http__connection_send(c, data, len) &&
           http__connection_send(c, "\r\n", 2);
}

size_t http_stream_pending(const struct http_request *r)
{
    return r->connection->out_len - r->connection->out_at;
}

void http_stream_end(struct http_request *r, bool whole)
{
    struct http_connection *c = r->connection;
    metric_since(http__route_timer(r->server, r->route, r->method), r->began_ns);
    if (!whole) {
        http__connection_close(c);
    } else if (r->connection->is_old || http__connection_send(c, "0\r\n\r\n", 5)) {
        http__connection_end_stream(c);
    }
}

/* ---- Bodies ---- */

void http_body_receive(struct http_request *r, const struct http_stream *s, void *user)
{
    assert(s->body && s->body_end && s->gone);
    r->stream = s;
    r->stream_user = user;
    r->connection->receiving = true;
}

void http_body_resume(struct http_request *r)
{
    http__connection_resume(r->connection);
}

/* The handler may answer within; then the request is no more, and the connection in another state
 * or at its end. */
static bool give(struct http_connection *c, const char *data, size_t len)
{
    const struct http_request *r = c->request;
    if (len == 0) {
        return true;
    }
    c->body_got += len;
    bool more = r->stream->body(r->stream_user, data, len);
    if (c->dead || c->request != r) {
        return false;
    }
    c->held = !more;
    if (!more) {
        c->deadline_ns = MU_NEVER; /* it is we who take our time */
    }
    return true;
}

static void end(struct http_connection *c)
{
    struct http_request *r = c->request;
    c->receiving = false;
    c->held = false;
    c->state = CONN_HANDLED;
    c->deadline_ns = MU_NEVER;
    r->blocking = true;
    r->stream->body_end(r->stream_user);
}

static bool stream_plain(struct http_connection *c)
{
    size_t n = c->in_len < c->body_left ? c->in_len : (size_t)c->body_left;
    c->body_left -= n;
    if (!give(c, c->in, n)) {
        return false;
    }
    http__connection_consume(c, n);
    return c->body_left == 0;
}

/* False with c->dead or without a request: refused. */
static bool stream_chunked(struct http_connection *c)
{
    size_t max = http__request_body_max(c->request);
    c->chunked.in = c->chunked.out = 0;
    enum http_parse rc = http_chunked_step(&c->chunked, c->in, c->in_len, SIZE_MAX);
    size_t used = c->chunked.in;
    c->body_left += c->chunked.out; /* so far */
    if (rc == HTTP_BAD || rc == HTTP_TOO_MANY) {
        http__reply_bad_chunk(c->request);
        return false;
    }
    if (c->body_left > max) {
        c->keep_alive = false;
        http__reply_too_large(c->request, c->body_left, false);
        return false;
    }
    if (!give(c, c->in, c->chunked.out)) {
        return false;
    }
    http__connection_consume(c, used);
    return rc == HTTP_PARSED;
}

bool http__stream_body(struct http_connection *c)
{
    if (c->held) {
        return false;
    }
    const struct http_request *r = c->request;
    bool is_whole = r->head.chunked ? stream_chunked(c) : stream_plain(c);
    if (c->dead || c->request != r) {
        return !c->dead;
    }
    if (is_whole) {
        end(c);
        return !c->dead;
    }
    return false;
}
