#include "agent/local_internal.h"

#include "agent/definitions.h"
#include "base/log.h"
#include "base/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE                "agent"
#define REAP_INTERVAL_S       30
#define CRITICAL_TIMEOUT_MIN  (60 * MU_SEC) /* of deregister_critical_service_after */

struct mu_str local__copy(struct mu_str s)
{
    char *p = malloc(s.len + 1);
    if (!p) {
        abort();
    }
    if (s.len) {
        memcpy(p, s.p, s.len);
    }
    p[s.len] = 0;
    return (struct mu_str){p, s.len};
}

static void free_text(struct mu_str s)
{
    union {
        const char *in;
        char *out;
    } p = {.in = s.p};
    free(p.out);
}

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
    *e = (struct local_entry){.id = local__copy(id)};
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

static void set_token(struct local_entry *e, struct mu_str token)
{
    free_text(e->token);
    e->token = local__copy(token);
}

/* ---- Status ---- */

/* A change of the output alone may wait: half the interval, and a random part of another, so that agents spread out. */
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
        struct timeval tv = {.tv_sec = (time_t)(after / MU_SEC), .tv_usec = (suseconds_t)(after % MU_SEC / MU_USEC)};
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
    bool same_status = mu__str_eq(name, c->check->status), same_output = mu__str_eq(output, c->check->output);
    if (same_status && same_output) {
        return;
    }
    char *before = c->output;
    struct mu_str copy = local__copy(output);
    c->check->output = copy;
    c->output = (char *)(uintptr_t)copy.p;
    free(before);
    c->check->status = name;
    c->critical_since_ns = status != CHECK_CRITICAL ? 0 : c->critical_since_ns ? c->critical_since_ns : loop_now_ns();
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
        log_warn(MODULE, "Check is now %s: check=%.*s", status == CHECK_WARNING ? "warning" : "critical",
                 (int)c->entry.id.len, c->entry.id.p);
    }
    local__set_status(c, status, output);
    if (check_is_ttl(c->runner)) {
        local__save_state(c->local, c);
    }
}

void local__start_check(struct local_check *c)
{
    struct local *l = c->local;
    if (!l->running || !c->type || c->runner || mu__str_eq(check_type_name(c->type), mu__cstr("alias"))) {
        return;
    }
    c->runner = check_create(&l->world, c->type, on_report, c);
    if (!c->runner) {
        log_error(MODULE, "out of memory: check %.*s does not run", (int)c->entry.id.len, c->entry.id.p);
    } else if (c->ttl_deadline_ns && check_is_ttl(c->runner)) {
        check_ttl_set_deadline(c->runner, c->ttl_deadline_ns);
    }
    c->ttl_deadline_ns = 0;
}

void local__stop_check(struct local_check *c)
{
    check_destroy(c->runner);
    c->runner = NULL;
    if (c->defer) {
        event_free(c->defer);
        c->defer = NULL;
    }
}

/* ---- Entries come and go ---- */

static bool is_alias(const struct local_check *c)
{
    return c->type && mu__str_eq(check_type_name(c->type), mu__cstr("alias"));
}

static void clear_check(struct local_check *c)
{
    local__stop_check(c);
    c->local->naliases -= is_alias(c);
    mu__free(&mu__malloc_allocator, c->check);
    mu__free(&mu__malloc_allocator, c->type);
    free(c->output);
    c->check = NULL;
    c->type = NULL;
    c->output = NULL;
    c->critical_since_ns = 0;
}

/* Puts a check in place; check and type are cloned. The state that one of the same ID had stays, so that registering
 * again does not flap; a runner for the same type goes on with its counters. */
