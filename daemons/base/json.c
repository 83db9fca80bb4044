#include "json.h"

#include "json_text.h"
#include "msgpack.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_FIELDS 16u /* nesting of schemas; further names are left out of error texts */

struct decoder {
    const char *text; /* has passed json_scan, so it is well formed */
    size_t pos, end;  /* end is behind the value; only a bare scalar ever touches it */
    struct mu__arena *arena;
    char *err;
    size_t errlen;
    const char *type; /* the struct that an error names, "" for those with an unmarshaler of their own */
    struct mu_str path[PATH_MAX_FIELDS];
    size_t npath;
    bool frozen; /* inside such a struct Go reports the place where it is embedded */
};

static bool decode_field(struct decoder *d, const struct mu__field *f, void *at);
static bool decode_object(struct decoder *d, const struct mu__schema *s, void *obj);

static bool fail(struct decoder *d, const char *text)
{
    snprintf(d->err, d->errlen, "%s", text);
    return false;
}

static bool out_of_memory(struct decoder *d)
{
    return fail(d, "request body too large");
}

/* ---- Moving through valid text ---- */

static char next(struct decoder *d) /* skips blanks and commas, does not consume */
{
    while (strchr(" \t\r\n,:", d->text[d->pos])) {
        d->pos++;
    }
    return d->text[d->pos];
}

static struct mu_str raw_string(struct decoder *d) /* between the quotes; consumes */
{
    size_t start = ++d->pos;
    while (d->text[d->pos] != '"') {
        d->pos += d->text[d->pos] == '\\' ? 2 : 1;
    }
    return (struct mu_str){d->text + start, d->pos++ - start};
}

static struct mu_str raw_scalar(struct decoder *d) /* number or literal; consumes */
{
    static const char scalar[] = "0123456789+-.eEtrufalsn";
    size_t start = d->pos;
    while (d->pos < d->end && d->text[d->pos] && strchr(scalar, d->text[d->pos])) {
        d->pos++;
    }
    return (struct mu_str){d->text + start, d->pos - start};
}

static void skip(struct decoder *d)
{
    unsigned depth = 0;
    do {
        char c = next(d);
        if (c == '"') {
            raw_string(d);
        } else if (c == '{' || c == '[') {
            depth++;
            d->pos++;
        } else if (c == '}' || c == ']') {
            depth--;
            d->pos++;
        } else {
            raw_scalar(d);
        }
    } while (depth > 0);
}

/* Values in the container that starts here (pairs of an object count once). Does not move. */
static size_t count(const struct decoder *from)
{
    struct decoder d = *from;
    bool object = d.text[d.pos++] == '{';
    size_t n = 0;
    for (char c; (c = next(&d)) != '}' && c != ']'; n++) {
        skip(&d);
        if (object) {
            next(&d);
            skip(&d);
        }
    }
    return n;
}

static bool take_null(struct decoder *d)
{
    if (next(d) != 'n') {
        return false;
    }
    raw_scalar(d);
    return true;
}

/* ---- Errors in Go's words ---- */

