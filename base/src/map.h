/* map.h - hash map from byte strings to pointers, iterated in order of insertion.
 *
 * Keys are borrowed: they must live (usually inside the value) as long as the entry. The hash is
 * SipHash-1-3 (Aumasson and Bernstein 2012) with a seed of the owner's, so that strangers cannot
 * choose collisions. Open addressing; entries stand in a dense array, so a walk is deterministic
 * and skips only removed ones. */
#pragma once

#include "alloc.h"

struct mu__map_entry {
    const void *key;
    size_t len;
    void *value; /* NULL: removed */
    uint64_t hash;
};

struct mu__map {
    struct mu_allocator allocator;
    uint64_t seed[2];
    struct mu__map_entry *entries; /* `used` of them, live or removed */
    uint32_t *slots;               /* index + 1 into entries; 0: empty */
    size_t used, cap, nslots, count;
};

void mu__map_init(struct mu__map *m, const struct mu_allocator *allocator, uint64_t seed);
void mu__map_fini(struct mu__map *m);
void *mu__map_get(const struct mu__map *m, const void *key, size_t len); /* NULL: absent */
/* Adds or replaces (the old value is given in *old when old is not NULL). value must not be NULL.
 * False when out of memory, and the map is as it was. */
bool mu__map_set(struct mu__map *m, const void *key, size_t len, void *value, void **old);
void *mu__map_remove(struct mu__map *m, const void *key, size_t len); /* the value, or NULL */
/* Walks: start with *at = 0; NULL at the end. Removing entries during a walk is fine, adding is
 * not. */
void *mu__map_next(const struct mu__map *m, size_t *at);

uint64_t mu__siphash(const uint64_t seed[2], const void *data, size_t len);
