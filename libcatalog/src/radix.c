#include "radix.h"

#include <assert.h>
#include <string.h>

int catalog__radix_slot(const struct catalog__radix *t, uint8_t byte)
{
    if (t->cap == CATALOG__RADIX_FULL) {
        return t->child[byte] ? byte : -1;
    }
    if (t->n == 0) {
        return -1;
    }
    const uint8_t *bytes = catalog__radix_bytes(t);
    const uint8_t *at = memchr(bytes, byte, t->n);
    return at ? (int)(at - bytes) : -1;
}

bool catalog__radix_matches(const struct catalog__radix *t, struct mu_str key)
{
    return key.len >= t->prefix_len &&
           (t->prefix_len == 0 || memcmp(catalog__radix_node_prefix(t), key.p, t->prefix_len) == 0);
}

static struct mu_str skip(struct mu_str key, size_t n)
{
    assert(n <= key.len);
    return n ? (struct mu_str){key.p + n, key.len - n} : key;
}

void *catalog__radix_get(const struct catalog__radix *t, struct mu_str key)
{
    while (t && catalog__radix_matches(t, key)) {
        key = skip(key, t->prefix_len);
        if (key.len == 0) {
            return t->value;
        }
        int slot = catalog__radix_slot(t, (uint8_t)key.p[0]);
        if (slot < 0) {
            return NULL;
        }
        t = t->child[slot];
        key = skip(key, 1);
    }
    return NULL;
}

void *catalog__radix_path_next(struct catalog__radix_path *p, bool *is_whole)
{
    while (p->node && catalog__radix_matches(p->node, p->left)) {
        const struct catalog__radix *t = p->node;
        p->left = skip(p->left, t->prefix_len);
        *is_whole = p->left.len == 0;
        int slot = *is_whole ? -1 : catalog__radix_slot(t, (uint8_t)p->left.p[0]);
        p->node = slot < 0 ? NULL : t->child[slot];
        if (p->node) {
            p->left = skip(p->left, 1);
        }
        if (t->value) {
            return t->value;
        }
    }
    p->node = NULL;
    return NULL;
}

/* Room that is handed out for n children. */
static uint16_t capacity_for(size_t n)
{
    if (n > CATALOG__RADIX_LIST_MAX) {
        return CATALOG__RADIX_FULL;
    }
    uint16_t cap = 2;
    while (cap < n) {
        cap = (uint16_t)(cap * 2);
    }
    return n == 0 ? 0 : cap > CATALOG__RADIX_LIST_MAX ? CATALOG__RADIX_LIST_MAX : cap;
}

static uint8_t *edit_bytes(struct catalog__radix *t)
{
    return (uint8_t *)(t->child + t->cap);
}

/* A node without children; its prefix is head, byte (if head is given) and tail put together. */
static struct catalog__radix *make(struct catalog__space *s, uint16_t cap,
                                   const struct mu_str parts[3])
{
    size_t prefix_len = parts[0].len + parts[1].len + parts[2].len;
    if (prefix_len > UINT32_MAX) {
        return NULL;
    }
    size_t list = cap == CATALOG__RADIX_FULL ? 0 : cap;
    size_t room = cap * sizeof(struct catalog__radix *);
    struct catalog__radix *t = mu__alloc(&s->allocator, sizeof *t + room + list + prefix_len);
    if (!t) {
        return NULL;
    }
    *t = (struct catalog__radix){
        .block.gen = s->gen, .prefix_len = (uint32_t)prefix_len, .cap = cap};
    memset(t->child, 0, room);
    uint8_t *at = edit_bytes(t) + list;
    for (int i = 0; i < 3; i++) {
        if (parts[i].len) {
            memcpy(at, parts[i].p, parts[i].len);
            at += parts[i].len;
        }
    }
    return t;
}

static struct catalog__radix *make_leaf(struct catalog__space *s, struct mu_str rest, void *value)
{
    struct catalog__radix *t = make(s, 0, (const struct mu_str[3]){rest});
    if (t) {
        t->value = value;
    }
    return t;
}

static struct mu_str prefix_of(const struct catalog__radix *t)
{
    return (struct mu_str){(const char *)catalog__radix_node_prefix(t), t->prefix_len};
}

