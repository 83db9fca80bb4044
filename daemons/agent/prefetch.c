#include "agent/prefetch.h"

#include "agent/core_call.h"
#include "map.h"
#include "rpc/endpoints.h"

#include <muster/catalog_intention.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_S   10 /* after a failure */
#define NAMES_MAX 1024u

struct item {
    struct prefetch *owner;
    bool is_named, asked;
    uint64_t index;
    struct event *again;
    char *token;
    size_t len;
    char name[];
};

struct prefetch {
    struct prefetch_config config;
    struct core_caller *caller;
    struct mu__map items;
};

static void ask(struct item *i);

/* A question under way still speaks of it: then it goes when that is answered. */
static void drop(struct item *i)
{
    if (i->asked) {
        return;
    }
    mu__map_remove(&i->owner->items, i->name, i->len);
    event_free(i->again);
    free(i->token);
    free(i);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ask(arg);
}

static void ask_later(struct item *i)
{
    static const struct timeval wait = {.tv_sec = AGAIN_S};
    i->index = 0;
    evtimer_add(i->again, &wait);
}

static void on_answer(void *arg, const char *error, const void *reply)
{
    struct item *i = arg;
    const struct catalog_indexed_intention_matches *found = reply;
    i->asked = false;
    if (!i->is_named) {
        drop(i);
    } else if (error) {
        ask_later(i);
    } else {
        i->index = found->meta.index;
        ask(i);
    }
}

/* What routes_authorize.c asks, so that it finds the answer. False: out of memory. */
static bool fill(const struct item *i, struct call *c)
{
    struct catalog_intention_query *q = c->request;
    struct {
        struct catalog_intention_match match;
        struct catalog_intention_name name;
        void *entries[1];
    } *room = mu__arena_calloc(&c->arena, 1, sizeof *room);
    const char *name = mu__arena_strndup(&c->arena, i->name, i->len);
    const char *token = mu__arena_strndup(&c->arena, i->token, strlen(i->token));
    if (!room || !name || !token) {
        return false;
    }
    room->name = (struct catalog_intention_name){mu__cstr("default"), {name, i->len}};
    room->entries[0] = &room->name;
    room->match = (struct catalog_intention_match){mu__cstr("destination"), {room->entries, 1}};
    q->datacenter = i->owner->config.datacenter;
    q->match = &room->match;
    q->options.token = mu__cstr(token);
    q->options.use_cache = true;
    q->options.min_query_index = i->index;
    c->may_cache = true;
    return true;
}

static void ask(struct item *i)
{
    struct call *c =
        core_call_create(i->owner->caller, &endpoints[ENDPOINT_INTENTION_MATCH], on_answer, i);
    if (!c || !fill(i, c)) {
        if (c) {
            core_call_drop(c);
        }
        ask_later(i);
        return;
    }
    i->asked = true;
    core_call_start(c);
}

/* ---- Which ones ---- */

void prefetch_begin(struct prefetch *p)
{
    size_t at = 0;
    for (struct item *i; (i = mu__map_next(&p->items, &at)) != NULL;) {
        i->is_named = false;
    }
}

static struct item *make(struct prefetch *p, struct mu_str name, struct mu_str token)
{
    struct item *i = calloc(1, sizeof *i + name.len + 1);
    if (!i) {
        abort();
    }
    i->owner = p;
    i->len = name.len;
    memcpy(i->name, name.p, name.len);
    i->token = strndup(token.p ? token.p : "", token.len);
    i->again = evtimer_new(loop_base(p->config.core), on_again, i);
    if (!i->token || !i->again || !mu__map_set(&p->items, i->name, i->len, i, NULL)) {
        abort();
    }
    return i;
}

void prefetch_service(struct prefetch *p, struct mu_str name, struct mu_str token)
{
    struct item *i = name.len ? mu__map_get(&p->items, name.p, name.len) : NULL;
    if (i) {
        i->is_named = true;
    } else if (name.len && p->items.count < NAMES_MAX) {
        i = make(p, name, token);
        i->is_named = true;
        ask(i);
    }
}

void prefetch_end(struct prefetch *p)
{
    size_t at = 0, left = p->items.count;
    for (struct item *i; left-- > 0 && (i = mu__map_next(&p->items, &at)) != NULL;) {
        if (!i->is_named && !i->asked) {
            drop(i);
            at = 0;
            left = p->items.count;
        }
    }
}

size_t prefetch_count(const struct prefetch *p)
{
    return p->items.count;
}

/* ---- All of them ---- */

struct prefetch *prefetch_create(const struct prefetch_config *cfg)
{
    static const uint64_t seed = 0; /* the names are this agent's own */
    struct prefetch *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->config = *cfg;
    mu__map_init(&p->items, NULL, seed);
    p->caller = core_caller_create(cfg->core, cfg->front, cfg->backend);
    if (!p->caller) {
        prefetch_destroy(p);
        return NULL;
    }
    return p;
}

void prefetch_destroy(struct prefetch *p)
{
    if (!p) {
        return;
    }
    core_caller_close(p->caller);
    size_t at = 0;
    for (struct item *i; (i = mu__map_next(&p->items, &at)) != NULL; at = 0) {
        i->asked = false; /* nothing is answered any more */
        drop(i);
    }
    mu__map_fini(&p->items);
    free(p);
}
