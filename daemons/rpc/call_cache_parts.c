/* call_cache_parts.c - the parts that entries stand in. Each has its own bounds and its own order
 * of use, so that names which strangers make up push out nothing that is of use to others. */
#include "call_cache_internal.h"

#define BUSY_MAX 256u /* entries in use that are passed over when one must go */

#define AGED_MAX     512u
#define AGED_BYTES   ((size_t)8 << 20)
#define ABSENT_MAX   256u
#define ABSENT_BYTES ((size_t)1 << 20)
#define ABSENT_NS    (60 * MU_SEC)
#define ONCE_MAX     1024u
#define ONCE_BYTES   ((size_t)16 << 20) /* while they are told: afterwards they have no answer */
#define ONCE_NS      (10 * MU_SEC)      /* asked for again within it, a name is watched */
#define ONCE_AT_ONCE 256u               /* under way upstream */
/* Of names that are not there. A Consul server does not notice that a query is given up, and holds
 * it to its end. */
#define WATCHES_PER_S 10.0
#define WATCHES_BURST 100.0

void cache__parts_init(struct call_cache *cache)
{
    const struct call_cache_config *c = &cache->config;
    cache->parts[CACHE_KNOWN] = (struct cache_part){
        .entries_max = c->entries_max, .bytes_max = c->bytes_max, .keep_ns = c->keep_ns};
    cache->parts[CACHE_AGED] = (struct cache_part){
        .entries_max = AGED_MAX, .bytes_max = AGED_BYTES, .keep_ns = c->keep_ns};
    cache->parts[CACHE_ABSENT] = (struct cache_part){
        .entries_max = ABSENT_MAX, .bytes_max = ABSENT_BYTES, .keep_ns = ABSENT_NS};
    cache->parts[CACHE_ONCE] =
        (struct cache_part){.entries_max = ONCE_MAX, .bytes_max = ONCE_BYTES, .keep_ns = ONCE_NS};
    cache->watch_tokens = WATCHES_BURST;
    cache->watch_tokens_ns = cache__now(cache);
}

/* ---- By use ---- */

static struct cache_part *part_of(const struct cache_entry *e)
{
    return &e->cache->parts[e->part];
}

void cache__part_add(struct cache_entry *e)
{
    struct cache_part *p = part_of(e);
    e->newer = NULL;
    e->older = p->newest;
    *(p->newest ? &p->newest->newer : &p->oldest) = e;
    p->newest = e;
    p->entries++;
    p->bytes += e->bytes;
}

void cache__part_remove(struct cache_entry *e)
{
    struct cache_part *p = part_of(e);
    *(e->newer ? &e->newer->older : &p->newest) = e->older;
    *(e->older ? &e->older->newer : &p->oldest) = e->newer;
    p->entries--;
    p->bytes -= e->bytes;
}

void cache__part_move(struct cache_entry *e, enum cache_part_id to)
{
    cache__part_remove(e);
    e->part = to;
    cache__part_add(e);
    cache__under_way(e, e->is_under_way && to == CACHE_ONCE);
}

void cache__entry_use(struct cache_entry *e)
{
    cache__part_remove(e);
    cache__part_add(e);
    e->used_ns = cache__now(e->cache);
}

void cache__entry_grow(struct cache_entry *e, size_t bytes)
{
    part_of(e)->bytes += bytes - e->bytes;
    e->bytes = bytes;
}

/* The least recently used one that nobody waits for; NULL: all that were looked at are in use. What
 * is waited for counts as used now, so that it is not in the way each time. */
static struct cache_entry *spare(const struct cache_part *p)
{
    for (unsigned n = 0; p->oldest && p->oldest->asks && n < BUSY_MAX; n++) {
        cache__entry_use(p->oldest);
    }
    return p->oldest && !p->oldest->asks ? p->oldest : NULL;
}

static bool evict(const struct cache_part *p)
{
    struct cache_entry *e = spare(p);
    if (e) {
        cache__entry_drop(e);
        metric_count(METRIC_CACHE_EVICT_EXPIRED, 1);
    }
    return e != NULL;
}

