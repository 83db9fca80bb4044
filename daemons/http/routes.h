/* routes.h - the handlers, by the file they are in; routes.c has the table of paths. */
#pragma once

#include "request.h"

/* routes_agent.c */
void route_agent_self(struct http_request *r);
void route_agent_members(struct http_request *r);
void route_agent_services(struct http_request *r);
void route_agent_service(struct http_request *r);
void route_agent_checks(struct http_request *r);
void route_agent_join(struct http_request *r);
void route_agent_leave(struct http_request *r);
void route_agent_force_leave(struct http_request *r);
void route_agent_host(struct http_request *r);
void route_agent_reload(struct http_request *r);
void route_agent_maintenance(struct http_request *r);

/* routes_off.c */
void route_acl_off(struct http_request *r);
void route_debug_off(struct http_request *r);
void route_intention(struct http_request *r);
void route_intention_check(struct http_request *r);
void route_intention_exact(struct http_request *r);
void route_intention_match(struct http_request *r);
void route_intentions(struct http_request *r);
void route_connect_roots(struct http_request *r);
void route_connect_configuration(struct http_request *r);
void route_agent_connect_authorize(struct http_request *r);

/* routes_connect.c */
void route_agent_connect_leaf(struct http_request *r);
void route_agent_connect_roots(struct http_request *r);

/* routes_snapshot.c */
void route_snapshot(struct http_request *r);

/* routes_telemetry.c */
void route_agent_metrics(struct http_request *r);
void route_agent_monitor(struct http_request *r);

/* routes_local.c: what is registered on this agent */
void route_agent_service_register(struct http_request *r);
void route_agent_service_deregister(struct http_request *r);
void route_agent_service_maintenance(struct http_request *r);
void route_agent_check_register(struct http_request *r);
void route_agent_check_deregister(struct http_request *r);
void route_agent_check_pass(struct http_request *r);
void route_agent_check_warn(struct http_request *r);
void route_agent_check_fail(struct http_request *r);
void route_agent_check_update(struct http_request *r);
void route_agent_health_by_id(struct http_request *r);
void route_agent_health_by_name(struct http_request *r);

/* routes_catalog.c */
void route_catalog_datacenters(struct http_request *r);
void route_catalog_nodes(struct http_request *r);
void route_catalog_services(struct http_request *r);
void route_catalog_service(struct http_request *r);
void route_catalog_connect(struct http_request *r);
void route_catalog_node(struct http_request *r);
void route_catalog_node_services(struct http_request *r);
void route_catalog_register(struct http_request *r);
void route_catalog_deregister(struct http_request *r);

/* routes_config.c */
void route_config(struct http_request *r);
void route_config_apply(struct http_request *r);
void route_discovery_chain(struct http_request *r);

/* routes_coordinate.c */
void route_coordinate_datacenters(struct http_request *r);
void route_coordinate_nodes(struct http_request *r);
void route_coordinate_node(struct http_request *r);
void route_coordinate_update(struct http_request *r);

/* routes_health.c */
void route_health_node(struct http_request *r);
void route_health_checks(struct http_request *r);
void route_health_state(struct http_request *r);
void route_health_service(struct http_request *r);
void route_health_connect(struct http_request *r);
void route_health_ingress(struct http_request *r);

/* routes_federation.c */
void route_federation_state(struct http_request *r);
void route_federation_states(struct http_request *r);
void route_federation_gateways(struct http_request *r);

/* routes_gateway.c */
void route_catalog_gateway_services(struct http_request *r);
void route_ui_gateway_services(struct http_request *r);

/* routes_kv.c */
void route_kv(struct http_request *r);

/* routes_operator.c */
void route_operator_raft_configuration(struct http_request *r);
void route_operator_raft_peer(struct http_request *r);
void route_operator_autopilot_configuration(struct http_request *r);
void route_operator_autopilot_health(struct http_request *r);

/* routes_event.c */
void route_event_fire(struct http_request *r);
void route_event_list(struct http_request *r);

/* routes_keyring.c */
void route_operator_keyring(struct http_request *r);

/* routes_session.c */
void route_session_create(struct http_request *r);
void route_session_destroy(struct http_request *r);
void route_session_info(struct http_request *r);
void route_session_list(struct http_request *r);
void route_session_node(struct http_request *r);
void route_session_renew(struct http_request *r);

/* routes_query.c */
void route_queries(struct http_request *r);
void route_query(struct http_request *r);

/* routes_txn.c */
void route_txn(struct http_request *r);

/* routes_status.c */
void route_status_leader(struct http_request *r);
void route_status_peers(struct http_request *r);
void route_root(struct http_request *r);

/* ui.c */
void route_ui(struct http_request *r);

/* routes_ui.c */
void route_ui_node(struct http_request *r);
void route_ui_nodes(struct http_request *r);
void route_ui_services(struct http_request *r);
