/* connection.c - bytes in, one request at a time.
 *
 * A connection reads into one flat buffer, the server's as long as a request comes in one piece,
 * hands a request over when head and body are there, and
 * reads the next one only when the answer has left: pipelined requests wait in the buffer (RFC
 * 9112 9.3.2), which is bounded. */
#include "internal.h"

#include "alloc.h"
#include "base/loop.h"
#include "base/metrics.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE      4096u
#define STREAM_PIECE   65536u              /* of a streamed body at once */
#define DRAIN_MAX      (UINT64_C(4) << 20) /* bytes thrown away before a connection is cut */
#define DRAIN_TIME_NS  (5 * MU_SEC)
#define READS_PER_WAKE 16 /* then others have a turn */

static void process(struct http_connection *c);

static const struct mu_allocator *heap(void)
{
    return &mu__malloc_allocator;
}

/* ---- Lifetime ---- */

static void destroy(struct http_connection *c)
{
    struct http_server *s = c->server;
    if (c->flight) {
        http__flight_leave(c);
    }
    http__request_free(c->request);
    event_del(&c->read);
    event_del(&c->write);
    close(c->fd);
    client_limit_leave(s->config.clients, &c->peer);
    http__deadline_remove(c);
    http__output_fini(c);
    s->stats.connections_open--;
    if (c->in != s->inbox) {
        mu__free(heap(), c->in);
    }
    mu__free(heap(), c);
}

void http__connection_close(struct http_connection *c)
{
    if (c->processing) {
        c->dead = true; /* process() frees it on its way out */
    } else {
        destroy(c);
    }
}

/* ---- Answers ---- */

/* After an answer: the next request, or the end. Input that was not read is thrown away first,
 * because closing a socket with unread input would take the answer away from the client (RFC
 * 9112 9.6). */
static void after_answer(struct http_connection *c)
{
    bool unread = c->state == CONN_BODY;
    c->receiving = c->held = false;
    c->state = CONN_IDLE;
    c->greeted = true;
    c->deadline_ns = loop_now_ns() + c->server->config.idle_timeout_ns;
    if (unread || !c->keep_alive) {
        c->state = CONN_DRAIN;
    }
}

static void go_on(struct http_connection *c, bool sent)
{
    http__request_free(c->request);
    c->request = NULL;
    if (c->committed_ns) {
        metric_since(METRIC_WATCH_DELIVERY, c->committed_ns);
        c->committed_ns = 0;
    }
    if (!sent) {
        http__connection_close(c);
        return;
    }
    after_answer(c);
    process(c);
}

void http__connection_answer(struct http_connection *c, const struct mu__writer *head,
                             struct mu__writer *body)
{
    assert(!http__has_output(c));
    go_on(c, !head->failed && !body->failed && http__send(c, head, body));
}

void http__connection_answer_shared(struct http_connection *c, const struct mu__writer *head,
                                    struct http_body *body)
{
    assert(!http__has_output(c));
    go_on(c, !head->failed && http__send_shared(c, head, body));
}

/* ---- Answers in pieces ---- */

bool http__connection_send(struct http_connection *c, const void *data, size_t len)
{
    if (c->dead) {
        return false;
    }
    if (!http__send_more(c, data, len)) {
        http__connection_close(c);
        return false;
    }
    if (http__has_output(c)) {
        c->deadline_ns = loop_now_ns() + c->server->config.idle_timeout_ns;
        http__deadline_file(c);
        event_add(&c->write, NULL);
    }
    return true;
}

void http__connection_end_stream(struct http_connection *c)
{
    c->streaming = false;
    go_on(c, true);
}

void http__connection_resume(struct http_connection *c)
{
    c->held = false;
    c->deadline_ns = loop_now_ns() + c->server->config.body_timeout_ns;
    process(c);
}

/* ---- Input ---- */

static size_t input_max(const struct http_connection *c)
{
    size_t header_max = c->server->config.header_max;
    if (c->receiving) {
        return STREAM_PIECE;
    }
    return c->state == CONN_BODY && c->body_max > header_max ? c->body_max : header_max;
}

