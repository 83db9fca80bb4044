#include "store.h"

#include "planted.h"

#include <assert.h>
#include <string.h>

bool catalog__tree_is_primary(enum catalog__tree t)
{
    switch (t) {
    case CATALOG__NODES:
    case CATALOG__SERVICES:
    case CATALOG__CHECKS:
    case CATALOG__KEYS:
    case CATALOG__TOMBSTONES:
    case CATALOG__SERVICE_INDEXES:
    case CATALOG__AUTOPILOT:
    case CATALOG__COORDINATES:
    case CATALOG__CONFIG_ENTRIES:
    case CATALOG__SESSIONS:
    case CATALOG__QUERIES:
    case CATALOG__GATEWAY_SERVICES:
    case CATALOG__VIRTUAL_IPS:
    case CATALOG__INTENTIONS:
    case CATALOG__CA_CONFIG:
    case CATALOG__CA_ROOTS:
    case CATALOG__CA_STATES:
        return true;
    default:
        return false;
    }
}

/* ---- The catalog ---- */

void catalog_config_init_sized(struct catalog_config *cfg, size_t size)
{
    assert(size >= sizeof cfg->size);
    memset(cfg, 0, size);
    cfg->size = size;
}

/* Widens or narrows the caller's config to this release's. */
static int config_load(const struct catalog_config *cfg, struct catalog_config *out)
{
    catalog_config_init(out);
    if (!cfg) {
        return 0;
    }
    if (cfg->size < sizeof cfg->size) {
        return CATALOG_EINVAL;
    }
    for (size_t i = sizeof *out; i < cfg->size; i++) {
        if (((const char *)cfg)[i] != 0) {
            return CATALOG_EINVAL; /* asks for something newer */
        }
    }
    memcpy(out, cfg, mu__min(cfg->size, sizeof *out));
    out->size = sizeof *out;
    return 0;
}

static void *noticing_alloc(void *user, size_t size)
{
    struct catalog *c = user;
    void *p = mu__alloc(&c->allocator, size);
    c->is_void |= p == NULL;
    return p;
}

static void noticing_free(void *user, void *p)
{
    struct catalog *c = user;
    mu__free(&c->allocator, p);
}

int catalog_create(const struct catalog_config *cfg, struct catalog **out)
{
    *out = NULL;
    struct catalog_config config;
    int rc = config_load(cfg, &config);
    if (rc != 0) {
        return rc;
    }
    struct mu_allocator a = mu__allocator_or_default(config.allocator);
    struct catalog *c = mu__calloc(&a, 1, sizeof *c);
    struct catalog__version *v = mu__calloc(&a, 1, sizeof *v);
    if (!c || !v) {
        mu__free(&a, c);
        mu__free(&a, v);
        return CATALOG_ENOMEM;
    }
    v->seq = 1;
    c->allocator = a;
    catalog__space_init(&c->space, &a);
    c->noticing = (struct mu_allocator){.user = c, .alloc = noticing_alloc, .free = noticing_free};
    mu__arena_init(&c->scratch, &c->noticing, 0);
    c->oldest = v;
    atomic_init(&c->current, v);
    atomic_init(&c->seq, v->seq);
    atomic_init(&c->readers, NULL);
    *out = c;
    return 0;
}

static void free_trees(struct catalog *c, struct catalog__version *v, uint64_t since)
{
    for (int t = 0; t < CATALOG__TREES; t++) {
        catalog__radix_free(&c->allocator, v->root[t], since,
                            catalog__tree_is_primary((enum catalog__tree)t));
    }
}

static void free_readers(struct catalog *c)
{
    struct catalog_reader *r = atomic_load(&c->readers);
    while (r) {
        struct catalog_reader *next = r->next;
        assert(!atomic_load(&r->is_taken)); /* all readers were destroyed */
        mu__free(&c->allocator, r);
        r = next;
    }
}

/* Frees the oldest version and what the one after it replaced; how much that was. */
static size_t drop_oldest(struct catalog *c)
{
    struct catalog__version *v = c->oldest;
    size_t blocks = v->next->ngarbage;
    c->oldest = v->next;
    catalog__free_retired(&c->allocator, c->oldest->garbage, c->oldest->ngarbage);
    mu__free(&c->allocator, c->oldest->garbage);
    c->oldest->garbage = NULL;
    c->oldest->ngarbage = 0;
    mu__free(&c->allocator, v);
    return blocks;
}

