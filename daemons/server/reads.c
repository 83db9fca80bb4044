/* reads.c - reads answered by this front from the newest store version, and reads that wait for a
 * newer one. */
#include "intentions.h"
#include "measure.h"
#include "queries.h"
#include "route.h"

#include "base/log.h"
#include "base/metrics.h"
#include "http/filter.h"
#include "rpc/endpoints.h"

#include <muster/catalog_ca.h>
#include <muster/catalog_dump.h>
#include <muster/catalog_federation.h>
#include <muster/catalog_gateway.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_JITTER 16 /* a wait grows by up to a 16th: watchers must not return in step */
#define SLICE_NS    (MU_MSEC / 2)

typedef int (*query_fn)(struct catalog_reader *r, const void *request, void *reply,
                        struct catalog_watch_keys *keys, const char **why);

/* The queries with untyped arguments; the endpoint table guarantees their types. */
#define QUERY(name, request_type, reply_type)                                                      \
    static int name(struct catalog_reader *r, const void *request, void *reply,                    \
                    struct catalog_watch_keys *keys, const char **why)                             \
    {                                                                                              \
        (void)why;                                                                                 \
        return catalog_query_##name(r, (const struct request_type *)request,                       \
                                    (struct reply_type *)reply, keys);                             \
    }
QUERY(services, catalog_dc_request, catalog_indexed_services)
QUERY(service_nodes, catalog_service_request, catalog_indexed_service_nodes)
QUERY(node_services, catalog_node_request, catalog_indexed_node_services)
QUERY(node_service_list, catalog_node_request, catalog_indexed_node_service_list)
QUERY(node_checks, catalog_node_request, catalog_indexed_checks)
QUERY(service_checks, catalog_service_request, catalog_indexed_checks)
QUERY(checks_in_state, catalog_checks_in_state_request, catalog_indexed_checks)
QUERY(check_service_nodes, catalog_service_request, catalog_indexed_check_service_nodes)
QUERY(node_dump, catalog_dc_request, catalog_indexed_node_dump)
QUERY(node_info, catalog_node_request, catalog_indexed_node_dump)
QUERY(service_dump, catalog_service_dump_request, catalog_indexed_check_service_nodes)
QUERY(mesh_gateways, catalog_dc_request, catalog_datacenter_nodes)
QUERY(gateway_services, catalog_service_request, catalog_indexed_gateway_services)
QUERY(gateway_service_dump, catalog_service_request, catalog_indexed_service_dump)
QUERY(intentions, catalog_dc_request, catalog_indexed_intentions)
QUERY(key, catalog_key_request, catalog_indexed_dir_entries)
QUERY(keys, catalog_key_request, catalog_indexed_dir_entries)
QUERY(key_names, catalog_key_list_request, catalog_indexed_key_list)
QUERY(coordinates, catalog_dc_request, catalog_indexed_coordinates)
QUERY(coordinate, catalog_node_request, catalog_indexed_coordinates)
QUERY(session, catalog_session_get_request, catalog_indexed_sessions)
QUERY(sessions, catalog_session_get_request, catalog_indexed_sessions)
QUERY(node_sessions, catalog_node_request, catalog_indexed_sessions)
QUERY(config_entry, catalog_config_query, catalog_config_reply)
QUERY(config_entries, catalog_config_query, catalog_indexed_config_entries)
QUERY(service_config, catalog_service_config_request, catalog_service_config)
QUERY(ca_config, catalog_dc_request, catalog_ca_config)
QUERY(ca_roots, catalog_dc_request, catalog_indexed_ca_roots)
QUERY(autopilot, catalog_dc_request, catalog_autopilot_config)
QUERY(prepared_queries, catalog_dc_request, catalog_indexed_prepared_queries)
QUERY(txn, catalog_txn_read_request, catalog_txn_read_response)

