/* Mirrors libraft/node/snapshot*.c: files written, checked, damaged, received in chunks. */
#include "node_kit.h"

#include "snapshot.h"

#include <stdio.h>

struct fixture {
    char dir[64];
    struct kit_disk disk;
    struct file_ops ops;
    struct raft_node_diag diag;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_make_dir(f->dir);
    f->ops = kit_ops(&f->disk);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kit_remove_dir(f->dir);
    free(f);
    return 0;
}

static struct raft_snapshot_meta meta_of(raft_index index)
{
    return (struct raft_snapshot_meta){
        .index = index,
        .term = 7,
        .configuration_index = 3,
        .configuration = "a configuration",
        .configuration_len = 15,
    };
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 9));
}

static int save(struct fixture *f, raft_index index, size_t len)
{
    struct raft_snapshot_meta meta = meta_of(index);
    struct raft_node_writer *w;
    int rc = raft_node__snapshot_create(f->dir, &meta, &f->ops, &mu__malloc_allocator, NULL, &w,
                                        &f->diag);
    if (rc != 0) {
        return rc;
    }
    uint8_t *data = malloc(len ? len : 1);
    for (size_t i = 0; i < len; i++) {
        data[i] = byte_at(i);
    }
    for (size_t at = 0, step = 1; at < len;
         at += step, step = step * 3 % 70001) { /* of all sizes */
        step = step < len - at ? step : len - at;
        (void)!raft_node_snapshot_write(w, data + at, step);
    }
    free(data);
    return raft_node__snapshot_finish(w, &f->diag);
}

static struct raft_node_reader *open_snapshot(struct fixture *f, raft_index index)
{
    char path[PATH_BYTES];
    struct raft_node_reader *r;
    raft_node__snapshot_path(path, f->dir, index);
    assert_int_equal(raft_node__snapshot_open(path, &mu__malloc_allocator, &r, &f->diag), 0);
    return r;
}

static void expect(struct fixture *f, raft_index index, size_t len)
{
    struct raft_node_reader *r = open_snapshot(f, index);
    const struct raft_snapshot_meta *m = raft_node__snapshot_meta(r);
    assert_true(m->index == index && m->term == 7 && m->configuration_index == 3 &&
                m->configuration_len == 15);
    assert_memory_equal(m->configuration, "a configuration", 15);
    size_t at = 0;
    for (size_t want = 1;; want = want * 5 % 9973) {
        uint8_t buf[9973];
        size_t got = want;
        assert_int_equal(raft_node_snapshot_read(r, buf, &got), 0);
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(buf[i], byte_at(at + i));
        }
        at += got;
        if (got < want) {
            break;
        }
    }
    assert_int_equal(at, len);
    raft_node__snapshot_close(r);
}

static void test_what_is_saved_is_read_again(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {
        0, 1, SNAPSHOT_CHUNK_BYTES - 1, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_CHUNK_BYTES + 1, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(save(f, 100 + i, sizes[i]), 0);
        expect(f, 100 + i, sizes[i]);
    }
    assert_int_equal(kit_count_files(f->dir, ".tmp"), 0);
}

static void test_last_two_are_kept(void **state)
{
    struct fixture *f = *state;
    for (raft_index i = 1; i <= 5; i++) {
        assert_int_equal(save(f, i * 10, 100), 0);
        raft_node__snapshot_prune(f->dir);
    }
    raft_index found[8];
    assert_int_equal(raft_node__snapshot_list(f->dir, found, 8, NULL), 2);
    assert_true(found[0] == 50 && found[1] == 40);
}

static void test_list_gives_the_newest_first_and_no_more_than_asked(void **state)
{
    struct fixture *f = *state;
    static const raft_index made[] = {30, 10, 50, 20, 40};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(save(f, made[i], 10), 0);
    }
    raft_index found[3];
    assert_int_equal(raft_node__snapshot_list(f->dir, found, 3, NULL), 3);
    assert_true(found[0] == 50 && found[1] == 40 && found[2] == 30);
}

static int verify(struct fixture *f, const char *path)
{
    return raft_node__snapshot_verify(path, NULL, &mu__malloc_allocator, &f->diag);
}

static void test_every_flipped_bit_and_every_cut_is_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 9, 300), 0);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, f->dir, 9);
    struct kit_file file = kit_read(path);
    for (size_t i = 0; i < file.len; i++) {
        file.data[i] ^= (uint8_t)(1u << (i % 8));
        kit_write(path, file.data, file.len);
        assert_int_equal(verify(f, path), RAFT_NODE_ECORRUPT);
        assert_non_null(strstr(f->diag.text, "is damaged at offset"));
        file.data[i] ^= (uint8_t)(1u << (i % 8));
        kit_write(path, file.data, i);
        assert_int_equal(verify(f, path), RAFT_NODE_ECORRUPT);
    }
    file.data = realloc(file.data, file.len + 1);
    file.data[file.len] = 0;
    kit_write(path, file.data, file.len + 1);
    assert_int_equal(verify(f, path), RAFT_NODE_ECORRUPT);
    kit_write(path, file.data, file.len);
    assert_int_equal(verify(f, path), 0);
    free(file.data);
}

