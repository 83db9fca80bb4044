#include "transport_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum peer_state {
    PEER_IDLE,       /* nothing to say yet */
    PEER_CONNECTING, /* TCP, TLS, or waiting for the peer's hello; messages wait */
    PEER_READY,
    PEER_RESTING /* the last attempt failed; messages are dropped */
};

struct peer {
    struct peer *next;
    struct transport *t;
    char id[RAFT_ID_MAX + 1];
    char address[RAFT_ADDRESS_MAX + 1];
    enum peer_state state;
    uint64_t rest_ns; /* before the next attempt */
    bool has_failed;  /* since it was last ready: said in the log once */
    bool is_used;     /* since the last sweep */
    bool is_secured;  /* stream is what the host made of a socket */
    struct bufferevent *stream;
    struct evbuffer *waiting; /* messages for when it is ready, or is flushed */
    struct event *timer;      /* of the state: connect timeout, rest, or a sweep */
};

#define SWEEP_NS                                                                                   \
    (60 * MU_SEC) /* a peer with whom nobody spoke for one to two of these is forgotten */

void raft_node__peer_free(struct transport *t, struct peer *p)
{
    struct peer **at = &t->peers;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    t->peer_count--;
    if (p->stream) {
        bufferevent_free(p->stream);
    }
    if (p->waiting) {
        evbuffer_free(p->waiting);
    }
    if (p->timer) {
        event_free(p->timer);
    }
    mu__free(&t->cfg.allocator, p);
}

static void set_timer(struct peer *p, uint64_t ns)
{
    struct timeval tv = raft_node__timeval(ns);
    event_add(p->timer, &tv);
}

static void hang_up(struct peer *p)
{
    if (p->stream) {
        bufferevent_free(p->stream);
        p->stream = NULL;
    }
    p->is_secured = false;
    evbuffer_drain(p->waiting, evbuffer_get_length(p->waiting));
}

/* Backs off: twice as long as before, less a random part, so that nodes do not knock in step. */
static void rest(struct peer *p, const char *why)
{
    const struct transport_config *cfg = &p->t->cfg;
    raft_node__logf(&cfg->log, p->has_failed ? MU_DEBUG : MU_WARN,
                    "raft: no connection to %s at %s: %s", p->id, p->address, why);
    p->has_failed = true;
    hang_up(p);
    p->state = PEER_RESTING;
    p->rest_ns = p->rest_ns ? p->rest_ns * 2 : cfg->reconnect_min_ns;
    if (p->rest_ns > cfg->reconnect_max_ns) {
        p->rest_ns = cfg->reconnect_max_ns;
    }
    set_timer(p, mu__prng_between(&p->t->prng, p->rest_ns / 2, p->rest_ns));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct peer *p = arg;
    switch (p->state) {
    case PEER_CONNECTING:
        rest(p, "no answer in time");
        return;
    case PEER_RESTING:
        p->state = PEER_IDLE; /* the next message knocks again */
        break;
    case PEER_IDLE:
    case PEER_READY:
        if (!p->is_used) {
            raft_node__peer_free(p->t, p);
            return;
        }
        p->is_used = false;
        break;
    }
    set_timer(p, SWEEP_NS);
}

static void become_ready(struct peer *p)
{
    p->state = PEER_READY;
    p->rest_ns = 0;
    if (p->has_failed) {
        raft_node__logf(&p->t->cfg.log, MU_INFO, "raft: connected to %s at %s again", p->id,
                        p->address);
        p->has_failed = false;
    }
    set_timer(p, SWEEP_NS);
    bufferevent_write_buffer(p->stream, p->waiting);
}

/* Whether the server that answered may be the one that it says it is. */
static bool is_trusted(struct peer *p)
{
    const struct raft_node_tls *tls = &p->t->cfg.tls;
    const char *why =
        p->is_secured && tls->verify ? tls->verify(tls->user, p->stream, p->id, false) : NULL;
    if (why) {
        rest(p, why);
    }
    return !why;
}

