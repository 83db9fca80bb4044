/* dnsfront.h - a DNS front end: question bytes in, answer bytes out.
 *
 * The library knows the names, records and size rules of Consul's DNS interface and nothing of a
 * catalog. Its host gives it a query, looks up what the query asks for, supplies what was found,
 * and sends the answer:
 *
 *     if (dnsfront_answer_kept(front, &request, buf, sizeof buf, &len))
 *         ... send it: the hot path ...
 *     rc = dnsfront_query_begin(front, &request, &query);
 *     while ((lookup = dnsfront_query_lookup(query)) != NULL)
 *         dnsfront_query_supply(query, &found);                     (at once, or any time later)
 *     rc = dnsfront_query_answer(query, buf, sizeof buf, &len);
 *     dnsfront_query_end(query);
 *
 * Most queries need one lookup or none; a service whose address is a host name, or an address that
 * nobody has, may need more. dnsfront_node.h puts this on sockets, over a table of lookup
 * functions.
 *
 * Encoded answers are kept for as long as the host says that what they were made from has not
 * changed: dnsfront_request.version, dnsfront_found.stamp and dnsfront_config.unchanged.
 *
 * Sources: RFC 1034, 1035 (messages), 2782 (SRV), 6891 (EDNS), 2308 (negative answers), 7871
 *          (client subnet).
 * Time:    the library reads no clock; the request carries Unix seconds for the SOA serial.
 * Threads: one thread at a time per dnsfront and its queries; distinct dnsfronts share nothing.
 * Memory:  a dnsfront keeps finished queries for reuse; a steady load allocates nothing. */
#ifndef MUSTER_DNSFRONT_H
#define MUSTER_DNSFRONT_H

#include <muster/mu.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DNSFRONT_VERSION "0.1.0"
MU_API const char *dnsfront_version(void); /* static */

enum dnsfront_err {
    DNSFRONT_OK = 0,
    DNSFRONT_ENOMEM = -5001,
    DNSFRONT_EINVAL = -5002,  /* a config field or an argument is out of its range */
    DNSFRONT_EIGNORE = -5003, /* not a query, or shorter than a header: send nothing */
    DNSFRONT_ENOBUFS = -5004  /* the buffer is smaller than the answer's limit */
};
MU_API const char *dnsfront_strerror(int code); /* static; "unknown error" for others */
MU_API enum mu_err_class dnsfront_err_class(int code);

/* One service_ttl rule: an exact name, a prefix ending in '*', or "*". */
struct dnsfront_ttl_rule {
    struct mu_str pattern;
    uint32_t ttl_s;
};

struct dnsfront_lookup;
struct dnsfront_config {
    size_t size;          /* set by dnsfront_config_init; later fields are added at the end only */
    struct mu_str domain; /* copied; "consul" or "consul."; default "consul". 1 to 200 bytes */
    struct mu_str
        alt_domain; /* copied; another domain answered alike; at most 200 bytes; default none */
    /* Copied; the one meant by names without a datacenter; 1 to 63 bytes; default "dc1" */
    struct mu_str datacenter;
    uint32_t node_ttl_s; /* TTL of node, addr and NS records; default 0 */
    /* Copied; exact name first, then the longest prefix; default none (0) */
    const struct dnsfront_ttl_rule *service_ttls;
    size_t service_ttl_count;
    uint32_t soa_refresh_s, soa_retry_s, soa_expire_s; /* default 3600, 600, 86400 */
    /* TTL and minimum of the SOA; default 0. Longer: negative answers linger in resolvers */
    uint32_t soa_min_ttl_s;
    uint32_t udp_answer_limit; /* answers over UDP without EDNS; default 3; at least 1 */
    uint32_t a_record_limit;   /* address answers to one question; 0: no limit (default) */
    bool only_passing;         /* leave out instances that warn; default false */
    bool enable_truncate;      /* set TC when answers were left out; default false */
    bool disable_compression;  /* default false */
    bool node_meta_txt; /* TXT records of a node's meta in the additional section; default true */
    /* The host can ask other resolvers: names outside of our domains, and host names among the
     * addresses of instances, become lookups, and answers say RA. Default false: REFUSED */
    bool recursion;
    size_t kept_bytes_max; /* of encoded answers that are kept; 0: none; default 4 MiB */
    /* Would `lookup` still find what it found when `stamp` was given? Asked when a kept answer is
     * used for the first time under another version. NULL: never (default) */
    bool (*unchanged)(void *user, const struct dnsfront_lookup *lookup, uint64_t stamp);
    void *unchanged_user;
    const struct mu_allocator *allocator; /* copied; default NULL: malloc and free */
    /* No answer over UDP is larger, whatever the client says that it takes: against spoofed sources
     * and fragments (1232: the flag day of 2020). 512 or more; 0: no limit but the client's
     * (default, as Consul) */
    uint16_t udp_size_max;
};
#define dnsfront_config_init(cfg) dnsfront_config_init_sized((cfg), sizeof *(cfg))
MU_API void dnsfront_config_init_sized(struct dnsfront_config *cfg, size_t size);

