/* hash.h - a 64-bit hash of a stream of bytes: the same however the stream is cut into pieces.
 *
 * It guards a snapshot on its way against damage and against mixtures of two files. A change within
 * one aligned word of 8 bytes always shows, any other but once in 2^64; it is no defence against
 * somebody who means to deceive. */
#pragma once

#include <muster/raft.h>

struct raft__hash {
    uint64_t state, total;
    uint64_t word; /* total % 8 bytes that wait for the rest, the first in the lowest bits */
};

/* Of the meta, so that equal bytes of another snapshot are another stream. */
void raft__hash_begin(struct raft__hash *h, const struct raft_snapshot_meta *meta);
void raft__hash_add(struct raft__hash *h, const void *data, size_t len);
uint64_t raft__hash_value(const struct raft__hash *h); /* of all so far; more may follow */
