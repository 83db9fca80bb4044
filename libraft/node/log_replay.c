#include "log_internal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A segment is at most segment_bytes or one entry long; both have this in reach (raft_node.h). */
#define SEGMENT_FILE_MAX ((UINT64_C(1) << 30) + (UINT64_C(1) << 20))

/* A new id, since with the folder goes the memory of how this one voted. */
#define ADVICE "check the disk, then empty the folder and let the server join anew, under a new id"

static int compare_sequences(const void *a, const void *b)
{
    const struct log_segment *x = a, *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Finds the segments of the folder, in order. */
static int list_segments(struct log *l, struct raft_node_diag *diag)
{
    DIR *d = opendir(l->cfg.dir);
    if (!d) {
        return raft_node__fail_io(diag, errno, "open", l->cfg.dir);
    }
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
        uint64_t sequence;
        if (!raft_node__parse_name(e->d_name, "log-", ".seg", &sequence)) {
            continue;
        }
        if (!mu__reserve(&l->cfg.allocator, (void **)&l->segments, &l->segment_cap,
                         l->segment_count + 1, sizeof *l->segments)) {
            rc = raft_node__fail(diag, RAFT_ENOMEM, "out of memory listing %.300s", l->cfg.dir);
            break;
        }
        l->segments[l->segment_count++] = (struct log_segment){.sequence = sequence};
    }
    closedir(d);
    if (rc == 0 && l->segment_count > 1) {
        qsort(l->segments, l->segment_count, sizeof *l->segments, compare_sequences);
    }
    return rc;
}

static int check_sequence(const struct log *l, struct raft_node_diag *diag)
{
    for (size_t i = 1; i < l->segment_count; i++) {
        uint64_t expected = l->segments[i - 1].sequence + 1;
        if (l->segments[i].sequence != expected) {
            char name[SEGMENT_NAME_BYTES];
            raft_node__segment_name(name, expected);
            return raft_node__fail(
                diag, RAFT_NODE_ECORRUPT,
                "%.300s/%s is missing, though later log files are there: put it back, or empty "
                "the folder and let the server join anew, under a new id",
                l->cfg.dir, name);
        }
    }
    return 0;
}

/* One segment while it is replayed. */
struct replay {
    struct log *l;
    const struct log_visitor *visitor; /* NULL: nobody listens */
    struct raft_node_diag *diag;
    const char *path;
    uint64_t salt;
    uint8_t *data; /* the file */
    size_t len;
    uint64_t at; /* offset of the record in hand */
};

static int fail_damaged(const struct replay *p, const char *why)
{
    return raft_node__fail(p->diag, RAFT_NODE_ECORRUPT,
                           "%.300s is damaged at offset %" PRIu64 " (%s): " ADVICE, p->path, p->at,
                           why);
}

static int replay_entry(struct replay *p, const struct record *r)
{
    struct log *l = p->l;
    if (r->index != l->last_index + 1 || r->term < raft_node__log_term(l, l->last_index) ||
        r->term == 0) {
        return fail_damaged(p, "an entry out of order");
    }
    if (r->len > l->cfg.entry_bytes_max) {
        return raft_node__fail(
            p->diag, RAFT_NODE_ECORRUPT,
            "%.300s holds an entry of %lu bytes at offset %" PRIu64
            ", more than the configured limit of %zu: raise the limit to what it was",
            p->path, (unsigned long)r->len, p->at, l->cfg.entry_bytes_max);
    }
    int rc = raft_node__log_note_entry(l, r, p->at);
    if (rc != 0) {
        return raft_node__fail(p->diag, rc, "out of memory for the index of %.300s", p->path);
    }
    struct raft_entry e = {
        .index = r->index,
        .term = r->term,
        .type = (enum raft_entry_type)r->type,
        .data = r->data,
        .len = r->len,
    };
    return p->visitor && p->visitor->entry ? p->visitor->entry(p->visitor->user, &e) : 0;
}

static void note_reset(struct replay *p, raft_index index, raft_term term)
{
    raft_node__log_note_reset(p->l, index, term);
    if (p->visitor && p->visitor->reset) {
        p->visitor->reset(p->visitor->user, index, term);
    }
}

static int replay_record(struct replay *p, const struct record *r)
{
    struct log *l = p->l;
    struct raft_hard_state hard;
    switch (r->kind) {
    case RECORD_ENTRY:
        return replay_entry(p, r);
    case RECORD_HARD_STATE:
        if (!raft_node__record_hard_state(r, &hard) || hard.term < l->hard.term) {
            return fail_damaged(p, "a term that goes back");
        }
        l->hard = hard;
        return 0;
    case RECORD_CUT:
        if (r->index > l->last_index) {
            return fail_damaged(p, "a cut after the end");
        }
        if (r->index + 1 >= l->first_index) {
            raft_node__log_note_cut(l, r->index);
            if (p->visitor && p->visitor->cut) {
                p->visitor->cut(p->visitor->user, r->index);
            }
            return 0;
        }
        /* The kept part stood in segments that are gone. */
        __attribute__((fallthrough));
    case RECORD_RESET:
        note_reset(p, r->index, r->term);
        return 0;
    }
    return fail_damaged(p, "an unknown record");
}

