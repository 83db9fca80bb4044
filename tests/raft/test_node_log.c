/* Mirrors libraft/node/log.c, log_open.c, log_read.c, segment.c and crc32c.c, on real files in a
 * temporary folder. */
#include "node_kit.h"

#include "crc32c.h"
#include "log.h"
#include "prng.h"

#include <stdio.h>

/* What a visitor heard: the log as a restarted server sees it. */
struct heard {
    raft_index base, last;
    raft_term base_term;
    raft_term terms[4096];
    uint8_t types[4096];
    uint64_t sums[4096];
    char warning[256];
    size_t warnings;
};

static uint64_t sum(const void *data, size_t len)
{
    uint64_t v = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) {
        v = (v ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    return v;
}

static void hear_reset(void *user, raft_index index, raft_term term)
{
    struct heard *h = user;
    h->base = h->last = index;
    h->base_term = term;
}

static int hear_entry(void *user, const struct raft_entry *e)
{
    struct heard *h = user;
    assert_int_equal(e->index, h->last + 1);
    h->last = e->index;
    h->terms[e->index % 4096] = e->term;
    h->types[e->index % 4096] = (uint8_t)e->type;
    h->sums[e->index % 4096] = sum(e->data, e->len);
    return 0;
}

static void hear_cut(void *user, raft_index index)
{
    struct heard *h = user;
    assert_true(index >= h->base && index <= h->last);
    h->last = index;
}

static void hear_log(void *user, enum mu_level level, const char *line)
{
    struct heard *h = user;
    if (level >= MU_WARN) {
        h->warnings++;
        snprintf(h->warning, sizeof h->warning, "%.255s", line);
    }
}

struct fixture {
    char dir[64];
    struct kit_disk disk;
    struct file_ops ops;
    struct log_config cfg;
    struct heard heard;
    struct raft_node_diag diag;
    struct log *log;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_make_dir(f->dir);
    f->ops = kit_ops(&f->disk);
    f->cfg = (struct log_config){
        .dir = f->dir,
        .segment_bytes = 64 * 1024,
        .entry_bytes_max = 1024 * 1024,
        .ops = &f->ops,
        .allocator = mu__malloc_allocator,
        .log = {.user = &f->heard, .log = hear_log},
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    raft_node__log_close(f->log);
    kit_remove_dir(f->dir);
    free(f);
    return 0;
}

static int try_open(struct fixture *f)
{
    raft_node__log_close(f->log);
    f->log = NULL;
    memset(&f->heard, 0, sizeof f->heard);
    struct log_visitor v = {
        .user = &f->heard, .reset = hear_reset, .entry = hear_entry, .cut = hear_cut};
    return raft_node__log_open(&f->cfg, &v, &f->log, &f->diag);
}

static void reopen(struct fixture *f)
{
    int rc = try_open(f);
    if (rc != 0) {
        print_message("%s\n", f->diag.text);
    }
    assert_int_equal(rc, 0);
}

/* The data of entry i: its length and bytes follow from the index. */
static size_t data_of(raft_index index, uint8_t out[512])
{
    size_t len = (size_t)(index * 37 % 300);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(index * 7 + i);
    }
    return len;
}

static int append_one(struct fixture *f, raft_index index, raft_term term)
{
    uint8_t data[512];
    struct raft_entry e = {.index = index, .term = term, .data = data, .len = data_of(index, data)};
    return raft_node__log_append(f->log, &e, &f->diag);
}

static void append(struct fixture *f, raft_index first, raft_index last, raft_term term)
{
    for (raft_index i = first; i <= last; i++) {
        assert_int_equal(append_one(f, i, term), 0);
    }
}

static void commit(struct fixture *f)
{
    assert_int_equal(raft_node__log_commit(f->log, &f->diag), 0);
}

static void expect_entries(const struct fixture *f, raft_index first, raft_index last,
                           raft_term term)
{
    for (raft_index i = first; i <= last; i++) {
        uint8_t data[512];
        size_t len = data_of(i, data);
        assert_int_equal(f->heard.terms[i % 4096], term);
        assert_true(f->heard.sums[i % 4096] == sum(data, len));
    }
}

static void segment_path(const struct fixture *f, unsigned sequence, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/log-%016x.seg", f->dir, sequence);
}

/* --- checksum --- */

static void test_crc32c_matches_rfc_3720_vectors(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
    }
    assert_int_equal(raft_node__crc32c(0, zeros, 32), 0x8a9136aau);
    assert_int_equal(raft_node__crc32c(0, ones, 32), 0x62a8ab43u);
    assert_int_equal(raft_node__crc32c(0, up, 32), 0x46dd794eu);
    assert_int_equal(raft_node__crc32c_table(0, up, 32), 0x46dd794eu);
    assert_int_equal(raft_node__crc32c(0, "123456789", 9), 0xe3069283u);
}

