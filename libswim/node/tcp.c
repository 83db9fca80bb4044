/* tcp.c - streams: full exchanges of state and fallback pings, each on a connection of its own.
 *
 *     CONNECTING  ours, not there yet
 *     TALKING     writing what the core gave, and reading
 *     LINGERING   accepted and answered; the core is done with it. We have shut our side and wait a
 *                 moment for the peer's, because closing with unread bytes would make the kernel
 *                 reset what the peer reads */
#include "node.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 65536, READS_MAX = 16, ACCEPTS_MAX = 64 };
#define LINGER_NS MU_SEC
#define PAUSE_NS  (100 * MU_MSEC)

enum phase { CONNECTING, TALKING, LINGERING };

struct stream {
    struct swim_node *n;
    struct stream *prev, *next;
    struct event *readable, *writable, *timer;
    int fd;
    uint32_t id;
    enum phase phase;
    bool incoming, done; /* done: close once all is written */
    struct swim_addr peer;
    const uint8_t *out; /* lent by the core until swim_stream_end */
    size_t out_len, out_pos;
};

static void free_stream(struct stream *s)
{
    struct swim_node *n = s->n;
    if (s->readable) {
        event_free(s->readable);
    }
    if (s->writable) {
        event_free(s->writable);
    }
    if (s->timer) {
        event_free(s->timer);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->prev) {
        s->prev->next = s->next;
    } else {
        n->tcp.streams = s->next;
    }
    if (s->next) {
        s->next->prev = s->prev;
    }
    n->tcp.count--;
    mu__free(&n->allocator, s);
}

/* Tells the core that the stream is over; its bytes are ours no more. */
static void end_stream(struct stream *s)
{
    if (s->phase != LINGERING) {
        swim_stream_end(s->n->swim, swim_node_now(s->n), s->id);
        s->out = NULL;
        s->out_len = s->out_pos = 0;
    }
}

static void close_stream(struct stream *s)
{
    end_stream(s);
    free_stream(s);
}

/* The reason a stream of ours broke, in Go's words, for whoever asked for the join. */
static void note(struct stream *s, const char *op, const char *reason)
{
    char addr[SWIM_ADDR_TEXT], text[256];
    if (s->incoming || s->phase == LINGERING) {
        return;
    }
    swim_addr_text(&s->peer, addr);
    if (s->phase == CONNECTING && op[0]) {
        snprintf(text, sizeof text, "dial tcp %s: %s: %s", addr, op, reason);
    } else if (s->phase == CONNECTING) {
        snprintf(text, sizeof text, "dial tcp %s: %s", addr, reason);
    } else if (op[0]) {
        snprintf(text, sizeof text, "%s tcp %s: %s", op, addr, reason);
    } else {
        snprintf(text, sizeof text, "%s", reason);
    }
    swim_node__join_note(s->n, s->id, text);
}

static void note_errno(struct stream *s, const char *op, int e)
{
    char reason[128];
    snprintf(reason, sizeof reason, "%s", strerror(e));
    reason[0] = (char)tolower((unsigned char)reason[0]);
    note(s, op, reason);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct stream *s = arg;
    struct swim_node *n = s->n;
    note(s, s->phase == CONNECTING ? "" : "read", "i/o timeout");
    close_stream(s);
    swim_node__work(n);
}

/* All is said: an accepted stream waits for the peer to close first. */
static void finish(struct stream *s)
{
    if (!s->incoming) {
        close_stream(s);
        return;
    }
    end_stream(s);
    s->phase = LINGERING;
    shutdown(s->fd, SHUT_WR);
    struct timeval tv = swim_node__timeval(LINGER_NS);
    evtimer_add(s->timer, &tv);
}

