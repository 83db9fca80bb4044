/* archive_read.c - an archive is read in one pass, and trusted when its end has been seen. */
#include "archive.h"

#include "schema.h"
#include "tar.h"

#include <jansson.h>
#include <mbedtls/sha256.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define WINDOW    32768u
#define META_MAX  65536u
#define GZIP_HEAD 10u
#define SUMS_MAX  1024u

struct archive_reader {
    archive_read_fn read;
    void *user;
    z_stream z;
    uint64_t taken;           /* bytes of the archive */
    bool has_begun;           /* its head was one of gzip */
    bool is_inflated, failed; /* gzip's own end has been seen; err says why */
    struct archive_meta meta;
    uint8_t meta_sha[ARCHIVE_SHA_BYTES], state_sha[ARCHIVE_SHA_BYTES];
    mbedtls_sha256_context sha; /* of the state, as far as it was read */
    uint64_t left;              /* of the state */
    bool is_done;
    char err[ARCHIVE_ERROR_MAX];
    uint8_t in[WINDOW];
};

static bool fail(struct archive_reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct archive_reader *r, const char *fmt, ...)
{
    if (!r->failed) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(r->err, sizeof r->err, fmt, args);
        va_end(args);
        r->failed = true;
    }
    return false;
}

/* ---- gzip ---- */

static bool refill(struct archive_reader *r)
{
    size_t n = sizeof r->in;
    if (r->read(r->user, r->in, &n) != 0) {
        return fail(r, "failed to read snapshot file");
    }
    r->taken += n;
    if (r->taken > ARCHIVE_BYTES_MAX) {
        return fail(r, "failed to read snapshot file: it is larger than %llu bytes",
                    (unsigned long long)ARCHIVE_BYTES_MAX);
    }
    r->z.next_in = r->in;
    r->z.avail_in = (uInt)n;
    return true;
}

/* The ten bytes that every gzip begins with. */
static bool read_head(struct archive_reader *r)
{
    size_t have = 0, n;
    do {
        n = sizeof r->in - have;
        if (r->read(r->user, r->in + have, &n) != 0) {
            return fail(r, "failed to read snapshot file");
        }
        have += n;
    } while (n > 0 && have < GZIP_HEAD);
    if (have < GZIP_HEAD) {
        return fail(r, "failed to decompress snapshot: %s", have ? "unexpected EOF" : "EOF");
    }
    r->taken = have;
    r->z.next_in = r->in;
    r->z.avail_in = (uInt)have;
    return true;
}

static bool fail_short(struct archive_reader *r, const char *what)
{
    return r->has_begun ? fail(r, "failed to read snapshot file: %s: unexpected EOF", what)
                        : fail(r, "failed to decompress snapshot: unexpected EOF");
}

static bool fail_inflate(struct archive_reader *r, const char *what)
{
    return r->has_begun ? fail(r, "failed to read snapshot file: %s: %s", what,
                               r->z.msg ? r->z.msg : "flate: corrupt input")
                        : fail(r, "failed to decompress snapshot: gzip: invalid header");
}

/* Fills all of buf; *got (if not NULL) may be less at the end of what is packed. */
static bool pull(struct archive_reader *r, void *buf, size_t len, size_t *got, const char *what)
{
    r->z.next_out = buf;
    r->z.avail_out = (uInt)len;
    while (r->z.avail_out > 0 && !r->is_inflated && !r->failed) {
        if (r->z.avail_in == 0 && !refill(r)) {
            return false;
        }
        if (r->z.avail_in == 0) {
            return fail_short(r, what);
        }
        int rc = inflate(&r->z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
            return fail_inflate(r, what);
        }
        r->has_begun = r->has_begun || r->z.total_out > 0 || r->z.total_in > GZIP_HEAD;
        r->is_inflated = rc == Z_STREAM_END;
    }
    size_t n = len - r->z.avail_out;
    if (got) {
        *got = n;
    } else if (n < len && !r->failed) {
        return fail_short(r, what);
    }
    return !r->failed;
}

/* ---- tar ---- */

