/* backend.c - who answers a call on a server: this front from the store, Raft, or the leader over RPC. */
#include "route.h"

#include "base/log.h"
#include "rpc/endpoints.h"

#include <stdlib.h>
#include <string.h>

#define SHUTTING_DOWN "the server is shutting down"
#define HOLD_POLL_US 20000 /* a held call looks again so often; a new view makes it look at once */

/* ---- Routes ---- */

void route__free(struct route *r)
{
    free(r->entry);
    free(r->result);
    free(r);
}

void route__list_add(struct route **list, struct route *r)
{
    r->link = list;
    r->next = *list;
    if (r->next) {
        r->next->link = &r->next;
    }
    *list = r;
}

void route__list_remove(struct route *r)
{
    *r->link = r->next;
    if (r->next) {
        r->next->link = r->link;
    }
    r->link = NULL;
    r->next = NULL;
}

/* Moves all of a list to another head, to be taken from there one by one: what runs on the way may add to the first and
 * remove from either. */
static void take_list(struct route **from, struct route **to)
{
    *to = *from;
    *from = NULL;
    if (*to) {
        (*to)->link = to;
    }
}

struct catalog_query_options *route__options(const struct route *r)
{
    size_t at = r->call->endpoint->options_at;
    return at == NO_OFFSET ? NULL : (void *)((char *)r->call->request + at);
}

/* Messages that were under way may still arrive on a front that has been closed, and bring calls with them. */
static bool is_closed(const struct server_front *f)
{
    return !f->watches;
}

static void finish_error(struct route *r, const char *text)
{
    struct call *c = r->call;
    route__free(r);
    call_fail(c, "%s", text);
}

/* ---- Waiting for a leader ---- */

/* Not set anew while it runs: a stream of new calls would put off the turn of those that wait already, and their end. */
static void arm_hold_timer(struct server_front *f)
{
    struct timeval poll = {.tv_usec = HOLD_POLL_US};
    if (!evtimer_pending(f->held_timer, NULL)) {
        event_add(f->held_timer, &poll);
    }
}

/* Every held call gets another try; those that must wait on are held again, at the end of their patience they fail. */
static void retry_held(struct server_front *f)
{
    struct route *list;
    take_list(&f->held, &list);
    while (list) {
        struct route *r = list;
        route__list_remove(r);
        route__dispatch(r);
    }
}

static void on_hold_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    retry_held(arg);
}

void route__hold(struct route *r)
{
    struct server_front *f = r->front;
    uint64_t now = loop_now_ns();
    if (is_closed(f)) {
        finish_error(r, SHUTTING_DOWN);
        return;
    }
    if (r->hold_until_ns == 0) {
        r->hold_until_ns = now + f->server->config->performance.rpc_hold_timeout_ns;
    }
    if (now >= r->hold_until_ns) {
        finish_error(r, "No cluster leader");
        return;
    }
    r->state = ROUTE_HELD;
    route__list_add(&f->held, r);
    arm_hold_timer(f);
}

/* ---- Deciding ---- */

static bool is_leader_now(const struct server_front *f)
{
    return raft_node_lease_until(f->server->raft) > loop_now_ns();
}

/* May the call be sent again? Not when a write may have taken effect already. */
static bool may_retry(const struct call *c, enum rpc_outcome outcome)
{
    switch (outcome) {
    case RPC_ANSWERED:
        return false;
    case RPC_UNSENT:
        return true;
    case RPC_BROKEN:
        return c->endpoint->kind == ENDPOINT_READ;
    case RPC_REFUSED: /* a leader that has just lost its place says so, and has done nothing */
        break;
    }
    return strstr(c->error, "No cluster leader") != NULL;
}

static void on_forwarded(struct call *c, enum rpc_outcome outcome, void *arg)
{
    struct route *r = arg;
    r->exchange = NULL;
    route__list_remove(r);
    if (outcome == RPC_REFUSED && r->hold_until_ns == 0) { /* it has waited in our place */
        r->hold_until_ns = r->sent_at_ns + r->front->server->config->performance.rpc_hold_timeout_ns;
    }
    bool patient = r->hold_until_ns == 0 || loop_now_ns() < r->hold_until_ns;
    if (patient && may_retry(c, outcome)) {
        c->error = NULL;
        c->reply = NULL;
        route__hold(r);
        return;
    }
    route__free(r);
    call_finish(c);
}

static void forward(struct route *r)
{
    struct server_front *f = r->front;
    if (!f->view || !f->view->leader_id[0] || strcmp(f->view->leader_id, f->server->node_id.p) == 0) {
        route__hold(r);
        return;
    }
    struct rpc_target leader = {f->view->leader_name, f->view->leader_host, f->view->leader_port};
    r->state = ROUTE_FORWARDED;
    r->exchange = rpc_client_start(f->client, &leader, r->call, on_forwarded, r);
    if (!r->exchange) {
        finish_error(r, "out of memory");
        return;
    }
    r->sent_at_ns = loop_now_ns();
    route__list_add(&f->forwarded, r);
}

