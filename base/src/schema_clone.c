/* schema_clone.c - deep copies in one block, and deep comparison. */
#include "schema.h"

#include <stdalign.h>
#include <string.h>

/* A copy is walked twice by the same code: without a block to add up the sizes, then with it to
 * fill it in. */
struct cloner {
    char *block; /* NULL: only count */
    size_t used;
};

static void clone_members(struct cloner *c, const struct mu__schema *s, const char *obj,
                          char *copy);

/* Appends len bytes of src; their address in the block, NULL while counting. */
static void *append(struct cloner *c, const void *src, size_t len, size_t align)
{
    size_t at = (c->used + align - 1) / align * align;
    c->used = at + len;
    if (!c->block) {
        return NULL;
    }
    if (len) {
        memcpy(c->block + at, src, len);
    }
    return c->block + at;
}

static void *append_items(struct cloner *c, const void *items, size_t n, size_t size)
{
    return items ? append(c, items, n * size, alignof(max_align_t)) : NULL;
}

static void clone_str(struct cloner *c, const struct mu_str *s, struct mu_str *copy)
{
    char *p = s->p ? append(c, s->p, s->len, 1) : NULL;
    if (copy) {
        copy->p = p;
    }
}

static void clone_strs(struct cloner *c, const struct mu_strs *v, struct mu_strs *copy)
{
    struct mu_str *items = append_items(c, v->items, v->len, sizeof *items);
    for (size_t i = 0; i < v->len; i++) {
        clone_str(c, &v->items[i], items ? &items[i] : NULL);
    }
    if (copy) {
        copy->items = items;
    }
}

static void clone_floats(struct cloner *c, const struct mu_floats *v, struct mu_floats *copy)
{
    double *items = append_items(c, v->items, v->len, sizeof *items);
    if (copy) {
        copy->items = items;
    }
}

static void clone_uints(struct cloner *c, const struct mu_uints *v, struct mu_uints *copy)
{
    uint64_t *items = append_items(c, v->items, v->len, sizeof *items);
    if (copy) {
        copy->items = items;
    }
}

static void clone_strmap(struct cloner *c, const struct mu_strmap *v, struct mu_strmap *copy)
{
    struct mu_pair *items = append_items(c, v->items, v->len, sizeof *items);
    for (size_t i = 0; i < v->len; i++) {
        clone_str(c, &v->items[i].key, items ? &items[i].key : NULL);
        clone_str(c, &v->items[i].value, items ? &items[i].value : NULL);
    }
    if (copy) {
        copy->items = items;
    }
}

static void clone_strsmap(struct cloner *c, const struct mu_strsmap *v, struct mu_strsmap *copy)
{
    struct mu_strs_named *items = append_items(c, v->items, v->len, sizeof *items);
    for (size_t i = 0; i < v->len; i++) {
        clone_str(c, &v->items[i].key, items ? &items[i].key : NULL);
        clone_strs(c, &v->items[i].value, items ? &items[i].value : NULL);
    }
    if (copy) {
        copy->items = items;
    }
}

static void *clone_record(struct cloner *c, const struct mu__schema *s, const void *obj)
{
    if (!obj) {
        return NULL;
    }
    char *copy = append(c, obj, s->size, alignof(max_align_t));
    clone_members(c, s, obj, copy);
    return copy;
}

static void clone_list(struct cloner *c, const struct mu__schema *s, const struct mu_list *v,
                       struct mu_list *copy)
{
    void **items = append_items(c, v->items, v->len, sizeof *items);
    for (size_t i = 0; i < v->len; i++) {
        void *record = clone_record(c, s, v->items[i]);
        if (items) {
            items[i] = record;
        }
    }
    if (copy) {
        copy->items = items;
    }
}

static void clone_structmap(struct cloner *c, const struct mu__schema *s,
                            const struct mu_structmap *v, struct mu_structmap *copy)
{
    struct mu_named *items = append_items(c, v->items, v->len, sizeof *items);
    for (size_t i = 0; i < v->len; i++) {
        clone_str(c, &v->items[i].key, items ? &items[i].key : NULL);
        void *record = clone_record(c, s, v->items[i].value);
        if (items) {
            items[i].value = record;
        }
    }
    if (copy) {
        copy->items = items;
    }
}

/* copy holds the bytes of obj already; what these point at is copied and repointed. NULL while
 * counting. */
