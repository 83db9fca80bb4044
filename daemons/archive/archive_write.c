/* archive_write.c - an archive is written in one pass: sums are made on the way. */
#include "archive.h"

#include "schema.h"
#include "tar.h"

#include <mbedtls/sha256.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#define WINDOW 32768u
#define LEVEL  4 /* half the size of what is quickest, a third of the time of the default */

struct sink {
    z_stream z;
    archive_write_fn write;
    void *user;
    bool failed;
    int64_t now_s;
    uint8_t out[WINDOW];
};

static void pump(struct sink *s, int flush)
{
    int rc;
    do {
        s->z.next_out = s->out;
        s->z.avail_out = sizeof s->out;
        rc = deflate(&s->z, flush);
        size_t n = sizeof s->out - s->z.avail_out;
        s->failed =
            s->failed || rc == Z_STREAM_ERROR || (n > 0 && s->write(s->user, s->out, n) != 0);
    } while (!s->failed && (s->z.avail_out == 0 || (flush == Z_FINISH && rc != Z_STREAM_END)));
}

static void put(struct sink *s, const void *data, size_t len)
{
    s->z.next_in = (Bytef *)(uintptr_t)data;
    s->z.avail_in = (uInt)len;
    if (!s->failed) {
        pump(s, Z_NO_FLUSH);
    }
}

static void put_header(struct sink *s, const char *name, uint64_t size)
{
    uint8_t block[TAR_BLOCK];
    tar_write_header(block, name, size, s->now_s);
    put(s, block, sizeof block);
}

static void put_padding(struct sink *s, uint64_t size)
{
    static const uint8_t zeros[TAR_BLOCK];
    put(s, zeros, tar_padding(size));
}

static void put_file(struct sink *s, const char *name, const void *data, size_t len)
{
    put_header(s, name, len);
    put(s, data, len);
    put_padding(s, len);
}

static void say_servers(struct mu__json *j, const struct raft_configuration *servers)
{
    mu__json_object(j);
    mu__json_ckey(j, "Servers");
    mu__json_list(j);
    for (size_t i = 0; servers && i < servers->n; i++) {
        mu__json_item(j);
        mu__json_object(j);
        mu__json_ckey(j, "Suffrage");
        mu__json_uint(j, servers->servers[i].kind == RAFT_VOTER ? 0 : 1);
        mu__json_ckey(j, "ID");
        mu__json_cstr(j, servers->servers[i].id);
        mu__json_ckey(j, "Address");
        mu__json_cstr(j, servers->servers[i].address);
        mu__json_object_end(j);
    }
    mu__json_list_end(j);
    mu__json_object_end(j);
}

static void say_meta(struct mu__writer *w, const struct archive_meta *m,
                     const struct raft_configuration *servers)
{
    struct mu__json j = mu__json(w, false);
    mu__json_object(&j);
    mu__json_ckey(&j, "Version");
    mu__json_uint(&j, 1);
    mu__json_ckey(&j, "ID");
    mu__json_cstr(&j, m->id);
    mu__json_ckey(&j, "Index");
    mu__json_uint(&j, m->index);
    mu__json_ckey(&j, "Term");
    mu__json_uint(&j, m->term);
    mu__json_ckey(&j, "Peers");
    mu__json_null(&j);
    mu__json_ckey(&j, "Configuration");
    say_servers(&j, servers);
    mu__json_ckey(&j, "ConfigurationIndex");
    mu__json_uint(&j, m->configuration_index);
    mu__json_ckey(&j, "Size");
    mu__json_uint(&j, m->size);
    mu__json_object_end(&j);
    mu__write_u8(w, '\n');
}

static bool put_state(struct sink *s, uint64_t size, archive_read_fn read, void *user,
                      uint8_t sha[ARCHIVE_SHA_BYTES])
{
    uint8_t buf[WINDOW];
    uint64_t left = size;
    mbedtls_sha256_context ctx;
    mbedtls_sha256_init(&ctx);
    mbedtls_sha256_starts_ret(&ctx, 0);
    put_header(s, "state.bin", size);
    while (left > 0 && !s->failed) {
        size_t n = left < sizeof buf ? (size_t)left : sizeof buf;
        if (read(user, buf, &n) != 0 || n == 0) {
            break;
        }
        mbedtls_sha256_update_ret(&ctx, buf, n);
        put(s, buf, n);
        left -= n;
    }
    put_padding(s, size);
    mbedtls_sha256_finish_ret(&ctx, sha);
    mbedtls_sha256_free(&ctx);
    return left == 0 && !s->failed;
}

static int say_sum(char *out, size_t cap, const uint8_t sha[ARCHIVE_SHA_BYTES], const char *name)
{
    int n = 0;
    for (size_t i = 0; i < ARCHIVE_SHA_BYTES; i++) {
        n += snprintf(out + n, cap - (size_t)n, "%02x", sha[i]);
    }
    return n + snprintf(out + n, cap - (size_t)n, "  %s\n", name);
}

bool archive_write(const struct archive_meta *meta, const struct raft_configuration *servers,
                   archive_read_fn read, void *read_user, archive_write_fn write, void *write_user,
                   char err[ARCHIVE_ERROR_MAX])
{
    static const uint8_t end[2 * TAR_BLOCK];
    struct sink s = {.write = write, .user = write_user, .now_s = (int64_t)time(NULL)};
    struct mu__writer json = mu__writer_growing(&mu__malloc_allocator);
    uint8_t meta_sha[ARCHIVE_SHA_BYTES], state_sha[ARCHIVE_SHA_BYTES];
    char sums[256];
    say_meta(&json, meta, servers);
    if (json.failed ||
        deflateInit2(&s.z, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        mu__writer_fini(&json);
        snprintf(err, ARCHIVE_ERROR_MAX, "out of memory");
        return false;
    }
    mbedtls_sha256_ret(json.data, json.len, meta_sha, 0);
    put_file(&s, "meta.json", json.data, json.len);
    mu__writer_fini(&json);
    bool ok = put_state(&s, meta->size, read, read_user, state_sha);
    int n = say_sum(sums, sizeof sums, meta_sha, "meta.json");
    n += say_sum(sums + n, sizeof sums - (size_t)n, state_sha, "state.bin");
    put_file(&s, "SHA256SUMS", sums, (size_t)n);
    put(&s, end, sizeof end);
    if (ok && !s.failed) {
        pump(&s, Z_FINISH);
    }
    deflateEnd(&s.z);
    if (!ok || s.failed) {
        snprintf(err, ARCHIVE_ERROR_MAX, "failed to %s snapshot data", s.failed ? "write" : "read");
        return false;
    }
    return true;
}