/* The peer answers with its hello, and says nothing else on this connection. */
static void on_read(struct bufferevent *stream, void *arg)
{
    struct peer *p = arg;
    struct evbuffer *in = bufferevent_get_input(stream);
    struct frame_head head;
    const uint8_t *body;
    struct hello h;
    if (p->state == PEER_READY) {
        rest(p, "it spoke out of turn");
        return;
    }
    int got = raft_node__transport_peek(in, HELLO_BYTES_MAX, &head, &body);
    if (got == 0) {
        return;
    }
    if (got < 0 || head.kind != FRAME_HELLO || !raft_node__hello_decode(body, head.len, &h)) {
        rest(p, "what answers there does not speak this protocol");
        return;
    }
    if (strcmp(h.cluster, p->t->cfg.cluster) != 0 || strcmp(h.from, p->id) != 0) {
        rest(p, "another server, or another cluster's, answers there");
        return;
    }
    evbuffer_drain(in, FRAME_HEAD_BYTES + head.len);
    if (is_trusted(p)) {
        become_ready(p);
    }
}

static bool put_preamble(struct peer *p, int preamble)
{
    uint8_t byte = (uint8_t)preamble;
    return preamble < 0 || bufferevent_write(p->stream, &byte, 1) == 0;
}

static bool put_hello(struct peer *p)
{
    uint8_t hello[HELLO_FRAME_BYTES];
    size_t len = raft_node__transport_hello(p->t, p->id, hello);
    return bufferevent_write(p->stream, hello, len) == 0;
}

static void on_event(struct bufferevent *stream, short what, void *arg);

/* The host puts its TLS between the socket and us; everything but the first preamble goes through
 * it. */
static void secure(struct peer *p)
{
    const struct transport_config *cfg = &p->t->cfg;
    bufferevent_setcb(p->stream, NULL, NULL, NULL, NULL);
    struct bufferevent *stream = cfg->tls.wrap(cfg->tls.user, p->stream, p->id, p->address);
    if (!stream) {
        rest(p, "it cannot be secured");
        return;
    }
    p->stream = stream;
    p->is_secured = true;
    bufferevent_setcb(stream, on_read, NULL, on_event, p);
    if (!put_preamble(p, cfg->inner_preamble) || !put_hello(p) ||
        bufferevent_enable(stream, EV_READ | EV_WRITE) != 0) {
        rest(p, "cannot write to it");
    }
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    struct peer *p = arg;
    if (what & BEV_EVENT_CONNECTED) {
        if (!p->is_secured) { /* otherwise it is the handshake that is over */
            raft_node__transport_tune(p->t, stream);
        }
        if (p->t->cfg.tls.wrap && !p->is_secured) {
            secure(p);
        }
        return;
    }
    const char *why = "it hung up";
    if (p->is_secured) {
        why = raft_node__transport_explain(p->t, stream, why);
    } else if (what & BEV_EVENT_ERROR) {
        why = evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR());
    }
    rest(p, why);
}

static bool connect_stream(struct peer *p)
{
    const struct transport_config *cfg = &p->t->cfg;
    struct sockaddr_storage to;
    int len = sizeof to;
    memset(&to, 0, sizeof to);
    if (evutil_parse_sockaddr_port(p->address, (struct sockaddr *)&to, &len) != 0) {
        return false;
    }
    p->stream = bufferevent_socket_new(cfg->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!p->stream) {
        return false;
    }
    bufferevent_setcb(p->stream, on_read, NULL, on_event, p);
    return put_preamble(p, cfg->preamble) && (cfg->tls.wrap || put_hello(p)) &&
           bufferevent_enable(p->stream, EV_READ | EV_WRITE) == 0 &&
           bufferevent_socket_connect(p->stream, (struct sockaddr *)&to, len) == 0;
}

static void knock(struct peer *p)
{
    p->state = PEER_CONNECTING;
    set_timer(p, p->t->cfg.connect_timeout_ns);
    if (!connect_stream(p) &&
        p->state == PEER_CONNECTING) { /* the failure may have been told already */
        rest(p, "cannot connect");
    }
}

