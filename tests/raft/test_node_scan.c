/* Mirrors libraft/node/scan.c and log_replay.c: whoever only looks sees what a restarted server
 * would see, and changes nothing. */
#include "node_kit.h"

#include "log.h"
#include "snapshot.h"

#include <stdio.h>
#include <sys/file.h>

#define SEGMENT_BYTES (64u * 1024u)

struct fixture {
    char dir[64];
    struct log_config cfg;
    struct raft_node_diag diag;
    struct raft_node_log_info info;
    struct raft_node_record last; /* its data is gone */
    char last_file[32];
    size_t records, entries;
    uint64_t entry_bytes;
    int answer; /* of fn, at the third record */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_make_dir(f->dir);
    f->cfg = (struct log_config){
        .dir = f->dir,
        .segment_bytes = SEGMENT_BYTES,
        .entry_bytes_max = 1024 * 1024,
        .ops = &raft_node__posix_ops,
        .allocator = mu__malloc_allocator,
    };
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

/* --- making logs --- */

static size_t data_of(raft_index index, uint8_t out[512])
{
    size_t len = (size_t)(index * 37 % 300);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(index * 7 + i);
    }
    return len;
}

static void append(struct log *l, raft_index first, raft_index last, raft_term term)
{
    for (raft_index i = first; i <= last; i++) {
        uint8_t data[512];
        struct raft_entry e = {.index = i, .term = term, .data = data, .len = data_of(i, data)};
        assert_int_equal(raft_node__log_append(l, &e, NULL), 0);
    }
    assert_int_equal(raft_node__log_commit(l, NULL), 0);
}

static struct log *open_log(struct fixture *f)
{
    struct log *l;
    assert_int_equal(raft_node__log_open(&f->cfg, NULL, &l, &f->diag), 0);
    return l;
}

/* Entries 1 to n in two groups, so that what the first wrote is known to be durable. */
static void make_log(struct fixture *f, raft_index n)
{
    struct log *l = open_log(f);
    append(l, 1, n / 2, 1);
    append(l, n / 2 + 1, n, 1);
    raft_node__log_close(l);
}

static void segment_path(const struct fixture *f, unsigned sequence, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/log-%016x.seg", f->dir, sequence);
}

static size_t used_bytes(const struct kit_file *file)
{
    size_t used = file->len;
    while (used > 0 && file->data[used - 1] == 0) {
        used--;
    }
    return used;
}

/* --- looking at them --- */

static int hear(void *user, const struct raft_node_record *r)
{
    struct fixture *f = user;
    const char *name = strrchr(r->path, '/') + 1;
    assert_true(f->records == 0 || strcmp(name, f->last_file) > 0 || r->offset > f->last.offset);
    f->records++;
    if (r->kind == RAFT_NODE_RECORD_ENTRY) {
        uint8_t expected[512];
        assert_int_equal(r->len, data_of(r->index, expected));
        assert_memory_equal(r->data, expected, r->len);
        f->entries++;
        f->entry_bytes += r->len;
    }
    f->last = *r;
    snprintf(f->last_file, sizeof f->last_file, "%.31s", name);
    return f->records == 3 ? f->answer : 0;
}

static int scan(struct fixture *f)
{
    f->records = f->entries = 0;
    f->diag.text[0] = '\0';
    return raft_node_log_scan(f->dir, NULL, hear, f, &f->info, &f->diag);
}

/* Scan and opening say the same of what is there. The opening may repair, so it comes second. */
static int scan_and_open(struct fixture *f)
{
    int rc = scan(f);
    struct log *l;
    struct raft_node_diag diag = {""};
    assert_int_equal(raft_node__log_open(&f->cfg, NULL, &l, &diag), rc);
    assert_string_equal(diag.text, f->diag.text);
    if (rc == 0) {
        assert_int_equal(raft_node__log_last_index(l), f->info.last_index);
        assert_int_equal(raft_node__log_first_index(l), f->info.first_index);
        assert_int_equal(raft_node__log_hard_state(l)->term, f->info.hard.term);
        assert_string_equal(raft_node__log_hard_state(l)->vote, f->info.hard.vote);
    }
    raft_node__log_close(l);
    return rc;
}

