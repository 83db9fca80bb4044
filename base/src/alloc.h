/* alloc.h - memory through a struct mu_allocator, with sizes multiplied by one checked helper. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

extern const struct mu_allocator mu__malloc_allocator;

/* The allocator to copy into an object: *a, or malloc when a is NULL. */
struct mu_allocator mu__allocator_or_default(const struct mu_allocator *a);

bool mu__mul(size_t a, size_t b, size_t *out); /* false on overflow */
bool mu__add(size_t a, size_t b, size_t *out); /* false on overflow */

void *mu__alloc(const struct mu_allocator *a, size_t size);            /* not cleared */
void *mu__calloc(const struct mu_allocator *a, size_t n, size_t size); /* cleared */
void *mu__realloc(const struct mu_allocator *a, void *p, size_t n, size_t size);
void *mu__memdup(const struct mu_allocator *a, const void *p, size_t len);
char *mu__strndup(const struct mu_allocator *a, const char *s, size_t len); /* adds a zero */
void mu__free(const struct mu_allocator *a, void *p);
void mu__wipe(void *p, size_t len); /* not optimised away */

/* Makes room for at least `need` elements in a growing array; doubles. False when out of memory,
 * and the array is as it was. */
bool mu__reserve(const struct mu_allocator *a, void **items, size_t *cap, size_t need, size_t size);

static inline size_t mu__min(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t mu__max(size_t a, size_t b)
{
    return a > b ? a : b;
}
