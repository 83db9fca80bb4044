/* deadlines.c - connections that take too long are closed.
 *
 * A connection has one deadline at a time, which its state gives it. All of a class get the same
 * time, so that a queue for each class is in order of its deadlines: a sweep looks at the first few
 * only, however many connections there are. */
#include "internal.h"

#include "base/loop.h"

static enum http_deadline_class class_of(const struct http_connection *c)
{
    if (http__has_output(c)) {
        return DEADLINE_IDLE;
    }
    switch (c->state) {
    case CONN_IDLE:
        return c->greeted ? DEADLINE_IDLE : DEADLINE_HEAD;
    case CONN_HEAD:
        return DEADLINE_HEAD;
    case CONN_BODY:
        return c->held ? DEADLINE_NONE : DEADLINE_BODY;
    case CONN_HANDLED:
        return DEADLINE_NONE;
    case CONN_DRAIN:
        break;
    }
    return DEADLINE_DRAIN;
}

void http__deadline_remove(struct http_connection *c)
{
    struct http_queue *q = &c->server->queues[c->filed];
    *(c->prev ? &c->prev->next : &q->first) = c->next;
    *(c->next ? &c->next->prev : &q->last) = c->prev;
    c->prev = c->next = NULL;
}

static void append(struct http_connection *c, enum http_deadline_class class)
{
    struct http_queue *q = &c->server->queues[class];
    c->filed = class;
    c->filed_ns = c->deadline_ns;
    c->prev = q->last;
    c->next = NULL;
    *(q->last ? &q->last->next : &q->first) = c;
    q->last = c;
}

void http__deadline_file(struct http_connection *c)
{
    enum http_deadline_class class = class_of(c);
    if (class == c->filed && c->deadline_ns == c->filed_ns) {
        return;
    }
    if (c->filed != DEADLINE_CLASSES) {
        http__deadline_remove(c);
    }
    append(c, class);
}

/* A body that comes fast enough gets as much time again. */
static bool is_fast_enough(struct http_connection *c, uint64_t now_ns)
{
    const struct http_server_config *cfg = &c->server->config;
    size_t got = c->receiving ? c->body_got : c->in_len;
    if (c->state != CONN_BODY || got - c->body_seen < cfg->body_bytes_min) {
        return false;
    }
    c->body_seen = got;
    c->deadline_ns = now_ns + cfg->body_timeout_ns;
    http__deadline_file(c);
    return true;
}

static void sweep(struct http_queue *q, uint64_t now_ns)
{
    struct http_connection *c;
    while ((c = q->first) != NULL && c->deadline_ns <= now_ns) {
        if (!is_fast_enough(c, now_ns)) {
            http__connection_close(c);
        }
    }
}

/* Idle connections have nothing to wait for when the server ends. */
static void close_idle(struct http_server *s)
{
    for (size_t i = 0; i < DEADLINE_CLASSES; i++) {
        for (struct http_connection *c = s->queues[i].first, *next; c; c = next) {
            next = c->next;
            if (c->state == CONN_IDLE && !http__has_output(c) && c->in_len == 0) {
                http__connection_close(c);
            }
        }
    }
}

void http__server_sweep(struct http_server *s, uint64_t now_ns)
{
    for (size_t i = 0; i < DEADLINE_NONE; i++) {
        sweep(&s->queues[i], now_ns);
    }
    if (s->draining) {
        close_idle(s);
    }
}
