/* lookup.h - what a lookup found, in libdnsfront's words. */
#pragma once

#include "arena.h"

#include <muster/catalog_types.h>
#include <muster/dnsfront.h>

/* Where the answer is from. */
struct lookup_place {
    struct mu_str datacenter; /* for records that do not say */
    bool wan;                 /* seen from another datacenter, through translate_wan_addrs */
};

/* Instances with their checks (struct catalog_check_service_node); lent from them and the arena.
 * NULL when out of memory. */
struct dnsfront_instance *lookup_service(const struct mu_list *nodes,
                                         const struct lookup_place *place, struct mu__arena *a,
                                         size_t *count);
/* At most `max` healthy ones of them, drawn at random; *healthy is how many there are. */
struct dnsfront_instance *lookup_servers(const struct mu_list *nodes,
                                         const struct lookup_place *place, size_t max,
                                         uint64_t random, struct mu__arena *a, size_t *healthy);
/* The node itself; NULL when out of memory. */
struct dnsfront_instance *lookup_node(const struct catalog_node *node,
                                      const struct lookup_place *place, struct mu__arena *a);
/* The first of a list of nodes, or of instances (struct catalog_service_node), for a reverse
 * lookup; NULL: there is none, or out of memory. */
struct dnsfront_instance *lookup_reverse_node(const struct mu_list *nodes,
                                              const struct lookup_place *place,
                                              struct mu__arena *a);
struct dnsfront_instance *lookup_reverse_service(const struct mu_list *instances,
                                                 const struct lookup_place *place,
                                                 struct mu__arena *a);
