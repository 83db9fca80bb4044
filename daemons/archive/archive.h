/* archive.h - snapshot archives: a gzipped tar, laid out as Consul's.
 *
 *     meta.json    what the snapshot is of: {"Version":1,"ID":"2-16-1795392821469","Index":16,...}
 *     state.bin    the state; ours is a catalog's snapshot (libcatalog), not Consul's
 *     SHA256SUMS   "<hex>  meta.json\n<hex>  state.bin\n"
 *
 * in this order. Both directions work through a window of fixed size, whatever the archive's. Any
 * thread; one at a time per object. */
#pragma once

#include <muster/mu.h>
#include <muster/raft.h>
#include <stdbool.h>

#define ARCHIVE_BYTES_MAX (UINT64_C(1) << 30) /* of an archive */
#define ARCHIVE_STATE_MAX (UINT64_C(2) << 30) /* of the state in it */
#define ARCHIVE_ERROR_MAX 256
#define ARCHIVE_SHA_BYTES 32

struct archive_meta {
    char id[80];
    uint64_t version, index, term, configuration_index;
    uint64_t size; /* of state.bin */
};

/* Takes bytes: 0, or anything else to give up. Gives bytes: *len is the room, then how many came,
 * 0 at the end. */
typedef int (*archive_write_fn)(void *user, const void *data, size_t len);
typedef int (*archive_read_fn)(void *user, void *buf, size_t *len);

/* ---- Writing ---- */

/* Writes a whole archive. read gives the state, which must be meta->size bytes. servers may be
 * NULL. False with a sentence in err. */
bool archive_write(const struct archive_meta *meta, const struct raft_configuration *servers,
                   archive_read_fn read, void *read_user, archive_write_fn write, void *write_user,
                   char err[ARCHIVE_ERROR_MAX]) MU_MUST_USE;

/* ---- Reading ---- */

struct archive_reader;
/* Gives *out, to be freed with archive_close; its meta data have been read. False with a sentence
 * in err, in Consul's words where it has some. */
bool archive_open(archive_read_fn read, void *user, struct archive_reader **out,
                  char err[ARCHIVE_ERROR_MAX]) MU_MUST_USE;
const struct archive_meta *archive_meta(const struct archive_reader *r);
/* The next bytes of the state, as an archive_read_fn whose user is the reader. Before its last
 * bytes are given the rest of the archive is read and everything checked: who needs all of the
 * state to act on it acts on a whole archive with right sums only. */
int archive_read_state(void *reader, void *buf, size_t *len);
const char *archive_error(const struct archive_reader *r); /* why reading failed; "" if not */
void archive_close(struct archive_reader *r);              /* NULL is allowed */
