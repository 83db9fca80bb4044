#include "json.h"

#include "json_internal.h"
#include "json_text.h"
#include <stdlib.h>
#include <string.h>

static bool decode_field(struct json_decoder *d, const struct mu__field *f, void *at);
static bool decode_object(struct json_decoder *d, const struct mu__schema *s, void *obj);

/* ---- Lists and maps ---- */

static bool strings(struct json_decoder *d, struct mu_strs *out, const char *go_type)
{
    if (json__next(d) != '[') {
        return json__mismatch(d, go_type);
    }
    size_t n = json__count(d);
    struct mu_str *items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return json__out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        if (!json__text(d, &items[i])) {
            return false;
        }
    }
    json__next(d);
    d->pos++;
    *out = (struct mu_strs){items, n};
    return true;
}

static bool floats(struct json_decoder *d, struct mu_floats *out)
{
    if (json__next(d) != '[') {
        return json__mismatch(d, "[]float64");
    }
    size_t n = json__count(d);
    double *items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return json__out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        if (!json__take_null(d) && !json__real(d, &items[i])) {
            return false;
        }
    }
    json__next(d);
    d->pos++;
    *out = (struct mu_floats){items, n};
    return true;
}

static bool unsigned_integers(struct json_decoder *d, struct mu_uints *out)
{
    if (json__next(d) != '[') {
        return json__mismatch(d, "[]uint32");
    }
    size_t n = json__count(d);
    uint64_t *items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return json__out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        if (!json__take_null(d) && !json__unsigned_integer(d, &items[i])) {
            return false;
        }
    }
    json__next(d);
    d->pos++;
    *out = (struct mu_uints){items, n};
    return true;
}

static bool new_object(struct json_decoder *d, const struct mu__schema *s, void **out)
{
    if (json__take_null(d)) {
        return true;
    }
    void *obj = *out ? *out : mu__arena_calloc(d->arena, 1, s->size);
    if (!obj) {
        return json__out_of_memory(d);
    }
    *out = obj;
    return decode_object(d, s, obj);
}

static bool list(struct json_decoder *d, const struct mu__schema *s, struct mu_list *out)
{
    if (json__next(d) != '[') {
        /* Go names its slices: HealthChecks, CheckTypes, Upstreams */
        return json__mismatch_sub(d, "", s, "s");
    }
    size_t n = json__count(d);
    void **items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return json__out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        void *zero = mu__arena_calloc(d->arena, 1, s->size); /* a null element is an empty record */
        items[i] = zero;
        if (!zero) {
            return json__out_of_memory(d);
        }
        if (!new_object(d, s, &items[i])) {
            return false;
        }
    }
    json__next(d);
    d->pos++;
    *out = (struct mu_list){items, n};
    return true;
}

/* All three maps are arrays of entries that begin with their key; this reads them into an array in
 * order of the text. */
typedef bool (*entry_fn)(struct json_decoder *d, const struct mu__schema *s, void *entry);
union entry {
    struct mu_str key;
    struct mu_pair pair;
    struct mu_strs_named strs;
    struct mu_named named;
};

static bool text_entry(struct json_decoder *d, const struct mu__schema *s, void *entry)
{
    (void)s;
    struct mu_pair *e = entry;
    e->value = (struct mu_str){"", 0};
    return json__text(d, &e->value);
}

static bool strs_entry(struct json_decoder *d, const struct mu__schema *s, void *entry)
{
    (void)s;
    struct mu_strs_named *e = entry;
    return json__take_null(d) || strings(d, &e->value, "[]string");
}

static bool object_entry(struct json_decoder *d, const struct mu__schema *s, void *entry)
{
    struct mu_named *e = entry;
    e->value = mu__arena_calloc(d->arena, 1, s->size);
    return e->value ? new_object(d, s, &e->value) : json__out_of_memory(d);
}

struct sorting {
    struct mu_str key;
    size_t nth;
};

static int by_key_then_place(const void *a, const void *b)
{
    const struct sorting *x = a, *y = b;
    int c = mu__str_cmp(x->key, y->key);
    return c ? c : (x->nth > y->nth) - (x->nth < y->nth);
}

/* Sorts n entries by key; of equal keys the last in the text stays. Gives the new array and its
 * length. */
static void *sort_entries(struct json_decoder *d, const char *entries, size_t size, size_t *n)
{
    struct sorting *order = mu__arena_calloc(d->arena, *n + 1, sizeof *order);
    char *sorted = mu__arena_calloc(d->arena, *n + 1, size);
    if (!order || !sorted) {
        return NULL;
    }
    for (size_t i = 0; i < *n; i++) {
        memcpy(&order[i].key, entries + i * size, sizeof order[i].key);
        order[i].nth = i;
    }
    qsort(order, *n, sizeof *order, by_key_then_place);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (i + 1 == *n || !mu__str_eq(order[i].key, order[i + 1].key)) {
            memcpy(sorted + kept++ * size, entries + order[i].nth * size, size);
        }
    }
    *n = kept;
    return sorted;
}

