/* rpc_server.c - accepted connections up to their first byte. */
#include "rpc_server_internal.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX    ((size_t)16 << 20)
#define CALL_BYTES_MAX       ((size_t)64 << 20)
#define HANDSHAKE_TIMEOUT_NS (5 * MU_SEC)

#define HELD_BYTES_MAX ((size_t)1 << 30)
#define COMPLAINT_NS   (60 * MU_SEC)

enum first_byte {
    FIRST_PLAIN = 0,
    FIRST_RAFT = 1,
    FIRST_TLS = 3,
    FIRST_YAMUX = 4,
    FIRST_SNAPSHOT = 5,
    FIRST_TLS_INSECURE = 7
};

struct rpc_server *rpc_server_create(const struct rpc_server_config *cfg)
{
    struct rpc_server *s = mu__calloc(&mu__malloc_allocator, 1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->config = *cfg;
    if (!s->config.request_bytes_max) {
        s->config.request_bytes_max = REQUEST_BYTES_MAX;
    }
    if (!s->config.call_bytes_max) {
        s->config.call_bytes_max = CALL_BYTES_MAX;
    }
    if (!s->config.handshake_timeout_ns) {
        s->config.handshake_timeout_ns = HANDSHAKE_TIMEOUT_NS;
    }
    s->budget.max = HELD_BYTES_MAX;
    s->scratch = mu__writer_growing(&mu__malloc_allocator);
    return s;
}

void rpc_server_destroy(struct rpc_server *s)
{
    if (!s) {
        return;
    }
    while (s->connections) {
        rpc__connection_close(s->connections);
    }
    mu__writer_fini(&s->scratch);
    mu__free(&mu__malloc_allocator, s);
}

size_t rpc_server_connections(const struct rpc_server *s)
{
    return s->connection_count;
}

/* Hands the socket on; it is no longer one of ours. */
static void give_away(struct rpc_connection *c, void (*adopt)(void *user, int fd))
{
    struct rpc_server *s = c->server;
    int fd = c->fd;
    c->fd = -1;
    rpc__connection_close(c);
    adopt(s->config.user, fd);
}

/* Who tries TLS tries for ever, and hears nothing of why (rpc-wire 10): the operator has to. */
static void refuse(struct rpc_connection *c, uint8_t type)
{
    struct rpc_server *s = c->server;
    bool is_tls = type == FIRST_TLS || type == FIRST_TLS_INSECURE || type >= 0x14;
    uint64_t now = loop_now_ns();
    if (is_tls && (!s->complained_ns || now - s->complained_ns >= COMPLAINT_NS)) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        char host[NI_MAXHOST] = "?";
        if (getpeername(c->fd, (struct sockaddr *)&peer, &len) == 0) {
            getnameinfo((struct sockaddr *)&peer, len, host, sizeof host, NULL, 0, NI_NUMERICHOST);
        }
        s->complained_ns = now;
        log_warn(RPC_MODULE,
                 "An agent wants TLS (verify_outgoing, auto_encrypt or auto_config), which this "
                 "server does not speak: from=%s",
                 host);
    }
    log_debug(RPC_MODULE, "connection closed: byte %u is not served here", (unsigned)type);
    rpc__connection_close(c);
}

static void dispatch(struct rpc_connection *c, uint8_t type)
{
    struct rpc_server *s = c->server;
    if (type == FIRST_RAFT && s->config.adopt_raft) {
        metric_count(METRIC_RPC_RAFT_HANDOFF, 1);
        give_away(c, s->config.adopt_raft);
    } else if (type == FIRST_SNAPSHOT && s->config.adopt_snapshot) {
        give_away(c, s->config.adopt_snapshot);
    } else if (type != FIRST_PLAIN && type != FIRST_YAMUX) {
        refuse(c, type);
    } else if (!rpc__connection_begin(c, type == FIRST_YAMUX)) {
        rpc__connection_close(c);
    }
}

static bool await_first_byte(struct rpc_connection *c)
{
    uint64_t ns = c->server->config.handshake_timeout_ns;
    struct timeval tv = {(time_t)(ns / MU_SEC), (suseconds_t)(ns % MU_SEC / MU_USEC)};
    return event_add(c->first_byte, &tv) == 0;
}

static void on_first_byte(evutil_socket_t fd, short what, void *arg)
{
    struct rpc_connection *c = arg;
    uint8_t type;
    ssize_t n = what & EV_READ ? recv(fd, &type, 1, 0) : 0;
    if (n == 1) {
        dispatch(c, type);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR) || !await_first_byte(c)) {
        rpc__connection_close(c); /* timeout, end or error */
    }
}

static void set_options(int fd)
{
    int on = 1;
    evutil_make_socket_nonblocking(fd);
    /* Fail on unix sockets, which tests use: no harm. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

void rpc_server_accept(struct rpc_server *s, int fd, const struct sockaddr *peer, socklen_t len)
{
    struct client_address address = client_address(peer, len);
    if (!client_limit_enter(s->config.clients, &address)) {
        log_debug(RPC_MODULE, "connection refused: its client has too many");
        close(fd);
        return;
    }
    struct rpc_connection *c = mu__calloc(&mu__malloc_allocator, 1, sizeof *c);
    if (!c) {
        client_limit_leave(s->config.clients, &address);
        close(fd);
        return;
    }
    set_options(fd);
    *c = (struct rpc_connection){.server = s, .fd = fd, .address = address, .next = s->connections};
    if (c->next) {
        c->next->previous = c;
    }
    s->connections = c;
    metric_count(METRIC_RPC_ACCEPT_CONN, 1);
    s->connection_count++;
    c->first_byte = event_new(s->config.base, fd, EV_READ, on_first_byte, c);
    if (!c->first_byte || !await_first_byte(c)) {
        rpc__connection_close(c);
    }
}