static void clone_members(struct cloner *c, const struct mu__schema *s, const char *obj, char *copy)
{
    for (size_t i = 0; i < s->nfields; i++) {
        const struct mu__field *f = &s->fields[i];
        const void *m = obj + f->offset;
        void *to = copy ? copy + f->offset : NULL;
        switch (f->kind) {
        case MU_BOOL:
        case MU_INT:
        case MU_UINT:
        case MU_FLOAT:
        case MU_DURATION:
        case MU_TIME:
            break;
        case MU_STR:
        case MU_BYTES:
        case MU_ANY:
            clone_str(c, m, to);
            break;
        case MU_STRS:
            clone_strs(c, m, to);
            break;
        case MU_FLOATS:
            clone_floats(c, m, to);
            break;
        case MU_UINTS:
            clone_uints(c, m, to);
            break;
        case MU_STRMAP:
            clone_strmap(c, m, to);
            break;
        case MU_STRSMAP:
            clone_strsmap(c, m, to);
            break;
        case MU_STRUCT:
            clone_members(c, f->sub, m, to);
            break;
        case MU_PTR: {
            void *record = clone_record(c, f->sub, *(void *const *)m);
            if (to) {
                *(void **)to = record;
            }
            break;
        }
        case MU_LIST:
            clone_list(c, f->sub, m, to);
            break;
        case MU_STRUCTMAP:
            clone_structmap(c, f->sub, m, to);
            break;
        }
    }
}

size_t mu__schema_clone_size(const struct mu__schema *s, const void *obj)
{
    struct cloner c = {NULL, 0};
    clone_record(&c, s, obj);
    return c.used;
}

void *mu__schema_clone(const struct mu__schema *s, const void *obj,
                       const struct mu_allocator *allocator)
{
    struct mu_allocator a = mu__allocator_or_default(allocator);
    struct cloner c = {mu__alloc(&a, mu__schema_clone_size(s, obj)), 0};
    return c.block ? clone_record(&c, s, obj) : NULL;
}

static bool strs_equal(const struct mu_strs *a, const struct mu_strs *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = mu__str_eq(a->items[i], b->items[i]);
    }
    return same;
}

static bool floats_equal(const struct mu_floats *a, const struct mu_floats *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->items, b->items, a->len * sizeof *a->items) == 0);
}

static bool uints_equal(const struct mu_uints *a, const struct mu_uints *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->items, b->items, a->len * sizeof *a->items) == 0);
}

static bool strmap_equal(const struct mu_strmap *a, const struct mu_strmap *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = mu__str_eq(a->items[i].key, b->items[i].key) &&
               mu__str_eq(a->items[i].value, b->items[i].value);
    }
    return same;
}

static bool strsmap_equal(const struct mu_strsmap *a, const struct mu_strsmap *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = mu__str_eq(a->items[i].key, b->items[i].key) &&
               strs_equal(&a->items[i].value, &b->items[i].value);
    }
    return same;
}

static bool records_equal(const struct mu__schema *s, const void *a, const void *b)
{
    return a == b || (a && b && mu__schema_equal(s, a, b));
}

static bool list_equal(const struct mu__schema *s, const struct mu_list *a, const struct mu_list *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = records_equal(s, a->items[i], b->items[i]);
    }
    return same;
}

static bool structmap_equal(const struct mu__schema *s, const struct mu_structmap *a,
                            const struct mu_structmap *b)
{
    bool same = a->len == b->len;
    for (size_t i = 0; same && i < a->len; i++) {
        same = mu__str_eq(a->items[i].key, b->items[i].key) &&
               records_equal(s, a->items[i].value, b->items[i].value);
    }
    return same;
}

static bool member_equal(const struct mu__field *f, const void *a, const void *b)
{
    switch (f->kind) {
    case MU_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case MU_INT:
    case MU_UINT:
    case MU_DURATION:
    case MU_FLOAT: /* by bits: a record is unchanged when its bytes are */
        return memcmp(a, b, sizeof(uint64_t)) == 0;
    case MU_TIME: {
        const struct mu_time *s = a;
        const struct mu_time *t = b;
        return s->since_year1_s == t->since_year1_s && s->ns == t->ns;
    }
    case MU_STR:
    case MU_BYTES:
        return mu__str_eq(*(const struct mu_str *)a, *(const struct mu_str *)b);
    case MU_ANY:
        return (mu__field_is_empty(f, a) && mu__field_is_empty(f, b)) ||
               mu__str_eq(*(const struct mu_str *)a, *(const struct mu_str *)b);
    case MU_STRS:
        return strs_equal(a, b);
    case MU_FLOATS:
        return floats_equal(a, b);
    case MU_UINTS:
        return uints_equal(a, b);
    case MU_STRMAP:
        return strmap_equal(a, b);
    case MU_STRSMAP:
        return strsmap_equal(a, b);
    case MU_STRUCT:
        return mu__schema_equal(f->sub, a, b);
    case MU_PTR:
        return records_equal(f->sub, *(void *const *)a, *(void *const *)b);
    case MU_LIST:
        return list_equal(f->sub, a, b);
    case MU_STRUCTMAP:
        return structmap_equal(f->sub, a, b);
    }
    return false;
}

bool mu__schema_equal(const struct mu__schema *s, const void *a, const void *b)
{
    for (size_t i = 0; i < s->nfields; i++) {
        const struct mu__field *f = &s->fields[i];
        if (!member_equal(f, (const char *)a + f->offset, (const char *)b + f->offset)) {
            return false;
        }
    }
    return true;
}
