/* fit.h - writes the sections into a message of limited size, leaving out what does not fit (RFC
 * 2181 9). */
#pragma once

#include "records.h"

struct fit_limits {
    size_t bytes;      /* of the whole message; at least 512 */
    size_t bare_bytes; /* of the message without its OPT record */
    size_t answers;    /* at most so many answers */
    bool set_tc; /* say with TC that answers are missing; if none is left, it is always said */
    bool compress;
    bool plain_when_cut; /* once cut by count, measure without compression */
};

/* What else there is to say of the message. */
struct fit_notes {
    bool complete;     /* nothing was left out */
    bool case_matters; /* see struct message */
    size_t serial_at;
};

/* Writes the answer to q into buf, which holds limits->bytes; its length. TXT records go first,
 * then answers with the addresses of their targets; then what is around a single answer, and that
 * answer. */
size_t dnsfront__fit(const struct question *q, const struct sections *s,
                     const struct fit_limits *limits, uint16_t flags, unsigned rcode, uint8_t *buf,
                     struct fit_notes *notes);
