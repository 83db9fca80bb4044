/* handler.h - tells one change to whom a watch names: a program that reads it, or a web server.
 * On one event_base, which outlives them. */
#pragma once

#include "plan.h"

#include <event2/event.h>

struct evdns_base;
struct evhttp_connection;

#define WATCH_OUTPUT_MAX 4096u /* bytes of a handler's output that are logged: the last ones */

struct watch_handler {
    struct watch_handler *next;                       /* the owner's */
    void (*done)(void *arg, struct watch_handler *h); /* h may be freed by it */
    void *arg;
    char name[512]; /* for the log */
    int64_t pid;    /* 0: no program is running */
    struct event *exit, *lines;
    struct evhttp_connection *connection; /* NULL: no request is under way */
    struct event *answered;               /* the answer has been seen to */
    char output[2 * WATCH_OUTPUT_MAX];
    size_t output_len;
    uint64_t output_total;
};

/* What a handler is told. */
struct watch_change {
    uint64_t index;
    const char *payload; /* borrowed */
};

/* Starts one; done is called once, later. NULL when it cannot be started, which is logged. dns is
 * needed by HTTP alone. */
struct watch_handler *watch_handler_start(struct event_base *base, struct evdns_base *dns,
                                          const struct watch_plan *p,
                                          const struct watch_change *change,
                                          void (*done)(void *arg, struct watch_handler *h),
                                          void *arg);
/* Forgets it: a program goes on by itself, a request is given up. */
void watch_handler_free(struct watch_handler *h);

/* handler_http.c */
bool watch__http_start(struct watch_handler *h, struct event_base *base, struct evdns_base *dns,
                       const struct watch_plan *p, const struct watch_change *change);
void watch__http_stop(struct watch_handler *h);
void watch__keep_output(struct watch_handler *h, const char *data, size_t len);
/* What was kept, with a word about what was not; lent until the next call. */
const char *watch__output(struct watch_handler *h, char *buf, size_t cap);
