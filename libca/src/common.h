/* common.h - what all files of libca share. */
#pragma once

#include "alloc.h"

#include <muster/ca.h>
#include <string.h>

/* Writes the sentence, if somebody wants it, and gives the code back. */
int ca__fail(struct ca_diag *diag, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A caller's config upon the defaults in full; false if a larger one sets what we do not know. */
bool ca__widen(const void *given, size_t given_size, void *full, size_t size);

static inline struct mu_str ca__str(const void *p, size_t len)
{
    return (struct mu_str){p, len};
}

static inline bool ca__same(struct mu_str a, struct mu_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool ca__is(struct mu_str a, const char *b)
{
    return ca__same(a, ca__str(b, strlen(b)));
}

/* What we allocated ourselves and keep as text: to free it. */
static inline void *ca__unconst(const void *p)
{
    union {
        const void *lent;
        void *owned;
    } u = {.lent = p};
    return u.owned;
}
