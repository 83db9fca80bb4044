#include "call.h"

#include "authorize.h"
#include "endpoints.h"

#include <muster/catalog_ca.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct call *call_create(const struct endpoint *e, size_t limit, call_done_fn done, void *arg)
{
    struct call *c = mu__calloc(&mu__malloc_allocator, 1, sizeof *c);
    if (!c) {
        return NULL;
    }
    *c = (struct call){.endpoint = e, .done = done, .arg = arg};
    mu__arena_init(&c->arena, NULL, limit);
    if (e->request) {
        c->request = mu__arena_calloc(&c->arena, 1, e->request->size);
        if (!c->request) {
            call_free(c);
            return NULL;
        }
    }
    return c;
}

void call_start(struct call_backend *b, struct call *c)
{
    assert(!c->backend);
    c->backend = b;
    const char *refusal = authorize(c);
    if (refusal) {
        call_fail(c, "%s", refusal);
        return;
    }
    b->start(b, c);
}

void call_delegate(struct call_backend *b, struct call *c)
{
    assert(c->backend);
    c->backend = b;
    b->start(b, c);
}

void call_cancel(struct call *c)
{
    assert(c->backend);
    c->backend->cancel(c->backend, c);
}

void call_finish(struct call *c)
{
    c->done(c, c->arg);
    call_free(c);
}

void call_fail(struct call *c, const char *fmt, ...)
{
    static char out_of_memory[] = "out of memory";
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t size = len < 0 ? 1 : (size_t)len + 1;
    size_t limit = c->arena.limit;
    c->arena.limit = 0; /* a call that used up its memory can still say so */
    c->error = mu__arena_calloc(&c->arena, 1, size);
    c->arena.limit = limit;
    if (!c->error) {
        c->error = out_of_memory;
    } else {
        va_start(ap, fmt);
        vsnprintf(c->error, size, fmt, ap);
        va_end(ap);
    }
    call_finish(c);
}

/* The configuration of an authority may bring a private key. */
static void wipe_secrets(const struct call *c)
{
    if (c->request && c->endpoint == &endpoints[ENDPOINT_CONNECT_CA_CONFIGURATION_SET]) {
        const struct catalog_ca_request *q = c->request;
        struct mu_str given = q->config ? q->config->config : (struct mu_str){NULL, 0};
        mu__wipe((void *)(uintptr_t)given.p, given.len); /* the call's own */
    }
}

void call_free(struct call *c)
{
    if (!c) {
        return;
    }
    wipe_secrets(c);
    mu__arena_fini(&c->arena);
    mu__free(&mu__malloc_allocator, c);
}
