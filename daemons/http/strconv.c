#include "strconv.h"

#include "schema.h"
#include <stdio.h>
#include <string.h>

bool strconv_uint(struct mu_str s, uint64_t *out, char *err, size_t errlen)
{
    uint64_t v = 0;
    const char *why = s.len ? NULL : "invalid syntax";
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            why = "invalid syntax"; /* even when what came before is out of range */
            break;
        }
        uint64_t d = (uint64_t)(s.p[i] - '0');
        if (!why && (v > UINT64_MAX / 10 || v * 10 > UINT64_MAX - d)) {
            why = "value out of range";
        }
        v = v * 10 + d;
    }
    if (why) {
        snprintf(err, errlen, "strconv.ParseUint: parsing \"%.*s\": %s", (int)mu__min(s.len, 128),
                 s.p ? s.p : "", why);
        return false;
    }
    *out = v;
    return true;
}

bool strconv_bool(struct mu_str s, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < 6; i++) {
        if (mu__str_eq(s, mu__cstr(yes[i])) || mu__str_eq(s, mu__cstr(no[i]))) {
            *out = mu__str_eq(s, mu__cstr(yes[i]));
            return true;
        }
    }
    return false;
}

bool strconv_int(struct mu_str s, int64_t *out, char *err, size_t errlen)
{
    bool has_sign = s.len > 0 && (s.p[0] == '-' || s.p[0] == '+'),
         negative = has_sign && s.p[0] == '-';
    struct mu_str digits = {s.p + has_sign, s.len - has_sign};
    uint64_t v = 0;
    char unused[256];
    const char *why = "invalid syntax";
    if (strconv_uint(digits, &v, unused, sizeof unused)) {
        why = v > (uint64_t)INT64_MAX + negative ? "value out of range" : NULL;
    } else if (strstr(unused, "out of range")) {
        why = "value out of range";
    }
    if (why) {
        snprintf(err, errlen, "strconv.Atoi: parsing \"%.*s\": %s", (int)mu__min(s.len, 128),
                 s.p ? s.p : "", why);
        return false;
    }
    *out = negative ? (int64_t)-v : (int64_t)v;
    return true;
}
