/* sidecar.h - the proxy that a service's definition asks for with `connect.sidecar_service`
 * (http-api 2.14).
 *
 * What is written there is short for a second service, whose ID and defaults come from the first.
 * The catalog knows nothing of the connection; the agent does, and removes the one with the
 * other. */
#pragma once

#include "agent/local.h"

/* The definition within d, or NULL. */
static inline struct catalog_service_definition *
sidecar_of(const struct catalog_service_definition *d)
{
    return d->connect ? d->connect->sidecar_service : NULL;
}

/* Refuses what no agent may register within d, which has a sidecar and which
 * definition_check_service has accepted: its checks and meta. The text in err is whole, in Consul's
 * words for that source. */
MU_MUST_USE bool sidecar_check(const struct catalog_service_definition *d, enum local_source source,
                               char *err, size_t errlen);

/* The sidecar of d as a definition of its own, every default filled in: ID, name, port, what is
 * taken over from d, checks. Lives in the arena and lends from d. The port is the lowest of the
 * configured range that no service has, or the one that the sidecar has already. false with a whole
 * text in err. */
MU_MUST_USE bool sidecar_define(const struct local *l, const struct catalog_service_definition *d,
                                enum local_source source, struct mu__arena *a,
                                struct catalog_service_definition *out, char *err, size_t errlen);

/* The ID that the sidecar of a service has; NULL p when out of memory. */
struct mu_str sidecar_id(struct mu_str service, struct mu__arena *a);
