/* Mirrors daemons/archive. An archive is read whole or refused: cut at each byte, and with each bit
 * turned. */
#include "mu_test.h"

#include "archive/archive.h"
#include "archive/tar.h"
#include "bytes.h"

#include <zlib.h>

static int give_up(void *user, const void *data, size_t len)
{
    (void)user;
    (void)data;
    (void)len;
    return -1;
}

static const struct raft_configuration servers = {
    .index = 3, .n = 1, .servers = {{.id = "s1", .address = "127.0.0.1:8300"}}};

static struct bytes make_state(size_t len)
{
    struct bytes state = {.p = malloc(len + 1), .len = len};
    for (size_t i = 0; i < len; i++) {
        state.p[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    return state;
}

static struct bytes make_archive(struct bytes *state)
{
    char err[ARCHIVE_ERROR_MAX];
    struct bytes out = {.p = NULL};
    struct archive_meta m = {
        .version = 1, .id = "2-16-99", .index = 16, .term = 2, .size = state->len};
    state->at = 0;
    assert_true(archive_write(&m, &servers, read_bytes, state, write_bytes, &out, err));
    return out;
}

/* Reads all of it into *state; false with the reason. */
static bool read_all(struct bytes archive, struct bytes *state, struct archive_meta *m,
                     char err[ARCHIVE_ERROR_MAX])
{
    struct archive_reader *r;
    uint8_t buf[777];
    size_t len;
    archive.at = 0;
    state->len = 0;
    if (!archive_open(read_bytes, &archive, &r, err)) {
        return false;
    }
    *m = *archive_meta(r);
    int rc;
    do {
        len = sizeof buf;
        rc = archive_read_state(r, buf, &len);
        if (rc == 0 && len > 0) {
            write_bytes(state, buf, len);
        }
    } while (rc == 0 && len > 0);
    snprintf(err, ARCHIVE_ERROR_MAX, "%s", archive_error(r));
    archive_close(r);
    return rc == 0;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 511, 512, 513, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes in = make_state(sizes[i]), archive = make_archive(&in), out = {.p = NULL};
        struct archive_meta m;
        char err[ARCHIVE_ERROR_MAX];
        assert_true(read_all(archive, &out, &m, err));
        assert_int_equal(out.len, in.len);
        assert_true(in.len == 0 || memcmp(out.p, in.p, in.len) == 0);
        assert_string_equal(m.id, "2-16-99");
        assert_true(m.index == 16 && m.term == 2 && m.version == 1 && m.size == in.len);
        free(in.p);
        free(archive.p);
        free(out.p);
    }
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    struct bytes in = make_state(900), archive = make_archive(&in), out = {.p = NULL};
    struct archive_meta m;
    char err[ARCHIVE_ERROR_MAX];
    for (size_t len = 0; len < archive.len; len++) {
        struct bytes cut = {.p = archive.p, .len = len};
        assert_false(read_all(cut, &out, &m, err));
        assert_non_null(strstr(err, "EOF"));
    }
    free(in.p);
    free(archive.p);
    free(out.p);
}

/* Bits of gzip's own header that say nothing of the content (time, system), and those that fill up
 * a byte between blocks, may turn unnoticed; what is read then is what was written. */
static void test_every_turned_bit_is_refused_or_without_meaning(void **state)
{
    (void)state;
    struct bytes in = make_state(900), archive = make_archive(&in), out = {.p = NULL};
    struct archive_meta m;
    char err[ARCHIVE_ERROR_MAX];
    size_t unnoticed = 0;
    for (size_t bit = 0; bit < archive.len * 8; bit++) {
        archive.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (read_all(archive, &out, &m, err)) {
            assert_true(out.len == in.len && memcmp(out.p, in.p, in.len) == 0);
            unnoticed++;
        } else {
            assert_true(err[0] != '\0');
        }
        archive.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(unnoticed <= 7 * 8 + 3 * 7);
    free(in.p);
    free(archive.p);
    free(out.p);
}

static void test_what_follows_an_archive_is_refused(void **state)
{
    (void)state;
    struct bytes in = make_state(10), archive = make_archive(&in), out = {.p = NULL};
    struct archive_meta m;
    char err[ARCHIVE_ERROR_MAX];
    write_bytes(&archive, "x", 1);
    assert_false(read_all(archive, &out, &m, err));
    assert_string_equal(err, "failed to read snapshot file: bytes follow the end of the snapshot");
    free(in.p);
    free(archive.p);
    free(out.p);
}

/* ---- Tars of other making ---- */

static void add_file(struct bytes *tar, const char *name, const char *text, uint64_t size)
{
    uint8_t block[TAR_BLOCK], zeros[TAR_BLOCK] = {0};
    tar_write_header(block, name, size, 0);
    write_bytes(tar, block, sizeof block);
    write_bytes(tar, text, strlen(text));
    write_bytes(tar, zeros, tar_padding(strlen(text)));
}

static struct bytes zip(const struct bytes *tar)
{
    struct bytes out = {.p = malloc(tar->len + 4096), .len = tar->len + 4096};
    z_stream z = {.next_in = tar->p, .avail_in = (uInt)tar->len, .next_out = out.p};
    z.avail_out = (uInt)out.len;
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

static void expect(struct bytes *tar, const char *error)
{
    struct bytes archive = zip(tar), out = {.p = NULL};
    struct archive_meta m;
    char err[ARCHIVE_ERROR_MAX];
    assert_false(read_all(archive, &out, &m, err));
    assert_string_equal(err, error);
    free(tar->p);
    free(archive.p);
    free(out.p);
    *tar = (struct bytes){.p = NULL};
}

#define META "{\"Version\":1,\"ID\":\"1-2-3\",\"Index\":2,\"Term\":1,\"Size\":3}"

static void test_other_tars_are_refused_by_name(void **state)
{
    (void)state;
    struct bytes tar = {.p = NULL};
    add_file(&tar, "etc/passwd", "x", 1);
    expect(&tar, "failed to read snapshot file: unexpected file \"etc/passwd\" in snapshot");
    add_file(&tar, "meta.json", "[]", 2);
    expect(&tar, "failed to read snapshot file: failed to decode snapshot metadata");
    add_file(&tar, "meta.json", "{\"Version\":2,\"ID\":\"x\"}", 22);
    expect(&tar, "failed to read snapshot file: snapshots of version 2 are not known here");
    add_file(&tar, "meta.json", META, strlen(META));
    add_file(&tar, "state.bin", "abcd", 4);
    expect(&tar, "failed to read snapshot file: state.bin has 4 bytes, and not the 3 that "
                 "meta.json speaks of");
    add_file(&tar, "meta.json", "", UINT64_C(1) << 32);
    expect(&tar, "failed to read snapshot file: meta.json is larger than 65536 bytes");
    add_file(&tar, "meta.json", META, strlen(META));
    add_file(&tar, "state.bin", "abc", 3);
    add_file(&tar, "SHA256SUMS", "0000  meta.json\n", 16);
    expect(&tar, "failed to read snapshot file: failed checking integrity of snapshot: hash check "
                 "failed for \"meta.json\"");
    add_file(&tar, "meta.json", META, strlen(META));
    add_file(&tar, "state.bin", "abc", 3);
    uint8_t zeros[1024] = {0};
    write_bytes(&tar, zeros, sizeof zeros);
    expect(&tar, "failed to read snapshot file: failed checking integrity of snapshot: file "
                 "missing for \"SHA256SUMS\"");
}

static void test_failing_to_write_or_read_is_told(void **state)
{
    (void)state;
    char err[ARCHIVE_ERROR_MAX];
    struct bytes in = make_state(100000);
    struct archive_meta m = {.version = 1, .id = "x", .size = in.len};
    assert_false(archive_write(&m, NULL, read_bytes, &in, give_up, NULL, err));
    assert_string_equal(err, "failed to write snapshot data");
    struct bytes out = {.p = NULL};
    m.size = in.len + 1;
    in.at = 0;
    assert_false(archive_write(&m, NULL, read_bytes, &in, write_bytes, &out, err));
    assert_string_equal(err, "failed to read snapshot data");
    free(in.p);
    free(out.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_every_turned_bit_is_refused_or_without_meaning),
        cmocka_unit_test(test_what_follows_an_archive_is_refused),
        cmocka_unit_test(test_other_tars_are_refused_by_name),
        cmocka_unit_test(test_failing_to_write_or_read_is_told),
    };
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
