/* remote_exec_internal.h - between remote_exec.c, which reads jobs and writes their keys, and
 * remote_exec_child.c, which runs them. */
#pragma once

#include "agent/remote_exec.h"
#include "arena.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#define REXEC_CHUNK 4096u

struct rexec_spec {
    struct mu_str command; /* for a shell */
    struct mu_strs args;   /* or: a program and its arguments, without one */
    struct mu_str script;  /* or: the text of a program */
    int64_t wait_ns;       /* an empty output is written when there is none for so long */
};

struct rexec_child {
    pid_t pid;           /* 0: does not run */
    struct event *exit;  /* pidfd */
    struct event *lines; /* the end of the pipe that it writes to; NULL: at its end */
    char script[128];    /* the file of its text; "": none */
    int code;            /* once it has ended */
    char buf[REXEC_CHUNK];
    size_t len;
    void (*changed)(void *arg); /* there is output, or it has ended */
    void *arg;
};

/* False: it cannot be run, and err says why; nothing is left. */
bool rexec__child_start(struct rexec_child *c, struct event_base *base,
                        const struct rexec_spec *spec, char *err, size_t errlen);
/* The buffer has been taken: there is room again. */
void rexec__child_taken(struct rexec_child *c);
static inline bool rexec__child_has_ended(const struct rexec_child *c)
{
    return c->pid == 0 && !c->lines;
}
void rexec__child_forget(struct rexec_child *c); /* lets it run */
