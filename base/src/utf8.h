/* utf8.h - where a character of UTF-8 ends (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF). */
#pragma once

#include <stddef.h>

/* Length of the sequence at p of `left` (> 0) bytes, 1 to 4; 0 when it is none. */
size_t mu__utf8_length(const unsigned char *p, size_t left);
