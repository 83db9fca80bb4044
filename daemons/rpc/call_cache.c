/* call_cache.c - the entries: found by what is asked for, bounded in number and bytes, oldest use
 * first out. */
#include "call_cache_internal.h"

#include "base/loop.h"
#include "msgpack_rpc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX     2048u
#define BYTES_MAX       ((size_t)32 << 20)
#define KEEP_NS         (900 * MU_SEC)
#define WAIT_DEFAULT_NS (300 * MU_SEC)
#define WAIT_MAX_NS     (600 * MU_SEC)
#define FETCH_BURST     2u
#define LARGEST_PART    4u  /* of bytes_max may be one entry's */
#define BUSY_MAX        16u /* entries in use that are passed over when one must go */

/* The names are those of Consul's cache types. */
const struct cache_kind cache__kinds[CACHE_KINDS] = {
    {ENDPOINT_CATALOG_LIST_DATACENTERS, "catalog-datacenters", false},
    {ENDPOINT_CATALOG_LIST_SERVICES, "catalog-list-services", true},
    {ENDPOINT_CATALOG_SERVICE_NODES, "catalog-services", true},
    {ENDPOINT_DISCOVERY_CHAIN_GET, "compiled-discovery-chain", true},
    {ENDPOINT_HEALTH_SERVICE_NODES, "health-services", true},
    {ENDPOINT_PREPARED_QUERY_EXECUTE, "prepared-query", false},
};

static const struct mu_allocator *heap(void)
{
    return &mu__malloc_allocator;
}

uint64_t cache__now(const struct call_cache *cache)
{
    return cache->config.now_ns();
}

size_t cache__kind_of(const struct endpoint *e)
{
    size_t i = 0;
    while (i < CACHE_KINDS && e != &endpoints[cache__kinds[i].endpoint]) {
        i++;
    }
    return i;
}

bool call_cache_takes(const struct endpoint *e)
{
    return cache__kind_of(e) < CACHE_KINDS;
}

struct catalog_query_options *cache__options(const struct cache_entry *e, void *request)
{
    return endpoint_options(&endpoints[cache__kinds[e->kind].endpoint], request);
}

static void count_entries(const struct call_cache *cache)
{
    metric_set(METRIC_CACHE_ENTRIES, (double)cache->entries.count);
}

/* ---- Values ---- */

struct cached_value *cache__value_ref(struct cached_value *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void cache__value_unref(struct cached_value *v)
{
    if (v && atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) == 1) {
        mu__arena_fini(&v->arena);
        mu__free(heap(), v);
    }
}

/* What a call brings is lent until its end, and may stand in a call's worth of other memory; here
 * it stands as it would have travelled, and nothing else. */
static struct cached_value *make_value(struct call_cache *cache, const struct call *c)
{
    struct mu__writer *w = &cache->scratch;
    struct call copy = {.endpoint = c->endpoint};
    w->len = 0;
    w->failed = false;
    rpc_write_reply(w, c);
    mu__arena_init(&copy.arena, NULL, cache->config.bytes_max / LARGEST_PART);
    void *bytes = w->failed ? NULL : mu__arena_memdup(&copy.arena, w->data, w->len);
    struct mu__reader r = mu__reader(bytes, bytes ? w->len : 0);
    struct cached_value *v =
        bytes && rpc_read_reply(&r, true, &copy) ? mu__calloc(heap(), 1, sizeof *v) : NULL;
    if (!v) {
        mu__arena_fini(&copy.arena);
        return NULL;
    }
    const struct catalog_query_meta *m = endpoint_meta(c->endpoint, copy.reply);
    v->arena = copy.arena;
    v->reply = copy.reply;
    v->index = m && m->index > 0 ? m->index : 1;
    atomic_init(&v->refs, 1);
    return v;
}

/* ---- By use ---- */

