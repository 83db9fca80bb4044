/* ca.h - the built-in certificate authority on a server.
 *
 *   ca_settings.c  what its configuration says
 *   ca_plan.c      what a change of it means: the entry to be logged
 *   ca_sign.c      leafs, signed on the fronts and paced
 *   ca.c           changes as they are asked for, and what the leader does by itself
 *
 * The state in the catalog is all there is: who becomes the leader signs with what stands there,
 * and each front makes an issuer of its own from it, so keys are shared by no two threads. */
#pragma once

#include "route.h"

#include <muster/catalog_ca.h>

/* Front, on the leader: makes the entry of a change; NULL, or why it is refused (in reason). */
const char *server__ca_configure(struct route *r, char *reason, size_t size);
/* Front, on the leader: a leaf becomes r->reply, and its entry r->entry. */
const char *server__ca_sign(struct route *r, char *reason, size_t size);
/* Front: true if the call is not to go on now: it waits its turn, or has been refused. */
bool server__ca_waits(struct route *r);
/* Front: the index that the log gave it. */
void server__ca_number(struct route *r, const struct write_result *result);
void server__ca_signer_free(struct ca_signer *s); /* NULL is allowed */

/* Core, on the leader: at the beginning, and now and then: bootstraps, forgets roots that nobody
 * needs, and warns of those that end. */
void server__ca_upkeep(struct server *s);

/* Any thread: why a call is refused where Connect is off; NULL: it is not. */
const char *server__ca_off(const struct server *s, const struct endpoint *e);