static void test_crc32c_by_instruction_equals_by_table_and_continues(void **state)
{
    (void)state;
    uint8_t data[257];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * i + 3);
    }
    for (size_t len = 0; len <= sizeof data; len++) {
        uint32_t whole = raft_node__crc32c(0, data, len);
        assert_int_equal(whole, raft_node__crc32c_table(0, data, len));
        assert_int_equal(whole, raft_node__crc32c(raft_node__crc32c(0, data, len / 3),
                                                  data + len / 3, len - len / 3));
    }
}

/* --- append, reopen, read --- */

static void test_empty_folder_gives_empty_log(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    assert_int_equal(f->heard.last, 0);
    reopen(f);
    assert_int_equal(f->heard.last, 0);
    assert_int_equal(raft_node__log_hard_state(f->log)->term, 0);
    assert_string_equal(raft_node__log_hard_state(f->log)->vote, "");
    assert_int_equal(raft_node__log_first_index(f->log), 1);
}

static void test_entries_and_vote_survive_a_reopen(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct raft_hard_state hs = {.term = 3, .vote = "server-b"};
    assert_int_equal(raft_node__log_set_hard_state(f->log, &hs, &f->diag), 0);
    append(f, 1, 50, 3);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 50);
    expect_entries(f, 1, 50, 3);
    assert_int_equal(raft_node__log_hard_state(f->log)->term, 3);
    assert_string_equal(raft_node__log_hard_state(f->log)->vote, "server-b");
    append(f, 51, 60, 4);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 60);
    expect_entries(f, 1, 50, 3);
    expect_entries(f, 51, 60, 4);
}

static void test_many_segments_are_one_log(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    for (raft_index i = 1; i <= 2000; i += 100) {
        append(f, i, i + 99, 1);
        commit(f);
    }
    assert_true(kit_count_files(f->dir, ".seg") >= 4);
    reopen(f);
    assert_int_equal(f->heard.last, 2000);
    expect_entries(f, 1, 2000, 1);
}

static void test_entry_larger_than_a_segment_gets_one_of_its_own(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 3, 1);
    size_t len = 300 * 1024;
    uint8_t *big = malloc(len);
    memset(big, 0x5a, len);
    struct raft_entry e = {.index = 4, .term = 1, .data = big, .len = len};
    assert_int_equal(raft_node__log_append(f->log, &e, &f->diag), 0);
    append(f, 5, 9, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 9);
    assert_true(f->heard.sums[4] == sum(big, len));
    free(big);
}

static void test_entry_beyond_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    f->cfg.entry_bytes_max = 100;
    reopen(f);
    uint8_t data[101] = {0};
    struct raft_entry e = {.index = 1, .term = 1, .data = data, .len = sizeof data};
    assert_int_equal(raft_node__log_append(f->log, &e, &f->diag), RAFT_ETOOBIG);
    assert_int_equal(raft_node__log_last_index(f->log), 0);
}

static void test_cut_drops_a_conflicting_suffix(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1); /* several segments */
    commit(f);
    assert_int_equal(raft_node__log_cut(f->log, 20, &f->diag), 0);
    append(f, 21, 30, 2);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 30);
    expect_entries(f, 1, 20, 1);
    expect_entries(f, 21, 30, 2);
    struct log_batch b;
    assert_int_equal(raft_node__log_read(f->log, 18, 25, 1 << 20, &b, &f->diag), 0);
    assert_true(b.n > 0 && b.entries[0].index == 18 && b.entries[0].term == 1);
    raft_node__log_batch_free(&f->cfg.allocator, &b);
}