static void unlink_entry(struct cache_entry *e)
{
    struct call_cache *cache = e->cache;
    *(e->newer ? &e->newer->older : &cache->newest) = e->older;
    *(e->older ? &e->older->newer : &cache->oldest) = e->newer;
}

static void link_newest(struct cache_entry *e)
{
    struct call_cache *cache = e->cache;
    e->newer = NULL;
    e->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = e;
    cache->newest = e;
}

void cache__entry_use(struct cache_entry *e)
{
    unlink_entry(e);
    link_newest(e);
    e->used_ns = cache__now(e->cache);
}

void cache__entry_drop(struct cache_entry *e)
{
    struct call_cache *cache = e->cache;
    assert(!e->asks);
    if (e->fetch) {
        call_cancel(e->fetch);
    }
    mu__heap_remove(&cache->due, &e->due);
    mu__map_remove(&cache->entries, e->key, e->key_len);
    unlink_entry(e);
    cache->bytes -= e->bytes;
    cache__value_unref(e->value);
    mu__free(heap(), e);
    count_entries(cache);
}

/* The least recently used one that nobody waits for; NULL: all that were looked at are in use. */
static struct cache_entry *spare(const struct call_cache *cache)
{
    struct cache_entry *e = cache->oldest;
    for (unsigned n = 0; e && e->asks && n < BUSY_MAX; n++) {
        e = e->newer;
    }
    return e && !e->asks ? e : NULL;
}

void cache__trim(struct call_cache *cache)
{
    while (cache->bytes > cache->config.bytes_max ||
           cache->entries.count > cache->config.entries_max) {
        struct cache_entry *e = spare(cache);
        if (!e) {
            return;
        }
        cache__entry_drop(e);
        metric_count(METRIC_CACHE_EVICT_EXPIRED, 1);
    }
}

/* Those that nobody has asked for in a long time; what is waited for is in use. */
static void expire(struct call_cache *cache, uint64_t now)
{
    while (cache->oldest && now - cache->oldest->used_ns >= cache->config.keep_ns) {
        struct cache_entry *e = cache->oldest;
        if (e->asks) {
            cache__entry_use(e);
        } else {
            cache__entry_drop(e);
            metric_count(METRIC_CACHE_EVICT_EXPIRED, 1);
        }
    }
}

bool cache__entry_set(struct cache_entry *e, const struct call *answered)
{
    struct call_cache *cache = e->cache;
    struct cached_value *v = make_value(cache, answered);
    if (!v) {
        return false;
    }
    cache__value_unref(e->value);
    e->value = v;
    cache->bytes -= e->bytes;
    e->bytes = sizeof *e + e->key_len + sizeof *v + v->arena.used;
    cache->bytes += e->bytes;
    return true;
}

/* ---- By what is asked for ---- */

static int by_bytes(const void *a, const void *b)
{
    return mu__str_cmp(*(const struct mu_str *)a, *(const struct mu_str *)b);
}

/* All tags must be there, in whatever order they are named. False: out of memory. */
static bool sort_tags(struct mu__arena *a, struct mu_strs *tags)
{
    struct mu_str *copy = mu__arena_memdup(a, tags->items, tags->len * sizeof *copy);
    if (!copy) {
        return false;
    }
    qsort(copy, tags->len, sizeof *copy, by_bytes);
    tags->items = copy;
    return true;
}

/* The arguments without what says how to answer rather than what. NULL: out of memory. */
static const void *essence(const struct call *c, struct mu__arena *a)
{
    const struct endpoint *e = c->endpoint;
    void *copy = mu__arena_memdup(a, c->request, e->request->size);
    if (!copy) {
        return NULL;
    }
    struct catalog_query_options *o = endpoint_options(e, copy);
    *o =
        (struct catalog_query_options){.token = o->token, .filter = o->filter, .allow_stale = true};
    bool has_tags = e == &endpoints[ENDPOINT_HEALTH_SERVICE_NODES] ||
                    e == &endpoints[ENDPOINT_CATALOG_SERVICE_NODES];
    struct mu_strs *tags =
        has_tags ? &((struct catalog_service_request *)copy)->service_tags : NULL;
    return !tags || tags->len < 2 || sort_tags(a, tags) ? copy : NULL;
}

