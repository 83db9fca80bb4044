/* A gRPC check asks the health service of a gRPC server (grpc.health.v1.Health/Check): SERVING is
 * passing, all else critical. */
#include "agent/check_channel.h"
#include "agent/check_grpc_call.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

struct grpc {
    struct check *check;
    struct check__tls_wish tls;
    struct mu_str target; /* "host:port", of "host:port/service"; lent from the check's type */
    char authority[320];
    char *service;
    char host[256];
    uint16_t port;
    struct check__channel channel;
    struct grpc_call *call; /* NULL: nothing is under way */
};

static void grpc_abort(void *kind)
{
    struct grpc *g = kind;
    check__channel_close(&g->channel);
    grpc_call_destroy(g->call);
    g->call = NULL;
}

static void grpc_destroy(void *kind)
{
    struct grpc *g = kind;
    free(g->service);
    free(g);
}

static void *grpc_create(struct check *c)
{
    struct grpc *g = calloc(1, sizeof *g);
    if (!g) {
        return NULL;
    }
    struct mu_str all = c->type->grpc;
    const char *slash = memchr(all.p, '/', all.len);
    size_t len = slash ? (size_t)(slash - all.p) : all.len;
    *g = (struct grpc){.check = c, .target = {all.p, len}};
    g->tls = (struct check__tls_wish){.skip_verify = c->type->tls_skip_verify, .h2 = true};
    snprintf(g->authority, sizeof g->authority, "%.*s", (int)mu__min(len, 300), all.p);
    g->service = strndup(slash ? slash + 1 : "", slash ? all.len - len - 1 : 0);
    if (!g->service) {
        grpc_destroy(g);
        return NULL;
    }
    return g;
}

/* Ends the attempt. */
static void fail(struct grpc *g, const char *text)
{
    grpc_abort(g);
    check__done(g->check, CHECK_CRITICAL, "%s", text);
}

static void unreachable(struct grpc *g, const char *what, const char *why)
{
    char text[GRPC_TEXT_MAX * 3], plain[GRPC_TEXT_MAX + 64], quoted[2 * GRPC_TEXT_MAX];
    snprintf(plain, sizeof plain, "transport: %s%.*s", what, (int)GRPC_TEXT_MAX, why);
    check__quote(mu__cstr(plain), quoted, sizeof quoted);
    snprintf(text, sizeof text, "rpc error: code = Unavailable desc = connection error: desc = %s",
             quoted);
    fail(g, text);
}

static void conclude(struct grpc *g)
{
    char text[GRPC_TEXT_MAX + 64];
    struct check *c = g->check;
    switch (grpc_call_outcome(g->call)) {
    case GRPC_PENDING:
        return;
    case GRPC_SERVING:
        grpc_abort(g);
        check__done(c, CHECK_PASSING, "gRPC check %.*s: success", (int)c->type->grpc.len,
                    c->type->grpc.p);
        return;
    case GRPC_NOT_SERVING:
        fail(g, "gRPC application didn't report service healthy");
        return;
    case GRPC_FAILED:
        snprintf(text, sizeof text, "%s", grpc_call_error(g->call)); /* the call goes */
        fail(g, text);
        return;
    }
}

static void send_output(struct grpc *g)
{
    const uint8_t *data;
    for (size_t n; (n = grpc_call_output(g->call, &data)) > 0;) {
        check__channel_write(&g->channel, data, n);
    }
}

/* Nothing is concluded here: the channel goes on with what has come already. */
static void on_opened(void *arg)
{
    send_output(arg);
}

static void on_received(void *arg, struct evbuffer *in)
{
    struct grpc *g = arg;
    struct evbuffer_iovec piece;
    while (grpc_call_outcome(g->call) == GRPC_PENDING &&
           evbuffer_peek(in, -1, NULL, &piece, 1) > 0) {
        grpc_call_feed(g->call, piece.iov_base, piece.iov_len);
        evbuffer_drain(in, piece.iov_len);
    }
    send_output(g);
    conclude(g);
}

static void on_ended(void *arg, enum check__end end, const char *why)
{
    struct grpc *g = arg;
    if (end == CHECK__END_DIAL) {
        unreachable(g, "Error while dialing ", why);
    } else if (end == CHECK__END_HANDSHAKE) {
        unreachable(g, "authentication handshake failed: ", why);
    } else {
        grpc_call_end(g->call);
        conclude(g);
    }
}

static void grpc_run(void *kind)
{
    static const struct check__channel_events events = {on_opened, on_received, on_ended};
    struct grpc *g = kind;
    const struct catalog_check_type *t = g->check->type;
    char why[GRPC_TEXT_MAX];
    if (!check__split_host_port(g->target, g->host, sizeof g->host, &g->port)) {
        check__address_fault(g->target, why, sizeof why);
        unreachable(g, "Error while dialing ", why);
        return;
    }
    const struct check__route route = {
        .host = g->host, .port = g->port, .tls = t->grpc_use_tls ? &g->tls : NULL};
    g->call =
        grpc_call_create(g->authority, g->service, t->grpc_use_tls, (uint64_t)g->check->timeout_ns);
    if (!g->call) {
        fail(g, "out of memory");
    } else if (!check__channel_open(&g->channel, g->check->world, &route, &events, g, why,
                                    sizeof why)) {
        unreachable(g, "Error while dialing ", why);
    }
}

static void grpc_expired(void *kind)
{
    fail(kind, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
}

const struct check_kind check__grpc = {grpc_create, grpc_run, grpc_abort, grpc_destroy,
                                       grpc_expired};
