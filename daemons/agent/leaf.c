#include "agent/leaf_internal.h"

#include "base/log.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE       "agent"
#define MAX_DEFAULT  1024u
#define AT_ONCE      4u                   /* being made: a rotation of all of them is a trickle */
#define KEEP_NS      (24 * 3600 * MU_SEC) /* without use */
#define KEEP_NONE_NS (10 * MU_SEC)        /* without a certificate: for those who are to hear why */
#define LOOK_NS      (3600 * MU_SEC)      /* clocks are set: no timer is trusted for longer */
#define SPREAD_NS    (30 * MU_SEC)        /* as Consul's caChangeJitterWindow */
#define RETRY_NS     MU_SEC               /* after a failure; then twice as long */
#define RETRY_SHIFTS 6u
#define SOFT_BEGIN   0.6 /* of a life, as Consul's */
#define SOFT_END     0.9

static uint64_t now_of(const struct leaves *l)
{
    return l->config.now_ns ? l->config.now_ns() : loop_now_ns();
}

static int64_t now_unix_s(const struct leaves *l)
{
    int64_t ns = l->config.now_unix_ns ? l->config.now_unix_ns() : loop_now_unix_ns();
    return ns / (int64_t)MU_SEC;
}

/* ---- When ---- */

static void arm(struct leaves *l)
{
    const struct mu__heap_item *first = mu__heap_min(&l->due);
    if (!first || l->under_way >= AT_ONCE) {
        event_del(l->timer);
        return;
    }
    uint64_t now = now_of(l), wait = first->at > now ? first->at - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(wait / MU_SEC),
                         .tv_usec = (suseconds_t)(wait % MU_SEC / MU_USEC + (wait > 0))};
    evtimer_add(l->timer, &tv);
}

void leaf__schedule(struct leaf *x, uint64_t in_ns)
{
    if (!mu__heap_set(&x->all->due, &x->due, now_of(x->all) + in_ns)) {
        abort();
    }
    arm(x->all);
}

/* A moment in the later part of its life, another one for each. */
static void set_renewal(struct leaf *x)
{
    double life = (double)(x->not_after_s - x->not_before_s);
    double share = SOFT_BEGIN + (SOFT_END - SOFT_BEGIN) * mu__prng_unit(&x->all->prng);
    int64_t at = x->not_before_s + (int64_t)(life * share), soonest = now_unix_s(x->all) + 1;
    x->renew_unix_s = at > soonest ? at : soonest;
}

static void sleep_until_renewal(struct leaf *x)
{
    int64_t left = x->renew_unix_s - now_unix_s(x->all);
    uint64_t wait = left > 0 ? (uint64_t)left * MU_SEC : 0;
    leaf__schedule(x, wait < LOOK_NS ? wait : LOOK_NS);
}

void leaf__tell(struct leaves *l)
{
    event_active(l->tell, EV_TIMEOUT, 0);
}

/* ---- One leaf ---- */

void leaf__wiped_free(struct leaf *x)
{
    if (x->cert) {
        mu__wipe(x->cert, x->cert_size);
        mu__free(&mu__malloc_allocator, x->cert);
    }
    free(x->issuer);
    mu__free(&mu__malloc_allocator, x->active);
    x->cert = NULL;
    x->issuer = x->active = NULL;
}

static void drop(struct leaf *x)
{
    struct leaves *l = x->all;
    mu__heap_remove(&l->due, &x->due);
    mu__map_remove(&l->leafs, x->name, x->name_len);
    if (x->order) {
        x->order->arg = NULL; /* it is freed when it comes back */
    }
    leaf__wiped_free(x);
    free(x->error);
    free(x->token);
    free(x);
}

static struct leaf *find(const struct leaves *l, struct mu_str service)
{
    return mu__map_get(&l->leafs, service.p, service.len);
}

/* The one that was not asked for for the longest time gives way. False: all are needed. */
static bool make_room(struct leaves *l)
{
    struct leaf *oldest = NULL;
    size_t at = 0;
    if (l->leafs.count < l->config.max) {
        return true;
    }
    for (struct leaf *x; (x = mu__map_next(&l->leafs, &at)) != NULL;) {
        bool may_go = !x->pinned && x->state == LEAF_RESTS;
        if (may_go && (!oldest || x->used_ns < oldest->used_ns)) {
            oldest = x;
        }
    }
    if (oldest) {
        drop(oldest);
    }
    return oldest != NULL;
}

static void set_token(struct leaf *x, struct mu_str token)
{
    if (x->token && mu__str_eq(mu__cstr(x->token), token)) {
        return;
    }
    free(x->token);
    x->token = strndup(token.p ? token.p : "", token.len);
    if (!x->token) {
        abort();
    }
}

