/* output.c - answers into the socket, and what it does not take at once.
 *
 * An answer goes straight from where it was made to the socket. Only the rest that did not fit is
 * kept: a large body of one connection is taken over, a shared one is held by a reference, anything
 * else is copied. */
#include "internal.h"

#include "alloc.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TAKEN_OVER 16384u /* bodies from here on are not copied */

static const struct mu_allocator *heap(void)
{
    return &mu__malloc_allocator;
}

void http__body_unref(struct http_body *b)
{
    if (b && --b->refs == 0) {
        if (b->is_secret) {
            mu__wipe(b->data, b->len);
        }
        mu__free(heap(), b);
    }
}

bool http__has_output(const struct http_connection *c)
{
    return c->out_at < c->out_len || c->shared;
}

void http__output_fini(struct http_connection *c)
{
    if (c->out_is_secret) {
        mu__wipe(c->out, c->out_len);
    }
    mu__free(heap(), c->out);
    http__body_unref(c->shared);
    c->out = NULL;
    c->out_is_secret = false;
    c->out_at = c->out_len = 0;
    c->shared = NULL;
    c->shared_at = 0;
}

/* How much of both the socket has taken: 0 if it takes nothing now, -1 when the connection is
 * lost. */
static ssize_t send_both(int fd, const void *a, size_t a_len, const void *b, size_t b_len)
{
    struct iovec iov[2];
    struct msghdr msg = {.msg_iov = iov};
    if (a_len) {
        iov[msg.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)a, a_len};
    }
    if (b_len) {
        iov[msg.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)b, b_len};
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : n;
}

/* Copies `len` bytes, the last ones of head and body together. */
static bool keep_copy(struct http_connection *c, const struct mu__writer *head,
                      const struct mu__writer *body, size_t len)
{
    size_t from_body = mu__min(len, body->len), from_head = len - from_body;
    c->out = mu__alloc(heap(), len);
    if (!c->out) {
        return false;
    }
    if (from_head) {
        memcpy(c->out, head->data + head->len - from_head, from_head);
    }
    if (from_body) {
        memcpy(c->out + from_head, body->data + body->len - from_body, from_body);
    }
    c->out_at = 0;
    c->out_len = len;
    c->out_is_secret = c->server->tells_secret;
    return true;
}

bool http__send(struct http_connection *c, const struct mu__writer *head, struct mu__writer *body)
{
    ssize_t n = send_both(c->fd, head->data, head->len, body->data, body->len);
    if (n < 0) {
        return false;
    }
    size_t sent = (size_t)n, left = head->len + body->len - sent;
    if (left == 0) {
        return true;
    }
    if (sent >= head->len && left > TAKEN_OVER) {
        c->out = (char *)body->data;
        c->out_at = sent - head->len;
        c->out_len = body->len;
        c->out_is_secret = c->server->tells_secret;
        *body = mu__writer_growing(body->allocator);
        return true;
    }
    return keep_copy(c, head, body, left);
}

bool http__send_shared(struct http_connection *c, const struct mu__writer *head,
                       struct http_body *body)
{
    static const struct mu__writer nothing = {.len = 0};
    ssize_t n = send_both(c->fd, head->data, head->len, body->data, body->len);
    if (n < 0) {
        return false;
    }
    size_t sent = (size_t)n;
    if (sent < head->len && !keep_copy(c, head, &nothing, head->len - sent)) {
        return false;
    }
    size_t of_body = sent > head->len ? sent - head->len : 0;
    if (of_body < body->len) {
        body->refs++;
        c->shared = body;
        c->shared_at = of_body;
    }
    return true;
}

bool http__send_more(struct http_connection *c, const void *data, size_t len)
{
    size_t waiting = c->out_len - c->out_at;
    ssize_t n = waiting ? 0 : send_both(c->fd, data, len, NULL, 0);
    if (n < 0 || (size_t)n == len) {
        return n >= 0;
    }
    size_t left = len - (size_t)n;
    char *out = mu__alloc(heap(), waiting + left);
    if (!out) {
        return false;
    }
    if (waiting) {
        memcpy(out, c->out + c->out_at, waiting);
    }
    memcpy(out + waiting, (const char *)data + n, left);
    mu__free(heap(), c->out);
    c->out = out;
    c->out_at = 0;
    c->out_len = waiting + left;
    return true;
}

bool http__flush(struct http_connection *c)
{
    while (http__has_output(c)) {
        size_t own = c->out_len - c->out_at;
        size_t shared = c->shared ? c->shared->len - c->shared_at : 0;
        ssize_t n = send_both(c->fd, c->out ? c->out + c->out_at : NULL, own,
                              shared ? c->shared->data + c->shared_at : NULL, shared);
        if (n <= 0) {
            return n == 0;
        }
        size_t of_own = mu__min((size_t)n, own);
        c->out_at += of_own;
        c->shared_at += (size_t)n - of_own;
        if ((size_t)n == own + shared) {
            http__output_fini(c);
        }
    }
    return true;
}
