#include "endpoints.h"

#include "config_codec.h"
#include "federation_codec.h"
#include "intention_codec.h"
#include "types.h" /* libcatalog's tables, which must be known when this one is compiled */
#include "types_dump.h"
#include "types_federation.h"
#include "types_gateway.h"

#include <muster/catalog_ca.h>
#include <muster/catalog_intention.h>
#include <muster/catalog_types_ca.h>
#include <stddef.h>
#include <string.h>

#define NAME(of)     &catalog__##of##_schema
#define AT(of, what) offsetof(struct catalog_##of, what)

/* Reads: the request embeds query options, the reply query meta. */
#define READ(id, text, permit, of, reply_of)                                                       \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_READ,                                                                     \
        .permission = (permit),                                                                    \
        .request = NAME(of),                                                                       \
        .reply_kind = REPLY_STRUCT,                                                                \
        .reply = NAME(reply_of),                                                                   \
        .options_at = AT(of, options),                                                             \
        .meta_at = AT(reply_of, meta),                                                             \
        .datacenter_at = AT(of, datacenter),                                                       \
        .token_at = AT(of, options.token),                                                         \
    }
/* Questions about intentions; what comes last says whether somebody can wait, and how the reply
 * stands on the wire. */
#define INTENTION_READ(id, text, reply_of, ...)                                                    \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_READ,                                                                     \
        .permission = PERMIT_INTENTION_READ,                                                       \
        .request = NAME(intention_query),                                                          \
        .reply_kind = REPLY_STRUCT,                                                                \
        .reply = NAME(reply_of),                                                                   \
        .options_at = AT(intention_query, options),                                                \
        .datacenter_at = AT(intention_query, datacenter),                                          \
        .token_at = AT(intention_query, options.token),                                            \
        __VA_ARGS__,                                                                               \
    }
/* Reads of a text alone: nobody can wait for them. */
#define TEXT_READ(id, text, permit, of)                                                            \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_READ,                                                                     \
        .permission = (permit),                                                                    \
        .request = NAME(of),                                                                       \
        .reply_kind = REPLY_STR,                                                                   \
        .options_at = AT(of, options),                                                             \
        .meta_at = NO_OFFSET,                                                                      \
        .datacenter_at = AT(of, datacenter),                                                       \
        .token_at = AT(of, options.token),                                                         \
    }
/* Reads of what has no index: nobody can wait for them. */
#define OPERATOR_READ(id, text, reply_of)                                                          \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_READ,                                                                     \
        .permission = PERMIT_OPERATOR_READ,                                                        \
        .reply_kind = REPLY_STRUCT,                                                                \
        .reply = NAME(reply_of),                                                                   \
        .meta_at = NO_OFFSET,                                                                      \
        DC_REQUEST,                                                                                \
    }
/* Writes: the request has a token of its own. */
#define WRITE(id, text, permit, of, ...)                                                           \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_WRITE,                                                                    \
        .permission = (permit),                                                                    \
        .request = NAME(of),                                                                       \
        .options_at = NO_OFFSET,                                                                   \
        .meta_at = NO_OFFSET,                                                                      \
        .datacenter_at = AT(of, datacenter),                                                       \
        .token_at = AT(of, token),                                                                 \
        .reply_kind = __VA_ARGS__,                                                                 \
    }
/* Config entries: of a form of their own on the wire. */
#define CONFIG_READ(id, text, of, reply_of, codec)                                                 \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_READ,                                                                     \
        .permission = PERMIT_SERVICE_READ,                                                         \
        .request = NAME(of),                                                                       \
        .reply_kind = REPLY_STRUCT,                                                                \
        .reply = NAME(reply_of),                                                                   \
        .reply_codec = &(codec),                                                                   \
        .options_at = AT(of, options),                                                             \
        .meta_at = AT(reply_of, meta),                                                             \
        .datacenter_at = AT(of, datacenter),                                                       \
        .token_at = AT(of, options.token),                                                         \
    }
