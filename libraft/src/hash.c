#include "hash.h"

#define MULTIPLIER 0x9e3779b97f4a7c15u /* 2^64 divided by the golden ratio; odd */

/* Each step can be undone, for a given word as for a given state, so one changed word changes the
 * state for good. */
static uint64_t mix(uint64_t state, uint64_t word)
{
    state = (state ^ word) * MULTIPLIER;
    return state ^ state >> 32;
}

static uint64_t load_le(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static void add_byte(struct raft__hash *h, uint8_t byte)
{
    h->word |= (uint64_t)byte << 8 * (h->total % 8);
    if (++h->total % 8 == 0) {
        h->state = mix(h->state, h->word);
        h->word = 0;
    }
}

void raft__hash_add(struct raft__hash *h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (; len > 0 && h->total % 8 != 0; len--) {
        add_byte(h, *p++);
    }
    for (; len >= 8; len -= 8, p += 8) {
        h->state = mix(h->state, load_le(p));
        h->total += 8;
    }
    for (; len > 0; len--) {
        add_byte(h, *p++);
    }
}

void raft__hash_begin(struct raft__hash *h, const struct raft_snapshot_meta *meta)
{
    uint64_t state = mix(0, meta->index);
    state = mix(state, meta->term);
    state = mix(state, meta->configuration_index);
    *h = (struct raft__hash){.state = mix(state, meta->configuration_len)};
    raft__hash_add(h, meta->configuration, meta->configuration_len);
}

uint64_t raft__hash_value(const struct raft__hash *h)
{
    return mix(mix(mix(h->state, h->word), h->total), 0);
}
