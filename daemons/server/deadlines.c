#include "server/deadlines.h"

#include <stdlib.h>
#include <string.h>

void deadlines_init(struct deadlines *d, uint64_t seed)
{
    mu__map_init(&d->by_name, NULL, seed);
    mu__heap_init(&d->by_time, NULL);
}

void deadlines_clear(struct deadlines *d)
{
    for (struct deadline *x; (x = deadlines_first(d)) != NULL;) {
        deadlines_remove(d, x->name);
    }
}

void deadlines_fini(struct deadlines *d)
{
    deadlines_clear(d);
    mu__map_fini(&d->by_name);
    mu__heap_fini(&d->by_time);
}

/* The name stands behind the struct. */
static struct deadline *add(struct deadlines *d, struct mu_str name)
{
    struct deadline *x = malloc(sizeof *x + name.len + 1);
    if (!x) {
        abort();
    }
    char *copy = (char *)(x + 1);
    if (name.len) {
        memcpy(copy, name.p, name.len);
    }
    copy[name.len] = '\0';
    *x = (struct deadline){.at.slot = MU_HEAP_NONE, .name = {copy, name.len}};
    if (!mu__map_set(&d->by_name, x->name.p, x->name.len, x, NULL)) {
        abort();
    }
    return x;
}

void deadlines_set(struct deadlines *d, struct mu_str name, uint64_t at_ns)
{
    struct deadline *x = deadlines_find(d, name);
    x = x ? x : add(d, name);
    x->is_marked = false;
    if (!mu__heap_set(&d->by_time, &x->at, at_ns)) {
        abort();
    }
}

void deadlines_remove(struct deadlines *d, struct mu_str name)
{
    struct deadline *x = mu__map_remove(&d->by_name, name.p, name.len);
    if (x) {
        mu__heap_remove(&d->by_time, &x->at);
        free(x);
    }
}

struct deadline *deadlines_find(const struct deadlines *d, struct mu_str name)
{
    return mu__map_get(&d->by_name, name.p, name.len);
}

struct deadline *deadlines_first(const struct deadlines *d)
{
    return (struct deadline *)(void *)mu__heap_min(&d->by_time);
}
