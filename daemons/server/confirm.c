/* confirm.c - ?consistent: a majority first (Raft 6.4), then this front answers.
 *
 * One question to the majority serves all reads that came before it was asked. While one is under
 * way those that come wait for the next: so a front has one of them at a time on the core, however
 * many reads there are. */
#include "route.h"

static void ask(struct server_front *f);

/* The next question leaves before the reads that this one has granted are answered. */
static void on_confirmed(void *arg)
{
    struct server_front *f = arg;
    struct route *granted = f->asked;
    bool ok = f->confirm_status == RAFT_OK;
    f->asked = NULL;
    f->confirming = false;
    if (granted) {
        granted->link = &granted;
    }
    if (f->unconfirmed) {
        ask(f);
    }
    while (granted) {
        struct route *r = granted;
        route__list_remove(r);
        r->confirmed = ok;
        if (ok) {
            route__dispatch(r);
        } else {
            route__hold(r); /* leadership was lost meanwhile */
        }
    }
}

static void on_read_granted(void *arg, int status, raft_index index, void *result)
{
    struct server_front *f = arg;
    (void)index;
    (void)result;
    f->confirm_status = status;
    loop_post(f->loop, on_confirmed, f);
}

static void ask_majority(void *arg)
{
    struct server_front *f = arg;
    int rc = raft_node_read(f->server->raft, on_read_granted, f);
    if (rc != RAFT_OK) {
        on_read_granted(f, rc, 0, NULL);
    }
}

static void ask(struct server_front *f)
{
    f->asked = f->unconfirmed;
    f->asked->link = &f->asked;
    f->unconfirmed = NULL;
    f->confirming = true;
    loop_post(f->server->core, ask_majority, f);
}

void route__confirm_then_read(struct route *r)
{
    struct server_front *f = r->front;
    r->state = ROUTE_CONFIRMING;
    route__list_add(&f->unconfirmed, r);
    if (!f->confirming) {
        ask(f);
    }
}
