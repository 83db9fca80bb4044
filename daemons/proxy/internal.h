/* internal.h - what the files of the proxy share. */
#pragma once

#include "proxy/discover.h"
#include "proxy/proxy.h"
#include "proxy/relay.h"

#include <event2/listener.h>
#include <mbedtls/ssl.h>

struct pair;

struct listener {
    struct proxy *proxy;
    struct evconnlistener *listener; /* NULL: not (any more) open */
    struct event *again;             /* when descriptors ran out: a pause */
    const struct upstream *upstream; /* NULL: the public one */
    unsigned handshakes;             /* connections whose relay has not begun */
};

struct upstream {
    struct listener listener;
    char service[256];
    uint64_t connect_timeout_ns;
    struct discovery *instances;
};

struct proxy {
    struct event_base *base;
    struct ca_identity *identity;
    struct listener inbound;
    struct proxy_address local;
    uint64_t local_timeout_ns, handshake_timeout_ns;
    unsigned handshakes_max; /* of each listener */
    struct upstream upstreams[PROXY_UPSTREAMS_MAX];
    size_t upstream_count;
    struct pair *pairs; /* all that are open */
    struct proxy_counters counters;
    struct relay_bytes bytes;
    void (*idle)(void *user);
    void *user;
    bool draining;
    uint8_t scratch[RELAY_SCRATCH];
};

/* The life of one connection, from accept on; takes fd. */
void pair_accept(struct listener *l, int fd);
void pair_abort(struct pair *pair);
/* A handshake has begun or ended: is there room for another? */
void proxy_handshakes(struct listener *l, int change);
void proxy_pair_gone(struct proxy *p);
