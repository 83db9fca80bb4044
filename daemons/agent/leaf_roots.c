/* leaf_roots.c - which roots are trusted: one question that waits in the agent's cache. */
#include "agent/leaf_internal.h"

#include "rpc/endpoints.h"

#include <muster/catalog_types.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MIN_NS MU_SEC /* after a failure; then twice as long */
#define AGAIN_SHIFTS 6u

static void ask(struct leaves *l);

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct leaves *l = arg;
    (void)fd, (void)what;
    if (l->leafs.count > 0) {
        ask(l);
    }
}

static void ask_later(struct leaves *l)
{
    struct leaf_roots *r = &l->roots;
    unsigned shifts = r->failures < AGAIN_SHIFTS ? r->failures : AGAIN_SHIFTS;
    uint64_t wait = AGAIN_MIN_NS << shifts;
    wait += mu__prng_below(&l->prng, wait / 2);
    struct timeval tv = {.tv_sec = (time_t)(wait / MU_SEC),
                         .tv_usec = (suseconds_t)(wait % MU_SEC / MU_USEC)};
    evtimer_add(r->again, &tv);
}

static bool take(struct leaf_roots *r, const struct catalog_indexed_ca_roots *reply)
{
    void *copy =
        mu__schema_clone(catalog_schema(CATALOG_INDEXED_CA_ROOTS), reply, &mu__malloc_allocator);
    if (copy) {
        mu__free(&mu__malloc_allocator, r->reply);
        r->reply = copy;
        r->looked_ns = 0;
    }
    return copy != NULL;
}

static void on_answer(void *arg, const char *error, const void *reply)
{
    struct leaves *l = arg;
    struct leaf_roots *r = &l->roots;
    const struct catalog_indexed_ca_roots *roots = reply;
    r->asked = false;
    if (!error && !roots->trust_domain.len) {
        error = "cluster has no CA bootstrapped yet";
    }
    if (!error && !take(r, roots)) {
        error = "out of memory";
    }
    if (error) {
        r->failures++;
        ask_later(l);
    } else {
        r->failures = 0;
    }
    leaf__roots_known(l, error);
    if (!error && l->leafs.count > 0) {
        ask(l); /* for what comes next */
    }
}

static void ask(struct leaves *l)
{
    struct leaf_roots *r = &l->roots;
    if (r->asked) {
        return;
    }
    struct call *c =
        core_call_create(l->caller, &endpoints[ENDPOINT_CONNECT_CA_ROOTS], on_answer, l);
    if (!c) {
        ask_later(l);
        return;
    }
    struct catalog_dc_request *q = c->request;
    q->datacenter = l->config.datacenter;
    q->options.use_cache = true;
    q->options.min_query_index = r->reply ? r->reply->meta.index : 0;
    c->may_cache = true;
    r->asked = true;
    core_call_start(c);
}

void leaf__roots_want(struct leaves *l)
{
    if (!l->roots.again) {
        l->roots.again = evtimer_new(loop_base(l->config.core), on_again, l);
    }
    if (!l->roots.again) {
        abort();
    }
    ask(l);
}

void leaf__roots_fini(struct leaves *l)
{
    if (l->roots.again) {
        event_free(l->roots.again);
    }
    mu__free(&mu__malloc_allocator, l->roots.told_id);
    mu__free(&mu__malloc_allocator, l->roots.reply);
}

const struct catalog_ca_root *leaf__active_root(const struct leaves *l)
{
    const struct catalog_indexed_ca_roots *r = l->roots.reply;
    for (size_t i = 0; r && i < r->roots.len; i++) {
        const struct catalog_ca_root *root = r->roots.items[i];
        if (mu__str_eq(root->id, r->active_root_id)) {
            return root;
        }
    }
    return NULL;
}

bool leaf__is_issuer(const struct leaves *l, const char *key_id)
{
    const struct catalog_indexed_ca_roots *r = l->roots.reply;
    for (size_t i = 0; r && i < r->roots.len; i++) {
        const struct catalog_ca_root *root = r->roots.items[i];
        if (mu__str_ieq(root->signing_key_id, mu__cstr(key_id))) {
            return true;
        }
    }
    return false;
}
