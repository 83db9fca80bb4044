/* quorum.h - what a majority agrees on: pure functions over the voters' values. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The largest value that more than half of the n voters have reached; UINT64_MAX for no voters,
 * which hinders nothing. Reorders values. For match indexes it is what may be committed (Raft 5.3),
 * for times of last contact the time at which a majority still followed. */
uint64_t raft__quorum_value(uint64_t *values, size_t n);

enum raft__verdict { RAFT__PENDING = 0, RAFT__WON, RAFT__LOST };
/* The outcome of an election among n voters. */
enum raft__verdict raft__quorum_verdict(size_t n, size_t granted, size_t refused);
