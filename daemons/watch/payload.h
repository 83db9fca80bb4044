/* payload.h - from an answer of the HTTP API to what a handler reads: the same things in the order
 * and with the defaults of Consul's Go client, which handlers are written for. */
#pragma once

#include "plan.h"

/* status and body are an HTTP answer's. On success *out is the JSON, with a newline behind it, to
 * be freed with free; hash is set for an agent's service ("" otherwise). Of events, what stands
 * before the place is left out. False with a sentence in err: the answer is none. */
MU_MUST_USE bool watch_payload(const struct watch_plan *p, const struct watch_place *at, int status,
                               const char *body, size_t len, bool pretty, char **out, char hash[65],
                               char *err, size_t errlen);

/* payload_tables.c */
struct watch__service;
extern const struct mu__schema watch__entry_schema;   /* struct catalog_dir_entry */
extern const struct mu__schema watch__node_schema;    /* struct catalog_node */
extern const struct mu__schema watch__check_schema;   /* struct catalog_check */
extern const struct mu__schema watch__health_schema;  /* one instance with its node and checks */
extern const struct mu__schema watch__service_schema; /* struct watch__service */
struct mu_str watch__service_hash(const struct watch__service *s);
