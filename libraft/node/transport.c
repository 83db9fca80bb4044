#include "transport_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int raft_node__transport_create(const struct transport_config *cfg, struct transport **out)
{
    *out = NULL;
    struct transport *t = mu__calloc(&cfg->allocator, 1, sizeof *t);
    if (!t) {
        return RAFT_ENOMEM;
    }
    t->cfg = *cfg;
    mu__prng_seed(&t->prng, cfg->seed);
    *out = t;
    return 0;
}

void raft_node__transport_destroy(struct transport *t)
{
    if (!t) {
        return;
    }
    while (t->peers) {
        raft_node__peer_free(t, t->peers);
    }
    while (t->inbound) {
        raft_node__inbound_free(t, t->inbound);
    }
    struct mu_allocator a = t->cfg.allocator;
    mu__free(&a, t);
}

bool raft_node__transport_is_address(const char *address)
{
    struct sockaddr_storage to;
    int len = sizeof to;
    if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&to, &len) != 0) {
        return false;
    }
    if (to.ss_family == AF_INET) {
        return ((struct sockaddr_in *)(void *)&to)->sin_port != 0;
    }
    return ((struct sockaddr_in6 *)(void *)&to)->sin6_port != 0;
}

struct bufferevent *raft_node__transport_bottom(struct bufferevent *stream)
{
    struct bufferevent *below;
    while ((below = bufferevent_get_underlying(stream)) != NULL) {
        stream = below;
    }
    return stream;
}

size_t raft_node__transport_unsent(struct bufferevent *stream)
{
    size_t bytes = 0;
    for (; stream; stream = bufferevent_get_underlying(stream)) {
        bytes += evbuffer_get_length(bufferevent_get_output(stream));
    }
    return bytes;
}

const char *raft_node__transport_explain(const struct transport *t, struct bufferevent *stream,
                                         const char *otherwise)
{
    const struct raft_node_tls *tls = &t->cfg.tls;
    const char *why = tls->explain ? tls->explain(tls->user, stream) : NULL;
    return why ? why : otherwise;
}

/* Messages are small and urgent, and a peer that is cut off must be noticed: without a limit TCP
 * would go on doubling its retransmission timer, and a healed link stay silent for up to two
 * minutes. */
void raft_node__transport_tune(const struct transport *t, struct bufferevent *stream)
{
    struct bufferevent *tcp = raft_node__transport_bottom(stream);
    bufferevent_set_max_single_read(tcp, SINGLE_IO_BYTES);
    bufferevent_set_max_single_write(tcp, SINGLE_IO_BYTES);
    evutil_socket_t fd = bufferevent_getfd(tcp);
    if (fd < 0) {
        return; /* a pair, or whatever else the host likes */
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
#ifdef TCP_USER_TIMEOUT
    unsigned silence_ms = (unsigned)(t->cfg.silence_ns / MU_MSEC);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
#else
    (void)t;
#endif
}

struct timeval raft_node__timeval(uint64_t ns)
{
    uint64_t usec = (ns + MU_USEC - 1) / MU_USEC; /* up, so that a timer is never early */
    return (struct timeval){.tv_sec = (time_t)(usec / 1000000),
                            .tv_usec = (suseconds_t)(usec % 1000000)};
}

size_t raft_node__transport_hello(const struct transport *t, const char *to,
                                  uint8_t out[HELLO_FRAME_BYTES])
{
    struct hello h = {.cluster = ""};
    evutil_snprintf(h.cluster, sizeof h.cluster, "%s", t->cfg.cluster);
    evutil_snprintf(h.from, sizeof h.from, "%s", t->cfg.id);
    evutil_snprintf(h.to, sizeof h.to, "%s", to);
    size_t len = raft_node__hello_encode(out + FRAME_HEAD_BYTES, &h);
    raft_node__frame_encode_head(out, FRAME_HELLO, out + FRAME_HEAD_BYTES, len);
    return FRAME_HEAD_BYTES + len;
}

int raft_node__transport_peek(struct evbuffer *in, size_t max, struct frame_head *head,
                              const uint8_t **body)
{
    uint8_t bytes[FRAME_HEAD_BYTES];
    if (evbuffer_copyout(in, bytes, sizeof bytes) < (ev_ssize_t)sizeof bytes) {
        return 0;
    }
    *head = raft_node__frame_decode_head(bytes);
    if (head->len > max || (head->kind != FRAME_HELLO && head->kind != FRAME_MESSAGE)) {
        return -1;
    }
    size_t whole = FRAME_HEAD_BYTES + head->len;
    if (evbuffer_get_length(in) < whole) {
        return 0;
    }
    const uint8_t *frame = evbuffer_pullup(in, (ev_ssize_t)whole);
    if (!frame || !raft_node__frame_check(head, frame + FRAME_HEAD_BYTES)) {
        return -1;
    }
    *body = frame + FRAME_HEAD_BYTES;
    return 1;
}
