#include "snapshot_format.h"

#include "crc32c.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct raft_node_reader {
    const struct mu_allocator *allocator;
    char path[PATH_BYTES];
    int fd;
    struct raft_snapshot_meta meta;
    uint8_t *configuration; /* meta's */
    uint32_t header_crc;
    uint64_t ordinal, offset, total;
    uint64_t file_bytes;
    bool at_end;
    int failure; /* the first error, given again by every later read */
    struct raft_node_diag diag;
    size_t pos, len; /* of the chunk in hand */
    uint8_t chunk[SNAPSHOT_CHUNK_BYTES];
};

static int fail_damaged(struct raft_node_reader *r, const char *why)
{
    r->failure = raft_node__fail(
        &r->diag, RAFT_NODE_ECORRUPT,
        "%.300s is damaged at offset %llu (%s): check the disk, then delete this file", r->path,
        (unsigned long long)r->offset, why);
    return r->failure;
}

static int get(struct raft_node_reader *r, void *buf, size_t len)
{
    int err = raft_node__pread(r->fd, buf, len, r->offset);
    if (err == -ENODATA) {
        return fail_damaged(r, "it ends too early");
    }
    if (err != 0) {
        r->failure = raft_node__fail_io(&r->diag, err, "read", r->path);
        return r->failure;
    }
    return 0;
}

static int read_header(struct raft_node_reader *r)
{
    uint8_t fixed[SNAPSHOT_FIXED_BYTES], tail[4];
    int rc = get(r, fixed, sizeof fixed);
    if (rc != 0) {
        return rc;
    }
    if (!raft_node__snapshot_decode_fixed(fixed, &r->meta)) {
        return fail_damaged(r, "no valid header of a version known here");
    }
    size_t len = r->meta.configuration_len;
    r->configuration = mu__alloc(r->allocator, len + sizeof tail); /* at most 64 KiB */
    if (!r->configuration) {
        return raft_node__fail(&r->diag, RAFT_ENOMEM, "out of memory reading %.300s", r->path);
    }
    r->offset += sizeof fixed;
    rc = get(r, r->configuration, len + sizeof tail);
    if (rc != 0) {
        return rc;
    }
    struct mu__reader crc = mu__reader(r->configuration + len, sizeof tail);
    r->header_crc =
        raft_node__crc32c(raft_node__crc32c(0, fixed, sizeof fixed), r->configuration, len);
    if (mu__read_u32le(&crc) != r->header_crc) {
        r->offset = 0;
        return fail_damaged(r, "the header fails its checksum");
    }
    r->meta.configuration = r->configuration;
    r->offset += len + sizeof tail;
    return 0;
}

static int open_file(struct raft_node_reader *r, const char *path)
{
    size_t len = strlen(path);
    if (len >= sizeof r->path) {
        return raft_node__fail(&r->diag, RAFT_EINVAL, "the path of a snapshot is too long");
    }
    memcpy(r->path, path, len + 1);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        return raft_node__fail_io(&r->diag, errno, "open", path);
    }
    r->file_bytes = (uint64_t)st.st_size;
    return read_header(r);
}

int raft_node__snapshot_open(const char *path, const struct mu_allocator *allocator,
                             struct raft_node_reader **out, struct raft_node_diag *diag)
{
    *out = NULL;
    struct raft_node_reader *r = mu__calloc(allocator, 1, sizeof *r);
    if (!r) {
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory for a snapshot");
    }
    r->allocator = allocator;
    r->fd = -1;
    int rc = open_file(r, path);
    if (rc != 0) {
        raft_node__fail(diag, rc, "%s", r->diag.text);
        raft_node__snapshot_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

const struct raft_snapshot_meta *raft_node__snapshot_meta(const struct raft_node_reader *r)
{
    return &r->meta;
}

const struct raft_node_diag *raft_node__snapshot_diag(const struct raft_node_reader *r)
{
    return &r->diag;
}

void raft_node__snapshot_close(struct raft_node_reader *r)
{
    if (!r) {
        return;
    }
    if (r->fd >= 0) {
        close(r->fd);
    }
    mu__free(r->allocator, r->configuration);
    mu__free(r->allocator, r);
}

static int read_end(struct raft_node_reader *r, uint32_t crc)
{
    uint8_t total[8];
    r->offset += SNAPSHOT_CHUNK_HEAD;
    int rc = get(r, total, sizeof total);
    if (rc != 0) {
        return rc;
    }
    struct mu__reader t = mu__reader(total, sizeof total);
    if (crc != raft_node__snapshot_chunk_crc(r->header_crc, r->ordinal, 0, total, sizeof total) ||
        mu__read_u64le(&t) != r->total) {
        return fail_damaged(r, "the end fails its checksum");
    }
    r->offset += sizeof total;
    if (r->offset != r->file_bytes) {
        return fail_damaged(r, "there are bytes after the end");
    }
    r->at_end = true;
    return 0;
}

/* Reads and checks the next chunk, or the end. */
static int next_chunk(struct raft_node_reader *r)
{
    uint8_t head[SNAPSHOT_CHUNK_HEAD];
    int rc = get(r, head, sizeof head);
    if (rc != 0) {
        return rc;
    }
    struct mu__reader h = mu__reader(head, sizeof head);
    uint32_t len = mu__read_u32le(&h), crc = mu__read_u32le(&h);
    if (len == 0) {
        return read_end(r, crc);
    }
    if (len > SNAPSHOT_CHUNK_BYTES) {
        return fail_damaged(r, "a chunk longer than any");
    }
    r->offset += sizeof head;
    rc = get(r, r->chunk, len);
    if (rc != 0) {
        return rc;
    }
    if (crc != raft_node__snapshot_chunk_crc(r->header_crc, r->ordinal, len, r->chunk, len)) {
        return fail_damaged(r, "a chunk fails its checksum");
    }
    r->offset += len;
    r->ordinal++;
    r->total += len;
    r->pos = 0;
    r->len = len;
    return 0;
}

int raft_node_snapshot_read(struct raft_node_reader *r, void *buf, size_t *len)
{
    if (r->failure != 0) {
        return r->failure;
    }
    uint8_t *out = buf;
    size_t got = 0;
    while (got < *len && !r->at_end) {
        if (r->pos == r->len) {
            int rc = next_chunk(r);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        size_t n = mu__min(*len - got, r->len - r->pos);
        memcpy(out + got, r->chunk + r->pos, n);
        r->pos += n;
        got += n;
    }
    *len = got;
    return 0;
}

/* Steps over the whole file, chunk by chunk. */
static int check_all(struct raft_node_reader *r, const struct raft_snapshot_meta *meta)
{
    if (meta && (meta->index != r->meta.index || meta->term != r->meta.term)) {
        r->offset = 0;
        return fail_damaged(r, "it is another snapshot than it should be");
    }
    int rc = 0;
    while (rc == 0 && !r->at_end) {
        rc = next_chunk(r);
    }
    return rc;
}

int raft_node__snapshot_verify(const char *path, const struct raft_snapshot_meta *meta,
                               const struct mu_allocator *allocator, struct raft_node_diag *diag)
{
    struct raft_node_reader *r;
    int rc = raft_node__snapshot_open(path, allocator, &r, diag);
    if (rc != 0) {
        return rc;
    }
    assert(r);
    rc = check_all(r, meta);
    if (rc != 0) {
        raft_node__fail(diag, rc, "%s", r->diag.text);
    }
    raft_node__snapshot_close(r);
    return rc;
}
