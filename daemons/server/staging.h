/* staging.h - a snapshot archive on its way through the log (docs/decisions.md).
 *
 * A restore is a series of log entries of a type of our own: one begins it, others carry the
 * archive piece by piece, the last one makes it the state. Every server gathers the pieces, so that
 * the same entry gives all of them the same state at the same place of the log. As long as pieces
 * are gathered no Raft snapshot is taken: none could ever stand in the middle of them.
 *
 *     type 64 (1), step (1), id (8, big endian), then
 *     begin: length of the archive (8)    part: offset (8), bytes    commit, abort: nothing */
#pragma once

#include <muster/catalog.h>

#define SERVER_ENTRY_RESTORE 64 /* behind Consul's types, and not to be ignored */
#define STAGING_HEAD         18 /* bytes before those of a part */

enum staging_step { STAGING_BEGIN = 1, STAGING_PART, STAGING_COMMIT, STAGING_ABORT };

struct staging; /* NULL: nothing is gathered */

/* Writes the head of an entry; at is the length (begin) or the offset (part). Returns its length.
 */
size_t staging_write_head(uint8_t out[STAGING_HEAD], enum staging_step step, uint64_t id,
                          uint64_t at);

enum staging_outcome {
    STAGING_TAKEN,
    STAGING_REFUSED,  /* error says why; what was gathered is gone */
    STAGING_COMPLETE, /* commit: the archive may be restored (staging_restore) */
};
/* Takes an entry (type byte included), in log order. Out of memory: aborts the process, as to go on
 * would be to diverge. */
enum staging_outcome staging_take(struct staging **s, const void *entry, size_t len,
                                  const char **error);
/* Makes what was gathered the catalog's state, outside of batches, and forgets it. NULL: done;
 * otherwise why not, lent until the next call, and the catalog is as it was. */
const char *staging_restore(struct staging **s, struct catalog *c, uint64_t index,
                            struct catalog_touched **touched);
uint64_t staging_id(const struct staging *s);
void staging_drop(struct staging **s);
