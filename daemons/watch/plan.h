/* plan.h - one watch: what is asked of the HTTP API, what an answer means, and who is told
 * (agent-config 8; api/watch of the original).
 *
 * A plan is made from the parameters that stand in a configuration file or on a command line, and
 * never changes. Where a watch stands is a struct of its own, and each step a pure function. */
#pragma once

#include "arena.h"

#include <jansson.h>
#include <muster/mu.h>
#include <stdbool.h>
#include <stdint.h>

#define WATCH_ERROR_MAX 1024u

enum watch_type {
    WATCH_KEY,
    WATCH_KEYPREFIX,
    WATCH_SERVICES,
    WATCH_NODES,
    WATCH_SERVICE,
    WATCH_CHECKS,
    WATCH_EVENT,
    WATCH_AGENT_SERVICE
};

enum watch_handler_kind {
    WATCH_HANDLER_NONE, /* of the command line alone */
    WATCH_HANDLER_ARGS, /* a program and its arguments */
    WATCH_HANDLER_SHELL,
    WATCH_HANDLER_HTTP
};

struct watch_http_handler {
    struct mu_str url, method;
    struct mu_strsmap headers;
    int64_t timeout_ns;
};

struct watch_plan {
    struct mu__arena arena;
    enum watch_type type;
    struct mu_str type_name, token;
    struct mu_str target; /* path and query of the request, escaped; `index` or `hash` follows */
    enum watch_handler_kind kind;
    struct mu_strs args; /* texts end with a zero that is not counted */
    struct mu_str shell;
    struct watch_http_handler http;
};

/* Who may have which handlers, and types. */
enum watch_from {
    WATCH_FROM_FILE, /* a handler is needed */
    WATCH_FROM_CLI   /* there is none; types that only an agent has are refused */
};

/* Makes a plan from an object of parameters. NULL with a sentence in err. */
MU_MUST_USE struct watch_plan *watch_plan_create(const json_t *params, enum watch_from from,
                                                 char *err, size_t errlen);
void watch_plan_destroy(struct watch_plan *p); /* NULL is allowed; wipes the token */

/* Where a watch stands. Zero at the start. */
struct watch_place {
    bool has_index;
    uint64_t index;
    char hash[65]; /* instead of an index, for an agent's service */
    uint64_t failures;
    char *last; /* the payload that was told last, or NULL: malloc */
};
void watch_place_fini(struct watch_place *s);

/* Appends the whole request target to buf of cap bytes; false when it does not fit. */
bool watch_target(const struct watch_plan *p, const struct watch_place *s, char *buf, size_t cap);
/* An answer has come: index (or hash, if not ""), and its payload. True when the handler is to be
 * told. */
bool watch_answered(struct watch_place *s, uint64_t index, const char *hash, const char *payload);
/* A request has failed: how long to wait before the next one, in nanoseconds. */
uint64_t watch_failed(struct watch_place *s);

/* For plan_handler.c: reads what says who is told. False with a sentence in err. */
struct watch__params;
bool watch__read_handler(struct watch_plan *p, struct watch__params *params, enum watch_from from,
                         char *err, size_t errlen);
/* The value of a parameter, which is then used up; NULL: there is none. */
json_t *watch__take(struct watch__params *params, const char *name);
bool watch__text(struct watch_plan *p, struct watch__params *params, const char *name,
                 struct mu_str *out, char *err, size_t errlen);
struct mu_str watch__copy(struct watch_plan *p, const char *text);
bool watch__refuse(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
