/* filter_internal.h - the compiled form of a filter, which filter.c makes and filter_match.c
 * runs. */
#pragma once

#include "filter.h"
#include "regexp.h"

#define FILTER_STEPS_MAX 8u

enum filter_op { FILTER_EQUAL, FILTER_IN, FILTER_EMPTY, FILTER_MATCHES };

/* One step into a record: a field of a struct, or (after a map's field) a key. */
struct filter_step {
    const struct mu__field *field; /* NULL: key */
    struct mu_str key;
    const void *zero; /* what a NULL pointer field stands for */
};

struct filter_test {
    struct filter_step steps[FILTER_STEPS_MAX];
    size_t nsteps;
    enum filter_op op;
    bool negated;
    struct mu_str text;
    int64_t number; /* the value, as the field's kind wants it */
    bool boolean;
    struct mu__regexp *regex;
};

struct http_filter {
    enum { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_TEST } kind;
    const struct http_filter *left, *right; /* NOT: left alone */
    struct filter_test test;
};
