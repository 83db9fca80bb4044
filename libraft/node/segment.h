/* segment.h - the bytes of one log file, and how its tail is judged. No I/O: bytes in, records out.
 *
 * A segment is written once from front to back, into preallocated zeros. It is a header, then
 * records, each at a multiple of 8 bytes: head, data, zeros up to the next one. Little endian:
 *
 *   segment header, 128 bytes             record head, 40 bytes
 *     0   8  magic "MUSTRLOG"               0   4  head_crc: CRC32C of bytes 4 to 39
 *     8   4  version, 1                     4   4  data_crc: CRC32C of the data
 *    12   4  length of this header, 128     8   4  length of the data
 *    16   8  sequence number               12   4  synced: how much of this file was durable
 *    24   8  salt, random                          when this was written
 *    32   8  index of the entry before     16   8  index
 *    40   8  term of the entry before      24   8  term
 *    48   8  current term                  32   2  mark 0x4c72
 *    56  64  vote in it, zeros behind      34   1  kind
 *   120   4  CRC32C of bytes 0 to 119      35   1  type of the entry
 *   124   4  zero                          36   4  zero
 *
 * A head_crc continues that of the segment's salt and the record's own offset, so that no bytes
 * inside an entry, and none left from elsewhere, can pass for a record.
 *
 * The log ends where no valid record stands. What is there is either zeros (a clean end), or a
 * write that a crash cut short (torn), or damage to something that had been durable. `synced` tells
 * them apart: if any valid record further on says that the file was durable beyond this point,
 * somebody may rely on what is missing. */
#pragma once

#include <muster/raft.h>

#define SEGMENT_HEADER_BYTES 128u
#define RECORD_HEADER_BYTES  40u

struct segment_header {
    uint64_t sequence;
    uint64_t salt;
    raft_index prev_index; /* where the log stood when the segment was begun ... */
    raft_term prev_term;
    struct raft_hard_state hard; /* ... so that older segments can be deleted */
};

enum record_kind {
    RECORD_ENTRY = 1,      /* index is the successor of the last */
    RECORD_HARD_STATE = 2, /* term, and as data the vote */
    RECORD_CUT = 3,        /* all after index, whose term this is, is void */
    RECORD_RESET = 4       /* all is void; the log goes on after index, whose term this is */
};

struct record {
    enum record_kind kind;
    uint8_t type;
    uint32_t synced;
    raft_index index;
    raft_term term;
    const uint8_t *data; /* lent from the segment's bytes */
    uint32_t len;
};

void raft_node__segment_header_encode(uint8_t out[SEGMENT_HEADER_BYTES],
                                      const struct segment_header *h);
bool raft_node__segment_header_decode(const uint8_t *data, size_t len, struct segment_header *out);

/* What a record with len bytes of data takes in the file. */
static inline size_t record_bytes(size_t len)
{
    return RECORD_HEADER_BYTES + ((len + 7) & ~(size_t)7);
}
/* Writes record_bytes(r->len) bytes; offset is that of the record in its file. */
void raft_node__record_encode(uint8_t *out, uint64_t salt, uint64_t offset, const struct record *r);
/* The record that stands at offset of its file, given the len bytes from there on; false if there
 * is no valid one. */
bool raft_node__record_decode(const uint8_t *data, size_t len, uint64_t salt, uint64_t offset,
                              struct record *out);
/* The vote that a RECORD_HARD_STATE carries; false if it is too long to be one. */
bool raft_node__record_hard_state(const struct record *r, struct raft_hard_state *out);

enum segment_tail {
    TAIL_CLEAN,  /* zeros from here on */
    TAIL_TORN,   /* an unfinished write: nobody was told that it is durable */
    TAIL_DAMAGED /* what stood here was durable */
};
/* What is at `end`, where no valid record stands. *used is the offset after the last byte that is
 * not zero. */
enum segment_tail raft_node__segment_judge_tail(const uint8_t *segment, size_t len, uint64_t salt,
                                                size_t end, size_t *used);