static void test_reset_begins_anew_after_a_snapshot(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    commit(f);
    assert_int_equal(raft_node__log_reset(f->log, 5000, 7, &f->diag), 0);
    append(f, 5001, 5003, 7);
    commit(f);
    assert_int_equal(raft_node__log_compact(f->log, 5001, &f->diag), 0);
    assert_int_equal(kit_count_files(f->dir, ".seg"), 1);
    reopen(f);
    assert_int_equal(f->heard.base, 5000);
    assert_int_equal(f->heard.base_term, 7);
    assert_int_equal(f->heard.last, 5003);
    expect_entries(f, 5001, 5003, 7);
}

static void test_compaction_keeps_what_is_asked_for_and_the_vote(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct raft_hard_state hs = {.term = 9, .vote = "b"};
    assert_int_equal(raft_node__log_set_hard_state(f->log, &hs, &f->diag), 0);
    append(f, 1, 2000, 9);
    commit(f);
    size_t before = kit_count_files(f->dir, ".seg");
    assert_int_equal(raft_node__log_compact(f->log, 1500, &f->diag), 0);
    assert_true(kit_count_files(f->dir, ".seg") < before);
    raft_index first = raft_node__log_first_index(f->log);
    assert_in_range(first, 2, 1500);
    reopen(f);
    assert_int_equal(raft_node__log_first_index(f->log), first);
    assert_int_equal(f->heard.base, first - 1);
    assert_int_equal(f->heard.base_term, 9);
    assert_int_equal(f->heard.last, 2000);
    expect_entries(f, first, 2000, 9);
    assert_int_equal(raft_node__log_hard_state(f->log)->term, 9);
    assert_string_equal(raft_node__log_hard_state(f->log)->vote, "b");
}

static void test_cut_into_deleted_segments_is_a_reset(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    assert_int_equal(raft_node__log_cut(f->log, 10, &f->diag), 0);
    append(f, 11, 1500, 2);
    commit(f);
    assert_int_equal(raft_node__log_compact(f->log, 1400, &f->diag), 0);
    reopen(f);
    assert_int_equal(f->heard.last, 1500);
    expect_entries(f, 1400, 1500, 2);
}

static void test_read_gives_ranges_within_limits(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2000, 1);
    raft_index next = 1;
    while (next <= 2000) { /* what is still in the buffer is read as well */
        struct log_batch b;
        assert_int_equal(raft_node__log_read(f->log, next, 2000, 4096, &b, &f->diag), 0);
        assert_true(b.n > 0);
        size_t bytes = 0;
        for (size_t i = 0; i < b.n; i++) {
            uint8_t data[512];
            size_t len = data_of(next, data);
            assert_int_equal(b.entries[i].index, next++);
            assert_int_equal(b.entries[i].len, len);
            assert_memory_equal(b.entries[i].data, data, len);
            bytes += len;
        }
        assert_true(b.n == 1 || bytes <= 4096);
        raft_node__log_batch_free(&f->cfg.allocator, &b);
    }
    struct log_batch none;
    assert_int_equal(raft_node__log_read(f->log, 2001, 2001, 1, &none, &f->diag), 0);
    assert_int_equal(none.n, 0);
}

/* --- group commit --- */

static void test_one_sync_covers_all_that_was_queued(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    size_t before = f->disk.syncs;
    append(f, 1, 100, 1);
    assert_int_equal(f->disk.syncs, before);
    commit(f);
    assert_int_equal(f->disk.syncs, before + 1);
    commit(f); /* nothing new: nothing to sync */
    assert_int_equal(f->disk.syncs, before + 1);
}

/* --- torn and damaged files --- */

/* Two commits; the file is then cut at every length: what was in the second may be lost, never what
 * was in the first, and no cut is taken for damage unless it reaches into the first. */