/* Records whose Go types decode themselves: inside them the decoder has lost its path. */
static bool decodes_itself(const struct mu__schema *s)
{
    static const char *const names[] = {"ServiceDefinition", "CheckType", "CheckDefinition", "HealthCheckDefinition",
                                        "ConnectProxyConfig", "ServiceConnect", "Upstream", "ExposeConfig"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(s->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void append(struct decoder *d, size_t *at, struct mu_str s)
{
    size_t left = *at < d->errlen ? d->errlen - *at : 0;
    if (left > 0) {
        int n = snprintf(d->err + *at, left, "%.*s", (int)mu__min(s.len, 256), s.p ? s.p : "");
        *at += n > 0 ? (size_t)n : 0;
    }
}

/* "json: cannot unmarshal string into Go struct field .Port of type int" */
static bool mismatch(struct decoder *d, const char *go_type)
{
    char c = next(d);
    struct mu_str scalar = {NULL, 0};
    const char *kind = c == '"' ? "string" : c == '{' ? "object" : c == '[' ? "array" : c == 't' || c == 'f' ? "bool" : "number";
    bool integer = strncmp(go_type, "int", 3) == 0 || strncmp(go_type, "uint", 4) == 0 || strcmp(go_type, "float64") == 0;
    size_t at = 0;
    append(d, &at, mu__cstr("json: cannot unmarshal "));
    append(d, &at, mu__cstr(kind));
    if (integer && *kind == 'n') { /* a number that does not fit is shown */
        scalar = raw_scalar(d);
        append(d, &at, mu__cstr(" "));
        append(d, &at, scalar);
    }
    append(d, &at, mu__cstr(d->npath ? " into Go struct field " : " into Go value of type "));
    if (d->npath) {
        append(d, &at, mu__cstr(d->type));
        for (size_t i = 0; i < d->npath && i < PATH_MAX_FIELDS; i++) {
            append(d, &at, mu__cstr("."));
            append(d, &at, d->path[i]);
        }
        append(d, &at, mu__cstr(" of type "));
    }
    append(d, &at, mu__cstr(go_type));
    return false;
}

static bool mismatch_sub(struct decoder *d, const char *before, const struct mu__schema *s, const char *after)
{
    char type[128];
    snprintf(type, sizeof type, "%sstructs.%s%s", before, s->name, after);
    return mismatch(d, type);
}

static bool unknown_field(struct decoder *d, struct mu_str key)
{
    size_t at = 0;
    append(d, &at, mu__cstr("json: unknown field \""));
    append(d, &at, key);
    append(d, &at, mu__cstr("\""));
    if (mu__str_is(key, "Namespace") && strcmp(d->type, "") != 0) {
        append(d, &at, mu__cstr(" - Namespaces are a Consul Enterprise feature"));
    }
    return false;
}

void json_duration_error(struct mu_str text, char *err, size_t errlen)
{
    int shown = (int)mu__min(text.len, 64);
    const char *p = text.p ? text.p : "";
    size_t i = text.len && (p[0] == '-' || p[0] == '+'), start = i;
    while (i < text.len && ((p[i] >= '0' && p[i] <= '9') || p[i] == '.')) {
        i++;
    }
    size_t unit = i;
    while (i < text.len && p[i] != '.' && (p[i] < '0' || p[i] > '9')) {
        i++;
    }
    static const char *const units[] = {"ns", "us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", "m", "h"};
    bool known = false;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        known |= strlen(units[u]) == i - unit && memcmp(units[u], p + unit, i - unit) == 0;
    }
    if (unit == start || known) {
        snprintf(err, errlen, "time: invalid duration \"%.*s\"", shown, p);
    } else if (i == unit) {
        snprintf(err, errlen, "time: missing unit in duration \"%.*s\"", shown, p);
    } else {
        snprintf(err, errlen, "time: unknown unit \"%.*s\" in duration \"%.*s\"", (int)mu__min(i - unit, 64), p + unit, shown, p);
    }
}

/* ---- Scalars ---- */

static bool text(struct decoder *d, struct mu_str *out)
{
    if (take_null(d)) {
        return true;
    }
    if (next(d) != '"') {
        return mismatch(d, "string");
    }
    struct mu_str raw = raw_string(d);
    return json_unquote(raw.p, raw.len, d->arena, out) || out_of_memory(d);
}

static bool boolean(struct decoder *d, bool *out)
{
    char c = next(d);
    if (c != 't' && c != 'f') {
        return mismatch(d, "bool");
    }
    raw_scalar(d);
    *out = c == 't';
    return true;
}

/* A number as text with a zero; false when it is none, too long for one, or (Go's rule) not written as an integer. */
static bool number_text(struct decoder *d, bool integer, char buf[64])
{
    char c = next(d);
    if (c != '-' && (c < '0' || c > '9')) {
        return false;
    }
    size_t start = d->pos;
    struct mu_str s = raw_scalar(d);
    if (s.len >= 64) {
        d->pos = start;
        return false;
    }
    memcpy(buf, s.p, s.len);
    buf[s.len] = 0;
    if (integer && strpbrk(buf, ".eE")) {
        d->pos = start;
        return false;
    }
    errno = 0;
    return true;
}

static bool integer(struct decoder *d, int64_t *out)
{
    char buf[64];
    next(d);
    size_t start = d->pos;
    if (number_text(d, true, buf)) {
        int64_t v = strtoll(buf, NULL, 10);
        if (errno == 0) {
            *out = v;
            return true;
        }
    }
    d->pos = start;
    return mismatch(d, "int");
}

static bool unsigned_integer(struct decoder *d, uint64_t *out)
{
    char buf[64];
    next(d);
    size_t start = d->pos;
    if (number_text(d, true, buf) && buf[0] != '-') {
        uint64_t v = strtoull(buf, NULL, 10);
        if (errno == 0) {
            *out = v;
            return true;
        }
    }
    d->pos = start;
    return mismatch(d, "uint64");
}

static bool real(struct decoder *d, double *out)
{
    char buf[64];
    next(d);
    size_t start = d->pos;
    if (number_text(d, false, buf)) {
        double v = strtod(buf, NULL);
        if (v - v == 0.0) { /* finite */
            *out = v;
            return true;
        }
    }
    d->pos = start;
    return mismatch(d, "float64");
}

/* A Go duration, or a number of nanoseconds cut to an integer; other shapes count as not given, as in the original. */
static bool duration(struct decoder *d, int64_t *out)
{
    char c = next(d), buf[64];
    if (c == '"') {
        struct mu_str s = {NULL, 0};
        if (!text(d, &s)) {
            return false;
        }
        if (!mu__duration_parse(s.p, s.len, out)) {
            json_duration_error(s, d->err, d->errlen);
            return false;
        }
    } else if (number_text(d, false, buf)) {
        double v = strtod(buf, NULL);
        if (v > -9.2e18 && v < 9.2e18) {
            *out = strpbrk(buf, ".eE") ? (int64_t)v : strtoll(buf, NULL, 10);
        }
    } else {
        skip(d);
    }
    return true;
}

static bool bytes(struct decoder *d, struct mu_str *out)
{
    if (next(d) != '"') {
        return mismatch(d, "[]uint8");
    }
    struct mu_str s = {NULL, 0};
    if (!text(d, &s)) {
        return false;
    }
    char *raw = mu__arena_alloc(d->arena, s.len / 4 * 3 + 3);
    size_t bad = 0;
    if (!raw) {
        return out_of_memory(d);
    }
    *out = (struct mu_str){raw, 0};
    if (!json_base64(s, raw, &out->len, &bad)) {
        snprintf(d->err, d->errlen, "illegal base64 data at input byte %zu", bad);
        return false;
    }
    return true;
}

/* Days from 0001-01-01 to the first of a month (Hinnant's days_from_civil). */
static int64_t days(int64_t y, int64_t m, int64_t day)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 306;
}

/* RFC 3339 5.6, with at most nine digits of fraction. */
static bool parse_time(const char *s, struct mu_time *out)
{
    int y, mo, day, h, mi, se, used = 0;
    if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &day, &h, &mi, &se, &used) != 6 || used != 19 || y < 1 || mo < 1 ||
        mo > 12 || day < 1 || day > 31 || h < 0 || h > 23 || mi < 0 || mi > 59 || se < 0 || se > 59) {
        return false;
    }
    s += used;
    uint32_t ns = 0;
    if (*s == '.') {
        uint32_t unit = 100000000;
        for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10) {
            ns += (uint32_t)(*s - '0') * unit;
        }
    }
    int oh = 0, om = 0;
    char sign = *s;
    if (sign == '+' || sign == '-') {
        if (sscanf(s + 1, "%2d:%2d%n", &oh, &om, &used) != 2 || used != 5 || oh < 0 || oh > 23 || om < 0 || om > 59 || s[6]) {
            return false;
        }
    } else if (strcmp(s, "Z") != 0) {
        return false;
    }
    int64_t offset = (oh * 60 + om) * 60;
    out->since_year1_s = days(y, mo, day) * 86400 + h * 3600 + mi * 60 + se - (sign == '-' ? -offset : offset);
    out->ns = ns;
    return true;
}

