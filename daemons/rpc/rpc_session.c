/* rpc_session.c - one yamux session to a server: kept alive, shared by calls, and its streams. */
#include "rpc_client_internal.h"

#include "base/log.h"
#include "base/loop.h"

#include <stdio.h>
#include <string.h>

#define WRITE_TIMEOUT_S 10
#define FIRST_BYTE      4 /* yamux */
#define NO_CONNECTION   "rpc error getting client: failed to get conn: "
#define LOST            "rpc error making call: "

void rpc__session_set_timer(struct rpc_session *s, uint64_t ns)
{
    struct timeval tv = {(time_t)(ns / MU_SEC), (suseconds_t)(ns % MU_SEC / MU_USEC + 1)};
    s->timer_ns = loop_now_ns() + ns;
    event_add(s->timer, &tv);
}

/* A server that owes an answer and is silent is asked whether it is there. A timer that is due
 * before it has to be is left: it costs less than setting it for each call. */
static void expect(struct rpc_session *s, bool doubtful)
{
    uint64_t now = loop_now_ns();
    yamux_expect(s->yamux, doubtful, now);
    uint64_t due = yamux_deadline(s->yamux);
    if (due < s->timer_ns) {
        rpc__session_set_timer(s, due > now ? due - now : 0);
    }
}

void rpc__session_doubt(struct rpc_session *s)
{
    if (s->state == SESSION_OPEN) {
        expect(s, true);
    }
}

/* ---- Streams ---- */

static void unlink_idle(struct client_stream *st)
{
    struct rpc_session *s = st->session;
    if (st->previous_idle) {
        st->previous_idle->next_idle = st->next_idle;
    } else {
        s->idle = st->next_idle;
    }
    if (st->next_idle) {
        st->next_idle->previous_idle = st->previous_idle;
    }
    s->idle_count--;
}

static void free_stream(struct client_stream *st)
{
    rpc_inbox_fini(&st->inbox);
    mu__free(&mu__malloc_allocator, st);
}

void rpc__stream_abandon(struct client_stream *st)
{
    yamux_stream_reset(st->ys);
    free_stream(st);
}

/* The answer has come: keeps the stream for the next call, or closes it. */
static void release(struct client_stream *st, bool reusable)
{
    struct rpc_session *s = st->session;
    s->used_ns = loop_now_ns();
    bool keep = reusable && s->is_listed && s->idle_count < s->client->config.idle_streams_max &&
                st->inbox.len == 0 && !yamux_stream_is_ended(st->ys);
    if (!keep) {
        yamux_stream_close(st->ys);
        free_stream(st);
        return;
    }
    st->previous_idle = NULL;
    st->next_idle = s->idle;
    if (s->idle) {
        s->idle->previous_idle = st;
    }
    s->idle = st;
    s->idle_count++;
}

static struct client_stream *take_stream(struct rpc_session *s)
{
    struct client_stream *st = s->idle;
    if (st) {
        unlink_idle(st);
        return st;
    }
    if (!yamux_can_open(s->yamux) || !(st = mu__calloc(&mu__malloc_allocator, 1, sizeof *st))) {
        return NULL;
    }
    st->session = s;
    st->ys = yamux_open(s->yamux, st);
    if (!st->ys) {
        mu__free(&mu__malloc_allocator, st);
        return NULL;
    }
    rpc_inbox_init(&st->inbox, s->client->config.reply_bytes_max);
    return st;
}

/* Header and arguments leave as one frame, right behind the SYN: servers wait for the first byte of
 * a new stream before they accept the next. */
static bool send_request(struct client_stream *st, struct rpc_exchange *e)
{
    struct mu__writer *w = &e->client->scratch;
    struct evbuffer *out = evbuffer_new();
    rpc__exchange_encode(e);
    bool ok = out && rpc_writer_flush(w, out);
    if (ok) {
        yamux_stream_write(st->ys, out);
        expect(st->session, false);
    }
    w->len = 0;
    w->failed = false;
    if (out) {
        evbuffer_free(out);
    }
    return ok;
}

void rpc__session_enqueue(struct rpc_session *s, struct rpc_exchange *e)
{
    e->session = s;
    e->next = NULL;
    e->previous = s->queue_last;
    if (s->queue_last) {
        s->queue_last->next = e;
    } else {
        s->queue = e;
    }
    s->queue_last = e;
}

