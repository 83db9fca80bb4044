/* agent_internal.h - between the files that make up agent.h. */
#pragma once

#include "agent/agent.h"
#include "agent/coordinate.h"
#include "agent/leaf.h"
#include "agent/local.h"
#include "agent/prefetch.h"
#include "agent/remote_exec.h"
#include "agent/sync.h"
#include "agent/user_event.h"

#define AGENT_EVENTS_MAX 256u /* user events kept, as in Consul */

struct agent_call;
/* Fills in the reply and returns true; false when nothing has changed, unless it is to be answered
 * anyway. */
typedef bool (*agent_look_fn)(struct agent_call *ac, bool anyway);

/* A call on its way through the core loop. */
struct agent_call {
    struct call *call;
    struct agent *agent;
    struct loop *front;
    bool cancelled; /* the front's own */
    char *error;    /* in the call's arena; NULL: success */
    /* While it waits on the core loop. */
    agent_look_fn look;
    struct event *timeout;
    struct agent_call *next,
        **link; /* in the agent's list of those that wait; link NULL: it does not */
};

struct agent {
    struct agent_config given;
    const struct config *config;
    char node_id[37];
    struct local local;
    struct sync *sync;                     /* NULL: not started, or stopped */
    struct coordinate_sender *coordinates; /* likewise; NULL also if they are off */
    struct remote_exec *remote_exec;       /* likewise */
    struct leaves *leaves;                 /* likewise */
    struct prefetch *prefetch;             /* likewise */
    struct event *connect_look;            /* what is registered is to be looked at again */
    uint64_t prefetched;                   /* local.services_version when it was last */
    bool stopped;
    struct agent_call *waiting;
    struct event *look; /* those that wait are to be looked at again */
    size_t members;
    struct user_event *events[AGENT_EVENTS_MAX]; /* a ring, each one block */
    size_t events_seen;
    struct mu__prng prng;
};

/* On the core loop: answers. */
void agent__handle(struct agent_call *ac);

/* wait.c */
bool agent__may_wait(const struct endpoint *e);
/* Answers when look finds a change, or after wait_ns (0: five minutes; ten at most). */
void agent__answer_or_wait(struct agent_call *ac, agent_look_fn look, int64_t wait_ns);
void agent__wake(struct agent *a); /* something has changed */
/* Likewise, but only those who look that way may care. */
void agent__wake_those(struct agent *a, agent_look_fn look);
void agent__release_waiting(struct agent *a); /* the agent stops: whoever waits is answered */
void agent__cancel(struct agent_call *ac);    /* the front lost interest in a call that waits */

/* connect.c */
void agent__connect_start(struct agent *a, struct loop *front, struct call_backend *backend);
void agent__connect_stop(struct agent *a);
void agent__connect_changed(struct agent *a); /* perhaps services were registered */
void agent__connect_leaf(struct agent_call *ac);

/* events.c */
void agent__list_events(struct agent_call *ac);
void agent__events_fini(struct agent *a);

/* Ends a call that is on the core loop; the front is told. */
void agent__finish(struct agent_call *ac);
void agent__fail(struct agent_call *ac, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Registers the definitions of configuration files. */
bool agent__register_files(struct local *l, const struct config *config, char *err, size_t errlen);
/* Are all of them valid? Registers nothing. */
bool agent__check_files(const struct config *config, char *err, size_t errlen);
