/* The UDP side: many datagrams per wake-up, their answers sent together. */
#include "node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH        32u
#define QUERY_BYTES  4096u /* a longer query is cut, and then malformed */
#define ANSWER_BYTES 4096u /* a longer answer is sent by itself */
#define ROUNDS       8     /* batches per wake-up, so that the loop's other work gets its turn */
#define BUFFER_BYTES (4 << 20) /* of the socket, if the system allows as much */

struct datagrams {
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_storage peers[BATCH];
    struct local_address locals[BATCH];
};

/* What came in and what goes out. An answer that is given while a batch is read waits in `out` for
 * its end. */
struct udp_batch {
    struct datagrams in, out;
    uint8_t queries[BATCH][QUERY_BYTES];
    uint8_t answers[BATCH][ANSWER_BYTES];
    bool reverse[BATCH]; /* of the kept answers in out, for `answered` */
    bool kept[BATCH];
    unsigned out_count;
    bool reading;
};

/* ---- Our own address ---- */

/* What the kernel said of a datagram, as it must be said to answer from there: of IPv4 the address
 * without the interface, of IPv6 the interface only where the address needs it. */
static void read_local(struct msghdr *h, struct local_address *out)
{
    out->len = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            info.ipi_ifindex = 0;
            memcpy(CMSG_DATA(c), &info, sizeof info);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
                info.ipi6_ifindex = 0;
            }
            memcpy(CMSG_DATA(c), &info, sizeof info);
        } else {
            continue;
        }
        memcpy(out->control, c, c->cmsg_len);
        out->len = mu__min(CMSG_ALIGN(c->cmsg_len), sizeof out->control);
        return;
    }
}

