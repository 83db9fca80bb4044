/* route.c - routes and the lists that they stand in, and those that wait for a leader. */
#include "route.h"

#include "alloc.h"

#include <assert.h>
#include <stdlib.h>

#define HOLD_POLL_US 20000 /* a held call looks again so often, and at every new view */

void route__drop_entry(struct route *r)
{
    if (r->entry && *r->entry == CATALOG_ENTRY_CA) { /* with a private key, perhaps */
        mu__wipe(r->entry, r->entry_len);
    }
    free(r->entry);
    r->entry = NULL;
}

void route__free(struct route *r)
{
    route__drop_entry(r);
    server__free_result(r->result);
    route__job_free(r->job);
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

void route__list_take(struct server_front *f, struct route **list)
{
    assert(!f->taken);
    f->taken = *list;
    *list = NULL;
    if (f->taken) {
        f->taken->link = &f->taken;
    }
}

struct catalog_query_options *route__options(const struct route *r)
{
    size_t at = r->call->endpoint->options_at;
    return at == NO_OFFSET ? NULL : (void *)((char *)r->call->request + at);
}

bool route__front_is_closed(const struct server_front *f)
{
    return !f->watches;
}

void route__fail(struct route *r, const char *text)
{
    struct call *c = r->call;
    route__free(r);
    call_fail(c, "%s", text);
}

/* Not set anew while it runs: a stream of new calls would put off the turn of those that wait
 * already, and their end. */
static void arm_hold_timer(struct server_front *f)
{
    struct timeval poll = {.tv_usec = HOLD_POLL_US};
    if (!evtimer_pending(f->held_timer, NULL)) {
        event_add(f->held_timer, &poll);
    }
}

/* Every held call gets another try; those that must wait on are held again, at the end of their
 * patience they fail. */
void route__retry_held(struct server_front *f)
{
    route__list_take(f, &f->held);
    while (f->taken) {
        struct route *r = f->taken;
        route__list_remove(r);
        route__dispatch(r);
    }
}

void route__on_hold_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    route__retry_held(arg);
}

void route__hold(struct route *r)
{
    struct server_front *f = r->front;
    uint64_t now = loop_now_ns();
    if (route__front_is_closed(f)) {
        route__fail(r, ROUTE_SHUTTING_DOWN);
        return;
    }
    if (r->hold_until_ns == 0) {
        r->hold_until_ns = now + f->server->config->performance.rpc_hold_timeout_ns;
    }
    if (now >= r->hold_until_ns) {
        route__fail(r, ROUTE_NO_LEADER);
        return;
    }
    r->state = ROUTE_HELD;
    route__list_add(&f->held, r);
    arm_hold_timer(f);
}
