/* metric_names.h - what a daemon counts, under Consul's names. */
#pragma once

/* id, kind, where it is (ANY node, or a SERVER alone), name behind the prefix, key and value of a
 * label; in the order of names. "" as a label: none; the value of the label "node" is this node's
 * name. */
#define METRICS(X)                                                                                 \
    X(AUTOPILOT_FAILURE_TOLERANCE, GAUGE, SERVER, "autopilot.failure_tolerance", "", "")           \
    X(AUTOPILOT_HEALTHY, GAUGE, SERVER, "autopilot.healthy", "", "")                               \
    X(CATALOG_DEREGISTER, SAMPLE, SERVER, "catalog.deregister", "", "")                            \
    X(CATALOG_REGISTER, SAMPLE, SERVER, "catalog.register", "", "")                                \
    X(API_CONNECT_SERVICE_NODES, COUNTER, ANY, "client.api.catalog_connect_service_nodes", "node", \
      "")                                                                                          \
    X(API_DATACENTERS, COUNTER, ANY, "client.api.catalog_datacenters", "node", "")                 \
    X(API_DEREGISTER, COUNTER, ANY, "client.api.catalog_deregister", "node", "")                   \
    X(API_NODE_SERVICE_LIST, COUNTER, ANY, "client.api.catalog_node_service_list", "node", "")     \
    X(API_NODE_SERVICES, COUNTER, ANY, "client.api.catalog_node_services", "node", "")             \
    X(API_NODES, COUNTER, ANY, "client.api.catalog_nodes", "node", "")                             \
    X(API_REGISTER, COUNTER, ANY, "client.api.catalog_register", "node", "")                       \
    X(API_SERVICE_NODES, COUNTER, ANY, "client.api.catalog_service_nodes", "node", "")             \
    X(API_SERVICES, COUNTER, ANY, "client.api.catalog_services", "node", "")                       \
    X(API_SUCCESS_CONNECT_SERVICE_NODES, COUNTER, ANY,                                             \
      "client.api.success.catalog_connect_service_nodes", "node", "")                              \
    X(API_SUCCESS_DATACENTERS, COUNTER, ANY, "client.api.success.catalog_datacenters", "node", "") \
    X(API_SUCCESS_DEREGISTER, COUNTER, ANY, "client.api.success.catalog_deregister", "node", "")   \
    X(API_SUCCESS_NODE_SERVICE_LIST, COUNTER, ANY, "client.api.success.catalog_node_service_list", \
      "node", "")                                                                                  \
    X(API_SUCCESS_NODE_SERVICES, COUNTER, ANY, "client.api.success.catalog_node_services", "node", \
      "")                                                                                          \
    X(API_SUCCESS_NODES, COUNTER, ANY, "client.api.success.catalog_nodes", "node", "")             \
    X(API_SUCCESS_REGISTER, COUNTER, ANY, "client.api.success.catalog_register", "node", "")       \
    X(API_SUCCESS_SERVICE_NODES, COUNTER, ANY, "client.api.success.catalog_service_nodes", "node", \
      "")                                                                                          \
    X(API_SUCCESS_SERVICES, COUNTER, ANY, "client.api.success.catalog_services", "node", "")       \
    X(CLIENT_RPC, COUNTER, ANY, "client.rpc", "", "")                                              \
    X(API_ERROR_CONNECT_SERVICE_NODES, COUNTER, ANY,                                               \
      "client.rpc.error.catalog_connect_service_nodes", "node", "")                                \
    X(API_ERROR_DATACENTERS, COUNTER, ANY, "client.rpc.error.catalog_datacenters", "node", "")     \
    X(API_ERROR_DEREGISTER, COUNTER, ANY, "client.rpc.error.catalog_deregister", "node", "")       \
    X(API_ERROR_NODE_SERVICE_LIST, COUNTER, ANY, "client.rpc.error.catalog_node_service_list",     \
      "node", "")                                                                                  \
    X(API_ERROR_NODE_SERVICES, COUNTER, ANY, "client.rpc.error.catalog_node_services", "node", "") \
    X(API_ERROR_NODES, COUNTER, ANY, "client.rpc.error.catalog_nodes", "node", "")                 \
    X(API_ERROR_REGISTER, COUNTER, ANY, "client.rpc.error.catalog_register", "node", "")           \
    X(API_ERROR_SERVICE_NODES, COUNTER, ANY, "client.rpc.error.catalog_service_nodes", "node", "") \
    X(API_ERROR_SERVICES, COUNTER, ANY, "client.rpc.error.catalog_services", "node", "")           \
    X(CLIENT_RPC_EXCEEDED, COUNTER, ANY, "client.rpc.exceeded", "", "")                            \
    X(CONFIG_ENTRY_APPLY, SAMPLE, SERVER, "config_entry.apply", "", "")                            \
    X(CONFIG_ENTRY_DELETE, SAMPLE, SERVER, "config_entry.delete", "", "")                          \
    X(CONFIG_ENTRY_GET, SAMPLE, SERVER, "config_entry.get", "", "")                                \
    X(CONFIG_ENTRY_LIST, SAMPLE, SERVER, "config_entry.list", "", "")                              \
    X(CONFIG_ENTRY_RESOLVE, SAMPLE, SERVER, "config_entry.resolve_service_config", "", "")         \
    X(CACHE_BYPASS, COUNTER, ANY, "consul.cache.bypass", "", "")                                   \
    X(CACHE_ENTRIES, GAUGE, ANY, "consul.cache.entries_count", "", "")                             \
    X(CACHE_EVICT_EXPIRED, COUNTER, ANY, "consul.cache.evict_expired", "", "")                     \
    X(CACHE_FETCH_ERROR, COUNTER, ANY, "consul.cache.fetch_error", "", "")                         \
    X(CACHE_FETCH_SUCCESS, COUNTER, ANY, "consul.cache.fetch_success", "", "")                     \
    X(DNS_DOMAIN_QUERY, SAMPLE, ANY, "dns.domain_query", "node", "")                               \
    X(DNS_PTR_QUERY, SAMPLE, ANY, "dns.ptr_query", "node", "")                                     \
    X(DNS_STALE_ANSWERS, COUNTER, ANY, "dns.stale_answers", "", "")                                \
    X(DNS_STALE_QUERIES, COUNTER, ANY, "dns.stale_queries", "", "")                                \
    X(FSM_AUTOPILOT, SAMPLE, SERVER, "fsm.autopilot", "", "")                                      \
    X(FSM_CONFIG_ENTRY_DELETE, SAMPLE, SERVER, "fsm.config_entry", "op", "delete")                 \
    X(FSM_CONFIG_ENTRY_UPSERT, SAMPLE, SERVER, "fsm.config_entry", "op", "upsert")                 \
    X(FSM_COORDINATE, SAMPLE, SERVER, "fsm.coordinate.batch-update", "", "")                       \
    X(FSM_DEREGISTER, SAMPLE, SERVER, "fsm.deregister", "", "")                                    \
    X(FSM_INTENTION_CREATE, SAMPLE, SERVER, "fsm.intention", "op", "create")                       \
    X(FSM_INTENTION_DELETE, SAMPLE, SERVER, "fsm.intention", "op", "delete")                       \
    X(FSM_INTENTION_UPDATE, SAMPLE, SERVER, "fsm.intention", "op", "update")                       \
    X(FSM_KVS_CAS, SAMPLE, SERVER, "fsm.kvs", "op", "cas")                                         \
    X(FSM_KVS_DELETE, SAMPLE, SERVER, "fsm.kvs", "op", "delete")                                   \
    X(FSM_KVS_DELETE_CAS, SAMPLE, SERVER, "fsm.kvs", "op", "delete-cas")                           \
    X(FSM_KVS_DELETE_TREE, SAMPLE, SERVER, "fsm.kvs", "op", "delete-tree")                         \
    X(FSM_KVS_LOCK, SAMPLE, SERVER, "fsm.kvs", "op", "lock")                                       \
    X(FSM_KVS_SET, SAMPLE, SERVER, "fsm.kvs", "op", "set")                                         \
    X(FSM_KVS_UNLOCK, SAMPLE, SERVER, "fsm.kvs", "op", "unlock")                                   \
    X(FSM_OTHER, SAMPLE, SERVER, "fsm.other", "", "")                                              \
    X(FSM_PERSIST, SAMPLE, SERVER, "fsm.persist", "", "")                                          \
    X(FSM_PREPARED_QUERY_CREATE, SAMPLE, SERVER, "fsm.prepared-query", "op", "create")             \
    X(FSM_PREPARED_QUERY_DELETE, SAMPLE, SERVER, "fsm.prepared-query", "op", "delete")             \
    X(FSM_PREPARED_QUERY_UPDATE, SAMPLE, SERVER, "fsm.prepared-query", "op", "update")             \
    X(FSM_REGISTER, SAMPLE, SERVER, "fsm.register", "", "")                                        \
    X(FSM_SESSION_CREATE, SAMPLE, SERVER, "fsm.session", "op", "create")                           \
    X(FSM_SESSION_DESTROY, SAMPLE, SERVER, "fsm.session", "op", "destroy")                         \
    X(FSM_TOMBSTONE, SAMPLE, SERVER, "fsm.tombstone", "op", "reap")                                \
    X(FSM_TXN, SAMPLE, SERVER, "fsm.txn", "", "")                                                  \
    X(KVS_APPLY, SAMPLE, SERVER, "kvs.apply", "", "")                                              \
    X(LEADER_RECONCILE, SAMPLE, SERVER, "leader.reconcile", "", "")                                \
    X(LEADER_RECONCILE_MEMBER, SAMPLE, SERVER, "leader.reconcileMember", "", "")                   \
    X(MEMBERLIST_DEGRADED_PROBE, COUNTER, ANY, "memberlist.degraded.probe", "", "")                \
    X(MEMBERLIST_HEALTH_SCORE, GAUGE, ANY, "memberlist.health.score", "", "")                      \
    X(MEMBERLIST_MSG_ALIVE, COUNTER, ANY, "memberlist.msg.alive", "", "")                          \
    X(MEMBERLIST_MSG_DEAD, COUNTER, ANY, "memberlist.msg.dead", "", "")                            \
    X(MEMBERLIST_MSG_SUSPECT, COUNTER, ANY, "memberlist.msg.suspect", "", "")                      \
    X(MEMBERLIST_PROBE_NODE, SAMPLE, ANY, "memberlist.probeNode", "", "")                          \
    X(MEMBERLIST_TCP_ACCEPT, COUNTER, ANY, "memberlist.tcp.accept", "", "")                        \
    X(MEMBERLIST_TCP_CONNECT, COUNTER, ANY, "memberlist.tcp.connect", "", "")                      \
    X(MEMBERLIST_TCP_SENT, COUNTER, ANY, "memberlist.tcp.sent", "", "")                            \
    X(MEMBERLIST_UDP_RECEIVED, COUNTER, ANY, "memberlist.udp.received", "", "")                    \
    X(MEMBERLIST_UDP_SENT, COUNTER, ANY, "memberlist.udp.sent", "", "")                            \
    X(PREPARED_QUERY_APPLY, SAMPLE, SERVER, "prepared-query.apply", "", "")                        \
    X(PREPARED_QUERY_EXECUTE, SAMPLE, SERVER, "prepared-query.execute", "", "")                    \
    X(PREPARED_QUERY_EXPLAIN, SAMPLE, SERVER, "prepared-query.explain", "", "")                    \
    X(RAFT_APPLIED_INDEX, GAUGE, SERVER, "raft.applied_index", "", "")                             \
    X(RAFT_APPLY, COUNTER, SERVER, "raft.apply", "", "")                                           \
    X(RAFT_COMMIT_NUM_LOGS, GAUGE, SERVER, "raft.commitNumLogs", "", "")                           \
    X(RAFT_COMMIT_TIME, SAMPLE, SERVER, "raft.commitTime", "", "")                                 \
    X(RAFT_FSM_APPLY, SAMPLE, SERVER, "raft.fsm.apply", "", "")                                    \
    X(RAFT_FSM_RESTORE, SAMPLE, SERVER, "raft.fsm.restore", "", "")                                \
    X(RAFT_FSM_SNAPSHOT, SAMPLE, SERVER, "raft.fsm.snapshot", "", "")                              \
    X(RAFT_LAST_INDEX, GAUGE, SERVER, "raft.last_index", "", "")                                   \
    X(RAFT_LEADER_LAST_CONTACT, SAMPLE, SERVER, "raft.leader.lastContact", "", "")                 \
    X(RAFT_SNAPSHOT_PERSIST, SAMPLE, SERVER, "raft.snapshot.persist", "", "")                      \
    X(RAFT_SNAPSHOT_TAKE, SAMPLE, SERVER, "raft.snapshot.takeSnapshot", "", "")                    \
    X(RAFT_STATE_CANDIDATE, COUNTER, SERVER, "raft.state.candidate", "", "")                       \
    X(RAFT_STATE_FOLLOWER, COUNTER, SERVER, "raft.state.follower", "", "")                         \
    X(RAFT_STATE_LEADER, COUNTER, SERVER, "raft.state.leader", "", "")                             \
    X(RAFT_TRANSITION_HEARTBEAT_TIMEOUT, COUNTER, SERVER, "raft.transition.heartbeat_timeout", "", \
      "")                                                                                          \
    X(RAFT_VERIFY_LEADER, COUNTER, SERVER, "raft.verify_leader", "", "")                           \
    X(RPC_ACCEPT_CONN, COUNTER, SERVER, "rpc.accept_conn", "", "")                                 \
    X(RPC_CONSISTENT_READ, SAMPLE, SERVER, "rpc.consistentRead", "", "")                           \
    X(RPC_QUERIES_BLOCKING, GAUGE, SERVER, "rpc.queries_blocking", "", "")                         \
    X(RPC_QUERY, COUNTER, SERVER, "rpc.query", "", "")                                             \
    X(RPC_RAFT_HANDOFF, COUNTER, SERVER, "rpc.raft_handoff", "", "")                               \
    X(RPC_REQUEST, COUNTER, SERVER, "rpc.request", "", "")                                         \
    X(RPC_REQUEST_ERROR, COUNTER, SERVER, "rpc.request_error", "", "")                             \
    X(RUNTIME_ALLOC_BYTES, GAUGE, ANY, "runtime.alloc_bytes", "", "")                              \
    X(RUNTIME_NUM_THREADS, GAUGE, ANY, "runtime.num_goroutines", "", "")                           \
    X(RUNTIME_SYS_BYTES, GAUGE, ANY, "runtime.sys_bytes", "", "")                                  \
    X(SERF_EVENTS, COUNTER, ANY, "serf.events", "", "")                                            \
    X(SERF_MEMBER_FAILED, COUNTER, ANY, "serf.member.failed", "", "")                              \
    X(SERF_MEMBER_JOIN, COUNTER, ANY, "serf.member.join", "", "")                                  \
    X(SERF_MEMBER_LEFT, COUNTER, ANY, "serf.member.left", "", "")                                  \
    X(SESSION_APPLY, SAMPLE, SERVER, "session.apply", "", "")                                      \
    X(SESSION_RENEW, SAMPLE, SERVER, "session.renew", "", "")                                      \
    X(SESSION_TTL_ACTIVE, GAUGE, SERVER, "session_ttl.active", "", "")                             \
    X(SESSION_TTL_INVALIDATE, SAMPLE, SERVER, "session_ttl.invalidate", "", "")                    \
    X(TXN_APPLY, SAMPLE, SERVER, "txn.apply", "", "")                                              \
    X(TXN_READ, SAMPLE, SERVER, "txn.read", "", "")                                                \
    /* From a change's commit on this server until who waited for it is sent it (consul#5140) */   \
    X(WATCH_DELIVERY, HISTOGRAM, SERVER, "watch.delivery", "", "")