/* Writes what there is. False when the stream has been closed. */
static bool write_some(struct stream *s)
{
    while (s->out_pos < s->out_len) {
        ssize_t sent = send(s->fd, s->out + s->out_pos, s->out_len - s->out_pos, MSG_NOSIGNAL);
        if (sent > 0) {
            s->out_pos += (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            event_add(s->writable, NULL);
            return true;
        } else if (errno != EINTR) {
            note_errno(s, "write", errno);
            close_stream(s);
            return false;
        }
    }
    if (s->done) {
        bool lingers = s->incoming;
        finish(s);
        return lingers;
    }
    return true;
}

/* Gives the core what was read. False when the stream has been closed. */
static bool take_bytes(struct stream *s, size_t len)
{
    struct swim_reply reply = {.len = 0};
    if (s->phase == LINGERING || s->done) {
        return true;
    }
    int rc =
        swim_stream_receive(s->n->swim, swim_node_now(s->n), s->id, s->n->tcp.buf, len, &reply);
    s->done = reply.done || rc != SWIM_OK;
    if (reply.len > 0) {
        s->out = reply.data;
        s->out_len = reply.len;
        s->out_pos = 0;
    } else if (s->done) { /* nothing to say: what was still being written is of no use either */
        s->out_len = s->out_pos;
    }
    return reply.len == 0 && !s->done ? true : write_some(s);
}

/* Has the peer ended its side, perhaps behind bytes that we have not read yet? */
static bool peer_has_closed(int fd)
{
    struct tcp_info info = {.tcpi_state = TCP_ESTABLISHED};
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_CLOSE_WAIT;
}

/* One read. False when there is no more for now, or the stream has been closed. */
static bool read_some(struct stream *s)
{
    ssize_t got = recv(s->fd, s->n->tcp.buf, READ_BYTES, 0);
    if (got > 0) {
        return take_bytes(s, (size_t)got);
    }
    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return false;
    }
    if (got == 0) {
        note(s, "", "EOF");
    } else {
        note_errno(s, "read", errno);
    }
    close_stream(s);
    return false;
}

static void on_stream_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct stream *s = arg;
    struct swim_node *n = s->n;
    /* A full exchange takes milliseconds, and many may wait: whoever pings is answered between any
     * two of them. Those who have given up while they waited cost nothing. */
    swim_node__udp_receive(n);
    if (s->incoming && s->phase == TALKING && peer_has_closed(fd)) {
        swim_stream_peer_closed(n->swim, swim_node_now(n), s->id);
    }
    for (int i = 0; i < READS_MAX && read_some(s); i++) {
    }
    swim_node__work(n);
}

static void on_stream_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct stream *s = arg;
    struct swim_node *n = s->n;
    if (s->phase == LINGERING) {
        return;
    }
    if (s->phase == CONNECTING) {
        int e = 0;
        socklen_t len = sizeof e;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0) {
            e = errno;
        }
        if (e != 0) {
            note_errno(s, "connect", e);
            close_stream(s);
            swim_node__work(n);
            return;
        }
        s->phase = TALKING;
        event_add(s->readable, NULL);
    }
    write_some(s);
    swim_node__work(n);
}

