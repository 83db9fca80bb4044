/* apply.h - the entry types, one function each. They see a decoded, well-formed request, write to
 * the draft through tables.h, and either refuse (before anything is written, or inside a savepoint
 * that takes it back) or are done. */
#pragma once

#include <muster/catalog_ca.h>
#include <muster/catalog_intention.h>

#include "records.h"
#include "text.h"

/* The text of a refusal is said into a buffer and then kept. */
void catalog__refuse(struct catalog *c, struct catalog_result *result,
                     const struct catalog__text *why);
void catalog__refuse_cstr(struct catalog *c, struct catalog_result *result, const char *why);

/* "Invalid KVS operation 'x'" */
void catalog__refuse_operation(struct catalog *c, const char *what, struct mu_str op,
                               struct catalog_result *result);

static inline bool catalog__is_refused(const struct catalog_result *result)
{
    return result->kind == CATALOG_RESULT_ERROR;
}
static inline void catalog__answer(struct catalog_result *result, bool value)
{
    result->kind = CATALOG_RESULT_BOOL;
    result->value = value;
}

/* One record as a registration brings it, in the draft: defaults were filled in, names fit the
 * keys. False: it is refused, and why goes on with the reason. */
bool catalog__ensure_node(struct catalog *c, struct catalog_node *node, struct catalog__text *why);
bool catalog__ensure_service(struct catalog *c, struct mu_str node,
                             const struct catalog_node_service *service, struct catalog__text *why);
bool catalog__ensure_check(struct catalog *c, const struct catalog_check *check,
                           struct catalog__text *why);

void catalog__apply_register(struct catalog *c, struct catalog_register_request *r,
                             struct catalog_result *result);
void catalog__apply_deregister(struct catalog *c, const struct catalog_deregister_request *r,
                               struct catalog_result *result);
void catalog__apply_kvs(struct catalog *c, const struct catalog_kvs_request *r,
                        struct catalog_result *result);
void catalog__apply_prepared_query(struct catalog *c, struct catalog_prepared_query_request *r,
                                   struct catalog_result *result);
void catalog__apply_intention(struct catalog *c, struct catalog_intention_request *r,
                              struct catalog_result *result);
void catalog__apply_ca(struct catalog *c, const struct catalog_ca_request *r,
                       struct catalog_result *result);
void catalog__apply_ca_leaf(struct catalog *c, const struct catalog_ca_leaf_request *r,
                            struct catalog_result *result);
void catalog__apply_txn(struct catalog *c, struct catalog_txn_request *r,
                        struct catalog_result *result);
void catalog__apply_session(struct catalog *c, struct catalog_session_request *r,
                            struct catalog_result *result);
void catalog__apply_tombstone(struct catalog *c, const struct catalog_tombstone_request *r,
                              struct catalog_result *result);
void catalog__apply_coordinates(struct catalog *c, const struct catalog_coordinate_batch *r);
void catalog__apply_config(struct catalog *c, const struct catalog_config_request *r,
                           struct catalog_result *result);
void catalog__apply_autopilot(struct catalog *c, const struct catalog_autopilot_set_request *r,
                              struct catalog_result *result);
