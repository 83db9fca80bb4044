/* tables_gateway.h - the table of services behind gateways, which follows from the config entries
 * of gateways and from what is registered: whoever changes one of these calls the function for it.
 *
 * A "*" of an entry stands in the table too, under that name, for services to come; no query shows
 * it. Like tables.h, they remember that memory ran out (c->is_void). */
#pragma once

#include <muster/catalog_gateway.h>

#include "tables.h"

/* The entry of a kind and name is now `entry`; NULL: there is none any more. Entries of other kinds
 * change nothing. */
void catalog__gateway_changed(struct catalog *c, struct mu_str kind, struct mu_str name,
                              const struct catalog_config_entry *entry);
/* An instance of the service came, changed its kind or went. */
void catalog__gateways_follow(struct catalog *c, struct mu_str service);
/* Puts back what a snapshot has. False: it cannot have come from there. */
bool catalog__restore_gateway_service(struct catalog *c, const struct catalog_gateway_service *s);
/* The table anew from all entries and registrations, as of the draft's index: for a snapshot that
 * was written when there was no such table. */
void catalog__link_gateways(struct catalog *c);

static inline bool catalog__is_wildcard(struct mu_str name)
{
    return mu__str_eq(name, mu__cstr("*"));
}
