/* dnsfront_node.h - a dnsfront on UDP and TCP sockets of a libevent loop.
 *
 * The host fills in one function that finds what a query asks for. It may answer at once or later,
 * and in any order.
 *
 * Threads: everything runs on the thread of the event_base. Several nodes on several threads may
 *          share an address: sockets are opened with SO_REUSEPORT. */
#ifndef MUSTER_DNSFRONT_NODE_H
#define MUSTER_DNSFRONT_NODE_H

#include <muster/dnsfront.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct dnsfront_node;
struct dnsfront_pending; /* one query that waits for what was looked up */

struct dnsfront_source {
    void *user;
    /* Finds what `lookup` asks for and calls dnsfront_node_supply(pending, ...) exactly once, now
     * or later, on the same thread; later also after dnsfront_node_destroy has been called. lookup
     * is lent until then. */
    void (*find)(void *user, struct dnsfront_pending *pending,
                 const struct dnsfront_lookup *lookup);
    /* Moves whenever what find gives may have changed (dnsfront_request.version); cheap, since it
     * is asked for every query. NULL: 0 for ever, with nothing kept */
    uint64_t (*version)(void *user);
    /* dnsfront_config.unchanged, which is set from here */
    bool (*unchanged)(void *user, const struct dnsfront_lookup *lookup, uint64_t stamp);
};

/* Other resolvers, which RESOLVE and FORWARD lookups are asked of (dnsfront_config.recursion). The
 * queries go out over the client's transport, each on a port and with an ID that nobody can foresee
 * (RFC 5452); the first NOERROR or NXDOMAIN counts, and after all of them the lookup has failed. */
struct dnsfront_recursors {
    const struct mu_str *addresses; /* "ip", "ip:port" or "[ip]:port"; port 53 if there is none */
    size_t count;                   /* at most 64 different ones; 0: source.find gets the lookups */
    bool random;                    /* asked in a new order each time; default: as listed */
    uint64_t timeout_ns;            /* > 0; how long one is waited for; default 2 s */
    /* > 0; under way at a time, each with a socket; default 512. Those beyond fail at once; equal
     * ones count once */
    size_t queries_max;
};

struct dnsfront_node_config {
    size_t size;                         /* set by dnsfront_node_config_init */
    struct event_base *base;             /* borrowed until destroy */
    const char *address;                 /* copied; numeric IPv4 or IPv6; default "127.0.0.1" */
    uint16_t port;                       /* default 8600; 0: one the system chooses */
    struct dnsfront_source source;       /* copied */
    const struct dnsfront_config *front; /* copied; NULL: all defaults */
    /* > 0; queries that wait for a lookup at a time; default 4096. Those beyond get no answer (UDP)
     * or wait (TCP); kept answers are given all the same. UDP, whose senders may be anybody, gets
     * three quarters of it, one client (its /24 or /64) half and, beyond that, an eighth */
    size_t pending_max;
    size_t tcp_connections_max; /* default 256; for one more the idlest is closed */
    /* > 0; a connection on which for so long no whole query came and no answer was taken, and none
     * is owed, is closed; default 10 s */
    uint64_t tcp_idle_ns;
    uint64_t seed; /* of the order of answers; should be unpredictable */
    void (*log)(void *user, enum mu_level level, const char *line); /* may be NULL */
    void *log_user;
    /* A query was answered, took_ns after it came; reverse: its name is under arpa. Not
     * told of names that recursors answered for being none of ours. May be NULL */
    void (*answered)(void *user, bool reverse, uint64_t took_ns);
    void *answered_user;
    struct dnsfront_recursors recursors; /* copied; default none */
};
#define dnsfront_node_config_init(cfg) dnsfront_node_config_init_sized((cfg), sizeof *(cfg))
MU_API void dnsfront_node_config_init_sized(struct dnsfront_node_config *cfg, size_t size);

struct dnsfront_node_stats {
    size_t size; /* set by the caller to sizeof */
    uint64_t udp_queries, tcp_queries, answers, ignored, dropped;
    /* To recursors: queries sent; lookups that failed with all of them, that waited for an equal
     * one, and that were too many; tries without an answer in time; replies that were not the
     * answer to what was asked (a forger's, or late) */
    uint64_t forward_sent, forward_failed, forward_shared, forward_refused, forward_timeouts,
        forward_strangers;
    uint64_t kept_hits, kept_misses; /* queries answered from kept answers, and not */
    uint64_t kept_bytes;             /* that kept answers take now */
    uint64_t tcp_connections;        /* open now */
};

/* Opens the sockets. On failure *out is NULL and, if reason is not NULL, *reason a static sentence;
 * errno says more. Errors: DNSFRONT_EINVAL (a field is out of the range given above, the config of
 * the front or an address is, a socket cannot be had), DNSFRONT_ENOMEM. */
MU_API MU_MUST_USE int dnsfront_node_create(const struct dnsfront_node_config *cfg,
                                            struct dnsfront_node **out, const char **reason);
/* Other settings of the front for all queries from now on; those that wait keep the old ones. The
 * sockets stay. On failure nothing changes. Errors: DNSFRONT_EINVAL, DNSFRONT_ENOMEM. */
MU_API MU_MUST_USE int dnsfront_node_reconfigure(struct dnsfront_node *n,
                                                 const struct dnsfront_config *front);
/* Other recursors from now on; lookups under way end with those that they began with. An address
 * where this node itself listens is left out, with a warning. On failure nothing changes. Errors:
 * DNSFRONT_EINVAL (an address is none, or a value is out of range), DNSFRONT_ENOMEM. */
MU_API MU_MUST_USE int dnsfront_node_set_recursors(struct dnsfront_node *n,
                                                   const struct dnsfront_recursors *recursors);
/* Closes all sockets. Pending queries stay valid until they are supplied; nothing of the source is
 * called any more. Not to be called from a function of the source, nor from answered or log. NULL
 * is allowed. */
MU_API void dnsfront_node_destroy(struct dnsfront_node *n);
MU_API uint16_t dnsfront_node_port(const struct dnsfront_node *n); /* of both UDP and TCP */
MU_API void dnsfront_node_stats(const struct dnsfront_node *n, struct dnsfront_node_stats *out);

/* Answers the lookup; the pending ends. What found points at is borrowed during the call. */
MU_API void dnsfront_node_supply(struct dnsfront_pending *p, const struct dnsfront_found *found);

#ifdef __cplusplus
}
#endif
#endif
