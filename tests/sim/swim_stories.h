/* swim_stories.h - pools that live through what users of other gossip libraries met, each with
 * claims that must hold. planted_swim.c plants a fault for each claim and sees it broken. */
#pragma once

#include "swim_world.h"

struct telling {
    uint64_t seed;
    bool verbose;
    struct world *w;
    size_t nodes;
    const char *broken; /* the first claim that did not hold; NULL: all held */
};

struct story {
    const char *name;
    const char *about; /* the claim, and the issue that it answers */
    bool large;        /* takes an optimised build */
    void (*tell)(struct telling *t);
};

extern const struct story swim_stories[];
extern const size_t swim_stories_len;

/* Tells it with this seed. Returns the first claim that did not hold (a literal), or NULL.
 * A failure is printed to out with the last lines of the trace; out may be NULL. */
const char *swim_story_tell(const struct story *s, uint64_t seed, bool verbose, FILE *out);
const struct story *swim_story_find(const char *name);
