/* forward.c - calls that the leader answers, over RPC. */
#include "route.h"

#include <string.h>

/* Two servers that take each other for the leader would send a call to and fro for as long as both
 * believe it; so what one server has sent, another does not send on. If it knows the leader it says
 * at once that it is another: the sender, who will soon hear of it, too, has all its patience. */
#define NOT_THE_LEADER ROUTE_NO_LEADER ": the server that was asked is not"

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
    return strstr(c->error, ROUTE_NO_LEADER) != NULL;
}

/* The exchange is over: it stands in no list, and nothing is waited for. */
static void take_back(struct route *r)
{
    r->exchange = NULL;
    route__list_remove(r);
    if (r->has_timer) {
        event_del(&r->timer);
        r->has_timer = false;
    }
}

static void on_forwarded(struct call *c, enum rpc_outcome outcome, void *arg)
{
    struct route *r = arg;
    bool at_once = outcome == RPC_REFUSED && strstr(c->error, NOT_THE_LEADER);
    take_back(r);
    if (outcome == RPC_REFUSED && !at_once && r->hold_until_ns == 0) { /* waited in our place */
        r->hold_until_ns =
            r->sent_at_ns + r->front->server->config->performance.rpc_hold_timeout_ns;
    }
    bool patient = at_once || r->hold_until_ns == 0 || loop_now_ns() < r->hold_until_ns;
    if (patient && may_retry(c, outcome)) {
        c->error = NULL;
        c->reply = NULL;
        route__hold(r);
        return;
    }
    route__free(r);
    call_finish(c);
}

void route__forward(struct route *r)
{
    struct server_front *f = r->front;
    if (!f->view || !f->view->leader_id[0] ||
        strcmp(f->view->leader_id, f->server->node_id.p) == 0) {
        route__hold(r);
        return;
    }
    if (r->call->forwarded) {
        route__fail(r, NOT_THE_LEADER);
        return;
    }
    struct rpc_target leader = {f->view->leader_name, f->view->leader_host, f->view->leader_port};
    r->state = ROUTE_FORWARDED;
    r->exchange = rpc_client_start(f->client, &leader, r->call, on_forwarded, r);
    if (!r->exchange) {
        route__fail(r, "out of memory");
        return;
    }
    r->sent_at_ns = loop_now_ns();
    route__list_add(&f->forwarded, r);
}

void route__recall(struct route *r)
{
    rpc_exchange_cancel(r->exchange);
    take_back(r);
}

static void on_given_up(evutil_socket_t fd, short what, void *arg)
{
    struct route *r = arg;
    (void)fd;
    (void)what;
    route__recall(r);
    route__fail(r, "leadership lost while committing log");
}

static void give_up_later(struct route *r)
{
    uint64_t ns = r->front->server->config->performance.rpc_hold_timeout_ns;
    struct timeval patience = {.tv_sec = (time_t)(ns / MU_SEC),
                               .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    if (!r->has_timer) {
        evtimer_assign(&r->timer, loop_base(r->front->loop), on_given_up, r);
        event_add(&r->timer, &patience);
        r->has_timer = true;
    }
}

/* When there is another leader, reads are taken back from the former one, and writes that it cannot
 * have seen: it may never answer, or only after minutes. Of other writes nobody knows how far they
 * came, so they are not repeated; that they may be lost is told once it has had time to answer. */
void route__follow_leader(struct server_front *f)
{
    if (!f->view->leader_id[0] || strcmp(f->view->leader_id, f->forwarded_to) == 0) {
        return;
    }
    snprintf(f->forwarded_to, sizeof f->forwarded_to, "%s", f->view->leader_id);
    route__list_take(f, &f->forwarded);
    while (f->taken) {
        struct route *r = f->taken;
        if (r->call->endpoint->kind == ENDPOINT_READ || rpc_exchange_is_unsent(r->exchange)) {
            route__recall(r);
            route__dispatch(r);
        } else {
            route__list_remove(r);
            route__list_add(&f->forwarded, r);
            give_up_later(r);
        }
    }
}
