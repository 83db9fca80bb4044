/* txn_body.h - what /v1/txn is sent: operations in the shape of Consul's HTTP API, which is not
 * that of its RPC (http-api 5.3). */
#pragma once

#include "schema.h"
#include <muster/catalog_types.h>

struct txn_body_kv {
    struct mu_str verb, key, value;
    uint64_t flags, index;
    struct mu_str session;
};

struct txn_body_service { /* Go: AgentService */
    struct catalog_node_service service;
    struct mu_str content_hash, name_space; /* taken and not looked at */
};

struct txn_body_service_op {
    struct mu_str verb, node;
    struct txn_body_service service;
};

struct txn_body_check {
    struct catalog_check check;
    struct mu_str name_space; /* likewise */
};

struct txn_body_check_op {
    struct mu_str verb;
    struct txn_body_check check;
};

struct txn_body_op {
    struct txn_body_kv *kv;
    struct catalog_txn_node_op *node;
    struct txn_body_service_op *service;
    struct txn_body_check_op *check;
};

extern const struct mu__schema txn_body_op_schema;

/* The operations as the RPC has them, in the arena: elements without any are left out, of a service
 * only that is kept which Consul keeps, and nodes are in the datacenter unless they say another.
 * False: out of memory. *writes counts those that may write. */
bool txn_body_convert(const struct mu_list *body, struct mu_str datacenter, struct mu__arena *a,
                      struct mu_list *ops, size_t *writes) MU_MUST_USE;
