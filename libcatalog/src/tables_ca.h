/* tables_ca.h - the tables of the certificate authority: its configuration, roots by id, and what
 * the provider keeps to itself. Like tables.h, the functions remember that memory ran out
 * (c->is_void). */
#pragma once

#include <muster/catalog_ca.h>

#include "tables.h"

/* What can be waited for, as keys of CATALOG__WATCH_CA. */
#define CATALOG__CA_CONFIG_KEY "config"
#define CATALOG__CA_ROOTS_KEY  "roots"

void catalog__put_ca_config(struct catalog *c, const struct catalog_ca_config *config);
void catalog__put_ca_root(struct catalog *c, const struct catalog_ca_root *root);
void catalog__put_ca_state(struct catalog *c, const struct catalog_ca_provider_state *state);
void catalog__remove_ca_root(struct catalog *c, struct mu_str id);
void catalog__remove_ca_state(struct catalog *c, struct mu_str id);

const struct catalog_ca_config *catalog__get_ca_config(const struct catalog__version *v);
const struct catalog_ca_root *catalog__get_ca_root(const struct catalog__version *v,
                                                   struct mu_str id);
const struct catalog_ca_provider_state *catalog__get_ca_state(const struct catalog__version *v,
                                                              struct mu_str id);
