/* kept.h - encoded answers, kept for as long as what they were made from has not changed.
 *
 * An entry is what one question gets over one transport with one limit. It holds the answer in
 * several orders, its turns: turn t begins a permutation of the instances t/turns of the way
 * through it, so that each instance comes first equally often. The ordinary path fills them in, one
 * by one as they are drawn; after some uses the permutation is drawn anew, so that neighbours
 * change, too.
 *
 * Bounded in bytes. The one that was not used for longest goes first (by second chance); negative
 * answers have a small part of their own, so that random names push out nothing but each other. */
#pragma once

#include <muster/dnsfront.h>

#include "name.h"

struct dnsfront_query;
struct fit_notes;
struct kept;

enum kept_shape {
    KEPT_NONE,
    KEPT_UDP,
    KEPT_UDP_EDNS_SMALL,
    KEPT_UDP_EDNS,
    KEPT_TCP,
    KEPT_TCP_EDNS
};

/* A question of the plain form, as one finds its answer. */
struct kept_key {
    enum kept_shape shape; /* KEPT_NONE: not plain, or another limit than those that are kept */
    uint16_t flags;        /* as sent */
    uint16_t edns_size;    /* as sent */
    uint16_t limit;        /* of KEPT_UDP_EDNS, in bytes */
    size_t name_len;
    bool lower;                       /* no capital in the name */
    uint8_t bytes[NAME_WIRE_MAX + 2]; /* the name folded, the type */
    size_t len;
    uint64_t hash;
};

/* Looks whether the order of q's answer is one that a kept entry lacks, and chooses it. */
void dnsfront__kept_plan(struct dnsfront_query *q, const struct dnsfront_request *r);
/* The answer to q as it was written. */
void dnsfront__kept_add(struct dnsfront_query *q, const struct fit_notes *notes,
                        const uint8_t *answer, size_t len);
void dnsfront__kept_destroy(struct dnsfront *d);
