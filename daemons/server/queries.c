#include "queries.h"

#include "base/loop.h"

#include <stdio.h>
#include <sys/random.h>

const char *query_make_id(struct call *c)
{
    uint8_t b[16];
    char text[37];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        return NULL;
    }
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        at += (size_t)snprintf(text + at, sizeof text - at, dash ? "-%02x" : "%02x", b[i]);
    }
    return mu__arena_strndup(&c->arena, text, at);
}

/* What is changed must exist first, which the log says: only a new query is looked at here. */
const char *query_prepare(struct call *c, char *reason, size_t size)
{
    struct catalog_prepared_query_request *q = c->request;
    if (!q->query) {
        return "Must provide a query";
    }
    if (!mu__str_eq(q->op, mu__cstr("create"))) {
        return NULL;
    }
    if (q->query->id.len) {
        return "ID must be empty when creating a new prepared query";
    }
    const char *id = query_make_id(c);
    q->query->id = mu__cstr(id);
    return id ? catalog_prepared_query_check(q, reason, size) : "UUID generation failed";
}

int query_get(struct catalog_reader *r, const void *request, void *reply,
              struct catalog_watch_keys *keys, const char **why)
{
    return catalog_query_prepared_query(r, request, reply, keys, why);
}

int query_explain(struct catalog_reader *r, const void *request, void *reply,
                  struct catalog_watch_keys *keys, const char **why)
{
    *keys = (struct catalog_watch_keys){.items = NULL}; /* nobody waits for it */
    return catalog_query_explain(r, request, reply, why);
}

int query_execute(struct catalog_reader *r, const void *request, void *reply,
                  struct catalog_watch_keys *keys, const char **why)
{
    *keys = (struct catalog_watch_keys){.items = NULL};
    return catalog_query_execute(r, request, loop_now_ns(), reply, why);
}
