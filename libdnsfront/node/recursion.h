/* recursion.h - a node's lookups that other resolvers are asked for. */
#pragma once

#include "node.h"

/* As dnsfront_node_set_recursors does; the UDP socket is open. */
int dnsfront__recursion_set(struct dnsfront_node *n, const struct dnsfront_recursors *from);
/* Fails what is under way; nothing is asked any more. */
void dnsfront__recursion_close(struct dnsfront_node *n);
/* Finds what a lookup asks for, if that is for recursors and there are some. */
bool dnsfront__recursion_find(struct dnsfront_pending *p, const struct dnsfront_lookup *lookup);