static bool is_wildcard(const struct sockaddr *addr)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (addr->sa_family == AF_INET) {
        memcpy(&v4, addr, sizeof v4);
        return v4.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    memcpy(&v6, addr, sizeof v6);
    return IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

/* ---- Out ---- */

/* The next free place for an answer to `peer`. */
static unsigned out_slot(struct udp_batch *b, const struct sockaddr_storage *peer,
                         socklen_t peer_len, const struct local_address *local)
{
    unsigned i = b->out_count;
    assert(i < BATCH);
    memcpy(&b->out.peers[i], peer, peer_len);
    b->out.headers[i].msg_hdr.msg_namelen = peer_len;
    b->out.locals[i].len = local->len;
    if (local->len) {
        memcpy(b->out.locals[i].control, local->control, local->len);
    }
    b->out.headers[i].msg_hdr.msg_control = local->len ? b->out.locals[i].control : NULL;
    b->out.headers[i].msg_hdr.msg_controllen = local->len;
    return i;
}

static void out_commit(struct udp_batch *b, size_t len, bool kept)
{
    b->out.vectors[b->out_count].iov_len = len;
    b->kept[b->out_count] = kept;
    b->out_count++;
}

/* A full socket buffer loses answers, as the network might: clients ask again. One that cannot be
 * sent for another reason does not hold up those behind it. */
static void flush(struct dnsfront_node *n)
{
    struct udp_batch *b = n->batch;
    for (unsigned at = 0; at < b->out_count;) {
        int sent = sendmmsg(n->udp, b->out.headers + at, b->out_count - at, MSG_DONTWAIT);
        if (sent > 0) {
            at += (unsigned)sent;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            n->stats.dropped += b->out_count - at;
            break;
        } else if (errno != EINTR) {
            n->stats.dropped++;
            at++;
        }
    }
    if (n->answered && b->out_count) {
        uint64_t began = n->now_ns;
        dnsfront__node_read_clock(n);
        for (unsigned i = 0; i < b->out_count; i++) {
            if (b->kept[i]) {
                n->answered(n->answered_user, b->reverse[i], n->now_ns - began);
            }
        }
    }
    b->out_count = 0;
}

static void send_alone(struct dnsfront_node *n, struct origin *o, uint8_t *bytes, size_t len)
{
    struct iovec v = {bytes, len};
    struct msghdr h = {.msg_name = &o->peer,
                       .msg_namelen = o->peer_len,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = o->local.len ? o->local.control : NULL,
                       .msg_controllen = o->local.len};
    ssize_t sent;
    do {
        sent = sendmsg(n->udp, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        n->stats.dropped++;
    }
}

void dnsfront__udp_send(struct dnsfront_node *n, struct origin *to, uint8_t *bytes, size_t len)
{
    struct udp_batch *b = n->batch;
    if (!b->reading || len > ANSWER_BYTES || b->out_count == BATCH) {
        send_alone(n, to, bytes, len);
        return;
    }
    unsigned i = out_slot(b, &to->peer, to->peer_len, &to->local);
    memcpy(b->answers[i], bytes, len);
    out_commit(b, len, false);
}

/* ---- In ---- */

/* What recvmmsg overwrites. */
static void prepare(struct udp_batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->in.headers[i].msg_hdr.msg_namelen = sizeof b->in.peers[i];
        b->in.headers[i].msg_hdr.msg_controllen = sizeof b->in.locals[i].control;
    }
}

static void take_query(struct dnsfront_node *n, unsigned i)
{
    struct udp_batch *b = n->batch;
    struct mmsghdr *h = &b->in.headers[i];
    struct origin from = {.conn = NULL};
    size_t len;
    if (b->out_count < BATCH && dnsfront__node_kept(n, b->queries[i], h->msg_len, false,
                                                    b->answers[b->out_count], ANSWER_BYTES, &len)) {
        struct local_address local;
        read_local(&h->msg_hdr, &local);
        unsigned at = out_slot(b, &b->in.peers[i], h->msg_hdr.msg_namelen, &local);
        b->reverse[at] = n->answered && dnsfront__asks_reverse(b->queries[i], h->msg_len);
        out_commit(b, len, true);
        return;
    }
    memcpy(&from.peer, &b->in.peers[i], h->msg_hdr.msg_namelen);
    from.peer_len = h->msg_hdr.msg_namelen;
    read_local(&h->msg_hdr, &from.local);
    if (!dnsfront__node_query(n, b->queries[i], h->msg_len, &from)) {
        n->stats.dropped++;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct dnsfront_node *n = arg;
    (void)what;
    for (int round = 0; round < ROUNDS; round++) {
        prepare(n->batch);
        int got = recvmmsg(fd, n->batch->in.headers, BATCH, MSG_DONTWAIT, NULL);
        if (got <= 0) {
            return;
        }
        dnsfront__node_read_clock(n);
        n->in_batch = n->batch->reading = true;
        for (unsigned i = 0; i < (unsigned)got; i++) {
            take_query(n, i);
        }
        n->in_batch = n->batch->reading = false;
        flush(n);
        if (got < (int)BATCH) {
            return;
        }
    }
}

/* ---- The socket ---- */

static struct udp_batch *batch_new(void)
{
    struct udp_batch *b = calloc(1, sizeof *b);
    for (size_t i = 0; b && i < BATCH; i++) {
        b->in.vectors[i] = (struct iovec){b->queries[i], QUERY_BYTES};
        b->in.headers[i].msg_hdr = (struct msghdr){.msg_name = &b->in.peers[i],
                                                   .msg_iov = &b->in.vectors[i],
                                                   .msg_iovlen = 1,
                                                   .msg_control = b->in.locals[i].control};
        b->out.vectors[i] = (struct iovec){b->answers[i], 0};
        b->out.headers[i].msg_hdr = (struct msghdr){
            .msg_name = &b->out.peers[i], .msg_iov = &b->out.vectors[i], .msg_iovlen = 1};
    }
    return b;
}

/* Larger buffers carry a burst over the loop's other work. No answer asks for "don't fragment", and
 * none believes a path MTU that somebody may have forged (RFC 6891 6.2.5; Linux's PMTUDISC_OMIT).
 */
static bool set_options(evutil_socket_t fd, const struct sockaddr *addr)
{
    int on = 1, bytes = BUFFER_BYTES;
    bool v6 = addr->sa_family == AF_INET6;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    int omit = IP_PMTUDISC_OMIT, omit6 = IPV6_PMTUDISC_OMIT;
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof omit);
    if (v6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit6, sizeof omit6);
    }
    if (is_wildcard(addr) && setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                                        v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on) != 0) {
        return false;
    }
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
}

int dnsfront__udp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len)
{
    n->batch = batch_new();
    n->udp = socket(addr->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!n->batch || n->udp < 0) {
        return -1;
    }
    if (!set_options(n->udp, addr) || bind(n->udp, addr, len) != 0) {
        return -1;
    }
    n->udp_event = event_new(n->base, n->udp, EV_READ | EV_PERSIST, on_readable, n);
    return n->udp_event && event_add(n->udp_event, NULL) == 0 ? 0 : -1;
}

void dnsfront__udp_close(struct dnsfront_node *n)
{
    if (n->udp_event) {
        event_free(n->udp_event);
        n->udp_event = NULL;
    }
    if (n->udp >= 0) {
        close(n->udp);
        n->udp = -1;
    }
    free(n->batch);
    n->batch = NULL;
}