static void *map(struct json_decoder *d, const struct mu__schema *s, size_t size, entry_fn value,
                 size_t *n)
{
    *n = json__count(d);
    char *entries = mu__arena_calloc(d->arena, *n + 1, size);
    if (!entries) {
        json__out_of_memory(d);
        return NULL;
    }
    d->pos++;
    for (size_t i = 0; i < *n; i++) {
        struct mu_str key = {NULL, 0};
        if (!json__text(d, &key)) {
            return NULL;
        }
        memcpy(entries + i * size, &key, sizeof key);
        if (!value(d, s, entries + i * size)) {
            return NULL;
        }
    }
    json__next(d);
    d->pos++;
    void *sorted = sort_entries(d, entries, size, n);
    if (!sorted) {
        json__out_of_memory(d);
    }
    return sorted;
}

static bool decode_map(struct json_decoder *d, const struct mu__field *f, void *at)
{
    if (json__next(d) != '{') {
        return f->kind == MU_STRUCTMAP
                   ? json__mismatch_sub(d, "map[string]", f->sub, "")
                   : json__mismatch(d, f->kind == MU_STRMAP ? "map[string]string"
                                                            : "map[string][]string");
    }
    size_t n;
    void *items;
    if (f->kind == MU_STRMAP) {
        items = map(d, NULL, sizeof(struct mu_pair), text_entry, &n);
        *(struct mu_strmap *)at = (struct mu_strmap){items, items ? n : 0};
    } else if (f->kind == MU_STRSMAP) {
        items = map(d, NULL, sizeof(struct mu_strs_named), strs_entry, &n);
        *(struct mu_strsmap *)at = (struct mu_strsmap){items, items ? n : 0};
    } else {
        items = map(d, f->sub, sizeof(struct mu_named), object_entry, &n);
        *(struct mu_structmap *)at = (struct mu_structmap){items, items ? n : 0};
    }
    return items != NULL;
}

/* ---- Records ---- */

static bool decode_struct(struct json_decoder *d, const struct mu__schema *s, void *at)
{
    return json__next(d) == '{' ? decode_object(d, s, at) : json__mismatch_sub(d, "", s, "");
}

/* Of null Go makes a nil list; what is no list stays as it was. */
static void forget(const struct mu__field *f, void *at)
{
    if (f->kind == MU_STRS) {
        *(struct mu_strs *)at = (struct mu_strs){NULL, 0};
    } else if (f->kind == MU_LIST) {
        *(struct mu_list *)at = (struct mu_list){NULL, 0};
    }
}

static bool decode_field(struct json_decoder *d, const struct mu__field *f, void *at)
{
    if (json__take_null(d)) {
        forget(f, at);
        return true;
    }
    switch (f->kind) {
    case MU_BOOL:
        return json__boolean(d, at);
    case MU_INT:
        return json__integer(d, at);
    case MU_UINT:
        return json__unsigned_integer(d, at);
    case MU_FLOAT:
        return json__real(d, at);
    case MU_FLOATS:
        return floats(d, at);
    case MU_UINTS:
        return unsigned_integers(d, at);
    case MU_DURATION:
        return f->flags & MU_F_SMALL_SECONDS ? json__seconds(d, at) : json__duration(d, at);
    case MU_TIME:
        return json__time_value(d, at);
    case MU_STR:
        return json__text(d, at);
    case MU_BYTES:
        return json__bytes(d, at);
    case MU_STRS:
        return strings(d, at, "[]string");
    case MU_STRMAP:
    case MU_STRSMAP:
    case MU_STRUCTMAP:
        return decode_map(d, f, at);
    case MU_STRUCT:
        return decode_struct(d, f->sub, at);
    case MU_PTR:
        return new_object(d, f->sub, at);
    case MU_LIST:
        return list(d, f->sub, at);
    case MU_ANY:
        return json__any_map(d, at);
    }
    /* A kind that schema.h has and this switch has not */
    return json__fail(d, "unsupported field");
}

/* The spelling by which key names the field: its JSON name, or one of its aliases ("a|b"); upper
 * and lower case are one. p NULL: it does not. */
