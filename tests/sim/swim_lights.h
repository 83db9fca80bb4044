/* swim_lights.h - members of a very large pool that know only what matters to a question: which of
 * a few victims are alive, suspected or dead.
 *
 * A full core holds a record for everybody it knows; a hundred thousand of them would hold 10^10.
 * A light takes for granted that all others exist, and keeps 24 bytes for each victim. With that it
 * does what a core does in a pool without loss: it probes one member a second, suspects who is
 * silent, confirms, waits by Lifeguard's formula, declares dead, and gossips each piece of news to
 * three members every 200 ms, the least often sent first, as often as the limit says. Messages
 * between lights are calls; what goes to a core or comes from it is a datagram (swim_crowd.c).
 * Time is in milliseconds from 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prng.h"

enum light_kind { LIGHT_ALIVE, LIGHT_SUSPECT, LIGHT_DEAD };

struct rumour { /* what is said of a victim */
    uint16_t victim;
    uint8_t kind;
    uint32_t from;
};
enum { LIGHT_RUMOURS_MAX = 27 }; /* accusations of about 50 bytes in a datagram of 1400 */

struct lights;
struct lights_options {
    uint32_t members, cores; /* the first `cores` of the members are no lights */
    uint16_t victims;
    uint64_t seed;
    /* A datagram from a light to a core: rumours, and a ping if it says so. */
    void (*to_core)(void *user, uint32_t from, uint32_t core, bool ping,
                    const struct rumour *rumours, size_t n);
    /* A light holds a victim dead. */
    void (*on_dead)(void *user, uint32_t light, uint16_t victim);
    void *user;
};

struct lights *lights_create(const struct lights_options *o);
void lights_destroy(struct lights *l);
uint32_t lights_victim(const struct lights *l, uint16_t victim); /* its member number */
/* The number of a victim, or UINT16_MAX. */
uint16_t lights_victim_of(const struct lights *l, uint32_t member);
void lights_kill(struct lights *l); /* all victims are silent from now on */
bool lights_is_up(const struct lights *l, uint32_t member);
/* One millisecond passes. */
void lights_step(struct lights *l, uint32_t now_ms);
/* Somebody tells a light. */
void lights_hear(struct lights *l, uint32_t light, const struct rumour *r);
uint64_t lights_heard(const struct lights *l); /* rumours that lights were told so far */
