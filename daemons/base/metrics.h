/* metrics.h - what a daemon counts and measures, under Consul's names.
 *
 * Any thread may count, set and sample; that costs a few uncontended atomic additions and never a
 * lock. Every ten seconds the core loop closes an interval (metrics_roll): what the API shows is
 * the last complete one, what Prometheus reads are sums since the start.
 *
 * Like the log this is process-wide: a daemon has one set of metrics.
 *
 *     uint64_t began = loop_now_ns();
 *     ...
 *     metric_count(METRIC_RPC_REQUEST, 1);
 *     metric_since(METRIC_KVS_APPLY, began); */
#pragma once

#include "schema.h"

#include <muster/mu.h>
#include <stdbool.h>
#include <stdint.h>

enum metric_kind {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_SAMPLE,   /* times are in milliseconds; quantiles are good to an eighth */
    METRIC_HISTOGRAM /* a sample that Prometheus gets as buckets, one for each power of two */
};

/* id, kind, name behind the prefix, key and value of a label ("": none); in the order of names */
#define METRICS(X)                                                                                 \
    X(AUTOPILOT_FAILURE_TOLERANCE, GAUGE, "autopilot.failure_tolerance", "", "")                   \
    X(AUTOPILOT_HEALTHY, GAUGE, "autopilot.healthy", "", "")                                       \
    X(CATALOG_DEREGISTER, SAMPLE, "catalog.deregister", "", "")                                    \
    X(CATALOG_REGISTER, SAMPLE, "catalog.register", "", "")                                        \
    X(CLIENT_RPC, COUNTER, "client.rpc", "", "")                                                   \
    X(CLIENT_RPC_EXCEEDED, COUNTER, "client.rpc.exceeded", "", "")                                 \
    X(CLIENT_RPC_FAILED, COUNTER, "client.rpc.failed", "", "")                                     \
    X(CACHE_BYPASS, COUNTER, "consul.cache.bypass", "", "")                                        \
    X(CACHE_ENTRIES, GAUGE, "consul.cache.entries_count", "", "")                                  \
    X(CACHE_EVICT_EXPIRED, COUNTER, "consul.cache.evict_expired", "", "")                          \
    X(CACHE_FETCH_ERROR, COUNTER, "consul.cache.fetch_error", "", "")                              \
    X(CACHE_FETCH_SUCCESS, COUNTER, "consul.cache.fetch_success", "", "")                          \
    X(DNS_DOMAIN_QUERY, SAMPLE, "dns.domain_query", "", "")                                        \
    X(DNS_PTR_QUERY, SAMPLE, "dns.ptr_query", "", "")                                              \
    X(FSM_AUTOPILOT, SAMPLE, "fsm.autopilot", "", "")                                              \
    X(FSM_COORDINATE, SAMPLE, "fsm.coordinate.batch-update", "", "")                               \
    X(FSM_DEREGISTER, SAMPLE, "fsm.deregister", "", "")                                            \
    X(FSM_KVS, SAMPLE, "fsm.kvs", "", "")                                                          \
    X(FSM_OTHER, SAMPLE, "fsm.other", "", "")                                                      \
    X(FSM_PREPARED_QUERY, SAMPLE, "fsm.prepared-query", "", "")                                    \
    X(FSM_REGISTER, SAMPLE, "fsm.register", "", "")                                                \
    X(FSM_SESSION, SAMPLE, "fsm.session", "", "")                                                  \
    X(FSM_TOMBSTONE, SAMPLE, "fsm.tombstone", "", "")                                              \
    X(FSM_TXN, SAMPLE, "fsm.txn", "", "")                                                          \
    X(KVS_APPLY, SAMPLE, "kvs.apply", "", "")                                                      \
    X(LEADER_RECONCILE, SAMPLE, "leader.reconcile", "", "")                                        \
    X(MEMBERLIST_HEALTH_SCORE, GAUGE, "memberlist.health.score", "", "")                           \
    X(MEMBERLIST_TCP_ACCEPT, COUNTER, "memberlist.tcp.accept", "", "")                             \
    X(MEMBERLIST_TCP_CONNECT, COUNTER, "memberlist.tcp.connect", "", "")                           \
    X(MEMBERLIST_UDP_RECEIVED, COUNTER, "memberlist.udp.received", "", "")                         \
    X(MEMBERLIST_UDP_SENT, COUNTER, "memberlist.udp.sent", "", "")                                 \
    X(PREPARED_QUERY_APPLY, SAMPLE, "prepared-query.apply", "", "")                                \
    X(RAFT_APPLIED_INDEX, GAUGE, "raft.applied_index", "", "")                                     \
    X(RAFT_APPLY, COUNTER, "raft.apply", "", "")                                                   \
    X(RAFT_COMMIT_TIME, SAMPLE, "raft.commitTime", "", "")                                         \
    X(RAFT_FSM_APPLY, SAMPLE, "raft.fsm.apply", "", "")                                            \
    X(RAFT_FSM_RESTORE, SAMPLE, "raft.fsm.restore", "", "")                                        \
    X(RAFT_LAST_INDEX, GAUGE, "raft.last_index", "", "")                                           \
    X(RAFT_SNAPSHOT_PERSIST, SAMPLE, "raft.snapshot.persist", "", "")                              \
    X(RAFT_STATE_FOLLOWER, COUNTER, "raft.state.follower", "", "")                                 \
    X(RAFT_STATE_LEADER, COUNTER, "raft.state.leader", "", "")                                     \
    X(RPC_ACCEPT_CONN, COUNTER, "rpc.accept_conn", "", "")                                         \
    X(RPC_QUERIES_BLOCKING, GAUGE, "rpc.queries_blocking", "", "")                                 \
    X(RPC_QUERY, COUNTER, "rpc.query", "", "")                                                     \
    X(RPC_RAFT_HANDOFF, COUNTER, "rpc.raft_handoff", "", "")                                       \
    X(RPC_REQUEST, COUNTER, "rpc.request", "", "")                                                 \
    X(RPC_REQUEST_ERROR, COUNTER, "rpc.request_error", "", "")                                     \
    X(RUNTIME_ALLOC_BYTES, GAUGE, "runtime.alloc_bytes", "", "")                                   \
    X(RUNTIME_SYS_BYTES, GAUGE, "runtime.sys_bytes", "", "")                                       \
    X(RUNTIME_NUM_THREADS, GAUGE, "runtime.num_goroutines", "", "")                                \
    X(SERF_EVENTS, COUNTER, "serf.events", "", "")                                                 \
    X(SERF_MEMBER_FAILED, COUNTER, "serf.member.failed", "", "")                                   \
    X(SERF_MEMBER_JOIN, COUNTER, "serf.member.join", "", "")                                       \
    X(SERF_MEMBER_LEFT, COUNTER, "serf.member.left", "", "")                                       \
    X(SESSION_APPLY, SAMPLE, "session.apply", "", "")                                              \
    X(SESSION_RENEW, SAMPLE, "session.renew", "", "")                                              \
    X(SESSION_TTL_ACTIVE, GAUGE, "session_ttl.active", "", "")                                     \
    X(SESSION_TTL_INVALIDATE, SAMPLE, "session_ttl.invalidate", "", "")                            \
    X(TXN_APPLY, SAMPLE, "txn.apply", "", "")                                                      \
    X(TXN_READ, SAMPLE, "txn.read", "", "")                                                        \
    /* From a change's commit on this server until who waited for it is sent it (consul#5140) */   \
    X(WATCH_DELIVERY, HISTOGRAM, "watch.delivery", "", "")

