/* radix_walk.c - everything that visits a whole tree or a part of it, without recursion. */
#include <assert.h>
#include <string.h>

#include "radix.h"

/* A node on the way down no longer needs its value and its generation: they keep the way back up
 * and the slot that is next. */
void catalog__radix_free(const struct mu_allocator *a, struct catalog__radix *root, uint64_t since,
                         bool records)
{
    struct catalog__radix *up = NULL, *t = root && root->block.gen >= since ? root : NULL;
    bool entering = true;
    while (t) {
        if (entering) {
            struct catalog__block *record = records ? catalog__record_block(t->value) : NULL;
            if (record && record->gen >= since) {
                catalog__block_free(a, record);
            }
            t->value = up;
            t->block.gen = 0;
        }
        uint32_t slots = catalog__radix_slots(t);
        struct catalog__radix *down = NULL;
        while (!down && t->block.gen < slots) {
            down = t->child[t->block.gen++];
            down = down && down->block.gen >= since ? down : NULL;
        }
        entering = down != NULL;
        if (down) {
            up = t;
            t = down;
        } else {
            struct catalog__radix *done = t;
            t = t->value;
            up = t ? t->value : NULL;
            mu__free(a, done);
        }
    }
}

static void start(struct catalog__radix_iter *it, const struct mu_allocator *a)
{
    it->allocator = a;
    it->frames = it->here;
    it->depth = 0;
    it->cap = CATALOG__RADIX_FRAMES;
    it->failed = false;
}

static bool grow(struct catalog__radix_iter *it)
{
    struct catalog__radix_frame *wider;
    if (it->frames == it->here) {
        wider = mu__alloc(it->allocator, 2 * sizeof it->here);
        if (wider) {
            memcpy(wider, it->here, sizeof it->here);
        }
    } else {
        wider = mu__realloc(it->allocator, it->frames, it->cap * 2, sizeof *it->frames);
    }
    if (!wider) {
        it->failed = true;
        it->depth = 0;
        return false;
    }
    it->frames = wider;
    it->cap *= 2;
    return true;
}

static void push(struct catalog__radix_iter *it, const struct catalog__radix *node, uint32_t next)
{
    if (!it->failed && (it->depth < it->cap || grow(it))) {
        it->frames[it->depth++] = (struct catalog__radix_frame){node, next};
    }
}

void catalog__radix_end(struct catalog__radix_iter *it)
{
    if (it->frames != it->here) {
        mu__free(it->allocator, it->frames);
        it->frames = it->here;
    }
    it->depth = 0;
}

/* The next node in the order of keys; NULL at the end. */
static const struct catalog__radix *enter(struct catalog__radix_iter *it)
{
    while (it->depth > 0) {
        struct catalog__radix_frame *f = &it->frames[it->depth - 1];
        const struct catalog__radix *t = f->node;
        if (f->next == 0) {
            f->next = 1;
            return t;
        }
        uint32_t slots = catalog__radix_slots(t);
        const struct catalog__radix *down = NULL;
        while (!down && f->next <= slots) {
            down = t->child[f->next - 1];
            f->next++;
        }
        if (down) {
            push(it, down, 0);
        } else {
            it->depth--;
        }
    }
    return NULL;
}

void *catalog__radix_next(struct catalog__radix_iter *it)
{
    const struct catalog__radix *t = enter(it);
    while (t && !t->value) {
        t = enter(it);
    }
    return t ? t->value : NULL;
}

void catalog__radix_prefix(struct catalog__radix_iter *it, const struct mu_allocator *a,
                           const struct catalog__radix *t, struct mu_str prefix)
{
    start(it, a);
    while (t && t->prefix_len < prefix.len && catalog__radix_matches(t, prefix)) {
        prefix.p += t->prefix_len;
        prefix.len -= t->prefix_len;
        int slot = catalog__radix_slot(t, (uint8_t)prefix.p[0]);
        t = slot < 0 ? NULL : t->child[slot];
        prefix.p++;
        prefix.len--;
    }
    bool is_inside = t && (prefix.len == 0 ||
                           (prefix.len <= t->prefix_len &&
                            memcmp(catalog__radix_node_prefix(t), prefix.p, prefix.len) == 0));
    if (is_inside) {
        push(it, t, 0);
    }
}

/* The first slot whose byte is at least `byte`. */
static uint32_t slot_from(const struct catalog__radix *t, uint8_t byte)
{
    if (t->cap == CATALOG__RADIX_FULL) {
        return byte;
    }
    uint32_t slot = 0;
    while (slot < t->n && catalog__radix_bytes(t)[slot] < byte) {
        slot++;
    }
    return slot;
}

/* Pushes the nodes on the way to the bound, each set to go on behind it. */
void catalog__radix_from(struct catalog__radix_iter *it, const struct mu_allocator *a,
                         const struct catalog__radix *t, struct mu_str from)
{
    start(it, a);
    while (t) {
        size_t n = mu__min(t->prefix_len, from.len);
        int order = n ? memcmp(catalog__radix_node_prefix(t), from.p, n) : 0;
        if (order > 0 || (order == 0 && from.len <= t->prefix_len)) {
            push(it, t, 0); /* all of it is at or behind the bound */
            return;
        }
        if (order < 0) {
            return; /* all of it is in front */
        }
        from.p += t->prefix_len;
        from.len -= t->prefix_len;
        uint32_t slot = slot_from(t, (uint8_t)from.p[0]);
        bool is_on_way = catalog__radix_slot(t, (uint8_t)from.p[0]) >= 0;
        push(it, t, slot + 1 + (is_on_way ? 1 : 0));
        t = is_on_way ? t->child[slot] : NULL;
        from.p++;
        from.len--;
    }
}

/* A list is sorted and fits; a full node counts right; no node is there for nothing. */
static void check_node(const struct catalog__radix *t)
{
    assert(t->n <= t->cap);
    assert(t->value || t->n > 0);
    assert(t->cap == CATALOG__RADIX_FULL || t->cap <= CATALOG__RADIX_LIST_MAX);
    uint32_t children = 0;
    for (uint32_t i = 0; i < catalog__radix_slots(t); i++) {
        children += t->child[i] != NULL;
        bool is_sorted = t->cap == CATALOG__RADIX_FULL || i == 0 ||
                         catalog__radix_bytes(t)[i - 1] < catalog__radix_bytes(t)[i];
        assert(is_sorted);
    }
    assert(children == t->n);
}

size_t catalog__radix_check(const struct catalog__radix *root, const struct mu_allocator *a)
{
    struct catalog__radix_iter it;
    size_t values = 0;
    catalog__radix_prefix(&it, a, root, (struct mu_str){NULL, 0});
    for (const struct catalog__radix *t; (t = enter(&it)) != NULL;) {
        check_node(t);
        values += t->value != NULL;
    }
    catalog__radix_end(&it);
    return values;
}
