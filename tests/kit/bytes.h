/* bytes.h - a stream in memory: what was written can be read, whole or in pieces. */
#pragma once

#include "mu_test.h"

struct bytes {
    uint8_t *p; /* free it */
    size_t len;
    size_t at;    /* read so far */
    size_t piece; /* read at most so many at a time; 0: as many as fit */
    bool broken;  /* every call fails */
};

static inline int write_bytes(void *bytes, const void *data, size_t len)
{
    struct bytes *b = bytes;
    if (len) {
        b->p = realloc(b->p, b->len + len);
        memcpy(b->p + b->len, data, len);
        b->len += len;
    }
    return b->broken ? -1 : 0;
}

/* *len: the room in buf, then how many were read; 0 at the end. */
static inline int read_bytes(void *bytes, void *buf, size_t *len)
{
    struct bytes *b = bytes;
    size_t n = b->len - b->at;
    n = n < *len ? n : *len;
    n = b->piece && b->piece < n ? b->piece : n;
    if (n) {
        memcpy(buf, b->p + b->at, n);
    }
    b->at += n;
    *len = n;
    return b->broken ? -1 : 0;
}
