/* connect.c - the agent's side of Connect (http-api 2.20): leafs for those who ask, and what a
 * proxy needs brought here as soon as its service is registered. */
#include "agent/agent_internal.h"

#include "agent/clone.h"

#include <stdlib.h>

/* ---- A leaf ---- */

static bool is_news(const struct agent_connect_leaf_request *q, const struct leaf_view *v)
{
    return v->cert && (q->min_index == 0 || v->cert->modify_index > q->min_index);
}

static void answer(struct agent_call *ac, const struct leaf_view *v)
{
    struct mu__arena *a = &ac->call->arena;
    struct agent_connect_leaf_reply *r = mu__arena_calloc(a, 1, sizeof *r);
    ac->call->reply = r;
    if (r) {
        r->cert = clone_into(a, catalog_schema(CATALOG_ISSUED_CERT), v->cert);
    }
    if (!r || !r->cert) {
        abort();
    }
    ac->call->cached_age_ns = v->age_ns;
}

static void refuse(struct agent_call *ac, const char *why)
{
    struct mu_str text = mu__cstr(why);
    ac->error = mu__arena_strndup(&ac->call->arena, text.p, text.len);
    if (!ac->error) {
        abort();
    }
}

static bool look_at_leaf(struct agent_call *ac, bool anyway)
{
    struct agent_connect_leaf_request *q = ac->call->request;
    struct leaf_view v;
    leaves_look(ac->agent->leaves, q->service, q->attempts, &v);
    if (is_news(q, &v) || (anyway && v.cert)) {
        answer(ac, &v);
    } else if (v.error) {
        refuse(ac, v.error);
    } else if (anyway) {
        refuse(ac, "no certificate was signed in time");
    } else {
        return false;
    }
    return true;
}

void agent__connect_leaf(struct agent_call *ac)
{
    struct agent_connect_leaf_request *q = ac->call->request;
    struct leaf_view v;
    if (!ac->agent->leaves) {
        agent__fail(ac, "agent is not started");
        return;
    }
    leaves_ask(ac->agent->leaves, q->service, q->token, &v);
    q->attempts = v.attempts;
    ac->call->cached = is_news(q, &v) ? CALL_HIT : CALL_MISS;
    agent__answer_or_wait(ac, look_at_leaf, q->wait_ns);
}

static void on_leaf_changed(void *arg)
{
    agent__wake_those(arg, look_at_leaf);
}

/* ---- What is registered ---- */

/* Whose certificate the service needs; empty: none. */
static struct mu_str identity_of(const struct local_service *s)
{
    const struct catalog_node_service *r = s->service;
    if (s->entry.deleted || !r) {
        return (struct mu_str){NULL, 0};
    }
    if (mu__str_eq(r->kind, mu__cstr("connect-proxy"))) {
        return r->proxy.destination_service_name;
    }
    return r->connect.native ? r->service : (struct mu_str){NULL, 0};
}

/* Where the proxy will find them is what it asks first; prepared queries are run when asked. */
static void prefetch_upstreams(struct prefetch *p, const struct local_service *s)
{
    const struct mu_list *l = &s->service->proxy.upstreams;
    for (size_t i = 0; i < l->len; i++) {
        const struct catalog_upstream *u = l->items[i];
        if (!mu__str_eq(u->destination_type, mu__cstr("prepared_query"))) {
            prefetch_upstream(p, u->datacenter, u->destination_name, s->entry.token);
        }
    }
}

static void on_prefetch(evutil_socket_t fd, short what, void *arg)
{
    struct agent *a = arg;
    size_t at = 0;
    (void)fd, (void)what;
    a->prefetched = a->local.services_version;
    leaves_pin_begin(a->leaves);
    prefetch_begin(a->prefetch);
    for (const struct local_service *s; (s = mu__map_next(&a->local.services, &at)) != NULL;) {
        struct mu_str name = identity_of(s);
        if (name.len) {
            leaves_pin(a->leaves, name, s->entry.token);
            prefetch_service(a->prefetch, name, s->entry.token);
            prefetch_upstreams(a->prefetch, s);
        }
    }
    leaves_pin_end(a->leaves);
    prefetch_end(a->prefetch);
}

void agent__connect_changed(struct agent *a)
{
    if (a->connect_look && a->prefetched != a->local.services_version) {
        event_active(a->connect_look, EV_TIMEOUT, 0); /* once for all that happens together */
    }
}

/* ---- Beginning and end ---- */

void agent__connect_start(struct agent *a, struct loop *front, struct call_backend *backend)
{
    a->leaves = leaves_create(&(struct leaves_config){
        .datacenter = a->config->datacenter,
        .is_server = a->config->server,
        .core = a->given.core,
        .front = front,
        .backend = backend,
        .seed = mu__prng_next(&a->prng),
        .changed = on_leaf_changed,
        .arg = a,
    });
    a->prefetch = prefetch_create(&(struct prefetch_config){
        .datacenter = a->config->datacenter,
        .core = a->given.core,
        .front = front,
        .backend = backend,
    });
    a->connect_look = event_new(loop_base(a->given.core), -1, 0, on_prefetch, a);
    if (!a->leaves || !a->prefetch || !a->connect_look) {
        abort();
    }
    event_active(a->connect_look, EV_TIMEOUT, 0);
}

void agent__connect_stop(struct agent *a)
{
    if (a->connect_look) {
        event_free(a->connect_look);
        a->connect_look = NULL;
    }
    prefetch_destroy(a->prefetch);
    a->prefetch = NULL;
    leaves_destroy(a->leaves);
    a->leaves = NULL;
}
