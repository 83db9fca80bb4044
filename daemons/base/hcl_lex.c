#include "hcl_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool hcl__fail(struct hcl *h, const char *at, const char *expected)
{
    size_t line = 1;
    for (const char *p = h->text; p < at; p++) {
        line += *p == '\n';
    }
    if (!h->failed) {
        h->failed = true;
        snprintf(h->err, h->errlen, "line %zu: expected %s", line, expected);
    }
    return false;
}

static bool skip_comment(struct hcl *h)
{
    const char *from = h->at;
    bool block = h->at + 1 < h->end && h->at[1] == '*' && *h->at == '/';
    if (!block) {
        const char *eol = memchr(h->at, '\n', (size_t)(h->end - h->at));
        h->at = eol ? eol : h->end;
        return true;
    }
    const char *close =
        h->end - h->at > 3 ? memmem(h->at + 2, (size_t)(h->end - h->at) - 2, "*/", 2) : NULL;
    h->at = close ? close + 2 : h->end;
    return close || hcl__fail(h, from, "the end */ of this comment");
}

bool hcl__skip(struct hcl *h)
{
    while (h->at < h->end) {
        bool slash = *h->at == '/' && h->at + 1 < h->end && (h->at[1] == '/' || h->at[1] == '*');
        if (*h->at == '#' || slash) {
            if (!skip_comment(h)) {
                return false;
            }
        } else if (*h->at == ' ' || *h->at == '\t' || *h->at == '\r' || *h->at == '\n') {
            h->at++;
        } else {
            return true;
        }
    }
    return true;
}

/* ---- Texts ---- */

struct text { /* being put together */
    char *p;
    size_t len, cap;
};

/* Room for so many bytes more, and a zero. */
static void make_room(struct text *t, size_t more)
{
    if (t->cap - t->len > more) {
        return;
    }
    t->cap = 2 * t->cap + more + 16;
    t->p = realloc(t->p, t->cap);
    if (!t->p) {
        abort(); /* out of memory while starting */
    }
}

static void put_rune(struct text *t, uint32_t c)
{
    if (c < 0x80) {
        t->p[t->len++] = (char)c;
        return;
    }
    if (c >= 0x10000) {
        t->p[t->len++] = (char)(0xf0 | c >> 18);
        t->p[t->len++] = (char)(0x80 | (c >> 12 & 0x3f));
    } else if (c >= 0x800) {
        t->p[t->len++] = (char)(0xe0 | c >> 12);
    } else {
        t->p[t->len++] = (char)(0xc0 | c >> 6);
        t->p[t->len++] = (char)(0x80 | (c & 0x3f));
        return;
    }
    t->p[t->len++] = (char)(0x80 | (c >> 6 & 0x3f));
    t->p[t->len++] = (char)(0x80 | (c & 0x3f));
}

/* So many digits of a base behind the backslash and its letter. */
static bool put_number(struct hcl *h, struct text *t, size_t digits, uint32_t base)
{
    uint32_t v = 0;
    for (size_t i = 0; i < digits; i++, h->at++) {
        int c = h->at < h->end ? tolower((unsigned char)*h->at) : 0;
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                                            : base;
        if (d >= base) {
            return hcl__fail(h, h->at, "another digit of this escape");
        }
        v = v * base + d;
    }
    if (!v || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) {
        return hcl__fail(h, h->at, "an escape that stands for a character");
    }
    put_rune(t, v);
    return true;
}

static bool put_escape(struct hcl *h, struct text *t)
{
    static const char from[] = "abfnrtv\\\"", to[] = "\a\b\f\n\r\t\v\\\"";
    char c = (char)(h->at + 1 < h->end ? h->at[1] : 0);
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        t->p[t->len++] = to[simple - from];
        h->at += 2;
        return true;
    }
    if (c >= '0' && c <= '7') {
        h->at++;
        return put_number(h, t, 3, 8);
    }
    if (c != 'x' && c != 'u' && c != 'U') {
        return hcl__fail(h, h->at, "one of \\n \\t \\\\ \\\" \\uXXXX behind a backslash");
    }
    h->at += 2;
    return put_number(h, t, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
}

/* Quotes inside ${...} do not end the text, and what stands there stays as it is. */
static char *quoted(struct hcl *h)
{
    const char *from = h->at++;
    struct text t = {NULL, 0, 0};
    size_t braces = 0;
    while (h->at < h->end && !h->failed) {
        make_room(&t, 4);
        char c = *h->at;
        if (c == '"' && !braces) {
            h->at++;
            t.p[t.len] = '\0';
            return t.p;
        }
        if (!c || (c == '\n' && !braces)) {
            break;
        }
        if (c == '\\' && !braces) {
            (void)put_escape(h, &t);
            continue;
        }
        if (c == '$' && !braces && h->at + 1 < h->end && h->at[1] == '{') {
            t.p[t.len++] = *h->at++;
            braces = 1;
        } else if (braces) {
            braces += c == '{' ? 1 : 0;
            braces -= c == '}' ? 1 : 0;
        }
        t.p[t.len++] = *h->at++;
    }
    hcl__fail(h, from, "the closing quote of this text");
    free(t.p);
    return NULL;
}