static void test_torn_tail_at_every_length_is_repaired(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    commit(f);
    size_t durable;
    {
        char path[PATH_BYTES];
        segment_path(f, 1, path);
        struct kit_file file = kit_read(path);
        for (durable = file.len; file.data[durable - 1] == 0;) {
            durable--;
        }
        free(file.data);
    }
    append(f, 3, 6, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t used = file.len;
    while (file.data[used - 1] == 0) {
        used--;
    }
    durable = (durable + 7) & ~(size_t)7;
    for (size_t cut = durable; cut <= used; cut++) {
        uint8_t *torn = calloc(1, file.len);
        memcpy(torn, file.data, cut);
        kit_write(path, torn, file.len);
        free(torn);
        reopen(f);
        assert_in_range(f->heard.last, 2, 6);
        expect_entries(f, 1, f->heard.last, 1);
        raft_index last = f->heard.last;
        append(f, last + 1, 8, 1); /* and it goes on */
        commit(f);
        reopen(f);
        assert_int_equal(f->heard.last, 8);
        assert_int_equal(f->heard.warnings, 0);
    }
    free(file.data);
}

static void test_repair_is_said_in_a_log_line(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 6, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t used = file.len;
    while (file.data[used - 1] == 0) {
        used--;
    }
    memset(file.data + used - 10, 0, 10);
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 5);
    assert_int_equal(f->heard.warnings, 1);
    assert_non_null(strstr(f->heard.warning, "unfinished write"));
}

/* Writes of one group may reach the disk in any order: a hole before later records of the same
 * group is no damage. */
static void test_hole_within_the_last_group_is_torn_not_damaged(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    commit(f);
    append(f, 3, 6, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t at = SEGMENT_HEADER_BYTES;
    for (raft_index i = 1; i <= 2; i++) {
        uint8_t data[512];
        at += record_bytes(data_of(i, data));
    }
    memset(file.data + at, 0, 32); /* entry 3 */
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 2);
    assert_int_equal(f->heard.warnings, 1);
}

/* Every bit of what an earlier group wrote matters: flipping one is found, and the sentence names
 * file and offset. */
static void test_flipped_bit_before_the_tail_is_refused(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 3, 1);
    commit(f);
    append(f, 4, 5, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t at = 0, end = SEGMENT_HEADER_BYTES;
    for (raft_index i = 0; i <= 3; i++) {
        uint8_t data[512];
        size_t len = i == 0 ? 0 : data_of(i, data);
        /* The padding is free */
        size_t covered = i == 0 ? SEGMENT_HEADER_BYTES : RECORD_HEADER_BYTES + len;
        for (size_t k = at; k < at + covered; k++) {
            file.data[k] ^= (uint8_t)(1u << (k % 8));
            kit_write(path, file.data, file.len);
            assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
            char offset[80];
            snprintf(offset, sizeof offset, "log-0000000000000001.seg is damaged at offset %zu",
                     at);
            assert_non_null(strstr(f->diag.text, offset));
            assert_non_null(strstr(f->diag.text, "empty the folder"));
            file.data[k] ^= (uint8_t)(1u << (k % 8));
        }
        at = i == 0 ? end : at + record_bytes(len);
    }
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 5);
}

static void test_damage_in_a_closed_segment_is_refused(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t used = file.len;
    while (file.data[used - 1] == 0) {
        used--;
    }
    /* The last record of the first file: in an open one this would count as torn */
    file.data[used - 1] ^= 1;
    kit_write(path, file.data, file.len);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    memset(file.data + used - 20, 0, 20);
    kit_write(path, file.data, file.len);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    kit_write(path, file.data, used / 2);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    free(file.data);
}

static void test_missing_segment_is_named(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 1500, 1);
    commit(f);
    char path[PATH_BYTES];
    segment_path(f, 2, path);
    unlink(path);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
    assert_non_null(strstr(f->diag.text, "log-0000000000000002.seg is missing"));
}

