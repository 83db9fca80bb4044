/* routes_txn.c - transactions (http-api 5.3). */
#include "routes.h"

#include "base/json.h"
#include "encode.h"
#include "internal.h"
#include "options.h"
#include "rpc/endpoints.h"
#include "txn_body.h"

#define OPERATIONS_MAX 64u

/* ---- The answer ---- */

static void encode_result(struct mu__json *j, const struct catalog_txn_result *r)
{
    mu__json_object(j);
    encode_stored(j, "KV", catalog_schema(CATALOG_DIR_ENTRY), r->kv);
    encode_stored(j, "Node", catalog_schema(CATALOG_NODE), r->node);
    encode_stored(j, "Service", catalog_schema(CATALOG_NODE_SERVICE), r->service);
    encode_stored(j, "Check", catalog_schema(CATALOG_CHECK), r->check);
    mu__json_object_end(j);
}

/* Opens an object with what became of the operations: results, or errors. */
static void encode_outcome(struct mu__json *j, const struct mu_list *results,
                           const struct mu_list *errors)
{
    mu__json_object(j);
    mu__json_ckey(j, "Results");
    if (errors->len) {
        mu__json_null(j);
    } else {
        mu__json_list(j);
        for (size_t i = 0; i < results->len; i++) {
            mu__json_item(j);
            encode_result(j, results->items[i]);
        }
        mu__json_list_end(j);
    }
    mu__json_ckey(j, "Errors");
    if (!errors->len) {
        mu__json_null(j);
        return;
    }
    mu__json_list(j);
    for (size_t i = 0; i < errors->len; i++) {
        mu__json_item(j);
        mu__json_value(j, catalog_schema(CATALOG_TXN_ERROR), errors->items[i]);
    }
    mu__json_list_end(j);
}

static void encode_applied(struct http_request *r, struct call *c)
{
    const struct catalog_txn_response *reply = c->reply;
    struct mu__json j = http_json(r);
    encode_outcome(&j, &reply->results, &reply->errors);
    mu__json_object_end(&j);
    http_reply_json(r, &j, reply->errors.len ? 409 : 200);
}

static void encode_read(struct http_request *r, struct call *c)
{
    const struct catalog_txn_read_response *reply = c->reply;
    http_meta_contact(r, &reply->meta);
    struct mu__json j = http_json(r);
    encode_outcome(&j, &reply->results, &reply->errors);
    encode_meta(&j, &reply->meta);
    mu__json_object_end(&j);
    http_reply_json(r, &j, reply->errors.len ? 409 : 200);
}

/* ---- The request ---- */

static bool values_fit(struct http_request *r, const struct mu_list *ops)
{
    size_t max = r->server->config.kv_value_max;
    for (size_t i = 0; i < ops->len; i++) {
        const struct catalog_txn_op *op = ops->items[i];
        if (op->kv && op->kv->dir_ent.value.len > max) {
            http_reply_text(r, 413, "Value for key \"%s\" is too large (%zu > %zu bytes)",
                            http_cstr(r, op->kv->dir_ent.key), op->kv->dir_ent.value.len, max);
            return false;
        }
    }
    return true;
}

static bool read_operations(struct http_request *r, struct mu_list *ops, size_t *writes)
{
    char err[JSON_ERROR_MAX];
    struct mu_list body = {NULL, 0};
    if (!json_decode_list(&txn_body_op_schema, r->body.p, r->body.len, &r->arena, &body, err,
                          sizeof err)) {
        http_reply_text(r, 400, "Failed to parse body: %s", err);
        return false;
    }
    if (body.len > OPERATIONS_MAX) {
        http_reply_text(r, 413, "Transaction contains too many operations (%zu > %u)", body.len,
                        OPERATIONS_MAX);
        return false;
    }
    if (!txn_body_convert(&body, mu__cstr(r->server->datacenter), &r->arena, ops, writes)) {
        http_reply_empty(r, 500);
        return false;
    }
    return values_fit(r, ops);
}

static void look_up(struct http_request *r, struct mu_list ops)
{
    struct catalog_txn_read_request *q = read_call(r, &endpoints[ENDPOINT_TXN_READ], encode_read);
    if (!q) {
        return;
    }
    r->meta = false; /* its headers tell no index, and nobody waits for one */
    r->blocking = false;
    q->options.min_query_index = 0;
    q->options.filter = (struct mu_str){NULL, 0};
    q->ops = ops;
    http_call_start(r);
}

static void apply(struct http_request *r, struct mu_list ops)
{
    struct call *c = http_call(r, &endpoints[ENDPOINT_TXN_APPLY], encode_applied);
    if (!c) {
        return;
    }
    struct catalog_txn_request *q = c->request;
    q->datacenter = options_datacenter(r);
    q->token = options_token(r);
    q->ops = ops;
    http_call_start(r);
}

void route_txn(struct http_request *r)
{
    struct mu_list ops;
    size_t writes;
    if (!read_operations(r, &ops, &writes)) {
        return;
    }
    if (writes) {
        apply(r, ops);
    } else {
        look_up(r, ops);
    }
}
