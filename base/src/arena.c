#include "arena.h"

#include <stdalign.h>
#include <string.h>

#define FIRST_BLOCK 1024u
#define BLOCK_MAX   65536u

struct mu__arena_block {
    struct mu__arena_block *next;
    size_t size; /* of the whole block */
    alignas(max_align_t) char data[];
};

void mu__arena_init(struct mu__arena *a, const struct mu_allocator *allocator, size_t limit)
{
    *a = (struct mu__arena){.allocator = mu__allocator_or_default(allocator), .limit = limit};
}

static void free_blocks(struct mu__arena *a, struct mu__arena_block *b)
{
    while (b) {
        struct mu__arena_block *next = b->next;
        a->used -= b->size;
        mu__free(&a->allocator, b);
        b = next;
    }
}

void mu__arena_fini(struct mu__arena *a)
{
    free_blocks(a, a->blocks);
    a->blocks = NULL;
    a->at = a->end = NULL;
}

void mu__arena_reset(struct mu__arena *a)
{
    if (!a->blocks) {
        return;
    }
    free_blocks(a, a->blocks->next);
    a->blocks->next = NULL;
    a->at = a->blocks->data;
    a->end = (char *)a->blocks + a->blocks->size;
}

void mu__arena_adopt(struct mu__arena *a, struct mu__arena *from)
{
    if (!a->blocks) {
        a->at = from->at; /* the newest block of `from` is the newest of all */
        a->end = from->end;
    }
    struct mu__arena_block **tail = &a->blocks;
    while (*tail) {
        tail = &(*tail)->next;
    }
    *tail = from->blocks;
    a->used += from->used;
    from->blocks = NULL;
    from->at = from->end = NULL;
    from->used = 0;
}

static bool add_block(struct mu__arena *a, size_t size)
{
    size_t want = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK;
    size_t bytes;
    if (!mu__add(size, sizeof(struct mu__arena_block), &bytes)) {
        return false;
    }
    bytes = mu__max(bytes, mu__min(want, BLOCK_MAX));
    if (a->limit && (a->used > a->limit || bytes > a->limit - a->used)) {
        return false;
    }
    struct mu__arena_block *b = mu__alloc(&a->allocator, bytes);
    if (!b) {
        return false;
    }
    b->next = a->blocks;
    b->size = bytes;
    a->blocks = b;
    a->used += bytes;
    a->at = b->data;
    a->end = (char *)b + bytes;
    return true;
}

void *mu__arena_alloc(struct mu__arena *a, size_t size)
{
    size_t align = alignof(max_align_t);
    if (size > SIZE_MAX - align) {
        return NULL;
    }
    size_t rounded = size ? (size + align - 1) / align * align : align;
    if ((size_t)(a->end - a->at) < rounded && !add_block(a, rounded)) {
        return NULL;
    }
    void *p = a->at;
    a->at += rounded;
    return p;
}

void *mu__arena_calloc(struct mu__arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (!mu__mul(n, size, &bytes)) {
        return NULL;
    }
    void *p = mu__arena_alloc(a, bytes);
    if (p) {
        memset(p, 0, bytes);
    }
    return p;
}

void *mu__arena_memdup(struct mu__arena *a, const void *p, size_t len)
{
    void *copy = mu__arena_alloc(a, len);
    if (copy && len) {
        memcpy(copy, p, len);
    }
    return copy;
}

char *mu__arena_strndup(struct mu__arena *a, const char *s, size_t len)
{
    size_t bytes;
    if (!mu__add(len, 1, &bytes)) {
        return NULL;
    }
    char *copy = mu__arena_alloc(a, bytes);
    if (copy) {
        if (len) {
            memcpy(copy, s, len);
        }
        copy[len] = '\0';
    }
    return copy;
}
