/* discover.h - the instances of a service that pass their checks and speak Connect, kept fresh by
 * blocking queries to the agent (http-api 4.3). */
#pragma once

#include "proxy/proxy.h"

struct discovery;

struct discovery_config { /* copied */
    struct event_base *base;
    const char *host;
    uint16_t port;
    const char *token, *service, *datacenter; /* "": none */
    void (*known)(void *user);                /* the first answer has come */
    void *user;
};

struct discovery *discovery_create(const struct discovery_config *c); /* NULL: out of memory */
void discovery_destroy(struct discovery *d);                          /* NULL is allowed */
bool discovery_known(const struct discovery *d); /* has there been an answer? */
size_t discovery_count(const struct discovery *d);
/* The next one in turn; false if there is none. */
bool discovery_next(struct discovery *d, struct proxy_address *out);

/* Reads an answer of /v1/health/connect/:service into a list, given and to be freed; false when it
 * is none. Instances whose address is no IP are passed over. */
bool discovery_read(const char *body, size_t len, struct proxy_address **out, size_t *count);
