#include "heap.h"

#include <assert.h>

void mu__heap_init(struct mu__heap *h, const struct mu_allocator *allocator)
{
    *h = (struct mu__heap){.allocator = mu__allocator_or_default(allocator)};
}

void mu__heap_fini(struct mu__heap *h)
{
    mu__free(&h->allocator, h->items);
    h->items = NULL;
    h->len = h->cap = 0;
}

static bool before(const struct mu__heap_item *a, const struct mu__heap_item *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put(struct mu__heap *h, size_t slot, struct mu__heap_item *item)
{
    h->items[slot] = item;
    item->slot = slot;
}

static void sift_up(struct mu__heap *h, struct mu__heap_item *item)
{
    size_t i = item->slot;
    while (i > 0 && before(item, h->items[(i - 1) / 2])) {
        put(h, i, h->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, item);
}

static void sift_down(struct mu__heap *h, struct mu__heap_item *item)
{
    size_t i = item->slot;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->len) {
            break;
        }
        if (child + 1 < h->len && before(h->items[child + 1], h->items[child])) {
            child++;
        }
        if (!before(h->items[child], item)) {
            break;
        }
        put(h, i, h->items[child]);
        i = child;
    }
    put(h, i, item);
}

bool mu__heap_set(struct mu__heap *h, struct mu__heap_item *item, uint64_t at)
{
    if (item->slot == MU_HEAP_NONE) {
        if (!mu__reserve(&h->allocator, (void **)&h->items, &h->cap, h->len + 1,
                         sizeof(struct mu__heap_item *))) {
            return false;
        }
        put(h, h->len++, item);
    }
    assert(h->items[item->slot] == item);
    item->at = at;
    item->seq = h->next_seq++;
    sift_up(h, item);
    sift_down(h, item);
    return true;
}

void mu__heap_remove(struct mu__heap *h, struct mu__heap_item *item)
{
    if (item->slot == MU_HEAP_NONE) {
        return;
    }
    assert(h->items[item->slot] == item);
    struct mu__heap_item *last = h->items[--h->len];
    if (last != item) {
        put(h, item->slot, last);
        sift_up(h, last);
        sift_down(h, last);
    }
    item->slot = MU_HEAP_NONE;
}

struct mu__heap_item *mu__heap_min(const struct mu__heap *h)
{
    return h->len ? h->items[0] : NULL;
}
