/* key.h - keys of the trees: names folded to lower case and joined by zero bytes.
 *
 * Names and ids have no zero byte and a length limit (checked where they come in), so that a joined
 * key has one meaning and fits a buffer on the stack: looking something up takes no memory. */
#pragma once

#include <muster/mu.h>
#include <stdbool.h>

#define CATALOG__NAME_MAX  512u /* bytes of a node, service, check or id */
#define CATALOG__NAMES_MAX 4u

struct catalog__key {
    size_t len;
    char bytes[CATALOG__NAMES_MAX * (CATALOG__NAME_MAX + 1)];
};

/* Joins n names; with `open`, a zero byte stands behind the last one too: the prefix of all keys
 * that go on from there. A name that is too long gives a key that stands in no tree. */
void catalog__key_join(struct catalog__key *k, const struct mu_str *names, size_t n, bool open);

static inline struct mu_str catalog__key_str(const struct catalog__key *k)
{
    return (struct mu_str){k->bytes, k->len};
}
/* What of a text stands in a key: all of it, if it is a name. Addresses are texts, which nobody
 * checks. */
struct mu_str catalog__key_part(struct mu_str s);
/* Can it stand in a key? */
bool catalog__is_name(struct mu_str s);
