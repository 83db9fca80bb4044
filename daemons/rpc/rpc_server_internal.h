/* rpc_server_internal.h - what the files of the server side share.
 *
 * A connection begins with its first byte (rpc_server.c), then is a bufferevent (rpc_connection.c)
 * that carries one stream of requests, or a yamux session with many (rpc_stream.c). */
#pragma once

#include "endpoints.h"
#include "msgpack_rpc.h"
#include "rpc_server.h"
#include "yamux.h"

#include <event2/bufferevent.h>

#define RPC_MODULE     "agent.server.rpc"
#define RPC_UNREAD_MAX 524288u /* bytes of a plain connection that wait for its call to end */

struct rpc_server {
    struct rpc_server_config config;
    struct rpc_connection *connections;
    size_t connection_count;
    size_t inbox_bytes;         /* held by requests that are not complete, over all connections */
    struct yamux_budget budget; /* of replies that no client takes, over all connections */
    struct mu__writer scratch;  /* where replies are encoded */
    uint64_t complained_ns;     /* when somebody who wants TLS was last logged; 0: never */
};

struct rpc_connection {
    struct rpc_server *server;
    struct rpc_connection *next, *previous;
    struct client_address address;
    int fd;                   /* until the first byte has come; then -1 */
    struct event *first_byte; /* waits for it */
    struct bufferevent *bev;
    struct yamux *yamux;       /* NULL on a plain connection */
    struct event *keepalive;   /* of the session */
    struct rpc_stream *stream; /* of a plain connection */
    bool closing;              /* only what is in the output is still to be sent */
};

/* rpc_connection.c */
/* Goes on with a connection whose first byte said what it is. False when out of memory: the caller
 * closes it. */
bool rpc__connection_begin(struct rpc_connection *c, bool is_yamux);
void rpc__connection_close(struct rpc_connection *c); /* at once; frees it */
/* Closes once the output has been sent. Within a callback of the connection; it must not be read
 * from any more. */
void rpc__connection_close_later(struct rpc_connection *c);

/* rpc_stream.c: one stream of requests, answered strictly in order. */
struct rpc_stream;
/* NULL: no memory. */
struct rpc_stream *rpc__stream_create(struct rpc_connection *c, struct yamux_stream *ys);
/* Bytes or the end arrived. False: the stream has ended and is freed, and a plain connection should
 * be closed. */
bool rpc__stream_readable(struct rpc_stream *s, bool ended);
void rpc__stream_destroy(struct rpc_stream *s); /* cancels its call */
