#include "transport_internal.h"

#include <string.h>
#include <sys/socket.h>

/* A connection that a peer made: its hello, ours, then its messages. */
struct inbound {
    struct inbound *next;
    struct transport *t;
    struct bufferevent *stream;
    struct event *deadline;     /* for the hello */
    char from[RAFT_ID_MAX + 1]; /* "": no hello yet */
};

void raft_node__inbound_free(struct transport *t, struct inbound *c)
{
    struct inbound **at = &t->inbound;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    t->inbound_count--;
    bufferevent_free(c->stream);
    event_free(c->deadline);
    mu__free(&t->cfg.allocator, c);
}

/* A peer that connects again has given its older connection up, though we may not have noticed its
 * end. */
static void drop_older(struct transport *t, const struct inbound *newest)
{
    for (struct inbound *c = t->inbound; c;) {
        struct inbound *next = c->next;
        if (c != newest && strcmp(c->from, newest->from) == 0) {
            raft_node__inbound_free(t, c);
        }
        c = next;
    }
}

/* Answers even when it turns the other side away, so that its log can say why. */
static bool take_hello(struct inbound *c, const struct frame_head *head, const uint8_t *body)
{
    const struct transport_config *cfg = &c->t->cfg;
    struct hello h;
    if (head->kind != FRAME_HELLO || !raft_node__hello_decode(body, head->len, &h)) {
        return false;
    }
    uint8_t answer[HELLO_FRAME_BYTES];
    size_t len = raft_node__transport_hello(c->t, h.from, answer);
    if (strcmp(h.cluster, cfg->cluster) != 0 || (h.to[0] != 0 && strcmp(h.to, cfg->id) != 0)) {
        raft_node__logf(&cfg->log, MU_WARN,
                        "raft: %s of cluster '%s' looked for %s here and is turned away", h.from,
                        h.cluster, h.to);
        /* At once, as the connection ends; should it not fit, the other side has less to go by. */
        (void)!send(bufferevent_getfd(c->stream), answer, len, MSG_NOSIGNAL);
        return false;
    }
    if (bufferevent_write(c->stream, answer, len) != 0) {
        return false;
    }
    memcpy(c->from, h.from, sizeof c->from);
    event_del(c->deadline);
    drop_older(c->t, c);
    return true;
}

static bool take_frame(struct inbound *c, const struct frame_head *head, const uint8_t *body)
{
    if (c->from[0] == 0) {
        return take_hello(c, head, body);
    }
    return head->kind == FRAME_MESSAGE && c->t->cfg.receive(c->t->cfg.user, body, head->len);
}

static void on_read(struct bufferevent *stream, void *arg)
{
    struct inbound *c = arg;
    struct evbuffer *in = bufferevent_get_input(stream);
    for (;;) {
        struct frame_head head;
        const uint8_t *body = NULL;
        size_t max = c->from[0] ? c->t->cfg.frame_bytes_max : HELLO_BYTES_MAX;
        int got = raft_node__transport_peek(in, max, &head, &body);
        if (got == 0) {
            return;
        }
        if (got < 0 || !take_frame(c, &head, body)) {
            raft_node__logf(&c->t->cfg.log, MU_WARN,
                            "raft: a connection was closed: it brought what no peer sends");
            raft_node__inbound_free(c->t, c);
            return;
        }
        evbuffer_drain(in, FRAME_HEAD_BYTES + head.len);
    }
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    (void)what;
    struct inbound *c = arg;
    raft_node__inbound_free(c->t, c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct inbound *c = arg;
    raft_node__inbound_free(c->t, c);
}

int raft_node__transport_adopt(struct transport *t, evutil_socket_t fd)
{
    if (t->inbound_count >= TRANSPORT_INBOUND_MAX) {
        return RAFT_EBUSY;
    }
    struct inbound *c = mu__calloc(&t->cfg.allocator, 1, sizeof *c);
    if (!c) {
        return RAFT_ENOMEM;
    }
    c->t = t;
    c->deadline = event_new(t->cfg.base, -1, 0, on_deadline, c);
    struct timeval patience = raft_node__timeval(t->cfg.connect_timeout_ns);
    if (c->deadline && event_add(c->deadline, &patience) == 0) {
        c->stream = bufferevent_socket_new(t->cfg.base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    if (!c->stream) { /* the socket stays the caller's */
        if (c->deadline) {
            event_free(c->deadline);
        }
        mu__free(&t->cfg.allocator, c);
        return RAFT_ENOMEM;
    }
    bufferevent_setcb(c->stream, on_read, NULL, on_event, c);
    bufferevent_set_max_single_read(c->stream, SINGLE_IO_BYTES);
    bufferevent_enable(c->stream, EV_READ | EV_WRITE); /* should it fail, the deadline ends it */
    raft_node__transport_tune(t, fd);
    c->next = t->inbound;
    t->inbound = c;
    t->inbound_count++;
    return 0;
}
