/* snapshot_format.h - what writer and reader of a snapshot share (layout: snapshot.h). */
#pragma once

#include "cursor.h"
#include "snapshot.h"

#define SNAPSHOT_FIXED_BYTES 40u /* of the header, before the configuration */
#define SNAPSHOT_CHUNK_HEAD  8u
#define SNAPSHOT_END_BYTES   16u

/* The checksum of a chunk, or with len 0 of the end, whose data are the 8 bytes of the total. */
uint32_t raft_node__snapshot_chunk_crc(uint32_t header_crc, uint64_t ordinal, uint32_t len,
                                       const uint8_t *data, size_t data_len);
/* Writes the header of m into w, with its checksum, which is also returned. */
uint32_t raft_node__snapshot_encode_header(struct mu__writer *w,
                                           const struct raft_snapshot_meta *m);
/* Reads the fixed part; configuration_len says how much follows before the checksum. */
bool raft_node__snapshot_decode_fixed(const uint8_t fixed[SNAPSHOT_FIXED_BYTES],
                                      struct raft_snapshot_meta *out);