static void test_segment_of_another_log_is_refused(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 700, 1);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char one[PATH_BYTES], two[PATH_BYTES];
    segment_path(f, 1, one);
    segment_path(f, 2, two);
    struct kit_file file = kit_read(one);
    kit_write(two, file.data, file.len);
    free(file.data);
    assert_int_equal(try_open(f), RAFT_NODE_ECORRUPT);
}

/* An entry whose data is a record of its own, with a right checksum in a file without salt, is
 * never taken for one. */
static void test_record_inside_an_entry_is_not_believed(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    commit(f);
    uint8_t inner[RECORD_HEADER_BYTES];
    struct record forged = {.kind = RECORD_ENTRY, .index = 9, .term = 1, .synced = 600};
    raft_node__record_encode(inner, 0, 1000, &forged);
    struct raft_entry e = {.index = 3, .term = 1, .data = inner, .len = sizeof inner};
    assert_int_equal(raft_node__log_append(f->log, &e, &f->diag), 0);
    commit(f);
    raft_node__log_close(f->log);
    f->log = NULL;
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    uint8_t data[512];
    size_t at =
        SEGMENT_HEADER_BYTES + record_bytes(data_of(1, data)) + record_bytes(data_of(2, data));
    file.data[at] ^= 1; /* entry 3 is torn; its data still stands there */
    kit_write(path, file.data, file.len);
    free(file.data);
    reopen(f);
    assert_int_equal(f->heard.last, 2);
}

/* --- crash points of the hard state --- */

static void test_hard_state_is_the_old_or_the_new_at_every_crash_point(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct raft_hard_state old = {.term = 4, .vote = "old-candidate"},
                           new = {.term = 5, .vote = "new-candidate"};
    assert_int_equal(raft_node__log_set_hard_state(f->log, &old, &f->diag), 0);
    commit(f);
    char path[PATH_BYTES];
    segment_path(f, 1, path);
    struct kit_file before = kit_read(path);
    assert_int_equal(raft_node__log_set_hard_state(f->log, &new, &f->diag), 0);
    commit(f);
    struct kit_file after = kit_read(path);
    raft_node__log_close(f->log);
    f->log = NULL;
    size_t from = SEGMENT_HEADER_BYTES + record_bytes(strlen(old.vote)),
           to = from + record_bytes(strlen(new.vote));
    for (size_t done = from; done <= to; done++) {
        memcpy(before.data, after.data, done);
        kit_write(path, before.data, before.len);
        reopen(f);
        const struct raft_hard_state *hs = raft_node__log_hard_state(f->log);
        bool is_new = hs->term == 5;
        assert_string_equal(hs->vote, is_new ? new.vote : old.vote);
        assert_int_equal(hs->term, is_new ? 5 : 4);
        assert_true(is_new || done < to);
    }
    free(before.data);
    free(after.data);
}

/* --- failing disks --- */

static void test_full_disk_is_reported_and_can_be_retried(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 100, 1);
    commit(f);
    kit_break(&f->disk.allocate, 1, ENOSPC, true);
    raft_index i = 101;
    int rc = 0;
    while ((rc = append_one(f, i, 1)) == 0) {
        i++;
    }
    assert_int_equal(rc, RAFT_NODE_ENOSPC);
    assert_non_null(strstr(f->diag.text, "No space left"));
    assert_int_equal(append_one(f, i, 1), RAFT_NODE_ENOSPC);
    kit_mend(&f->disk.allocate);
    append(f, i, 1000, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 1000);
    expect_entries(f, 1, 1000, 1);
}

static void test_short_write_on_a_full_disk_is_retried_whole(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 100, 1);
    kit_break(&f->disk.write, 1, ENOSPC, false);
    assert_int_equal(raft_node__log_commit(f->log, &f->diag), RAFT_NODE_ENOSPC);
    append(f, 101, 110, 1);
    commit(f);
    reopen(f);
    assert_int_equal(f->heard.last, 110);
    expect_entries(f, 1, 110, 1);
}

static void test_failed_sync_is_final_even_if_the_disk_was_full(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 2, 1);
    kit_break(&f->disk.sync, 1, ENOSPC, false);
    assert_int_equal(raft_node__log_commit(f->log, &f->diag), RAFT_NODE_EIO);
    assert_non_null(strstr(f->diag.text, "cannot sync"));
}

