/* hcl_internal.h - between hcl.c, which knows what follows what, and hcl_lex.c, which reads one
 * word at a time. */
#pragma once

#include "hcl.h"

#include <stdbool.h>

struct hcl {
    const char *text, *end, *at;
    char *err;
    size_t errlen;
    bool failed;
};

/* Says what was expected, with the line of the place. Always false. */
bool hcl__fail(struct hcl *h, const char *at, const char *expected);
/* Skips blanks, line ends and comments; false when a comment does not end. */
bool hcl__skip(struct hcl *h);
/* A name or a quoted text, to be freed with free; NULL after a failure. */
char *hcl__key(struct hcl *h);
bool hcl__is_key(const struct hcl *h);
/* A text, heredoc, number or bool; NULL after a failure. */
json_t *hcl__scalar(struct hcl *h);
