/* name.h - domain names: from the wire into labels, from text onto the wire (RFC 1035 3.1,
 * 4.1.4). */
#pragma once

#include "cursor.h"

#define NAME_WIRE_MAX  255u
#define NAME_LABEL_MAX 63u
#define NAME_LABELS    127u

/* A name as the question holds it. Labels lie in `wire`, in the case of the sender; `lower` is the
 * same folded. */
struct name {
    uint8_t wire[NAME_WIRE_MAX]; /* without compression, with the root's zero */
    uint8_t lower[NAME_WIRE_MAX];
    size_t len;              /* of wire */
    uint8_t at[NAME_LABELS]; /* offset of each label's length byte */
    size_t labels;
};

/* Reads a name that must not be compressed (a question's first name has nothing to point at). Fails
 * the reader. */
void dnsfront__name_read(struct mu__reader *r, struct name *out);
/* Reads the name at offset `at` of a message, following pointers, which must lead backwards and may
 * be no more than a name can have labels: a chain of thousands would be walked for each of
 * thousands of records. *end is where what follows begins. */
bool dnsfront__name_unpack(const uint8_t *message, size_t len, size_t at, struct name *out,
                           size_t *end);
/* Skips a name, compressed or not. */
void dnsfront__name_skip(struct mu__reader *r);

/* From text such as "web.service.consul" or "consul."; false if it is not a name. */
bool dnsfront__name_parse(struct mu_str text, struct name *out);

struct mu_str dnsfront__name_label(const struct name *n, size_t i); /* folded; 0 is the leftmost */
bool dnsfront__name_equal(const struct name *a, const struct name *b); /* not counting case */
/* Does n end in suffix (not counting case)? */
bool dnsfront__name_ends_in(const struct name *n, const struct name *suffix);
/* Folded labels from..to-1 joined with dots, into buf of at least NAME_WIRE_MAX bytes. */
struct mu_str dnsfront__name_join(const struct name *n, size_t from, size_t to, char *buf);
/* Are all labels made of printable ASCII other than '.'? Others cannot be names in a catalog. */
bool dnsfront__name_is_printable(const struct name *n);
