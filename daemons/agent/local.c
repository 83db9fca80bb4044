#include "agent/local_internal.h"

#include "agent/sidecar.h"
#include "agent/text.h"
#include "base/log.h"
#include "base/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE               "agent"
#define REAP_INTERVAL_S      30
#define CRITICAL_TIMEOUT_MIN (60 * MU_SEC) /* of deregister_critical_service_after */

void local__touch(struct local *l, struct local_entry *e)
{
    e->in_sync = false;
    e->version++;
    if (l->changed) {
        l->changed(l->arg);
    }
}

/* ---- Look-up ---- */

struct local_service *local_service(const struct local *l, struct mu_str id)
{
    struct local_service *s = mu__map_get(&l->services, id.p, id.len);
    return s && !s->entry.deleted ? s : NULL;
}

struct local_check *local_check(const struct local *l, struct mu_str id)
{
    struct local_check *c = mu__map_get(&l->checks, id.p, id.len);
    return c && !c->entry.deleted ? c : NULL;
}

static void init_entry(struct local_entry *e, struct mu_str id)
{
    *e = (struct local_entry){.id = text_copy(id)};
}

static struct local_service *obtain_service(struct local *l, struct mu_str id)
{
    struct local_service *s = mu__map_get(&l->services, id.p, id.len);
    if (s) {
        return s;
    }
    s = calloc(1, sizeof *s);
    if (!s) {
        abort();
    }
    init_entry(&s->entry, id);
    if (!mu__map_set(&l->services, s->entry.id.p, s->entry.id.len, s, NULL)) {
        abort();
    }
    return s;
}

static struct local_check *obtain_check(struct local *l, struct mu_str id)
{
    struct local_check *c = mu__map_get(&l->checks, id.p, id.len);
    if (c) {
        return c;
    }
    c = calloc(1, sizeof *c);
    if (!c) {
        abort();
    }
    c->local = l;
    init_entry(&c->entry, id);
    if (!mu__map_set(&l->checks, c->entry.id.p, c->entry.id.len, c, NULL)) {
        abort();
    }
    return c;
}

static void put_entry(struct local_entry *e, struct mu_str token, enum local_source source)
{
    struct mu_str before = e->token;
    e->token = text_copy(token);
    text_free(before);
    e->deleted = false;
    e->marked = true;
    e->source = source;
}

static void *clone(enum catalog_type type, const void *record)
{
    void *copy = mu__schema_clone(catalog_schema(type), record, &mu__malloc_allocator);
    if (!copy) {
        abort();
    }
    return copy;
}

/* ---- Status ---- */

/* A change of the output alone may wait: half the interval, and a random part of another, so that
 * agents spread out. */
static void on_defer(evutil_socket_t fd, short what, void *arg)
{
    struct local_check *c = arg;
    (void)fd, (void)what;
    local__touch(c->local, &c->entry);
}

static void defer(struct local_check *c)
{
    struct local *l = c->local;
    uint64_t interval = l->config->check_update_interval_ns;
    if (!c->defer) {
        c->defer = evtimer_new(l->world.base, on_defer, c);
    }
    if (!c->defer || !l->running) {
        local__touch(l, &c->entry);
    } else if (!evtimer_pending(c->defer, NULL)) {
        uint64_t after = interval / 2 + mu__prng_below(&l->prng, interval);
        struct timeval tv = {.tv_sec = (time_t)(after / MU_SEC),
                             .tv_usec = (suseconds_t)(after % MU_SEC / MU_USEC)};
        evtimer_add(c->defer, &tv);
    }
}

void local__set_status(struct local_check *c, enum check_status status, struct mu_str output)
{
    struct local *l = c->local;
    struct mu_str name = check_status_name(status);
    if (l->config->discard_check_output) {
        output.len = 0;
    }
    bool same_status = mu__str_eq(name, c->check->status),
         same_output = mu__str_eq(output, c->check->output);
    if (same_status && same_output) {
        return;
    }
    struct mu_str before = c->output;
    c->output = c->check->output = text_copy(output);
    text_free(before);
    c->check->status = name;
    c->critical_since_ns = status != CHECK_CRITICAL ? 0
                           : c->critical_since_ns   ? c->critical_since_ns
                                                    : loop_now_ns();
    if (same_status && l->config->check_update_interval_ns) {
        defer(c);
    } else {
        local__touch(l, &c->entry);
    }
    local__look_at_aliases(l);
}

