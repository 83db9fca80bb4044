/* queries.h - prepared queries on a server: what the endpoints add to the catalog's own functions.
 */
#pragma once

#include "rpc/call.h"

#include <muster/catalog.h>

/* An id that nothing else has, in the call's arena; NULL: there is none to be had. */
const char *query_make_id(struct call *c);

/* Brings a change of a prepared query into the form of a log entry: a new one gets its id. NULL, or
 * why it is refused: a static text, or one in reason. */
const char *query_prepare(struct call *c, char *reason, size_t size);

/* The reads, with untyped arguments. *why (lent by the reader) is set when there is no answer. */
int query_get(struct catalog_reader *r, const void *request, void *reply,
              struct catalog_watch_keys *keys, const char **why);
int query_explain(struct catalog_reader *r, const void *request, void *reply,
                  struct catalog_watch_keys *keys, const char **why);
int query_execute(struct catalog_reader *r, const void *request, void *reply,
                  struct catalog_watch_keys *keys, const char **why);
