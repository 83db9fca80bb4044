/* wait.c - calls that wait on the core loop for something to change. */
#include "agent/agent_internal.h"

#include <stdlib.h>

#define WAIT_DEFAULT_NS (300 * (int64_t)MU_SEC)
#define WAIT_MAX_NS     (600 * (int64_t)MU_SEC)

bool agent__may_wait(const struct endpoint *e)
{
    return e == &endpoint_agent_service || e == &endpoint_agent_events ||
           e == &endpoint_agent_connect_leaf;
}

static void stop(struct agent_call *ac)
{
    if (ac->link) {
        *ac->link = ac->next;
        if (ac->next) {
            ac->next->link = ac->link;
        }
        ac->link = NULL;
    }
    if (ac->timeout) {
        event_free(ac->timeout);
        ac->timeout = NULL;
    }
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct agent_call *ac = arg;
    (void)fd, (void)what;
    (void)ac->look(ac, true);
    stop(ac);
    agent__finish(ac);
}

void agent__answer_or_wait(struct agent_call *ac, agent_look_fn look, int64_t wait_ns)
{
    struct agent *a = ac->agent;
    if (look(ac, false)) {
        agent__finish(ac);
        return;
    }
    int64_t wait = wait_ns <= 0 ? WAIT_DEFAULT_NS : wait_ns > WAIT_MAX_NS ? WAIT_MAX_NS : wait_ns;
    wait += (int64_t)mu__prng_below(&a->prng, (uint64_t)wait / 16 + 1);
    struct timeval tv = {.tv_sec = wait / (int64_t)MU_SEC,
                         .tv_usec = wait % (int64_t)MU_SEC / (int64_t)MU_USEC};
    ac->look = look;
    ac->timeout = evtimer_new(loop_base(a->given.core), on_timeout, ac);
    if (!ac->timeout) {
        abort();
    }
    evtimer_add(ac->timeout, &tv);
    ac->next = a->waiting;
    ac->link = &a->waiting;
    if (ac->next) {
        ac->next->link = &ac->next;
    }
    a->waiting = ac;
}

void agent__wake(struct agent *a)
{
    agent__wake_those(a, NULL);
}

void agent__wake_those(struct agent *a, agent_look_fn look)
{
    for (struct agent_call *ac = a->waiting, *next; ac; ac = next) {
        next = ac->next;
        if ((!look || ac->look == look) && ac->look(ac, false)) {
            stop(ac);
            agent__finish(ac);
        }
    }
}

void agent__cancel(struct agent_call *ac)
{
    stop(ac);
    agent__finish(ac);
}

void agent__release_waiting(struct agent *a)
{
    while (a->waiting) {
        struct agent_call *ac = a->waiting;
        stop(ac);
        agent__fail(ac, "agent is shutting down");
    }
}
