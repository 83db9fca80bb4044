#include "snapshot_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY  "snapshot.tmp"
#define SYNC_BYTES (4u << 20)

struct raft_node_writer {
    const char *dir;
    const struct file_ops *ops;
    const struct mu_allocator *allocator;
    const atomic_bool *cancelled;
    char path[PATH_BYTES]; /* of the temporary file */
    int fd;
    raft_index index;
    raft_term term;
    uint32_t header_crc;
    uint64_t ordinal, offset, total;
    uint64_t synced; /* bytes of offset */
    int failure;     /* the first error; nothing is written after it */
    struct raft_node_diag diag;
    size_t len;                                                /* of the chunk in hand */
    uint8_t chunk[SNAPSHOT_CHUNK_HEAD + SNAPSHOT_CHUNK_BYTES]; /* head and data */
};

/* A bit at a time: one sync of all at the end would hold up those of the log. */
static int sync_so_far(struct raft_node_writer *w)
{
    int err = w->ops->sync(w->ops->user, w->fd);
    w->synced = w->offset;
    if (err != 0) {
        w->failure = raft_node__fail_io(&w->diag, err, "sync", w->path);
    }
    return w->failure;
}

static int put(struct raft_node_writer *w, const void *data, size_t len)
{
    if (w->failure != 0) {
        return w->failure;
    }
    if (w->cancelled && atomic_load(w->cancelled)) {
        w->failure = raft_node__fail(&w->diag, RAFT_NODE_ESTOPPED, "the node is being stopped");
        return w->failure;
    }
    int err = w->ops->write(w->ops->user, w->fd, data, len, w->offset);
    if (err != 0) {
        w->failure = raft_node__fail_io(&w->diag, err, "write", w->path);
        return w->failure;
    }
    w->offset += len;
    return w->offset - w->synced < SYNC_BYTES ? 0 : sync_so_far(w);
}

static int put_header(struct raft_node_writer *w, const struct raft_snapshot_meta *meta)
{
    struct mu__writer header = mu__writer_growing(w->allocator);
    w->header_crc = raft_node__snapshot_encode_header(&header, meta);
    int rc = header.failed
                 ? raft_node__fail(&w->diag, RAFT_ENOMEM, "out of memory for a snapshot's header")
                 : put(w, header.data, header.len);
    mu__writer_fini(&header);
    return rc;
}

int raft_node__snapshot_create(const char *dir, const struct raft_snapshot_meta *meta,
                               const struct file_ops *ops, const struct mu_allocator *allocator,
                               const atomic_bool *cancelled, struct raft_node_writer **out,
                               struct raft_node_diag *diag)
{
    *out = NULL;
    struct raft_node_writer *w = mu__calloc(allocator, 1, sizeof *w);
    if (!w) {
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory for a snapshot");
    }
    w->dir = dir;
    w->ops = ops;
    w->allocator = allocator;
    w->cancelled = cancelled;
    w->index = meta->index;
    w->term = meta->term;
    if (!raft_node__path(w->path, dir, TEMPORARY)) {
        mu__free(allocator, w);
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    w->fd = ops->create(ops->user, w->path);
    if (w->fd < 0) {
        int rc = raft_node__fail_io(diag, w->fd, "create", w->path);
        mu__free(allocator, w);
        return rc;
    }
    int rc = put_header(w, meta);
    if (rc != 0) {
        raft_node__fail(diag, rc, "%s", w->diag.text);
        raft_node__snapshot_abort(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int put_chunk(struct raft_node_writer *w)
{
    if (w->len == 0) {
        return w->failure;
    }
    uint32_t len = (uint32_t)w->len;
    struct mu__writer head = mu__writer_fixed(w->chunk, SNAPSHOT_CHUNK_HEAD);
    mu__write_u32le(&head, len);
    mu__write_u32le(&head, raft_node__snapshot_chunk_crc(w->header_crc, w->ordinal++, len,
                                                         w->chunk + SNAPSHOT_CHUNK_HEAD, len));
    w->total += len;
    w->len = 0;
    return put(w, w->chunk, SNAPSHOT_CHUNK_HEAD + len);
}

int raft_node_snapshot_write(struct raft_node_writer *w, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0 && w->failure == 0) {
        size_t n = mu__min(len, SNAPSHOT_CHUNK_BYTES - w->len);
        memcpy(w->chunk + SNAPSHOT_CHUNK_HEAD + w->len, p, n);
        w->len += n;
        p += n;
        len -= n;
        if (w->len == SNAPSHOT_CHUNK_BYTES) {
            put_chunk(w);
        }
    }
    return w->failure;
}

static int put_end(struct raft_node_writer *w)
{
    uint8_t end[SNAPSHOT_END_BYTES], total[8];
    struct mu__writer t = mu__writer_fixed(total, sizeof total);
    mu__write_u64le(&t, w->total);
    struct mu__writer e = mu__writer_fixed(end, sizeof end);
    mu__write_u32le(&e, 0);
    mu__write_u32le(
        &e, raft_node__snapshot_chunk_crc(w->header_crc, w->ordinal, 0, total, sizeof total));
    mu__write_u64le(&e, w->total);
    return put(w, end, sizeof end);
}

/* Syncs, checks and names the file. */
static int publish(struct raft_node_writer *w)
{
    int rc = sync_so_far(w);
    if (rc != 0) {
        return rc;
    }
    struct raft_snapshot_meta meta = {.index = w->index, .term = w->term};
    rc = raft_node__snapshot_verify(w->path, &meta, w->allocator, &w->diag);
    if (rc != 0) {
        return rc;
    }
    char path[PATH_BYTES];
    if (!raft_node__snapshot_path(path, w->dir, w->index)) {
        return raft_node__fail(&w->diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    int err = rename(w->path, path) == 0 ? w->ops->sync_dir(w->ops->user, w->dir) : -errno;
    return err == 0 ? 0 : raft_node__fail_io(&w->diag, err, "rename", w->path);
}

int raft_node__snapshot_finish(struct raft_node_writer *w, struct raft_node_diag *diag)
{
    int rc = put_chunk(w);
    if (rc == 0) {
        rc = put_end(w);
    }
    if (rc == 0) {
        rc = publish(w);
    }
    if (rc != 0) {
        raft_node__fail(diag, rc, "%s", w->diag.text);
    }
    raft_node__snapshot_abort(w); /* after the rename there is nothing under the temporary name */
    return rc;
}

void raft_node__snapshot_abort(struct raft_node_writer *w)
{
    if (!w) {
        return;
    }
    close(w->fd);
    unlink(w->path);
    mu__free(w->allocator, w);
}