static bool put_check(struct local *l, const struct catalog_check *check, const struct catalog_check_type *type,
                      struct mu_str token, enum local_source source, struct local_check **out)
{
    struct catalog_check *copy = mu__schema_clone(catalog_schema(CATALOG_CHECK), check, &mu__malloc_allocator);
    struct catalog_check_type *type_copy =
        type ? mu__schema_clone(catalog_schema(CATALOG_CHECK_TYPE), type, &mu__malloc_allocator) : NULL;
    if (!copy || (type && !type_copy)) {
        mu__free(&mu__malloc_allocator, copy);
        mu__free(&mu__malloc_allocator, type_copy);
        return false;
    }
    struct local_check *c = obtain_check(l, check->check_id);
    bool known = c->check != NULL;
    enum check_status status = check_status_parse(known ? c->check->status : check->status);
    struct mu_str output = local__copy(known ? c->check->output : check->output);
    uint64_t since = c->critical_since_ns;
    bool same = known && type && c->type && mu__schema_equal(catalog_schema(CATALOG_CHECK_TYPE), c->type, type);
    struct check *runner = same ? c->runner : NULL;
    c->runner = same ? NULL : c->runner;
    clear_check(c);
    c->check = copy;
    c->type = type_copy;
    c->runner = runner;
    c->output = (char *)(uintptr_t)output.p;
    copy->output = output;
    copy->status = check_status_name(status);
    c->critical_since_ns = status != CHECK_CRITICAL ? 0 : since ? since : loop_now_ns();
    l->naliases += is_alias(c);
    c->entry.deleted = false;
    c->entry.marked = true;
    c->entry.source = source;
    set_token(&c->entry, token);
    local__start_check(c);
    local__touch(l, &c->entry);
    local__look_at_aliases(l);
    *out = c;
    return true;
}

static void delete_check(struct local *l, struct local_check *c)
{
    if (c->entry.source == SOURCE_REMOTE) {
        persist_remove(l->persist, PERSIST_CHECKS, c->entry.id);
    }
    if (c->runner && check_is_ttl(c->runner)) {
        persist_remove(l->persist, PERSIST_CHECK_STATES, c->entry.id);
    }
    clear_check(c);
    c->entry.deleted = true;
    local__touch(l, &c->entry);
    local__look_at_aliases(l);
}

void local_remove_check(struct local *l, struct mu_str id)
{
    struct local_check *c = local_check(l, id);
    if (c) {
        delete_check(l, c);
        log_debug(MODULE, "removed check: check=%.*s", (int)id.len, id.p);
    }
}

/* Removes the checks of a service; with keep, only those that it does not list. */
static void remove_checks_of(struct local *l, struct mu_str service, const struct mu_str *keep, size_t nkeep)
{
    size_t at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        bool kept = c->entry.deleted || !mu__str_eq(c->check->service_id, service) || !service.len;
        for (size_t i = 0; i < nkeep && !kept; i++) {
            kept = mu__str_eq(keep[i], c->entry.id);
        }
        if (!kept) {
            delete_check(l, c);
        }
    }
}

void local_remove_service(struct local *l, struct mu_str id)
{
    struct local_service *s = local_service(l, id);
    if (!s) {
        return;
    }
    log_info(MODULE, "Deregistered service: service=%.*s", (int)id.len, id.p);
    remove_checks_of(l, s->entry.id, NULL, 0);
    if (s->entry.source == SOURCE_REMOTE) {
        persist_remove(l->persist, PERSIST_SERVICES, s->entry.id);
    }
    mu__free(&mu__malloc_allocator, s->service);
    s->service = NULL;
    s->entry.deleted = true;
    local__touch(l, &s->entry);
}

static bool put_service(struct local *l, const struct catalog_node_service *service, struct mu_str token,
                        enum local_source source, struct local_service **out)
{
    struct catalog_node_service *copy =
        mu__schema_clone(catalog_schema(CATALOG_NODE_SERVICE), service, &mu__malloc_allocator);
    if (!copy) {
        return false;
    }
    struct local_service *s = obtain_service(l, service->id);
    mu__free(&mu__malloc_allocator, s->service);
    s->service = copy;
    s->entry.deleted = false;
    s->entry.marked = true;
    s->entry.source = source;
    set_token(&s->entry, token);
    local__touch(l, &s->entry);
    *out = s;
    return true;
}

