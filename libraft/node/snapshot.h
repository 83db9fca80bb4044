/* snapshot.h - snapshot files: written under another name, checked, renamed; read with every byte
 * checked.
 *
 * A file is named snapshot-<index, 16 hexadecimal digits>.snap. Little endian:
 *
 *   header    8 magic "MUSTSNAP"     4 version, 1      4 length of configuration, to 64 KiB
 *             8 index                8 term            8 index of the configuration
 *             n configuration        4 CRC32C of all this
 *   chunks    4 length, to 64 KiB    4 CRC32C          n data
 *   end       4 zero                 4 CRC32C          8 total bytes of all data
 *
 * The CRC32C of a chunk continues that of the header, then of the chunk's ordinal (8 bytes, from 0
 * on) and length, then of its data; the end counts as a chunk of length zero whose data is the
 * total. So a chunk that is missing, doubled or out of place fails as surely as one that is
 * damaged. The same bytes travel when a leader sends a snapshot. */
#pragma once

#include "file.h"

#include <stdatomic.h>

#define SNAPSHOT_CHUNK_BYTES       ((size_t)64 << 10)
#define SNAPSHOT_CONFIGURATION_MAX ((size_t)64 << 10)
#define SNAPSHOTS_KEPT             2u

struct raft_node_writer;
struct raft_node_reader;

bool raft_node__snapshot_path(char out[PATH_BYTES], const char *dir, raft_index index);

/* Begins the snapshot of meta (copied) in dir. Once *cancelled (NULL: never) is true, writing
 * fails. All pointers but meta and diag must outlive the writer. */
int raft_node__snapshot_create(const char *dir, const struct raft_snapshot_meta *meta,
                               const struct file_ops *ops, const struct mu_allocator *allocator,
                               const atomic_bool *cancelled, struct raft_node_writer **out,
                               struct raft_node_diag *diag);
/* Ends the file, syncs it, reads it back to check it, gives it its name, and frees the writer. If
 * anything failed, now or in raft_node_snapshot_write, the file is removed and the first error
 * returned. */
int raft_node__snapshot_finish(struct raft_node_writer *w, struct raft_node_diag *diag);
/* Removes the file and frees; NULL is allowed. */
void raft_node__snapshot_abort(struct raft_node_writer *w);

/* Opens a snapshot file; the header is checked. Free with raft_node__snapshot_close.
 * Errors: RAFT_NODE_EIO, RAFT_NODE_ECORRUPT, RAFT_ENOMEM. */
int raft_node__snapshot_open(const char *path, const struct mu_allocator *allocator,
                             struct raft_node_reader **out, struct raft_node_diag *diag);
/* Lends. */
const struct raft_snapshot_meta *raft_node__snapshot_meta(const struct raft_node_reader *r);
/* Why the last read failed. */
const struct raft_node_diag *raft_node__snapshot_diag(const struct raft_node_reader *r);
void raft_node__snapshot_close(struct raft_node_reader *r); /* NULL is allowed */
/* Reads the whole file: 0 if every checksum holds and it is the snapshot of meta (NULL: of
 * anything). */
int raft_node__snapshot_verify(const char *path, const struct raft_snapshot_meta *meta,
                               const struct mu_allocator *allocator, struct raft_node_diag *diag);

/* The indexes of the snapshot files in dir, newest first; at most cap. Returns how many, or a
 * negative error. */
int raft_node__snapshot_list(const char *dir, raft_index *indexes, size_t cap,
                             struct raft_node_diag *diag);
/* Deletes all but the newest SNAPSHOTS_KEPT, and what crashes left unfinished. */
void raft_node__snapshot_prune(const char *dir);

/* --- A snapshot that arrives from the leader in chunks --- */

struct install {
    int fd; /* -1: none under way */
    raft_index index;
    uint64_t offset; /* where the next chunk begins */
};
#define INSTALL_NONE ((struct install){.fd = -1})

/* Writes a chunk; offset 0 begins anew. With `last`, syncs the file, checks all of it and gives it
 * its name. On failure the install is given up. */
int raft_node__install_write(struct install *in, const char *dir, const struct file_ops *ops,
                             const struct mu_allocator *allocator,
                             const struct raft_snapshot_write *chunk, struct raft_node_diag *diag);
void raft_node__install_abort(struct install *in, const char *dir);
