/* join.c - finding the pool at the start: start_join must work, retry_join goes on until it
 * does. */
#include "process_internal.h"

#include "base/log.h"

#include <stdlib.h>

#define MODULE "agent"

static void try_join(struct process *p);

static void on_join_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    try_join(arg);
}

static void on_retry_joined(void *arg, size_t joined, const char *error)
{
    struct process *p = arg;
    const struct config *c = p->config;
    p->joining = false;
    if (p->closing) {
        return;
    }
    if (!error) {
        log_info(MODULE, "Join cluster completed. Synced with initial agents: num_agents=%zu",
                 joined);
        return;
    }
    p->join_attempts++;
    if (c->retry_max > 0 && p->join_attempts >= c->retry_max) {
        process_fatal(p, "max join retry exhausted, exiting");
        return;
    }
    char delay[32];
    mu__duration_format((int64_t)c->retry_interval_ns, delay);
    log_warn(MODULE, "Join cluster failed, will retry: retry_interval=%s error=%s", delay, error);
    struct timeval tv = {.tv_sec = (time_t)(c->retry_interval_ns / MU_SEC),
                         .tv_usec = (suseconds_t)(c->retry_interval_ns % MU_SEC / MU_USEC)};
    evtimer_add(p->join_timer, &tv);
}

static void try_join(struct process *p)
{
    if (!p->leaving && !p->joining) {
        p->joining = true;
        gossip_join(p->gossip, &p->config->retry_join, on_retry_joined, p);
    }
}

static void on_start_joined(void *arg, size_t joined, const char *error)
{
    struct process *p = arg;
    if (p->closing) {
        return;
    }
    if (error) {
        process_fatal(p, error);
        return;
    }
    log_info(MODULE, "(LAN) joined: number_of_nodes=%zu", joined);
}

void process__start_joining(struct process *p)
{
    if (p->config->start_join.len) {
        gossip_join(p->gossip, &p->config->start_join, on_start_joined, p);
    }
    if (p->config->retry_join.len) {
        p->join_timer = process__must(evtimer_new(loop_base(p->core), on_join_timer, p));
        log_info(MODULE, "Joining cluster...");
        try_join(p);
    }
}
