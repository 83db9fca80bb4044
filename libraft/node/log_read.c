#include "log.h"

#include "log_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void raft_node__log_batch_free(const struct mu_allocator *a, struct log_batch *b)
{
    mu__free(a, b->entries);
    mu__free(a, b->bytes);
    *b = (struct log_batch){0};
}

/* How many of the `count` entries at places stand in one segment and fit into bytes_max of data; at
 * least one. */
static size_t choose_run(const struct log_place *places, size_t count, size_t bytes_max)
{
    size_t n = 1, bytes = places[0].len;
    while (n < count && places[n].sequence == places[0].sequence &&
           bytes + places[n].len <= bytes_max) {
        bytes += places[n++].len;
    }
    return n;
}

static int decode_run(const struct log_segment *segment, const struct log_place *places,
                      raft_index first, const char *path, struct log_batch *b, size_t len,
                      struct raft_node_diag *diag)
{
    for (size_t i = 0; i < b->n; i++) {
        size_t skip = places[i].offset - places[0].offset;
        struct record r;
        if (!raft_node__record_decode(b->bytes + skip, len - skip, segment->salt, places[i].offset,
                                      &r) ||
            r.kind != RECORD_ENTRY || r.index != first + i) {
            return raft_node__fail(
                diag, RAFT_NODE_ECORRUPT,
                "%.300s is damaged at offset %lu, where entry %llu was written: check the disk, "
                "then empty the folder and let the server join anew, under a new id",
                path, (unsigned long)places[i].offset, (unsigned long long)first + i);
        }
        b->entries[i] = (struct raft_entry){
            .index = r.index,
            .term = r.term,
            .type = (enum raft_entry_type)r.type,
            .data = r.data,
            .len = r.len,
        };
    }
    return 0;
}

static int read_bytes(const char *path, void *buf, size_t len, uint64_t offset,
                      struct raft_node_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return raft_node__fail_io(diag, errno, "open", path);
    }
    int err = raft_node__pread(fd, buf, len, offset);
    close(fd);
    return err == 0 ? 0 : raft_node__fail_io(diag, err, "read", path);
}

int raft_node__log_read(struct log *l, raft_index first, raft_index last, size_t bytes_max,
                        struct log_batch *out, struct raft_node_diag *diag)
{
    *out = (struct log_batch){0};
    if (first < l->first_index || first > l->last_index || last < first) {
        return 0;
    }
    int rc = raft_node__log_commit(l, diag); /* so that what is asked for is in the file */
    if (rc != 0) {
        return rc;
    }
    const struct mu_allocator *a = &l->cfg.allocator;
    raft_index end = last < l->last_index ? last : l->last_index;
    const struct log_place *places = &l->places[first - l->first_index];
    struct log_batch b = {.n = choose_run(places, (size_t)(end - first) + 1, bytes_max)};
    size_t len = places[b.n - 1].offset + record_bytes(places[b.n - 1].len) - places[0].offset;

    /* Sequence numbers have no gaps */
    uint64_t ordinal = places[0].sequence - l->segments[0].sequence;
    assert(ordinal < l->segment_count);
    const struct log_segment *segment = &l->segments[ordinal];
    char path[PATH_BYTES];
    raft_node__segment_path(path, l->cfg.dir, segment->sequence);

    b.entries = mu__calloc(a, b.n, sizeof *b.entries);
    b.bytes = mu__alloc(a, len);
    if (!b.entries || !b.bytes) {
        rc = raft_node__fail(diag, RAFT_ENOMEM, "out of memory reading %zu entries of %.300s", b.n,
                             path);
    }
    if (rc == 0) {
        rc = read_bytes(path, b.bytes, len, places[0].offset, diag);
    }
    if (rc == 0) {
        assert(b.entries);
        rc = decode_run(segment, places, first, path, &b, len, diag);
    }
    if (rc != 0) {
        raft_node__log_batch_free(a, &b);
        return rc;
    }
    *out = b;
    return 0;
}
