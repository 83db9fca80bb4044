#include "txn_body.h"

#include "msgpack.h"
#include "types.h"

#include <stddef.h>

/* ---- Tables ---- */

#define FIELD(type, kind_, member, text)                                                           \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct type, member)                \
    }
#define SUB(type, kind_, member, text, other)                                                      \
    {                                                                                              \
        .name = (text), .kind = MU_##kind_, .offset = offsetof(struct type, member),               \
        .sub = &(other)                                                                            \
    }
#define TABLE(of, type, go)                                                                        \
    static const struct mu__schema of##_schema = {                                                 \
        .name = (go),                                                                              \
        .fields = of##_fields,                                                                     \
        .nfields = sizeof of##_fields / sizeof *of##_fields,                                       \
        .size = sizeof(struct type),                                                               \
    }

static const struct mu__field kv_fields[] = {
    FIELD(txn_body_kv, STR, verb, "Verb"),     FIELD(txn_body_kv, STR, key, "Key"),
    FIELD(txn_body_kv, BYTES, value, "Value"), FIELD(txn_body_kv, UINT, flags, "Flags"),
    FIELD(txn_body_kv, UINT, index, "Index"),  FIELD(txn_body_kv, STR, session, "Session"),
};
TABLE(kv, txn_body_kv, "api.KVTxnOp");

static const struct mu__field node_fields[] = {
    FIELD(catalog_node, STR, id, "ID"),
    FIELD(catalog_node, STR, node, "Node"),
    FIELD(catalog_node, STR, address, "Address"),
    FIELD(catalog_node, STR, datacenter, "Datacenter"),
    FIELD(catalog_node, STRMAP, tagged_addresses, "TaggedAddresses"),
    FIELD(catalog_node, STRMAP, meta, "Meta"),
    FIELD(catalog_node, UINT, create_index, "CreateIndex"),
    FIELD(catalog_node, UINT, modify_index, "ModifyIndex"),
};
TABLE(node, catalog_node, "api.Node");

static const struct mu__field node_op_fields[] = {
    FIELD(catalog_txn_node_op, STR, verb, "Verb"),
    SUB(catalog_txn_node_op, STRUCT, node, "Node", node_schema),
};
TABLE(node_op, catalog_txn_node_op, "api.NodeTxnOp");

static const struct mu__field address_fields[] = {
    FIELD(catalog_service_address, STR, address, "Address"),
    FIELD(catalog_service_address, INT, port, "Port"),
};
TABLE(address, catalog_service_address, "api.ServiceAddress");

static const struct mu__field weights_fields[] = {
    FIELD(catalog_weights, INT, passing, "Passing"),
    FIELD(catalog_weights, INT, warning, "Warning"),
};
TABLE(weights, catalog_weights, "api.AgentWeights");

static const struct mu__field connect_fields[] = {
    FIELD(catalog_connect, BOOL, native, "Native"),
    SUB(catalog_connect, PTR, sidecar_service, "SidecarService",
        catalog__service_definition_schema),
};
TABLE(connect, catalog_connect, "api.AgentServiceConnect");

static const struct mu__field service_fields[] = {
    FIELD(txn_body_service, STR, service.kind, "Kind"),
    FIELD(txn_body_service, STR, service.id, "ID"),
    FIELD(txn_body_service, STR, service.service, "Service"),
    FIELD(txn_body_service, STRS, service.tags, "Tags"),
    FIELD(txn_body_service, STRMAP, service.meta, "Meta"),
    FIELD(txn_body_service, INT, service.port, "Port"),
    FIELD(txn_body_service, STR, service.address, "Address"),
    SUB(txn_body_service, STRUCTMAP, service.tagged_addresses, "TaggedAddresses", address_schema),
    SUB(txn_body_service, PTR, service.weights, "Weights", weights_schema),
    FIELD(txn_body_service, BOOL, service.enable_tag_override, "EnableTagOverride"),
    FIELD(txn_body_service, UINT, service.create_index, "CreateIndex"),
    FIELD(txn_body_service, UINT, service.modify_index, "ModifyIndex"),
    FIELD(txn_body_service, STR, content_hash, "ContentHash"),
    SUB(txn_body_service, STRUCT, service.proxy, "Proxy", catalog__proxy_schema),
    SUB(txn_body_service, STRUCT, service.connect, "Connect", connect_schema),
    FIELD(txn_body_service, STR, name_space, "Namespace"),
};
TABLE(service, txn_body_service, "api.AgentService");