static int virtual_ip(struct catalog_reader *r, const void *request, void *reply,
                      struct catalog_watch_keys *keys, const char **why)
{
    struct catalog_virtual_ip out;
    int rc = catalog_query_virtual_ip(r, request, &out, keys);
    (void)why;
    *(struct mu_str *)reply = out.address;
    return rc;
}

static struct mu_time time_now(void)
{
    int64_t ns = loop_now_unix_ns(), s = ns / (int64_t)MU_SEC;
    return (struct mu_time){s + MU_YEAR1_TO_UNIX_S, (uint32_t)(ns - s * (int64_t)MU_SEC)};
}

static int federation_states(struct catalog_reader *r, const void *request, void *reply,
                             struct catalog_watch_keys *keys, const char **why)
{
    (void)why;
    return catalog_query_federation_states(r, request, time_now(), reply, keys);
}

static int federation_state(struct catalog_reader *r, const void *request, void *reply,
                            struct catalog_watch_keys *keys, const char **why)
{
    (void)why;
    return catalog_query_federation_state(r, request, time_now(), reply, keys);
}

/* All kinds. */
static int all_config_entries(struct catalog_reader *r, const void *request, void *reply,
                              struct catalog_watch_keys *keys, const char **why)
{
    const struct catalog_config_query all = {.kind = {NULL, 0}};
    (void)request, (void)why;
    return catalog_query_config_entries(r, &all, reply, keys);
}

/* Stands for those that need to know more than these arguments: see ask. */
static int apart(struct catalog_reader *r, const void *request, void *reply,
                 struct catalog_watch_keys *keys, const char **why)
{
    (void)r, (void)request, (void)reply, (void)keys, (void)why;
    return CATALOG_EINVAL;
}

static query_fn query_of(const struct endpoint *e)
{
    static const struct {
        enum endpoint_id id;
        query_fn query;
    } table[] = {
        {ENDPOINT_CATALOG_GATEWAY_SERVICES, gateway_services},
        {ENDPOINT_CATALOG_LIST_NODES, apart},
        {ENDPOINT_CATALOG_LIST_SERVICES, services},
        {ENDPOINT_CATALOG_SERVICE_NODES, service_nodes},
        {ENDPOINT_CATALOG_VIRTUAL_IP_FOR_SERVICE, virtual_ip},
        {ENDPOINT_CATALOG_NODE_SERVICES, node_services},
        {ENDPOINT_CATALOG_NODE_SERVICE_LIST, node_service_list},
        {ENDPOINT_DISCOVERY_CHAIN_GET, apart},
        {ENDPOINT_CONFIG_ENTRY_GET, config_entry},
        {ENDPOINT_CONFIG_ENTRY_LIST, config_entries},
        {ENDPOINT_CONFIG_ENTRY_LIST_ALL, all_config_entries},
        {ENDPOINT_CONFIG_ENTRY_RESOLVE_SERVICE_CONFIG, service_config},
        {ENDPOINT_CONNECT_CA_CONFIGURATION_GET, ca_config},
        {ENDPOINT_CONNECT_CA_ROOTS, ca_roots},
        {ENDPOINT_COORDINATE_LIST_NODES, coordinates},
        {ENDPOINT_COORDINATE_NODE, coordinate},
        {ENDPOINT_FEDERATION_STATE_GET, federation_state},
        {ENDPOINT_FEDERATION_STATE_LIST, federation_states},
        {ENDPOINT_FEDERATION_STATE_LIST_MESH_GATEWAYS, mesh_gateways},
        {ENDPOINT_HEALTH_NODE_CHECKS, node_checks},
        {ENDPOINT_HEALTH_SERVICE_CHECKS, service_checks},
        {ENDPOINT_HEALTH_CHECKS_IN_STATE, checks_in_state},
        {ENDPOINT_HEALTH_SERVICE_NODES, check_service_nodes},
        {ENDPOINT_INTENTION_CHECK, intention_check},
        {ENDPOINT_INTENTION_GET, intention_get},
        {ENDPOINT_INTENTION_LIST, intentions},
        {ENDPOINT_INTENTION_MATCH, intention_match},
        {ENDPOINT_INTERNAL_GATEWAY_SERVICE_DUMP, gateway_service_dump},
        {ENDPOINT_INTERNAL_NODE_DUMP, node_dump},
        {ENDPOINT_INTERNAL_NODE_INFO, node_info},
        {ENDPOINT_INTERNAL_SERVICE_DUMP, service_dump},
        {ENDPOINT_KVS_GET, key},
        {ENDPOINT_KVS_LIST, keys},
        {ENDPOINT_KVS_LIST_KEYS, key_names},
        {ENDPOINT_OPERATOR_AUTOPILOT_GET_CONFIGURATION, autopilot},
        {ENDPOINT_SESSION_GET, session},
        {ENDPOINT_SESSION_LIST, sessions},
        {ENDPOINT_SESSION_NODE_SESSIONS, node_sessions},
        {ENDPOINT_PREPARED_QUERY_EXECUTE, query_execute},
        {ENDPOINT_PREPARED_QUERY_EXPLAIN, query_explain},
        {ENDPOINT_PREPARED_QUERY_GET, query_get},
        {ENDPOINT_PREPARED_QUERY_LIST, prepared_queries},
        {ENDPOINT_TXN_READ, txn},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (&endpoints[table[i].id] == e) {
            return table[i].query;
        }
    }
    return NULL;
}

