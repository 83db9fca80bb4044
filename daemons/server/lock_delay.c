/* lock_delay.c - entries that would take a lock whose holder has just ended. Each server would
 * measure the delay by a clock of its own, so it is the leader who refuses them, before there is an
 * entry. On the core loop. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

#define WHAT_MAX 1024u

static struct mu_str what(struct mu__arena *arena, struct mu_str key)
{
    char *text = mu__arena_alloc(arena, WHAT_MAX);
    if (!text) {
        abort();
    }
    int n = snprintf(text, WHAT_MAX, "failed to lock key \"%.*s\" due to lock delay",
                     (int)mu__min(key.len, WHAT_MAX / 2), key.p);
    return (struct mu_str){text, (size_t)n};
}

/* The operations that would, as the errors of a transaction. */
static struct mu_list delayed_ops(const struct server *s, const struct catalog_txn_request *q,
                                  struct mu__arena *arena)
{
    struct mu_list errors = {mu__arena_calloc(arena, q->ops.len + 1, sizeof(void *)), 0};
    for (size_t i = 0; errors.items && i < q->ops.len; i++) {
        const struct catalog_txn_op *op = q->ops.items[i];
        if (!op->kv || !mu__str_eq(op->kv->verb, mu__cstr("lock")) ||
            !server__lock_is_delayed(s, op->kv->dir_ent.key)) {
            continue;
        }
        struct catalog_txn_error *e = mu__arena_calloc(arena, 1, sizeof *e);
        if (!e) {
            abort();
        }
        *e = (struct catalog_txn_error){(int64_t)i, what(arena, op->kv->dir_ent.key)};
        errors.items[errors.len++] = e;
    }
    return errors;
}

static bool refuse_txn(const struct server *s, struct mu__reader *r, struct mu__arena *arena,
                       struct write_result **result)
{
    struct catalog_txn_request q;
    if (!mu__schema_decode(catalog_schema(CATALOG_TXN_REQUEST), r, arena, true, &q)) {
        return false;
    }
    struct catalog_txn_response response = {.errors = delayed_ops(s, &q, arena)};
    if (response.errors.len == 0) {
        return false;
    }
    *result = calloc(1, sizeof **result + 1);
    if (!*result) {
        abort();
    }
    (*result)->kind = CATALOG_RESULT_REPLY;
    (*result)->reply = mu__schema_clone(catalog_schema(CATALOG_TXN_RESPONSE), &response, NULL);
    if (!(*result)->reply) {
        abort();
    }
    return true;
}

bool server__refuse_delayed(const struct server *s, const uint8_t *entry, size_t len,
                            struct write_result **result)
{
    struct mu__arena arena;
    struct catalog_kvs_request kvs;
    struct mu__reader r = mu__reader(entry + 1, len - 1); /* behind its type */
    bool refused;
    *result = NULL;
    mu__arena_init(&arena, NULL, 0);
    if (entry[0] == CATALOG_ENTRY_TXN) {
        refused = refuse_txn(s, &r, &arena, result);
    } else {
        refused = mu__schema_decode(catalog_schema(CATALOG_KVS_REQUEST), &r, &arena, true, &kvs) &&
                  server__lock_is_delayed(s, kvs.dir_ent.key);
    }
    mu__arena_fini(&arena);
    return refused;
}
