/* lzw.h - LZW as memberlist uses it: bits least significant first, codes of 9 to 12 bits, clear
 * 256, end 257. */
#pragma once

#include "cursor.h"

/* Unpacks into out, at most cap bytes. With out NULL it only counts, so that a caller can bound the
 * size before it allocates: a packed byte may stand for more than a thousand. The number of bytes
 * goes to *size. False when malformed, not ended by the end code, or longer than cap. */
bool swim__lzw_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t cap, size_t *size);

/* Appends the packed form, the same bytes as Go programs before 1.17 write (no leading clear
 * code). */
void swim__lzw_pack(struct mu__writer *w, const uint8_t *in, size_t len);
