/* measure.c - what a server counts beside what every agent does. */
#include "measure.h"

#include "msgpack.h"
#include "rpc/endpoints.h"

#include <string.h>

/* ---- Gauges and Raft, once an interval ---- */

static void count_since(enum metric m, uint64_t now, uint64_t before)
{
    if (now > before) {
        metric_count(m, (double)(now - before));
    }
}

static void measure_raft(struct server *s)
{
    struct raft_stats now = {.size = sizeof now};
    const struct raft_stats *before = &s->raft_before;
    raft_node_stats(s->raft, &now);
    count_since(METRIC_RAFT_STATE_CANDIDATE, now.elections_started, before->elections_started);
    count_since(METRIC_RAFT_STATE_LEADER, now.elections_won, before->elections_won);
    /* An election that is not won ends as a follower, too; it is the first state of all. */
    uint64_t lost = now.elections_started - now.elections_won;
    uint64_t lost_before = before->elections_started - before->elections_won;
    count_since(METRIC_RAFT_STATE_FOLLOWER, 1 + now.step_downs + lost,
                before->size ? 1 + before->step_downs + lost_before : 0);
    count_since(METRIC_RAFT_TRANSITION_HEARTBEAT_TIMEOUT, now.elections_started,
                before->elections_started);
    s->raft_before = now;
}