void local_forget_service(struct local *l, struct local_service *s)
{
    mu__map_remove(&l->services, s->entry.id.p, s->entry.id.len);
    mu__free(&mu__malloc_allocator, s->service);
    free_text(s->entry.id);
    free_text(s->entry.token);
    free(s);
}

void local_forget_check(struct local *l, struct local_check *c)
{
    mu__map_remove(&l->checks, c->entry.id.p, c->entry.id.len);
    clear_check(c);
    free_text(c->entry.id);
    free_text(c->entry.token);
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

/* ---- Registration ---- */

static const char *scripts_refused(const struct local *l, enum local_source source)
{
    if (source == SOURCE_REMOTE && !l->config->enable_script_checks) {
        return "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true";
    }
    if (source == SOURCE_FILE && !l->config->enable_local_script_checks) {
        return "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or "
               "'enable_local_script_checks' to true";
    }
    return NULL;
}

static struct mu_str print(struct mu__arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static struct mu_str print(struct mu__arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *p = mu__arena_alloc(a, (size_t)n + 1);
    if (!p) {
        abort();
    }
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return (struct mu_str){p, (size_t)n};
}

static const struct mu_strs no_tags = {.items = (struct mu_str[1]){{NULL, 0}}, .len = 0};

/* Go's empty list where nothing was given: what the catalog and the API show. */
static struct mu_strs tags_or_empty(struct mu_strs tags)
{
    return tags.items ? tags : no_tags;
}

static struct catalog_node_service node_service(const struct catalog_service_definition *d)
{
    struct catalog_node_service s = {
        .kind = d->kind,
        .id = d->id,
        .service = d->name,
        .tags = tags_or_empty(d->tags),
        .address = d->address,
        .tagged_addresses = d->tagged_addresses,
        .meta = d->meta,
        .port = d->port,
        .weights = d->weights,
        .enable_tag_override = d->enable_tag_override,
    };
    if (d->proxy) {
        s.proxy = *d->proxy;
    }
    s.connect.native = d->connect && d->connect->native;
    return s;
}

/* The check that a type makes; number counts from 1, or is 0 for a single one. */
static struct catalog_check check_of_service(const struct local *l, const struct catalog_service_definition *d,
                                             const struct catalog_check_type *t, size_t number, struct mu__arena *a)
{
    int n = (int)d->id.len;
    struct mu_str id = t->check_id;
    if (!id.len) {
        id = number ? print(a, "service:%.*s:%zu", n, d->id.p, number) : print(a, "service:%.*s", n, d->id.p);
    }
    return (struct catalog_check){
        .node = l->node,
        .check_id = id,
        .name = t->name.len ? t->name : print(a, "Service '%.*s' check", (int)d->name.len, d->name.p),
        .status = t->status.len ? t->status : mu__cstr("critical"),
        .notes = t->notes,
        .service_id = d->id,
        .service_name = d->name,
        .service_tags = tags_or_empty(d->tags),
        .type = check_type_name(t),
    };
}

static void add_service_check(struct local *l, const struct catalog_check *check, const struct catalog_check_type *t,
                              struct mu_str token, enum local_source source)
{
    struct local_check *c;
    if (!put_check(l, check, t, token, source, &c)) {
        abort();
    }
    if (source == SOURCE_REMOTE) {
        local__save_check(l, c);
    }
}

bool local_add_service(struct local *l, const struct catalog_service_definition *given, struct mu_str token,
                       bool replace_checks, enum local_source source, char *err, size_t errlen)
{
    struct mu__arena a;
    struct catalog_service_definition d = *given;
    struct local_service *s;
    bool ok = false;
    mu__arena_init(&a, NULL, 0);
    size_t n = definition_checks(&d, NULL, 0);
    const struct catalog_check_type **types = mu__arena_calloc(&a, n + 1, sizeof *types);
    struct mu_str *ids = mu__arena_calloc(&a, n + 1, sizeof *ids);
    if (!types || !ids || !definition_tag_addresses(&d, &a, err, errlen)) {
        goto out;
    }
    definition_checks(&d, types, n);
    for (size_t i = 0; i < n; i++) {
        const char *why = types[i]->script_args.len ? scripts_refused(l, source) : NULL;
        if (why) {
            snprintf(err, errlen, "%s", why);
            goto out;
        }
    }
    struct catalog_node_service service = node_service(&d);
    if (d.token.len) {
        token = d.token;
    }
    if (!put_service(l, &service, token, source, &s)) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        struct catalog_check check = check_of_service(l, &d, types[i], n > 1 ? i + 1 : 0, &a);
        ids[i] = check.check_id;
        add_service_check(l, &check, types[i], token, source);
    }
    if (replace_checks) {
        remove_checks_of(l, s->entry.id, ids, n);
    }
    if (source == SOURCE_REMOTE) {
        local__save_service(l, s);
    }
    ok = true;
out:
    mu__arena_fini(&a);
    return ok;
}

bool local_add_check(struct local *l, const struct agent_check_definition *d, struct mu_str token,
                     enum local_source source, char *err, size_t errlen)
{
    const struct catalog_check_type *t = &d->type;
    const struct local_service *s = d->service_id.len ? local_service(l, d->service_id) : NULL;
    struct local_check *c;
    if (d->service_id.len && !s) {
        snprintf(err, errlen, "ServiceID \"%.*s\" does not exist", (int)d->service_id.len, d->service_id.p);
        return false;
    }
    const char *why = t->script_args.len ? scripts_refused(l, source) : NULL;
    if (why) {
        snprintf(err, errlen, "%s", why);
        return false;
    }
    struct catalog_check check = {
        .node = l->node,
        .check_id = t->check_id,
        .name = t->name,
        .status = t->status.len ? t->status : mu__cstr("critical"),
        .notes = t->notes,
        .service_id = d->service_id,
        .service_tags = s ? tags_or_empty(s->service->tags) : no_tags,
        .service_name = s ? s->service->service : mu__cstr(""),
        .type = check_type_name(t),
    };
    if (!put_check(l, &check, t, d->token.len ? d->token : token, source, &c)) {
        abort();
    }
    if (source == SOURCE_REMOTE) {
        local__save_check(l, c);
    }
    return true;
}

bool local__restore_service(struct local *l, const struct catalog_node_service *service, struct mu_str token)
{
    struct local_service *s;
    return put_service(l, service, token, SOURCE_REMOTE, &s);
}

bool local__restore_check(struct local *l, const struct catalog_check *check, const struct catalog_check_type *type,
                          struct mu_str token)
{
    struct local_check *c;
    return put_check(l, check, type, token, SOURCE_REMOTE, &c);
}

/* ---- Reports and maintenance ---- */

bool local_update_check(struct local *l, struct mu_str id, enum check_status status, struct mu_str output, char *err,
                        size_t errlen)
{
    struct local_check *c = local_check(l, id);
    if (!c || !c->runner || !check_is_ttl(c->runner)) {
        snprintf(err, errlen, "CheckID \"%.*s\" does not have associated TTL", (int)id.len, id.p);
        return false;
    }
    size_t max = (size_t)l->config->check_output_max_size;
    if (c->type->output_max_size > 0) {
        max = mu__min(max, (size_t)c->type->output_max_size);
    }
    struct mu__arena a;
    mu__arena_init(&a, NULL, 0);
    if (output.len > max) {
        output = print(&a, "%.*s ... (captured %zu of %zu bytes)", (int)max, output.p, max, output.len);
    }
    check_ttl_reset(c->runner, output);
    local__set_status(c, status, output);
    local__save_state(l, c);
    mu__arena_fini(&a);
    return true;
}

bool local_set_maintenance(struct local *l, struct mu_str service, bool enable, struct mu_str reason, struct mu_str token,
                           char *err, size_t errlen)
{
    const struct local_service *s = service.len ? local_service(l, service) : NULL;
    struct mu__arena a;
    struct local_check *c;
    if (service.len && !s) {
        snprintf(err, errlen, "No service registered with ID \"%.*s\"", (int)service.len, service.p);
        return false;
    }
    mu__arena_init(&a, NULL, 0);
    struct mu_str id = s ? print(&a, "_service_maintenance:%.*s", (int)service.len, service.p)
                         : mu__cstr("_node_maintenance");
    struct catalog_check check = {
        .node = l->node,
        .check_id = id,
        .name = mu__cstr(s ? "Service Maintenance Mode" : "Node Maintenance Mode"),
        .status = mu__cstr("critical"),
        .notes = reason.len ? reason
                            : print(&a, "Maintenance mode is enabled for this %s, but no reason was provided. This is a "
                                        "default message.", s ? "service" : "node"),
        .service_id = service,
        .service_name = s ? s->service->service : mu__cstr(""),
        .service_tags = s ? tags_or_empty(s->service->tags) : no_tags,
        .type = mu__cstr("maintenance"),
    };
    if (!enable) {
        local_remove_check(l, id);
    } else if (!local_check(l, id)) { /* maintenance is not entered twice */
        if (!put_check(l, &check, NULL, token, SOURCE_REMOTE, &c)) {
            abort();
        }
        local__save_check(l, c);
    }
    mu__arena_fini(&a);
    return true;
}

/* ---- Reload ---- */

void local_unmark_files(struct local *l)
{
    size_t at = 0;
    for (struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        s->entry.marked = s->entry.source != SOURCE_FILE;
    }
    at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        c->entry.marked = c->entry.source != SOURCE_FILE;
    }
}

