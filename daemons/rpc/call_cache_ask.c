/* call_cache_ask.c - the calls that want an answer: told at once or when there is one, in time, and
 * the way from the fronts of other loops and back. */
#include "call_cache_internal.h"

#include "base/loop.h"

#include <assert.h>
#include <string.h>

struct call_cache_port {
    struct call_backend backend; /* first */
    struct call_cache *cache;
    struct loop *loop;
    struct call_backend *from;
};

static const struct catalog_query_options *options_of(const struct cache_ask *a)
{
    return endpoint_options(a->call->endpoint, a->call->request);
}

/* ---- Lists ---- */

static void put(struct cache_ask **list, struct cache_ask *a)
{
    a->list = list;
    a->previous = NULL;
    a->next = *list;
    if (a->next) {
        a->next->previous = a;
    }
    *list = a;
}

static void take(struct cache_ask *a)
{
    *(a->previous ? &a->previous->next : a->list) = a->next;
    if (a->next) {
        a->next->previous = a->previous;
    }
    a->list = NULL;
}

/* ---- Answers ---- */

static void free_ask(struct cache_ask *a)
{
    cache__value_unref(a->value);
    mu__free(&mu__malloc_allocator, a->error);
    mu__free(&mu__malloc_allocator, a);
}

/* Ends the call with what the ask was told; on the call's own loop. */
static void finish_call(struct cache_ask *a)
{
    struct call *c = a->call;
    if (a->bypass) {
        call_delegate(a->port->from, c);
    } else if (a->error) {
        call_fail(c, "%s", a->error);
    } else if (!a->value) {
        call_fail(c, "out of memory");
    } else {
        c->reply = a->value->reply;
        c->cached = a->hit ? CALL_HIT : CALL_MISS;
        c->cached_age_ns = a->age_ns;
        c->stamp = a->stamp;
        call_finish(c);
    }
    free_ask(a);
}

static void on_back(void *arg)
{
    struct cache_ask *a = arg;
    if (!a->cancelled) { /* else the answer to the cancellation is awaited */
        finish_call(a);
    }
}

static bool is_elsewhere(const struct call_cache_port *p)
{
    return p->loop != p->cache->config.loop;
}

void cache__tell(struct call_cache *cache)
{
    if (cache->telling) {
        return; /* whoever does it comes to them too */
    }
    cache->telling = true;
    for (struct cache_ask *a; (a = cache->answered) != NULL;) {
        take(a);
        if (is_elsewhere(a->port)) {
            loop_post(a->port->loop, on_back, a);
        } else {
            finish_call(a);
        }
    }
    cache->telling = false;
}

/* It does not wait for its entry any more. */
static void leave(struct cache_ask *a)
{
    struct call_cache *cache = a->entry->cache;
    take(a);
    mu__heap_remove(&cache->deadlines, &a->deadline);
    cache->nasks--;
    a->entry = NULL;
}

static void give(struct cache_ask *a, bool hit, const char *error)
{
    struct cache_entry *e = a->entry;
    bool watched = cache__kinds[e->kind].watched;
    uint64_t now = cache__now(e->cache), since = watched ? e->lost_ns : e->fetched_ns;
    leave(a);
    a->hit = hit;
    a->age_ns = since && now > since ? now - since : 0;
    if (error) {
        a->error = mu__strndup(&mu__malloc_allocator, error, strlen(error));
    } else {
        a->value = cache__value_ref(e->value);
        a->stamp = watched && !e->lost_ns ? e->stamp : 0;
    }
    put(&e->cache->answered, a);
}

static void pass_by(struct call_cache *cache, struct cache_ask *a)
{
    metric_count(METRIC_CACHE_BYPASS, 1);
    a->bypass = true;
    put(&cache->answered, a);
}

void cache__pass_by(struct cache_entry *e)
{
    while (e->asks) {
        struct cache_ask *a = e->asks;
        leave(a);
        pass_by(e->cache, a);
    }
}

/* An old answer is better than none, if the client says so. */
static bool may_be_stale(const struct cache_ask *a)
{
    const struct cache_entry *e = a->entry;
    int64_t limit = options_of(a)->stale_if_error_ns;
    return e->value && !cache__kinds[e->kind].watched && limit > 0 &&
           cache__now(e->cache) - e->fetched_ns < (uint64_t)limit;
}

void cache__settle(struct cache_entry *e, const char *error)
{
    uint64_t now = cache__now(e->cache);
    for (struct cache_ask *a = e->asks, *next; a; a = next) {
        next = a->next;
        bool is_over = a->deadline.slot == MU_HEAP_NONE && a->deadline.at <= now;
        if (error && may_be_stale(a)) {
            give(a, true, NULL);
        } else if (error || e->value->index > a->min_index || is_over) {
            give(a, false, error);
        }
    }
}

/* Who has waited as long as it wanted gets what there is; if that is nothing, the first answer. */
void cache__deadlines(struct call_cache *cache, uint64_t now)
{
    for (struct mu__heap_item *i; (i = mu__heap_min(&cache->deadlines)) != NULL && i->at <= now;) {
        struct cache_ask *a = (void *)((char *)i - offsetof(struct cache_ask, deadline));
        mu__heap_remove(&cache->deadlines, i);
        if (a->entry->value) {
            give(a, false, NULL);
        }
    }
}

