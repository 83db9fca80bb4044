/* agent.h - the agent of a node: local services and checks, kept in step with the catalog.
 *
 * An agent belongs to the core loop: all functions run there, unless they say otherwise. Its calls
 * to the servers are started on a front, through the same backend as everybody's.
 *
 * The end: agent_stop on the core loop; what answers HTTP and DNS cancels its calls on the fronts;
 * all threads are joined; loop_destroy(core), loop_destroy(each front); agent_destroy. In this
 * order no message meets what is gone. */
#pragma once

#include "agent/agent_endpoints.h"
#include "base/config.h"
#include "base/loop.h"

struct agent;

/* error: NULL on success. Runs on the core loop. */
typedef void (*agent_done_fn)(void *arg, const char *error);

/* What the agent asks of the node that it is part of. All are called on the core loop. A member
 * that is NULL answers that it is not supported. done is called once, now or later, on the core
 * loop. */
struct agent_node {
    void *user;
    /* The members of a pool, of struct agent_member, sorted by name, lent or in the arena; items
     * NULL: no such pool. */
    struct mu_list (*members)(void *user, bool wan, struct mu__arena *a);
    /* Fills in coord, member, stats and debug_config of *out; text in the arena. */
    void (*self)(void *user, struct agent_self *out, struct mu__arena *a);
    /* Where this node is in the network, in the arena; NULL: it is not known. */
    struct catalog_vivaldi *(*coordinate)(void *user, struct mu__arena *a);
    void (*join)(void *user, struct mu_str address, bool wan, agent_done_fn done, void *arg);
    void (*leave)(void *user, agent_done_fn done, void *arg); /* then ends the process */
    /* error `agent: No node found with name 'x'` when there is none */
    void (*force_leave)(void *user, struct mu_str node, bool prune, agent_done_fn done, void *arg);
    void (*reload)(void *user, agent_done_fn done, void *arg);
};

struct agent_config {
    const struct config *config; /* borrowed for the agent's life */
    struct loop *core;           /* likewise */
    struct agent_node node;
    uint64_t seed; /* for jitter; from the system's entropy */
};

/* Opens the data folder, settles the node's ID, reads the services and checks of files and of
 * earlier runs. A damaged file is set aside and logged. May run before the core loop starts. On
 * failure *out is NULL and err says why. */
MU_MUST_USE int agent_create(const struct agent_config *config, struct agent **out, char *err,
                             size_t errlen);

/* Begins to run checks and to synchronise with the catalog through `backend`, started on `front`;
 * roots and intentions of Connect are asked for as what it may keep (call_cache.h). */
void agent_start(struct agent *a, struct loop *front, struct call_backend *backend);
/* The cluster has this many members; anti-entropy slows down as it grows. */
void agent_set_cluster_size(struct agent *a, size_t members);
/* A server has joined, or there is a new leader: compare with the catalog soon. */
void agent_server_joined(struct agent *a);
/* A user event has come by gossip: its payload, and when it was sent by Lamport's clock. */
void agent_user_event(struct agent *a, struct mu_str payload, uint64_t ltime);
/* Reads the definitions of a new configuration: those of files are replaced, those of the API stay,
 * and so do the states of checks. Nothing changes on failure. config replaces the one given
 * before. */
MU_MUST_USE int agent_reload(struct agent *a, const struct config *config, char *err,
                             size_t errlen);
/* This node is about to leave the cluster: nothing is registered in the catalog any more, where it
 * would come after the leader took the node out. The agent itself goes on. */
void agent_leave(struct agent *a);
/* Stops checks and synchronisation, and waits for the disk. No call to the backend is started any
 * more, calls to the agent fail. */
void agent_stop(struct agent *a);
/* After agent_stop and the end of the loops. NULL is allowed. */
void agent_destroy(struct agent *a);

/* How much is registered here; monitors are checks that run by themselves. */
struct agent_counts {
    size_t services, checks, check_ttls, check_monitors;
};
struct agent_counts agent_counts(const struct agent *a);

/* The UUID of the node, 36 characters; lent for the agent's life, any thread. */
struct mu_str agent_node_id(const struct agent *a);

/* ---- For the fronts: who answers calls of kind ENDPOINT_AGENT ---- */
struct agent_front;
/* A backend on `front` that hands calls to the agent on its core loop. NULL when out of memory.
 * Created, used and destroyed (when the front has ended) on one thread. */
struct agent_front *agent_front_create(struct agent *a, struct loop *front);
struct call_backend *agent_front_backend(struct agent_front *f);
void agent_front_destroy(struct agent_front *f);
