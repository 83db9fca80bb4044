/* space.h - the memory of the writer: blocks with a generation, and what became of those that were
 * replaced.
 *
 * Every tree node and every record is a block that remembers the generation in which it was made.
 * Published blocks are immutable. Blocks of the current generation are known to the writer alone:
 * they are edited in place and freed at once. A published block that is replaced goes to the list
 * `retired`, which the next version takes over and frees when no reader is left on an older one
 * (LMDB keeps its freelist by transaction in the same way).
 *
 * A savepoint opens a new generation inside a batch, so that what was made before it is copied
 * rather than edited, and a rollback only has to drop the newer blocks. */
#pragma once

#include "alloc.h"

struct catalog__block { /* what every block starts with */
    uint64_t gen; /* even; odd in a record that is a secret, and is wiped before it is freed */
};

struct catalog__space {
    struct mu_allocator allocator;
    uint64_t gen;       /* of new blocks, and the oldest that may be edited in place */
    uint64_t batch_gen; /* of the batch: anything as new was never published */
    uint64_t since;     /* of the open savepoint: anything as new goes with a rollback */
    uint64_t last_gen;  /* that was ever given */
    void **retired;     /* blocks, or whole trees by their tag (see below) */
    size_t nretired, cap;
};

/* Low bits of a retired pointer. */
#define CATALOG__RETIRED_TREE    1u /* a tree whose values belong to another one */
#define CATALOG__RETIRED_RECORDS 2u /* a tree and the records that it holds */

/* Frees a block that stands nowhere; NULL is fine. */
void catalog__block_free(const struct mu_allocator *a, struct catalog__block *b);

void catalog__space_init(struct catalog__space *s, const struct mu_allocator *allocator);
/* The list must have been taken over or freed. */
void catalog__space_fini(struct catalog__space *s);

static inline bool catalog__is_fresh(const struct catalog__space *s, const struct catalog__block *b)
{
    return b->gen >= s->gen;
}

/* Room for n more retirements, so that they cannot fail. False when out of memory. */
bool catalog__space_reserve(struct catalog__space *s, size_t n);
/* Gives up a block: frees it if nobody else can see it, otherwise lists it; room must be reserved.
 * NULL is fine. */
void catalog__retire(struct catalog__space *s, struct catalog__block *b);
void catalog__retire_tree(struct catalog__space *s, void *root, unsigned tag); /* likewise, whole */
/* Frees what a list holds. */
void catalog__free_retired(const struct mu_allocator *a, void **retired, size_t n);

/* Opens a generation for a batch. */
void catalog__space_begin(struct catalog__space *s);
/* Opens a generation inside the batch; returns the mark for one of the other two. They do not
 * nest. */
size_t catalog__space_savepoint(struct catalog__space *s);
/* The savepoint is no longer needed. */
void catalog__space_release(struct catalog__space *s, size_t mark);
/* Opens another generation inside the savepoint: what was made so far is not edited in place any
 * more, and what of it is replaced stays readable until the release. */
void catalog__space_step(struct catalog__space *s);
/* Frees what was made and retired since, and forgets what else was retired. */
void catalog__space_rollback(struct catalog__space *s, size_t mark);

/* A record is a block whose 16-byte header stands in front of the pointer that everybody else
 * uses. */
#define CATALOG__RECORD_HEADER 16u
static inline struct catalog__block *catalog__record_block(void *record)
{
    return record ? (struct catalog__block *)(void *)((char *)record - CATALOG__RECORD_HEADER)
                  : NULL;
}
/* Not cleared, but for its header. NULL when out of memory. */
void *catalog__record_alloc(struct catalog__space *s, size_t size);

/* Of a record: its len bytes are a secret. */
void catalog__record_hide(void *record, size_t len);

struct mu__schema;
/* A record that is a copy of obj. NULL when out of memory. */
void *catalog__record_clone(struct catalog__space *s, const struct mu__schema *schema,
                            const void *obj);
