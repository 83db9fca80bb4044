/* local_internal.h - between the files that make up local.h. */
#pragma once

#include "agent/local.h"

/* Files of what is registered through the API. */
void local__save_service(struct local *l, const struct local_service *s);
void local__save_check(struct local *l, const struct local_check *c);
void local__save_state(struct local *l, const struct local_check *c); /* of a TTL check */

/* Registers what stands in a file, as it was: no script permission is asked, nothing is written. Copies. */
bool local__restore_service(struct local *l, const struct catalog_node_service *service, struct mu_str token);
bool local__restore_check(struct local *l, const struct catalog_check *check, const struct catalog_check_type *type,
                          struct mu_str token);

void local__touch(struct local *l, struct local_entry *e); /* changed: out of sync, a new version, tell */
/* A new state; output is copied. Tells the catalog at once if the status is another, later if only the output is. */
void local__set_status(struct local_check *c, enum check_status status, struct mu_str output);
void local__start_check(struct local_check *c); /* its runner, if the agent runs */
void local__stop_check(struct local_check *c);
void local__look_at_aliases(struct local *l); /* soon */
void local__update_aliases(struct local *l);
struct mu_str local__copy(struct mu_str s); /* malloc; aborts when out of memory, as loop_post does */
