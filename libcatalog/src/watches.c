/* watches.c - who waits for which key, on one thread.
 *
 * A spot is a key that somebody waits on, for itself or for all that starts with it. Spots stand in
 * a radix tree of their own, so a touched key finds everybody concerned on one way down: whoever
 * waits on a prefix of it on the way, and whoever waits on the key itself at the end. */
#include <assert.h>
#include <string.h>

#include "planted.h"
#include "radix.h"
#include "touched.h"

struct spot;
struct hook { /* one key of one waiter: a member of a list of its spot */
    struct hook *next, **at;
    struct spot *spot;
    struct catalog_waiter *waiter;
};

struct spot {
    struct hook *whole, *prefix;
    size_t len;
    char key[];
};

struct catalog_waiter {
    struct catalog_waiter *next, **at; /* in one of the lists of struct catalog_watches */
    catalog_wake_fn wake;
    void *arg;
    uint64_t version; /* that was read: what it or an older one touched is known */
    bool is_woken;
    size_t nhooks;
    struct hook hooks[];
};

struct catalog_watches {
    struct catalog__space space; /* of the tree; nothing of it is ever published */
    struct catalog__radix *spots;
    struct catalog_waiter *waiting, *woken;
    size_t count;
};

int catalog_watches_create(const struct mu_allocator *allocator, struct catalog_watches **out)
{
    *out = NULL;
    struct mu_allocator a = mu__allocator_or_default(allocator);
    struct catalog_watches *w = mu__calloc(&a, 1, sizeof *w);
    if (!w) {
        return CATALOG_ENOMEM;
    }
    catalog__space_init(&w->space, &a);
    if (!catalog__space_reserve(&w->space, 4)) { /* so that to remove a spot never takes memory */
        mu__free(&a, w);
        return CATALOG_ENOMEM;
    }
    *out = w;
    return 0;
}

size_t catalog_watches_count(const struct catalog_watches *w)
{
    return w->count;
}

/* ---- Spots ---- */

static struct spot *spot_for(struct catalog_watches *w, struct mu_str key)
{
    struct spot *s = catalog__radix_get(w->spots, key);
    if (s) {
        return s;
    }
    s = mu__alloc(&w->space.allocator, sizeof *s + key.len);
    if (!s) {
        return NULL;
    }
    *s = (struct spot){.len = key.len};
    memcpy(s->key, key.p, key.len);
    void *old;
    if (!catalog__radix_put(&w->space, &w->spots, key, s, &old)) {
        mu__free(&w->space.allocator, s);
        return NULL;
    }
    return s;
}

static void drop_spot_if_empty(struct catalog_watches *w, struct spot *s)
{
    if (s->whole || s->prefix) {
        return;
    }
    void *old;
    bool removed =
        catalog__radix_remove(&w->space, &w->spots, (struct mu_str){s->key, s->len}, &old);
    assert(removed && old == s); /* fresh nodes shrink in place */
    mu__free(&w->space.allocator, s);
}

/* ---- Lists ---- */

static void hook_up(struct hook *h, struct hook **list)
{
    h->at = list;
    h->next = *list;
    if (h->next) {
        h->next->at = &h->next;
    }
    *list = h;
}

static void unhook(struct catalog_watches *w, struct hook *h)
{
    *h->at = h->next;
    if (h->next) {
        h->next->at = h->at;
    }
    drop_spot_if_empty(w, h->spot);
}

static void enlist(struct catalog_waiter *waiter, struct catalog_waiter **list)
{
    waiter->at = list;
    waiter->next = *list;
    if (waiter->next) {
        waiter->next->at = &waiter->next;
    }
    *list = waiter;
}

static void delist(struct catalog_waiter *waiter)
{
    *waiter->at = waiter->next;
    if (waiter->next) {
        waiter->next->at = waiter->at;
    }
}

/* ---- Waiters ---- */

static void unhook_all(struct catalog_watches *w, struct catalog_waiter *waiter)
{
    while (waiter->nhooks > 0) {
        unhook(w, &waiter->hooks[--waiter->nhooks]);
    }
}

