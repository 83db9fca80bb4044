#include "log.h"

#include "log_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Beyond this much, queued records are written at once, without waiting for the commit that syncs
 * them. */
#define BUFFER_BYTES     ((size_t)1 << 20)
#define FILL_AHEAD_BYTES (UINT64_C(256) << 10) /* in the time of one sync, nearly */

void raft_node__segment_name(char out[SEGMENT_NAME_BYTES], uint64_t sequence)
{
    snprintf(out, SEGMENT_NAME_BYTES, "log-%016llx.seg", (unsigned long long)sequence);
}

bool raft_node__segment_path(char out[PATH_BYTES], const char *dir, uint64_t sequence)
{
    char name[SEGMENT_NAME_BYTES];
    raft_node__segment_name(name, sequence);
    return raft_node__path(out, dir, name);
}

const struct raft_hard_state *raft_node__log_hard_state(const struct log *l)
{
    return &l->hard;
}

raft_index raft_node__log_first_index(const struct log *l)
{
    return l->first_index;
}

raft_index raft_node__log_last_index(const struct log *l)
{
    return l->last_index;
}

void raft_node__log_close(struct log *l)
{
    if (!l) {
        return;
    }
    if (l->fd >= 0) {
        close(l->fd);
    }
    struct mu_allocator a = l->cfg.allocator;
    mu__free(&a, l->segments);
    mu__free(&a, l->places);
    mu__free(&a, l->buf);
    mu__free(&a, l);
}

static bool reserve_place(struct log *l)
{
    size_t count = (size_t)(l->last_index + 1 - l->first_index);
    return mu__reserve(&l->cfg.allocator, (void **)&l->places, &l->place_cap, count + 1,
                       sizeof *l->places);
}

int raft_node__log_note_entry(struct log *l, const struct record *r, uint64_t offset)
{
    assert(r->index == l->last_index + 1);
    if (!reserve_place(l)) {
        return RAFT_ENOMEM;
    }
    struct log_segment *segment = &l->segments[l->segment_count - 1];
    l->places[r->index - l->first_index] = (struct log_place){
        .sequence = segment->sequence,
        .term = r->term,
        .offset = (uint32_t)offset,
        .len = r->len,
    };
    l->last_index = segment->max_index = r->index;
    return 0;
}

raft_term raft_node__log_term(const struct log *l, raft_index index)
{
    assert(index <= l->last_index && index + 1 >= l->first_index);
    return index < l->first_index ? l->base_term : l->places[index - l->first_index].term;
}

void raft_node__log_note_cut(struct log *l, raft_index index)
{
    assert(index <= l->last_index && index + 1 >= l->first_index);
    l->last_index = index;
}

void raft_node__log_note_reset(struct log *l, raft_index index, raft_term term)
{
    l->first_index = index + 1;
    l->last_index = index;
    l->base_term = term;
    for (size_t i = 0; i < l->segment_count; i++) {
        l->segments[i].max_index = 0;
    }
}

static int fail_write(struct log *l, int err, const char *what, struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    raft_node__segment_path(path, l->cfg.dir, l->segments[l->segment_count - 1].sequence);
    return raft_node__fail_io(diag, err, what, path);
}

int raft_node__log_zero(const struct file_ops *ops, int fd, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[4096];
    int err = 0;
    while (err == 0 && from < to) {
        size_t len = (size_t)mu__min(to - from, sizeof zeros);
        err = ops->write(ops->user, fd, zeros, len, from);
        from += len;
    }
    return err;
}

/* Blocks that were only reserved are marked as written in the file system's journal when they first
 * are, and the sync waits for that, too. Zeros behind the records, which is what stands there
 * anyway, let one sync in many pay for it. Should that fail, it is merely slower; what is wrong
 * with the disk the next record meets. */
static void fill_ahead(struct log *l)
{
    if (l->offset > l->filled) {
        l->filled = mu__min(l->offset + FILL_AHEAD_BYTES, l->size);
        (void)raft_node__log_zero(l->cfg.ops, l->fd, l->offset, l->filled);
    }
}

/* Writes the buffer, without syncing it. */
static int flush(struct log *l, struct raft_node_diag *diag)
{
    if (l->buf_len == 0) {
        return 0;
    }
    int err = l->cfg.ops->write(l->cfg.ops->user, l->fd, l->buf, l->buf_len, l->offset);
    if (err != 0) {
        return fail_write(l, err, "write", diag);
    }
    l->offset += l->buf_len;
    l->buf_len = 0;
    fill_ahead(l);
    return 0;
}

