/* chain.h - host names among the addresses of an answer: what they lead to is looked up and joins
 * the answer (dns.md 6).
 *
 * Hosts are followed one after the other. One in our own domain costs a lookup like that of a
 * client for ANY; what it finds may be a host name again, at most CHAIN_LEVELS_MAX deep. Others are
 * resolved by the host of the library, with one lookup that ends the chain. */
#pragma once

#include "classify.h"
#include "records.h"

#define CHAIN_LEVELS_MAX  3u
#define CHAIN_RECORDS_MAX 64u
#define CHAIN_PLAIN_MAX   5u /* without EDNS, as Consul */

struct dnsfront_query;
struct chain {
    bool active;
    size_t host;     /* the one of the sections that is followed */
    unsigned levels; /* so many names of our own may still be looked up */
    unsigned found;  /* so many were */
    struct mu_str target_text;
    struct name target;
    struct name_meaning meaning; /* of the target, if it is ours */
    struct record *records;      /* CHAIN_RECORDS_MAX of them */
    size_t count;
};

/* Begins with the hosts of the query's sections; looks up if it must. False when out of memory. */
bool dnsfront__chain_begin(struct dnsfront_query *q);
/* Goes on with what was found for its lookup. */
bool dnsfront__chain_supply(struct dnsfront_query *q, const struct dnsfront_found *found);