static bool time_value(struct decoder *d, struct mu_time *out)
{
    struct mu_str s = {NULL, 0};
    if (next(d) != '"') {
        return mismatch(d, "time.Time");
    }
    if (!text(d, &s)) {
        return false;
    }
    char buf[64];
    snprintf(buf, sizeof buf, "%.*s", (int)mu__min(s.len, 63), s.p);
    if (s.len > 63 || !parse_time(buf, out)) {
        snprintf(d->err, d->errlen, "parsing time \"\\\"%s\\\"\" as \"\\\"2006-01-02T15:04:05Z07:00\\\"\": cannot parse", buf);
        return false;
    }
    return true;
}

/* ---- Lists and maps ---- */

static bool strings(struct decoder *d, struct mu_strs *out, const char *go_type)
{
    if (next(d) != '[') {
        return mismatch(d, go_type);
    }
    size_t n = count(d);
    struct mu_str *items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        if (!text(d, &items[i])) {
            return false;
        }
    }
    next(d);
    d->pos++;
    *out = (struct mu_strs){items, n};
    return true;
}

static bool floats(struct decoder *d, struct mu_floats *out)
{
    if (next(d) != '[') {
        return mismatch(d, "[]float64");
    }
    size_t n = count(d);
    double *items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        if (!take_null(d) && !real(d, &items[i])) {
            return false;
        }
    }
    next(d);
    d->pos++;
    *out = (struct mu_floats){items, n};
    return true;
}