/* ---- Readers: one is enough, unless an answer starts another read ---- */

struct catalog_reader *route__take_reader(struct server_front *f)
{
    struct catalog_reader *r;
    if (f->idle_reader_count) {
        return f->idle_readers[--f->idle_reader_count];
    }
    return catalog_reader_create(f->server->catalog, &r) == CATALOG_OK ? r : NULL;
}

void route__return_reader(struct server_front *f, struct catalog_reader *r)
{
    if (!mu__reserve(&mu__malloc_allocator, (void **)&f->idle_readers, &f->idle_reader_cap,
                     f->idle_reader_count + 1, sizeof(struct catalog_reader *))) {
        catalog_reader_destroy(r);
        return;
    }
    f->idle_readers[f->idle_reader_count++] = r;
}

/* ---- Blocking ---- */

void route__unblock(struct route *r)
{
    struct server_front *f = r->front;
    if (r->waiter) {
        catalog_watches_remove(f->watches, r->waiter);
        r->waiter = NULL;
    }
    if (r->has_timer) {
        event_del(&r->timer);
        r->has_timer = false;
    }
    atomic_store(&f->waiters, catalog_watches_count(f->watches));
    route__list_remove(r);
}

/* A change may wake thousands. They are looked at in slices, between which others have a turn. */
static void on_wake(void *arg)
{
    struct route *r = arg;
    struct server_front *f = r->front;
    r->waiter = NULL;
    route__unblock(r);
    r->call->committed_ns = f->committed_ns;
    r->restored = f->restored;
    route__list_add(&f->woken, r);
}

static struct route *next_to_resume(struct server_front *f)
{
    if (!f->resumed && f->woken) {
        f->resumed = f->woken; /* who is woken now comes after all of these */
        f->resumed->link = &f->resumed;
        f->woken = NULL;
    }
    return f->resumed;
}

static void resume(struct server_front *f)
{
    static const struct timeval next_turn = {0, 0};
    uint64_t until = loop_now_ns() + SLICE_NS;
    struct route *r;
    while ((r = next_to_resume(f)) != NULL) {
        route__list_remove(r);
        route__dispatch(r);
        if (loop_now_ns() >= until && (f->resumed || f->woken)) {
            event_add(f->resume_timer, &next_turn);
            return;
        }
    }
}

void route__on_resume_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    resume(arg);
}

