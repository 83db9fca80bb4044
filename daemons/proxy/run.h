/* run.h - the proxy as a process: its loop, its identity, its signals. */
#pragma once

#include "proxy/settings.h"

struct proxy_agent {  /* where it is asked */
    const char *host; /* an IP or "localhost" */
    uint16_t port;
    const char *token; /* "": none */
};

/* Serves until SIGTERM or SIGINT: then it takes nothing new and ends with its last connection, or
 * at the second signal, or after the time given. Returns the exit code. */
int proxy_run(const struct proxy_settings *s, const struct proxy_agent *agent,
              uint64_t drain_max_ns);