/* Into the scratch buffer. */
static bool write_key(struct call_cache *cache, const struct call *c, size_t kind)
{
    struct mu__writer *w = &cache->scratch;
    const void *what = essence(c, &cache->arena);
    w->len = 0;
    w->failed = what == NULL;
    if (what) {
        mu__write_u8(w, (uint8_t)kind);
        mu__schema_encode(c->endpoint->request, what, w);
    }
    mu__arena_reset(&cache->arena);
    return !w->failed;
}

static struct cache_entry *make_entry(struct call_cache *cache, size_t kind)
{
    const struct mu__writer *key = &cache->scratch;
    if (cache->entries.count >= cache->config.entries_max) {
        struct cache_entry *old = spare(cache);
        if (!old) {
            return NULL;
        }
        cache__entry_drop(old);
        metric_count(METRIC_CACHE_EVICT_EXPIRED, 1);
    }
    struct cache_entry *e = mu__calloc(heap(), 1, sizeof *e + key->len);
    if (!e) {
        return NULL;
    }
    *e = (struct cache_entry){.cache = cache,
                              .kind = kind,
                              .used_ns = cache__now(cache),
                              .tokens = cache->config.fetch_burst,
                              .tokens_ns = cache__now(cache),
                              .due = {.slot = MU_HEAP_NONE},
                              .bytes = sizeof *e + key->len,
                              .key_len = key->len};
    memcpy(e->key, key->data, key->len);
    if (!mu__map_set(&cache->entries, e->key, e->key_len, e, NULL)) {
        mu__free(heap(), e);
        return NULL;
    }
    link_newest(e);
    cache->bytes += e->bytes;
    count_entries(cache);
    return e;
}

struct cache_entry *cache__entry(struct call_cache *cache, const struct call *c)
{
    size_t kind = cache__kind_of(c->endpoint);
    if (!write_key(cache, c, kind)) {
        return NULL;
    }
    struct cache_entry *e = mu__map_get(&cache->entries, cache->scratch.data, cache->scratch.len);
    if (!e) {
        return make_entry(cache, kind);
    }
    cache__entry_use(e);
    return e;
}

/* ---- Time ---- */

void cache__arm(struct call_cache *cache)
{
    const struct mu__heap_item *due = mu__heap_min(&cache->due);
    const struct mu__heap_item *deadline = mu__heap_min(&cache->deadlines);
    uint64_t at = due ? due->at : MU_NEVER;
    at = deadline && deadline->at < at ? deadline->at : at;
    if (cache->oldest && cache->oldest->used_ns + cache->config.keep_ns < at) {
        at = cache->oldest->used_ns + cache->config.keep_ns;
    }
    at = cache->closed ? MU_NEVER : at;
    if (at == cache->armed_ns) {
        return;
    }
    cache->armed_ns = at;
    if (at == MU_NEVER) {
        event_del(cache->timer);
        return;
    }
    uint64_t now = cache__now(cache), left = at > now ? at - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(left / MU_SEC),
                         .tv_usec = (suseconds_t)(left % MU_SEC / MU_USEC + (left > 0))};
    event_add(cache->timer, &tv);
}

void call_cache_advance(struct call_cache *cache)
{
    uint64_t now = cache__now(cache);
    cache->armed_ns = MU_NEVER;
    cache__deadlines(cache, now);
    cache__fetch_due(cache, now);
    expire(cache, now);
    cache__tell(cache);
    cache__arm(cache);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    call_cache_advance(arg);
}

/* ---- The cache ---- */

