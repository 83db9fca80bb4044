/* call_cache_internal.h - what the files of the cache share.
 *
 *   call_cache.c        entries: found, made, bounded
 *   call_cache_fetch.c  how they get their answers, and stay fresh
 *   call_cache_ask.c    the calls that wait for them, and the way from other loops */
#pragma once

#include "base/metrics.h"
#include "call_cache.h"
#include "endpoints.h"
#include "heap.h"
#include "map.h"
#include "prng.h"

#include <stdatomic.h>

struct cache_kind {
    enum endpoint_id endpoint;
    const char *name; /* in the names of metrics */
    bool watched;
};
#define CACHE_KINDS 6u
extern const struct cache_kind cache__kinds[CACHE_KINDS];

/* An answer, never changed once it is made; whoever shows it holds a reference, on any loop. */
struct cached_value {
    atomic_size_t refs;
    struct mu__arena arena;
    void *reply;    /* as call.h has it */
    uint64_t index; /* at least 1 */
};

/* A call that wants an answer. It stands in a list of its entry's while it waits, and in the
 * cache's `answered` until it is told. */
struct cache_ask {
    struct call_cache_port *port;
    struct call *call; /* of another loop: only its endpoint and request may be looked at */
    struct cache_entry *entry;
    struct cache_ask **list, *next, *previous;
    struct mu__heap_item deadline;
    uint64_t min_index;
    /* What it is told; error is the ask's own */
    struct cached_value *value;
    char *error;
    bool hit;
    uint64_t age_ns;
    bool bypass;    /* the port's own backend shall answer it */
    bool cancelled; /* of another loop: known to the front alone */
};

struct cache_entry {
    struct call_cache *cache;
    size_t kind;                       /* in cache__kinds */
    struct cache_entry *newer, *older; /* by last use */
    uint64_t used_ns;
    struct cached_value *value;   /* NULL: the first fetch is under way */
    uint64_t fetched_ns, lost_ns; /* lost: since when it is not kept fresh; 0: it is */
    struct call *fetch;           /* under way upstream */
    uint64_t fetch_began_ns, fetch_index;
    unsigned failures; /* in a row */
    double tokens;     /* of the rate of fetches */
    uint64_t tokens_ns;
    struct mu__heap_item due; /* of the next fetch */
    struct cache_ask *asks;   /* the newest first */
    size_t bytes, key_len;
    uint8_t key[]; /* kind and arguments, as they travel */
};

struct cache_metrics {
    enum metric hit, miss_new, miss_block, fetch_success, fetch_error;
};

struct call_cache {
    struct call_cache_config config;
    struct mu__map entries;
    struct cache_entry *newest, *oldest;
    size_t bytes, nasks;
    struct mu__heap due;       /* of entries */
    struct mu__heap deadlines; /* of asks */
    struct event *timer;
    uint64_t armed_ns;          /* what it is set to; MU_NEVER: not */
    struct cache_ask *answered; /* to be told */
    bool telling;
    struct mu__writer scratch;
    struct mu__arena arena; /* scratch */
    struct mu__prng prng;
    struct cache_metrics metrics[CACHE_KINDS];
    bool closed;
};

uint64_t cache__now(const struct call_cache *cache);
void cache__arm(struct call_cache *cache); /* the timer, at what is due first */
/* The place in cache__kinds; CACHE_KINDS: it is not one that can be kept. */
size_t cache__kind_of(const struct endpoint *e);
struct catalog_query_options *cache__options(const struct cache_entry *e, void *request);

/* call_cache.c */
/* What the call asks for, found or made; NULL: there is no room, or no memory. */
struct cache_entry *cache__entry(struct call_cache *cache, const struct call *c);
void cache__entry_use(struct cache_entry *e); /* it is the most recently used one */
/* The new answer is e's; the old one is let go. False: it is too large, or there is no memory. */
bool cache__entry_set(struct cache_entry *e, const struct call *answered);
/* Ends what it has upstream. Nobody may wait for it. */
void cache__entry_drop(struct cache_entry *e);
/* Lets go of the least recently used until all is within its bounds. */
void cache__trim(struct call_cache *cache);
struct cached_value *cache__value_ref(struct cached_value *v);
void cache__value_unref(struct cached_value *v); /* any loop; NULL is allowed */

/* call_cache_fetch.c */
void cache__fetch(struct cache_entry *e); /* at once, or when its rate permits; once at a time */
void cache__fetch_due(struct call_cache *cache, uint64_t now);

/* call_cache_ask.c */
/* Those whom the entry's value satisfies, or whose time is over, are told it; with an error (lent)
 * all are. */
void cache__settle(struct cache_entry *e, const char *error);
/* Those who wait for it are answered without the cache. */
void cache__pass_by(struct cache_entry *e);
void cache__deadlines(struct call_cache *cache, uint64_t now);
void cache__tell(struct call_cache *cache); /* those in `answered` */
