#include "agent/core_call.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (64u << 20)

struct core_caller {
    struct loop *core, *front;
    struct call_backend *backend;
    atomic_uint refs;   /* the owner and each call */
    atomic_bool closed; /* once true, nothing is posted to the core loop any more: it may be gone */
};

struct core_call {
    struct core_caller *caller;
    struct call *call;
    core_call_done_fn done;
    void *arg;
    char *error;
    void *reply;
};

static void unref(struct core_caller *c)
{
    if (atomic_fetch_sub(&c->refs, 1) == 1) {
        free(c);
    }
}

struct core_caller *core_caller_create(struct loop *core, struct loop *front,
                                       struct call_backend *backend)
{
    struct core_caller *c = calloc(1, sizeof *c);
    if (c) {
        *c = (struct core_caller){.core = core, .front = front, .backend = backend};
        atomic_init(&c->refs, 1);
        atomic_init(&c->closed, false);
    }
    return c;
}

void core_caller_close(struct core_caller *c)
{
    if (c) {
        atomic_store(&c->closed, true);
        unref(c);
    }
}

static void free_core_call(struct core_call *cc)
{
    struct core_caller *c = cc->caller;
    free(cc->error);
    mu__free(&mu__malloc_allocator, cc->reply);
    free(cc);
    unref(c);
}

static void on_core(void *arg)
{
    struct core_call *cc = arg;
    if (!atomic_load(&cc->caller->closed)) {
        cc->done(cc->arg, cc->error, cc->reply);
    }
    free_core_call(cc);
}

/* On the front: the call is about to be freed. */
static void on_done(struct call *call, void *arg)
{
    struct core_call *cc = arg;
    if (atomic_load(&cc->caller->closed)) {
        free_core_call(cc);
        return;
    }
    if (call->error) {
        cc->error = strdup(call->error);
    } else if (call->endpoint->reply_kind == REPLY_BOOL) {
        bool *copy = malloc(sizeof *copy);
        if (copy) {
            *copy = *(const bool *)call->reply;
        }
        cc->reply = copy;
        cc->error = copy ? NULL : strdup("out of memory");
    } else if (call->endpoint->reply_kind == REPLY_STRUCT) {
        cc->reply = mu__schema_clone(call->endpoint->reply, call->reply, &mu__malloc_allocator);
        cc->error = cc->reply ? NULL : strdup("out of memory");
    }
    loop_post(cc->caller->core, on_core, cc);
}

struct call *core_call_create(struct core_caller *c, const struct endpoint *e,
                              core_call_done_fn done, void *arg)
{
    struct core_call *cc = calloc(1, sizeof *cc);
    if (!cc) {
        return NULL;
    }
    *cc = (struct core_call){.caller = c, .done = done, .arg = arg};
    cc->call = call_create(e, ARENA_LIMIT, on_done, cc);
    if (!cc->call) {
        free(cc);
        return NULL;
    }
    atomic_fetch_add(&c->refs, 1);
    return cc->call;
}

static void start_on_front(void *arg)
{
    struct core_call *cc = arg;
    if (atomic_load(&cc->caller->closed)) {
        call_free(cc->call);
        free_core_call(cc);
    } else {
        call_start(cc->caller->backend, cc->call);
    }
}

void core_call_start(struct call *call)
{
    struct core_call *cc = call->arg;
    loop_post(cc->caller->front, start_on_front, cc);
}

void core_call_drop(struct call *call)
{
    struct core_call *cc = call->arg;
    call_free(call);
    free_core_call(cc);
}
