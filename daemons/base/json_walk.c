/* json_walk.c - moving through text that is known to be JSON. */
#include "json_internal.h"

#include <string.h>

char json__next(struct json_decoder *d) /* skips blanks and commas, does not consume */
{
    while (strchr(" \t\r\n,:", d->text[d->pos])) {
        d->pos++;
    }
    return d->text[d->pos];
}

struct mu_str json__raw_string(struct json_decoder *d) /* between the quotes; consumes */
{
    size_t start = ++d->pos;
    while (d->text[d->pos] != '"') {
        d->pos += d->text[d->pos] == '\\' ? 2 : 1;
    }
    return (struct mu_str){d->text + start, d->pos++ - start};
}

struct mu_str json__raw_scalar(struct json_decoder *d) /* number or literal; consumes */
{
    static const char scalar[] = "0123456789+-.eEtrufalsn";
    size_t start = d->pos;
    while (d->pos < d->end && d->text[d->pos] && strchr(scalar, d->text[d->pos])) {
        d->pos++;
    }
    return (struct mu_str){d->text + start, d->pos - start};
}

void json__skip(struct json_decoder *d)
{
    unsigned depth = 0;
    do {
        char c = json__next(d);
        if (c == '"') {
            json__raw_string(d);
        } else if (c == '{' || c == '[') {
            depth++;
            d->pos++;
        } else if (c == '}' || c == ']') {
            depth--;
            d->pos++;
        } else {
            json__raw_scalar(d);
        }
    } while (depth > 0);
}

/* Values in the container that starts here (pairs of an object count once). Does not move. */
size_t json__count(const struct json_decoder *from)
{
    struct json_decoder d = *from;
    bool object = d.text[d.pos++] == '{';
    size_t n = 0;
    for (char c; (c = json__next(&d)) != '}' && c != ']'; n++) {
        json__skip(&d);
        if (object) {
            json__next(&d);
            json__skip(&d);
        }
    }
    return n;
}

bool json__take_null(struct json_decoder *d)
{
    if (json__next(d) != 'n') {
        return false;
    }
    json__raw_scalar(d);
    return true;
}
