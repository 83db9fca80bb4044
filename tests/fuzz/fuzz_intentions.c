/* Intentions that come and go, and questions about connections. Held against it: of those in a
 * plain list that bear on a connection the one with the highest precedence is the one that the
 * catalog finds, the match by destination has it first, and the structure is whole. */
#include <assert.h>
#include <muster/catalog_intention.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPS_MAX 300u

static const char *const namespaces[] = {"default", "default", "other", "*", "Default", ""};
static const char *const names[] = {"web", "db", "*", "Web", "w*", "", "a/b", "x"};
#define PICK(from, byte) mu__cstr((from)[(byte) % (sizeof(from) / sizeof *(from))])

struct world {
    struct catalog *c;
    struct catalog_reader *r;
    struct catalog_intention live[OPS_MAX]; /* the names are static */
    size_t n;
    uint64_t index;
    uint64_t ids;
};

static bool is(struct mu_str s, const char *text)
{
    return mu__str_eq(s, mu__cstr(text));
}

static struct mu_str ns_of(struct mu_str ns)
{
    return ns.len ? ns : mu__cstr("default");
}

static bool same_pair(const struct catalog_intention *x, const struct catalog_intention *y)
{
    return mu__str_ieq(x->source_ns, y->source_ns) && mu__str_ieq(x->source_name, y->source_name) &&
           mu__str_ieq(x->destination_ns, y->destination_ns) &&
           mu__str_ieq(x->destination_name, y->destination_name);
}

/* False: it was refused. */
static bool apply(struct world *w, const char *op, struct catalog_intention *x)
{
    struct catalog_intention_request q = {.op = mu__cstr(op), .intention = x};
    struct mu__writer entry = mu__writer_growing(&mu__malloc_allocator);
    struct catalog_result result;
    mu__write_u8(&entry, CATALOG_ENTRY_INTENTION);
    mu__schema_encode(catalog_schema(CATALOG_INTENTION_REQUEST), &q, &entry);
    int rc = catalog_apply_begin(w->c);
    assert(rc == 0);
    rc = catalog_apply(w->c, ++w->index, entry.data, entry.len, &result);
    assert(rc == 0);
    bool done = result.kind == CATALOG_RESULT_NONE;
    catalog_apply_end(w->c, NULL);
    mu__writer_fini(&entry);
    return done;
}

static void drop_pair(struct world *w, const struct catalog_intention *x)
{
    for (size_t i = w->n; i-- > 0;) {
        if (same_pair(&w->live[i], x)) {
            w->live[i] = w->live[--w->n];
        }
    }
}

static void change(struct world *w, const uint8_t b[6])
{
    struct catalog_intention x = {.source_ns = PICK(namespaces, b[1]),
                                  .source_name = PICK(names, b[2]),
                                  .destination_ns = PICK(namespaces, b[3]),
                                  .destination_name = PICK(names, b[4]),
                                  .action = mu__cstr(b[5] % 2 ? "allow" : "deny")};
    struct catalog_intention stored = x;
    char id[37];
    snprintf(id, sizeof id, "00000000-0000-0000-0000-%012x", (unsigned)++w->ids);
    x.id = mu__cstr(b[0] % 4 == 3 ? "" : id);
    bool done = apply(w, b[0] % 4 == 3 ? "delete" : "upsert", &x);
    stored.source_ns = ns_of(stored.source_ns);
    stored.destination_ns = ns_of(stored.destination_ns);
    if (done) {
        drop_pair(w, &stored);
    }
    if (done && b[0] % 4 != 3) {
        w->live[w->n++] = stored;
    }
}

/* Exactness counts destination before source, and names more than namespaces. */
static int rank(const struct catalog_intention *x)
{
    int to = is(x->destination_ns, "*") ? 0 : is(x->destination_name, "*") ? 1 : 2;
    int from = is(x->source_ns, "*") ? 0 : is(x->source_name, "*") ? 1 : 2;
    return 3 * to + from + 1;
}

static bool bears_on(const struct catalog_intention *x, const struct catalog_intention_pair *p)
{
    bool from = (is(x->source_ns, "*") || mu__str_eq(x->source_ns, ns_of(p->source_ns))) &&
                (is(x->source_name, "*") || mu__str_eq(x->source_name, p->source_name));
    bool to =
        is(x->destination_ns, "*") ||
        (mu__str_ieq(x->destination_ns, ns_of(p->destination_ns)) &&
         (is(x->destination_name, "*") || mu__str_ieq(x->destination_name, p->destination_name)));
    return from && to;
}

/* The first in the list for the destination that speaks of the source. */
static const struct catalog_intention *first_match(struct world *w,
                                                   const struct catalog_intention_pair *p)
{
    struct catalog_intention_name name = {p->destination_ns, p->destination_name};
    void *entries[] = {&name};
    struct catalog_intention_match match = {mu__cstr("destination"), {entries, 1}};
    struct catalog_intention_query q = {.match = &match};
    struct catalog_indexed_intention_matches out;
    const char *why;
    int rc = catalog_query_intention_matches(w->r, &q, &out, NULL, &why);
    assert(rc == 0 && !why && out.matches.len == 1);
    const struct mu_list *found = out.matches.items[0];
    for (size_t i = 0; i < found->len; i++) {
        const struct catalog_intention *x = found->items[i];
        assert(i == 0 ||
               x->precedence <= ((struct catalog_intention *)found->items[i - 1])->precedence);
        if (bears_on(x, p)) {
            return x;
        }
    }
    return NULL;
}

static void ask(struct world *w, const uint8_t b[6])
{
    struct catalog_intention_pair p = {.source_ns = PICK(namespaces, b[1]),
                                       .source_name = PICK(names, b[2]),
                                       .destination_ns = PICK(namespaces, b[3]),
                                       .destination_name = PICK(names, b[4])};
    const struct catalog_intention *best = NULL;
    for (size_t i = 0; i < w->n; i++) {
        const struct catalog_intention *x = &w->live[i];
        if (bears_on(x, &p) && (!best || rank(x) > rank(best))) {
            best = x;
        }
    }
    catalog_read_begin(w->r);
    const struct catalog_intention *found = catalog_find_deciding_intention(w->r, &p);
    assert(!found == !best);
    assert(!found || (same_pair(found, best) && mu__str_eq(found->action, best->action) &&
                      found->precedence == rank(best)));
    assert(first_match(w, &p) == found);
    catalog_read_end(w->r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = calloc(1, sizeof *w);
    assert(w);
    int rc = catalog_create(NULL, &w->c);
    assert(rc == 0);
    rc = catalog_reader_create(w->c, &w->r);
    assert(rc == 0);
    for (size_t i = 0, n = 0; i + 6 <= size && n < OPS_MAX; i += 6, n++) {
        if (data[i] < 160) {
            change(w, data + i);
        } else {
            ask(w, data + i);
        }
    }
    catalog__check(w->c);
    catalog_reader_destroy(w->r);
    catalog_destroy(w->c);
    free(w);
    return 0;
}
