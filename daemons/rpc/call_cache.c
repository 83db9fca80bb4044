/* call_cache.c - the entries: found by what is asked for, made, and let go. */
#include "call_cache_internal.h"

#include "base/loop.h"
#include "intention_order.h"
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
#define LARGEST_PART    4u /* of bytes_max may be one entry's */

/* The names are those of Consul's cache types. */
const struct cache_kind cache__kinds[CACHE_KINDS] = {
    {"catalog-datacenters", ENDPOINT_CATALOG_LIST_DATACENTERS, false},
    {"catalog-list-services", ENDPOINT_CATALOG_LIST_SERVICES, true},
    {"node-services", ENDPOINT_CATALOG_NODE_SERVICES, true},
    {"catalog-services", ENDPOINT_CATALOG_SERVICE_NODES, true},
    {"connect-ca-root", ENDPOINT_CONNECT_CA_ROOTS, true},
    {"compiled-discovery-chain", ENDPOINT_DISCOVERY_CHAIN_GET, true},
    {"health-services", ENDPOINT_HEALTH_SERVICE_NODES, true},
    {"intention-match", ENDPOINT_INTENTION_MATCH, true},
    {"prepared-query", ENDPOINT_PREPARED_QUERY_EXECUTE, false},
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

/* As routes_authorize.c relies on. */
static void put_in_order(const struct call *c)
{
    const struct catalog_indexed_intention_matches *found = c->reply;
    bool is_match = c->endpoint == &endpoints[ENDPOINT_INTENTION_MATCH];
    for (size_t i = 0; is_match && i < found->matches.len; i++) {
        intention_order(found->matches.items[i]);
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
    put_in_order(&copy);
    const struct catalog_query_meta *m = endpoint_meta(c->endpoint, copy.reply);
    v->arena = copy.arena;
    v->reply = copy.reply;
    v->index = m && m->index > 0 ? m->index : 1;
    atomic_init(&v->refs, 1);
    return v;
}

/* ---- Entries ---- */

void cache__entry_drop(struct cache_entry *e)
{
    struct call_cache *cache = e->cache;
    assert(!e->asks);
    if (e->fetch) {
        call_cancel(e->fetch);
    }
    cache__under_way(e, false);
    mu__heap_remove(&cache->due, &e->due);
    mu__map_remove(&cache->entries, e->key, e->key_len);
    cache__part_remove(e);
    cache__value_unref(e->value);
    cache->version++;
    mu__free(heap(), e);
    count_entries(cache);
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
    e->stamp = ++cache->version;
    cache__entry_grow(e, sizeof *e + e->key_len + sizeof *v + v->arena.used);
    return true;
}

void cache__entry_forget(struct cache_entry *e)
{
    cache__value_unref(e->value);
    e->value = NULL;
    e->cache->version++;
    cache__entry_grow(e, sizeof *e + e->key_len);
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
static const void *essence(const struct endpoint *e, const void *request, struct mu__arena *a)
{
    void *copy = mu__arena_memdup(a, request, e->request->size);
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
static bool write_key(struct call_cache *cache, const struct endpoint *e, const void *request)
{
    struct mu__writer *w = &cache->scratch;
    const void *what = essence(e, request, &cache->arena);
    w->len = 0;
    w->failed = what == NULL;
    if (what) {
        mu__write_u8(w, (uint8_t)cache__kind_of(e));
        mu__schema_encode(e->request, what, w);
    }
    mu__arena_reset(&cache->arena);
    return !w->failed;
}

static struct cache_entry *make_entry(struct call_cache *cache, size_t kind,
                                      enum cache_part_id part)
{
    const struct mu__writer *key = &cache->scratch;
    struct cache_entry *e =
        cache__part_make_room(cache, part) ? mu__calloc(heap(), 1, sizeof *e + key->len) : NULL;
    if (!e) {
        return NULL;
    }
    *e = (struct cache_entry){.cache = cache,
                              .kind = kind,
                              .part = part,
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
    cache__part_add(e);
    count_entries(cache);
    return e;
}

struct cache_entry *cache__entry_find(struct call_cache *cache, const struct endpoint *e,
                                      const void *request)
{
    return write_key(cache, e, request)
               ? mu__map_get(&cache->entries, cache->scratch.data, cache->scratch.len)
               : NULL;
}

struct cache_entry *cache__entry(struct call_cache *cache, const struct call *c)
{
    struct cache_entry *e = cache__entry_find(cache, c->endpoint, c->request);
    if (e) {
        cache__entry_use(e);
        cache__place_asked(e, c);
        return e;
    }
    if (cache->scratch.failed || (c->may_be_made_up && !cache__may_go_once(cache))) {
        return NULL;
    }
    return make_entry(cache, cache__kind_of(c->endpoint),
                      c->may_be_made_up ? CACHE_ONCE : CACHE_KNOWN);
}

/* ---- Time ---- */

void cache__arm(struct call_cache *cache)
{
    const struct mu__heap_item *due = mu__heap_min(&cache->due);
    const struct mu__heap_item *deadline = mu__heap_min(&cache->deadlines);
    uint64_t at = due ? due->at : MU_NEVER;
    at = deadline && deadline->at < at ? deadline->at : at;
    uint64_t expires = cache__expires_at(cache);
    at = cache->closed ? MU_NEVER : mu__min(at, expires);
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
    cache__expire(cache, now);
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
    cache__parts_init(cache);
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
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        for (struct cache_entry *e = cache->parts[i].newest; e; e = e->older) {
            e->tokens = cache->config.fetch_burst;
            e->tokens_ns = cache__now(cache);
        }
    }
}

void call_cache_close(struct call_cache *cache)
{
    cache->closed = true;
    event_del(cache->timer);
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        for (struct cache_entry *e; (e = cache->parts[i].oldest) != NULL;) {
            cache__settle(e, "agent is shutting down");
            cache__entry_drop(e);
        }
    }
    cache__tell(cache);
}

void call_cache_destroy(struct call_cache *cache)
{
    if (!cache) {
        return;
    }
    assert(cache->entries.count == 0 && !cache->answered);
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
    struct call_cache_stats st = {.entries = cache->entries.count, .waiting = cache->nasks};
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        st.bytes += cache->parts[i].bytes;
        for (const struct cache_entry *e = cache->parts[i].newest; e; e = e->older) {
            st.fetching += e->fetch != NULL;
        }
    }
    return st;
}
