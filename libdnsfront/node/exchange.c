/* One query to one recursor and back, over a UDP socket or a TCP connection of its own. */
#include "forward.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAMS 16 /* per wake-up, so that a flood of forged ones does not hold up the loop */

/* ---- UDP ---- */

static void on_datagrams(evutil_socket_t fd, short what, void *arg)
{
    struct ask *a = arg;
    uint8_t *buf = a->f->datagram;
    (void)what;
    for (int i = 0; i < DATAGRAMS; i++) {
        ssize_t n = recv(fd, buf, MESSAGE_MAX, MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
                dnsfront__ask_failed(a); /* nobody listens there (ICMP) */
            }
            return;
        }
        if (!dnsfront__ask_reply(a, buf, (size_t)n)) {
            return;
        }
    }
}

/* A socket that is not bound gets a port at random when it is connected, and then hears its peer
 * alone. */
static bool begin_udp(struct ask *a, const struct recursor *to)
{
    a->fd = socket(to->addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0 || connect(a->fd, (const struct sockaddr *)&to->addr, to->len) != 0) {
        return false;
    }
    a->readable = event_new(a->f->base, a->fd, EV_READ | EV_PERSIST, on_datagrams, a);
    return a->readable && event_add(a->readable, NULL) == 0 &&
           send(a->fd, a->wire + 2, a->len, MSG_NOSIGNAL) == (ssize_t)a->len;
}

/* ---- TCP ---- */

static void on_stream(struct bufferevent *bev, void *arg)
{
    struct ask *a = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    uint8_t head[2];
    while (evbuffer_copyout(in, head, 2) == 2) {
        size_t len = (size_t)head[0] << 8 | head[1];
        if (evbuffer_get_length(in) < len + 2) {
            return;
        }
        evbuffer_drain(in, 2);
        evbuffer_remove(in, a->f->datagram, len);
        if (!dnsfront__ask_reply(a, a->f->datagram, len)) {
            return;
        }
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        dnsfront__ask_failed(arg);
    }
}

static bool begin_tcp(struct ask *a, const struct recursor *to)
{
    /* Failures are told from the loop, never from in here: the caller is in the middle of it. */
    a->stream =
        bufferevent_socket_new(a->f->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!a->stream) {
        return false;
    }
    bufferevent_setcb(a->stream, on_stream, NULL, on_event, a);
    bufferevent_setwatermark(a->stream, EV_READ, 0, MESSAGE_MAX + 2);
    return bufferevent_write(a->stream, a->wire, a->len + 2) == 0 &&
           bufferevent_enable(a->stream, EV_READ | EV_WRITE) == 0 &&
           bufferevent_socket_connect(a->stream, (const struct sockaddr *)&to->addr,
                                      (int)to->len) == 0;
}

bool dnsfront__exchange_begin(struct ask *a, const struct recursor *to)
{
    return a->tcp ? begin_tcp(a, to) : begin_udp(a, to);
}

void dnsfront__exchange_end(struct ask *a)
{
    if (a->readable) {
        event_free(a->readable);
        a->readable = NULL;
    }
    if (a->fd >= 0) {
        close(a->fd);
        a->fd = -1;
    }
    if (a->stream) {
        bufferevent_free(a->stream);
        a->stream = NULL;
    }
}
