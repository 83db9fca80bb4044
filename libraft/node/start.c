#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOTS_TRIED   16u
#define RESTORE_BYTES_MAX ((size_t)4 << 20) /* of entries read back at once */

/* What is durable in a folder is gone with the folder's own name, which stands in its parent. */
static int make_folder(const struct raft_node *n, struct raft_node_diag *diag)
{
    bool is_new = mkdir(n->dir, 0700) == 0;
    if (!is_new && errno != EEXIST) {
        return raft_node__fail_io(diag, errno, "make the folder", n->dir);
    }
    char parent[PATH_BYTES];
    evutil_snprintf(parent, sizeof parent, "%s/..", n->dir);
    int err = n->ops->sync_dir(n->ops->user, parent); /* perhaps none of ours, if it is old */
    return err == 0 || !is_new ? 0
                               : raft_node__fail_io(diag, err, "sync the folder around", n->dir);
}

static int lock_folder(struct raft_node *n, struct raft_node_diag *diag)
{
    int rc = make_folder(n, diag);
    if (rc != 0) {
        return rc;
    }
    char path[PATH_BYTES];
    if (!raft_node__path(path, n->dir, "lock")) {
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    n->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (n->lock_fd < 0) {
        return raft_node__fail_io(diag, errno, "open", path);
    }
    if (flock(n->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return raft_node__fail(diag, RAFT_NODE_ELOCKED, "another process uses the folder %.300s",
                               n->dir);
    }
    return 0;
}

/* What a crash left unfinished. */
static void remove_unfinished(struct raft_node *n)
{
    static const char *const names[] = {"snapshot.tmp", "install.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_BYTES];
        if (raft_node__path(path, n->dir, names[i])) {
            unlink(path);
        }
    }
}

static int create_core(struct raft_node *n)
{
    struct raft_config cfg;
    raft_config_init(&cfg);
    cfg.id = n->id;
    cfg.address = n->address;
    cfg.seed = n->cfg.seed;
    cfg.heartbeat_ns = n->cfg.heartbeat_ns;
    cfg.election_timeout_ns = n->cfg.election_timeout_ns;
    cfg.lease_ns = n->cfg.lease_ns;
    cfg.persist_stall_ns = n->cfg.persist_stall_ns;
    cfg.entry_bytes_max = n->cfg.entry_bytes_max;
    cfg.backlog_bytes_max = n->cfg.backlog_bytes_max;
    cfg.cache_bytes_max = n->cfg.cache_bytes_max;
    cfg.message_bytes_max = RAFT_NODE__MESSAGE_BYTES;
    cfg.snapshot_chunk_bytes = RAFT_NODE__CHUNK_BYTES;
    cfg.tail_entries = n->cfg.snapshot_trailing;
    cfg.allocator = &n->allocator;
    cfg.user = n->log.user;
    cfg.log = n->log.log;
    return raft_create(&cfg, &n->core);
}

static int open_log(struct raft_node *n, struct raft_node_diag *diag)
{
    struct log_config cfg = {
        .dir = n->dir,
        .segment_bytes = n->cfg.segment_bytes,
        /* What is in the log was accepted once; the core limits what comes */
        .entry_bytes_max = RAFT_ENTRY_BYTES_MAX,
        .ops = n->ops,
        .allocator = n->allocator,
        .log = n->log,
    };
    return raft_node__log_open(&cfg, NULL, &n->disk_log, diag);
}

static int use_snapshot(struct raft_node *n, raft_index index, struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, n->dir, index);
    struct raft_node_reader *r;
    int rc = raft_node__snapshot_open(path, &n->allocator, &r, diag);
    if (rc != 0) {
        return rc;
    }
    const struct raft_snapshot_meta *meta = raft_node__snapshot_meta(r);
    rc = raft_restore_snapshot(n->core, meta);
    if (rc != 0) {
        rc = raft_node__fail(diag, RAFT_NODE_ECORRUPT,
                             "%.300s holds a configuration that is none: delete this file", path);
    }
    raft_term term = meta->term;
    raft_node__snapshot_close(r);
    if (rc == 0) {
        rc = raft_node__restore_machine(n, index, diag);
    }
    if (rc == 0) {
        n->saved_index = index;
        n->saved_term = term;
        n->last_applied_term = term;
        atomic_store(&n->applied_index, index);
    }
    return rc;
}

/* The newest snapshot whose every checksum holds; 0: none. Those that fail are said in the log and
 * passed over. */
static int choose_snapshot(struct raft_node *n, raft_index *index, struct raft_node_diag *diag)
{
    raft_index found[SNAPSHOTS_TRIED];
    int count = raft_node__snapshot_list(n->dir, found, SNAPSHOTS_TRIED, diag);
    *index = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        struct raft_node_diag why;
        raft_node__snapshot_path(path, n->dir, found[i]);
        int rc = raft_node__snapshot_verify(path, NULL, &n->allocator, &why);
        if (rc == 0 && *index == 0) {
            *index = found[i];
        } else if (rc == 0) {
            n->older_saved_index = found[i];
            break;
        } else if (rc != RAFT_NODE_ECORRUPT) {
            return raft_node__fail(diag, rc, "%s", why.text);
        } else {
            raft_node__logf(&n->log, MU_ERROR, "raft: %s", why.text);
        }
    }
    return count < 0 ? count : 0;
}