bool cache__part_make_room(struct call_cache *cache, enum cache_part_id part)
{
    const struct cache_part *p = &cache->parts[part];
    return p->entries < p->entries_max || evict(p);
}

void cache__trim(struct call_cache *cache)
{
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        const struct cache_part *p = &cache->parts[i];
        while ((p->bytes > p->bytes_max || p->entries > p->entries_max) && evict(p)) {
        }
    }
}

/* Those that nobody has asked for in a long time; what is waited for is in use. */
void cache__expire(struct call_cache *cache, uint64_t now)
{
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        const struct cache_part *p = &cache->parts[i];
        while (p->oldest && now - p->oldest->used_ns >= p->keep_ns) {
            struct cache_entry *e = p->oldest;
            if (e->asks) {
                cache__entry_use(e);
            } else {
                cache__entry_drop(e);
                metric_count(METRIC_CACHE_EVICT_EXPIRED, 1);
            }
        }
    }
}

uint64_t cache__expires_at(const struct call_cache *cache)
{
    uint64_t at = MU_NEVER;
    for (size_t i = 0; i < CACHE_PARTS; i++) {
        const struct cache_part *p = &cache->parts[i];
        if (p->oldest && p->oldest->used_ns + p->keep_ns < at) {
            at = p->oldest->used_ns + p->keep_ns;
        }
    }
    return at;
}

/* ---- Which part ---- */

bool cache__may_go_once(const struct call_cache *cache)
{
    return cache->once_under_way < ONCE_AT_ONCE;
}

void cache__under_way(struct cache_entry *e, bool is)
{
    if (e->is_under_way != is) {
        e->is_under_way = is;
        e->cache->once_under_way += is ? 1u : (size_t)-1;
    }
}

/* Is there a watch to be had for a name that is not there? */
static bool take_watch(struct call_cache *cache)
{
    uint64_t now = cache__now(cache);
    cache->watch_tokens += (double)(now - cache->watch_tokens_ns) / (double)MU_SEC * WATCHES_PER_S;
    cache->watch_tokens = cache->watch_tokens < WATCHES_BURST ? cache->watch_tokens : WATCHES_BURST;
    cache->watch_tokens_ns = now;
    if (cache->watch_tokens < 1) {
        return false;
    }
    cache->watch_tokens -= 1;
    return true;
}

void cache__place_asked(struct cache_entry *e, const struct call *c)
{
    bool again = e->part == CACHE_ONCE && !e->fetch && cache__kinds[e->kind].watched;
    if (e->part != CACHE_KNOWN && !c->may_be_made_up) {
        cache__part_move(e, CACHE_KNOWN);
    } else if (again && take_watch(e->cache) && cache__part_make_room(e->cache, CACHE_ABSENT)) {
        cache__part_move(e, CACHE_ABSENT);
    }
}

/* Does the answer name anything? */
static bool finds_something(const struct cache_entry *e)
{
    const void *reply = e->value->reply;
    switch (cache__kinds[e->kind].endpoint) {
    case ENDPOINT_HEALTH_SERVICE_NODES:
        return ((const struct catalog_indexed_check_service_nodes *)reply)->nodes.len > 0;
    case ENDPOINT_CATALOG_NODE_SERVICES:
        return ((const struct catalog_indexed_node_services *)reply)->node_services != NULL;
    case ENDPOINT_PREPARED_QUERY_EXECUTE:
        return ((const struct catalog_query_execute_response *)reply)->nodes.len > 0;
    default:
        return true;
    }
}

void cache__place_answered(struct cache_entry *e)
{
    bool is_stranger = e->part == CACHE_ONCE || e->part == CACHE_ABSENT;
    if (is_stranger && finds_something(e)) {
        cache__part_move(e, cache__kinds[e->kind].watched ? CACHE_KNOWN : CACHE_AGED);
    } else if (e->part == CACHE_ONCE) {
        cache__entry_forget(e);
    }
}