/* Puts a child where there is none and room for it. */
static void add_child(struct catalog__radix *t, uint8_t byte, struct catalog__radix *child)
{
    if (t->cap == CATALOG__RADIX_FULL) {
        assert(!t->child[byte]);
        t->child[byte] = child;
        t->n++;
        return;
    }
    assert(t->n < t->cap);
    uint8_t *bytes = edit_bytes(t);
    size_t at = t->n;
    while (at > 0 && bytes[at - 1] > byte) {
        bytes[at] = bytes[at - 1];
        t->child[at] = t->child[at - 1];
        at--;
    }
    bytes[at] = byte;
    t->child[at] = child;
    t->n++;
}

static void drop_child(struct catalog__radix *t, int slot)
{
    t->n--;
    if (t->cap == CATALOG__RADIX_FULL) {
        t->child[slot] = NULL;
        return;
    }
    uint8_t *bytes = edit_bytes(t);
    for (int i = slot; i < t->n; i++) {
        bytes[i] = bytes[i + 1];
        t->child[i] = t->child[i + 1];
    }
}

/* The byte that leads to a slot. */
static uint8_t byte_of(const struct catalog__radix *t, uint32_t slot)
{
    return t->cap == CATALOG__RADIX_FULL ? (uint8_t)slot : catalog__radix_bytes(t)[slot];
}

/* A fresh node with the children and the value of t, room for n children and a prefix of its
 * own. */
static struct catalog__radix *copy_as(struct catalog__space *s, const struct catalog__radix *t,
                                      size_t n, const struct mu_str parts[3])
{
    struct catalog__radix *copy = make(s, capacity_for(n), parts);
    if (!copy) {
        return NULL;
    }
    copy->value = t->value;
    if (copy->cap == t->cap) {
        memcpy(copy->child, t->child, t->cap * sizeof(struct catalog__radix *));
        copy->n = t->n;
        if (t->cap != CATALOG__RADIX_FULL) {
            memcpy(edit_bytes(copy), catalog__radix_bytes(t), t->n);
        }
        return copy;
    }
    for (uint32_t i = 0; i < catalog__radix_slots(t); i++) {
        if (t->child[i]) {
            add_child(copy, byte_of(t, i), t->child[i]);
        }
    }
    return copy;
}

/* Makes the node at *link one that may be edited, with room for n children. NULL when out of
 * memory. */
static struct catalog__radix *edit(struct catalog__space *s, struct catalog__radix **link, size_t n)
{
    struct catalog__radix *t = *link;
    if (catalog__is_fresh(s, &t->block) && t->cap >= n) {
        return t;
    }
    if (!catalog__space_reserve(s, 1)) {
        return NULL;
    }
    struct catalog__radix *copy = copy_as(s, t, n, (const struct mu_str[3]){prefix_of(t)});
    if (copy) {
        *link = copy;
        catalog__retire(s, &t->block);
    }
    return copy;
}

/* The key leaves the prefix of the node at *link after `common` bytes: a branch takes its place.
 *
 *      [ "abcd" ] + "abx"   =>   [ "ab" ]
 *                                c /   \ x
 *                            [ "d" ]   [ "" ]    */
static bool split(struct catalog__space *s, struct catalog__radix **link, size_t common,
                  struct mu_str key, void *value)
{
    struct catalog__radix *t = *link;
    struct mu_str prefix = prefix_of(t);
    if (!catalog__space_reserve(s, 1)) {
        return false;
    }
    bool ends_here = key.len == common;
    struct mu_str head = {prefix.p, common};
    struct catalog__radix *branch =
        make(s, capacity_for(ends_here ? 1 : 2), (const struct mu_str[3]){head});
    struct catalog__radix *low =
        copy_as(s, t, t->n, (const struct mu_str[3]){skip(prefix, common + 1)});
    struct catalog__radix *leaf = ends_here ? NULL : make_leaf(s, skip(key, common + 1), value);
    if (!branch || !low || (!ends_here && !leaf)) {
        mu__free(&s->allocator, branch);
        mu__free(&s->allocator, low);
        mu__free(&s->allocator, leaf);
        return false;
    }
    add_child(branch, (uint8_t)prefix.p[common], low);
    if (ends_here) {
        branch->value = value;
    } else {
        add_child(branch, (uint8_t)key.p[common], leaf);
    }
    *link = branch;
    catalog__retire(s, &t->block);
    return true;
}

static size_t common_len(const struct catalog__radix *t, struct mu_str key)
{
    const uint8_t *prefix = catalog__radix_node_prefix(t);
    size_t n = mu__min(t->prefix_len, key.len), i = 0;
    while (i < n && prefix[i] == (uint8_t)key.p[i]) {
        i++;
    }
    return i;
}