static bool hook_all(struct catalog_watches *w, struct catalog_waiter *waiter,
                     const struct catalog_watch_keys *keys)
{
    for (size_t i = 0; i < keys->len; i++) {
        struct spot *s = spot_for(w, keys->items[i].key);
        if (!s) {
            return false;
        }
        struct hook *h = &waiter->hooks[waiter->nhooks++];
        *h = (struct hook){.spot = s, .waiter = waiter};
        hook_up(h, keys->items[i].prefix ? &s->prefix : &s->whole);
    }
    return true;
}

int catalog_watches_add(struct catalog_watches *w, const struct catalog_watch_keys *keys,
                        catalog_wake_fn wake, void *arg, struct catalog_waiter **out)
{
    size_t bytes;
    if (keys->len == 0 || !mu__mul(keys->len, sizeof(struct hook), &bytes) ||
        !mu__add(bytes, sizeof(struct catalog_waiter), &bytes)) {
        return CATALOG_EINVAL;
    }
    struct catalog_waiter *waiter = mu__alloc(&w->space.allocator, bytes);
    if (!waiter) {
        return CATALOG_ENOMEM;
    }
    *waiter = (struct catalog_waiter){.wake = wake, .arg = arg, .version = keys->version};
    if (!hook_all(w, waiter, keys)) {
        unhook_all(w, waiter);
        mu__free(&w->space.allocator, waiter);
        return CATALOG_ENOMEM;
    }
    enlist(waiter, &w->waiting);
    w->count++;
    if (out) {
        *out = waiter;
    }
    return 0;
}

void catalog_watches_remove(struct catalog_watches *w, struct catalog_waiter *waiter)
{
    delist(waiter);
    if (!waiter->is_woken) {
        unhook_all(w, waiter);
        w->count--;
    }
    mu__free(&w->space.allocator, waiter);
}

void catalog_watches_destroy(struct catalog_watches *w)
{
    if (!w) {
        return;
    }
    assert(!w->woken); /* not from within a wake */
    while (w->waiting) {
        catalog_watches_remove(w, w->waiting);
    }
    assert(!w->spots);
    struct mu_allocator a = w->space.allocator;
    catalog__space_fini(&w->space);
    mu__free(&a, w);
}

/* ---- Waking ---- */

static void mark_woken(struct catalog_watches *w, struct catalog_waiter *waiter, uint64_t version)
{
    uint64_t known = waiter->version + CATALOG__PLANTED(WAKE_MISSED_VERSION);
    if (!waiter->is_woken && known < version) {
        waiter->is_woken = true;
        delist(waiter);
        enlist(waiter, &w->woken);
    }
}

static void mark_hooks(struct catalog_watches *w, struct hook *h, uint64_t version)
{
    for (; h; h = h->next) {
        mark_woken(w, h->waiter, version);
    }
}

static void mark_key(struct catalog_watches *w, struct mu_str key, uint64_t version)
{
    struct catalog__radix_path path = catalog__radix_path(w->spots, key);
    bool is_whole;
    for (struct spot *s; (s = catalog__radix_path_next(&path, &is_whole)) != NULL;) {
        if (!CATALOG__PLANTED(WAKE_MISSED_PREFIX)) {
            mark_hooks(w, s->prefix, version);
        }
        if (is_whole) {
            mark_hooks(w, s->whole, version);
        }
    }
}

static void mark_all(struct catalog_watches *w, uint64_t version)
{
    for (struct catalog_waiter *waiter = w->waiting, *next; waiter; waiter = next) {
        next = waiter->next;
        mark_woken(w, waiter, version);
    }
}

size_t catalog_watches_notify(struct catalog_watches *w, const struct catalog_touched *touched)
{
    assert(!w->woken); /* not from within a wake */
    if (touched->is_all) {
        mark_all(w, touched->version);
    }
    size_t at = 0;
    for (struct mu_str key; w->waiting && catalog__touched_next(touched, &at, &key);) {
        mark_key(w, key, touched->version);
    }
    for (struct catalog_waiter *waiter = w->woken; waiter; waiter = waiter->next) {
        unhook_all(w, waiter);
        w->count--;
    }
    size_t n = 0;
    while (w->woken) { /* which a wake may shorten */
        struct catalog_waiter *waiter = w->woken;
        catalog_wake_fn wake = waiter->wake;
        void *arg = waiter->arg;
        catalog_watches_remove(w, waiter);
        wake(arg);
        n++;
    }
    return n;
}
