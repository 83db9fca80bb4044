/* confirm.c - ?consistent: a majority first (Raft 6.4), then this front answers.
 *
 * The core asks the majority one question at a time, for all fronts, and numbers them. A read notes
 * the number when it comes; any later question, whoever wanted it, is one that was asked after it,
 * and grants it. So each round of messages serves all that came before it began, however many reads
 * and fronts there are. */
#include "route.h"

#include "base/metrics.h"

/* ---- On the core loop ---- */

static void begin_round(struct server *s);
static void on_confirmed(void *arg);

static void end_round(struct server *s, int status)
{
    while (s->asked) {
        struct server_front *f = s->asked;
        s->asked = f->next_asking;
        f->confirm_status = status;
        f->confirmed_round = atomic_load(&s->rounds);
        loop_post(f->loop, on_confirmed, f);
    }
    if (s->asking) {
        begin_round(s);
    }
}

static void on_read_granted(void *arg, int status, raft_index index, void *result)
{
    (void)index;
    (void)result;
    end_round(arg, status);
}

static void begin_round(struct server *s)
{
    metric_count(METRIC_RAFT_VERIFY_LEADER, 1);
    s->asked = s->asking;
    s->asking = NULL;
    atomic_fetch_add(&s->rounds, 1); /* before the question: who has seen this comes too late */
    int rc = raft_node_read(s->raft, on_read_granted, s);
    if (rc != RAFT_OK) {
        end_round(s, rc);
    }
}

static void take_question(void *arg)
{
    struct server_front *f = arg;
    struct server *s = f->server;
    f->next_asking = s->asking;
    s->asking = f;
    if (!s->asked) {
        begin_round(s);
    }
}

/* ---- On the front ---- */

/* The next question leaves before the reads that this one has granted are answered. */
static void on_confirmed(void *arg)
{
    struct server_front *f = arg;
    struct route *granted = NULL;
    bool ok = f->confirm_status == RAFT_OK;
    for (struct route *r = f->unconfirmed, *next; r; r = next) {
        next = r->next;
        if (r->round < f->confirmed_round) {
            route__list_remove(r);
            route__list_add(&granted, r);
        }
    }
    f->is_asking = f->unconfirmed != NULL;
    if (f->is_asking) {
        loop_post(f->server->core, take_question, f);
    }
    while (granted) {
        struct route *r = granted;
        route__list_remove(r);
        r->confirmed = ok;
        metric_since(METRIC_RPC_CONSISTENT_READ, r->sent_at_ns);
        if (ok) {
            route__dispatch(r);
        } else {
            route__hold(r); /* leadership was lost meanwhile */
        }
    }
}

/* Behind the connections that are readable now: their reads go with this one. */
void route__on_ask(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct server_front *f = arg;
    loop_post(f->server->core, take_question, f);
}

void route__confirm_then_read(struct route *r)
{
    struct server_front *f = r->front;
    r->state = ROUTE_CONFIRMING;
    r->sent_at_ns = loop_now_ns();
    r->round = atomic_load(&f->server->rounds);
    route__list_add(&f->unconfirmed, r);
    if (!f->is_asking) {
        f->is_asking = true;
        event_active(f->ask_event, EV_TIMEOUT, 0);
    }
}
