/* heap.h - intrusive binary min-heap ordered by (at, seq): timers and events. Equal times leave in
 * order of insertion, so that a run is reproducible. */
#pragma once

#include "alloc.h"

#define MU_HEAP_NONE SIZE_MAX

struct mu__heap_item {
    uint64_t at;
    uint64_t seq; /* given by the heap */
    size_t slot;  /* MU_HEAP_NONE: not in a heap. Set it before the first use */
};

struct mu__heap {
    struct mu_allocator allocator;
    struct mu__heap_item **items;
    size_t len, cap;
    uint64_t next_seq;
};

void mu__heap_init(struct mu__heap *h, const struct mu_allocator *allocator);
void mu__heap_fini(struct mu__heap *h); /* does not touch the items */
/* Inserts or moves the item to `at`. False when out of memory (only when it was not in the
 * heap). */
bool mu__heap_set(struct mu__heap *h, struct mu__heap_item *item, uint64_t at);
void mu__heap_remove(struct mu__heap *h, struct mu__heap_item *item); /* fine if it is not in */
struct mu__heap_item *mu__heap_min(const struct mu__heap *h);         /* NULL when empty */
