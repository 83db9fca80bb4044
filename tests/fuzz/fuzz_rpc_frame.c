/* fuzz_rpc_frame.c - bytes from a stranger into either end of an RPC connection.
 *
 * The first byte of the input chooses: even, the rest is what a client sends to a server's port, in
 * pieces; odd, it is what a server sends to a client that has a call under way. Held besides "no
 * crash": every call that was started ends, every request that was decoded survives encoding and
 * decoding, and nothing stays open. */
#include "rpc/endpoints.h"
#include "rpc/msgpack_rpc.h"
#include "rpc/rpc_server.h"
#include "rpc/yamux.h"

#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD 16

struct fuzz {
    struct call_backend backend; /* first */
    struct call *held[HELD];     /* blocking reads, until they are cancelled */
    size_t nheld;
};

static void check_request(const struct call *c)
{
    const struct mu__schema *schema = c->endpoint->request;
    struct mu__arena a;
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    mu__arena_init(&a, NULL, 0);
    if (schema) {
        mu__schema_encode(schema, c->request, &w);
        void *again = mu__arena_calloc(&a, 1, schema->size);
        struct mu__reader r = mu__reader(w.data, w.len);
        assert(mu__schema_decode(schema, &r, &a, true, again));
        assert(mu__reader_left(&r) == 0);
        assert(mu__schema_equal(schema, c->request, again));
    }
    mu__writer_fini(&w);
    mu__arena_fini(&a);
}

static void start(struct call_backend *b, struct call *c)
{
    struct fuzz *f = (struct fuzz *)b;
    check_request(c);
    const struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
    if (o && o->min_query_index && f->nheld < HELD) {
        f->held[f->nheld++] = c;
        return;
    }
    size_t size = c->endpoint->reply ? c->endpoint->reply->size : sizeof(struct mu_strs);
    c->reply = mu__arena_calloc(&c->arena, 1, size);
    if (c->reply) {
        call_finish(c);
    } else {
        call_fail(c, "out of memory");
    }
}

static void cancel(struct call_backend *b, struct call *c)
{
    struct fuzz *f = (struct fuzz *)b;
    size_t i = 0;
    while (f->held[i] != c) {
        i++;
    }
    f->held[i] = f->held[--f->nheld];
    call_free(c);
}

static void drain(int fd)
{
    char buf[4096];
    while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0) {
    }
}

static void to_server(const uint8_t *data, size_t size)
{
    struct fuzz f = {.backend = {start, cancel}};
    struct event_base *base = event_base_new();
    struct rpc_server_config cfg = {.base = base,
                                    .backend = &f.backend,
                                    .request_bytes_max = 1 << 16,
                                    .call_bytes_max = 1 << 20};
    struct rpc_server *server = rpc_server_create(&cfg);
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fds[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    rpc_server_accept(server, fds[1], (struct sockaddr *)&in, sizeof in);
    for (size_t at = 0; at < size;) {
        size_t piece = 1 + (at ? data[at] * 16u : 0);
        piece = piece < size - at ? piece : size - at;
        (void)send(fds[0], data + at, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += piece;
        event_base_loop(base, EVLOOP_NONBLOCK);
        drain(fds[0]);
    }
    close(fds[0]);
    for (int i = 0; i < 4; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    rpc_server_destroy(server);
    assert(f.nheld == 0);
    event_base_free(base);
}

struct client {
    struct rpc_inbox inbox;
    bool ended;
};

static void on_readable(void *user, struct yamux_stream *s)
{
    struct client *c = user;
    enum rpc_progress progress = rpc_inbox_feed(&c->inbox, yamux_stream_input(s));
    yamux_stream_consumed(s);
    if (progress == RPC_COMPLETE) {
        struct call *call =
            call_create(&endpoints[ENDPOINT_HEALTH_SERVICE_NODES], 1 << 20, NULL, NULL);
        struct mu__reader r = rpc_inbox_message(&c->inbox);
        struct rpc_response_header h;
        if (rpc_read_response_header(&r, &call->arena, &h) && !h.error.len) {
            (void)rpc_read_reply(&r, true, call);
        }
        call_free(call);
        rpc_inbox_drop(&c->inbox);
    } else if (progress != RPC_MORE || yamux_stream_is_ended(s)) {
        c->ended = true;
        yamux_stream_close(s);
    }
}

static void on_died(void *user, struct yamux_stream *s)
{
    (void)s;
    ((struct client *)user)->ended = true;
}

static void to_client(const uint8_t *data, size_t size)
{
    static const struct yamux_callbacks callbacks = {NULL, on_readable, on_died};
    struct client c = {.ended = false};
    struct evbuffer *out = evbuffer_new();
    struct evbuffer *in = evbuffer_new();
    struct yamux_config cfg = {.is_client = true, .callbacks = &callbacks, .user = &c, .out = out};
    struct yamux *y = yamux_create(&cfg, 0);
    rpc_inbox_init(&c.inbox, 1 << 16);
    struct yamux_stream *s = yamux_open(y, NULL);
    evbuffer_add(in, "request", 7);
    yamux_stream_write(s, in);
    evbuffer_add(in, data, size);
    int err = yamux_receive(y, in, 0);
    assert(err || evbuffer_get_length(in) < 12);
    yamux_destroy(y);
    assert(c.ended); /* the stream died, or was closed */
    rpc_inbox_fini(&c.inbox);
    evbuffer_free(in);
    evbuffer_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] & 1) {
        to_client(data + 1, size - 1);
    } else {
        to_server(data + 1, size - 1);
    }
    return 0;
}
