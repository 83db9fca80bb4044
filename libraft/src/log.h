/* log.h - what the core knows of the log: the term of every entry, and the newest entries
 * themselves.
 *
 *      snapshot_index
 *            |      (disk only)         (disk and memory)
 *     ...    S   |first ........|cache_first ............ last|
 *                 `--- runs: one (first index, term) per term ---'
 *
 * Terms compress to one run per term, so that any question about the past is answered from memory
 * whatever the length of the log. Data stands in blocks that entries point into: an entry never
 * moves. Empty blocks are kept for reuse, as many as the cache may fill, so that a steady stream of
 * appends, evictions and compactions allocates nothing (but for entries larger than a block). */
#pragma once

#include "alloc.h"

#include <muster/raft.h>

struct raft__run {
    raft_index first; /* the run reaches to the next run's first, or to the last entry */
    raft_term term;
};

struct raft__block;

struct raft__log {
    struct mu_allocator allocator;
    raft_index snapshot_index; /* newest snapshot; 0: none */
    raft_term snapshot_term;
    raft_index first;    /* oldest entry on disk that may still be asked for; last + 1 when empty */
    raft_index last;     /* >= first - 1 */
    raft_term prev_term; /* of first - 1; 0: unknown, or first is 1 */

    struct raft__run *runs; /* ascending; cover [first, last] */
    size_t n_runs, cap_runs;

    struct raft_entry *entries; /* [start, start + n) are entries cache_first to last */
    size_t start, n, cap;
    raft_index cache_first;
    size_t bytes; /* cost of the cached entries */

    struct raft__block *oldest, *newest; /* list of blocks, oldest first */
    struct raft__block *spare;           /* list of empty blocks, kept for reuse */
    size_t n_blocks;                     /* of the usual size, in use or spare */
    size_t blocks_max; /* beyond it, a block that becomes empty is freed; 1 at first */
};

void raft__log_init(struct raft__log *l, const struct mu_allocator *allocator);
void raft__log_fini(struct raft__log *l);
/* Keeps as many blocks as it takes to hold `bytes` of data. */
void raft__log_keep_blocks(struct raft__log *l, size_t bytes);

/* Forgets everything; the log is empty and continues at index + 1, with a snapshot at index (0:
 * none). */
void raft__log_reset(struct raft__log *l, raft_index index, raft_term term);
/* An empty log without cached entries will start at first instead of snapshot_index + 1
 * (restoring). */
void raft__log_start_at(struct raft__log *l, raft_index first);

/* The term of an entry, of first - 1 or of the snapshot; false when it is not known here. Index 0
 * has term 0. */
bool raft__log_term(const struct raft__log *l, raft_index index, raft_term *term);
raft_term raft__log_last_term(const struct raft__log *l);
/* Does the log hold an entry (or snapshot) with this index and term? */
bool raft__log_matches(const struct raft__log *l, raft_index index, raft_term term);
/* The largest index <= `index` whose term is <= `term`, to skip a whole conflicting term at once
 * (Raft 5.3); first - 1 when there is none. */
raft_index raft__log_find_conflict(const struct raft__log *l, raft_index index, raft_term term);

/* Copies e, whose index must be last + 1 and whose term must not fall. False when out of memory. */
bool raft__log_append(struct raft__log *l, const struct raft_entry *e);
/* Drops entries >= from; from >= first. */
void raft__log_truncate(struct raft__log *l, raft_index from);
/* Drops entries < first <= last + 1. */
void raft__log_compact(struct raft__log *l, raft_index first);
/* Drops cached entries up to `upto` from the front, until at most bytes_max are left. */
void raft__log_evict(struct raft__log *l, raft_index upto, size_t bytes_max);

/* Lends cached entries from first (>= cache_first) to at most last: as many as have bytes_max of
 * data, though at least one, and at most n_max. *n is 0 when the range is empty. */
const struct raft_entry *raft__log_slice(const struct raft__log *l, raft_index first,
                                         raft_index last, size_t bytes_max, size_t n_max,
                                         size_t *n);
/* A cached entry. */
const struct raft_entry *raft__log_at(const struct raft__log *l, raft_index index);

/* What an entry counts for in limits. */
static inline size_t raft__entry_cost(const struct raft_entry *e)
{
    return e->len + sizeof *e;
}