#define CONFIG_WRITE(id, text, kind_)                                                              \
    [id] = {                                                                                       \
        .method = (text),                                                                          \
        .kind = ENDPOINT_WRITE,                                                                    \
        .permission = PERMIT_SERVICE_WRITE,                                                        \
        .request = NAME(config_request),                                                           \
        .request_codec = &config_request_codec,                                                    \
        .reply_kind = (kind_),                                                                     \
        .options_at = NO_OFFSET,                                                                   \
        .meta_at = NO_OFFSET,                                                                      \
        .datacenter_at = AT(config_request, datacenter),                                           \
        .token_at = AT(config_request, token),                                                     \
    }
/* Any server answers for itself. */
#define LOCAL(id, text, kind_, ...)                                                                \
    [id] = {.method = (text),                                                                      \
            .kind = ENDPOINT_LOCAL,                                                                \
            .permission = PERMIT_NONE,                                                             \
            .reply_kind = (kind_),                                                                 \
            .meta_at = NO_OFFSET,                                                                  \
            __VA_ARGS__}
#define DC_REQUEST                                                                                 \
    .request = NAME(dc_request), .options_at = AT(dc_request, options),                            \
    .datacenter_at = AT(dc_request, datacenter), .token_at = AT(dc_request, options.token)
#define DATACENTERS_REQUEST                                                                        \
    .request = NAME(datacenters_request), .options_at = AT(datacenters_request, options),          \
    .datacenter_at = NO_OFFSET, .token_at = AT(datacenters_request, options.token)
#define EMPTY_REQUEST                                                                              \
    .request = NULL, .options_at = NO_OFFSET, .datacenter_at = NO_OFFSET, .token_at = NO_OFFSET

