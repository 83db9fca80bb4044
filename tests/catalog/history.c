#include "history.h"

#include "model.h"
#include "random_entries.h"

#include <stdarg.h>

struct seen {
    struct mu__writer answer;
    uint64_t index;
    bool is_asked, is_woken, waits;
};

struct history {
    struct catalog *c;
    struct catalog_reader *now, *old;
    struct catalog_watches *w;
    struct model m;
    struct mu__prng p;
    struct seen seen[QUESTIONS];
    struct mu__writer got, wanted, before;
    uint64_t index;
    bool reaps;
    char *why;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static bool wrong(struct history *h, int q, const char *fmt,
                                                        ...)
{
    char about[80] = "", what[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (q >= 0) {
        question_text(q, about, sizeof about);
    }
    snprintf(h->why, h->size, "%s%s%s, at index %u", about, q >= 0 ? ": " : "", what,
             (unsigned)h->index);
    return false;
}

static bool equal(const struct mu__writer *a, const struct mu__writer *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void keep(struct mu__writer *to, const struct mu__writer *from)
{
    to->len = 0;
    mu__write_bytes(to, from->data, from->len);
}

static void wake(void *arg)
{
    struct seen *s = arg;
    s->is_woken = true;
    s->waits = false;
}

/* ---- What is promised ---- */

static bool look(struct history *h, int q)
{
    struct seen *s = &h->seen[q];
    struct catalog_watch_keys keys = {NULL, 0, 0};
    uint64_t index;
    catalog_answer(h->now, q, &h->got, &index, &keys);
    model_answer(&h->m, q, &h->wanted);
    if (!equal(&h->got, &h->wanted)) {
        return wrong(h, q, "the answer is not the model's");
    }
    bool changed = s->is_asked && !equal(&h->got, &s->answer);
    if (index && changed && !s->is_woken) {
        return wrong(h, q, "the answer changed and nobody was woken");
    }
    if (index && changed && index <= s->index && !h->reaps) {
        return wrong(h, q, "the answer changed, its index %u did not grow", (unsigned)s->index);
    }
    if (index < s->index && !h->reaps) {
        return wrong(h, q, "the index goes back from %u to %u", (unsigned)s->index,
                     (unsigned)index);
    }
    keep(&s->answer, &h->got);
    s->index = index;
    s->is_asked = true;
    s->is_woken = false;
    if (!s->waits && keys.len) {
        assert_int_equal(catalog_watches_add(h->w, &keys, wake, s, NULL), 0);
        s->waits = true;
    }
    return true;
}

static bool look_at_all(struct history *h)
{
    bool ok = true;
    catalog_read_begin(h->now);
    for (int q = 0; q < QUESTIONS && ok; q++) {
        ok = look(h, q);
    }
    catalog_read_end(h->now);
    return ok;
}

/* A reader that comes in the middle of a batch, and one that has been there since before. */
static bool look_beside(struct history *h, uint64_t published)
{
    int q = (int)mu__prng_below(&h->p, QUESTIONS);
    uint64_t index;
    catalog_answer(h->old, q, &h->before, &index, NULL);
    catalog_read_begin(h->now);
    uint64_t version = catalog_read_index(h->now);
    catalog_answer(h->now, q, &h->got, &index, NULL);
    catalog_read_end(h->now);
    if (version != published || !equal(&h->got, &h->before) ||
        !equal(&h->got, &h->seen[q].answer)) {
        return wrong(h, q, "a reader sees a part of a batch");
    }
    return true;
}

static bool look_at_old(struct history *h)
{
    for (int q = 0; q < QUESTIONS; q++) {
        uint64_t index;
        catalog_answer(h->old, q, &h->got, &index, NULL);
        if (!equal(&h->got, &h->seen[q].answer)) {
            return wrong(h, q, "an open reader sees a later batch");
        }
    }
    return true;
}

/* ---- Entries ---- */

static struct mu__writer random_step(struct history *h)
{
    if (mu__prng_below(&h->p, 6) == 0) {
        return random_session(&h->p); /* most are refused */
    }
    if (mu__prng_below(&h->p, 6) == 0) {
        return mu__prng_below(&h->p, 2) ? random_ingress(&h->p) : random_terminating(&h->p);
    }
    if (mu__prng_below(&h->p, 8) == 0) {
        return mu__prng_below(&h->p, 2) ? random_query(&h->p) : random_config(&h->p);
    }
    if (mu__prng_below(&h->p, 8) == 0) {
        return random_intention(&h->p);
    }
    struct mu__writer e = random_entry(&h->p, h->index + 1);
    while (!h->reaps && e.data[0] == CATALOG_ENTRY_TOMBSTONE) {
        mu__writer_fini(&e);
        e = random_entry(&h->p, h->index + 1);
    }
    return e;
}

static bool is_refused(const struct catalog_result *r)
{
    const struct catalog_txn_response *txn = r->reply;
    return r->kind == CATALOG_RESULT_ERROR ||
           (r->kind == CATALOG_RESULT_REPLY && txn->errors.len > 0);
}

static bool apply_one(struct history *h)
{
    struct catalog_result r;
    struct mu__writer e = random_step(h);
    h->index++;
    assert_int_equal(catalog_apply(h->c, h->index, e.data, e.len, &r), 0);
    struct model_verdict verdict = {is_refused(&r)};
    bool ok = model_apply(&h->m, h->index, e.data, e.len, verdict,
                          r.kind == CATALOG_RESULT_BOOL ? &r.value : NULL);
    mu__writer_fini(&e);
    return ok || wrong(h, -1, "another opinion about a condition");
}

static bool batch(struct history *h)
{
    struct catalog_touched *touched;
    uint64_t published = h->index;
    bool ok = true;
    catalog_read_begin(h->old);
    assert_int_equal(catalog_apply_begin(h->c), 0);
    for (size_t n = 1 + mu__prng_below(&h->p, 4); n > 0 && ok; n--) {
        ok = apply_one(h) && look_beside(h, published);
    }
    catalog_apply_end(h->c, &touched);
    ok = ok && look_at_old(h);
    catalog_read_end(h->old);
    catalog_watches_notify(h->w, touched);
    catalog_touched_unref(touched);
    return ok && look_at_all(h);
}

/* ---- Snapshots ---- */

struct bytes {
    struct mu__writer w;
    size_t at;
};

static int write_bytes(void *user, const void *data, size_t len)
{
    struct bytes *b = user;
    mu__write_bytes(&b->w, data, len);
    return 0;
}

static int read_bytes(void *user, void *buf, size_t *len)
{
    struct bytes *b = user;
    *len = mu__min(*len, b->w.len - b->at);
    memcpy(buf, b->w.data + b->at, *len);
    b->at += *len;
    return 0;
}

static void save(struct catalog_reader *r, struct bytes *b)
{
    *b = (struct bytes){.w = mu__writer_growing(&mu__malloc_allocator)};
    catalog_read_begin(r);
    assert_int_equal(catalog_snapshot_write(r, write_bytes, b), 0);
    catalog_read_end(r);
}

/* Into a catalog of its own, which takes the place of the first; who waited asks again. */
static bool restore(struct history *h)
{
    struct bytes saved, again;
    struct catalog *c;
    save(h->now, &saved);
    catalog_reader_destroy(h->now);
    catalog_reader_destroy(h->old);
    catalog_destroy(h->c);
    assert_int_equal(catalog_create(NULL, &c), 0);
    int rc = catalog_restore(c, read_bytes, &saved, NULL);
    h->c = c;
    assert_int_equal(catalog_reader_create(c, &h->now), 0);
    assert_int_equal(catalog_reader_create(c, &h->old), 0);
    save(h->now, &again);
    bool ok = rc == 0 && equal(&saved.w, &again.w);
    mu__writer_fini(&saved.w);
    mu__writer_fini(&again.w);
    catalog_watches_destroy(h->w);
    assert_int_equal(catalog_watches_create(NULL, &h->w), 0);
    for (int q = 0; q < QUESTIONS; q++) {
        h->seen[q].waits = false;
    }
    return (ok || wrong(h, -1, "what was restored is not what was saved")) && look_at_all(h);
}

/* ---- The whole ---- */

static void begin(struct history *h, uint64_t seed)
{
    assert_int_equal(catalog_create(NULL, &h->c), 0);
    assert_int_equal(catalog_reader_create(h->c, &h->now), 0);
    assert_int_equal(catalog_reader_create(h->c, &h->old), 0);
    assert_int_equal(catalog_watches_create(NULL, &h->w), 0);
    mu__prng_seed(&h->p, seed);
    h->reaps = seed % 4 == 0;
    h->got = h->wanted = h->before = mu__writer_growing(&mu__malloc_allocator);
    for (int q = 0; q < QUESTIONS; q++) {
        h->seen[q].answer = mu__writer_growing(&mu__malloc_allocator);
    }
}

static void end(struct history *h)
{
    catalog_watches_destroy(h->w);
    catalog__check(h->c);
    catalog_reader_destroy(h->now);
    catalog_reader_destroy(h->old);
    catalog_destroy(h->c);
    model_fini(&h->m);
    mu__writer_fini(&h->got);
    mu__writer_fini(&h->wanted);
    mu__writer_fini(&h->before);
    for (int q = 0; q < QUESTIONS; q++) {
        mu__writer_fini(&h->seen[q].answer);
    }
}

bool history_run(uint64_t seed, unsigned batches, char *why, size_t size)
{
    struct history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->why = why;
    h->size = size;
    begin(h, seed);
    bool ok = true;
    struct catalog_result r;
    /* Index 1 is what an empty store reports; no log gives it to a request. */
    h->index = 10;
    struct mu__writer first = random_kvs(&h->p);
    assert_int_equal(catalog_apply_begin(h->c), 0);
    assert_int_equal(catalog_apply(h->c, h->index, first.data, first.len, &r), 0);
    model_apply(&h->m, h->index, first.data, first.len, (struct model_verdict){is_refused(&r)},
                NULL);
    catalog_apply_end(h->c, NULL);
    mu__writer_fini(&first);
    ok = look_at_all(h);
    for (unsigned i = 0; i < batches && ok; i++) {
        ok = batch(h) && (i % 37 != 36 || restore(h));
    }
    end(h);
    free(h);
    return ok;
}
