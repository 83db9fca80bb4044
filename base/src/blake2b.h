/* blake2b.h - BLAKE2b without a key (RFC 7693): what Consul's records name their content by.
 *
 * It tells contents apart; nothing here depends on its secrecy or speed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MU_BLAKE2B_BLOCK 128u

struct mu__blake2b {
    uint64_t h[8];
    uint64_t bytes; /* compressed so far: fewer than 2^64 */
    uint8_t block[MU_BLAKE2B_BLOCK];
    size_t len;    /* in block */
    size_t digest; /* bytes of it */
};

/* digest: 1 to 64 bytes */
void mu__blake2b_init(struct mu__blake2b *b, size_t digest);
void mu__blake2b_add(struct mu__blake2b *b, const void *data, size_t len);
/* Writes the digest; b is used up. */
void mu__blake2b_end(struct mu__blake2b *b, uint8_t *out);