static bool new_object(struct decoder *d, const struct mu__schema *s, void **out)
{
    if (take_null(d)) {
        return true;
    }
    void *obj = *out ? *out : mu__arena_calloc(d->arena, 1, s->size);
    if (!obj) {
        return out_of_memory(d);
    }
    *out = obj;
    return decode_object(d, s, obj);
}

static bool list(struct decoder *d, const struct mu__schema *s, struct mu_list *out)
{
    if (next(d) != '[') {
        return mismatch_sub(d, "", s, "s"); /* Go names its slices: HealthChecks, CheckTypes, Upstreams */
    }
    size_t n = count(d);
    void **items = mu__arena_calloc(d->arena, n + 1, sizeof *items);
    if (!items) {
        return out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        void *zero = mu__arena_calloc(d->arena, 1, s->size); /* a null element is an empty record */
        items[i] = zero;
        if (!zero) {
            return out_of_memory(d);
        }
        if (!new_object(d, s, &items[i])) {
            return false;
        }
    }
    next(d);
    d->pos++;
    *out = (struct mu_list){items, n};
    return true;
}

/* All three maps are arrays of entries that begin with their key; this reads them into an array in order of the text. */
typedef bool (*entry_fn)(struct decoder *d, const struct mu__schema *s, void *entry);
union entry {
    struct mu_str key;
    struct mu_pair pair;
    struct mu_strs_named strs;
    struct mu_named named;
};

static bool text_entry(struct decoder *d, const struct mu__schema *s, void *entry)
{
    (void)s;
    struct mu_pair *e = entry;
    e->value = (struct mu_str){"", 0};
    return text(d, &e->value);
}

static bool strs_entry(struct decoder *d, const struct mu__schema *s, void *entry)
{
    (void)s;
    struct mu_strs_named *e = entry;
    return take_null(d) || strings(d, &e->value, "[]string");
}

