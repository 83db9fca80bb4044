/* touched.c - the set of watch keys that a batch touched: written once, shared by all fronts. */
#include "touched.h"

#include <assert.h>

#include "key.h"

void catalog__touch(struct catalog *c, char kind, struct mu_str key)
{
    struct mu__writer *w = &c->touched_keys;
    size_t before = w->len;
    if (c->is_quiet) {
        return;
    }
    if (key.len >= UINT32_MAX) {
        c->is_void = true; /* longer than any entry */
        return;
    }
    mu__write_u32be(w, (uint32_t)(key.len + 1));
    mu__write_u8(w, (uint8_t)kind);
    mu__write_bytes(w, key.p, key.len);
    if (w->failed) {
        w->len = before;
        c->is_void = true;
    }
}

void catalog__touch_name(struct catalog *c, char kind, struct mu_str name)
{
    struct catalog__key key;
    catalog__key_join(&key, &name, 1, false);
    catalog__touch(c, kind, catalog__key_str(&key));
}

bool catalog__touched_next(const struct catalog_touched *t, size_t *at, struct mu_str *key)
{
    struct mu__reader r = mu__reader(t->keys, t->len);
    r.pos = *at;
    if (r.pos == r.len) {
        return false;
    }
    size_t len = mu__read_u32be(&r);
    const uint8_t *p = mu__read_bytes(&r, len);
    assert(!r.failed); /* we wrote it */
    *key = (struct mu_str){(const char *)p, len};
    *at = r.pos;
    return true;
}

struct catalog_touched *catalog_touched_ref(struct catalog_touched *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void catalog_touched_unref(struct catalog_touched *t)
{
    if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1) {
        struct mu_allocator a = t->allocator;
        mu__free(&a, t->keys);
        mu__free(&a, t);
    }
}

bool catalog_touched_is_all(const struct catalog_touched *t)
{
    return t->is_all;
}

bool catalog_touched_is_empty(const struct catalog_touched *t)
{
    return !t->is_all && t->len == 0;
}
