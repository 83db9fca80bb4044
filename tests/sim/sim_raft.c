/* sim_raft.c - whole clusters of raft cores under seeded faults.
 *
 *   sim_raft [--seed S] [--nodes N] [--runs R] [--verbose] [--coverage]
 *
 * A failing run prints its last trace lines and the line that repeats it. */
#include "raft_swarm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void on_abort(int signal)
{
    (void)signal;
    swarm_fail("an assertion");
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, runs = 1;
    unsigned nodes = 0;
    bool verbose = false, coverage = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--coverage") == 0) {
            coverage = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 0);
        } else if (i + 1 < argc && strcmp(argv[i], "--nodes") == 0) {
            nodes = (unsigned)strtoul(argv[++i], NULL, 0);
        } else if (i + 1 < argc && strcmp(argv[i], "--runs") == 0) {
            runs = strtoull(argv[++i], NULL, 0);
        } else {
            fprintf(stderr, "usage: sim_raft [--seed S] [--nodes N] [--runs R] [--verbose] "
                            "[--coverage]\n");
            return 2;
        }
    }
    if (nodes > 9) {
        fprintf(stderr, "sim_raft: at most 9 nodes\n");
        return 2;
    }
    signal(SIGABRT, on_abort);
    printf("sim_raft: seeds 0x%" PRIx64 " and %" PRIu64 " more\n", seed, runs - 1);
    fflush(stdout);
    struct checks sum = {.n = 0};
    uint64_t hash = 0;
    for (uint64_t k = 0; k < runs; k++) {
        uint64_t h = swarm_run(seed + k, nodes, verbose, &sum);
        if (k == 0 && !verbose && swarm_run(seed, nodes, false, &sum) != h) {
            printf("FAILED: seed 0x%" PRIx64 " gave two different runs\n", seed);
            return 1;
        }
        hash = sim_fnv(hash, &h, sizeof h);
    }
    if (coverage) {
        cover_print(&sum.cover);
    }
    const struct raft_stats *st = &sum.stats;
    printf("%" PRIu64 " elections, %" PRIu64 " step-downs, %" PRIu64 " entries truncated, %" PRIu64
           " appends resent, %" PRIu64 " snapshots installed, %" PRIu64 " loads\n",
           st->elections_won, st->step_downs, st->entries_truncated, st->appends_resent,
           st->snapshots_installed, st->loads);
    printf("ok: %" PRIu64 " runs, %zu events, %" PRIu64 " writes, %" PRIu64
           " quorum reads, %" PRIu64 " lease reads, hash %016" PRIx64 "\n",
           runs, sum.n, sum.writes, sum.reads, sum.lease_reads, hash);
    return 0;
}
