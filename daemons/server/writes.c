/* writes.c - writes on the leader: checked and encoded on the front, proposed on the core, answered
 * when applied. */
#include "measure.h"
#include "route.h"

#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define REASON_MAX 512u

/* Refuses what the log would only refuse later; fills in what a registration leaves to its
 * defaults. */
static const char *prepare(struct call *c, enum catalog_entry_type *type, char reason[REASON_MAX])
{
    if (c->endpoint == &endpoints[ENDPOINT_KVS_APPLY]) {
        *type = CATALOG_ENTRY_KVS;
        return catalog_kvs_check(c->request);
    }
    if (c->endpoint == &endpoints[ENDPOINT_CATALOG_DEREGISTER]) {
        *type = CATALOG_ENTRY_DEREGISTER;
        return catalog_deregister_check(c->request);
    }
    if (c->endpoint == &endpoints[ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION]) {
        *type = CATALOG_ENTRY_AUTOPILOT;
        return NULL;
    }
    if (c->endpoint == &endpoints[ENDPOINT_TXN_APPLY]) {
        *type = CATALOG_ENTRY_TXN;
        return NULL;
    }
    if (c->endpoint == &endpoints[ENDPOINT_CATALOG_REGISTER]) {
        struct catalog_register_request *request = c->request;
        void **checks = mu__arena_alloc(&c->arena, (request->checks.len + 1) * sizeof *checks);
        *type = CATALOG_ENTRY_REGISTER;
        return checks ? catalog_register_prepare(request, checks, reason, REASON_MAX)
                      : "out of memory";
    }
    return "rpc: can't find method";
}

static void answer(struct route *r)
{
    struct call *c = r->call;
    struct write_result *result = r->result;
    if (result && result->kind == CATALOG_RESULT_ERROR) {
        r->result = NULL;
        route__free(r);
        call_fail(c, "%s", result->error);
        server__free_result(result);
        return;
    }
    if (result && result->kind == CATALOG_RESULT_REPLY) {
        r->result = NULL;
        route__free(r);
        c->reply = result->reply;
        call_finish(c);
        server__free_result(result);
        return;
    }
    if (c->endpoint->reply_kind == REPLY_BOOL) {
        bool *value = mu__arena_calloc(&c->arena, 1, sizeof *value);
        if (!value) {
            route__free(r);
            call_fail(c, "out of memory");
            return;
        }
        *value = result && result->kind == CATALOG_RESULT_BOOL && result->value;
        c->reply = value;
    }
    route__free(r);
    call_finish(c);
}

static void on_applied(void *arg)
{
    struct route *r = arg;
    if (!r->call) {
        route__free(r);
        return;
    }
    switch (r->status) {
    case RAFT_OK:
        metric_since(server__write_metric(r->call->endpoint), r->sent_at_ns);
        answer(r);
        break;
    case RAFT_ENOTLEADER: /* nothing was done: whoever leads now, or is about to, may do it */
    case RAFT_ETRANSFER:
        free(r->entry);
        r->entry = NULL;
        route__hold(r);
        break;
    default: {
        struct call *c = r->call;
        int status = r->status;
        route__free(r);
        call_fail(c, "%s",
                  status == RAFT_ELOST ? "leadership lost while committing log"
                                       : raft_node_strerror(status));
    }
    }
}

static void on_done(void *arg, int status, raft_index index, void *result)
{
    struct route *r = arg;
    (void)index;
    r->status = status;
    r->result = result;
    if (status == RAFT_OK) {
        metric_since(METRIC_RAFT_COMMIT_TIME, r->sent_at_ns);
    }
    loop_post(r->front->loop, on_applied, r);
}

static void propose(void *arg)
{
    struct route *r = arg;
    r->sent_at_ns = loop_now_ns();
    metric_count(METRIC_RAFT_APPLY, 1);
    int rc = raft_node_propose(r->front->server->raft, r->entry, r->entry_len, on_done, r);
    if (rc != RAFT_OK) {
        on_done(r, rc, 0, NULL);
    }
}

void route__write(struct route *r)
{
    char reason[REASON_MAX];
    struct call *c = r->call;
    enum catalog_entry_type type;
    if (c->endpoint == &endpoints[ENDPOINT_TXN_APPLY] && route__refuse_txn(r)) {
        return;
    }
    const char *refused = prepare(c, &type, reason);
    if (!refused) {
        r->entry = server__encode_entry(type, c->endpoint->request, c->request, &r->entry_len);
        refused = r->entry ? NULL : "out of memory";
    }
    if (refused) {
        route__free(r);
        call_fail(c, "%s", refused);
        return;
    }
    r->state = ROUTE_ON_CORE;
    loop_post(r->front->server->core, propose, r);
}
