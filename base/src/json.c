/* json.c - JSON output, streamed, byte for byte as Go's encoding/json prints it. */
#include "schema.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct mu__json *j, const char *s)
{
    mu__write_cstr(j->w, s);
}

static void newline(struct mu__json *j)
{
    if (!j->pretty) {
        return;
    }
    put(j, "\n");
    for (unsigned i = 0; i < j->depth; i++) {
        put(j, "    ");
    }
}

static void open_with(struct mu__json *j, const char *bracket)
{
    put(j, bracket);
    j->depth++;
    j->fresh = true;
}

static void close_with(struct mu__json *j, const char *bracket)
{
    j->depth--;
    if (!j->fresh) {
        newline(j);
    }
    put(j, bracket);
    j->fresh = false;
}

void mu__json_object(struct mu__json *j)
{
    open_with(j, "{");
}

void mu__json_object_end(struct mu__json *j)
{
    close_with(j, "}");
}

void mu__json_list(struct mu__json *j)
{
    open_with(j, "[");
}

void mu__json_list_end(struct mu__json *j)
{
    close_with(j, "]");
}

void mu__json_item(struct mu__json *j)
{
    if (!j->fresh) {
        put(j, ",");
    }
    j->fresh = false;
    newline(j);
}

/* Text that needs no escapes. */
static void put_quoted(struct mu__json *j, const char *s, size_t len)
{
    uint8_t *out = mu__write_room(j->w, len + 2);
    if (out) {
        out[0] = '"';
        if (len) {
            memcpy(out + 1, s, len);
        }
        out[len + 1] = '"';
    }
}

void mu__json_key(struct mu__json *j, struct mu_str key)
{
    mu__json_item(j);
    mu__json_str(j, key);
    put(j, j->pretty ? ": " : ":");
}

void mu__json_ckey(struct mu__json *j, const char *key)
{
    size_t len = strlen(key), comma = !j->fresh;
    uint8_t *out = j->pretty ? NULL : mu__write_room(j->w, comma + len + 3);
    if (out) { /* all of it at once: half of what is written are keys */
        out[0] = ',';
        out += comma;
        out[0] = '"';
        memcpy(out + 1, key, len);
        out[len + 1] = '"';
        out[len + 2] = ':';
        j->fresh = false;
    } else if (j->pretty) {
        mu__json_item(j);
        put_quoted(j, key, len);
        put(j, ": ");
    }
}

