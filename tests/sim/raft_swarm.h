/* raft_swarm.h - one run of a simulated cluster of raft cores. */
#pragma once

#include "raft_host.h"

/* Runs the seed with so many servers at first (0: the seed picks that too), adds what was counted
 * to sum, and gives the hash of its trace. A failure ends the program. */
uint64_t swarm_run(uint64_t seed, unsigned nodes, bool verbose, struct checks *sum);
/* Ends the program as a failure of the run that is under way. */
_Noreturn void swarm_fail(const char *what);
