#include "space.h"

#include <assert.h>
#include <stdalign.h>

#include "radix.h"

_Static_assert(CATALOG__RECORD_HEADER % alignof(max_align_t) == 0,
               "records are aligned for any type");
_Static_assert(sizeof(struct catalog__block) + sizeof(uint64_t) <= CATALOG__RECORD_HEADER,
               "the header holds a block and a length");

#define TAGS ((uintptr_t)(CATALOG__RETIRED_TREE | CATALOG__RETIRED_RECORDS))

#define GEN_STEP 2u
#define SECRET   1u

static uint64_t next_gen(struct catalog__space *s)
{
    return s->last_gen += GEN_STEP;
}

/* A secret record has its length in what its header leaves free. */
static uint64_t *length_of(struct catalog__block *b)
{
    return &b->gen + 1;
}

void catalog__record_hide(void *record, size_t len)
{
    struct catalog__block *b = catalog__record_block(record);
    b->gen |= SECRET;
    *length_of(b) = len;
}

void catalog__block_free(const struct mu_allocator *a, struct catalog__block *b)
{
    if (b && (b->gen & SECRET)) {
        mu__wipe((char *)b + CATALOG__RECORD_HEADER, *length_of(b));
    }
    mu__free(a, b);
}

void catalog__space_init(struct catalog__space *s, const struct mu_allocator *allocator)
{
    *s = (struct catalog__space){.allocator = mu__allocator_or_default(allocator),
                                 .gen = GEN_STEP,
                                 .batch_gen = GEN_STEP,
                                 .since = GEN_STEP,
                                 .last_gen = GEN_STEP};
}

void catalog__space_fini(struct catalog__space *s)
{
    assert(s->nretired == 0);
    mu__free(&s->allocator, s->retired);
    s->retired = NULL;
    s->cap = 0;
}

bool catalog__space_reserve(struct catalog__space *s, size_t n)
{
    return mu__reserve(&s->allocator, (void **)&s->retired, &s->cap, s->nretired + n,
                       sizeof *s->retired);
}

static void list(struct catalog__space *s, void *tagged)
{
    assert(s->nretired < s->cap);
    s->retired[s->nretired++] = tagged;
}

void catalog__retire(struct catalog__space *s, struct catalog__block *b)
{
    if (!b) {
        return;
    }
    if (catalog__is_fresh(s, b)) {
        catalog__block_free(&s->allocator, b);
    } else {
        list(s, b);
    }
}

void catalog__retire_tree(struct catalog__space *s, void *root, unsigned tag)
{
    if (root) {
        list(s, (char *)root + tag);
    }
}

void catalog__free_retired(const struct mu_allocator *a, void **retired, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned tag = (unsigned)((uintptr_t)retired[i] & TAGS);
        void *p = (char *)retired[i] - tag;
        if (tag) {
            catalog__radix_free(a, p, 0, tag == CATALOG__RETIRED_RECORDS);
        } else {
            catalog__block_free(a, p);
        }
    }
}

void catalog__space_begin(struct catalog__space *s)
{
    assert(s->nretired == 0);
    s->batch_gen = s->since = s->gen = next_gen(s);
}

size_t catalog__space_savepoint(struct catalog__space *s)
{
    s->since = s->gen = next_gen(s);
    return s->nretired;
}

/* What the batch itself had made before the savepoint was kept for a rollback; nobody else ever saw
 * it. From here on everything that the batch made is edited in place again. */
void catalog__space_release(struct catalog__space *s, size_t mark)
{
    size_t kept = mark;
    for (size_t i = mark; i < s->nretired; i++) {
        struct catalog__block *b = s->retired[i];
        bool is_tree = ((uintptr_t)b & TAGS) != 0;
        if (!is_tree && b->gen >= s->batch_gen) {
            catalog__block_free(&s->allocator, b);
        } else {
            s->retired[kept++] = b;
        }
    }
    s->nretired = kept;
    s->gen = s->since = s->batch_gen;
}

void catalog__space_step(struct catalog__space *s)
{
    s->gen = next_gen(s);
}

void catalog__space_rollback(struct catalog__space *s, size_t mark)
{
    assert(mark <= s->nretired);
    for (size_t i = mark; i < s->nretired; i++) {
        struct catalog__block *b = s->retired[i];
        bool is_tree = ((uintptr_t)b & TAGS) != 0;
        if (!is_tree && b->gen >= s->since) {
            catalog__block_free(&s->allocator, b);
        }
    }
    s->nretired = mark;
    s->gen = s->since = s->batch_gen;
}

void *catalog__record_alloc(struct catalog__space *s, size_t size)
{
    size_t bytes;
    if (!mu__add(size, CATALOG__RECORD_HEADER, &bytes)) {
        return NULL;
    }
    struct catalog__block *b = mu__alloc(&s->allocator, bytes);
    if (!b) {
        return NULL;
    }
    b->gen = s->gen;
    return (char *)b + CATALOG__RECORD_HEADER;
}
