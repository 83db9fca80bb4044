#include "seen.h"

#include "map.h"

#include <string.h>

bool dnsfront__seen_init(struct seen *s, size_t max, uint64_t seed, struct mu__arena *a)
{
    size_t slots = 8;
    while (slots < 2 * max) {
        slots *= 2;
    }
    s->seed[0] = seed;
    s->seed[1] = ~seed;
    s->mask = slots - 1;
    s->slots = mu__arena_calloc(a, slots, sizeof *s->slots);
    return s->slots != NULL;
}

bool dnsfront__seen_add(struct seen *s, struct mu_str key)
{
    size_t i = (size_t)mu__siphash(s->seed, key.p, key.len) & s->mask;
    while (s->slots[i].p) {
        if (s->slots[i].len == key.len && memcmp(s->slots[i].p, key.p, key.len) == 0) {
            return false;
        }
        i = (i + 1) & s->mask;
    }
    s->slots[i] = key;
    return true;
}
