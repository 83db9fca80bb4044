/* rpc_kit.h - an RPC server on a loopback port that the system chose, with a backend that answers
 * from a script. */
#pragma once

#include "rpc/endpoints.h"
#include "rpc/rpc_server.h"

#include <event2/event.h>
#include <event2/listener.h>

#define KIT_HELD 64

struct rpc_kit {
    struct call_backend backend; /* first */
    struct event_base *base;
    struct rpc_server *server;
    struct evconnlistener *listener;
    uint16_t port;
    struct call *held[KIT_HELD]; /* blocking reads: answered by kit_release */
    size_t nheld, calls, cancelled;
    size_t forwarded; /* of the calls, those that a server passed on */
    size_t value_len; /* of the last KVS.Apply */
    size_t big;       /* length of the value that key "big" has */
    int no_leader;    /* so many KVS calls are answered with "No cluster leader" */
    int raft_fd;      /* what adopt_raft was given; -1 */
};

/* cfg may be NULL */
void kit_init(struct rpc_kit *k, struct event_base *base, const struct rpc_server_config *cfg);
void kit_fini(struct rpc_kit *k);
void kit_release(struct rpc_kit *k); /* answers what is held */
/* Runs the loop until *flag is not 0; fails the test when that takes absurdly long. */
void kit_run_until(struct event_base *base, const int *flag);
/* Runs the loop until nothing happens any more. */
void kit_settle(struct event_base *base);

/* A socket whose other end the server has accepted. */
int kit_connect(struct rpc_kit *k);
size_t kit_unhex(const char *hex, unsigned char *out, size_t max);
