/* json.h - JSON from outside into a record, by its schema; errors in the words of Go's
 * encoding/json.
 *
 * Keys match case-insensitively, or by the field's alias; durations are Go strings or nanoseconds;
 * bytes are base64. An unknown key is an error, a key given twice counts the last time, and null
 * leaves what stands in *out. Like Go's decoder it reads the first value and ignores what follows
 * it. docs/decisions.md says why this is not jansson. */
#pragma once

#include "schema.h"

#define JSON_DEPTH_MAX 64u  /* of lists and objects in any input */
#define JSON_ERROR_MAX 512u /* a good size for err */

/* Decodes text into *out, an object of s, whose fields hold their defaults (usually zero).
 * Everything that *out then points at is in the arena, whose limit bounds it. On failure returns
 * false, err holds a sentence ("EOF", "unexpected EOF", `json: unknown field "X"`, ...; cut to
 * errlen), and *out may be half filled. */
bool json_decode(const struct mu__schema *s, const char *text, size_t len, struct mu__arena *a,
                 void *out, char *err, size_t errlen) MU_MUST_USE;

/* The same for a list of objects of s; null is an empty one, and null elements are cleared
 * records. */
bool json_decode_list(const struct mu__schema *s, const char *text, size_t len, struct mu__arena *a,
                      struct mu_list *out, char *err, size_t errlen) MU_MUST_USE;

/* The same two for what a server has answered: a key that s does not have is passed over. */
bool json_decode_known(const struct mu__schema *s, const char *text, size_t len,
                       struct mu__arena *a, void *out, char *err, size_t errlen) MU_MUST_USE;
bool json_decode_known_list(const struct mu__schema *s, const char *text, size_t len,
                            struct mu__arena *a, struct mu_list *out, char *err,
                            size_t errlen) MU_MUST_USE;

/* Checks that one JSON value stands at the beginning of text and sets *end behind it. The words of
 * Go's scanner in err otherwise. */
bool json_scan(const char *text, size_t len, size_t *end, char *err, size_t errlen) MU_MUST_USE;

/* Go's words for a duration that mu__duration_parse has refused: `time: invalid duration "x"`, with
 * 64 bytes of x at most. */
void json_duration_error(struct mu_str text, char *err, size_t errlen);
