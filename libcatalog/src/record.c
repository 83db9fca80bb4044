/* record.c - records by their schema, in one block behind its header. */
#include "schema.h"
#include "space.h"

static void *alloc_record(void *user, size_t size)
{
    return catalog__record_alloc(user, size);
}

static void free_record(void *user, void *p)
{
    struct catalog__space *s = user;
    catalog__block_free(&s->allocator, catalog__record_block(p));
}

/* The clone comes in one block, so an allocator that puts the header in front is all it takes. */
void *catalog__record_clone(struct catalog__space *s, const struct mu__schema *schema,
                            const void *obj)
{
    const struct mu_allocator in_record = {.user = s, .alloc = alloc_record, .free = free_record};
    return mu__schema_clone(schema, obj, &in_record);
}