/* Moves what has been read into a buffer of the connection's own, which is grown by doubling: a
 * lying length allocates nothing by itself. */
static bool grow_input(struct http_connection *c, size_t cap)
{
    bool is_borrowed = c->in == c->server->inbox;
    char *in = mu__realloc(heap(), is_borrowed ? NULL : c->in, cap, 1);
    if (!in) {
        return false;
    }
    if (is_borrowed) {
        memcpy(in, c->in, c->in_len);
    }
    c->in = in;
    c->in_cap = cap;
    return true;
}

/* How much may be read now. One who has nothing yet reads into the server's buffer, and most
 * requests end there. */
static size_t input_room(struct http_connection *c)
{
    size_t max = input_max(c);
    if (c->in_len >= max) {
        return 0;
    }
    if (!c->in) {
        c->in = c->server->inbox;
        c->in_cap = HTTP_INBOX_SIZE;
    }
    if (c->in_cap - c->in_len < READ_SIZE / 2) {
        size_t cap = mu__max(READ_SIZE, mu__min(c->in_cap * 2, max + READ_SIZE));
        if (cap > c->in_cap) {
            (void)grow_input(c, cap);
        }
    }
    return mu__min(c->in_cap - c->in_len, max + READ_SIZE - c->in_len);
}

/* Who has nothing left to read, idle or waiting, has no buffer. */
static bool settle_input(struct http_connection *c)
{
    bool is_borrowed = c->in == c->server->inbox;
    if (c->in_len > 0) {
        return !is_borrowed || grow_input(c, c->in_len);
    }
    if (!is_borrowed) {
        mu__free(heap(), c->in);
    }
    c->in = NULL;
    c->in_cap = 0;
    return true;
}

void http__connection_consume(struct http_connection *c, size_t n)
{
    if (n == 0) {
        return; /* there may be no buffer, either */
    }
    c->in_len -= n;
    memmove(c->in, c->in + n, c->in_len);
    c->scanned = 0;
}

/* False when the connection is lost. */
static bool receive(struct http_connection *c)
{
    for (int i = 0; i < READS_PER_WAKE; i++) {
        size_t room = input_room(c);
        if (room == 0) {
            return true;
        }
        ssize_t n = recv(c->fd, c->in + c->in_len, room, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            c->eof = c->eof || n == 0;
            return n == 0 || errno == EAGAIN || errno == EWOULDBLOCK;
        }
        c->in_len += (size_t)n;
        if (c->state == CONN_DRAIN) {
            c->thrown_away += (size_t)n;
            c->in_len = 0;
        }
        if ((size_t)n < room) {
            return true;
        }
    }
    return true;
}

/* ---- States: each returns whether another one can be tried at once ---- */

static bool step_idle(struct http_connection *c)
{
    if (http__has_output(c)) {
        return false;
    }
    while (c->in_len >= 2 && c->in[0] == '\r' && c->in[1] == '\n') {
        http__connection_consume(c, 2); /* RFC 9112 2.2: empty lines before a request */
    }
    if (c->in_len == 0 || (c->in_len == 1 && c->in[0] == '\r')) {
        if (c->eof || c->server->draining) {
            http__connection_close(c);
        }
        return false;
    }
    c->state = CONN_HEAD;
    c->deadline_ns = loop_now_ns() + c->server->config.header_timeout_ns;
    return true;
}

static void say_continue(struct http_connection *c)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ssize_t n = send(c->fd, line, sizeof line - 1, MSG_NOSIGNAL);
    (void)n; /* 25 bytes into an empty socket buffer; if they are lost, so is the connection */
}

/* The handler comes first, and takes the body from then on; one that answers at once leaves it. */
static bool begin_streamed_body(struct http_connection *c)
{
    const struct http_head *h = &c->request->head;
    bool expects_continue = h->expects_continue && c->in_len == c->head_len;
    http__connection_consume(c, c->head_len);
    c->head_len = 0;
    c->body_seen = c->body_got = 0;
    c->body_left = h->chunked ? 0 : h->content_length;
    http__request_handle(c->request);
    if (!c->dead && c->receiving && expects_continue) {
        say_continue(c);
    }
    return !c->dead;
}

