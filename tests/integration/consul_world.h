/* consul_world.h - real Consul agents as child processes, for tests that hold muster against them.
 *
 * Agents live on loopback addresses with ports that were free a moment ago, keep their files in a
 * folder of the test's and die with it. The test's event loop runs while it waits for an agent's
 * answer, so nodes on that loop live on. */
#pragma once

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct world {
    struct event_base *base;
    char dir[64];
    char consul[512]; /* path of the binary */
    unsigned started; /* agents so far: each has a data folder of its own */
};

struct agent {
    struct world *world;
    char name[32], ip[16];
    uint16_t http, serf, server;
    bool server_mode;
    pid_t pid; /* 0: not running */
};

/* Path of Consul: $MUSTER_CONSUL, else in $PATH, else where the project's tools put it. False, and
 * a word to the reader, when there is none. */
bool world_open(struct world *w, struct event_base *base);
void world_close(struct world *w); /* agents must be stopped */

/* Starts an agent; key is a gossip key in base64 or NULL, join the "ip:port" of another or NULL.
 * Waits until it answers HTTP. */
bool agent_start(struct world *w, struct agent *a, const char *name, const char *ip, bool server,
                 const char *key, const char *join);
/* Starts a killed agent again, as it was: same ports, same data. */
bool agent_restart(struct agent *a);
void agent_kill(struct agent *a); /* kill -9; fine when it is not running */
void agent_show_log(const struct agent *a);

/* One HTTP request; the answer as JSON (json_decref it), or NULL when there was none or it was no
 * JSON. status may be NULL. */
json_t *agent_http(const struct agent *a, const char *method, const char *path, const char *body,
                   int *status);

/* Runs the loop for a moment. */
void world_pause(struct world *w, unsigned ms);
