/* json_text.h - the inside of JSON strings: escapes, UTF-8, base64. For json.c. */
#pragma once

#include "arena.h"

/* The bytes between the quotes of a valid JSON string, unescaped into the arena with a zero behind
 * them when nothing had to change. False when out of memory. */
bool json_unquote(const char *p, size_t len, struct mu__arena *a, struct mu_str *out);

/* Length of the UTF-8 sequence at p (len > 0), or 0 when there is none. */
size_t json_utf8_length(const char *p, size_t len);

/* Standard base64 with padding; out has room for len/4*3+3 bytes. False: *bad is the offset Go
 * would name. */
bool json_base64(struct mu_str in, char *out, size_t *outlen, size_t *bad);
