/* rpc_client.c - calls under way: started, timed, answered, cancelled. */
#include "rpc_client_internal.h"

#include <assert.h>
#include <string.h>

#define DIAL_TIMEOUT_NS (10 * MU_SEC)
#define HOLD_TIMEOUT_NS (7 * MU_SEC)
#define IDLE_TIMEOUT_NS (127 * MU_SEC)
#define IDLE_STREAMS    32u
#define REPLY_BYTES_MAX ((size_t)256 << 20)

#define CALL_TIMEOUT_NS     (60 * MU_SEC)
#define BLOCKING_DEFAULT_NS (300 * MU_SEC)
#define BLOCKING_MAX_NS     (600 * MU_SEC)
#define BLOCKING_SLACK_NS   (10 * MU_SEC)

struct rpc_client *rpc_client_create(const struct rpc_client_config *cfg)
{
    struct rpc_client *x = mu__calloc(&mu__malloc_allocator, 1, sizeof *x);
    if (!x) {
        return NULL;
    }
    x->config = *cfg;
    struct rpc_client_config *c = &x->config;
    c->dial_timeout_ns = c->dial_timeout_ns ? c->dial_timeout_ns : DIAL_TIMEOUT_NS;
    c->hold_timeout_ns = c->hold_timeout_ns ? c->hold_timeout_ns : HOLD_TIMEOUT_NS;
    c->idle_timeout_ns = c->idle_timeout_ns ? c->idle_timeout_ns : IDLE_TIMEOUT_NS;
    c->idle_streams_max = c->idle_streams_max ? c->idle_streams_max : IDLE_STREAMS;
    c->reply_bytes_max = c->reply_bytes_max ? c->reply_bytes_max : REPLY_BYTES_MAX;
    if (cfg->bind_host) {
        x->bind_host = mu__strndup(&mu__malloc_allocator, cfg->bind_host, strlen(cfg->bind_host));
        if (!x->bind_host) {
            mu__free(&mu__malloc_allocator, x);
            return NULL;
        }
        c->bind_host = x->bind_host;
    }
    mu__map_init(&x->sessions, NULL, 0); /* its keys come from our own configuration */
    x->scratch = mu__writer_growing(&mu__malloc_allocator);
    return x;
}

void rpc_client_destroy(struct rpc_client *x)
{
    if (!x) {
        return;
    }
    x->ending = true;
    while (x->all) {
        rpc__session_close(x->all);
    }
    mu__map_fini(&x->sessions);
    mu__writer_fini(&x->scratch);
    mu__free(&mu__malloc_allocator, x->bind_host);
    mu__free(&mu__malloc_allocator, x);
}

void rpc_client_doubt(struct rpc_client *x, const char *name)
{
    for (struct rpc_session *s = x->all; s; s = s->next) {
        if (strcmp(s->name, name) == 0) {
            rpc__session_doubt(s);
        }
    }
}

/* How long an answer may take: what the server may wait, its jitter of a sixteenth, and a leader's
 * election on the way there and on the server. */
static uint64_t time_limit(const struct rpc_client *x, const struct call *c)
{
    const struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
    if (!o || o->min_query_index == 0) {
        return CALL_TIMEOUT_NS;
    }
    uint64_t wait = o->max_query_time_ns > 0 ? (uint64_t)o->max_query_time_ns : BLOCKING_DEFAULT_NS;
    wait = wait < BLOCKING_MAX_NS ? wait : BLOCKING_MAX_NS;
    return wait + wait / 16 + 2 * x->config.hold_timeout_ns + BLOCKING_SLACK_NS;
}

static void arm(struct rpc_exchange *e, uint64_t ns)
{
    struct timeval tv = {(time_t)(ns / MU_SEC), (suseconds_t)(ns % MU_SEC / MU_USEC)};
    event_add(e->timer, &tv);
}

/* Takes the exchange out of its session, whose stream the caller sees to. */
static void detach(struct rpc_exchange *e)
{
    if (e->stream) {
        assert(e->session);
        e->stream->exchange = NULL;
        e->stream = NULL;
        e->session->under_way--;
    } else if (e->session) {
        rpc__session_unqueue(e);
    }
    e->session = NULL;
}

static void deliver(struct rpc_exchange *e, enum rpc_outcome outcome)
{
    struct call *c = e->call;
    rpc_done_fn done = e->done;
    void *arg = e->arg;
    detach(e);
    if (e->timer) {
        event_free(e->timer);
    }
    mu__free(&mu__malloc_allocator, e);
    done(c, outcome, arg);
}

