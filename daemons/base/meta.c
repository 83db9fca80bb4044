#include "meta.h"

#include <stdio.h>
#include <string.h>

#define PAIRS_MAX 64
#define KEY_MAX   128
#define VALUE_MAX 512

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Why the pair is refused; NULL: it is not. */
static const char *refuse(struct mu_str key, struct mu_str value, char *buf, size_t cap)
{
    if (!key.len) {
        return "Key cannot be blank";
    }
    for (size_t i = 0; i < key.len; i++) {
        if (!is_key_char(key.p[i])) {
            return "Key contains invalid characters";
        }
    }
    if (key.len > KEY_MAX) {
        snprintf(buf, cap, "Key is too long (limit: %d characters)", KEY_MAX);
        return buf;
    }
    if (key.len >= 7 && !memcmp(key.p, "consul-", 7)) {
        return "Key prefix 'consul-' is reserved for internal use";
    }
    if (value.len > VALUE_MAX) {
        snprintf(buf, cap, "Value is too long (limit: %d characters)", VALUE_MAX);
        return buf;
    }
    return NULL;
}

bool meta_check(const struct mu_strmap *meta, char *err, size_t errlen)
{
    char buf[64];
    if (meta->len > PAIRS_MAX) {
        snprintf(err, errlen, "Node metadata cannot contain more than %d key/value pairs",
                 PAIRS_MAX);
        return false;
    }
    for (size_t i = 0; i < meta->len; i++) {
        const struct mu_pair *p = &meta->items[i];
        const char *why = refuse(p->key, p->value, buf, sizeof buf);
        if (why) {
            snprintf(err, errlen, "Couldn't load metadata pair ('%.*s', '%.*s'): %s",
                     (int)p->key.len, p->key.p, (int)p->value.len, p->value.p, why);
            return false;
        }
    }
    return true;
}
