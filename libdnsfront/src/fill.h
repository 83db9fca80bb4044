/* fill.h - from a name and what was found for it to the sections of an answer. */
#pragma once

#include <muster/dnsfront.h>

#include "classify.h"
#include "records.h"

struct dnsfront;
struct asked {
    const struct name *name;
    uint16_t type;
    const struct name_meaning *meaning;
    const struct dnsfront_found *found; /* ignored where nothing is looked up */
    uint64_t random;                    /* the permutation of instances ... */
    unsigned turn, turns; /* ... begins turn/turns of the way through it; 0 turns: at its start */
    int64_t now_unix_s;
};

/* What must be found for this name and type; false if nothing. Only kind, name, tag and datacenter
 * are set, lent by the meaning. */
bool dnsfront__wanted(const struct name_meaning *m, uint16_t type, struct mu_str datacenter,
                      struct dnsfront_lookup *out);
/* False when out of memory. */
bool dnsfront__fill(const struct dnsfront *d, const struct asked *what, struct mu__arena *a,
                    struct sections *out, unsigned *rcode);
