/* disk.h - the disk thread: does what is slow, in order, and syncs once for all writes that queued
 * meanwhile.
 *
 * The core loop queues jobs. Those that write to the log are run one after the other and then made
 * durable by one commit (group commit: while it runs, the next ones queue up); others run between
 * commits. A job's `done` runs on the core loop, in the order of queuing.
 *
 * A full disk makes the thread wait and try the same step again; the node is told, and told again
 * when it went on. Any other failure of a write is final: the node is told once, and every later
 * job ends with RAFT_NODE_ESTOPPED. */
#pragma once

#include "log.h"
#include "mailbox.h"

struct disk;
struct disk_job {
    struct letter letter; /* how it comes back; the disk's own */
    struct disk_job *next;
    bool is_write;
    int rc;
    struct raft_node_diag diag; /* when rc is not 0 */
    /* On the disk thread. A write queues into the log and may be called again after it returned
     * RAFT_NODE_ENOSPC. */
    int (*run)(struct disk_job *job, struct log *log);
    /* On the core loop; frees the job. job->rc: what run returned, or RAFT_NODE_ESTOPPED if it did
     * not take effect. */
    void (*done)(struct disk_job *job);
};

struct disk_config {
    struct mailbox *mailbox; /* must outlive the disk */
    struct log *log;         /* likewise; used by the disk thread alone while it runs */
    uint64_t retry_ns;       /* between attempts on a full disk */
    struct mu_allocator allocator;
    void *user;
    void (*full)(void *user, bool is_full, const char *sentence); /* core loop */
    void (*failed)(void *user, int code, const char *sentence);   /* core loop; once */
};

/* 0, RAFT_ENOMEM or RAFT_NODE_EIO */
int raft_node__disk_start(const struct disk_config *cfg, struct disk **out);
void raft_node__disk_queue(struct disk *d, struct disk_job *job); /* takes the job */
/* Ends the thread after the step under way, and posts all jobs that are left with
 * RAFT_NODE_ESTOPPED. The mailbox has to be opened afterwards, before raft_node__disk_free. */
void raft_node__disk_stop(struct disk *d);
void raft_node__disk_free(struct disk *d); /* NULL is allowed */
