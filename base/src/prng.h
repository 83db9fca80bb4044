/* prng.h - xoshiro256** (Blackman and Vigna 2018), seeded through splitmix64. Not for secrets. */
#pragma once

#include <stdint.h>

struct mu__prng {
    uint64_t s[4];
};

void mu__prng_seed(struct mu__prng *p, uint64_t seed);
uint64_t mu__prng_next(struct mu__prng *p);
/* 0..n-1, unbiased; n > 0 */
uint64_t mu__prng_below(struct mu__prng *p, uint64_t n);
uint64_t mu__prng_between(struct mu__prng *p, uint64_t lo, uint64_t hi); /* lo..hi inclusive */
double mu__prng_unit(struct mu__prng *p);                                /* [0, 1) */
