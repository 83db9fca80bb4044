/* coord.h - our place in the network: Vivaldi (Dabek et al. 2004) with heights, a latency filter,
 * an adjustment term (Ledlie et al. 2007) and gravity, with the constants of Serf, so that all
 * members of a pool agree. */
#pragma once

#include "prng.h"

#include <muster/swim.h>

/* The last three round-trip times to one node, oldest first; each is stored as ns + 1, 0 is
 * none. */
struct swim__latency {
    uint64_t rtt[3];
};

struct swim__coords {
    struct swim_coordinate self;
    double samples[20]; /* errors of the estimates, for the adjustment term */
    size_t sample;
    uint64_t resets; /* how often self became invalid and was set back */
};

void swim__coords_init(struct swim__coords *c);
/* Takes in one measurement. False, and nothing changes, when it is not usable (rtt above 10 s, not
 * finite). */
bool swim__coords_update(struct swim__coords *c, struct swim__latency *latency,
                         const struct swim_coordinate *other, uint64_t rtt_ns,
                         struct mu__prng *prng);
bool swim__coord_is_valid(const struct swim_coordinate *c);
