/* cursor.h - typed reading and writing of bytes; both remember their first error.
 *
 * A decoder reads straight down and checks `failed` once at the end: after a failure every read
 * gives zero and does not move. A writer either fills a fixed buffer or grows one through an
 * allocator. */
#pragma once

#include "alloc.h"

#include <string.h>

struct mu__reader {
    const uint8_t *data;
    size_t len, pos; /* pos <= len */
    bool failed;     /* a read went past the end or met what it did not expect */
};

static inline struct mu__reader mu__reader(const void *data, size_t len)
{
    return (struct mu__reader){.data = data, .len = len};
}
static inline size_t mu__reader_left(const struct mu__reader *r)
{
    return r->len - r->pos;
}
void mu__reader_fail(struct mu__reader *r); /* also moves to the end */
uint8_t mu__read_u8(struct mu__reader *r);
uint16_t mu__read_u16be(struct mu__reader *r);
uint32_t mu__read_u32be(struct mu__reader *r);
uint64_t mu__read_u64be(struct mu__reader *r);
uint32_t mu__read_u32le(struct mu__reader *r);
uint64_t mu__read_u64le(struct mu__reader *r);
const uint8_t *mu__read_bytes(struct mu__reader *r, size_t len); /* lends; NULL on failure */

struct mu__writer {
    uint8_t *data;
    size_t len, cap;
    const struct mu_allocator *allocator; /* NULL: fixed buffer */
    bool failed;                          /* no room or no memory; data is what fitted before */
};

static inline struct mu__writer mu__writer_fixed(void *buf, size_t cap)
{
    return (struct mu__writer){.data = buf, .cap = cap};
}
/* Grows; free with mu__writer_fini. The allocator must outlive the writer. */
static inline struct mu__writer mu__writer_growing(const struct mu_allocator *a)
{
    return (struct mu__writer){.allocator = a};
}
void mu__writer_fini(struct mu__writer *w);
uint8_t *mu__write_grown(struct mu__writer *w, size_t len); /* of mu__write_room alone */
/* Room for len more bytes, counted as written; NULL on failure. */
static inline uint8_t *mu__write_room(struct mu__writer *w, size_t len)
{
    if (w->failed || len > w->cap - w->len) {
        return mu__write_grown(w, len);
    }
    uint8_t *p = w->data + w->len;
    w->len += len;
    return p;
}
void mu__write_u8(struct mu__writer *w, uint8_t v);
void mu__write_u16be(struct mu__writer *w, uint16_t v);
void mu__write_u32be(struct mu__writer *w, uint32_t v);
void mu__write_u64be(struct mu__writer *w, uint64_t v);
void mu__write_u32le(struct mu__writer *w, uint32_t v);
void mu__write_u64le(struct mu__writer *w, uint64_t v);
static inline void mu__write_bytes(struct mu__writer *w, const void *p, size_t len)
{
    uint8_t *room = mu__write_room(w, len);
    if (room && len) {
        memcpy(room, p, len);
    }
}
static inline void mu__write_cstr(struct mu__writer *w, const char *s) /* without its zero */
{
    mu__write_bytes(w, s, strlen(s));
}