/* Counters with values that come from outside: id, name, and the keys of one or two labels. Without
 * a label the value itself ends the name: serf.events.deploy. */
#define METRIC_FAMILIES(X)                                                                         \
    X(FAMILY_CATALOG_CONNECT_QUERY, "catalog.connect.query", "service", "")                        \
    X(FAMILY_CATALOG_CONNECT_QUERY_TAGS, "catalog.connect.query-tags", "service", "tag")           \
    X(FAMILY_CATALOG_CONNECT_NOT_FOUND, "catalog.connect.not-found", "service", "")                \
    X(FAMILY_CATALOG_SERVICE_QUERY, "catalog.service.query", "service", "")                        \
    X(FAMILY_CATALOG_SERVICE_QUERY_TAGS, "catalog.service.query-tags", "service", "tag")           \
    X(FAMILY_CATALOG_SERVICE_NOT_FOUND, "catalog.service.not-found", "service", "")                \
    X(FAMILY_HEALTH_CONNECT_QUERY, "health.connect.query", "service", "")                          \
    X(FAMILY_HEALTH_CONNECT_QUERY_TAGS, "health.connect.query-tags", "service", "tag")             \
    X(FAMILY_HEALTH_CONNECT_NOT_FOUND, "health.connect.not-found", "service", "")                  \
    X(FAMILY_HEALTH_SERVICE_QUERY, "health.service.query", "service", "")                          \
    X(FAMILY_HEALTH_SERVICE_QUERY_TAGS, "health.service.query-tags", "service", "tag")             \
    X(FAMILY_HEALTH_SERVICE_NOT_FOUND, "health.service.not-found", "service", "")                  \
    X(FAMILY_CLIENT_RPC_FAILED, "client.rpc.failed", "server", "")                                 \
    X(FAMILY_SERF_EVENTS_NAMED, "serf.events.", "", "")