static void test_swapped_chunks_are_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 9, 2 * SNAPSHOT_CHUNK_BYTES), 0);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, f->dir, 9);
    struct kit_file file = kit_read(path);
    size_t chunk = SNAPSHOT_CHUNK_BYTES + 8, first = file.len - 16 - 2 * chunk;
    uint8_t *swapped = malloc(file.len);
    memcpy(swapped, file.data, file.len);
    memcpy(swapped + first, file.data + first + chunk, chunk);
    memcpy(swapped + first + chunk, file.data + first, chunk);
    kit_write(path, swapped, file.len);
    assert_int_equal(verify(f, path), RAFT_NODE_ECORRUPT);
    free(swapped);
    free(file.data);
}

static void test_reading_a_damaged_snapshot_gives_no_bad_byte(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 9, 3 * SNAPSHOT_CHUNK_BYTES), 0);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, f->dir, 9);
    struct kit_file file = kit_read(path);
    file.data[file.len - 16 - 10] ^= 1; /* in the last chunk */
    kit_write(path, file.data, file.len);
    free(file.data);
    struct raft_node_reader *r = open_snapshot(f, 9);
    size_t at = 0;
    int rc;
    for (;;) {
        uint8_t buf[1000];
        size_t got = sizeof buf;
        rc = raft_node_snapshot_read(r, buf, &got);
        if (rc != 0) {
            break;
        }
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(buf[i], byte_at(at + i));
        }
        at += got;
        assert_true(got > 0);
    }
    assert_int_equal(rc, RAFT_NODE_ECORRUPT);
    assert_true(at <= 2 * SNAPSHOT_CHUNK_BYTES);
    uint8_t more[1];
    size_t got = 1;
    /* And it stays so */
    assert_int_equal(raft_node_snapshot_read(r, more, &got), RAFT_NODE_ECORRUPT);
    raft_node__snapshot_close(r);
}

static void test_a_large_snapshot_is_synced_bit_by_bit(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 1, 100), 0);
    unsigned before = atomic_load(&f->disk.syncs);
    assert_int_equal(before, 1);
    assert_int_equal(save(f, 2, 9 << 20), 0);
    assert_int_equal(atomic_load(&f->disk.syncs), before + 3);
    kit_break(&f->disk.sync, 2, EIO, false);
    assert_int_equal(save(f, 3, 9 << 20), RAFT_NODE_EIO);
    assert_int_equal(kit_count_files(f->dir, ".tmp"), 0);
}

static void test_failing_disk_leaves_no_file_and_the_old_snapshot(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 1, 100), 0);
    for (int at = 1; at <= 4; at++) {
        kit_break(&f->disk.write, at, ENOSPC, false);
        assert_int_equal(save(f, 2, 2 * SNAPSHOT_CHUNK_BYTES), RAFT_NODE_ENOSPC);
    }
    kit_mend(&f->disk.write);
    kit_break(&f->disk.sync, 1, EIO, false);
    assert_int_equal(save(f, 2, 100), RAFT_NODE_EIO);
    kit_break(&f->disk.create, 1, EACCES, false);
    assert_int_equal(save(f, 2, 100), RAFT_NODE_EIO);
    assert_int_equal(kit_count_files(f->dir, ".snap"), 1);
    assert_int_equal(kit_count_files(f->dir, ".tmp"), 0);
    expect(f, 1, 100);
}

/* A snapshot is read back and checked before it counts, and before an older one goes. */
static void test_disk_that_lies_gets_no_snapshot_and_keeps_the_old_one(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 1, 100), 0);
    atomic_store(&f->disk.lies, true);
    assert_int_equal(save(f, 2, 100), RAFT_NODE_ECORRUPT);
    atomic_store(&f->disk.lies, false);
    assert_int_equal(kit_count_files(f->dir, ".snap"), 1);
    assert_int_equal(kit_count_files(f->dir, ".tmp"), 0);
    expect(f, 1, 100);
}

static void test_name_of_a_snapshot_is_durable(void **state)
{
    struct fixture *f = *state;
    kit_break(&f->disk.sync_dir, 1, EIO, false);
    assert_int_equal(save(f, 1, 100), RAFT_NODE_EIO);
}

static void test_cancelled_writer_fails_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct raft_snapshot_meta meta = meta_of(5);
    atomic_bool cancelled;
    atomic_init(&cancelled, false);
    struct raft_node_writer *w;
    assert_int_equal(raft_node__snapshot_create(f->dir, &meta, &f->ops, &mu__malloc_allocator,
                                                &cancelled, &w, &f->diag),
                     0);
    atomic_store(&cancelled, true);
    uint8_t *data = calloc(1, 2 * SNAPSHOT_CHUNK_BYTES);
    assert_int_equal(raft_node_snapshot_write(w, data, 2 * SNAPSHOT_CHUNK_BYTES),
                     RAFT_NODE_ESTOPPED);
    free(data);
    assert_int_equal(raft_node__snapshot_finish(w, &f->diag), RAFT_NODE_ESTOPPED);
    assert_int_equal(kit_count_files(f->dir, ".snap") + kit_count_files(f->dir, ".tmp"), 0);
}