/* NULL: there is no room. */
static struct leaf *make(struct leaves *l, struct mu_str service)
{
    struct leaf *x = make_room(l) ? calloc(1, sizeof *x + service.len + 1) : NULL;
    if (!x) {
        return NULL;
    }
    x->all = l;
    x->due.slot = MU_HEAP_NONE;
    x->name_len = service.len;
    if (service.len) {
        memcpy(x->name, service.p, service.len);
    }
    if (!mu__map_set(&l->leafs, x->name, x->name_len, x, NULL)) {
        free(x);
        return NULL;
    }
    return x;
}

static bool is_good(const struct leaf *x)
{
    return x->cert && !x->is_removed && now_unix_s(x->all) < x->not_after_s;
}

static struct leaf *want(struct leaves *l, struct mu_str service, struct mu_str token)
{
    struct leaf *x = find(l, service);
    x = x ? x : make(l, service);
    if (!x) {
        return NULL;
    }
    set_token(x, token);
    if (x->state == LEAF_RESTS && !is_good(x)) {
        x->is_wanted = true;
        x->renew_unix_s = 0;
        leaf__schedule(x, 0);
    }
    return x;
}

/* ---- What is due ---- */

static void begin(struct leaf *x)
{
    mu__heap_remove(&x->all->due, &x->due);
    x->state = LEAF_ROOTS;
    leaf__roots_want(x->all); /* they are watched while there are leafs */
    if (x->all->roots.reply) {
        leaf__make(x);
    }
}

/* Nobody asked for it for a long time; or it could not be had, and those who wanted it know. */
static bool is_unwanted(const struct leaf *x, uint64_t now)
{
    uint64_t keep = x->cert ? KEEP_NS : KEEP_NONE_NS;
    return !x->pinned && !x->is_wanted && now - x->used_ns >= keep;
}

void leaf__run(struct leaves *l)
{
    uint64_t now = now_of(l);
    leaf__age_roots(l, now, now_unix_s(l));
    for (struct mu__heap_item *i;
         l->under_way < AT_ONCE && (i = mu__heap_min(&l->due)) != NULL && i->at <= now;) {
        struct leaf *x = (void *)((char *)i - offsetof(struct leaf, due));
        if (is_unwanted(x, now)) {
            drop(x);
        } else if (x->cert && now_unix_s(l) < x->renew_unix_s) {
            sleep_until_renewal(x);
        } else {
            begin(x);
        }
    }
    arm(l);
}

/* ---- What has come of it ---- */

static void warn(const struct leaf *x)
{
    if (x->pinned || x->cert) {
        log_warn(MODULE, "no certificate for service %s: %s", x->name, x->error);
    }
}

static void set_error(struct leaf *x, const char *error)
{
    free(x->error);
    x->error = error ? strdup(error) : NULL;
}

/* The servers sign as many as they want to: later, and each at another time. */
static uint64_t retry_in(struct leaf *x, const char *error)
{
    struct mu__prng *prng = &x->all->prng;
    if (strstr(error, "rate limit")) {
        x->refusals += x->refusals < 4;
        return mu__prng_below(prng, SPREAD_NS * x->refusals) + MU_SEC;
    }
    uint64_t wait = RETRY_NS << (x->failures < RETRY_SHIFTS ? x->failures : RETRY_SHIFTS);
    x->failures++;
    return wait + mu__prng_below(prng, wait / 2);
}

void leaf__ended(struct leaf *x, const char *error)
{
    struct leaves *l = x->all;
    x->state = LEAF_RESTS;
    x->is_wanted = false;
    x->attempts++;
    set_error(x, error);
    if (error) {
        l->failed_count++;
        uint64_t wait = retry_in(x, error);
        leaf__schedule(x, x->pinned || x->cert ? wait : KEEP_NONE_NS);
        warn(x);
        leaf__age_failed(x, now_unix_s(l));
    } else {
        log_debug(MODULE, "certificate signed: service=%s", x->name);
        l->signed_count++;
        x->failures = x->refusals = x->told_mark = 0;
        x->is_rotating = false;
        x->signed_ns = now_of(l);
        set_renewal(x);
        sleep_until_renewal(x);
        leaf__judge(x);
    }
    leaf__tell(l);
}

/* ---- Roots ---- */

static bool is_outdated(const struct leaf *x)
{
    const struct catalog_ca_root *active = leaf__active_root(x->all);
    if (!active) {
        return x->is_removed;
    }
    return x->was_trusted ? !mu__str_ieq(active->signing_key_id, mu__cstr(x->issuer))
                          : !mu__str_eq(active->id, mu__cstr(x->active));
}