/* Reads are taken back from a former leader when there is another: it may never answer, or only after minutes. Of writes
 * nobody knows how far they came. */
static void follow_leader(struct server_front *f)
{
    struct route *list;
    if (!f->view->leader_id[0] || strcmp(f->view->leader_id, f->forwarded_to) == 0) {
        return;
    }
    snprintf(f->forwarded_to, sizeof f->forwarded_to, "%s", f->view->leader_id);
    take_list(&f->forwarded, &list);
    while (list) {
        struct route *r = list;
        route__list_remove(r);
        if (r->call->endpoint->kind == ENDPOINT_READ) {
            rpc_exchange_cancel(r->exchange);
            r->exchange = NULL;
            route__dispatch(r);
        } else {
            route__list_add(&f->forwarded, r);
        }
    }
}

/* May a follower answer? One that never heard of a leader may hold nothing at all; to one that heard of it too long ago
 * the leader is preferred, as DNS and HTTP do with Consul's servers. */
static bool may_be_stale(const struct route *r)
{
    const struct catalog_query_options *o = route__options(r);
    if (!o || !o->allow_stale || o->require_consistent) {
        return false;
    }
    uint64_t contact = atomic_load(&r->front->server->last_contact_at_ns), now = loop_now_ns();
    uint64_t age = now > contact ? now - contact : 0;
    return contact != 0 && (o->max_stale_duration_ns <= 0 || age <= (uint64_t)o->max_stale_duration_ns);
}

static void dispatch_read(struct route *r)
{
    const struct catalog_query_options *o = route__options(r);
    if (may_be_stale(r)) {
        route__read(r);
    } else if (!is_leader_now(r->front)) {
        forward(r);
    } else if (o && o->require_consistent && !r->confirmed) {
        route__confirm_then_read(r);
    } else {
        route__read(r);
    }
}

void route__dispatch(struct route *r)
{
    if (is_closed(r->front)) {
        finish_error(r, SHUTTING_DOWN);
        return;
    }
    if (r->call->endpoint == &endpoints[ENDPOINT_COORDINATE_UPDATE]) {
        route__local(r); /* accepted, so that Consul agents are content, and not kept: docs/differences.md */
        return;
    }
    switch (r->call->endpoint->kind) {
    case ENDPOINT_READ:
        dispatch_read(r);
        break;
    case ENDPOINT_WRITE:
        if (raft_node_is_leader(r->front->server->raft)) {
            route__write(r);
        } else {
            forward(r);
        }
        break;
    default:
        route__local(r);
        break;
    }
}

static void start(struct call_backend *b, struct call *c)
{
    struct server_front *f = (struct server_front *)b;
    const struct endpoint *e = c->endpoint;
    if (e->kind == ENDPOINT_AGENT) {
        call_delegate(f->agent, c);
        return;
    }
    if (e->datacenter_at != NO_OFFSET && e->kind != ENDPOINT_LOCAL) {
        const struct mu_str *dc = (const void *)((const char *)c->request + e->datacenter_at);
        if (!mu__str_ieq(*dc, f->server->config->datacenter)) {
            call_fail(c, "No path to datacenter");
            return;
        }
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
        route__list_remove(r);
        break;
    case ROUTE_BLOCKED:
        route__unblock(r);
        break;
    case ROUTE_FORWARDED:
        route__list_remove(r);
        rpc_exchange_cancel(r->exchange);
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

void server__front_take_view(struct server_front *f, struct server_view *v)
{
    if (is_closed(f)) {
        server__view_free(v);
        return;
    }
    bool lost = f->view && f->view->is_leader && !v->is_leader;
    server__view_free(f->view);
    f->view = v;
    if (lost) {
        /* What waited for news of a leader must now wait at another one. */
        struct route *list;
        take_list(&f->blocked, &list);
        while (list) {
            struct route *r = list;
            if (route__options(r)->allow_stale) {
                route__list_remove(r);
                route__list_add(&f->blocked, r);
            } else {
                route__unblock(r);
                route__dispatch(r);
            }
        }
    }
    follow_leader(f);
    retry_held(f);
}

struct call_backend *server_front_init(struct server *s, size_t number, struct loop *loop, struct call_backend *agent,
                                       struct rpc_client *client)
{
    struct server_front *f = &s->fronts[number];
    f->backend = (struct call_backend){start, cancel};
    f->server = s;
    f->loop = loop;
    f->agent = agent;
    f->client = client;
    f->random = (uint64_t)loop_now_unix_ns() ^ (number << 32);
    f->view = server__make_view(s); /* a server that has peers must never say that it has none (bootstrap.c) */
    f->held_timer = evtimer_new(loop_base(loop), on_hold_timer, f);
    if (!f->held_timer || catalog_watches_create(NULL, &f->watches) != CATALOG_OK) {
        abort();
    }
    return &f->backend;
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
        finish_error(r, SHUTTING_DOWN);
    }
    while (f->held) {
        struct route *r = f->held;
        route__list_remove(r);
        finish_error(r, SHUTTING_DOWN);
    }
    event_free(f->held_timer);
    f->held_timer = NULL;
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
