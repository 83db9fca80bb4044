/* txn.c - transactions on the leader, before they cost a log entry. */
#include "route.h"

#define REASONS_MAX 4096u /* bytes of the reasons that are no static text */

bool route__refuse_txn(struct route *r)
{
    struct call *c = r->call;
    const struct catalog_txn_request *q = c->request;
    struct catalog_txn_response *reply = mu__arena_calloc(&c->arena, 1, sizeof *reply);
    struct catalog_txn_error *errors = mu__arena_calloc(&c->arena, q->ops.len + 1, sizeof *errors);
    void **items = mu__arena_calloc(&c->arena, q->ops.len + 1, sizeof *items);
    char *reasons = mu__arena_alloc(&c->arena, REASONS_MAX);
    if (!reply || !errors || !items || !reasons) {
        route__fail(r, "out of memory");
        return true;
    }
    size_t n = catalog_txn_prepare(&q->ops, errors, reasons, REASONS_MAX);
    if (n == 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = &errors[i];
    }
    reply->errors = (struct mu_list){items, n};
    c->reply = reply;
    route__free(r);
    call_finish(c);
    return true;
}
