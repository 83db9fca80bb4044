/* der.h - DER (X.690 10, 11): one value after the other, read strictly and written nested.
 *
 * A reader accepts tags of one byte and definite lengths in their shortest form; what it gives is
 * lent from its bytes. Like mu__reader it remembers its first error. */
#pragma once

#include "cursor.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,            /* [n] IMPLICIT of a primitive type: DER_CONTEXT | n */
    DER_CONTEXT_CONSTRUCTED = 0xa0 /* [n] of a constructed type */
};

static inline struct mu__reader ca__der(struct mu_str s)
{
    return mu__reader(s.p, s.len);
}
static inline bool ca__der_more(const struct mu__reader *r)
{
    return !r->failed && mu__reader_left(r) > 0;
}
/* True if the next value has that tag; nothing is read. */
bool ca__der_peek(const struct mu__reader *r, uint8_t tag);
/* Reads a value of any tag. whole (may be NULL) is the value with its header. */
bool ca__der_any(struct mu__reader *r, uint8_t *tag, struct mu_str *value, struct mu_str *whole);
/* Reads a value of that tag, or fails. */
bool ca__der_get(struct mu__reader *r, uint8_t tag, struct mu_str *value);
bool ca__der_raw(struct mu__reader *r, uint8_t tag, struct mu_str *whole);
/* A reader of the value's inside; one that has failed if there is no such value. */
struct mu__reader ca__der_enter(struct mu__reader *r, uint8_t tag);
/* True if all was read without an error. */
bool ca__der_done(const struct mu__reader *r);

bool ca__der_bool(struct mu__reader *r, bool *out);
/* An INTEGER that is not negative: its bytes without the sign's zero. */
bool ca__der_unsigned(struct mu__reader *r, struct mu_str *out);
bool ca__der_small(struct mu__reader *r, unsigned max, unsigned *out);
/* A BIT STRING of whole bytes. */
bool ca__der_bits(struct mu__reader *r, struct mu_str *out);
/* An OBJECT IDENTIFIER; its encoded bytes. */
bool ca__der_oid(struct mu__reader *r, struct mu_str *out);
/* A UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 wants it. */
bool ca__der_time(struct mu__reader *r, int64_t *unix_s);

/* Begins a value; what is written until ca__der_end is its inside. */
size_t ca__der_begin(struct mu__writer *w, uint8_t tag);
void ca__der_end(struct mu__writer *w, size_t begun);
void ca__der_put(struct mu__writer *w, uint8_t tag, struct mu_str value);
void ca__der_put_unsigned(struct mu__writer *w, struct mu_str big_endian);
void ca__der_put_small(struct mu__writer *w, unsigned value);
void ca__der_put_true(struct mu__writer *w);
void ca__der_put_bits(struct mu__writer *w, struct mu_str bytes);
void ca__der_put_time(struct mu__writer *w, int64_t unix_s);
