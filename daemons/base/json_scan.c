/* json_scan.c - is this JSON? The grammar of RFC 8259 as an explicit state machine, complaining as
 * Go's scanner does. After it has passed, the decoder in json.c reads without looking for errors of
 * syntax. */
#include "json.h"

#include <stdio.h>
#include <string.h>

struct scan {
    const char *text;
    size_t len, pos;
    char *err;
    size_t errlen;
    bool in_object[JSON_DEPTH_MAX]; /* per open container */
    unsigned depth;
};

enum state {
    WANT_VALUE,
    WANT_VALUE_OR_END,
    WANT_KEY,
    WANT_KEY_OR_END,
    WANT_COLON,
    AFTER_VALUE,
    DONE,
    FAILED
};

/* Go's quoteChar: the byte as the rune of that number, quoted as strconv.Quote does. */
static void quote_char(unsigned char c, char out[16])
{
    static const char *const named[] = {[7] = "\\a",  [8] = "\\b",  [9] = "\\t", [10] = "\\n",
                                        [11] = "\\v", [12] = "\\f", [13] = "\\r"};
    if (c == '\'') {
        snprintf(out, 16, "'\\''");
    } else if (c == '"') {
        snprintf(out, 16, "'\"'");
    } else if (c == '\\') {
        snprintf(out, 16, "'\\\\'");
    } else if (c >= 7 && c <= 13) {
        snprintf(out, 16, "'%s'", named[c]);
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(out, 16, "'\\x%02x'", (unsigned)c);
    } else if (c < 0x7f) {
        snprintf(out, 16, "'%c'", c);
    } else if (c <= 0xa0 || c == 0xad) {
        snprintf(out, 16, "'\\u%04x'", (unsigned)c);
    } else {
        snprintf(out, 16, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    }
}

static enum state invalid(struct scan *s, const char *where)
{
    if (s->pos >= s->len) {
        snprintf(s->err, s->errlen, "unexpected EOF");
    } else {
        char quoted[16];
        quote_char((unsigned char)s->text[s->pos], quoted);
        snprintf(s->err, s->errlen, "invalid character %s %s", quoted, where);
    }
    return FAILED;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct scan *s)
{
    while (s->pos < s->len && is_blank(s->text[s->pos])) {
        s->pos++;
    }
}

static int at(const struct scan *s) /* the byte that is next, or -1 */
{
    return s->pos < s->len ? (unsigned char)s->text[s->pos] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool escape(struct scan *s)
{
    s->pos++;
    int c = at(s);
    if (c == 'u') {
        for (int i = 0; i < 4; i++) {
            s->pos++;
            if (!is_hex(at(s))) {
                invalid(s, "in \\u hexadecimal character escape");
                return false;
            }
        }
    } else if (c <= 0 || !strchr("\"\\/bfnrt", c)) {
        invalid(s, "in string escape code");
        return false;
    }
    s->pos++;
    return true;
}

static bool string(struct scan *s)
{
    s->pos++;
    for (int c; (c = at(s)) != '"';) {
        if (c < 0x20) {
            invalid(s, "in string literal");
            return false;
        }
        if (c != '\\') {
            s->pos++;
        } else if (!escape(s)) {
            return false;
        }
    }
    s->pos++;
    return true;
}

static bool literal(struct scan *s, const char *word)
{
    for (size_t i = 1; word[i]; i++) {
        s->pos++;
        if (at(s) != word[i]) {
            char where[48];
            snprintf(where, sizeof where, "in literal %s (expecting '%c')", word, word[i]);
            invalid(s, where);
            return false;
        }
    }
    s->pos++;
    return true;
}

static bool digits(struct scan *s, const char *where)
{
    if (!is_digit(at(s))) {
        invalid(s, where);
        return false;
    }
    while (is_digit(at(s))) {
        s->pos++;
    }
    return true;
}

static bool number(struct scan *s)
{
    if (at(s) == '-') {
        s->pos++;
    }
    if (at(s) == '0') {
        s->pos++;
    } else if (!digits(s, "in numeric literal")) {
        return false;
    }
    if (at(s) == '.') {
        s->pos++;
        if (!digits(s, "after decimal point in numeric literal")) {
            return false;
        }
    }
    if (at(s) == 'e' || at(s) == 'E') {
        s->pos++;
        if (at(s) == '+' || at(s) == '-') {
            s->pos++;
        }
        return digits(s, "in exponent of numeric literal");
    }
    return true;
}

static enum state open_container(struct scan *s, bool object)
{
    if (s->depth == JSON_DEPTH_MAX) {
        snprintf(s->err, s->errlen, "exceeded max depth");
        return FAILED;
    }
    s->in_object[s->depth++] = object;
    s->pos++;
    return object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
}

static enum state close_container(struct scan *s)
{
    s->depth--;
    s->pos++;
    return s->depth ? AFTER_VALUE : DONE;
}

static enum state value(struct scan *s)
{
    bool ok;
    int c = at(s);
    switch (c) {
    case '{':
    case '[':
        return open_container(s, c == '{');
    case '"':
        ok = string(s);
        break;
    case 't':
        ok = literal(s, "true");
        break;
    case 'f':
        ok = literal(s, "false");
        break;
    case 'n':
        ok = literal(s, "null");
        break;
    default:
        if (c != '-' && !is_digit(c)) {
            return invalid(s, "looking for beginning of value");
        }
        ok = number(s);
    }
    return !ok ? FAILED : s->depth ? AFTER_VALUE : DONE;
}

static enum state key(struct scan *s)
{
    if (at(s) != '"') {
        return invalid(s, "looking for beginning of object key string");
    }
    return string(s) ? WANT_COLON : FAILED;
}

static enum state after_value(struct scan *s)
{
    bool object = s->in_object[s->depth - 1];
    if (at(s) == ',') {
        s->pos++;
        return object ? WANT_KEY : WANT_VALUE;
    }
    if (at(s) == (object ? '}' : ']')) {
        return close_container(s);
    }
    return invalid(s, object ? "after object key:value pair" : "after array element");
}

static enum state step(struct scan *s, enum state state)
{
    switch (state) {
    case WANT_VALUE_OR_END:
        return at(s) == ']' ? close_container(s) : value(s);
    case WANT_VALUE:
        return value(s);
    case WANT_KEY_OR_END:
        return at(s) == '}' ? close_container(s) : key(s);
    case WANT_KEY:
        return key(s);
    case WANT_COLON:
        if (at(s) != ':') {
            return invalid(s, "after object key");
        }
        s->pos++;
        return WANT_VALUE;
    case AFTER_VALUE:
        return after_value(s);
    case DONE:
    case FAILED:
        break;
    }
    return state;
}

bool json_scan(const char *text, size_t len, size_t *end, char *err, size_t errlen)
{
    struct scan s = {.text = text, .len = len, .err = err, .errlen = errlen};
    skip_blanks(&s);
    if (s.pos == s.len) {
        snprintf(err, errlen, "EOF");
        return false;
    }
    enum state state = WANT_VALUE;
    while (state != DONE && state != FAILED) {
        skip_blanks(&s);
        state = step(&s, state);
    }
    if (state == DONE) {
        *end = s.pos;
    }
    return state == DONE;
}
