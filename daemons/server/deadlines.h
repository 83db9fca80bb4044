/* deadlines.h - names with a time each, found by name and in order of time.
 *
 * Setting, removing and taking the earliest cost O(log n). Time is a number that the caller reads
 * from its clock. One thread; aborts when out of memory. */
#pragma once

#include "heap.h"
#include "map.h"
#include "schema.h"

struct deadline {
    struct mu__heap_item at; /* first */
    bool is_marked;          /* the owner's own */
    struct mu_str name;
};

struct deadlines {
    struct mu__map by_name;
    struct mu__heap by_time;
};

void deadlines_init(struct deadlines *d, uint64_t seed); /* seed: a random number */
void deadlines_fini(struct deadlines *d);
void deadlines_clear(struct deadlines *d);

/* Copies the name if it is new, and takes back its mark. */
void deadlines_set(struct deadlines *d, struct mu_str name, uint64_t at_ns);
void deadlines_remove(struct deadlines *d, struct mu_str name); /* fine if it is not there */
/* Both lend until the next change; NULL: none. */
struct deadline *deadlines_find(const struct deadlines *d, struct mu_str name);
struct deadline *deadlines_first(const struct deadlines *d);
static inline size_t deadlines_count(const struct deadlines *d)
{
    return d->by_time.len;
}
