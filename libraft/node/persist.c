#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One persist of the core on its way through the disk thread: a copy of all it says, in one block
 * of memory. */
struct persist_job {
    struct disk_job job; /* first */
    struct persist_job *next;
    struct raft_node *node;
    uint64_t id;
    uint64_t queued_ns;
    bool has_hard;
    struct raft_hard_state hard;
    raft_index reset_to; /* 0: none */
    struct raft_entry *entries;
    size_t count;
    size_t taken; /* entries that the log has taken: where to go on after a full disk */
    bool has_cut; /* the conflicting suffix is gone */
};

/* Each step happens once, though the job may be run again. */
static int run_persist(struct disk_job *job, struct log *log)
{
    struct persist_job *p = (struct persist_job *)(void *)job;
    int rc = 0;
    if (p->has_hard) {
        rc = raft_node__log_set_hard_state(log, &p->hard, &job->diag);
        p->has_hard = rc != 0;
    }
    if (rc == 0 && p->reset_to != 0) {
        /* The term is in the snapshot */
        rc = raft_node__log_reset(log, p->reset_to, 0, &job->diag);
        p->reset_to = rc == 0 ? 0 : p->reset_to;
    }
    if (rc == 0 && p->count > 0 && !p->has_cut) {
        raft_index before = p->entries[0].index - 1;
        rc = before < raft_node__log_last_index(log) ? raft_node__log_cut(log, before, &job->diag)
                                                     : 0;
        p->has_cut = rc == 0;
    }
    while (rc == 0 && p->taken < p->count) {
        rc = raft_node__log_append(log, &p->entries[p->taken], &job->diag);
        p->taken += rc == 0;
    }
    return rc;
}

static void persist_done(struct disk_job *job)
{
    struct persist_job *p = (struct persist_job *)(void *)job;
    struct raft_node *n = p->node;
    n->persist_first = p->next; /* they come back in order */
    n->persist_last = n->persist_first ? n->persist_last : &n->persist_first;
    if (job->rc == 0 && n->failure == 0) {
        raft_persisted(n->core, raft_node__now(), p->id);
        raft_node__kick(n);
    }
    mu__free(&n->allocator, p);
}

/* Copies the entries and their data behind the job. */
static struct persist_job *copy_persist(const struct raft_node *n, const struct raft_persist *src)
{
    size_t bytes = 0;
    for (size_t i = 0; i < src->n; i++) {
        bytes += src->entries[i].len;
    }
    size_t head = sizeof(struct persist_job), table = src->n * sizeof *src->entries;
    struct persist_job *p = mu__alloc(&n->allocator, head + table + bytes);
    if (!p) {
        return NULL;
    }
    memset(p, 0, head);
    p->entries = (struct raft_entry *)(void *)(p + 1);
    p->count = src->n;
    uint8_t *data = (uint8_t *)(p->entries + src->n);
    for (size_t i = 0; i < src->n; i++) {
        p->entries[i] = src->entries[i];
        p->entries[i].data = data;
        if (src->entries[i].len > 0) {
            memcpy(data, src->entries[i].data, src->entries[i].len);
        }
        data += src->entries[i].len;
    }
    return p;
}

bool raft_node__persist(struct raft_node *n, const struct raft_persist *src)
{
    struct persist_job *p = copy_persist(n, src);
    if (!p) {
        return false;
    }
    p->job.is_write = true;
    p->job.run = run_persist;
    p->job.done = persist_done;
    p->node = n;
    p->id = src->id;
    p->queued_ns = raft_node__now();
    p->reset_to = src->reset_to;
    p->has_hard = src->hard != NULL;
    if (src->hard) {
        p->hard = *src->hard;
    }
    *n->persist_last = p;
    n->persist_last = &p->next;
    raft_node__disk_queue(n->disk, &p->job);
    return true;
}

uint64_t raft_node__oldest_write_ns(const struct raft_node *n)
{
    return n->persist_first ? raft_node__now() - n->persist_first->queued_ns : 0;
}

/* --- What the core wants to have read --- */

struct load_job {
    struct disk_job job; /* first */
    struct raft_node *node;
    struct raft_load load;
    char path[PATH_BYTES];
    struct log_batch batch; /* entries */
    uint8_t *bytes;         /* snapshot */
    size_t len;
    bool is_last;
};

static int run_load_entries(struct disk_job *job, struct log *log)
{
    struct load_job *l = (struct load_job *)(void *)job;
    return raft_node__log_read(log, l->load.first, l->load.last, l->load.bytes_max, &l->batch,
                               &job->diag);
}

