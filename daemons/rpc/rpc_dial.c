/* rpc_dial.c - the connection of a session, up to where it is made or has failed. */
#include "rpc_client_internal.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_AT_ONCE 262144u
#define PUMP_BELOW   262144u

/* Ends dialling. Not at once: connect may fail within the call that asked for the session. */
void rpc__dial_failed(struct rpc_session *s, const char *step, const char *reason)
{
    char text[256];
    int n = snprintf(text, sizeof text, "dial tcp %s:%u: %s%s", s->host, (unsigned)s->port, step,
                     reason);
    size_t at = strlen(text) - strlen(reason);
    text[at] = (char)tolower((unsigned char)text[at]); /* as Go spells them */
    s->failure = mu__strndup(&mu__malloc_allocator, text, mu__min((size_t)n, sizeof text - 1));
    s->state = SESSION_FAILED;
    rpc__session_unlist(s);
    event_active(s->timer, EV_TIMEOUT, 0);
}

static bool parse_address(const char *host, uint16_t port, struct sockaddr_storage *out,
                          socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof in);
        *len = sizeof in;
        return true;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        memcpy(out, &in6, sizeof in6);
        *len = sizeof in6;
        return true;
    }
    return false;
}

/* A socket for the connection, bound to the configured local address if that is of the same family;
 * -1 on failure. */
static int make_socket(const char *bind_host, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_storage local;
    socklen_t len;
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (bind_host && parse_address(bind_host, 0, &local, &len) && local.ss_family == family &&
        bind(fd, (struct sockaddr *)&local, len) != 0) {
        log_debug(RPC_MODULE, "cannot bind to %s: %s", bind_host, strerror(errno));
    }
    return fd;
}

int rpc_connect(const char *host, uint16_t port, const char *bind_host)
{
    struct sockaddr_storage to;
    socklen_t len;
    if (!parse_address(host, port, &to, &len)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = make_socket(bind_host, to.ss_family);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS) {
        int why = errno;
        close(fd);
        errno = why;
        fd = -1;
    }
    return fd;
}

void rpc__dial(struct rpc_session *s, bufferevent_data_cb on_read, bufferevent_data_cb on_write,
               bufferevent_event_cb on_event)
{
    struct sockaddr_storage to;
    socklen_t len;
    if (!parse_address(s->host, s->port, &to, &len)) {
        rpc__dial_failed(s, "", "not a numeric address");
        return;
    }
    int fd = make_socket(s->client->config.bind_host, to.ss_family);
    s->bev =
        fd >= 0 ? bufferevent_socket_new(s->client->config.base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (!s->bev) {
        if (fd >= 0) {
            close(fd);
        }
        rpc__dial_failed(s, "socket: ", strerror(errno));
        return;
    }
    bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
    bufferevent_set_max_single_read(s->bev, READ_AT_ONCE);
    bufferevent_setwatermark(s->bev, EV_WRITE, PUMP_BELOW, 0);
    bufferevent_enable(s->bev, EV_READ | EV_WRITE);
    rpc__session_set_timer(s, s->client->config.dial_timeout_ns);
    if (bufferevent_socket_connect(s->bev, (struct sockaddr *)&to, (int)len) != 0 &&
        s->state == SESSION_DIALING) {
        rpc__dial_failed(s, "connect: ", strerror(errno));
    }
}
