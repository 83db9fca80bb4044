/* raft_cover.h - how often what is worth simulating has happened. A swarm that never gets its
 * servers into trouble finds nothing, so that the counts are printed on request (--coverage). */
#pragma once

#include <stdint.h>

enum seen {
    SEEN_ELECTION,
    SEEN_CONTEST,
    SEEN_VOTE_REFUSED,
    SEEN_STEP_DOWN,
    SEEN_NO_QUORUM,
    SEEN_TRUNCATION,
    SEEN_TRUNCATION_DURABLE,
    SEEN_TRANSFER,
    SEEN_TRANSFER_DONE,
    SEEN_CHANGE,
    SEEN_CHANGE_COMMITTED,
    SEEN_CHANGE_UNDONE,
    SEEN_CHANGE_IN_SNAPSHOT,
    SEEN_LEADER_REMOVED,
    SEEN_SNAPSHOT_TAKEN,
    SEEN_SNAPSHOT_INSTALLED,
    SEEN_SNAPSHOT_RESUMED,
    SEEN_SNAPSHOT_REFUSED,
    SEEN_SNAPSHOT_ROTTEN,
    SEEN_LOAD,
    SEEN_LEASE_READ,
    SEEN_QUORUM_READ,
    SEEN_LOST_READ,
    SEEN_CRASH,
    SEEN_CRASH_OF_LEADER,
    SEEN_POWER,
    SEEN_TORN,
    SEEN_FOLDER_LOST,
    SEEN_FOLDER_REPLACED,
    SEEN_PAUSE_OF_LEADER,
    SEEN_CLOCK_JUMP,
    SEEN_STALL,
    SEEN_STALL_OF_LEADER,
    SEEN_FULL,
    SEEN_FULL_LEADER,
    SEEN_FULL_OVER,
    SEEN_CUT,
    SEEN_ONE_WAY,
    SEEN_CLOG,
    SEEN_FLIP,
    N_SEEN
};

struct cover {
    uint64_t seen[N_SEEN];
    uint64_t runs[N_SEEN]; /* in which it was seen; of a sum */
    uint64_t n_runs;
    /* After the faults: until a quorum followed a leader, until new writes ended, and until all
     * agreed. Of a sum there are the worst, too. */
    uint64_t led_ns, written_ns, healed_ns;
    uint64_t led_max, written_max, healed_max;
};

void cover_add(struct cover *sum, const struct cover *run);
void cover_print(const struct cover *sum);
