/* call_cache_fetch.c - how an entry gets its answer and stays fresh: one query upstream at a time,
 * waiting there for what is newer, paced by a rate and by failures. */
#include "call_cache_internal.h"

#include <string.h>

#define FETCH_WAIT_NS  (600 * MU_SEC) /* of a query upstream, as Consul's */
#define ABSENT_WAIT_NS (60 * MU_SEC)  /* for what is not there: it may be given up, unnoticed */
#define STALE_WAIT_NS  (5 * MU_SEC)   /* of an answer from a server that had lost its leader */
/* Of a node: Consul's servers do not wake who waits for one that goes, since what is unknown has an
 * index of 1 there. */
#define NODE_WAIT_NS    (10 * MU_SEC)
#define STALE_NS        ((int64_t)MU_SEC)
#define CATCH_UP_NS     (2 * MU_SEC)
#define PROBE_NS        (200 * MU_MSEC)
#define FETCH_ARENA_MAX ((size_t)256 << 20)
#define AT_ONCE_NS      (100 * MU_MSEC) /* no news, and so soon: the server does not wait as asked */
#define FREE_FAILURES   3u
#define PAUSE_NS        MU_SEC /* after the first failure that is not free; then twice as long */
#define PAUSE_DOUBLINGS 6u
#define PAUSE_MAX_NS    (60 * MU_SEC)

static void schedule(struct cache_entry *e, uint64_t in_ns)
{
    struct call_cache *cache = e->cache;
    if (mu__heap_set(&cache->due, &e->due, cache__now(cache) + in_ns)) {
        cache__arm(cache);
    }
}

/* ---- The pace ---- */

/* How long until the entry's rate lets another fetch go; 0: now, and it is counted. */
static uint64_t take_token(struct cache_entry *e)
{
    const struct call_cache_config *c = &e->cache->config;
    uint64_t now = cache__now(e->cache);
    if (c->fetch_rate <= 0) {
        return 0;
    }
    e->tokens += (double)(now - e->tokens_ns) / (double)MU_SEC * c->fetch_rate;
    e->tokens = e->tokens < c->fetch_burst ? e->tokens : c->fetch_burst;
    e->tokens_ns = now;
    if (e->tokens < 1) {
        double s = (1 - e->tokens) / c->fetch_rate;
        return s < 3600 ? (uint64_t)(s * (double)MU_SEC) + 1 : 3600 * MU_SEC;
    }
    e->tokens -= 1;
    return 0;
}

static uint64_t pause_after(struct cache_entry *e)
{
    if (e->failures <= FREE_FAILURES) {
        return 0;
    }
    unsigned over = e->failures - FREE_FAILURES - 1;
    uint64_t ns = over < PAUSE_DOUBLINGS ? PAUSE_NS << over : PAUSE_MAX_NS;
    return ns + mu__prng_below(&e->cache->prng, ns);
}

/* ---- What comes back ---- */

static void count(const struct cache_entry *e, bool ok)
{
    const struct cache_metrics *m = &e->cache->metrics[e->kind];
    metric_count(ok ? METRIC_CACHE_FETCH_SUCCESS : METRIC_CACHE_FETCH_ERROR, 1);
    metric_count(ok ? m->fetch_success : m->fetch_error, 1);
}

/* Not that it could not be found out, but that there is no such thing. */
static bool says_gone(const struct cache_entry *e, const char *error)
{
    return cache__kinds[e->kind].endpoint == ENDPOINT_PREPARED_QUERY_EXECUTE &&
           strstr(error, "Query not found") != NULL;
}

static void refused(struct cache_entry *e, const char *error)
{
    uint64_t now = cache__now(e->cache);
    count(e, false);
    e->failures++;
    if (!e->lost_ns) {
        e->lost_ns = now;
        e->cache->version++;
    }
    if (e->value && says_gone(e, error)) {
        cache__entry_forget(e);
    }
    cache__settle(e, error);
    if (!e->value) {
        cache__entry_drop(e); /* there is nothing to keep; who asks again fetches again */
    } else if (cache__is_watched(e)) {
        schedule(e, pause_after(e));
    }
}

/* One was lost and is there again, so the others may be, too. */
static void recover_others(struct call_cache *cache)
{
    uint64_t now = cache__now(cache);
    if (cache->recovered_ns && now - cache->recovered_ns < PROBE_NS) {
        return;
    }
    cache->recovered_ns = now;
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        for (struct cache_entry *e = cache->parts[i].newest; e; e = e->older) {
            if (e->lost_ns && !e->fetch && cache__is_watched(e)) {
                schedule(e, mu__prng_below(&cache->prng, PROBE_NS / 2));
            }
        }
    }
}

