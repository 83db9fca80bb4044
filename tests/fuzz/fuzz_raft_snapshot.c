/* fuzz_raft_snapshot.c - a snapshot file of any bytes is refused, or is exactly what a writer makes
 * of what was read. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size) {
        abort();
    }
    fclose(f);
}

/* Reads all of it, in pieces whose size the input chooses. Returns how the reading ended. */
static int read_all(struct raft_node_reader *r, size_t piece, uint8_t *out, size_t cap,
                    size_t *total)
{
    *total = 0;
    for (;;) {
        size_t len = mu__min(piece, cap - *total);
        if (len == 0) {
            return 0;
        }
        int rc = raft_node_snapshot_read(r, out + *total, &len);
        if (rc != 0 || len == 0) {
            return rc;
        }
        *total += len;
    }
}

static void check(const char *dir, const char *path, size_t size)
{
    struct raft_node_reader *r;
    struct raft_node_diag diag = {""};
    int verified = raft_node__snapshot_verify(path, NULL, &mu__malloc_allocator, &diag);
    assert(verified == 0 || diag.text[0] != 0);
    if (raft_node__snapshot_open(path, &mu__malloc_allocator, &r, &diag) != 0) {
        assert(verified != 0);
        return;
    }
    uint8_t *bytes = malloc(size + 1);
    size_t total;
    int rc = read_all(r, 1 + size % 977, bytes, size + 1, &total);
    assert((rc == 0) == (verified == 0) && total <= size);
    struct raft_node_writer *w;
    if (rc == 0) {
        if (raft_node__snapshot_create(dir, raft_node__snapshot_meta(r), &raft_node__posix_ops,
                                       &mu__malloc_allocator, NULL, &w, &diag) != 0 ||
            raft_node_snapshot_write(w, bytes, total) != 0 ||
            raft_node__snapshot_finish(w, &diag) != 0) {
            abort();
        }
    }
    free(bytes);
    raft_node__snapshot_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 20) {
        return 0;
    }
    char dir[] = "/dev/shm/muster-fuzz-XXXXXX", fallback[] = "/tmp/muster-fuzz-XXXXXX",
         path[PATH_BYTES];
    const char *in = mkdtemp(dir) ? dir : mkdtemp(fallback);
    if (!in || !raft_node__path(path, in, "input")) {
        abort();
    }
    write_file(path, data, size);
    check(in, path, size);
    unlink(path);
    raft_index found[1];
    if (raft_node__snapshot_list(in, found, 1, NULL) == 1 &&
        raft_node__snapshot_path(path, in, found[0])) {
        unlink(path);
    }
    rmdir(in);
    return 0;
}
