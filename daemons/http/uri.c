#include "uri.h"

#include "base/json_text.h"
#include "schema.h"
#include <string.h>

bool uri_split(struct mu_str target, struct mu_str *path, struct mu_str *query)
{
    const char *p = target.p, *end = target.p + target.len;
    if (target.len == 1 && *p == '*') {
        *path = target;
        *query = (struct mu_str){NULL, 0};
        return true;
    }
    if (target.len && *p != '/') { /* absolute form: scheme://authority/path */
        const char *slashes = memchr(p, ':', target.len);
        if (!slashes || end - slashes < 3 || slashes[1] != '/' || slashes[2] != '/') {
            return false;
        }
        for (p = slashes + 3; p < end && *p != '/' && *p != '?'; p++) {
        }
    }
    const char *mark = memchr(p, '?', (size_t)(end - p));
    *path = (struct mu_str){p, (size_t)((mark ? mark : end) - p)};
    *query = mark ? (struct mu_str){mark + 1, (size_t)(end - mark - 1)} : (struct mu_str){NULL, 0};
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool uri_decode(struct mu_str in, bool plus, char *out, size_t *outlen)
{
    size_t w = 0;
    for (size_t i = 0; i < in.len; i++) {
        if (in.p[i] == '%') {
            int hi = i + 2 < in.len ? hex_digit(in.p[i + 1]) : -1,
                lo = i + 2 < in.len ? hex_digit(in.p[i + 2]) : -1;
            if (hi < 0 || lo < 0) {
                return false;
            }
            out[w++] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            out[w++] = (char)(plus && in.p[i] == '+' ? ' ' : in.p[i]);
        }
    }
    *outlen = w;
    return true;
}

/* Is one of "//", "/./", "/../", or "/." and "/.." at the end, in it? */
static bool has_unclean_part(struct mu_str path)
{
    for (size_t i = 0; i + 1 < path.len; i++) {
        if (path.p[i] != '/') {
            continue;
        }
        struct mu_str rest = {path.p + i + 1, path.len - i - 1};
        if (rest.p[0] == '/' || (rest.p[0] == '.' && (rest.len == 1 || rest.p[1] == '/')) ||
            (rest.len >= 2 && rest.p[0] == '.' && rest.p[1] == '.' &&
             (rest.len == 2 || rest.p[2] == '/'))) {
            return true;
        }
    }
    return false;
}

bool uri_is_clean(struct mu_str path, struct mu__arena *a, struct mu_str *out)
{
    if (path.len && path.p[0] == '/' && !has_unclean_part(path)) {
        return true;
    }
    char *clean = mu__arena_alloc(a, path.len + 2);
    *out = (struct mu_str){clean, 0};
    if (!clean) {
        return false;
    }
    size_t w = 0;
    clean[w++] = '/';
    for (size_t i = 0; i < path.len;) {
        const char *slash = memchr(path.p + i, '/', path.len - i);
        size_t end = slash ? (size_t)(slash - path.p) : path.len;
        struct mu_str part = {path.p + i, end - i};
        if (mu__str_eq(part, mu__cstr(".."))) {
            while (w > 1 && clean[--w] != '/') {
            }
            w = w ? w : 1;
        } else if (part.len && !mu__str_eq(part, mu__cstr("."))) {
            if (w > 1) {
                clean[w++] = '/';
            }
            memcpy(clean + w, part.p, part.len);
            w += part.len;
        }
        i = end + 1;
    }
    if (path.len && path.p[path.len - 1] == '/' && w > 1) {
        clean[w++] = '/';
    }
    out->len = w;
    return false;
}

static bool is_unprintable(unsigned r)
{
    static const unsigned ranges[][2] = {
        {0, 0x1f},        {0x7f, 0xa0},     {0xad, 0xad},     {0x1680, 0x1680},   {0x180e, 0x180e},
        {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},   {0xe000, 0xf8ff},
        {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (r >= ranges[i][0] && r <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static unsigned rune_at(const char *p, size_t n)
{
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned r = (unsigned char)p[0] & mask[n];
    for (size_t i = 1; i < n; i++) {
        r = r << 6 | ((unsigned char)p[i] & 0x3f);
    }
    return r;
}

bool uri_has_unprintable(struct mu_str path)
{
    for (size_t i = 0, n; i < path.len; i += n ? n : 1) {
        n = json_utf8_length(path.p + i, path.len - i);
        if (n > 0 && is_unprintable(rune_at(path.p + i, n))) {
            return true; /* what is not UTF-8 counts as U+FFFD, which prints */
        }
    }
    return false;
}

static bool decode_part(struct mu_str raw, struct mu__arena *a, struct mu_str *out)
{
    if (!raw.len || (!memchr(raw.p, '%', raw.len) && !memchr(raw.p, '+', raw.len))) {
        *out = (struct mu_str){raw.len ? raw.p : "", raw.len};
        return true;
    }
    char *buf = mu__arena_alloc(a, raw.len);
    out->p = buf;
    return buf && uri_decode(raw, true, buf, &out->len);
}

bool uri_parse_query(struct mu_str raw, struct mu__arena *a, struct http_query *out)
{
    *out = (struct http_query){NULL, 0};
    size_t pairs = 1;
    for (size_t i = 0; i < raw.len; i++) {
        pairs += raw.p[i] == '&' || raw.p[i] == ';';
    }
    if (raw.len == 0) {
        return true;
    }
    out->items = pairs <= HTTP_PARAMS_MAX ? mu__arena_calloc(a, pairs, sizeof *out->items) : NULL;
    if (!out->items) {
        return false;
    }
    for (size_t i = 0; i < raw.len;) {
        size_t end = i;
        while (end < raw.len && raw.p[end] != '&' && raw.p[end] != ';') {
            end++;
        }
        const char *eq = memchr(raw.p + i, '=', end - i);
        size_t key_end = eq ? (size_t)(eq - raw.p) : end, value_at = eq ? key_end + 1 : end;
        struct http_param *p = &out->items[out->len];
        if (end > i) {
            if (!decode_part((struct mu_str){raw.p + i, key_end - i}, a, &p->key) ||
                !decode_part((struct mu_str){raw.p + value_at, end - value_at}, a, &p->value)) {
                return false;
            }
            out->len++;
        }
        i = end + 1;
    }
    return true;
}

struct mu_str uri_param(const struct http_query *q, const char *key)
{
    for (size_t i = 0; i < q->len; i++) {
        if (mu__str_eq(q->items[i].key, mu__cstr(key))) {
            return q->items[i].value;
        }
    }
    return (struct mu_str){NULL, 0};
}

bool uri_has_param(const struct http_query *q, const char *key)
{
    return uri_param(q, key).p != NULL;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("-_.~", c));
}

static void write_escaped(struct mu__writer *w, struct mu_str s, const char *also_plain, bool plus)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_unreserved(c) || (c && strchr(also_plain, c))) {
            mu__write_u8(w, c);
        } else if (plus && c == ' ') {
            mu__write_u8(w, '+');
        } else {
            mu__write_u8(w, '%');
            mu__write_u8(w, (uint8_t)digits[c >> 4]);
            mu__write_u8(w, (uint8_t)digits[c & 15]);
        }
    }
}

void uri_write_path(struct mu__writer *w, struct mu_str path)
{
    write_escaped(w, path, "$&+,/:;=@", false);
}

/* Stable, and quadratic in at most HTTP_PARAMS_MAX pairs. */
static void sort_by_key(struct http_query *q)
{
    for (size_t i = 1; i < q->len; i++) {
        struct http_param p = q->items[i];
        size_t k = i;
        for (; k > 0 && mu__str_cmp(q->items[k - 1].key, p.key) > 0; k--) {
            q->items[k] = q->items[k - 1];
        }
        q->items[k] = p;
    }
}

void uri_write_query(struct mu__writer *w, struct http_query *q)
{
    sort_by_key(q);
    for (size_t i = 0; i < q->len; i++) {
        if (i > 0) {
            mu__write_u8(w, '&');
        }
        write_escaped(w, q->items[i].key, "", true);
        mu__write_u8(w, '=');
        write_escaped(w, q->items[i].value, "", true);
    }
}