static void set_error(struct call *c, const char *prefix, struct mu_str reason)
{
    static char out_of_memory[] = "out of memory";
    size_t n = strlen(prefix);
    size_t limit = c->arena.limit;
    c->arena.limit = 0; /* a call that used up its memory can still say so */
    c->error = mu__arena_calloc(&c->arena, 1, n + reason.len + 1);
    c->arena.limit = limit;
    if (!c->error) {
        c->error = out_of_memory;
        return;
    }
    memcpy(c->error, prefix, n);
    if (reason.len) {
        memcpy(c->error + n, reason.p, reason.len);
    }
}

void rpc__exchange_fail(struct rpc_exchange *e, enum rpc_outcome outcome, const char *prefix,
                        const char *reason)
{
    set_error(e->call, prefix, mu__cstr(reason));
    deliver(e, outcome);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct rpc_exchange *e = arg;
    if (!e->session) {
        deliver(e, e->outcome); /* it could not even be started */
        return;
    }
    struct client_stream *st = e->stream;
    if (st) {
        detach(e);
        rpc__stream_abandon(st);
    }
    rpc__exchange_fail(e, RPC_BROKEN, "rpc error making call: ", "i/o deadline reached");
}

void rpc__exchange_encode(struct rpc_exchange *e)
{
    struct rpc_client *x = e->client;
    const struct endpoint *endpoint = e->call->endpoint;
    struct rpc_request_header h = {
        .forwarded = x->config.forwards, .seq = ++x->seq, .method = mu__cstr(endpoint->method)};
    rpc_write_request(&x->scratch, &h, endpoint, e->call->request);
}

/* Copied once and decoded in place: the reply lives as long as the call. */
static bool read_reply(struct mu__reader *r, struct call *c)
{
    size_t len = mu__reader_left(r);
    const void *copy = mu__arena_memdup(&c->arena, mu__read_bytes(r, len), len);
    if (!copy) {
        return false;
    }
    struct mu__reader body = mu__reader(copy, len);
    return rpc_read_reply(&body, true, c);
}

bool rpc__exchange_response(struct rpc_exchange *e, struct mu__reader *r)
{
    struct rpc_response_header h;
    struct call *c = e->call;
    if (!rpc_read_response_header(r, &c->arena, &h)) {
        rpc__exchange_fail(e, RPC_BROKEN,
                           "rpc error making call: ", "codec.decoder: malformed response");
        return false;
    }
    if (h.error.len) { /* like Go's pool: a stream that gave an error is not used again */
        set_error(c, "rpc error making call: ", h.error);
        deliver(e, RPC_REFUSED);
        return false;
    }
    if (!read_reply(r, c)) {
        rpc__exchange_fail(e, RPC_BROKEN,
                           "rpc error making call: ", "codec.decoder: cannot decode the reply");
        return false;
    }
    deliver(e, RPC_ANSWERED);
    return true;
}

struct rpc_exchange *rpc_client_start(struct rpc_client *x, const struct rpc_target *to,
                                      struct call *c, rpc_done_fn done, void *arg)
{
    struct rpc_exchange *e = x->ending ? NULL : mu__calloc(&mu__malloc_allocator, 1, sizeof *e);
    if (!e) {
        return NULL;
    }
    *e = (struct rpc_exchange){.client = x, .call = c, .done = done, .arg = arg};
    e->timer = evtimer_new(x->config.base, on_timer, e);
    if (!e->timer) {
        mu__free(&mu__malloc_allocator, e);
        return NULL;
    }
    struct rpc_session *s = rpc__session_find(x, to);
    if (!s) {
        set_error(c, "rpc error getting client: ", mu__cstr("failed to get conn: out of memory"));
        e->outcome = RPC_UNSENT;
        arm(e, 0);
        return e;
    }
    arm(e, time_limit(x, c));
    rpc__session_enqueue(s, e);
    rpc__session_serve(s);
    return e;
}

void rpc_exchange_cancel(struct rpc_exchange *e)
{
    struct client_stream *st = e->stream;
    detach(e);
    if (st) {
        rpc__stream_abandon(st);
    }
    event_free(e->timer);
    mu__free(&mu__malloc_allocator, e);
}

bool rpc_exchange_is_unsent(const struct rpc_exchange *e)
{
    return e->stream == NULL;
}

static void finish(struct call *c, enum rpc_outcome outcome, void *arg)
{
    (void)outcome;
    (void)arg;
    call_finish(c);
}

void rpc_client_call(struct rpc_client *x, const struct rpc_target *to, struct call *c)
{
    c->state = rpc_client_start(x, to, c, finish, NULL);
    if (!c->state) {
        call_fail(c, "rpc error getting client: failed to get conn: out of memory");
    }
}

void rpc_client_cancel_call(struct call *c)
{
    rpc_exchange_cancel(c->state);
    call_free(c);
}