bool catalog__radix_put(struct catalog__space *s, struct catalog__radix **link, struct mu_str key,
                        void *value, void **old)
{
    assert(value);
    *old = NULL;
    while (*link) {
        size_t common = common_len(*link, key);
        if (common < (*link)->prefix_len) {
            return split(s, link, common, key, value);
        }
        key = skip(key, common);
        if (key.len == 0) {
            struct catalog__radix *t = edit(s, link, (*link)->n);
            if (t) {
                *old = t->value;
                t->value = value;
            }
            return t != NULL;
        }
        uint8_t byte = (uint8_t)key.p[0];
        key = skip(key, 1);
        bool is_new = catalog__radix_slot(*link, byte) < 0;
        struct catalog__radix *t = edit(s, link, (size_t)(*link)->n + is_new);
        if (!t) {
            return false;
        }
        if (is_new) {
            struct catalog__radix *leaf = make_leaf(s, key, value);
            if (leaf) {
                add_child(t, byte, leaf);
            }
            return leaf != NULL;
        }
        link = &t->child[catalog__radix_slot(t, byte)];
    }
    *link = make_leaf(s, key, value);
    return *link != NULL;
}

/* A node that only leads to one other is put together with it. Short of memory it stays, and does
 * no harm. */
static void join(struct catalog__space *s, struct catalog__radix **link)
{
    struct catalog__radix *t = *link;
    if (t->value || t->n != 1 || !catalog__space_reserve(s, 2)) {
        return;
    }
    uint32_t slot = 0;
    while (!t->child[slot]) {
        slot++;
    }
    struct catalog__radix *child = t->child[slot];
    char byte = (char)byte_of(t, slot);
    struct catalog__radix *one = copy_as(
        s, child, child->n, (const struct mu_str[3]){prefix_of(t), {&byte, 1}, prefix_of(child)});
    if (one) {
        *link = one;
        catalog__retire(s, &t->block);
        catalog__retire(s, &child->block);
    }
}

/* Takes the value away from a node that has children. */
static bool clear(struct catalog__space *s, struct catalog__radix **link)
{
    struct catalog__radix *t = edit(s, link, (*link)->n);
    if (t) {
        t->value = NULL;
        join(s, link);
    }
    return t != NULL;
}

static struct catalog__radix *only_child(const struct catalog__radix *t)
{
    uint32_t slot = 0;
    while (t->n && !t->child[slot]) {
        slot++;
    }
    return t->n ? t->child[slot] : NULL;
}

/* Drops what hangs at *top below the node at *up (NULL: top is the root): a leaf, or nodes that
 * lead to nothing but a leaf, where there was no memory to join them. */
static bool drop(struct catalog__space *s, struct catalog__radix **top, struct catalog__radix **up,
                 uint8_t byte)
{
    size_t n = 0;
    for (const struct catalog__radix *t = *top; t; t = only_child(t)) {
        n++;
    }
    if (!catalog__space_reserve(s, n)) {
        return false;
    }
    struct catalog__radix *t = *top;
    if (up) {
        drop_child(*up, catalog__radix_slot(*up, byte));
    } else {
        *top = NULL;
    }
    while (t) {
        struct catalog__radix *next = only_child(t);
        catalog__retire(s, &t->block);
        t = next;
    }
    if (up) {
        join(s, up);
    }
    return true;
}

bool catalog__radix_remove(struct catalog__space *s, struct catalog__radix **link,
                           struct mu_str key, void **old)
{
    *old = NULL;
    void *value = catalog__radix_get(*link, key);
    if (!value) {
        return true;
    }
    /* The last node on the way that stays without what is below it, and where that hangs */
    struct catalog__radix **up = NULL, **top = link;
    uint8_t up_byte = 0;
    for (;;) {
        key = skip(key, (*link)->prefix_len);
        if (key.len == 0) {
            break;
        }
        uint8_t byte = (uint8_t)key.p[0];
        key = skip(key, 1);
        struct catalog__radix *t = edit(s, link, (*link)->n);
        if (!t) {
            return false;
        }
        bool stays = t->value || t->n > 1;
        up = stays ? link : up;
        up_byte = stays ? byte : up_byte;
        link = &t->child[catalog__radix_slot(t, byte)];
        top = stays ? link : top;
    }
    bool is_leaf = (*link)->n == 0;
    if (is_leaf ? !drop(s, top, up, up_byte) : !clear(s, link)) {
        return false;
    }
    *old = value;
    return true;
}
