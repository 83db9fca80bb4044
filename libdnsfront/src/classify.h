/* classify.h - what a name in the domain asks for (Consul's name forms), as a pure function of the
 * question. */
#pragma once

#include <muster/dnsfront.h>

#include "question.h"

enum name_kind {
    NAME_FOREIGN, /* not in our domain */
    NAME_INVALID, /* in the domain, but none of the forms */
    NAME_APEX,    /* the domain itself */
    NAME_SERVICE,
    NAME_NODE,
    NAME_ADDRESS /* <hex>.addr: an address spelled in the name */
};

struct name_meaning {
    enum name_kind kind;
    struct dnsfront_lookup lookup; /* for SERVICE and NODE; text lies in `text` */
    uint8_t address[16];           /* for ADDRESS */
    size_t address_len;            /* 4 or 16; 0: a number of another length, which has no record */
    char text[3][NAME_WIRE_MAX];
};

/* domain and alt (NULL: none) are what we answer for; datacenter is the default one, borrowed by
 * the meaning. */
void dnsfront__classify(const struct question *q, const struct name *domain, const struct name *alt,
                        struct mu_str datacenter, struct name_meaning *out);
