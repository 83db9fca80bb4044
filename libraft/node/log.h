/* log.h - the durable log: entries, term and vote in a row of segment files (layout: segment.h).
 *
 * Everything is appended; a conflicting suffix is voided by a CUT record, a log that a snapshot
 * replaced by a RESET record, so that each change is crash-atomic by its checksum and one fdatasync
 * makes all of them durable in order. Files are named log-<sequence, 16 hexadecimal digits>.seg,
 * without gaps; only the last is ever written. A new one is made under another name, filled with
 * its header, synced and renamed, so that a named segment always has one.
 *
 * Threads: one at a time. */
#pragma once

#include "file.h"
#include "segment.h"

struct log_config {
    const char *dir; /* must outlive the log */
    uint32_t segment_bytes;
    size_t entry_bytes_max;
    const struct file_ops *ops; /* must outlive the log */
    struct mu_allocator allocator;
    struct node_log log;
    uint64_t (*entropy)(void); /* for the salts; NULL: the system's */
};

/* Hears what the log holds, oldest first, while it is replayed. Entries follow each other without
 * gaps. Each may be NULL. */
struct log_visitor {
    void *user;
    /* Empty; goes on after index. Called first of all */
    void (*reset)(void *user, raft_index index, raft_term term);
    /* Lent. 0, or an error that ends the opening */
    int (*entry)(void *user, const struct raft_entry *e);
    void (*cut)(void *user, raft_index index); /* entries after index are void */
    /* Each record as it stands in its file, after it took effect. 0, or an error that ends it. */
    int (*record)(void *user, const char *path, uint64_t offset, const struct record *r);
};

struct log;

/* Opens or makes the log of cfg->dir (which exists); visitor may be NULL. Repairs a torn tail, and
 * says so in a log line. Errors: RAFT_NODE_ECORRUPT, RAFT_NODE_EIO, RAFT_NODE_ENOSPC, RAFT_ENOMEM,
 * or what visitor->entry returned. */
int raft_node__log_open(const struct log_config *cfg, const struct log_visitor *visitor,
                        struct log **out, struct raft_node_diag *diag);
void raft_node__log_close(struct log *l); /* NULL is allowed. What was not committed is lost */

const struct raft_hard_state *raft_node__log_hard_state(const struct log *l); /* lends */
raft_index raft_node__log_last_index(const struct log *l);
raft_index raft_node__log_first_index(const struct log *l); /* last + 1 when it is empty */

/* These queue a change; nothing is promised before raft_node__log_commit. On RAFT_NODE_ENOSPC the
 * change was not taken and the call can be repeated; after RAFT_NODE_EIO the log must be closed. */
int raft_node__log_set_hard_state(struct log *l, const struct raft_hard_state *hs,
                                  struct raft_node_diag *diag);
int raft_node__log_append(struct log *l, const struct raft_entry *e, struct raft_node_diag *diag);
int raft_node__log_cut(struct log *l, raft_index index, struct raft_node_diag *diag);
int raft_node__log_reset(struct log *l, raft_index index, raft_term term,
                         struct raft_node_diag *diag);

/* Makes all that was queued durable: one write, one fdatasync. After RAFT_NODE_ENOSPC it can be
 * called again; any other failure is final, because what a failed fsync left on the disk cannot be
 * known. */
int raft_node__log_commit(struct log *l, struct raft_node_diag *diag);

/* Deletes the segments that hold nothing from index `first` on. Failing to is no harm; it returns
 * what happened. */
int raft_node__log_compact(struct log *l, raft_index first, struct raft_node_diag *diag);

/* Entries read back, ascending without a gap. */
struct log_batch {
    struct raft_entry *entries; /* their data is in bytes */
    size_t n;
    uint8_t *bytes;
};
/* Reads entries from `first` on, at most to `last` and about bytes_max of data, but at least one; n
 * is 0 when first is not in the log. Free with raft_node__log_batch_free. Errors: RAFT_NODE_EIO,
 * RAFT_NODE_ECORRUPT, RAFT_ENOMEM. */
int raft_node__log_read(struct log *l, raft_index first, raft_index last, size_t bytes_max,
                        struct log_batch *out, struct raft_node_diag *diag);
void raft_node__log_batch_free(const struct mu_allocator *a, struct log_batch *b);
