/* call_cache_fetch.c - how an entry gets its answer and stays fresh: one query upstream at a time,
 * waiting there for what is newer, paced by a rate and by failures. */
#include "call_cache_internal.h"

#include <string.h>

#define FETCH_WAIT_NS   (600 * MU_SEC) /* of a query upstream, as Consul's */
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

static void refused(struct cache_entry *e, const char *error)
{
    uint64_t now = cache__now(e->cache);
    count(e, false);
    e->failures++;
    e->lost_ns = e->lost_ns ? e->lost_ns : now;
    cache__settle(e, error);
    if (!e->value) {
        cache__entry_drop(e); /* there is nothing to keep; who asks again fetches again */
    } else if (cache__kinds[e->kind].watched) {
        schedule(e, pause_after(e));
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
    e->failures = hasty ? e->failures + 1 : 0;
    e->lost_ns = 0;
    e->fetched_ns = now;
    cache__settle(e, NULL);
    if (cache__kinds[e->kind].watched) {
        schedule(e, pause_after(e));
    }
}

static void on_fetched(struct call *c, void *arg)
{
    struct cache_entry *e = arg;
    struct call_cache *cache = e->cache;
    e->fetch = NULL;
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

/* After a failure it asks for what there is now, so that it is known at once that servers are back;
 * else it waits there for what is newer than what it has. */
static void set_wait(struct cache_entry *e, struct call *c)
{
    struct catalog_query_options *o = cache__options(e, c->request);
    bool waits = cache__kinds[e->kind].watched && e->value && !e->lost_ns;
    e->fetch_index = waits ? e->value->index : 0;
    o->min_query_index = e->fetch_index;
    o->max_query_time_ns = waits ? (int64_t)FETCH_WAIT_NS : 0;
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