/* The header must go on where the segment before ended; the first one says where the log begins. */
static int replay_header(struct replay *p, size_t ordinal, const struct segment_header *h)
{
    struct log *l = p->l;
    if (h->sequence != l->segments[ordinal].sequence) {
        return fail_damaged(p, "the header belongs to another file");
    }
    l->segments[ordinal].salt = p->salt = h->salt;
    if (ordinal == 0) {
        l->hard = h->hard;
        note_reset(p, h->prev_index, h->prev_term);
        return 0;
    }
    if (h->prev_index != l->last_index || h->prev_term != raft_node__log_term(l, l->last_index) ||
        h->hard.term != l->hard.term || strcmp(h->hard.vote, l->hard.vote) != 0) {
        return fail_damaged(p, "it does not go on where the log file before it ends");
    }
    return 0;
}

static int replay_records(struct replay *p)
{
    struct record r;
    while (p->at < p->len &&
           raft_node__record_decode(p->data + p->at, p->len - (size_t)p->at, p->salt, p->at, &r)) {
        int rc = replay_record(p, &r);
        if (rc == 0 && p->visitor && p->visitor->record) {
            rc = p->visitor->record(p->visitor->user, p->path, p->at, &r);
        }
        if (rc != 0) {
            return rc;
        }
        p->at += record_bytes(r.len);
    }
    p->at = p->at < p->len ? p->at : p->len; /* the padding of the last record may be cut off */
    return 0;
}

static int read_segment(struct replay *p)
{
    mu__free(&p->l->cfg.allocator, p->data);
    p->data = NULL;
    return raft_node__read_file(&p->l->cfg.allocator, p->path, SEGMENT_FILE_MAX, &p->data, &p->len,
                                p->diag);
}

/* Replays the records up to where none stands, and says what stands there. A server may be writing
 * while this reads: a hole that has become a record meanwhile was never damage. */
static int replay_to_tail(struct replay *p, struct log_tail *tail)
{
    for (uint64_t hole = 0;;) {
        int rc = replay_records(p);
        if (rc != 0) {
            return rc;
        }
        size_t used;
        tail->kind = raft_node__segment_judge_tail(p->data, p->len, p->salt, (size_t)p->at, &used);
        tail->end = p->at;
        tail->used = used;
        tail->size = p->len;
        if (tail->kind != TAIL_DAMAGED || hole == p->at) {
            return 0;
        }
        hole = p->at;
        if ((rc = read_segment(p)) != 0) {
            return rc;
        }
    }
}

static int check_tail(const struct replay *p, enum segment_tail tail, bool is_last)
{
    if (!is_last && tail != TAIL_CLEAN) {
        return fail_damaged(p, "it was complete, since a later log file was begun");
    }
    if (tail == TAIL_DAMAGED) {
        return fail_damaged(p,
                            "what stood there had been written for good, and later records follow");
    }
    return 0;
}

/* Replays segment `ordinal`; those after it are not known to the log yet (segment_count is ordinal
 * + 1). */
static int replay_segment(struct log *l, size_t ordinal, bool is_last,
                          const struct log_visitor *visitor, struct log_tail *tail,
                          struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    raft_node__segment_path(path, l->cfg.dir, l->segments[ordinal].sequence);
    struct replay p = {.l = l, .visitor = visitor, .diag = diag, .path = path};
    struct segment_header h;
    int rc = read_segment(&p);
    if (rc == 0 && !raft_node__segment_header_decode(p.data, p.len, &h)) {
        rc = fail_damaged(&p, "no valid header of a version known here");
    } else if (rc == 0) {
        rc = replay_header(&p, ordinal, &h);
    }
    if (rc == 0) {
        p.at = SEGMENT_HEADER_BYTES;
        rc = replay_to_tail(&p, tail);
    }
    if (rc == 0) {
        rc = check_tail(&p, tail->kind, is_last);
    }
    mu__free(&l->cfg.allocator, p.data);
    return rc;
}

int raft_node__log_replay(struct log *l, const struct log_visitor *visitor, struct log_tail *tail,
                          struct raft_node_diag *diag)
{
    char path[PATH_BYTES];
    if (!raft_node__segment_path(path, l->cfg.dir, 0)) {
        return raft_node__fail(diag, RAFT_EINVAL, "the path of the folder is too long");
    }
    int rc = list_segments(l, diag);
    if (rc == 0) {
        rc = check_sequence(l, diag);
    }
    if (rc == 0 && l->segment_count == 0 && visitor && visitor->reset) {
        visitor->reset(visitor->user, 0, 0);
    }
    size_t count = l->segment_count;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        l->segment_count = i + 1;
        rc = replay_segment(l, i, i + 1 == count, visitor, tail, diag);
    }
    return rc;
}

struct log *raft_node__log_new(const struct log_config *cfg, struct raft_node_diag *diag)
{
    struct log *l = mu__calloc(&cfg->allocator, 1, sizeof *l);
    if (!l) {
        raft_node__fail(diag, RAFT_ENOMEM, "out of memory for the log");
        return NULL;
    }
    l->cfg = *cfg;
    l->fd = -1;
    l->first_index = 1;
    return l;
}