static bool object_entry(struct decoder *d, const struct mu__schema *s, void *entry)
{
    struct mu_named *e = entry;
    e->value = mu__arena_calloc(d->arena, 1, s->size);
    return e->value ? new_object(d, s, &e->value) : out_of_memory(d);
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

/* Sorts n entries by key; of equal keys the last in the text stays. Gives the new array and its length. */
static void *sort_entries(struct decoder *d, const char *entries, size_t size, size_t *n)
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

static void *map(struct decoder *d, const struct mu__schema *s, size_t size, entry_fn value, size_t *n)
{
    *n = count(d);
    char *entries = mu__arena_calloc(d->arena, *n + 1, size);
    if (!entries) {
        out_of_memory(d);
        return NULL;
    }
    d->pos++;
    for (size_t i = 0; i < *n; i++) {
        struct mu_str key = {NULL, 0};
        if (!text(d, &key)) {
            return NULL;
        }
        memcpy(entries + i * size, &key, sizeof key);
        if (!value(d, s, entries + i * size)) {
            return NULL;
        }
    }
    next(d);
    d->pos++;
    void *sorted = sort_entries(d, entries, size, n);
    if (!sorted) {
        out_of_memory(d);
    }
    return sorted;
}

static bool decode_map(struct decoder *d, const struct mu__field *f, void *at)
{
    if (next(d) != '{') {
        return f->kind == MU_STRUCTMAP ? mismatch_sub(d, "map[string]", f->sub, "")
                                       : mismatch(d, f->kind == MU_STRMAP ? "map[string]string" : "map[string][]string");
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

/* ---- Values of any shape, kept as msgpack ---- */

static bool any_scalar(struct decoder *d, struct mu__writer *w)
{
    char c = next(d);
    if (c == '"') {
        struct mu_str s = {NULL, 0};
        if (!text(d, &s)) {
            return false;
        }
        mu__mp_write_raw(w, s.p, s.len);
    } else if (c == 't' || c == 'f') {
        raw_scalar(d);
        mu__mp_write_bool(w, c == 't');
    } else if (c == 'n') {
        raw_scalar(d);
        mu__mp_write_nil(w);
    } else {
        double v = 0; /* numbers of any shape are float64 in Go */
        if (!real(d, &v)) {
            return false;
        }
        mu__mp_write_float(w, v);
    }
    return true;
}

static bool any(struct decoder *d, struct mu_str *out)
{
    struct mu__writer w = mu__writer_growing(&d->arena->allocator);
    unsigned depth = 0;
    bool ok = true;
    do {
        char c = next(d);
        if (c == '}' || c == ']') {
            depth--;
            d->pos++;
        } else if (c == '{' || c == '[') {
            size_t n = count(d);
            c == '{' ? mu__mp_write_map(&w, n) : mu__mp_write_array(&w, n);
            d->pos++;
            ok = ++depth < MU_MSGPACK_DEPTH_MAX || fail(d, "exceeded max depth");
        } else {
            ok = any_scalar(d, &w);
        }
    } while (ok && depth > 0);
    if (ok && (w.failed || !(out->p = mu__arena_memdup(d->arena, w.data, w.len)))) {
        ok = out_of_memory(d);
    }
    out->len = ok ? w.len : 0;
    mu__writer_fini(&w);
    return ok;
}

/* Free-form fields are maps in all records; Go says map[string]interface {} to what is not. */
static bool any_map(struct decoder *d, struct mu_str *out)
{
    return next(d) == '{' ? any(d, out) : mismatch(d, "map[string]interface {}");
}

/* ---- Records ---- */

static bool decode_struct(struct decoder *d, const struct mu__schema *s, void *at)
{
    return next(d) == '{' ? decode_object(d, s, at) : mismatch_sub(d, "", s, "");
}

static bool decode_field(struct decoder *d, const struct mu__field *f, void *at)
{
    if (take_null(d)) {
        return true;
    }
    switch (f->kind) {
    case MU_BOOL:
        return boolean(d, at);
    case MU_INT:
        return integer(d, at);
    case MU_UINT:
        return unsigned_integer(d, at);
    case MU_FLOAT:
        return real(d, at);
    case MU_FLOATS:
        return floats(d, at);
    case MU_DURATION:
        return duration(d, at);
    case MU_TIME:
        return time_value(d, at);
    case MU_STR:
        return text(d, at);
    case MU_BYTES:
        return bytes(d, at);
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
        return any_map(d, at);
    }
    return fail(d, "unsupported field"); /* a kind that schema.h has and this switch has not */
}

/* Does key name the field? By its JSON name, or one of its aliases ("a|b"); upper and lower case are one. */
static bool names(const struct mu__field *f, struct mu_str key)
{
    if (mu__str_ieq(mu__cstr(f->json ? f->json : f->name), key)) {
        return true;
    }
    for (const char *p = f->alias; p;) {
        size_t n = strcspn(p, "|");
        if (mu__str_ieq((struct mu_str){p, n}, key)) {
            return true;
        }
        p = p[n] ? p + n + 1 : NULL;
    }
    return false;
}

static const struct mu__field *find(const struct mu__schema *s, struct mu_str key)
{
    for (size_t i = 0; i < s->nfields; i++) {
        if (!(s->fields[i].flags & MU_F_NO_JSON) && names(&s->fields[i], key)) {
            return &s->fields[i];
        }
    }
    return NULL;
}

static bool decode_member(struct decoder *d, const struct mu__schema *s, void *obj)
{
    next(d);
    struct mu_str key = {NULL, 0};
    struct mu_str raw = raw_string(d);
    if (!memchr(raw.p, '\\', raw.len)) {
        key = raw;
    } else if (!json_unquote(raw.p, raw.len, d->arena, &key)) {
        return out_of_memory(d);
    }
    const struct mu__field *f = find(s, key);
    if (!f) {
        return unknown_field(d, key);
    }
    if (!d->frozen && d->npath < PATH_MAX_FIELDS) {
        d->path[d->npath] = mu__cstr(f->json ? f->json : f->name);
    }
    d->npath += !d->frozen;
    bool ok = decode_field(d, f, (char *)obj + f->offset);
    d->npath -= !d->frozen;
    return ok;
}

static bool decode_object(struct decoder *d, const struct mu__schema *s, void *obj)
{
    if (next(d) != '{') {
        return mismatch_sub(d, "", s, "");
    }
    const char *type = d->type;
    bool frozen = d->frozen;
    d->frozen = frozen || (d->npath > 0 && decodes_itself(s));
    if (!d->frozen) {
        d->type = decodes_itself(s) ? "" : s->name;
    }
    d->pos++;
    bool ok = true;
    while (ok && next(d) != '}') {
        ok = decode_member(d, s, obj);
    }
    if (ok) {
        d->pos++;
    }
    d->type = type;
    d->frozen = frozen;
    return ok;
}

bool json_decode(const struct mu__schema *s, const char *text, size_t len, struct mu__arena *a, void *out, char *err,
                 size_t errlen)
{
    size_t end;
    if (!json_scan(text, len, &end, err, errlen)) {
        return false;
    }
    struct decoder d = {.text = text, .end = end, .arena = a, .err = err, .errlen = errlen, .type = ""};
    return take_null(&d) || decode_object(&d, s, out);
}
