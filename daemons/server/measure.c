/* measure.c - what a server counts beside what every agent does. */
#include "measure.h"

#include "rpc/endpoints.h"

static void collect(void *arg)
{
    struct server *s = arg;
    struct raft_node_status st;
    size_t waiters = 0;
    raft_node_status(s->raft, &st);
    for (size_t i = 0; i < s->nfronts; i++) {
        waiters += atomic_load(&s->fronts[i].waiters);
    }
    metric_set(METRIC_RAFT_APPLIED_INDEX, (double)st.applied_index);
    metric_set(METRIC_RAFT_LAST_INDEX, (double)st.last_log_index);
    metric_set(METRIC_RPC_QUERIES_BLOCKING, (double)waiters);
    metric_set(METRIC_SESSION_TTL_ACTIVE, (double)server__sessions_with_ttl(s));
    if (st.state == RAFT_NODE_LEADER) {
        metric_set(METRIC_AUTOPILOT_HEALTHY, autopilot_is_healthy(&s->autopilot) ? 1 : 0);
        metric_set(METRIC_AUTOPILOT_FAILURE_TOLERANCE,
                   (double)autopilot_failure_tolerance(&s->autopilot));
    }
}

void server__measure_start(struct server *s)
{
    metrics_collect(collect, s);
}

void server__measure_stop(struct server *s)
{
    metrics_collect(NULL, s);
}

enum metric server__write_metric(const struct endpoint *e)
{
    static const struct {
        enum endpoint_id id;
        enum metric metric;
    } table[] = {
        {ENDPOINT_CATALOG_DEREGISTER, METRIC_CATALOG_DEREGISTER},
        {ENDPOINT_CATALOG_REGISTER, METRIC_CATALOG_REGISTER},
        {ENDPOINT_KVS_APPLY, METRIC_KVS_APPLY},
        {ENDPOINT_SESSION_APPLY, METRIC_SESSION_APPLY},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (e == &endpoints[table[i].id]) {
            return table[i].metric;
        }
    }
    return METRIC_NONE;
}

enum metric server__entry_metric(uint8_t type)
{
    switch (type) {
    case CATALOG_ENTRY_REGISTER:
        return METRIC_FSM_REGISTER;
    case CATALOG_ENTRY_DEREGISTER:
        return METRIC_FSM_DEREGISTER;
    case CATALOG_ENTRY_KVS:
        return METRIC_FSM_KVS;
    case CATALOG_ENTRY_SESSION:
        return METRIC_FSM_SESSION;
    case CATALOG_ENTRY_COORDINATES:
        return METRIC_FSM_COORDINATE;
    case CATALOG_ENTRY_TXN:
        return METRIC_FSM_TXN;
    case CATALOG_ENTRY_TOMBSTONE:
        return METRIC_FSM_TOMBSTONE;
    case CATALOG_ENTRY_AUTOPILOT:
        return METRIC_FSM_AUTOPILOT;
    default:
        return METRIC_FSM_OTHER;
    }
}
