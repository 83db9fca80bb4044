/* dns.h - DNS on one front: libdnsfront's sockets, and lookups through the front's backend like
 * everybody's. */
#pragma once

#include "base/config.h"
#include "rpc/call.h"

#include <event2/event.h>

/* By what it can be told that an answer still stands, for those that are kept encoded. */
struct dns_fresh {
    void *user;
    /* Moves whenever an answer may have changed; asked for each query. NULL: nothing is kept */
    uint64_t (*version)(void *user);
    /* What call.stamp would be for that request; 0: it cannot be said. Of the request nothing is
     * kept. Whoever is asked holds what it is asked about to be in use. */
    uint64_t (*stamp)(void *user, const struct endpoint *e, const void *request);
};

struct dns;
struct dns_config {
    const struct config *config;  /* borrowed */
    struct event_base *base;      /* of the front */
    struct call_backend *backend; /* answers the lookups */
    struct dns_fresh fresh;       /* copied */
    uint64_t seed;
};
/* Listens on config->dns_listen, both UDP and TCP. NULL with a sentence in err on failure. */
struct dns *dns_create(const struct dns_config *c, char *err, size_t errlen);
void dns_destroy(struct dns *d); /* cancels the lookups under way; NULL is allowed */