static void test_empty_folder_has_no_files(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(scan(f), 0);
    assert_int_equal(f->info.files, 0);
    assert_int_equal(f->info.first_index, 1);
    assert_int_equal(f->info.last_index, 0);
    assert_string_equal(f->info.last_file, "");
    assert_int_equal(kit_count_files(f->dir, ".seg"), 0); /* nothing was made */
}

static void test_missing_folder_is_an_io_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(raft_node_log_scan("/nowhere/at all", NULL, NULL, NULL, NULL, &f->diag),
                     RAFT_NODE_EIO);
    assert_non_null(strstr(f->diag.text, "/nowhere/at all"));
    assert_int_equal(raft_node_log_scan("/nowhere", NULL, NULL, NULL, NULL, NULL), RAFT_NODE_EIO);
}

static void test_every_kind_of_record_is_told_in_order(void **state)
{
    struct fixture *f = *state;
    struct log *l = open_log(f);
    struct raft_hard_state hs = {.term = 3, .vote = "server-b"};
    append(l, 1, 4, 2);
    assert_int_equal(raft_node__log_set_hard_state(l, &hs, NULL), 0);
    assert_int_equal(raft_node__log_commit(l, NULL), 0);
    assert_int_equal(scan(f), 0); /* while the log is open */
    assert_int_equal(f->last.kind, RAFT_NODE_RECORD_HARD_STATE);
    assert_int_equal(f->last.term, 3);
    assert_int_equal(f->last.len, strlen("server-b"));
    assert_int_equal(raft_node__log_cut(l, 2, NULL), 0);
    assert_int_equal(raft_node__log_commit(l, NULL), 0);
    assert_int_equal(scan(f), 0);
    assert_int_equal(f->last.kind, RAFT_NODE_RECORD_CUT);
    assert_int_equal(f->last.index, 2);
    assert_int_equal(f->info.last_index, 2);
    assert_int_equal(raft_node__log_reset(l, 100, 3, NULL), 0);
    append(l, 101, 103, 3);
    raft_node__log_close(l);
    assert_int_equal(scan_and_open(f), 0);
    assert_int_equal(f->records, 4 + 1 + 1 + 1 + 3);
    assert_int_equal(f->entries, 7); /* those that were voided are told, too */
    assert_int_equal(f->info.first_index, 101);
    assert_int_equal(f->info.last_index, 103);
    assert_string_equal(f->info.hard.vote, "server-b");
    assert_int_equal(f->info.torn_bytes, 0);
}

static void test_many_files_are_one_log(void **state)
{
    struct fixture *f = *state;
    make_log(f, 1500);
    assert_int_equal(scan_and_open(f), 0);
    assert_int_equal(f->entries, 1500);
    assert_true(f->info.files > 2);
    assert_int_equal(f->info.files, kit_count_files(f->dir, ".seg"));
    assert_string_equal(f->info.last_file, f->last_file);
}

static void test_fn_ends_the_scan(void **state)
{
    struct fixture *f = *state;
    make_log(f, 10);
    f->answer = 17;
    assert_int_equal(scan(f), 17);
    assert_int_equal(f->records, 3);
}

static void test_torn_tail_is_told_and_left_alone(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES], unfinished[PATH_BYTES];
    make_log(f, 6);
    assert_int_equal(scan(f), 0);
    size_t last_begins = (size_t)f->last.offset;
    segment_path(f, 1, path);
    snprintf(unfinished, sizeof unfinished, "%s/log.tmp", f->dir);
    struct kit_file file = kit_read(path);
    uint8_t *torn = calloc(1, file.len);
    for (size_t cut = last_begins + 1; cut < used_bytes(&file); cut++) {
        memset(torn, 0, file.len);
        memcpy(torn, file.data, cut);
        kit_write(path, torn, file.len);
        kit_write(unfinished, "x", 1);
        assert_int_equal(scan(f), 0);
        assert_int_equal(f->entries, 5);
        assert_int_equal(f->info.end_offset, last_begins);
        assert_in_range(f->info.torn_bytes, 1, cut - last_begins);
        struct kit_file after = kit_read(path);
        assert_int_equal(after.len, file.len);
        assert_memory_equal(after.data, torn, file.len);
        free(after.data);
        assert_int_equal(access(unfinished, F_OK), 0);
    }
    assert_int_equal(scan_and_open(f), 0); /* the opening repairs */
    assert_int_equal(scan(f), 0);
    assert_int_equal(f->info.torn_bytes, 0);
    free(torn);
    free(file.data);
}