static void on_report(void *arg, enum check_status status, struct mu_str output)
{
    struct local_check *c = arg;
    if (status != CHECK_PASSING && !mu__str_eq(check_status_name(status), c->check->status)) {
        log_warn(MODULE, "Check is now %s: check=%.*s",
                 status == CHECK_WARNING ? "warning" : "critical", (int)c->entry.id.len,
                 c->entry.id.p);
    }
    local__set_status(c, status, output);
    if (check_is_ttl(c->runner)) {
        local__save_state(c->local, c);
    }
}

static bool is_alias(const struct local_check *c)
{
    return c->type && mu__str_eq(check_type_name(c->type), mu__cstr("alias"));
}

void local__start_check(struct local_check *c)
{
    struct local *l = c->local;
    if (!l->running || !c->type || c->runner) {
        return;
    }
    if (is_alias(c)) {
        local__start_alias(c);
        return;
    }
    c->runner =
        check_create(&l->world, c->type, check_status_parse(c->check->status), on_report, c);
    if (!c->runner) {
        log_error(MODULE, "out of memory: check %.*s does not run", (int)c->entry.id.len,
                  c->entry.id.p);
    } else if (c->ttl_deadline_ns && check_is_ttl(c->runner)) {
        check_ttl_set_deadline(c->runner, c->ttl_deadline_ns);
    }
    c->ttl_deadline_ns = 0;
}

void local__stop_check(struct local_check *c)
{
    check_destroy(c->runner);
    c->runner = NULL;
    local__stop_alias(c);
    if (c->defer) {
        event_free(c->defer);
        c->defer = NULL;
    }
}

/* ---- Entries come and go ---- */

static void clear_check(struct local_check *c)
{
    local__stop_check(c);
    c->local->naliases -= is_alias(c);
    mu__free(&mu__malloc_allocator, c->check);
    mu__free(&mu__malloc_allocator, c->type);
    text_free(c->output);
    c->check = NULL;
    c->type = NULL;
    c->output = (struct mu_str){NULL, 0};
    c->critical_since_ns = 0;
}

/* What a check that is registered again takes over from the one before. */
struct kept {
    enum check_status status;
    struct mu_str output; /* own copy */
    uint64_t critical_since_ns;
    struct check *runner; /* NULL: another one is to be started */
};

static struct kept keep(struct local_check *c, const struct catalog_check *check,
                        const struct catalog_check_type *type)
{
    const struct catalog_check *from = c->check ? c->check : check;
    struct kept k = {.status = check_status_parse(from->status), .output = text_copy(from->output)};
    if (k.status == CHECK_CRITICAL) {
        k.critical_since_ns = c->critical_since_ns ? c->critical_since_ns : loop_now_ns();
    }
    if (type && c->type && mu__schema_equal(catalog_schema(CATALOG_CHECK_TYPE), c->type, type)) {
        k.runner = c->runner;
        c->runner = NULL;
    }
    return k;
}

struct local_check *local__put_check(struct local *l, const struct catalog_check *check,
                                     const struct catalog_check_type *type, struct mu_str token,
                                     enum local_source source)
{
    struct local_check *c = obtain_check(l, check->check_id);
    struct catalog_check *copy = clone(CATALOG_CHECK, check);
    struct catalog_check_type *type_copy = type ? clone(CATALOG_CHECK_TYPE, type) : NULL;
    struct kept k = keep(c, check, type);
    clear_check(c);
    c->check = copy;
    c->type = type_copy;
    c->runner = k.runner;
    c->output = k.output;
    c->check->output = k.output;
    c->check->status = check_status_name(k.status);
    c->critical_since_ns = k.critical_since_ns;
    l->naliases += is_alias(c);
    put_entry(&c->entry, token, source);
    local__start_check(c);
    local__touch(l, &c->entry);
    local__look_at_aliases(l);
    return c;
}

