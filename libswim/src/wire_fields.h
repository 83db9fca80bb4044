/* wire_fields.h - one table per wire struct drives its decoding and encoding.
 *
 * The fields of a table stand in byte order of their names, which is the order on the wire. A peer
 * may also send a struct as an array in declaration order; none does, and we take only maps. */
#pragma once

#include "msgpack.h"

enum swim__kind {
    SWIM__BOOL,  /* bool */
    SWIM__U8,    /* uint8_t */
    SWIM__U16,   /* uint16_t */
    SWIM__U32,   /* uint32_t, or an enum */
    SWIM__U64,   /* uint64_t; also Go's int where negative makes no sense */
    SWIM__I64,   /* int64_t */
    SWIM__TEXT,  /* struct mu_str */
    SWIM__RAW,   /* struct mu_str of bytes; bin is accepted, nil becomes empty */
    SWIM__BLOB,  /* struct mu_str of bytes, or nil when p is NULL */
    SWIM__SPAN,  /* struct mu_str: an encoded array of raw, checked; nil when p is NULL */
    SWIM__PAIRS, /* struct mu_str: an encoded map of text to text, checked; nil when p is NULL */
    SWIM__SUB    /* a map whose fields lie in the same struct */
};

struct swim__layout;
struct swim__field {
    const char *name;
    enum swim__kind kind;
    bool omit; /* left out when zero or empty */
    size_t offset;
    const struct swim__layout *sub;
};
struct swim__layout {
    const struct swim__field *fields;
    size_t n;
};
#define SWIM__LAYOUT(table)                                                                        \
    {                                                                                              \
        (table), sizeof(table) / sizeof *(table)                                                   \
    }

/* Reads one map (or nil: nothing is set). *obj must be zeroed before; failure shows in
 * r->failed. */
void swim__fields_decode(struct mu__reader *r, const struct swim__layout *layout, void *obj);
void swim__fields_encode(struct mu__writer *w, const struct swim__layout *layout, const void *obj);

/* Read an array of raw, or a map of text to text, checking every element; what they lend is its
 * encoded form. */
struct mu_str swim__read_span(struct mu__reader *r);
struct mu_str swim__read_pairs(struct mu__reader *r);
