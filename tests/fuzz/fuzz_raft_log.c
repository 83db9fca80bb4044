/* fuzz_raft_log.c - a log file of any bytes is refused or gives entries whose checksums hold; never
 * anything else.
 *
 * The first byte chooses. Even: the rest is the segment file. Odd: the rest is a script that first
 * writes a log through its own functions (appends, cuts, resets, commits, compactions) and then
 * damages the last file; what is read after that must be what was written: each entry's data
 * follows from its index and term. Either way, a log that opens goes on: one more entry is appended
 * and read back. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "cursor.h"
#include "log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_sync(void *user, int fd)
{
    (void)user;
    (void)fd;
    return 0;
}

static int create(void *user, const char *path)
{
    (void)user;
    return raft_node__posix_ops.create(NULL, path);
}

static int small_allocate(void *user, int fd, uint64_t bytes)
{
    (void)user;
    return ftruncate(fd, (off_t)bytes);
}

static int plain_write(void *user, int fd, const void *data, size_t len, uint64_t offset)
{
    (void)user;
    return raft_node__posix_ops.write(NULL, fd, data, len, offset);
}

static int no_sync_dir(void *user, const char *dir)
{
    (void)user;
    (void)dir;
    return 0;
}

static const struct file_ops ops = {NULL,        create,  small_allocate,
                                    plain_write, no_sync, no_sync_dir};

static uint64_t fixed_salt(void)
{
    return 0x5a17;
}

static size_t pattern(raft_index index, raft_term term, uint8_t out[64])
{
    size_t len = (size_t)((index * 7 + term) % 61);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(index * 13 + term * 5 + i);
    }
    return len;
}

struct seen {
    bool is_scripted;
    raft_index last;
    raft_term term;
};

static void on_reset(void *user, raft_index index, raft_term term)
{
    struct seen *s = user;
    s->last = index;
    s->term = term;
}

static int on_entry(void *user, const struct raft_entry *e)
{
    struct seen *s = user;
    assert(e->index == s->last + 1 && e->term > 0);
    s->last = e->index;
    s->term = e->term;
    if (s->is_scripted) {
        uint8_t expected[64];
        size_t len = pattern(e->index, e->term, expected);
        assert(e->len == len && memcmp(e->data, expected, len) == 0);
    }
    return 0;
}

static void on_cut(void *user, raft_index index)
{
    struct seen *s = user;
    assert(index <= s->last);
    s->last = index;
}

static struct log *open_log(const char *dir, struct seen *seen)
{
    struct log_config cfg = {
        .dir = dir,
        .segment_bytes = 4096,
        .entry_bytes_max = 1 << 16,
        .ops = &ops,
        .allocator = mu__malloc_allocator,
        .entropy = fixed_salt,
    };
    struct log_visitor v = {seen, on_reset, on_entry, on_cut, NULL};
    struct log *l;
    struct raft_node_diag diag = {""}, scan_diag = {""};
    struct raft_node_log_info info;
    int scanned = raft_node_log_scan(dir, NULL, NULL, NULL, &info, &scan_diag);
    int rc = raft_node__log_open(&cfg, &v, &l, &diag);
    assert(rc == 0 ? l != NULL : l == NULL && diag.text[0] != 0);
    /* Who only looks sees the same */
    assert(scanned == rc && strcmp(scan_diag.text, diag.text) == 0);
    assert(rc != 0 || (info.last_index == raft_node__log_last_index(l) &&
                       info.first_index == raft_node__log_first_index(l)));
    return l;
}

static void append(struct log *l, raft_index index, raft_term term)
{
    uint8_t bytes[64];
    struct raft_entry e = {
        .index = index, .term = term, .data = bytes, .len = pattern(index, term, bytes)};
    if (raft_node__log_append(l, &e, NULL) != 0) {
        abort();
    }
}