void catalog_destroy(struct catalog *c)
{
    if (!c) {
        return;
    }
    if (c->draft) {
        catalog__batch_abort(c);
    }
    free_readers(c);
    while (c->oldest->next) {
        drop_oldest(c);
    }
    free_trees(c, c->oldest, 0);
    mu__free(&c->allocator, c->oldest);
    catalog__space_fini(&c->space);
    mu__writer_fini(&c->touched_keys);
    mu__arena_fini(&c->scratch);
    mu__free(&c->allocator, c);
}

uint64_t catalog_index(const struct catalog *c)
{
    /* The writer stored it */
    return atomic_load_explicit(&c->current, memory_order_relaxed)->index;
}

/* ---- Readers ---- */

#define SCRATCH_KEPT (1u << 20) /* bytes that a reader or the writer may hold on to */

void catalog__scratch_reset(struct mu__arena *scratch)
{
    if (scratch->used > SCRATCH_KEPT) {
        mu__arena_fini(scratch);
    } else {
        mu__arena_reset(scratch);
    }
}

int catalog_reader_create(struct catalog *c, struct catalog_reader **out)
{
    *out = NULL;
    for (struct catalog_reader *r = atomic_load(&c->readers); r; r = r->next) {
        bool is_taken = false;
        if (atomic_compare_exchange_strong(&r->is_taken, &is_taken, true)) {
            *out = r;
            return 0;
        }
    }
    struct catalog_reader *r = mu__calloc(&c->allocator, 1, sizeof *r);
    if (!r) {
        return CATALOG_ENOMEM;
    }
    atomic_init(&r->pinned, 0);
    atomic_init(&r->is_taken, true);
    r->catalog = c;
    mu__arena_init(&r->scratch, &c->allocator, 0);
    r->next = atomic_load(&c->readers);
    while (!atomic_compare_exchange_weak(&c->readers, &r->next, r)) {
    }
    *out = r;
    return 0;
}

void catalog_reader_destroy(struct catalog_reader *r)
{
    if (!r) {
        return;
    }
    assert(!r->version);
    mu__arena_fini(&r->scratch);
    catalog__patterns_fini(&r->patterns, &r->catalog->allocator);
    atomic_store(&r->is_taken, false);
}

void catalog_read_begin(struct catalog_reader *r)
{
    assert(!r->version);
    struct catalog *c = r->catalog;
    uint64_t seq = atomic_load(&c->seq);
    atomic_store(&r->pinned, seq);
    r->version = atomic_load(&c->current);
    if (CATALOG__PLANTED(HALF_BATCH) && c->draft) {
        r->version = c->draft;
    }
}

void catalog_read_end(struct catalog_reader *r)
{
    assert(r->version);
    r->version = NULL;
    catalog__scratch_reset(&r->scratch);
    atomic_store_explicit(&r->pinned, 0, memory_order_release);
}

uint64_t catalog_read_index(const struct catalog_reader *r)
{
    assert(r->version);
    return r->version->index;
}

uint64_t catalog_read_floor(const struct catalog_reader *r)
{
    assert(r->version);
    return r->version->floor;
}

void catalog_read_stats(const struct catalog_reader *r, struct catalog_stats *out)
{
    const struct catalog__version *v = r->version;
    assert(v);
    *out = (struct catalog_stats){
        .index = v->index,
        .nodes = v->count[CATALOG__TABLE_NODES],
        .services = v->count[CATALOG__TABLE_SERVICES],
        .checks = v->count[CATALOG__TABLE_CHECKS],
        .keys = v->count[CATALOG__TABLE_KEYS],
        .tombstones = v->count[CATALOG__TABLE_TOMBSTONES],
        .sessions = v->count[CATALOG__TABLE_SESSIONS],
        .tombstones_newest =
            v->count[CATALOG__TABLE_TOMBSTONES] ? v->table[CATALOG__TABLE_TOMBSTONES] : 0,
    };
}

#define RECLAIM_BLOCKS 1024u

/* The oldest version that a reader may be on, or UINT64_MAX. */
static uint64_t oldest_pin(struct catalog *c)
{
    uint64_t oldest = UINT64_MAX;
    for (struct catalog_reader *r = atomic_load(&c->readers); r; r = r->next) {
        uint64_t pin = atomic_load(&r->pinned);
        if (pin && pin < oldest) {
            oldest = pin;
        }
    }
    return oldest;
}

