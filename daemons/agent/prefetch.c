#include "agent/prefetch.h"

#include "agent/core_call.h"
#include "map.h"
#include "rpc/endpoints.h"

#include <muster/catalog_intention.h>
#include <muster/catalog_types.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_S 10 /* after a failure */

enum kind { INTENTIONS, INSTANCES, KINDS };
static const size_t kind_max[KINDS] = {1024, 512};

struct item {
    struct prefetch *owner;
    enum kind kind;
    bool is_named, asked;
    uint64_t index;
    struct event *again;
    char *token;
    struct mu_str datacenter, name; /* parts of the key */
    size_t len;
    char key[]; /* kind, datacenter, NUL, name */
};

struct prefetch {
    struct prefetch_config config;
    struct core_caller *caller;
    struct mu__map items;
    size_t counts[KINDS];
};

static void ask(struct item *i);

/* A question under way still speaks of it: then it goes when that is answered. */
static void drop(struct item *i)
{
    if (i->asked) {
        return;
    }
    mu__map_remove(&i->owner->items, i->key, i->len);
    i->owner->counts[i->kind]--;
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

static const struct endpoint *endpoint_of(const struct item *i)
{
    return &endpoints[i->kind == INSTANCES ? ENDPOINT_HEALTH_SERVICE_NODES
                                           : ENDPOINT_INTENTION_MATCH];
}

static uint64_t index_of(const struct item *i, const void *reply)
{
    return i->kind == INSTANCES
               ? ((const struct catalog_indexed_check_service_nodes *)reply)->meta.index
               : ((const struct catalog_indexed_intention_matches *)reply)->meta.index;
}

static void on_answer(void *arg, const char *error, const void *reply)
{
    struct item *i = arg;
    i->asked = false;
    if (!i->is_named) {
        drop(i);
    } else if (error) {
        ask_later(i);
    } else {
        uint64_t index = index_of(i, reply);
        i->index = index > 0 ? index : 1; /* the next one is to wait */
        ask(i);
    }
}

/* ---- The questions ---- */

static bool copy_into(struct mu__arena *a, struct mu_str s, struct mu_str *out)
{
    *out = (struct mu_str){mu__arena_strndup(a, s.p, s.len), s.len};
    return out->p != NULL;
}

/* As routes_authorize.c asks. */
static bool fill_intentions(struct call *c, struct mu_str name)
{
    struct catalog_intention_query *q = c->request;
    struct {
        struct catalog_intention_match match;
        struct catalog_intention_name name;
        void *entries[1];
    } *room = mu__arena_calloc(&c->arena, 1, sizeof *room);
    if (!room) {
        return false;
    }
    room->name = (struct catalog_intention_name){mu__cstr("default"), name};
    room->entries[0] = &room->name;
    room->match = (struct catalog_intention_match){mu__cstr("destination"), {room->entries, 1}};
    q->match = &room->match;
    return true;
}

/* As routes_health.c asks for a proxy's /v1/health/connect/:service. */
static void fill_instances(struct call *c, struct mu_str name)
{
    struct catalog_service_request *q = c->request;
    q->service_name = name;
    q->connect = true;
}

/* What a proxy's questions come to, so that they find the answer. False: out of memory. */
static bool fill(const struct item *i, struct call *c)
{
    struct catalog_query_options *o = endpoint_options(c->endpoint, c->request);
    struct mu_str name, *datacenter = (void *)((char *)c->request + c->endpoint->datacenter_at);
    if (!copy_into(&c->arena, i->name, &name) || !copy_into(&c->arena, i->datacenter, datacenter) ||
        !copy_into(&c->arena, mu__cstr(i->token), &o->token)) {
        return false;
    }
    o->use_cache = true;
    o->min_query_index = i->index;
    c->may_cache = true;
    if (i->kind == INTENTIONS) {
        return fill_intentions(c, name);
    }
    fill_instances(c, name);
    return true;
}

static void ask(struct item *i)
{
    struct call *c = core_call_create(i->owner->caller, endpoint_of(i), on_answer, i);
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

static void set_token(struct item *i, struct mu_str token)
{
    if (i->token && mu__str_eq(mu__cstr(i->token), token)) {
        return;
    }
    free(i->token);
    i->token = strndup(token.p ? token.p : "", token.len);
    if (!i->token) {
        abort();
    }
}

static char *append(char *to, struct mu_str s)
{
    if (s.len) {
        memcpy(to, s.p, s.len);
    }
    return to + s.len;
}

/* With its key, and in no map yet. */
static struct item *make(struct prefetch *p, enum kind kind, struct mu_str dc, struct mu_str name)
{
    size_t len = 1 + dc.len + 1 + name.len;
    struct item *i = calloc(1, sizeof *i + len);
    if (!i) {
        abort();
    }
    i->owner = p;
    i->kind = kind;
    i->len = len;
    i->key[0] = (char)kind;
    i->datacenter = (struct mu_str){i->key + 1, dc.len};
    i->name = (struct mu_str){append(i->key + 1, dc) + 1, name.len};
    append(i->key + 1 + dc.len + 1, name);
    return i;
}

static void keep(struct item *i)
{
    struct prefetch *p = i->owner;
    i->again = evtimer_new(loop_base(p->config.core), on_again, i);
    if (!i->again || !mu__map_set(&p->items, i->key, i->len, i, NULL)) {
        abort();
    }
    p->counts[i->kind]++;
}

static void want(struct prefetch *p, enum kind kind, struct mu_str dc, struct mu_str name,
                 struct mu_str token)
{
    if (!name.len) {
        return;
    }
    struct item *made = make(p, kind, dc, name), *i = mu__map_get(&p->items, made->key, made->len);
    if (i) {
        i->is_named = true;
        set_token(i, token);
    } else if (p->counts[kind] < kind_max[kind]) {
        set_token(made, token);
        keep(made);
        made->is_named = true;
        ask(made);
        return;
    }
    free(made);
}

void prefetch_service(struct prefetch *p, struct mu_str name, struct mu_str token)
{
    want(p, INTENTIONS, p->config.datacenter, name, token);
}

void prefetch_upstream(struct prefetch *p, struct mu_str datacenter, struct mu_str name,
                       struct mu_str token)
{
    want(p, INSTANCES, datacenter.len ? datacenter : p->config.datacenter, name, token);
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
