/* node_world.h - whole nodes on loopback: up to three real ones in one process, on one loop, with
 * real files. Nothing here sleeps or asserts on elapsed time: the loop runs until something holds,
 * and a run that never gets there fails by its limit. */
#pragma once

#include "node_kit.h"

#include "node.h"

#include <event2/listener.h>
#include <stdio.h>

#define NODES    3
#define PREAMBLE 1

/* The state machine: a running checksum of all entries and how many there were; a snapshot carries
 * both, and enough padding to take several chunks. */
struct machine {
    uint64_t count, sum;
    raft_index last;
    unsigned restores, saves, batches;
    bool in_batch;
    size_t padding;
    raft_index first_applied; /* of this life */
    pthread_mutex_t *saving;  /* NULL: none. A snapshot is not saved while somebody holds it */
};

struct world;
struct server {
    struct world *world;
    struct raft_node *node;
    struct evconnlistener *listener;
    struct machine machine;
    struct kit_disk disk;
    struct file_ops ops;
    pthread_mutex_t gate; /* the disk's */
    bool is_hung;         /* we hold the gate */
    char id[16], address[64], dir[PATH_BYTES];
    int fatal_code;
    char fatal[256];
    unsigned leaderships;
    bool is_told_leader;
    pthread_mutex_t log_lock;
    char lines[1 << 16]; /* what it logged, as far as it fits */
};

struct world {
    struct event_base *base;
    char dir[64];
    struct server servers[NODES];
    uint64_t threshold, trailing, interval_ns;
    uint64_t acknowledged, failed, in_flight;
    void *user;
    /* Last word on a server's configuration; NULL: none */
    void (*adjust)(struct server *s, struct raft_node_config *cfg);
    /* Takes an accepted socket; NULL: reads the preamble and adopts it */
    void (*accept)(struct server *s, evutil_socket_t fd);
};

int setup(void **state);
int teardown(void **state);

void configure(const struct server *s, struct raft_node_config *cfg);
int try_start(struct server *s, struct raft_node_diag *diag);
void start(struct server *s);
void stop(struct server *s);
void hang_disk(struct server *s, bool is_hung);
bool has_logged(struct server *s, const char *text);

/* Starts the first `count` servers where needed, bootstraps them all and waits for a leader. */
void bootstrap(struct world *w, int count);
struct server *leader_of(struct world *w); /* NULL: none */
int propose(struct world *w, struct server *s, uint64_t number);
/* Proposes until so many more are acknowledged. A busy machine may cost an election on the way, and
 * proposals with it: those that failed may have been applied or not. */
void replicate(struct world *w, uint64_t count);
/* All that was acknowledged was applied on s, and nothing that nobody proposed. */
bool has_all(const struct world *w, const struct server *s);
bool agree(const struct world *w); /* all machines are the same */

struct read_seen {
    int status;
    raft_index index;
    unsigned calls;
};
void on_read_done(void *arg, int status, raft_index index, void *result);

void turn(struct world *w); /* of the loop; a few milliseconds at most */
void show(const struct world *w);
/* Runs the loop until `condition` holds; gives up (and fails) after half a minute, far beyond
 * anything expected. */
#define RUN_UNTIL(w, condition)                                                                    \
    do {                                                                                           \
        uint64_t give_up = raft_node__now() + 30 * MU_SEC;                                         \
        while (!(condition)) {                                                                     \
            if (raft_node__now() > give_up) {                                                      \
                show(w);                                                                           \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
            turn(w);                                                                               \
        }                                                                                          \
    } while (0)

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
