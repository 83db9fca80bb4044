#include "cursor.h"

#include <string.h>

void mu__reader_fail(struct mu__reader *r)
{
    r->failed = true;
    r->pos = r->len;
}

const uint8_t *mu__read_bytes(struct mu__reader *r, size_t len)
{
    if (r->failed || len > r->len - r->pos) {
        mu__reader_fail(r);
        return NULL;
    }
    const uint8_t *p = r->data + r->pos;
    r->pos += len;
    return p;
}

static uint64_t read_be(struct mu__reader *r, size_t n)
{
    const uint8_t *p = mu__read_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint64_t read_le(struct mu__reader *r, size_t n)
{
    const uint8_t *p = mu__read_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = n; p && i > 0; i--) {
        v = v << 8 | p[i - 1];
    }
    return v;
}

uint8_t mu__read_u8(struct mu__reader *r)
{
    return (uint8_t)read_be(r, 1);
}

uint16_t mu__read_u16be(struct mu__reader *r)
{
    return (uint16_t)read_be(r, 2);
}

uint32_t mu__read_u32be(struct mu__reader *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t mu__read_u64be(struct mu__reader *r)
{
    return read_be(r, 8);
}

uint32_t mu__read_u32le(struct mu__reader *r)
{
    return (uint32_t)read_le(r, 4);
}

uint64_t mu__read_u64le(struct mu__reader *r)
{
    return read_le(r, 8);
}

void mu__writer_fini(struct mu__writer *w)
{
    if (w->allocator) {
        mu__free(w->allocator, w->data);
    }
    *w = (struct mu__writer){.allocator = w->allocator};
}

static bool grow(struct mu__writer *w, size_t len)
{
    size_t need;
    if (!w->allocator || !mu__add(w->len, len, &need)) {
        return false;
    }
    void *data = w->data;
    size_t cap = mu__max(w->cap, 32);
    while (cap < need) {
        if (cap > SIZE_MAX / 2) {
            return false;
        }
        cap *= 2;
    }
    data = mu__realloc(w->allocator, data, cap, 1);
    if (!data) {
        return false;
    }
    w->data = data;
    w->cap = cap;
    return true;
}

uint8_t *mu__write_grown(struct mu__writer *w, size_t len)
{
    if (w->failed || (len > w->cap - w->len && !grow(w, len))) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->data + w->len;
    w->len += len;
    return p;
}

static void write_be(struct mu__writer *w, uint64_t v, size_t n)
{
    uint8_t *p = mu__write_room(w, n);
    for (size_t i = n; p && i > 0; i--) {
        p[i - 1] = (uint8_t)v;
        v >>= 8;
    }
}

static void write_le(struct mu__writer *w, uint64_t v, size_t n)
{
    uint8_t *p = mu__write_room(w, n);
    for (size_t i = 0; p && i < n; i++) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

void mu__write_u8(struct mu__writer *w, uint8_t v)
{
    write_be(w, v, 1);
}

void mu__write_u16be(struct mu__writer *w, uint16_t v)
{
    write_be(w, v, 2);
}

void mu__write_u32be(struct mu__writer *w, uint32_t v)
{
    write_be(w, v, 4);
}

void mu__write_u64be(struct mu__writer *w, uint64_t v)
{
    write_be(w, v, 8);
}

void mu__write_u32le(struct mu__writer *w, uint32_t v)
{
    write_le(w, v, 4);
}

void mu__write_u64le(struct mu__writer *w, uint64_t v)
{
    write_le(w, v, 8);
}