/* The header of the file that must come next. */
static bool next_file(struct archive_reader *r, const char *expected, uint64_t max, uint64_t *size)
{
    static const char what[] = "failed reading snapshot";
    uint8_t block[TAR_BLOCK];
    char name[101];
    if (!pull(r, block, sizeof block, NULL, what)) {
        return false;
    }
    switch (tar_read_header(block, name, size)) {
    case TAR_BAD:
        return fail(r, "failed to read snapshot file: %s: archive/tar: invalid tar header", what);
    case TAR_END:
        return fail(r,
                    "failed to read snapshot file: failed checking integrity of snapshot: file "
                    "missing for \"%s\"",
                    expected);
    case TAR_FILE:
        break;
    }
    if (strcmp(name, expected) != 0) {
        return fail(r, "failed to read snapshot file: unexpected file \"%.100s\" in snapshot",
                    name);
    }
    if (*size > max) {
        return fail(r, "failed to read snapshot file: %s is larger than %llu bytes", expected,
                    (unsigned long long)max);
    }
    return true;
}

static bool skip_padding(struct archive_reader *r, uint64_t size, const char *what)
{
    uint8_t block[TAR_BLOCK];
    return pull(r, block, tar_padding(size), NULL, what);
}

/* A small file, with a zero behind it. */
static bool read_small(struct archive_reader *r, const char *name, char *buf, size_t cap,
                       size_t *len, const char *what)
{
    uint64_t size;
    if (!next_file(r, name, cap - 1, &size) || !pull(r, buf, (size_t)size, NULL, what) ||
        !skip_padding(r, size, what)) {
        return false;
    }
    buf[size] = '\0';
    *len = (size_t)size;
    return true;
}

/* ---- The parts ---- */

static uint64_t number(const json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));
    return v > 0 ? (uint64_t)v : 0;
}

static bool parse_meta(struct archive_reader *r, const char *text, size_t len)
{
    json_t *o = json_loadb(text, len, 0, NULL);
    const char *id = json_string_value(json_object_get(o, "ID"));
    if (id) {
        snprintf(r->meta.id, sizeof r->meta.id, "%s", id);
    }
    r->meta.version = number(o, "Version");
    r->meta.index = number(o, "Index");
    r->meta.term = number(o, "Term");
    r->meta.configuration_index = number(o, "ConfigurationIndex");
    r->meta.size = number(o, "Size");
    bool is_object = json_is_object(o);
    json_decref(o);
    if (!is_object || !id) {
        return fail(r, "failed to read snapshot file: failed to decode snapshot metadata");
    }
    if (r->meta.version > 1) {
        return fail(r, "failed to read snapshot file: snapshots of version %llu are not known here",
                    (unsigned long long)r->meta.version);
    }
    return true;
}

static bool read_meta(struct archive_reader *r)
{
    static const char what[] = "failed to read snapshot metadata";
    size_t len;
    char *text = mu__alloc(&mu__malloc_allocator, META_MAX + 1);
    if (!text) {
        return fail(r, "out of memory");
    }
    bool ok = read_small(r, "meta.json", text, META_MAX + 1, &len, what);
    if (ok) {
        mbedtls_sha256_ret((const uint8_t *)text, len, r->meta_sha, 0);
        ok = parse_meta(r, text, len);
    }
    mu__free(&mu__malloc_allocator, text);
    return ok;
}

static bool read_state_header(struct archive_reader *r)
{
    if (!next_file(r, "state.bin", ARCHIVE_STATE_MAX, &r->left)) {
        return false;
    }
    if (r->left != r->meta.size) {
        return fail(r,
                    "failed to read snapshot file: state.bin has %llu bytes, and not the %llu "
                    "that meta.json speaks of",
                    (unsigned long long)r->left, (unsigned long long)r->meta.size);
    }
    return true;
}

