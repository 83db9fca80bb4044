/* fit.h - writes the sections into a message of limited size, leaving out what does not fit (RFC
 * 2181 9). */
#pragma once

#include "records.h"

struct fit_limits {
    size_t bytes;   /* of the whole message */
    size_t answers; /* at most so many answers */
    bool set_tc;    /* say with TC that answers are missing */
    bool compress;
    bool plain_when_cut; /* once cut by count, measure without compression */
};

/* Writes the answer to q into buf; its length, or 0 when cap does not hold even one answer. */
size_t dnsfront__fit(const struct question *q, const struct sections *s,
                     const struct fit_limits *limits, uint16_t flags, unsigned rcode, uint8_t *buf,
                     size_t cap);