static struct mu_str spelling(const struct mu__field *f, struct mu_str key)
{
    struct mu_str name = mu__cstr(f->json ? f->json : f->name);
    const char *next = f->alias;
    while (!mu__str_ieq(name, key)) {
        if (!next) {
            return (struct mu_str){NULL, 0};
        }
        name = (struct mu_str){next, strcspn(next, "|")};
        next = next[name.len] ? next + name.len + 1 : NULL;
    }
    return name;
}

static const struct mu__field *find(const struct mu__schema *s, struct mu_str key,
                                    struct mu_str *spelt)
{
    for (size_t i = 0; i < s->nfields; i++) {
        if (!(s->fields[i].flags & MU_F_NO_JSON)) {
            *spelt = spelling(&s->fields[i], key);
            if (spelt->p) {
                return &s->fields[i];
            }
        }
    }
    return NULL;
}

static bool decode_value(struct json_decoder *d, const struct mu__schema *s,
                         const struct mu__field *f, void *obj)
{
    struct mu_str unused;
    if (!f) {
        return json__text(d, &unused);
    }
    void *at = (char *)obj + f->offset;
    return f->kind == MU_STR ? json__text_of_type(d, json__text_type(s, f), at)
                             : decode_field(d, f, at);
}

static bool decode_member(struct json_decoder *d, const struct mu__schema *s, void *obj)
{
    json__next(d);
    struct mu_str key = {NULL, 0}, spelt;
    struct mu_str raw = json__raw_string(d);
    if (!memchr(raw.p, '\\', raw.len)) {
        key = raw;
    } else if (!json_unquote(raw.p, raw.len, d->arena, &key)) {
        return json__out_of_memory(d);
    }
    const struct mu__field *f = find(s, key, &spelt);
    if (!f && (d->known_only || json__takes_anything(s))) {
        json__next(d);
        json__skip(d);
        return true;
    }
    if (!f && !json__was_text_once(s, key)) {
        return json__unknown_field(d, s, key);
    }
    if (!d->frozen && d->npath < JSON_PATH_MAX) {
        d->path[d->npath] = f ? spelt : key;
    }
    d->npath += !d->frozen;
    bool ok = decode_value(d, s, f, obj);
    d->npath -= !d->frozen;
    return ok;
}

static bool decode_object(struct json_decoder *d, const struct mu__schema *s, void *obj)
{
    if (json__next(d) != '{') {
        return json__mismatch_sub(d, "", s, "");
    }
    const char *type = d->type;
    bool frozen = d->frozen;
    d->frozen = frozen || (d->npath > 0 && json__decodes_itself(s));
    if (!d->frozen) {
        d->type = json__decodes_itself(s) ? "" : json__type_name(s);
    }
    d->pos++;
    bool ok = true;
    while (ok && json__next(d) != '}') {
        ok = decode_member(d, s, obj);
    }
    if (ok) {
        d->pos++;
    }
    d->type = type;
    d->frozen = frozen;
    return ok;
}

static bool decode(struct json_decoder d, size_t len, const struct mu__schema *s, void *out)
{
    return json_scan(d.text, len, &d.end, d.err, d.errlen) &&
           (json__take_null(&d) || decode_object(&d, s, out));
}

static bool decode_list(struct json_decoder d, size_t len, const struct mu__schema *s,
                        struct mu_list *out)
{
    return json_scan(d.text, len, &d.end, d.err, d.errlen) &&
           (json__take_null(&d) || list(&d, s, out));
}

bool json_decode(const struct mu__schema *s, const char *text, size_t len, struct mu__arena *a,
                 void *out, char *err, size_t errlen)
{
    const struct json_decoder d = {
        .text = text, .arena = a, .err = err, .errlen = errlen, .type = ""};
    return decode(d, len, s, out);
}

bool json_decode_list(const struct mu__schema *s, const char *text, size_t len, struct mu__arena *a,
                      struct mu_list *out, char *err, size_t errlen)
{
    const struct json_decoder d = {
        .text = text, .arena = a, .err = err, .errlen = errlen, .type = ""};
    return decode_list(d, len, s, out);
}

bool json_decode_known(const struct mu__schema *s, const char *text, size_t len,
                       struct mu__arena *a, void *out, char *err, size_t errlen)
{
    const struct json_decoder d = {
        .text = text, .arena = a, .err = err, .errlen = errlen, .type = "", .known_only = true};
    return decode(d, len, s, out);
}

bool json_decode_known_list(const struct mu__schema *s, const char *text, size_t len,
                            struct mu__arena *a, struct mu_list *out, char *err, size_t errlen)
{
    const struct json_decoder d = {
        .text = text, .arena = a, .err = err, .errlen = errlen, .type = "", .known_only = true};
    return decode_list(d, len, s, out);
}
