/* keep.c - what an answer of the agent changes, and the state that follows. */
#include "identity.h"

#include <stdio.h>
#include <string.h>

struct identity__material *identity__material_get(struct ca_identity *i)
{
    struct identity__material *m = i->material;
    if (m) {
        atomic_fetch_add_explicit(&m->users, 1, memory_order_relaxed);
    }
    return m;
}

struct identity__trust *identity__trust_get(struct ca_identity *i)
{
    struct identity__trust *t = i->trust;
    if (t) {
        atomic_fetch_add_explicit(&t->users, 1, memory_order_relaxed);
    }
    return t;
}

struct identity__rules *identity__rules_get(struct ca_identity *i)
{
    struct identity__rules *r = i->rules;
    if (r) {
        atomic_fetch_add_explicit(&r->users, 1, memory_order_relaxed);
    }
    return r;
}

static void put_material(struct ca_identity *i, struct identity__material *m)
{
    pthread_mutex_lock(&i->lock);
    struct identity__material *old = i->material;
    i->material = m;
    i->generation++;
    pthread_mutex_unlock(&i->lock);
    identity__material_release(old);
}

static void swap_leaf(struct ca_identity *i, struct identity__leaf *place,
                      struct identity__leaf *leaf)
{
    struct identity__leaf taken = *leaf;
    *leaf = (struct identity__leaf){.count = 0};
    identity__leaf_fini(&i->allocator, place);
    *place = taken;
}

/* The leaf takes effect, or waits for its roots. */
const char *identity__use_leaf(struct ca_identity *i, struct identity__leaf *leaf,
                               struct ca_diag *diag)
{
    if (!i->trust) {
        swap_leaf(i, &i->pending, leaf);
        return NULL;
    }
    struct identity__material *m = identity__material_create(i, leaf, i->trust, false, diag);
    if (!m) {
        swap_leaf(i, &i->pending, leaf);
        return diag->text;
    }
    swap_leaf(i, &i->leaf, leaf);
    identity__leaf_fini(&i->allocator, &i->pending);
    put_material(i, m);
    identity__log(i, MU_INFO, "a new leaf: %s", m->uri);
    return NULL;
}

/* A leaf that has waited for these roots, or the one that serves upon them. */
static const char *rebase(struct ca_identity *i, struct ca_diag *diag)
{
    struct identity__material *m = NULL;
    if (i->pending.count > 0) {
        m = identity__material_create(i, &i->pending, i->trust, false, diag);
        if (m) {
            swap_leaf(i, &i->leaf, &i->pending);
        }
    }
    if (!m && i->leaf.count > 0) {
        m = identity__material_create(i, &i->leaf, i->trust, true, diag);
    }
    if (m) {
        put_material(i, m);
    }
    return m || (i->pending.count == 0 && i->leaf.count == 0) ? NULL : diag->text;
}

const char *identity__use_roots(struct ca_identity *i, struct identity__trust *trust,
                                struct ca_diag *diag)
{
    if (i->trust && identity__trust_same(i->trust, trust)) {
        identity__trust_release(trust);
        return NULL;
    }
    const char *why = identity__trust_ready(trust, i->cfg.session_lifetime_s);
    if (why) {
        identity__trust_release(trust);
        return why;
    }
    trust->epoch = ++i->epoch;
    pthread_mutex_lock(&i->lock);
    struct identity__trust *old = i->trust;
    i->trust = trust;
    i->generation++;
    pthread_mutex_unlock(&i->lock);
    identity__trust_release(old);
    identity__log(i, MU_INFO, "%zu roots of %s", trust->count, trust->trust_domain);
    why = rebase(i, diag);
    identity__decide_again(i);
    return why;
}

const char *identity__use_rules(struct ca_identity *i, struct ca_intentions *table, size_t count,
                                enum ca_action otherwise)
{
    struct identity__rules *r = mu__calloc(&i->allocator, 1, sizeof *r);
    if (!r) {
        ca_intentions_destroy(table);
        return "out of memory";
    }
    *r = (struct identity__rules){
        .allocator = i->allocator, .table = table, .count = count, .otherwise = otherwise};
    atomic_init(&r->users, 1);
    pthread_mutex_lock(&i->lock);
    struct identity__rules *old = i->rules;
    i->rules = r;
    pthread_mutex_unlock(&i->lock);
    identity__rules_release(old);
    identity__decide_again(i);
    return NULL;
}

static enum ca_identity_state judge(struct ca_identity *i, const char **why)
{
    const struct identity__watch *bad = NULL;
    for (size_t n = 0; n < WATCH_COUNT; n++) {
        bad = i->watches[n].failures > 0 ? &i->watches[n] : bad;
    }
    *why = bad ? bad->why : "";
    if (!i->material || !i->trust || !i->rules) {
        return CA_IDENTITY_STARTING;
    }
    if (identity__now(i) > i->material->not_after_unix_s) {
        *why = bad ? bad->why : "the leaf has expired, and the agent has given no other";
        return CA_IDENTITY_EXPIRED;
    }
    if (bad) {
        return CA_IDENTITY_STALE;
    }
    if (!i->material->vouched) {
        *why = "the own leaf is not one of the roots' any more";
        return CA_IDENTITY_STALE;
    }
    return CA_IDENTITY_FRESH;
}

void identity__look(struct ca_identity *i)
{
    const char *why;
    enum ca_identity_state now = judge(i, &why);
    pthread_mutex_lock(&i->lock);
    bool same = now == i->state && strncmp(why, i->told, sizeof i->told - 1) == 0;
    i->state = now;
    pthread_cond_broadcast(&i->changed);
    pthread_mutex_unlock(&i->lock);
    if (same) {
        return;
    }
    snprintf(i->told, sizeof i->told, "%s", why);
    if (i->cfg.state) {
        i->cfg.state(i->cfg.user, now, i->told);
    }
}

bool ca_identity_authorize(struct ca_identity *i, const struct ca_id *source,
                           struct ca_authorization *out)
{
    pthread_mutex_lock(&i->lock);
    struct identity__rules *r = identity__rules_get(i);
    pthread_mutex_unlock(&i->lock);
    if (!r) {
        if (out) {
            *out = (struct ca_authorization){.allowed = false};
        }
        return false;
    }
    bool allowed = ca_authorize(r->table, source, (struct mu_str){NULL, 0},
                                identity__str(i->service), r->otherwise, out);
    identity__rules_release(r);
    return allowed;
}
