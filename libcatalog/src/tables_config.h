/* tables_config.h - the table of config entries, and what may stand in it together. */
#pragma once

#include "config_entry.h"
#include "tables.h"

/* NULL: there is none. */
const struct catalog_config_entry *catalog__get_config(const struct catalog__version *v,
                                                       struct mu_str kind, struct mu_str name);
/* The entry is one of the kind that it says. */
void catalog__put_config(struct catalog *c, const struct catalog_config_entry *entry);
void catalog__remove_config(struct catalog *c, struct mu_str kind, struct mu_str name);

/* graph.c: would the entries make whole chains if the one of this kind and name were `next` (NULL:
 * if there were none)? False: no, and the text says why; or memory ran out (c->is_void). */
bool catalog__config_fits(struct catalog *c, struct mu_str kind, struct mu_str name,
                          const struct catalog_config_entry *next, struct catalog__text *why);
