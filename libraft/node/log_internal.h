/* log_internal.h - what the files of the log share. */
#pragma once

#include "log.h"

#define SEGMENT_NAME_BYTES 32

struct log_segment {
    uint64_t sequence;
    uint64_t salt;
    raft_index max_index; /* of its newest entry; 0: none that matters */
};

struct log_place {
    uint64_t sequence;
    raft_term term;
    uint32_t offset;
    uint32_t len; /* of the entry's data */
};

struct log {
    struct log_config cfg;
    struct log_segment *segments; /* oldest first; the last one is open */
    size_t segment_count, segment_cap;

    int fd;          /* -1: none */
    uint64_t size;   /* preallocated bytes of the open segment */
    uint64_t offset; /* what was written of it */
    uint64_t synced; /* what is durable of it */
    uint64_t filled; /* written with zeros, at least, up to here */
    uint8_t *buf;    /* to be written at offset */
    size_t buf_len, buf_cap;

    /* Of the log, with what is in buf. places[i] is where entry first_index + i stands. */
    raft_index first_index, last_index;
    raft_term base_term; /* of the entry before the first; 0: unknown */
    struct log_place *places;
    size_t place_cap;
    struct raft_hard_state hard;
};

/* NULL: out of memory. */
struct log *raft_node__log_new(const struct log_config *cfg, struct raft_node_diag *diag);

/* How the last segment ends. */
struct log_tail {
    enum segment_tail kind; /* clean or torn */
    uint64_t end;           /* of its last record */
    uint64_t used;          /* after the last byte that is not zero */
    uint64_t size;          /* of the file */
};
/* Reads the segments of the folder into l, which is new, and changes no file. *tail is set if there
 * is a segment. Errors: as raft_node__log_open, without RAFT_NODE_ENOSPC. */
int raft_node__log_replay(struct log *l, const struct log_visitor *visitor, struct log_tail *tail,
                          struct raft_node_diag *diag);

/* The one way in which the log's own picture of itself changes, when writing and when opening. r is
 * an entry that stands at offset of the open segment. Returns 0 or RAFT_ENOMEM. */
int raft_node__log_note_entry(struct log *l, const struct record *r, uint64_t offset);
void raft_node__log_note_cut(struct log *l, raft_index index);
/* first_index - 1 <= index <= last_index */
raft_term raft_node__log_term(const struct log *l, raft_index index);
void raft_node__log_note_reset(struct log *l, raft_index index, raft_term term);

/* Writes zeros from one offset to another; 0 or a negative errno. */
int raft_node__log_zero(const struct file_ops *ops, int fd, uint64_t from, uint64_t to);
void raft_node__segment_name(char out[SEGMENT_NAME_BYTES], uint64_t sequence);
bool raft_node__segment_path(char out[PATH_BYTES], const char *dir, uint64_t sequence);
/* Closes the open segment and begins the next one, with room for a record of `need` bytes. */
int raft_node__log_begin_segment(struct log *l, size_t need, struct raft_node_diag *diag);
