/* duration.c - Go's text form of durations. */
#include "schema.h"

#include <stdio.h>
#include <string.h>

/* Writes v / 10^scale with its fraction, without trailing zeros; returns the length. */
static size_t put_fraction(char *out, uint64_t v, unsigned scale)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < scale; i++) {
        unit *= 10;
    }
    int n = snprintf(out, 22, "%llu", (unsigned long long)(v / unit));
    if (v % unit == 0) {
        return (size_t)n;
    }
    n += snprintf(out + n, 12, ".%0*llu", (int)scale, (unsigned long long)(v % unit));
    while (out[n - 1] == '0') {
        n--;
    }
    return (size_t)n;
}

size_t mu__duration_format(int64_t ns, char buf[32])
{
    char *p = buf;
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0) {
        *p++ = '-';
    }
    if (v == 0) {
        memcpy(buf, "0s", sizeof "0s");
        return 2;
    }
    const char *unit = "s";
    if (v < MU_USEC) {
        p += put_fraction(p, v, 0);
        unit = "ns";
    } else if (v < MU_MSEC) {
        p += put_fraction(p, v, 3);
        unit = "\xc2\xb5s"; /* micro sign */
    } else if (v < MU_SEC) {
        p += put_fraction(p, v, 6);
        unit = "ms";
    } else {
        uint64_t minutes = v / (60 * MU_SEC);
        if (minutes >= 60) {
            p += snprintf(p, 12, "%lluh", (unsigned long long)(minutes / 60));
        }
        if (minutes > 0) {
            p += snprintf(p, 4, "%um", (unsigned)(minutes % 60));
        }
        p += put_fraction(p, v % (60 * MU_SEC), 9);
    }
    size_t n = strlen(unit);
    memcpy(p, unit, n + 1);
    return (size_t)(p - buf) + n;
}

struct unit {
    const char *name;
    uint64_t ns;
};

static const struct unit units[] = {
    {"ns", 1},
    {"us", MU_USEC},
    {"\xc2\xb5s", MU_USEC}, /* U+00B5 micro sign */
    {"\xce\xbcs", MU_USEC}, /* U+03BC Greek mu */
    {"ms", MU_MSEC},
    {"s", MU_SEC},
    {"m", 60 * MU_SEC},
    {"h", 3600 * MU_SEC},
};

static const struct unit *find_unit(const char *s, size_t len)
{
    size_t n = 0; /* the unit reaches up to the next number */
    while (n < len && s[n] != '.' && (s[n] < '0' || s[n] > '9')) {
        n++;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (n == strlen(units[i].name) && memcmp(s, units[i].name, n) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One "12.5ms" at *s; adds it to *sum. */
static bool parse_term(const char **s, size_t *len, uint64_t *sum)
{
    const char *p = *s;
    const char *end = p + *len;
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    size_t digits = 0;
    for (; p < end && is_digit(*p); p++, digits++) {
        if (whole > (uint64_t)INT64_MAX / 10) {
            return false;
        }
        whole = whole * 10 + (uint64_t)(*p - '0');
    }
    if (p < end && *p == '.') {
        for (p++; p < end && is_digit(*p); p++, digits++) {
            if (scale < UINT64_C(100000000000000)) { /* further digits are below a nanosecond */
                fraction = fraction * 10 + (uint64_t)(*p - '0');
                scale *= 10;
            }
        }
    }
    const struct unit *u = find_unit(p, (size_t)(end - p));
    if (!digits || !u || whole > (uint64_t)INT64_MAX / u->ns) {
        return false;
    }
    uint64_t ns = whole * u->ns + (uint64_t)((double)fraction * ((double)u->ns / (double)scale));
    if (ns > (uint64_t)INT64_MAX - *sum) {
        return false;
    }
    *sum += ns;
    p += strlen(u->name);
    *len = (size_t)(end - p);
    *s = p;
    return true;
}

bool mu__duration_parse(const char *s, size_t len, int64_t *ns)
{
    bool negative = len > 0 && *s == '-';
    if (len > 0 && (*s == '-' || *s == '+')) {
        s++;
        len--;
    }
    if (len == 1 && *s == '0') {
        *ns = 0;
        return true;
    }
    uint64_t sum = 0;
    if (len == 0) {
        return false;
    }
    while (len > 0) {
        if (!parse_term(&s, &len, &sum)) {
            return false;
        }
    }
    *ns = negative ? -(int64_t)sum : (int64_t)sum;
    return true;
}

void mu__duration_error(struct mu_str text, char *err, size_t errlen)
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
    static const char *const names[] = {"ns", "us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", "m", "h"};
    bool known = false;
    for (size_t u = 0; u < sizeof names / sizeof *names; u++) {
        known |= strlen(names[u]) == i - unit && memcmp(names[u], p + unit, i - unit) == 0;
    }
    if (unit == start || known) {
        snprintf(err, errlen, "time: invalid duration \"%.*s\"", shown, p);
    } else if (i == unit) {
        snprintf(err, errlen, "time: missing unit in duration \"%.*s\"", shown, p);
    } else {
        snprintf(err, errlen, "time: unknown unit \"%.*s\" in duration \"%.*s\"",
                 (int)mu__min(i - unit, 64), p + unit, shown, p);
    }
}