/* Takes fd, also on failure. NULL when out of memory. */
static struct stream *new_stream(struct swim_node *n, int fd)
{
    struct stream *s = mu__calloc(&n->allocator, 1, sizeof *s);
    if (!s) {
        close(fd);
        return NULL;
    }
    s->n = n;
    s->fd = fd;
    s->next = n->tcp.streams;
    if (s->next) {
        s->next->prev = s;
    }
    n->tcp.streams = s;
    n->tcp.count++;
    s->readable = event_new(n->base, fd, EV_READ | EV_PERSIST, on_stream_readable, s);
    s->writable = event_new(n->base, fd, EV_WRITE, on_stream_writable, s);
    s->timer = evtimer_new(n->base, on_timeout, s);
    if (!s->readable || !s->writable || !s->timer) {
        free_stream(s);
        return NULL;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return s;
}

static void set_deadline(struct stream *s, uint64_t deadline_ns)
{
    uint64_t now = swim_node_now(s->n);
    struct timeval tv = swim_node__timeval(deadline_ns > now ? deadline_ns - now : 0);
    evtimer_add(s->timer, &tv);
}

/* ---- accepting ---- */

static void take_connection(struct swim_node *n, int fd, const struct sockaddr_storage *from)
{
    struct swim_addr addr;
    uint64_t deadline;
    uint32_t id;
    if (n->tcp.count >= n->tcp.count_max || !swim_node__from_sockaddr(from, &addr) ||
        swim_stream_accept(n->swim, swim_node_now(n), &addr, &id, &deadline) != SWIM_OK) {
        close(fd); /* without a word, as memberlist does at its limit */
        return;
    }
    struct stream *s = new_stream(n, fd);
    if (!s) {
        swim_stream_end(n->swim, swim_node_now(n), id);
        return;
    }
    s->id = id;
    s->peer = addr;
    s->incoming = true;
    s->phase = TALKING;
    set_deadline(s, deadline);
    event_add(s->readable, NULL);
}

/* Out of descriptors: the connection stays in the kernel's queue, and asking again at once would
 * only spin. */
static void pause_accepting(struct swim_node *n)
{
    struct timeval tv = swim_node__timeval(PAUSE_NS);
    swim_node__log(n, MU_WARN, "memberlist: cannot accept connections: %s", strerror(errno));
    event_del(n->tcp.readable);
    evtimer_add(n->tcp.pause, &tv);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct swim_node *n = arg;
    event_add(n->tcp.readable, NULL);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct swim_node *n = arg;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int got = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got >= 0) {
            take_connection(n, got, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(n);
            break;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        }
    }
    swim_node__work(n);
}

/* ---- connecting ---- */

/* A stream of the core's that could not even begin. */
static void refuse(struct swim_node *n, const struct swim_stream *stream, int e)
{
    struct stream unborn = {.n = n, .id = stream->id, .phase = CONNECTING, .peer = stream->to};
    note_errno(&unborn, "connect", e);
    swim_stream_end(n->swim, swim_node_now(n), stream->id);
}

void swim_node__tcp_open(struct swim_node *n, const struct swim_stream *stream)
{
    struct sockaddr_storage to;
    int family = swim_node__family(&stream->to);
    socklen_t len = swim_node__to_sockaddr(&stream->to, family, &to);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        refuse(n, stream, errno);
        return;
    }
    struct stream *s = new_stream(n, fd);
    if (!s) {
        refuse(n, stream, ENOMEM);
        return;
    }
    s->id = stream->id;
    s->peer = stream->to;
    s->phase = CONNECTING;
    s->out = stream->data;
    s->out_len = stream->len;
    if (connect(fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS) {
        note_errno(s, "connect", errno);
        close_stream(s);
        return;
    }
    set_deadline(s, stream->deadline_ns);
    event_add(s->writable, NULL);
}

int swim_node__tcp_start(struct swim_node *n, size_t streams_max)
{
    n->tcp.count_max = 2 * streams_max; /* lingering ones and our own are not among the core's */
    n->tcp.buf = mu__alloc(&n->allocator, READ_BYTES);
    n->tcp.readable = event_new(n->base, n->tcp.fd, EV_READ | EV_PERSIST, on_acceptable, n);
    n->tcp.pause = evtimer_new(n->base, on_pause_over, n);
    if (!n->tcp.buf || !n->tcp.readable || !n->tcp.pause || event_add(n->tcp.readable, NULL) != 0) {
        return SWIM_ENOMEM;
    }
    return 0;
}

void swim_node__tcp_close(struct swim_node *n)
{
    while (n->tcp.streams) {
        close_stream(n->tcp.streams);
    }
    if (n->tcp.readable) {
        event_free(n->tcp.readable);
    }
    if (n->tcp.pause) {
        event_free(n->tcp.pause);
    }
    if (n->tcp.fd >= 0) {
        close(n->tcp.fd);
    }
    mu__free(&n->allocator, n->tcp.buf);
}