static void test_each_flipped_byte_before_the_tail_is_damage_at_its_record(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES], where[80];
    make_log(f, 4);
    segment_path(f, 1, path);
    struct kit_file file = kit_read(path);
    size_t at = 0, len = SEGMENT_HEADER_BYTES;
    for (raft_index i = 0; i <= 2; i++) {
        for (size_t k = at; k < at + len; k++) {
            file.data[k] ^= (uint8_t)(1u << (k % 8));
            kit_write(path, file.data, file.len);
            assert_int_equal(scan_and_open(f), RAFT_NODE_ECORRUPT);
            assert_int_equal(f->entries, i == 0 ? 0 : i - 1); /* all before it were told */
            snprintf(where, sizeof where, "log-0000000000000001.seg is damaged at offset %zu", at);
            assert_non_null(strstr(f->diag.text, where));
            file.data[k] ^= (uint8_t)(1u << (k % 8));
        }
        uint8_t data[512];
        at = i == 0 ? SEGMENT_HEADER_BYTES : at + record_bytes(len - RECORD_HEADER_BYTES);
        len = RECORD_HEADER_BYTES + data_of(i + 1, data);
    }
    free(file.data);
}

/* What else can happen to files, in the last of three or before it. */
static void damage(struct fixture *f, size_t kind)
{
    char first[PATH_BYTES], second[PATH_BYTES];
    segment_path(f, 1, first);
    segment_path(f, 2, second);
    struct kit_file one = kit_read(first), two = kit_read(second);
    size_t used = used_bytes(&one);
    switch (kind) {
    case 0: /* gone */
        unlink(second);
        break;
    case 1: /* empty */
        kit_write(second, "", 0);
        break;
    case 2: /* cut within a record */
        kit_write(first, one.data, used / 2);
        break;
    case 3: /* cut between the header's fields */
        kit_write(second, two.data, 60);
        break;
    case 4: /* another file's content */
        kit_write(second, one.data, one.len);
        break;
    case 5: /* two files changed places */
        kit_write(second, one.data, one.len);
        kit_write(first, two.data, two.len);
        break;
    case 6: /* a block of zeros */
        memset(one.data + 4096, 0, 4096);
        kit_write(first, one.data, one.len);
        break;
    case 7: /* the last record of a file that is complete */
        one.data[used - 1] ^= 1;
        kit_write(first, one.data, one.len);
        break;
    case 8: /* all zeros */
        memset(one.data, 0, one.len);
        kit_write(first, one.data, one.len);
        break;
    case 9: /* rubbish after the end of a file that is complete */
        memset(one.data + one.len - 8, 0x5a, 8);
        kit_write(first, one.data, one.len);
        break;
    default:
        break;
    }
    free(one.data);
    free(two.data);
}

static void test_every_class_of_damage_is_refused_as_the_server_refuses_it(void **state)
{
    struct fixture *f = *state;
    for (size_t kind = 0; kind < 10; kind++) {
        kit_empty_dir(f->dir);
        make_log(f, 1500);
        damage(f, kind);
        assert_int_equal(scan_and_open(f), RAFT_NODE_ECORRUPT);
        assert_non_null(strstr(f->diag.text, f->dir)); /* names the file */
        assert_true(strstr(f->diag.text, "empty the folder") != NULL);
    }
}

/* --- snapshots --- */

struct seen {
    raft_index index[8];
    int status[8];
    size_t count;
    int answer;
};

static int see(void *user, const struct raft_node_snapshot_info *s)
{
    struct seen *seen = user;
    seen->index[seen->count] = s->index;
    seen->status[seen->count++] = s->status;
    assert_true((s->status == RAFT_OK) == (s->sentence[0] == '\0'));
    if (s->status != RAFT_OK) {
        assert_null(s->reader);
        return seen->answer;
    }
    assert_int_equal(s->term, 7);
    assert_int_equal(s->configuration_index, 3);
    assert_memory_equal(s->configuration, "configuration", s->configuration_len);
    assert_int_equal(s->bytes, s->index * 1000);
    uint8_t buf[512];
    uint64_t total = 0;
    size_t len;
    do {
        len = sizeof buf;
        assert_int_equal(raft_node_snapshot_read(s->reader, buf, &len), 0);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(buf[i], s->index % 251);
        }
        total += len;
    } while (len > 0);
    assert_int_equal(total, s->bytes);
    return seen->answer;
}

