#include "snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INSTALL_TEMPORARY "install.tmp"

bool raft_node__snapshot_path(char out[PATH_BYTES], const char *dir, raft_index index)
{
    char name[48];
    snprintf(name, sizeof name, "snapshot-%016llx.snap", (unsigned long long)index);
    return raft_node__path(out, dir, name);
}

/* Puts index into the descending list, dropping the smallest when it is full. */
static size_t insert(raft_index *indexes, size_t n, size_t cap, raft_index index)
{
    size_t at = 0;
    while (at < n && indexes[at] > index) {
        at++;
    }
    if (at == cap) {
        return n;
    }
    size_t kept = n < cap ? n : cap - 1;
    memmove(indexes + at + 1, indexes + at, (kept - at) * sizeof *indexes);
    indexes[at] = index;
    return kept + 1;
}

int raft_node__snapshot_list(const char *dir, raft_index *indexes, size_t cap,
                             struct raft_node_diag *diag)
{
    DIR *d = opendir(dir);
    if (!d) {
        return raft_node__fail_io(diag, errno, "open", dir);
    }
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        uint64_t index;
        if (raft_node__parse_name(e->d_name, "snapshot-", ".snap", &index)) {
            n = insert(indexes, n, cap, index);
        }
    }
    closedir(d);
    return (int)n;
}

void raft_node__snapshot_prune(const char *dir)
{
    raft_index kept[SNAPSHOTS_KEPT] = {0};
    int n = raft_node__snapshot_list(dir, kept, SNAPSHOTS_KEPT, NULL);
    DIR *d = n == (int)SNAPSHOTS_KEPT ? opendir(dir) : NULL;
    if (!d) {
        return;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        uint64_t index;
        char path[PATH_BYTES];
        if (raft_node__parse_name(e->d_name, "snapshot-", ".snap", &index) && index < kept[n - 1] &&
            raft_node__path(path, dir, e->d_name)) {
            unlink(path);
        }
    }
    closedir(d);
}

void raft_node__install_abort(struct install *in, const char *dir)
{
    char path[PATH_BYTES];
    if (in->fd >= 0) {
        close(in->fd);
    }
    *in = INSTALL_NONE;
    if (raft_node__path(path, dir, INSTALL_TEMPORARY)) {
        unlink(path);
    }
}

/* Makes the received file the snapshot of meta. */
static int install_publish(struct install *in, const char *dir, const char *temporary,
                           const struct file_ops *ops, const struct mu_allocator *allocator,
                           const struct raft_snapshot_meta *meta, struct raft_node_diag *diag)
{
    int err = ops->sync(ops->user, in->fd);
    if (err != 0) {
        return raft_node__fail_io(diag, err, "sync", temporary);
    }
    int rc = raft_node__snapshot_verify(temporary, meta, allocator, diag);
    if (rc != 0) {
        return rc;
    }
    char path[PATH_BYTES];
    if (!raft_node__snapshot_path(path, dir, meta->index)) {
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    err = rename(temporary, path) == 0 ? ops->sync_dir(ops->user, dir) : -errno;
    if (err != 0) {
        return raft_node__fail_io(diag, err, "rename", temporary);
    }
    close(in->fd);
    *in = INSTALL_NONE;
    return 0;
}

static int install_begin(struct install *in, const char *dir, const char *temporary,
                         const struct file_ops *ops, raft_index index, struct raft_node_diag *diag)
{
    raft_node__install_abort(in, dir);
    int fd = ops->create(ops->user, temporary);
    if (fd < 0) {
        return raft_node__fail_io(diag, fd, "create", temporary);
    }
    *in = (struct install){.fd = fd, .index = index};
    return 0;
}

int raft_node__install_write(struct install *in, const char *dir, const struct file_ops *ops,
                             const struct mu_allocator *allocator,
                             const struct raft_snapshot_write *chunk, struct raft_node_diag *diag)
{
    char temporary[PATH_BYTES];
    if (!raft_node__path(temporary, dir, INSTALL_TEMPORARY)) {
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    int rc = 0;
    if (chunk->offset == 0) {
        rc = install_begin(in, dir, temporary, ops, chunk->meta.index, diag);
    } else if (in->fd < 0 || in->index != chunk->meta.index || in->offset != chunk->offset) {
        rc = raft_node__fail(diag, RAFT_EPROTO,
                             "a chunk of snapshot %llu does not follow the one before",
                             (unsigned long long)chunk->meta.index);
    }
    if (rc == 0 && chunk->len > 0) {
        int err = ops->write(ops->user, in->fd, chunk->data, chunk->len, chunk->offset);
        rc = err == 0 ? 0 : raft_node__fail_io(diag, err, "write", temporary);
        in->offset += chunk->len;
    }
    if (rc == 0 && chunk->last) {
        rc = install_publish(in, dir, temporary, ops, allocator, &chunk->meta, diag);
    }
    if (rc != 0) {
        raft_node__install_abort(in, dir);
    }
    return rc;
}