int raft_node__log_commit(struct log *l, struct raft_node_diag *diag)
{
    int rc = flush(l, diag);
    if (rc != 0 || l->offset == l->synced) {
        return rc;
    }
    int err = l->cfg.ops->sync(l->cfg.ops->user, l->fd);
    if (err != 0) {
        fail_write(l, err, "sync", diag);
        /* Even when the reason was ENOSPC: the page cache may have dropped the data */
        return RAFT_NODE_EIO;
    }
    l->synced = l->offset;
    return 0;
}

static uint64_t system_entropy(void)
{
    uint64_t v = 0;
    if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v) {
        /* A salt keeps strangers' bytes apart; it is not a secret to live by */
        v = (uint64_t)(uintptr_t)&v;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.StackAddressEscape): as a number that varies. */
    return v;
}

/* Makes the file under a temporary name, durable with its header. Gives the descriptor. */
static int create_segment(const struct log *l, const struct segment_header *h, uint64_t size,
                          int *fd_out, struct raft_node_diag *diag)
{
    const struct file_ops *ops = l->cfg.ops;
    char temporary[PATH_BYTES], path[PATH_BYTES];
    if (!raft_node__path(temporary, l->cfg.dir, "log.tmp") ||
        !raft_node__segment_path(path, l->cfg.dir, h->sequence)) {
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    uint8_t header[SEGMENT_HEADER_BYTES];
    raft_node__segment_header_encode(header, h);

    int fd = ops->create(ops->user, temporary);
    if (fd < 0) {
        return raft_node__fail_io(diag, fd, "create", temporary);
    }
    const char *what = "preallocate";
    int err = ops->allocate(ops->user, fd, size);
    if (err == 0) {
        what = "write";
        err = ops->write(ops->user, fd, header, sizeof header, 0);
    }
    if (err == 0) {
        what = "sync";
        err = ops->sync(ops->user, fd);
    }
    if (err == 0) {
        what = "rename";
        err = rename(temporary, path) == 0 ? 0 : -errno;
    }
    if (err == 0) {
        what = "sync the folder of";
        err = ops->sync_dir(ops->user, l->cfg.dir);
    }
    if (err != 0) {
        close(fd);
        unlink(temporary);
        return raft_node__fail_io(diag, err, what, temporary);
    }
    *fd_out = fd;
    return 0;
}

int raft_node__log_begin_segment(struct log *l, size_t need, struct raft_node_diag *diag)
{
    if (!mu__reserve(&l->cfg.allocator, (void **)&l->segments, &l->segment_cap,
                     l->segment_count + 1, sizeof *l->segments)) {
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory for another log segment");
    }
    struct segment_header h = {
        .sequence = l->segment_count > 0 ? l->segments[l->segment_count - 1].sequence + 1 : 1,
        .salt = l->cfg.entropy ? l->cfg.entropy() : system_entropy(),
        .prev_index = l->last_index,
        .prev_term = raft_node__log_term(l, l->last_index),
        .hard = l->hard,
    };
    uint64_t size = mu__max(l->cfg.segment_bytes, SEGMENT_HEADER_BYTES + need);
    int fd = -1;
    int rc = create_segment(l, &h, size, &fd, diag);
    if (rc != 0) {
        return rc;
    }
    if (l->fd >= 0) {
        close(l->fd);
    }
    l->fd = fd;
    l->size = size;
    l->offset = l->synced = l->filled = SEGMENT_HEADER_BYTES;
    l->segments[l->segment_count++] = (struct log_segment){.sequence = h.sequence, .salt = h.salt};
    return 0;
}

/* Room in the open segment and in the buffer for a record; begins the next segment when this one is
 * full. */
static int make_room(struct log *l, size_t need, struct raft_node_diag *diag)
{
    if (l->offset + l->buf_len + need > l->size) {
        int rc = raft_node__log_commit(l, diag);
        if (rc == 0) {
            rc = raft_node__log_begin_segment(l, need, diag);
        }
        if (rc != 0) {
            return rc;
        }
    }
    if (l->buf_len > 0 && l->buf_len + need > BUFFER_BYTES) {
        int rc = flush(l, diag);
        if (rc != 0) {
            return rc;
        }
    }
    if (!mu__reserve(&l->cfg.allocator, (void **)&l->buf, &l->buf_cap, l->buf_len + need, 1)) {
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory for a log record of %zu bytes",
                               need);
    }
    return 0;
}

