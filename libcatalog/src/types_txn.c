/* types_txn.c - schema tables of transactions: operations, and what becomes of them. */
#include "table.h"

static const struct mu__field txn_kv_op_fields[] = {
    FIELD(txn_kv_op, STR, verb, "Verb"),
    SUB(txn_kv_op, STRUCT, dir_ent, "DirEnt", 0, dir_entry),
};
static const uint8_t txn_kv_op_wire[] = {1, 0};
SCHEMA(txn_kv_op, "TxnKVOp");

static const struct mu__field txn_node_op_fields[] = {
    FIELD(txn_node_op, STR, verb, "Verb"),
    SUB(txn_node_op, STRUCT, node, "Node", 0, node),
};
static const uint8_t txn_node_op_wire[] = {1, 0};
SCHEMA(txn_node_op, "TxnNodeOp");

static const struct mu__field txn_service_op_fields[] = {
    FIELD(txn_service_op, STR, verb, "Verb"),
    FIELD(txn_service_op, STR, node, "Node"),
    SUB(txn_service_op, STRUCT, service, "Service", 0, node_service),
};
static const uint8_t txn_service_op_wire[] = {1, 2, 0};
SCHEMA(txn_service_op, "TxnServiceOp");

static const struct mu__field txn_check_op_fields[] = {
    FIELD(txn_check_op, STR, verb, "Verb"),
    SUB(txn_check_op, STRUCT, check, "Check", 0, check),
};
static const uint8_t txn_check_op_wire[] = {1, 0};
SCHEMA(txn_check_op, "TxnCheckOp");

static const struct mu__field txn_op_fields[] = {
    SUB(txn_op, PTR, kv, "KV", 0, txn_kv_op),
    SUB(txn_op, PTR, node, "Node", 0, txn_node_op),
    SUB(txn_op, PTR, service, "Service", 0, txn_service_op),
    SUB(txn_op, PTR, check, "Check", 0, txn_check_op),
};
static const uint8_t txn_op_wire[] = {3, 0, 1, 2};
SCHEMA(txn_op, "TxnOp");

static const struct mu__field txn_request_fields[] = {
    FIELD(txn_request, STR, datacenter, "Datacenter"),
    SUB(txn_request, LIST, ops, "Ops", 0, txn_op),
    FIELD(txn_request, STR, token, "Token"),
};
static const uint8_t txn_request_wire[] = {0, 1, 2};
SCHEMA(txn_request, "TxnRequest");

static const struct mu__field txn_read_request_fields[] = {
    FIELD(txn_read_request, STR, datacenter, "Datacenter"),
    SUB(txn_read_request, LIST, ops, "Ops", 0, txn_op),
    QUERY_OPTIONS(txn_read_request),
};
static const uint8_t txn_read_request_wire[] = {5, 0, 12, 9, 4, 8, 3, 10, 1, 6, 11, 2, 7};
SCHEMA(txn_read_request, "TxnReadRequest");

static const struct mu__field txn_error_fields[] = {
    FIELD(txn_error, INT, op_index, "OpIndex"),
    FIELD(txn_error, STR, what, "What"),
};
static const uint8_t txn_error_wire[] = {0, 1};
SCHEMA(txn_error, "TxnError");

static const struct mu__field txn_result_fields[] = {
    SUB(txn_result, PTR, kv, "KV", OMIT, dir_entry),
    SUB(txn_result, PTR, node, "Node", OMIT, node),
    SUB(txn_result, PTR, service, "Service", OMIT, node_service),
    SUB(txn_result, PTR, check, "Check", OMIT, check),
};
static const uint8_t txn_result_wire[] = {3, 0, 1, 2};
SCHEMA(txn_result, "TxnResult");

static const struct mu__field txn_response_fields[] = {
    SUB(txn_response, LIST, results, "Results", 0, txn_result),
    SUB(txn_response, LIST, errors, "Errors", 0, txn_error),
};
static const uint8_t txn_response_wire[] = {1, 0};
SCHEMA(txn_response, "TxnResponse");

static const struct mu__field txn_read_response_fields[] = {
    SUB(txn_read_response, LIST, results, "Results", 0, txn_result),
    SUB(txn_read_response, LIST, errors, "Errors", 0, txn_error),
    QUERY_META(txn_read_response),
};
static const uint8_t txn_read_response_wire[] = {5, 1, 2, 4, 3, 0};
SCHEMA(txn_read_response, "TxnReadResponse");
