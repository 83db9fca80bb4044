/* fuzz_http_config.c - bodies of config entries: the first byte chooses the kind.
 *
 * What is accepted and prepared survives msgpack, prints as JSON that is accepted as the same entry
 * (but for the opaque map, whose lists of one are taken apart each time), and a catalog that is
 * given it twice stays whole. */
#include "http/weak.h"

#include <assert.h>
#include <muster/catalog.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const kinds[] = {CATALOG_KIND_SERVICE_DEFAULTS,   CATALOG_KIND_PROXY_DEFAULTS,
                                    CATALOG_KIND_SERVICE_ROUTER,     CATALOG_KIND_SERVICE_SPLITTER,
                                    CATALOG_KIND_SERVICE_RESOLVER,   CATALOG_KIND_INGRESS_GATEWAY,
                                    CATALOG_KIND_TERMINATING_GATEWAY};

static void *room_alloc(void *user, size_t size)
{
    return mu__arena_alloc(user, size);
}

static void room_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

static struct catalog_config_entry *decode(const struct mu__schema *s, const char *text, size_t len,
                                           struct mu__arena *a)
{
    char err[WEAK_ERROR_MAX] = "";
    struct weak_body body;
    struct catalog_config_entry *e = mu__arena_calloc(a, 1, s->size);
    assert(e);
    bool ok = weak_read(text, len, a, &body, err, sizeof err) &&
              weak_decode(&body, s, true, a, e, err, sizeof err);
    assert(ok || (err[0] && memchr(err, 0, sizeof err)));
    return ok ? e : NULL;
}

static void check_json(const struct mu__schema *s, const struct catalog_config_entry *e,
                       struct mu__arena *a)
{
    struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
    struct mu__json j = mu__json(&w, false);
    mu__json_value(&j, s, e);
    if (!w.failed && a->used < 4 << 20) {
        struct catalog_config_entry *again = decode(s, (const char *)w.data, w.len, a);
        assert(again);
        again->create_index = e->create_index;
        again->modify_index = e->modify_index;
        assert(mu__schema_equal(s, e, again));
    }
    mu__writer_fini(&w);
}

static void check_msgpack(const struct mu__schema *s, const struct catalog_config_entry *e,
                          const struct mu__writer *w, struct mu__arena *a)
{
    struct mu__reader r = mu__reader(w->data, w->len);
    struct catalog_config_entry *again = mu__arena_calloc(a, 1, s->size);
    assert(again && mu__schema_decode(s, &r, a, true, again));
    assert(mu__schema_equal(s, e, again));
}

static void apply(const struct catalog_config_entry *e, const struct mu__writer *body)
{
    struct catalog *c;
    struct catalog_config_request q = {.kind = e->kind,
                                       .op = mu__cstr(CATALOG_CONFIG_UPSERT),
                                       .entry = {(const char *)body->data, body->len}};
    size_t len = 0;
    if (catalog_create(NULL, &c) != 0) {
        return;
    }
    int rc = catalog_encode_entry(CATALOG_ENTRY_CONFIG, &q, NULL, &len);
    void *entry = rc == CATALOG_ENOBUFS ? mu__alloc(&mu__malloc_allocator, len) : NULL;
    assert(entry && catalog_encode_entry(CATALOG_ENTRY_CONFIG, &q, entry, &len) == 0);
    for (uint64_t index = 1; index <= 2; index++) {
        struct catalog_result result;
        bool ok = catalog_apply_begin(c) == 0 && catalog_apply(c, index, entry, len, &result) == 0;
        assert(ok);
        catalog_apply_end(c, NULL);
    }
    mu__free(&mu__malloc_allocator, entry);
    catalog_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct mu_str kind = mu__cstr(kinds[data[0] % (sizeof kinds / sizeof *kinds)]);
    const struct mu__schema *s = catalog_config_schema(kind);
    struct mu__arena a;
    char text[512];
    mu__arena_init(&a, NULL, 8 << 20);
    const struct mu_allocator room = {&a, room_alloc, NULL, room_free};
    struct catalog_config_entry *e = decode(s, (const char *)data + 1, size - 1, &a);
    if (e && !catalog_config_prepare(kind, e, &room, text, sizeof text)) {
        struct mu__writer w = mu__writer_growing(&mu__malloc_allocator);
        mu__schema_encode(s, e, &w);
        if (!mu__str_eq(kind, mu__cstr(CATALOG_KIND_PROXY_DEFAULTS))) {
            check_json(s, e, &a);
        }
        check_msgpack(s, e, &w, &a);
        apply(e, &w);
        mu__writer_fini(&w);
    }
    mu__arena_fini(&a);
    return 0;
}
