/* watches.h - the watches of an agent's configuration, run against the agent's own HTTP API.
 *
 * Each asks over connections of its own, as any client would, so that it shares blocking queries
 * with those who ask the same. All of it belongs to one loop. */
#pragma once

#include "base/config.h"
#include "plan.h"

#include <event2/event.h>

struct watches_config {
    struct event_base *base; /* borrowed for the life of the watches */
    /* A socket that does not block, connected to the agent's HTTP API; -1: not now */
    int (*connect)(void *user);
    void *user;
};

struct watches;
struct watches *watches_create(const struct watches_config *c); /* NULL: out of memory */
/* Stops the watches there are and runs those of the configuration, whose handlers are all told
 * anew; a handler that is running goes on. False with a sentence, and nothing changes, when one of
 * them cannot be. */
MU_MUST_USE bool watches_set(struct watches *w, const struct config *c, char *err, size_t errlen);
void watches_destroy(struct watches *w); /* NULL is allowed; programs go on by themselves */

/* Can all of them be run? */
MU_MUST_USE bool watches_check(const struct config *c, char *err, size_t errlen);
