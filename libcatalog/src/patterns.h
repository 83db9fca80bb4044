/* patterns.h - compiled regular expressions of query templates, so that what is executed a thousand
 * times a second is compiled once. A reader has one: no thread shares it with another. */
#pragma once

#include "arena.h"
#include "regexp.h"

#define CATALOG__PATTERNS_MAX    8u    /* remembered; the one that was not used for longest goes */
#define CATALOG__PATTERN_LEN_MAX 4096u /* longer ones are compiled each time */

struct catalog__pattern {
    struct mu__arena arena; /* of both */
    struct mu_str text;     /* p NULL: free */
    struct mu__regexp *compiled;
    uint64_t used; /* the count of uses when it was used last */
};

struct catalog__patterns {
    struct catalog__pattern *items; /* NULL: none yet */
    uint64_t uses, compiled;        /* compiled: how often it was */
};

/* Lends it until the next call, or until the arena ends, which is used instead when it cannot be
 * remembered; p may be NULL. NULL: err says why, or is empty when there was no memory. */
struct mu__regexp *catalog__pattern(struct catalog__patterns *p,
                                    const struct mu_allocator *allocator, struct mu_str text,
                                    struct mu__arena *a, char *err, size_t errlen);
void catalog__patterns_fini(struct catalog__patterns *p, const struct mu_allocator *allocator);
