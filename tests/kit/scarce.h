/* scarce.h - an allocator that has a number of allocations left, and then none. */
#pragma once

#include "mu_test.h"

#include "alloc.h"

struct scarce {
    size_t left; /* allocations that still succeed */
    bool ran_out;
};

static inline bool scarce__take(struct scarce *s)
{
    if (s->left == 0) {
        s->ran_out = true;
        return false;
    }
    s->left--;
    return true;
}

static inline void *scarce__alloc(void *user, size_t size)
{
    return scarce__take(user) ? malloc(size) : NULL;
}

static inline void *scarce__realloc(void *user, void *p, size_t size)
{
    return scarce__take(user) ? realloc(p, size) : NULL;
}

static inline void scarce__free(void *user, void *p)
{
    (void)user;
    free(p);
}

/* s outlives what is allocated of it. */
static inline struct mu_allocator scarce_allocator(struct scarce *s)
{
    return (struct mu_allocator){s, scarce__alloc, scarce__realloc, scarce__free};
}
