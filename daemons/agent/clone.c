#include "agent/clone.h"

static void *arena_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void arena_free(void *user, void *p)
{
    (void)user, (void)p; /* goes with the arena */
}

void *clone_into(struct mu__arena *a, const struct mu__schema *s, const void *obj)
{
    const struct mu_allocator in_arena = {a, arena_alloc, NULL, arena_free};
    return mu__schema_clone(s, obj, &in_arena);
}