/* ---- Questions ---- */

/* Will what there is do? Of what is watched only an index says no. */
static bool is_hit(const struct cache_ask *a)
{
    const struct cache_entry *e = a->entry;
    const struct catalog_query_options *o = options_of(a);
    if (!e->value) {
        return false;
    }
    if (cache__kinds[e->kind].watched) {
        return a->min_index == 0 || a->min_index < e->value->index;
    }
    uint64_t age = cache__now(e->cache) - e->fetched_ns;
    return !o->must_revalidate && (o->max_age_ns <= 0 || age <= (uint64_t)o->max_age_ns);
}

static uint64_t wait_of(const struct cache_ask *a)
{
    const struct call_cache_config *c = &a->entry->cache->config;
    const struct catalog_query_options *o = options_of(a);
    uint64_t wait = o->max_query_time_ns > 0 ? (uint64_t)o->max_query_time_ns : c->wait_default_ns;
    return wait < c->wait_max_ns ? wait : c->wait_max_ns;
}

static void refuse(struct call_cache *cache, struct cache_ask *a)
{
    static const char why[] = "too many names that nobody knows are being looked up";
    a->error = mu__strndup(&mu__malloc_allocator, why, sizeof why - 1);
    put(&cache->answered, a);
}

static void seek(struct call_cache *cache, struct cache_ask *a)
{
    struct cache_entry *e = cache->closed ? NULL : cache__entry(cache, a->call);
    if (!e) {
        (a->call->may_be_made_up ? refuse : pass_by)(cache, a);
        return;
    }
    const struct cache_metrics *m = &cache->metrics[e->kind];
    a->entry = e;
    a->min_index = cache__kinds[e->kind].watched ? options_of(a)->min_query_index : 0;
    a->deadline = (struct mu__heap_item){.slot = MU_HEAP_NONE, .at = MU_NEVER};
    put(&e->asks, a);
    cache->nasks++;
    if (is_hit(a)) {
        metric_count(m->hit, 1);
        give(a, true, NULL);
        if (e->lost_ns && cache__is_watched(e)) {
            cache__probe(e);
        }
        return;
    }
    metric_count(a->min_index ? m->miss_block : m->miss_new, 1);
    if (a->min_index) {
        mu__heap_set(&cache->deadlines, &a->deadline, cache__now(cache) + wait_of(a));
    }
    cache__fetch(e);
}

static void ask(struct call_cache *cache, struct cache_ask *a)
{
    seek(cache, a);
    cache__tell(cache);
    cache__arm(cache);
}

/* Nobody wants the answer any more. The entry stays: it was asked for; but who may have made it up
 * gives its place to others. */
static void withdraw(struct cache_ask *a)
{
    struct cache_entry *e = a->entry;
    if (e) {
        leave(a);
        if (e->part == CACHE_ONCE && !e->asks) {
            cache__entry_drop(e);
        }
    } else if (a->list) {
        take(a);
    }
}

/* ---- From another loop ---- */

static void on_ask(void *arg)
{
    struct cache_ask *a = arg;
    ask(a->port->cache, a);
}

static void on_withdrawn(void *arg)
{
    struct cache_ask *a = arg;
    call_free(a->call);
    free_ask(a);
}

static void on_withdraw(void *arg)
{
    struct cache_ask *a = arg;
    withdraw(a);
    loop_post(a->port->loop, on_withdrawn, a);
}

/* ---- The backend ---- */

static void start(struct call_backend *b, struct call *c)
{
    struct call_cache_port *p = (struct call_cache_port *)b;
    struct cache_ask *a = c->may_cache && call_cache_takes(c->endpoint)
                              ? mu__calloc(&mu__malloc_allocator, 1, sizeof *a)
                              : NULL;
    if (!a) {
        call_delegate(p->from, c);
        return;
    }
    *a = (struct cache_ask){.port = p, .call = c};
    c->state = a;
    if (is_elsewhere(p)) {
        loop_post(p->cache->config.loop, on_ask, a);
    } else {
        ask(p->cache, a);
    }
}

static void cancel(struct call_backend *b, struct call *c)
{
    struct call_cache_port *p = (struct call_cache_port *)b;
    struct cache_ask *a = c->state;
    if (is_elsewhere(p)) {
        a->cancelled = true;
        loop_post(p->cache->config.loop, on_withdraw, a);
        return;
    }
    withdraw(a);
    free_ask(a);
    call_free(c);
}

struct call_cache_port *call_cache_port_create(struct call_cache *cache, struct loop *loop,
                                               struct call_backend *from)
{
    struct call_cache_port *p = mu__calloc(&mu__malloc_allocator, 1, sizeof *p);
    if (p) {
        *p = (struct call_cache_port){
            .backend = {start, cancel}, .cache = cache, .loop = loop, .from = from};
    }
    return p;
}

struct call_backend *call_cache_port_backend(struct call_cache_port *port)
{
    return &port->backend;
}

void call_cache_port_destroy(struct call_cache_port *port)
{
    mu__free(&mu__malloc_allocator, port);
}
