#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void *malloc_alloc(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void *malloc_realloc(void *user, void *p, size_t size)
{
    (void)user;
    return realloc(p, size);
}

static void malloc_free(void *user, void *p)
{
    (void)user;
    free(p);
}

const struct mu_allocator mu__malloc_allocator = {NULL, malloc_alloc, malloc_realloc, malloc_free};

struct mu_allocator mu__allocator_or_default(const struct mu_allocator *a)
{
    return a ? *a : mu__malloc_allocator;
}

bool mu__mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return false;
    }
    *out = a * b;
    return true;
}

bool mu__add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) {
        return false;
    }
    *out = a + b;
    return true;
}

void *mu__alloc(const struct mu_allocator *a, size_t size)
{
    return a->alloc(a->user, size ? size : 1);
}

void *mu__calloc(const struct mu_allocator *a, size_t n, size_t size)
{
    size_t bytes;
    if (!mu__mul(n, size, &bytes)) {
        return NULL;
    }
    void *p = mu__alloc(a, bytes);
    if (p) {
        memset(p, 0, bytes);
    }
    return p;
}

void *mu__realloc(const struct mu_allocator *a, void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!mu__mul(n, size, &bytes)) {
        return NULL;
    }
    return a->realloc(a->user, p, bytes ? bytes : 1);
}

void *mu__memdup(const struct mu_allocator *a, const void *p, size_t len)
{
    void *copy = mu__alloc(a, len);
    if (copy && len) {
        memcpy(copy, p, len);
    }
    return copy;
}

char *mu__strndup(const struct mu_allocator *a, const char *s, size_t len)
{
    size_t bytes;
    if (!mu__add(len, 1, &bytes)) {
        return NULL;
    }
    char *copy = mu__alloc(a, bytes);
    if (copy) {
        if (len) {
            memcpy(copy, s, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

void mu__free(const struct mu_allocator *a, void *p)
{
    if (p) {
        a->free(a->user, p);
    }
}

void mu__wipe(void *p, size_t len)
{
    volatile unsigned char *bytes = p;
    while (len--) {
        *bytes++ = 0;
    }
}

bool mu__reserve(const struct mu_allocator *a, void **items, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) {
        return true;
    }
    size_t grown = *cap < 8 ? 8 : *cap;
    while (grown < need) {
        if (grown > SIZE_MAX / 2) {
            return false;
        }
        grown *= 2;
    }
    void *p = mu__realloc(a, *items, grown, size);
    if (!p) {
        return false;
    }
    *items = p;
    *cap = grown;
    return true;
}
