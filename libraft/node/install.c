#include "node.h"

#include <string.h>

/* A chunk of a snapshot from the leader on its way to the disk. */
struct chunk_job {
    struct disk_job job; /* first */
    struct raft_node *node;
    /* Its data is behind the job; the configuration is in the file itself */
    struct raft_snapshot_write chunk;
};

int raft_node__restore_machine(struct raft_node *n, raft_index index, struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, n->dir, index);
    struct raft_node_reader *r;
    int rc = raft_node__snapshot_open(path, &n->allocator, &r, diag);
    if (rc != 0) {
        return rc;
    }
    if (n->cfg.machine.restore(n->cfg.machine.user, r) != 0) {
        const struct raft_node_diag *why = raft_node__snapshot_diag(r);
        rc = raft_node__fail(diag, why->text[0] ? RAFT_NODE_ECORRUPT : RAFT_NODE_EIO, "%s%.400s",
                             why->text[0] ? "" : "the state machine cannot be restored from ",
                             why->text[0] ? why->text : path);
    }
    raft_node__snapshot_close(r);
    return rc;
}

static int run_chunk(struct disk_job *job, struct log *log)
{
    (void)log;
    struct chunk_job *c = (struct chunk_job *)(void *)job;
    struct raft_node *n = c->node;
    int rc =
        raft_node__install_write(&n->install, n->dir, n->ops, &n->allocator, &c->chunk, &job->diag);
    if (rc == 0 && c->chunk.last) {
        raft_node__snapshot_prune(n->dir);
    }
    return rc;
}

/* The file is complete and checked: from here on the state is the snapshot's. */
static bool adopt_snapshot(struct raft_node *n, raft_index index, raft_term term)
{
    struct raft_node_diag diag;
    int rc = raft_node__restore_machine(n, index, &diag);
    if (rc != 0) {
        raft_node__fail_node(n, rc, "%s", diag.text);
        return false;
    }
    raft_node__note_snapshot(n, index, term);
    n->last_applied_term = term;
    atomic_store(&n->applied_index, index);
    raft_node__logf(&n->log, MU_INFO, "raft: installed the leader's snapshot of entry %llu",
                    (unsigned long long)index);
    return true;
}

static void chunk_done(struct disk_job *job)
{
    struct chunk_job *c = (struct chunk_job *)(void *)job;
    struct raft_node *n = c->node;
    if (job->rc != RAFT_NODE_ESTOPPED && n->failure == 0) {
        if (job->rc != 0) {
            raft_node__logf(&n->log, MU_WARN, "raft: the leader's snapshot is not taken: %s",
                            job->diag.text);
        }
        bool ok = job->rc == 0 &&
                  (!c->chunk.last || adopt_snapshot(n, c->chunk.meta.index, c->chunk.meta.term));
        if (n->failure == 0) {
            raft_snapshot_written(n->core, raft_node__now(), c->chunk.id, ok);
        }
        raft_node__kick(n);
    }
    mu__free(&n->allocator, c);
}

bool raft_node__write_chunk(struct raft_node *n, const struct raft_snapshot_write *chunk)
{
    struct chunk_job *c = mu__alloc(&n->allocator, sizeof *c + chunk->len);
    if (!c) {
        return false;
    }
    memset(c, 0, sizeof *c);
    c->node = n;
    c->chunk = *chunk;
    c->chunk.meta.configuration = NULL;
    c->chunk.meta.configuration_len = 0;
    c->chunk.data = c + 1;
    if (chunk->len > 0) {
        memcpy(c + 1, chunk->data, chunk->len);
    }
    c->job.run = run_chunk;
    c->job.done = chunk_done;
    raft_node__disk_queue(n->disk, &c->job);
    return true;
}