/* Writes a log as the script says; its last byte read says how many bytes of damage follow. */
static void play(const char *dir, struct mu__reader *r)
{
    struct seen seen = {.is_scripted = true};
    struct log *l = open_log(dir, &seen);
    raft_index first = 1, last = 0;
    raft_term term = 1;
    struct raft_hard_state hs = {.term = 1, .vote = "a"};
    for (unsigned steps = mu__read_u8(r); steps > 0; steps--) {
        uint8_t op = mu__read_u8(r), arg = mu__read_u8(r);
        int rc = 0;
        switch (op % 6) {
        case 0:
            for (unsigned i = 0; i < arg % 32u; i++) {
                append(l, ++last, term);
            }
            break;
        case 1:
            rc = raft_node__log_commit(l, NULL);
            break;
        case 2:
            if (last >= first) {
                last = first + arg % (last - first + 1) - 1;
                rc = raft_node__log_cut(l, last, NULL);
                term++;
            }
            break;
        case 3:
            last += arg % 8;
            first = last + 1;
            rc = raft_node__log_reset(l, last, 0, NULL);
            break;
        case 4:
            hs.term += arg % 3;
            snprintf(hs.vote, sizeof hs.vote, "s%u", arg);
            rc = raft_node__log_set_hard_state(l, &hs, NULL);
            break;
        default:
            first = last > first ? first + arg % (last - first) : first;
            rc = raft_node__log_compact(l, first, NULL);
            break;
        }
        if (rc != 0) {
            abort();
        }
    }
    if (raft_node__log_commit(l, NULL) != 0) {
        abort();
    }
    raft_node__log_close(l);
}

static void damage(const char *dir, struct mu__reader *r)
{
    char path[PATH_BYTES], name[32];
    for (uint64_t sequence = 64; sequence > 0; sequence--) {
        snprintf(name, sizeof name, "log-%016llx.seg", (unsigned long long)sequence);
        raft_node__path(path, dir, name);
        if (access(path, F_OK) == 0) {
            break;
        }
    }
    uint8_t *bytes;
    size_t len;
    if (raft_node__read_file(&mu__malloc_allocator, path, 1 << 20, &bytes, &len, NULL) != 0) {
        return;
    }
    while (mu__reader_left(r) >= 3) {
        size_t at = (size_t)mu__read_u16be(r) % len;
        bytes[at] ^= mu__read_u8(r);
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, len, f) != len) {
        abort();
    }
    fclose(f);
    mu__free(&mu__malloc_allocator, bytes);
}

/* Whatever opened can be written on. */
static void go_on(const char *dir, bool is_scripted)
{
    struct seen seen = {.is_scripted = is_scripted};
    struct log *l = open_log(dir, &seen);
    if (!l) {
        return;
    }
    assert(raft_node__log_last_index(l) == seen.last);
    if (seen.last < UINT64_MAX - 1) {
        append(l, seen.last + 1, seen.term > UINT64_MAX - 1 ? seen.term : seen.term + 1);
        if (raft_node__log_commit(l, NULL) != 0) {
            abort();
        }
        raft_node__log_close(l);
        struct seen again = {.is_scripted = is_scripted};
        l = open_log(dir, &again);
        assert(l && again.last == seen.last + 1);
    }
    raft_node__log_close(l);
}

static void remove_all(const char *dir)
{
    char path[PATH_BYTES], name[32];
    for (uint64_t sequence = 1; sequence <= 64; sequence++) {
        snprintf(name, sizeof name, "log-%016llx.seg", (unsigned long long)sequence);
        raft_node__path(path, dir, name);
        unlink(path);
    }
    rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16) {
        return 0;
    }
    char dir[] = "/dev/shm/muster-fuzz-XXXXXX", fallback[] = "/tmp/muster-fuzz-XXXXXX";
    const char *in = mkdtemp(dir) ? dir : mkdtemp(fallback);
    if (!in) {
        abort();
    }
    bool is_scripted = data[0] & 1;
    struct mu__reader r = mu__reader(data + 1, size - 1);
    if (is_scripted) {
        play(in, &r);
        damage(in, &r);
    } else {
        char path[PATH_BYTES];
        raft_node__path(path, in, "log-0000000000000001.seg");
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(data + 1, 1, size - 1, f) != size - 1) {
            abort();
        }
        fclose(f);
    }
    go_on(in, is_scripted);
    remove_all(in);
    return 0;
}
