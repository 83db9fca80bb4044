/* seen.h - a set of byte strings that lives in an arena: which answers stand there already. */
#pragma once

#include "arena.h"

#include <stdbool.h>

struct seen {
    uint64_t seed[2];
    struct mu_str *slots; /* p NULL: empty */
    size_t mask;
};

/* For at most `max` keys; false when out of memory. A seed that strangers do not know keeps
 * collisions away. */
bool dnsfront__seen_init(struct seen *s, size_t max, uint64_t seed, struct mu__arena *a);
/* Adds a key, which is borrowed as long as the set is used; false if it was in there. */
bool dnsfront__seen_add(struct seen *s, struct mu_str key);
