/* rpc_client.h - calls of other servers: one yamux session per server, one stream per call under
 * way.
 *
 * Used by a server to forward to the leader, and by an agent through rpc_router.h. One rpc_client
 * per front; everything runs on that front's loop. Sessions are dialled when first needed, kept
 * while used, and closed when idle. */
#pragma once

#include "call.h"

#include <event2/event.h>

struct rpc_target {
    const char *name; /* of the node; with the address it names the session */
    const char *host; /* numeric address */
    uint16_t port;
};

struct rpc_client_config {
    struct event_base *base;
    const char *bind_host; /* local address of outgoing connections, numeric; NULL: any. Copied */
    uint64_t dial_timeout_ns; /* 0: 10 s */
    /* How long servers wait for a leader, part of a call's time limit; 0: 7 s */
    uint64_t hold_timeout_ns;
    uint64_t idle_timeout_ns; /* a session without calls is closed after; 0: 127 s */
    size_t idle_streams_max;  /* kept for reuse per session; 0: 32 */
    size_t reply_bytes_max;   /* of one reply, encoded; 0: 256 MiB */
    bool forwards;            /* its calls are a server's, to the leader: struct call, forwarded */
};

enum rpc_outcome {
    RPC_ANSWERED, /* c->reply is set; it lives in the call's arena */
    RPC_REFUSED,  /* the server answered with an error */
    RPC_UNSENT,   /* no connection could be had: the server knows nothing of the call */
    /* The connection ended, or no answer came in time: it may or may not have taken effect */
    RPC_BROKEN
};

/* Runs once, never within rpc_client_start; must not destroy the client. Unless ANSWERED, c->error
 * is Consul's text, with the prefix of this hop. */
typedef void (*rpc_done_fn)(struct call *c, enum rpc_outcome outcome, void *arg);

struct rpc_client;
struct rpc_exchange;
/* Copies cfg; NULL when out of memory. */
struct rpc_client *rpc_client_create(const struct rpc_client_config *cfg);
/* Ends all sessions; what is under way ends RPC_BROKEN. */
void rpc_client_destroy(struct rpc_client *x);

/* Others say that the server has failed: its sessions are asked whether they are alive. */
void rpc_client_doubt(struct rpc_client *x, const char *name);

/* Sends the call, which stays the caller's, and borrows it until done or cancel. The target is
 * copied. NULL: out of memory or the client is being destroyed, and done is not called.
 * A call with a time limit of its own (blocking reads) waits a little longer than the server may;
 * others a minute. */
struct rpc_exchange *rpc_client_start(struct rpc_client *x, const struct rpc_target *to,
                                      struct call *c, rpc_done_fn done, void *arg);
/* done is not called any more, and the call is let go */
void rpc_exchange_cancel(struct rpc_exchange *e);
/* Has nothing of it been sent? Then the server cannot know of it. */
bool rpc_exchange_is_unsent(const struct rpc_exchange *e);

/* Sends the call and finishes it with whatever comes back, for backends that only forward. Takes
 * the call. Uses c->state: to cancel, the backend calls rpc_client_cancel_call, which frees it. */
void rpc_client_call(struct rpc_client *x, const struct rpc_target *to, struct call *c);
void rpc_client_cancel_call(struct call *c);

/* A plain connection of one's own to a server's port, which may still be on its way; host is
 * numeric. -1 with errno. */
int rpc_connect(const char *host, uint16_t port, const char *bind_host);
