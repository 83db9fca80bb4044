/* fuzz_snapshot_archive.c - any bytes are refused as an archive, or are one whose state is as long
 * as its header says. The input is taken as an archive and, so that the layers below gzip are
 * reached, as the tar in one; it comes in pieces whose size its first byte chooses. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "archive/archive.h"
#include "cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct mu__reader r;
    size_t piece;
};

static int give(void *user, void *buf, size_t *len)
{
    struct input *in = user;
    *len = mu__min(mu__min(*len, in->piece), mu__reader_left(&in->r));
    const uint8_t *p = mu__read_bytes(&in->r, *len);
    if (*len) {
        memcpy(buf, p, *len);
    }
    return 0;
}

static void read_archive(const uint8_t *data, size_t size, size_t piece)
{
    char err[ARCHIVE_ERROR_MAX];
    struct archive_reader *r;
    struct input in = {mu__reader(data, size), piece};
    uint8_t buf[300];
    size_t len, total = 0;
    int rc;
    if (!archive_open(give, &in, &r, err)) {
        assert(err[0]);
        return;
    }
    do {
        len = sizeof buf;
        rc = archive_read_state(r, buf, &len);
        total += rc == 0 ? len : 0;
    } while (rc == 0 && len > 0);
    assert(rc == 0 ? total == archive_meta(r)->size : archive_error(r)[0] != '\0');
    archive_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t piece = data[0] + 1u;
    read_archive(data + 1, size - 1, piece);
    uLong cap = compressBound((uLong)size) + 64;
    uint8_t *zipped = malloc(cap);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)(data + 1), .avail_in = (uInt)(size - 1)};
    z.next_out = zipped;
    z.avail_out = (uInt)cap;
    if (!zipped || deflateInit2(&z, 0, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&z, Z_FINISH) != Z_STREAM_END) {
        abort();
    }
    deflateEnd(&z);
    read_archive(zipped, z.total_out, piece);
    free(zipped);
    return 0;
}