/* Without the snapshot that the log was shortened for, what came before the log is lost here. */
static int check_gap(const struct raft_node *n, raft_index snapshot, struct raft_node_diag *diag)
{
    raft_index first = raft_node__log_first_index(n->disk_log);
    if (first <= snapshot + 1) {
        return 0;
    }
    return raft_node__fail(
        diag, RAFT_NODE_ECORRUPT,
        "%.200s: the log begins with entry %llu, but the newest snapshot that can be read ends "
        "with %llu: put the missing snapshot back, or empty the folder and let the server join "
        "anew, under a new id",
        n->dir, (unsigned long long)first, (unsigned long long)snapshot);
}

static int restore_entries(struct raft_node *n, struct raft_node_diag *diag)
{
    raft_index last = raft_node__log_last_index(n->disk_log);
    raft_index next = raft_node__log_first_index(n->disk_log);
    int rc = 0;
    while (rc == 0 && next <= last) {
        struct log_batch b;
        rc = raft_node__log_read(n->disk_log, next, last, RESTORE_BYTES_MAX, &b, diag);
        if (rc != 0) {
            break;
        }
        next += b.n;
        rc = raft_restore_entries(n->core, b.entries, b.n);
        if (rc != 0) {
            raft_node__fail(diag, rc, "the log in %.300s contradicts itself: %s", n->dir,
                            raft_strerror(rc));
            rc = rc == RAFT_ENOMEM ? rc : RAFT_NODE_ECORRUPT;
        }
        raft_node__log_batch_free(&n->allocator, &b);
    }
    return rc;
}

/* What the disk holds, in the order in which the core wants to hear it. */
static int restore(struct raft_node *n, struct raft_node_diag *diag)
{
    raft_index snapshot;
    int rc = choose_snapshot(n, &snapshot, diag);
    if (rc == 0) {
        rc = check_gap(n, snapshot, diag);
    }
    if (rc != 0) {
        return rc;
    }
    const struct raft_hard_state *hard = raft_node__log_hard_state(n->disk_log);
    if (hard->term > 0 && (rc = raft_restore_hard_state(n->core, hard)) != 0) {
        return raft_node__fail(diag, RAFT_NODE_ECORRUPT, "the vote in %.300s is not one: %s",
                               n->dir, raft_strerror(rc));
    }
    if (snapshot > 0 && (rc = use_snapshot(n, snapshot, diag)) != 0) {
        return rc;
    }
    return restore_entries(n, diag);
}

int raft_node__open(struct raft_node *n, struct raft_node_diag *diag)
{
    int rc = lock_folder(n, diag);
    if (rc != 0) {
        return rc;
    }
    remove_unfinished(n);
    if ((rc = create_core(n)) != 0) {
        return raft_node__fail(diag, rc, "the raft core refuses its configuration: %s",
                               raft_strerror(rc));
    }
    rc = open_log(n, diag);
    return rc == 0 ? restore(n, diag) : rc;
}
