/* rpc_server.h - the server's RPC port: takes accepted connections, finds out by their first byte
 * what they are, turns requests into calls of the front's backend and writes the answers.
 *
 * First bytes: 0 one msgpack-rpc stream on the bare connection, 4 a yamux session with a stream per
 * call, 1 Raft, which is handed on; all others are closed. One rpc_server per front; everything
 * runs on that front's loop. */
#pragma once

#include "base/client_limit.h"
#include "call.h"

#include <event2/event.h>
#include <sys/socket.h>

struct rpc_server_config {
    struct event_base *base;       /* of the front */
    struct call_backend *backend;  /* answers the calls */
    struct client_limit *clients;  /* shared by all fronts; NULL: no limit */
    size_t request_bytes_max;      /* of one request, encoded; 0: 16 MiB */
    size_t call_bytes_max;         /* of memory that one decoded request may take; 0: 64 MiB */
    uint64_t handshake_timeout_ns; /* for the first byte; 0: 5 s */
    /* Takes a non-blocking socket whose first byte was 1; runs on the front's loop. NULL: such are
     * closed. */
    void (*adopt_raft)(void *user, int fd);
    /* Likewise, whose first byte was 5; what follows it has not been read. */
    void (*adopt_snapshot)(void *user, int fd);
    void *user;
};

struct rpc_server;
/* Copies cfg; NULL when out of memory. */
struct rpc_server *rpc_server_create(const struct rpc_server_config *cfg);
/* Takes fd. */
void rpc_server_accept(struct rpc_server *s, int fd, const struct sockaddr *peer, socklen_t len);
size_t rpc_server_connections(const struct rpc_server *s);
/* Closes all connections and cancels what they asked. On the front's loop, or once it has
 * stopped. */
void rpc_server_destroy(struct rpc_server *s);
