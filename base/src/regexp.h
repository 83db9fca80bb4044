/* regexp.h - regular expressions in RE2's syntax, for filters of queries and of lists: does a text
 * contain a match, and which?
 *
 * A Thompson automaton run over all its states at once (Cox 2007, "Regular Expression Matching Can
 * Be Simple And Fast"): time is at most text times program, whatever the expression. libc's regcomp
 * knows another syntax and can be made to use exponential time and memory. Not known: \p{..}
 * classes, \C, and flags other than i, s, m and U. */
#pragma once

#include "arena.h"

#define MU_REGEXP_PROGRAM_MAX 1000u /* instructions */

struct mu__regexp;

/* Compiles into the arena. NULL: err says why, in the words of Go's regexp/syntax. */
struct mu__regexp *mu__regexp_compile(struct mu_str pattern, struct mu__arena *a, char *err,
                                      size_t errlen);
/* Uses scratch memory of re: one thread at a time. */
bool mu__regexp_matches(struct mu__regexp *re, struct mu_str text);

#define MU_REGEXP_GROUPS_MAX 32u /* that are remembered, the whole match included */

/* The leftmost match, as Perl and RE2 choose among those: the whole of it and its groups, which are
 * lent from text; p is NULL for a group that took no part. groups has room for
 * MU_REGEXP_GROUPS_MAX; *n is how many the expression has. False: there is no match, or no memory
 * in the arena. */
bool mu__regexp_find(struct mu__regexp *re, struct mu_str text, struct mu__arena *a,
                     struct mu_str *groups, size_t *n);
