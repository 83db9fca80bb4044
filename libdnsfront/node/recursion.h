/* recursion.h - lookups that other resolvers are asked for, on behalf of a node's queries. */
#pragma once

#include <muster/dnsfront_node.h>

struct forwarder;

/* Answers the lookup of a pending through its node's forwarder; `query` is what the client sent.
 * False if that is not for the forwarder, or there is none. */
bool dnsfront__recursion_find(struct forwarder *f, struct dnsfront_pending *p,
                              const struct dnsfront_lookup *lookup, const uint8_t *query,
                              size_t len);
/* A query for the records of `type` that a host name has; its length, or 0 if it is no name. */
size_t dnsfront__recursion_write(struct mu_str name, uint16_t type, uint8_t *buf, size_t cap);
