/* node_kit.h - swim nodes on loopback sockets for tests. Ports are the system's choice; whoever
 * waits, waits for a condition and fails after a generous deadline. */
#pragma once

#include "mu_test.h"

#include <event2/event.h>
#include <muster/swim_node.h>

#define POOL_MAX 8

struct pool {
    struct event_base *base;
    struct peer *peers[POOL_MAX];
    size_t n;
};

struct peer {
    struct swim_node *node;
    const char *name;
    unsigned joins, failures, leaves, user_events;
    char last_event[64];
    bool left, name_lost;
};

void pool_open(struct pool *p);
void pool_close(struct pool *p);

/* A config for 127.0.0.1 with short intervals. */
void pool_config(struct pool *p, struct swim_node_config *cfg, const char *name);
struct peer *pool_add(struct pool *p, const struct swim_node_config *cfg); /* must succeed */
struct peer *pool_add_plain(struct pool *p, const char *name);
void pool_kill(struct pool *p, struct peer *peer); /* as kill -9 would */
/* The peer's "ip:port". */
const char *peer_addr(const struct peer *peer, char out[SWIM_ADDR_TEXT]);
/* Joins b's pool from a, and waits for success. */
void pool_join(struct pool *p, struct peer *a, const struct peer *b);

/* Runs the loop until cond(arg) holds; the test fails when it does not within 30 s. */
void pool_run_until(struct pool *p, bool (*cond)(void *arg), void *arg);

struct view { /* "peer sees the member called name with this status" */
    const struct peer *peer;
    const char *name;
    enum swim_status status;
};
bool sees(void *view);
void pool_wait_for_status(struct pool *p, const struct peer *peer, const char *name,
                          enum swim_status status);

struct joined { /* what a join told */
    bool done;
    size_t count;
    char error[512];
};
void on_joined(void *joined, size_t count, const char *error);
bool is_joined(void *joined);
