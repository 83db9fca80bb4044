/* json_text.c - JSON strings to UTF-8 text, as Go's unquote does: what is not valid becomes
 * U+FFFD. */
#include "json_text.h"

#include <string.h>

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        v = v << 4 | (c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u);
    }
    return v;
}

static size_t put_rune(char *out, unsigned r)
{
    if (r < 0x80) {
        out[0] = (char)r;
        return 1;
    }
    size_t n = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, r >>= 6) {
        out[i] = (char)(0x80 | (r & 0x3f));
    }
    out[0] = (char)(lead[n] | r);
    return n;
}

size_t json_utf8_length(const char *p, size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    if (s[0] < 0x80) {
        return 1;
    }
    size_t n = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool beyond = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : n;
}

/* \uXXXX at p, perhaps the first half of a surrogate pair; *used counts the bytes read. */
static unsigned unicode_escape(const char *p, const char *end, size_t *used)
{
    unsigned r = hex4(p + 2);
    *used = 6;
    if (r < 0xd800 || r > 0xdfff) {
        return r;
    }
    if (r < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        unsigned low = hex4(p + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *used = 12;
            return 0x10000 + ((r - 0xd800) << 10 | (low - 0xdc00));
        }
    }
    return 0xfffd;
}

static size_t put_escape(const char **p, const char *end, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = (*p)[1];
    if (c == 'u') {
        size_t used;
        unsigned r = unicode_escape(*p, end, &used);
        *p += used;
        return put_rune(out, r);
    }
    const char *named = strchr(from, c);
    *out = c;
    if (named) {
        *out = to[named - from];
    }
    *p += 2;
    return 1;
}

static bool is_plain(const char *p, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = json_utf8_length(p + i, len - i);
        if (n == 0 || p[i] == '\\') {
            return false;
        }
    }
    return true;
}

bool json_unquote(const char *p, size_t len, struct mu__arena *a, struct mu_str *out)
{
    if (is_plain(p, len)) {
        char *copy = mu__arena_strndup(a, p, len);
        *out = (struct mu_str){copy, len};
        return copy != NULL;
    }
    size_t room; /* one bad byte makes the three of U+FFFD */
    char *text = mu__mul(len, 3, &room) ? mu__arena_alloc(a, room + 1) : NULL;
    if (!text) {
        return false;
    }
    size_t w = 0;
    for (const char *end = p + len; p < end;) {
        size_t n = json_utf8_length(p, (size_t)(end - p));
        if (*p == '\\') {
            w += put_escape(&p, end, text + w);
        } else if (n == 0) {
            w += put_rune(text + w, 0xfffd);
            p++;
        } else {
            memcpy(text + w, p, n);
            w += n;
            p += n;
        }
    }
    *out = (struct mu_str){text, w};
    return true;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

bool json_base64(struct mu_str in, char *out, size_t *outlen, size_t *bad)
{
    unsigned bits = 0, group = 0;
    size_t w = 0, i = 0;
    for (; i < in.len && in.p[i] != '='; i++) {
        int d = base64_digit(in.p[i]);
        if (d < 0 && (in.p[i] == '\n' || in.p[i] == '\r')) {
            continue; /* as Go's decoder allows */
        }
        if (d < 0) {
            *bad = i;
            return false;
        }
        bits = bits << 6 | (unsigned)d;
        if (group++ % 4 != 0) {
            out[w++] = (char)(bits >> (6 - 2 * ((group - 1) % 4)) & 0xff);
        }
    }
    size_t digits = group % 4, want = digits == 0 ? 0 : 4 - digits, pads = 0;
    if ((digits && i == in.len) || digits == 1) { /* cut short: Go names where the group began */
        *bad = i == in.len ? i - digits : i;
        return false;
    }
    for (; i < in.len; i++) {
        if (in.p[i] == '=' && pads < want) {
            pads++;
        } else if (in.p[i] != '\n' && in.p[i] != '\r') {
            *bad = pads < want ? i - 1 : i; /* and the place before what should be a second = */
            return false;
        }
    }
    *bad = in.len;
    *outlen = w;
    return pads == want;
}