const struct endpoint endpoints[ENDPOINT_COUNT] = {
    WRITE(ENDPOINT_CATALOG_DEREGISTER, "Catalog.Deregister", PERMIT_NODE_WRITE, deregister_request,
          REPLY_EMPTY),
    READ(ENDPOINT_CATALOG_GATEWAY_SERVICES, "Catalog.GatewayServices", PERMIT_SERVICE_READ,
         service_request, indexed_gateway_services),
    LOCAL(ENDPOINT_CATALOG_LIST_DATACENTERS, "Catalog.ListDatacenters", REPLY_STRS,
          DATACENTERS_REQUEST),
    READ(ENDPOINT_CATALOG_LIST_NODES, "Catalog.ListNodes", PERMIT_NODE_READ, dc_request,
         indexed_nodes),
    READ(ENDPOINT_CATALOG_LIST_SERVICES, "Catalog.ListServices", PERMIT_SERVICE_READ, dc_request,
         indexed_services),
    READ(ENDPOINT_CATALOG_NODE_SERVICE_LIST, "Catalog.NodeServiceList", PERMIT_NODE_READ,
         node_request, indexed_node_service_list),
    READ(ENDPOINT_CATALOG_NODE_SERVICES, "Catalog.NodeServices", PERMIT_NODE_READ, node_request,
         indexed_node_services),
    WRITE(ENDPOINT_CATALOG_REGISTER, "Catalog.Register", PERMIT_NODE_WRITE, register_request,
          REPLY_EMPTY),
    READ(ENDPOINT_CATALOG_SERVICE_NODES, "Catalog.ServiceNodes", PERMIT_SERVICE_READ,
         service_request, indexed_service_nodes),
    TEXT_READ(ENDPOINT_CATALOG_VIRTUAL_IP_FOR_SERVICE, "Catalog.VirtualIPForService",
              PERMIT_SERVICE_READ, service_request),
    CONFIG_WRITE(ENDPOINT_CONFIG_ENTRY_APPLY, "ConfigEntry.Apply", REPLY_BOOL),
    CONFIG_WRITE(ENDPOINT_CONFIG_ENTRY_DELETE, "ConfigEntry.Delete", REPLY_EMPTY),
    CONFIG_READ(ENDPOINT_CONFIG_ENTRY_GET, "ConfigEntry.Get", config_query, config_reply,
                config_reply_codec),
    CONFIG_READ(ENDPOINT_CONFIG_ENTRY_LIST, "ConfigEntry.List", config_query,
                indexed_config_entries, config_list_codec),
    CONFIG_READ(ENDPOINT_CONFIG_ENTRY_LIST_ALL, "ConfigEntry.ListAll", dc_request,
                indexed_config_entries, config_all_codec),
    CONFIG_READ(ENDPOINT_CONFIG_ENTRY_RESOLVE_SERVICE_CONFIG, "ConfigEntry.ResolveServiceConfig",
                service_config_request, service_config, service_config_codec),
    [ENDPOINT_CONNECT_CA_CONFIGURATION_GET] =
        {
            .method = "ConnectCA.ConfigurationGet",
            .kind = ENDPOINT_READ,
            .permission = PERMIT_OPERATOR_WRITE,
            .reply_kind = REPLY_STRUCT,
            .reply = NAME(ca_config),
            .meta_at = NO_OFFSET,
            DC_REQUEST,
        },
    WRITE(ENDPOINT_CONNECT_CA_CONFIGURATION_SET, "ConnectCA.ConfigurationSet",
          PERMIT_OPERATOR_WRITE, ca_request, REPLY_EMPTY),
    READ(ENDPOINT_CONNECT_CA_ROOTS, "ConnectCA.Roots", PERMIT_NONE, dc_request, indexed_ca_roots),
    WRITE(ENDPOINT_CONNECT_CA_SIGN, "ConnectCA.Sign", PERMIT_SERVICE_WRITE, ca_sign_request,
          REPLY_STRUCT, .reply = NAME(issued_cert)),
    LOCAL(ENDPOINT_COORDINATE_LIST_DATACENTERS, "Coordinate.ListDatacenters", REPLY_LIST,
          EMPTY_REQUEST, .reply = NAME(datacenter_map)),
    READ(ENDPOINT_COORDINATE_LIST_NODES, "Coordinate.ListNodes", PERMIT_NODE_READ, dc_request,
         indexed_coordinates),
    READ(ENDPOINT_COORDINATE_NODE, "Coordinate.Node", PERMIT_NODE_READ, node_request,
         indexed_coordinates),
    WRITE(ENDPOINT_COORDINATE_UPDATE, "Coordinate.Update", PERMIT_NODE_WRITE,
          coordinate_update_request, REPLY_EMPTY),
    READ(ENDPOINT_DISCOVERY_CHAIN_GET, "DiscoveryChain.Get", PERMIT_SERVICE_READ, chain_request,
         chain_reply),
    READ(ENDPOINT_FEDERATION_STATE_GET, "FederationState.Get", PERMIT_OPERATOR_READ,
         federation_query, federation_reply),
    READ(ENDPOINT_FEDERATION_STATE_LIST, "FederationState.List", PERMIT_OPERATOR_READ, dc_request,
         indexed_federation_states),
    [ENDPOINT_FEDERATION_STATE_LIST_MESH_GATEWAYS] =
        {
            .method = "FederationState.ListMeshGateways",
            .kind = ENDPOINT_READ,
            .permission = PERMIT_SERVICE_READ,
            .reply_kind = REPLY_STRUCT,
            .reply = NAME(datacenter_nodes),
            .reply_codec = &datacenter_nodes_codec,
            .meta_at = AT(datacenter_nodes, meta),
            DC_REQUEST,
        },
    READ(ENDPOINT_HEALTH_CHECKS_IN_STATE, "Health.ChecksInState", PERMIT_NODE_READ,
         checks_in_state_request, indexed_checks),
    READ(ENDPOINT_HEALTH_NODE_CHECKS, "Health.NodeChecks", PERMIT_NODE_READ, node_request,
         indexed_checks),
    READ(ENDPOINT_HEALTH_SERVICE_CHECKS, "Health.ServiceChecks", PERMIT_SERVICE_READ,
         service_request, indexed_checks),
    READ(ENDPOINT_HEALTH_SERVICE_NODES, "Health.ServiceNodes", PERMIT_SERVICE_READ, service_request,
         indexed_check_service_nodes),
    WRITE(ENDPOINT_INTENTION_APPLY, "Intention.Apply", PERMIT_INTENTION_WRITE, intention_request,
          REPLY_STR),
    INTENTION_READ(ENDPOINT_INTENTION_CHECK, "Intention.Check", intention_verdict,
                   .meta_at = NO_OFFSET),
    READ(ENDPOINT_INTENTION_GET, "Intention.Get", PERMIT_INTENTION_READ, intention_query,
         indexed_intentions),
    READ(ENDPOINT_INTENTION_LIST, "Intention.List", PERMIT_INTENTION_READ, dc_request,
         indexed_intentions),
    INTENTION_READ(ENDPOINT_INTENTION_MATCH, "Intention.Match", indexed_intention_matches,
                   .meta_at = AT(indexed_intention_matches, meta),
                   .reply_codec = &intention_matches_codec),
    READ(ENDPOINT_INTERNAL_EVENT_FIRE, "Internal.EventFire", PERMIT_EVENT_WRITE, event_fire_request,
         event_fire_response),
    READ(ENDPOINT_INTERNAL_GATEWAY_SERVICE_DUMP, "Internal.GatewayServiceDump", PERMIT_SERVICE_READ,
         service_request, indexed_service_dump),
    LOCAL(ENDPOINT_INTERNAL_KEYRING_OPERATION, "Internal.KeyringOperation", REPLY_STRUCT,
          .request = NAME(keyring_request), .reply = NAME(keyring_responses),
          .options_at = AT(keyring_request, options),
          .datacenter_at = AT(keyring_request, datacenter),
          .token_at = AT(keyring_request, options.token)),
    READ(ENDPOINT_INTERNAL_NODE_DUMP, "Internal.NodeDump", PERMIT_NODE_READ, dc_request,
         indexed_node_dump),
    READ(ENDPOINT_INTERNAL_NODE_INFO, "Internal.NodeInfo", PERMIT_NODE_READ, node_request,
         indexed_node_dump),
    READ(ENDPOINT_INTERNAL_SERVICE_DUMP, "Internal.ServiceDump", PERMIT_SERVICE_READ,
         service_dump_request, indexed_check_service_nodes),
    WRITE(ENDPOINT_KVS_APPLY, "KVS.Apply", PERMIT_KEY_WRITE, kvs_request, REPLY_BOOL),
    READ(ENDPOINT_KVS_GET, "KVS.Get", PERMIT_KEY_READ, key_request, indexed_dir_entries),
    READ(ENDPOINT_KVS_LIST, "KVS.List", PERMIT_KEY_READ, key_request, indexed_dir_entries),
    READ(ENDPOINT_KVS_LIST_KEYS, "KVS.ListKeys", PERMIT_KEY_READ, key_list_request,
         indexed_key_list),
    OPERATOR_READ(ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION,
                  "Operator.AutopilotGetConfiguration", autopilot_config),
    WRITE(ENDPOINT_OPERATOR_AUTOPILOT_SET_CONFIGURATION, "Operator.AutopilotSetConfiguration",
          PERMIT_OPERATOR_WRITE, autopilot_set_request, REPLY_BOOL),
    OPERATOR_READ(ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION, "Operator.RaftGetConfiguration",
                  raft_configuration),
    WRITE(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ADDRESS, "Operator.RaftRemovePeerByAddress",
          PERMIT_OPERATOR_WRITE, raft_remove_request, REPLY_EMPTY),
    WRITE(ENDPOINT_OPERATOR_RAFT_REMOVE_PEER_BY_ID, "Operator.RaftRemovePeerByID",
          PERMIT_OPERATOR_WRITE, raft_remove_request, REPLY_EMPTY),
    OPERATOR_READ(ENDPOINT_OPERATOR_SERVER_HEALTH, "Operator.ServerHealth", operator_health),
    WRITE(ENDPOINT_SESSION_APPLY, "Session.Apply", PERMIT_SESSION_WRITE, session_request,
          REPLY_STR),
    READ(ENDPOINT_SESSION_GET, "Session.Get", PERMIT_SESSION_READ, session_get_request,
         indexed_sessions),
    READ(ENDPOINT_SESSION_LIST, "Session.List", PERMIT_SESSION_READ, session_get_request,
         indexed_sessions),
    READ(ENDPOINT_SESSION_NODE_SESSIONS, "Session.NodeSessions", PERMIT_SESSION_READ, node_request,
         indexed_sessions),
    READ(ENDPOINT_SESSION_RENEW, "Session.Renew", PERMIT_SESSION_WRITE, session_get_request,
         indexed_sessions),
    WRITE(ENDPOINT_PREPARED_QUERY_APPLY, "PreparedQuery.Apply", PERMIT_QUERY_WRITE,
          prepared_query_request, REPLY_STR),
    READ(ENDPOINT_PREPARED_QUERY_EXECUTE, "PreparedQuery.Execute", PERMIT_QUERY_READ,
         query_execute_request, query_execute_response),
    READ(ENDPOINT_PREPARED_QUERY_EXPLAIN, "PreparedQuery.Explain", PERMIT_QUERY_READ,
         query_execute_request, query_explain_response),
    READ(ENDPOINT_PREPARED_QUERY_GET, "PreparedQuery.Get", PERMIT_QUERY_READ,
         prepared_query_get_request, indexed_prepared_queries),
    READ(ENDPOINT_PREPARED_QUERY_LIST, "PreparedQuery.List", PERMIT_QUERY_READ, dc_request,
         indexed_prepared_queries),
    LOCAL(ENDPOINT_STATUS_LEADER, "Status.Leader", REPLY_STR, DC_REQUEST),
    LOCAL(ENDPOINT_STATUS_PEERS, "Status.Peers", REPLY_STRS, DC_REQUEST),
    LOCAL(ENDPOINT_STATUS_PING, "Status.Ping", REPLY_EMPTY, EMPTY_REQUEST),
    LOCAL(ENDPOINT_STATUS_RAFT_STATS, "Status.RaftStats", REPLY_STRUCT, EMPTY_REQUEST,
          .reply = NAME(raft_stats)),
    WRITE(ENDPOINT_TXN_APPLY, "Txn.Apply", PERMIT_KEY_WRITE, txn_request, REPLY_STRUCT,
          .reply = NAME(txn_response)),
    READ(ENDPOINT_TXN_READ, "Txn.Read", PERMIT_KEY_READ, txn_read_request, txn_read_response),
};