void server__front_wake(struct server_front *f, const struct catalog_touched *touched,
                        uint64_t committed_ns)
{
    f->committed_ns = committed_ns;
    f->restored = catalog_touched_is_all(touched);
    catalog_watches_notify(f->watches, touched);
    resume(f);
}

void route__end_wait(struct route *r)
{
    r->call->committed_ns = 0;
    /* It blocks no more, neither here nor at another leader */
    route__options(r)->min_query_index = 0;
    route__unblock(r);
    route__dispatch(r);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    route__end_wait(arg);
}

static uint64_t wait_of(struct server_front *f, const struct catalog_query_options *o)
{
    const struct config *c = f->server->config;
    uint64_t wait =
        o->max_query_time_ns > 0 ? (uint64_t)o->max_query_time_ns : c->default_query_time_ns;
    wait = wait < c->max_query_time_ns ? wait : c->max_query_time_ns;
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return wait + (f->random >> 33) % (wait / WAIT_JITTER + 1);
}

/* The deadline is set once, when the read first blocks, and outlives wake-ups that brought nothing
 * new. */
static void start_timer(struct route *r, uint64_t deadline_ns)
{
    uint64_t now = loop_now_ns();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(left / MU_SEC),
                         .tv_usec = (suseconds_t)(left % MU_SEC / MU_USEC)};
    evtimer_assign(&r->timer, loop_base(r->front->loop), on_timeout, r);
    event_add(&r->timer, &tv);
    r->has_timer = true;
}

/* True if the read now waits. Then the reader has been closed. */
static bool block(struct route *r, struct catalog_reader *reader,
                  const struct catalog_watch_keys *keys)
{
    struct server_front *f = r->front;
    bool first = atomic_load(&f->waiters) == 0;
    uint64_t read = catalog_read_index(reader);
    if (catalog_watches_add(f->watches, keys, on_wake, r, &r->waiter) != CATALOG_OK) {
        return false; /* out of memory: an early answer is allowed */
    }
    catalog_read_end(reader);
    r->state = ROUTE_BLOCKED;
    r->hold_until_ns = 0; /* it has found its leader; should that be lost, patience begins anew */
    route__list_add(&f->blocked, r);
    if (r->deadline_ns == 0) {
        r->deadline_ns = loop_now_ns() + wait_of(f, route__options(r));
    }
    start_timer(r, r->deadline_ns);
    atomic_store(&f->waiters, catalog_watches_count(f->watches));
    /* While there were no waiters the core posted nothing here. It publishes before it looks at
     * `waiters`, and this front looks at the version after it has set it: one of the two sees the
     * other. */
    catalog_read_begin(reader);
    bool missed = first && catalog_read_index(reader) != read;
    catalog_read_end(reader);
    route__return_reader(f, reader);
    if (missed) {
        route__unblock(r);
        route__dispatch(r);
    }
    return true;
}

/* ---- Answering ---- */

static void fill_meta(const struct route *r, struct catalog_query_meta *m)
{
    struct server *s = r->front->server;
    uint64_t now = loop_now_ns();
    if (r->call->endpoint == &endpoints[ENDPOINT_CONNECT_CA_ROOTS]) {
        return; /* the original forgets to say that there is a leader (http-api 7.1) */
    }
    if (raft_node_lease_until(s->raft) > now) {
        m->known_leader = true;
        m->last_contact_ns = 0;
        return;
    }
    uint64_t contact = atomic_load(&s->last_contact_at_ns);
    m->known_leader = atomic_load(&s->known_leader);
    m->last_contact_ns = contact && now > contact ? (int64_t)(now - contact) : 0;
}

/* An id that cannot be one is not merely unknown. */
static bool check_request(const struct route *r, char *err, size_t errlen)
{
    const struct call *c = r->call;
    if (c->endpoint != &endpoints[ENDPOINT_SESSION_GET]) {
        return true;
    }
    const struct catalog_session_get_request *q = c->request;
    return !catalog_session_id_check(q->session_id.len ? q->session_id : q->session, err, errlen);
}