static bool begin_body(struct http_connection *c, size_t head_len)
{
    const struct http_head *h = &c->request->head;
    size_t max = http__request_body_max(c->request);
    c->state = CONN_BODY;
    c->head_len = head_len;
    /* Chunk headers take room as well */
    c->body_max = head_len + max + (h->chunked ? max / 8 + 65536 : 0);
    c->chunked = (struct http_chunked){.in = 0};
    c->body_seen = c->in_len;
    c->deadline_ns = loop_now_ns() + c->server->config.body_timeout_ns;
    if (h->has_length && h->content_length > max) {
        c->keep_alive = false;
        http__reply_too_large(c->request, h->content_length, true);
        return true;
    }
    if (h->expects_more || (h->expects_continue && http__request_is_refused(c->request))) {
        c->keep_alive = false; /* the body has not been sent, and may be yet (RFC 9110 10.1.1) */
        http__request_handle(c->request);
        return true;
    }
    if (http__request_is_streamed(c->request)) {
        return begin_streamed_body(c);
    }
    if (h->expects_continue && c->in_len == head_len) {
        say_continue(c);
    }
    return true;
}

static bool step_head(struct http_connection *c)
{
    size_t len = http_head_end(c->in, c->in_len, &c->scanned);
    if (len == 0 || len > c->server->config.header_max) {
        if (c->in_len >= c->server->config.header_max) {
            http__reply_refusal(c, 431, "");
            return true;
        }
        if (c->eof) {
            http__connection_close(c);
        }
        return false;
    }
    enum http_parse rc;
    c->request = http__request_create(c, c->in, len, &rc);
    if (!c->request) {
        static const struct {
            enum http_parse rc;
            int status;
        } statuses[] = {{HTTP_BAD, 400}, {HTTP_TOO_MANY, 431}, {HTTP_BAD_ENCODING, 501}};
        int status = 503;
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
            status = statuses[i].rc == rc ? statuses[i].status : status;
        }
        http__reply_refusal(c, status, status == 400 ? c->server->complaint : "");
        return true;
    }
    c->keep_alive = c->request->head.keep_alive && !c->server->draining;
    c->is_old = c->request->head.minor == 0;
    return begin_body(c, len);
}

static bool hand_over(struct http_connection *c, size_t body_len, size_t used)
{
    struct http_request *r = c->request;
    char *body = mu__arena_strndup(&r->arena, c->in + c->head_len, body_len);
    if (!body) {
        http__connection_close(c);
        return false;
    }
    r->body = (struct mu_str){body, body_len};
    http__connection_consume(c, used);
    c->state = CONN_HANDLED;
    c->deadline_ns = MU_NEVER;
    http__request_handle(r);
    return true;
}

static bool step_body(struct http_connection *c)
{
    if (c->receiving) {
        bool again = http__stream_body(c);
        if (!again && c->eof && !c->dead && c->state == CONN_BODY && !c->held) {
            http__connection_close(c);
        }
        return again;
    }
    const struct http_head *h = &c->request->head;
    size_t have = c->in_len - c->head_len;
    if (!h->chunked && have >= h->content_length) {
        return hand_over(c, (size_t)h->content_length, c->head_len + (size_t)h->content_length);
    }
    if (h->chunked) {
        size_t max = http__request_body_max(c->request);
        enum http_parse rc = http_chunked_step(&c->chunked, c->in + c->head_len, have, max);
        if (rc == HTTP_PARSED) {
            return hand_over(c, c->chunked.out, c->head_len + c->chunked.in);
        }
        if (rc == HTTP_TOO_MANY || (rc == HTTP_MORE && c->in_len >= c->body_max)) {
            c->keep_alive = false;
            http__reply_too_large(c->request, c->chunked.out, false);
            return true;
        }
        if (rc == HTTP_BAD) {
            http__reply_bad_chunk(c->request);
            return true;
        }
    }
    if (c->eof) {
        http__connection_close(c);
    }
    return false;
}

