/* loop.h - a loop: one thread, one event_base, one mailbox (docs/design.md, Loops).
 *
 * Every mutable object of the daemons belongs to one loop; other threads reach it only by
 * loop_post. */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
typedef void (*loop_fn)(void *arg);

/* Makes a loop; its thread starts with loop_start. name is borrowed and shows in logs and as thread
 * name (15 characters at most). NULL when out of memory or file descriptors. */
struct loop *loop_create(const char *name);
int loop_start(struct loop *l); /* 0, or -1 when no thread can be had */
/* Runs the loop on the calling thread instead, until loop_stop. */
void loop_run(struct loop *l);
struct event_base *loop_base(const struct loop *l);
bool loop_is_current(const struct loop *l); /* is the caller on the loop's thread? */

/* Runs fn(arg) on the loop, after all that was posted before; any thread may call. Messages that
 * are still queued when the loop stops are run by loop_destroy, so that what they own is freed.
 * Aborts when out of memory. */
void loop_post(struct loop *l, loop_fn fn, void *arg);

void loop_stop(struct loop *l); /* any thread; returns at once */
void loop_join(struct loop *l); /* waits for its thread */
/* Runs on the caller's thread what is queued on a loop that has no thread (any more); false if that
 * was nothing. */
bool loop_drain(struct loop *l);
void loop_destroy(struct loop *l); /* after loop_join; NULL is allowed */

uint64_t loop_now_ns(void);     /* CLOCK_MONOTONIC */
int64_t loop_now_unix_ns(void); /* CLOCK_REALTIME */
