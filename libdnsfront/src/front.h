/* front.h - a front end and its queries, as the sources of the library see them. */
#pragma once

#include <muster/dnsfront.h>

#include "chain.h"
#include "classify.h"
#include "fit.h"
#include "kept.h"
#include "reverse.h"

#define UDP_PLAIN_MAX     512u   /* RFC 1035 4.2.1 */
#define UDP_PAYLOAD_MAX   65467u /* Consul's own */
#define UDP_PLAIN_ANSWERS 8u     /* Consul's upper bound of udp_answer_limit */

struct ttl_rule {
    char *text; /* without the '*' of a prefix */
    size_t len;
    bool prefix;
    uint32_t ttl_s;
};

struct dnsfront {
    struct mu_allocator allocator;
    struct name domain, alt_domain;
    bool has_alt;
    char *domain_text; /* without a final dot, as configured; targets always use it */
    size_t domain_len;
    char *datacenter;
    size_t datacenter_len;
    char *mname, *rname; /* ns.<domain>, hostmaster.<domain> */
    size_t mname_len, rname_len;
    struct ttl_rule *rules; /* exact names first, then prefixes, longest first */
    size_t rule_count;
    uint32_t node_ttl_s, soa_refresh_s, soa_retry_s, soa_expire_s, soa_min_ttl_s;
    uint32_t udp_answer_limit, a_record_limit;
    bool only_passing, enable_truncate, disable_compression, node_meta_txt, recursion;
    size_t kept_bytes_max;
    uint16_t udp_size_max; /* 0: as the client says */
    struct kept *kept;     /* NULL: nothing was kept yet */
    bool (*unchanged)(void *user, const struct dnsfront_lookup *lookup, uint64_t stamp);
    void *unchanged_user;
    struct dnsfront_query *idle; /* finished queries, kept for reuse */
    size_t idle_count, open_count;
};

struct dnsfront_query {
    struct dnsfront *front;
    struct dnsfront_query *next_idle;
    struct mu__arena arena;
    struct question question;
    struct name_meaning meaning;
    struct dnsfront_lookup lookup; /* the newest one */
    bool waiting;                  /* for what it asks */
    unsigned lookups;              /* so far */
    bool tcp, authoritative, recursion_offered, out_of_memory;
    struct dnsfront_found found; /* by the first lookup; what it points at may be gone */
    struct sections sections;
    unsigned rcode;
    struct chain chain;
    const uint8_t *bytes; /* the client's, if they may be passed on */
    size_t len;
    const uint8_t *relayed; /* another resolver's answer, borrowed; NULL: none */
    size_t relayed_len;
    struct mu_str client; /* who asks, as text */
    char subnet_text[REVERSE_TEXT_MAX];
    int64_t now_unix_s;
    uint64_t random, version;
    unsigned turn,
        turns; /* the order begins turn/turns into the permutation; of 0 turns: as drawn */
    struct kept_key kept_key;
};

/* Cleared; NULL when out of memory. */
struct dnsfront_query *dnsfront__take_query(struct dnsfront *d);
void dnsfront__return_query(struct dnsfront_query *q);
/* Asks the host for what `lookup` says; its type, transport and client are filled in here. */
void dnsfront__look_up(struct dnsfront_query *q, const struct dnsfront_lookup *lookup,
                       uint16_t type);
/* The largest message over UDP for a client that says it takes `size` (0: no EDNS). */
static inline size_t dnsfront__udp_limit(const struct dnsfront *d, size_t size)
{
    size_t max = d->udp_size_max ? d->udp_size_max : UDP_PAYLOAD_MAX;
    return mu__min(mu__max(size, UDP_PLAIN_MAX), max);
}
/* How many answers a UDP client without EDNS gets. */
static inline size_t dnsfront__plain_answers(const struct dnsfront *d)
{
    return mu__min(UDP_PLAIN_ANSWERS, d->udp_answer_limit);
}
/* Exact name first, then the longest prefix; 0 if no rule fits. */
uint32_t dnsfront__service_ttl(const struct dnsfront *d, struct mu_str service);