/* A client that hangs up gives up a call that may wait long; a short one is answered, as it may
 * only have closed its sending side. */
static bool step_handled(struct http_connection *c)
{
    if (c->eof && (c->flight ? http__flight_may_last(c->flight) : c->request->blocking)) {
        http__connection_close(c);
    }
    return false;
}

static bool step_drain(struct http_connection *c)
{
    if (http__has_output(c)) {
        return false;
    }
    if (!c->shut) {
        shutdown(c->fd, SHUT_WR);
        c->shut = true;
        c->deadline_ns = loop_now_ns() + DRAIN_TIME_NS;
    }
    c->in_len = 0;
    if (c->eof || c->thrown_away > DRAIN_MAX) {
        http__connection_close(c);
    }
    return false;
}

static bool step(struct http_connection *c)
{
    switch (c->state) {
    case CONN_IDLE:
        return step_idle(c);
    case CONN_HEAD:
        return step_head(c);
    case CONN_BODY:
        return step_body(c);
    case CONN_HANDLED:
        return step_handled(c);
    case CONN_DRAIN:
        return step_drain(c);
    }
    return false;
}

/* ---- Events ---- */

/* Reads unless the buffer is full; a client is heard while its request is handled, so that hanging
 * up is noticed. */
static void watch(struct http_connection *c)
{
    bool want = !c->eof && !c->held && c->in_len < input_max(c);
    if (want != c->reading) {
        c->reading = want;
        want ? event_add(&c->read, NULL) : event_del(&c->read);
    }
    if (http__has_output(c)) {
        event_add(&c->write, NULL);
    }
}

static void process(struct http_connection *c)
{
    if (c->processing) {
        return; /* an answer came while its request was being handed over: the loop below goes on */
    }
    c->processing = true;
    while (!c->dead && step(c)) {
    }
    c->processing = false;
    if (c->dead || !settle_input(c)) {
        destroy(c);
    } else {
        http__deadline_file(c);
        watch(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_connection *c = arg;
    if (!receive(c)) {
        http__connection_close(c);
        return;
    }
    process(c);
}

/* The handler may write more, end the answer, or give it up. */
static void tell_room(struct http_connection *c)
{
    struct http_request *r = c->request;
    c->processing = true;
    r->stream->room(r->stream_user);
    c->processing = false;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_connection *c = arg;
    size_t before = c->out_at + c->shared_at;
    if (!http__flush(c)) {
        http__connection_close(c);
        return;
    }
    if (c->out_at + c->shared_at != before || !http__has_output(c)) {
        c->deadline_ns = loop_now_ns() + c->server->config.idle_timeout_ns;
    }
    if (c->streaming && !http__has_output(c)) {
        c->deadline_ns = MU_NEVER;
        tell_room(c);
    }
    process(c);
}

void http__connection_accept(struct http_server *s, int fd, const struct sockaddr *peer,
                             socklen_t len)
{
    struct http_connection *c = NULL;
    struct client_address from = client_address(peer, len);
    bool counted = client_limit_enter(s->config.clients, &from);
    unsigned max = s->config.connections_max;
    if (counted && !s->draining && (max == 0 || s->stats.connections_open < max)) {
        c = mu__calloc(heap(), 1, sizeof *c);
    }
    if (!c) {
        if (counted) {
            client_limit_leave(s->config.clients, &from);
        }
        s->stats.connections_refused++;
        close(fd);
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->server = s;
    c->fd = fd;
    c->peer = from;
    c->is_inside = peer->sa_family == AF_UNSPEC;
    c->keep_alive = true;
    /* For the first byte of the first request */
    c->deadline_ns = loop_now_ns() + s->config.header_timeout_ns;
    c->filed = DEADLINE_CLASSES;
    c->wait_end.slot = MU_HEAP_NONE;
    s->stats.connections_open++;
    s->stats.connections_accepted++;
    event_assign(&c->read, s->config.base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->write, s->config.base, fd, EV_WRITE, on_writable, c);
    http__deadline_file(c);
    watch(c);
}
