/* tables_intention.h - the table of intentions: by id, by pair (sorted by source), by destination.
 * Like tables.h, the functions remember that memory ran out (c->is_void). */
#pragma once

#include <muster/catalog_intention.h>

#include "tables.h"

/* Puts one that is in its stored form; it replaces that of the same id. Its pair is free. */
void catalog__put_intention(struct catalog *c, const struct catalog_intention *x);
void catalog__remove_intention(struct catalog *c, struct mu_str id);

/* Do the names fit the keys? */
bool catalog__intention_has_names(const struct catalog_intention *x);
/* 9 (all exact) to 1. */
int64_t catalog__intention_precedence(const struct catalog_intention *x);

const struct catalog_intention *catalog__get_intention(const struct catalog__version *v,
                                                       struct mu_str id);
/* The one for exactly these names. */
const struct catalog_intention *catalog__get_intention_for(const struct catalog__version *v,
                                                           struct mu_str source_ns,
                                                           struct mu_str source,
                                                           struct mu_str destination_ns,
                                                           struct mu_str destination);
