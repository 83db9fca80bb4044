/* near.c - distances between coordinates, and lists sorted by them (?near=; http-semantics 13). */
#include "query.h"

#include "key.h"

#include <math.h>
#include <stdlib.h>

/* Vivaldi with heights and adjustments, as Serf computes it (gossip wire, 11), to whole
 * nanoseconds. */
double catalog_distance_s(const struct catalog_vivaldi *a, const struct catalog_vivaldi *b)
{
    if (!a || !b || a->vec.len != b->vec.len) {
        return HUGE_VAL;
    }
    double sum = 0.0;
    for (size_t i = 0; i < a->vec.len; i++) {
        double diff = a->vec.items[i] - b->vec.items[i];
        sum += diff * diff;
    }
    double raw = sqrt(sum) + a->height + b->height;
    double adjusted = raw + a->adjustment + b->adjustment;
    double dist = adjusted > 0.0 ? adjusted : raw;
    return dist > -9e9 && dist < 9e9 ? (double)(int64_t)(dist * 1e9) / 1e9 : HUGE_VAL;
}

/* The coordinates of a node, one for each segment of the pool that it is in. */
struct places {
    const struct catalog_coordinate *only; /* when there is one */
    const struct catalog_vivaldi *plain;   /* in the segment without a name */
    size_t len;
};

static struct places places_of(struct catalog_reader *r, struct mu_str node, bool *failed)
{
    struct places p = {NULL, NULL, 0};
    struct catalog__radix_iter it;
    catalog__below(&it, &r->catalog->allocator, r->version, CATALOG__COORDINATES, &node, 1);
    for (const struct catalog_coordinate *x; (x = catalog__radix_next(&it)) != NULL;) {
        p.only = x;
        p.plain = x->segment.len ? p.plain : x->coord;
        p.len++;
    }
    *failed |= it.failed;
    catalog__radix_end(&it);
    return p;
}

static const struct catalog_vivaldi *in_segment(struct catalog_reader *r, struct mu_str node,
                                                const struct places *p, struct mu_str segment)
{
    if (segment.len == 0) {
        return p->plain;
    }
    struct catalog__key key;
    const struct mu_str names[] = {node, segment};
    catalog__key_join(&key, names, 2, false);
    const struct catalog_coordinate *x =
        catalog__radix_get(r->version->root[CATALOG__COORDINATES], catalog__key_str(&key));
    return x ? x->coord : NULL;
}

/* Distances count in a segment that both are in: a client is in one, servers are in all. */
static double distance(struct catalog_reader *r, struct mu_str from, const struct places *here,
                       struct mu_str to, bool *failed)
{
    struct places there = places_of(r, to, failed);
    struct mu_str segment = {NULL, 0};
    if (here->len == 1) {
        segment = here->only->segment;
    }
    if (there.len == 1) {
        segment = there.only->segment;
    }
    return catalog_distance_s(in_segment(r, from, here, segment),
                              in_segment(r, to, &there, segment));
}

struct placed {
    void *record;
    double distance;
    size_t at; /* as it stood: qsort is not stable */
};

static int compare(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->distance < y->distance) {
        return -1;
    }
    if (x->distance > y->distance) {
        return 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

int catalog_sort_near(struct catalog_reader *r, struct mu_str from, const struct mu_list *list,
                      catalog_node_of_fn node_of)
{
    bool failed = false;
    struct places here = places_of(r, from, &failed);
    if (here.len == 0 || list->len < 2) {
        return failed ? CATALOG_ENOMEM : 0;
    }
    struct placed *placed = mu__arena_calloc(catalog__scratch(r), list->len, sizeof *placed);
    if (!placed) {
        return CATALOG_ENOMEM;
    }
    for (size_t i = 0; i < list->len; i++) {
        placed[i] = (struct placed){list->items[i],
                                    distance(r, from, &here, node_of(list->items[i]), &failed), i};
    }
    qsort(placed, list->len, sizeof *placed, compare);
    for (size_t i = 0; i < list->len; i++) {
        list->items[i] = placed[i].record;
    }
    return failed ? CATALOG_ENOMEM : 0;
}

int catalog__sort_from(struct catalog_reader *r, const struct catalog_query_source *source,
                       struct mu_str datacenter, const struct mu_list *list,
                       catalog_node_of_fn node_of)
{
    bool applies = source->node.len > 0 && mu__str_ieq(source->datacenter, datacenter);
    return applies ? catalog_sort_near(r, source->node, list, node_of) : 0;
}
