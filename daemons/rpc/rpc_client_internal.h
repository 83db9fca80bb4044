/* rpc_client_internal.h - what the files of the client side share.
 *
 * An exchange is one call under way (rpc_client.c). It waits in its session's queue until the
 * session is open and may open another stream, then owns a stream until the reply has come
 * (rpc_session.c). */
#pragma once

#include "endpoints.h"
#include "map.h"
#include "msgpack_rpc.h"
#include "rpc_client.h"
#include "yamux.h"

#include <event2/bufferevent.h>

#define RPC_MODULE "agent.rpc"

struct rpc_client {
    struct rpc_client_config config;
    char *bind_host;
    struct mu__map sessions; /* by key: those that take new calls */
    struct rpc_session *all; /* also those that only finish what they have */
    struct mu__writer scratch;
    uint64_t seq;
    bool ending; /* no new calls */
};

enum session_state { SESSION_DIALING, SESSION_FAILED, SESSION_OPEN };

struct rpc_session {
    struct rpc_client *client;
    struct rpc_session *next, *previous;
    char *key; /* name, host and port */
    char *name, *host;
    uint16_t port;
    enum session_state state;
    bool is_listed; /* in client->sessions */
    struct bufferevent *bev;
    struct yamux *yamux;
    struct event *timer; /* dialling: the time limit; open: keepalive */
    uint64_t timer_ns;   /* when that is due */
    char *failure;       /* why dialling failed */
    struct rpc_exchange *queue, *queue_last;
    size_t under_way;           /* exchanges that have a stream */
    struct client_stream *idle; /* open streams for reuse */
    size_t idle_count;
    uint64_t used_ns; /* when the last call ended */
};

struct client_stream {
    struct rpc_session *session;
    struct yamux_stream *ys;
    struct rpc_inbox inbox;
    struct rpc_exchange *exchange; /* NULL: idle */
    struct client_stream *next_idle, *previous_idle;
};

struct rpc_exchange {
    struct rpc_client *client;
    struct rpc_session *session; /* NULL: it has an outcome, which the timer will deliver */
    struct client_stream *stream;
    struct rpc_exchange *next, *previous; /* in the session's queue */
    struct call *call;
    rpc_done_fn done;
    void *arg;
    enum rpc_outcome outcome;
    struct event *timer; /* time limit */
};

/* rpc_session.c */
/* Dials a new one; NULL: no memory. */
struct rpc_session *rpc__session_find(struct rpc_client *x, const struct rpc_target *to);
void rpc__session_close(struct rpc_session *s); /* fails what it has; frees it */
void rpc__session_enqueue(struct rpc_session *s, struct rpc_exchange *e);
void rpc__session_unqueue(struct rpc_exchange *e);
/* Gives streams to the exchanges that wait, as far as there may be more. */
void rpc__session_serve(struct rpc_session *s);
void rpc__session_doubt(struct rpc_session *s);
/* Resets it: its reply is not wanted any more. */
void rpc__stream_abandon(struct client_stream *st);

void rpc__session_unlist(struct rpc_session *s); /* no new calls: the next one dials anew */
void rpc__session_set_timer(struct rpc_session *s, uint64_t ns);

/* rpc_dial.c */
/* Begins to connect; on_event or the session's timer tells how it ended. */
void rpc__dial(struct rpc_session *s, bufferevent_data_cb on_read, bufferevent_data_cb on_write,
               bufferevent_event_cb on_event);
/* Notes why dialling failed; the session's timer then closes it, since connect may fail within the
 * call that asked for the session. */
void rpc__dial_failed(struct rpc_session *s, const char *step, const char *reason);

/* rpc_client.c */
/* Encodes the exchange's request into the client's scratch buffer. */
void rpc__exchange_encode(struct rpc_exchange *e);
/* A complete response. True: the stream may be used again. */
bool rpc__exchange_response(struct rpc_exchange *e, struct mu__reader *r);
/* Ends the exchange with an error text (prefix and reason), and frees it. */
void rpc__exchange_fail(struct rpc_exchange *e, enum rpc_outcome outcome, const char *prefix,
                        const char *reason);
