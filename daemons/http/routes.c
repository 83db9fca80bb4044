/* routes.c - every path that is answered, and by which methods; Allow lists them in this order
 * (http-api 1). */
#include "routes.h"

#include "internal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_AT 4 /* behind "/v1/" */

static const struct http_route routes[] = {
    {"/", false, HTTP_ANY, "", route_root, BODY_DEFAULT},
    {"/debug/pprof/", true, HTTP_ANY, "", route_debug_off, BODY_DEFAULT},
    {"/v1/acl/auth-method", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/auth-method/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE",
     route_acl_off, BODY_DEFAULT},
    {"/v1/acl/auth-methods", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/binding-rule", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/binding-rule/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE",
     route_acl_off, BODY_DEFAULT},
    {"/v1/acl/binding-rules", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/bootstrap", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/clone/", true, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/create", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/destroy/", true, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/info/", true, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/list", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/login", false, HTTP_POST, "POST", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/logout", false, HTTP_POST, "POST", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/policies", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/policy", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/policy/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE", route_acl_off,
     BODY_DEFAULT},
    {"/v1/acl/policy/name/", true, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/replication", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/role", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/role/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE", route_acl_off,
     BODY_DEFAULT},
    {"/v1/acl/role/name/", true, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/roles", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/rules/translate", false, HTTP_POST, "POST", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/rules/translate/", true, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/token", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/token/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE", route_acl_off,
     BODY_DEFAULT},
    {"/v1/acl/token/self", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/tokens", false, HTTP_GET, "GET", route_acl_off, BODY_DEFAULT},
    {"/v1/acl/update", false, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/agent/check/deregister/", true, HTTP_PUT, "PUT", route_agent_check_deregister,
     BODY_DEFAULT},
    {"/v1/agent/check/fail/", true, HTTP_PUT, "PUT", route_agent_check_fail, BODY_DEFAULT},
    {"/v1/agent/check/pass/", true, HTTP_PUT, "PUT", route_agent_check_pass, BODY_DEFAULT},
    {"/v1/agent/check/register", false, HTTP_PUT, "PUT", route_agent_check_register, BODY_DEFAULT},
    {"/v1/agent/check/update/", true, HTTP_PUT, "PUT", route_agent_check_update, BODY_DEFAULT},
    {"/v1/agent/check/warn/", true, HTTP_PUT, "PUT", route_agent_check_warn, BODY_DEFAULT},
    {"/v1/agent/checks", false, HTTP_GET, "GET", route_agent_checks, BODY_DEFAULT},
    {"/v1/agent/connect/authorize", false, HTTP_POST, "POST", route_agent_connect_authorize,
     BODY_DEFAULT},
    {"/v1/agent/connect/ca/leaf/", true, HTTP_GET, "GET", route_agent_connect_leaf, BODY_DEFAULT},
    {"/v1/agent/connect/ca/roots", false, HTTP_GET, "GET", route_agent_connect_roots, BODY_DEFAULT},
    {"/v1/agent/force-leave/", true, HTTP_PUT, "PUT", route_agent_force_leave, BODY_DEFAULT},
    {"/v1/agent/health/service/id/", true, HTTP_GET, "GET", route_agent_health_by_id, BODY_DEFAULT},
    {"/v1/agent/health/service/name/", true, HTTP_GET, "GET", route_agent_health_by_name,
     BODY_DEFAULT},
    {"/v1/agent/host", false, HTTP_GET, "GET", route_agent_host, BODY_DEFAULT},
    {"/v1/agent/join/", true, HTTP_PUT, "PUT", route_agent_join, BODY_DEFAULT},
    {"/v1/agent/leave", false, HTTP_PUT, "PUT", route_agent_leave, BODY_DEFAULT},
    {"/v1/agent/maintenance", false, HTTP_PUT, "PUT", route_agent_maintenance, BODY_DEFAULT},
    {"/v1/agent/members", false, HTTP_GET, "GET", route_agent_members, BODY_DEFAULT},
    {"/v1/agent/metrics", false, HTTP_GET, "GET", route_agent_metrics, BODY_DEFAULT},
    {"/v1/agent/monitor", false, HTTP_GET, "GET", route_agent_monitor, BODY_DEFAULT},
    {"/v1/agent/reload", false, HTTP_PUT, "PUT", route_agent_reload, BODY_DEFAULT},
    {"/v1/agent/self", false, HTTP_GET, "GET", route_agent_self, BODY_DEFAULT},
    {"/v1/agent/service/", true, HTTP_GET, "GET", route_agent_service, BODY_DEFAULT},
    {"/v1/agent/service/deregister/", true, HTTP_PUT, "PUT", route_agent_service_deregister,
     BODY_DEFAULT},
    {"/v1/agent/service/maintenance/", true, HTTP_PUT, "PUT", route_agent_service_maintenance,
     BODY_DEFAULT},
    {"/v1/agent/service/register", false, HTTP_PUT, "PUT", route_agent_service_register,
     BODY_DEFAULT},
    {"/v1/agent/services", false, HTTP_GET, "GET", route_agent_services, BODY_DEFAULT},
    {"/v1/agent/token/", true, HTTP_PUT, "PUT", route_acl_off, BODY_DEFAULT},
    {"/v1/catalog/connect/", true, HTTP_GET, "GET", route_catalog_connect, BODY_DEFAULT},
    {"/v1/catalog/datacenters", false, HTTP_GET, "GET", route_catalog_datacenters, BODY_DEFAULT},
    {"/v1/catalog/deregister", false, HTTP_PUT, "PUT", route_catalog_deregister, BODY_DEFAULT},
    {"/v1/catalog/gateway-services/", true, HTTP_GET, "GET", route_catalog_gateway_services,
     BODY_DEFAULT},
    {"/v1/catalog/node-services/", true, HTTP_GET, "GET", route_catalog_node_services,
     BODY_DEFAULT},
    {"/v1/catalog/node/", true, HTTP_GET, "GET", route_catalog_node, BODY_DEFAULT},
    {"/v1/catalog/nodes", false, HTTP_GET, "GET", route_catalog_nodes, BODY_DEFAULT},
    {"/v1/catalog/register", false, HTTP_PUT, "PUT", route_catalog_register, BODY_DEFAULT},
    {"/v1/catalog/service/", true, HTTP_GET, "GET", route_catalog_service, BODY_DEFAULT},
    {"/v1/catalog/services", false, HTTP_GET, "GET", route_catalog_services, BODY_DEFAULT},
    {"/v1/config", false, HTTP_PUT, "PUT", route_config_apply, BODY_DEFAULT},
    {"/v1/config/", true, HTTP_GET | HTTP_DELETE, "GET,DELETE", route_config, BODY_DEFAULT},
    {"/v1/connect/ca/configuration", false, HTTP_GET | HTTP_PUT, "GET,PUT",
     route_connect_configuration, BODY_DEFAULT},
    {"/v1/connect/ca/roots", false, HTTP_GET, "GET", route_connect_roots, BODY_DEFAULT},
    {"/v1/connect/intentions", false, HTTP_GET | HTTP_POST, "GET,POST", route_intentions,
     BODY_DEFAULT},
    {"/v1/connect/intentions/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE",
     route_intention, BODY_DEFAULT},
    {"/v1/connect/intentions/check", false, HTTP_GET, "GET", route_intention_check, BODY_DEFAULT},
    {"/v1/connect/intentions/exact", false, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE",
     route_intention_exact, BODY_DEFAULT},
    {"/v1/connect/intentions/match", false, HTTP_GET, "GET", route_intention_match, BODY_DEFAULT},
    {"/v1/coordinate/datacenters", false, HTTP_GET, "GET", route_coordinate_datacenters,
     BODY_DEFAULT},
    {"/v1/coordinate/node/", true, HTTP_GET, "GET", route_coordinate_node, BODY_DEFAULT},
    {"/v1/coordinate/nodes", false, HTTP_GET, "GET", route_coordinate_nodes, BODY_DEFAULT},
    {"/v1/coordinate/update", false, HTTP_PUT, "PUT", route_coordinate_update, BODY_DEFAULT},
    {"/v1/discovery-chain/", true, HTTP_GET | HTTP_POST, "GET,POST", route_discovery_chain,
     BODY_DEFAULT},
    {"/v1/event/fire/", true, HTTP_PUT, "PUT", route_event_fire, BODY_DEFAULT},
    {"/v1/event/list", false, HTTP_GET, "GET", route_event_list, BODY_DEFAULT},
    {"/v1/health/checks/", true, HTTP_GET, "GET", route_health_checks, BODY_DEFAULT},
    {"/v1/health/connect/", true, HTTP_GET, "GET", route_health_connect, BODY_DEFAULT},
    {"/v1/health/ingress/", true, HTTP_GET, "GET", route_health_ingress, BODY_DEFAULT},
    {"/v1/health/node/", true, HTTP_GET, "GET", route_health_node, BODY_DEFAULT},
    {"/v1/health/service/", true, HTTP_GET, "GET", route_health_service, BODY_DEFAULT},
    {"/v1/health/state/", true, HTTP_GET, "GET", route_health_state, BODY_DEFAULT},
    {"/v1/internal/acl/authorize", false, HTTP_POST, "POST", route_acl_off, BODY_DEFAULT},
    {"/v1/internal/federation-state/", true, HTTP_GET, "GET", route_federation_state, BODY_DEFAULT},
    {"/v1/internal/federation-states", false, HTTP_GET, "GET", route_federation_states,
     BODY_DEFAULT},
    {"/v1/internal/federation-states/mesh-gateways", false, HTTP_GET, "GET",
     route_federation_gateways, BODY_DEFAULT},
    {"/v1/internal/ui/gateway-services-nodes/", true, HTTP_GET, "GET", route_ui_gateway_services,
     BODY_DEFAULT},
    {"/v1/internal/ui/node/", true, HTTP_GET, "GET", route_ui_node, BODY_DEFAULT},
    {"/v1/internal/ui/nodes", false, HTTP_GET, "GET", route_ui_nodes, BODY_DEFAULT},
    {"/v1/internal/ui/services", false, HTTP_GET, "GET", route_ui_services, BODY_DEFAULT},
    {"/v1/kv/", true, HTTP_GET | HTTP_PUT | HTTP_DELETE, "GET,PUT,DELETE", route_kv, BODY_KV},
    {"/v1/operator/autopilot/configuration", false, HTTP_GET | HTTP_PUT, "GET,PUT",
     route_operator_autopilot_configuration, BODY_DEFAULT},
    {"/v1/operator/autopilot/health", false, HTTP_GET, "GET", route_operator_autopilot_health,
     BODY_DEFAULT},
    {"/v1/operator/keyring", false, HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_DELETE,
     "GET,POST,PUT,DELETE", route_operator_keyring, BODY_DEFAULT},
    {"/v1/operator/raft/configuration", false, HTTP_GET, "GET", route_operator_raft_configuration,
     BODY_DEFAULT},
    {"/v1/operator/raft/peer", false, HTTP_DELETE, "DELETE", route_operator_raft_peer,
     BODY_DEFAULT},
    {"/v1/session/create", false, HTTP_PUT, "PUT", route_session_create, BODY_DEFAULT},
    {"/v1/session/destroy/", true, HTTP_PUT, "PUT", route_session_destroy, BODY_DEFAULT},
    {"/v1/session/info/", true, HTTP_GET, "GET", route_session_info, BODY_DEFAULT},
    {"/v1/session/list", false, HTTP_GET, "GET", route_session_list, BODY_DEFAULT},
    {"/v1/session/node/", true, HTTP_GET, "GET", route_session_node, BODY_DEFAULT},
    {"/v1/session/renew/", true, HTTP_PUT, "PUT", route_session_renew, BODY_DEFAULT},
    {"/v1/snapshot", false, HTTP_GET | HTTP_PUT, "GET,PUT", route_snapshot, BODY_STREAMED},
    {"/v1/query", false, HTTP_GET | HTTP_POST, "GET,POST", route_queries, BODY_DEFAULT},
    /* Says itself which methods it takes */
    {"/v1/query/", true, HTTP_GET | HTTP_PUT | HTTP_POST | HTTP_DELETE | HTTP_OPTIONS | HTTP_HEAD,
     "GET,PUT,DELETE", route_query, BODY_DEFAULT},
    {"/v1/status/leader", false, HTTP_GET, "GET", route_status_leader, BODY_DEFAULT},
    {"/v1/status/peers", false, HTTP_GET, "GET", route_status_peers, BODY_DEFAULT},
    {"/v1/txn", false, HTTP_PUT, "PUT", route_txn, BODY_TXN},
};

/* ---- How long each takes, under Consul's names: http.GET.v1.kv._ ---- */

#define METHODS 6 /* bits of enum http_method */

static enum metric make_timer(const char *path, const char *method)
{
    char name[METRIC_NAME_MAX];
    size_t n = (size_t)snprintf(name, sizeof name, "http.%s", method);
    for (const char *p = path; *p && n + 3 < sizeof name; p++) {
        name[n++] = *p == '/' ? '.' : *p;
        if (*p == '/' && p[1] == '\0') {
            name[n++] = '_';
        }
    }
    name[n] = '\0';
    return metrics_add(METRIC_SAMPLE, name);
}

enum metric *http__route_timers(void)
{
    static const char *const methods[METHODS] = {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD"};
    const size_t n = sizeof routes / sizeof *routes;
    enum metric *timers = malloc(n * METHODS * sizeof *timers);
    for (size_t i = 0; timers && i < n; i++) {
        for (size_t m = 0; m < METHODS; m++) {
            timers[i * METHODS + m] = routes[i].methods & (1u << m)
                                          ? make_timer(routes[i].path, methods[m])
                                          : METRIC_NONE;
        }
    }
    return timers;
}

enum metric http__route_timer(const struct http_server *s, const struct http_route *route,
                              enum http_method method)
{
    bool is_timed = route && route->handle != route_ui;
    size_t at = is_timed ? (size_t)(route - routes) : 0;
    for (size_t m = 0; is_timed && m < METHODS; m++) {
        if (method == (enum http_method)(1u << m)) {
            return s->timers[at * METHODS + m];
        }
    }
    return METRIC_NONE;
}

/* Of all routes that match, the one with the longest path. */
struct http_route_mark *http__route_marks(void)
{
    struct http_route_mark *marks = calloc(sizeof routes / sizeof *routes, sizeof *marks);
    for (size_t i = 0; marks && i < sizeof routes / sizeof *routes; i++) {
        size_t len = strlen(routes[i].path);
        assert(len <= UINT8_MAX);
        marks[i].len = (uint8_t)len;
        marks[i].letter = len > MARK_AT ? routes[i].path[MARK_AT] : '\0';
    }
    return marks;
}

const struct http_route *http__route(const struct http_route_mark *marks, struct mu_str path,
                                     struct mu_str *rest)
{
    const struct http_route *best = NULL;
    size_t best_len = 0;
    char letter = path.len > MARK_AT ? path.p[MARK_AT] : '\0';
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t len = marks[i].len;
        if (marks[i].letter && marks[i].letter != letter) {
            continue;
        }
        bool fits = routes[i].prefix ? path.len >= len : path.len == len;
        if (fits && len > best_len && memcmp(path.p, routes[i].path, len) == 0) {
            best = &routes[i];
            best_len = len;
        }
    }
    *rest = (struct mu_str){path.p + best_len, path.len - best_len};
    return best;
}

bool http__route_lacks_slash(struct mu_str path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t len = strlen(routes[i].path);
        if (routes[i].prefix && path.len == len - 1 &&
            memcmp(path.p, routes[i].path, path.len) == 0) {
            return true;
        }
    }
    return false;
}