static enum metric metric_of(size_t kind, const char *what)
{
    char name[METRIC_NAME_MAX];
    snprintf(name, sizeof name, "consul.cache.%s.%s", cache__kinds[kind].name, what);
    return metrics_add(METRIC_COUNTER, name);
}

static void add_metrics(struct call_cache *cache)
{
    for (size_t i = 0; i < CACHE_KINDS; i++) {
        cache->metrics[i] = (struct cache_metrics){.hit = metric_of(i, "hit"),
                                                   .miss_new = metric_of(i, "miss_new"),
                                                   .miss_block = metric_of(i, "miss_block"),
                                                   .fetch_success = metric_of(i, "fetch_success"),
                                                   .fetch_error = metric_of(i, "fetch_error")};
    }
}

static void set_defaults(struct call_cache_config *c)
{
    c->entries_max = c->entries_max ? c->entries_max : ENTRIES_MAX;
    c->bytes_max = c->bytes_max ? c->bytes_max : BYTES_MAX;
    c->keep_ns = c->keep_ns ? c->keep_ns : KEEP_NS;
    c->wait_default_ns = c->wait_default_ns ? c->wait_default_ns : WAIT_DEFAULT_NS;
    c->wait_max_ns = c->wait_max_ns ? c->wait_max_ns : WAIT_MAX_NS;
    c->fetch_burst = c->fetch_burst ? c->fetch_burst : FETCH_BURST;
    c->now_ns = c->now_ns ? c->now_ns : loop_now_ns;
}

struct call_cache *call_cache_create(const struct call_cache_config *cfg)
{
    struct call_cache *cache = mu__calloc(heap(), 1, sizeof *cache);
    if (!cache) {
        return NULL;
    }
    cache->config = *cfg;
    set_defaults(&cache->config);
    mu__prng_seed(&cache->prng, cfg->seed);
    mu__map_init(&cache->entries, NULL, cfg->seed);
    mu__heap_init(&cache->due, NULL);
    mu__heap_init(&cache->deadlines, NULL);
    cache->scratch = mu__writer_growing(heap());
    mu__arena_init(&cache->arena, NULL, 0);
    cache->armed_ns = MU_NEVER;
    cache->timer = evtimer_new(cfg->base, on_timer, cache);
    if (!cache->timer) {
        call_cache_destroy(cache);
        return NULL;
    }
    add_metrics(cache);
    return cache;
}

void call_cache_set_rate(struct call_cache *cache, double fetch_rate, unsigned fetch_burst)
{
    cache->config.fetch_rate = fetch_rate;
    cache->config.fetch_burst = fetch_burst ? fetch_burst : FETCH_BURST;
    for (struct cache_entry *e = cache->newest; e; e = e->older) {
        e->tokens = cache->config.fetch_burst;
        e->tokens_ns = cache__now(cache);
    }
}

void call_cache_close(struct call_cache *cache)
{
    cache->closed = true;
    event_del(cache->timer);
    while (cache->oldest) {
        struct cache_entry *e = cache->oldest;
        cache__settle(e, "agent is shutting down");
        cache__entry_drop(e);
    }
    cache__tell(cache);
}

void call_cache_destroy(struct call_cache *cache)
{
    if (!cache) {
        return;
    }
    assert(!cache->oldest && !cache->answered);
    if (cache->timer) {
        event_free(cache->timer);
    }
    mu__heap_fini(&cache->due);
    mu__heap_fini(&cache->deadlines);
    mu__map_fini(&cache->entries);
    mu__writer_fini(&cache->scratch);
    mu__arena_fini(&cache->arena);
    mu__free(heap(), cache);
}

struct call_cache_stats call_cache_stats(const struct call_cache *cache)
{
    struct call_cache_stats st = {
        .entries = cache->entries.count, .bytes = cache->bytes, .waiting = cache->nasks};
    for (const struct cache_entry *e = cache->newest; e; e = e->older) {
        st.fetching += e->fetch != NULL;
    }
    return st;
}
