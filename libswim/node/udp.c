/* udp.c - datagrams. Received and sent in batches of one system call (recvmmsg, sendmmsg), because
 * a gossip tick and its answers come in bursts. */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BIND_TRIES = 32, ROUNDS_MAX = 8, BUFFER_LEAST = 65536 };

/* ---- binding ---- */

static int open_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int off = 0, on = 1;
    if (fd >= 0 && family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (fd >= 0 && type == SOCK_STREAM) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    return fd;
}

/* The socket, or -1 with errno. */
static int open_bound(const struct swim_addr *addr, int type)
{
    struct sockaddr_storage sa;
    int family = swim_node__family(addr);
    socklen_t len = swim_node__to_sockaddr(addr, family, &sa);
    int fd = open_socket(family, type);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static bool bound_port(int fd, uint16_t *port)
{
    struct sockaddr_storage sa;
    struct swim_addr a;
    socklen_t len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 || !swim_node__from_sockaddr(&sa, &a)) {
        return false;
    }
    *port = a.port;
    return true;
}

/* One try to have both sockets. False with errno and *which. */
static bool bind_both(struct swim_node *n, struct swim_addr addr, const char **which)
{
    *which = "TCP";
    n->tcp.fd = open_bound(&addr, SOCK_STREAM);
    if (n->tcp.fd < 0 || !bound_port(n->tcp.fd, &addr.port) || listen(n->tcp.fd, SOMAXCONN) != 0) {
        return false;
    }
    *which = "UDP";
    n->udp.fd = open_bound(&addr, SOCK_DGRAM);
    n->bound = addr;
    return n->udp.fd >= 0;
}

/* The kernel may not grant what is asked for: half as much is asked for then. */
static void ask_for_buffer(int fd, size_t bytes)
{
    for (; bytes >= BUFFER_LEAST; bytes /= 2) {
        int v = (int)mu__min(bytes, INT32_MAX);
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof v) == 0) {
            return;
        }
    }
}

int swim_node__bind(struct swim_node *n, const struct swim_addr *addr, size_t receive_buffer,
                    char *why, size_t cap)
{
    const char *which = "";
    for (int tries = 0;; tries++) {
        if (bind_both(n, *addr, &which)) {
            ask_for_buffer(n->udp.fd, receive_buffer);
            return 0;
        }
        int e = errno;
        if (n->tcp.fd >= 0) {
            close(n->tcp.fd);
            n->tcp.fd = -1;
        }
        /* A port that was free for TCP may be taken for UDP. */
        if (addr->port != 0 || e != EADDRINUSE || tries == BIND_TRIES) {
            char text[SWIM_ADDR_TEXT];
            swim_node__why(why, cap, "cannot bind %s to %s: %s", which, swim_addr_text(addr, text),
                           strerror(e));
            return SWIM_NODE_ESOCKET;
        }
    }
}

/* ---- receiving ---- */

/* Receives one batch; returns how many datagrams there were. */
static int receive_batch(struct swim_node *n)
{
    struct mmsghdr msgs[IN_BATCH];
    struct iovec iov[IN_BATCH];
    struct sockaddr_storage from[IN_BATCH];
    memset(msgs, 0, sizeof msgs);
    for (size_t i = 0; i < IN_BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = n->udp.in + i * DATAGRAM_MAX, .iov_len = DATAGRAM_MAX};
        msgs[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
                                          .msg_namelen = sizeof from[i],
                                          .msg_iov = &iov[i],
                                          .msg_iovlen = 1};
    }
    int got = recvmmsg(n->udp.fd, msgs, IN_BATCH, 0, NULL);
    for (int i = 0; i < got; i++) {
        struct swim_addr addr;
        if (msgs[i].msg_len > 0 && swim_node__from_sockaddr(&from[i], &addr)) {
            /* What was wrong with it is in the core's stats and log. */
            int rc =
                swim_receive(n->swim, swim_node_now(n), &addr, iov[i].iov_base, msgs[i].msg_len);
            (void)rc;
        }
    }
    return got;
}

