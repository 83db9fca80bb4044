/* raft_swarm.h - one run of a simulated cluster of raft cores. */
#pragma once

#include "raft_host.h"

/* Runs the seed with so many servers at first (0: the seed picks that too), adds what was counted
 * to sum, and gives the hash of its trace. A failure ends the program. */
uint64_t swarm_run(uint64_t seed, unsigned nodes, bool verbose, struct checks *sum);
/* Ends the program as a failure of the run that is under way. */
_Noreturn void swarm_fail(const char *what);

/* --- Between raft_swarm.c, raft_picks.c and raft_faults.c --- */

#define SWARM_SPARE 2u /* servers that are not in the first configuration */

enum fault {
    FAULT_CRASH,
    FAULT_PAUSE,
    FAULT_PARTITION,
    FAULT_ONE_WAY,
    FAULT_CUT_LINK,
    FAULT_ISOLATE_LEADER,
    FAULT_HEAL,
    FAULT_CHANGE,
    FAULT_TRANSFER,
    FAULT_FULL_DISK,
    FAULT_POWER, /* all fall at once */
    FAULT_CLOG,
    FAULT_LOSE_FOLDER,
    FAULT_CLOCK,
    FAULT_CALM,
    N_FAULTS
};

struct sim { /* a run */
    struct world w;
    struct checks checks;
    struct host_options options;
    struct host hosts[WORLD_NODES_MAX];
    unsigned n_hosts, n_first;
    uint32_t weights[N_FAULTS];
    /* What follows an election or a vote at once, as chances per million. */
    uint32_t crash_after_vote, crash_after_election, cut_after_election, change_after_election;
    uint64_t faults_until;        /* virtual */
    bool turmoil;                 /* everything is fast, and leaders do not last */
    uint64_t fault_ns, client_ns; /* mean distances */
    uint64_t next_read;
    uint64_t writes_wanted;
    unsigned replaced; /* 1 + a server that was removed for a lost folder, and is to be added */
    bool faults_over, clients_rest;
};

uint64_t sim_pick(struct sim *s, uint64_t lo, uint64_t hi);
struct host *sim_leader(struct sim *s); /* some server that leads; NULL if none does */
void faults_pick(struct sim *s);        /* also the options of core and network */
void faults_begin(struct sim *s);
void faults_end(struct sim *s);