/* A root that was never seen may be one that this agent is still to hear of. */
void leaf__judge(struct leaf *x)
{
    if (!x->cert || x->state != LEAF_RESTS) {
        return;
    }
    bool listed = leaf__is_issuer(x->all, x->issuer);
    bool was_removed = x->is_removed;
    x->was_trusted = x->was_trusted || listed;
    x->is_removed = x->was_trusted && !listed;
    if (!is_outdated(x)) {
        return;
    }
    if (x->is_removed && !was_removed) {
        x->renew_unix_s = 0;
        leaf__schedule(x, 0);
    } else if (!x->is_rotating) {
        x->is_rotating = true;
        x->renew_unix_s = 0;
        leaf__schedule(x, mu__prng_below(&x->all->prng, SPREAD_NS));
    }
}

void leaf__roots_known(struct leaves *l, const char *error)
{
    size_t at = 0;
    for (struct leaf *x; (x = mu__map_next(&l->leafs, &at)) != NULL;) {
        if (x->state != LEAF_ROOTS) {
            if (!error) {
                leaf__judge(x);
            }
        } else if (error) {
            leaf__ended(x, error);
        } else {
            x->state = LEAF_RESTS;
            leaf__schedule(x, 0);
        }
    }
}

/* ---- Questions ---- */

void leaves_look(struct leaves *l, struct mu_str service, uint64_t attempts, struct leaf_view *out)
{
    const struct leaf *x = find(l, service);
    *out = (struct leaf_view){.attempts = x ? x->attempts : 0};
    if (!x) {
        out->error = "too many certificates are asked for";
    } else if (is_good(x)) {
        out->cert = x->cert;
        out->age_ns = now_of(l) - x->signed_ns;
    } else if (x->error && x->attempts > attempts) {
        snprintf(l->error, sizeof l->error, "%s", x->error);
        out->error = l->error;
    }
}

void leaves_ask(struct leaves *l, struct mu_str service, struct mu_str token, struct leaf_view *out)
{
    struct leaf *x = want(l, service, token);
    if (x) {
        x->used_ns = now_of(l);
    }
    leaves_look(l, service, UINT64_MAX, out);
}

void leaves_pin_begin(struct leaves *l)
{
    size_t at = 0;
    for (struct leaf *x; (x = mu__map_next(&l->leafs, &at)) != NULL;) {
        x->is_named = false;
    }
}

void leaves_pin(struct leaves *l, struct mu_str service, struct mu_str token)
{
    struct leaf *x = want(l, service, token);
    if (x) {
        x->is_named = x->pinned = true;
        x->used_ns = now_of(l);
    }
}

void leaves_pin_end(struct leaves *l)
{
    size_t at = 0;
    for (struct leaf *x; (x = mu__map_next(&l->leafs, &at)) != NULL;) {
        x->pinned = x->is_named;
    }
}

struct leaves_stats leaves_stats(const struct leaves *l)
{
    struct leaves_stats st = {.leafs = l->leafs.count,
                              .under_way = l->under_way,
                              .signed_count = l->signed_count,
                              .failed_count = l->failed_count};
    size_t at = 0;
    for (const struct leaf *x; (x = mu__map_next(&l->leafs, &at)) != NULL;) {
        st.pinned += x->pinned;
    }
    return st;
}

/* ---- All of them ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    leaf__run(arg);
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    struct leaves *l = arg;
    (void)fd, (void)what;
    l->config.changed(l->config.arg);
}

struct leaves *leaves_create(const struct leaves_config *cfg)
{
    struct leaves *l = calloc(1, sizeof *l);
    if (!l) {
        return NULL;
    }
    l->config = *cfg;
    l->config.max = cfg->max ? cfg->max : MAX_DEFAULT;
    mu__prng_seed(&l->prng, cfg->seed);
    mu__map_init(&l->leafs, NULL, mu__prng_next(&l->prng));
    mu__heap_init(&l->due, NULL);
    l->caller = core_caller_create(cfg->core, cfg->front, cfg->backend);
    l->timer = evtimer_new(loop_base(cfg->core), on_timer, l);
    l->tell = event_new(loop_base(cfg->core), -1, 0, on_tell, l);
    if (!l->caller || !l->timer || !l->tell) {
        leaves_destroy(l);
        return NULL;
    }
    return l;
}

void leaves_destroy(struct leaves *l)
{
    if (!l) {
        return;
    }
    core_caller_close(l->caller);
    for (size_t at = 0;;) {
        struct leaf *x = mu__map_next(&l->leafs, &at);
        if (!x) {
            break;
        }
        if (x->state == LEAF_SIGNED) { /* the order is not on its way any more */
            leaf_order_free(x->order);
            x->order = NULL;
        }
        drop(x);
        at = 0;
    }
    leaf_maker_destroy(l->maker);
    leaf__roots_fini(l);
    if (l->timer) {
        event_free(l->timer);
    }
    if (l->tell) {
        event_free(l->tell);
    }
    mu__heap_fini(&l->due);
    mu__map_fini(&l->leafs);
    free(l);
}
