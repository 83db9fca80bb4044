#include "intentions.h"

#include "base/loop.h"
#include "queries.h"

#include <string.h>

static struct mu_time time_now(void)
{
    int64_t ns = loop_now_unix_ns(), s = ns / (int64_t)MU_SEC;
    return (struct mu_time){s + MU_YEAR1_TO_UNIX_S, (uint32_t)(ns - s * (int64_t)MU_SEC)};
}

static bool give_id(struct call *c, struct catalog_intention *x)
{
    const char *id = query_make_id(c);
    x->id = mu__cstr(id);
    return id != NULL;
}

/* What is changed must exist first, which the log says: only a new one is looked at here. */
const char *intention_apply_prepare(struct call *c, char *reason, size_t size)
{
    struct catalog_intention_request *q = c->request;
    if (!q->intention) { /* nil counts as one that says nothing */
        q->intention = mu__arena_calloc(&c->arena, 1, sizeof *q->intention);
    }
    struct catalog_intention *x = q->intention;
    bool is_new = mu__str_eq(q->op, mu__cstr("create"));
    bool may_be_new = is_new || mu__str_eq(q->op, mu__cstr("upsert"));
    if (!x) {
        return "out of memory";
    }
    if (is_new && x->id.len) {
        return "ID must be empty when creating a new intention";
    }
    x->created_at = x->updated_at = time_now();
    if (!may_be_new) {
        return NULL;
    }
    uint8_t *digest = mu__arena_alloc(&c->arena, CATALOG_INTENTION_HASH);
    if (!digest || !give_id(c, x)) {
        return "UUID generation failed";
    }
    return catalog_intention_prepare(x, digest, reason, size);
}

int intention_get(struct catalog_reader *r, const void *request, void *reply,
                  struct catalog_watch_keys *keys, const char **why)
{
    return catalog_query_intention(r, request, reply, keys, why);
}

int intention_match(struct catalog_reader *r, const void *request, void *reply,
                    struct catalog_watch_keys *keys, const char **why)
{
    return catalog_query_intention_matches(r, request, reply, keys, why);
}

int intention_check(struct catalog_reader *r, const void *request, void *reply,
                    struct catalog_watch_keys *keys, const char **why)
{
    return catalog_query_intention_check(r, request, true, reply, keys, why);
}
