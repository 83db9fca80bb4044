#include "weak.h"

#include "base/json_internal.h"
#include "weak_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Containers. Recursion follows the tables, which nest a few levels deep. ---- */

static void decode_struct(struct weak__decoder *w, const struct mu__schema *s, struct weak__value v,
                          void *out);
static void decode_field(struct weak__decoder *w, const struct mu__field *f, struct weak__value v,
                         void *member);

/* The elements that a list is made of. */
static struct weak__value *elements(struct weak__decoder *w, const struct weak__value *v, size_t *n)
{
    enum mu__mp_type t = weak__type_of(v);
    struct weak__value *items = NULL;
    if (t == MU_MP_ARRAY) {
        items = weak__split(w, v, NULL, n);
    } else {
        struct mu__reader r = weak__reader(v);
        *n = t == MU_MP_MAP && mu__mp_read_map(&r) == 0 ? 0 : 1;
        items = mu__arena_calloc(w->arena, 1, sizeof *items);
        w->no_memory = w->no_memory || !items;
        if (items) {
            items[0].bytes = v->bytes;
        }
    }
    for (size_t i = 0; items && i < *n; i++) {
        items[i].path = weak__at_index(w, v->path, i);
    }
    return items;
}

static void *room(struct weak__decoder *w, size_t n, size_t size)
{
    void *p = mu__arena_calloc(w->arena, n + 1, size);
    w->no_memory = w->no_memory || !p;
    return p;
}

static void decode_list(struct weak__decoder *w, const struct mu__field *f,
                        const struct weak__value *v, void *member)
{
    size_t n = 0;
    struct weak__value *items = elements(w, v, &n);
    void *out = room(w, n, f->kind == MU_STRS ? sizeof(struct mu_str) : sizeof(uint64_t));
    void **records = f->kind == MU_LIST ? room(w, n, sizeof *records) : NULL;
    for (size_t i = 0; items && out && i < n && !w->no_memory; i++) {
        struct weak__value item = weak__unwrapped(w, &items[i]);
        bool is_null = weak__type_of(&item) == MU_MP_NIL;
        if (f->kind == MU_LIST) {
            records[i] = room(w, 1, f->sub->size);
            if (records[i] && !is_null) {
                decode_struct(w, f->sub, item, records[i]);
            }
        } else if (f->kind == MU_STRS && !is_null) {
            weak__to_text(w, &item, (struct mu_str *)out + i);
        } else if (!is_null) {
            weak__to_uint32(w, &item, (uint64_t *)out + i);
        }
    }
    if (f->kind == MU_LIST) {
        *(struct mu_list *)member = (struct mu_list){records, n};
    } else if (f->kind == MU_STRS) {
        *(struct mu_strs *)member = (struct mu_strs){out, n};
    } else {
        *(struct mu_uints *)member = (struct mu_uints){out, n};
    }
}

/* A map, or a list of maps that are taken for one: their pairs, with paths. False: it is neither.
 */
static bool pairs(struct weak__decoder *w, const struct weak__value *v, struct mu_str **keys,
                  struct weak__value **values, size_t *n)
{
    struct weak__value whole = weak__unwrapped(w, v);
    size_t maps = 1;
    struct weak__value *each = &whole;
    *n = 0;
    if (weak__type_of(&whole) == MU_MP_ARRAY) {
        each = weak__split(w, &whole, NULL, &maps);
    }
    *keys = room(w, v->bytes.len, sizeof **keys); /* a pair takes two bytes and more */
    *values = room(w, v->bytes.len, sizeof **values);
    for (size_t i = 0; each && *keys && *values && i < maps; i++) {
        struct mu_str *names;
        size_t len = 0;
        struct weak__value map = weak__unwrapped(w, &each[i]);
        if (weak__type_of(&map) == MU_MP_NIL) {
            continue;
        }
        if (weak__type_of(&map) != MU_MP_MAP) {
            map.path = each == &whole ? v->path : weak__at_index(w, v->path, i);
            weak__expected_map(w, &map);
            return false;
        }
        struct weak__value *items = weak__split(w, &map, &names, &len);
        for (size_t k = 0; items && k < len; k++) {
            (*keys)[*n] = names[k];
            items[k].path = weak__at_key(w, v->path, names[k]);
            (*values)[(*n)++] = items[k];
        }
    }
    return !w->no_memory;
}

