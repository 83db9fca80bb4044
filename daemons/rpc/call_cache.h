/* call_cache.h - answers that an agent keeps fresh: what stands behind ?cached (http-semantics 5.2)
 * and dns_config.use_cache.
 *
 * It is a backend in front of another one. A call that says may_cache, of an endpoint that can be
 * kept, is answered from here; all others pass through. How to use it is therefore how any call is
 * made (call.h): set may_cache, and options.max_age_ns, must_revalidate and stale_if_error_ns where
 * they matter; afterwards c->cached and c->cached_age_ns tell where the answer came from. To be
 * told of a change, ask again with min_query_index: that waits here, and costs servers nothing.
 *
 * What is asked for - method, arguments, datacenter, token, filter - makes an entry. Two kinds:
 *
 *   watched  one blocking query upstream keeps it fresh for as long as it is kept, so an answer has
 *            age 0, or that of the loss of the servers; how often it is asked for costs nothing
 *   aged     (prepared queries, the datacenters) fetched when asked for and too old
 *
 * Memory is bounded: entries, and the bytes of all of them. The least recently used one gives way,
 * one that nobody has asked for during keep_ns goes, and what has no answer is not kept, so names
 * that strangers make up cost no more than the bounds (CVE-2020-13250, consul#8682).
 *
 * A call that says may_be_made_up (DNS) costs less still. A name that was not asked for before is
 * asked for upstream once, without a watch, whoever asks meanwhile shares it, and 256 are under way
 * at most: more are refused. What is found is kept and watched like anything else. What is not is
 * remembered for ten seconds, without the answer; only when it is asked for again then it is
 * watched, in a small part of its own, and few a second are. So no flood of names pushes out what
 * is of use, or opens queries without end at the servers.
 *
 * The cache belongs to one loop. Each front has a port to it, which is the backend it uses; that of
 * another loop sends its calls over. */
#pragma once

#include "call.h"

#include <event2/event.h>

struct loop;
struct call_cache;
struct call_cache_port;

struct call_cache_config {
    struct loop *loop;         /* the cache's; NULL: all ports are on one loop, that of base */
    struct event_base *base;   /* the loop's */
    struct call_backend *from; /* answers what is not here; used on the loop alone */
    size_t entries_max;        /* 0: 2048 */
    size_t bytes_max;          /* of all entries together; 0: 32 MiB. A quarter for one of them */
    uint64_t keep_ns;          /* an entry without use; 0: 15 min */
    uint64_t wait_default_ns;  /* of a call that waits and does not say how long; 0: 300 s */
    uint64_t wait_max_ns;      /* 0: 600 s */
    double fetch_rate;         /* queries upstream a second and entry; 0 or less: any */
    unsigned fetch_burst;      /* 0: 2 */
    uint64_t seed;             /* of the pauses after failures */
    uint64_t (*now_ns)(void);  /* NULL: loop_now_ns */
};

/* Copies cfg. NULL when out of memory. */
struct call_cache *call_cache_create(const struct call_cache_config *cfg);
/* On its loop, or when that has stopped: lets all entries go, and fails the calls that wait. Calls
 * that come later pass by. `from` is not used any more. */
void call_cache_close(struct call_cache *cache);
/* When its ports have gone. NULL is allowed. */
void call_cache_destroy(struct call_cache *cache);

/* Another rate for all entries, as in call_cache_config; on the cache's loop. */
void call_cache_set_rate(struct call_cache *cache, double fetch_rate, unsigned fetch_burst);

/* A port for the front on that loop, whose calls that are not for the cache go on to `from`. NULL
 * when out of memory. */
struct call_cache_port *call_cache_port_create(struct call_cache *cache, struct loop *loop,
                                               struct call_backend *from);
struct call_backend *call_cache_port_backend(struct call_cache_port *port);
/* When no call is left on it, and no message on either loop. NULL is allowed. */
void call_cache_port_destroy(struct call_cache_port *port);

/* Can answers of that endpoint be kept? */
bool call_cache_takes(const struct endpoint *e);

/* By what its answers (call.stamp) can be kept, on its loop. The version also moves once a second,
 * and a stamp that is asked for keeps its entry in use. An answer that is not kept fresh, since the
 * servers are gone, has no stamp. */
struct call_fresh call_cache_fresh(struct call_cache *cache);

/* Does what is due by now; its own timer sees to that. */
void call_cache_advance(struct call_cache *cache);

struct call_cache_stats {
    size_t entries, bytes;
    size_t fetching; /* entries with a query upstream under way */
    size_t waiting;  /* calls */
};
struct call_cache_stats call_cache_stats(const struct call_cache *cache);
