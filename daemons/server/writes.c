/* writes.c - writes on the leader: checked and encoded on the front, proposed on the core, answered
 * when applied. */
#include "ca.h"
#include "intentions.h"
#include "measure.h"
#include "queries.h"
#include "route.h"

#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define REASON_MAX 1024u

static bool txn_locks(const struct catalog_txn_request *q)
{
    for (size_t i = 0; i < q->ops.len; i++) {
        const struct catalog_txn_op *op = q->ops.items[i];
        if (op->kv && mu__str_eq(op->kv->verb, mu__cstr("lock"))) {
            return true;
        }
    }
    return false;
}

/* Refuses what the log would only refuse later; fills in what a registration leaves to its
 * defaults. */
static const char *prepare(struct route *r, enum catalog_entry_type *type, char reason[REASON_MAX])
{
    struct call *c = r->call;
    if (c->endpoint == &endpoints[ENDPOINT_KVS_APPLY]) {
        const struct catalog_kvs_request *request = c->request;
        *type = CATALOG_ENTRY_KVS;
        r->locks = mu__str_eq(request->op, mu__cstr("lock"));
        return catalog_kvs_check(request);
    }
    if (c->endpoint == &endpoints[ENDPOINT_SESSION_APPLY]) {
        *type = CATALOG_ENTRY_SESSION;
        return server__session_prepare(r->front->server, c, reason, REASON_MAX);
    }
    if (c->endpoint == &endpoints[ENDPOINT_CATALOG_DEREGISTER]) {
        *type = CATALOG_ENTRY_DEREGISTER;
        return catalog_deregister_check(c->request);
    }
    if (c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_APPLY] ||
        c->endpoint == &endpoints[ENDPOINT_CONFIG_ENTRY_DELETE]) {
        *type = CATALOG_ENTRY_CONFIG;
        return route__prepare_config(c, reason, REASON_MAX);
    }
    if (c->endpoint == &endpoints[ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION]) {
        *type = CATALOG_ENTRY_AUTOPILOT;
        return NULL;
    }
    if (c->endpoint == &endpoints[ENDPOINT_PREPARED_QUERY_APPLY]) {
        *type = CATALOG_ENTRY_QUERY;
        return query_prepare(c, reason, REASON_MAX);
    }
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_SET]) {
        *type = CATALOG_ENTRY_CA;
        return server__ca_configure(r, reason, REASON_MAX);
    }
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_SIGN]) {
        *type = CATALOG_ENTRY_CA_LEAF;
        return server__ca_sign(r, reason, REASON_MAX);
    }
    if (c->endpoint == &endpoints[ENDPOINT_INTENTION_APPLY]) {
        *type = CATALOG_ENTRY_INTENTION;
        return intention_apply_prepare(c, reason, REASON_MAX);
    }
    if (c->endpoint == &endpoints[ENDPOINT_TXN_APPLY]) {
        *type = CATALOG_ENTRY_TXN;
        r->locks = txn_locks(c->request);
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

/* In the call's arena; NULL when out of memory. */
static void *make_reply(struct call *c, const struct write_result *result)
{
    if (c->endpoint == &endpoints[ENDPOINT_PREPARED_QUERY_APPLY]) {
        return &((struct catalog_prepared_query_request *)c->request)->query->id;
    }
    if (c->endpoint == &endpoints[ENDPOINT_INTENTION_APPLY]) {
        return &((struct catalog_intention_request *)c->request)->intention->id;
    }
    if (c->endpoint->reply_kind == REPLY_STR) { /* the id of a session that was made, or nothing */
        const struct catalog_session_request *q = c->request;
        struct mu_str *id = mu__arena_calloc(&c->arena, 1, sizeof *id);
        if (id && mu__str_eq(q->op, mu__cstr("create"))) {
            *id = q->session.id;
        }
        return id;
    }
    bool *value = mu__arena_calloc(&c->arena, 1, sizeof *value);
    if (value) {
        *value = result && result->kind == CATALOG_RESULT_BOOL && result->value;
    }
    return value;
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
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_SIGN] && result && result->reply) {
        server__ca_number(r, result);
        c->reply = r->reply;
        route__free(r);
        call_finish(c);
        return;
    }
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_SET] && result &&
        result->kind == CATALOG_RESULT_BOOL && !result->value) {
        route__fail(r, "could not atomically update roots and config");
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
    if (c->endpoint->reply_kind != REPLY_EMPTY) {
        c->reply = make_reply(c, result);
        if (!c->reply) {
            route__free(r);
            call_fail(c, "out of memory");
            return;
        }
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
        metric_since(server__call_metric(r->call->endpoint), r->sent_at_ns);
        answer(r);
        break;
    case RAFT_ENOTLEADER: /* nothing was done: whoever leads now, or is about to, may do it */
    case RAFT_ETRANSFER:
        route__drop_entry(r);
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
    struct write_result *refused;
    r->sent_at_ns = loop_now_ns();
    if (r->locks && server__refuse_delayed(r->front->server, r->entry, r->entry_len, &refused)) {
        on_done(r, RAFT_OK, 0, refused); /* none counts as false */
        return;
    }
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
    if (c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_SIGN] && server__ca_waits(r)) {
        return;
    }
    const char *refused = prepare(r, &type, reason);
    if (!refused && !r->entry) {
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