/* What a read needs: its filter, a place for the reply and a reader. NULL with the reason in
 * err. */
static struct catalog_reader *prepare(struct route *r, char *err, size_t errlen)
{
    struct call *c = r->call;
    if (!check_request(r, err, errlen) || !route__read_filter(r, err, errlen) ||
        route__check_config_read(c, err, errlen)) {
        return NULL;
    }
    snprintf(err, errlen, "out of memory");
    if (!r->reply) {
        r->reply = mu__arena_calloc(&c->arena, 1, endpoint_reply_size(c->endpoint));
    }
    return r->reply ? route__take_reader(r->front) : NULL;
}

/* Nodes at an address are found without a walk (PTR asks for them, with a filter that Consul's
 * servers understand, too). */
static int nodes_filtered(const struct route *r, struct catalog_reader *reader, void *reply,
                          struct catalog_watch_keys *keys)
{
    struct mu_str address;
    bool by_address =
        r->filter && filter_is_equal(r->filter, "Address", &address) && address.len > 0;
    return by_address ? catalog_query_nodes_at(reader, r->call->request, address, reply, keys)
                      : catalog_query_nodes(reader, r->call->request, reply, keys);
}

/* err and why: as the queries have them. */
static int ask(const struct route *r, query_fn query, struct catalog_reader *reader,
               struct catalog_watch_keys *keys, const char **why, char *err, size_t errlen)
{
    const struct call *c = r->call;
    if (c->endpoint == &endpoints[ENDPOINT_DISCOVERY_CHAIN_GET]) {
        return route__query_chain(r, reader, r->reply, keys, err, errlen);
    }
    return c->endpoint == &endpoints[ENDPOINT_CATALOG_LIST_NODES]
               ? nodes_filtered(r, reader, r->reply, keys)
               : query(reader, c->request, r->reply, keys, why);
}

void route__read(struct route *r)
{
    char err[64 + FILTER_ERROR_MAX];
    struct server_front *f = r->front;
    struct call *c = r->call;
    const struct catalog_query_options *o = route__options(r);
    query_fn query = query_of(c->endpoint);
    struct catalog_reader *reader = query ? prepare(r, err, sizeof err) : NULL;
    if (!reader) {
        route__free(r);
        call_fail(c, "%s%s", query ? err : "rpc: can't find method ",
                  query ? "" : c->endpoint->method);
        return;
    }
    uint64_t began = loop_now_ns();
    metric_count(METRIC_RPC_QUERY, 1);
    struct catalog_watch_keys keys;
    catalog_read_begin(reader);
    const char *why = NULL;
    int rc = ask(r, query, reader, &keys, &why, err, sizeof err);
    struct catalog_query_meta *meta = endpoint_meta(c->endpoint, r->reply); /* or it cannot wait */
    if (meta && meta->index && meta->index < catalog_read_floor(reader)) {
        meta->index = catalog_read_floor(reader); /* a restored record may have an older one */
    }
    if (rc == CATALOG_OK && !why && meta && o && o->min_query_index > 0 && !r->restored &&
        meta->index <= o->min_query_index && block(r, reader, &keys)) {
        return;
    }
    if (meta) {
        fill_meta(r, meta);
    }
    if (rc == CATALOG_OK) {
        c->stamp = c->wants_stamp ? server__stamp(reader, c->endpoint, c->request) : 0;
        route__filter(r);
        server__measure_read(c, r->reply, began);
    }
    c->reply = r->reply;
    route__free(r);
    if (rc == CATALOG_OK && why) {
        c->reply = NULL;
        call_fail(c, "%s", why);
    } else if (rc == CATALOG_OK) {
        call_finish(c); /* encodes while the version is open: the reply lends from it */
    } else {
        call_fail(c, "%s", rc == CATALOG_EINVAL ? err : catalog_strerror(rc));
    }
    catalog_read_end(reader);
    route__return_reader(f, reader);
}
