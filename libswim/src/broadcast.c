#include "broadcast.h"

#include <assert.h>
#include <string.h>

/* Where a broadcast stands: fewer sends first, then longer, then newer. */
static bool before(const struct swim__broadcast *a, const struct swim__broadcast *b)
{
    if (a->sends != b->sends) {
        return a->sends < b->sends;
    }
    if (a->len != b->len) {
        return a->len > b->len;
    }
    return a->id > b->id;
}

/* Splits t into what stands before key and the rest. Rotations by links instead of recursion, so
 * that the depth of the tree is no matter of the stack. */
static void split(struct swim__broadcast *t, const struct swim__broadcast *key,
                  struct swim__broadcast **low, struct swim__broadcast **high)
{
    while (t) {
        if (before(t, key)) {
            *low = t;
            low = &t->right;
            t = t->right;
        } else {
            *high = t;
            high = &t->left;
            t = t->left;
        }
    }
    *low = *high = NULL;
}

static struct swim__broadcast *merge(struct swim__broadcast *low, struct swim__broadcast *high)
{
    struct swim__broadcast *root = NULL, **link = &root;
    while (low && high) {
        if (low->priority > high->priority) {
            *link = low;
            link = &low->right;
            low = low->right;
        } else {
            *link = high;
            link = &high->left;
            high = high->left;
        }
    }
    *link = low ? low : high;
    return root;
}

static void tree_insert(struct swim__queue *q, struct swim__broadcast *b)
{
    struct swim__broadcast **link = &q->root;
    while (*link && (*link)->priority >= b->priority) {
        link = before(b, *link) ? &(*link)->left : &(*link)->right;
    }
    split(*link, b, &b->left, &b->right);
    *link = b;
}

static void tree_remove(struct swim__queue *q, struct swim__broadcast *b)
{
    struct swim__broadcast **link = &q->root;
    while (*link != b) {
        assert(*link);
        link = before(b, *link) ? &(*link)->left : &(*link)->right;
    }
    *link = merge(b->left, b->right);
    b->left = b->right = NULL;
}

/* The first broadcast at or after (sends, len, newest). */
static struct swim__broadcast *seek(const struct swim__queue *q, uint32_t sends, size_t len)
{
    struct swim__broadcast *found = NULL;
    for (struct swim__broadcast *t = q->root; t;) {
        bool fits = t->sends > sends || (t->sends == sends && t->len <= len);
        if (fits) {
            found = t;
        }
        t = fits ? t->left : t->right;
    }
    return found;
}

static void age_append(struct swim__queue *q, struct swim__broadcast *b)
{
    b->older = q->newest;
    b->newer = NULL;
    *(q->newest ? &q->newest->newer : &q->oldest) = b;
    q->newest = b;
}

static void age_remove(struct swim__queue *q, struct swim__broadcast *b)
{
    *(b->older ? &b->older->newer : &q->oldest) = b->newer;
    *(b->newer ? &b->newer->older : &q->newest) = b->older;
}

void swim__queue_init(struct swim__queue *q, const struct mu_allocator *allocator, uint64_t seed)
{
    *q = (struct swim__queue){.allocator = mu__allocator_or_default(allocator)};
    mu__prng_seed(&q->prng, seed);
}

/* Frees a broadcast that is in the age list and no longer in the tree. */
static void release(struct swim__queue *q, struct swim__broadcast *b)
{
    if (b->watch) {
        assert(*b->watch == b);
        *b->watch = NULL;
    }
    age_remove(q, b);
    q->count--;
    mu__free(&q->allocator, b);
}

void swim__queue_fini(struct swim__queue *q)
{
    while (q->oldest) {
        release(q, q->oldest);
    }
    q->root = q->taken = NULL;
}

void swim__queue_drop(struct swim__queue *q, struct swim__broadcast *b)
{
    assert(!q->taken); /* never while a packet is being built */
    tree_remove(q, b);
    release(q, b);
}

bool swim__queue_add(struct swim__queue *q, const void *bytes, size_t len,
                     struct swim__broadcast **watch, size_t max)
{
    assert(len > 0 && len <= UINT32_MAX && max > 0);
    struct swim__broadcast *b = mu__alloc(&q->allocator, sizeof *b + len);
    if (!b) {
        return false;
    }
    if (watch && *watch) {
        swim__queue_drop(q, *watch);
    }
    if (q->count >= max) {
        swim__queue_drop(q, q->oldest);
    }
    *b = (struct swim__broadcast){.watch = watch,
                                  .id = q->next_id++,
                                  .priority = (uint32_t)mu__prng_next(&q->prng),
                                  .len = (uint32_t)len};
    memcpy(b->bytes, bytes, len);
    if (watch) {
        *watch = b;
    }
    tree_insert(q, b);
    age_append(q, b);
    q->count++;
    return true;
}

const struct swim__broadcast *swim__queue_take(struct swim__queue *q, size_t max_len)
{
    struct swim__broadcast *b = seek(q, 0, max_len);
    while (b && b->len > max_len) { /* nothing of this tier fits: go on with the next */
        b = seek(q, b->sends, max_len);
    }
    if (b) {
        tree_remove(q, b);
        b->taken = q->taken;
        q->taken = b;
    }
    return b;
}

void swim__queue_settle(struct swim__queue *q, uint32_t limit)
{
    struct swim__broadcast *b = q->taken;
    q->taken = NULL;
    while (b) {
        struct swim__broadcast *next = b->taken;
        b->sends++;
        if (b->sends >= limit) {
            release(q, b);
        } else {
            tree_insert(q, b);
        }
        b = next;
    }
}

bool swim__queue_check(const struct swim__queue *q)
{
    size_t count = 0;
    for (const struct swim__broadcast *b = q->oldest; b; b = b->newer) {
        bool aged = b->newer ? b->newer->older == b && b->newer->id > b->id : q->newest == b;
        bool watched = !b->watch || *b->watch == b;
        bool heaped = (!b->left || b->left->priority <= b->priority) &&
                      (!b->right || b->right->priority <= b->priority);
        bool sorted = (!b->left || before(b->left, b)) && (!b->right || before(b, b->right));
        if (!aged || !watched || !heaped || !sorted) {
            return false;
        }
        count++;
    }
    return count == q->count;
}
