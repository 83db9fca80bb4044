/* records.h - from what was found to the records of the three sections (Consul's rules, dns.md 3 to
 * 7). */
#pragma once

#include <muster/dnsfront.h>

#include "address.h"
#include "arena.h"
#include "message.h"

/* Additional records belong to one answer; the address of its target outranks the TXT records. */
struct extra {
    struct record record;
    uint32_t answer; /* index of the answer it explains */
    bool optional;   /* goes first when room is short */
};

/* A host name in the records whose own addresses belong into the message, too. */
struct host {
    struct mu_str name;
    uint32_t answer; /* index of the answer that names it */
    bool additional; /* its addresses are additional, not answers */
    bool has_ttl;    /* they get this TTL instead of their own */
    uint32_t ttl;
};

struct sections {
    struct record *answers;
    size_t answer_count;
    struct record *authority;
    size_t authority_count;
    struct extra *extras;
    size_t extra_count, extra_cap;
    struct host *hosts;
    size_t host_count;
};

/* The question, and what the records need to know of the configuration. */
struct zone {
    const struct name *name;
    uint16_t type;
    struct mu_str domain; /* without a final dot */
    struct mu_str datacenter;
    uint32_t node_ttl_s, service_ttl_s;
    uint32_t a_record_limit;
    bool only_passing, node_meta_txt;
    struct record soa;
};

/* All return false when out of memory. Records lend text from the arena alone. */

struct service_order {
    uint64_t random;
    unsigned turn, turns; /* begins turn/turns of the way through what was drawn */
    bool given;           /* as the instances stand; otherwise shuffled */
    bool any_health;      /* somebody else has chosen by health */
};
/* The answers about a service: those of the instances that may be shown. *shown says how many were
 * fit to be shown, whether or not they have a record of this type. */
bool dnsfront__records_service(const struct zone *z, const struct dnsfront_instance *instances,
                               size_t count, const struct service_order *order, struct mu__arena *a,
                               struct sections *out, size_t *shown);
bool dnsfront__records_node(const struct zone *z, const struct dnsfront_instance *node,
                            struct mu__arena *a, struct sections *out);
bool dnsfront__records_address(const struct zone *z, const uint8_t *address, size_t len,
                               struct mu__arena *a, struct sections *out);
/* The virtual address of a service, if it is of the family that is asked for. */
bool dnsfront__records_virtual(const struct zone *z, const struct dnsfront_instance *service,
                               struct mu__arena *a, struct sections *out);
/* The PTR record to a node, or to the service if it has a name; whatever the type that is asked
 * for. */
bool dnsfront__records_reverse(const struct zone *z, const struct dnsfront_instance *owner,
                               struct mu__arena *a, struct sections *out);
/* SOA questions get the SOA with the name servers in authority; NS questions the name servers. */
bool dnsfront__records_servers(const struct zone *z, const struct dnsfront_instance *servers,
                               size_t count, struct mu__arena *a, struct sections *out);
/* The SOA in the authority section of a negative answer (RFC 2308 3). */
bool dnsfront__records_negative(const struct zone *z, struct mu__arena *a, struct sections *out);

/* What the above are made of (sections.c). */

/* An A or AAAA record; false if the address is neither. */
bool dnsfront__record_address(const struct address *addr, struct mu_str owner, uint32_t ttl,
                              struct record *out);
bool dnsfront__sections_reserve_extras(struct sections *s, size_t more, struct mu__arena *a);
/* Additional TXT records: the node's meta. */
bool dnsfront__sections_add_meta(const struct dnsfront_instance *i, struct mu_str owner,
                                 uint32_t ttl, uint32_t answer, struct mu__arena *a,
                                 struct sections *s);
/* Hosts beyond HOSTS_MAX are left to the client. */
bool dnsfront__sections_add_host(const struct host *h, struct mu__arena *a, struct sections *s);
#define HOSTS_MAX 16u