void rpc__session_unqueue(struct rpc_exchange *e)
{
    struct rpc_session *s = e->session;
    if (e->previous) {
        e->previous->next = e->next;
    } else {
        s->queue = e->next;
    }
    if (e->next) {
        e->next->previous = e->previous;
    } else {
        s->queue_last = e->previous;
    }
}

void rpc__session_serve(struct rpc_session *s)
{
    while (s->state == SESSION_OPEN && s->queue) {
        struct rpc_exchange *e = s->queue;
        struct client_stream *st = take_stream(s);
        if (!st) {
            return; /* until a stream is acknowledged or free */
        }
        rpc__session_unqueue(e);
        e->stream = st;
        st->exchange = e;
        s->under_way++;
        if (!send_request(st, e)) {
            event_active(e->timer, EV_TIMEOUT, 0); /* out of memory: as if it had timed out */
        }
    }
}

static void stream_broke(struct client_stream *st, const char *reason)
{
    if (st->exchange) {
        rpc__exchange_fail(st->exchange, RPC_BROKEN, LOST, reason);
    }
}

static void on_readable(void *user, struct yamux_stream *ys)
{
    (void)user;
    struct client_stream *st = yamux_stream_user(ys);
    if (!st->exchange) { /* idle: the server closes it, or says what nobody asked for */
        unlink_idle(st);
        yamux_stream_close(ys);
        free_stream(st);
        return;
    }
    enum rpc_progress progress = rpc_inbox_feed(&st->inbox, yamux_stream_input(ys));
    yamux_stream_consumed(ys);
    if (progress == RPC_COMPLETE) {
        struct mu__reader r = rpc_inbox_message(&st->inbox);
        bool reusable = rpc__exchange_response(st->exchange, &r);
        rpc_inbox_drop(&st->inbox);
        release(st, reusable);
    } else if (progress != RPC_MORE) {
        stream_broke(st, progress == RPC_TOO_LARGE ? "the reply is too large"
                                                   : "codec.decoder: malformed response");
        rpc__stream_abandon(st);
    } else if (yamux_stream_is_ended(ys)) {
        stream_broke(st, "EOF");
        yamux_stream_close(ys);
        free_stream(st);
    }
}

static void on_died(void *user, struct yamux_stream *ys)
{
    (void)user;
    struct client_stream *st = yamux_stream_user(ys);
    if (st->exchange) {
        stream_broke(st, "stream closed");
    } else {
        unlink_idle(st);
    }
    free_stream(st);
}

static const struct yamux_callbacks callbacks = {NULL, on_readable, on_died};

/* ---- The session ---- */

void rpc__session_unlist(struct rpc_session *s)
{
    if (s->is_listed) {
        mu__map_remove(&s->client->sessions, s->key, strlen(s->key));
        s->is_listed = false;
    }
}

static void free_session(struct rpc_session *s)
{
    struct rpc_client *x = s->client;
    if (s->previous) {
        s->previous->next = s->next;
    } else {
        x->all = s->next;
    }
    if (s->next) {
        s->next->previous = s->previous;
    }
    if (s->timer) {
        event_free(s->timer);
    }
    if (s->bev) {
        bufferevent_free(s->bev);
    }
    mu__free(&mu__malloc_allocator, s->failure);
    mu__free(&mu__malloc_allocator, s->name);
    mu__free(&mu__malloc_allocator, s->host);
    mu__free(&mu__malloc_allocator, s->key);
    mu__free(&mu__malloc_allocator, s);
}

/* Unlisted first: who is told of the end may call the same server again, and gets a new session. */
void rpc__session_close(struct rpc_session *s)
{
    rpc__session_unlist(s);
    struct yamux *y = s->yamux;
    bool was_open = s->state == SESSION_OPEN;
    s->yamux = NULL;
    s->state = SESSION_FAILED;
    yamux_destroy(y);
    while (s->queue) {
        rpc__exchange_fail(s->queue, RPC_UNSENT,
                           was_open ? "rpc error getting client: failed to start stream: "
                                    : NO_CONNECTION,
                           s->failure ? s->failure : "session shutdown");
    }
    free_session(s);
}

static void session_failed(struct rpc_session *s, int err)
{
    log_debug(RPC_MODULE, "session with %s closed: %s", s->key, yamux_strerror(err));
    rpc__session_close(s);
}

/* No stream can be opened on it any more: what waits goes to a new session, and this one ends with
 * its last call. */