void local__delete_check(struct local *l, struct local_check *c)
{
    if (c->entry.source == SOURCE_REMOTE) {
        persist_remove(l->persist, PERSIST_CHECKS, c->entry.id);
    }
    if (c->runner && check_is_ttl(c->runner)) {
        persist_remove(l->persist, PERSIST_CHECK_STATES, c->entry.id);
    }
    local__leave_unsaved(c);
    clear_check(c);
    c->entry.deleted = true;
    local__touch(l, &c->entry);
    local__look_at_aliases(l);
}

void local_remove_check(struct local *l, struct mu_str id)
{
    struct local_check *c = local_check(l, id);
    if (c) {
        local__delete_check(l, c);
        log_debug(MODULE, "removed check: check=%.*s", (int)id.len, id.p);
    }
}

/* Removes the checks of a service; with keep, only those that it does not list. */
void local__remove_checks_of(struct local *l, struct mu_str service, const struct mu_str *keep,
                             size_t nkeep)
{
    size_t at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        bool kept = c->entry.deleted || !mu__str_eq(c->check->service_id, service) || !service.len;
        for (size_t i = 0; i < nkeep && !kept; i++) {
            kept = mu__str_eq(keep[i], c->entry.id);
        }
        if (!kept) {
            local__delete_check(l, c);
        }
    }
}

static void remove_one(struct local *l, struct local_service *s)
{
    struct mu_str id = s->entry.id;
    log_debug(MODULE, "removed service: service=%.*s", (int)id.len, id.p);
    /* Its file goes first: checks without a service are dropped at the next start, but a service
     * without its checks would pass for healthy. */
    if (s->entry.source == SOURCE_REMOTE) {
        persist_remove(l->persist, PERSIST_SERVICES, s->entry.id);
    }
    local__remove_checks_of(l, s->entry.id, NULL, 0);
    mu__free(&mu__malloc_allocator, s->service);
    s->service = NULL;
    s->entry.deleted = true;
    l->services_version++;
    local__touch(l, &s->entry);
}

/* A service of the same ID that was registered by itself is nobody's sidecar. */
static struct local_service *find_sidecar(const struct local *l, struct mu_str id)
{
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    struct local_service *s = local_service(l, sidecar_id(id, &a));
    mu__arena_fini(&a);
    return s && s->service->locally_registered_as_sidecar ? s : NULL;
}

void local_remove_service(struct local *l, struct mu_str id)
{
    /* A sidecar may have one in turn: those are named so. */
    for (struct local_service *s = local_service(l, id); s;) {
        struct local_service *next = find_sidecar(l, s->entry.id);
        remove_one(l, s);
        s = next;
    }
}

struct local_service *local__put_service(struct local *l,
                                         const struct catalog_node_service *service,
                                         struct mu_str token, enum local_source source)
{
    struct local_service *s = obtain_service(l, service->id);
    struct catalog_node_service *copy = clone(CATALOG_NODE_SERVICE, service);
    mu__free(&mu__malloc_allocator, s->service);
    s->service = copy;
    l->services_version++;
    put_entry(&s->entry, token, source);
    local__touch(l, &s->entry);
    return s;
}

void local_forget_service(struct local *l, struct local_service *s)
{
    mu__map_remove(&l->services, s->entry.id.p, s->entry.id.len);
    mu__free(&mu__malloc_allocator, s->service);
    text_free(s->entry.id);
    text_free(s->entry.token);
    free(s);
}

void local_forget_check(struct local *l, struct local_check *c)
{
    mu__map_remove(&l->checks, c->entry.id.p, c->entry.id.len);
    local__leave_unsaved(c);
    clear_check(c);
    text_free(c->entry.id);
    text_free(c->entry.token);
    free(c);
}

struct local_service *local_ghost_service(struct local *l, struct mu_str id)
{
    struct local_service *s = obtain_service(l, id);
    s->entry.deleted = true;
    s->entry.in_sync = false;
    return s;
}

struct local_check *local_ghost_check(struct local *l, struct mu_str id)
{
    struct local_check *c = obtain_check(l, id);
    c->entry.deleted = true;
    c->entry.in_sync = false;
    return c;
}

/* ---- The reaper ---- */