static size_t indent_of(const char *line, const char *eol)
{
    size_t n = 0;
    while (line + n < eol && (line[n] == ' ' || line[n] == '\t')) {
        n++;
    }
    return n;
}

static bool is_anchor(const char *line, const char *eol, const char *anchor, size_t len)
{
    size_t skip = indent_of(line, eol);
    size_t left = (size_t)(eol - line) - skip;
    left -= left && line[skip + left - 1] == '\r' ? 1 : 0;
    return left == len && !memcmp(line + skip, anchor, len);
}

/* The blanks that all lines of an indented heredoc share. */
static size_t common_indent(const char *line, const char *end)
{
    size_t least = SIZE_MAX;
    while (line < end) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        eol = eol ? eol : end;
        size_t n = indent_of(line, eol);
        if (line + n < eol && n < least) {
            least = n;
        }
        line = eol + 1;
    }
    return least == SIZE_MAX ? 0 : least;
}

static char *unindented(const char *line, const char *end, size_t indent)
{
    struct text t = {NULL, 0, 0};
    make_room(&t, (size_t)(end - line));
    while (line < end) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        eol = eol ? eol + 1 : end;
        size_t n = indent_of(line, eol);
        n = n < indent ? n : indent;
        memcpy(t.p + t.len, line + n, (size_t)(eol - line) - n);
        t.len += (size_t)(eol - line) - n;
        line = eol;
    }
    t.p[t.len] = '\0';
    return t.p;
}

/* <<NAME and <<-NAME: whole lines, up to one that holds the name alone. */
static char *heredoc(struct hcl *h)
{
    const char *from = h->at, *name = h->at + 2;
    bool indented = name < h->end && *name == '-';
    name += indented ? 1 : 0;
    const char *eol = memchr(name, '\n', (size_t)(h->end - name));
    size_t len = eol ? (size_t)(eol - name) : 0;
    len -= len && name[len - 1] == '\r' ? 1 : 0;
    if (!len) {
        hcl__fail(h, from, "a name and a line end behind <<");
        return NULL;
    }
    const char *body = eol + 1;
    for (const char *line = body; line < h->end; line = eol + 1) {
        eol = memchr(line, '\n', (size_t)(h->end - line));
        eol = eol ? eol : h->end;
        if (is_anchor(line, eol, name, len)) {
            h->at = eol;
            return unindented(body, line, indented ? common_indent(body, line) : 0);
        }
    }
    hcl__fail(h, from, "a line with the name of this heredoc alone");
    return NULL;
}

/* ---- Words ---- */

static size_t word_length(const struct hcl *h)
{
    size_t n = 0;
    while (h->at + n < h->end &&
           (isalnum((unsigned char)h->at[n]) || (h->at[n] && strchr("_-.+", h->at[n])) ||
            (unsigned char)h->at[n] >= 0x80)) {
        n++;
    }
    return n;
}

bool hcl__is_key(const struct hcl *h)
{
    return h->at < h->end && (*h->at == '"' || *h->at == '_' || isalpha((unsigned char)*h->at) ||
                              (unsigned char)*h->at >= 0x80);
}

char *hcl__key(struct hcl *h)
{
    if (!hcl__is_key(h)) {
        hcl__fail(h, h->at, "a key");
        return NULL;
    }
    if (*h->at == '"') {
        return quoted(h);
    }
    size_t n = word_length(h);
    char *key = strndup(h->at, n);
    if (!key) {
        abort();
    }
    h->at += n;
    return key;
}

static json_t *from_text(struct hcl *h, const char *from, char *text)
{
    json_t *v = text ? json_string(text) : NULL;
    if (text && !v) {
        hcl__fail(h, from, "text in UTF-8");
    }
    free(text);
    return v;
}

/* A whole number in the notation of C, or one with a point or exponent. */
static json_t *number(struct hcl *h, const char *word, const char *from)
{
    char *end;
    errno = 0;
    bool real = strncmp(word, "0x", 2) != 0 && strpbrk(word, ".eE");
    if (strspn(word, "+-.eExX0123456789abcdfABCDF") == strlen(word) && *word != '+') {
        if (real) {
            double v = strtod(word, &end);
            if (!*end && !errno) {
                return json_real(v);
            }
        } else {
            long long v = strtoll(word, &end, 0);
            if (!*end && !errno) {
                return json_integer(v);
            }
        }
    }
    hcl__fail(h, from, "a value: a quoted text, a number, true, false, a list or a map");
    return NULL;
}

json_t *hcl__scalar(struct hcl *h)
{
    const char *from = h->at;
    char word[64];
    if (h->at < h->end && *h->at == '"') {
        return from_text(h, from, quoted(h));
    }
    if (h->end - h->at > 2 && h->at[0] == '<' && h->at[1] == '<') {
        return from_text(h, from, heredoc(h));
    }
    size_t n = word_length(h);
    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : 0, from);
    if (!word[0]) {
        hcl__fail(h, from, "a value: a quoted text, a number, true, false, a list or a map");
        return NULL;
    }
    h->at += n;
    if (!strcmp(word, "true") || !strcmp(word, "false")) {
        return json_boolean(word[0] == 't');
    }
    return number(h, word, from);
}
