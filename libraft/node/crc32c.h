/* crc32c.h - CRC-32C (Castagnoli polynomial; RFC 3720 appendix B.4): SSE4.2 where the processor has
 * it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` was the checksum of, followed by data. Start with 0, or with a
 * salt. */
uint32_t raft_node__crc32c(uint32_t crc, const void *data, size_t len);
/* The same by table, whatever the processor: what the tests hold the other against. */
uint32_t raft_node__crc32c_table(uint32_t crc, const void *data, size_t len);
