/* call_cache_internal.h - what the files of the cache share.
 *
 *   call_cache.c        entries: found and made
 *   call_cache_parts.c  what bounds them: the parts that they stand in, by last use
 *   call_cache_fetch.c  how they get their answers, and stay fresh
 *   call_cache_ask.c    the calls that wait for them, and the way from other loops
 *   call_cache_fresh.c  whether an answer still stands */
#pragma once

#include "base/metrics.h"
#include "call_cache.h"
#include "endpoints.h"
#include "heap.h"
#include "map.h"
#include "prng.h"

#include <stdatomic.h>

struct cache_kind {
    const char *name; /* in the names of metrics */
    enum endpoint_id endpoint;
    bool watched;
};
#define CACHE_KINDS 9u
extern const struct cache_kind cache__kinds[CACHE_KINDS];

/* An answer, never changed once it is made; whoever shows it holds a reference, on any loop. */
struct cached_value {
    atomic_size_t refs;
    struct mu__arena arena;
    void *reply;    /* as call.h has it */
    uint64_t index; /* at least 1 */
};

/* Where an entry stands, which says how many of its like there may be and for how long. */
enum cache_part_id {
    CACHE_KNOWN,  /* asked for by who is trusted, or found */
    CACHE_AGED,   /* found, but who asked may have made it up; of a kind that is not watched */
    CACHE_ABSENT, /* asked for again and again, and not there: watched */
    CACHE_ONCE,   /* asked for once: not watched, and without an answer when that is nothing */
    CACHE_PARTS
};
struct cache_part {
    struct cache_entry *newest, *oldest; /* by last use */
    size_t entries, bytes, entries_max, bytes_max;
    uint64_t keep_ns;
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
    uint64_t age_ns, stamp;
    bool bypass;    /* the port's own backend shall answer it */
    bool cancelled; /* of another loop: known to the front alone */
};

struct cache_entry {
    struct call_cache *cache;
    size_t kind; /* in cache__kinds */
    enum cache_part_id part;
    struct cache_entry *newer, *older; /* in its part */
    uint64_t used_ns;
    uint64_t stamp;               /* of the value: no other entry ever has it, nor this one again */
    bool is_under_way;            /* counted as such in once_under_way */
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
    struct cache_part parts[CACHE_PARTS];
    size_t nasks, once_under_way;
    uint64_t version;      /* of all that is kept; the last stamp that was given */
    uint64_t recovered_ns; /* when entries that were lost were last asked for, all of them */
    uint64_t probed_ns;    /* likewise one, since somebody wanted it */
    double watch_tokens;   /* for names that are not there */
    uint64_t watch_tokens_ns;
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
/* The new answer is e's; the old one is let go. False: it is too large, or there is no memory. */
bool cache__entry_set(struct cache_entry *e, const struct call *answered);
/* Ends what it has upstream. Nobody may wait for it. */
void cache__entry_drop(struct cache_entry *e);
struct cached_value *cache__value_ref(struct cached_value *v);
void cache__value_unref(struct cached_value *v); /* any loop; NULL is allowed */

/* The entry for it, if there is one; it is not used by that. */
struct cache_entry *cache__entry_find(struct call_cache *cache, const struct endpoint *e,
                                      const void *request);
/* The answer is not kept. */
void cache__entry_forget(struct cache_entry *e);
/* Will its answer be kept fresh by a query upstream? */
static inline bool cache__is_watched(const struct cache_entry *e)
{
    return cache__kinds[e->kind].watched && e->part != CACHE_ONCE;
}

/* call_cache_parts.c */
void cache__parts_init(struct call_cache *cache);
void cache__part_add(struct cache_entry *e);    /* to the part that it says, as the newest */
void cache__part_remove(struct cache_entry *e); /* its bytes go with it */
void cache__part_move(struct cache_entry *e, enum cache_part_id to);
void cache__entry_use(struct cache_entry *e);                /* it is the most recently used one */
void cache__entry_grow(struct cache_entry *e, size_t bytes); /* or shrink: to so many */
/* Makes room for one more; false: there is none, all that could go are in use. */
bool cache__part_make_room(struct call_cache *cache, enum cache_part_id part);
/* Lets go of the least recently used until all is within its bounds. */
void cache__trim(struct call_cache *cache);
void cache__expire(struct call_cache *cache, uint64_t now);
uint64_t cache__expires_at(const struct call_cache *cache); /* the first; MU_NEVER: none */
/* Which part an entry that was asked for again belongs to, and one whose answer has come. */
void cache__place_asked(struct cache_entry *e, const struct call *c);
void cache__place_answered(struct cache_entry *e);
/* May another name that was never asked for be fetched now? */
bool cache__may_go_once(const struct call_cache *cache);
void cache__under_way(struct cache_entry *e, bool is); /* it has a query upstream, or not */

/* call_cache_fetch.c */
void cache__fetch(struct cache_entry *e); /* at once, or when its rate permits; once at a time */
void cache__fetch_due(struct call_cache *cache, uint64_t now);
/* Somebody wants what is not kept fresh just now: is it to be had again? */
void cache__probe(struct cache_entry *e);

/* call_cache_ask.c */
/* Those whom the entry's value satisfies, or whose time is over, are told it; with an error (lent)
 * all are. */
void cache__settle(struct cache_entry *e, const char *error);
/* Those who wait for it are answered without the cache. */
void cache__pass_by(struct cache_entry *e);
void cache__deadlines(struct call_cache *cache, uint64_t now);
void cache__tell(struct call_cache *cache); /* those in `answered` */