static void retire(struct rpc_session *s)
{
    struct rpc_target to = {s->name, s->host, s->port};
    rpc__session_unlist(s);
    while (s->queue) {
        struct rpc_session *heir = rpc__session_find(s->client, &to);
        struct rpc_exchange *e = s->queue;
        if (!heir) {
            break;
        }
        rpc__session_unqueue(e);
        rpc__session_enqueue(heir, e);
    }
    if (s->under_way == 0) {
        rpc__session_close(s);
    }
}

static void settle(struct rpc_session *s)
{
    if (yamux_is_retiring(s->yamux)) {
        retire(s);
    } else {
        rpc__session_serve(s);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct rpc_session *s = arg;
    int err = yamux_receive(s->yamux, bufferevent_get_input(bev), loop_now_ns());
    if (err) {
        session_failed(s, err);
    } else {
        settle(s);
    }
}

static void on_write(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct rpc_session *s = arg;
    int err = s->yamux ? yamux_pump(s->yamux) : YAMUX_OK;
    if (err) {
        session_failed(s, err);
    }
}

static bool open_session(struct rpc_session *s)
{
    uint64_t now = loop_now_ns();
    struct yamux_config cfg = {.is_client = true,
                               .callbacks = &callbacks,
                               .user = s,
                               .out = bufferevent_get_output(s->bev)};
    uint8_t type = FIRST_BYTE;
    s->yamux = evbuffer_add(cfg.out, &type, 1) == 0 ? yamux_create(&cfg, now) : NULL;
    if (!s->yamux) {
        return false;
    }
    s->state = SESSION_OPEN;
    s->used_ns = now;
    rpc__session_set_timer(s, yamux_deadline(s->yamux) - now);
    rpc__session_serve(s);
    return true;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct rpc_session *s = arg;
    if (s->state == SESSION_DIALING) {
        if (what & BEV_EVENT_CONNECTED) {
            struct timeval patience = {WRITE_TIMEOUT_S, 0};
            bufferevent_set_timeouts(bev, NULL, &patience);
            if (!open_session(s)) {
                rpc__dial_failed(s, "", "out of memory");
            }
        } else {
            rpc__dial_failed(s, "connect: ", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
        }
    } else if (s->state == SESSION_OPEN) {
        rpc__session_close(s);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct rpc_session *s = arg;
    if (s->state == SESSION_DIALING) {
        rpc__dial_failed(s, "", "i/o timeout");
    }
    if (s->state == SESSION_FAILED) {
        rpc__session_close(s);
        return;
    }
    uint64_t now = loop_now_ns();
    bool idle = s->under_way == 0 && now - s->used_ns >= s->client->config.idle_timeout_ns;
    int err = idle ? YAMUX_OK : yamux_advance(s->yamux, now);
    if (idle) {
        rpc__session_close(s);
    } else if (err) {
        session_failed(s, err);
    } else {
        uint64_t due = yamux_deadline(s->yamux);
        rpc__session_set_timer(s, due > now ? due - now : 0);
    }
}

static struct rpc_session *create_session(struct rpc_client *x, const struct rpc_target *to,
                                          const char *key, size_t len)
{
    struct rpc_session *s = mu__calloc(&mu__malloc_allocator, 1, sizeof *s);
    if (!s) {
        return NULL;
    }
    *s = (struct rpc_session){.client = x, .port = to->port, .next = x->all};
    if (s->next) {
        s->next->previous = s;
    }
    x->all = s;
    s->key = mu__strndup(&mu__malloc_allocator, key, len);
    s->name = mu__strndup(&mu__malloc_allocator, to->name, strlen(to->name));
    s->host = mu__strndup(&mu__malloc_allocator, to->host, strlen(to->host));
    s->timer = evtimer_new(x->config.base, on_timer, s);
    if (!s->key || !s->name || !s->host || !s->timer ||
        !mu__map_set(&x->sessions, s->key, len, s, NULL)) {
        free_session(s);
        return NULL;
    }
    s->is_listed = true;
    return s;
}

struct rpc_session *rpc__session_find(struct rpc_client *x, const struct rpc_target *to)
{
    char key[400];
    int n = snprintf(key, sizeof key, "%s %s:%u", to->name, to->host, (unsigned)to->port);
    size_t len = mu__min((size_t)n, sizeof key - 1);
    struct rpc_session *s = mu__map_get(&x->sessions, key, len);
    if (s && s->yamux && yamux_is_retiring(s->yamux)) {
        rpc__session_unlist(s);
        s = NULL;
    }
    if (!s) {
        s = create_session(x, to, key, len);
        if (s) {
            rpc__dial(s, on_read, on_write, on_event);
        }
    }
    return s;
}