static int read_snapshot_bytes(struct load_job *l, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return raft_node__fail_io(&l->job.diag, errno, "read", l->path);
    }
    uint64_t size = (uint64_t)st.st_size;
    uint64_t left = l->load.offset < size ? size - l->load.offset : 0; /* it is asked ahead */
    l->len = left < l->load.bytes_max ? (size_t)left : l->load.bytes_max;
    l->is_last = l->len == left;
    l->bytes = mu__alloc(&l->node->allocator, l->len ? l->len : 1);
    if (!l->bytes) {
        return RAFT_ENOMEM;
    }
    int err = raft_node__pread(fd, l->bytes, l->len, l->load.offset);
    return err == 0 ? 0 : raft_node__fail_io(&l->job.diag, err, "read", l->path);
}

static int run_load_snapshot(struct disk_job *job, struct log *log)
{
    (void)log;
    struct load_job *l = (struct load_job *)(void *)job;
    int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return raft_node__fail_io(&job->diag, errno, "open", l->path);
    }
    int rc = read_snapshot_bytes(l, fd);
    close(fd);
    return rc;
}

/* Answers the core. Entries that cannot be read back are damage; a snapshot may rightly be gone. */
static void deliver_load(struct raft_node *n, struct load_job *l)
{
    uint64_t now = raft_node__now();
    int rc = l->job.rc;
    if (l->load.kind == RAFT_LOAD_SNAPSHOT) {
        if (rc != 0) {
            raft_node__logf(&n->log, MU_WARN, "raft: a snapshot cannot be sent: %s",
                            l->job.diag.text);
        }
        rc = raft_loaded_snapshot(n->core, now, l->load.id, rc == 0 ? l->bytes : NULL, l->len,
                                  l->is_last);
    } else if (rc == RAFT_NODE_ECORRUPT || rc == RAFT_NODE_EIO) {
        raft_node__fail_node(n, rc, "%s", l->job.diag.text);
        return;
    } else {
        rc = raft_loaded_entries(n->core, now, l->load.id, l->batch.entries, l->batch.n);
    }
    if (rc != RAFT_OK) {
        raft_node__logf(&n->log, MU_WARN, "raft: what was read for a follower is of no use: %s",
                        raft_strerror(rc));
    }
}

static void load_done(struct disk_job *job)
{
    struct load_job *l = (struct load_job *)(void *)job;
    struct raft_node *n = l->node;
    if (job->rc != RAFT_NODE_ESTOPPED && n->failure == 0) {
        deliver_load(n, l);
        raft_node__kick(n);
    }
    raft_node__log_batch_free(&n->allocator, &l->batch);
    mu__free(&n->allocator, l->bytes);
    mu__free(&n->allocator, l);
}

bool raft_node__load(struct raft_node *n, const struct raft_load *load)
{
    struct load_job *l = mu__calloc(&n->allocator, 1, sizeof *l);
    if (!l) {
        return false;
    }
    l->node = n;
    l->load = *load;
    l->job.run = load->kind == RAFT_LOAD_ENTRIES ? run_load_entries : run_load_snapshot;
    l->job.done = load_done;
    /* start.c saw to it that names fit */
    raft_node__snapshot_path(l->path, n->dir, load->snapshot);
    raft_node__disk_queue(n->disk, &l->job);
    return true;
}

/* --- Deleting old segments --- */

struct compact_job {
    struct disk_job job; /* first */
    struct raft_node *node;
    raft_index first;
};

static int run_compact(struct disk_job *job, struct log *log)
{
    return raft_node__log_compact(log, ((struct compact_job *)(void *)job)->first, &job->diag);
}

static void compact_done(struct disk_job *job)
{
    struct raft_node *n = ((struct compact_job *)(void *)job)->node;
    if (job->rc != 0 && job->rc != RAFT_NODE_ESTOPPED) {
        raft_node__logf(&n->log, MU_WARN, "raft: old log files stay: %s", job->diag.text);
    }
    mu__free(&n->allocator, job);
}

/* The disk keeps what the older of the two snapshots would need, so that it can stand in for a
 * damaged newer one. */
bool raft_node__compact(struct raft_node *n, raft_index first)
{
    raft_index wanted = n->older_saved_index + 1 < first ? n->older_saved_index + 1 : first;
    if (wanted <= n->compacted_to) {
        return true;
    }
    struct compact_job *c = mu__calloc(&n->allocator, 1, sizeof *c);
    if (!c) {
        return false;
    }
    n->compacted_to = wanted;
    c->node = n;
    c->first = wanted;
    c->job.run = run_compact;
    c->job.done = compact_done;
    raft_node__disk_queue(n->disk, &c->job);
    return true;
}
