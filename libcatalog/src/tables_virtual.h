/* tables_virtual.h - a virtual address for each service that something speaks mTLS for.
 *
 * It is the lowest that is free when the first proxy or native instance is registered, and free
 * again when the last has gone. So it follows from the order of the log alone. Like tables.h, the
 * functions remember that memory ran out (c->is_void). */
#pragma once

#include "tables.h"
#include "types_virtual.h"

#define CATALOG__VIRTUAL_MAX 0x0ffffffeu /* of 240.0.0.0/4: all but the first and the last */

/* What speaks mTLS for the service (empty: nobody's) came or went. */
void catalog__virtual_follow(struct catalog *c, struct mu_str service);
/* Puts back what a snapshot has. False: it cannot have come from there. */
bool catalog__restore_virtual(struct catalog *c, const struct catalog__virtual_ip *ip);
/* What lacks an address gets one, as of the draft's index: for a snapshot that was written when
 * there was no such table. */
void catalog__link_virtual(struct catalog *c);

const struct catalog__virtual_ip *catalog__get_virtual(const struct catalog__version *v,
                                                       struct mu_str service);