static void decode_strmap(struct weak__decoder *w, const struct weak__value *v,
                          struct mu_strmap *out)
{
    struct mu_str *keys;
    struct weak__value *values;
    size_t n;
    if (!pairs(w, v, &keys, &values, &n)) {
        return;
    }
    struct mu_pair *items = room(w, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) {
        struct weak__value item = weak__unwrapped(w, &values[i]);
        items[i].key = keys[i];
        items[i].value = (struct mu_str){"", 0};
        if (weak__type_of(&item) != MU_MP_NIL) {
            weak__to_text(w, &item, &items[i].value);
        }
    }
    w->no_memory = w->no_memory || !mu__sort_by_key(w->arena, items, &n, sizeof *items);
    *out = (struct mu_strmap){items, n};
}

static void decode_structmap(struct weak__decoder *w, const struct mu__schema *s,
                             const struct weak__value *v, struct mu_structmap *out)
{
    struct mu_str *keys;
    struct weak__value *values;
    size_t n;
    if (!pairs(w, v, &keys, &values, &n)) {
        return;
    }
    struct mu_named *items = room(w, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) {
        struct weak__value item = weak__unwrapped(w, &values[i]);
        items[i].key = keys[i];
        items[i].value = room(w, 1, s->size);
        if (items[i].value && weak__type_of(&item) != MU_MP_NIL) {
            decode_struct(w, s, item, items[i].value);
        }
    }
    w->no_memory = w->no_memory || !mu__sort_by_key(w->arena, items, &n, sizeof *items);
    *out = (struct mu_structmap){items, n};
}

static int by_key(const void *a, const void *b)
{
    return mu__str_cmp(*(const struct mu_str *)a, *(const struct mu_str *)b);
}

/* An opaque map: as it is, but for lists of one at its first level. */
static void decode_any(struct weak__decoder *w, const struct weak__value *v, struct mu_str *out)
{
    struct mu_str *keys;
    struct weak__value *values;
    size_t n;
    if (!pairs(w, v, &keys, &values, &n)) {
        return;
    }
    struct entry {
        struct mu_str key, bytes;
    } *entries = room(w, n, sizeof *entries);
    for (size_t i = 0; entries && i < n; i++) {
        entries[i] = (struct entry){keys[i], weak__unwrapped(w, &values[i]).bytes};
    }
    if (!entries || !mu__sort_by_key(w->arena, entries, &n, sizeof *entries)) {
        w->no_memory = true;
        return;
    }
    struct mu__writer m = mu__writer_growing(&mu__malloc_allocator);
    mu__mp_write_map(&m, n);
    for (size_t i = 0; i < n; i++) {
        mu__mp_write_raw(&m, entries[i].key.p, entries[i].key.len);
        mu__write_bytes(&m, entries[i].bytes.p, entries[i].bytes.len);
    }
    out->p = m.failed ? NULL : mu__arena_memdup(w->arena, m.data, m.len);
    out->len = out->p ? m.len : 0;
    w->no_memory = w->no_memory || !out->p;
    mu__writer_fini(&m);
}

