/* text.h - text with an owner of its own: from malloc, with a zero behind it. */
#pragma once

#include <muster/mu.h>

#include <stdlib.h>
#include <string.h>

/* Ends the program when out of memory, as loop_post does. */
static inline struct mu_str text_copy(struct mu_str s)
{
    char *p = malloc(s.len + 1);
    if (!p) {
        abort();
    }
    if (s.len) {
        memcpy(p, s.p, s.len);
    }
    p[s.len] = 0;
    return (struct mu_str){p, s.len};
}

static inline void text_free(struct mu_str s)
{
    union {
        const char *lent;
        char *owned;
    } p = {.lent = s.p};
    free(p.owned);
}