static const struct mu__field service_op_fields[] = {
    FIELD(txn_body_service_op, STR, verb, "Verb"),
    FIELD(txn_body_service_op, STR, node, "Node"),
    SUB(txn_body_service_op, STRUCT, service, "Service", service_schema),
};
TABLE(service_op, txn_body_service_op, "api.ServiceTxnOp");

static const struct mu__field definition_fields[] = {
    FIELD(catalog_check_definition, STR, http, "HTTP"),
    FIELD(catalog_check_definition, STRSMAP, header, "Header"),
    FIELD(catalog_check_definition, STR, method, "Method"),
    FIELD(catalog_check_definition, STR, body, "Body"),
    FIELD(catalog_check_definition, BOOL, tls_skip_verify, "TLSSkipVerify"),
    FIELD(catalog_check_definition, STR, tcp, "TCP"),
    {.name = "IntervalDuration",
     .alias = "Interval",
     .kind = MU_DURATION,
     .offset = offsetof(struct catalog_check_definition, interval_ns)},
    {.name = "TimeoutDuration",
     .alias = "Timeout",
     .kind = MU_DURATION,
     .offset = offsetof(struct catalog_check_definition, timeout_ns)},
    {.name = "DeregisterCriticalServiceAfterDuration",
     .alias = "DeregisterCriticalServiceAfter",
     .kind = MU_DURATION,
     .offset = offsetof(struct catalog_check_definition, deregister_critical_service_after_ns)},
};
TABLE(definition, catalog_check_definition, "api.HealthCheckDefinition");

static const struct mu__field check_fields[] = {
    FIELD(txn_body_check, STR, check.node, "Node"),
    FIELD(txn_body_check, STR, check.check_id, "CheckID"),
    FIELD(txn_body_check, STR, check.name, "Name"),
    FIELD(txn_body_check, STR, check.status, "Status"),
    FIELD(txn_body_check, STR, check.notes, "Notes"),
    FIELD(txn_body_check, STR, check.output, "Output"),
    FIELD(txn_body_check, STR, check.service_id, "ServiceID"),
    FIELD(txn_body_check, STR, check.service_name, "ServiceName"),
    FIELD(txn_body_check, STRS, check.service_tags, "ServiceTags"),
    FIELD(txn_body_check, STR, check.type, "Type"),
    FIELD(txn_body_check, STR, name_space, "Namespace"),
    SUB(txn_body_check, STRUCT, check.definition, "Definition", definition_schema),
    FIELD(txn_body_check, UINT, check.create_index, "CreateIndex"),
    FIELD(txn_body_check, UINT, check.modify_index, "ModifyIndex"),
};
TABLE(check, txn_body_check, "api.HealthCheck");

static const struct mu__field check_op_fields[] = {
    FIELD(txn_body_check_op, STR, verb, "Verb"),
    SUB(txn_body_check_op, STRUCT, check, "Check", check_schema),
};
TABLE(check_op, txn_body_check_op, "api.CheckTxnOp");

static const struct mu__field op_fields[] = {
    SUB(txn_body_op, PTR, kv, "KV", kv_schema),
    SUB(txn_body_op, PTR, node, "Node", node_op_schema),
    SUB(txn_body_op, PTR, service, "Service", service_op_schema),
    SUB(txn_body_op, PTR, check, "Check", check_op_schema),
};
const struct mu__schema txn_body_op_schema = {
    .name = "api.TxnOp",
    .fields = op_fields,
    .nfields = sizeof op_fields / sizeof *op_fields,
    .size = sizeof(struct txn_body_op),
};

/* ---- To the RPC's shape ---- */

