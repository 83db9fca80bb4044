#include "log.h"

#include "log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

/* What a crash left of a segment that was being made. */
static void remove_unfinished(const char *dir)
{
    char path[PATH_BYTES];
    if (raft_node__path(path, dir, "log.tmp")) {
        unlink(path);
    }
}

/* Overwrites what an unfinished write left, so that it can never be taken for a record. */
static int repair_tail(struct log *l, int fd, const char *path, const struct log_tail *tail,
                       struct raft_node_diag *diag)
{
    int err = raft_node__log_zero(l->cfg.ops, fd, tail->end, tail->used);
    if (err != 0) {
        return raft_node__fail_io(diag, err, "repair", path);
    }
    raft_node__logf(&l->cfg.log, MU_WARN,
                    "%.300s ended in an unfinished write: %" PRIu64 " bytes from offset %" PRIu64
                    " on were dropped",
                    path, tail->used - tail->end, tail->end);
    return 0;
}

/* Opens the last segment for writing on, and syncs it: a crash of the process may have left records
 * that are in the page cache and not on the disk, and from now on they count as durable. */
static int adopt_last_segment(struct log *l, const struct log_tail *tail,
                              struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    raft_node__segment_path(path, l->cfg.dir, l->segments[l->segment_count - 1].sequence);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return raft_node__fail_io(diag, errno, "open", path);
    }
    int rc = tail->kind == TAIL_TORN ? repair_tail(l, fd, path, tail, diag) : 0;
    if (rc == 0) {
        int err = l->cfg.ops->sync(l->cfg.ops->user, fd);
        rc = err == 0 ? 0 : raft_node__fail_io(diag, err, "sync", path);
    }
    if (rc != 0) {
        close(fd);
        return rc;
    }
    l->fd = fd;
    l->size = tail->size;
    l->offset = l->synced = l->filled = tail->end;
    return 0;
}

int raft_node__log_open(const struct log_config *cfg, const struct log_visitor *visitor,
                        struct log **out, struct raft_node_diag *diag)
{
    *out = NULL;
    struct log *l = raft_node__log_new(cfg, diag);
    if (!l) {
        return RAFT_ENOMEM;
    }
    remove_unfinished(cfg->dir);
    struct log_tail tail;
    int rc = raft_node__log_replay(l, visitor, &tail, diag);
    if (rc == 0) {
        rc = l->segment_count > 0 ? adopt_last_segment(l, &tail, diag)
                                  : raft_node__log_begin_segment(l, 0, diag);
    }
    if (rc != 0) {
        raft_node__log_close(l);
        return rc;
    }
    *out = l;
    return 0;
}
