#include "server/session_ttl.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t session_ttl_parse(struct mu_str text)
{
    int64_t ns;
    return mu__duration_parse(text.p, text.len, &ns) && ns > 0 ? (uint64_t)ns : 0;
}

const char *session_ttl_check(struct mu_str text, uint64_t min_ns, char *err, size_t errlen)
{
    int64_t ns;
    if (text.len == 0) {
        return NULL;
    }
    if (!mu__duration_parse(text.p, text.len, &ns)) {
        char why[256];
        json_duration_error(text, why, sizeof why);
        snprintf(err, errlen, "Session TTL '%.*s' invalid: %s", (int)mu__min(text.len, 64), text.p,
                 why);
        return err;
    }
    if (ns != 0 && (ns < 0 || (uint64_t)ns < min_ns || (uint64_t)ns > SESSION_TTL_MAX_NS)) {
        char min[32], max[32];
        mu__duration_format((int64_t)min_ns, min);
        mu__duration_format((int64_t)SESSION_TTL_MAX_NS, max);
        snprintf(err, errlen, "Invalid Session TTL '%" PRId64 "', must be between [%s=%s]", ns, min,
                 max);
        return err;
    }
    return NULL;
}

void session_ttl_start(struct session_ttl *t, struct mu_str id, uint64_t ttl_ns, uint64_t now_ns)
{
    if (ttl_ns > 0) {
        deadlines_set(&t->deadlines, id, now_ns + ttl_ns + session_ttl_grace_ns(ttl_ns));
    }
}

bool session_ttl_renew(struct session_ttl *t, struct mu_str id, uint64_t ttl_ns, uint64_t now_ns)
{
    const struct deadline *x = deadlines_find(&t->deadlines, id);
    if (x && x->is_marked) {
        return false;
    }
    session_ttl_start(t, id, ttl_ns, now_ns);
    return true;
}

struct mu_str session_ttl_next_due(struct session_ttl *t, uint64_t now_ns)
{
    struct deadline *x = deadlines_first(&t->deadlines);
    if (!x || x->at.at > now_ns) {
        return (struct mu_str){NULL, 0};
    }
    deadlines_set(&t->deadlines, x->name, now_ns + SESSION_END_RETRY_NS);
    x->is_marked = true;
    return x->name;
}

uint64_t session_ttl_deadline(const struct session_ttl *t)
{
    const struct deadline *x = deadlines_first(&t->deadlines);
    return x ? x->at.at : MU_NEVER;
}