void swim_node__udp_receive(struct swim_node *n)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int got = receive_batch(n);
        if (got > 0) {
            swim_node__work(n); /* answers go out before more is read */
        }
        if (got < IN_BATCH) {
            return;
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    swim_node__udp_receive(arg);
}

/* ---- sending ---- */

/* Sends what stands in the batch. False when the kernel takes no more now. */
static bool send_batch(struct swim_node *n)
{
    struct node_udp *u = &n->udp;
    struct mmsghdr msgs[OUT_BATCH];
    struct iovec iov[OUT_BATCH];
    memset(msgs, 0, sizeof msgs);
    size_t at = 0;
    for (size_t i = 0; i < u->out_count; i++) {
        iov[i] = (struct iovec){.iov_base = u->out + at, .iov_len = u->out_len[i]};
        at += u->out_len[i];
        socklen_t len = u->out_to[i].ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                          : sizeof(struct sockaddr_in6);
        msgs[i].msg_hdr = (struct msghdr){
            .msg_name = &u->out_to[i], .msg_namelen = len, .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    while (u->out_sent < u->out_count) {
        int sent = sendmmsg(u->fd, msgs + u->out_sent, (unsigned)(u->out_count - u->out_sent), 0);
        if (sent > 0) {
            u->out_sent += (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            return false;
        } else if (errno != EINTR) {
            /* This one cannot be sent: unreachable, refused, too long. It counts as lost */
            u->out_sent++;
        }
    }
    u->out_used = u->out_count = u->out_sent = 0;
    return true;
}

/* Copies one datagram into the batch, because the core lends only one at a time. */
static bool take_one(struct swim_node *n)
{
    struct node_udp *u = &n->udp;
    struct swim_packet p;
    if (u->out_count == OUT_BATCH || OUT_BYTES - u->out_used < DATAGRAM_MAX ||
        !swim_next_send(n->swim, &p)) {
        return false;
    }
    if (p.len <= DATAGRAM_MAX &&
        swim_node__to_sockaddr(&p.to, swim_node__family(&n->bound), &u->out_to[u->out_count]) > 0) {
        memcpy(u->out + u->out_used, p.data, p.len);
        u->out_len[u->out_count++] = p.len;
        u->out_used += p.len;
    }
    return true;
}

void swim_node__udp_flush(struct swim_node *n)
{
    while (!n->udp.blocked) {
        while (take_one(n)) {
        }
        if (n->udp.out_count == 0) {
            return;
        }
        if (!send_batch(n)) {
            n->udp.blocked = true;
            event_add(n->udp.writable, NULL);
        }
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct swim_node *n = arg;
    n->udp.blocked = !send_batch(n);
    if (n->udp.blocked) {
        event_add(n->udp.writable, NULL);
    } else {
        swim_node__work(n);
    }
}

int swim_node__udp_start(struct swim_node *n)
{
    struct node_udp *u = &n->udp;
    u->in = mu__alloc(&n->allocator, (size_t)IN_BATCH * DATAGRAM_MAX);
    u->out = mu__alloc(&n->allocator, OUT_BYTES);
    u->readable = event_new(n->base, u->fd, EV_READ | EV_PERSIST, on_readable, n);
    u->writable = event_new(n->base, u->fd, EV_WRITE, on_writable, n);
    if (!u->in || !u->out || !u->readable || !u->writable || event_add(u->readable, NULL) != 0) {
        return SWIM_ENOMEM;
    }
    return 0;
}

void swim_node__udp_close(struct swim_node *n)
{
    struct node_udp *u = &n->udp;
    if (u->readable) {
        event_free(u->readable);
    }
    if (u->writable) {
        event_free(u->writable);
    }
    if (u->fd >= 0) {
        close(u->fd);
    }
    mu__free(&n->allocator, u->in);
    mu__free(&n->allocator, u->out);
}
