/* definitions.h - service and check definitions as the API and configuration files give them
 * (http-api 2.14, 2.16).
 *
 * The tables read JSON with every spelling that Consul accepts; the checks fill in defaults and
 * refuse what is wrong, in Consul's words. HTTP answers 400 with such a text. Everything is in the
 * caller's arena; nothing is kept. */
#pragma once

#include "agent/agent_endpoints.h"

#define DEFINITION_ERROR_MAX 1024u

/* For json_decode: into a cleared struct agent_check_definition. A service is read by
 * catalog_schema(CATALOG_SERVICE_DEFINITION). */
extern const struct mu__schema definition_check_schema;

/* Refuses a definition that no agent may register, with the text of HTTP's 400 in err: a missing
 * name, weights, meta, the definition's checks and proxy. Of a sidecar within it only what says
 * that it is none of its own; the rest is for sidecar.h. On success name, id, weights and the types
 * of upstreams are filled in. */
MU_MUST_USE bool definition_check_service(struct catalog_service_definition *d, struct mu__arena *a,
                                          char *err, size_t errlen);

/* Likewise for a check of its own; fills in check_id. */
MU_MUST_USE bool definition_check_check(struct agent_check_definition *d, char *err, size_t errlen);

/* What is wrong with the first bad check of a service, with the reason alone in err. */
enum definition_fault { DEFINITION_OK, DEFINITION_BAD_TYPE, DEFINITION_BAD_STATUS };
enum definition_fault definition_check_checks(const struct catalog_service_definition *d, char *err,
                                              size_t errlen);

/* Consul's NodeService.Validate: what a proxy, a gateway or a service with a sidecar must not say.
 */
MU_MUST_USE bool definition_check_kind(const struct catalog_service_definition *d, char *err,
                                       size_t errlen);
/* An upstream is a service unless it says what else; of d and of its sidecar. */
void definition_fill_proxies(struct catalog_service_definition *d);

bool definition_is_status(struct mu_str status); /* passing, warning or critical */

/* The checks of a service: its `Check` unless empty, then its `Checks`. Writes up to cap, lent from
 * d; returns how many there are. */
size_t definition_checks(const struct catalog_service_definition *d,
                         const struct catalog_check_type **out, size_t cap);

/* Adds lan_ipv4 and wan_ipv4 (or _ipv6) for an address that is an IP, and refuses those names for
 * another address (the text of HTTP's 500). */
MU_MUST_USE bool definition_tag_addresses(struct catalog_service_definition *d, struct mu__arena *a,
                                          char *err, size_t errlen);

struct config;
/* Are keys and types of all services and checks of files right? As far as `consul validate`
 * looks. */
bool definitions_decode_files(const struct config *config, char *err, size_t errlen);