const struct endpoint *endpoint_find(struct mu_str method)
{
    size_t lo = 0;
    size_t hi = ENDPOINT_COUNT;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = mu__str_cmp(mu__cstr(endpoints[mid].method), method);
        if (c == 0) {
            return &endpoints[mid];
        }
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return NULL;
}

bool endpoint_service_exists(struct mu_str service)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const char *method = endpoints[i].method;
        if (service.len == strcspn(method, ".") && memcmp(method, service.p, service.len) == 0) {
            return true;
        }
    }
    return false;
}

size_t endpoint_reply_size(const struct endpoint *e)
{
    switch (e->reply_kind) {
    case REPLY_STRUCT:
        return e->reply->size;
    case REPLY_BOOL:
        return sizeof(bool);
    case REPLY_STR:
        return sizeof(struct mu_str);
    case REPLY_STRS:
        return sizeof(struct mu_strs);
    case REPLY_LIST:
        return sizeof(struct mu_list);
    case REPLY_EMPTY:
        break;
    }
    return 0;
}

static void *part(void *record, size_t at)
{
    return record && at != NO_OFFSET ? (char *)record + at : NULL;
}

struct catalog_query_options *endpoint_options(const struct endpoint *e, void *request)
{
    return part(request, e->options_at);
}

struct catalog_query_meta *endpoint_meta(const struct endpoint *e, void *reply)
{
    return part(reply, e->meta_at);
}

struct mu_str *endpoint_datacenter(const struct endpoint *e, void *request)
{
    return part(request, e->datacenter_at);
}