static void save(struct fixture *f, raft_index index)
{
    struct raft_snapshot_meta meta = {.index = index,
                                      .term = 7,
                                      .configuration_index = 3,
                                      .configuration = "configuration",
                                      .configuration_len = 13};
    struct raft_node_writer *w;
    uint8_t block[1000];
    memset(block, (int)(index % 251), sizeof block);
    assert_int_equal(raft_node__snapshot_create(f->dir, &meta, f->cfg.ops, &mu__malloc_allocator,
                                                NULL, &w, NULL),
                     0);
    for (raft_index i = 0; i < index; i++) {
        assert_int_equal(raft_node_snapshot_write(w, block, sizeof block), 0);
    }
    assert_int_equal(raft_node__snapshot_finish(w, NULL), 0);
}

static int scan_snapshots(struct fixture *f, struct seen *seen)
{
    *seen = (struct seen){.answer = seen->answer};
    return raft_node_snapshot_scan(f->dir, NULL, see, seen, &f->diag);
}

static void test_snapshots_are_told_newest_first_with_their_bytes(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    assert_int_equal(scan_snapshots(f, &seen), 0);
    assert_int_equal(seen.count, 0);
    save(f, 70);
    save(f, 300);
    assert_int_equal(scan_snapshots(f, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_true(seen.index[0] == 300 && seen.index[1] == 70);
    seen.answer = 5;
    assert_int_equal(scan_snapshots(f, &seen), 5);
    assert_int_equal(seen.count, 1);
}

static void expect_only_older(struct fixture *f, const char *path)
{
    struct seen seen = {0};
    f->diag.text[0] = '\0';
    assert_int_equal(scan_snapshots(f, &seen), RAFT_NODE_ECORRUPT);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.status[0], RAFT_NODE_ECORRUPT);
    assert_int_equal(seen.status[1], RAFT_OK);
    assert_non_null(strstr(f->diag.text, path));
}

static void test_damaged_snapshot_is_named_and_the_others_are_read(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES];
    save(f, 2);
    save(f, 3);
    raft_node__snapshot_path(path, f->dir, 3);
    struct kit_file file = kit_read(path);
    for (size_t k = 0; k < file.len; k += k < 100 ? 1 : 41) {
        file.data[k] ^= (uint8_t)(1u << (k % 8));
        kit_write(path, file.data, file.len);
        expect_only_older(f, path);
        file.data[k] ^= (uint8_t)(1u << (k % 8));
    }
    for (size_t len = 0; len < file.len; len += 97) {
        kit_write(path, file.data, len);
        expect_only_older(f, path);
    }
    uint8_t *longer = calloc(1, file.len + 1);
    memcpy(longer, file.data, file.len);
    kit_write(path, longer, file.len + 1);
    expect_only_older(f, path);
    free(longer);
    unlink(path);
    raft_node__snapshot_path(path, f->dir, 4); /* whole, but under another name */
    kit_write(path, file.data, file.len);
    expect_only_older(f, path);
    free(file.data);
}

/* --- who uses it --- */

static void test_folder_in_use_is_seen_without_a_lock(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES];
    assert_false(raft_node_is_in_use(f->dir));
    snprintf(path, sizeof path, "%s/lock", f->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_false(raft_node_is_in_use(f->dir));
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    bool is_seen = raft_node_is_in_use(f->dir);
    close(fd);
    assert_false(raft_node_is_in_use(f->dir));
    if (!is_seen) {
        print_message("/proc/locks does not show the locks of this file system\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty_folder_has_no_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_folder_is_an_io_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_kind_of_record_is_told_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_many_files_are_one_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fn_ends_the_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail_is_told_and_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_each_flipped_byte_before_the_tail_is_damage_at_its_record, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_every_class_of_damage_is_refused_as_the_server_refuses_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshots_are_told_newest_first_with_their_bytes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_snapshot_is_named_and_the_others_are_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder_in_use_is_seen_without_a_lock, setup, teardown),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