static void decode_field(struct weak__decoder *w, const struct mu__field *f, struct weak__value v,
                         void *member)
{
    bool is_list = f->kind == MU_LIST || f->kind == MU_STRS || f->kind == MU_UINTS;
    struct weak__value one = is_list ? v : weak__unwrapped(w, &v);
    if (weak__type_of(&one) == MU_MP_NIL) {
        return;
    }
    switch (f->kind) {
    case MU_BOOL:
        weak__to_bool(w, &one, member);
        break;
    case MU_INT:
        weak__to_integer(w, &one, false, member);
        break;
    case MU_UINT:
        weak__to_uint32(w, &one, member);
        break;
    case MU_FLOAT:
        weak__to_float(w, &one, member);
        break;
    case MU_DURATION:
        weak__to_duration(w, &one, member);
        break;
    case MU_STR:
        weak__to_text(w, &one, member);
        break;
    case MU_STRS:
    case MU_UINTS:
    case MU_LIST:
        decode_list(w, f, &v, member);
        break;
    case MU_STRMAP:
        decode_strmap(w, &v, member);
        break;
    case MU_STRUCTMAP:
        decode_structmap(w, f->sub, &v, member);
        break;
    case MU_STRUCT:
        decode_struct(w, f->sub, one, member);
        break;
    case MU_PTR: {
        void *record = room(w, 1, f->sub->size);
        if (record) {
            *(void **)member = record;
            decode_struct(w, f->sub, one, record);
        }
        break;
    }
    case MU_ANY:
        decode_any(w, &v, member);
        break;
    default: /* no table of a config entry has others */
        break;
    }
}

/* Is key one of the aliases, in any case? */
static bool is_alias(const struct mu__field *f, struct mu_str key)
{
    struct mu_str name = mu__cstr(f->alias);
    for (size_t from = 0; from < name.len;) {
        size_t to = from;
        while (to < name.len && name.p[to] != '|') {
            to++;
        }
        if (mu__str_ieq((struct mu_str){name.p + from, to - from}, key)) {
            return true;
        }
        from = to + 1;
    }
    return false;
}

/* The key that a field is read from: its name, its name in another case, an alias; n: none. What
 * is left of aliases does not count, what is left of other spellings is unknown. */
static size_t key_of(const struct mu__field *f, const struct mu_str *keys, bool *used, size_t n)
{
    size_t found = n;
    for (size_t pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < n; i++) {
            bool fits = pass == 0   ? mu__str_eq(keys[i], mu__cstr(f->name))
                        : pass == 1 ? mu__str_ieq(keys[i], mu__cstr(f->name))
                                    : is_alias(f, keys[i]);
            if (fits && (pass == 2 || found == n)) {
                used[i] = true;
                found = found == n ? i : found;
            }
        }
    }
    return found;
}

/* Set by the store alone. */
static bool is_index(const struct mu__field *f)
{
    return strcmp(f->name, "CreateIndex") == 0 || strcmp(f->name, "ModifyIndex") == 0;
}

static bool has_indexes(const struct mu__schema *s)
{
    return mu__schema_field(s, mu__cstr("CreateIndex")) != NULL;
}

static void take_raft_index(struct weak__decoder *w, struct mu_str key, struct weak__value v,
                            bool *used)
{
    if (mu__str_ieq(key, mu__cstr("RaftIndex"))) {
        struct weak__value one = weak__unwrapped(w, &v);
        one.path = mu__cstr("RaftIndex");
        *used = true;
        if (weak__type_of(&one) != MU_MP_MAP && weak__type_of(&one) != MU_MP_NIL) {
            weak__expected_map(w, &one);
        }
    }
    *used = *used || mu__str_eq(key, mu__cstr("CreateIndex")) ||
            mu__str_eq(key, mu__cstr("ModifyIndex"));
}