static bool kv_writes(struct mu_str verb)
{
    static const char *const verbs[] = {"set",        "cas",         "lock",  "unlock",
                                        "delete-cas", "delete-tree", "delete"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (mu__str_is(verb, verbs[i])) {
            return true;
        }
    }
    return false;
}

static bool convert_kv(const struct txn_body_kv *in, struct mu__arena *a,
                       struct catalog_txn_op *out)
{
    struct catalog_txn_kv_op *op = out->kv = mu__arena_calloc(a, 1, sizeof *op);
    if (op) {
        op->verb = in->verb;
        op->dir_ent = (struct catalog_dir_entry){.key = in->key,
                                                 .value = in->value,
                                                 .flags = in->flags,
                                                 .session = in->session,
                                                 .modify_index = in->index};
    }
    return op != NULL;
}

static bool convert_node(const struct catalog_txn_node_op *in, struct mu_str datacenter,
                         struct mu__arena *a, struct catalog_txn_op *out)
{
    struct catalog_txn_node_op *op = out->node = mu__arena_memdup(a, in, sizeof *in);
    if (op) {
        op->node.create_index = 0;
        op->node.datacenter = op->node.datacenter.len ? op->node.datacenter : datacenter;
    }
    return op != NULL;
}

/* Kind, tagged addresses, proxy and Connect are dropped, as in the original. */
static bool convert_service(const struct txn_body_service_op *in, struct mu__arena *a,
                            struct catalog_txn_op *out)
{
    static const struct catalog_weights none = {0, 0};
    const struct catalog_node_service *s = &in->service.service;
    struct catalog_txn_service_op *op = out->service = mu__arena_calloc(a, 1, sizeof *op);
    struct catalog_weights *weights =
        mu__arena_memdup(a, s->weights ? s->weights : &none, sizeof none);
    if (!op || !weights) {
        return false;
    }
    *op = (struct catalog_txn_service_op){.verb = in->verb,
                                          .node = in->node,
                                          .service = {.id = s->id,
                                                      .service = s->service,
                                                      .tags = s->tags,
                                                      .address = s->address,
                                                      .meta = s->meta,
                                                      .port = s->port,
                                                      .weights = weights,
                                                      .enable_tag_override = s->enable_tag_override,
                                                      .modify_index = s->modify_index}};
    return true;
}

static bool convert_check(const struct txn_body_check_op *in, struct mu__arena *a,
                          struct catalog_txn_op *out)
{
    struct catalog_txn_check_op *op = out->check = mu__arena_calloc(a, 1, sizeof *op);
    if (op) {
        *op = (struct catalog_txn_check_op){in->verb, in->check.check};
        op->check.type = (struct mu_str){NULL, 0};
        op->check.create_index = 0;
    }
    return op != NULL;
}

bool txn_body_convert(const struct mu_list *body, struct mu_str datacenter, struct mu__arena *a,
                      struct mu_list *ops, size_t *writes)
{
    struct catalog_txn_op *made = mu__arena_calloc(a, body->len + 1, sizeof *made);
    *ops = (struct mu_list){mu__arena_calloc(a, body->len + 1, sizeof *ops->items), 0};
    *writes = 0;
    bool ok = made && ops->items;
    for (size_t i = 0; ok && i < body->len; i++) {
        const struct txn_body_op *in = body->items[i];
        struct catalog_txn_op *out = &made[ops->len];
        if (in->kv) {
            ok = convert_kv(in->kv, a, out);
            *writes += kv_writes(in->kv->verb);
        } else if (in->node) {
            ok = convert_node(in->node, datacenter, a, out);
            *writes += !mu__str_is(in->node->verb, "get");
        } else if (in->service) {
            ok = convert_service(in->service, a, out);
            *writes += !mu__str_is(in->service->verb, "get");
        } else if (in->check) {
            ok = convert_check(in->check, a, out);
            *writes += !mu__str_is(in->check->verb, "get");
        } else {
            continue;
        }
        ops->items[ops->len++] = out;
    }
    return ok;
}
