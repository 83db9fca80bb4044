/* planted.h - faults on purpose, so that a test can show that the simulator finds them.
 *
 * RAFT__PLANTED(X) is the constant false, which leaves nothing in the object, except in the copy of
 * the core that tests/sim/planted_raft.c is built with. */
#pragma once

enum raft__planted {
    RAFT__NO_FAULT = 0,
    RAFT__VOTE_NOT_PERSISTED,     /* the term is, the vote is not */
    RAFT__VOTE_BEFORE_DURABLE,    /* answers to candidates do not wait for the disk */
    RAFT__VOTE_TWICE,             /* in one term, for whoever asks */
    RAFT__VOTE_FOR_OLD_LOG,       /* without looking at the candidate's log (5.4.1) */
    RAFT__HARD_STATE_LOST,        /* on restart */
    RAFT__PREVOTE_IGNORES_LEADER, /* grants pre-votes while it follows a live leader (9.6) */
    RAFT__COMMIT_OF_EARLIER_TERM, /* by counting copies (5.4.2, figure 8) */
    RAFT__COMMIT_UNVERIFIED,      /* heartbeats commit what was not found to match the leader */
    RAFT__NO_PREV_TERM_CHECK,     /* entries are appended after one of another term (5.3) */
    RAFT__TRUNCATE_COMMITTED,     /* a late append removes what came after it */
    RAFT__ACK_BEFORE_DURABLE,     /* of appends */
    RAFT__WINDOW_OFF_BY_ONE,      /* an append more is under way than there is room for */
    RAFT__LEASE_UNCHECKED,        /* a leader always believes in its lease (6.4.1) */
    RAFT__READ_UNCONFIRMED,       /* a read does not wait for a quorum (6.4) */
    RAFT__TWO_CHANGES,            /* of the configuration at once (4.1) */
    RAFT__CHANGE_TOO_EARLY,       /* before an entry of the own term is committed (2015) */
    RAFT__SNAPSHOT_DROPS_CONFIG,  /* a snapshot carries an older configuration */
    RAFT__CHUNK_HASH_UNCHECKED,   /* a snapshot may be put together from two files */
    RAFT__SNAPSHOT_KEEPS_LOG,     /* that differs from the snapshot (figure 13, 7) */
    RAFT__STALL_IGNORED,          /* a leader whose disk hangs goes on leading */
    RAFT__FULL_DISK_CAMPAIGNS,    /* and who cannot write campaigns */
    RAFT__TRANSFER_REFUSED,       /* voters that hear a leader refuse whom it hands over to */
    RAFT__N_PLANTED
};

#ifdef RAFT_PLANTED_FAULTS
extern enum raft__planted raft__planted;
#define RAFT__PLANTED(fault) (raft__planted == RAFT__##fault)
#else
#define RAFT__PLANTED(fault) false
#endif
