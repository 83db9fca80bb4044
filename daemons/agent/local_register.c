/* What the API and configuration files register: from definitions to entries of local state. */
#include "agent/local_internal.h"

#include "agent/definitions.h"
#include "agent/sidecar.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Registration ---- */

static const char *scripts_refused(const struct local *l, enum local_source source)
{
    if (source == SOURCE_REMOTE && !l->config->enable_script_checks) {
        return "Scripts are disabled on this agent from remote calls; to enable, configure "
               "'enable_script_checks' to true";
    }
    if (source == SOURCE_FILE && !l->config->enable_local_script_checks) {
        return "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or "
               "'enable_local_script_checks' to true";
    }
    return NULL;
}

struct mu_str local__print(struct mu__arena *a, const char *fmt, ...)
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
static struct catalog_check check_of_service(const struct local *l,
                                             const struct catalog_service_definition *d,
                                             const struct catalog_check_type *t, size_t number,
                                             struct mu__arena *a)
{
    int n = (int)d->id.len;
    struct mu_str id = t->check_id;
    if (!id.len) {
        id = number ? local__print(a, "service:%.*s:%zu", n, d->id.p, number)
                    : local__print(a, "service:%.*s", n, d->id.p);
    }
    return (struct catalog_check){
        .node = l->node,
        .check_id = id,
        .name = t->name.len ? t->name
                            : local__print(a, "Service '%.*s' check", (int)d->name.len, d->name.p),
        .status = t->status.len ? t->status : mu__cstr("critical"),
        .notes = t->notes,
        .service_id = d->id,
        .service_name = d->name,
        .service_tags = tags_or_empty(d->tags),
        .type = check_type_name(t),
    };
}

static void add_and_save(struct local *l, const struct catalog_check *check,
                         const struct catalog_check_type *t, struct mu_str token,
                         enum local_source source)
{
    const struct local_check *c = local__put_check(l, check, t, token, source);
    if (source == SOURCE_REMOTE) {
        local__save_check(l, c);
    }
}

/* Puts a service and its checks in place. */
static bool add_one(struct local *l, const struct catalog_service_definition *given,
                    bool as_sidecar, struct mu_str token, bool replace_checks,
                    enum local_source source, char *err, size_t errlen)
{
    struct mu__arena a;
    struct catalog_service_definition d = *given;
    bool ok = false;
    mu__arena_init(&a, NULL, 0);
    size_t n = definition_checks(&d, NULL, 0);
    const struct catalog_check_type **types = mu__arena_calloc(&a, n + 1, sizeof(void *));
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
    service.locally_registered_as_sidecar = as_sidecar;
    const struct local_service *s = local__put_service(l, &service, token, source);
    for (size_t i = 0; i < n; i++) {
        struct catalog_check check = check_of_service(l, &d, types[i], n > 1 ? i + 1 : 0, &a);
        ids[i] = check.check_id;
        add_and_save(l, &check, types[i], token, source);
    }
    if (replace_checks) {
        local__remove_checks_of(l, s->entry.id, ids, n);
    }
    if (source == SOURCE_REMOTE) {
        local__save_service(l, s);
    }
    ok = true;
out:
    mu__arena_fini(&a);
    return ok;
}

/* Consul says of files which definition it was; over HTTP one knows. */
static bool add_named(struct local *l, const struct catalog_service_definition *d,
                      const struct catalog_service_definition *of, struct mu_str token,
                      bool replace_checks, enum local_source source, char *err, size_t errlen)
{
    char why[LOCAL_ERROR_MAX] = "out of memory";
    if (add_one(l, d, d != of, d->token.len ? d->token : token, replace_checks, source, why,
                sizeof why)) {
        return true;
    }
    if (source == SOURCE_FILE) {
        snprintf(err, errlen, "Failed to register %s \"%.*s\": %s",
                 d == of ? "service" : "sidecar for service", (int)of->name.len, of->name.p, why);
    } else {
        snprintf(err, errlen, "%s", why);
    }
    return false;
}

bool local_add_service(struct local *l, const struct catalog_service_definition *d,
                       struct mu_str token, bool replace_checks, enum local_source source,
                       char *err, size_t errlen)
{
    struct mu__arena a;
    struct catalog_service_definition sidecar;
    bool has_sidecar = sidecar_of(d);
    mu__arena_init(&a, NULL, 0);
    bool ok =
        (!has_sidecar || sidecar_define(l, d, source, &a, &sidecar, err, errlen)) &&
        add_named(l, d, d, token, replace_checks, source, err, errlen) &&
        (!has_sidecar || add_named(l, &sidecar, d, token, replace_checks, source, err, errlen));
    mu__arena_fini(&a);
    return ok;
}

bool local_add_check(struct local *l, const struct agent_check_definition *d, struct mu_str token,
                     enum local_source source, char *err, size_t errlen)
{
    const struct catalog_check_type *t = &d->type;
    const struct local_service *s = d->service_id.len ? local_service(l, d->service_id) : NULL;
    if (d->service_id.len && !s) {
        snprintf(err, errlen, "ServiceID \"%.*s\" does not exist", (int)d->service_id.len,
                 d->service_id.p);
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
    add_and_save(l, &check, t, d->token.len ? d->token : token, source);
    return true;
}

/* ---- Reports and maintenance ---- */

bool local_update_check(struct local *l, struct mu_str id, enum check_status status,
                        struct mu_str output, char *err, size_t errlen)
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
        output = local__print(&a, "%.*s ... (captured %zu of %zu bytes)", (int)max, output.p, max,
                              output.len);
    }
    check_ttl_reset(c->runner, output);
    local__set_status(c, status, output);
    local__save_state(l, c);
    mu__arena_fini(&a);
    return true;
}

bool local_set_maintenance(struct local *l, struct mu_str service, bool enable,
                           struct mu_str reason, struct mu_str token, char *err, size_t errlen)
{
    const struct local_service *s = service.len ? local_service(l, service) : NULL;
    struct mu__arena a;
    if (service.len && !s) {
        snprintf(err, errlen, "No service registered with ID \"%.*s\"", (int)service.len,
                 service.p);
        return false;
    }
    mu__arena_init(&a, NULL, 0);
    struct mu_str id =
        s ? local__print(&a, "_service_maintenance:%.*s", (int)service.len, service.p)
          : mu__cstr("_node_maintenance");
    struct catalog_check check = {
        .node = l->node,
        .check_id = id,
        .name = mu__cstr(s ? "Service Maintenance Mode" : "Node Maintenance Mode"),
        .status = mu__cstr("critical"),
        .notes = reason.len
                     ? reason
                     : local__print(&a,
                                    "Maintenance mode is enabled for this %s, but no reason was "
                                    "provided. This is a "
                                    "default message.",
                                    s ? "service" : "node"),
        .service_id = service,
        .service_name = s ? s->service->service : mu__cstr(""),
        .service_tags = s ? tags_or_empty(s->service->tags) : no_tags,
        .type = mu__cstr("maintenance"),
    };
    if (!enable) {
        local_remove_check(l, id);
    } else if (!local_check(l, id)) { /* maintenance is not entered twice */
        add_and_save(l, &check, NULL, token, SOURCE_REMOTE);
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
            local__delete_check(l, c);
        }
    }
}