struct dnsfront;
/* Copies cfg. On success gives *out, to be freed with dnsfront_destroy; on failure *out is NULL.
 * Errors: DNSFRONT_EINVAL (a domain is not a name, or another field is out of the range given
 * above), DNSFRONT_ENOMEM. */
MU_API MU_MUST_USE int dnsfront_create(const struct dnsfront_config *cfg, struct dnsfront **out);
/* After all of its queries have ended; NULL is allowed. */
MU_API void dnsfront_destroy(struct dnsfront *d);

struct dnsfront_stats {
    size_t size;                       /* set by the caller to sizeof */
    uint64_t kept_answers, kept_bytes; /* now; answers to one question in several orders are one */
};
MU_API void dnsfront_stats(const struct dnsfront *d, struct dnsfront_stats *out);

/* What the host must find. Text is in lower case and lent until the query ends. */
enum dnsfront_lookup_kind {
    DNSFRONT_SERVICE, /* instances of service `name`, with `tag` if that is not empty */
    DNSFRONT_CONNECT, /* instances that speak mTLS for service `name` */
    DNSFRONT_INGRESS, /* ingress gateways that expose service `name` */
    DNSFRONT_QUERY,   /* what the prepared query with the name or ID `name` finds */
    DNSFRONT_NODE,    /* the node `name`: one instance whose service fields are empty */
    DNSFRONT_VIRTUAL, /* the virtual address of service `name`: one instance with service_address */
    /* Who has the address `name` (text as inet_ntop writes it): one instance, a node or, if no node
     * has it, one with service_name */
    DNSFRONT_REVERSE,
    /* The healthy servers of `datacenter`, at most 3 in random order (NS and SOA) */
    DNSFRONT_SERVERS,
    /* Only with dnsfront_config.recursion; `message` is to be sent to other resolvers, and both are
     * supplied with a message. RESOLVE: the host name `name`, addresses of `type` (A or AAAA).
     * FORWARD: the query itself, unchanged */
    DNSFRONT_RESOLVE,
    DNSFRONT_FORWARD
};
struct dnsfront_lookup {
    enum dnsfront_lookup_kind kind;
    struct mu_str name, tag, datacenter;
    uint16_t type; /* of the question, or what RESOLVE wants */
    bool tcp;      /* the client's transport */
    /* Who asks, as text: the address of a client subnet option (RFC 7871), else the request's; may
     * be empty. Prepared queries sort by it */
    struct mu_str client;
    /* RESOLVE and FORWARD: a query in wire form; RESOLVE's has the ID 0, FORWARD's the client's */
    const uint8_t *message;
    size_t message_len;
};

enum dnsfront_health { DNSFRONT_PASSING, DNSFRONT_WARNING, DNSFRONT_CRITICAL };

/* One node or one instance of a service on it. Addresses are text, an IP address or a host name, as
 * they lead there from here: those of the WAN, if that is how it is reached. */
