/* endpoints.h - the one table of what can be called on a server: name, schemas, kind and
 * permission. */
#pragma once

#include "call.h"

#include <muster/catalog_types.h>

enum endpoint_id {
    ENDPOINT_CATALOG_DEREGISTER,
    ENDPOINT_CATALOG_GATEWAY_SERVICES,
    ENDPOINT_CATALOG_LIST_DATACENTERS,
    ENDPOINT_CATALOG_LIST_NODES,
    ENDPOINT_CATALOG_LIST_SERVICES,
    ENDPOINT_CATALOG_NODE_SERVICE_LIST,
    ENDPOINT_CATALOG_NODE_SERVICES,
    ENDPOINT_CATALOG_REGISTER,
    ENDPOINT_CATALOG_SERVICE_NODES,
    /* Replies with the address, or ""; Consul has it from 1.11 on */
    ENDPOINT_CATALOG_VIRTUAL_IP_FOR_SERVICE,
    ENDPOINT_CONFIG_ENTRY_APPLY,
    ENDPOINT_CONFIG_ENTRY_DELETE,
    ENDPOINT_CONFIG_ENTRY_GET,
    ENDPOINT_CONFIG_ENTRY_LIST,
    ENDPOINT_CONFIG_ENTRY_LIST_ALL, /* for other datacenters */
    ENDPOINT_CONFIG_ENTRY_RESOLVE_SERVICE_CONFIG,
    ENDPOINT_CONNECT_CA_CONFIGURATION_GET,
    ENDPOINT_CONNECT_CA_CONFIGURATION_SET,
    ENDPOINT_CONNECT_CA_ROOTS,
    ENDPOINT_CONNECT_CA_SIGN,
    ENDPOINT_COORDINATE_LIST_DATACENTERS,
    ENDPOINT_COORDINATE_LIST_NODES,
    ENDPOINT_COORDINATE_NODE,
    ENDPOINT_COORDINATE_UPDATE,
    ENDPOINT_DISCOVERY_CHAIN_GET,
    ENDPOINT_FEDERATION_STATE_GET,
    ENDPOINT_FEDERATION_STATE_LIST,
    ENDPOINT_FEDERATION_STATE_LIST_MESH_GATEWAYS,
    ENDPOINT_HEALTH_CHECKS_IN_STATE,
    ENDPOINT_HEALTH_NODE_CHECKS,
    ENDPOINT_HEALTH_SERVICE_CHECKS,
    ENDPOINT_HEALTH_SERVICE_NODES,
    ENDPOINT_INTENTION_APPLY, /* replies with the id */
    ENDPOINT_INTENTION_CHECK,
    ENDPOINT_INTENTION_GET,
    ENDPOINT_INTENTION_LIST,
    ENDPOINT_INTENTION_MATCH,
    ENDPOINT_INTERNAL_EVENT_FIRE,
    ENDPOINT_INTERNAL_GATEWAY_SERVICE_DUMP,
    ENDPOINT_INTERNAL_KEYRING_OPERATION, /* of servers alone */
    ENDPOINT_INTERNAL_NODE_DUMP,
    ENDPOINT_INTERNAL_NODE_INFO,
    ENDPOINT_INTERNAL_SERVICE_DUMP,
    /* Replies with a bool that says something for cas, delete-cas, lock and unlock alone */
    ENDPOINT_KVS_APPLY,
    ENDPOINT_KVS_GET,
    ENDPOINT_KVS_LIST,
    ENDPOINT_KVS_LIST_KEYS,
    ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION,
    /* Replies with a bool that says something for cas alone */
    ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION,
    ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION,
    ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS,
    ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID,
    ENDPOINT_OPERATOR_SERVER_HEALTH,
    ENDPOINT_PREPARED_QUERY_APPLY, /* replies with the id */
    ENDPOINT_PREPARED_QUERY_EXECUTE,
    ENDPOINT_PREPARED_QUERY_EXPLAIN,
    ENDPOINT_PREPARED_QUERY_GET,
    ENDPOINT_PREPARED_QUERY_LIST,
    ENDPOINT_SESSION_APPLY, /* the id of what was made, or "" */
    ENDPOINT_SESSION_GET,
    ENDPOINT_SESSION_LIST,
    ENDPOINT_SESSION_NODE_SESSIONS,
    ENDPOINT_SESSION_RENEW, /* of the leader alone; an empty list: there is no such session */
    ENDPOINT_STATUS_LEADER, /* "ip:port", or "" */
    ENDPOINT_STATUS_PEERS,
    ENDPOINT_STATUS_PING,
    ENDPOINT_STATUS_RAFT_STATS,
    ENDPOINT_TXN_APPLY,
    ENDPOINT_TXN_READ,
    ENDPOINT_COUNT
};

extern const struct endpoint endpoints[ENDPOINT_COUNT]; /* sorted by method */

const struct endpoint *endpoint_find(struct mu_str method); /* NULL: no such method */
/* Is there any method of that service ("KVS")? */
bool endpoint_service_exists(struct mu_str service);

size_t endpoint_reply_size(const struct endpoint *e); /* of what call->reply points at */
/* The parts of a request or reply that the table knows the place of; NULL when it has none. */
struct catalog_query_options *endpoint_options(const struct endpoint *e, void *request);
struct catalog_query_meta *endpoint_meta(const struct endpoint *e, void *reply);
struct mu_str *endpoint_datacenter(const struct endpoint *e, void *request);
