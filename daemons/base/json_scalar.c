/* json_scalar.c - text, numbers, durations, bytes and times. */
#include "json_internal.h"

#include "json_text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool json__text_of_type(struct json_decoder *d, const char *go_type, struct mu_str *out)
{
    if (json__take_null(d)) {
        return true;
    }
    if (json__next(d) != '"') {
        return json__mismatch(d, go_type);
    }
    struct mu_str raw = json__raw_string(d);
    return json_unquote(raw.p, raw.len, d->arena, out) || json__out_of_memory(d);
}

bool json__text(struct json_decoder *d, struct mu_str *out)
{
    return json__text_of_type(d, "string", out);
}

bool json__boolean(struct json_decoder *d, bool *out)
{
    char c = json__next(d);
    if (c != 't' && c != 'f') {
        return json__mismatch(d, "bool");
    }
    json__raw_scalar(d);
    *out = c == 't';
    return true;
}

/* A number as text with a zero; false when it is none, too long for one, or (Go's rule) not written
 * as an integer. */
static bool number_text(struct json_decoder *d, bool integer, char buf[64])
{
    char c = json__next(d);
    if (c != '-' && (c < '0' || c > '9')) {
        return false;
    }
    size_t start = d->pos;
    struct mu_str s = json__raw_scalar(d);
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

bool json__integer(struct json_decoder *d, int64_t *out)
{
    char buf[64];
    json__next(d);
    size_t start = d->pos;
    if (number_text(d, true, buf)) {
        int64_t v = strtoll(buf, NULL, 10);
        if (errno == 0) {
            *out = v;
            return true;
        }
    }
    d->pos = start;
    return json__mismatch(d, "int");
}

bool json__unsigned_integer(struct json_decoder *d, uint64_t *out)
{
    char buf[64];
    json__next(d);
    size_t start = d->pos;
    if (number_text(d, true, buf) && buf[0] != '-') {
        uint64_t v = strtoull(buf, NULL, 10);
        if (errno == 0) {
            *out = v;
            return true;
        }
    }
    d->pos = start;
    return json__mismatch(d, "uint64");
}

bool json__real(struct json_decoder *d, double *out)
{
    char buf[64];
    json__next(d);
    size_t start = d->pos;
    if (number_text(d, false, buf)) {
        double v = strtod(buf, NULL);
        if (v - v == 0.0) { /* finite */
            *out = v;
            return true;
        }
    }
    d->pos = start;
    return json__mismatch(d, "float64");
}

/* Anything else than text is a number, Go's type says, and tells what its parser thinks of it. */
static bool refuse_duration(struct json_decoder *d, size_t start, const char *reason)
{
    return json__not_a_number(d, (struct mu_str){d->text + start, d->pos - start}, reason);
}

/* A Go duration, or a number of nanoseconds cut to an integer. In records that decode themselves
 * other shapes count as not given, elsewhere they are errors. */
bool json__duration(struct json_decoder *d, int64_t *out)
{
    char c = json__next(d), buf[64];
    size_t start = d->pos;
    bool is_lenient = d->frozen || !*d->type;
    if (c == '"') {
        struct mu_str s = {NULL, 0};
        if (!json__text(d, &s)) {
            return false;
        }
        if (!mu__duration_parse(s.p, s.len, out)) {
            json_duration_error(s, d->err, d->errlen);
            return false;
        }
    } else if (number_text(d, false, buf)) {
        double v = strtod(buf, NULL);
        if (!is_lenient && v - v != 0.0) { /* infinite */
            return refuse_duration(d, start, "value out of range");
        }
        if (v > -9.2e18 && v < 9.2e18) {
            *out = strpbrk(buf, ".eE") ? (int64_t)v : strtoll(buf, NULL, 10);
        }
    } else {
        json__skip(d);
        return is_lenient || refuse_duration(d, start, "invalid syntax");
    }
    return true;
}

#define SMALL 1000

bool json__seconds(struct json_decoder *d, int64_t *out)
{
    *out = 0;
    if (!json__duration(d, out)) {
        return false;
    }
    if (*out<SMALL && * out> INT64_MIN / (int64_t)MU_SEC) {
        *out *= (int64_t)MU_SEC;
    }
    return true;
}

bool json__bytes(struct json_decoder *d, struct mu_str *out)
{
    if (json__next(d) != '"') {
        return json__mismatch(d, "[]uint8");
    }
    struct mu_str s = {NULL, 0};
    if (!json__text(d, &s)) {
        return false;
    }
    char *raw = mu__arena_alloc(d->arena, s.len / 4 * 3 + 3);
    size_t bad = 0;
    if (!raw) {
        return json__out_of_memory(d);
    }
    *out = (struct mu_str){raw, 0};
    if (!json_base64(s, raw, &out->len, &bad)) {
        snprintf(d->err, d->errlen, "illegal base64 data at input byte %zu", bad);
        return false;
    }
    return true;
}

bool json__time_value(struct json_decoder *d, struct mu_time *out)
{
    struct mu_str s = {NULL, 0};
    if (json__next(d) != '"') {
        return json__mismatch(d, "time.Time");
    }
    if (!json__text(d, &s)) {
        return false;
    }
    char buf[64];
    snprintf(buf, sizeof buf, "%.*s", (int)mu__min(s.len, 63), s.p);
    if (s.len > 63 || !json__parse_time(buf, out)) {
        snprintf(
            d->err, d->errlen,
            "parsing time \"\\\"%s\\\"\" as \"\\\"2006-01-02T15:04:05Z07:00\\\"\": cannot parse",
            buf);
        return false;
    }
    return true;
}
