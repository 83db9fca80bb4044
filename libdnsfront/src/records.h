/* records.h - from what was found to the records of the three sections (Consul's rules, docs in
 * README.md). */
#pragma once

#include <muster/dnsfront.h>

#include "arena.h"
#include "message.h"

/* Additional records belong to one answer; the address of its target outranks the TXT records. */
struct extra {
    struct record record;
    uint32_t answer; /* index of the answer it explains */
    bool optional;   /* goes first when room is short */
};

struct sections {
    struct record *answers;
    size_t answer_count;
    struct record *authority;
    size_t authority_count;
    struct extra *extras;
    size_t extra_count, extra_cap;
};

/* What the records need to know of the configuration. */
struct zone {
    struct mu_str domain; /* without a final dot */
    uint32_t node_ttl_s, service_ttl_s;
    uint32_t a_record_limit;
    bool only_passing, node_meta_txt;
    struct record soa;
};

/* All return false when out of memory. Records lend text from the instances and the arena. */

/* The answers about a service: those of `instances` that may be shown, in an order
 * drawn from `random`. *shown says how many were fit to be shown, whether or not they have a record
 * of this type. */
bool dnsfront__records_service(const struct zone *z, uint16_t type,
                               const struct dnsfront_instance *instances, size_t count,
                               uint64_t random, struct mu__arena *a, struct sections *out,
                               size_t *shown);
bool dnsfront__records_node(const struct zone *z, uint16_t type,
                            const struct dnsfront_instance *node, struct mu__arena *a,
                            struct sections *out);
bool dnsfront__records_address(const struct zone *z, const uint8_t *address, size_t len,
                               struct mu__arena *a, struct sections *out);
/* SOA questions get the SOA with the name servers in authority; NS questions the name servers. */
bool dnsfront__records_servers(const struct zone *z, uint16_t type,
                               const struct dnsfront_instance *servers, size_t count,
                               struct mu__arena *a, struct sections *out);
/* The SOA in the authority section of a negative answer (RFC 2308 3). */
bool dnsfront__records_negative(const struct zone *z, struct mu__arena *a, struct sections *out);