enum metric {
#define METRIC_ID(id, kind, name, label, value) METRIC_##id,
    METRICS(METRIC_ID)
#undef METRIC_ID
        METRIC_KNOWN, /* those that metrics_add made follow */
    METRIC_NONE = 1 << 16
};

/* METRIC_NONE is counted nowhere. */
void metric_count(enum metric m, double by);
void metric_set(enum metric m, double value); /* gauges */
void metric_sample(enum metric m, double value);
void metric_since(enum metric m, uint64_t began_ns); /* samples loop_now_ns() - began_ns */

/* Another metric, such as that of an HTTP route; name is copied. The same name again is the same
 * metric. Any thread, but not on a hot path. METRIC_NONE when there are too many. */
enum metric metrics_add(enum metric_kind kind, const char *name);

struct metrics_config {
    const char *prefix;           /* "consul" */
    const char *host;             /* stands before the names of gauges; NULL: does not */
    bool filter_default;          /* what no prefix names is shown */
    const struct mu_str *filters; /* "+prefix" or "-prefix" of whole names; the longest counts */
    size_t nfilters;
};
/* Copies; before the loops run. Without it: prefix "consul", no host, no filters. */
void metrics_configure(const struct metrics_config *c);

/* Told before an interval is closed, so that it sets its gauges; on the core loop. At most eight;
 * NULL in fn takes back what was given for arg. */
typedef void (*metrics_collect_fn)(void *arg);
void metrics_collect(metrics_collect_fn fn, void *arg);

#define METRIC_NAME_MAX    96 /* with its zero */
#define METRICS_INTERVAL_S 10
/* Closes the interval that ends at unix_s. On the core loop, every METRICS_INTERVAL_S. */
void metrics_roll(int64_t unix_s);

/* ---- What the last complete interval was; any thread ---- */

/* {"Timestamp", "Gauges", "Points", "Counters", "Samples"} (http-api 2.3) */
void metrics_write_json(struct mu__json *j);
/* Prometheus' text format 0.0.4: sums since the start; quantiles of the last interval. */
void metrics_write_prometheus(struct mu__writer *w);
/* Lines for statsd: a counter's sum, a gauge's value, a sample's mean of the last interval. */
void metrics_write_statsd(struct mu__writer *w);