static void collect(void *arg)
{
    struct server *s = arg;
    struct raft_node_status st;
    size_t waiters = 0;
    raft_node_status(s->raft, &st);
    for (size_t i = 0; i < s->nfronts; i++) {
        waiters += atomic_load(&s->fronts[i].waiters);
    }
    measure_raft(s);
    metric_set(METRIC_RAFT_APPLIED_INDEX, (double)st.applied_index);
    metric_set(METRIC_RAFT_LAST_INDEX, (double)st.last_log_index);
    metric_set(METRIC_RAFT_COMMIT_NUM_LOGS, (double)s->batch_entries);
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

void server__measure_contact(const struct server *s, const struct raft_node_status *st)
{
    struct raft_node_peer_status peer;
    for (size_t i = 0; st->state == RAFT_NODE_LEADER && i < st->configuration->n; i++) {
        const char *id = st->configuration->servers[i].id;
        if (strcmp(id, raft_node_id(s->raft)) != 0 &&
            raft_node_peer(s->raft, id, &peer) == RAFT_OK && peer.silent_ns != MU_NEVER) {
            metric_sample(METRIC_RAFT_LEADER_LAST_CONTACT,
                          (double)peer.silent_ns / (double)MU_MSEC);
        }
    }
}

/* ---- Calls ---- */

enum metric server__call_metric(const struct endpoint *e)
{
    switch (e - endpoints) {
    case ENDPOINT_CATALOG_DEREGISTER:
        return METRIC_CATALOG_DEREGISTER;
    case ENDPOINT_CATALOG_REGISTER:
        return METRIC_CATALOG_REGISTER;
    case ENDPOINT_CONFIG_ENTRY_APPLY:
        return METRIC_CONFIG_ENTRY_APPLY;
    case ENDPOINT_CONFIG_ENTRY_DELETE:
        return METRIC_CONFIG_ENTRY_DELETE;
    case ENDPOINT_CONFIG_ENTRY_GET:
        return METRIC_CONFIG_ENTRY_GET;
    case ENDPOINT_CONFIG_ENTRY_LIST:
        return METRIC_CONFIG_ENTRY_LIST;
    case ENDPOINT_CONFIG_ENTRY_RESOLVE_SERVICE_CONFIG:
        return METRIC_CONFIG_ENTRY_RESOLVE;
    case ENDPOINT_KVS_APPLY:
        return METRIC_KVS_APPLY;
    case ENDPOINT_PREPARED_QUERY_APPLY:
        return METRIC_PREPARED_QUERY_APPLY;
    case ENDPOINT_PREPARED_QUERY_EXECUTE:
        return METRIC_PREPARED_QUERY_EXECUTE;
    case ENDPOINT_PREPARED_QUERY_EXPLAIN:
        return METRIC_PREPARED_QUERY_EXPLAIN;
    case ENDPOINT_SESSION_APPLY:
        return METRIC_SESSION_APPLY;
    case ENDPOINT_SESSION_RENEW:
        return METRIC_SESSION_RENEW;
    case ENDPOINT_TXN_APPLY:
        return METRIC_TXN_APPLY;
    case ENDPOINT_TXN_READ:
        return METRIC_TXN_READ;
    default:
        return METRIC_NONE;
    }
}

/* Several tags count as one, so that their order makes no difference: most ask for one. */
static struct mu_str tag_of(const struct catalog_service_request *q)
{
    struct mu_str several = mu__cstr("(several)");
    return q->service_tags.len > 1    ? several
           : q->service_tags.len == 1 ? q->service_tags.items[0]
                                      : q->service_tag;
}

static void count_service(const struct catalog_service_request *q, size_t found, bool health)
{
    static const struct {
        enum metric_family query, tags, not_found;
    } families[2][2] = {
        {{METRIC_FAMILY_CATALOG_SERVICE_QUERY, METRIC_FAMILY_CATALOG_SERVICE_QUERY_TAGS,
          METRIC_FAMILY_CATALOG_SERVICE_NOT_FOUND},
         {METRIC_FAMILY_CATALOG_CONNECT_QUERY, METRIC_FAMILY_CATALOG_CONNECT_QUERY_TAGS,
          METRIC_FAMILY_CATALOG_CONNECT_NOT_FOUND}},
        {{METRIC_FAMILY_HEALTH_SERVICE_QUERY, METRIC_FAMILY_HEALTH_SERVICE_QUERY_TAGS,
          METRIC_FAMILY_HEALTH_SERVICE_NOT_FOUND},
         {METRIC_FAMILY_HEALTH_CONNECT_QUERY, METRIC_FAMILY_HEALTH_CONNECT_QUERY_TAGS,
          METRIC_FAMILY_HEALTH_CONNECT_NOT_FOUND}},
    };
    struct mu_str none = {NULL, 0};
    metric_count_of(families[health][q->connect].query, q->service_name, none);
    if (q->tag_filter) {
        metric_count_of(families[health][q->connect].tags, q->service_name, tag_of(q));
    }
    if (found == 0) {
        metric_count_of(families[health][q->connect].not_found, q->service_name, none);
    }
}

void server__measure_read(const struct call *c, const void *reply, uint64_t began_ns)
{
    if (c->endpoint == &endpoints[ENDPOINT_HEALTH_SERVICE_NODES]) {
        const struct catalog_indexed_check_service_nodes *found = reply;
        count_service(c->request, found->nodes.len, true);
    } else if (c->endpoint == &endpoints[ENDPOINT_CATALOG_SERVICE_NODES]) {
        const struct catalog_indexed_service_nodes *found = reply;
        count_service(c->request, found->service_nodes.len, false);
    } else {
        metric_since(server__call_metric(c->endpoint), began_ns);
    }
}

/* ---- Entries ---- */

/* The value of Op in an entry that is about to be applied, and so has been looked at before; lent.
 * Requests are maps with their keys in order: it comes late, but what it takes to get there is
 * little beside what applying it takes. */
static struct mu_str find_op(const void *body, size_t len)
{
    struct mu__reader r = mu__reader(body, len);
    for (size_t n = mu__mp_read_map(&r); n > 0 && !r.failed; n--) {
        struct mu_str key = mu__mp_read_str(&r);
        if (mu__str_is(key, "Op")) {
            return mu__mp_read_str(&r);
        }
        mu__mp_skip(&r);
    }
    return (struct mu_str){NULL, 0};
}

struct op_metric {
    const char *op;
    enum metric metric;
};

static enum metric by_op(const struct op_metric *table, const void *data, size_t len)
{
    struct mu_str op = find_op((const uint8_t *)data + 1, len - 1);
    while (table->op && !mu__str_eq(op, mu__cstr(table->op))) {
        table++;
    }
    return table->metric;
}

enum metric server__entry_metric(const void *data, size_t len)
{
    static const struct op_metric kvs[] = {
        {"set", METRIC_FSM_KVS_SET},
        {"cas", METRIC_FSM_KVS_CAS},
        {"lock", METRIC_FSM_KVS_LOCK},
        {"unlock", METRIC_FSM_KVS_UNLOCK},
        {"delete", METRIC_FSM_KVS_DELETE},
        {"delete-cas", METRIC_FSM_KVS_DELETE_CAS},
        {"delete-tree", METRIC_FSM_KVS_DELETE_TREE},
        {NULL, METRIC_FSM_OTHER},
    };
    static const struct op_metric session[] = {
        {"create", METRIC_FSM_SESSION_CREATE},
        {"destroy", METRIC_FSM_SESSION_DESTROY},
        {NULL, METRIC_FSM_OTHER},
    };
    static const struct op_metric query[] = {
        {"create", METRIC_FSM_PREPARED_QUERY_CREATE},
        {"update", METRIC_FSM_PREPARED_QUERY_UPDATE},
        {"delete", METRIC_FSM_PREPARED_QUERY_DELETE},
        {NULL, METRIC_FSM_OTHER},
    };
    static const struct op_metric config[] = {
        {"delete", METRIC_FSM_CONFIG_ENTRY_DELETE},
        {NULL, METRIC_FSM_CONFIG_ENTRY_UPSERT},
    };
    static const struct op_metric intention[] = {
        {"create", METRIC_FSM_INTENTION_CREATE},
        {"update", METRIC_FSM_INTENTION_UPDATE},
        {"delete", METRIC_FSM_INTENTION_DELETE},
        {NULL, METRIC_FSM_OTHER},
    };
    switch (len > 0 ? *(const uint8_t *)data : UINT8_MAX) {
    case CATALOG_ENTRY_REGISTER:
        return METRIC_FSM_REGISTER;
    case CATALOG_ENTRY_DEREGISTER:
        return METRIC_FSM_DEREGISTER;
    case CATALOG_ENTRY_KVS:
        return by_op(kvs, data, len);
    case CATALOG_ENTRY_SESSION:
        return by_op(session, data, len);
    case CATALOG_ENTRY_COORDINATES:
        return METRIC_FSM_COORDINATE;
    case CATALOG_ENTRY_TXN:
        return METRIC_FSM_TXN;
    case CATALOG_ENTRY_TOMBSTONE:
        return METRIC_FSM_TOMBSTONE;
    case CATALOG_ENTRY_AUTOPILOT:
        return METRIC_FSM_AUTOPILOT;
    case CATALOG_ENTRY_QUERY:
        return by_op(query, data, len);
    case CATALOG_ENTRY_INTENTION:
        return by_op(intention, data, len);
    case CATALOG_ENTRY_CONFIG:
        return by_op(config, data, len);
    default:
        return METRIC_FSM_OTHER;
    }
}

void server__measure_entry(struct server *s, const void *data, size_t len, uint64_t began_ns)
{
    double ms = (double)(loop_now_ns() - began_ns) / (double)MU_MSEC;
    s->batch_entries++;
    metric_sample(METRIC_RAFT_FSM_APPLY, ms);
    metric_sample(server__entry_metric(data, len), ms);
}
