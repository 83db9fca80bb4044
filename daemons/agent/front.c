/* The way of an ENDPOINT_AGENT call from a front to the core loop and back. */
#include "agent/agent_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct agent_front {
    struct call_backend backend; /* first */
    struct agent *agent;
    struct loop *loop;
};

/* ---- On the core loop ---- */

static void on_front(void *arg);

static void on_core(void *arg)
{
    struct agent_call *ac = arg;
    if (ac->agent->stopped) {
        agent__fail(ac, "agent is shutting down");
    } else {
        agent__handle(ac);
    }
}

void agent__finish(struct agent_call *ac)
{
    loop_post(ac->front, on_front, ac);
}

void agent__fail(struct agent_call *ac, const char *fmt, ...)
{
    char line[LOCAL_ERROR_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    struct mu_str text = mu__cstr(line);
    ac->error = mu__arena_strndup(&ac->call->arena, text.p, text.len);
    if (!ac->error) {
        abort();
    }
    agent__finish(ac);
}

/* ---- On the front ---- */

static void on_front(void *arg)
{
    struct agent_call *ac = arg;
    struct call *c = ac->call;
    bool cancelled = ac->cancelled;
    const char *error = ac->error;
    free(ac);
    if (cancelled) {
        call_free(c);
    } else if (error) {
        call_fail(c, "%s", error);
    } else {
        call_finish(c);
    }
}

static void start(struct call_backend *b, struct call *c)
{
    struct agent_front *f = (struct agent_front *)b;
    struct agent_call *ac = calloc(1, sizeof *ac);
    if (!ac) {
        call_fail(c, "out of memory");
        return;
    }
    *ac = (struct agent_call){.call = c, .agent = f->agent, .front = f->loop};
    c->state = ac;
    loop_post(f->agent->given.core, on_core, ac);
}

/* The call is freed when it comes back; one that waits for a change is told not to. Of one that is
 * on its way back only the address is used: who waits is found in the list. */
struct cancellation {
    struct agent *agent;
    struct agent_call *call;
};

static void on_cancel(void *arg)
{
    struct cancellation *c = arg;
    struct agent_call *found = c->agent->waiting;
    while (found && found != c->call) {
        found = found->next;
    }
    if (found) {
        agent__cancel(found);
    }
    free(c);
}

static void cancel(struct call_backend *b, struct call *c)
{
    struct agent_call *ac = c->state;
    (void)b;
    ac->cancelled = true;
    if (!agent__may_wait(c->endpoint)) {
        return;
    }
    struct cancellation *order = malloc(sizeof *order);
    if (order) { /* without it, the call ends with its own time */
        *order = (struct cancellation){ac->agent, ac};
        loop_post(ac->agent->given.core, on_cancel, order);
    }
}

struct agent_front *agent_front_create(struct agent *a, struct loop *front)
{
    struct agent_front *f = calloc(1, sizeof *f);
    if (f) {
        *f = (struct agent_front){.backend = {start, cancel}, .agent = a, .loop = front};
    }
    return f;
}

struct call_backend *agent_front_backend(struct agent_front *f)
{
    return &f->backend;
}

void agent_front_destroy(struct agent_front *f)
{
    free(f);
}
