/* agent_internal.h - between the files that make up agent.h. */
#pragma once

#include "agent/agent.h"
#include "agent/local.h"
#include "agent/sync.h"

/* A call on its way through the core loop. */
struct agent_call {
    struct call *call;
    struct agent *agent;
    struct loop *front;
    bool cancelled; /* the front's own */
    char *error;    /* in the call's arena; NULL: success */
    /* Agent.Service with a hash, waiting on the core loop. */
    struct event *timeout;
    struct agent_call *next,
        **link; /* in the agent's list of those that wait; link NULL: it does not */
};

struct agent {
    struct agent_config given;
    const struct config *config;
    char node_id[37];
    struct local local;
    struct sync *sync; /* NULL: not started, or stopped */
    bool stopped;
    struct agent_call *waiting;
    struct event *look; /* those that wait are to be looked at again */
    size_t members;
    struct mu__prng prng;
};

/* On the core loop: answers. */
void agent__handle(struct agent_call *ac);
void agent__wake(struct agent *a);            /* local state has changed */
void agent__release_waiting(struct agent *a); /* the agent stops: whoever waits is answered */
void agent__cancel(struct agent_call *ac);    /* the front lost interest in a call that may wait */

/* Ends a call that is on the core loop; the front is told. */
void agent__finish(struct agent_call *ac);
void agent__fail(struct agent_call *ac, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Registers the definitions of configuration files. */
bool agent__register_files(struct local *l, const struct config *config, char *err, size_t errlen);
/* Are all of them valid? Registers nothing. */
bool agent__check_files(const struct config *config, char *err, size_t errlen);
