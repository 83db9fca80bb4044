/* weak.h - JSON from people: config entries, decoded by their tables as generously as Consul does.
 *
 * A key stands for a field if it is its name or an alias in any case; text, numbers and bools stand
 * for each other where that makes sense; a single value stands for a list of one, a list of one
 * object for the object. Consul decodes them through an untyped map, so what is wrong is told in
 * other words than elsewhere (json.h): all of it at once. */
#pragma once

#include "schema.h"

#define WEAK_ERROR_MAX 2048u

struct weak_body {
    struct mu_str map; /* one encoded msgpack map with sorted keys */
};

/* Reads a body whose value must be an object. False: err says why, in the words for an untyped
 * map. */
bool weak_read(const char *text, size_t len, struct mu__arena *a, struct weak_body *out, char *err,
               size_t errlen) MU_MUST_USE;
/* The text at a key, exactly as it is spelled: 1; 0: there is no such key; -1: it is no text. */
int weak_text(const struct weak_body *b, const char *key, struct mu_str *out);
/* Decodes it by s into *out, which is cleared. Keys that mean nothing are an error if `strict`,
 * apart from those of indexes, which never count. */
bool weak_decode(const struct weak_body *b, const struct mu__schema *s, bool strict,
                 struct mu__arena *a, void *out, char *err, size_t errlen) MU_MUST_USE;
