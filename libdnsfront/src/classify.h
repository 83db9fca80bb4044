/* classify.h - what a name asks for (Consul's name forms), as a pure function of the question. */
#pragma once

#include <muster/dnsfront.h>

#include "question.h"

enum name_kind {
    NAME_FOREIGN, /* not in our domain */
    NAME_INVALID, /* in the domain, but none of the forms */
    NAME_APEX,    /* the domain itself */
    NAME_SERVICE, /* instances: of a service, or what connect, ingress and query names mean */
    NAME_NODE,
    NAME_VIRTUAL, /* the virtual address of a service */
    NAME_ADDRESS, /* <hex>.addr: an address spelled in the name */
    NAME_REVERSE  /* under arpa: who has an address */
};

struct name_meaning {
    enum name_kind kind;
    /* For SERVICE, NODE and VIRTUAL; for REVERSE if the name spells a whole address, otherwise its
     * name is empty. Text lies in `text` */
    struct dnsfront_lookup lookup;
    uint8_t address[16]; /* for ADDRESS */
    size_t address_len;  /* 4 or 16; 0: a number of another length, which has no record */
    char text[3][NAME_WIRE_MAX];
};

/* domain and alt (NULL: none) are what we answer for; datacenter is the default one, borrowed by
 * the meaning. */
void dnsfront__classify(const struct name *name, uint16_t type, const struct name *domain,
                        const struct name *alt, struct mu_str datacenter, struct name_meaning *out);