/* Queues a record; *offset (may be NULL) is where in the open segment it will stand. */
static int put(struct log *l, struct record *r, uint64_t *offset, struct raft_node_diag *diag)
{
    size_t need = record_bytes(r->len);
    int rc = make_room(l, need, diag);
    if (rc != 0) {
        return rc;
    }
    uint64_t at = l->offset + l->buf_len;
    r->synced = (uint32_t)l->synced;
    raft_node__record_encode(l->buf + l->buf_len, l->segments[l->segment_count - 1].salt, at, r);
    l->buf_len += need;
    if (offset) {
        *offset = at;
    }
    return 0;
}

int raft_node__log_set_hard_state(struct log *l, const struct raft_hard_state *hs,
                                  struct raft_node_diag *diag)
{
    assert(hs->term >= l->hard.term);
    struct record r = {
        .kind = RECORD_HARD_STATE,
        .term = hs->term,
        .data = (const uint8_t *)hs->vote,
        .len = (uint32_t)strlen(hs->vote),
    };
    int rc = put(l, &r, NULL, diag);
    if (rc == 0) {
        l->hard = *hs;
    }
    return rc;
}

int raft_node__log_append(struct log *l, const struct raft_entry *e, struct raft_node_diag *diag)
{
    assert(e->index == l->last_index + 1 && e->term >= raft_node__log_term(l, l->last_index));
    if (e->len > l->cfg.entry_bytes_max) {
        return raft_node__fail(diag, RAFT_ETOOBIG, "entry %llu has %zu bytes, more than %zu",
                               (unsigned long long)e->index, e->len, l->cfg.entry_bytes_max);
    }
    if (!reserve_place(l)) { /* before anything is queued */
        return raft_node__fail(diag, RAFT_ENOMEM, "out of memory for the log's index");
    }
    struct record r = {
        .kind = RECORD_ENTRY,
        .type = (uint8_t)e->type,
        .index = e->index,
        .term = e->term,
        .data = e->data,
        .len = (uint32_t)e->len,
    };
    uint64_t offset;
    int rc = put(l, &r, &offset, diag);
    return rc == 0 ? raft_node__log_note_entry(l, &r, offset) : rc;
}

int raft_node__log_cut(struct log *l, raft_index index, struct raft_node_diag *diag)
{
    struct record r = {.kind = RECORD_CUT, .index = index, .term = raft_node__log_term(l, index)};
    int rc = put(l, &r, NULL, diag);
    if (rc == 0) {
        raft_node__log_note_cut(l, index);
    }
    return rc;
}

int raft_node__log_reset(struct log *l, raft_index index, raft_term term,
                         struct raft_node_diag *diag)
{
    struct record r = {.kind = RECORD_RESET, .index = index, .term = term};
    int rc = put(l, &r, NULL, diag);
    if (rc == 0) {
        raft_node__log_note_reset(l, index, term); /* the segments go once this is durable */
    }
    return rc;
}

/* Forgets the places of entries whose segments are gone. */
static void forget_places(struct log *l)
{
    size_t count = (size_t)(l->last_index + 1 - l->first_index), gone = 0;
    while (gone < count && l->places[gone].sequence < l->segments[0].sequence) {
        gone++;
    }
    if (gone > 0) {
        l->base_term = l->places[gone - 1].term;
        memmove(l->places, l->places + gone, (count - gone) * sizeof *l->places);
        l->first_index += gone;
    }
}

int raft_node__log_compact(struct log *l, raft_index first, struct raft_node_diag *diag)
{
    /* A RESET must be durable before what it voids is gone */
    int rc = raft_node__log_commit(l, diag);
    size_t done = 0;
    while (rc == 0 && done + 1 < l->segment_count && l->segments[done].max_index < first) {
        char path[PATH_BYTES];
        raft_node__segment_path(path, l->cfg.dir, l->segments[done].sequence);
        int err = unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
        if (err == 0) {
            done++;
            /* One by one: a crash must not leave a gap */
            err = l->cfg.ops->sync_dir(l->cfg.ops->user, l->cfg.dir);
        }
        rc = err == 0 ? 0 : raft_node__fail_io(diag, err, "delete", path);
    }
    l->segment_count -= done;
    memmove(l->segments, l->segments + done, l->segment_count * sizeof *l->segments);
    forget_places(l);
    return rc;
}
