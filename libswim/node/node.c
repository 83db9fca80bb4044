#include "node.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOG_LINE_MAX = 1024 };
#define SNAPSHOT_DELAY_NS (500 * MU_MSEC)

/* ---- small things ---- */

const char *swim_node_strerror(int code)
{
    switch (code) {
    case SWIM_NODE_ESOCKET:
        return "a socket could not be made or bound";
    case SWIM_NODE_EFILE:
        return "a file could not be read or written";
    default:
        return swim_strerror(code);
    }
}

enum mu_err_class swim_node_err_class(int code)
{
    if (code == SWIM_NODE_ESOCKET || code == SWIM_NODE_EFILE) {
        return MU_CLASS_CALLER;
    }
    return swim_err_class(code);
}

void swim_node__why(char *why, size_t cap, const char *fmt, ...)
{
    if (why && cap > 0) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(why, cap, fmt, args);
        va_end(args);
    }
}

void swim_node__log(const struct swim_node *n, enum mu_level level, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    if (!n->log || level < n->log_level) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    n->log(n->log_user, level, line);
}

struct timeval swim_node__timeval(uint64_t ns)
{
    uint64_t us = ns / MU_USEC + (ns % MU_USEC ? 1 : 0);
    return (struct timeval){.tv_sec = (time_t)(us / 1000000),
                            .tv_usec = (suseconds_t)(us % 1000000)};
}

uint64_t swim_node_now(const struct swim_node *n)
{
    (void)n;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * MU_SEC + (uint64_t)ts.tv_nsec;
}

const struct swim_addr *swim_node_addr(const struct swim_node *n)
{
    return &n->bound;
}

struct swim *swim_node_core(struct swim_node *n)
{
    return n->swim;
}

/* ---- work ---- */

static void set_timer(struct swim_node *n)
{
    uint64_t deadline = swim_next_deadline(n->swim), now = swim_node_now(n);
    if (deadline == MU_NEVER) {
        evtimer_del(n->timer);
        return;
    }
    struct timeval tv = swim_node__timeval(deadline > now ? deadline - now : 0);
    evtimer_add(n->timer, &tv);
}

static void send_out(struct swim_node *n)
{
    struct swim_stream stream;
    swim_node__udp_flush(n);
    while (swim_next_stream(n->swim, &stream)) {
        swim_node__tcp_open(n, &stream);
    }
}

struct snapshot_clocks swim_node__clocks(const struct swim_node *n)
{
    struct swim_stats stats;
    swim_stats(n->swim, &stats);
    /* A clock is one ahead of what was last seen, and what was seen is recorded. */
    return (struct snapshot_clocks){.member = stats.member_clock ? stats.member_clock - 1 : 0,
                                    .event = stats.event_clock ? stats.event_clock - 1 : 0,
                                    .query = stats.query_clock ? stats.query_clock - 1 : 0};
}

static void on_snapshot_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct swim_node *n = arg;
    swim_node__snapshot_set_clocks(n->snapshot, swim_node__clocks(n));
    if (!swim_node__snapshot_flush(n->snapshot)) {
        swim_node__log(n, MU_ERROR, "serf: cannot write snapshot: %s", strerror(errno));
    }
}

static void record(struct swim_node *n, const struct swim_event *ev)
{
    if (!n->snapshot) {
        return;
    }
    if (ev->type == SWIM_EVENT_JOIN || ev->type == SWIM_EVENT_UPDATE) {
        swim_node__snapshot_alive(n->snapshot, ev->member.name, &ev->member.addr);
    } else if (ev->type == SWIM_EVENT_FAILED || ev->type == SWIM_EVENT_LEAVE ||
               ev->type == SWIM_EVENT_REAP) {
        swim_node__snapshot_not_alive(n->snapshot, ev->member.name);
    }
    if (!evtimer_pending(n->snapshot_timer, NULL)) { /* one flush for all that happens until then */
        struct timeval tv = swim_node__timeval(SNAPSHOT_DELAY_NS);
        evtimer_add(n->snapshot_timer, &tv);
    }
}

static void tell_left(struct swim_node *n)
{
    void (*done)(void *user) = n->leave_done;
    if (done && swim_has_left(n->swim)) {
        n->leave_done = NULL;
        done(n->leave_user);
    }
}

static void take_event(struct swim_node *n, const struct swim_event *ev)
{
    /* Whoever is told may call the core, and what ev points at is gone then. */
    enum swim_event_type type = ev->type;
    uint32_t stream = ev->stream;
    int err = ev->err;
    record(n, ev);
    if (!swim_node__asked_event(n, ev) && n->on_event) {
        n->on_event(n->user, ev);
    }
    if (type == SWIM_EVENT_JOIN_RESULT) {
        swim_node__join_result(n, stream, err);
    } else if (type == SWIM_EVENT_LEFT) {
        tell_left(n);
    }
}

void swim_node__work(struct swim_node *n)
{
    struct swim_event ev;
    n->in_callback = true;
    swim_advance(n->swim, swim_node_now(n));
    send_out(n);
    while (swim_next_event(n->swim, &ev)) {
        take_event(n, &ev);
        send_out(n);
    }
    set_timer(n);
    n->in_callback = false;
}

void swim_node__kick(struct swim_node *n)
{
    event_active(n->kick, EV_TIMEOUT, 0);
}

void swim_node_flush(struct swim_node *n)
{
    send_out(n);
    set_timer(n);
    swim_node__kick(n); /* for the events */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    swim_node__work(arg);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct swim_node *n = arg;
    n->in_callback = true;
    swim_node__join_advance_all(n);
    tell_left(n);
    swim_node__work(n);
}

int swim_node__start(struct swim_node *n, size_t streams_max)
{
    n->timer = evtimer_new(n->base, on_timer, n);
    n->kick = event_new(n->base, -1, 0, on_kick, n);
    n->snapshot_timer = evtimer_new(n->base, on_snapshot_due, n);
    if (!n->timer || !n->kick || !n->snapshot_timer || swim_node__udp_start(n) != SWIM_OK) {
        return SWIM_ENOMEM;
    }
    return swim_node__tcp_start(n, streams_max);
}

/* ---- joining and leaving ---- */

int swim_node_join(struct swim_node *n, const char *const *addrs, size_t naddrs,
                   swim_node_join_fn fn, void *user)
{
    if (naddrs == 0) {
        return SWIM_EINVAL;
    }
    if (swim_is_leaving(n->swim)) {
        return SWIM_ELEFT;
    }
    return swim_node__join_start(n, addrs, naddrs, false, fn, user);
}

void swim_node_leave(struct swim_node *n, void (*done)(void *user), void *user)
{
    n->leave_done = done;
    n->leave_user = user;
    if (n->snapshot) {
        swim_node__snapshot_left(n->snapshot);
        on_snapshot_due(-1, 0, n);
    }
    swim_leave(n->swim, swim_node_now(n));
    swim_node_flush(n);
}