void local_sweep_files(struct local *l)
{
    size_t at = 0;
    for (struct local_service *s; (s = mu__map_next(&l->services, &at));) {
        if (!s->entry.marked && !s->entry.deleted) {
            local_remove_service(l, s->entry.id);
        }
    }
    at = 0;
    for (struct local_check *c; (c = mu__map_next(&l->checks, &at));) {
        if (!c->entry.marked && !c->entry.deleted) {
            delete_check(l, c);
        }
    }
}

/* ---- The reaper ---- */

static bool is_overdue(const struct local_check *c, uint64_t now)
{
    if (c->entry.deleted || !c->type || !c->critical_since_ns || c->type->deregister_critical_service_after_ns <= 0 ||
        !c->check->service_id.len) {
        return false;
    }
    uint64_t limit = mu__max((uint64_t)c->type->deregister_critical_service_after_ns, CRITICAL_TIMEOUT_MIN);
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
            log_info(MODULE, "Check for service has been critical for too long; deregistering service: service=%.*s check=%.*s",
                     (int)c->check->service_id.len, c->check->service_id.p, (int)c->entry.id.len, c->entry.id.p);
            struct mu_str id = local__copy(c->check->service_id); /* the check goes with the service */
            local_remove_service(l, id);
            free_text(id);
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

bool local_init(struct local *l, const struct config *config, struct event_base *base, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    l->config = config;
    l->node = config->node_name;
    mu__prng_seed(&l->prng, seed);
    l->world = (struct check_world){.base = base, .prng = &l->prng, .output_max = (size_t)config->check_output_max_size};
    mu__map_init(&l->services, NULL, mu__prng_next(&l->prng));
    mu__map_init(&l->checks, NULL, mu__prng_next(&l->prng));
    l->realias = event_new(base, -1, 0, on_realias, l);
    l->reap = event_new(base, -1, EV_PERSIST, on_reap, l);
    return l->realias && l->reap;
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
    l->realias = l->reap = NULL;
}

void local_stop(struct local *l)
{
    size_t at = 0;
    l->running = false;
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