static struct peer *add_peer(struct transport *t, const char *id)
{
    if (t->peer_count == TRANSPORT_PEERS_MAX) {
        return NULL;
    }
    struct peer *p = mu__calloc(&t->cfg.allocator, 1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->t = t;
    evutil_snprintf(p->id, sizeof p->id, "%s", id);
    p->next = t->peers;
    t->peers = p;
    t->peer_count++;
    p->timer = event_new(t->cfg.base, -1, 0, on_timer, p);
    p->waiting = evbuffer_new();
    if (!p->timer || !p->waiting) {
        raft_node__peer_free(t, p);
        return NULL;
    }
    set_timer(p, SWEEP_NS);
    return p;
}

static struct peer *find_peer(struct transport *t, const char *id)
{
    for (struct peer *p = t->peers; p; p = p->next) {
        if (strcmp(p->id, id) == 0) {
            return p;
        }
    }
    return add_peer(t, id);
}

/* Encodes straight into the queue, in which (and below which) `queued` bytes are; what does not fit
 * is dropped. */
static void put_message(struct peer *p, struct evbuffer *out, size_t queued,
                        const struct raft_message *m)
{
    size_t len = 0;
    if (raft_message_encode(m, NULL, 0, &len) != RAFT_ENOBUFS || len > p->t->cfg.frame_bytes_max ||
        queued + FRAME_HEAD_BYTES + len > p->t->cfg.queue_bytes_max) {
        return;
    }
    struct evbuffer_iovec room;
    size_t whole = FRAME_HEAD_BYTES + len;
    if (evbuffer_reserve_space(out, (ev_ssize_t)whole, &room, 1) != 1) {
        return;
    }
    uint8_t *frame = room.iov_base;
    if (raft_message_encode(m, frame + FRAME_HEAD_BYTES, len, &len) != 0) {
        return;
    }
    raft_node__frame_encode_head(frame, FRAME_MESSAGE, frame + FRAME_HEAD_BYTES, len);
    room.iov_len = whole;
    evbuffer_commit_space(out, &room, 1);
}

void raft_node__transport_send(struct transport *t, const struct raft_message *m)
{
    struct peer *p = find_peer(t, m->to);
    if (!p) {
        return;
    }
    p->is_used = true;
    if (m->to_address[0] != 0 && strcmp(m->to_address, p->address) != 0) { /* new, or it moved */
        evutil_snprintf(p->address, sizeof p->address, "%s", m->to_address);
        hang_up(p);
        p->state = PEER_IDLE;
        p->rest_ns = 0;
        set_timer(p, SWEEP_NS);
    }
    if (p->address[0] == 0) {
        return;
    }
    if (p->state == PEER_IDLE) {
        knock(p);
    }
    if (p->state == PEER_READY || p->state == PEER_CONNECTING) {
        size_t waiting = evbuffer_get_length(p->waiting);
        put_message(p, p->waiting, raft_node__transport_unsent(p->stream) + waiting, m);
    }
}

/* Straight into the socket, as far as it takes them: the bufferevent would wait for the loop to
 * tell that there is room, which costs three system calls a message. The rest, and a socket that
 * fails, is its business. */
static void flush(struct peer *p)
{
    struct evbuffer *out = bufferevent_get_output(p->stream);
    if (!p->is_secured && evbuffer_get_length(out) == 0) {
        (void)evbuffer_write(p->waiting, bufferevent_getfd(p->stream));
    }
    if (evbuffer_get_length(p->waiting) > 0) {
        bufferevent_write_buffer(p->stream, p->waiting);
    }
}

void raft_node__transport_flush(struct transport *t)
{
    for (struct peer *p = t->peers; p; p = p->next) {
        if (p->state == PEER_READY && evbuffer_get_length(p->waiting) > 0) {
            flush(p);
        }
    }
}
