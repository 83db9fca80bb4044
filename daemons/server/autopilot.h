/* autopilot.h - who may vote: what the leader knows of Raft's servers in, at most one change out.
 *
 * A new server receives the log without a vote, and gets one once it has been healthy for
 * server_stabilization_time (Raft dissertation, 4.2.1). A server that gossip calls failed, or no
 * longer knows, and that Raft has not heard of either, is taken out while those that are left are
 * safe without it. Nothing here looks at a clock, and nothing is changed here: the caller observes,
 * asks for a decision, carries it out and observes again.
 *
 * What can never happen by a decision, whatever the facts: that a voter is removed which is still
 * heard of; that half of the voters or more are given up together; that fewer than min_quorum are
 * left; that the voters which are heard of are no majority before and after the change. */
#pragma once

#include <muster/catalog_types.h>
#include <muster/raft.h>

/* Before that, gossip may not have found everybody: how long a server must be unknown to it. */
#define AUTOPILOT_FORGET_NS (60 * MU_SEC)

enum autopilot_gossip { /* the numbers are Serf's, as operators are shown them */
                        AUTOPILOT_UNKNOWN = 0,
                        AUTOPILOT_ALIVE = 1,
                        AUTOPILOT_LEAVING = 2,
                        AUTOPILOT_LEFT = 3,
                        AUTOPILOT_FAILED = 4
};

/* One server of Raft's configuration, as the leader knows it now. */
struct autopilot_fact {
    char id[RAFT_ID_MAX + 1];
    bool is_voter, is_leader;
    bool may_vote;      /* it does not say of itself that it never does */
    raft_index match;   /* its log is the leader's up to here */
    raft_term term;     /* of the entry there; 0: an older one than the leader's own */
    uint64_t silent_ns; /* MU_NEVER: never heard of by this leader */
    enum autopilot_gossip gossip;
};

struct autopilot_facts {
    uint64_t now_ns;
    uint64_t heartbeat_ns; /* what every server is silent for, now and then */
    raft_index last_index; /* of the leader's log */
    raft_term term;        /* of its last entry */
    struct autopilot_fact servers[RAFT_SERVERS_MAX];
    size_t n;
};

/* One server as it was judged. */
struct autopilot_server {
    struct autopilot_fact fact;
    bool is_heard; /* within the threshold */
    bool is_healthy;
    uint64_t stable_since_ns; /* since when it is healthy, or is not */
    bool is_dead;
    uint64_t dead_since_ns;
};

/* What is remembered from one look to the next; all zero at the beginning of a leadership. */
struct autopilot {
    struct autopilot_server servers[RAFT_SERVERS_MAX]; /* in the order of the facts */
    size_t n;
    raft_index last_index; /* of the leader's log, when it looked before; 0: it never did */
    uint64_t looked_at_ns;
};

enum autopilot_kind {
    AUTOPILOT_NOTHING = 0,
    AUTOPILOT_PROMOTE, /* it may vote */
    AUTOPILOT_REMOVE   /* from Raft; and gossip is told that a failed one has left */
};
enum autopilot_denial { /* why dead voters stay where they are */
                        AUTOPILOT_NOT_DENIED = 0,
                        AUTOPILOT_TOO_MANY,   /* half of the voters or more, together */
                        AUTOPILOT_MIN_QUORUM, /* fewer than min_quorum would be left */
                        AUTOPILOT_NO_QUORUM   /* those that are heard of are no majority as it is */
};
struct autopilot_decision {
    enum autopilot_kind kind;
    const struct autopilot_server *server; /* lent until the next look; NULL: nothing */
    enum autopilot_denial denial;
    size_t dead_voters, voters;
};

/* Judges the servers anew. */
void autopilot_observe(struct autopilot *a, const struct catalog_autopilot_config *config,
                       const struct autopilot_facts *facts);

/* What to do next, after the last look. */
struct autopilot_decision autopilot_decide(const struct autopilot *a,
                                           const struct catalog_autopilot_config *config);

/* All of them; false when there are none. */
bool autopilot_is_healthy(const struct autopilot *a);
/* How many healthy voters may fail without the quorum being lost. */
int64_t autopilot_failure_tolerance(const struct autopilot *a);
