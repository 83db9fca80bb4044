/* call_cache_fresh.c - does an answer that came from here still stand? */
#include "call_cache_internal.h"

/* It also moves with time, so that what is kept elsewhere is asked about: that keeps the entry in
 * use. */
static uint64_t version(void *user, uint64_t contact_max_ns)
{
    const struct call_cache *cache = user;
    (void)contact_max_ns; /* each answer says how old it was */
    return cache->version + cache__now(cache) / MU_SEC;
}

static uint64_t stamp(void *user, const struct endpoint *endpoint, const void *request,
                      uint64_t contact_max_ns)
{
    struct call_cache *cache = user;
    (void)contact_max_ns; /* likewise */
    struct cache_entry *e = !cache->closed && call_cache_takes(endpoint)
                                ? cache__entry_find(cache, endpoint, request)
                                : NULL;
    if (!e || !e->value || e->lost_ns || !cache__is_watched(e)) {
        return 0;
    }
    cache__entry_use(e);
    return e->stamp;
}

struct call_fresh call_cache_fresh(struct call_cache *cache)
{
    return (struct call_fresh){cache, version, stamp};
}
