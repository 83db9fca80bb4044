/* backend.c - who answers a call on a server: this front from the store, Raft, or the leader over
 * RPC. */
#include "ca.h"
#include "route.h"

#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

static bool is_leader_now(const struct server_front *f)
{
    return raft_node_lease_until(f->server->raft) > loop_now_ns();
}

/* May a follower answer? One that never heard of a leader may hold nothing at all; to one that
 * heard of it too long ago the leader is preferred, as DNS and HTTP do with Consul's servers. */
static bool may_be_stale(const struct route *r)
{
    const struct catalog_query_options *o = route__options(r);
    if (!o || !o->allow_stale || o->require_consistent) {
        return false;
    }
    uint64_t contact = atomic_load(&r->front->server->last_contact_at_ns), now = loop_now_ns();
    uint64_t age = now > contact ? now - contact : 0;
    return contact != 0 &&
           (o->max_stale_duration_ns <= 0 || age <= (uint64_t)o->max_stale_duration_ns);
}

/* What the leader's core knows; Raft's servers any other knows as well, and must say so when there
 * is no leader; and an event spreads from wherever it is fired. */
static void dispatch_core(struct route *r)
{
    const struct endpoint *e = r->call->endpoint;
    const struct catalog_query_options *o = route__options(r);
    bool may_be_anywhere = e == &endpoints[ENDPOINT_OPERATOR_RAFT_GET_CONFIGURATION] ||
                           e == &endpoints[ENDPOINT_INTERNAL_EVENT_FIRE];
    bool anywhere = e->kind == ENDPOINT_LOCAL || (may_be_anywhere && o->allow_stale);
    if (anywhere || raft_node_is_leader(r->front->server->raft)) {
        route__ask_core(r);
    } else {
        route__forward(r);
    }
}

static void dispatch_read(struct route *r)
{
    const struct catalog_query_options *o = route__options(r);
    bool is_stale = may_be_stale(r);
    if (!is_stale && !is_leader_now(r->front)) {
        route__forward(r);
    } else if (!is_stale && o && o->require_consistent && !r->confirmed) {
        route__confirm_then_read(r);
    } else {
        route__read(r);
    }
}

static void dispatch_write(struct route *r)
{
    if (!raft_node_is_leader(r->front->server->raft)) {
        route__forward(r);
    } else if (r->call->endpoint == &endpoints[ENDPOINT_COORDINATE_UPDATE]) {
        route__take_coordinate(r);
    } else {
        route__write(r);
    }
}

void route__dispatch(struct route *r)
{
    if (route__front_is_closed(r->front)) {
        route__fail(r, ROUTE_SHUTTING_DOWN);
        return;
    }
    if (route__is_for_core(r->call->endpoint)) {
        dispatch_core(r);
        return;
    }
    switch (r->call->endpoint->kind) {
    case ENDPOINT_READ:
        dispatch_read(r);
        break;
    case ENDPOINT_WRITE:
        dispatch_write(r);
        break;
    default:
        route__local(r);
        break;
    }
}

/* Config entries are written for all datacenters: whatever a Consul agent passes on, ?dc has no
 * say in it. Servers ask each other for what is local without naming one. */
static bool is_here(const struct server *s, const struct call *c)
{
    const struct endpoint *e = c->endpoint;
    if (e->datacenter_at == NO_OFFSET || e == &endpoints[ENDPOINT_INTERNAL_KEYRING_OPERATION] ||
        e == &endpoints[ENDPOINT_CONFIG_ENTRY_APPLY] ||
        e == &endpoints[ENDPOINT_CONFIG_ENTRY_DELETE]) {
        return true;
    }
    const struct mu_str *dc = (const void *)((const char *)c->request + e->datacenter_at);
    return mu__str_eq(*dc, s->config->datacenter) || (e->kind == ENDPOINT_LOCAL && !dc->len);
}

static void start(struct call_backend *b, struct call *c)
{
    struct server_front *f = (struct server_front *)b;
    const struct endpoint *e = c->endpoint;
    if (e->kind == ENDPOINT_AGENT) {
        call_delegate(f->agent, c);
        return;
    }
    if (!is_here(f->server, c)) {
        call_fail(c, "No path to datacenter");
        return;
    }
    const char *off = server__ca_off(f->server, e);
    if (off) {
        call_fail(c, "%s", off);
        return;
    }
    struct route *r = calloc(1, sizeof *r);
    if (!r) {
        call_fail(c, "out of memory");
        return;
    }
    r->front = f;
    r->call = c;
    c->state = r;
    route__dispatch(r);
}

