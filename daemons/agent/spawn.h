/* spawn.h - programs that the agent runs for others: checks and remote execution. */
#pragma once

#include <sys/types.h>

/* Starts argv[0], looked for in PATH, without a shell, in a process group of its own: no input,
 * both outputs to `out`, no other descriptor, signals as a fresh process has them. Returns 0 or
 * errno, and then *pid is 0. */
int agent_spawn(char *const argv[], int out, pid_t *pid);
/* Likewise, with an environment and an input of its own; in -1: none. */
int agent_spawn_with(char *const argv[], char *const env[], int in, int out, pid_t *pid);
/* Becomes readable when the process ends, so that no signal handler is needed and no other child is
 * ever reaped; -1 with errno. */
int agent_pidfd(pid_t pid);
