/* process_internal.h - what the files of the process share. All on the core loop. */
#pragma once

#include "process.h"

#include "cursor.h"

void *process__must(void *p); /* p; aborts when it is NULL: out of memory */

/* end.c */
void process__watch_signals(struct process *p);
void process__notify_alive(struct process *p);
/* The core loop has stopped: whoever waits for us to leave is told, and no timer or signal comes
 * any more. */
void process__close(struct process *p);
/* watching.c: the watches of the configuration, from the start of the core loop on. */
bool process__start_watches(struct process *p, char *err, size_t errlen);
/* A socket that does not block, connected to our own HTTP API; -1 when there is none to be had. */
int process__visit(void *user);
/* self_dns.c: writes so many pairs of a map. */
#define SELF_DNS_KEYS 18u
void process__self_dns(struct mu__writer *w, const struct config *c);
/* config_entries.c */
void process__stop_config_entries(struct process *p);
/* join.c */
void process__start_joining(struct process *p);
/* ask.c */
struct agent_node process__node(struct process *p);
/* Reads the files anew; what cannot change while we run keeps its old value until the next
 * start. */
void process__reload(void *user, agent_done_fn done, void *arg);