static void decode_struct(struct weak__decoder *w, const struct mu__schema *s, struct weak__value v,
                          void *out)
{
    struct mu_str *keys;
    size_t n = 0;
    if (weak__type_of(&v) != MU_MP_MAP) {
        weak__expected_map(w, &v);
        return;
    }
    struct weak__value *values = weak__split(w, &v, &keys, &n);
    bool *used = room(w, n, sizeof *used);
    if (!values || !used) {
        return;
    }
    for (size_t i = 0; i < s->nfields && !w->no_memory; i++) {
        const struct mu__field *f = &s->fields[i];
        size_t at = is_index(f) ? n : key_of(f, keys, used, n);
        if (at < n) {
            struct weak__value field = values[at];
            field.path = weak__below(w, v.path, mu__cstr(f->name));
            decode_field(w, f, field, (char *)out + f->offset);
        }
    }
    for (size_t i = 0; i < n && !w->no_memory; i++) {
        if (has_indexes(s)) {
            take_raft_index(w, keys[i], values[i], &used[i]);
        }
        if (!used[i]) {
            weak__say(&w->unused, weak__below(w, v.path, keys[i]));
        }
    }
}

/* ---- What is told ---- */

static bool ends_with_namespace(struct mu_str key)
{
    static const char word[] = "namespace";
    size_t len = sizeof word - 1;
    return key.len >= len &&
           mu__str_ieq((struct mu_str){key.p + key.len - len, len}, mu__cstr(word));
}

static bool tell_unused(const struct weak__said *s, char *err, size_t errlen)
{
    size_t at =
        (size_t)snprintf(err, errlen, "%zu error%s occurred:\n", s->len, s->len == 1 ? "" : "s");
    for (size_t i = 0; i < s->len && at < errlen; i++) {
        at += (size_t)snprintf(
            err + at, errlen - at, "\t* invalid config key \"%.*s\"%s\n", SHOWN(s->items[i]),
            ends_with_namespace(s->items[i]) ? ", namespaces are a consul enterprise feature" : "");
    }
    if (at < errlen) {
        snprintf(err + at, errlen - at, "\n");
    }
    return false;
}

static bool tell_wrong(struct weak__said *s, char *err, size_t errlen)
{
    qsort(s->items, s->len, sizeof *s->items, by_key);
    size_t at = (size_t)snprintf(err, errlen, "%zu error(s) decoding:\n", s->len);
    for (size_t i = 0; i < s->len && at < errlen; i++) {
        at += (size_t)snprintf(err + at, errlen - at, "\n* %.*s", (int)s->items[i].len,
                               s->items[i].p);
    }
    return false;
}

bool weak_decode(const struct weak_body *b, const struct mu__schema *s, bool strict,
                 struct mu__arena *a, void *out, char *err, size_t errlen)
{
    struct weak__decoder w = {.arena = a};
    struct weak__value v = {.bytes = b->map};
    memset(out, 0, s->size);
    decode_struct(&w, s, v, out);
    if (w.no_memory) {
        snprintf(err, errlen, "out of memory");
        return false;
    }
    if (w.wrong.len) {
        return tell_wrong(&w.wrong, err, errlen);
    }
    return !strict || w.unused.len == 0 || tell_unused(&w.unused, err, errlen);
}

bool weak_read(const char *body, size_t len, struct mu__arena *a, struct weak_body *out, char *err,
               size_t errlen)
{
    size_t end;
    if (!json_scan(body, len, &end, err, errlen)) {
        return false;
    }
    struct json_decoder d = {
        .text = body, .end = end, .arena = a, .err = err, .errlen = errlen, .type = ""};
    out->map = (struct mu_str){"\x80", 1};
    return json__take_null(&d) || json__any_map(&d, &out->map);
}

int weak_text(const struct weak_body *b, const char *key, struct mu_str *out)
{
    struct mu__reader r = mu__reader(b->map.p, b->map.len);
    for (size_t n = mu__mp_read_map(&r); n > 0; n--) {
        bool is_it = mu__str_is(mu__mp_read_bytes(&r), key);
        if (is_it && mu__mp_peek(&r) == MU_MP_RAW) {
            *out = mu__mp_read_str(&r);
            return 1;
        }
        if (is_it) {
            return -1;
        }
        mu__mp_skip(&r);
    }
    return 0;
}
