/* Alias checks of another node: a blocking query for its checks, again and again. Whether the
 * service is there at all is asked when no check speaks of it. */
#include "agent/local_internal.h"

#include "agent/clone.h"
#include "agent/text.h"
#include "base/loop.h"
#include "rpc/endpoints.h"

#include <stdio.h>
#include <stdlib.h>

#define QUERY_NS    (60 * (int64_t)MU_SEC) /* how long a query waits, and how stale it may be */
#define BACKOFF_MAX 6u                     /* 2^6 s: about a minute */
#define ERRORS_TOLD 2u                     /* one failed query is no verdict */

struct alias_watch {
    struct local_check *check;
    struct core_caller
        *caller; /* its own: closing it ends what is under way for this check alone */
    struct event *retry;
    uint64_t index;  /* what is waited for is newer */
    unsigned errors; /* in a row */
    /* What is to be told once it is known that the service exists. */
    enum check_status status;
    struct mu_str output; /* own copy, or nothing */
};

static void ask_for_checks(struct alias_watch *w);

/* ---- Errors ---- */

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ask_for_checks(arg);
}

/* Later each time, and not together with the other agents. */
static void failed(struct alias_watch *w, const char *error)
{
    struct local *l = w->check->local;
    char text[LOCAL_ERROR_MAX];
    uint64_t wait = (MU_SEC << (w->errors < BACKOFF_MAX ? w->errors : BACKOFF_MAX)) / 2;
    wait += mu__prng_below(&l->prng, wait);
    struct timeval tv = {.tv_sec = (time_t)(wait / MU_SEC),
                         .tv_usec = (suseconds_t)(wait % MU_SEC / MU_USEC)};
    evtimer_add(w->retry, &tv);
    if (++w->errors >= ERRORS_TOLD) {
        snprintf(text, sizeof text, "Failure checking aliased node or service: %s", error);
        local__set_status(w->check, CHECK_CRITICAL, mu__cstr(text));
    }
}

/* ---- Queries ---- */

static void ask(struct alias_watch *w, enum endpoint_id id, uint64_t index, core_call_done_fn done)
{
    const struct catalog_node_request r = {
        .datacenter = w->check->local->config->datacenter,
        .node = w->check->type->alias_node,
        .options = {.token = w->check->entry.token,
                    .min_query_index = index,
                    .max_query_time_ns = QUERY_NS,
                    .allow_stale = true,
                    .max_stale_duration_ns = QUERY_NS},
    };
    struct call *call = core_call_create(w->caller, &endpoints[id], done, w);
    if (!call || !(call->request = clone_into(&call->arena, endpoints[id].request, &r))) {
        abort(); /* out of memory, as loop_post */
    }
    core_call_start(call);
}

/* The verdict stands, and the next change is waited for. */
static void settle(struct alias_watch *w, bool exists)
{
    w->errors = 0;
    if (exists) {
        local__set_status(w->check, w->status, w->output);
    } else {
        local__lose_alias(w->check);
    }
    text_free(w->output);
    w->output = (struct mu_str){NULL, 0};
    ask_for_checks(w);
}

static void on_services(void *arg, const char *error, const void *reply)
{
    struct alias_watch *w = arg;
    const struct catalog_indexed_node_service_list *r = reply;
    if (error) {
        failed(w, error);
        return;
    }
    bool exists = false;
    for (size_t i = 0; i < r->node_services.services.len; i++) {
        const struct catalog_node_service *s = r->node_services.services.items[i];
        exists = exists || mu__str_eq(s->id, w->check->type->alias_service);
    }
    settle(w, exists);
}

static bool is_itself(const struct alias_watch *w, const struct catalog_check *c)
{
    return mu__str_ieq(c->node, w->check->local->node) &&
           mu__str_eq(c->check_id, w->check->entry.id);
}

static void on_checks(void *arg, const char *error, const void *reply)
{
    struct alias_watch *w = arg;
    const struct catalog_indexed_checks *r = reply;
    struct alias_verdict v = {.status = CHECK_PASSING};
    if (error) {
        failed(w, error);
        return;
    }
    w->index = r->meta.index ? r->meta.index : 1; /* 0 would not wait */
    for (size_t i = 0; i < r->health_checks.len; i++) {
        const struct catalog_check *c = r->health_checks.items[i];
        if (!is_itself(w, c)) {
            local__judge_alias(&v, c, w->check->type->alias_service);
        }
    }
    text_free(w->output);
    w->status = v.status;
    w->output = local__alias_output(w->check, &v);
    if (v.found) {
        settle(w, true);
    } else {
        ask(w, ENDPOINT_CATALOG_NODE_SERVICE_LIST, 0, on_services);
    }
}

static void ask_for_checks(struct alias_watch *w)
{
    ask(w, ENDPOINT_HEALTH_NODE_CHECKS, w->index, on_checks);
}

/* ---- Life ---- */

void local__start_alias(struct local_check *c)
{
    struct local *l = c->local;
    if (!l->backend || c->alias || !c->type->alias_node.len) {
        return;
    }
    struct alias_watch *w = calloc(1, sizeof *w);
    if (!w) {
        abort();
    }
    *w = (struct alias_watch){.check = c};
    w->caller = core_caller_create(l->core, l->front, l->backend);
    w->retry = evtimer_new(l->world.base, on_retry, w);
    if (!w->caller || !w->retry) {
        abort();
    }
    c->alias = w;
    ask_for_checks(w);
}

void local__stop_alias(struct local_check *c)
{
    struct alias_watch *w = c->alias;
    if (w) {
        core_caller_close(w->caller);
        event_free(w->retry);
        text_free(w->output);
        free(w);
        c->alias = NULL;
    }
}
