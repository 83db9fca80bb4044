/* remote_exec.h - commands that `consul exec` has all agents run, by way of a user event and keys.
 *
 * The event _rexec says {"Prefix", "Session"}. Under <prefix>/<session>/ the key `job` holds what
 * is to be run, and each agent writes below <node>/ with that session as the holder, so that all of
 * it goes with the session: `ack`, then `out/00000` and so on, at most 4 KiB of output each and no
 * later than half a second after it was made, or empty ones where there is none for as long as the
 * job's Wait, and `exit` with the exit code. Core loop only. */
#pragma once

#include "agent/core_call.h"

#include <muster/mu.h>

#define REMOTE_EXEC_EVENT "_rexec"

struct remote_exec;
struct remote_exec_config {
    struct mu_str datacenter, node; /* borrowed */
    struct loop *core, *front;      /* likewise */
    struct call_backend *backend;   /* likewise */
};
struct remote_exec *remote_exec_create(const struct remote_exec_config *c); /* or NULL */
/* The payload of an event. What is wrong with it is logged. */
void remote_exec_start(struct remote_exec *x, struct mu_str payload);
/* What runs goes on, and nobody listens to it any more. NULL is allowed. */
void remote_exec_destroy(struct remote_exec *x);
