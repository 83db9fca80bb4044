/* radix.h - ordered map from byte strings to pointers: an adaptive radix tree, copied on write.
 *
 * After the ART of Leis, Kemper and Neumann (ICDE 2013), with two liberties: a node keeps its whole
 * prefix in its own block (keys have any length, and may be prefixes of each other, so a node may
 * carry a value), and there are two shapes of node instead of four: a sorted list of bytes that
 * grows by doubling, and a full table.
 *
 *     put "node", "nomad"          [ "no" | - ]
 *                                   d /    \ m
 *                       [ "e" | node ]    [ "ad" | nomad ]
 *
 * A root is all there is to a tree; NULL is the empty one. Writing copies the nodes on the way down
 * that are not fresh (space.h) and changes the root; whoever holds an older root sees the older
 * tree. When a write runs out of memory, the tree holds what it held. */
#pragma once

#include "space.h"

#include <muster/mu.h>

#define CATALOG__RADIX_LIST_MAX 48u /* children of a list; a node with more is full */
#define CATALOG__RADIX_FULL     256u

struct catalog__radix { /* one node */
    struct catalog__block block;
    void *value; /* of the key that ends here; NULL: none does */
    uint32_t prefix_len;
    uint16_t n; /* children */
    /* Room for children: a list of up to LIST_MAX, or FULL, by byte and NULL where there is none */
    uint16_t cap;
    struct catalog__radix *child[];
    /* then, in a list, the byte of each child in ascending order (cap bytes); then the prefix */
};

void *catalog__radix_get(const struct catalog__radix *root, struct mu_str key); /* NULL: absent */

/* Adds or replaces; value is not NULL. The value before goes to *old (NULL: none), which the caller
 * retires. False when out of memory. */
bool catalog__radix_put(struct catalog__space *s, struct catalog__radix **root, struct mu_str key,
                        void *value, void **old);
/* Removes; *old is NULL if the key was absent. False when out of memory. */
bool catalog__radix_remove(struct catalog__space *s, struct catalog__radix **root,
                           struct mu_str key, void **old);

/* Frees the nodes that are at least as new as `since` (their newer children hang on newer nodes
 * alone), and with `records` their values that are, too. Takes no memory and no stack, however deep
 * the tree. */
void catalog__radix_free(const struct mu_allocator *a, struct catalog__radix *root, uint64_t since,
                         bool records);

/* Number of keys; asserts the structure on the way. Recurses nowhere; for tests and checks. */
size_t catalog__radix_check(const struct catalog__radix *root, const struct mu_allocator *a);

/* A walk in byte order. It is started on a prefix or a bound and then drained; the tree must not
 * change meanwhile. */
struct catalog__radix_frame {
    const struct catalog__radix *node;
    uint32_t next; /* 0: the node's value; i + 1: its child in slot i */
};
#define CATALOG__RADIX_FRAMES 24u
struct catalog__radix_iter {
    const struct mu_allocator *allocator;
    struct catalog__radix_frame *frames; /* `here`, or the heap once the tree is deeper */
    size_t depth, cap;
    bool failed; /* out of memory: the walk ended early */
    struct catalog__radix_frame here[CATALOG__RADIX_FRAMES];
};
/* All keys that start with prefix. */
void catalog__radix_prefix(struct catalog__radix_iter *it, const struct mu_allocator *a,
                           const struct catalog__radix *root, struct mu_str prefix);
/* All keys from `from` on. */
void catalog__radix_from(struct catalog__radix_iter *it, const struct mu_allocator *a,
                         const struct catalog__radix *root, struct mu_str from);
void *catalog__radix_next(struct catalog__radix_iter *it); /* the next value; NULL at the end */
void catalog__radix_end(struct catalog__radix_iter *it); /* frees the walk; once after each start */

/* The values of all keys that are prefixes of a key, shortest first, and whether each is the key
 * itself. */
struct catalog__radix_path {
    const struct catalog__radix *node;
    struct mu_str left;
};
static inline struct catalog__radix_path catalog__radix_path(const struct catalog__radix *root,
                                                             struct mu_str key)
{
    return (struct catalog__radix_path){.node = root, .left = key};
}
void *catalog__radix_path_next(struct catalog__radix_path *p, bool *is_whole); /* NULL at the end */

/* Shared by the files of the tree. */
static inline const uint8_t *catalog__radix_bytes(const struct catalog__radix *t)
{
    return (const uint8_t *)(t->child + t->cap);
}
static inline const uint8_t *catalog__radix_node_prefix(const struct catalog__radix *t)
{
    return catalog__radix_bytes(t) + (t->cap == CATALOG__RADIX_FULL ? 0 : t->cap);
}
static inline uint32_t catalog__radix_slots(const struct catalog__radix *t)
{
    return t->cap == CATALOG__RADIX_FULL ? CATALOG__RADIX_FULL : t->n;
}
/* The slot of the child for a byte, or -1. */
int catalog__radix_slot(const struct catalog__radix *t, uint8_t byte);
/* Does the node's prefix stand at the start of key? */
bool catalog__radix_matches(const struct catalog__radix *t, struct mu_str key);