/* --- install --- */

/* Sends file to the install in chunks; damages one byte of it when `flip` is inside. */
static int install(struct fixture *f, struct install *in, const char *dir,
                   const struct kit_file *file, size_t chunk, size_t flip)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < file->len; at += chunk) {
        size_t len = file->len - at < chunk ? file->len - at : chunk;
        uint8_t *bytes = malloc(len);
        memcpy(bytes, file->data + at, len);
        if (flip >= at && flip < at + len) {
            bytes[flip - at] ^= 1;
        }
        struct raft_snapshot_write w = {.meta = meta_of(9),
                                        .offset = at,
                                        .data = bytes,
                                        .len = len,
                                        .last = at + len == file->len};
        rc = raft_node__install_write(in, dir, &f->ops, &mu__malloc_allocator, &w, &f->diag);
        free(bytes);
    }
    return rc;
}

static void test_received_snapshot_is_the_one_that_was_sent(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 9, 200000), 0);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, f->dir, 9);
    struct kit_file file = kit_read(path);
    unlink(path);
    struct install in = INSTALL_NONE;
    assert_int_equal(install(f, &in, f->dir, &file, 4096, SIZE_MAX), 0);
    assert_int_equal(in.fd, -1);
    expect(f, 9, 200000);

    unlink(path);
    /* damaged on the way */
    assert_int_equal(install(f, &in, f->dir, &file, 4096, 100000), RAFT_NODE_ECORRUPT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(kit_count_files(f->dir, ".tmp"), 0);
    assert_int_equal(install(f, &in, f->dir, &file, file.len, SIZE_MAX), 0); /* and again, whole */
    expect(f, 9, 200000);
    free(file.data);
}

static void test_chunk_out_of_place_ends_the_install(void **state)
{
    struct fixture *f = *state;
    struct install in = INSTALL_NONE;
    struct raft_snapshot_write w = {
        .meta = meta_of(9), .offset = 0, .data = "0123456789", .len = 10};
    assert_int_equal(
        raft_node__install_write(&in, f->dir, &f->ops, &mu__malloc_allocator, &w, &f->diag), 0);
    w.offset = 11;
    assert_int_equal(
        raft_node__install_write(&in, f->dir, &f->ops, &mu__malloc_allocator, &w, &f->diag),
        RAFT_EPROTO);
    assert_int_equal(in.fd, -1);
    w.offset = 10; /* what was there is gone */
    assert_int_equal(
        raft_node__install_write(&in, f->dir, &f->ops, &mu__malloc_allocator, &w, &f->diag),
        RAFT_EPROTO);
    assert_int_equal(kit_count_files(f->dir, ".tmp"), 0);
}

static void test_new_install_replaces_one_under_way(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 9, 5000), 0);
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, f->dir, 9);
    struct kit_file file = kit_read(path);
    unlink(path);
    struct install in = INSTALL_NONE;
    struct raft_snapshot_write w = {
        .meta = meta_of(8), .offset = 0, .data = "something else", .len = 14};
    assert_int_equal(
        raft_node__install_write(&in, f->dir, &f->ops, &mu__malloc_allocator, &w, &f->diag), 0);
    assert_int_equal(install(f, &in, f->dir, &file, 1000, SIZE_MAX), 0);
    expect(f, 9, 5000);
    free(file.data);
}

static void test_snapshot_of_another_index_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(save(f, 10, 100), 0); /* the install says 9 */
    char path[PATH_BYTES];
    raft_node__snapshot_path(path, f->dir, 10);
    struct kit_file file = kit_read(path);
    struct install in = INSTALL_NONE;
    assert_int_equal(install(f, &in, f->dir, &file, file.len, SIZE_MAX), RAFT_NODE_ECORRUPT);
    free(file.data);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_what_is_saved_is_read_again),
        T(test_last_two_are_kept),
        T(test_list_gives_the_newest_first_and_no_more_than_asked),
        T(test_every_flipped_bit_and_every_cut_is_found),
        T(test_swapped_chunks_are_found),
        T(test_reading_a_damaged_snapshot_gives_no_bad_byte),
        T(test_a_large_snapshot_is_synced_bit_by_bit),
        T(test_failing_disk_leaves_no_file_and_the_old_snapshot),
        T(test_disk_that_lies_gets_no_snapshot_and_keeps_the_old_one),
        T(test_name_of_a_snapshot_is_durable),
        T(test_cancelled_writer_fails_and_leaves_nothing),
        T(test_received_snapshot_is_the_one_that_was_sent),
        T(test_chunk_out_of_place_ends_the_install),
        T(test_new_install_replaces_one_under_way),
        T(test_snapshot_of_another_index_is_refused),
    };
    return cmocka_run_group_tests_name("node_snapshot", tests, NULL, NULL);
}
