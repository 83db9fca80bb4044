/* stream.h - a socket that never blocks, and what is known of it: edge-triggered, so that a
 * connection costs two epoll_ctl in its whole life. */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mbedtls_ssl_context;
struct stream;
typedef void (*stream_fn)(void *user, struct stream *s);

/* In the caller's memory, which stays where it is while the stream is open. */
struct stream {
    int fd; /* -1: closed */
    /* True until the socket has said EAGAIN: then the event sets it again. */
    bool readable, writable;
    stream_fn ready;
    void *user;
    struct event event;
};

void stream_init(struct stream *s);
/* Takes fd, which does not block. ready is called whenever a flag has been set. False when out of
 * memory; fd is then the caller's. */
bool stream_open(struct stream *s, struct event_base *base, int fd, stream_fn ready, void *user);
void stream_close(struct stream *s); /* also a closed one */
/* The other end shall not take this for an orderly end: TCP's reset (RFC 9293 3.5.2). */
void stream_abort(struct stream *s);
/* Has ready called from the loop, though nothing has happened. */
void stream_wake(struct stream *s);

/* Bytes moved; 0 of a read: the end; -1: the flag has been cleared, or errno is none of EAGAIN. */
ssize_t stream_read(struct stream *s, void *buf, size_t len);
ssize_t stream_write(struct stream *s, const void *buf, size_t len);
bool stream_would_block(void); /* was it that, the last -1? */
void stream_bio(struct stream *s, struct mbedtls_ssl_context *ssl);