static void put_escape(struct mu__json *j, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char out[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15u], '\0'};
    switch (c) {
    case '"':
    case '\\':
        out[1] = (char)c;
        out[2] = '\0';
        break;
    case '\n':
    case '\r':
    case '\t':
        out[1] = (char)(c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        out[2] = '\0';
        break;
    default:
        break;
    }
    put(j, out);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Is there a byte below 0x20, above 0x7f, or one of the five? Eight at a time; a byte of the result
 * is 0x80 or more only if it, or one before it, is such a byte. */
static bool all_plain(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
#define HAS_ZERO(x) (((x)-ones) & ~(x))
    uint64_t odd = v | (v - ones * 0x20) | HAS_ZERO(v ^ ones * '"') | HAS_ZERO(v ^ ones * '\\') |
                   HAS_ZERO(v ^ ones * '<') | HAS_ZERO(v ^ ones * '>') | HAS_ZERO(v ^ ones * '&');
#undef HAS_ZERO
    return (odd & tops) == 0;
}

static size_t plain_length(struct mu_str s)
{
    size_t n = 0;
    for (uint64_t v; s.len - n >= sizeof v; n += sizeof v) {
        memcpy(&v, s.p + n, sizeof v);
        if (!all_plain(v)) {
            break;
        }
    }
    while (n < s.len && is_plain((unsigned char)s.p[n])) {
        n++;
    }
    return n;
}

void mu__json_str(struct mu__json *j, struct mu_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t plain = plain_length(s);
    if (plain == s.len) { /* nearly always */
        put_quoted(j, s.p, s.len);
        return;
    }
    put(j, "\"");
    size_t from = 0; /* what stands between from and i is plain and not yet written */
    for (size_t i = plain; i < s.len;) {
        if (is_plain(p[i])) {
            i++;
            continue;
        }
        size_t len = p[i] < 0x80 ? 1 : mu__utf8_length(p + i, s.len - i);
        bool is_separator =
            len == 3 && memcmp(p + i, "\xe2\x80", 2) == 0 && (p[i + 2] & 0xfeu) == 0xa8;
        if (len > 1 && !is_separator) {
            i += len;
            continue;
        }
        mu__write_bytes(j->w, p + from, i - from);
        if (is_separator) { /* U+2028 and U+2029 end a line in JavaScript */
            put(j, p[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
        } else if (len == 1) {
            put_escape(j, p[i]);
        } else {
            put(j, "\\ufffd");
            len = 1;
        }
        i += len;
        from = i;
    }
    mu__write_bytes(j->w, p + from, s.len - from);
    put(j, "\"");
}

void mu__json_cstr(struct mu__json *j, const char *s)
{
    mu__json_str(j, mu__cstr(s));
}

void mu__json_uint(struct mu__json *j, uint64_t v)
{
    char buf[20];
    size_t at = sizeof buf;
    do {
        buf[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    mu__write_bytes(j->w, buf + at, sizeof buf - at);
}

void mu__json_int(struct mu__json *j, int64_t v)
{
    if (v < 0) {
        put(j, "-");
    }
    mu__json_uint(j, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* The fewest digits that read back as v (v > 0, finite), without trailing zeros, and the exponent
 * of the first. printf's decimal point follows the locale: only digits are taken from it. */
static size_t shortest_digits(double v, char digits[18], int *exponent)
{
    char text[40];
    int lo = 0;
    int hi = 16;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        snprintf(text, sizeof text, "%.*e", mid, v);
        double back = strtod(text, NULL);
        if (back < v || back > v) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    snprintf(text, sizeof text, "%.*e", lo, v);
    size_t n = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9' && n < 17) {
            digits[n++] = *p;
        }
    }
    *exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    digits[n] = '\0';
    return n;
}

static void put_positional(struct mu__json *j, const char *digits, size_t n, int exponent)
{
    if (exponent < 0) {
        put(j, "0.");
        for (int i = -1; i > exponent; i--) {
            put(j, "0");
        }
        put(j, digits);
        return;
    }
    size_t whole = (size_t)exponent + 1;
    mu__write_bytes(j->w, digits, mu__min(n, whole));
    for (size_t i = n; i < whole; i++) {
        put(j, "0");
    }
    if (n > whole) {
        put(j, ".");
        put(j, digits + whole);
    }
}

static void put_exponential(struct mu__json *j, const char *digits, size_t n, int exponent)
{
    mu__write_bytes(j->w, digits, 1);
    if (n > 1) {
        put(j, ".");
        put(j, digits + 1);
    }
    put(j, exponent < 0 ? "e-" : "e+");
    mu__json_int(j, exponent < 0 ? -exponent : exponent);
}

/* Go: positional from 1e-6 up to 1e21, exponential outside. */
void mu__json_float(struct mu__json *j, double v)
{
    if (!isfinite(v)) {
        mu__json_null(j); /* Go refuses to print these */
        return;
    }
    if (signbit(v)) {
        put(j, "-");
        v = -v;
    }
    if (!(v > 0)) {
        put(j, "0");
        return;
    }
    char digits[18];
    int exponent;
    size_t n = shortest_digits(v, digits, &exponent);
    if (v < 1e-6 || v >= 1e21) {
        put_exponential(j, digits, n, exponent);
    } else {
        put_positional(j, digits, n, exponent);
    }
}

void mu__json_bool(struct mu__json *j, bool v)
{
    put(j, v ? "true" : "false");
}

void mu__json_null(struct mu__json *j)
{
    put(j, "null");
}

void mu__json_base64(struct mu__json *j, const void *p, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = p;
    put(j, "\"");
    for (size_t i = 0; i < len; i += 3) {
        size_t n = mu__min(len - i, 3);
        uint32_t v = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                     (n > 2 ? in[i + 2] : 0u);
        uint8_t *out = mu__write_room(j->w, 4);
        if (!out) {
            return;
        }
        for (unsigned k = 0; k < 4; k++) {
            out[k] = k <= n ? (uint8_t)alphabet[v >> (18 - 6 * k) & 63u] : '=';
        }
    }
    put(j, "\"");
}

/* Days since 0001-01-01 to year, month and day; after Howard Hinnant's "chrono-compatible low-level
 * date algorithms": years that begin in March put the leap day last. */
static void civil_date(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 306; /* since 0000-03-01 */
    int64_t era = z / 146097;
    int64_t doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

#define YEAR_10000_S INT64_C(315537897600) /* seconds from year 1 to year 10000 */

void mu__json_time(struct mu__json *j, struct mu_time t)
{
    if (t.since_year1_s < 0 || t.since_year1_s >= YEAR_10000_S || t.ns > 999999999) {
        mu__json_null(j);
        return;
    }
    int year;
    int month;
    int day;
    civil_date(t.since_year1_s / 86400, &year, &month, &day);
    int second = (int)(t.since_year1_s % 86400);
    char text[64];
    int n = snprintf(text, sizeof text, "\"%04d-%02d-%02dT%02d:%02d:%02d.%09u", year, month, day,
                     second / 3600, second / 60 % 60, second % 60, (unsigned)t.ns);
    while (n > 0 && text[n - 1] == '0' && t.ns) {
        n--;
    }
    if (!t.ns) {
        n -= 10;
    }
    mu__write_bytes(j->w, text, (size_t)n);
    put(j, "Z\"");
}