/* Two versions a batch, so that what a long read has held back does come to its end, and more as
 * long as they are small: all of it at once would hold up the batch in which that read is over. */
static void reclaim(struct catalog *c)
{
    uint64_t pin = oldest_pin(c);
    size_t blocks = 0;
    for (int n = 0; c->oldest->next && c->oldest->seq < pin; n++) {
        if (n >= 2 && blocks >= RECLAIM_BLOCKS) {
            return;
        }
        blocks += drop_oldest(c);
    }
}

/* ---- Batches ---- */

bool catalog__batch_begin(struct catalog *c)
{
    assert(!c->draft);
    struct catalog__version *v = mu__alloc(&c->allocator, sizeof *v);
    struct catalog_touched *t = mu__calloc(&c->allocator, 1, sizeof *t);
    if (!v || !t || !catalog__space_reserve(&c->space, 1)) {
        mu__free(&c->allocator, v);
        mu__free(&c->allocator, t);
        return false;
    }
    *v = *atomic_load(&c->current);
    v->seq++;
    v->garbage = NULL;
    v->ngarbage = 0;
    atomic_init(&t->refs, 1);
    t->allocator = c->allocator;
    t->version = v->seq;
    c->draft = v;
    c->touched = t;
    c->touched_keys = mu__writer_growing(&c->allocator);
    c->is_void = false;
    catalog__space_begin(&c->space);
    return true;
}

void catalog__batch_publish(struct catalog *c, struct catalog_touched **touched)
{
    assert(c->draft && !c->is_void);
    struct catalog__version *v = c->draft, *before = atomic_load(&c->current);
    v->garbage = c->space.retired;
    v->ngarbage = c->space.nretired;
    c->space.retired = NULL;
    c->space.nretired = c->space.cap = 0;
    before->next = v;
    atomic_store(&c->current, v);
    atomic_store(&c->seq, v->seq);
    c->draft = NULL;
    reclaim(c);

    struct catalog_touched *t = c->touched;
    t->keys = c->touched_keys.data;
    t->len = c->touched_keys.len;
    c->touched = NULL;
    c->touched_keys = mu__writer_growing(&c->allocator);
    if (touched) {
        *touched = t;
    } else {
        catalog_touched_unref(t);
    }
}

void catalog__batch_abort(struct catalog *c)
{
    assert(c->draft);
    free_trees(c, c->draft, c->space.batch_gen);
    mu__free(&c->allocator, c->draft);
    c->draft = NULL;
    c->is_void = false;
    c->is_lending = false;
    catalog__space_release(&c->space, 0);  /* frees what the batch made and replaced itself ... */
    catalog__space_rollback(&c->space, 0); /* ... and forgets what is still in use */
    mu__writer_fini(&c->touched_keys);
    catalog_touched_unref(c->touched);
    c->touched = NULL;
}

void catalog__savepoint(struct catalog *c, struct catalog__savepoint *sp)
{
    sp->retired = catalog__space_savepoint(&c->space);
    sp->draft = *c->draft;
    sp->touched_len = c->touched_keys.len;
    sp->nnotices = c->nnotices;
}

void catalog__savepoint_release(struct catalog *c, const struct catalog__savepoint *sp)
{
    catalog__space_release(&c->space, sp->retired);
}

void catalog__savepoint_rollback(struct catalog *c, const struct catalog__savepoint *sp)
{
    if (CATALOG__PLANTED(REFUSED_STAYS)) {
        catalog__savepoint_release(c, sp);
        return;
    }
    free_trees(c, c->draft, c->space.since);
    *c->draft = sp->draft;
    catalog__space_rollback(&c->space, sp->retired);
    c->touched_keys.len = sp->touched_len;
    c->nnotices = sp->nnotices;
}

void catalog__savepoint_lend(struct catalog *c, const struct catalog__savepoint *sp)
{
    c->is_lending = true;
    c->lending_retired = sp->retired;
}

void catalog__end_loan(struct catalog *c)
{
    if (c->is_lending) {
        catalog__space_release(&c->space, c->lending_retired);
        c->is_lending = false;
    }
}
