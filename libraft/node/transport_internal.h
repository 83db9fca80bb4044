/* transport_internal.h - what outbound.c and inbound.c share. */
#pragma once

#include "transport.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define SINGLE_IO_BYTES ((size_t)256 << 10) /* at once; libevent's own limit is 16 KiB */

struct peer;
struct inbound;

struct transport {
    struct transport_config cfg;
    struct mu__prng prng;
    struct peer *peers;
    size_t peer_count;
    struct inbound *inbound;
    size_t inbound_count;
};

/* The socket's own bufferevent, below whatever was put on it. */
struct bufferevent *raft_node__transport_bottom(struct bufferevent *stream);
/* Bytes that were written to it and that TCP has not taken, on all its layers. */
size_t raft_node__transport_unsent(struct bufferevent *stream);
/* Why stream broke, in words of the host's if it has any; lent. */
const char *raft_node__transport_explain(const struct transport *t, struct bufferevent *stream,
                                         const char *otherwise);
void raft_node__transport_tune(const struct transport *t, struct bufferevent *stream);
#define HELLO_FRAME_BYTES (FRAME_HEAD_BYTES + HELLO_BYTES_MAX)
/* Writes a framed hello to the server `to`; its length. */
size_t raft_node__transport_hello(const struct transport *t, const char *to,
                                  uint8_t out[HELLO_FRAME_BYTES]);
struct timeval raft_node__timeval(uint64_t ns);
/* Looks at the next frame of `in`. 1: *head and the lent *body are it, and the caller drains
 * FRAME_HEAD_BYTES + head->len; 0: not all of it is there; -1: rubbish. */
int raft_node__transport_peek(struct evbuffer *in, size_t max, struct frame_head *head,
                              const uint8_t **body);

void raft_node__peer_free(struct transport *t, struct peer *p);
void raft_node__inbound_free(struct transport *t, struct inbound *c);
