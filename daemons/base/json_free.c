/* json_free.c - values of any shape, kept as msgpack. Keys are sorted and unique, so that the same
 * configuration is the same bytes in whatever order it was written. */
#include "json_internal.h"

#include "msgpack.h"
#include <stdlib.h>
#include <string.h>

struct member {
    struct mu_str key;
    size_t at, len; /* of the encoded value, in the writer */
    size_t nth;
};

static bool value(struct json_decoder *d, struct mu__writer *w, unsigned depth);

static int by_key_then_place(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = mu__str_cmp(x->key, y->key);
    return c ? c : (x->nth > y->nth) - (x->nth < y->nth);
}

/* Writes the members in order of their keys; of equal ones the last in the text. Their values stand
 * in `values`. */
static void write_members(struct mu__writer *w, const struct member *members, size_t n,
                          const char *values)
{
    size_t unique = 0;
    for (size_t i = 0; i < n; i++) {
        unique += i + 1 == n || !mu__str_eq(members[i].key, members[i + 1].key);
    }
    mu__mp_write_map(w, unique);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || !mu__str_eq(members[i].key, members[i + 1].key)) {
            mu__mp_write_raw(w, members[i].key.p, members[i].key.len);
            mu__write_bytes(w, values + members[i].at, members[i].len);
        }
    }
}

static bool object(struct json_decoder *d, struct mu__writer *w, unsigned depth)
{
    size_t n = json__count(d), start = w->len;
    struct member *members = mu__arena_calloc(d->arena, n + 1, sizeof *members);
    if (!members) {
        return json__out_of_memory(d);
    }
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        size_t at = w->len;
        if (!json__text(d, &members[i].key) || !value(d, w, depth)) {
            return false;
        }
        members[i].at = at - start;
        members[i].len = w->len - at;
        members[i].nth = i;
    }
    json__next(d);
    d->pos++;
    const uint8_t *from = w->data ? w->data + start : NULL; /* nothing was written yet */
    char *values = w->failed ? NULL : mu__arena_memdup(d->arena, from, w->len - start);
    if (!values) {
        return json__out_of_memory(d);
    }
    w->len = start;
    qsort(members, n, sizeof *members, by_key_then_place);
    write_members(w, members, n, values);
    return true;
}

static bool list(struct json_decoder *d, struct mu__writer *w, unsigned depth)
{
    size_t n = json__count(d);
    mu__mp_write_array(w, n);
    d->pos++;
    for (size_t i = 0; i < n; i++) {
        if (!value(d, w, depth)) {
            return false;
        }
    }
    json__next(d);
    d->pos++;
    return true;
}

static bool scalar(struct json_decoder *d, struct mu__writer *w)
{
    char c = json__next(d);
    if (c == '"') {
        struct mu_str s = {NULL, 0};
        if (!json__text(d, &s)) {
            return false;
        }
        mu__mp_write_raw(w, s.p, s.len);
    } else if (c == 't' || c == 'f') {
        json__raw_scalar(d);
        mu__mp_write_bool(w, c == 't');
    } else if (c == 'n') {
        json__raw_scalar(d);
        mu__mp_write_nil(w);
    } else {
        double v = 0; /* numbers of any shape are float64 in Go */
        if (!json__real(d, &v)) {
            return false;
        }
        mu__mp_write_float(w, v);
    }
    return true;
}

/* Recursion is bounded: JSON_DEPTH_MAX of the text, and what readers of msgpack accept. */
static bool value(struct json_decoder *d, struct mu__writer *w, unsigned depth)
{
    char c = json__next(d);
    if (c != '{' && c != '[') {
        return scalar(d, w);
    }
    if (depth + 1 >= MU_MSGPACK_DEPTH_MAX) {
        return json__fail(d, "exceeded max depth");
    }
    return c == '{' ? object(d, w, depth + 1) : list(d, w, depth + 1);
}

bool json__any_map(struct json_decoder *d, struct mu_str *out)
{
    if (json__next(d) != '{') {
        return json__mismatch(d, "map[string]interface {}");
    }
    struct mu__writer w = mu__writer_growing(&d->arena->allocator);
    bool ok = value(d, &w, 0);
    if (ok && (w.failed || !(out->p = mu__arena_memdup(d->arena, w.data, w.len)))) {
        ok = json__out_of_memory(d);
    }
    out->len = ok ? w.len : 0;
    mu__writer_fini(&w);
    return ok;
}
