/* weak_value.c - single values, read as leniently as Consul reads them; weak.c walks the body. */
#include "weak_internal.h"

#include "base/json.h"
#include "strconv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Paths and what is wrong ---- */

struct mu_str weak__text(struct weak__decoder *w, const char *fmt, ...)
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

void weak__say(struct weak__said *s, struct mu_str what)
{
    if (s->len < SAID_MAX) {
        s->items[s->len++] = what;
    }
}

struct mu_str weak__below(struct weak__decoder *w, struct mu_str path, struct mu_str key)
{
    return path.len ? weak__text(w, "%.*s.%.*s", SHOWN(path), SHOWN(key)) : key;
}

struct mu_str weak__at_index(struct weak__decoder *w, struct mu_str path, size_t i)
{
    return weak__text(w, "%.*s[%zu]", SHOWN(path), i);
}

struct mu_str weak__at_key(struct weak__decoder *w, struct mu_str path, struct mu_str key)
{
    return weak__text(w, "%.*s[%.*s]", SHOWN(path), SHOWN(key));
}

/* ---- Values ---- */

enum mu__mp_type weak__type_of(const struct weak__value *v)
{
    struct mu__reader r = weak__reader(v);
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
struct weak__value *weak__split(struct weak__decoder *w, const struct weak__value *v,
                                struct mu_str **keys, size_t *n)
{
    struct mu__reader r = weak__reader(v);
    bool is_map = mu__mp_peek(&r) == MU_MP_MAP;
    *n = is_map ? mu__mp_read_map(&r) : mu__mp_read_array(&r);
    struct weak__value *items = mu__arena_calloc(w->arena, *n + 1, sizeof *items);
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
struct weak__value weak__unwrapped(struct weak__decoder *w, const struct weak__value *v)
{
    size_t n = 0;
    struct weak__value *items =
        weak__type_of(v) == MU_MP_ARRAY ? weak__split(w, v, NULL, &n) : NULL;
    if (!items || n != 1) {
        return *v;
    }
    items[0].path = v->path;
    return items[0];
}

void weak__expected_map(struct weak__decoder *w, const struct weak__value *v)
{
    weak__say(&w->wrong, weak__text(w, "'%.*s' expected a map, got '%s'", SHOWN(v->path),
                                    go_kind(weak__type_of(v))));
}

static void unconvertible(struct weak__decoder *w, const struct weak__value *v, const char *wanted)
{
    weak__say(&w->wrong, weak__text(w, "'%.*s' expected type '%s', got unconvertible type '%s'",
                                    SHOWN(v->path), wanted, go_type(weak__type_of(v))));
}

static void unparsable(struct weak__decoder *w, const struct weak__value *v, const char *as,
                       const char *function, struct mu_str given, const char *why)
{
    weak__say(&w->wrong,
              weak__text(w, "cannot parse '%.*s' as %s: strconv.%s: parsing \"%.*s\": %s",
                         SHOWN(v->path), as, function, SHOWN(given), why));
}

/* ---- Scalars ---- */

void weak__to_text(struct weak__decoder *w, const struct weak__value *v, struct mu_str *out)
{
    struct mu__reader r = weak__reader(v);
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
        *out =
            weak__text(w, "%.*s", (int)digits.len, digits.failed ? "" : (const char *)digits.data);
        mu__writer_fini(&digits);
        break;
    }
    default:
        unconvertible(w, v, "string");
    }
}

void weak__to_bool(struct weak__decoder *w, const struct weak__value *v, bool *out)
{
    struct mu__reader r = weak__reader(v);
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
bool weak__to_integer(struct weak__decoder *w, const struct weak__value *v, bool is_unsigned,
                      int64_t *out)
{
    struct mu__reader r = weak__reader(v);
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

void weak__to_uint32(struct weak__decoder *w, const struct weak__value *v, uint64_t *out)
{
    int64_t n = 0;
    if (weak__to_integer(w, v, true, &n)) {
        *out = (uint32_t)(uint64_t)n;
    }
}

void weak__to_float(struct weak__decoder *w, const struct weak__value *v, double *out)
{
    struct mu__reader r = weak__reader(v);
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

void weak__to_duration(struct weak__decoder *w, const struct weak__value *v, int64_t *out)
{
    struct mu__reader r = weak__reader(v);
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
            weak__say(&w->wrong, weak__text(w, "error decoding '%.*s': %s", SHOWN(v->path), why));
        }
        break;
    default:
        unconvertible(w, v, "time.Duration");
    }
}