static void test_crash_while_a_segment_is_made_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    append(f, 1, 10, 1);
    commit(f);
    char path[PATH_BYTES];
    assert_true(raft_node__path(path, f->dir, "log.tmp"));
    kit_write(path, "half a header", 13);
    reopen(f);
    assert_int_equal(f->heard.last, 10);
    assert_int_equal(access(path, F_OK), -1);
}

/* A long life of appends, cuts, resets, compactions and reopenings agrees with a naive log. */
static void test_random_life_agrees_with_a_naive_log(void **state)
{
    struct fixture *f = *state;
    static raft_term naive[4096];
    raft_index first = 1, last = 0;
    raft_term term = 1;
    struct mu__prng p;
    mu__prng_seed(&p, 0x51f3);
    reopen(f);
    for (int step = 0; step < 1500; step++) {
        switch (mu__prng_below(&p, 12)) {
        default:
            for (uint64_t n = mu__prng_below(&p, 40); n > 0 && last < 4000; n--) {
                naive[++last] = term;
                append(f, last, last, term);
            }
            commit(f);
            break;
        case 0:
            if (last > first) {
                last = mu__prng_between(&p, first, last);
                assert_int_equal(raft_node__log_cut(f->log, last, &f->diag), 0);
                term++;
                naive[++last] = term;
                append(f, last, last, term);
                commit(f);
            }
            break;
        case 1:
            if (last > first) {
                raft_index to = mu__prng_between(&p, first, last);
                assert_int_equal(raft_node__log_compact(f->log, to, &f->diag), 0);
                first = to;
            }
            break;
        case 2:
            if (last > 3900) {
                first = last = 0;
            } else if (mu__prng_below(&p, 4) == 0) {
                last += 10;
            } else {
                break;
            }
            term++;
            assert_int_equal(raft_node__log_reset(f->log, last, term, &f->diag), 0);
            commit(f);
            first = last + 1;
            break;
        case 3:
            reopen(f);
            assert_int_equal(f->heard.last, last);
            assert_true(f->heard.base < first);
            for (raft_index i = first; i <= last; i++) {
                assert_int_equal(f->heard.terms[i % 4096], naive[i]);
            }
            break;
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_matches_rfc_3720_vectors),
        cmocka_unit_test(test_crc32c_by_instruction_equals_by_table_and_continues),
        T(test_empty_folder_gives_empty_log),
        T(test_entries_and_vote_survive_a_reopen),
        T(test_many_segments_are_one_log),
        T(test_entry_larger_than_a_segment_gets_one_of_its_own),
        T(test_entry_beyond_the_limit_is_refused),
        T(test_cut_drops_a_conflicting_suffix),
        T(test_reset_begins_anew_after_a_snapshot),
        T(test_compaction_keeps_what_is_asked_for_and_the_vote),
        T(test_cut_into_deleted_segments_is_a_reset),
        T(test_read_gives_ranges_within_limits),
        T(test_one_sync_covers_all_that_was_queued),
        T(test_torn_tail_at_every_length_is_repaired),
        T(test_repair_is_said_in_a_log_line),
        T(test_hole_within_the_last_group_is_torn_not_damaged),
        T(test_flipped_bit_before_the_tail_is_refused),
        T(test_damage_in_a_closed_segment_is_refused),
        T(test_missing_segment_is_named),
        T(test_segment_of_another_log_is_refused),
        T(test_record_inside_an_entry_is_not_believed),
        T(test_hard_state_is_the_old_or_the_new_at_every_crash_point),
        T(test_full_disk_is_reported_and_can_be_retried),
        T(test_short_write_on_a_full_disk_is_retried_whole),
        T(test_failed_sync_is_final_even_if_the_disk_was_full),
        T(test_crash_while_a_segment_is_made_leaves_nothing),
        T(test_random_life_agrees_with_a_naive_log),
    };
    return cmocka_run_group_tests_name("node_log", tests, NULL, NULL);
}
