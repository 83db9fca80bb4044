/* recursors.h - which resolvers are asked, and in which order. */
#pragma once

#include "draw.h"

#include <muster/dnsfront_node.h>

#include <sys/socket.h>

#define RECURSORS_MAX 64u

struct recursor {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* Immutable and shared: queries under way keep those that they began with. */
struct recursors {
    size_t refs;
    size_t count; /* 0: all that were configured are ourselves */
    bool random;
    uint64_t timeout_ns;
    size_t queries_max;
    struct recursor items[RECURSORS_MAX];
};

/* Reads addresses, each once, and leaves out *selves of them that are where a socket bound to
 * `bound` listens (also through a wildcard): those would ask in a circle. On success *out has one
 * reference. Errors: DNSFRONT_EINVAL, DNSFRONT_ENOMEM. */
int dnsfront__recursors_create(const struct dnsfront_recursors *from,
                               const struct sockaddr_storage *bound, struct recursors **out,
                               size_t *selves);
struct recursors *dnsfront__recursors_hold(struct recursors *r);
void dnsfront__recursors_release(struct recursors *r); /* NULL is allowed */
/* The order of one query: indices of recursors. */
void dnsfront__recursors_order(const struct recursors *r, struct draw *draw, uint8_t *order);
