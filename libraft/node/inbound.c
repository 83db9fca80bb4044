#include "transport_internal.h"

#include <string.h>

/* A connection that a peer made: its hello, ours, then its messages. */
struct inbound {
    struct inbound *next;
    struct transport *t;
    struct bufferevent *stream;
    struct event *deadline;     /* for the hello */
    char from[RAFT_ID_MAX + 1]; /* "": no hello yet */
    bool is_secured;            /* the host made the stream */
    bool is_leaving;            /* it was turned away, and reads why */
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

enum verdict {
    TAKEN,
    REFUSED, /* and said in the log why */
    RUBBISH
};

/* A server of another cluster, or one that looks for another server. It gets an answer, so that its
 * own log can say why; the connection ends when it hangs up in return, or at the deadline. */
static enum verdict turn_away(struct inbound *c, const struct hello *h)
{
    raft_node__logf(&c->t->cfg.log, MU_WARN,
                    "raft: %s of cluster '%s' looked for %s here and is turned away", h->from,
                    h->cluster, h->to);
    uint8_t answer[HELLO_FRAME_BYTES];
    size_t len = raft_node__transport_hello(c->t, h->from, answer);
    c->is_leaving = true;
    return bufferevent_write(c->stream, answer, len) == 0 ? TAKEN : REFUSED;
}

/* Without an answer, which it would take for a welcome. */
static enum verdict distrust(struct inbound *c, const char *from, const char *why)
{
    raft_node__logf(&c->t->cfg.log, MU_WARN, "raft: who says to be %s is turned away: %s", from,
                    why);
    return REFUSED;
}

static enum verdict take_hello(struct inbound *c, const struct frame_head *head,
                               const uint8_t *body)
{
    const struct transport_config *cfg = &c->t->cfg;
    struct hello h;
    if (head->kind != FRAME_HELLO || !raft_node__hello_decode(body, head->len, &h)) {
        return RUBBISH;
    }
    const char *why = c->is_secured && cfg->tls.verify
                          ? cfg->tls.verify(cfg->tls.user, c->stream, h.from, true)
                          : NULL;
    if (why) {
        return distrust(c, h.from, why);
    }
    if (strcmp(h.cluster, cfg->cluster) != 0 || (h.to[0] != 0 && strcmp(h.to, cfg->id) != 0)) {
        return turn_away(c, &h);
    }
    uint8_t answer[HELLO_FRAME_BYTES];
    size_t len = raft_node__transport_hello(c->t, h.from, answer);
    if (bufferevent_write(c->stream, answer, len) != 0) {
        return REFUSED;
    }
    memcpy(c->from, h.from, sizeof c->from);
    event_del(c->deadline);
    drop_older(c->t, c);
    return TAKEN;
}

static enum verdict take_frame(struct inbound *c, const struct frame_head *head,
                               const uint8_t *body)
{
    if (c->from[0] == 0) {
        return take_hello(c, head, body);
    }
    return head->kind == FRAME_MESSAGE && c->t->cfg.receive(c->t->cfg.user, body, head->len)
               ? TAKEN
               : RUBBISH;
}

static void on_read(struct bufferevent *stream, void *arg)
{
    struct inbound *c = arg;
    struct evbuffer *in = bufferevent_get_input(stream);
    while (!c->is_leaving) {
        struct frame_head head;
        const uint8_t *body = NULL;
        size_t max = c->from[0] ? c->t->cfg.frame_bytes_max : HELLO_BYTES_MAX;
        int got = raft_node__transport_peek(in, max, &head, &body);
        if (got == 0) {
            return;
        }
        enum verdict verdict = got > 0 ? take_frame(c, &head, body) : RUBBISH;
        if (verdict == RUBBISH) {
            raft_node__logf(&c->t->cfg.log, MU_WARN,
                            "raft: a connection was closed: it brought what no peer sends");
        }
        if (verdict != TAKEN) {
            raft_node__inbound_free(c->t, c);
            return;
        }
        evbuffer_drain(in, FRAME_HEAD_BYTES + head.len);
    }
    evbuffer_drain(in, evbuffer_get_length(in));
}

/* Who leaves has its answer as soon as TCP has taken it; through layers that is not told here. */
static void on_written(struct bufferevent *stream, void *arg)
{
    struct inbound *c = arg;
    if (c->is_leaving && raft_node__transport_unsent(stream) == 0) {
        raft_node__inbound_free(c->t, c);
    }
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    struct inbound *c = arg;
    if (what & BEV_EVENT_CONNECTED) {
        return; /* a handshake is over */
    }
    const char *why = c->is_secured ? raft_node__transport_explain(c->t, stream, NULL) : NULL;
    if (why) {
        raft_node__logf(&c->t->cfg.log, MU_WARN, "raft: the connection of %s was closed: %s",
                        c->from[0] ? c->from : "a stranger", why);
    }
    raft_node__inbound_free(c->t, c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct inbound *c = arg;
    if (!c->is_leaving) {
        raft_node__logf(&c->t->cfg.log, MU_DEBUG,
                        "raft: a connection was closed: no hello came in time");
    }
    raft_node__inbound_free(c->t, c);
}

/* Takes a stream, whose hello is due from now on. */
static int adopt(struct transport *t, struct bufferevent *stream, bool is_secured)
{
    struct inbound *c = mu__calloc(&t->cfg.allocator, 1, sizeof *c);
    if (!c) {
        return RAFT_ENOMEM;
    }
    struct timeval patience = raft_node__timeval(t->cfg.connect_timeout_ns);
    c->t = t;
    c->deadline = event_new(t->cfg.base, -1, 0, on_deadline, c);
    if (!c->deadline || event_add(c->deadline, &patience) != 0) {
        if (c->deadline) {
            event_free(c->deadline);
        }
        mu__free(&t->cfg.allocator, c);
        return RAFT_ENOMEM;
    }
    c->stream = stream;
    c->is_secured = is_secured;
    bufferevent_setcb(stream, on_read, on_written, on_event, c);
    bufferevent_enable(stream, EV_READ | EV_WRITE); /* should it fail, the deadline ends it */
    raft_node__transport_tune(t, stream);
    c->next = t->inbound;
    t->inbound = c;
    t->inbound_count++;
    return 0;
}

int raft_node__transport_adopt(struct transport *t, evutil_socket_t fd)
{
    if (t->inbound_count >= TRANSPORT_INBOUND_MAX) {
        return RAFT_EBUSY;
    }
    struct bufferevent *stream = bufferevent_socket_new(t->cfg.base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!stream) {
        return RAFT_ENOMEM;
    }
    int rc = adopt(t, stream, false);
    if (rc != 0) {
        bufferevent_setfd(stream, -1); /* the socket stays the caller's */
        bufferevent_free(stream);
    }
    return rc;
}

int raft_node__transport_adopt_stream(struct transport *t, struct bufferevent *stream)
{
    if (bufferevent_get_base(stream) != t->cfg.base) {
        return RAFT_EINVAL;
    }
    if (t->inbound_count >= TRANSPORT_INBOUND_MAX) {
        return RAFT_EBUSY;
    }
    int rc = adopt(t, stream, true);
    if (rc == 0) { /* what it has read already; later, since nothing happens inside a call */
        bufferevent_trigger(stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
    }
    return rc;
}
