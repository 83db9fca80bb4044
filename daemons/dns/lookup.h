/* lookup.h - what a lookup found, in libdnsfront's words. */
#pragma once

#include "arena.h"

#include <muster/catalog_types.h>
#include <muster/dnsfront.h>

/* Instances of a health reply; lent from it and the arena. NULL when out of memory. */
struct dnsfront_instance *lookup_service(const struct catalog_indexed_check_service_nodes *reply,
                                         struct mu__arena *a, size_t *count);
/* At most `max` healthy ones of them, drawn at random. */
struct dnsfront_instance *lookup_servers(const struct catalog_indexed_check_service_nodes *reply,
                                         size_t max, uint64_t random, struct mu__arena *a,
                                         size_t *count);
/* The node itself; NULL when out of memory. */
struct dnsfront_instance *lookup_node(const struct catalog_node *node, struct mu__arena *a);
