/* The UDP side: many datagrams per wake-up. */
#define _GNU_SOURCE /* recvmmsg. NOLINT(bugprone-reserved-identifier): the name is glibc's */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH       32u
#define QUERY_BYTES 4096u /* a longer query is cut, and then malformed */
#define ROUNDS      8     /* batches per wake-up, so that the loop's other work gets its turn */

struct udp_batch {
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_storage peers[BATCH];
    uint8_t bytes[BATCH][QUERY_BYTES];
};

static void prepare(struct udp_batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->vectors[i] = (struct iovec){b->bytes[i], QUERY_BYTES};
        b->headers[i].msg_hdr = (struct msghdr){.msg_name = &b->peers[i],
                                                .msg_namelen = sizeof b->peers[i],
                                                .msg_iov = &b->vectors[i],
                                                .msg_iovlen = 1};
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct dnsfront_node *n = arg;
    (void)what;
    for (int round = 0; round < ROUNDS; round++) {
        prepare(n->batch);
        int got = recvmmsg(fd, n->batch->headers, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            const struct mmsghdr *h = &n->batch->headers[i];
            if (!dnsfront__node_query(n, n->batch->bytes[i], h->msg_len, NULL,
                                      (struct sockaddr *)&n->batch->peers[i],
                                      h->msg_hdr.msg_namelen)) {
                n->stats.dropped++;
            }
        }
        if (got < (int)BATCH) {
            return;
        }
    }
}

int dnsfront__udp_open(struct dnsfront_node *n, const struct sockaddr *addr, socklen_t len)
{
    int on = 1;
    n->batch = calloc(1, sizeof *n->batch);
    n->udp = socket(addr->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!n->batch || n->udp < 0) {
        return -1;
    }
    if (setsockopt(n->udp, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        bind(n->udp, addr, len) != 0) {
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

/* A full socket buffer loses the answer, as the network might: the client asks again. */
void dnsfront__udp_send(struct dnsfront_node *n, const struct dnsfront_pending *p,
                        const uint8_t *bytes, size_t len)
{
    if (sendto(n->udp, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&p->peer,
               p->peer_len) < 0) {
        n->stats.dropped++;
    }
}
