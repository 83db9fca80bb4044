/* proxy.h - the built-in proxy: a service that knows nothing of TLS speaks mTLS through it, inbound
 * and outbound.
 *
 * Inbound: a client shakes hands at the public listener, is verified and authorized, and only then
 * is the local service connected. Whatever fails on the way closes it before a byte was relayed.
 * Outbound: what connects to an upstream's listener is carried to one of its passing instances,
 * which must prove to be that service.
 * A decision that turns to deny, and a root that goes, close live connections at once.
 *
 * All of it belongs to one event loop. */
#pragma once

#include <event2/event.h>
#include <muster/ca_identity.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_UPSTREAMS_MAX 64u

struct proxy;

struct proxy_address {
    struct sockaddr_storage at;
    socklen_t len;
};
/* "ip:port", "[ip]:port", ":port" (every address); false if it is none. */
bool proxy_address_parse(const char *text, struct proxy_address *out);
bool proxy_address_make(const char *ip, uint16_t port, struct proxy_address *out);
#define PROXY_ADDRESS_MAX 64u
void proxy_address_format(const struct proxy_address *a, char text[PROXY_ADDRESS_MAX]);

struct proxy_upstream_config {
    const char *service, *datacenter; /* datacenter "": the agent's own */
    struct proxy_address listen;
    uint64_t connect_timeout_ns; /* of one instance, with its handshake */
};

struct proxy_config {             /* borrowed during create, unless it says more */
    struct event_base *base;      /* until destroy */
    struct ca_identity *identity; /* until destroy; of the same base */
    /* How the agent is asked. */
    const char *agent_host;
    uint16_t agent_port;
    const char *token; /* "": none */
    bool has_inbound;
    struct proxy_address listen, local;
    uint64_t local_timeout_ns, handshake_timeout_ns;
    unsigned handshakes_max; /* under way, of each listener; others wait in its backlog */
    struct proxy_upstream_config upstreams[PROXY_UPSTREAMS_MAX];
    size_t upstream_count;
    void (*idle)(void *user); /* after proxy_drain: the last connection has ended */
    void *user;
};

struct proxy_counters {
    uint64_t accepted;  /* connections, of both roles */
    uint64_t refused;   /* inbound: handshake or verification has failed, or denied */
    uint64_t unreached; /* nobody could be connected */
    uint64_t cut;       /* live ones that were closed for a decision */
    size_t open;
    uint64_t to_tls, to_plain; /* bytes */
};

/* Listens. NULL with a sentence in why. */
struct proxy *proxy_create(const struct proxy_config *c, char *why, size_t whylen);
/* Takes no more connections; calls idle once there are none, perhaps at once. */
void proxy_drain(struct proxy *p);
void proxy_counters(const struct proxy *p, struct proxy_counters *out);
void proxy_destroy(struct proxy *p); /* closes what is open; NULL is allowed */
