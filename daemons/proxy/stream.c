#include "proxy/stream.h"

#include <errno.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

void stream_init(struct stream *s)
{
    *s = (struct stream){.fd = -1};
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    (void)fd;
    s->readable = s->readable || (what & EV_READ);
    s->writable = s->writable || (what & EV_WRITE);
    s->ready(s->user, s);
}

bool stream_open(struct stream *s, struct event_base *base, int fd, stream_fn ready, void *user)
{
    *s = (struct stream){.fd = fd, .ready = ready, .user = user};
    if (event_assign(&s->event, base, fd, EV_READ | EV_WRITE | EV_ET | EV_PERSIST, on_event, s) ||
        event_add(&s->event, NULL)) {
        s->fd = -1;
        return false;
    }
    return true;
}

void stream_close(struct stream *s)
{
    if (s->fd >= 0) {
        event_del(&s->event);
        close(s->fd);
        s->fd = -1;
    }
}

void stream_abort(struct stream *s)
{
    if (s->fd >= 0) {
        struct linger reset = {.l_onoff = 1};
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        stream_close(s);
    }
}

void stream_wake(struct stream *s)
{
    event_active(&s->event, 0, 0);
}

bool stream_would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

ssize_t stream_read(struct stream *s, void *buf, size_t len)
{
    ssize_t n = -1;
    do {
        n = recv(s->fd, buf, len, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && stream_would_block()) {
        s->readable = false;
    }
    return n;
}

ssize_t stream_write(struct stream *s, const void *buf, size_t len)
{
    ssize_t n = -1;
    do {
        n = send(s->fd, buf, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && stream_would_block()) {
        s->writable = false;
    }
    return n;
}

static int bio_send(void *user, const unsigned char *buf, size_t len)
{
    ssize_t n = stream_write(user, buf, len);
    return n >= 0                 ? (int)n
           : stream_would_block() ? MBEDTLS_ERR_SSL_WANT_WRITE
                                  : MBEDTLS_ERR_NET_SEND_FAILED;
}

static int bio_recv(void *user, unsigned char *buf, size_t len)
{
    ssize_t n = stream_read(user, buf, len);
    return n >= 0                 ? (int)n
           : stream_would_block() ? MBEDTLS_ERR_SSL_WANT_READ
                                  : MBEDTLS_ERR_NET_RECV_FAILED;
}

void stream_bio(struct stream *s, struct mbedtls_ssl_context *ssl)
{
    mbedtls_ssl_set_bio(ssl, s, bio_send, bio_recv, NULL);
}