static bool is_overdue(const struct local_check *c, uint64_t now)
{
    if (c->entry.deleted || !c->type || !c->critical_since_ns ||
        c->type->deregister_critical_service_after_ns <= 0 || !c->check->service_id.len) {
        return false;
    }
    uint64_t limit =
        mu__max((uint64_t)c->type->deregister_critical_service_after_ns, CRITICAL_TIMEOUT_MIN);
    return now - c->critical_since_ns > limit;
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
    struct local *l = arg;
    uint64_t now = loop_now_ns();
    size_t at = 0;
    (void)fd, (void)what;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (is_overdue(c, now)) {
            log_info(MODULE,
                     "Check for service has been critical for too long; deregistering service: "
                     "service=%.*s check=%.*s",
                     (int)c->check->service_id.len, c->check->service_id.p, (int)c->entry.id.len,
                     c->entry.id.p);
            const struct local_service *s = local_service(l, c->check->service_id);
            if (s) {
                local_remove_service(l, s->entry.id); /* c goes with it */
            }
        }
    }
}

/* ---- Life ---- */

static void on_realias(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    local__update_aliases(arg);
}

void local__look_at_aliases(struct local *l)
{
    if (l->naliases && l->running) {
        event_active(l->realias, EV_TIMEOUT, 0);
    }
}

/* As Consul has it: whose certificates are expected to name one server. */
static struct check__tls_options tls_options(const struct config *c)
{
    struct mu_str name = c->checks_tls.server_name.len ? c->checks_tls.server_name : c->node_name;
    if (!c->checks_tls.enabled) {
        return (struct check__tls_options){.ca_file = NULL};
    }
    return (struct check__tls_options){.ca_file = c->checks_tls.ca_file.p,
                                       .ca_path = c->checks_tls.ca_path.p,
                                       .cert_file = c->checks_tls.cert_file.p,
                                       .key_file = c->checks_tls.key_file.p,
                                       .server_name = name.p};
}

void local_set_config(struct local *l, const struct config *config)
{
    l->config = config;
    l->node = config->node_name;
    l->world.tls_options = tls_options(config);
}

bool local_init(struct local *l, const struct config *config, struct event_base *base,
                uint64_t seed)
{
    memset(l, 0, sizeof *l);
    mu__prng_seed(&l->prng, seed);
    l->world = (struct check_world){
        .base = base,
        .prng = &l->prng,
        .output_max = (size_t)config->check_output_max_size,
        .docker_host = getenv("DOCKER_HOST"),
    };
    local_set_config(l, config);
    mu__map_init(&l->services, NULL, mu__prng_next(&l->prng));
    mu__map_init(&l->checks, NULL, mu__prng_next(&l->prng));
    l->realias = event_new(base, -1, 0, on_realias, l);
    l->reap = event_new(base, -1, EV_PERSIST, on_reap, l);
    l->save = evtimer_new(base, local__on_save, l);
    return l->realias && l->reap && l->save;
}

void local_set_backend(struct local *l, struct loop *core, struct loop *front,
                       struct call_backend *backend)
{
    l->core = core;
    l->front = front;
    l->backend = backend;
}

void local_start(struct local *l)
{
    struct timeval tv = {.tv_sec = REAP_INTERVAL_S};
    size_t at = 0;
    l->running = true;
    event_add(l->reap, &tv);
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        local__start_check(c);
    }
    local__look_at_aliases(l);
}

static void free_events(struct local *l)
{
    if (l->realias) {
        event_free(l->realias);
    }
    if (l->reap) {
        event_free(l->reap);
    }
    if (l->save) {
        event_free(l->save);
    }
    l->realias = l->reap = l->save = NULL;
}

void local_stop(struct local *l)
{
    size_t at = 0;
    l->running = false;
    local__write_states(l, SIZE_MAX);
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        local__stop_check(c);
    }
    free_events(l);
    check_world_fini(&l->world);
}

void local_fini(struct local *l)
{
    size_t at = 0;
    for (struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        local_forget_service(l, s);
    }
    at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        local_forget_check(l, c);
    }
    free_events(l);
    mu__map_fini(&l->services);
    mu__map_fini(&l->checks);
}
