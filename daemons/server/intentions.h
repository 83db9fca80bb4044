/* intentions.h - intentions on a server: what the endpoints add to the catalog's own functions. */
#pragma once

#include "rpc/call.h"

#include <muster/catalog_intention.h>

/* Brings a change into the form of a log entry: it gets the time, and a new intention its id. NULL,
 * or why it is refused: a static text, or one in reason. */
const char *intention_apply_prepare(struct call *c, char *reason, size_t size);

/* The reads, with untyped arguments. *why (lent by the reader) is set when there is no answer. */
int intention_get(struct catalog_reader *r, const void *request, void *reply,
                  struct catalog_watch_keys *keys, const char **why);
int intention_match(struct catalog_reader *r, const void *request, void *reply,
                    struct catalog_watch_keys *keys, const char **why);
/* Without ACLs, what nothing decides is allowed. */
int intention_check(struct catalog_reader *r, const void *request, void *reply,
                    struct catalog_watch_keys *keys, const char **why);
