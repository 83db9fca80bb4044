/* forward.c - calls that the leader answers, over RPC. */
#include "route.h"

#include <string.h>

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
        r->hold_until_ns =
            r->sent_at_ns + r->front->server->config->performance.rpc_hold_timeout_ns;
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

void route__forward(struct route *r)
{
    struct server_front *f = r->front;
    if (!f->view || !f->view->leader_id[0] ||
        strcmp(f->view->leader_id, f->server->node_id.p) == 0) {
        route__hold(r);
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

/* Reads are taken back from a former leader when there is another: it may never answer, or only
 * after minutes. Of writes nobody knows how far they came. */
void route__follow_leader(struct server_front *f)
{
    if (!f->view->leader_id[0] || strcmp(f->view->leader_id, f->forwarded_to) == 0) {
        return;
    }
    snprintf(f->forwarded_to, sizeof f->forwarded_to, "%s", f->view->leader_id);
    route__list_take(f, &f->forwarded);
    while (f->taken) {
        struct route *r = f->taken;
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
