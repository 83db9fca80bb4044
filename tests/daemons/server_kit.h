/* server_kit.h - a server of one in a folder of its own: a real Raft node and catalog, and one
 * front, with loops that the test turns by hand. Nothing happens on the core or the front unless
 * the test lets it. */
#pragma once

#include "rpc/endpoints.h"
#include "server/route.h"

#define KIT_ID "11111111-2222-3333-4444-555555555555"

struct server_kit {
    char dir[64];
    struct config *config;
    struct loop *core, *loop; /* loop: of the front */
    struct members members;
    struct server *server;
    struct server_front *front;
    struct rpc_client *client;
    struct call_backend *backend;
    struct call_backend agent; /* answers Agent.* */
    int agent_calls, fatal, led;
    char dead[64]; /* the server that gossip was told to forget last */
    bool closed;   /* the front */
};

/* settings: further members of the configuration's JSON object, "" or `, "key": ...` */
void kit_open(struct server_kit *k, const char *settings);
/* Bootstraps it alone; returns when it has its lease and the front knows. */
void kit_elect(struct server_kit *k);
void kit_close_front(struct server_kit *k);
void kit_close(struct server_kit *k); /* all of it, in the order of a process */

void kit_turn_core(struct server_kit *k);
void kit_turn_front(struct server_kit *k);
/* Turns both until *flag is not 0; fails the test when that takes absurdly long. */
void kit_until(struct server_kit *k, const int *flag);
#define KIT_UNTIL(k, condition)                                                                    \
    do {                                                                                           \
        for (uint64_t end = loop_now_ns() + 20 * MU_SEC; !(condition);) {                          \
            kit_turn_core(k);                                                                      \
            kit_turn_front(k);                                                                     \
            assert_true(loop_now_ns() < end);                                                      \
        }                                                                                          \
    } while (0)

/* What became of a call. */
struct outcome {
    struct call *call;
    int done;
    char error[256];
    uint64_t index, committed_ns;
    size_t len; /* of the reply's list */
    bool flag, known_leader;
    char text[64]; /* of the value of a key, or of the first text of the reply */
};

void kit_note(struct call *c, void *outcome); /* a call_done_fn */
/* In the right datacenter. */
struct call *kit_call(struct server_kit *k, enum endpoint_id id, struct outcome *o);
void kit_start(struct server_kit *k, struct outcome *o);
/* Started; reads of a key, or of all nodes. */
void kit_put(struct server_kit *k, const char *key, const char *value, struct outcome *o);
void kit_get(struct server_kit *k, const char *key, uint64_t min_index, struct outcome *o);
/* A member; tags is "key=value key=value". For members_apply. */
struct agent_member *kit_member(const char *name, const char *address, uint64_t status,
                                const char *tags);