static void answered(struct cache_entry *e, const struct call *c)
{
    uint64_t now = cache__now(e->cache);
    if (!cache__entry_set(e, c)) {
        cache__pass_by(e);
        cache__entry_drop(e);
        return;
    }
    count(e, true);
    bool hasty = e->value->index == e->fetch_index && now - e->fetch_began_ns < AT_ONCE_NS;
    bool was_lost = e->lost_ns != 0;
    e->failures = hasty ? e->failures + 1 : 0;
    e->lost_ns = 0;
    e->fetched_ns = now;
    cache__settle(e, NULL);
    cache__place_answered(e);
    if (cache__is_watched(e)) {
        schedule(e, pause_after(e));
    }
    if (was_lost) {
        recover_others(e->cache);
    }
}

static void on_fetched(struct call *c, void *arg)
{
    struct cache_entry *e = arg;
    struct call_cache *cache = e->cache;
    e->fetch = NULL;
    cache__under_way(e, false);
    if (c->error) {
        refused(e, c->error);
    } else {
        answered(e, c);
        cache__trim(cache);
    }
    cache__tell(cache);
}

/* ---- What is sent ---- */

/* The call's own copy of the arguments: a cancelled one may outlive the entry. */
static bool read_request(const struct cache_entry *e, struct call *c)
{
    const void *copy = mu__arena_memdup(&c->arena, e->key + 1, e->key_len - 1);
    struct mu__reader r = mu__reader(copy, copy ? e->key_len - 1 : 0);
    return copy && mu__schema_decode(c->endpoint->request, &r, &c->arena, true, c->request);
}

static uint64_t wait_of(const struct cache_entry *e)
{
    const struct endpoint *endpoint = &endpoints[cache__kinds[e->kind].endpoint];
    const struct catalog_query_meta *m = endpoint_meta(endpoint, e->value->reply);
    if (m && m->last_contact_ns > STALE_NS) {
        return STALE_WAIT_NS;
    }
    if (cache__kinds[e->kind].endpoint == ENDPOINT_CATALOG_NODE_SERVICES) {
        return NODE_WAIT_NS;
    }
    return e->part == CACHE_ABSENT ? ABSENT_WAIT_NS : FETCH_WAIT_NS;
}

/* It waits there for what is newer than what it has. After a failure it asks for what there is now,
 * so that it is known at once that servers are back; another server that does not know yet what
 * was known here has a moment to learn it, and what it says then counts (it may be a restore). */
static void set_wait(struct cache_entry *e, struct call *c)
{
    struct catalog_query_options *o = cache__options(e, c->request);
    e->fetch_index = 0;
    o->max_query_time_ns = 0;
    if (cache__is_watched(e) && e->value) {
        e->fetch_index = e->lost_ns ? e->value->index - 1 : e->value->index;
        o->max_query_time_ns = (int64_t)(e->lost_ns ? CATCH_UP_NS : wait_of(e));
    }
    o->min_query_index = e->fetch_index;
}

void cache__fetch(struct cache_entry *e)
{
    if (e->fetch) {
        return;
    }
    uint64_t wait = take_token(e);
    if (wait) {
        schedule(e, wait);
        return;
    }
    mu__heap_remove(&e->cache->due, &e->due);
    struct call *c =
        call_create(&endpoints[cache__kinds[e->kind].endpoint], FETCH_ARENA_MAX, on_fetched, e);
    if (!c || !read_request(e, c)) {
        call_free(c);
        refused(e, "out of memory");
        return;
    }
    set_wait(e, c);
    e->fetch = c;
    cache__under_way(e, e->part == CACHE_ONCE);
    e->fetch_began_ns = cache__now(e->cache);
    call_start(e->cache->config.from, c);
}

void cache__fetch_due(struct call_cache *cache, uint64_t now)
{
    for (struct mu__heap_item *i; (i = mu__heap_min(&cache->due)) != NULL && i->at <= now;) {
        struct cache_entry *e = (void *)((char *)i - offsetof(struct cache_entry, due));
        mu__heap_remove(&cache->due, i);
        cache__fetch(e);
    }
}

void cache__probe(struct cache_entry *e)
{
    struct call_cache *cache = e->cache;
    uint64_t now = cache__now(cache);
    if (!e->fetch && now - cache->probed_ns >= PROBE_NS) {
        cache->probed_ns = now;
        cache__fetch(e);
    }
}
