/* arena.h - memory that is freed all at once: what one request, reply or decoded record needs.
 *
 * Blocks double from the first size up to 64 KiB; larger pieces get a block of their own. `limit`
 * bounds the sum of all blocks, so that input from outside cannot make an arena grow without
 * end. */
#pragma once

#include "alloc.h"

struct mu__arena_block;
struct mu__arena {
    struct mu_allocator allocator;
    struct mu__arena_block *blocks; /* newest first */
    char *at, *end;                 /* free room in the newest block */
    size_t used;                    /* sum of the sizes of all blocks */
    size_t limit;                   /* 0: none */
};

void mu__arena_init(struct mu__arena *a, const struct mu_allocator *allocator, size_t limit);
void mu__arena_fini(struct mu__arena *a);  /* frees everything; the arena can be used again */
void mu__arena_reset(struct mu__arena *a); /* like fini, but keeps the newest block for reuse */

/* All that is in `from` becomes a's, as if it had been allocated there (limits are not looked at);
 * both must have the same allocator. `from` is empty afterwards and can be used again. */
void mu__arena_adopt(struct mu__arena *a, struct mu__arena *from);

/* All return NULL when out of memory or past the limit. Memory is aligned for any type. */
void *mu__arena_alloc(struct mu__arena *a, size_t size);            /* not cleared */
void *mu__arena_calloc(struct mu__arena *a, size_t n, size_t size); /* cleared */
void *mu__arena_memdup(struct mu__arena *a, const void *p, size_t len);
char *mu__arena_strndup(struct mu__arena *a, const char *s, size_t len); /* adds a zero */
