/* end.c - how the process ends: by itself, by a signal, or by leaving the pool first. */
#include "process_internal.h"

#include "base/log.h"
#include "base/notify.h"

#include <signal.h>
#include <stdlib.h>

#define MODULE        "agent"
#define END_TIMEOUT_S 15 /* a graceful end may take so long */

static void stop_now(struct process *p, int exit_code)
{
    p->ending = true;
    p->exit_code = exit_code;
    loop_stop(p->core);
}

static void on_drained(void *arg)
{
    struct process *p = arg;
    if (--p->draining == 0) {
        loop_stop(p->core);
    }
}

void process_end(struct process *p, int exit_code)
{
    if (p->ending || !p->running) {
        stop_now(p, exit_code);
        return;
    }
    notify_stopping();
    p->ending = true;
    p->exit_code = exit_code;
    p->draining = p->nfronts;
    for (size_t i = 0; i < p->nfronts; i++) {
        front_drain(p, i, on_drained);
    }
}

void process_fatal(struct process *p, const char *sentence)
{
    log_error(MODULE, "%s", sentence);
    fprintf(stderr, "==> %s\n", sentence);
    stop_now(p, 1);
}

static void on_end_timer(evutil_socket_t fd, short what, void *arg)
{
    struct process *p = arg;
    (void)fd;
    (void)what;
    if (p->has_left) {
        log_info(MODULE, "Graceful exit completed");
    } else {
        log_error(MODULE, "Timeout on graceful leave. Exiting");
    }
    process_end(p, p->has_left ? 0 : 1);
}

static void set_end_timer(struct process *p, uint64_t ns)
{
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    if (!p->end_timer) {
        p->end_timer = process__must(evtimer_new(loop_base(p->core), on_end_timer, p));
    }
    evtimer_add(p->end_timer, &tv);
}

/* Tells whoever asked us to leave. */
static void answer_leave(struct process *p, const char *error)
{
    agent_done_fn done = p->left;
    p->left = NULL;
    if (done) {
        done(p->left_arg, error);
    }
}

/* A server goes on answering for a while: others may not know yet that it is gone. The moment that
 * is left otherwise lets the answer to whoever asked us to leave go out. */
static void on_left(void *arg)
{
    struct process *p = arg;
    if (p->closing) {
        return;
    }
    log_info(MODULE, "Graceful leave complete");
    p->has_left = true;
    answer_leave(p, NULL);
    set_end_timer(p, p->role->server ? p->config->performance.leave_drain_time_ns : 100 * MU_MSEC);
}

void process_leave(struct process *p, agent_done_fn done, void *arg)
{
    if (p->leaving) {
        if (done) {
            done(arg, NULL);
        }
        return;
    }
    p->leaving = true;
    notify_stopping();
    p->left = done;
    p->left_arg = arg;
    set_end_timer(p, END_TIMEOUT_S * MU_SEC);
    agent_leave(p->agent);
    p->role->leave(p);
    gossip_leave(p->gossip, on_left, p);
}

static void on_end_signal(evutil_socket_t signal, short what, void *arg)
{
    struct process *p = arg;
    (void)what;
    const char *name = signal == SIGTERM ? "terminated" : "interrupt";
    bool gracefully =
        signal == SIGTERM ? p->config->leave_on_terminate : !p->config->skip_leave_on_interrupt;
    if (p->ending || p->leaving) {
        log_error(MODULE, "Caught second signal, Exiting: signal=%s", name);
        stop_now(p, 1);
        return;
    }
    log_info(MODULE, "Caught: signal=%s", name);
    if (!gracefully) {
        log_info(MODULE, "Graceful shutdown disabled. Exiting");
        process_end(p, 0);
        return;
    }
    log_info(MODULE, "Gracefully shutting down agent...");
    process_leave(p, NULL, NULL);
}

static void on_reloaded(void *arg, const char *error)
{
    (void)arg;
    notify_ready();
    if (error) {
        log_error(MODULE, "failed to reload configuration: %s", error);
    } else {
        log_info(MODULE, "Configuration reloaded");
    }
}

static void on_reload_signal(evutil_socket_t signal, short what, void *arg)
{
    (void)signal;
    (void)what;
    log_info(MODULE, "Reloading configuration...");
    notify_reloading();
    process__reload(arg, on_reloaded, NULL);
}

static void on_alive_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    notify_alive();
}

/* The core loop turns as long as this is heard. */
void process__notify_alive(struct process *p)
{
    uint64_t ns = notify_alive_interval_ns();
    struct timeval tv = {.tv_sec = (time_t)(ns / MU_SEC),
                         .tv_usec = (suseconds_t)(ns % MU_SEC / MU_USEC)};
    if (ns) {
        p->alive_timer =
            process__must(event_new(loop_base(p->core), -1, EV_PERSIST, on_alive_timer, p));
        event_add(p->alive_timer, &tv);
    }
}

void process__watch_signals(struct process *p)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would lose the exits of scripts */
    p->signals[0] = process__must(evsignal_new(loop_base(p->core), SIGINT, on_end_signal, p));
    p->signals[1] = process__must(evsignal_new(loop_base(p->core), SIGTERM, on_end_signal, p));
    p->signals[2] = process__must(evsignal_new(loop_base(p->core), SIGHUP, on_reload_signal, p));
    for (size_t i = 0; i < 3; i++) {
        event_add(p->signals[i], NULL);
    }
}

void process__close(struct process *p)
{
    p->closing = true;
    answer_leave(p, "agent is shutting down");
    struct event **all[] = {&p->alive_timer, &p->join_timer, &p->end_timer,
                            &p->signals[0],  &p->signals[1], &p->signals[2]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i]) {
            event_free(*all[i]);
            *all[i] = NULL;
        }
    }
}
