/* weak_internal.h - between weak.c, which follows the tables, and weak_value.c, which turns single
 * values into what is wanted. */
#pragma once

#include "msgpack.h"
#include "weak.h"

#define SAID_MAX 64u /* of what is wrong, that is told */
#define SHOWN(s) (int)mu__min((s).len, 256), (s).p ? (s).p : ""

/* A value with where it stands: an encoded msgpack value. */
struct weak__value {
    struct mu_str bytes;
    struct mu_str path;
};

struct weak__said {
    struct mu_str items[SAID_MAX];
    size_t len;
};

struct weak__decoder {
    struct mu__arena *arena;
    struct weak__said wrong, unused;
    bool no_memory;
};

/* A text in the arena, cut to some hundred bytes. */
struct mu_str weak__text(struct weak__decoder *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void weak__say(struct weak__said *s, struct mu_str what);
/* Paths: a.b, a[1], a[b] */
struct mu_str weak__below(struct weak__decoder *w, struct mu_str path, struct mu_str key);
struct mu_str weak__at_index(struct weak__decoder *w, struct mu_str path, size_t i);
struct mu_str weak__at_key(struct weak__decoder *w, struct mu_str path, struct mu_str key);

static inline struct mu__reader weak__reader(const struct weak__value *v)
{
    return mu__reader(v->bytes.p, v->bytes.len);
}
enum mu__mp_type weak__type_of(const struct weak__value *v);
/* The elements of a list or the values of a map, whose keys may be asked for. NULL: out of
 * memory. */
struct weak__value *weak__split(struct weak__decoder *w, const struct weak__value *v,
                                struct mu_str **keys, size_t *n);
/* A list of one stands for what is in it, except where a list is wanted. */
struct weak__value weak__unwrapped(struct weak__decoder *w, const struct weak__value *v);
void weak__expected_map(struct weak__decoder *w, const struct weak__value *v);

/* What cannot be had is said, and *out stays as it is. */
void weak__to_text(struct weak__decoder *w, const struct weak__value *v, struct mu_str *out);
void weak__to_bool(struct weak__decoder *w, const struct weak__value *v, bool *out);
bool weak__to_integer(struct weak__decoder *w, const struct weak__value *v, bool is_unsigned,
                      int64_t *out);
void weak__to_uint32(struct weak__decoder *w, const struct weak__value *v, uint64_t *out);
void weak__to_float(struct weak__decoder *w, const struct weak__value *v, double *out);
void weak__to_duration(struct weak__decoder *w, const struct weak__value *v, int64_t *out);
