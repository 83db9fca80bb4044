#include "weak.h"

#include "base/json_internal.h"
#include "msgpack.h"
#include "strconv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX 64u /* of what is wrong, that is told */

/* A value with where it stands: an encoded msgpack value. */
struct value {
    struct mu_str bytes;
    struct mu_str path;
};

struct said {
    struct mu_str items[SAID_MAX];
    size_t len;
};

struct weak {
    struct mu__arena *arena;
    struct said wrong, unused;
    bool no_memory;
};

/* ---- Paths and what is wrong ---- */

static struct mu_str text(struct weak *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static struct mu_str text(struct weak *w, const char *fmt, ...)
{
    char buf[768];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : mu__min((size_t)n, sizeof buf - 1);
    const char *copy = mu__arena_strndup(w->arena, buf, len);
    w->no_memory = w->no_memory || !copy;
    return (struct mu_str){copy, copy ? len : 0};
}
#define SHOWN(s) (int)mu__min((s).len, 256), (s).p ? (s).p : ""

static void say(struct said *s, struct mu_str what)
{
    if (s->len < SAID_MAX) {
        s->items[s->len++] = what;
    }
}

static struct mu_str below(struct weak *w, struct mu_str path, struct mu_str key)
{
    return path.len ? text(w, "%.*s.%.*s", SHOWN(path), SHOWN(key)) : key;
}

static struct mu_str at_index(struct weak *w, struct mu_str path, size_t i)
{
    return text(w, "%.*s[%zu]", SHOWN(path), i);
}

static struct mu_str at_key(struct weak *w, struct mu_str path, struct mu_str key)
{
    return text(w, "%.*s[%.*s]", SHOWN(path), SHOWN(key));
}

/* ---- Values ---- */

static struct mu__reader reader(const struct value *v)
{
    return mu__reader(v->bytes.p, v->bytes.len);
}

static enum mu__mp_type type_of(const struct value *v)
{
    struct mu__reader r = reader(v);
    return mu__mp_peek(&r);
}

static const char *go_kind(enum mu__mp_type t)
{
    return t == MU_MP_ARRAY  ? "slice"
           : t == MU_MP_MAP  ? "map"
           : t == MU_MP_RAW  ? "string"
           : t == MU_MP_BOOL ? "bool"
                             : "float64";
}

static const char *go_type(enum mu__mp_type t)
{
    return t == MU_MP_ARRAY ? "[]interface {}"
           : t == MU_MP_MAP ? "map[string]interface {}"
                            : go_kind(t);
}

/* Splits a list or the values of a map; keys may be NULL. */
static struct value *split(struct weak *w, const struct value *v, struct mu_str **keys, size_t *n)
{
    struct mu__reader r = reader(v);
    bool is_map = mu__mp_peek(&r) == MU_MP_MAP;
    *n = is_map ? mu__mp_read_map(&r) : mu__mp_read_array(&r);
    struct value *items = mu__arena_calloc(w->arena, *n + 1, sizeof *items);
    struct mu_str *names = mu__arena_calloc(w->arena, *n + 1, sizeof *names);
    if (!items || !names) {
        w->no_memory = true;
        *n = 0;
        return NULL;
    }
    for (size_t i = 0; i < *n; i++) {
        if (is_map) {
            names[i] = mu__mp_read_bytes(&r);
        }
        size_t from = r.pos;
        mu__mp_skip(&r);
        items[i].bytes = (struct mu_str){v->bytes.p + from, r.pos - from};
    }
    if (keys) {
        *keys = names;
    }
    return items;
}

/* A list of one stands for what is in it, except where a list is wanted. */
static struct value unwrapped(struct weak *w, const struct value *v)
{
    size_t n = 0;
    struct value *items = type_of(v) == MU_MP_ARRAY ? split(w, v, NULL, &n) : NULL;
    if (!items || n != 1) {
        return *v;
    }
    items[0].path = v->path;
    return items[0];
}

static void expected_map(struct weak *w, const struct value *v)
{
    say(&w->wrong, text(w, "'%.*s' expected a map, got '%s'", SHOWN(v->path), go_kind(type_of(v))));
}

static void unconvertible(struct weak *w, const struct value *v, const char *wanted)
{
    say(&w->wrong, text(w, "'%.*s' expected type '%s', got unconvertible type '%s'", SHOWN(v->path),
                        wanted, go_type(type_of(v))));
}

static void unparsable(struct weak *w, const struct value *v, const char *as, const char *function,
                       struct mu_str given, const char *why)
{
    say(&w->wrong, text(w, "cannot parse '%.*s' as %s: strconv.%s: parsing \"%.*s\": %s",
                        SHOWN(v->path), as, function, SHOWN(given), why));
}

/* ---- Scalars ---- */

static void to_text(struct weak *w, const struct value *v, struct mu_str *out)
{
    struct mu__reader r = reader(v);
    switch (mu__mp_peek(&r)) {
    case MU_MP_RAW:
        *out = mu__mp_read_str(&r);
        break;
    case MU_MP_BOOL:
        *out = mu__cstr(mu__mp_read_bool(&r) ? "1" : "0");
        break;
    case MU_MP_FLOAT: {
        struct mu__writer digits = mu__writer_growing(&mu__malloc_allocator);
        struct mu__json j = mu__json(&digits, false);
        mu__json_float(&j, mu__mp_read_float(&r));
        *out = text(w, "%.*s", (int)digits.len, digits.failed ? "" : (const char *)digits.data);
        mu__writer_fini(&digits);
        break;
    }
    default:
        unconvertible(w, v, "string");
    }
}

static void to_bool(struct weak *w, const struct value *v, bool *out)
{
    struct mu__reader r = reader(v);
    struct mu_str s;
    switch (mu__mp_peek(&r)) {
    case MU_MP_BOOL:
        *out = mu__mp_read_bool(&r);
        break;
    case MU_MP_FLOAT:
        *out = mu__mp_read_float(&r) != 0;
        break;
    case MU_MP_RAW:
        s = mu__mp_read_str(&r);
        *out = false;
        if (s.len && !strconv_bool(s, out)) {
            unparsable(w, v, "bool", "ParseBool", s, "invalid syntax");
        }
        break;
    default:
        unconvertible(w, v, "bool");
    }
}

/* Decimal, 0x, 0b or octal; the bounds are the caller's. */
static const char *parse_integer(struct mu_str s, int64_t *out)
{
    char buf[72], *end;
    if (s.len == 0 || s.len >= sizeof buf || memchr(s.p, 0, s.len) ||
        strchr(" \t\n\v\f\r", s.p[0])) {
        return "invalid syntax";
    }
    memcpy(buf, s.p, s.len);
    buf[s.len] = '\0';
    errno = 0;
    long long v = strtoll(buf, &end, 0);
    if (*end) {
        return "invalid syntax";
    }
    *out = v;
    return errno == ERANGE ? "value out of range" : NULL;
}

static int64_t truncated(double v)
{
    return v > -9.2e18 && v < 9.2e18 ? (int64_t)v : INT64_MIN; /* as amd64 does */
}

/* Numbers cut to whole ones. False: something is wrong, and has been said. */
static bool to_integer(struct weak *w, const struct value *v, bool is_unsigned, int64_t *out)
{
    struct mu__reader r = reader(v);
    struct mu_str s;
    const char *why;
    switch (mu__mp_peek(&r)) {
    case MU_MP_FLOAT:
        *out = truncated(mu__mp_read_float(&r));
        return true;
    case MU_MP_BOOL:
        *out = mu__mp_read_bool(&r);
        return true;
    case MU_MP_RAW:
        s = mu__mp_read_str(&r);
        why = parse_integer(s, out);
        if (!why && is_unsigned && *out < 0) {
            why = "invalid syntax";
        }
        if (!why && is_unsigned && *out > UINT32_MAX) {
            why = "value out of range";
        }
        if (why) {
            unparsable(w, v, is_unsigned ? "uint" : "int", is_unsigned ? "ParseUint" : "ParseInt",
                       s, why);
        }
        return !why;
    default:
        unconvertible(w, v, is_unsigned ? "uint32" : "int");
        return false;
    }
}

static void to_uint32(struct weak *w, const struct value *v, uint64_t *out)
{
    int64_t n = 0;
    if (to_integer(w, v, true, &n)) {
        *out = (uint32_t)(uint64_t)n;
    }
}

static void to_float(struct weak *w, const struct value *v, double *out)
{
    struct mu__reader r = reader(v);
    char buf[72], *end;
    struct mu_str s;
    switch (mu__mp_peek(&r)) {
    case MU_MP_FLOAT:
        *out = mu__mp_read_float(&r);
        break;
    case MU_MP_BOOL:
        *out = mu__mp_read_bool(&r);
        break;
    case MU_MP_RAW:
        s = mu__mp_read_str(&r);
        snprintf(buf, sizeof buf, "%.*s", (int)mu__min(s.len, 71), s.p ? s.p : "");
        *out = strtod(buf, &end);
        if (s.len == 0 || s.len > 71 || end != buf + s.len || strchr(" \t\n\v\f\r", buf[0])) {
            unparsable(w, v, "float", "ParseFloat", s, "invalid syntax");
        }
        break;
    default:
        unconvertible(w, v, "float32");
    }
}

static void to_duration(struct weak *w, const struct value *v, int64_t *out)
{
    struct mu__reader r = reader(v);
    char why[256];
    struct mu_str s;
    switch (mu__mp_peek(&r)) {
    case MU_MP_FLOAT:
        *out = truncated(mu__mp_read_float(&r));
        break;
    case MU_MP_BOOL:
        *out = mu__mp_read_bool(&r);
        break;
    case MU_MP_RAW:
        s = mu__mp_read_str(&r);
        if (!mu__duration_parse(s.p, s.len, out)) {
            json_duration_error(s, why, sizeof why);
            say(&w->wrong, text(w, "error decoding '%.*s': %s", SHOWN(v->path), why));
        }
        break;
    default:
        unconvertible(w, v, "time.Duration");
    }
}

/* ---- Containers. Recursion follows the tables, which nest a few levels deep. ---- */

static void decode_struct(struct weak *w, const struct mu__schema *s, struct value v, void *out);
static void decode_field(struct weak *w, const struct mu__field *f, struct value v, void *member);

/* The elements that a list is made of. */
static struct value *elements(struct weak *w, const struct value *v, size_t *n)
{
    enum mu__mp_type t = type_of(v);
    struct value *items = NULL;
    if (t == MU_MP_ARRAY) {
        items = split(w, v, NULL, n);
    } else {
        struct mu__reader r = reader(v);
        *n = t == MU_MP_MAP && mu__mp_read_map(&r) == 0 ? 0 : 1;
        items = mu__arena_calloc(w->arena, 1, sizeof *items);
        w->no_memory = w->no_memory || !items;
        if (items) {
            items[0].bytes = v->bytes;
        }
    }
    for (size_t i = 0; items && i < *n; i++) {
        items[i].path = at_index(w, v->path, i);
    }
    return items;
}

static void *room(struct weak *w, size_t n, size_t size)
{
    void *p = mu__arena_calloc(w->arena, n + 1, size);
    w->no_memory = w->no_memory || !p;
    return p;
}

static void decode_list(struct weak *w, const struct mu__field *f, const struct value *v,
                        void *member)
{
    size_t n = 0;
    struct value *items = elements(w, v, &n);
    void *out = room(w, n, f->kind == MU_STRS ? sizeof(struct mu_str) : sizeof(uint64_t));
    void **records = f->kind == MU_LIST ? room(w, n, sizeof *records) : NULL;
    for (size_t i = 0; items && out && i < n && !w->no_memory; i++) {
        struct value item = unwrapped(w, &items[i]);
        bool is_null = type_of(&item) == MU_MP_NIL;
        if (f->kind == MU_LIST) {
            records[i] = room(w, 1, f->sub->size);
            if (records[i] && !is_null) {
                decode_struct(w, f->sub, item, records[i]);
            }
        } else if (f->kind == MU_STRS && !is_null) {
            to_text(w, &item, (struct mu_str *)out + i);
        } else if (!is_null) {
            to_uint32(w, &item, (uint64_t *)out + i);
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
static bool pairs(struct weak *w, const struct value *v, struct mu_str **keys,
                  struct value **values, size_t *n)
{
    struct value whole = unwrapped(w, v);
    size_t maps = 1;
    struct value *each = &whole;
    *n = 0;
    if (type_of(&whole) == MU_MP_ARRAY) {
        each = split(w, &whole, NULL, &maps);
    }
    *keys = room(w, v->bytes.len, sizeof **keys); /* a pair takes two bytes and more */
    *values = room(w, v->bytes.len, sizeof **values);
    for (size_t i = 0; each && *keys && *values && i < maps; i++) {
        struct mu_str *names;
        size_t len = 0;
        struct value map = unwrapped(w, &each[i]);
        if (type_of(&map) == MU_MP_NIL) {
            continue;
        }
        if (type_of(&map) != MU_MP_MAP) {
            map.path = each == &whole ? v->path : at_index(w, v->path, i);
            expected_map(w, &map);
            return false;
        }
        struct value *items = split(w, &map, &names, &len);
        for (size_t k = 0; items && k < len; k++) {
            (*keys)[*n] = names[k];
            items[k].path = at_key(w, v->path, names[k]);
            (*values)[(*n)++] = items[k];
        }
    }
    return !w->no_memory;
}

static void decode_strmap(struct weak *w, const struct value *v, struct mu_strmap *out)
{
    struct mu_str *keys;
    struct value *values;
    size_t n;
    if (!pairs(w, v, &keys, &values, &n)) {
        return;
    }
    struct mu_pair *items = room(w, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) {
        struct value item = unwrapped(w, &values[i]);
        items[i].key = keys[i];
        items[i].value = (struct mu_str){"", 0};
        if (type_of(&item) != MU_MP_NIL) {
            to_text(w, &item, &items[i].value);
        }
    }
    w->no_memory = w->no_memory || !mu__sort_by_key(w->arena, items, &n, sizeof *items);
    *out = (struct mu_strmap){items, n};
}

static void decode_structmap(struct weak *w, const struct mu__schema *s, const struct value *v,
                             struct mu_structmap *out)
{
    struct mu_str *keys;
    struct value *values;
    size_t n;
    if (!pairs(w, v, &keys, &values, &n)) {
        return;
    }
    struct mu_named *items = room(w, n, sizeof *items);
    for (size_t i = 0; items && i < n; i++) {
        struct value item = unwrapped(w, &values[i]);
        items[i].key = keys[i];
        items[i].value = room(w, 1, s->size);
        if (items[i].value && type_of(&item) != MU_MP_NIL) {
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
static void decode_any(struct weak *w, const struct value *v, struct mu_str *out)
{
    struct mu_str *keys;
    struct value *values;
    size_t n;
    if (!pairs(w, v, &keys, &values, &n)) {
        return;
    }
    struct entry {
        struct mu_str key, bytes;
    } *entries = room(w, n, sizeof *entries);
    for (size_t i = 0; entries && i < n; i++) {
        entries[i] = (struct entry){keys[i], unwrapped(w, &values[i]).bytes};
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

static void decode_field(struct weak *w, const struct mu__field *f, struct value v, void *member)
{
    bool is_list = f->kind == MU_LIST || f->kind == MU_STRS || f->kind == MU_UINTS;
    struct value one = is_list ? v : unwrapped(w, &v);
    if (type_of(&one) == MU_MP_NIL) {
        return;
    }
    switch (f->kind) {
    case MU_BOOL:
        to_bool(w, &one, member);
        break;
    case MU_INT:
        to_integer(w, &one, false, member);
        break;
    case MU_UINT:
        to_uint32(w, &one, member);
        break;
    case MU_FLOAT:
        to_float(w, &one, member);
        break;
    case MU_DURATION:
        to_duration(w, &one, member);
        break;
    case MU_STR:
        to_text(w, &one, member);
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

static void take_raft_index(struct weak *w, struct mu_str key, struct value v, bool *used)
{
    if (mu__str_ieq(key, mu__cstr("RaftIndex"))) {
        struct value one = unwrapped(w, &v);
        one.path = mu__cstr("RaftIndex");
        *used = true;
        if (type_of(&one) != MU_MP_MAP && type_of(&one) != MU_MP_NIL) {
            expected_map(w, &one);
        }
    }
    *used = *used || mu__str_eq(key, mu__cstr("CreateIndex")) ||
            mu__str_eq(key, mu__cstr("ModifyIndex"));
}

static void decode_struct(struct weak *w, const struct mu__schema *s, struct value v, void *out)
{
    struct mu_str *keys;
    size_t n = 0;
    if (type_of(&v) != MU_MP_MAP) {
        expected_map(w, &v);
        return;
    }
    struct value *values = split(w, &v, &keys, &n);
    bool *used = room(w, n, sizeof *used);
    if (!values || !used) {
        return;
    }
    for (size_t i = 0; i < s->nfields && !w->no_memory; i++) {
        const struct mu__field *f = &s->fields[i];
        size_t at = is_index(f) ? n : key_of(f, keys, used, n);
        if (at < n) {
            struct value field = values[at];
            field.path = below(w, v.path, mu__cstr(f->name));
            decode_field(w, f, field, (char *)out + f->offset);
        }
    }
    for (size_t i = 0; i < n && !w->no_memory; i++) {
        if (has_indexes(s)) {
            take_raft_index(w, keys[i], values[i], &used[i]);
        }
        if (!used[i]) {
            say(&w->unused, below(w, v.path, keys[i]));
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

static bool tell_unused(const struct said *s, char *err, size_t errlen)
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

static bool tell_wrong(struct said *s, char *err, size_t errlen)
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
    struct weak w = {.arena = a};
    struct value v = {.bytes = b->map};
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
