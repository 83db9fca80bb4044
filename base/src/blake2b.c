#include "blake2b.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define ROUNDS 12u

/* RFC 7693 2.6: the fractional parts of the square roots of the first eight primes. */
static const uint64_t iv[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                               UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                               UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                               UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};

/* RFC 7693 2.7; rounds 10 and 11 are 0 and 1 again. */
static const uint8_t sigma[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                      {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                      {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                      {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                      {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                      {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                      {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                      {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                      {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                      {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static uint64_t load(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 8; i-- > 0;) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint64_t rotate(uint64_t v, unsigned by)
{
    return v >> by | v << (64 - by);
}

/* RFC 7693 3.1 */
static void mix(uint64_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint64_t x,
                uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

/* RFC 7693 3.2, with b->bytes counting this block already. */
static void compress(struct mu__blake2b *b, bool is_last)
{
    uint64_t v[16], m[16];
    for (unsigned i = 0; i < 8; i++) {
        v[i] = b->h[i];
        v[i + 8] = iv[i];
    }
    v[12] ^= b->bytes;
    v[14] = is_last ? ~v[14] : v[14];
    for (unsigned i = 0; i < 16; i++) {
        m[i] = load(b->block + 8 * (size_t)i);
    }
    for (unsigned r = 0; r < ROUNDS; r++) {
        const uint8_t *s = sigma[r % 10];
        for (unsigned i = 0; i < 4; i++) { /* columns */
            mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
        }
        for (unsigned i = 0; i < 4; i++) { /* diagonals */
            mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]],
                m[s[9 + 2 * i]]);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        b->h[i] ^= v[i] ^ v[i + 8];
    }
    b->len = 0;
}

void mu__blake2b_init(struct mu__blake2b *b, size_t digest)
{
    assert(digest >= 1 && digest <= 64);
    *b = (struct mu__blake2b){.digest = digest};
    memcpy(b->h, iv, sizeof iv);
    b->h[0] ^= UINT64_C(0x01010000) ^ digest;
}

void mu__blake2b_add(struct mu__blake2b *b, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        if (b->len == sizeof b->block) { /* not the last one: something follows */
            b->bytes += sizeof b->block;
            compress(b, false);
        }
        b->block[b->len++] = p[i];
    }
}

void mu__blake2b_end(struct mu__blake2b *b, uint8_t *out)
{
    b->bytes += b->len;
    memset(b->block + b->len, 0, sizeof b->block - b->len);
    compress(b, true);
    for (size_t i = 0; i < b->digest; i++) {
        out[i] = (uint8_t)(b->h[i / 8] >> (8 * (i % 8)));
    }
}
