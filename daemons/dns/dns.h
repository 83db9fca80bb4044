/* dns.h - DNS on one front: libdnsfront's sockets, and lookups through the front's backend like
 * everybody's. */
#pragma once

#include "base/config.h"
#include "rpc/call.h"

#include <event2/event.h>

struct dns;
struct dns_config {
    const struct config *config;  /* borrowed */
    struct event_base *base;      /* of the front */
    struct call_backend *backend; /* answers the lookups */
    struct call_fresh fresh;      /* of the backend; copied */
    /* The backend keeps what it is asked for (call_cache.h), which saves questions to servers */
    bool copies;
    uint64_t seed;
};
/* Listens on config->dns_listen, both UDP and TCP. NULL with a sentence in err on failure. */
struct dns *dns_create(const struct dns_config *c, char *err, size_t errlen);
/* What of a configuration can change while we run, copied; any thread. */
struct dns_settings;
struct dns_settings *dns_settings_create(const struct config *c);
void dns_settings_destroy(struct dns_settings *s); /* NULL is allowed */
/* For all queries from now on, on the front's loop; takes next. Sockets and connections stay. */
void dns_reload(struct dns *d, struct dns_settings *next);
void dns_destroy(struct dns *d); /* cancels the lookups under way; NULL is allowed */