static void cancel(struct call_backend *b, struct call *c)
{
    struct route *r = c->state;
    (void)b;
    switch (r->state) {
    case ROUTE_HELD:
    case ROUTE_CONFIRMING:
        route__list_remove(r);
        break;
    case ROUTE_BLOCKED:
        route__unblock(r);
        break;
    case ROUTE_FORWARDED:
        route__recall(r);
        break;
    case ROUTE_ON_CORE:
        r->call = NULL; /* the core gives the route back, and then it is freed */
        call_free(c);
        return;
    }
    route__free(r);
    call_free(c);
}

/* ---- The front's life ---- */

/* Those of the reads that wait here for news. */
static void end_waits(struct server_front *f, bool stale, void (*end)(struct route *r))
{
    route__list_take(f, &f->blocked);
    while (f->taken) {
        struct route *r = f->taken;
        if (route__options(r)->allow_stale == stale) {
            end(r);
        } else {
            route__list_remove(r);
            route__list_add(&f->blocked, r);
        }
    }
}

static void wait_elsewhere(struct route *r)
{
    route__unblock(r);
    route__dispatch(r);
}

void server__front_cut_off(struct server_front *f)
{
    if (!route__front_is_closed(f)) {
        end_waits(f, true, route__end_wait);
    }
}

void server__front_take_view(struct server_front *f, struct server_view *v)
{
    if (route__front_is_closed(f)) {
        server__view_free(v);
        return;
    }
    bool lost = f->view && f->view->is_leader && !v->is_leader;
    server__view_free(f->view);
    f->view = v;
    if (lost) {
        /* What waited for news of a leader must now wait at another one. */
        end_waits(f, false, wait_elsewhere);
    }
    route__follow_leader(f);
    route__retry_held(f);
}

struct call_backend *server_front_init(struct server *s, size_t number, struct loop *loop,
                                       struct call_backend *agent, struct rpc_client *client)
{
    struct server_front *f = &s->fronts[number];
    f->backend = (struct call_backend){start, cancel};
    f->server = s;
    f->loop = loop;
    f->agent = agent;
    f->client = client;
    f->random = (uint64_t)loop_now_unix_ns() ^ (number << 32);
    /* A server that has peers must never say that it has none (bootstrap.c) */
    f->view = server__make_view(s);
    f->held_timer = evtimer_new(loop_base(loop), route__on_hold_timer, f);
    f->resume_timer = evtimer_new(loop_base(loop), route__on_resume_timer, f);
    f->ask_event = event_new(loop_base(loop), -1, 0, route__on_ask, f);
    if (!f->held_timer || !f->resume_timer || !f->ask_event ||
        catalog_watches_create(NULL, &f->watches) != CATALOG_OK) {
        abort();
    }
    return &f->backend;
}

static void fail_all(struct route **list)
{
    while (*list) {
        struct route *r = *list;
        route__list_remove(r);
        route__fail(r, ROUTE_SHUTTING_DOWN);
    }
}

void server_front_fini(struct server *s, size_t number)
{
    struct server_front *f = &s->fronts[number];
    if (!f->loop) {
        return;
    }
    /* Clients have gone with their listeners; what is left are calls of the agent itself. */
    while (f->blocked) {
        struct route *r = f->blocked;
        route__unblock(r);
        route__fail(r, ROUTE_SHUTTING_DOWN);
    }
    while (f->paced) {
        struct route *r = f->paced;
        route__unblock(r);
        route__fail(r, ROUTE_SHUTTING_DOWN);
    }
    server__ca_signer_free(f->signer);
    f->signer = NULL;
    fail_all(&f->woken);
    fail_all(&f->resumed);
    fail_all(&f->unconfirmed);
    fail_all(&f->held);
    event_free(f->held_timer);
    event_free(f->resume_timer);
    event_free(f->ask_event);
    f->held_timer = f->resume_timer = f->ask_event = NULL;
    catalog_watches_destroy(f->watches);
    f->watches = NULL;
    atomic_store(&f->waiters, 0);
    f->client = NULL; /* is gone */
    while (f->idle_reader_count) {
        catalog_reader_destroy(f->idle_readers[--f->idle_reader_count]);
    }
    free(f->idle_readers);
    f->idle_readers = NULL;
    f->idle_reader_cap = 0;
    server__view_free(f->view);
    f->view = NULL;
}
