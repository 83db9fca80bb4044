#include "text.h"

#include <assert.h>
#include <string.h>

struct catalog__text catalog__text(char *buf, size_t size)
{
    assert(size > 0);
    buf[0] = '\0';
    return (struct catalog__text){.p = buf, .size = size};
}

void catalog__say_str(struct catalog__text *t, struct mu_str s)
{
    size_t room = t->size - 1 - t->len, n = s.len < room ? s.len : room;
    if (n) {
        memcpy(t->p + t->len, s.p, n);
    }
    t->len += n;
    t->p[t->len] = '\0';
}

void catalog__say(struct catalog__text *t, const char *s)
{
    catalog__say_str(t, (struct mu_str){s, strlen(s)});
}

static void say_escaped(struct catalog__text *t, char c)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t b = (uint8_t)c;
    char out[4] = {'\\', 'x', hex[b >> 4], hex[b & 15]};
    size_t n = 4;
    if (c == '"' || c == '\\') {
        out[1] = c;
        n = 2;
    } else if (c == '\n') {
        out[1] = 'n';
        n = 2;
    } else if (c == '\t') {
        out[1] = 't';
        n = 2;
    } else if (c == '\r') {
        out[1] = 'r';
        n = 2;
    }
    catalog__say_str(t, (struct mu_str){out, n});
}

void catalog__say_quoted(struct catalog__text *t, struct mu_str s)
{
    catalog__say(t, "\"");
    for (size_t i = 0; i < s.len; i++) {
        uint8_t b = (uint8_t)s.p[i];
        if (b < 0x20 || b == 0x7f || b == '"' || b == '\\') {
            say_escaped(t, s.p[i]);
        } else {
            catalog__say_str(t, (struct mu_str){s.p + i, 1});
        }
    }
    catalog__say(t, "\"");
}

void catalog__say_uint(struct catalog__text *t, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    catalog__say_str(t, (struct mu_str){digits + n, sizeof digits - n});
}