static bool check_sum(struct archive_reader *r, char **line, const uint8_t sha[ARCHIVE_SHA_BYTES],
                      const char *name)
{
    char expected[160];
    size_t n = 0;
    for (size_t i = 0; i < ARCHIVE_SHA_BYTES; i++) {
        n += (size_t)snprintf(expected + n, sizeof expected - n, "%02x", sha[i]);
    }
    n += (size_t)snprintf(expected + n, sizeof expected - n, "  %s\n", name);
    if (strncmp(*line, expected, n) != 0) {
        return fail(r,
                    "failed to read snapshot file: failed checking integrity of snapshot: hash "
                    "check failed for \"%s\"",
                    name);
    }
    *line += n;
    return true;
}

static bool read_sums(struct archive_reader *r)
{
    static const char what[] = "failed to read snapshot hashes";
    char sums[SUMS_MAX + 1], *at = sums;
    size_t len;
    return read_small(r, "SHA256SUMS", sums, sizeof sums, &len, what) &&
           check_sum(r, &at, r->meta_sha, "meta.json") &&
           check_sum(r, &at, r->state_sha, "state.bin") &&
           (*at == '\0' && at == sums + len ? true : fail(r, "%s", what));
}

/* Nothing but zeros may follow in the tar, and nothing at all behind the gzip. */
static bool read_end(struct archive_reader *r)
{
    static const char what[] = "failed to conclude snapshot";
    uint8_t block[TAR_BLOCK];
    size_t got = TAR_BLOCK, blocks = 0;
    while (got == TAR_BLOCK) {
        if (!pull(r, block, sizeof block, &got, what)) {
            return false;
        }
        for (size_t i = 0; i < got; i++) {
            if (block[i] != 0) {
                return fail(r, "failed to read snapshot file: more than a snapshot is in it");
            }
        }
        blocks += got == TAR_BLOCK;
    }
    if (got != 0 || blocks < 2) {
        return fail_short(r, what);
    }
    if (r->z.avail_in == 0 && !refill(r)) {
        return false;
    }
    return r->z.avail_in == 0 ||
           fail(r, "failed to read snapshot file: bytes follow the end of the snapshot");
}

static bool end_state(struct archive_reader *r)
{
    mbedtls_sha256_finish_ret(&r->sha, r->state_sha);
    r->is_done = skip_padding(r, r->meta.size, "failed to read or write snapshot data") &&
                 read_sums(r) && read_end(r);
    return r->is_done;
}

int archive_read_state(void *reader, void *buf, size_t *len)
{
    struct archive_reader *r = reader;
    size_t n = *len < r->left ? *len : (size_t)r->left;
    if (r->failed) {
        return -1;
    }
    if (n > 0 && !pull(r, buf, n, NULL, "failed to read or write snapshot data")) {
        return -1;
    }
    mbedtls_sha256_update_ret(&r->sha, buf, n);
    r->left -= n;
    if (r->left == 0 && !r->is_done && !end_state(r)) {
        return -1; /* the last bytes are kept from who would act on them */
    }
    *len = n;
    return 0;
}

/* ---- Life ---- */

bool archive_open(archive_read_fn read, void *user, struct archive_reader **out,
                  char err[ARCHIVE_ERROR_MAX])
{
    *out = NULL;
    struct archive_reader *r = mu__calloc(&mu__malloc_allocator, 1, sizeof *r);
    if (!r || inflateInit2(&r->z, 15 + 16) != Z_OK) {
        mu__free(&mu__malloc_allocator, r);
        snprintf(err, ARCHIVE_ERROR_MAX, "out of memory");
        return false;
    }
    r->read = read;
    r->user = user;
    mbedtls_sha256_init(&r->sha);
    mbedtls_sha256_starts_ret(&r->sha, 0);
    if (!read_head(r) || !read_meta(r) || !read_state_header(r)) {
        snprintf(err, ARCHIVE_ERROR_MAX, "%s", r->err);
        archive_close(r);
        return false;
    }
    *out = r;
    return true;
}

const struct archive_meta *archive_meta(const struct archive_reader *r)
{
    return &r->meta;
}

const char *archive_error(const struct archive_reader *r)
{
    return r->err;
}

void archive_close(struct archive_reader *r)
{
    if (r) {
        inflateEnd(&r->z);
        mbedtls_sha256_free(&r->sha);
        mu__free(&mu__malloc_allocator, r);
    }
}
