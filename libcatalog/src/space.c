#include "space.h"

#include <assert.h>
#include <stdalign.h>

#include "radix.h"

_Static_assert(CATALOG__RECORD_HEADER % alignof(max_align_t) == 0,
               "records are aligned for any type");
_Static_assert(sizeof(struct catalog__block) <= CATALOG__RECORD_HEADER, "the header holds a block");

#define TAGS ((uintptr_t)(CATALOG__RETIRED_TREE | CATALOG__RETIRED_RECORDS))

void catalog__space_init(struct catalog__space *s, const struct mu_allocator *allocator)
{
    *s = (struct catalog__space){.allocator = mu__allocator_or_default(allocator),
                                 .gen = 1,
                                 .batch_gen = 1,
                                 .since = 1,
                                 .last_gen = 1};
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
        mu__free(&s->allocator, b);
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
            mu__free(a, p);
        }
    }
}

void catalog__space_begin(struct catalog__space *s)
{
    assert(s->nretired == 0);
    s->batch_gen = s->since = s->gen = ++s->last_gen;
}

size_t catalog__space_savepoint(struct catalog__space *s)
{
    s->since = s->gen = ++s->last_gen;
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
            mu__free(&s->allocator, b);
        } else {
            s->retired[kept++] = b;
        }
    }
    s->nretired = kept;
    s->gen = s->since = s->batch_gen;
}

void catalog__space_step(struct catalog__space *s)
{
    s->gen = ++s->last_gen;
}

void catalog__space_rollback(struct catalog__space *s, size_t mark)
{
    assert(mark <= s->nretired);
    for (size_t i = mark; i < s->nretired; i++) {
        struct catalog__block *b = s->retired[i];
        bool is_tree = ((uintptr_t)b & TAGS) != 0;
        if (!is_tree && b->gen >= s->since) {
            mu__free(&s->allocator, b);
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
