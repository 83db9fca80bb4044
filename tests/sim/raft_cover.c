#include "raft_cover.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[N_SEEN] = {
    [SEEN_ELECTION] = "leaders elected",
    [SEEN_CONTEST] = "terms with several candidates",
    [SEEN_VOTE_REFUSED] = "votes and pre-votes refused",
    [SEEN_STEP_DOWN] = "leaders that stepped down",
    [SEEN_NO_QUORUM] = "... because no quorum answered",
    [SEEN_TRUNCATION] = "logs truncated",
    [SEEN_TRUNCATION_DURABLE] = "... of what was durable",
    [SEEN_TRANSFER] = "transfers started",
    [SEEN_TRANSFER_DONE] = "transfers that ended as they should",
    [SEEN_CHANGE] = "changes of the configuration proposed",
    [SEEN_CHANGE_COMMITTED] = "changes committed",
    [SEEN_CHANGE_UNDONE] = "changes truncated",
    [SEEN_CHANGE_IN_SNAPSHOT] = "changes met while a snapshot was received",
    [SEEN_LEADER_REMOVED] = "leaders that removed themselves",
    [SEEN_SNAPSHOT_TAKEN] = "snapshots taken",
    [SEEN_SNAPSHOT_INSTALLED] = "snapshots installed",
    [SEEN_SNAPSHOT_RESUMED] = "chunks that the disk refused",
    [SEEN_SNAPSHOT_REFUSED] = "chunks refused for their hash",
    [SEEN_SNAPSHOT_ROTTEN] = "snapshots found rotten when they were whole",
    [SEEN_LOAD] = "loads from the disk",
    [SEEN_LEASE_READ] = "moments at which a lease was checked",
    [SEEN_QUORUM_READ] = "reads confirmed by a quorum",
    [SEEN_LOST_READ] = "reads lost with the leadership",
    [SEEN_CRASH] = "crashes",
    [SEEN_CRASH_OF_LEADER] = "... of a leader",
    [SEEN_POWER] = "power failures of all",
    [SEEN_TORN] = "torn journals repaired",
    [SEEN_FOLDER_LOST] = "folders lost",
    [SEEN_FOLDER_REPLACED] = "servers back under a new id, as voters",
    [SEEN_PAUSE_OF_LEADER] = "leaders paused",
    [SEEN_CLOCK_JUMP] = "clocks that jumped",
    [SEEN_STALL] = "disks that stalled",
    [SEEN_STALL_OF_LEADER] = "... a leader's, for longer than it may",
    [SEEN_FULL] = "writes that found the disk full",
    [SEEN_FULL_LEADER] = "... of a leader",
    [SEEN_FULL_OVER] = "disks that had room again, without a restart",
    [SEEN_CUT] = "cuts",
    [SEEN_ONE_WAY] = "one-way cuts",
    [SEEN_CLOG] = "clogged links",
    [SEEN_FLIP] = "messages damaged, and dropped",
};

static void add_time(uint64_t *sum, uint64_t *max, uint64_t ns)
{
    *sum += ns;
    *max = ns > *max ? ns : *max;
}

void cover_add(struct cover *sum, const struct cover *run)
{
    for (unsigned i = 0; i < N_SEEN; i++) {
        sum->seen[i] += run->seen[i];
        sum->runs[i] += run->seen[i] > 0;
    }
    sum->n_runs++;
    add_time(&sum->led_ns, &sum->led_max, run->led_ns);
    add_time(&sum->written_ns, &sum->written_max, run->written_ns);
    add_time(&sum->healed_ns, &sum->healed_max, run->healed_ns);
}

static void print_time(const struct cover *sum, const char *what, uint64_t ns, uint64_t max)
{
    printf("%9.2f s, at most %6.2f s after the faults %s\n", (double)ns / 1e9 / (double)sum->n_runs,
           (double)max / 1e9, what);
}

void cover_print(const struct cover *sum)
{
    printf("     count   in runs\n");
    for (unsigned i = 0; i < N_SEEN; i++) {
        printf("%10" PRIu64 " %7.1f %%  %s\n", sum->seen[i],
               100.0 * (double)sum->runs[i] / (double)sum->n_runs, names[i]);
    }
    print_time(sum, "a quorum followed a leader", sum->led_ns, sum->led_max);
    print_time(sum, "new writes ended", sum->written_ns, sum->written_max);
    print_time(sum, "all agreed", sum->healed_ns, sum->healed_max);
}
