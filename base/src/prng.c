#include "prng.h"

#include <assert.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}

void mu__prng_seed(struct mu__prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        p->s[i] = splitmix64(&seed);
    }
}

uint64_t mu__prng_next(struct mu__prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t mu__prng_below(struct mu__prng *p, uint64_t n)
{
    assert(n > 0);
    uint64_t threshold = (0 - n) % n; /* draws below it would favour small results */
    uint64_t x;
    do {
        x = mu__prng_next(p);
    } while (x < threshold);
    return x % n;
}

uint64_t mu__prng_between(struct mu__prng *p, uint64_t lo, uint64_t hi)
{
    assert(lo <= hi);
    uint64_t span = hi - lo + 1;
    return span ? lo + mu__prng_below(p, span) : mu__prng_next(p);
}

double mu__prng_unit(struct mu__prng *p)
{
    return (double)(mu__prng_next(p) >> 11) * 0x1.0p-53;
}