struct dnsfront_instance {
    struct mu_str node, datacenter;
    struct mu_str service_name; /* needed for DNSFRONT_REVERSE only */
    /* service_address may be empty: the node's counts */
    struct mu_str node_address, service_address;
    struct mu_str node_ipv4, node_ipv6;       /* tagged addresses lan_ipv4 and lan_ipv6, or empty */
    struct mu_str service_ipv4, service_ipv6; /* likewise */
    uint16_t port;                            /* of the service */
    uint16_t weight_passing, weight_warning;  /* SRV weight by health */
    enum dnsfront_health health;              /* worst of the instance's and its node's checks */
    const struct mu_str *meta;                /* node meta: key, value, key, value ... */
    size_t meta_count;                        /* pairs */
};

enum dnsfront_status {
    DNSFRONT_FOUND,     /* the instances are all there are, maybe none */
    DNSFRONT_NOT_FOUND, /* no such name, or no such datacenter */
    DNSFRONT_FAILED     /* nobody could be asked: SERVFAIL */
};

/* What was found; zeroed fields are defaults. What it points at is borrowed during
 * dnsfront_query_supply, and if no further lookup follows from it, until dnsfront_query_answer has
 * returned. */
struct dnsfront_found {
    size_t size; /* sizeof */
    enum dnsfront_status status;
    const struct dnsfront_instance *instances;
    size_t count;
    bool ordered;          /* the order of the instances counts; otherwise they are shuffled */
    bool has_ttl;          /* ttl_s holds for the answer, whatever service_ttls say (queries) */
    uint32_t ttl_s;        /* seconds */
    struct mu_str service; /* whose service_ttl holds, if not lookup.name (queries) */
    /* RESOLVE and FORWARD: the message of another resolver, with any ID */
    const uint8_t *message;
    size_t message_len;
    /* What unchanged() will be asked with; 0: the answer may not be kept, e.g. because it depends
     * on lookup.client, or is a stale one */
    uint64_t stamp;
};

struct dnsfront_request {
    const uint8_t *bytes; /* borrowed until begin returns */
    size_t len;
    bool tcp;           /* lifts the limits of UDP */
    int64_t now_unix_s; /* serial of the SOA */
    uint64_t random;    /* fresh random bits for this query: the order of the answers */
    uint64_t version;   /* moves whenever anything that was looked up may have changed */
    struct mu_str
        client; /* the client's address as text, or empty; borrowed until the query ends */
};

/* The hot path: the answer to a question that was answered before, if it is kept and has not
 * changed. Nothing is allocated. False if there is none; then dnsfront_query_begin is the way. cap
 * is at least 65535 for TCP and 4096 for UDP; larger answers are not kept. */
MU_API bool dnsfront_answer_kept(struct dnsfront *d, const struct dnsfront_request *r, uint8_t *buf,
                                 size_t cap, size_t *len);

struct dnsfront_query;
/* Reads one message. On success gives *out, to be freed with dnsfront_query_end; a query that is
 * malformed or not for us is a success too, and its answer says so (FORMERR, NOTIMP, REFUSED).
 * Errors: DNSFRONT_EIGNORE (answer nothing), DNSFRONT_ENOMEM. */
MU_API MU_MUST_USE int dnsfront_query_begin(struct dnsfront *d, const struct dnsfront_request *r,
                                            struct dnsfront_query **out);
/* What must be supplied before the answer can be had; NULL if nothing (any more). Lent until it is
 * supplied. */
MU_API const struct dnsfront_lookup *dnsfront_query_lookup(const struct dnsfront_query *q);
/* To be called once for each lookup. */
MU_API void dnsfront_query_supply(struct dnsfront_query *q, const struct dnsfront_found *found);
/* The largest answer that this query may get, in bytes: 512 to 65535. */
MU_API size_t dnsfront_query_size_max(const struct dnsfront_query *q);
/* Writes the answer to buf (for TCP without the length in front). Unsupplied lookups answer
 * SERVFAIL. Errors: DNSFRONT_ENOBUFS (cap < dnsfront_query_size_max; *len says how much that is),
 * DNSFRONT_ENOMEM. */
MU_API MU_MUST_USE int dnsfront_query_answer(struct dnsfront_query *q, uint8_t *buf, size_t cap,
                                             size_t *len);
MU_API void dnsfront_query_end(struct dnsfront_query *q); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
