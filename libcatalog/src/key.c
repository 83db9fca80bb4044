#include "key.h"

#include <assert.h>
#include <string.h>

bool catalog__is_name(struct mu_str s)
{
    return s.len <= CATALOG__NAME_MAX && (s.len == 0 || !memchr(s.p, 0, s.len));
}

struct mu_str catalog__key_part(struct mu_str s)
{
    size_t len = s.len < CATALOG__NAME_MAX ? s.len : CATALOG__NAME_MAX;
    const char *zero = len ? memchr(s.p, 0, len) : NULL;
    return (struct mu_str){s.p, zero ? (size_t)(zero - s.p) : len};
}

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z') {
        c = (char)(c - 'A' + 'a');
    }
    return c;
}

void catalog__key_join(struct catalog__key *k, const struct mu_str *names, size_t n, bool open)
{
    assert(n <= CATALOG__NAMES_MAX);
    k->len = 0;
    for (size_t i = 0; i < n; i++) {
        if (!catalog__is_name(names[i])) {
            k->len = 1; /* a single zero byte begins no key: no name that leads one is empty */
            k->bytes[0] = '\0';
            return;
        }
        if (i > 0) {
            k->bytes[k->len++] = '\0';
        }
        for (size_t j = 0; j < names[i].len; j++) {
            k->bytes[k->len++] = fold(names[i].p[j]);
        }
    }
    if (open) {
        k->bytes[k->len++] = '\0';
    }
}
